//! A hospital's half of a round.
//!
//! ```text
//! Waiting ─M0→ Advertised ─M2→ Shared ─M4→ Collecting ─paid→ Sent ─M6→ Voted ─M8→ Unmasked ─M10→ Done
//! ```
//! One verb: [`Site::step`] takes the state, the time and an event, and gives the next state and what
//! to do. A refusal gives no state back: the secrets of the round are wiped, and the site has dropped
//! out. The same message again gets the same bytes again; nothing is ever computed twice with new
//! randomness. What is checked up to the moment data are read is in `dealing.rs`, what follows in
//! `answering.rs`; both go by the protocol's numbering.
mod answering;
mod context;
mod dealing;

pub use context::{Answered, Context, History, Policy};

use super::config::{RoundConfig, RoundId};
use super::error::ProtocolError;
use super::message::{Outcome, ToHost, ToSite, read, to_site_bytes_max};
use super::set::Bitmap;
use crate::codec;
use crate::id::{Digest, SiteIndex, StudyName};
use crate::privacy::ledger::Charge;
use crate::privacy::release::{Noise, Opening};
use crate::secagg::key::identity::Signature;
use crate::secagg::key::{Binding, PublicKey, SecretKey};
use crate::secagg::mask::MaskSeeds;
use crate::secagg::pad::PadKey;
use crate::secagg::share::{SecretScalar, Share};
use crate::summary::sum::SiteSum;
use rand::CryptoRng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Milliseconds of a clock that never goes back; only differences matter.
pub type Millis = u64;

/// How long past a phase's deadline a site still waits: the coordinator may be slow to move on.
const GRACE_MS: u64 = 10_000;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A message came.
    Received(Vec<u8>),
    /// The data were summed and the release was paid for.
    Funded {
        /// The exact sum.
        sum: SiteSum,
        /// The proof of payment.
        paid: Charge,
    },
    /// Time passed.
    Tick,
}

/// What must be durable before the effects after it are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A round was announced: its counter is never accepted again.
    Counter(u64),
    /// The site votes for these survivors of a study.
    Survivors {
        /// The study's short name.
        family: StudyName,
        /// The round.
        round: Digest,
        /// U3, and over which days.
        answered: Answered,
    },
    /// The result, signed by the coordinator.
    Result {
        /// The round.
        round: Digest,
        /// The signed payload and its signature, as received.
        signed: Vec<u8>,
    },
}

/// What to do, in order.
#[derive(Debug)]
pub enum Effect {
    /// Make this durable before anything after it.
    Persist(Record),
    /// Keep the opening of the site's commitment, durably, at the hospital.
    Keep(Opening),
    /// Sum the data, charge the ledger for this round, and come back with [`Event::Funded`].
    Collect {
        /// The round to charge.
        round: Digest,
    },
    /// Send these bytes to the coordinator.
    Send(Vec<u8>),
    /// The round is over.
    Done(Outcome),
}

/// The keys a site made for one round, and the directory they stand in.
struct Keys {
    sealing: SecretKey,
    masking: SecretKey,
    r: SecretScalar,
    b: SecretScalar,
    advertised: codec::Bytes,
    noise: Noise,
}

/// One entry of the directory, checked.
#[derive(Clone, Copy)]
struct PeerKeys {
    sealing: PublicKey,
    masking: PublicKey,
}

/// Another site of the directory: its key for sealing, and the mask in common with it.
struct Peering {
    sealing: PublicKey,
    pad: PadKey,
}

/// What is left of the keys once shares were dealt: r, b and the mask key are wiped by then.
struct Dealt {
    sealing: SecretKey,
    noise: Noise,
    binding: Binding,
    self_pad: PadKey,
    peers: BTreeMap<SiteIndex, Peering>,
    own: (Share, Share),
}

/// Shares held for others: of r and of b.
type Held = BTreeMap<SiteIndex, (Share, Share)>;

/// What a site needs to vote and to answer.
struct Answer {
    u1: Digest,
    u2: BTreeSet<SiteIndex>,
    held: Held,
}

/// U3 as this site voted for it, and the ledger head that each member signed.
struct Named {
    u3: BTreeSet<SiteIndex>,
    heads: Vec<(SiteIndex, Digest)>,
}

/// Digests of what this site sent in M5.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sent {
    body: Digest,
    input: Digest,
    ledger_head: Digest,
    signature: Signature,
}

enum State {
    Waiting,
    Advertised(Keys),
    Shared(Dealt),
    Collecting { noise: Noise, seeds: MaskSeeds, answer: Answer },
    Sent { answer: Answer, sent: Sent },
    Voted { answer: Answer, named: Named, ballot: Vec<u8> },
    Unmasked(Named),
    Done,
}

impl State {
    fn due(&self) -> &'static str {
        match self {
            State::Waiting => "announcement",
            State::Advertised(_) => "directory",
            State::Shared(_) => "delivery",
            State::Collecting { .. } => "local sum",
            State::Sent { .. } => "survivors",
            State::Voted { .. } => "certificate",
            State::Unmasked(_) => "result",
            State::Done => "nothing",
        }
    }
}

type Step = Result<(Site, Vec<Effect>), ProtocolError>;

/// The round as announced.
#[derive(Clone, Debug)]
struct Round {
    config: RoundConfig,
    digest: Digest,
}

/// The machine.
#[must_use = "a step gives the next state; dropping it drops out of the round"]
pub struct Site {
    context: Arc<Context>,
    history: History,
    round: Option<Round>,
    state: State,
    waiting_since: Millis,
    /// The last message, and what it was answered with: nothing yet while the data are summed.
    last: Option<(Digest, Option<Vec<u8>>)>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Site({}, {} due)", self.context.me, self.state.due())
    }
}

