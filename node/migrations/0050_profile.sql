-- Which profile two people signed, and what was refused under it. Nothing here is deleted.

-- Public keys of the representative of staff; the one pinned last counts.
CREATE TABLE representative (
    key           TEXT    NOT NULL PRIMARY KEY,
    pinned_unix_s INTEGER NOT NULL
) STRICT;

-- Documents that were signed, as their exact text.
CREATE TABLE profile_document (
    digest TEXT NOT NULL PRIMARY KEY,
    text   TEXT NOT NULL
) STRICT;

-- What was said of a document: payload and signature as they were made. Of one role the last word counts.
CREATE TABLE profile_word (
    digest    TEXT NOT NULL REFERENCES profile_document (digest),
    role      TEXT NOT NULL CHECK (role IN ('officer', 'staff-representative')),
    payload   BLOB NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;

-- Studies that asked for what the profile does not allow: why, when first and last, how often. No value of a person.
CREATE TABLE refusal (
    study        TEXT    NOT NULL,
    why          TEXT    NOT NULL,
    first_unix_s INTEGER NOT NULL,
    last_unix_s  INTEGER NOT NULL,
    times        INTEGER NOT NULL,
    PRIMARY KEY (study, why)
) STRICT, WITHOUT ROWID;
