//! Tells a time that could not be read from one that is missing.
//!
//! A function of times yields NULL for both, so a row says `missing` where a value stood. Here the sections are looked
//! through for which columns of the raw table each canonical column takes a time from, and the raw row is asked whether
//! it has a value there. Where a section is too tangled to tell (joined tables whose `line` is no one's, a quoted name)
//! `missing` stays.
use super::mapping::{self, Section, Token};
use super::source::land::Landed;
use super::staging::Staged;
use super::zone;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};
use std::collections::{BTreeMap, BTreeSet};

/// What every such reason says.
pub const REASON: &str = "has a value that is no time";

/// Functions that take a time from their arguments.
const FUNCTIONS: [&str; 8] =
    ["unixepoch", "julianday", "strftime", "datetime", "date", "time", zone::UTC_US, zone::TZ_MIN];

/// A column of a raw table that is read as a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    column: String,
    /// Whether as a local time: then one with an offset is none.
    local: bool,
}

/// From where a section's columns take their times.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// The raw table whose lines the rows name.
    table: String,
    columns: BTreeMap<String, BTreeSet<Read>>,
}

impl Times {
    /// What the section says.
    pub(super) fn of(section: &Section, landed: &[Landed]) -> Self {
        let tokens = mapping::tokens(&section.sql);
        let Some(raw) = lines_of(&tokens, landed) else { return Self::default() };
        let mut columns = aliases(&tokens);
        for reads in columns.values_mut() {
            reads.retain(|read| raw.columns.contains(&read.column));
        }
        Self { table: raw.table.clone(), columns }
    }
}

/// Says of the bad rows of a staged table whose value is missing that there is one, where it cannot be read.
pub(super) async fn tell(connection: &mut SqliteConnection, staged: &Staged) -> Result<(), Error> {
    for column in &staged.columns {
        for read in staged.times.columns.get(column.name).into_iter().flatten() {
            let Read { column: raw, local } = read;
            let missing = "column_name = ?1 AND reason = 'missing'";
            let any: bool = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT EXISTS (SELECT 1 FROM temp.bad WHERE {missing})"
            )))
            .bind(column.name)
            .fetch_one(&mut *connection)
            .await?;
            if !any {
                break;
            }
            let illegible = if *local {
                format!("r.\"{raw}\" IS NOT NULL")
            } else {
                format!("r.\"{raw}\" IS NOT NULL AND unixepoch(r.\"{raw}\") IS NULL")
            };
            let expected =
                if *local { "2026-07-01 08:10, without an offset" } else { "2026-07-01 08:10:00" };
            let sql = format!(
                "UPDATE temp.bad SET reason = ?2 WHERE {missing} AND row_id IN (SELECT s.row_id FROM {} s \
                 WHERE s.line IN (SELECT r._line FROM temp.\"{}\" r WHERE {illegible}))",
                staged.name(),
                staged.times.table
            );
            sqlx::query(AssertSqlSafe(sql))
                .bind(column.name)
                .bind(format!("`{raw}` {REASON}; expected one such as {expected}"))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

type Tokens<'a> = [mapping::Placed<'a>];

/// The raw table that `_line` is of: the only one, or the one whose alias stands before it.
fn lines_of<'a>(tokens: &Tokens<'_>, landed: &'a [Landed]) -> Option<&'a Landed> {
    let named = |word: &str| landed.iter().find(|l| l.table.eq_ignore_ascii_case(word));
    let (mut tables, mut aliases) = (BTreeSet::new(), BTreeMap::new());
    for (at, (token, ..)) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let Some(raw) = named(word) else { continue };
        tables.insert(&raw.table);
        aliases.insert(raw.table.clone(), raw);
        let next = |on: usize| match tokens.get(at.saturating_add(on)) {
            Some((Token::Word(word), ..)) => Some(word.to_ascii_lowercase()),
            _ => None,
        };
        let alias = match next(1) {
            Some(word) if word == "as" => next(2),
            word => word,
        };
        aliases.extend(alias.map(|alias| (alias, raw)));
    }
    if tables.len() == 1 {
        return tables.first().and_then(|table| named(table));
    }
    let mut lines = BTreeSet::new();
    for (at, (token, ..)) in tokens.iter().enumerate() {
        if !matches!(token, Token::Word(word) if word.eq_ignore_ascii_case("_line")) {
            continue;
        }
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at)).map(|t| &t.0);
        let (Some(Token::Sign('.')), Some(Token::Word(alias))) = (before(1), before(2)) else {
            return None;
        };
        lines.insert(aliases.get(&alias.to_ascii_lowercase()).map(|raw| raw.table.as_str()));
    }
    let only = if lines.len() == 1 { lines.pop_first().flatten() } else { None };
    only.and_then(named)
}

