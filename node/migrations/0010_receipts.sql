-- Answers of this site that a coordinator showed it and that its ledger did not know: their entries were lost with
-- an older copy of this database. Kept until the loss is in the ledger, and afterwards.
CREATE TABLE missing (
    head       TEXT    NOT NULL PRIMARY KEY, -- the ledger's head that the answer stated
    receipt    BLOB    NOT NULL,
    seen_unix_s INTEGER NOT NULL
) STRICT;
