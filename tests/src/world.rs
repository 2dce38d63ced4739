//! A world of hospitals and a coordinator in one thread and in virtual time, everything from one seed.
//!
//! The real machines run, with the real ledger; network, disks and programs are made of faults. What
//! happens follows from a [`Schedule`]; what must hold is a list of [`Rule`]s, looked at after every step.
//!
//! Not a failure:
//! - a round is lost: messages, sites or the coordinator were away, too few sites voted or answered,
//!   a lying site spoiled a secret beyond repair, or nobody can pay any more;
//! - a site refuses, and drops out: what it was told is not what the protocol says, was told twice too
//!   late, or would let two rounds be subtracted from each other;
//! - budget is lost: a site died, or its round was lost, between the charge and the result;
//! - a site stays uninformed of a result, or is told a false one by a coordinator that attacks: sums
//!   are correct as far as the coordinator is honest, private in any case;
//! - a coordinator stays away too long, and gives its round up; or sites gave up on it before it came back;
//! - a site that is set back to an older disk forgets what it voted for, and an answer that no
//!   coordinator has a receipt of; it makes itself new keys for a round in which it has sent some;
//! - a lying site's own numbers are wrong, in the sum as it made them.
//!
//! [`World`] is the queue and who is told what; programs live in `node` and `convener`, how they start
//! again in `start` and `restart`, adversaries in `lie` and `liar`, the rules in `rule` and their proof in
//! `watch` and `said`. Many schedules at once are `many`'s.
mod archive;
mod convener;
mod federation;
mod liar;
mod lie;
mod many;
mod net;
mod node;
mod op;
mod restart;
mod rule;
mod said;
mod start;
mod story;
mod watch;

pub use many::{Broken, Explained, FIRST_SEED, Held, hold, many};
pub use op::{ATTACKS, Attack, Lie, Op, Schedule, Side, Who};
pub use rule::{Failure, Rule};
pub use story::Story;

use convener::Convener;
use federation::Federation;
use net::{Happening, Net, Way};
use node::Node;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tacit_shared::id::SiteIndex;
use watch::Watch;

/// How often the machines are told the time.
const TICK_MS: u64 = 1000;
/// More happenings than any schedule has: a loop.
const HAPPENINGS_MAX: u64 = 2_000_000;

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened, counted.
    pub story: Story,
    /// What happened, in words; empty unless asked for.
    pub log: Vec<String>,
    /// The first rule that was broken.
    pub failure: Option<Failure>,
}

/// Whether a run writes down what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// In words.
    Kept,
    /// Not at all.
    Dropped,
}

/// Runs a schedule to its end, or to the first broken rule.
pub fn run(schedule: &Schedule, log: Log) -> Run {
    let run = catch_unwind(AssertUnwindSafe(|| World::new(schedule, log).map(World::run)));
    let nothing =
        |failure| Run { story: Story::default(), log: Vec::new(), failure: Some(failure) };
    match run {
        Ok(Ok(run)) => run,
        Ok(Err(failure)) => nothing(failure),
        Err(_) => {
            let what = "a machine panicked; what it said is above".to_owned();
            nothing(Failure { rule: Rule::Panic, what, at_ms: 0 })
        }
    }
}

