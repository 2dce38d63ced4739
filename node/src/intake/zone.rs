//! Local times in a mapping: when a clock on the wall showed them, by the time zone's own rules.
//!
//! ```text
//! utc_us(t, 'Area/City')   µs since 1970 UTC at which clocks there showed t
//! tz_min(t, 'Area/City')   how far they were ahead of UTC then, in minutes
//!
//! clocks put back      t was shown twice: the earlier moment
//! clocks put forward   t was never shown: SKIPPED_US, which is a reject with this reason
//! ```
//! `SQLite` knows no zones, so each call becomes a search in `temp.clock`: of each zone that a mapping names, from which
//! local time on clocks were how far ahead (the IANA database, as the program has it). A text that says its own offset
//! from UTC is no local time, and NULL. A hospital's `PostgreSQL` is asked in its own words instead.
use super::call::{self, Problem};
use super::mapping::Section;
use crate::store::bulk::{Bulk, Cell};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeSet;

/// The function that yields a moment.
pub(super) const UTC_US: &str = "utc_us";
/// The function that yields an offset.
pub(super) const TZ_MIN: &str = "tz_min";
/// What stands for a local time that no clock showed; no moment of a hospital's, so it is a reject.
pub(super) const SKIPPED_US: i64 = -1;
/// Why it is one.
pub(super) const SKIPPED: &str = "a local time that no clock showed: they were put forward past it";

/// Zones that a section may name.
const ZONES_MAX: usize = 64;
/// Between these moments, s since 1970, lies every row of a hospital's.
const FROM_S: i64 = 0;
const TO_S: i64 = 4_133_980_800; // 2101-01-01
/// Before every local time.
const ALWAYS_S: i64 = i64::MIN / 2;

/// The section with local times as `SQLite` can find them, and the zones that it names.
///
/// # Errors
/// What is wrong with a call, and at which byte of the section.
pub(super) fn found_in(section: &Section) -> Result<(Section, BTreeSet<String>), Problem> {
    let mut zones = BTreeSet::new();
    let sql = call::rewrite(&section.sql, &mut |name, parts| match (name, parts) {
        (UTC_US | TZ_MIN, [time, zone]) => Some(named(zone).map(|zone| {
            let said = search(time, &zone, name);
            zones.insert(zone);
            said
        })),
        (UTC_US | TZ_MIN, _) => Some(Err(format!(
            "calls `{name}` with {} arguments; expected a local time and a zone",
            parts.len()
        ))),
        _ => None,
    })?;
    if zones.len() > ZONES_MAX {
        return Err((format!("names {} time zones; expected at most {ZONES_MAX}", zones.len()), 0));
    }
    Ok((Section { sql, line: section.line }, zones))
}

/// The zone that a literal names, in the spelling of the database.
///
/// # Errors
/// That it is no literal, or no zone.
pub(super) fn named(literal: &str) -> Result<String, String> {
    let quoted = literal.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let name = quoted.ok_or("names no time zone: expected one in quotes, as 'Europe/Berlin'")?;
    let zone = zone(name);
    let known = zone.as_ref().and_then(TimeZone::iana_name);
    known.map(str::to_owned).ok_or_else(|| {
        let shown: String = name.chars().take(48).collect();
        format!("names `{shown}`, which is no time zone of the IANA database")
    })
}

fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// The call in `SQLite`'s words; the local time stands in it once, so that lines stay lines.
fn search(time: &str, zone: &str, what: &str) -> String {
    let value = if what == UTC_US {
        format!("CASE WHEN c.skipped THEN {SKIPPED_US} ELSE (w.s - c.ahead_s) * 1000000 END")
    } else {
        "c.ahead_s / 60".to_owned()
    };
    format!(
        "(SELECT {value} FROM (SELECT CASE WHEN t GLOB '*[zZ]' OR t GLOB '*:*[+-][0-9][0-9]:[0-9][0-9]' THEN NULL \
         ELSE unixepoch(t) END AS s FROM (SELECT {time} AS t)) AS w JOIN temp.clock AS c ON c.zone = '{zone}' \
         AND c.from_s = (SELECT max(f.from_s) FROM temp.clock AS f WHERE f.zone = '{zone}' AND f.from_s <= w.s))"
    )
}

/// What clocks of a zone did.
#[derive(Debug, PartialEq, Eq)]
struct Clock {
    /// From which local time on, in seconds as if it were UTC.
    from_s: i64,
    /// How far they were ahead of UTC.
    ahead_s: i64,
    /// Whether no clock showed such times.
    skipped: bool,
}

/// The clocks of a zone, by local time.
fn clocks(zone: &TimeZone) -> Vec<Clock> {
    let Ok(start) = Timestamp::from_second(FROM_S) else { return Vec::new() };
    let mut ahead_s = i64::from(zone.to_offset(start).seconds());
    let mut found = vec![Clock { from_s: ALWAYS_S, ahead_s, skipped: false }];
    for change in zone.following(start) {
        let (at_s, then_s) = (change.timestamp().as_second(), i64::from(change.offset().seconds()));
        if at_s > TO_S {
            break;
        }
        if then_s > ahead_s {
            found.push(Clock { from_s: at_s + ahead_s, ahead_s, skipped: true });
        }
        if then_s != ahead_s {
            // What is shown twice belongs to the clocks before.
            let from_s = at_s + ahead_s.max(then_s);
            found.push(Clock { from_s, ahead_s: then_s, skipped: false });
        }
        ahead_s = then_s;
    }
    found
}

