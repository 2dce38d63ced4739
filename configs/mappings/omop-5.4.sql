-- OMOP CDM 5.4, over files (CSV or Parquet) or straight in the hospital's PostgreSQL; the same text runs in both:
--   tacit-node import --mapping omop-5.4.sql provider=provider.parquet care_site=care_site.parquet \
--       visit_occurrence=visit_occurrence.parquet visit_detail=visit_detail.parquet \
--       observation=observation.parquet measurement=measurement.parquet cdm_source=cdm_source.parquet
--   tacit-node import --mapping omop-5.4.sql --postgres postgres://tacit@db.hospital:5432/emr --schema cdm
--
-- The model has no role of staff, no acuity and no offset from UTC: what stands for them below are choices of
-- the hospital, to be adapted. Its datetimes are local; this site's clock is UTC+2. Names, NPI and DEA numbers of
-- provider are not used; `person` of the model is the patient, of whom the id alone is.

-- @person
-- The specialty by its standard concept, else by the source's own word. One that neither names becomes a reject
-- with its line. Whoever is listed counts as at work: the model does not say who left, and visits, which would tell,
-- are patients' records. Take those who left out of provider, or hold it against a list of the personnel office.
SELECT p.provider_id AS person,
       CASE WHEN lower(p.specialty_source_value) LIKE '%nurs%' THEN 'nurse' ELSE 'physician' END AS role,
       CASE WHEN p.concept = 38004456 THEN 'internal'
            WHEN p.concept = 38004510 THEN 'emergency'
            WHEN p.concept IN (38004507, 38004502) THEN 'oncology'
            WHEN p.concept = 38004462 THEN 'palliative'
            WHEN p.concept IN (38004446, 38004453, 38003851) THEN 'general'
            WHEN lower(p.specialty_source_value) LIKE '%internal%' THEN 'internal'
            WHEN lower(p.specialty_source_value) LIKE '%emergency%' THEN 'emergency'
            WHEN lower(p.specialty_source_value) LIKE '%oncolog%' THEN 'oncology'
            WHEN lower(p.specialty_source_value) LIKE '%palliat%' THEN 'palliative'
            WHEN lower(p.specialty_source_value) LIKE '%general%' THEN 'general' END AS specialty,
       c.care_site_name AS site_unit,
       1 AS active,
       'born-' || (CAST(p.year_of_birth AS INTEGER) / 10 * 10) || 's' AS age_band, -- a decade says enough
       CASE CAST(p.gender_concept_id AS INTEGER) WHEN 8507 THEN 'male' WHEN 8532 THEN 'female' END AS gender,
       p.line AS line
FROM (SELECT provider_id, care_site_id, specialty_source_value, CAST(specialty_concept_id AS BIGINT) AS concept,
             year_of_birth, gender_concept_id, _line AS line
      FROM raw_provider) p
LEFT JOIN raw_care_site c ON c.care_site_id = p.care_site_id

-- @encounter
-- Visits of a provider: 9202 outpatient, 9203 emergency room, 5083 telehealth, 581476 home. A stay (9201) has no
-- clinician's minutes, but the details within it that name a provider do; one of more than a day is a bed, not a
-- clinician's time. `ed_30d`: a later emergency visit of the same patient within 30 days of this one's end; NULL where
-- the data were taken from their source before those days were over. The day stands in cdm_source, not in the visits:
-- were it the newest visit's, one patient could decide what is known of others.
SELECT id AS encounter,
       provider_id AS person,
       person_id AS patient,
       start_s * 1000000 AS start_us,
       end_s * 1000000 AS end_us,
       120 AS tz_min,
       (end_s - start_s) / CAST(60 AS DOUBLE PRECISION) AS minutes,
       CASE WHEN concept = 9203 THEN 4 WHEN concept = 32037 THEN 5 WHEN part = 1 THEN 3 ELSE 2 END AS acuity,
       CASE WHEN concept = 5083 THEN 'video' ELSE 'in_person' END AS channel,
       CASE WHEN end_s + 30 * 86400 <= (SELECT min(unixepoch(source_release_date)) FROM raw_cdm_source)
            THEN CASE WHEN next_ed_s <= end_s + 30 * 86400 THEN 1 ELSE 0 END END AS ed_30d,
       CASE WHEN concept = 5083 THEN (end_s - start_s) / CAST(60 AS DOUBLE PRECISION) END AS call_minutes,
       line
