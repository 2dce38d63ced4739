//! What a hospital has spent of its people's privacy, charged before anything leaves.
//!
//! Two accounts, clinicians and patients, charged together or not at all. Entries form a hash chain;
//! a [`Journal`] makes each durable before [`Ledger::charge`] returns. A crash between the write and
//! the sending loses budget, never privacy. Nothing is refunded: once a masked vector has left,
//! others can finish the round without us.
use super::accountant::{Budget, Cost};
use super::plan::{Charges, MECHANISM_VERSION, Plan};
use crate::codec;
use crate::id::{Digest, StudyName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::future::Future;

/// One charge, as it stands on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the chain, from 1.
    pub sequence: u64,
    /// Digest of the entry before, zeros for the first.
    pub previous: Digest,
    /// Seconds since 1970, UTC.
    pub at_unix_s: i64,
    /// The round that was paid for.
    pub round: Digest,
    /// Short name of the study.
    pub family: StudyName,
    /// Digest of the study.
    pub study: Digest,
    /// Version of noise and accounting.
    pub mechanism: u16,
    /// What was charged.
    pub charges: Charges,
}

impl Entry {
    /// Digest of the entry: the head of the chain once it is the last.
    ///
    /// # Errors
    /// [`codec::CodecError`], which plain data does not give.
    pub fn digest(&self) -> Result<Digest, codec::CodecError> {
        Ok(codec::hash("tacit/v1/ledger", &[&codec::encode(self)?]))
    }
}

/// Where entries become durable. The node's is a database file with full synchronisation.
pub trait Journal: Send {
    /// Why an entry was not written.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Writes an entry. When this returns, a power cut no longer loses it.
    fn append(&mut self, entry: &Entry) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// What the site allows, over all studies and coordinators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budgets {
    /// For one clinician.
    pub clinician: Budget,
    /// For one patient.
    pub patient: Budget,
}

/// Whose account a sentence speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protected {
    /// One clinician of the site.
    Clinician,
    /// One patient of the site.
    Patient,
}

impl std::fmt::Display for Protected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Protected::Clinician => "clinician",
            Protected::Patient => "patient",
        })
    }
}

/// Why nothing was charged. The ledger is as before, but after [`LedgerError::Journal`].
#[derive(Debug, thiserror::Error)]
pub enum LedgerError<E: std::error::Error> {
    /// The study asks for more than is left.
    #[error(
        "one release of study {family} does not fit the {protected} budget: ρ = {asked:.6} asked, {left:.6} of {limit:.6} left"
    )]
    BudgetExceeded {
        /// The study.
        family: StudyName,
        /// Whose account.
        protected: Protected,
        /// ρ asked.
        asked: f64,
        /// ρ left.
        left: f64,
        /// ρ of the whole budget.
        limit: f64,
    },
    /// The round was paid for before: its answer may have left, so there is no second one.
    #[error("round {} was charged before: a new answer needs a new round", round.short())]
    AlreadyCharged {
        /// The round.
        round: Digest,
    },
    /// Entries on disk do not follow one another: one was changed, lost or restored.
    #[error("the ledger is broken at entry {sequence}: it does not follow the one before")]
    Chain {
        /// The first entry that does not fit.
        sequence: u64,
    },
    /// The costs on disk cannot be added up.
    #[error("the costs in the ledger are beyond what can be added up")]
    Overflow,
    /// A charge before this one may or may not be on disk: nobody can say what was spent.
    #[error("an earlier charge may or may not be on disk: the ledger must be opened anew")]
    Unsettled,
    /// An entry has no encoding.
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
    /// The disk refused. Whether the entry is there is unknown, so the ledger must be opened anew.
    #[error("the charge could not be made durable: {0}")]
    Journal(E),
}

/// Proof that a release was paid for. Only [`Ledger::charge`] makes one; a release consumes it.
#[must_use = "the budget is spent already: release with it or record the loss"]
#[derive(Debug)]
pub struct Charge {
    round: Digest,
    charges: Charges,
    head: Digest,
}

impl Charge {
    /// The round that was paid for.
    pub fn round(&self) -> Digest {
        self.round
    }

    /// What was paid.
    pub fn charges(&self) -> Charges {
        self.charges
    }

    /// Head of the chain once the charge stood in it.
    pub fn head(&self) -> Digest {
        self.head
    }
}

