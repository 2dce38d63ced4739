//! What may go wrong in a simulated world, as a list that reads like a logbook and can be replayed.
//!
//! A [`Schedule`] is everything a run follows from: sizes, seed and faults. [`Schedule::draw`] makes
//! one from a number; a failure found that way is kept by writing its schedule down. Faults name
//! messages and acts by their place in the run, so that every step can be the one that is hit.
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeSet;

/// Who acts: writes to a disk or sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The site with this index, from 1.
    Site(u16),
    /// The coordinator.
    Coordinator,
}

/// On which side of an act a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The act does not take place.
    Before,
    /// The act takes place, and nothing after it.
    After,
}

/// How a site that obeys an adversary alters its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// M1: another commitment than the one it made.
    Keys,
    /// M3: signs sealed shares that do not open.
    Shares,
    /// M5: signs another vector than its machine made.
    Vector,
    /// M7: signs something else.
    Vote,
    /// M9: signs a false share.
    Unmask,
    /// M7: random bytes.
    Garbage,
    /// M9: says nothing.
    Silence,
}

/// What a coordinator does that breaks the protocol. Several may be combined in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attack {
    /// M2: leaves a site out of the directory that half of the sites get.
    SplitDirectory,
    /// M4: tells half of the sites that one site fewer dealt shares.
    SplitDelivery,
    /// M6: names fewer survivors to half of the sites.
    SplitSurvivors,
    /// M6 and M8: asks everyone for a second vote and a second answer.
    AskTwice,
    /// M8: fills up with colluders' votes, votes for other sets, and votes twice.
    ForgeVotes,
    /// M6: names fewer survivors than the study asks for.
    FewSurvivors,
    /// M6: names sites that saw something else, or sent nothing, under headers of its own making.
    ForgeHeaders,
    /// Any time: messages of earlier rounds and of earlier phases.
    Replay,
    /// Any time: flips a bit.
    Tamper,
    /// M0, later: announces again, with an old counter or a new one.
    Reannounce,
    /// M10: signs a sum that is not the sum.
    FalseResult,
}

/// Every attack.
pub const ATTACKS: [Attack; 11] = [
    Attack::SplitDirectory,
    Attack::SplitDelivery,
    Attack::SplitSurvivors,
    Attack::AskTwice,
    Attack::ForgeVotes,
    Attack::FewSurvivors,
    Attack::ForgeHeaders,
    Attack::Replay,
    Attack::Tamper,
    Attack::Reannounce,
    Attack::FalseResult,
];
const LIES: [Lie; 7] =
    [Lie::Keys, Lie::Shares, Lie::Vector, Lie::Vote, Lie::Unmask, Lie::Garbage, Lie::Silence];

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The message with this number in the run, from 0, never arrives.
    Lose {
        /// Which.
        message: u32,
    },
    /// A message arrives later, and does not hold up those behind it.
    Delay {
        /// Which.
        message: u32,
        /// By how much.
        ms: u32,
    },
    /// A message arrives a second time.
    Duplicate {
        /// Which.
        message: u32,
        /// How long after it was sent.
        ms: u32,
    },
    /// A site and the coordinator cannot reach each other; what is on its way is lost.
    Cut {
        /// Which site.
        site: u16,
        /// When.
        at_ms: u32,
        /// For how long; then the site connects again.
        for_ms: u32,
    },
    /// A program dies at one of its acts, durable writes and sends, counted from 0 over its whole life.
    Kill {
        /// Which program.
        who: Who,
        /// At which act.
        act: u32,
        /// Before or after it.
        side: Side,
        /// How long it stays away.
        for_ms: u32,
    },
    /// A site takes this long to sum its data.
    Slow {
        /// Which.
        site: u16,
        /// How long.
        ms: u32,
    },
    /// The disk reports that a charge failed, whether it was written (`After`) or not.
    DiskFails {
        /// At which site.
        site: u16,
        /// Which charge, from 0.
        charge: u16,
        /// Whether it was written all the same.
        side: Side,
    },
    /// A site's program ends, and starts again on a copy of its disk from before a charge, if it made
    /// that charge: what it did since is forgotten.
    SetBack {
        /// Which site.
        site: u16,
        /// Which charge, from 0.
        charge: u16,
        /// When.
        at_ms: u32,
        /// How long it stays away.
        for_ms: u32,
    },
    /// A colluding site alters an answer, in every round.
    Lie {
        /// Which site; listed in [`Schedule::colluding`].
        site: u16,
        /// What it alters.
        lie: Lie,
    },
    /// The coordinator turns against the sites in one round.
    Attack {
        /// Which round it begins, from 1.
        round: u16,
        /// How.
        attack: Attack,
    },
}

