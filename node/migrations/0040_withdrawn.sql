-- Batches that were withdrawn whole: that it happened, and how much went. Counts only; files and their digests go
-- with the batch.
CREATE TABLE withdrawn_batch (
    id             INTEGER PRIMARY KEY, -- the batch's number; numbers are not used again
    imported_us    INTEGER NOT NULL,
    withdrawn_us   INTEGER NOT NULL,
    rows           INTEGER NOT NULL, -- of the batch
    dependent_rows INTEGER NOT NULL  -- of other batches, which referred to them
) STRICT;
