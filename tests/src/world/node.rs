//! A hospital's program in a simulated world: what the node does around its machine, act by act.
//!
//! Durable first, then sent. The secrets of a round live in memory only. The last message is answered
//! again after a reconnect, by the machine; a new announcement ends a lost round; a site asks its ledger
//! before it answers; while it sums its data it hears nothing.
use super::World;
use super::federation::{Federation, Paper, ready};
use super::lie::{Told, tell};
use super::net::{Happening, Way};
use super::op::{Lie, Op, Schedule, Side};
use super::rule::{Failure, Rule};
use super::start::{Copy, DATE_UNIX_S};
use super::watch::Leaving;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tacit_shared::codec;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::ledger::{Ledger, Lost};
use tacit_shared::protocol::config::{RoundConfig, study_of};
use tacit_shared::protocol::message::{ToHost, ToSite};
use tacit_shared::protocol::site::{Answered, Effect, Event, History, Record, Site};

/// What outlives a crash.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) counter: u64,
    pub(super) answered: BTreeMap<Digest, Answered>,
    pub(super) openings: BTreeMap<Digest, Vec<u8>>,
    pub(super) results: BTreeSet<Digest>,
    pub(super) paper: Paper,
    /// Answers that the ledger does not know; their loss is charged at the next start.
    pub(super) lost: Vec<Lost>,
}

/// The round a site is in.
struct Current {
    announcement: Arc<Vec<u8>>,
    config: RoundConfig,
    round: Digest,
    prompt: Arc<Vec<u8>>,
    site: Site,
}

/// One program.
pub(super) struct Node {
    pub(super) disk: Disk,
    /// Older copies of the disk, by how many charges they know.
    pub(super) copies: BTreeMap<usize, Copy>,
    /// How often it was started; a summing of an earlier start is void.
    boot: u32,
    pub(super) ledger: Option<Ledger<Paper>>,
    current: Option<Current>,
    /// It sums its data for this round.
    summing: Option<Digest>,
    inbox: VecDeque<Arc<Vec<u8>>>,
    slow_ms: Option<u32>,
    lies: Vec<Lie>,
    charges: u16,
    jams: BTreeMap<u16, Side>,
}

impl Node {
    pub(super) fn new(schedule: &Schedule, index: SiteIndex) -> Self {
        let own = |site: &u16| *site == index.value();
        let (mut slow_ms, mut lies, mut jams) = (None, Vec::new(), BTreeMap::new());
        for op in &schedule.ops {
            match op {
                Op::Slow { site, ms } if own(site) => slow_ms = Some(*ms),
                Op::Lie { site, lie } if own(site) => lies.push(*lie),
                Op::DiskFails { site, charge, side } if own(site) => {
                    jams.insert(*charge, *side);
                }
                _ => {}
            }
        }
        Self {
            disk: Disk::default(),
            copies: BTreeMap::new(),
            boot: 0,
            ledger: None,
            current: None,
            summing: None,
            inbox: VecDeque::new(),
            slow_ms,
            lies,
            charges: 0,
            jams,
        }
    }

    /// The program ends; what it knows is lost.
    pub(super) fn stop(&mut self) {
        self.boot += 1;
        (self.ledger, self.current, self.summing) = (None, None, None);
        self.inbox.clear();
    }

    /// Whether a round is under way here.
    pub(super) fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    fn history(&self) -> History {
        let answered = self.disk.answered.values().cloned().collect();
        History { last_counter: self.disk.counter, answered }
    }
}

impl World {
    /// A message arrives at a site.
    pub(super) fn site_receives(
        &mut self,
        index: SiteIndex,
        bytes: Arc<Vec<u8>>,
    ) -> Result<(), Failure> {
        let Some(node) = self.nodes.get_mut(&index) else { return Ok(()) };
        if node.summing.is_some() {
            node.inbox.push_back(bytes);
            return Ok(());
        }
        let current = node.current.take();
        if matches!(codec::decode(&bytes), Ok(ToSite::Closed)) {
            return Ok(()); // the round is over for this site
        }
        match current {
            Some(current) if bytes == current.announcement || study_of(&bytes).is_none() => {
                self.drive(index, Current { prompt: bytes.clone(), ..current }, received(&bytes))
            }
            _ => self.announced(index, &bytes),
        }
    }

