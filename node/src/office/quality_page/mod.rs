//! What a node holds and how good it is, as one value: gathered elsewhere, shown here.
//!
//! [`text`] shows it on a terminal, [`html`] as a page that stands alone, and it is itself the JSON. It is for the data
//! steward and the privacy officer of the site: counts only, never a value of a person, but the counts are not
//! protected by noise, so the page stays in the house.

pub mod html;
mod picture;
pub mod text;
mod words;

#[cfg(test)]
pub(crate) mod tests;

use crate::office::cells::Cell;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many columns a sketch has.
pub const BINS: usize = 20;

/// All that is known about the quality of a node's data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// When it was looked at: day and time of day, UTC.
    pub made_at: String,
    /// The program and its version.
    pub made_by: String,
    /// The canonical tables and what else is counted.
    pub tables: Vec<TableRows>,
    /// Why rows were not taken over, the newest batch first.
    pub rejects: Vec<Rejects>,
    /// What there is of each modality, by month.
    pub coverage: Coverage,
    /// Times that cannot be right, or clocks that were corrected.
    pub clocks: Vec<Clock>,
    /// The studies of this site.
    pub studies: Vec<StudyQuality>,
}

/// Rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableRows {
    /// The table.
    pub table: String,
    /// How many rows.
    pub rows: u64,
}

/// Rows of a batch that were rejected for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejects {
    /// The batch.
    pub batch: i64,
    /// The canonical, or raw, table.
    pub table: String,
    /// The column.
    pub column: String,
    /// What is wrong with it.
    pub reason: String,
    /// How many rows.
    pub rows: u64,
    /// The first lines of the file, at most five.
    pub lines: Vec<i64>,
}

/// What there is by month, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Every month from the first to the last with data, none of them in the future: `2026-07`.
    pub months: Vec<String>,
    /// What is counted in each.
    pub modalities: Vec<Modality>,
}

/// One kind of data, month by month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Modality {
    /// What it is: `encounters`, or `responses: care-measure`.
    pub name: String,
    /// Rows in each month.
    pub rows: Vec<u64>,
    /// Clinicians with a row in each month.
    pub clinicians: Vec<u64>,
}

/// A kind of problem with times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockProblem {
    /// After the moment of the check; taken over.
    InTheFuture,
    /// Before 2000; taken over.
    Before2000,
    /// A device's clock was off by more than two seconds; taken over.
    DeviceOff,
    /// A device's clock was off by more than thirty seconds, or by no known time; rejected.
    DeviceRefused,
    /// An end before its start, or a span that is none; rejected.
    EndBeforeStart,
    /// No time at all, or outside of 1990 to 2100; rejected.
    NoTime,
}

/// Rows with a problem of times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// What is wrong.
    pub problem: ClockProblem,
    /// Table and column.
    pub place: String,
    /// How many rows.
    pub rows: u64,
    /// Of rows that were taken over, how many are dated in each month: `2036-08`.
    pub months: BTreeMap<String, u64>,
    /// The first batches that brought them, at most five.
    pub batches: Vec<i64>,
}

/// Why a study is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The officer approved it.
    Approved,
    /// It was named for this check.
    Named,
}

/// What the site's data are for one study.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StudyQuality {
    /// Its short name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its digest.
    pub digest: String,
    /// Of each table that it reads, how rows become those that it is computed from.
    pub tables: Vec<Narrowing>,
    /// The first day of its period.
    pub from: String,
    /// The day after the last.
    pub to: String,
    /// Why it is looked at.
    pub standing: Standing,
    /// Why this site stays away from it, if it does.
    pub stays_away: Option<String>,
    /// Active clinicians with a role of the study.
    pub clinicians: usize,
    /// Those whose specialty or role is none of the study's levels.
    pub outside_population: usize,
    /// The outcome, the features and the groups that are numbers.
    pub spreads: Vec<Spread>,
    /// Everyone, and each group with its complement; empty if a part is missing altogether.
    pub cells: Vec<Cell>,
    /// What is missing.
    pub missing: Vec<Missing>,
}

/// How the rows of a table become those that a study reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Narrowing {
    /// The table.
    pub table: String,
    /// From all rows to those that are read; each step keeps some of those before it.
    pub steps: Vec<Step>,
}

/// One step on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is left.
    pub left: Left,
    /// How many rows.
    pub rows: u64,
    /// Why others are not, in a sentence.
    pub why: String,
}

/// What a step leaves of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    /// All rows.
    InTheTable,
    /// Those of the questionnaires that the study scores.
    OfItsQuestionnaires,
    /// Those in the study's period.
    InThePeriod,
    /// Those of clinicians at work with a role of the study.
    OfItsClinicians,
    /// Those of people whom the rules on consent admit.
    WithConsent,
    /// Those within the links that a patient may have.
    WithinLinks,
    /// Those that count: not excluded; of answers one a patient, clinician and questionnaire.
    Read,
}

/// Something a study needs and the site does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The part of the study: `features.volume`.
    pub part: String,
    /// What is missing.
    pub what: String,
    /// What to do about it, if that is known.
    pub hint: Option<String>,
}

/// What values are clipped one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// One value a clinician.
    Clinicians,
    /// One value an encounter; a clinician's is their mean.
    Encounters,
    /// One score a filled-in questionnaire; a clinician's is their mean.
    Responses,
}

/// How the clinicians' values of one part lie within the study's bounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The part of the study: `outcome`, `features.volume`, `groups.night-work`.
    pub part: String,
    /// What it is called.
    pub label: String,
    /// Where it comes from, as in the study.
    pub source: String,
    /// Its unit, if it has one.
    pub unit: String,
    /// The lowest value that counts.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// What a clinician of whom nothing is known is given.
    pub centre: f64,
    /// From which value on a clinician is in the group, if it is one.
    pub at_least: Option<f64>,
    /// Clinicians with a value.
    pub known: u64,
    /// Clinicians without, who stand at the centre.
    pub at_centre: u64,
    /// Clinicians with a value by where it lies, clipped, from `low` to `high`, in equal steps.
    pub bins: Vec<u64>,
    /// What is clipped one by one.
    pub counted: Counted,
    /// How many of those there are.
    pub values: u64,
    /// How many of them lie below `low`.
    pub clipped_low: u64,
    /// How many lie above `high`.
    pub clipped_high: u64,
}

impl Spread {
    /// The clinicians' values sorted into the columns of a sketch. The bounds are finite and `low` is below `high`, as
    /// in every study.
    pub fn bins(values: impl IntoIterator<Item = f64>, low: f64, high: f64) -> Vec<u64> {
        let mut bins = vec![0_u64; BINS];
        #[expect(clippy::cast_precision_loss, reason = "BINS is small")]
        let width = (high - low) / BINS as f64;
        for value in values {
            let place = ((value.clamp(low, high) - low) / width).floor();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and BINS; a NaN becomes 0"
            )]
            let place = (place as usize).min(BINS.saturating_sub(1));
            if let Some(bin) = bins.get_mut(place) {
                *bin = bin.saturating_add(1);
            }
        }
        bins
    }
}
