-- Rural hospital: small CSV files kept by hand.
--
-- Each section is one SELECT over the raw tables of this hospital's files and yields the columns of one
-- canonical table, with `line` for the line of the file a rejected row came from.
-- Local habits: times are local (two hours ahead of UTC all through this study's period) without
-- seconds, a tick is an x, patients' answers are words, the share of an assistant is written as 25%,
-- burnout answers are points from 0 to 100.

-- @person
SELECT who AS person,
       CASE profession WHEN 'doctor' THEN 'physician' WHEN 'nurse' THEN 'nurse' ELSE 'other' END AS role,
       CASE place WHEN 'general' THEN 'internal' WHEN 'er' THEN 'emergency'
                  WHEN 'day clinic oncology' THEN 'oncology' WHEN 'hospice' THEN 'palliative'
                  ELSE 'other' END AS specialty,
       working IS NOT NULL AS active,
       age AS age_band,
       sex AS gender,
       trained_where AS training_country,
       _line AS line
FROM raw_staff

-- @encounter
SELECT "no" AS encounter,
       who AS person,
       card AS patient,
       utc_us("when", 'Europe/Berlin') AS start_us, -- the clock on the wall, summer and winter
       tz_min("when", 'Europe/Berlin') AS tz_min,
       CAST(minutes AS REAL) AS minutes,
       CAST(urgency AS INTEGER) AS acuity,
       CASE how WHEN 'room' THEN 'in_person' WHEN 'phone' THEN 'phone' WHEN 'machine' THEN 'ivr'
                WHEN 'video' THEN 'video' ELSE 'other' END AS channel,
       coalesce(CAST(rtrim(ai, '%') AS REAL) / 100.0, 0) AS ai_share, -- left empty where no assistant took part
       interpreter IS NOT NULL AS interpreter,
       came_back IS NOT NULL AS readmit_30d,
       to_er IS NOT NULL AS ed_30d,
       CAST(scribe AS REAL) AS scribe_minutes,
       CAST(call AS REAL) AS call_minutes,
       CAST(with_patient AS REAL) AS presence_minutes,
       CAST(interruptions AS INTEGER) AS interruptions,
       spoken AS language,
       age_of_patient AS patient_age_band,
       hardship AS deprivation_band,
       pays AS payer,
       came_as AS patient_group,
       _line AS line
FROM raw_visits

-- @period
SELECT who AS person,
       unixepoch(month || '-01') * 1000000 AS from_us,
       unixepoch(month || '-01', '+1 month') * 1000000 AS to_us,
       CAST(seen AS REAL) AS volume,
       CAST(hours AS REAL) AS hours,
       CAST(of_these_at_night AS REAL) AS night_hours,
       CAST(courses AS REAL) AS training_hours,
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
SELECT 'care ' || "no" AS response,
       'care-measure' AS instrument,
       'patient' AS respondent,
       who AS person,
       visit AS encounter,
       card AS patient,
       utc_us("when", 'Europe/Berlin') AS authored_us,
       _line AS line
FROM raw_opinions
UNION ALL
SELECT 'cbi ' || who || ' ' || "when", 'copenhagen-burnout', 'clinician', who, NULL, NULL,
       utc_us("when", 'Europe/Berlin'), _line
FROM raw_burnout

-- @answer
SELECT 'care ' || "no" AS response,
       'q' || item AS item,
       CASE said WHEN 'poor' THEN '1' WHEN 'fair' THEN '2' WHEN 'good' THEN '3'
                 WHEN 'very good' THEN '4' WHEN 'excellent' THEN '5' ELSE said END AS code,
       _line AS line
FROM (SELECT "no", _line, 1 AS item, answer_1 AS said FROM raw_opinions
      UNION ALL SELECT "no", _line, 2, answer_2 FROM raw_opinions
      UNION ALL SELECT "no", _line, 3, answer_3 FROM raw_opinions
      UNION ALL SELECT "no", _line, 4, answer_4 FROM raw_opinions
      UNION ALL SELECT "no", _line, 5, answer_5 FROM raw_opinions
      UNION ALL SELECT "no", _line, 6, answer_6 FROM raw_opinions
      UNION ALL SELECT "no", _line, 7, answer_7 FROM raw_opinions
      UNION ALL SELECT "no", _line, 8, answer_8 FROM raw_opinions
      UNION ALL SELECT "no", _line, 9, answer_9 FROM raw_opinions
      UNION ALL SELECT "no", _line, 10, answer_10 FROM raw_opinions)
WHERE said IS NOT NULL
UNION ALL
SELECT 'cbi ' || who || ' ' || "when", 'c1', CAST(item_1 / 25 + 1 AS TEXT), _line FROM raw_burnout WHERE item_1 IS NOT NULL
UNION ALL
SELECT 'cbi ' || who || ' ' || "when", 'c2', CAST(item_2 / 25 + 1 AS TEXT), _line FROM raw_burnout WHERE item_2 IS NOT NULL
UNION ALL
SELECT 'cbi ' || who || ' ' || "when", 'c3', CAST(item_3 / 25 + 1 AS TEXT), _line FROM raw_burnout WHERE item_3 IS NOT NULL
UNION ALL
SELECT 'cbi ' || who || ' ' || "when", 'c4', CAST(item_4 / 25 + 1 AS TEXT), _line FROM raw_burnout WHERE item_4 IS NOT NULL
UNION ALL
SELECT 'cbi ' || who || ' ' || "when", 'c5', CAST(item_5 / 25 + 1 AS TEXT), _line FROM raw_burnout WHERE item_5 IS NOT NULL
UNION ALL
SELECT 'cbi ' || who || ' ' || "when", 'c6', CAST(item_6 / 25 + 1 AS TEXT), _line FROM raw_burnout WHERE item_6 IS NOT NULL

-- @device_session
SELECT session AS session,
       worn_by AS person,
       'e4' AS kind,
       CAST(start_unix AS INTEGER) * 1000000 AS start_us,
       file AS file,
       _line AS line
FROM raw_devices
