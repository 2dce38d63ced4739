//! Reads what the page of `check` shows of the tables: rows, rejects, coverage by month, times that cannot be right.
//!
//! Counts, names of tables and columns, and lines of files; never a value. Rows that were rejected are known by
//! their reasons, in the words of the checks at import.
use super::{Store, fault};
use crate::intake::canonical::{Column, Presence, Rule, Table};
use crate::intake::illegible;
use crate::office::quality_page::{Clock, ClockProblem, Coverage, Modality, Rejects, TableRows};
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use tacit_shared::fault::Fault;

/// 2000-01-01, in microseconds since 1970 UTC.
const YEAR_2000_US: i64 = 946_684_800_000_000;
/// From this offset on a device's clock is marked; [`Rule`] says from which on it is refused.
const OFFSET_MARKED_US: i64 = 2_000_000;
/// Months that a time between 1990 and 2100 can fall into.
const MONTHS_MAX: usize = 1_320;

/// Rows of every table that is filled by imports, and of the lists about them.
///
/// # Errors
/// A fault of the database.
pub async fn tables(store: &Store) -> Result<Vec<TableRows>, Fault> {
    let names: Vec<&str> = std::iter::once("import_batch")
        .chain(Table::ALL.into_iter().map(Table::name))
        .chain(["feature", "window_feature", "encounter_feature", "reject"])
        .collect();
    let mut tables = Vec::with_capacity(names.len());
    for table in names {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(store.pool())
            .await
            .map_err(|e| fault(&e))?;
        tables.push(TableRows { table: table.to_owned(), rows: whole(rows) });
    }
    tables.extend(without_patient(store).await?);
    Ok(tables)
}

/// Rows about patients that name none: each counts as a patient of its own, so the bound on one patient is one on it.
async fn without_patient(store: &Store) -> Result<[TableRows; 2], Fault> {
    let (encounters, responses): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM encounter WHERE patient IS NULL), \
         (SELECT count(*) FROM response r WHERE r.respondent = 'patient' AND r.patient IS NULL AND NOT EXISTS \
          (SELECT 1 FROM encounter e WHERE e.encounter = r.encounter AND e.patient IS NOT NULL))",
    )
    .fetch_one(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    let of = |table: &str, rows| TableRows { table: table.to_owned(), rows: whole(rows) };
    Ok([of("encounter, no patient's id", encounters), of("response, no patient's id", responses)])
}

