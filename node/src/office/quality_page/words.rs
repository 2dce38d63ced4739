//! The sentences of the page, the same on a terminal and in a browser.
use super::{Clock, ClockProblem, Counted, Left, Modality, Spread, StudyQuality};
use crate::office::cells::{CLINICIANS_MIN, ENCOUNTERS_MIN, SHARE_MAX_PERCENT, Small};
use crate::office::forecast::short;

/// Months that a sentence on times names.
const MONTHS: usize = 5;

/// A count with its thousands apart: `12,345`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len().saturating_add(digits.len() / 3));
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what it counts; one of it loses its last letter.
pub(super) fn counted(count: u64, plural: &str) -> String {
    let word = if count == 1 { plural.strip_suffix('s').unwrap_or(plural) } else { plural };
    format!("{} {word}", grouped(count))
}

/// A share in percent: `3.1 %`.
pub(super) fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure of two digits")]
    let percent = part as f64 / whole as f64 * 100.0;
    if percent < 0.1 { "below 0.1 %".to_owned() } else { format!("{percent:.1} %") }
}

/// A bound: without decimals that say nothing.
pub(super) fn bound(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value}");
    }
    let text = short(value);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A value with its unit.
pub(super) fn with_unit(value: f64, unit: &str) -> String {
    if unit.is_empty() { bound(value) } else { format!("{} {unit}", bound(value)) }
}

/// What the sketch of a part shows.
pub(super) fn spread(spread: &Spread) -> String {
    let mut sentences = vec![clinicians(spread)];
    if spread.values > 0 {
        let of = match spread.counted {
            Counted::Clinicians => "clinicians",
            Counted::Encounters => "encounters",
            Counted::Responses => "responses",
        };
        let of = counted(spread.values, of);
        sentences.push(if spread.clipped_low.saturating_add(spread.clipped_high) == 0 {
            format!("None of {of} lies outside of the bounds.")
        } else {
            format!(
                "Of {of}, {} below {} and {} above {}: they count as if at the bound.",
                lie(&share(spread.clipped_low, spread.values)),
                bound(spread.low),
                lie(&share(spread.clipped_high, spread.values)),
                bound(spread.high)
            )
        });
    }
    if let Some(at_least) = spread.at_least {
        sentences.push(format!("From {} on a clinician is in the group.", bound(at_least)));
    }
    sentences.join(" ")
}

fn clinicians(spread: &Spread) -> String {
    let all = counted(spread.known.saturating_add(spread.at_centre), "clinicians");
    let centre = with_unit(spread.centre, &spread.unit);
    if spread.known == 0 {
        return format!("None of {all} has a value; the centre, {centre}, stands for it.");
    }
    let middle = middle_half(spread).map_or_else(String::new, |(from, to)| {
        format!(
            "; the middle half lies from about {} to {}",
            bound(from),
            with_unit(to, &spread.unit)
        )
    });
    let without = match spread.at_centre {
        0 => String::new(),
        1 => format!("; 1 without one stands at the centre, {centre}"),
        n => format!("; {} without one stand at the centre, {centre}", grouped(n)),
    };
    let has = if spread.known == 1 { "has" } else { "have" };
    format!("{} of {all} {has} a value{middle}{without}.", grouped(spread.known))
}

/// What the picture of a modality shows, over the months given.
pub(super) fn modality(modality: &Modality, months: &[String]) -> String {
    let total: u64 = modality.rows.iter().sum();
    let by_month = || months.iter().zip(&modality.rows);
    let with = by_month().filter(|(_, rows)| **rows > 0).count();
    let fullest = by_month().rev().max_by_key(|(_, rows)| **rows);
    let mut text = format!(
        "{} in {with} of {}",
        counted(total, "rows"),
        counted(months.len() as u64, "months")
    );
    if let Some((month, rows)) = fullest {
        text = match with {
            1 => format!("{text}, all in {month}"),
            _ => format!("{text}, most in {month} ({})", grouped(*rows)),
        };
    }
    let first = modality.rows.iter().position(|rows| *rows > 0).unwrap_or_default();
    let last = modality.rows.iter().rposition(|rows| *rows > 0).unwrap_or_default();
    let gaps: Vec<&str> = by_month()
        .enumerate()
        .filter(|(place, (_, rows))| (first..last).contains(place) && **rows == 0)
        .map(|(_, (month, _))| month.as_str())
        .collect();
    match gaps.as_slice() {
        [] => {}
        some if some.len() <= 3 => text = format!("{text}; none in {}", some.join(", ")),
        [start, ..] => text = format!("{text}; none in {} months from {start} on", gaps.len()),
    }
    text.push('.');
    text
}

