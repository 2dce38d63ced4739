-- Results of rounds that this site took no part in, each proved by its transcript: a later period may rest on them.
CREATE TABLE learnt (
    result TEXT NOT NULL PRIMARY KEY,
    signed BLOB NOT NULL,
    study  TEXT NOT NULL,
    roster TEXT NOT NULL
) STRICT;
