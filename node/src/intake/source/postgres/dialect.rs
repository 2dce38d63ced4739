//! A mapping's section in `PostgreSQL`'s words.
//!
//! ```text
//! raw_visit          the table or view `visit`, with `_line` beside its columns
//! unixepoch(t, m)    CAST(floor(extract(epoch FROM CAST(t AS timestamptz) + CAST(m AS interval))) AS bigint)
//! instr(s, t)        strpos(s, t)
//! utc_us, tz_min     by AT TIME ZONE, with the answers that a node gives itself where clocks are changed
//! ```
//! The session's clock is UTC, so a time without an offset is read as UTC, as `SQLite` does. All else of a section
//! stays as it is: what both databases understand is the portable subset (docs/data-mapping.md). Lines stay
//! lines, so that a place which `PostgreSQL` names is a line of the mapping.
use crate::intake::call::{self, words};
use crate::intake::zone;
use std::collections::BTreeSet;

/// Names that follow `raw_` in a section, in lower case: tables it may read.
pub(super) fn raw_names(sql: &str) -> BTreeSet<String> {
    let words = words(sql).into_iter().map(|(word, _, _)| word.to_ascii_lowercase());
    words
        .filter_map(|word| word.strip_prefix("raw_").map(str::to_owned))
        .filter(|n| !n.is_empty())
        .collect()
}

/// The section with calls of functions that the two databases say differently put into `PostgreSQL`'s words.
///
/// # Errors
/// What is wrong with a call, and at which byte.
pub(super) fn translate(sql: &str) -> Result<String, (String, usize)> {
    call::rewrite(sql, &mut |name, parts| {
        Some(match (name, parts) {
            ("instr", [text, part]) => Ok(format!("strpos({text},{part})")),
            ("unixepoch", [time]) => Ok(epoch(time, "")),
            ("unixepoch", [time, by]) => Ok(epoch(time, &format!(" + CAST({by} AS interval)"))),
            (zone::UTC_US, [time, name]) => zone::named(name).map(|zone| utc_us(time, &zone)),
            (zone::TZ_MIN, [time, name]) => zone::named(name).map(|zone| tz_min(time, &zone)),
            _ => Err(format!(
                "calls `{name}` with {} arguments, which does not run in PostgreSQL",
                parts.len()
            )),
        })
    })
}

fn epoch(time: &str, shift: &str) -> String {
    format!("CAST(floor(extract(epoch FROM CAST({time} AS timestamptz){shift})) AS bigint)")
}

/// `PostgreSQL` moves a local time that clocks skipped, and takes the later of two: what it gives is read back, and an
/// hour or half an hour before is tried.
fn utc_us(time: &str, zone: &str) -> String {
    let skipped = zone::SKIPPED_US;
    moment(
        time,
        zone,
        &format!(
            "CASE WHEN z.u AT TIME ZONE '{zone}' <> z.l THEN {skipped} \
             ELSE CAST(floor(extract(epoch FROM z.u)) AS bigint) * 1000000 END"
        ),
    )
}

fn tz_min(time: &str, zone: &str) -> String {
    moment(
        time,
        zone,
        "CAST(floor(extract(epoch FROM z.l - (z.u AT TIME ZONE 'UTC')) / 60) AS bigint)",
    )
}

/// `what` of `z.l`, the local time, and `z.u`, the earlier of the moments that it can be.
fn moment(time: &str, zone: &str, what: &str) -> String {
    let before = |by: &str| {
        format!(
            "WHEN (y.u - interval '{by}') AT TIME ZONE '{zone}' = y.l THEN y.u - interval '{by}' "
        )
    };
    format!(
        "(SELECT {what} FROM (SELECT y.l, CASE {}{}ELSE y.u END AS u \
         FROM (SELECT x.l, x.l AT TIME ZONE '{zone}' AS u \
         FROM (SELECT CASE WHEN CAST(w.t AS text) ~ '[zZ]$|:[0-9.]+[+-][0-9]{{2}}(:[0-9]{{2}})?$' THEN NULL \
         ELSE CAST(w.t AS timestamp) END AS l FROM (SELECT {time} AS t) AS w) AS x) AS y) AS z)",
        before("1 hour"),
        before("30 minutes")
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn calls_are_said_in_postgresql_s_words_and_lines_stay() {
        let cases = [
            (
                "SELECT 'unixepoch(1)', a -- instr(a, b)\n",
                "SELECT 'unixepoch(1)', a -- instr(a, b)\n",
            ),
            ("unixepoch(a)", "CAST(floor(extract(epoch FROM CAST(a AS timestamptz))) AS bigint)"),
            (
                "1 + UnixEpoch(\n substr(a, 1, 19), '-120 minutes') / 2",
                "1 + CAST(floor(extract(epoch FROM CAST(\n substr(a, 1, 19) AS timestamptz) + CAST( '-120 minutes' AS \
                 interval))) AS bigint) / 2",
            ),
            ("substr(a, instr(lower(a), ':') + 1)", "substr(a, strpos(lower(a), ':') + 1)"),
            ("instr(a, instr(b, c))", "strpos(a, strpos(b, c))"),
            ("instr AS x, unixepoch", "instr AS x, unixepoch"),
        ];
        for (sql, expected) in cases {
            assert_eq!(translate(sql).unwrap(), expected, "{sql}");
        }
        let (problem, at) = translate("SELECT unixepoch(a, 'x', 'y')").unwrap_err();
        assert_eq!(
            (problem.as_str(), at),
            ("calls `unixepoch` with 3 arguments, which does not run in PostgreSQL", 7)
        );
    }

    #[test]
    fn tables_are_known_by_their_prefix() {
        let found = raw_names("SELECT 'raw_x', raw_ FROM RAW_Visit v JOIN raw_b -- raw_c\n");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["b", "visit"]);
    }
}