/// What is wrong with times.
pub(super) fn problem(problem: ClockProblem) -> &'static str {
    match problem {
        ClockProblem::InTheFuture => "in the future; taken over",
        ClockProblem::Before2000 => "before 2000; taken over",
        ClockProblem::DeviceOff => "device clock off by more than 2 s; taken over, marked",
        ClockProblem::DeviceRefused => "device clock off by more than 30 s; rejected",
        ClockProblem::EndBeforeStart => "end before its start; rejected",
        ClockProblem::NoTime => "no time, or outside of 1990 to 2100; rejected",
    }
}

/// In which months the rows are dated, the first five of them.
pub(super) fn months(clock: &Clock) -> String {
    let of = |(month, rows): (&String, &u64)| format!("{month}: {}", grouped(*rows));
    let mut listed: Vec<String> = clock.months.iter().take(MONTHS).map(of).collect();
    if let Some(more @ 1..) = clock.months.len().checked_sub(MONTHS) {
        listed.push(counted(more as u64, "further months"));
    }
    listed.join(", ")
}

/// What a step leaves.
pub(super) fn left(left: Left) -> &'static str {
    match left {
        Left::InTheTable => "in the table",
        Left::OfItsQuestionnaires => "of its questionnaires",
        Left::InThePeriod => "in its period",
        Left::OfItsClinicians => "of its clinicians",
        Left::WithConsent => "with consent",
        Left::WithinLinks => "within links_per_patient",
        Left::Read => "read",
    }
}

/// Which batches brought the rows.
pub(super) fn batches(clock: &Clock) -> String {
    let listed: Vec<String> = clock.batches.iter().map(ToString::to_string).collect();
    let word = if listed.len() == 1 { "batch" } else { "batches" };
    format!("{word} {}", listed.join(", "))
}

/// Why a cell is too small.
pub(super) fn small(small: Small) -> String {
    match small {
        Small::Clinicians => format!("fewer than {CLINICIANS_MIN} clinicians"),
        Small::Encounters => format!("fewer than {ENCOUNTERS_MIN} encounters or answers"),
        Small::OneOfThem => {
            format!("one clinician has over {SHARE_MAX_PERCENT} % of the encounters")
        }
    }
}

/// Whom a study is about here.
pub(super) fn population(study: &StudyQuality) -> String {
    let all = counted(study.clinicians as u64, "clinicians");
    match study.outside_population as u64 {
        0 => format!("{all} with a role of the study."),
        n => format!(
            "{all} with a role of the study, of whom {} have a specialty or role that is none of its levels.",
            grouped(n)
        ),
    }
}

/// The first lines of a file.
pub(super) fn lines(lines: &[i64]) -> String {
    if lines.is_empty() {
        return "unknown".to_owned();
    }
    lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn lie(share: &str) -> String {
    if share == "0 %" { "none lies".to_owned() } else { format!("{share} lie") }
}

/// The edges of the columns between which the middle half of the clinicians lies.
fn middle_half(spread: &Spread) -> Option<(f64, f64)> {
    let all: u64 = spread.bins.iter().sum();
    let steps = u32::try_from(spread.bins.len()).ok().filter(|steps| *steps > 0)?;
    let edge =
        |place: u32| spread.low + (spread.high - spread.low) * f64::from(place) / f64::from(steps);
    let (mut seen, mut from) = (0_u64, None);
    for (place, count) in (0_u32..).zip(&spread.bins) {
        seen = seen.saturating_add(*count);
        if from.is_none() && seen.saturating_mul(4) >= all {
            from = Some(edge(place));
        }
        if seen.saturating_mul(4) >= all.saturating_mul(3) {
            return Some((from?, edge(place.saturating_add(1))));
        }
    }
    None
}
