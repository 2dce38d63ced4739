-- Every key of the representative of staff that was ever pinned, in the order of pinning; the last counts, whatever the
-- clock said. Nothing here is deleted.
CREATE TABLE representative_new (
    nth           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    key           TEXT    NOT NULL,
    pinned_unix_s INTEGER NOT NULL
) STRICT;
INSERT INTO representative_new (key, pinned_unix_s) SELECT key, pinned_unix_s FROM representative ORDER BY rowid;
DROP TABLE representative;
ALTER TABLE representative_new RENAME TO representative;
