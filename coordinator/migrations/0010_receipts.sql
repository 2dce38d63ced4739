-- Each site's signed header of its masked vector: shown to the site again on every connection, so that one whose
-- database was set back finds out.
CREATE TABLE receipt (
    round  TEXT    NOT NULL REFERENCES round (config),
    site   INTEGER NOT NULL,                     -- its index in the round's roster
    header BLOB    NOT NULL,
    PRIMARY KEY (round, site)
) STRICT, WITHOUT ROWID;
