//! Encounters that were set aside by patient become sums of clinicians, by the same rules as those of the tables.
//!
//! ```text
//! a patient's clinicians ─► the K with the smallest keyed hash ─► their encounters: n, Σ d for each value
//! ```
//! A patient whom something in the tables names too has links that were settled there. Sums are exact
//! ([`super::exact`]), so neither the order of the file nor the number of threads shows in them.
use super::clipped::Clipped;
use super::exact::Exact;
use super::{Bounds, Excluded, Links};
use crate::intake::stream::spill::{EARLIER, EXCLUDED, Spill, UNNAMED, Visit};
use crate::store::pseudonym::{Key, Pseudonyms};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use tacit_shared::fault::Fault;

/// Each thread holds a part and its sums.
const THREADS_MAX: usize = 2;

/// Which patients are seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Whether encounters are switched off: nobody's are seen.
    pub(crate) off: bool,
    /// Whether those listed are the ones seen, and nobody without a key; else they are the ones not seen.
    pub(crate) only: bool,
    /// Those listed.
    pub(crate) listed: HashSet<Key>,
    /// Patients whose rows are as if not there.
    pub(crate) barred: HashSet<Key>,
}

/// By what records are settled.
pub(crate) struct Rules<'a> {
    pub(crate) pseudonyms: &'a Pseudonyms,
    /// Of how many clinicians each patient counts for.
    pub(crate) links_per_patient: u32,
    /// The keys of all clinicians.
    pub(crate) persons: &'a [Key],
    /// Which of them has which row.
    pub(crate) rows: &'a [Option<u32>],
    /// How many rows there are.
    pub(crate) clinicians: usize,
    /// Links that count, of patients whom the tables name too (and of encounters without one, if they do).
    pub(crate) settled: &'a HashMap<Key, Vec<u32>>,
    pub(crate) seen: &'a Seen,
    /// The bounds of each value.
    pub(crate) bounds: &'a [Bounds],
    /// Whether earlier days are asked for.
    pub(crate) earlier: bool,
}

/// What the records come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    /// Links of patients whom the tables do not name.
    pub(crate) links: Links,
    pub(crate) excluded: Excluded,
    /// Encounters of each clinician with a row, and how many of them were excluded.
    pub(crate) each: Vec<Excluded>,
    /// For each value a sum of each clinician with a row, over the period.
    pub(crate) exact: Vec<Vec<Exact>>,
    /// The same over the earlier days, if they are asked for.
    pub(crate) earlier: Vec<Vec<Exact>>,
    /// For each value how many of the period lie outside of its bounds.
    pub(crate) clipped: Vec<Clipped>,
}

/// Settles all records.
///
/// # Errors
/// An operator's fault of the disk.
pub(crate) fn settle(spill: &Spill, rules: &Rules<'_>) -> Result<Sums, Fault> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut sums = Sums::of(rules);
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= spill.parts() {
                return Ok(sums);
            }
            sums.part(&spill.part(part)?, spill.width(), rules);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(THREADS_MAX).min(spill.parts()).max(1);
    let done: Vec<Result<Sums, Fault>> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(Fault::bug("a thread of sums panicked")))
        };
        started.into_iter().map(join).collect()
    });
    let mut all = Sums::of(rules);
    for sums in done {
        all.join(sums?);
    }
    Ok(all)
}

/// The pairs of patient and clinician among the records, of patients whom `named` has: their links are the tables'.
///
/// # Errors
/// An operator's fault of the disk.
pub(crate) fn pairs(
    spill: &Spill,
    seen: &Seen,
    named: &HashSet<Key>,
) -> Result<BTreeSet<(Key, u32)>, Fault> {
    let mut found = BTreeSet::new();
    if named.is_empty() {
        return Ok(found);
    }
    for part in 0..spill.parts() {
        for record in spill.part(part)?.chunks(spill.width()) {
            let Some(visit) = Visit::read(record) else { continue };
            let patient = visit.flags & UNNAMED == 0;
            if patient && named.contains(&visit.patient) && seen.has(&visit) {
                found.insert((visit.patient, visit.person));
            }
        }
    }
    Ok(found)
}

impl Seen {
    fn has(&self, visit: &Visit<'_>) -> bool {
        if self.off {
            return false;
        }
        if visit.flags & UNNAMED != 0 {
            return !self.only;
        }
        !self.barred.contains(&visit.patient) && self.listed.contains(&visit.patient) == self.only
    }
}

impl Sums {
    fn of(rules: &Rules<'_>) -> Self {
        let each = vec![Excluded::default(); rules.clinicians];
        let none = || vec![vec![Exact::default(); rules.clinicians]; rules.bounds.len()];
        Self {
            each,
            exact: none(),
            earlier: if rules.earlier { none() } else { Vec::new() },
            clipped: vec![Clipped::default(); rules.bounds.len()],
            ..Self::default()
        }
    }

    /// The share of each clinician's encounters that was excluded.
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    pub(crate) fn shares(&self) -> Vec<f64> {
        let share = |of: &Excluded| of.excluded as f64 / of.encounters.max(1) as f64;
        self.each.iter().map(share).collect()
    }