impl Site {
    /// A site that waits for an announcement.
    pub fn new(context: Arc<Context>, history: History, now: Millis) -> Self {
        let state = State::Waiting;
        Self { context, history, round: None, state, waiting_since: now, last: None }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`ProtocolError`]: the site refuses, and its secrets of the round are gone.
    pub fn step<R: CryptoRng + ?Sized>(
        mut self,
        now: Millis,
        event: Event,
        rng: &mut R,
    ) -> Result<(Self, Vec<Effect>), ProtocolError> {
        match event {
            Event::Received(bytes) => {
                let limit = to_site_bytes_max(self.n(), self.context.plan.layout().dimension());
                if !u32::try_from(bytes.len()).is_ok_and(|found| found <= limit) {
                    return Err(ProtocolError::TooLong { found: bytes.len(), limit });
                }
                let digest = codec::sha256(&bytes);
                if let Some((last, reply)) = &self.last
                    && *last == digest
                {
                    let again = reply.iter().cloned().map(Effect::Send).collect();
                    return Ok((self, again));
                }
                let message = read::<ToSite>(&bytes)?;
                self.waiting_since = now;
                let (mut site, effects) = self.receive(message, rng)?;
                site.last = Some((digest, sent(&effects).map(<[u8]>::to_vec)));
                Ok((site, effects))
            }
            Event::Funded { sum, paid } => {
                self.waiting_since = now;
                let (mut site, effects) = self.fund(sum, paid, rng)?;
                // The delivery that started the collection is answered by what was just sent.
                if let Some((_, reply)) = &mut site.last {
                    *reply = sent(&effects).map(<[u8]>::to_vec);
                }
                Ok((site, effects))
            }
            Event::Tick => self.tick(now),
        }
    }

    /// Whether the round is over.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// How long the masked vector may take from the delivery on; zero before an announcement.
    pub fn masked_ms(&self) -> u32 {
        self.round.as_ref().map_or(0, |round| round.config.deadlines().masked_ms)
    }

    /// What the site waits for.
    pub fn due(&self) -> &'static str {
        self.state.due()
    }

    /// A coordinator that is silent for longer than its longest phase has given up on this site. While
    /// the data are summed this saves a charge: the round has gone on without it.
    fn tick(self, now: Millis) -> Result<(Self, Vec<Effect>), ProtocolError> {
        let Some(round) = &self.round else { return Ok((self, Vec::new())) };
        let patience = u64::from(round.config.deadlines().longest_ms()).saturating_add(GRACE_MS);
        if !self.is_done() && now.saturating_sub(self.waiting_since) > patience {
            return Err(ProtocolError::Silence { expected: self.state.due() });
        }
        Ok((self, Vec::new()))
    }

    fn receive<R: CryptoRng + ?Sized>(
        mut self,
        message: ToSite,
        rng: &mut R,
    ) -> Result<(Self, Vec<Effect>), ProtocolError> {
        let (found, expected) = (message.name(), self.state.due());
        let unexpected = ProtocolError::Unexpected { found, expected };
        let state = std::mem::replace(&mut self.state, State::Done);
        match (state, message) {
            (State::Waiting, ToSite::Announce(signed)) => self.announced(&signed, rng),
            (State::Advertised(keys), ToSite::Directory(entries)) => {
                self.directory(keys, &entries, rng)
            }
            (State::Shared(dealt), ToSite::Delivery(delivery)) => self.delivered(dealt, &delivery),
            (State::Sent { answer, sent }, ToSite::Survivors(survivors)) => {
                self.survived(answer, sent, &survivors)
            }
            (State::Voted { answer, named, ballot }, ToSite::Certificate(votes)) => {
                self.certified(&answer, named, &ballot, &votes)
            }
            (State::Unmasked(named), ToSite::Result(signed)) => self.resulted(&named, &signed),
            (State::Done, ToSite::Closed) => Ok((self, Vec::new())),
            (_, ToSite::Closed) => Err(ProtocolError::Closed { expected }),
            _ => Err(unexpected),
        }
    }

    fn round(&self) -> Result<&Round, ProtocolError> {
        let missing = ProtocolError::Unexpected { found: "a message", expected: "announcement" };
        self.round.as_ref().ok_or(missing)
    }

    fn next(mut self, state: State, effects: Vec<Effect>) -> (Self, Vec<Effect>) {
        self.state = state;
        (self, effects)
    }

    fn n(&self) -> usize {
        self.context.roster.len()
    }

    fn bitmap(&self, set: &BTreeSet<SiteIndex>) -> Bitmap {
        Bitmap::of(set, self.n())
    }
}

fn sent(effects: &[Effect]) -> Option<&[u8]> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(bytes) => Some(bytes.as_slice()),
        _ => None,
    })
}

fn send(message: &ToHost) -> Result<Effect, ProtocolError> {
    Ok(Effect::Send(codec::encode(message)?))
}

/// The round's identity, for keys.
fn id_bytes(round: &Round) -> RoundId {
    round.config.round_id()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::release::Noised;
    use crate::summary::sum::SiteSum;
    use zeroize::ZeroizeOnDrop;

    /// A refusal drops the machine; this is what makes it forget.
    #[test]
    fn what_a_refusal_drops_is_wiped() {
        fn wipes<T: ZeroizeOnDrop>() {}
        wipes::<SecretKey>();
        wipes::<SecretScalar>();
        wipes::<PadKey>();
        // Shares are scalars; these wipe their numbers in a `Drop` of their own.
        assert!(std::mem::needs_drop::<Share>());
        assert!(std::mem::needs_drop::<Noise>());
        assert!(std::mem::needs_drop::<Noised>());
        assert!(std::mem::needs_drop::<SiteSum>());
    }
}
