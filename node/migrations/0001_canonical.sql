-- The canonical tables of a node. Times are microseconds UTC; keys are 16-byte keyed hashes; `src` is the
-- import batch a row came with, so that a batch can be withdrawn whole.
PRAGMA application_id = 1413563220; -- "TACT": tells a node's database from any other SQLite file

CREATE TABLE pseudonym_check (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16)
) STRICT;

CREATE TABLE import_batch (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us          INTEGER NOT NULL,
    mapping_sha256 BLOB NOT NULL CHECK (length(mapping_sha256) = 32),
    files_sha256   BLOB NOT NULL UNIQUE CHECK (length(files_sha256) = 32) -- of the sorted digests of all files
) STRICT;

CREATE TABLE import_file (
    batch  INTEGER NOT NULL REFERENCES import_batch (id) ON DELETE CASCADE,
    name   TEXT NOT NULL,
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    bytes  INTEGER NOT NULL,
    rows   INTEGER NOT NULL,
    PRIMARY KEY (batch, name)
) STRICT, WITHOUT ROWID;

-- Why a row was not taken over. Never the value.
CREATE TABLE reject (
    batch      INTEGER NOT NULL REFERENCES import_batch (id) ON DELETE CASCADE,
    table_name TEXT NOT NULL,
    line       INTEGER,
    column_name TEXT NOT NULL,
    reason     TEXT NOT NULL
) STRICT;
CREATE INDEX reject_batch ON reject (batch);

CREATE TABLE person (
    person     BLOB PRIMARY KEY CHECK (length(person) = 16),
    role       TEXT NOT NULL,
    specialty  TEXT NOT NULL,
    grade_band TEXT,
    site_unit  TEXT,
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    src        INTEGER NOT NULL REFERENCES import_batch (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE encounter (
    encounter   BLOB PRIMARY KEY CHECK (length(encounter) = 16),
    person      BLOB NOT NULL REFERENCES person (person),
    patient     BLOB CHECK (length(patient) = 16),
    start_us    INTEGER NOT NULL,
    end_us      INTEGER CHECK (end_us >= start_us),
    tz_min      INTEGER NOT NULL,
    minutes     REAL NOT NULL,
    specialty   TEXT,
    acuity      INTEGER NOT NULL CHECK (acuity BETWEEN 1 AND 5),
    channel     TEXT NOT NULL,
    ai_share    REAL,
    interpreter INTEGER,
    readmit_30d INTEGER,
    ed_30d      INTEGER,
    src         INTEGER NOT NULL REFERENCES import_batch (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX encounter_person ON encounter (person);

CREATE TABLE period (
    person         BLOB NOT NULL REFERENCES person (person),
    from_us        INTEGER NOT NULL,
    to_us          INTEGER NOT NULL CHECK (to_us > from_us),
    volume         REAL NOT NULL,
    hours          REAL NOT NULL,
    night_hours    REAL,
    training_hours REAL,
    src            INTEGER NOT NULL REFERENCES import_batch (id),
    PRIMARY KEY (person, from_us)
) STRICT, WITHOUT ROWID;

-- `encounter` may name one that was not imported: an answer counts without it.
CREATE TABLE response (
    response    BLOB PRIMARY KEY CHECK (length(response) = 16),
    instrument  TEXT NOT NULL,
    version     TEXT,
    respondent  TEXT NOT NULL CHECK (respondent IN ('patient', 'clinician')),
    person      BLOB NOT NULL REFERENCES person (person),
    encounter   BLOB CHECK (length(encounter) = 16),
    patient     BLOB CHECK (length(patient) = 16),
    authored_us INTEGER NOT NULL,
    src         INTEGER NOT NULL REFERENCES import_batch (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX response_person ON response (person);

CREATE TABLE answer (
    response BLOB NOT NULL REFERENCES response (response),
    item     TEXT NOT NULL,
    code     TEXT NOT NULL,
    src      INTEGER NOT NULL REFERENCES import_batch (id),
    PRIMARY KEY (response, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_session (
    session         BLOB PRIMARY KEY CHECK (length(session) = 16),
    person          BLOB NOT NULL REFERENCES person (person),
    kind            TEXT NOT NULL,
    start_us        INTEGER NOT NULL,
    clock_offset_us INTEGER,
    fs              REAL,
    file            TEXT NOT NULL,
    src             INTEGER NOT NULL REFERENCES import_batch (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_session_person ON device_session (person);

-- What a recording yields; its beats stay in the file.
CREATE TABLE feature (
    session  BLOB NOT NULL REFERENCES device_session (session),
    feature  TEXT NOT NULL,
    person   BLOB NOT NULL REFERENCES person (person),
    value    REAL NOT NULL,
    n        INTEGER NOT NULL,
    coverage REAL NOT NULL,
    src      INTEGER NOT NULL REFERENCES import_batch (id),
    PRIMARY KEY (session, feature)
) STRICT, WITHOUT ROWID;
CREATE INDEX feature_person ON feature (person);
