-- Who consented to what, who withdrew, which encounters were annotated, and what was erased.

-- Statements, one a person, purpose and beginning; the latest that has begun decides. A consent ends after 366 days
-- at the latest. `src` is absent where the statement was made at the node itself, or outlives the batch that brought it.
CREATE TABLE consent (
    person      BLOB CHECK (length(person) = 16),    -- a clinician, or
    patient     BLOB CHECK (length(patient) = 16),   -- a patient
    who         BLOB GENERATED ALWAYS AS (coalesce(person, patient)) VIRTUAL,
    purpose     TEXT NOT NULL CHECK (purpose IN ('local-view', 'research-aggregate', 'heart')),
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
CREATE UNIQUE INDEX consent_statement ON consent (purpose, who, from_us, state);

-- Keys whose rows are left out of every import, since the person `who` withdrew. `kind` is the column a key stands in;
-- of `heart`, that of the clinician whose recordings are left out.
CREATE TABLE barred (
    kind TEXT NOT NULL CHECK (kind IN ('person', 'patient', 'encounter', 'response', 'heart')),
    key  BLOB NOT NULL CHECK (length(key) = 16),
    who  BLOB NOT NULL CHECK (length(who) = 16),
    PRIMARY KEY (kind, key, who)
) STRICT, WITHOUT ROWID;
CREATE INDEX barred_who ON barred (who);

-- What a clinician says of an encounter of theirs: beside the encounter, so that it survives a new import of it.
CREATE TABLE annotation (
    encounter BLOB NOT NULL CHECK (length(encounter) = 16),
    kind      TEXT NOT NULL CHECK (kind IN ('exclude', 'contest', 'context')),
    person    BLOB NOT NULL CHECK (length(person) = 16),
    reason    TEXT NOT NULL,
    at_us     INTEGER NOT NULL,
    PRIMARY KEY (encounter, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX annotation_person ON annotation (person);

-- What was erased, when and why, by table: counts, never whose. Nothing here is deleted.
CREATE TABLE erasure (
    at_us      INTEGER NOT NULL,
    why        TEXT NOT NULL CHECK (why IN ('withdrawn', 'retention')),
    table_name TEXT NOT NULL,
    rows       INTEGER NOT NULL CHECK (rows > 0)
) STRICT;

CREATE INDEX encounter_patient ON encounter (patient) WHERE patient IS NOT NULL;
CREATE INDEX response_patient ON response (patient) WHERE patient IS NOT NULL;
CREATE INDEX response_encounter ON response (encounter) WHERE encounter IS NOT NULL;
