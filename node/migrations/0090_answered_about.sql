-- Whose an answer is outlives its encounter: it bounds what one patient moves. 1 where the patient was not stated with
-- the answer, but taken over from its encounter as that one went.
ALTER TABLE response ADD COLUMN from_encounter INTEGER NOT NULL DEFAULT 0 CHECK (from_encounter IN (0, 1));

CREATE INDEX response_from_encounter ON response (encounter) WHERE from_encounter = 1;

CREATE TRIGGER encounter_goes BEFORE DELETE ON encounter WHEN OLD.patient IS NOT NULL BEGIN
    UPDATE response SET patient = OLD.patient, from_encounter = 1
    WHERE encounter = OLD.encounter AND respondent = 'patient' AND (patient IS NULL OR from_encounter = 1);
END;

-- Who has recordings is computed anew once an encounter is gone: windows that it shared with another belong to that one.
CREATE TRIGGER encounter_leaves_windows BEFORE DELETE ON encounter BEGIN
    INSERT OR IGNORE INTO stale_person
    SELECT person FROM device_session WHERE person = OLD.person LIMIT 1;
END;
