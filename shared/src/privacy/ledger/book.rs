//! The accounts that a chain of entries adds up to. Totals do not depend on the order of the entries.
use super::entry::{Cause, Entry};
use super::limits::{Limits, Protected, Scope, year_of};
use crate::codec::CodecError;
use crate::id::{Digest, StudyName};
use crate::privacy::accountant::Cost;
use crate::privacy::plan::{Charges, Plan};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const NOTHING: Charges = Charges { clinician: Cost::ZERO, patient: Cost::ZERO };

/// A limit that a release does not fit.
pub(super) struct Exceeded {
    pub(super) scope: Scope,
    pub(super) protected: Protected,
    pub(super) asked: f64,
    pub(super) left: f64,
    pub(super) limit: f64,
}

/// Why an entry is not taken over.
pub(super) enum Refused {
    Chain,
    Overflow,
    Codec(CodecError),
}

/// What is spent, on what and when, and where the chain stands.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) site: Charges,
    families: BTreeMap<StudyName, Charges>,
    years: BTreeMap<i32, Charges>,
    /// Rounds that were paid for before an answer.
    rounds: BTreeSet<Digest>,
    /// Heads the chain has had, and those of losses that were accepted, with their rounds.
    heads: BTreeMap<Digest, Digest>,
    pub(super) head: Digest,
    /// The latest time of an entry.
    pub(super) last_unix_s: Option<i64>,
    entries: u64,
}

/// The accounts as they are once an entry stands.
pub(super) struct After {
    site: Charges,
    family: Charges,
    year: Charges,
    head: Digest,
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            site: NOTHING,
            families: BTreeMap::new(),
            years: BTreeMap::new(),
            rounds: BTreeSet::new(),
            heads: BTreeMap::new(),
            head: Digest::new([0; 32]),
            last_unix_s: None,
            entries: 0,
        }
    }

    pub(super) fn family(&self, family: &StudyName) -> Charges {
        self.families.get(family).copied().unwrap_or(NOTHING)
    }

    pub(super) fn families(&self) -> impl Iterator<Item = (&StudyName, Charges)> {
        self.families.iter().map(|(family, spent)| (family, *spent))
    }

    pub(super) fn year(&self, year: i32) -> Charges {
        self.years.get(&year).copied().unwrap_or(NOTHING)
    }

    /// Position of the next entry.
    pub(super) fn next(&self) -> u64 {
        self.entries.saturating_add(1)
    }

    pub(super) fn is_paid(&self, round: Digest) -> bool {
        self.rounds.contains(&round)
    }

    /// The round that a head of the chain paid for.
    pub(super) fn round_of(&self, head: Digest) -> Option<Digest> {
        self.heads.get(&head).copied()
    }

    /// The first limit, if any, that one release of a plan at this time does not fit.
    pub(super) fn exceeded(
        &self,
        limits: &Limits,
        plan: &Plan,
        at_unix_s: i64,
    ) -> Option<Exceeded> {
        let year = year_of(at_unix_s);
        let scopes = [
            (Scope::Site, Some(limits.site), self.site),
            (Scope::Study, limits.study, self.family(plan.family())),
            (Scope::Year(year), limits.year, self.year(year)),
        ];
        let asked = plan.charges();
        for (scope, budgets, spent) in scopes {
            let Some(budgets) = budgets else { continue };
            let accounts = [
                (Protected::Clinician, budgets.clinician, spent.clinician, asked.clinician),
                (Protected::Patient, budgets.patient, spent.patient, asked.patient),
            ];
            for (protected, budget, spent, asked) in accounts {
                if !budget.admits(spent, asked) {
                    let limit = budget.total().rho();
                    let left = (limit - spent.rho()).max(0.0);
                    return Some(Exceeded { scope, protected, asked: asked.rho(), left, limit });
                }
            }
        }
        None
    }

    /// The accounts once this entry stands; it must be the next of the chain.
    pub(super) fn after(&self, entry: &Entry) -> Result<After, Refused> {
        let again = entry.cause == Cause::Release && self.is_paid(entry.round);
        if entry.sequence != self.next() || entry.previous != self.head || again {
            return Err(Refused::Chain);
        }
        let year = self.year(year_of(entry.at_unix_s));
        Ok(After {
            site: add(self.site, entry.charges)?,
            family: add(self.family(&entry.family), entry.charges)?,
            year: add(year, entry.charges)?,
            head: entry.digest().map_err(Refused::Codec)?,
        })
    }

    pub(super) fn take_over(&mut self, entry: &Entry, after: &After) {
        let After { site, family, year, head } = *after;
        self.site = site;
        self.families.insert(entry.family.clone(), family);
        self.years.insert(year_of(entry.at_unix_s), year);
        self.rounds.insert(entry.round);
        self.heads.insert(head, entry.round);
        if let Cause::Loss { head } = entry.cause {
            self.heads.insert(head, entry.round);
        }
        self.head = head;
        self.last_unix_s = self.last_unix_s.max(Some(entry.at_unix_s));
        self.entries = self.entries.saturating_add(1);
    }
}

fn add(spent: Charges, asked: Charges) -> Result<Charges, Refused> {
    let add = |spent: Cost, asked| spent.checked_add(asked).ok_or(Refused::Overflow);
    Ok(Charges {
        clinician: add(spent.clinician, asked.clinician)?,
        patient: add(spent.patient, asked.patient)?,
    })
}