    fn announced(&mut self, index: SiteIndex, bytes: &Arc<Vec<u8>>) -> Result<(), Failure> {
        let Some(study) = study_of(bytes) else { return Ok(()) };
        let Some(config) = config_of(bytes) else { return Ok(()) };
        let Some(node) = self.nodes.get(&index) else { return Ok(()) };
        let Some(hospital) = self.federation.sites.get(&index) else { return Ok(()) };
        let plan = &self.federation.plan;
        let admitted =
            node.ledger.as_ref().is_some_and(|l| l.admits(plan, study, DATE_UNIX_S).is_ok());
        if study != plan.study() || !admitted {
            self.story.add("declined: not approved or no budget");
            return self.decline(index, "not approved, or no budget");
        }
        let site = Site::new(hospital.context.clone(), node.history(), self.net.now());
        let round = config.digest().map_err(super::federation::unbuilt)?;
        let (announcement, prompt) = (bytes.clone(), bytes.clone());
        let current = Current { announcement, config, round, prompt, site };
        self.drive(index, current, received(bytes))
    }

    /// Time passes at a site; one that sums its data does not look at the clock.
    pub(super) fn site_ticks(&mut self, index: SiteIndex) -> Result<(), Failure> {
        let Some(node) = self.nodes.get_mut(&index) else { return Ok(()) };
        match node.current.take() {
            Some(current) if node.summing.is_none() => self.drive(index, current, Event::Tick),
            other => {
                node.current = other;
                Ok(())
            }
        }
    }

    /// One step of the machine, and what it asks for.
    fn drive(&mut self, index: SiteIndex, current: Current, event: Event) -> Result<(), Failure> {
        let Current { announcement, config, round, prompt, site } = current;
        match site.step(self.net.now(), event, &mut self.rng) {
            Ok((site, effects)) => {
                let current = Current { announcement, config, round, prompt, site };
                self.carry_out(index, current, effects)
            }
            Err(error) => {
                self.note(|| format!("site {index} refuses: {error}"));
                self.story.refused(&error);
                self.decline(index, &error.to_string())
            }
        }
    }

    fn carry_out(
        &mut self,
        index: SiteIndex,
        current: Current,
        effects: Vec<Effect>,
    ) -> Result<(), Failure> {
        let round = current.round;
        for effect in effects {
            let alive = match effect {
                Effect::Persist(record) => self.site_act(index, |world| {
                    let Some(node) = world.nodes.get_mut(&index) else { return Ok(()) };
                    node.disk.write(record);
                    Ok(())
                })?,
                Effect::Keep(opening) => self.site_act(index, |world| {
                    let Some(node) = world.nodes.get_mut(&index) else { return Ok(()) };
                    let bytes = opening.for_the_hospitals_own_evidence().to_vec();
                    if node.disk.openings.insert(round, bytes).is_some() {
                        world.watch.fail(Rule::Twice, format!("site {index} released twice"));
                    }
                    Ok(())
                })?,
                Effect::Send(bytes) => {
                    self.site_act(index, |world| world.site_sends(index, &current, bytes))?
                }
                Effect::Collect { round } => {
                    self.collect(index, round);
                    Some(())
                }
                Effect::Done(outcome) => {
                    self.story.add("results taken");
                    if !self.watch.colluding.contains(&index) {
                        self.watch.informed(index, &outcome);
                    }
                    return Ok(()); // the round is over
                }
            };
            if alive.is_none() {
                return Ok(());
            }
        }
        if let Some(node) = self.nodes.get_mut(&index) {
            node.current = Some(current);
        }
        Ok(())
    }

    fn collect(&mut self, index: SiteIndex, round: Digest) {
        let usual = 50 + u64::from(index.value() % 7) * 40;
        let Some(node) = self.nodes.get_mut(&index) else { return };
        node.summing = Some(round);
        let (ms, boot) = (node.slow_ms.map_or(usual, u64::from), node.boot);
        self.net.after(ms, Happening::Summed { site: index, boot });
    }

