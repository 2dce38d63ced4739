-- Rounds and what passed in them. Nothing here tells an unmasked site vector: a masked one is uniform to
-- whoever lacks the seeds, and seeds are restored in memory only.

CREATE TABLE round (
    config         TEXT    NOT NULL PRIMARY KEY, -- digest of the configuration
    counter        INTEGER NOT NULL UNIQUE,
    study          TEXT    NOT NULL,             -- digest
    study_text     TEXT    NOT NULL,
    roster_text    TEXT    NOT NULL,
    started_unix_s INTEGER NOT NULL,
    ended_unix_s   INTEGER,
    failure        TEXT,                         -- why there is no result
    signed_result  BLOB                          -- M10 as signed
) STRICT;

CREATE TABLE transcript (
    round    TEXT    NOT NULL REFERENCES round (config),
    sequence INTEGER NOT NULL,
    sender   INTEGER NOT NULL,                   -- 0 is the coordinator, else the site's index
    name     TEXT    NOT NULL,
    bytes    BLOB    NOT NULL,
    PRIMARY KEY (round, sequence)
) STRICT, WITHOUT ROWID;
