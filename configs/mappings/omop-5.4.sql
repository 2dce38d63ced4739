-- OMOP CDM 5.4, as CSV or Parquet:
--   tacit-node import --mapping omop-5.4.sql provider=provider.parquet care_site=care_site.parquet \
--       visit_occurrence=visit_occurrence.parquet observation=observation.parquet
--
-- The model has no role of staff, no acuity and no offset from UTC: what stands for them below are choices of
-- the hospital, to be adapted. Its datetimes are local; this site's clock is UTC+2. Names, NPI and DEA numbers of
-- provider are not used; `person` of the model is the patient, of whom the id alone is.

-- @person
-- A specialty that the CASE does not name becomes a reject with its line. `specialty_concept_id` serves as well.
SELECT p.provider_id AS person,
       CASE WHEN lower(p.specialty_source_value) LIKE '%nurs%' THEN 'nurse' ELSE 'physician' END AS role,
       CASE WHEN lower(p.specialty_source_value) LIKE '%internal%' THEN 'internal'
            WHEN lower(p.specialty_source_value) LIKE '%emergency%' THEN 'emergency'
            WHEN lower(p.specialty_source_value) LIKE '%oncolog%' THEN 'oncology'
            WHEN lower(p.specialty_source_value) LIKE '%palliat%' THEN 'palliative'
            WHEN lower(p.specialty_source_value) LIKE '%general%' THEN 'general' END AS specialty,
       c.care_site_name AS site_unit,
       p.provider_id IN (SELECT provider_id FROM raw_visit_occurrence) AS active,
       p._line AS line
FROM raw_provider p
LEFT JOIN raw_care_site c ON c.care_site_id = p.care_site_id

-- @encounter
-- Visits of a provider: 9202 outpatient, 9203 emergency room, 5083 telehealth, 581476 home. A stay (9201) has no
-- clinician's minutes. `ed_30d`: a later emergency visit of the same patient within 30 days of this one's end.
SELECT visit_occurrence_id AS encounter,
       provider_id AS person,
       person_id AS patient,
       start_s * 1000000 AS start_us,
       end_s * 1000000 AS end_us,
       120 AS tz_min,
       (end_s - start_s) / 60.0 AS minutes,
       CASE concept WHEN 9203 THEN 4 ELSE 2 END AS acuity,
       CASE concept WHEN 5083 THEN 'video' ELSE 'in_person' END AS channel,
       coalesce(next_ed_s <= end_s + 30 * 86400, 0) AS ed_30d,
       line
FROM (SELECT *,
             min(start_s) FILTER (WHERE concept = 9203)
                 OVER (PARTITION BY person_id ORDER BY start_s DESC
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS next_ed_s
      FROM (SELECT visit_occurrence_id, provider_id, person_id, _line AS line,
                   CAST(visit_concept_id AS INTEGER) AS concept,
                   unixepoch(visit_start_datetime, '-120 minutes') AS start_s,
                   unixepoch(visit_end_datetime, '-120 minutes') AS end_s
            FROM raw_visit_occurrence))
WHERE concept IN (9202, 9203, 5083, 581476) AND provider_id IS NOT NULL

-- @response
-- The model has no table of questionnaires: answers lie in observation. Here `observation_source_value` is
-- `INSTRUMENT:ITEM`, and the answers of one visit and moment are one form, about the visit's provider.
SELECT DISTINCT o.visit_occurrence_id || '-' || o.observation_datetime AS response,
       substr(o.observation_source_value, 1, instr(o.observation_source_value, ':') - 1) AS instrument,
       'patient' AS respondent,
       v.provider_id AS person,
       o.visit_occurrence_id AS encounter,
       o.person_id AS patient,
       unixepoch(o.observation_datetime, '-120 minutes') * 1000000 AS authored_us,
       min(o._line) OVER (PARTITION BY o.visit_occurrence_id, o.observation_datetime) AS line
FROM raw_observation o
JOIN raw_visit_occurrence v ON v.visit_occurrence_id = o.visit_occurrence_id
WHERE o.observation_source_value LIKE 'care-measure:%'

-- @answer
-- The code as it was given: the source's own, else the number.
SELECT visit_occurrence_id || '-' || observation_datetime AS response,
       substr(observation_source_value, instr(observation_source_value, ':') + 1) AS item,
       coalesce(value_source_value,
                CASE WHEN CAST(value_as_number AS REAL) = CAST(value_as_number AS INTEGER)
                     THEN CAST(CAST(value_as_number AS INTEGER) AS TEXT) ELSE CAST(value_as_number AS TEXT) END) AS code,
       _line AS line
FROM raw_observation
WHERE observation_source_value LIKE 'care-measure:%'
