-- What the privacy officer decided, what was spent, and what was answered. Nothing here is deleted.

-- The roster a site pinned; the newest counts.
CREATE TABLE roster (
    digest        TEXT    NOT NULL PRIMARY KEY,
    text          TEXT    NOT NULL,
    pinned_unix_s INTEGER NOT NULL
) STRICT;

-- Studies the officer approved, by digest; a revoked one stays, with the time.
CREATE TABLE approval (
    digest          TEXT    NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL,
    text            TEXT    NOT NULL,
    approved_unix_s INTEGER NOT NULL,
    revoked_unix_s  INTEGER
) STRICT;

-- Charges, a hash chain: `entry` holds the exact bytes.
CREATE TABLE ledger (
    sequence INTEGER NOT NULL PRIMARY KEY,
    entry    BLOB    NOT NULL
) STRICT;

-- Counters and survivors that a later round is checked against.
CREATE TABLE round_counter (
    coordinator TEXT    NOT NULL PRIMARY KEY,
    counter     INTEGER NOT NULL
) STRICT;
CREATE TABLE survivors (
    round   TEXT NOT NULL PRIMARY KEY,
    family  TEXT NOT NULL,
    members TEXT NOT NULL
) STRICT;

-- What opens this site's commitment, for an audit: never leaves by itself.
CREATE TABLE opening (
    round   TEXT NOT NULL PRIMARY KEY,
    opening BLOB NOT NULL
) STRICT;

-- Results as the coordinator signed them.
CREATE TABLE result (
    round  TEXT NOT NULL PRIMARY KEY,
    signed BLOB NOT NULL
) STRICT;
