-- How many rows of a batch were rejected. `reject` has a row a reason, and a row of a file may have several.
CREATE TABLE rejected_rows (
    batch INTEGER PRIMARY KEY REFERENCES import_batch (id) ON DELETE CASCADE,
    rows  INTEGER NOT NULL
) STRICT;
