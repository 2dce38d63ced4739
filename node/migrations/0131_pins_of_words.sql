-- How many keys of each person had been pinned when a word on a profile was said: a word stands while neither was
-- replaced since, whatever the clock showed. Words of before stand under the keys of now.
ALTER TABLE profile_word ADD COLUMN officers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE profile_word ADD COLUMN representatives INTEGER NOT NULL DEFAULT 0;
UPDATE profile_word SET officers = (SELECT count(*) FROM officer),
    representatives = (SELECT count(*) FROM representative);

-- How many words had been said, and keys pinned, when a release was cut: what was in force then is recomputed from these.
ALTER TABLE release_log ADD COLUMN words INTEGER NOT NULL DEFAULT 0;
ALTER TABLE release_log ADD COLUMN officers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE release_log ADD COLUMN representatives INTEGER NOT NULL DEFAULT 0;
