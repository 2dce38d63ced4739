//! The coordinator's program in a simulated world: gathers, announces, runs, begins the next round.
//!
//! It carries out what its machine asks for in the order in which it asks, each write an act of its own:
//! it may die after any entry of the transcript, and any sending. What it does then is in `restart`.
//! Each round has connections of its own; the last messages of the round before had time to arrive. A
//! site that connects again is sent again what it was sent last in this round.
use super::World;
use super::archive::Archive;
use super::federation::PHASE_MS;
use super::liar::{Liar, Seen};
use super::net::{Happening, Way};
use super::node::disk_of;
use super::op::{Attack, Op, Who};
use super::restart::RETURN_MS;
use super::rule::{Failure, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tacit_shared::codec;
use tacit_shared::id::SiteIndex;
use tacit_shared::protocol::host::{Effect, Event, Host, Opened};
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
    /// The sum is open, and was before the program died; the sites come back to hear of it.
    Returning { since: u64, survivors: BTreeSet<SiteIndex> },
    /// In a round that does not follow the protocol.
    Hostile(Box<Liar>),
}

/// One program.
pub(super) struct Convener {
    pub(super) archive: Archive,
    pub(super) boot: u32,
    pub(super) session: Session,
    pub(super) last: BTreeMap<SiteIndex, Arc<Vec<u8>>>,
    /// What it sent in earlier rounds, for those who replay.
    pub(super) sent: Vec<Arc<Vec<u8>>>,
    pub(super) finished: bool,
}

impl Convener {
    pub(super) fn new() -> Self {
        Self {
            archive: Archive::default(),
            boot: 0,
            session: Session::Idle,
            last: BTreeMap::new(),
            sent: Vec::new(),
            finished: false,
        }
    }
}

impl World {
    /// A round is due.
    pub(super) fn begin(&mut self, boot: u32) -> Result<(), Failure> {
        if boot != self.convener.boot {
            return Ok(());
        }
        if self.convener.archive.ended >= self.schedule.rounds {
            self.net.renew(); // its lines end with it
            self.convener.finished = true;
            return Ok(());
        }
        self.renew_lines();
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
            self.convener.archive.end();
            self.next_round();
        }
        Ok(())
    }

    /// The round is over, and that is written down.
    pub(super) fn end_round(&mut self) -> Result<(), Failure> {
        let end = |world: &mut Self| {
            world.convener.archive.end();
            Ok(())
        };
        if self.act(end)? {
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
        let counter = self.convener.archive.counter + 1;
        let config = self.federation.config(counter, 0);
        let round = config.digest().map_err(super::federation::unbuilt)?;
        let started = self.act(|world| {
            world.convener.archive.start(counter, round, world.net.now());
            Ok(())
        })?;
        if !started {
            return Ok(());
        }
        self.note(|| format!("round {counter} is announced"));
        let begun = self.convener.archive.ended + 1;
        let attacks: BTreeSet<Attack> =
            self.schedule.ops.iter().filter_map(attack_in(begun)).collect();
        if !attacks.is_empty() {
            self.story.add("rounds attacked");
            self.watch.attacked(round);
            self.convener.archive.under_way = None; // it keeps no transcript
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
            Session::Returning { since, ref survivors } => {
                let survivors = survivors.clone();
                self.returning(since, &survivors)
            }
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
                self.host_does(effects, false)
            }
            Err(error) => {
                self.note(|| format!("the round is lost: {error}"));
                self.story.lost(&error);
                let boot = self.convener.boot;
                self.end_round()?;
                if boot == self.convener.boot { self.say_closed() } else { Ok(()) }
            }
        }
    }

    /// What the machine asks for, in its order. A round that was `taken_up` waits for its sites at its end.
    pub(super) fn host_does(
        &mut self,
        effects: Vec<Effect>,
        taken_up: bool,
    ) -> Result<(), Failure> {
        for effect in effects {
            let alive = match effect {
                Effect::Persist(entry) => self.act(|world| {
                    world.convener.archive.append(entry);
                    Ok(())
                })?,
                Effect::Send { to, bytes } => self.act(|world| {
                    if let Some(under_way) = &world.convener.archive.under_way {
                        world.watch.says(under_way, to, &bytes);
                    }
                    world.coordinator_sends(to, bytes);
                    Ok(())
                })?,
                Effect::Dropped { site, reason } => {
                    self.story.add("sites dropped");
                    self.note(|| format!("site {site} is dropped: {reason}"));
                    true
                }
                Effect::Opened(opened) => return self.host_opens(&opened, taken_up),
            };
            if !alive {
                return Ok(());
            }
        }
        Ok(())
    }

    fn host_opens(&mut self, opened: &Opened, taken_up: bool) -> Result<(), Failure> {
        let survivors = opened.aggregate.survivors();
        self.note(|| format!("opened with {} sites", survivors.len()));
        if self.watch.opens(&self.federation, opened, disk_of(&self.nodes)) {
            self.story.opened(survivors.len(), self.federation.plan.sites().len());
        } else {
            self.story.add("results found again");
        }
        if taken_up {
            let (since, survivors) = (self.net.now(), survivors.clone());
            self.convener.session = Session::Returning { since, survivors };
            return Ok(());
        }
        self.end_round()
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
        if !self.shows_receipts(site) {
            return;
        }
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
            self.convener.archive.end();
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
        Op::Cut { at_ms, for_ms, .. } | Op::SetBack { at_ms, for_ms, .. } => {
            u64::from(*at_ms) + u64::from(*for_ms)
        }
        Op::Kill { who: Who::Site(_), for_ms, .. } => u64::from(*for_ms),
        // The phase in which it died has all its time again.
        Op::Kill { who: Who::Coordinator, for_ms, .. } => {
            u64::from(*for_ms) + GATHER_MS + u64::from(PHASE_MS) + RETURN_MS
        }
        Op::Lose { .. } | Op::DiskFails { .. } | Op::Lie { .. } | Op::Attack { .. } => 0,
    }
}