/// A smaller schedule that breaks the same rule: faults, colluders and rounds that it does not need
/// are taken away, one after the other.
pub fn shrink(schedule: &Schedule, rule: Rule) -> Schedule {
    let breaks = |smaller: &Schedule| {
        run(smaller, Log::Dropped).failure.is_some_and(|failure| failure.rule == rule)
    };
    let mut best = schedule.clone();
    loop {
        let mut candidates: Vec<Schedule> = (0..best.ops.len())
            .map(|at| {
                let mut smaller = best.clone();
                smaller.ops.remove(at);
                smaller
            })
            .collect();
        if best.rounds > 1 {
            candidates.push(Schedule { rounds: best.rounds - 1, ..best.clone() });
        }
        match candidates.into_iter().find(breaks) {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

/// The world.
struct World {
    schedule: Schedule,
    federation: Federation,
    net: Net,
    nodes: BTreeMap<SiteIndex, Node>,
    convener: Convener,
    watch: Watch,
    story: Story,
    acts: BTreeMap<Who, u32>,
    rng: ChaCha20Rng,
    log: Option<Vec<String>>,
}

impl World {
    fn new(schedule: &Schedule, log: Log) -> Result<Self, Failure> {
        let federation = Federation::of(schedule)?;
        Ok(Self {
            net: Net::new(schedule, federation.plan.sites()),
            nodes: node::nodes(schedule, &federation),
            convener: Convener::new(),
            watch: Watch::new(schedule),
            story: Story::default(),
            acts: BTreeMap::new(),
            rng: ChaCha20Rng::seed_from_u64(schedule.seed),
            log: (log == Log::Kept).then(Vec::new),
            schedule: schedule.clone(),
            federation,
        })
    }

    fn run(mut self) -> Run {
        let mut happenings = 0_u64;
        let mut broken = self.start().err();
        while broken.is_none() && self.watch.failure.is_none() {
            let Some(happening) = self.net.next() else { break };
            self.watch.now = self.net.now();
            happenings += 1;
            if happenings > HAPPENINGS_MAX || self.net.now() > self.end_ms() {
                let what = format!("no end after {happenings} happenings");
                self.watch.fail(Rule::End, what);
                break;
            }
            broken = self.happen(happening).err();
        }
        if self.watch.failure.is_none() {
            self.opened_all();
            let busy = self.nodes.values().filter(|node| node.is_busy()).count();
            if busy > 0 || !self.convener.finished {
                self.watch.fail(Rule::End, format!("{busy} sites wait for ever"));
            }
        }
        self.story.add("schedules");
        self.story.more("messages", u64::from(self.net.sent()));
        let failure = broken.or(self.watch.failure);
        Run { story: self.story, log: self.log.unwrap_or_default(), failure }
    }

    fn start(&mut self) -> Result<(), Failure> {
        for site in self.federation.plan.sites().to_vec() {
            self.start_site(site)?;
        }
        self.net.after(TICK_MS, Happening::Tick);
        self.start_coordinator()
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Failure> {
        match happening {
            Happening::Arrival { site, connection, .. } if !self.net.stands(site, connection) => {
                self.story.add("messages lost with their line");
                Ok(())
            }
            Happening::Arrival { site, way: Way::Down, bytes, .. } => {
                self.site_receives(site, bytes)
            }
            Happening::Arrival { site, way: Way::Up, bytes, .. } => {
                self.coordinator_receives(site, &bytes)
            }
            Happening::Summed { site, boot } => self.summed(site, boot),
            Happening::Cut { site, for_ms } => {
                self.note(|| format!("the line of site {site} breaks"));
                self.net.close(site, net::Closed::Cut);
                let over = Happening::Over { site, closed: net::Closed::Cut };
                self.net.after(u64::from(for_ms), over);
                Ok(())
            }
            Happening::Over { site, closed: net::Closed::Site } => {
                self.note(|| format!("site {site} starts again"));
                self.start_site(site)
            }
            Happening::Over { site, closed } => {
                if self.net.reopen(site, closed) {
                    self.joined(site);
                }
                Ok(())
            }
            Happening::SetBack { site, charge, for_ms } => {
                self.set_back(site, charge, for_ms);
                Ok(())
            }
            Happening::CoordinatorUp => self.start_coordinator(),
            Happening::Begin { boot } => self.begin(boot),
            Happening::Stage { boot } => self.stage(boot),
            Happening::Tick => self.tick(),
        }
    }

    fn tick(&mut self) -> Result<(), Failure> {
        self.coordinator_ticks()?;
        for site in self.federation.plan.sites().to_vec() {
            self.site_ticks(site)?;
        }
        let busy = self.nodes.values().any(Node::is_busy);
        if busy || !self.convener.finished {
            self.net.after(TICK_MS, Happening::Tick);
        }
        Ok(())
    }

    /// The number of the next act of a program.
    fn number(&mut self, who: Who) -> u32 {
        let next = self.acts.entry(who).or_default();
        *next += 1;
        *next - 1
    }

    /// How long a program stays away that dies at this act.
    fn killed(&self, who: Who, act: u32, side: Side) -> Option<u32> {
        self.schedule.ops.iter().find_map(|op| match op {
            Op::Kill { who: of, act: at, side: on, for_ms }
                if *of == who && *at == act && *on == side =>
            {
                Some(*for_ms)
            }
            _ => None,
        })
    }

    /// Choices that follow from the schedule and a site alone.
    fn choices(&self, site: SiteIndex) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(self.schedule.seed.rotate_left(17) ^ u64::from(site.value()))
    }

    fn note(&mut self, words: impl FnOnce() -> String) {
        let now = self.net.now();
        if let Some(log) = &mut self.log {
            log.push(format!("{now:>8} ms  {}", words()));
        }
    }
}
