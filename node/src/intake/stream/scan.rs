//! Reads a file of encounters once, on several threads, and sets aside what may count for a study.
//!
//! What is left out here: rows that were refused when the file was noted, clinicians and times that are not asked for,
//! encounters that are barred. Of the others each patient's come to stand together; what follows from that is the
//! panel's work ([`crate::store::panel`]). A row group whose digest is not the one noted ends the reading.
use super::file::{Encounters, Rows};
use super::spill::{EARLIER, EXCLUDED, Spill, UNNAMED, Writer};
use super::value;
use crate::store::panel::{Detail, Span};
use crate::store::pseudonym::{Key, Kind, Pseudonyms};
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;

/// More decoders than this are not started: each holds a row group.
const DECODERS_MAX: usize = 2;

/// What is asked of a file.
pub(crate) struct Asked<'a> {
    pub(crate) pseudonyms: &'a Pseudonyms,
    /// Digests of the row groups, as they were noted.
    pub(crate) digests: &'a [Digest],
    /// Numbers of rows that were refused then, from 0, ascending.
    pub(crate) refused: &'a [u64],
    /// Every clinician's place.
    pub(crate) persons: &'a HashMap<Key, u32>,
    pub(crate) span: Span,
    /// Earlier days that are asked for, too.
    pub(crate) earlier: Option<Span>,
    /// The values that are asked for.
    pub(crate) details: &'a [Detail<'a>],
    /// Encounters that something else in the tables names.
    pub(crate) named: &'a HashSet<Key>,
    /// Encounters with the clinician who excluded them.
    pub(crate) excluded: &'a HashSet<(Key, u32)>,
    /// Encounters whose rows are as if not there.
    pub(crate) barred: &'a HashSet<Key>,
    /// Patients whose rows are.
    pub(crate) withdrawn: &'a HashSet<Key>,
}

/// An encounter that was named, whenever it was.
pub(crate) struct Named {
    pub(crate) encounter: Key,
    /// The clinician's place; none of a bad row, which is there only for whose patient it was.
    pub(crate) person: Option<u32>,
    pub(crate) patient: Option<Key>,
    pub(crate) start_us: i64,
}

/// Scans the file. Yields the records by patient, and the encounters that were named.
///
/// # Errors
/// A user's fault if the file is another than the one noted, or cannot be read; an operator's of the disk.
pub(crate) fn scan(
    file: &Encounters,
    asked: &Asked<'_>,
    dir: &Path,
) -> Result<(Spill, Vec<Named>), Fault> {
    if asked.digests.len() != file.groups() {
        return Err(changed());
    }
    let spill = Spill::new(file.rows(), asked.details.len(), dir);
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let decoders = cores.min(DECODERS_MAX).min(file.groups()).max(1);
    let work = || {
        let mut scanner = Scanner::new(file, asked, &spill);
        loop {
            let group = next.fetch_add(1, Ordering::Relaxed);
            if group >= file.groups() {
                return scanner.finish();
            }
            if let Err(found) = scanner.group(group) {
                next.store(file.groups(), Ordering::Relaxed);
                return Err(found);
            }
        }
    };
    let done: Vec<Result<Vec<Named>, Fault>> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..decoders).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(Fault::bug("a decoder panicked")))
        };
        started.into_iter().map(join).collect()
    });
    let mut named = Vec::new();
    for found in done {
        named.extend(found?);
    }
    Ok((spill, named))
}

/// The refusal of a file that is not the one that was noted.
pub(crate) fn changed() -> Fault {
    Fault::user("the streamed file is not the one that was noted: it was changed")
        .hint("withdraw its batch with `tacit-node batches --withdraw`, and note the file anew")
}

struct Scanner<'a> {
    file: &'a Encounters,
    asked: &'a Asked<'a>,
    writer: Writer<'a>,
    columns: Vec<&'static str>,
    named: Vec<Named>,
    persons: Words<Option<u32>>,
}

impl<'a> Scanner<'a> {
    fn new(file: &'a Encounters, asked: &'a Asked<'a>, spill: &'a Spill) -> Self {
        let mut columns = vec!["person", "patient", "start_us"];
        columns.extend(asked.details.iter().flat_map(|detail| value::columns(*detail)));
        let asked_for =
            [asked.named.is_empty(), asked.excluded.is_empty(), asked.barred.is_empty()];
        if file.may_lack("patient") || asked_for.contains(&false) {
            columns.push("encounter");
        }
        let (named, persons) = (Vec::new(), Words::default());
        Self { file, asked, writer: spill.writer(), columns, named, persons }
    }

    fn finish(self) -> Result<Vec<Named>, Fault> {
        self.writer.finish()?;
        Ok(self.named)
    }