FROM (SELECT id, part, provider_id, person_id, concept, start_s, end_s, line,
             min(start_s) FILTER (WHERE concept = 9203 AND part = 0)
                 OVER (PARTITION BY person_id ORDER BY start_s DESC
                       RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS next_ed_s
      FROM (SELECT CAST(visit_occurrence_id AS TEXT) AS id, 0 AS part, provider_id, person_id,
                   CAST(visit_concept_id AS BIGINT) AS concept,
                   unixepoch(visit_start_datetime, '-120 minutes') AS start_s,
                   unixepoch(visit_end_datetime, '-120 minutes') AS end_s,
                   _line AS line
            FROM raw_visit_occurrence
            UNION ALL
            SELECT 'd' || CAST(d.visit_detail_id AS TEXT), 1, d.provider_id, d.person_id,
                   CAST(d.visit_detail_concept_id AS BIGINT),
                   unixepoch(d.visit_detail_start_datetime, '-120 minutes'),
                   unixepoch(d.visit_detail_end_datetime, '-120 minutes'),
                   d._line
            FROM raw_visit_detail d
            JOIN raw_visit_occurrence s ON s.visit_occurrence_id = d.visit_occurrence_id
            WHERE CAST(s.visit_concept_id AS BIGINT) = 9201) v) w
WHERE provider_id IS NOT NULL
  AND (part = 1 AND end_s - start_s <= 86400 OR part = 0 AND concept IN (9202, 9203, 5083, 581476))

-- @response
-- The model has no table of questionnaires: answers lie in observation, and with some hospitals in measurement. Here
-- the source value is `INSTRUMENT:ITEM`, and the answers of one visit and moment are one form, about the visit's
-- provider.
SELECT a.visit || '-' || CAST(a.at_s AS TEXT) AS response,
       a.instrument AS instrument,
       'patient' AS respondent,
       v.provider_id AS person,
       a.visit AS encounter,
       a.patient AS patient,
       a.at_s * 1000000 AS authored_us,
       min(a.line) AS line
FROM (SELECT CAST(visit_occurrence_id AS TEXT) AS visit, person_id AS patient,
             substr(observation_source_value, 1, instr(observation_source_value, ':') - 1) AS instrument,
             unixepoch(observation_datetime, '-120 minutes') AS at_s, _line AS line
      FROM raw_observation WHERE observation_source_value LIKE 'care-measure:%'
      UNION ALL
      SELECT CAST(visit_occurrence_id AS TEXT), person_id,
             substr(measurement_source_value, 1, instr(measurement_source_value, ':') - 1),
             unixepoch(measurement_datetime, '-120 minutes'), _line
      FROM raw_measurement WHERE measurement_source_value LIKE 'care-measure:%') a
JOIN (SELECT CAST(visit_occurrence_id AS TEXT) AS visit, provider_id FROM raw_visit_occurrence) v ON v.visit = a.visit
GROUP BY a.visit, a.at_s, a.instrument, v.provider_id, a.patient

-- @answer
-- The code as it was given: the source's own, else the number.
SELECT a.visit || '-' || CAST(a.at_s AS TEXT) AS response,
       a.item AS item,
       coalesce(a.given, CASE WHEN a.number = CAST(a.number AS BIGINT) THEN CAST(CAST(a.number AS BIGINT) AS TEXT)
                              ELSE CAST(a.number AS TEXT) END) AS code,
       a.line AS line
FROM (SELECT CAST(visit_occurrence_id AS TEXT) AS visit,
             substr(observation_source_value, instr(observation_source_value, ':') + 1) AS item,
             value_source_value AS given, CAST(value_as_number AS DOUBLE PRECISION) AS number,
             unixepoch(observation_datetime, '-120 minutes') AS at_s, _line AS line
      FROM raw_observation WHERE observation_source_value LIKE 'care-measure:%'
      UNION ALL
      SELECT CAST(visit_occurrence_id AS TEXT),
             substr(measurement_source_value, instr(measurement_source_value, ':') + 1),
             value_source_value, CAST(value_as_number AS DOUBLE PRECISION),
             unixepoch(measurement_datetime, '-120 minutes'), _line
      FROM raw_measurement WHERE measurement_source_value LIKE 'care-measure:%') a
