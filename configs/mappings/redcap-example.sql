-- REDCap, an example: tacit-node import --mapping redcap-example.sql forms=records.csv forms.dictionary=dictionary.csv
--
-- A project whose record is a clinician (`staff_id`), with an event a month; a classic project has none, and runs too.
-- Its forms are `staff` (fields job, field, working), `cbi` (Copenhagen Burnout Inventory, cbi_p1 … cbi_c6) and,
-- repeating, `care` (CARE Measure, care_q1 … care_q10, filled in by a patient; care_patient is the patient's number).
-- Field names and codes are this project's: adapt them. The server's clock is UTC+2.

-- @person
SELECT staff_id AS person,
       CASE job WHEN '1' THEN 'physician' WHEN '2' THEN 'nurse' ELSE 'other' END AS role,
       CASE field WHEN '1' THEN 'internal' WHEN '2' THEN 'emergency' WHEN '3' THEN 'oncology'
                  WHEN '4' THEN 'palliative' END AS specialty,
       CAST(working AS INTEGER) AS active,
       _line AS line
FROM raw_forms
WHERE staff_complete = 2

-- @response
-- Only forms that were sent in: complete, and not `[not completed]`.
SELECT form || '-' || record || '-' || coalesce(event, '') || '-' || coalesce(instance, 1) AS response,
       CASE form WHEN 'care' THEN 'care-measure' ELSE 'copenhagen-burnout' END AS instrument,
       CASE form WHEN 'care' THEN 'patient' ELSE 'clinician' END AS respondent,
       record AS person,
       (SELECT w.care_patient FROM raw_forms w WHERE w._line = f._line AND f.form = 'care') AS patient,
       unixepoch(timestamp, '-120 minutes') * 1000000 AS authored_us,
       _line AS line
FROM raw_forms_form f
WHERE form IN ('care', 'cbi') AND complete = 2 AND completed = 1

-- @answer
-- care_q1 is item q1, cbi_p1 is item p1; the code is the choice's.
SELECT a.form || '-' || a.record || '-' || coalesce(a.event, '') || '-' || coalesce(a.instance, 1) AS response,
       substr(a.field, length(a.form) + 2) AS item,
       a.code AS code,
       a._line AS line
FROM raw_forms_answer a
JOIN raw_forms_form f ON f._line = a._line AND f.form = a.form
WHERE a.form IN ('care', 'cbi') AND f.complete = 2 AND f.completed = 1
