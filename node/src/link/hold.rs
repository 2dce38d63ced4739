//! Holds a release until the officer answers: after the sites shared their secrets (M4), before the ledger
//! is charged and anything of the data leaves (M5).
//!
//! ```text
//! deadline = arrival of M4 + phase of M5 − margin      margin = min(phase / 4, 2 minutes): time to read and sum
//! ```
//! No answer is a no. The wait ends too when the coordinator closes the round or begins another.
use super::net::Line;
use super::session::{is_closed, unix_now};
use crate::store::held::{Held, hold};
use crate::store::{Store, officer};
use std::time::Duration;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::protocol::config::study_of;
use tokio::time::{Instant, interval};

/// How often the officer's decisions are read.
const LOOK: Duration = Duration::from_millis(300);
/// Most that is kept free at the end of the phase.
const MARGIN: Duration = Duration::from_mins(2);

/// What the officer is asked.
pub(super) struct Question {
    /// The round.
    pub(super) round: Digest,
    /// Digest of the study.
    pub(super) study: Digest,
    /// What would leave and what it costs, in words.
    pub(super) statement: String,
}

/// Writes the release down and waits for the officer's word; without a question there is nothing to wait for.
///
/// # Errors
/// A user's fault if the officer said no or nothing; a peer's if the round went on without this site.
pub(super) async fn ask(
    store: &Store,
    line: &mut Line,
    question: Option<Question>,
    phase: Duration,
) -> Result<(), Fault> {
    let Some(Question { round, study, statement }) = question else { return Ok(()) };
    let patience = phase.saturating_sub(MARGIN.min(phase / 4));
    let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
    let deadline_unix_s = unix_now().saturating_add(seconds).saturating_sub(1);
    hold(store, &Held { round, study, statement, deadline_unix_s }).await?;
    tracing::warn!(%round, "a release waits for the officer: `tacit-node review` shows it");
    wait(store, line, (round, study), patience).await
}

async fn wait(
    store: &Store,
    line: &mut Line,
    (round, study): (Digest, Digest),
    patience: Duration,
) -> Result<(), Fault> {
    // What the officer is told ends a second before what is waited: no yes comes too late.
    let end = Instant::now() + patience;
    let mut look = interval(LOOK);
    let mut connected = true;
    loop {
        let message = tokio::select! {
            message = line.receive(), if connected => message,
            _ = look.tick() => {
                let decisions = officer::decisions(store).await?;
                if !decisions.stands(study) {
                    return Err(Fault::user("the study was revoked while its release waited"));
                }
                match decisions.released(round) {
                    Some(true) => return Ok(()),
                    Some(false) => return Err(Fault::user("the officer withheld the release")),
                    None if Instant::now() >= end => {
                        let hint = "`review = \"none\"` in node.toml lets releases of approved studies go unasked";
                        return Err(Fault::user("no officer answered in time: nothing was released").hint(hint));
                    }
                    None => continue,
                }
            }
        };
        match message {
            // The coordinator sends its last message again once the site is back.
            None => connected = false,
            Some(bytes) if is_closed(&bytes) || study_of(&bytes).is_some() => {
                return Err(Fault::peer(
                    "the round went on without this site while its release waited",
                )
                .hint("a longer `masked_ms` in coordinator.toml gives officers more time"));
            }
            Some(_) => {} // the delivery again: it is answered by what is sent in the end
        }
    }
}
