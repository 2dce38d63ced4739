-- FHIR R4 bulk export: tacit-node import --mapping fhir-r4.sql fhir=FOLDER
--
-- FOLDER holds the export's files: Encounter.ndjson, QuestionnaireResponse.ndjson, PractitionerRole.ndjson, …, and
-- manifest.json, the answer that the export ended with: its `transactionTime` says up to when the files know anything.
-- This mapping is ready for servers that follow the base specification. Each CASE below is a choice of the
-- hospital: what it does not name becomes a reject with its line, so nothing is guessed. Adapt them.

-- @consent
-- Patients' consents to research, by purpose (v3 ActReason) or scope. Their state follows from the base rule; one that
-- is given with exceptions is a reject with its line, until the hospital has decided here what they mean.
-- An `inactive` consent has ended, and R4 does not say how. It is no statement where a later one of the patient is given
-- instead; where a later one says something else, or its own time is over, the patient is out (`refused`), and nothing
-- is erased. Else it was terminated: `withdrawn`, which erases. It holds from when it was recorded, or began.
WITH said AS (
    SELECT patient, state, exceptions, coalesce(from_us, unixepoch(coalesce(valid_from, recorded)) * 1000000) AS from_us,
           coalesce(to_us, unixepoch(valid_to) * 1000000) AS to_us,
           unixepoch(coalesce(recorded, valid_from)) * 1000000 AS recorded_us, _line AS line
    FROM raw_consent
    WHERE purpose IN ('HRESCH', 'CLINTRCH', 'RESEARCH') OR (purpose IS NULL AND scope = 'research')
), latest AS (
    SELECT patient, max(recorded_us) AS recorded_us,
           max(CASE WHEN state = 'given' AND exceptions = 0 THEN recorded_us END) AS given_us
    FROM said WHERE coalesce(state, '') <> 'ended' GROUP BY patient
)
SELECT s.patient AS patient,
       'research-aggregate' AS purpose,
       CASE WHEN s.state = 'given' AND s.exceptions > 0 THEN NULL
            WHEN s.state <> 'ended' THEN s.state
            WHEN l.recorded_us >= s.recorded_us OR s.to_us <= unixepoch() * 1000000 THEN 'refused'
            ELSE 'withdrawn' END AS state,
       CASE WHEN s.state = 'ended' THEN max(coalesce(s.from_us, s.recorded_us), coalesce(s.recorded_us, s.from_us))
            ELSE s.from_us END AS from_us,
       CASE WHEN s.state <> 'ended' THEN s.to_us END AS to_us,
       s.line AS line
FROM said s
LEFT JOIN latest l ON l.patient = s.patient
WHERE NOT (coalesce(s.state, '') = 'ended' AND coalesce(l.given_us >= s.recorded_us AND l.given_us >= l.recorded_us, 0))

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
-- `readmit_30d` and `ed_30d`: a stay, an emergency visit of the same patient that begins within 30 days after this one's
-- end; a stay that began in the emergency department (`admitSource`) is such a visit, too. Not known (NULL) before those
-- days were over when the export was made. That stands in its manifest; WITHOUT ONE put the day of the export into the first
-- line below, in quotes. The newest encounter does not tell it: it is one patient's word on what is known of others.
WITH export AS (SELECT coalesce(unixepoch(NULL) * 1000000, (SELECT max(at_us) FROM raw_export)) AS at_us),
later AS (
    SELECT id, at_us, min(stay_us) OVER behind AS stay_us, min(emergency_us) OVER behind AS emergency_us
    FROM (SELECT patient, id, end_us AS at_us, NULL AS stay_us, NULL AS emergency_us
          FROM raw_encounter WHERE patient IS NOT NULL AND end_us IS NOT NULL
          UNION ALL
          SELECT patient, NULL, start_us, CASE WHEN class IN ('IMP', 'ACUTE', 'NONAC') THEN start_us END,
                 CASE WHEN class = 'EMER' OR admit_source = 'emd' THEN start_us END
          FROM raw_encounter WHERE patient IS NOT NULL AND start_us IS NOT NULL
               AND class IN ('IMP', 'ACUTE', 'NONAC', 'EMER') AND status IN ('finished', 'in-progress', 'onleave'))
    WINDOW behind AS (PARTITION BY patient ORDER BY at_us DESC RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), followed AS (
    SELECT id, coalesce(stay_us <= later.at_us + 2592000000000, 0) AS stay,
           coalesce(emergency_us <= later.at_us + 2592000000000, 0) AS emergency
    FROM later, export
    WHERE id IS NOT NULL AND later.at_us + 2592000000000 <= export.at_us
)
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
       f.stay AS readmit_30d,
       f.emergency AS ed_30d,
       CASE e.class WHEN 'VR' THEN e.minutes END AS call_minutes,
       e._line AS line
FROM raw_encounter e
LEFT JOIN raw_practitioner_role r ON e.clinician_type = 'PractitionerRole' AND r.id = e.clinician
LEFT JOIN followed f ON f.id = e.id
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
