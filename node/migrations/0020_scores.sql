-- By which rules the scores behind a release were made: a row for each questionnaire, written before the release is
-- paid for. Nothing here is deleted, and nothing derives from a person.
CREATE TABLE scored_by (
    round      TEXT NOT NULL CHECK (length(round) = 64),
    instrument TEXT NOT NULL,
    version    TEXT NOT NULL,
    sha256     TEXT NOT NULL CHECK (length(sha256) = 64), -- of the definition
    licence    TEXT,                                      -- the reference the site entered, where one is needed
    PRIMARY KEY (round, instrument, sha256)
) STRICT, WITHOUT ROWID;
