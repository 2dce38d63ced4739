-- A file of encounters that is read in place: its rows are in no table. The digests are those of its row groups, in
-- their order; the refused rows are numbers from 0, ascending, 8 bytes each, little end first.
CREATE TABLE streamed (
    batch   INTEGER PRIMARY KEY REFERENCES import_batch (id) ON DELETE CASCADE,
    path    TEXT NOT NULL,
    rows    INTEGER NOT NULL,
    digests BLOB NOT NULL CHECK (length(digests) % 32 = 0),
    refused BLOB NOT NULL CHECK (length(refused) % 8 = 0)
) STRICT;
