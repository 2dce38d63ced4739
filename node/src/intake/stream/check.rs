//! Holds a file of encounters to the rules of the canonical table, row by row, in one scan.
//!
//! The rules, their words and the order of rejects are those of [`crate::intake::quality`], which holds staged rows to them
//! in SQL; a text is looked at up to a zero character, as SQL does. A key that stands twice is found by the keyed
//! hashes, set aside in parts: its first good row is kept.
//!
//! Rows of people who withdrew are as if not in the file: no reject says which they are. Each scan leaves them out by
//! their hashes, for as long as they are barred; bad ones stay out.
use super::file::{Encounters, Rows};
use super::spill::{EXCLUDED, Spill, Visit};
use crate::intake::canonical::{Column, Presence, Rule, TIME_RANGE, Table};
use crate::store::pseudonym::{Key, Kind, Pseudonyms};
use arrow_array::Array;
use arrow_array::cast::AsArray as _;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;

/// A file with more rejects than this is not in canonical form.
const REJECTS_MAX: usize = 1_000_000;

/// What the scan found: digests of the row groups, and rejects (row from 0, column, reason), by row and column.
#[derive(Default)]
pub(crate) struct Checked {
    pub(crate) digests: Vec<Digest>,
    pub(crate) rejects: Vec<(u64, &'static str, String)>,
    /// Bad rows of people who withdrew.
    pub(crate) silent: Vec<u64>,
    /// All rows of people who withdrew.
    pub(crate) left_out: u64,
}

/// What rows are held against.
pub(crate) struct Against<'a> {
    pub(crate) pseudonyms: &'a Pseudonyms,
    pub(crate) persons: &'a HashMap<Key, u32>,
    /// Kinds and hashes of what is as if not there.
    pub(crate) barred: &'a HashSet<(Kind, Key)>,
}

impl Checked {
    /// How many rows were rejected.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejects.chunk_by(|a, b| a.0 == b.0).count() as u64
    }

    /// The rows that do not count, ascending.
    pub(crate) fn refused(&self) -> Vec<u64> {
        let rows = self.rejects.iter().map(|(row, ..)| *row).chain(self.silent.iter().copied());
        rows.collect::<BTreeSet<u64>>().into_iter().collect()
    }
}

/// Checks a file.
///
/// # Errors
/// A user's fault if it cannot be read or has too many rejects; an operator's of the disk.
pub(crate) fn check(
    file: &Encounters,
    against: &Against<'_>,
    dir: &Path,
    heard: &dyn Fn(u64),
) -> Result<Checked, Fault> {
    let columns: Vec<&'static Column> = file.columns().collect();
    let names: Vec<&str> = columns.iter().map(|c| c.name).collect();
    // The one value of a record is the number of its row, exact below 2^53.
    let spill = Spill::new(file.rows(), 1, dir);
    let mut writer = spill.writer();
    let mut checked = Checked::default();
    for index in 0..file.groups() {
        let mut group = file.group(index, &names)?;
        checked.digests.push(group.digest);
        while let Some((first, rows)) = group.next()? {
            let mut bad = batch(&columns, &rows, against)?.into_iter().peekable();
            let gone = barred(&rows, against);
            let ids = rows.ids("encounter");
            for row in 0..rows.count() {
                let number = first.saturating_add(row as u64);
                let silent = gone.get(row) == Some(&true);
                checked.left_out += u64::from(silent);
                let mut good = true;
                while let Some((_, column, reason)) = bad.next_if(|(at, ..)| *at == row) {
                    good = false;
                    checked.refuse((number, column, reason), silent);
                }
                if let Some(ids) = ids.filter(|_| good) {
                    let key = against.pseudonyms.key(Kind::Encounter, ids.value(row));
                    let flags = if silent { EXCLUDED } else { 0 };
                    #[expect(clippy::cast_precision_loss, reason = "no file has 2^53 rows")]
                    writer.push((&key, 0, flags), std::iter::once(number as f64))?;
                }
            }
            bounded(&checked)?;
            heard(first.saturating_add(rows.count() as u64));
        }
    }
    writer.finish()?;
    twice(&spill, &mut checked)?;
    checked.rejects.sort();
    Ok(checked)
}