    fn join(&mut self, other: Self) {
        self.links.pairs += other.links.pairs;
        self.links.dropped += other.links.dropped;
        self.excluded.encounters += other.excluded.encounters;
        self.excluded.excluded += other.excluded.excluded;
        for (to, from) in self.each.iter_mut().zip(other.each) {
            to.encounters += from.encounters;
            to.excluded += from.excluded;
        }
        let both = self.exact.iter_mut().chain(&mut self.earlier);
        for (to, from) in both.zip(other.exact.into_iter().chain(other.earlier)) {
            to.iter_mut().zip(from).for_each(|(to, from)| to.join(from));
        }
        for (to, from) in self.clipped.iter_mut().zip(other.clipped) {
            to.values += from.values;
            to.low += from.low;
            to.high += from.high;
        }
    }

    fn part(&mut self, bytes: &[u8], width: usize, rules: &Rules<'_>) {
        // By the first half of the hash: of patients who share it, by the rest.
        let mut order: Vec<(u64, u32)> = Vec::with_capacity(bytes.len() / width.max(1));
        for (index, record) in bytes.chunks(width.max(1)).enumerate() {
            if let (Some(head), Ok(index)) = (record.first_chunk::<8>(), u32::try_from(index)) {
                order.push((u64::from_be_bytes(*head), index));
            }
        }
        order.sort_unstable();
        let read = |(_, index): &(u64, u32)| {
            let at = usize::try_from(*index).ok()?.checked_mul(width)?;
            Visit::read(bytes.get(at..at.checked_add(width)?)?)
        };
        let mut visits: Vec<Visit<'_>> = Vec::new();
        for group in order.chunk_by(|a, b| a.0 == b.0) {
            visits.clear();
            visits.extend(group.iter().filter_map(read));
            visits.sort_unstable_by(|a, b| a.person.cmp(&b.person).then(a.flags.cmp(&b.flags)));
            if visits.iter().any(|visit| Some(visit.patient) != visits.first().map(|v| v.patient)) {
                visits.sort_by_key(|visit| visit.patient); // keeps clinicians in order
            }
            for patient in visits.chunk_by(|a, b| a.patient == b.patient) {
                self.patient(patient, rules);
            }
        }
    }

    /// Encounters of one patient, or one encounter without.
    fn patient(&mut self, visits: &[Visit<'_>], rules: &Rules<'_>) {
        let Some(first) = visits.first().filter(|first| rules.seen.has(first)) else { return };
        let settled = rules.settled.get(&first.patient);
        let unnamed = first.flags & UNNAMED != 0;
        let met = || visits.chunk_by(|a, b| a.person == b.person);
        let count = met().count();
        let most = usize::try_from(rules.links_per_patient).unwrap_or(usize::MAX);
        let mut kept: Option<Vec<u32>> = settled.cloned();
        if settled.is_none() && !unnamed {
            self.links.pairs += count as u64;
            if count > most {
                self.links.dropped += (count - most) as u64;
                kept = Some(chosen(met().filter_map(<[_]>::first), most, rules));
            }
        }
        for of_person in met() {
            let Some(visit) = of_person.first() else { continue };
            if kept.as_ref().is_some_and(|kept| !kept.contains(&visit.person)) {
                continue;
            }
            let place = usize::try_from(visit.person).ok().and_then(|at| rules.rows.get(at));
            let Some(row) = place.copied().flatten().and_then(|row| usize::try_from(row).ok())
            else {
                continue;
            };
            for visit in of_person {
                self.visit(visit, row, rules);
            }
        }
    }

    fn visit(&mut self, visit: &Visit<'_>, row: usize, rules: &Rules<'_>) {
        let (excluded, earlier) = (visit.flags & EXCLUDED != 0, visit.flags & EARLIER != 0);
        if earlier {
            let each = self.earlier.iter_mut().zip(rules.bounds).filter(|_| !excluded);
            for (value, (sums, bounds)) in visit.values().zip(each) {
                if let Some(sum) = sums.get_mut(row).filter(|_| !value.is_nan()) {
                    sum.add(value, bounds);
                }
            }
            return;
        }
        for count in std::iter::once(&mut self.excluded).chain(self.each.get_mut(row)) {
            count.encounters += 1;
            count.excluded += u64::from(excluded);
        }
        if excluded {
            return;
        }
        let each = self.exact.iter_mut().zip(&mut self.clipped).zip(rules.bounds);
        for (value, ((sums, clipped), bounds)) in visit.values().zip(each) {
            if value.is_nan() {
                continue;
            }
            clipped.count(value, bounds);
            if let Some(sum) = sums.get_mut(row) {
                sum.add(value, bounds);
            }
        }
    }
}

/// The clinicians whose links with a patient come first.
fn chosen<'a>(
    met: impl Iterator<Item = &'a Visit<'a>>,
    most: usize,
    rules: &Rules<'_>,
) -> Vec<u32> {
    let mut ordered: Vec<(Key, Key, u32)> = met
        .filter_map(|visit| {
            let person = rules.persons.get(usize::try_from(visit.person).ok()?)?;
            let order = rules.pseudonyms.link_order(&visit.patient, person);
            Some((order, *person, visit.person))
        })
        .collect();
    ordered.sort_unstable();
    ordered.into_iter().take(most).map(|(_, _, person)| person).collect()
}