/// Why rows were not taken over, by batch and reason, with the first lines.
///
/// # Errors
/// A fault of the database.
pub async fn rejects(store: &Store) -> Result<Vec<Rejects>, Fault> {
    let found: Vec<(i64, String, String, String, i64, Option<String>)> = sqlx::query_as(
        "SELECT batch, table_name, column_name, reason, count(*), \
         group_concat(line, ' ' ORDER BY line) FILTER (WHERE nth <= 5) FROM (SELECT *, row_number() OVER \
         (PARTITION BY batch, table_name, column_name, reason ORDER BY line) AS nth FROM reject) \
         GROUP BY batch, table_name, column_name, reason \
         ORDER BY batch DESC, count(*) DESC, table_name, column_name, reason",
    )
    .fetch_all(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    let of = |(batch, table, column, reason, rows, lines): (i64, _, _, _, i64, Option<String>)| {
        Rejects {
            batch,
            table,
            column,
            reason,
            rows: whole(rows),
            lines: lines.iter().flat_map(|l| l.split(' ')).filter_map(|l| l.parse().ok()).collect(),
        }
    };
    Ok(found.into_iter().map(of).collect())
}

/// What there is of each modality, month by month in UTC, up to `now_us` (microseconds since 1970 UTC): a row that is
/// dated later would stretch the months beyond all that happened, and [`clocks`] names it.
///
/// # Errors
/// A fault of the database.
pub async fn coverage(store: &Store, now_us: i64) -> Result<Coverage, Fault> {
    let month = |column: &str| format!("strftime('%Y-%m', {column} / 1000000, 'unixepoch')");
    let mut found: BTreeMap<String, BTreeMap<String, (u64, u64)>> = BTreeMap::new();
    for (name, rows, clinicians, month) in encounters(store, now_us).await? {
        found.entry(name).or_default().insert(month, (rows, clinicians));
    }
    for (name, table, column) in [
        ("'staff records'", "period", "from_us"),
        ("'trainings: ' || programme", "training", "from_us"),
        ("'responses: ' || instrument", "response", "authored_us"),
        ("'recordings: ' || kind", "device_session", "start_us"),
    ] {
        let sql = format!(
            "SELECT {name}, {}, count(*), count(DISTINCT person) FROM {table} \
             WHERE {column} <= ? GROUP BY 1, 2",
            month(column)
        );
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(now_us)
            .fetch_all(store.pool())
            .await
            .map_err(|e| fault(&e))?;
        for (name, month, rows, clinicians) in rows {
            found.entry(name).or_default().insert(month, (whole(rows), whole(clinicians)));
        }
    }
    let with_data: BTreeSet<&str> =
        found.values().flat_map(|by_month| by_month.keys().map(String::as_str)).collect();
    let (Some(first), Some(last)) = (with_data.first(), with_data.last()) else {
        return Ok(Coverage::default());
    };
    let months = months_between(first, last);
    let modality = |(name, by_month): (&String, &BTreeMap<String, (u64, u64)>)| {
        let of = |month: &String| by_month.get(month).copied().unwrap_or_default();
        let (rows, clinicians) = months.iter().map(of).unzip();
        Modality { name: name.clone(), rows, clinicians }
    };
    let modalities = found.iter().map(modality).collect();
    Ok(Coverage { months, modalities })
}

/// How many encounters there are in each month and of how many clinicians, and how many of them have a value in each
/// column that may be missing. One scan: a clinician's month is a row of it.
async fn encounters(store: &Store, now_us: i64) -> Result<Vec<(String, u64, u64, String)>, Fault> {
    let known = |c: &&Column| {
        c.presence == Presence::Optional && !matches!(c.rule, Rule::Key(_) | Rule::Time)
    };
    let columns: Vec<&str> =
        Table::Encounter.columns().iter().filter(known).map(|c| c.name).collect();
    let names: Vec<String> = std::iter::once("encounters".to_owned())
        .chain(columns.iter().map(|column| format!("encounters: {column}")))
        .collect();
    let (mut outer, mut inner) = (", sum(c0), sum(c0 > 0)".to_owned(), String::new());
    for (i, column) in (1..).zip(&columns) {
        let _ = write!(outer, ", sum(c{i}), sum(c{i} > 0)"); // a String
        let _ = write!(inner, ", count({column}) AS c{i}");
    }
    let sql = format!(
        "SELECT month{outer} FROM (SELECT strftime('%Y-%m', start_us / 1000000, 'unixepoch') AS month, person, \
         count(*) AS c0{inner} FROM encounter WHERE start_us <= ? GROUP BY 1, 2) GROUP BY month"
    );
    let read = async {
        let mut found = Vec::new();
        for row in sqlx::query(AssertSqlSafe(sql)).bind(now_us).fetch_all(store.pool()).await? {
            let month: String = row.try_get(0)?;
            for (at, name) in names.iter().enumerate() {
                let rows = whole(row.try_get(2 * at + 1)?);
                let clinicians = whole(row.try_get(2 * at + 2)?);
                if rows > 0 {
                    found.push((name.clone(), rows, clinicians, month.clone()));
                }
            }
        }
        Ok::<_, sqlx::Error>(found)
    };
    read.await.map_err(|e| fault(&e))
}

/// Times that cannot be right, and devices whose clocks were off. `now_us`: microseconds since 1970 UTC. An end that is
/// yet to come (`to_us`: of a consent, a shift, a training) is a plan and no problem.
///
/// # Errors
/// A fault of the database.
pub async fn clocks(store: &Store, now_us: i64) -> Result<Vec<Clock>, Fault> {
    let mut clocks = Vec::new();
    let mut taken_over = vec![(
        ClockProblem::DeviceOff,
        ("device_session", "clock_offset_us"),
        (format!("abs(clock_offset_us) > {OFFSET_MARKED_US}"), "start_us"),
    )];
    for table in Table::ALL {
        for column in table.columns().iter().filter(|c| c.rule == Rule::Time) {
            let (place, name) = ((table.name(), column.name), column.name);
            let before = (format!("{name} < {YEAR_2000_US}"), name);
            taken_over.push((ClockProblem::Before2000, place, before));
            if name != "to_us" {
                let after = (format!("{name} > {now_us}"), name);
                taken_over.push((ClockProblem::InTheFuture, place, after));
            }
        }
    }
    for (problem, (table, column), (condition, time)) in taken_over {
        let sql = format!(
            "SELECT src, count(*), strftime('%Y-%m', {time} / 1000000, 'unixepoch') FROM {table} \
             WHERE {condition} GROUP BY 1, 3 ORDER BY 1, 3"
        );
        let found: Vec<(i64, i64, String)> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_all(store.pool())
            .await
            .map_err(|e| fault(&e))?;
        let mut months = BTreeMap::new();
        for (_, rows, month) in &found {
            let sum = months.entry(month.clone()).or_insert(0_u64);
            *sum = sum.saturating_add(whole(*rows));
        }
        let found: Vec<(i64, i64)> =
            found.into_iter().map(|(batch, rows, _)| (batch, rows)).collect();
        let clock = clock(problem, (table, column), &found);
        clocks.extend(clock.map(|clock| Clock { months, ..clock }));
    }
    let rejected: Vec<(i64, String, String, String, i64)> = sqlx::query_as(
        "SELECT batch, table_name, column_name, reason, count(*) FROM reject GROUP BY 1, 2, 3, 4 ORDER BY 1",
    )
    .fetch_all(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    let mut by_place = BTreeMap::<_, Vec<(i64, i64)>>::new();
    for (batch, table, column, reason, rows) in &rejected {
        if let Some(problem) = rejected_time(table, column, reason) {
            by_place
                .entry((problem, table.as_str(), column.as_str()))
                .or_default()
                .push((*batch, *rows));
        }
    }
    for ((problem, table, column), found) in by_place {
        clocks.extend(clock(problem, (table, column), &found));
    }
    clocks.sort_by(|a, b| (a.problem, &a.place).cmp(&(b.problem, &b.place)));
    Ok(clocks)
}

/// Which problem of times a reject tells of, if any.
fn rejected_time(table: &str, column: &str, reason: &str) -> Option<ClockProblem> {
    let table = Table::named(table)?;
    let rule = table.columns().iter().find(|c| c.name == column)?.rule;
    if table.contradictions().iter().any(|(_, at, why)| *at == column && *why == reason)
        && rule == Rule::Time
    {
        Some(ClockProblem::EndBeforeStart)
    } else if rule == Rule::Time
        && (reason == "missing"
            || reason.contains(illegible::REASON)
            || reason == format!("not {}", rule.expected()))
    {
        Some(ClockProblem::NoTime)
    } else if column == "clock_offset_us" && reason == format!("not {}", rule.expected()) {
        Some(ClockProblem::DeviceRefused)
    } else {
        None
    }
}

fn clock(
    problem: ClockProblem,
    (table, column): (&str, &str),
    found: &[(i64, i64)],
) -> Option<Clock> {
    let rows: i64 = found.iter().map(|(_, rows)| rows).sum();
    let mut batches: Vec<i64> = found.iter().map(|(batch, _)| *batch).collect();
    batches.dedup();
    batches.truncate(5);
    (rows > 0).then(|| Clock {
        problem,
        place: format!("{table}.{column}"),
        rows: whole(rows),
        months: BTreeMap::new(),
        batches,
    })
}

/// Every month from the first to the last, both `2026-07`.
fn months_between(first: &str, last: &str) -> Vec<String> {
    let read = |text: &str| {
        let (year, month) = text.split_once('-')?;
        Some((year.parse::<i32>().ok()?, month.parse::<u8>().ok()?))
    };
    let (Some(mut at), Some(end)) = (read(first), read(last)) else { return Vec::new() };
    let mut months = Vec::new();
    while at <= end && months.len() < MONTHS_MAX {
        months.push(format!("{:04}-{:02}", at.0, at.1));
        at = if at.1 >= 12 { (at.0.saturating_add(1), 1) } else { (at.0, at.1.saturating_add(1)) };
    }
    months
}

fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

#[cfg(test)]
mod tests;