impl Checked {
    fn refuse(&mut self, reject: (u64, &'static str, String), silent: bool) {
        if silent {
            self.silent.push(reject.0);
        } else {
            self.rejects.push(reject);
        }
    }
}

/// Which rows belong to people who withdrew.
fn barred(rows: &Rows, against: &Against<'_>) -> Vec<bool> {
    let Against { pseudonyms, barred, .. } = against;
    let mut gone = vec![false; rows.count()];
    if barred.is_empty() {
        return gone;
    }
    let is = |kind: Kind, id: &str| barred.contains(&(kind, pseudonyms.key(kind, id)));
    for (name, kind) in [("patient", Kind::Patient), ("encounter", Kind::Encounter)] {
        let ids = rows.ids(name).into_iter().flat_map(|ids| ids.iter());
        for (gone, id) in gone.iter_mut().zip(ids) {
            *gone |= id.is_some_and(|id| is(kind, id));
        }
    }
    if let Some(ids) = rows.words("person") {
        let words = ids.values().as_string::<i32>();
        let of: Vec<bool> = (0..words.len()).map(|at| is(Kind::Person, words.value(at))).collect();
        for (row, gone) in gone.iter_mut().enumerate() {
            *gone |= ids.key(row).and_then(|at| of.get(at)) == Some(&true);
        }
    }
    gone
}

fn bounded(checked: &Checked) -> Result<(), Fault> {
    if checked.rejects.len().max(checked.silent.len()) <= REJECTS_MAX {
        return Ok(());
    }
    Err(Fault::user(format!("the file has more than {REJECTS_MAX} rejects"))
        .hint("it is not in canonical form: import it with a mapping"))
}

/// Rows whose key an earlier good row has.
fn twice(spill: &Spill, checked: &mut Checked) -> Result<(), Fault> {
    for part in 0..spill.parts() {
        let bytes = spill.part(part)?;
        // A row of somebody who withdrew gives way to any other.
        let mut all: Vec<(Key, bool, u64)> = bytes
            .chunks(spill.width())
            .filter_map(Visit::read)
            .filter_map(|visit| {
                Some((visit.patient, visit.flags & EXCLUDED != 0, visit.values().next()?))
            })
            .map(|(key, silent, number)| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it was a whole number"
                )]
                (key, silent, number as u64)
            })
            .collect();
        all.sort_unstable();
        for same in all.chunk_by(|a, b| a.0 == b.0) {
            for (_, silent, number) in same.iter().skip(1) {
                let reason = "the key of an earlier row".to_owned();
                checked.refuse((*number, "encounter", reason), *silent);
            }
        }
        bounded(checked)?;
    }
    Ok(())
}

