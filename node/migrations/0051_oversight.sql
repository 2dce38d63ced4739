-- What became of a contest, and which releases were cut for whom.

-- A contest is open until somebody resolved it. `upheld`: the encounter stays out. `dismissed`, `corrected`: it counts.
ALTER TABLE annotation ADD COLUMN resolution TEXT CHECK (resolution IN ('upheld', 'dismissed', 'corrected'));
ALTER TABLE annotation ADD COLUMN resolved_us INTEGER;
ALTER TABLE annotation ADD COLUMN resolved_by TEXT;

-- Releases, a row written before the charge: what was asked, for whom, under which profile, by whose approval. The
-- ledger's chain holds round and study; what stands here follows from those. Nothing here is deleted.
CREATE TABLE release_log (
    round       TEXT    NOT NULL PRIMARY KEY,
    at_unix_s   INTEGER NOT NULL,
    study       TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    purpose     TEXT    NOT NULL,
    recipients  TEXT    NOT NULL, -- names with their classes
    profile     TEXT    NOT NULL, -- digest of the document
    kind        TEXT    NOT NULL, -- of the profile
    small_cells TEXT    NOT NULL, -- refused or accepted, as the officer said
    officer     TEXT    NOT NULL  -- the key whose approval it rests on
) STRICT, WITHOUT ROWID;
