-- The officer's key and what was decided with it. Nothing here is deleted.

-- Public keys of officers; the one pinned last counts.
CREATE TABLE officer (
    key           TEXT    NOT NULL PRIMARY KEY,
    pinned_unix_s INTEGER NOT NULL
) STRICT;

-- Decisions, one hash chain a key: payload and signature as they were made.
CREATE TABLE decision (
    officer   TEXT    NOT NULL REFERENCES officer (key),
    sequence  INTEGER NOT NULL,
    payload   BLOB    NOT NULL,
    signature BLOB    NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (officer, sequence)
) STRICT;

-- Releases that wait, or waited, for the officer's yes.
CREATE TABLE held (
    round           TEXT    NOT NULL PRIMARY KEY,
    study           TEXT    NOT NULL,
    statement       TEXT    NOT NULL,
    deadline_unix_s INTEGER NOT NULL
) STRICT;
