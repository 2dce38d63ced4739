//! The coordinator's half of a round.
//!
//! ```text
//! Keys ─M1…→ Shares ─M3…→ Inputs ─M5…→ Votes ─M7…→ Secrets ─M9…→ Done
//! ```
//! A phase ends when every site still in the round has answered, or at its deadline with whoever did.
//! A site that answers wrongly is named and dropped, as if it had fallen silent; too few left ends the
//! round. An answer that comes again, or late, changes nothing. A site that is lost once its vector is
//! in the sum stays a survivor: the others restore its mask. Masked vectors are added as they arrive and
//! not kept: memory is O(d + N²). What each answer is checked for is in `answers.rs`, restoring the masks in `unmasking.rs`, going on after a restart in
//! `resume.rs`.
mod answers;
mod resume;
mod unmasking;

pub use resume::{Replay, ResumeError};

use super::config::RoundConfig;
use super::error::ProtocolError;
use super::message::{
    Advertise, MaskedHeader, Outcome, Sealed, Signed, ToHost, ToSite, Unmask, read,
    to_host_bytes_max,
};
use super::site::Millis;
use super::transcript::{Entry, Party};
use crate::codec;
use crate::id::{Digest, SiteIndex};
use crate::privacy::plan::Plan;
use crate::roster::Roster;
use crate::secagg::key::identity::{IdentityKey, Signature, VerifyingKey};
use crate::secagg::open::{Aggregate, Certificate, MaskedSum};
use crate::secagg::work::{InTurn, Workers};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What does not change during a round.
#[derive(Debug)]
pub struct Context {
    /// The coordinator's lasting key.
    pub identity: IdentityKey,
    /// The roster of the federation.
    pub roster: Roster,
    /// The plan of the study among its sites.
    pub plan: Plan,
}

impl Context {
    fn key_of(&self, index: SiteIndex) -> Option<VerifyingKey> {
        self.roster.site(index).map(|party| VerifyingKey::from_bytes(party.signing_key.0))
    }
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// Start the round.
    Start,
    /// A message of a site came.
    Received {
        /// From whom; the connection proves it.
        from: SiteIndex,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Time passed.
    Tick,
}

/// What to do, in order.
#[derive(Debug)]
pub enum Effect {
    /// Make this durable before anything after it.
    Persist(Entry),
    /// Send to one site; it may be sent again after a reconnect.
    Send {
        /// To whom.
        to: SiteIndex,
        /// The message.
        bytes: Arc<Vec<u8>>,
    },
    /// A site is out of the round, and why.
    Dropped {
        /// Which.
        site: SiteIndex,
        /// What it did, or that it fell silent.
        reason: String,
    },
    /// The sum is open; the signed result was sent.
    Opened(Box<Opened>),
}

/// The end of a round.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The noisy sum.
    pub aggregate: Aggregate,
    /// What the coordinator signed.
    pub outcome: Outcome,
    /// The signed result, encoded.
    pub signed: Vec<u8>,
    /// The configuration of the round.
    pub config: RoundConfig,
}

/// Directory: what each site advertised, and its signed entry.
struct Directory {
    bodies: BTreeMap<SiteIndex, Advertise>,
    u1: Digest,
}

/// Masked inputs so far.
struct Inputs {
    directory: Directory,
    u2: BTreeSet<SiteIndex>,
    sum: MaskedSum,
    headers: BTreeMap<SiteIndex, (MaskedHeader, Signature)>,
}

/// Who survived, and what a vote signs.
struct Survivors {
    inputs: Inputs,
    u3: BTreeSet<SiteIndex>,
    ballot: Vec<u8>,
}

/// Answers that restore the masks, as they come in.
struct Secrets {
    survivors: Survivors,
    certificate: Certificate,
    answers: BTreeMap<SiteIndex, Unmask>,
    /// With how many answers restoring was tried in vain.
    tried: usize,
}