/// The accounts of one hospital.
#[derive(Debug)]
pub struct Ledger<J> {
    journal: J,
    budgets: Budgets,
    spent: Charges,
    rounds: BTreeSet<Digest>,
    head: Digest,
    next: u64,
    /// A write was begun and not seen to end: the journal failed, or who waited for it left.
    unsettled: bool,
}

impl<J: Journal> Ledger<J> {
    /// A ledger over the entries already on disk, in their order.
    ///
    /// # Errors
    /// [`LedgerError::Chain`] if one does not follow the one before, or pays for a round again.
    pub fn open(
        journal: J,
        entries: &[Entry],
        budgets: Budgets,
    ) -> Result<Self, LedgerError<J::Error>> {
        let none = Charges { clinician: Cost::ZERO, patient: Cost::ZERO };
        let head = Digest::new([0; 32]);
        let rounds = BTreeSet::new();
        let (next, unsettled) = (1, false);
        let mut ledger = Self { journal, budgets, spent: none, rounds, head, next, unsettled };
        for entry in entries {
            let follows = entry.sequence == ledger.next && entry.previous == ledger.head;
            if !follows || ledger.rounds.contains(&entry.round) {
                return Err(LedgerError::Chain { sequence: ledger.next });
            }
            let (spent, head) = ledger.after(entry)?;
            ledger.take_over(entry, spent, head);
        }
        Ok(ledger)
    }

    /// Charges one release of the plan in this round, durably.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing was spent unless the journal failed. After that, or if the future is
    /// dropped before it ends, the ledger charges no more until it is opened anew.
    pub async fn charge(
        &mut self,
        plan: &Plan,
        round: Digest,
        at_unix_s: i64,
    ) -> Result<Charge, LedgerError<J::Error>> {
        self.admits(plan, round)?;
        let entry = Entry {
            sequence: self.next,
            previous: self.head,
            at_unix_s,
            round,
            family: plan.family().clone(),
            study: plan.study(),
            mechanism: MECHANISM_VERSION,
            charges: plan.charges(),
        };
        let (spent, head) = self.after(&entry)?;
        self.unsettled = true;
        self.journal.append(&entry).await.map_err(LedgerError::Journal)?;
        self.unsettled = false;
        self.take_over(&entry, spent, head);
        Ok(Charge { round, charges: plan.charges(), head: self.head })
    }

    /// Whether a release would be charged, without charging it.
    ///
    /// # Errors
    /// As [`Ledger::charge`], but for the journal.
    pub fn admits(&self, plan: &Plan, round: Digest) -> Result<(), LedgerError<J::Error>> {
        if self.unsettled {
            return Err(LedgerError::Unsettled);
        }
        if self.rounds.contains(&round) {
            return Err(LedgerError::AlreadyCharged { round });
        }
        let accounts = [
            (
                Protected::Clinician,
                self.budgets.clinician,
                self.spent.clinician,
                plan.charges().clinician,
            ),
            (Protected::Patient, self.budgets.patient, self.spent.patient, plan.charges().patient),
        ];
        for (protected, budget, spent, asked) in accounts {
            if !budget.admits(spent, asked) {
                return Err(LedgerError::BudgetExceeded {
                    family: plan.family().clone(),
                    protected,
                    asked: asked.rho(),
                    left: budget.total().rho() - spent.rho(),
                    limit: budget.total().rho(),
                });
            }
        }
        Ok(())
    }

    /// What was spent so far.
    pub fn spent(&self) -> Charges {
        self.spent
    }

    /// What the site allows.
    pub fn budgets(&self) -> Budgets {
        self.budgets
    }

    /// Head of the chain: zeros while nothing was charged.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// What is spent, and the head, once the entry stands.
    fn after(&self, entry: &Entry) -> Result<(Charges, Digest), LedgerError<J::Error>> {
        let spent = Charges {
            clinician: add(self.spent.clinician, entry.charges.clinician)?,
            patient: add(self.spent.patient, entry.charges.patient)?,
        };
        Ok((spent, entry.digest()?))
    }

    fn take_over(&mut self, entry: &Entry, spent: Charges, head: Digest) {
        self.spent = spent;
        self.head = head;
        self.next = self.next.saturating_add(1);
        self.rounds.insert(entry.round);
    }
}

fn add<E: std::error::Error>(spent: Cost, asked: Cost) -> Result<Cost, LedgerError<E>> {
    spent.checked_add(asked).ok_or(LedgerError::Overflow)
}
