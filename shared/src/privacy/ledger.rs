//! What a hospital has spent of its people's privacy, charged before anything leaves.
//!
//! Two accounts, clinicians and patients, charged together or not at all, under every limit of
//! [`Limits`]. Entries form a hash chain; a [`Journal`] makes each durable before [`Ledger::charge`]
//! returns. A crash between the write and the sending loses budget, never privacy. Nothing is refunded:
//! once a masked vector has left, others can finish the round without us.
//!
//! An entry keeps what its cost follows from, so [`recost`] can replay history. An answer that left and
//! whose entry was lost with the database is charged again by [`Ledger::record_loss`], over every limit.
mod book;
mod entry;
mod limits;
mod recost;

use super::plan::{Charges, Plan};
use crate::codec;
use crate::id::{Digest, PopulationId, StudyName};
use book::{After, Book, Exceeded, Refused};
use std::future::Future;

pub use entry::{Cause, Entry, Lost};
pub use limits::{Budgets, Limits, Protected, Scope, year_of};
pub use recost::{RecostError, Recosted, Totals, recost};

/// Where entries become durable. The node's is a database file with full synchronisation.
pub trait Journal: Send {
    /// Why an entry was not written.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Writes an entry. When this returns, a power cut no longer loses it.
    fn append(&mut self, entry: &Entry) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Why nothing was charged. The ledger is as before, but after [`LedgerError::Journal`].
#[derive(Debug, thiserror::Error)]
pub enum LedgerError<E: std::error::Error> {
    /// The study asks for more than is left.
    #[error(
        "one release of study {family} does not fit the {protected} {scope}: ρ = {asked:.6} asked, {left:.6} of {limit:.6} left"
    )]
    BudgetExceeded {
        /// The study.
        family: StudyName,
        /// Whose account.
        protected: Protected,
        /// Which limit.
        scope: Scope,
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
    /// The clock is behind the ledger: nobody can say which year a charge is of, or what was decided before it.
    #[error("the clock is {behind_s} seconds behind the last charge")]
    Clock {
        /// By how much.
        behind_s: i64,
    },
    /// The answer is in the chain, or its loss is.
    #[error("head {} is in the ledger: nothing is lost", head.short())]
    NotLost {
        /// The head.
        head: Digest,
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
    /// The numbers of a lost answer are none of a release.
    #[error("the lost answer cannot be costed: {0}")]
    Terms(#[from] super::accountant::AccountantError),
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
    limits: Limits,
    population: PopulationId,
    book: Book,
    /// A write was begun and not seen to end: the journal failed, or who waited for it left.
    unsettled: bool,
}

/// The one population of a site.
fn everyone() -> Result<PopulationId, codec::CodecError> {
    "all".parse().map_err(|_| codec::CodecError::Invalid { expected: "PopulationId" })
}

impl<J: Journal> Ledger<J> {
    /// A ledger over the entries already on disk, in their order.
    ///
    /// # Errors
    /// [`LedgerError::Chain`] if one does not follow the one before, or pays for a round again.
    pub fn open(
        journal: J,
        entries: &[Entry],
        limits: impl Into<Limits>,
    ) -> Result<Self, LedgerError<J::Error>> {
        let (limits, population) = (limits.into(), everyone()?);
        let book = Book::new();
        let mut ledger = Self { journal, limits, population, book, unsettled: false };
        for entry in entries {
            let after = ledger.after(entry)?;
            ledger.book.take_over(entry, &after);
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
        self.admits(plan, round, at_unix_s)?;
        let at_unix_s = self.dated(at_unix_s)?;
        let charges = plan.charges();
        let entry = Entry {
            sequence: self.book.next(),
            previous: self.book.head,
            at_unix_s,
            cause: Cause::Release,
            round,
            coordinator: plan.coordinator(),
            population: self.population.clone(),
            family: plan.family().clone(),
            study: plan.study(),
            terms: plan.terms(),
            charges,
        };
        self.write(&entry).await?;
        Ok(Charge { round, charges, head: self.book.head })
    }

    /// Charges an answer that left and whose entry is lost, durably and whatever the limits are: it is
    /// spent. Counts for the year of `at_unix_s`.
    ///
    /// # Errors
    /// [`LedgerError::NotLost`] if it is in the chain; else as [`Ledger::charge`].
    pub async fn record_loss(
        &mut self,
        lost: &Lost,
        at_unix_s: i64,
    ) -> Result<Charges, LedgerError<J::Error>> {
        if self.unsettled {
            return Err(LedgerError::Unsettled);
        }
        if self.round_of(lost.head).is_some() {
            return Err(LedgerError::NotLost { head: lost.head });
        }
        let charges = lost.terms.charges()?;
        let at_unix_s = self.dated(at_unix_s)?;
        let entry = Entry {
            sequence: self.book.next(),
            previous: self.book.head,
            at_unix_s,
            cause: Cause::Loss { head: lost.head },
            round: lost.round,
            coordinator: lost.coordinator,
            population: self.population.clone(),
            family: lost.family.clone(),
            study: lost.study,
            terms: lost.terms,
            charges,
        };
        self.write(&entry).await?;
        Ok(charges)
    }

    /// Whether a release would be charged at this time, without charging it.
    ///
    /// # Errors
    /// As [`Ledger::charge`], but for the journal.
    pub fn admits(
        &self,
        plan: &Plan,
        round: Digest,
        at_unix_s: i64,
    ) -> Result<(), LedgerError<J::Error>> {
        if self.unsettled {
            return Err(LedgerError::Unsettled);
        }
        if self.book.is_paid(round) {
            return Err(LedgerError::AlreadyCharged { round });
        }
        match self.book.exceeded(&self.limits, plan, self.dated(at_unix_s)?) {
            None => Ok(()),
            Some(Exceeded { scope, protected, asked, left, limit }) => {
                let family = plan.family().clone();
                Err(LedgerError::BudgetExceeded { family, protected, scope, asked, left, limit })
            }
        }
    }

    /// What was spent so far, over everything.
    pub fn spent(&self) -> Charges {
        self.book.site
    }

    /// What was spent on studies of one short name.
    pub fn spent_on(&self, family: &StudyName) -> Charges {
        self.book.family(family)
    }

    /// What was spent by study.
    pub fn families(&self) -> impl Iterator<Item = (&StudyName, Charges)> {
        self.book.families()
    }

    /// What was spent in a calendar year, UTC.
    pub fn spent_in(&self, year: i32) -> Charges {
        self.book.year(year)
    }

    /// What the site allows over everything.
    pub fn budgets(&self) -> Budgets {
        self.limits.site
    }

    /// All that the site allows.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// From now on these limits count. What was spent stays spent.
    pub fn limit(&mut self, limits: &Limits) {
        self.limits = *limits;
    }

    /// Head of the chain: zeros while nothing was charged.
    pub fn head(&self) -> Digest {
        self.book.head
    }

    /// The round that was charged when the chain had this head, or whose loss was accepted with it;
    /// `None` if the chain never had it: then answers were given that this ledger does not know.
    pub fn round_of(&self, head: Digest) -> Option<Digest> {
        self.book.round_of(head)
    }

    /// The time of a charge: never before the last one, so that a year that ended stays as it was. A clock that
    /// was set by a little is put up with, one that was set back is not.
    fn dated(&self, at_unix_s: i64) -> Result<i64, LedgerError<J::Error>> {
        const SLACK_S: i64 = 86_400;
        let last = self.book.last_unix_s.unwrap_or(at_unix_s);
        match last.saturating_sub(at_unix_s) {
            behind_s if behind_s > SLACK_S => Err(LedgerError::Clock { behind_s }),
            _ => Ok(at_unix_s.max(last)),
        }
    }

    async fn write(&mut self, entry: &Entry) -> Result<(), LedgerError<J::Error>> {
        let after = self.after(entry)?;
        self.unsettled = true;
        self.journal.append(entry).await.map_err(LedgerError::Journal)?;
        self.unsettled = false;
        self.book.take_over(entry, &after);
        Ok(())
    }

    fn after(&self, entry: &Entry) -> Result<After, LedgerError<J::Error>> {
        self.book.after(entry).map_err(|refused| match refused {
            Refused::Chain => LedgerError::Chain { sequence: self.book.next() },
            Refused::Overflow => LedgerError::Overflow,
            Refused::Codec(error) => LedgerError::Codec(error),
        })
    }
}