/// Makes the table of clocks for these zones, beside those it has.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    zones: &BTreeSet<String>,
) -> Result<(), sqlx::Error> {
    if zones.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "CREATE TEMP TABLE IF NOT EXISTS clock (zone TEXT, from_s INTEGER, ahead_s INTEGER, skipped INTEGER, \
         PRIMARY KEY (zone, from_s)) WITHOUT ROWID",
    )
    .execute(&mut *connection)
    .await?;
    let had: Vec<String> = sqlx::query_scalar("SELECT DISTINCT zone FROM temp.clock")
        .fetch_all(&mut *connection)
        .await?;
    let mut rows = Bulk::new("temp.clock", &["zone", "from_s", "ahead_s", "skipped"]);
    for name in zones.iter().filter(|name| !had.contains(name)) {
        for Clock { from_s, ahead_s, skipped } in zone(name).iter().flat_map(clocks) {
            let row = [from_s, ahead_s, i64::from(skipped)].map(Cell::Integer);
            let mut row: Vec<Cell> = std::iter::once(Cell::Text(name.clone())).chain(row).collect();
            rows.push(connection, &mut row).await?;
        }
    }
    rows.flush(connection).await.map(drop)
}

/// Drops what [`prepare`] made.
pub(super) async fn forget(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("DROP TABLE IF EXISTS temp.clock").execute(connection).await.map(drop)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use sqlx::{AssertSqlSafe, Connection as _};

    async fn asked(call: &str) -> Option<i64> {
        let mut connection = SqliteConnection::connect(":memory:").await.unwrap();
        let section = Section { sql: call.to_owned(), line: 1 };
        let (section, zones) = found_in(&section).unwrap();
        prepare(&mut connection, &zones).await.unwrap();
        // A row with columns of the names that the search has.
        let row = "SELECT 'x' AS zone, 5 AS from_s, 6 AS s";
        let sql = format!("SELECT {} FROM ({row}) AS w", section.sql);
        let found =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        forget(&mut connection).await.unwrap();
        found
    }

    /// Both changes of 2026: forward on 29 March at 01:00 UTC, back on 25 October at 01:00 UTC.
    #[tokio::test]
    async fn clocks_are_right_before_between_and_after_both_changes() {
        let berlin = async |local: &str| {
            let utc = asked(&format!("utc_us('{local}', 'Europe/Berlin')")).await;
            let ahead = asked(&format!("TZ_MIN('{local}', 'Europe/Berlin')")).await;
            (utc.map(|us| us / 1_000_000), ahead)
        };
        for (local, utc_s, ahead) in [
            ("2026-03-29 01:59:59", 1_774_745_999, 60),
            ("2026-03-29 03:00", 1_774_746_000, 120),
            ("2026-07-01T08:10:00", 1_782_886_200, 120),
            ("2026-10-25 01:59:59", 1_792_886_399, 120),
            // Shown twice: the earlier.
            ("2026-10-25 02:00:00", 1_792_886_400, 120),
            ("2026-10-25 02:59:59", 1_792_889_999, 120),
            // The first second that was shown once.
            ("2026-10-25 03:00:00", 1_792_893_600, 60),
            ("2026-12-24", 1_798_066_800, 60),
            ("1990-01-01 00:00", 631_148_400, 60),
            ("2099-07-01 00:00", 4_086_540_000, 120),
        ] {
            assert_eq!(berlin(local).await, (Some(utc_s), Some(ahead)), "{local}");
        }
        for skipped in ["2026-03-29 02:00", "2026-03-29 02:59:59"] {
            let found = asked(&format!("utc_us('{skipped}', 'Europe/Berlin')")).await;
            assert_eq!(found, Some(SKIPPED_US), "{skipped}");
        }
        for nothing in ["2026-07-01 08:10Z", "2026-07-01 08:10:00+02:00", "noon", ""] {
            assert_eq!(berlin(nothing).await, (None, None), "{nothing}");
        }
    }

    #[tokio::test]
    async fn zones_of_all_kinds_are_known() {
        for (zone, local, utc_s) in [
            ("UTC", "2026-07-01", 1_782_864_000),
            ("Asia/Kathmandu", "2026-07-01", 1_782_864_000 - 20_700),
            ("America/New_York", "2026-11-01 01:30", 1_793_511_000),
            // Half an hour is shown twice.
            ("Australia/Lord_Howe", "2026-04-05 01:45", 1_775_313_900),
        ] {
            let found = asked(&format!("utc_us('{local}', '{zone}')")).await;
            assert_eq!(found, Some(utc_s * 1_000_000), "{zone}");
        }
    }

    #[test]
    fn a_call_is_rewritten_where_it_stands_and_what_is_wrong_with_it_told() {
        let of = |sql: &str| found_in(&Section { sql: sql.to_owned(), line: 1 });
        let plain = "SELECT 'utc_us(1)', utc_us -- utc_us(a)\n";
        assert_eq!(of(plain).unwrap().0.sql, plain);
        let (section, zones) =
            of("SELECT coalesce(utc_us(\n a, 'europe/berlin'), 1)\nFROM x").unwrap();
        assert_eq!(section.sql.lines().count(), 3);
        assert_eq!(zones.into_iter().collect::<Vec<_>>(), ["Europe/Berlin"]);
        for (sql, problem, at) in [
            ("SELECT 1, utc_us(a)", "calls `utc_us` with 1 arguments", 10),
            ("utc_us(a, zone)", "names no time zone: expected one in quotes", 0),
            ("utc_us(a, 'Mars/Olympus')", "names `Mars/Olympus`, which is no time zone", 0),
            ("coalesce(tz_min(a, ''), 1)", "names ``, which is no time zone", 9),
        ] {
            let (found, byte) = of(sql).unwrap_err();
            assert!(found.contains(problem) && byte == at, "{sql}: {found} at {byte}");
        }
    }
}
