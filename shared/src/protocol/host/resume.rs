//! Takes a round up again from its transcript, after the coordinator's program ended in the middle.
//!
//! ```text
//! announcement, answers, directory, … as written down ─► the same machine ─► the same state, and what was last sent
//! ```
//! The machine is told the entries in their order, and must say what the transcript says: signatures are
//! deterministic, and what a site sealed for another stands in its own entry. A phase that ended at its deadline ends
//! where the transcript has the coordinator's next message. What the program was about to write or send when it ended
//! is among the effects; a site that has had a message answers it with the same bytes again. Entries are taken one by
//! one, so that no more than one masked vector is held. The time a phase had left is not written down: the phase in
//! which the transcript ends has all its time again.
use super::{Context, Effect, Event, Host};
use crate::id::SiteIndex;
use crate::protocol::config::RoundConfig;
use crate::protocol::error::ProtocolError;
use crate::protocol::site::Millis;
use crate::protocol::transcript::{Entry, Party};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Why a round is not taken up again.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The machine says something else than the transcript.
    #[error("entry {place} of the transcript, a {name}, is not what follows from those before it")]
    Entry {
        /// Its place, from 0.
        place: usize,
        /// What it is called.
        name: String,
    },
    /// The round cannot be finished.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// A round on its way to where its transcript ends.
#[derive(Debug)]
#[must_use = "the round goes on from what `finish` gives"]
pub struct Replay {
    host: Host,
    now: Millis,
    /// Entries taken.
    place: usize,
    /// What the coordinator says next, by the machine.
    due: VecDeque<Entry>,
    /// The last message to each site.
    last: BTreeMap<SiteIndex, Arc<Vec<u8>>>,
    /// Sites dropped, and the opened sum.
    told: Vec<Effect>,
}

impl Host {
    /// The host of a round as its transcript leaves it, and what to do first: write down and send what may be missing.
    ///
    /// The caller ensures that the entries are a start of one round's transcript.
    ///
    /// # Errors
    /// [`ResumeError`]; the transcript is another round's, or damaged.
    pub fn resume(
        context: Arc<Context>,
        config: RoundConfig,
        entries: impl IntoIterator<Item = Entry>,
        now: Millis,
    ) -> Result<(Self, Vec<Effect>), ResumeError> {
        let start = Replay::start(Host::new(context, config)?, now)?;
        let replay = entries.into_iter().try_fold(start, Replay::take)?;
        Ok(replay.finish())
    }
}

impl Replay {
    /// Before the first entry.
    ///
    /// # Errors
    /// [`ResumeError::Protocol`], which a sound configuration does not give.
    pub fn start(host: Host, now: Millis) -> Result<Self, ResumeError> {
        let (host, effects) = host.step(now, Event::Start)?;
        let (due, last, told) = (VecDeque::new(), BTreeMap::new(), Vec::new());
        let mut replay = Self { host, now, place: 0, due, last, told };
        replay.note(effects);
        Ok(replay)
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`ResumeError::Entry`] if it does not follow.
    pub fn take(mut self, entry: Entry) -> Result<Self, ResumeError> {
        let other = ResumeError::Entry { place: self.place, name: entry.name.clone() };
        self.place = self.place.saturating_add(1);
        match entry.from {
            Party::Coordinator => {
                if self.due.is_empty() {
                    let mut effects = Vec::new();
                    self.host.move_on(self.now, true, &mut effects)?;
                    self.note(effects);
                }
                if self.due.pop_front() == Some(entry) { Ok(self) } else { Err(other) }
            }
            Party::Site(from) => {
                if !self.due.is_empty() {
                    return Err(other);
                }
                let (bytes, name) = (entry.bytes, entry.name);
                let (host, effects) = self.host.step(self.now, Event::Received { from, bytes })?;
                self.host = host;
                let mut effects = effects.into_iter();
                // The machine writes down first, or nothing if no such answer is due.
                match effects.next() {
                    Some(Effect::Persist(own)) if own.from == entry.from && own.name == name => {
                        self.note(effects);
                        Ok(self)
                    }
                    _ => Err(other),
                }
            }
        }
    }

    /// After the last entry: the host, and what to do first, in order.
    pub fn finish(self) -> (Host, Vec<Effect>) {
        let send = |(to, bytes)| Effect::Send { to, bytes };
        let mut effects: Vec<Effect> = self.due.into_iter().map(Effect::Persist).collect();
        effects.extend(self.last.into_iter().map(send));
        effects.extend(self.told);
        (self.host, effects)
    }

    fn note(&mut self, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            match effect {
                Effect::Persist(entry) => self.due.push_back(entry),
                Effect::Send { to, bytes } => drop(self.last.insert(to, bytes)),
                Effect::Dropped { .. } | Effect::Opened(_) => self.told.push(effect),
            }
        }
    }
}
