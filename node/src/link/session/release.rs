//! What stands between a round's shared secrets and the masked vector: the officer's word if the site asks
//! for one, the sum, the charge, and the instant at which the vector leaves.
//!
//! ```text
//! instants = start of the phase + 500 ms · 2^k      k = 0, 1, 2, …, and 7/8 of the phase as the last
//! ```
//! How long the sum takes depends on the data, and how long a noise draw took may tell its size (Jin et
//! al. 2022). Noise is drawn before the site says that it is there; the vector leaves at the first of these
//! instants after it is ready, so the wire shows no more than a doubling of the time.
use super::{Node, unix_now};
use crate::config::Review;
use crate::link::hold::Question;
use crate::measure::feature;
use crate::office::profile::InForce;
use crate::office::{policy, statement};
use crate::store::consent::Access;
use crate::store::{ledger, officer, release_log, scored};
use std::time::Duration;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::site::Event;
use tacit_shared::study::Study;
use tacit_shared::summary::contribution::Contribution;
use tacit_shared::summary::sum::SiteSum;
use tokio::time::Instant;

/// The first instant at which a masked vector leaves, after the start of its phase.
const FIRST: Duration = Duration::from_millis(500);

/// The last instant of a phase: what is not ready by then is not paid for.
pub(super) fn last(phase: Duration) -> Duration {
    phase / 8 * 7
}

/// How long after the start of its phase a vector leaves that was ready after `ready`.
pub(super) fn instant(ready: Duration, phase: Duration) -> Duration {
    let mut at = FIRST;
    while at < ready {
        at = at.saturating_mul(2);
    }
    at.min(last(phase))
}

impl Node {
    /// What the officer is asked before a release leaves, if the site's settings say so.
    pub(super) fn question(&self, study: &Study, plan: &Plan, round: Digest) -> Option<Question> {
        (self.config.review() == Review::Hold).then(|| {
            let (spent, budgets) = (self.ledger.spent(), self.ledger.budgets());
            let statement = statement::statement(study, plan, spent, budgets);
            Question { round, study: study.digest(), statement }
        })
    }

    /// Sums the rows and pays for the release: in this order, so that a failed sum costs nothing.
    pub(super) async fn fund(
        &mut self,
        study: &Study,
        plan: &Plan,
        round: Digest,
        within: Duration,
    ) -> Result<Event, Fault> {
        let started = Instant::now();
        // Signatures may have been taken back, or the profile have ended, since the round was announced.
        let profile = self.permitted(study).await?;
        let access = Access::of(&self.config, &profile, unix_now().saturating_mul(1_000_000));
        let (catalogue, pseudonyms) = (&self.catalogue, &self.pseudonyms);
        let rows = feature::rows(&self.store, study, catalogue, pseudonyms, &access).await?;
        let mut sum = SiteSum::new(plan.layout().dimension(), plan.rows_max());
        for row in &rows.rows {
            let contribution = Contribution::of(plan.layout(), self.me, row);
            sum = sum.add(&contribution).map_err(|e| {
                Fault::operator(e.to_string())
                    .hint("the study's row cap must cover every clinician")
            })?;
        }
        scored::keep(&self.store, round, &rows.scored_by).await?;
        // Too late to be counted: nothing is paid for a vector that nobody would add.
        if started.elapsed() >= within {
            return Err(Fault::operator("the local sum took longer than the phase leaves for it")
                .hint("ask the coordinator for a longer `deadlines.masked_ms`"));
        }
        // The officer may have changed their mind since the round was announced.
        self.approved(study.digest()).await?;
        let profile = self.unchanged(study, &profile).await?;
        // Not before the approval it rests on, whatever the clock did since.
        let decided = officer::decisions(&self.store).await?.last_unix_s();
        let at_unix_s = decided.map_or_else(unix_now, |decided| unix_now().max(decided));
        let asked = (study, self.roster.digest());
        release_log::keep(&self.store, asked, &profile, round, at_unix_s).await?;
        let paid = self.ledger.charge(plan, round, at_unix_s).await;
        let paid = paid.map_err(|e| ledger::refusal(&e))?;
        Ok(Event::Funded { sum, paid })
    }

    /// The profile in force, if it still is the one that the sum was made under: a signature may have been taken back,
    /// or its last day have ended, while the rows were summed.
    async fn unchanged(&self, study: &Study, summed: &InForce) -> Result<InForce, Fault> {
        let now = self.permitted(study).await?;
        if now.document.digest() == summed.document.digest() {
            return Ok(now);
        }
        Err(Fault::user("another profile came into force while the rows were summed")
            .at(policy::PLACE)
            .hint("nothing was charged; the next round is summed under the profile in force"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_shows_a_doubling_of_the_time_at_most() {
        let phase = Duration::from_mins(1);
        let leaves = |ready| instant(Duration::from_millis(ready), phase).as_millis();
        for (ready, at) in [(0, 500), (3, 500), (500, 500), (501, 1000), (2001, 4000)] {
            assert_eq!(leaves(ready), at, "{ready}");
        }
        // Seven eighths of a minute: the next doubling would come after the phase.
        assert_eq!(leaves(33_000), 52_500);
        assert_eq!(instant(Duration::ZERO, Duration::from_millis(400)).as_millis(), 350);
    }
}
