//! Virtual time and the lines between sites and coordinator.
//!
//! A line delivers in order unless a fault says otherwise. When it breaks, what is on its way is
//! lost, and a new connection begins once nothing keeps it closed: as with a stream over QUIC.
use super::op::{Op, Schedule};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tacit_shared::id::SiteIndex;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the coordinator to the site.
    Down,
    /// From the site to the coordinator.
    Up,
}

/// What keeps a line closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closed {
    /// The network between.
    Cut,
    /// The site's program is away.
    Site,
    /// The coordinator's program is away.
    Coordinator,
}

/// What happens at a moment.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A message arrives, if its connection still stands.
    Arrival { site: SiteIndex, way: Way, connection: u64, bytes: Arc<Vec<u8>> },
    /// A site summed its data, if it was not restarted meanwhile.
    Summed { site: SiteIndex, boot: u32 },
    /// A line breaks.
    Cut { site: SiteIndex, for_ms: u32 },
    /// An older copy of a site's disk takes its place.
    SetBack { site: SiteIndex, charge: u16, for_ms: u32 },
    /// What kept a line closed is over.
    Over { site: SiteIndex, closed: Closed },
    /// The coordinator's program starts.
    CoordinatorUp,
    /// The coordinator begins a round, if it was not restarted meanwhile.
    Begin { boot: u32 },
    /// A coordinator that attacks goes on.
    Stage { boot: u32 },
    /// Time passes.
    Tick,
}

struct Line {
    connection: u64,
    closed: BTreeSet<Closed>,
    /// No later message arrives before this, each way.
    floor: (u64, u64),
}

/// The queue of what is to happen.
pub(super) struct Net {
    now: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    next: u64,
    lines: BTreeMap<SiteIndex, Line>,
    sent: u32,
    lost: BTreeSet<u32>,
    delayed: BTreeMap<u32, u32>,
    doubled: BTreeMap<u32, u32>,
    rng: ChaCha20Rng,
}

impl Net {
    pub(super) fn new(schedule: &Schedule, sites: &[SiteIndex]) -> Self {
        let line = |site: &SiteIndex| {
            let line = Line { connection: 0, closed: BTreeSet::new(), floor: (0, 0) };
            (*site, line)
        };
        let mut net = Self {
            now: 0,
            queue: BTreeMap::new(),
            next: 0,
            lines: sites.iter().map(line).collect(),
            sent: 0,
            lost: BTreeSet::new(),
            delayed: BTreeMap::new(),
            doubled: BTreeMap::new(),
            rng: ChaCha20Rng::seed_from_u64(schedule.seed ^ 0x006e_6574),
        };
        for op in &schedule.ops {
            match op {
                Op::Lose { message } => drop(net.lost.insert(*message)),
                Op::Delay { message, ms } => drop(net.delayed.insert(*message, *ms)),
                Op::Duplicate { message, ms } => drop(net.doubled.insert(*message, *ms)),
                Op::Cut { site, at_ms, for_ms } => {
                    if let Some(site) = SiteIndex::new(*site) {
                        net.after(u64::from(*at_ms), Happening::Cut { site, for_ms: *for_ms });
                    }
                }
                Op::SetBack { site, charge, at_ms, for_ms } => {
                    if let Some(site) = SiteIndex::new(*site) {
                        let (charge, for_ms) = (*charge, *for_ms);
                        let set_back = Happening::SetBack { site, charge, for_ms };
                        net.after(u64::from(*at_ms), set_back);
                    }
                }
                _ => {}
            }
        }
        net
    }

    /// Milliseconds since the world began.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// How many messages were sent.
    pub(super) fn sent(&self) -> u32 {
        self.sent
    }

    /// Lets something happen later.
    pub(super) fn after(&mut self, ms: u64, happening: Happening) {
        self.next += 1;
        self.queue.insert((self.now + ms, self.next), happening);
    }

    /// The next thing to happen; time moves to it.
    pub(super) fn next(&mut self) -> Option<Happening> {
        let ((at, _), happening) = self.queue.pop_first()?;
        self.now = at;
        Some(happening)
    }

    /// Whether a line is open.
    pub(super) fn is_open(&self, site: SiteIndex) -> bool {
        self.lines.get(&site).is_some_and(|line| line.closed.is_empty())
    }

    /// Whether a message of this connection still arrives.
    pub(super) fn stands(&self, site: SiteIndex, connection: u64) -> bool {
        let line = self.lines.get(&site);
        line.is_some_and(|line| line.closed.is_empty() && line.connection == connection)
    }

    /// Breaks a line.
    pub(super) fn close(&mut self, site: SiteIndex, closed: Closed) {
        if let Some(line) = self.lines.get_mut(&site) {
            line.connection += 1;
            line.closed.insert(closed);
        }
    }

    /// Ends every connection and lets new ones begin: what is on its way is lost.
    pub(super) fn renew(&mut self) {
        for line in self.lines.values_mut() {
            line.connection += 1;
        }
    }

    /// Takes away what kept a line closed; whether it is open now and was not before.
    pub(super) fn reopen(&mut self, site: SiteIndex, closed: Closed) -> bool {
        let line = self.lines.get_mut(&site);
        line.is_some_and(|line| line.closed.remove(&closed) && line.closed.is_empty())
    }

    /// Puts a message on a line; on a closed one it is lost.
    pub(super) fn send(&mut self, site: SiteIndex, way: Way, bytes: Arc<Vec<u8>>) {
        let number = self.sent;
        self.sent += 1;
        let (short, long) = (self.rng.random_range(1..40), self.rng.random_range(100..900));
        let Some(line) = self.lines.get_mut(&site).filter(|line| line.closed.is_empty()) else {
            return;
        };
        let connection = line.connection;
        let arrival = Happening::Arrival { site, way, connection, bytes };
        if let Some(ms) = self.doubled.get(&number) {
            let ms = u64::from(*ms);
            self.after(ms, arrival.clone());
        }
        if self.lost.contains(&number) {
            return;
        }
        if let Some(ms) = self.delayed.get(&number) {
            let ms = u64::from(*ms);
            return self.after(ms, arrival);
        }
        let usual = if number.is_multiple_of(16) { long } else { short };
        let Some(line) = self.lines.get_mut(&site) else { return };
        let floor = match way {
            Way::Down => &mut line.floor.0,
            Way::Up => &mut line.floor.1,
        };
        *floor = (*floor).max(self.now + usual);
        let wait = *floor - self.now;
        self.after(wait, arrival);
    }
}
