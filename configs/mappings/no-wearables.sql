-- Hospital without wearables: staff, episodes and burnout sheets in CSV, roster and surveys in Parquet.
--
-- Each section is one SELECT over the raw tables of this hospital's files and yields the columns of one
-- canonical table, with `line` for the line of the file a rejected row came from.
-- Local habits: triage runs from 1 (most urgent) to 5, lengths are seconds and the roster's minutes,
-- times carry their offset. There is no device_session section.

-- @person
SELECT hr_number AS person,
       CASE contract WHEN 'medical' THEN 'physician' WHEN 'nursing' THEN 'nurse' ELSE 'other' END AS role,
       CASE specialty_code WHEN '100' THEN 'internal' WHEN '500' THEN 'emergency'
                           WHEN '370' THEN 'oncology' WHEN '315' THEN 'palliative'
                           ELSE 'other' END AS specialty,
       unit AS site_unit,
       left_on IS NULL AS active,
       age_band AS age_band,
       gender AS gender,
       trained_in AS training_country,
       _line AS line
FROM raw_staff

-- @encounter
SELECT episode AS encounter,
       hr_number AS person,
       patient AS patient,
       unixepoch(opened) * 1000000 AS start_us,
       120 AS tz_min,
       seconds / 60.0 AS minutes,
       6 - CAST(esi AS INTEGER) AS acuity,
       CASE medium WHEN 'presence' THEN 'in_person' WHEN 'telephone' THEN 'phone'
                   WHEN 'voicebot' THEN 'ivr' WHEN 'videocall' THEN 'video' ELSE 'other' END AS channel,
       coalesce(ai_percent / 100.0, 0) AS ai_share, -- left empty where no assistant took part
       interpreter = 'true' AS interpreter,
       readmission = 'true' AS readmit_30d,
       ed_visit = 'true' AS ed_30d,
       CAST(scribe_min AS REAL) AS scribe_minutes,
       CAST(call_min AS REAL) AS call_minutes,
       CAST(presence_min AS REAL) AS presence_minutes,
       CAST(interruptions AS INTEGER) AS interruptions,
       language AS language,
       patient_age AS patient_age_band,
       deprivation AS deprivation_band,
       payer AS payer,
       patient_group AS patient_group,
       _line AS line
FROM raw_episodes

-- @period
SELECT CAST(hr_number AS TEXT) AS person,
       unixepoch(month) * 1000000 AS from_us,
       unixepoch(month, '+1 month') * 1000000 AS to_us,
       episodes AS volume,
       worked_min / 60.0 AS hours,
       night_min / 60.0 AS night_hours,
       training_min / 60.0 AS training_hours,
       _line AS line
FROM raw_roster

-- @training
SELECT who AS person,
       programme AS programme,
       unixepoch(began) * 1000000 AS from_us,
       unixepoch(ended) * 1000000 AS to_us,
       CAST(hours AS REAL) AS hours,
       _line AS line
FROM raw_courses

-- @response
SELECT 'care-' || survey AS response,
       'care-measure' AS instrument,
       'patient' AS respondent,
       CAST(MIN(hr_number) AS TEXT) AS person,
       MIN(episode) AS encounter,
       CAST(MIN(patient) AS TEXT) AS patient,
       MIN(unixepoch(authored)) * 1000000 AS authored_us,
       MIN(_line) AS line
FROM raw_proms GROUP BY survey
UNION ALL
SELECT 'cbi-' || hr_number || '-' || authored, 'copenhagen-burnout', 'clinician', hr_number, NULL, NULL,
       unixepoch(authored) * 1000000, _line
FROM raw_cbi

-- @answer
SELECT 'care-' || survey AS response,
       'q' || CAST(substr(item, 6) AS INTEGER) AS item,
       CAST(value AS TEXT) AS code,
       _line AS line
FROM raw_proms
UNION ALL
SELECT 'cbi-' || hr_number || '-' || authored, 'c1', c1, _line
FROM raw_cbi WHERE c1 IS NOT NULL
UNION ALL
SELECT 'cbi-' || hr_number || '-' || authored, 'c2', c2, _line
FROM raw_cbi WHERE c2 IS NOT NULL
UNION ALL
SELECT 'cbi-' || hr_number || '-' || authored, 'c3', c3, _line
FROM raw_cbi WHERE c3 IS NOT NULL
UNION ALL
SELECT 'cbi-' || hr_number || '-' || authored, 'c4', c4, _line
FROM raw_cbi WHERE c4 IS NOT NULL
UNION ALL
SELECT 'cbi-' || hr_number || '-' || authored, 'c5', c5, _line
FROM raw_cbi WHERE c5 IS NOT NULL
UNION ALL
SELECT 'cbi-' || hr_number || '-' || authored, 'c6', c6, _line
FROM raw_cbi WHERE c6 IS NOT NULL