/// What stands in a bracket, or outside of all: the times of the item that is being read.
#[derive(Default)]
struct Open {
    reads: BTreeSet<Read>,
    /// Whether it holds the arguments of a function of times, and whether of local ones.
    call: Option<bool>,
    /// Whether it is a CAST, whose `AS` names a type.
    cast: bool,
}

/// For each name that follows `AS`, the columns whose times the item before it takes; by way of other names, too.
fn aliases(tokens: &Tokens<'_>) -> BTreeMap<String, BTreeSet<Read>> {
    let mut named: BTreeMap<String, BTreeSet<Read>> = BTreeMap::new();
    let mut open = vec![Open::default()];
    let (mut called, mut after_as, mut cast) = (None, false, false);
    for (token, ..) in tokens {
        match token {
            Token::Sign('(') => {
                // Brackets within a call are arguments of it.
                let call = called.or_else(|| open.last().and_then(|outer| outer.call));
                open.push(Open { reads: BTreeSet::new(), call, cast });
            }
            Token::Sign(')') => {
                let inner = open.pop().unwrap_or_default();
                match open.last_mut() {
                    Some(outer) => outer.reads.extend(inner.reads),
                    None => open.push(inner),
                }
            }
            Token::Sign(',') => {
                if let Some(item) = open.last_mut().filter(|item| item.call.is_none()) {
                    item.reads.clear();
                }
            }
            Token::Sign(_) => {}
            Token::Word(word) => {
                let word = word.to_ascii_lowercase();
                let Some(item) = open.last_mut() else { continue };
                if after_as {
                    named.entry(word.clone()).or_default().extend(item.reads.iter().cloned());
                } else if ["select", "from", "union"].contains(&word.as_str()) {
                    item.reads.clear();
                } else if let Some(known) = named.get(&word) {
                    item.reads.extend(known.iter().cloned());
                } else if let Some(local) = item.call {
                    item.reads.insert(Read { column: word.clone(), local });
                }
                called = FUNCTIONS
                    .contains(&word.as_str())
                    .then(|| [zone::UTC_US, zone::TZ_MIN].contains(&word.as_str()));
                after_as = word == "as" && !item.cast;
                cast = word == "cast";
                continue;
            }
        }
        (called, after_as, cast) = (None, false, false);
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> String {
        let section = Section { sql: sql.to_owned(), line: 1 };
        let raw = |table: &str, columns: &[&str]| Landed {
            table: table.to_owned(),
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            rows: 1,
        };
        let landed = [
            raw("raw_visits", &["began", "ended", "day", "kind"]),
            raw("raw_staff", &["nr", "began"]),
        ];
        let times = Times::of(&section, &landed);
        let of = |(name, reads): (&String, &BTreeSet<Read>)| {
            let reads: Vec<String> = reads
                .iter()
                .map(|r| format!("{}{}", r.column, if r.local { "*" } else { "" }))
                .collect();
            (!reads.is_empty()).then(|| format!("{name}<{}", reads.join("+")))
        };
        let found: Vec<String> = times.columns.iter().filter_map(of).collect();
        format!("{}: {}", times.table, found.join(" "))
    }

    #[test]
    fn a_section_says_from_where_it_takes_times() {
        assert_eq!(
            of(
                "SELECT unixepoch(Began) * 1000000 AS start_us, kind AS channel, utc_us(ended, 'Europe/Berlin') AS end_us, \
                CAST(unixepoch(ended) - unixepoch(began) AS REAL) / 60 AS minutes, _line AS line FROM raw_visits"
            ),
            "raw_visits: end_us<ended* minutes<began+ended start_us<began"
        );
        // By way of a name of its own, and put together from parts.
        assert_eq!(
            of(
                "WITH v AS (SELECT unixepoch(substr(day, 7, 4) || '-' || substr(day, 4, 2)) AS s, _line FROM raw_visits) \
                SELECT s * 1000000 AS start_us, _line AS line FROM v"
            ),
            "raw_visits: s<day start_us<day"
        );
        let joined = "SELECT unixepoch(v.began) AS start_us, X AS line FROM raw_visits AS v JOIN raw_staff s ON s.nr = v.kind";
        assert_eq!(of(&joined.replace('X', "v._line")), "raw_visits: start_us<began");
        assert_eq!(of(&joined.replace('X', "1")), ": ");
        assert_eq!(of("SELECT began AS start_us, _line AS line FROM raw_visits"), "raw_visits: ");
    }
}
