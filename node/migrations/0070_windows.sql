-- What a recording comes to window by window, and beside encounters. Rows of a session go with the session: with its
-- batch, with a withdrawal, at the end of the time that features are kept.

-- A session's values say what they are worth and by which rules they were made, too.
ALTER TABLE feature ADD COLUMN quality INTEGER NOT NULL DEFAULT 1 CHECK (quality BETWEEN 0 AND 3);
ALTER TABLE feature ADD COLUMN spec INTEGER NOT NULL DEFAULT 0; -- 0: before rules had numbers

-- Values of windows on the grid of UTC, and (`…_z`) how unusual they were for the person. Quality: 3 good, 2 with a
-- clock that may be off, 1 low, 0 moved: it counts nowhere. Windows that were refused have no row.
CREATE TABLE window_feature (
    session  BLOB NOT NULL REFERENCES device_session (session) ON DELETE CASCADE,
    length_s INTEGER NOT NULL CHECK (length_s IN (60, 300)),
    start_us INTEGER NOT NULL CHECK (start_us % (length_s * 1000000) = 0),
    feature  TEXT NOT NULL,
    person   BLOB NOT NULL,
    value    REAL NOT NULL,
    n        INTEGER NOT NULL, -- intervals, pairs or samples; of a z the windows of the baseline
    coverage REAL NOT NULL,
    quality  INTEGER NOT NULL CHECK (quality BETWEEN 0 AND 3),
    at_rest  INTEGER NOT NULL CHECK (at_rest IN (0, 1)), -- 1: acceleration was measured, and small
    spec     INTEGER NOT NULL,
    PRIMARY KEY (session, feature, length_s, start_us)
) STRICT, WITHOUT ROWID;
CREATE INDEX window_feature_person ON window_feature (person, start_us);

-- The median of the windows that belong to an encounter.
CREATE TABLE encounter_feature (
    encounter BLOB NOT NULL REFERENCES encounter (encounter) ON DELETE CASCADE,
    session   BLOB NOT NULL REFERENCES device_session (session) ON DELETE CASCADE,
    feature   TEXT NOT NULL,
    person    BLOB NOT NULL,
    value     REAL NOT NULL,
    n         INTEGER NOT NULL, -- windows
    coverage  REAL NOT NULL,
    quality   INTEGER NOT NULL CHECK (quality BETWEEN 1 AND 3),
    spec      INTEGER NOT NULL,
    PRIMARY KEY (encounter, session, feature)
) STRICT, WITHOUT ROWID;
CREATE INDEX encounter_feature_session ON encounter_feature (session);
CREATE INDEX encounter_feature_person ON encounter_feature (person);

-- People whose z and encounters are to be computed anew, as their sessions or encounters changed.
CREATE TABLE stale_person (
    person BLOB PRIMARY KEY REFERENCES person (person) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TRIGGER device_session_comes AFTER INSERT ON device_session BEGIN
    INSERT OR IGNORE INTO stale_person VALUES (NEW.person);
END;

-- A session that goes takes along what rested on it: every z of the person in the time in which it was part of a
-- baseline (31 days at most of a recording, and the 28 days that a baseline looks back).
CREATE TRIGGER device_session_goes BEFORE DELETE ON device_session BEGIN
    INSERT OR IGNORE INTO stale_person SELECT person FROM person WHERE person = OLD.person;
    DELETE FROM encounter_feature WHERE person = OLD.person AND feature GLOB '*_z' AND session IN
        (SELECT DISTINCT w.session FROM window_feature w, (SELECT min(start_us) AS from_us, max(start_us) AS to_us
         FROM window_feature WHERE session = OLD.session) o WHERE w.person = OLD.person
         AND w.start_us BETWEEN o.from_us AND o.to_us + 2419200000000);
    DELETE FROM window_feature WHERE person = OLD.person AND feature GLOB '*_z' AND start_us BETWEEN
        (SELECT min(start_us) FROM window_feature WHERE session = OLD.session) AND
        (SELECT max(start_us) + 2419200000000 FROM window_feature WHERE session = OLD.session);
END;
