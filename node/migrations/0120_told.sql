-- What a clinician was told of patients' answers, by quarter that was over: told once, and the same ever after, since a
-- mean made anew after one more answer, or one fewer, would tell that answer. `person` refers to no row: a new import
-- replaces those. Retention and withdrawal erase here, too.
CREATE TABLE told (
    person     BLOB NOT NULL CHECK (length(person) = 16),
    quarter    TEXT NOT NULL,
    instrument TEXT NOT NULL,
    version    TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    scale      TEXT NOT NULL,
    patients   TEXT NOT NULL,
    mean       REAL NOT NULL,
    low        REAL NOT NULL,
    high       REAL NOT NULL,
    at_us      INTEGER NOT NULL,
    PRIMARY KEY (person, quarter, instrument, scale)
) STRICT, WITHOUT ROWID;