    /// The data are summed: pays, and goes on with what came meanwhile.
    pub(super) fn summed(&mut self, index: SiteIndex, boot: u32) -> Result<(), Failure> {
        let Some(node) = self.nodes.get_mut(&index).filter(|node| node.boot == boot) else {
            return Ok(());
        };
        let (Some(round), Some(current)) = (node.summing.take(), node.current.take()) else {
            return Ok(());
        };
        let paid = self.site_act(index, |world| {
            let Some(node) = world.nodes.get_mut(&index) else { return Ok(None) };
            let (counter, answered) = (node.disk.counter, node.disk.answered.clone());
            let charges = node.disk.paper.sheet().entries.len();
            node.copies.insert(charges, Copy { counter, answered });
            node.disk.paper.sheet().jam = node.jams.get(&node.charges).copied();
            node.charges += 1;
            let Some(ledger) = &mut node.ledger else { return Ok(None) };
            let paid = ready(ledger.charge(&world.federation.plan, round, DATE_UNIX_S))?;
            node.disk.paper.sheet().jam = None;
            Ok(paid.ok())
        })?;
        match paid {
            None => return Ok(()), // it died
            Some(None) => {
                self.story.add("charges that failed");
                self.decline(index, "it could not pay")?;
            }
            Some(Some(paid)) => {
                let sum = self.federation.sum(index)?;
                self.drive(index, current, Event::Funded { sum, paid })?;
            }
        }
        while let Some(bytes) = self
            .nodes
            .get_mut(&index)
            .and_then(|node| if node.summing.is_none() { node.inbox.pop_front() } else { None })
        {
            self.site_receives(index, bytes)?;
        }
        Ok(())
    }

    fn site_sends(
        &mut self,
        index: SiteIndex,
        current: &Current,
        bytes: Vec<u8>,
    ) -> Result<(), Failure> {
        let message: ToHost = codec::decode(&bytes).map_err(super::federation::unbuilt)?;
        let Some(node) = self.nodes.get(&index) else { return Ok(()) };
        if self.watch.colluding.contains(&index) {
            let lies = node.lies.iter().rev();
            let told = { lies }.find_map(|lie| self.lie(index, *lie, &message));
            if let Some(Told { bytes, added }) = told {
                self.story.add("lies told");
                self.watch.lied(index, current.round, added);
                if let Some(bytes) = bytes {
                    self.net.send(index, Way::Up, Arc::new(bytes));
                }
                return Ok(());
            }
        } else {
            let leaving = Leaving {
                site: index,
                config: &current.config,
                round: current.round,
                prompt: &current.prompt,
                message: &message,
                bytes: &bytes,
                disk: &node.disk,
            };
            self.watch.leaves(&self.federation, &leaving);
        }
        self.note(|| format!("site {index} sends its {}", message.name()));
        self.net.send(index, Way::Up, Arc::new(bytes));
        Ok(())
    }

    /// Follows from site and message alone: the same lie again when asked again.
    fn lie(&self, index: SiteIndex, lie: Lie, message: &ToHost) -> Option<Told> {
        tell(&self.federation, index, lie, message, &mut self.choices(index))
    }

    fn decline(&mut self, index: SiteIndex, reason: &str) -> Result<(), Failure> {
        let reason = reason.chars().take(300).collect();
        let bytes = codec::encode(&ToHost::Declined(reason)).map_err(super::federation::unbuilt)?;
        self.site_act(index, |world| {
            world.net.send(index, Way::Up, Arc::new(bytes));
            Ok(())
        })?;
        Ok(())
    }
}

impl Disk {
    fn write(&mut self, record: Record) {
        match record {
            Record::Counter(counter) => self.counter = counter,
            Record::Survivors { round, answered, .. } => {
                self.answered.insert(round, answered);
            }
            Record::Result { round, .. } => {
                self.results.insert(round);
            }
        }
    }
}

fn received(bytes: &Arc<Vec<u8>>) -> Event {
    Event::Received(bytes.to_vec())
}

/// The configuration in an announcement, whoever signed it.
pub(super) fn config_of(bytes: &[u8]) -> Option<RoundConfig> {
    let Ok(ToSite::Announce(signed)) = codec::decode(bytes) else { return None };
    codec::decode(&signed.payload.0).ok()
}

/// What the watcher may ask of a federation's nodes.
pub(super) fn disk_of<'a>(
    nodes: &'a BTreeMap<SiteIndex, Node>,
) -> impl Fn(SiteIndex) -> Option<&'a Disk> {
    |index| nodes.get(&index).map(|node| &node.disk)
}

/// The programs of all sites.
pub(super) fn nodes(schedule: &Schedule, federation: &Federation) -> BTreeMap<SiteIndex, Node> {
    federation.sites.keys().map(|index| (*index, Node::new(schedule, *index))).collect()
}