/// What one run follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Seed of data, keys, delays and choices.
    pub seed: u64,
    /// N.
    pub sites: u16,
    /// t: how many colluders the roster allows for.
    pub colluders_max: u16,
    /// m.
    pub min_sites: u16,
    /// How many rounds the coordinator begins.
    pub rounds: u16,
    /// How many releases each site's budget pays for.
    pub releases: u16,
    /// The sites that obey the adversary.
    pub colluding: BTreeSet<u16>,
    /// What goes wrong.
    pub ops: Vec<Op>,
}

impl Schedule {
    /// A run in which nothing goes wrong.
    pub fn calm(seed: u64, sites: u16, rounds: u16) -> Self {
        let colluders_max = 1;
        Self {
            seed,
            sites,
            colluders_max,
            min_sites: threshold(sites, colluders_max),
            rounds,
            releases: rounds,
            colluding: BTreeSet::new(),
            ops: Vec::new(),
        }
    }

    /// The schedule of a number: one in ten is calm, one in ten has short cuts only, one in ten a coordinator
    /// that starts again and again, the others a mixture of faults. There are 2 to 60 sites; one in 150
    /// schedules has more than 14.
    pub fn draw(seed: u64) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let sites = match rng.random_range(0..150_u16) {
            0 => rng.random_range(15..=60),
            1..=12 => rng.random_range(8..=14),
            _ => rng.random_range(2..=7),
        };
        let colluders_max = rng.random_range(1..=(sites / 3).max(1));
        let least = threshold(sites, colluders_max);
        let min_sites = if rng.random_bool(0.7) { least } else { rng.random_range(least..=sites) };
        let rounds = if sites >= 15 { 1 } else { rng.random_range(1..=4) };
        let releases = if rng.random_bool(0.7) { rounds } else { rng.random_range(0..=rounds) };
        let mut schedule = Self {
            seed: rng.random(),
            sites,
            colluders_max,
            min_sites,
            rounds,
            releases,
            colluding: BTreeSet::new(),
            ops: Vec::new(),
        };
        match rng.random_range(0..10) {
            0 => {}
            1 => schedule.draw_short_cuts(rng),
            2 => schedule.draw_restarts(rng),
            3..=5 => schedule.draw_attacks(rng),
            _ => schedule.draw_faults(rng),
        }
        schedule
    }

    /// Whether nothing goes wrong but lines, and a coordinator, that come back soon: then every round must
    /// open.
    pub fn must_open(&self) -> bool {
        let short = |op: &Op| match op {
            Op::Cut { for_ms, .. } | Op::Kill { who: Who::Coordinator, for_ms, .. } => {
                *for_ms <= SHORT_MS
            }
            _ => false,
        };
        let cuts: Vec<u16> = self.ops.iter().filter_map(cut_site).collect();
        let sites: BTreeSet<u16> = cuts.iter().copied().collect();
        self.ops.iter().all(short) && sites.len() == cuts.len()
    }

    /// The coordinator dies up to eight times, some of them right after it started, and comes back soon.
    fn draw_restarts(&mut self, rng: &mut ChaCha20Rng) {
        let mut act = rng.random_range(0..u32::from(self.sites) * 11);
        for _ in 0..rng.random_range(1..=8) {
            let side = if rng.random() { Side::Before } else { Side::After };
            let for_ms = rng.random_range(1..=SHORT_MS);
            self.ops.push(Op::Kill { who: Who::Coordinator, act, side, for_ms });
            let near = rng.random_bool(0.5);
            act += rng.random_range(1..if near { 4 } else { u32::from(self.sites) * 11 });
        }
    }

    /// Some of the sites and the coordinator cannot reach each other, all at once.
    fn draw_partition(&mut self, rng: &mut ChaCha20Rng) {
        let at_ms = rng.random_range(0..u32::from(self.rounds) * 4000);
        let for_ms = 1_u32 << rng.random_range(4..17);
        for site in 1..=self.sites {
            if rng.random_bool(0.4) {
                self.ops.push(Op::Cut { site, at_ms, for_ms });
            }
        }
    }

    /// Each site loses its line once at most, for less than a phase.
    fn draw_short_cuts(&mut self, rng: &mut ChaCha20Rng) {
        let end_ms = u32::from(self.rounds) * 4000;
        for site in 1..=self.sites {
            if rng.random_bool(0.6) {
                let at_ms = rng.random_range(0..end_ms);
                self.ops.push(Op::Cut { site, at_ms, for_ms: rng.random_range(1..=SHORT_MS) });
            }
        }
    }

    fn draw_faults(&mut self, rng: &mut ChaCha20Rng) {
        if rng.random_bool(0.3) {
            self.draw_colluding(rng);
            for site in self.colluding.clone() {
                let lie = LIES.get(rng.random_range(0..LIES.len())).copied();
                self.ops.extend(lie.map(|lie| Op::Lie { site, lie }));
            }
        }
        if rng.random_bool(0.15) {
            self.draw_partition(rng);
        }
        if rng.random_bool(0.15) {
            let end_ms = u32::from(self.rounds) * 4000;
            self.ops.push(Op::SetBack {
                site: rng.random_range(1..=self.sites),
                charge: rng.random_range(0..self.rounds),
                at_ms: rng.random_range(1000..=end_ms),
                for_ms: 1_u32 << rng.random_range(4..13),
            });
        }
        for _ in 0..rng.random_range(1..=6) {
            let op = self.draw_op(rng);
            self.ops.push(op);
        }
    }

    fn draw_attacks(&mut self, rng: &mut ChaCha20Rng) {
        if rng.random_bool(0.8) {
            self.draw_colluding(rng);
        }
        for round in 1..=self.rounds {
            if rng.random_bool(0.3) {
                continue; // an honest round between: something to replay, and sets to differ from
            }
            for attack in ATTACKS {
                if rng.random_bool(0.25) {
                    self.ops.push(Op::Attack { round, attack });
                }
            }
        }
        for _ in 0..rng.random_range(0..=2) {
            let op = self.draw_op(rng);
            self.ops.push(op);
        }
    }

    fn draw_colluding(&mut self, rng: &mut ChaCha20Rng) {
        while self.colluding.len() < usize::from(self.colluders_max) {
            self.colluding.insert(rng.random_range(1..=self.sites));
        }
    }

    fn draw_op(&self, rng: &mut ChaCha20Rng) -> Op {
        let rounds = u32::from(self.rounds);
        let messages = u32::from(self.sites) * 11 * rounds;
        let message = rng.random_range(0..messages);
        let site = rng.random_range(1..=self.sites);
        let ms = 1_u32 << rng.random_range(4..17);
        let edge = if rng.random() { Side::Before } else { Side::After };
        match rng.random_range(0..14) {
            0 => Op::Lose { message },
            1 | 2 => Op::Delay { message, ms },
            3 | 4 => Op::Duplicate { message, ms },
            5 | 6 => Op::Cut { site, at_ms: rng.random_range(0..rounds * 4000), for_ms: ms },
            7..=9 => {
                let act = rng.random_range(0..rounds * 11);
                Op::Kill { who: Who::Site(site), act, side: edge, for_ms: ms }
            }
            10 | 11 => {
                let act = rng.random_range(0..messages + rounds * 6);
                Op::Kill { who: Who::Coordinator, act, side: edge, for_ms: ms }
            }
            12 => Op::Slow { site, ms },
            _ => Op::DiskFails { site, charge: rng.random_range(0..self.rounds), side: edge },
        }
    }
}

/// A cut of at most so long is over well within a phase.
const SHORT_MS: u32 = 4000;

fn cut_site(op: &Op) -> Option<u16> {
    match op {
        Op::Cut { site, .. } => Some(*site),
        _ => None,
    }
}

/// T of the protocol, as the roster computes it.
fn threshold(sites: u16, colluders_max: u16) -> u16 {
    u16::midpoint(sites, colluders_max) + 1
}
