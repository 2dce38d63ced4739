-- Recordings of wearables, an example:
--
--   tacit-node import --mapping wearables-example.sql --recordings-dir WEAR \
--     staff=staff.csv devices=devices.csv wear=WEAR rates.fitbit=WEAR/heart_rate-2026-07-05.json
--
-- WEAR holds Empatica folders and zips, Garmin .fit files, and exports of Fitbit, Apple Health or Open mHealth. Listed as
-- `raw_wear` each is a session: what it holds and from when to when. `devices.csv` says who wore what, by the beginning of
-- the file's path, and how far a device's clock was ahead of the hospital's, in seconds, if somebody compared them:
--
--   path;nr;ahead
--   nurse-5C;N1;0.4
--   heart_rate-2026;N2;
--
-- The numbers of one file can be looked at beside: `raw_rates` has them one by one. Here they decide which sessions of a
-- watch are long enough to be of use; windows and features are computed from the recording itself (docs/physiology.md).

-- @person
SELECT nr AS person, job AS role, field AS specialty, CAST(works AS INTEGER) AS active, _line AS line
FROM raw_staff

-- @device_session
SELECT w.session AS session,
       d.nr AS person,
       -- What is comparable with what: a baseline is made of one kind of device.
       CASE w.kind WHEN 'e4' THEN 'wrist-e4' WHEN 'fit' THEN 'chest-strap' ELSE w.kind END AS kind,
       -- Variability of sleep has no place in time: it counts from the day that the export is of.
       coalesce(w.start_us, unixepoch(substr(w.session, -10)) * 1000000) AS start_us,
       CAST(round(nullif(d.ahead, '') * 1000000) AS INTEGER) AS clock_offset_us,
       w.file AS file,
       w._line AS line
FROM raw_wear w
JOIN raw_devices d ON substr(w.file, 1, length(d.path)) = d.path
WHERE w.kind <> 'fitbit' OR w.start_us IS NULL
   OR (SELECT count(*) FROM raw_rates r WHERE r.kind = 'heart_rate' AND r.confidence >= 2) >= 20
