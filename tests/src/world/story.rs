//! What happened in a run, counted: shows that a thousand schedules went where the faults are.
use super::liar::Liar;
use std::collections::BTreeMap;
use tacit_shared::protocol::error::{Culprit, ProtocolError};

/// Counts by what they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story(BTreeMap<&'static str, u64>);

impl Story {
    /// How often it happened.
    pub fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Adds another run's counts.
    pub fn merge(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    pub(super) fn add(&mut self, what: &'static str) {
        self.more(what, 1);
    }

    pub(super) fn more(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    pub(super) fn opened(&mut self, survivors: usize, sites: usize) {
        self.add("rounds opened");
        if survivors < sites {
            self.add("rounds opened without some sites");
        }
        if sites >= 15 {
            self.add("rounds opened of 15 sites and more");
        }
    }

    pub(super) fn lost(&mut self, error: &ProtocolError) {
        self.add(match error {
            ProtocolError::TooFew { .. } => "rounds lost: too few sites",
            ProtocolError::Restore { .. } => "rounds lost: a secret not restored",
            ProtocolError::Open(_) => "rounds lost: not certified",
            _ => "rounds lost: otherwise",
        });
    }

    pub(super) fn refused(&mut self, error: &ProtocolError) {
        self.add(match error {
            ProtocolError::Differencing { .. } | ProtocolError::Sets { .. } => {
                "refusals: sets that differ too little, or too many"
            }
            ProtocolError::Replay { .. } => "refusals: an old round",
            ProtocolError::Unexpected { .. } => "refusals: out of turn",
            ProtocolError::Silence { .. } => "refusals: silence",
            other => match other.culprit() {
                Culprit::Coordinator => "refusals: the coordinator's fault",
                Culprit::Site(_) => "refusals: a site's fault",
                Culprit::Nobody => "refusals: nobody's fault",
            },
        });
    }

    pub(super) fn attack(&mut self, liar: &Liar) {
        self.more("sets certified for an attacker", liar.certified);
        self.more("answers to an attacker", liar.answers);
    }
}

impl std::fmt::Display for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (what, count) in &self.0 {
            writeln!(f, "{count:>9}  {what}")?;
        }
        Ok(())
    }
}
