//! Tables of a what-if: the public numbers that come in, the page and the files that go out.
use super::super::files;
use super::{WhatIf, WhatIfRow};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use tacit_shared::fault::Fault;
use tacit_shared::money::Cents;
use tacit_shared::study::allocation::By;

/// Largest table of public numbers.
const BYTES_MAX: u64 = 1 << 20;
/// Most lines of one.
const LINES_MAX: usize = 10_000;

/// A unit of a view.
pub(super) type Unit = (By, String);

/// The numbers of a file, as text, each with its line: `unit,COLUMN` or `by,unit,COLUMN`. Without `by` a line
/// speaks of `main`.
///
/// # Errors
/// A user's fault with the line.
pub(super) fn numbers(
    path: &Path,
    column: &str,
    main: &By,
) -> Result<BTreeMap<Unit, (String, String)>, Fault> {
    let origin = path.display().to_string();
    let unread = |e: std::io::Error| Fault::user(format!("cannot be read: {e}")).at(&origin);
    let bytes = tacit_link::keys::read_bounded(path, BYTES_MAX).map_err(unread)?;
    let text = String::from_utf8(bytes).map_err(|_| Fault::user("not UTF-8 text").at(&origin))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let cells = |line: &str| -> Vec<String> {
        line.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    };
    let head = lines.next().map(|(_, line)| cells(line)).unwrap_or_default();
    let named: Vec<&str> = head.iter().map(String::as_str).collect();
    let own = match named.as_slice() {
        ["unit", last] if *last == column => false,
        ["by", "unit", last] if *last == column => true,
        _ => {
            let problem = format!(
                "found the columns `{}`; expected `unit,{column}` or `by,unit,{column}`",
                named.join(",")
            );
            return Err(Fault::user(problem).at(format!("{origin}:1")));
        }
    };
    let mut found = BTreeMap::new();
    for (at, line) in lines {
        let place = format!("{origin}:{}", at.saturating_add(1));
        if at > LINES_MAX {
            return Err(Fault::user(format!("expected at most {LINES_MAX} lines")).at(place));
        }
        let cells = cells(line);
        let (by, unit, value) = match (own, cells.as_slice()) {
            (false, [unit, value]) => (main.clone(), unit, value),
            (true, [by, unit, value]) => {
                let by = by.parse::<By>().map_err(|e| Fault::user(e.to_string()).at(&place))?;
                (by, unit, value)
            }
            _ => {
                let problem = format!("found {} cells; expected {}", cells.len(), head.len());
                return Err(Fault::user(problem).at(place));
            }
        };
        if found.insert((by, unit.clone()), (value.clone(), place.clone())).is_some() {
            return Err(Fault::user(format!("`{unit}` appears twice")).at(place));
        }
    }
    if found.is_empty() {
        return Err(Fault::user("found no line below the head").at(origin));
    }
    Ok(found)
}

/// The page that is printed.
pub(super) fn page(shown: &WhatIf) -> String {
    let (own, pool) = (Cents::new(shown.own_pool_cents), Cents::new(shown.pool_cents));
    let mut page = format!(
        "Study {}, round {}: what if the pool were {} {pool} (the study's own: {own}),\n\
         floor {} %, cap {} % of an equal share per head. No privacy is spent; the report stays as it is.\n",
        shown.study,
        shown.round.chars().take(12).collect::<String>(),
        shown.currency,
        shown.floor_percent_per_head,
        shown.cap_percent_per_head
    );
    for view in &shown.views {
        let longest = view.rows.iter().map(|row| row.unit.chars().count()).max().unwrap_or(0);
        let wide = longest.max(12);
        let _ = writeln!(page, "\n  by {}", view.by); // a String
        let _ = writeln!(
            page,
            "  {:<wide$} {:>10} {:>7} {:>17} {:>17} {:>36} {:>17}",
            "unit", "heads", "index", "study's own", "what if", "95 % range", "difference"
        );
        for row in &view.rows {
            let _ = writeln!(page, "{}", line(row, wide)); // a String
        }
    }
    page.trim_end().to_owned()
}

fn line(row: &WhatIfRow, wide: usize) -> String {
    let amount = |cents: i64| Cents::new(cents).to_string();
    let range = format!("{} to {}", amount(row.low_cents), amount(row.high_cents));
    let own = row.own_cents.map_or_else(|| "–".to_owned(), amount);
    let change = row.own_cents.map(|own| row.cents.saturating_sub(own));
    let change = change.map_or_else(
        || "–".to_owned(),
        |cents| if cents > 0 { format!("+{}", amount(cents)) } else { amount(cents) },
    );
    format!(
        "  {:<wide$} {:>10.0} {:>7.3} {own:>17} {:>17} {range:>36} {change:>17}",
        row.unit,
        row.heads,
        row.labour_index,
        amount(row.cents),
    )
}

/// Writes `what-if.json` and `what-if.csv`.
///
/// # Errors
/// An operator's fault naming the file.
pub(super) fn write(shown: &WhatIf, out: &Path) -> Result<(), Fault> {
    let json = serde_json::to_string_pretty(shown).map_err(|e| Fault::bug(e.to_string()))?;
    files::write_all(out, &[("what-if.json", json), ("what-if.csv", csv(shown))]).map(drop)
}

/// RFC 4180; names of units hold neither commas nor quotes, nor start like a formula.
pub(super) fn csv(shown: &WhatIf) -> String {
    let mut table =
        "by,unit,currency,heads,heads_sd,labour_index,own_cents,cents,low_cents,high_cents\r\n"
            .to_owned();
    for view in &shown.views {
        for row in &view.rows {
            let own = row.own_cents.map_or_else(String::new, |cents| cents.to_string());
            let cells = [
                view.by.clone(),
                row.unit.clone(),
                shown.currency.clone(),
                row.heads.to_string(),
                row.heads_sd.to_string(),
                row.labour_index.to_string(),
                own,
                row.cents.to_string(),
                row.low_cents.to_string(),
                row.high_cents.to_string(),
            ];
            let _ = write!(table, "{}\r\n", cells.join(",")); // a String
        }
    }
    table
}