enum State {
    Ready,
    Keys { entries: BTreeMap<SiteIndex, (Signed, Advertise)> },
    Shares { directory: Directory, sealed: BTreeMap<SiteIndex, Vec<Sealed>> },
    Inputs(Inputs),
    Votes { survivors: Survivors, votes: BTreeMap<SiteIndex, Signature> },
    Secrets(Secrets),
    Done,
}

/// The machine.
#[must_use = "a step gives the next state; dropping it ends the round"]
pub struct Host {
    context: Arc<Context>,
    config: RoundConfig,
    round: Digest,
    workers: Arc<dyn Workers>,
    state: State,
    /// Sites still in the round.
    active: BTreeSet<SiteIndex>,
    /// Sites whose answer of this phase came.
    answered: BTreeSet<SiteIndex>,
    phase_since: Millis,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Host({} sites, {} due)", self.active.len(), self.due())
    }
}

impl Host {
    /// A host that is ready to start a round.
    ///
    /// # Errors
    /// [`ProtocolError::Codec`], which a sound configuration does not give.
    pub fn new(context: Arc<Context>, config: RoundConfig) -> Result<Self, ProtocolError> {
        let round = config.digest()?;
        let active = context.plan.sites().iter().copied().collect();
        let (state, workers, answered) = (State::Ready, Arc::new(InTurn), BTreeSet::new());
        Ok(Self { context, config, round, workers, state, active, answered, phase_since: 0 })
    }

    /// Takes the masks off by these workers, not one after the other. The result is the same.
    pub fn with_workers(self, workers: Arc<dyn Workers>) -> Self {
        Self { workers, ..self }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`ProtocolError`] if the round cannot be finished: too few sites, or secrets not restored.
    pub fn step(mut self, now: Millis, event: Event) -> Result<(Self, Vec<Effect>), ProtocolError> {
        let mut effects = Vec::new();
        match event {
            Event::Start if matches!(self.state, State::Ready) => self.start(now, &mut effects)?,
            Event::Start => {} // once a round
            Event::Received { from, bytes } => self.received(from, bytes, &mut effects),
            Event::Tick => {}
        }
        self.advance(now, &mut effects)?;
        Ok((self, effects))
    }

