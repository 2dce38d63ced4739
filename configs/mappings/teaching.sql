-- Teaching hospital: warehouse export in Parquet, burnout sheets and device list in CSV.
--
-- Each section is one SELECT over the raw tables of this hospital's files and yields the columns of one
-- canonical table, with `line` for the line of the file a rejected row came from.
-- Local habits: triage runs from 1 (most urgent) to 5, lengths are seconds, times are Unix milliseconds
-- in UTC, the roster's month is a number as 202607.

-- @person
SELECT staff_id AS person,
       CASE job_family WHEN 'MD' THEN 'physician' WHEN 'RN' THEN 'nurse' ELSE 'other' END AS role,
       CASE department WHEN 'INT' THEN 'internal' WHEN 'EMD' THEN 'emergency'
                       WHEN 'ONC' THEN 'oncology' WHEN 'PAL' THEN 'palliative'
                       ELSE 'other' END AS specialty,
       CAST(grade AS TEXT) AS grade_band,
       ward AS site_unit,
       employed AS active,
       age_band AS age_band,
       sex AS gender,
       trained_in AS training_country,
       _line AS line
FROM raw_staff

-- @encounter
SELECT contact_no AS encounter,
       staff_id AS person,
       patient_key AS patient,
       start_ms * 1000 AS start_us,
       120 AS tz_min,
       duration_s / 60.0 AS minutes,
       6 - triage_level AS acuity,
       CASE mode WHEN 'F2F' THEN 'in_person' WHEN 'TEL' THEN 'phone' WHEN 'BOT' THEN 'ivr'
                 WHEN 'VID' THEN 'video' ELSE 'other' END AS channel,
       coalesce(assist__ / 100.0, 0) AS ai_share, -- left empty where no assistant took part
       interpreter AS interpreter,
       readmit_30d AS readmit_30d,
       ed_30d AS ed_30d,
       scribe_min AS scribe_minutes,
       call_min AS call_minutes,
       presence_min AS presence_minutes,
       interruptions AS interruptions,
       language AS language,
       patient_age AS patient_age_band,
       deprivation AS deprivation_band,
       payer AS payer,
       patient_group AS patient_group,
       _line AS line
FROM raw_contacts

-- @period
SELECT staff_id AS person,
       unixepoch(printf('%04d-%02d-01', month / 100, month % 100)) * 1000000 AS from_us,
       unixepoch(printf('%04d-%02d-01', month / 100, month % 100), '+1 month') * 1000000 AS to_us,
       contacts AS volume,
       hours AS hours,
       night_hours AS night_hours,
       training_hours AS training_hours,
       _line AS line
FROM raw_duty

-- @training
SELECT who AS person,
       programme AS programme,
       unixepoch(began) * 1000000 AS from_us,
       unixepoch(ended) * 1000000 AS to_us,
       CAST(hours AS REAL) AS hours,
       _line AS line
FROM raw_courses

-- @response
SELECT 'care-' || form_no AS response,
       'care-measure' AS instrument,
       'patient' AS respondent,
       staff_id AS person,
       contact_no AS encounter,
       patient_key AS patient,
       filled_ms * 1000 AS authored_us,
       _line AS line
FROM raw_care
UNION ALL
SELECT 'cbi-' || staff_id || '-' || filled_ms, 'copenhagen-burnout', 'clinician', staff_id, NULL, NULL,
       CAST(filled_ms AS INTEGER) * 1000, _line
FROM raw_cbi

-- @answer
-- A form has its ten answers side by side; an empty one was left out.
SELECT 'care-' || form_no AS response, 'q1' AS item, CAST(q1 AS TEXT) AS code, _line AS line
FROM raw_care WHERE q1 IS NOT NULL
UNION ALL
SELECT 'care-' || form_no, 'q2', CAST(q2 AS TEXT), _line
FROM raw_care WHERE q2 IS NOT NULL
UNION ALL
SELECT 'care-' || form_no, 'q3', CAST(q3 AS TEXT), _line
FROM raw_care WHERE q3 IS NOT NULL
UNION ALL
SELECT 'care-' || form_no, 'q4', CAST(q4 AS TEXT), _line
FROM raw_care WHERE q4 IS NOT NULL
UNION ALL
SELECT 'care-' || form_no, 'q5', CAST(q5 AS TEXT), _line
FROM raw_care WHERE q5 IS NOT NULL
UNION ALL
SELECT 'care-' || form_no, 'q6', CAST(q6 AS TEXT), _line
FROM raw_care WHERE q6 IS NOT NULL
UNION ALL
SELECT 'care-' || form_no, 'q7', CAST(q7 AS TEXT), _line
FROM raw_care WHERE q7 IS NOT NULL
UNION ALL
SELECT 'care-' || form_no, 'q8', CAST(q8 AS TEXT), _line
FROM raw_care WHERE q8 IS NOT NULL
UNION ALL
SELECT 'care-' || form_no, 'q9', CAST(q9 AS TEXT), _line
FROM raw_care WHERE q9 IS NOT NULL
UNION ALL
SELECT 'care-' || form_no, 'q10', CAST(q10 AS TEXT), _line
FROM raw_care WHERE q10 IS NOT NULL
UNION ALL
SELECT 'cbi-' || staff_id || '-' || filled_ms, 'c1', cl1, _line
FROM raw_cbi WHERE cl1 IS NOT NULL
UNION ALL
SELECT 'cbi-' || staff_id || '-' || filled_ms, 'c2', cl2, _line
FROM raw_cbi WHERE cl2 IS NOT NULL
UNION ALL
SELECT 'cbi-' || staff_id || '-' || filled_ms, 'c3', cl3, _line
FROM raw_cbi WHERE cl3 IS NOT NULL
UNION ALL
SELECT 'cbi-' || staff_id || '-' || filled_ms, 'c4', cl4, _line
FROM raw_cbi WHERE cl4 IS NOT NULL
UNION ALL
SELECT 'cbi-' || staff_id || '-' || filled_ms, 'c5', cl5, _line
FROM raw_cbi WHERE cl5 IS NOT NULL
UNION ALL
SELECT 'cbi-' || staff_id || '-' || filled_ms, 'c6', cl6, _line
FROM raw_cbi WHERE cl6 IS NOT NULL

-- @device_session
SELECT session AS session,
       worn_by AS person,
       'e4' AS kind,
       CAST(start_unix AS INTEGER) * 1000000 AS start_us,
       file AS file,
       _line AS line
FROM raw_devices
