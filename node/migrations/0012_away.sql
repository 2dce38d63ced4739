-- Approved studies that this site stays away from, since a cell was too small when its data last changed.
CREATE TABLE away (
    study TEXT NOT NULL PRIMARY KEY,
    why   TEXT NOT NULL                          -- names cells, never their numbers
) STRICT;
