//! Recomputes a published result from its transcript, with public keys only.
//!
//! ```text
//! study + roster ─► plan ─► M0 equal? ─► the host's own machine, fed with what the sites sent
//!    ─► M2, M6, M8 byte for byte, M10's payload bit for bit ─► verdict
//! ```
//! The sites' messages are handed to [`Host`] in their order; each broadcast of the coordinator must be
//! the one that this machine makes of them. So every signature of a site (M1, M3, M5, M7, M9), the key
//! directory, the survivors, the T votes of the certificate, the restored masks and the opened sum are
//! checked by the code that a sound round runs, and nothing is taken from the coordinator but the
//! identity and the deadlines of the round. Its two signatures (M0, M10) are checked apart.
//!
//! Time is not in a transcript. Where the coordinator moved on with sites still silent, the replay lets
//! the phase run out. What a site sent wrongly drops it here as it did then, and is told in the verdict.
use super::config::{PHASE_MS_MAX, RoundConfig};
use super::error::ProtocolError;
use super::host::{Context, Effect, Event, Host, Opened};
use super::message::{Outcome, Signed, ToHost, ToSite};
use super::transcript::{Entry, Party, digest};
use crate::codec::{self, CodecError};
use crate::id::{Digest, SiteIndex};
use crate::privacy::plan::{Plan, PlanError};
use crate::roster::Roster;
use crate::secagg::key::identity::{IdentityError, IdentityKey, VerifyingKey};
use crate::study::Study;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a transcript proves.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The rules of the round.
    pub config: RoundConfig,
    /// The result that was published, recomputed.
    pub outcome: Outcome,
    /// Digest of the result, as a report quotes it.
    pub result: Digest,
    /// Digest of the transcript, as a report quotes it.
    pub transcript: Digest,
    /// The sites in the sum.
    pub survivors: Vec<SiteIndex>,
    /// Votes in the certificate.
    pub votes: usize,
    /// Votes needed.
    pub threshold: u16,
    /// Sites that left the round or were dropped, and why.
    pub dropped: Vec<(SiteIndex, String)>,
}

