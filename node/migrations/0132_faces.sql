-- Action units of a face: a kind of data with a consent of its own, off unless a profile, a switch and the person allow it.

CREATE TABLE consent_new (
    person      BLOB CHECK (length(person) = 16),    -- a clinician, or
    patient     BLOB CHECK (length(patient) = 16),   -- a patient
    who         BLOB GENERATED ALWAYS AS (coalesce(person, patient)) VIRTUAL,
    purpose     TEXT NOT NULL CHECK (purpose IN
                ('local-view', 'research-aggregate', 'heart', 'skin-conductance', 'wearable-summaries',
                 'facial-action-units')),
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
DROP TABLE consent;
ALTER TABLE consent_new RENAME TO consent;
CREATE UNIQUE INDEX consent_statement ON consent (purpose, who, from_us, state);

-- Values of whole recordings alone: of a face there are no windows.
CREATE TABLE feature_new (
    session  BLOB NOT NULL REFERENCES device_session (session),
    feature  TEXT NOT NULL,
    person   BLOB NOT NULL REFERENCES person (person),
    value    REAL NOT NULL,
    n        INTEGER NOT NULL,
    coverage REAL NOT NULL,
    src      INTEGER NOT NULL REFERENCES import_batch (id),
    quality  INTEGER NOT NULL DEFAULT 1 CHECK (quality BETWEEN 0 AND 3),
    spec     INTEGER NOT NULL DEFAULT 0,
    modality TEXT NOT NULL DEFAULT 'heart'
             CHECK (modality IN ('heart', 'skin-conductance', 'wearable-summaries', 'faces')),
    PRIMARY KEY (session, feature)
) STRICT, WITHOUT ROWID;
INSERT INTO feature_new (session, feature, person, value, n, coverage, src, quality, spec, modality)
    SELECT session, feature, person, value, n, coverage, src, quality, spec, modality FROM feature;
DROP TABLE feature;
ALTER TABLE feature_new RENAME TO feature;
CREATE INDEX feature_person ON feature (person);
