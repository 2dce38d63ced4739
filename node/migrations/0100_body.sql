-- Signals of a body: each kind is consented to by itself, and every value says of which kind it is.

CREATE TABLE consent_new (
    person      BLOB CHECK (length(person) = 16),    -- a clinician, or
    patient     BLOB CHECK (length(patient) = 16),   -- a patient
    who         BLOB GENERATED ALWAYS AS (coalesce(person, patient)) VIRTUAL,
    purpose     TEXT NOT NULL CHECK (purpose IN
                ('local-view', 'research-aggregate', 'heart', 'skin-conductance', 'wearable-summaries')),
    state       TEXT NOT NULL CHECK (state IN ('given', 'refused', 'withdrawn')),
    from_us     INTEGER NOT NULL,
    to_us       INTEGER CHECK (to_us > from_us),
    until_us    INTEGER GENERATED ALWAYS AS
                (min(coalesce(to_us, from_us + 31622400000000), from_us + 31622400000000)) VIRTUAL,
    document    TEXT,
    recorded_by TEXT,
    src         INTEGER REFERENCES import_batch (id),
    CHECK ((person IS NULL) <> (patient IS NULL))
) STRICT;
INSERT INTO consent_new (person, patient, purpose, state, from_us, to_us, document, recorded_by, src)
    SELECT person, patient, purpose, state, from_us, to_us, document, recorded_by, src FROM consent ORDER BY rowid;
-- Until now `heart` stood for every recording: who said no to it said no to each kind. A yes was to heart beats alone.
INSERT INTO consent_new (person, patient, purpose, state, from_us, to_us, document, recorded_by, src)
    SELECT c.person, c.patient, p.purpose, c.state, c.from_us, c.to_us, c.document, c.recorded_by, c.src
    FROM consent c, (SELECT 'skin-conductance' AS purpose UNION ALL SELECT 'wearable-summaries') p
    WHERE c.purpose = 'heart' AND c.state <> 'given' ORDER BY c.rowid;
DROP TABLE consent;
ALTER TABLE consent_new RENAME TO consent;
CREATE UNIQUE INDEX consent_statement ON consent (purpose, who, from_us, state);

-- Whoever said no to a kind is left out for it by what they said; a bar would stand for all kinds.
DELETE FROM barred WHERE kind = 'heart';

ALTER TABLE feature ADD COLUMN modality TEXT NOT NULL DEFAULT 'heart'
    CHECK (modality IN ('heart', 'skin-conductance', 'wearable-summaries'));
ALTER TABLE window_feature ADD COLUMN modality TEXT NOT NULL DEFAULT 'heart'
    CHECK (modality IN ('heart', 'skin-conductance', 'wearable-summaries'));
ALTER TABLE encounter_feature ADD COLUMN modality TEXT NOT NULL DEFAULT 'heart'
    CHECK (modality IN ('heart', 'skin-conductance', 'wearable-summaries'));
UPDATE feature SET modality = 'skin-conductance' WHERE feature GLOB 'sc[lr]_*' OR feature GLOB 'low_contact*';
UPDATE window_feature SET modality = 'skin-conductance' WHERE feature GLOB 'sc[lr]_*' OR feature GLOB 'low_contact*';
UPDATE encounter_feature SET modality = 'skin-conductance' WHERE feature GLOB 'sc[lr]_*' OR feature GLOB 'low_contact*';
-- Beats give a variability; of a watch's heart rates alone there is none.
UPDATE feature SET modality = 'wearable-summaries' WHERE feature = 'ln_rmssd_sleep' OR feature = 'mean_hr_bpm'
    AND session NOT IN (SELECT session FROM feature WHERE feature = 'ln_rmssd');
UPDATE window_feature SET modality = 'wearable-summaries' WHERE feature GLOB 'mean_hr*'
    AND session NOT IN (SELECT session FROM window_feature WHERE feature = 'ln_rmssd');
UPDATE encounter_feature SET modality = 'wearable-summaries' WHERE feature GLOB 'mean_hr*'
    AND session NOT IN (SELECT session FROM window_feature WHERE feature = 'ln_rmssd');