/// Why a transcript proves nothing. `at` counts entries from 1.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no entry of a kind that every result has.
    #[error("the transcript has no {what}")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// Study and roster make no plan.
    #[error("study and roster do not fit each other: {0}")]
    Plan(#[from] PlanError),
    /// An entry is called what it is not, or is no message.
    #[error("entry {at} is called a {found}, and is {expected}")]
    Name {
        /// Which entry.
        at: usize,
        /// Its name.
        found: String,
        /// What it is.
        expected: &'static str,
    },
    /// The coordinator's signature on M0 or M10 does not verify.
    #[error("entry {at}: the coordinator's signature on the {what} does not verify")]
    Signature {
        /// Which entry.
        at: usize,
        /// Which message.
        what: &'static str,
    },
    /// M0 is not the round that study and roster give.
    #[error("entry 1: {0}")]
    Announcement(ProtocolError),
    /// A message of a site stands where none of it was due.
    #[error("entry {at}: a {found} of site {index} while the coordinator waited for {due}")]
    NotDue {
        /// Which entry.
        at: usize,
        /// Whose.
        index: SiteIndex,
        /// What it is.
        found: String,
        /// What was due.
        due: &'static str,
    },
    /// A broadcast that the messages before it give is left out.
    #[error("entry {at} stands where the {what} belongs")]
    Skipped {
        /// Which entry.
        at: usize,
        /// Which message is missing.
        what: String,
    },
    /// A broadcast is not what the messages before it give.
    #[error("entry {at}: the {what} is not what the messages before it give{}", because(dropped))]
    Differs {
        /// Which entry.
        at: usize,
        /// Which message.
        what: String,
        /// What was wrong with messages before it.
        dropped: Vec<(SiteIndex, String)>,
    },
    /// The published result is not the recomputed one.
    #[error("entry {at}: the published {part} is not the recomputed one{}", because(dropped))]
    Result {
        /// Which entry.
        at: usize,
        /// Sum, survivors, ledger heads or round.
        part: &'static str,
        /// What was wrong with messages before it.
        dropped: Vec<(SiteIndex, String)>,
    },
    /// The round as it stands in the transcript gives no result.
    #[error("entry {at}: {error}{}", because(dropped))]
    Protocol {
        /// Which entry.
        at: usize,
        /// Why.
        error: ProtocolError,
        /// What was wrong with messages before it.
        dropped: Vec<(SiteIndex, String)>,
    },
    /// Something follows the result.
    #[error("entry {at} follows the result")]
    After {
        /// Which entry.
        at: usize,
    },
    /// Something has no encoding, which plain data does not give.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The machine could not be given a key, which does not happen either.
    #[error(transparent)]
    Key(#[from] IdentityError),
}

fn because(dropped: &[(SiteIndex, String)]) -> String {
    let told: Vec<String> =
        dropped.iter().map(|(index, reason)| format!("; site {index}: {reason}")).collect();
    told.concat()
}

/// Recomputes the result of a transcript and holds it against the published one.
///
/// # Errors
/// [`ReplayError`] naming the first entry that does not fit.
pub fn replay(study: &Study, roster: &Roster, entries: &[Entry]) -> Result<Verdict, ReplayError> {
    let plan = Plan::new(study, roster)?;
    let coordinator = VerifyingKey::from_bytes(roster.coordinator().signing_key.0);
    let (first, rest) =
        entries.split_first().ok_or(ReplayError::Missing { what: "announcement" })?;
    let config = announced(first, &coordinator)?;
    config.check(&plan, roster.federation()).map_err(ReplayError::Announcement)?;
    // The machine signs what it sends; here nobody reads that, so any key will do.
    let identity = IdentityKey::from_seed(&[0; 32])?;
    let threshold = plan.threshold();
    let context = Context { identity, roster: roster.clone(), plan };
    let at_once = |error| ReplayError::Protocol { at: 1, error, dropped: Vec::new() };
    let host = Host::new(Arc::new(context), config.clone()).map_err(at_once)?;
    let mut tape = Tape {
        host: Some(host),
        coordinator,
        now: 0,
        due: VecDeque::new(),
        dropped: Vec::new(),
        votes: 0,
        opened: None,
        published: false,
    };
    tape.step(1, Event::Start)?;
    tape.due.clear(); // its announcement, with the payload that was just compared
    // A site deals before it sends its vector: behind the last shares the dealing is over.
    let dealt = rest.iter().rposition(|entry| entry.name == "shares").unwrap_or(0);
    for (place, entry) in rest.iter().enumerate() {
        let at = place.saturating_add(2);
        if tape.published {
            return Err(ReplayError::After { at });
        }
        match entry.from {
            Party::Site(index) => tape.site(at, index, entry, place > dealt)?,
            Party::Coordinator => tape.broadcast(at, entry)?,
        }
    }
    let Some(opened) = tape.opened.filter(|_| tape.published) else {
        return Err(ReplayError::Missing { what: "result" });
    };
    Ok(Verdict {
        config,
        result: opened.outcome.digest()?,
        transcript: digest(entries)?,
        survivors: opened.aggregate.survivors().iter().copied().collect(),
        outcome: opened.outcome,
        votes: tape.votes,
        threshold,
        dropped: tape.dropped,
    })
}

/// M0, signed by the coordinator of the roster.
fn announced(entry: &Entry, coordinator: &VerifyingKey) -> Result<RoundConfig, ReplayError> {
    let message = to_site(1, entry)?;
    let (Party::Coordinator, ToSite::Announce(signed)) = (entry.from, message) else {
        return Err(ReplayError::Missing { what: "announcement" });
    };
    let what = "announcement";
    signed.body(coordinator, "announce").ok_or(ReplayError::Signature { at: 1, what })
}

/// The machine, and what it has done so far.
struct Tape {
    /// `None` once the machine gave up.
    host: Option<Host>,
    coordinator: VerifyingKey,
    now: u64,
    /// Broadcasts of the machine that the transcript has yet to show.
    due: VecDeque<Entry>,
    dropped: Vec<(SiteIndex, String)>,
    votes: usize,
    opened: Option<Opened>,
    published: bool,
}

impl Tape {
    /// One message of a site, which the machine must have been waiting for.
    fn site(
        &mut self,
        at: usize,
        from: SiteIndex,
        entry: &Entry,
        dealt: bool,
    ) -> Result<(), ReplayError> {
        let message: ToHost =
            codec::decode(&entry.bytes).map_err(|_| named(at, entry, "no message of a site"))?;
        if entry.name != message.name() {
            return Err(named(at, entry, message.name()));
        }
        if let Some(skipped) = self.due.front() {
            return Err(ReplayError::Skipped { at, what: skipped.name.clone() });
        }
        let due = self.host.as_ref().map_or("nothing", Host::due);
        if dealt && due == "shares" && matches!(message, ToHost::Masked(..)) {
            self.run_out(at)?;
        }
        let due = self.host.as_ref().map_or("nothing", Host::due);
        if !self.step(at, Event::Received { from, bytes: entry.bytes.clone() })? {
            let found = entry.name.clone();
            return Err(ReplayError::NotDue { at, index: from, found, due });
        }
        Ok(())
    }

    /// One broadcast, which must be the one that the machine makes.
    fn broadcast(&mut self, at: usize, entry: &Entry) -> Result<(), ReplayError> {
        let message = to_site(at, entry)?;
        if self.due.is_empty() {
            self.run_out(at)?;
        }
        let expected = self.due.pop_front();
        if let Some(skipped) = expected.as_ref().filter(|expected| expected.name != entry.name) {
            return Err(ReplayError::Skipped { at, what: skipped.name.clone() });
        }
        if let ToSite::Result(signed) = &message {
            return self.result(at, signed);
        }
        if let ToSite::Certificate(votes) = &message {
            self.votes = votes.len();
        }
        if expected.is_none_or(|expected| expected.bytes != entry.bytes) {
            let (what, dropped) = (entry.name.clone(), self.dropped.clone());
            return Err(ReplayError::Differs { at, what, dropped });
        }
        Ok(())
    }

    /// M10: signed by the coordinator, and the same to the bit.
    fn result(&mut self, at: usize, signed: &Signed) -> Result<(), ReplayError> {
        let outcome: Outcome = signed
            .body(&self.coordinator, "result")
            .ok_or(ReplayError::Signature { at, what: "result" })?;
        let Some(opened) = &self.opened else {
            let (what, dropped) = ("result".to_owned(), self.dropped.clone());
            return Err(ReplayError::Differs { at, what, dropped });
        };
        let own = &opened.outcome;
        let parts = [
            ("round", outcome.round_id == own.round_id && outcome.config == own.config),
            ("set of survivors", outcome.survivors == own.survivors),
            ("list of ledger heads", outcome.ledger_heads == own.ledger_heads),
            ("sum", outcome.sum == own.sum),
        ];
        if let Some((part, _)) = parts.iter().find(|(_, same)| !same) {
            return Err(ReplayError::Result { at, part, dropped: self.dropped.clone() });
        }
        self.published = true;
        Ok(())
    }

    /// Lets the phase run out: the coordinator moved on without those who were silent.
    fn run_out(&mut self, at: usize) -> Result<(), ReplayError> {
        self.now = self.now.saturating_add(u64::from(PHASE_MS_MAX)).saturating_add(1);
        self.step(at, Event::Tick).map(drop)
    }

    /// Hands the machine an event; whether it took a site's message.
    fn step(&mut self, at: usize, event: Event) -> Result<bool, ReplayError> {
        let Some(host) = self.host.take() else { return Ok(false) };
        let (host, effects) = host
            .step(self.now, event)
            .map_err(|error| ReplayError::Protocol { at, error, dropped: self.dropped.clone() })?;
        self.host = Some(host);
        let mut taken = false;
        for effect in effects {
            match effect {
                Effect::Persist(entry) if entry.from == Party::Coordinator => {
                    self.due.push_back(entry);
                }
                Effect::Persist(_) => taken = true,
                Effect::Dropped { site, reason } => self.dropped.push((site, reason)),
                Effect::Opened(opened) => self.opened = Some(*opened),
                Effect::Send { .. } => {}
            }
        }
        Ok(taken)
    }
}

fn to_site(at: usize, entry: &Entry) -> Result<ToSite, ReplayError> {
    let message: ToSite = codec::decode(&entry.bytes)
        .map_err(|_| named(at, entry, "no message of the coordinator"))?;
    if entry.name != message.name() {
        return Err(named(at, entry, message.name()));
    }
    Ok(message)
}

fn named(at: usize, entry: &Entry, expected: &'static str) -> ReplayError {
    let found = entry.name.chars().filter(|c| !c.is_control()).take(40).collect();
    ReplayError::Name { at, found, expected }
}
