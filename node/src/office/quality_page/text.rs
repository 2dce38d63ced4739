//! The page on a terminal: a hundred columns at most.
use super::words;
use super::{Clock, Coverage, Narrowing, Quality, Rejects, Spread, Standing, StudyQuality};
use crate::office::page::{hanging, wrapped};

/// The eighths of a block, from nothing to all of it.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Months that a line shows.
const MONTHS: usize = 24;
/// Reasons that are listed; the JSON has all.
const REASONS: usize = 40;

/// The page.
pub fn page(quality: &Quality) -> String {
    let mut lines = vec!["the database is sound".to_owned()];
    for table in &quality.tables {
        lines.push(format!("  {:<26} {:>14} rows", table.table, words::grouped(table.rows)));
    }
    lines.extend(rejects(&quality.rejects));
    lines.extend(coverage(&quality.coverage));
    lines.extend(clocks(&quality.clocks));
    if quality.studies.is_empty() {
        lines.push(String::new());
        lines.push("No study is approved; --study FILE holds the data against one.".to_owned());
    }
    for one in &quality.studies {
        lines.extend(study(one));
    }
    lines.push(String::new());
    lines.push(format!("{}, by {}", quality.made_at, quality.made_by));
    lines.push("Counts of this site, without noise: this page stays in the house.".to_owned());
    lines.join("\n")
}

fn heading(text: &str) -> Vec<String> {
    vec![String::new(), text.to_owned()]
}

fn rejects(rejects: &[Rejects]) -> Vec<String> {
    let mut lines = heading("Rejects");
    if rejects.is_empty() {
        lines.push("  none".to_owned());
    }
    for one in rejects.iter().take(REASONS) {
        let figures = format!("  {:>10} in batch {:<4} ", words::grouped(one.rows), one.batch);
        let text = format!(
            "{}.{}: {} (first lines {})",
            one.table,
            one.column,
            one.reason,
            words::lines(&one.lines)
        );
        lines.extend(hanging(&figures, &[text]));
    }
    if let Some(more @ 1..) = rejects.len().checked_sub(REASONS) {
        lines.push(format!("  and {more} more reasons; --json has all"));
    }
    lines
}

fn coverage(coverage: &Coverage) -> Vec<String> {
    let mut lines = heading("Coverage by month, UTC; staff records count where they begin");
    let first = coverage.months.len().saturating_sub(MONTHS);
    let months = coverage.months.get(first..).unwrap_or_default();
    let (Some(from), Some(to)) = (months.first(), months.last()) else {
        lines.push("  nothing is imported".to_owned());
        return lines;
    };
    for modality in &coverage.modalities {
        let rows = modality.rows.get(first..).unwrap_or_default();
        let figures = format!("  {from} {} {to}  ", bars(rows));
        let sentence = words::modality(modality, &coverage.months);
        lines.extend(hanging(&figures, &[format!("{}: {sentence}", modality.name)]));
    }
    if first > 0 {
        lines.push(format!("  bars show the last {MONTHS} months; --json has all"));
    }
    lines
}

fn clocks(clocks: &[Clock]) -> Vec<String> {
    let mut lines = heading("Clocks");
    if clocks.is_empty() {
        lines.push("  no problem found".to_owned());
    }
    for clock in clocks {
        let figures = format!("  {:>10}  ", words::grouped(clock.rows));
        let dated = match words::months(clock) {
            none if none.is_empty() => none,
            some => format!("{some}; "),
        };
        let text = format!(
            "{}: {} ({dated}{})",
            clock.place,
            words::problem(clock.problem),
            words::batches(clock)
        );
        lines.extend(hanging(&figures, &[text]));
    }
    lines
}

fn study(study: &StudyQuality) -> Vec<String> {
    let standing = match study.standing {
        Standing::Approved => "approved",
        Standing::Named => "named for this check",
    };
    let mut lines = vec![String::new()];
    lines.extend(wrapped(&format!("Study {}: {} ({standing})", study.name, study.title), 0));
    lines.push(format!("  digest  {}", study.digest));
    lines.push(format!("  period  {} up to, not including, {}", study.from, study.to));
    if let Some(why) = &study.stays_away {
        lines.extend(wrapped(&format!("This site stays away from it for now: {why}."), 2));
    }
    lines.extend(wrapped(&words::population(study), 2));
    for table in &study.tables {
        lines.extend(narrowing(table));
    }
    for one in &study.spreads {
        lines.extend(spread(one));
    }
    if !study.cells.is_empty() {
        lines.push("  clinicians  encounters  cell".to_owned());
    }
    for cell in &study.cells {
        let small = cell
            .small
            .map_or_else(String::new, |why| format!(", TOO SMALL: {}", words::small(why)));
        let figures = format!(
            "  {:>10}  {:>10}  ",
            words::grouped(cell.clinicians as u64),
            words::grouped(cell.encounters)
        );
        lines.extend(hanging(&figures, &[format!("{}{small}", cell.label)]));
    }
    if study.missing.is_empty() {
        lines.push("  Nothing is missing.".to_owned());
    }
    for missing in &study.missing {
        let hint = missing.hint.as_ref().map_or_else(String::new, |hint| format!(": {hint}"));
        let text = format!("{}: {}{hint}", missing.part, missing.what);
        lines.extend(hanging("  missing  ", &[text]));
    }
    lines
}

fn narrowing(table: &Narrowing) -> Vec<String> {
    let mut lines = vec![format!("  rows of {}", table.table)];
    for step in &table.steps {
        let figures =
            format!("  {:>10}  {:<24}  ", words::grouped(step.rows), words::left(step.left));
        lines.extend(hanging(&figures, std::slice::from_ref(&step.why)));
    }
    lines
}

fn spread(spread: &Spread) -> Vec<String> {
    let mut lines = wrapped(&format!("{} ({}): {}", spread.part, spread.source, spread.label), 2);
    lines.push(format!(
        "    {} |{}| {}",
        words::bound(spread.low),
        bars(&spread.bins),
        words::with_unit(spread.high, &spread.unit)
    ));
    lines.extend(wrapped(&words::spread(spread), 4));
    lines
}

/// A block for each count, by its share of the largest; whatever is not nothing shows.
fn bars(counts: &[u64]) -> String {
    let most = counts.iter().max().copied().unwrap_or_default().max(1);
    let block = |count: &u64| {
        let eighths = count.saturating_mul(8).div_ceil(most);
        usize::try_from(eighths).ok().and_then(|place| BLOCKS.get(place)).copied().unwrap_or('█')
    };
    counts.iter().map(block).collect()
}
