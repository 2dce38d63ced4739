//! The coordinator's program in a simulated world: gathers, announces, runs, begins the next round.
//!
//! What it writes is durable before it is acted on. A restarted coordinator resumes nothing: it
//! announces a new round with a new counter. Each round has connections of its own; the last messages of
//! the round before had time to arrive. A site that connects again is sent again what it was sent
//! last in this round.
use super::World;
use super::federation::PHASE_MS;
use super::liar::{Liar, Seen};
use super::net::{Closed, Happening, Way};
use super::node::disk_of;
use super::op::{Attack, Op, Side, Who};
use super::rule::{Failure, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tacit_shared::codec;
use tacit_shared::id::SiteIndex;
use tacit_shared::protocol::host::{Effect, Event, Host};
use tacit_shared::protocol::message::ToSite;

/// How long the coordinator waits for sites to connect.
const GATHER_MS: u64 = 10_000;
/// From the end of a round to the next.
const PAUSE_MS: u64 = 1000;
/// How long a coordinator that attacks waits between its messages.
const STAGE_MS: u64 = 2500;

/// What the coordinator is at.
pub(super) enum Session {
    /// Between rounds, or away.
    Idle,
    /// Waiting for sites to connect.
    Gathering { since: u64 },
    /// In a round that follows the protocol.
    Honest(Box<Host>),
    /// In one that does not.
    Hostile(Box<Liar>),
}

/// One program.
pub(super) struct Convener {
    /// Durable: the counter of the last round.
    counter: u64,
    boot: u32,
    begun: u16,
    session: Session,
    last: BTreeMap<SiteIndex, Arc<Vec<u8>>>,
    /// What it sent in earlier rounds, for those who replay.
    pub(super) sent: Vec<Arc<Vec<u8>>>,
    pub(super) finished: bool,
}

impl Convener {
    pub(super) fn new() -> Self {
        Self {
            counter: 0,
            boot: 0,
            begun: 0,
            session: Session::Idle,
            last: BTreeMap::new(),
            sent: Vec::new(),
            finished: false,
        }
    }
}

impl World {
    /// The program starts and begins a round.
    pub(super) fn start_coordinator(&mut self) -> Result<(), Failure> {
        for site in self.federation.plan.sites().to_vec() {
            if self.net.reopen(site, Closed::Coordinator) {
                self.joined(site);
            }
        }
        self.begin(self.convener.boot)
    }

    fn kill_coordinator(&mut self, for_ms: u32) {
        self.note(|| "the coordinator dies".to_owned());
        self.story.add("coordinators killed");
        self.convener.boot += 1;
        self.convener.session = Session::Idle;
        self.convener.last.clear();
        for site in self.federation.plan.sites() {
            self.net.close(*site, Closed::Coordinator);
        }
        self.net.after(u64::from(for_ms), Happening::CoordinatorUp);
    }

    fn act(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Failure>) -> Result<bool, Failure> {
        let number = self.number(Who::Coordinator);
        if let Some(for_ms) = self.killed(Who::Coordinator, number, Side::Before) {
            self.kill_coordinator(for_ms);
            return Ok(false);
        }
        act(self)?;
        if let Some(for_ms) = self.killed(Who::Coordinator, number, Side::After) {
            self.kill_coordinator(for_ms);
            return Ok(false);
        }
        Ok(true)
    }

    /// A round is due.
    pub(super) fn begin(&mut self, boot: u32) -> Result<(), Failure> {
        if boot != self.convener.boot {
            return Ok(());
        }
        if self.convener.begun >= self.schedule.rounds {
            self.convener.finished = true;
            return Ok(());
        }
        self.convener.begun += 1;
        self.net.renew();
        self.convener.session = Session::Gathering { since: self.net.now() };
        self.gather()
    }

    fn gather(&mut self) -> Result<(), Failure> {
        let Session::Gathering { since } = self.convener.session else { return Ok(()) };
        let sites = self.federation.plan.sites();
        let found = sites.iter().filter(|site| self.net.is_open(**site)).count();
        let late = self.net.now() >= since + GATHER_MS;
        if found == sites.len() || late && found >= usize::from(self.schedule.min_sites) {
            return self.announce();
        }
        if late {
            self.story.add("rounds without enough sites");
            self.next_round();
        }
        Ok(())
    }

    fn next_round(&mut self) {
        self.convener.session = Session::Idle;
        self.convener.last.clear();
        let boot = self.convener.boot;
        self.net.after(PAUSE_MS, Happening::Begin { boot });
    }

    fn announce(&mut self) -> Result<(), Failure> {
        let counter = self.convener.counter + 1;
        let started = self.act(|world| {
            world.convener.counter = counter;
            Ok(())
        })?;
        if !started {
            return Ok(());
        }
        let config = self.federation.config(counter, 0);
        self.note(|| format!("round {counter} is announced"));
        let begun = self.convener.begun;
        let attacks: BTreeSet<Attack> =
            self.schedule.ops.iter().filter_map(attack_in(begun)).collect();
        if !attacks.is_empty() {
            self.story.add("rounds attacked");
            self.watch.attacked(config.digest().map_err(super::federation::unbuilt)?);
            self.convener.session = Session::Hostile(Box::new(Liar::new(attacks, config)));
            return self.stage(self.convener.boot);
        }
        let host = Host::new(self.federation.host.clone(), config);
        let host = host.map_err(super::federation::unbuilt)?;
        self.story.add("rounds announced");
        self.convener.session = Session::Honest(Box::new(host));
        self.tell_host(Event::Start)
    }

    /// A message of a site arrives.
    pub(super) fn coordinator_receives(
        &mut self,
        from: SiteIndex,
        bytes: &Arc<Vec<u8>>,
    ) -> Result<(), Failure> {
        if let Session::Hostile(liar) = &mut self.convener.session {
            liar.receive(&self.federation, from, bytes);
            return Ok(());
        }
        self.tell_host(Event::Received { from, bytes: bytes.to_vec() })
    }

    /// Time passes.
    pub(super) fn coordinator_ticks(&mut self) -> Result<(), Failure> {
        match self.convener.session {
            Session::Gathering { .. } => self.gather(),
            Session::Honest(_) => self.tell_host(Event::Tick),
            Session::Idle | Session::Hostile(_) => Ok(()),
        }
    }

    fn tell_host(&mut self, event: Event) -> Result<(), Failure> {
        let session = std::mem::replace(&mut self.convener.session, Session::Idle);
        let Session::Honest(host) = session else {
            self.convener.session = session;
            return Ok(());
        };
        match host.step(self.net.now(), event) {
            Ok((host, effects)) => {
                self.convener.session = Session::Honest(Box::new(host));
                self.host_does(effects)
            }
            Err(error) => {
                self.note(|| format!("the round is lost: {error}"));
                self.story.lost(&error);
                if self.act(|_| Ok(()))? {
                    self.say_closed()?;
                    self.next_round();
                }
                Ok(())
            }
        }
    }

    /// Writes down first, in one go, then sends.
    fn host_does(&mut self, effects: Vec<Effect>) -> Result<(), Failure> {
        let writes = effects.iter().any(|effect| matches!(effect, Effect::Persist(_)));
        if writes && !self.act(|_| Ok(()))? {
            return Ok(());
        }
        let mut ended = false;
        for effect in effects {
            match effect {
                Effect::Persist(_) => {}
                Effect::Send { to, bytes } => {
                    let send = |world: &mut Self| {
                        world.coordinator_sends(to, bytes);
                        Ok(())
                    };
                    if !self.act(send)? {
                        return Ok(());
                    }
                }
                Effect::Dropped { site, reason } => {
                    self.story.add("sites dropped");
                    self.note(|| format!("site {site} is dropped: {reason}"));
                }
                Effect::Opened(opened) => {
                    ended = true;
                    let survivors = opened.aggregate.survivors().len();
                    self.note(|| format!("opened with {survivors} sites"));
                    self.story.opened(survivors, self.federation.plan.sites().len());
                    self.watch.opens(&self.federation, &opened, disk_of(&self.nodes));
                }
            }
        }
        if ended && self.act(|_| Ok(()))? {
            self.next_round();
        }
        Ok(())
    }

    fn coordinator_sends(&mut self, to: SiteIndex, bytes: Arc<Vec<u8>>) {
        self.convener.last.insert(to, bytes.clone());
        self.convener.sent.push(bytes.clone());
        self.net.send(to, Way::Down, bytes);
    }

    fn say_closed(&mut self) -> Result<(), Failure> {
        let bytes = codec::encode(&ToSite::Closed).map_err(super::federation::unbuilt)?;
        let bytes = Arc::new(bytes);
        for site in self.federation.plan.sites().to_vec() {
            self.net.send(site, Way::Down, bytes.clone());
        }
        Ok(())
    }

    /// A site connected: it is sent again what it was sent last.
    pub(super) fn joined(&mut self, site: SiteIndex) {
        self.story.add("reconnects");
        if let Some(last) = self.convener.last.get(&site).cloned() {
            self.story.add("messages sent again");
            self.net.send(site, Way::Down, last);
        }
    }

    /// The next messages of a round that does not follow the protocol.
    pub(super) fn stage(&mut self, boot: u32) -> Result<(), Failure> {
        if boot != self.convener.boot {
            return Ok(());
        }
        let mut session = std::mem::replace(&mut self.convener.session, Session::Idle);
        let Session::Hostile(liar) = &mut session else {
            self.convener.session = session;
            return Ok(());
        };
        let seen = Seen {
            federation: &self.federation,
            colluding: &self.watch.colluding,
            sent: &self.convener.sent,
        };
        let messages = liar.stage(&seen, &mut self.rng).map_err(super::federation::unbuilt)?;
        let over = liar.is_over();
        if over {
            self.story.attack(liar);
        }
        for (to, bytes) in messages {
            self.coordinator_sends(to, Arc::new(bytes));
        }
        if over {
            self.next_round();
        } else {
            self.convener.session = session;
            self.net.after(STAGE_MS, Happening::Stage { boot });
        }
        Ok(())
    }

    /// The longest that all rounds can take, with every fault at its worst.
    pub(super) fn end_ms(&self) -> u64 {
        let round = GATHER_MS + 5 * u64::from(PHASE_MS) + PAUSE_MS + 20 * STAGE_MS;
        let away: u64 = self.schedule.ops.iter().map(longest_ms).sum();
        u64::from(self.schedule.rounds) * round + away + 4 * u64::from(PHASE_MS)
    }

    /// Whether every round that could be paid for opened.
    pub(super) fn opened_all(&mut self) {
        let due = u64::from(self.schedule.rounds.min(self.schedule.releases));
        let found = self.story.count("rounds opened");
        if self.schedule.must_open() && found < due {
            self.watch.fail(Rule::Opens, format!("{found} of {due} rounds opened"));
        }
    }
}

fn attack_in(round: u16) -> impl Fn(&Op) -> Option<Attack> {
    move |op| match op {
        Op::Attack { round: of, attack } if *of == round => Some(*attack),
        _ => None,
    }
}

fn longest_ms(op: &Op) -> u64 {
    match op {
        Op::Delay { ms, .. } | Op::Duplicate { ms, .. } | Op::Slow { ms, .. } => u64::from(*ms),
        Op::Cut { at_ms, for_ms, .. } => u64::from(*at_ms) + u64::from(*for_ms),
        Op::Kill { for_ms, .. } => u64::from(*for_ms),
        Op::Lose { .. } | Op::DiskFails { .. } | Op::Lie { .. } | Op::Attack { .. } => 0,
    }
}
