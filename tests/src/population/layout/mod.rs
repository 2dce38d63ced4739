//! How each hospital writes down what happened: one file a kind of hospital, and what they share.
mod no_wearables;
mod rural;
mod safety_net;
mod suburban;
mod teaching;

use super::PopulationError;
use super::facts::{Facts, Month, More, Person, SECOND_US, Session, Sheet, Survey};
use super::profile::Kind;
use super::recording;
use super::table::{Packing, Table};
use std::path::{Path, PathBuf};
use time::{OffsetDateTime, UtcOffset};

/// Summer time of the rural hospital and the one without wearables: two hours ahead of UTC.
const SUMMER_HOURS: i8 = 2;

/// Files written so far, each with the name of its raw table.
struct Folder<'a> {
    path: &'a Path,
    files: Vec<(String, PathBuf)>,
}

impl Folder<'_> {
    fn csv(&mut self, raw: &str, file: &str, table: Table) -> Result<(), PopulationError> {
        let path = self.path.join(file);
        table.csv(&path)?;
        self.files.push((raw.to_owned(), path));
        Ok(())
    }

    fn parquet(
        &mut self,
        raw: &str,
        file: &str,
        table: Table,
        packing: Packing,
    ) -> Result<(), PopulationError> {
        let path = self.path.join(file);
        table.parquet(&path, packing)?;
        self.files.push((raw.to_owned(), path));
        Ok(())
    }
}

/// Writes one hospital's files; each with the name of its raw table.
pub(super) fn write(
    kind: Kind,
    facts: &Facts,
    surveys: &[Survey],
    path: &Path,
) -> Result<Vec<(String, PathBuf)>, PopulationError> {
    let mut folder = Folder { path, files: Vec::new() };
    match kind {
        Kind::Teaching => teaching::write(facts, surveys, &mut folder)?,
        Kind::SafetyNet => safety_net::write(facts, surveys, &mut folder)?,
        Kind::Suburban => suburban::write(facts, surveys, &mut folder)?,
        Kind::Rural => rural::write(facts, surveys, &mut folder)?,
        Kind::NoWearables => no_wearables::write(facts, surveys, &mut folder)?,
    }
    Ok(folder.files)
}

/// The list of recordings, as the study nurse keeps it.
fn sessions(sessions: &[Session], person: fn(u32) -> String) -> Table {
    let each = || sessions.iter();
    Table::default()
        .text("session", each().map(|s| format!("E4-{:04}", s.number)))
        .text("worn_by", each().map(|s| person(s.person)))
        .int("start_unix", each().map(|s| s.start_us / SECOND_US))
        .text("file", each().map(recording::file))
}

/// The columns of a clinician's strata, under the hospital's names: age, gender, where they were trained.
fn strata(table: Table, facts: &Facts, names: [&str; 3]) -> Table {
    let each = || facts.persons.iter().map(|p| p.strata);
    let text = |word: Option<&'static str>| word.map(str::to_owned);
    let [age, gender, trained] = names;
    table
        .maybe_text(age, each().map(|s| text(s.age_band)))
        .maybe_text(gender, each().map(|s| text(s.gender)))
        .maybe_text(trained, each().map(|s| text(s.training_country)))
}

/// What is known of encounters beside what every hospital writes: columns under these names and, in minutes, those of
/// scribe, call and presence; interruptions, language, and the patient's age, deprivation, payer and group.
fn more(table: Table, facts: &Facts, names: [&str; 9]) -> Table {
    let each = || facts.visits.iter().map(|v| v.more);
    let text =
        |of: fn(&More) -> Option<&'static str>| each().map(move |m| of(&m).map(str::to_owned));
    let length = |of: fn(&More) -> Option<i32>| {
        each().map(move |m| of(&m).map(|tenths| f64::from(tenths) / 10.0))
    };
    let [scribe, call, presence, interruptions, language, age, deprivation, payer, group] = names;
    table
        .real(scribe, length(|m| m.scribe))
        .real(call, length(|m| m.call))
        .real(presence, length(|m| m.presence))
        .maybe_int(interruptions, each().map(|m| m.interruptions))
        .maybe_text(language, text(|m| m.language))
        .maybe_text(age, text(|m| m.age_band))
        .maybe_text(deprivation, text(|m| m.deprivation))
        .maybe_text(payer, text(|m| m.payer))
        .maybe_text(group, text(|m| m.group))
}

/// The list of trainings, as the office of further education keeps it: days in UTC, no end while one goes on.
fn courses(facts: &Facts, person: impl Fn(u32) -> String) -> Table {
    let each = || facts.persons.iter().flat_map(|p| p.courses.iter().map(move |c| (p.number, *c)));
    let day = |us| day_and_minute(us, 0).0;
    Table::default()
        .text("who", each().map(|(number, _)| person(number)))
        .text("programme", each().map(|(_, c)| c.programme))
        .text("began", each().map(|(_, c)| day(c.from_us)))
        .maybe_text("ended", each().map(|(_, c)| c.to_us.map(day)))
        .int("hours", each().map(|(_, c)| c.hours))
}

/// Every answer on a line of its own: survey index, item from 1, code.
fn long(surveys: &[Survey]) -> impl Iterator<Item = (&Survey, i64, u8)> {
    surveys.iter().flat_map(|survey| {
        let coded = (1..).zip(survey.items);
        coded.filter_map(move |(item, code)| code.map(|code| (survey, item, code)))
    })
}

/// The moment at some hours ahead of UTC.
fn local(us: i64, hours: i8) -> OffsetDateTime {
    let utc =
        OffsetDateTime::from_unix_timestamp(us / SECOND_US).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    UtcOffset::from_hms(hours, 0, 0).map_or(utc, |offset| utc.to_offset(offset))
}

/// `YYYY-MM-DD` and `HH:MM` of a moment.
fn day_and_minute(us: i64, hours: i8) -> (String, String) {
    let at = local(us, hours);
    let day = format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day());
    (day, format!("{:02}:{:02}", at.hour(), at.minute()))
}

/// Minutes of an encounter in steps of a tenth.
fn minutes(seconds: i32) -> f64 {
    f64::from(seconds / 6) / 10.0
}

/// Every person's every month, with the month's year and number.
fn months(facts: &Facts) -> impl Iterator<Item = (&Person, (i32, u8), Month)> {
    facts.persons.iter().flat_map(move |person| {
        (0..).zip(person.months).map(move |(after, month)| {
            let at = facts.first.1 - 1 + after;
            let named = (facts.first.0 + i32::from(at / 12), at % 12 + 1);
            (person, named, month)
        })
    })
}

/// Everybody who handed a burnout questionnaire in, with it; the earlier one first where there are two.
fn sheets(facts: &Facts) -> impl Iterator<Item = (&Person, Sheet)> {
    let each = facts.persons.iter();
    each.flat_map(|person| {
        let both = [person.earlier, person.sheet].into_iter().flatten();
        both.map(move |sheet| (person, sheet))
    })
}

/// Item `index` of an array of answers.
fn item<const N: usize>(items: &[Option<u8>; N], index: usize) -> Option<u8> {
    items.get(index).copied().flatten()
}

/// `word` where something is so, an empty field where not.
fn tick(is: bool, word: &str) -> Option<String> {
    is.then(|| word.to_owned())
}
