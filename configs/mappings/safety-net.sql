-- Safety-net hospital: CSV exports, every value text until it is cast.
--
-- Each section is one SELECT over the raw tables of this hospital's files and yields the columns of one
-- canonical table, with `line` for the line of the file a rejected row came from.
-- Local habits: times are Unix seconds in UTC, the roster holds totals of a quarter, channels are
-- numbers, yes and no are Y and N, surveys have one answer a line, burnout
-- answers are points from 0 to 100.

-- @person
SELECT npi AS person,
       CASE title WHEN 'Doctor' THEN 'physician' WHEN 'Nurse' THEN 'nurse' ELSE 'other' END AS role,
       CASE clinic WHEN 'IM' THEN 'internal' WHEN 'ED' THEN 'emergency' WHEN 'ON' THEN 'oncology'
                   WHEN 'PC' THEN 'palliative' ELSE 'other' END AS specialty,
       band AS grade_band,
       status = 'A' AS active,
       age AS age_band,
       gender AS gender,
       trained AS training_country,
       _line AS line
FROM raw_clinicians

-- @encounter
SELECT enc_id AS encounter,
       npi AS person,
       mrn AS patient,
       CAST(started AS INTEGER) * 1000000 AS start_us,
       120 AS tz_min,
       CAST(dur__min_ AS REAL) AS minutes,
       CAST(acuity AS INTEGER) AS acuity,
       CASE chan WHEN '1' THEN 'in_person' WHEN '2' THEN 'phone' WHEN '3' THEN 'ivr'
                 WHEN '4' THEN 'video' ELSE 'other' END AS channel,
       coalesce(CAST(ai AS REAL), 0) AS ai_share, -- left empty where no assistant took part
       lang_service = 'Y' AS interpreter,
       back_30d = 'Y' AS readmit_30d,
       ed_30d = 'Y' AS ed_30d,
       CAST(scribe AS REAL) AS scribe_minutes,
       CAST(call AS REAL) AS call_minutes,
       CAST(with_patient AS REAL) AS presence_minutes,
       CAST(breaks AS INTEGER) AS interruptions,
       lang AS language,
       pt_age AS patient_age_band,
       ses AS deprivation_band,
       coverage AS payer,
       pt_group AS patient_group,
       _line AS line
FROM raw_encounters

-- @period
-- One line a quarter becomes three months with a third each.
SELECT npi AS person,
       unixepoch(quarter_from, '+' || month.after || ' month') * 1000000 AS from_us,
       unixepoch(quarter_from, '+' || (month.after + 1) || ' month') * 1000000 AS to_us,
       encounters / 3.0 AS volume,
       hours / 3.0 AS hours,
       hours_22_06 / 3.0 AS night_hours,
       hours_training / 3.0 AS training_hours,
       _line AS line
FROM raw_roster, (SELECT 0 AS after UNION ALL
SELECT 1 UNION ALL
SELECT 2) AS month

-- @training
SELECT who AS person,
       programme AS programme,
       unixepoch(began) * 1000000 AS from_us,
       unixepoch(ended) * 1000000 AS to_us,
       CAST(hours AS REAL) AS hours,
       _line AS line
FROM raw_courses

-- @response
SELECT 'care-' || survey_id AS response,
       'care-measure' AS instrument,
       'patient' AS respondent,
       npi AS person,
       enc_id AS encounter,
       mrn AS patient,
       CAST(received AS INTEGER) * 1000000 AS authored_us,
       _line AS line
FROM raw_surveys
UNION ALL
SELECT 'cbi-' || npi || '-' || received, 'copenhagen-burnout', 'clinician', npi, NULL, NULL,
       MIN(CAST(received AS INTEGER)) * 1000000, MIN(_line)
FROM raw_burnout GROUP BY npi, received

-- @answer
SELECT 'care-' || survey_id AS response, 'q' || question AS item, answer AS code, _line AS line
FROM raw_answers
UNION ALL
SELECT 'cbi-' || npi || '-' || received, 'c' || substr(item, 6), CAST(score / 25 + 1 AS TEXT), _line
FROM raw_burnout

-- @device_session
SELECT session AS session,
       worn_by AS person,
       'e4' AS kind,
       CAST(start_unix AS INTEGER) * 1000000 AS start_us,
       file AS file,
       _line AS line
FROM raw_devices
