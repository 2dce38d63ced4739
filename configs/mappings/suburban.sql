-- Suburban hospital: Parquet; the roster stands in the table of people, a column a month.
--
-- Each section is one SELECT over the raw tables of this hospital's files and yields the columns of one
-- canonical table, with `line` for the line of the file a rejected row came from.
-- Local habits: times are ISO 8601 in UTC, acuity is a label A1 to A5, burnout answers are words.

-- @person
SELECT personref AS person,
       CASE role WHEN 'attending' THEN 'physician' WHEN 'registered nurse' THEN 'nurse'
                 ELSE 'other' END AS role,
       CASE service WHEN 'Internal Medicine' THEN 'internal' WHEN 'Emergency' THEN 'emergency'
                    WHEN 'Oncology' THEN 'oncology' WHEN 'Palliative Care' THEN 'palliative'
                    ELSE 'other' END AS specialty,
       CAST(grade AS TEXT) AS grade_band,
       CAST(unit AS TEXT) AS site_unit,
       isactive AS active,
       ageband AS age_band,
       gender AS gender,
       trainedin AS training_country,
       _line AS line
FROM raw_people

-- @encounter
SELECT visit AS encounter,
       clinician AS person,
       patient AS patient,
       unixepoch("begin") * 1000000 AS start_us,
       120 AS tz_min,
       minutes AS minutes,
       CAST(substr(acuity, 2) AS INTEGER) AS acuity,
       CASE channel WHEN 'in person' THEN 'in_person' WHEN 'phone' THEN 'phone'
                    WHEN 'voice menu' THEN 'ivr' WHEN 'video' THEN 'video' ELSE 'other' END AS channel,
       coalesce(aishare, 0) AS ai_share, -- left empty where no assistant took part
       interpreter AS interpreter,
       readmitted AS readmit_30d,
       edreturn AS ed_30d,
       scribeminutes AS scribe_minutes,
       callminutes AS call_minutes,
       presenceminutes AS presence_minutes,
       interruptions AS interruptions,
       language AS language,
       patientage AS patient_age_band,
       deprivation AS deprivation_band,
       payer AS payer,
       patientgroup AS patient_group,
       _line AS line
FROM raw_visits

-- @period
SELECT personref AS person,
       unixepoch(firstmonth, '+0 month') * 1000000 AS from_us,
       unixepoch(firstmonth, '+1 month') * 1000000 AS to_us,
       m1_visits AS volume,
       m1_hours AS hours,
       m1_nights AS night_hours,
       m1_courses AS training_hours,
       _line AS line
FROM raw_people
UNION ALL
SELECT personref,
       unixepoch(firstmonth, '+1 month') * 1000000,
       unixepoch(firstmonth, '+2 month') * 1000000,
       m2_visits,
       m2_hours,
       m2_nights,
       m2_courses,
       _line
FROM raw_people
UNION ALL
SELECT personref,
       unixepoch(firstmonth, '+2 month') * 1000000,
       unixepoch(firstmonth, '+3 month') * 1000000,
       m3_visits,
       m3_hours,
       m3_nights,
       m3_courses,
       _line
FROM raw_people

-- @training
SELECT who AS person,
       programme AS programme,
       unixepoch(began) * 1000000 AS from_us,
       unixepoch(ended) * 1000000 AS to_us,
       CAST(hours AS REAL) AS hours,
       _line AS line
FROM raw_courses

-- @response
SELECT 'care/' || form AS response,
       'care-measure' AS instrument,
       'patient' AS respondent,
       clinician AS person,
       visit AS encounter,
       patient AS patient,
       unixepoch(authored) * 1000000 AS authored_us,
       _line AS line
FROM raw_feedback
UNION ALL
SELECT 'cbi/' || clinician || '/' || authored, 'copenhagen-burnout', 'clinician', clinician, NULL, NULL,
       unixepoch(authored) * 1000000, _line
FROM raw_burnout

-- @answer
SELECT 'care/' || form AS response, 'q1' AS item, CAST(c01 AS TEXT) AS code, _line AS line
FROM raw_feedback WHERE c01 IS NOT NULL
UNION ALL
SELECT 'care/' || form, 'q2', CAST(c02 AS TEXT), _line
FROM raw_feedback WHERE c02 IS NOT NULL
UNION ALL
SELECT 'care/' || form, 'q3', CAST(c03 AS TEXT), _line
FROM raw_feedback WHERE c03 IS NOT NULL
UNION ALL
SELECT 'care/' || form, 'q4', CAST(c04 AS TEXT), _line
FROM raw_feedback WHERE c04 IS NOT NULL
UNION ALL
SELECT 'care/' || form, 'q5', CAST(c05 AS TEXT), _line
FROM raw_feedback WHERE c05 IS NOT NULL
UNION ALL
SELECT 'care/' || form, 'q6', CAST(c06 AS TEXT), _line
FROM raw_feedback WHERE c06 IS NOT NULL
UNION ALL
SELECT 'care/' || form, 'q7', CAST(c07 AS TEXT), _line
FROM raw_feedback WHERE c07 IS NOT NULL
UNION ALL
SELECT 'care/' || form, 'q8', CAST(c08 AS TEXT), _line
FROM raw_feedback WHERE c08 IS NOT NULL
UNION ALL
SELECT 'care/' || form, 'q9', CAST(c09 AS TEXT), _line
FROM raw_feedback WHERE c09 IS NOT NULL
UNION ALL
SELECT 'care/' || form, 'q10', CAST(c10 AS TEXT), _line
FROM raw_feedback WHERE c10 IS NOT NULL
UNION ALL
SELECT 'cbi/' || clinician || '/' || authored, item,
       CASE said WHEN 'never' THEN '1' WHEN 'seldom' THEN '2' WHEN 'sometimes' THEN '3'
                 WHEN 'often' THEN '4' WHEN 'always' THEN '5' ELSE said END,
       _line
FROM (SELECT clinician, authored, _line, 'c1' AS item, client1 AS said FROM raw_burnout
      UNION ALL SELECT clinician, authored, _line, 'c2', client2 FROM raw_burnout
      UNION ALL SELECT clinician, authored, _line, 'c3', client3 FROM raw_burnout
      UNION ALL SELECT clinician, authored, _line, 'c4', client4 FROM raw_burnout
      UNION ALL SELECT clinician, authored, _line, 'c5', client5 FROM raw_burnout
      UNION ALL SELECT clinician, authored, _line, 'c6', client6 FROM raw_burnout)
WHERE said IS NOT NULL

-- @device_session
SELECT session AS session,
       worn_by AS person,
       'e4' AS kind,
       CAST(start_unix AS INTEGER) * 1000000 AS start_us,
       file AS file,
       _line AS line
FROM raw_devices
