//! A round in which every site is real, and what each phase of it took.
use crate::report::cpu_s;
use crate::setting::{Fallible, PHASE_MS, Setting};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use tacit_shared::id::SiteIndex;
use tacit_shared::privacy::sampler::DiscreteGaussian;
use tacit_shared::protocol::host::{self, Host, Opened};
use tacit_shared::protocol::site::{self, Site};
use tacit_shared::secagg::work::Workers;
use tacit_shared::summary::sum::SiteSum;

/// Where a round's time went, in processor seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// The mean node: M1, M3, M5, and the rest.
    pub(crate) node_s: [f64; 4],
    /// The coordinator: keys and shares, inputs, votes, the opening.
    pub(crate) host_s: [f64; 4],
    /// The opening, by the clock on the wall.
    pub(crate) opening_wall_s: f64,
    /// What one node sent.
    pub(crate) node_up_bytes: f64,
    /// Masked vectors that came, and how much the process grew meanwhile.
    pub(crate) came_mb: f64,
    pub(crate) grew_mb: f64,
}

impl Spent {
    /// Puts a step of the coordinator down to what was due before it.
    pub(crate) fn host(&mut self, due: &str, cpu_s: f64) {
        let [early, inputs, votes, opening] = &mut self.host_s;
        let phase = match due {
            "start" | "keys" | "shares" => early,
            "masked vectors" => inputs,
            "votes" => votes,
            _ => opening,
        };
        *phase += cpu_s;
    }

    /// Puts a step of a node down to what was due before it.
    pub(crate) fn node(&mut self, due: &str, cpu_s: f64) {
        let [keys, shares, input, later] = &mut self.node_s;
        let phase = match due {
            "announcement" => keys,
            "directory" => shares,
            "delivery" | "local sum" => input,
            _ => later,
        };
        *phase += cpu_s;
    }
}

/// Runs a round that `lost` sites leave after they shared, and checks its result.
pub(crate) fn round(setting: &Setting, lost: u16, workers: Arc<dyn Workers>) -> Fallible<Spent> {
    let all = setting.sites();
    let gone = all.iter().rev().take(usize::from(lost)).copied().collect();
    let sites: Fallible<BTreeMap<SiteIndex, Site>> =
        all.iter().map(|index| Ok((*index, setting.site(*index)?))).collect();
    let mut round = Round {
        setting,
        gone,
        host: Some(setting.host()?.with_workers(workers)),
        sites: sites?,
        openings: BTreeMap::new(),
        opened: None,
        spent: Spent::default(),
        down: VecDeque::new(),
        up: VecDeque::new(),
        clock: 0,
        rng: ChaCha20Rng::seed_from_u64(7),
    };
    round.run()?;
    round.check()?;
    let nodes = f64::from(u16::try_from(all.len())?);
    round.spent.node_s.iter_mut().for_each(|s| *s /= nodes);
    round.spent.node_up_bytes /= nodes;
    Ok(round.spent)
}

struct Round<'a> {
    setting: &'a Setting,
    gone: BTreeSet<SiteIndex>,
    host: Option<Host>,
    sites: BTreeMap<SiteIndex, Site>,
    openings: BTreeMap<SiteIndex, Vec<u8>>,
    opened: Option<Box<Opened>>,
    spent: Spent,
    down: VecDeque<(SiteIndex, Arc<Vec<u8>>)>,
    up: VecDeque<(SiteIndex, Vec<u8>)>,
    clock: u64,
    rng: ChaCha20Rng,
}

impl Round<'_> {
    fn run(&mut self) -> Fallible<()> {
        self.tell_host(host::Event::Start)?;
        loop {
            if let Some((to, bytes)) = self.down.pop_front() {
                self.tell_site(to, site::Event::Received(bytes.to_vec()))?;
            } else if let Some((from, bytes)) = self.up.pop_front() {
                self.tell_host(host::Event::Received { from, bytes })?;
            } else if self.opened.is_some() {
                return Ok(());
            } else {
                self.clock += u64::from(PHASE_MS);
                self.tell_host(host::Event::Tick)?;
            }
        }
    }

    fn tell_host(&mut self, event: host::Event) -> Fallible<()> {
        let host = self.host.take().ok_or("the coordinator gave up")?;
        let (due, start, wall) = (host.due(), cpu_s(), Instant::now());
        let (host, effects) = host.step(self.clock, event)?;
        self.spent.host(due, cpu_s() - start);
        self.host = Some(host);
        for effect in effects {
            match effect {
                host::Effect::Send { to, bytes } => self.down.push_back((to, bytes)),
                host::Effect::Opened(opened) => {
                    self.spent.opening_wall_s = wall.elapsed().as_secs_f64();
                    self.opened = Some(opened);
                }
                host::Effect::Persist(_) | host::Effect::Dropped { .. } => {}
            }
        }
        Ok(())
    }

    fn tell_site(&mut self, index: SiteIndex, event: site::Event) -> Fallible<()> {
        let Some(site) = self.sites.remove(&index) else { return Ok(()) };
        let (due, start) = (site.due(), cpu_s());
        let (site, effects) = site.step(self.clock, event, &mut self.rng)?;
        self.spent.node(due, cpu_s() - start);
        self.sites.insert(index, site);
        for effect in effects {
            match effect {
                site::Effect::Send(bytes) => {
                    self.spent.node_up_bytes += f64::from(u32::try_from(bytes.len())?);
                    self.up.push_back((index, bytes));
                }
                site::Effect::Keep(opening) => {
                    let bytes = opening.for_the_hospitals_own_evidence().to_vec();
                    self.openings.insert(index, bytes);
                }
                site::Effect::Collect { .. } if self.gone.contains(&index) => {
                    self.sites.remove(&index);
                }
                site::Effect::Collect { round } => {
                    let plan = &self.setting.plan;
                    let sum = SiteSum::new(plan.layout().dimension(), plan.rows_max());
                    let paid = self.setting.charge(round)?;
                    self.tell_site(index, site::Event::Funded { sum, paid })?;
                }
                site::Effect::Persist(_) | site::Effect::Done(_) => {}
            }
        }
        Ok(())
    }

    /// The opened sum is the noise of the survivors: their sums were empty.
    fn check(&self) -> Fallible<()> {
        let opened = self.opened.as_ref().ok_or("nothing was opened")?;
        let gaussian = DiscreteGaussian::new(self.setting.plan.noise().site_scale())?;
        let mut expected = vec![0_i64; self.setting.dimension()];
        let mut noise = expected.clone();
        for site in opened.aggregate.survivors() {
            let opening = self.openings.get(site).ok_or("a survivor kept no opening")?;
            let seed = opening.get(32..64).ok_or("a short opening")?;
            gaussian.fill(seed.try_into()?, &mut noise)?;
            for (total, z) in expected.iter_mut().zip(&noise) {
                *total = total.wrapping_add(*z);
            }
        }
        if opened.aggregate.sum() == expected { Ok(()) } else { Err("a false sum".into()) }
    }
}
