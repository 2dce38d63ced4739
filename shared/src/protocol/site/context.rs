//! What a site brings to a round: its keys, what it approved, what it asks for and what it remembers.
use crate::id::{FederationId, SiteId, SiteIndex};
use crate::privacy::plan::Plan;
use crate::roster::Roster;
use crate::secagg::key::identity::{IdentityKey, VerifyingKey};
use std::collections::BTreeSet;
use time::Date;

/// What a site asks for on its own account, whatever the study says.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Fewest sites whose sum it takes part in.
    pub min_sites: u16,
    /// Fewest colluders the roster must withstand.
    pub colluders: u16,
    /// Least noise multiplier.
    pub noise_multiplier: f64,
    /// g: earlier and present survivors may differ by none, or by this many sites and more; at least
    /// two beyond the colluders in any case.
    pub differencing_gap: u16,
    /// Most different sets of survivors it answers over the same data.
    pub survivor_sets_max: u16,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_sites: 2,
            colluders: 1,
            noise_multiplier: 0.3,
            differencing_gap: 3,
            survivor_sets_max: 3,
        }
    }
}

/// What a site remembers from earlier rounds; read from disk before a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The highest round counter seen from this coordinator.
    pub last_counter: u64,
    /// Earlier answers to studies of the same short name.
    pub answered: Vec<Answered>,
}

/// Whose sum was opened, and over which days: what a later round is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The survivors, by name: a later roster may give them other places.
    pub sites: BTreeSet<SiteId>,
    /// The first day, and the one after the last.
    pub period: (Date, Date),
}

impl Answered {
    /// Survivors of a plan's round, by their names on the roster.
    pub fn of(roster: &Roster, plan: &Plan, survivors: &BTreeSet<SiteIndex>) -> Self {
        let id = |index: &SiteIndex| roster.site(*index).map(|party| party.id.clone());
        Self { sites: survivors.iter().filter_map(id).collect(), period: plan.period() }
    }

    /// Whether both are over a day in common.
    pub(super) fn overlaps(&self, other: (Date, Date)) -> bool {
        self.period.0 < other.1 && other.0 < self.period.1
    }
}

/// What does not change during a round.
#[derive(Debug)]
pub struct Context {
    /// The site's lasting key.
    pub identity: IdentityKey,
    /// The roster it pinned.
    pub roster: Roster,
    /// The plan it computed from the study its officer approved.
    pub plan: Plan,
    /// Itself.
    pub me: SiteIndex,
    /// What it asks for.
    pub policy: Policy,
}

impl Context {
    pub(super) fn coordinator(&self) -> VerifyingKey {
        VerifyingKey::from_bytes(self.roster.coordinator().signing_key.0)
    }

    pub(super) fn key_of(&self, index: SiteIndex) -> Option<VerifyingKey> {
        self.roster.site(index).map(|party| VerifyingKey::from_bytes(party.signing_key.0))
    }

    pub(super) fn federation(&self) -> &FederationId {
        self.roster.federation()
    }
}
