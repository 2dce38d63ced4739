//! The numbers of streamed encounters that means are taken of.
//!
//! Each is what [`Detail`]'s own SQL makes of the same row of the table; which there are, and what they mean, is said there.
use super::file::Rows;
use super::scan::Words;
use crate::store::panel::detail::{Detail, group};

/// The columns of the file that a value rests on.
pub(super) fn columns(detail: Detail<'_>) -> Vec<&'static str> {
    match detail {
        Detail::Acuity | Detail::Routine => vec!["acuity"],
        Detail::Minutes => vec!["minutes"],
        Detail::MinutesBy(_) => vec!["minutes", "channel"],
        Detail::MinutesRatio(_) => vec![],
        Detail::PresenceMinutes => vec!["presence_minutes"],
        Detail::ScribeMinutes => vec!["scribe_minutes"],
        Detail::CallMinutes => vec!["call_minutes"],
        Detail::AiShare => vec!["ai_share"],
        Detail::Remote | Detail::By(_) => vec!["channel"],
        Detail::Interpreter => vec!["interpreter"],
        Detail::Language(_) | Detail::OtherLanguage(_) => vec!["language"],
        Detail::Group(column, _) => vec![group(column)],
        Detail::Readmitted => vec!["readmit_30d"],
        Detail::Emergency => vec!["ed_30d"],
    }
}

/// A value of each row; not a number where it is not known.
pub(super) fn values(detail: Detail<'_>, rows: &Rows) -> Vec<f64> {
    let Some(from) = columns(detail).first().copied() else { return vec![f64::NAN; rows.count()] };
    let flag = |holds: bool| f64::from(u8::from(holds));
    let found = match detail {
        Detail::Acuity | Detail::Interpreter | Detail::Readmitted | Detail::Emergency => {
            wholes(rows, from)
        }
        Detail::Routine => wholes(rows, from).map(|mut all| {
            all.iter_mut().filter(|v| !v.is_nan()).for_each(|v| *v = flag(*v <= 2.0));
            all
        }),
        Detail::MinutesBy(by) => {
            let here =
                words(rows, "channel", |word| if word == by.word() { 1.0 } else { f64::NAN });
            numbers(rows, from).zip(here).map(|(mut all, here)| {
                all.iter_mut().zip(here).for_each(|(minutes, here)| *minutes *= here);
                all
            })
        }
        Detail::Remote => words(rows, from, |word| flag(word != "in_person")),
        Detail::By(by) => words(rows, from, |word| flag(word == by.word())),
        Detail::Language(name) => words(rows, from, |word| flag(word == name.as_str())),
        Detail::OtherLanguage(name) => words(rows, from, |word| flag(word != name.as_str())),
        Detail::Group(_, name) => words(rows, from, |word| flag(word == name.as_str())),
        _ => numbers(rows, from),
    };
    found.unwrap_or_else(|| vec![f64::NAN; rows.count()])
}

#[expect(clippy::cast_precision_loss, reason = "checked to be small")]
fn wholes(rows: &Rows, from: &str) -> Option<Vec<f64>> {
    let array = rows.wholes(from)?;
    Some(array.iter().map(|v| v.map_or(f64::NAN, |v| v as f64)).collect())
}

fn numbers(rows: &Rows, from: &str) -> Option<Vec<f64>> {
    let array = rows.numbers(from)?;
    Some(array.iter().map(|v| v.unwrap_or(f64::NAN)).collect())
}

fn words(rows: &Rows, from: &str, mean: impl Fn(&str) -> f64) -> Option<Vec<f64>> {
    let array = rows.words(from)?;
    let mut meaning = Words::default();
    meaning.renew(array, mean);
    Some((0..array.len()).map(|row| meaning.of(array, row).copied().unwrap_or(f64::NAN)).collect())
}