    fn group(&mut self, index: usize) -> Result<(), Fault> {
        let mut group = self.file.group(index, &self.columns)?;
        if self.asked.digests.get(index) != Some(&group.digest) {
            return Err(changed());
        }
        while let Some((first, rows)) = group.next()? {
            self.rows(first, &rows)?;
        }
        Ok(())
    }

    fn rows(&mut self, first: u64, rows: &Rows) -> Result<(), Fault> {
        let asked = self.asked;
        let lacking = || Fault::bug("a column of the streamed file was not decoded");
        let pseudonyms = asked.pseudonyms;
        let person = rows.words("person").ok_or_else(lacking)?;
        self.persons
            .renew(person, |id| asked.persons.get(&pseudonyms.key(Kind::Person, id)).copied());
        let start = rows.wholes("start_us").ok_or_else(lacking)?;
        let values: Vec<Vec<f64>> =
            asked.details.iter().map(|detail| value::values(*detail, rows)).collect();
        let (patients, encounters) = (rows.ids("patient"), rows.ids("encounter"));
        let mut refused = Refused::from(asked.refused, first);
        for row in 0..rows.count() {
            let encounter = || {
                let ids = encounters.filter(|e| e.is_valid(row))?;
                Some(pseudonyms.key(Kind::Encounter, ids.value(row)))
            };
            let patient = || {
                let ids = patients.filter(|p| p.is_valid(row))?;
                Some(pseudonyms.key(Kind::Patient, ids.value(row)))
            };
            let start_us = start.value(row);
            if refused.is(first.saturating_add(row as u64)) {
                let withdrawn = patient().filter(|key| asked.withdrawn.contains(key));
                let named = encounter().filter(|key| asked.named.contains(key));
                if let (Some(_), Some(encounter)) = (withdrawn, named) {
                    self.named.push(Named {
                        encounter,
                        person: None,
                        patient: withdrawn,
                        start_us,
                    });
                }
                continue;
            }
            let Some(slot) = self.persons.of(person, row).copied().flatten() else { continue };
            let within = asked.span.has(start_us);
            let earlier = asked.earlier.is_some_and(|span| span.has(start_us));
            if !within && !earlier && asked.named.is_empty() {
                continue;
            }
            let encounter = encounter();
            if encounter.is_some_and(|key| asked.barred.contains(&key)) {
                continue;
            }
            let patient = patient();
            if let Some(encounter) = encounter.filter(|key| asked.named.contains(key)) {
                self.named.push(Named { encounter, person: Some(slot), patient, start_us });
            }
            if !within && !earlier {
                continue;
            }
            let mut flags = if patient.is_none() { UNNAMED } else { 0 };
            if encounter.is_some_and(|key| asked.excluded.contains(&(key, slot))) {
                flags |= EXCLUDED;
            }
            let whose = patient.or(encounter).ok_or_else(lacking)?;
            let of_row = values.iter().map(|v| v.get(row).copied().unwrap_or(f64::NAN));
            if earlier {
                self.writer.push((&whose, slot, flags | EARLIER), of_row.clone())?;
            }
            if within {
                self.writer.push((&whose, slot, flags), of_row)?;
            }
        }
        Ok(())
    }
}

/// What each word of a dictionary means; worked out once for as long as the dictionary is the same.
#[derive(Default)]
pub(super) struct Words<T> {
    of: Option<ArrayRef>,
    meaning: Vec<T>,
}

impl<T> Words<T> {
    pub(super) fn renew(&mut self, column: &DictionaryArray<Int32Type>, mean: impl Fn(&str) -> T) {
        let values = column.values();
        if self.of.as_ref().is_some_and(|before| before.to_data().ptr_eq(&values.to_data())) {
            return;
        }
        self.of = Some(Arc::clone(values));
        let words = values.as_string::<i32>();
        self.meaning = (0..words.len())
            .map(|at| mean(if words.is_valid(at) { words.value(at) } else { "" }))
            .collect();
    }

    pub(super) fn of(&self, column: &DictionaryArray<Int32Type>, row: usize) -> Option<&T> {
        self.meaning.get(column.key(row)?)
    }
}

/// The refused rows from one on, as the scan passes them.
struct Refused<'a>(std::iter::Peekable<std::slice::Iter<'a, u64>>);

impl<'a> Refused<'a> {
    fn from(all: &'a [u64], first: u64) -> Self {
        let at = all.partition_point(|row| *row < first);
        Self(all.get(at..).unwrap_or_default().iter().peekable())
    }

    /// Whether the row is refused; rows are asked for in order.
    fn is(&mut self, row: u64) -> bool {
        self.0.next_if(|next| **next <= row).is_some()
    }
}
