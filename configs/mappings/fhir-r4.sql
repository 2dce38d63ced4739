-- FHIR R4 bulk export: tacit-node import --mapping fhir-r4.sql fhir=FOLDER
--
-- FOLDER holds the export's files: Encounter.ndjson, QuestionnaireResponse.ndjson, PractitionerRole.ndjson, …
-- This mapping is ready for servers that follow the base specification. Each CASE below is a choice of the
-- hospital: what it does not name becomes a reject with its line, so nothing is guessed. Adapt them.

-- @consent
-- Patients' consents to research, by purpose (v3 ActReason) or scope. Their state follows from the base rule; one that
-- is given with exceptions is a reject with its line, until the hospital has decided here what they mean.
SELECT patient AS patient,
       'research-aggregate' AS purpose,
       CASE WHEN state = 'given' AND exceptions > 0 THEN NULL ELSE state END AS state,
       coalesce(from_us, unixepoch(coalesce(valid_from, recorded)) * 1000000) AS from_us,
       coalesce(to_us, unixepoch(valid_to) * 1000000) AS to_us,
       _line AS line
FROM raw_consent
WHERE purpose IN ('HRESCH', 'CLINTRCH', 'RESEARCH') OR (purpose IS NULL AND scope = 'research')

-- @person
-- One row a practitioner: of several roles the one that is active and comes first.
-- Specialties are SNOMED CT codes of the value set c80-practice-codes.
SELECT practitioner AS person,
       CASE role WHEN 'doctor' THEN 'physician' WHEN 'nurse' THEN 'nurse' WHEN 'RP' THEN 'physician'
                 ELSE 'other' END AS role,
       CASE specialty WHEN '419192003' THEN 'internal'   -- internal medicine
                      WHEN '773568002' THEN 'emergency'  -- emergency medicine
                      WHEN '394593009' THEN 'oncology'   -- medical oncology
                      WHEN '394806003' THEN 'palliative' -- palliative medicine
                      WHEN '408443003' THEN 'general'    -- general medical practice
                      ELSE 'other' END AS specialty,
       organization AS site_unit,
       coalesce(active, 1) AS active,
       _line AS line
FROM (SELECT *, row_number() OVER (PARTITION BY practitioner ORDER BY active DESC, _line) AS nth
      FROM raw_practitioner_role WHERE practitioner IS NOT NULL)
WHERE nth = 1

-- @encounter
-- Only what is finished, has a moment, and is not a stay: of a stay of days the clinician's minutes are not told.
SELECT e.id AS encounter,
       CASE e.clinician_type WHEN 'PractitionerRole' THEN r.practitioner ELSE e.clinician END AS person,
       e.patient AS patient,
       e.start_us AS start_us,
       e.end_us AS end_us,
       e.tz_min AS tz_min,
       e.minutes AS minutes,
       CASE r.specialty WHEN '419192003' THEN 'internal' WHEN '773568002' THEN 'emergency'
                        WHEN '394593009' THEN 'oncology' WHEN '394806003' THEN 'palliative'
                        WHEN '408443003' THEN 'general' END AS specialty,
       -- v3 ActPriority: emergency, urgent, as soon as possible, routine, elective.
       CASE e.priority WHEN 'EM' THEN 5 WHEN 'UR' THEN 4 WHEN 'A' THEN 3 WHEN 'R' THEN 2 WHEN 'EL' THEN 1
                       ELSE CASE e.class WHEN 'EMER' THEN 4 WHEN 'AMB' THEN 2 WHEN 'VR' THEN 2 WHEN 'HH' THEN 2 END
                       END AS acuity,
       CASE e.class WHEN 'VR' THEN 'video' ELSE 'in_person' END AS channel,
       CASE WHEN e.class = 'IMP' THEN e.readmission END AS readmit_30d,
       CASE e.class WHEN 'VR' THEN e.minutes END AS call_minutes,
       e._line AS line
FROM raw_encounter e
LEFT JOIN raw_practitioner_role r ON e.clinician_type = 'PractitionerRole' AND r.id = e.clinician
WHERE e.status = 'finished' AND e.class IN ('AMB', 'EMER', 'VR', 'HH') AND e.start_us IS NOT NULL

-- @response
-- The last part of a questionnaire's canonical URL names the instrument. A patient's form speaks about the
-- clinician of its encounter; a clinician's about its source, else its author. The version after the URL's `|` must be
-- the instrument's, as `tacit-node instrument list` shows it; where the server counts versions of its own, leave it out.
SELECT q.id AS response,
       q.instrument AS instrument,
       q.version AS version,
       q.respondent AS respondent,
       CASE q.respondent
            WHEN 'clinician' THEN coalesce(CASE q.source_type WHEN 'Practitioner' THEN q.source END,
                                           CASE q.author_type WHEN 'Practitioner' THEN q.author END)
            ELSE CASE e.clinician_type WHEN 'PractitionerRole' THEN r.practitioner ELSE e.clinician END
            END AS person,
       CASE q.respondent WHEN 'patient' THEN q.encounter END AS encounter,
       CASE q.respondent WHEN 'patient' THEN q.patient END AS patient,
       q.authored_us AS authored_us,
       q._line AS line
FROM (SELECT *,
             CASE WHEN questionnaire LIKE '%/care-measure' THEN 'care-measure'
                  WHEN questionnaire LIKE '%/copenhagen-burnout' THEN 'copenhagen-burnout'
                  WHEN questionnaire LIKE '%/pwls-single' THEN 'pwls-single' END AS instrument,
             CASE WHEN questionnaire LIKE '%/care-measure' THEN 'patient' ELSE 'clinician' END AS respondent
      FROM raw_response) q
LEFT JOIN raw_encounter e ON e.id = q.encounter
LEFT JOIN raw_practitioner_role r ON e.clinician_type = 'PractitionerRole' AND r.id = e.clinician
WHERE q.instrument IS NOT NULL

-- @answer
-- linkId is the item, the code is as it was given.
SELECT response AS response, item AS item, code AS code, _line AS line
FROM raw_answer
WHERE questionnaire LIKE '%/care-measure' OR questionnaire LIKE '%/copenhagen-burnout'
   OR questionnaire LIKE '%/pwls-single'