    /// What the host waits for.
    pub fn due(&self) -> &'static str {
        match self.state {
            State::Ready => "start",
            State::Keys { .. } => "keys",
            State::Shares { .. } => "shares",
            State::Inputs(_) => "masked vectors",
            State::Votes { .. } => "votes",
            State::Secrets(_) => "unmasking shares",
            State::Done => "nothing",
        }
    }

    /// Whether the round is over.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Sites still in the round, and those whose answer of this phase came.
    pub fn progress(&self) -> (usize, usize) {
        (self.active.len(), self.answered.len())
    }

    fn received(&mut self, from: SiteIndex, bytes: Vec<u8>, effects: &mut Vec<Effect>) {
        if !self.active.contains(&from) || self.phase() == 0 {
            return; // a stranger, one that is out of the round already, or no round is running
        }
        let limit = to_host_bytes_max(self.n(), self.context.plan.layout().dimension());
        if !u32::try_from(bytes.len()).is_ok_and(|found| found <= limit) {
            let reason = format!("a message of {} bytes; at most {limit} are due", bytes.len());
            return self.drop_site(from, &reason, effects);
        }
        match read::<ToHost>(&bytes) {
            Ok(message) if self.is_due(from, &message) => {
                // Written down before it is acted on.
                let name = message.name().to_owned();
                effects.push(Effect::Persist(Entry { from: Party::Site(from), name, bytes }));
                self.receive(from, message, effects);
            }
            Ok(_) => {} // again, or of a phase that is over
            Err(error) => self.drop_site(from, &error.to_string(), effects),
        }
    }

    /// Whether an answer is of this phase and the site's first. One of a later phase is a fault and
    /// will be found out of turn; a refusal may come at any time.
    fn is_due(&self, from: SiteIndex, message: &ToHost) -> bool {
        message.phase().is_none_or(|phase| {
            phase > self.phase() || phase == self.phase() && !self.answered.contains(&from)
        })
    }

    /// The phase by [`ToHost::phase`]; 0 while no answer is due.
    fn phase(&self) -> u8 {
        match self.state {
            State::Ready | State::Done => 0,
            State::Keys { .. } => 1,
            State::Shares { .. } => 2,
            State::Inputs(_) => 3,
            State::Votes { .. } => 4,
            State::Secrets(_) => 5,
        }
    }

    fn start(&mut self, now: Millis, effects: &mut Vec<Effect>) -> Result<(), ProtocolError> {
        let signed = Signed::of(&self.context.identity, "announce", &self.config)?;
        self.phase_since = now;
        self.state = State::Keys { entries: BTreeMap::new() };
        self.broadcast(&ToSite::Announce(signed), effects)
    }

    /// Moves on if the phase is complete or its time is up.
    fn advance(&mut self, now: Millis, effects: &mut Vec<Effect>) -> Result<(), ProtocolError> {
        let deadlines = self.config.deadlines();
        let patience = match self.state {
            State::Ready | State::Done => return Ok(()),
            State::Keys { .. } => deadlines.advertise_ms,
            State::Shares { .. } => deadlines.shares_ms,
            State::Inputs(_) => deadlines.masked_ms,
            State::Votes { .. } => deadlines.vote_ms,
            State::Secrets(_) => deadlines.unmask_ms,
        };
        let late = now.saturating_sub(self.phase_since) >= u64::from(patience);
        self.move_on(now, late, effects)
    }

    /// Ends the phase if it is complete or, by somebody's clock, late.
    fn move_on(
        &mut self,
        now: Millis,
        late: bool,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ProtocolError> {
        let complete = self.active.is_subset(&self.answered);
        if let State::Secrets(_) = self.state {
            return self.try_open(complete || late, effects);
        }
        if !complete && !late {
            return Ok(());
        }
        let silent: Vec<SiteIndex> = self.active.difference(&self.answered).copied().collect();
        for site in silent {
            let reason = format!("no {} in time", self.due());
            self.drop_site(site, &reason, effects);
        }
        self.phase_since = now;
        self.answered.clear();
        match std::mem::replace(&mut self.state, State::Done) {
            State::Keys { entries } => self.send_directory(entries, effects),
            State::Shares { directory, sealed } => self.deliver(directory, sealed, effects),
            State::Inputs(inputs) => self.name_survivors(inputs, effects),
            State::Votes { survivors, votes } => self.certify(survivors, &votes, effects),
            State::Ready | State::Secrets(_) | State::Done => Ok(()),
        }
    }

    fn drop_site(&mut self, site: SiteIndex, reason: &str, effects: &mut Vec<Effect>) {
        if self.active.remove(&site) {
            // A site's own words end up in a log: one line, and not too long.
            let reason = reason.chars().filter(|c| !c.is_control()).take(400).collect();
            effects.push(Effect::Dropped { site, reason });
        }
    }

    fn enough(&self, what: &'static str, found: usize) -> Result<(), ProtocolError> {
        let expected = usize::from(self.context.plan.min_sites());
        if found < expected {
            return Err(ProtocolError::TooFew { what, found, expected });
        }
        Ok(())
    }

    /// Writes a message down and sends it to everyone still in the round.
    fn broadcast(&self, message: &ToSite, effects: &mut Vec<Effect>) -> Result<(), ProtocolError> {
        let bytes = Arc::new(codec::encode(message)?);
        effects.push(written(message, bytes.to_vec()));
        let send = |to: &SiteIndex| Effect::Send { to: *to, bytes: bytes.clone() };
        effects.extend(self.active.iter().map(send));
        Ok(())
    }

    fn n(&self) -> usize {
        self.context.roster.len()
    }
}

/// The transcript's entry of a message of the coordinator.
fn written(message: &ToSite, bytes: Vec<u8>) -> Effect {
    let name = message.name().to_owned();
    Effect::Persist(Entry { from: Party::Coordinator, name, bytes })
}