type Bad = (usize, &'static str, String);

/// What is wrong with some rows, by row.
fn batch(
    columns: &[&'static Column],
    rows: &Rows,
    against: &Against<'_>,
) -> Result<Vec<Bad>, Fault> {
    let mut bad = Vec::new();
    for column in columns {
        let missing = column.presence == Presence::Required;
        let broken = format!("not {}", column.rule.expected());
        let mut judge = |row: usize, fits: Option<bool>| match fits {
            None if missing => bad.push((row, column.name, "missing".to_owned())),
            Some(false) => bad.push((row, column.name, broken.clone())),
            _ => {}
        };
        let found = each(column, rows, &mut judge);
        found.ok_or_else(|| Fault::bug(format!("column `{}` was not decoded", column.name)))?;
    }
    for (condition, column, reason) in Table::Encounter.contradictions() {
        if let Some(broken) = contradicted(condition, rows)? {
            bad.extend(broken.into_iter().map(|row| (row, *column, (*reason).to_owned())));
        }
    }
    for (column, target) in Table::Encounter.references() {
        let Some(ids) = rows.words(column) else { continue };
        let words = ids.values().as_string::<i32>();
        let known: Vec<bool> = (0..words.len())
            .map(|at| against.pseudonyms.key(Kind::Person, words.value(at)))
            .map(|key| against.persons.contains_key(&key))
            .collect();
        let reason = format!("names no {} that was taken over", target.name());
        for row in 0..rows.count() {
            if ids.key(row).is_some_and(|at| known.get(at) == Some(&false)) {
                bad.push((row, *column, reason.clone()));
            }
        }
    }
    bad.sort();
    Ok(bad)
}

/// Judges each row's value of a column: `None` where there is none.
fn each(column: &Column, rows: &Rows, judge: &mut dyn FnMut(usize, Option<bool>)) -> Option<()> {
    match column.rule {
        Rule::Whole(..) | Rule::Time => {
            let (low, high) = match column.rule {
                Rule::Whole(low, high) => (low, high),
                _ => TIME_RANGE,
            };
            let within = |value: i64| (low..=high).contains(&value);
            let array = rows.wholes(column.name)?;
            array.iter().enumerate().for_each(|(row, v)| judge(row, v.map(within)));
        }
        Rule::Number(low, high) => {
            let within = |value: f64| (low..=high).contains(&value);
            let array = rows.numbers(column.name)?;
            array.iter().enumerate().for_each(|(row, v)| judge(row, v.map(within)));
        }
        rule => {
            if let Some(array) = rows.ids(column.name) {
                array.iter().enumerate().for_each(|(row, v)| judge(row, v.map(|v| fits(rule, v))));
                return Some(());
            }
            let array = rows.words(column.name)?;
            let words = array.values().as_string::<i32>();
            let fit: Vec<bool> = (0..words.len()).map(|at| fits(rule, words.value(at))).collect();
            for row in 0..rows.count() {
                judge(row, array.key(row).and_then(|at| fit.get(at).copied()));
            }
        }
    }
    Some(())
}

/// Whether a text keeps a rule.
fn fits(rule: Rule, text: &str) -> bool {
    let seen = text.split('\0').next().unwrap_or_default();
    let length = |most: u32| {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        !seen.is_empty() && (seen.len() <= most || seen.chars().count() <= most)
    };
    match rule {
        Rule::Key(_) => length(200),
        Rule::Text(most) => length(most),
        Rule::Word => {
            let sign = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
            length(48)
                && seen.starts_with(|c: char| c.is_ascii_lowercase())
                && seen.bytes().all(sign)
        }
        Rule::OneOf(words) => words.contains(&text),
        Rule::Whole(..) | Rule::Time | Rule::Number(..) => false,
    }
}

/// The rows in which a condition `a < b` or `a > b` between two columns holds; none if a column is not there.
fn contradicted(condition: &str, rows: &Rows) -> Result<Option<Vec<usize>>, Fault> {
    let words: Vec<&str> = condition.split_whitespace().collect();
    let [left, sign @ ("<" | ">"), right] = words.as_slice() else {
        return Err(Fault::bug(format!("a streamed file cannot be held to `{condition}`")));
    };
    let (Some(left), Some(right)) = (rows.numbers(left), rows.numbers(right)) else {
        return Ok(None);
    };
    let holds = |(a, b): (Option<f64>, Option<f64>)| match (a, b) {
        (Some(a), Some(b)) if *sign == "<" => a < b,
        (Some(a), Some(b)) => a > b,
        _ => false,
    };
    let pairs = left.iter().zip(right.iter()).enumerate();
    Ok(Some(pairs.filter(|(_, pair)| holds(*pair)).map(|(row, _)| row).collect()))
}
