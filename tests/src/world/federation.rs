//! The hospitals of a simulated world: a small study, their keys, budgets, rows, and exact sums.
use super::op::Schedule;
use super::rule::{Failure, Rule};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use tacit_shared::codec;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::accountant::{Budget, Cost};
use tacit_shared::privacy::ledger::{Budgets, Entry, Journal, Ledger};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::privacy::release::{Noise, release};
use tacit_shared::privacy::sampler::DiscreteGaussian;
use tacit_shared::protocol::config::{Deadlines, RoundConfig, RoundId, RoundIdentity};
use tacit_shared::protocol::host;
use tacit_shared::protocol::site::{self, Policy};
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::secagg::key::identity::IdentityKey;
use tacit_shared::study::Study;
use tacit_shared::summary::contribution::Contribution;
use tacit_shared::summary::feature::{FeatureRow, Measured, Value};
use tacit_shared::summary::sum::SiteSum;
use tacit_shared::units::{Delta, Epsilon};

use super::op::Side;

/// The study; `MIN` stands for the least number of sites.
const STUDY: &str = include_str!("../../tests/round/small.toml");
/// How long the coordinator waits in each phase.
pub(super) const PHASE_MS: u32 = 20_000;

/// The hospitals, and what they agreed on.
pub(super) struct Federation {
    pub(super) study: Study,
    pub(super) roster: Roster,
    pub(super) plan: Plan,
    pub(super) budgets: Budgets,
    pub(super) host: Arc<host::Context>,
    pub(super) sites: BTreeMap<SiteIndex, Hospital>,
    seed: u64,
}

/// One hospital.
pub(super) struct Hospital {
    pub(super) context: Arc<site::Context>,
    /// What the oracle knows: the exact sum of its rows.
    pub(super) exact: Vec<i64>,
    rows: u64,
}

impl Federation {
    /// The hospitals of a schedule.
    pub(super) fn of(schedule: &Schedule) -> Result<Self, Failure> {
        let study = Study::parse(&STUDY.replace("MIN", &schedule.min_sites.to_string()));
        let study = study.map_err(unbuilt)?;
        let parties: Result<Vec<Party>, Failure> = (1..=schedule.sites).map(party).collect();
        let federation = "world".parse().map_err(unbuilt)?;
        let t = schedule.colluders_max;
        let roster = Roster::of(federation, 1, t, party(0)?, parties?).map_err(unbuilt)?;
        let plan = Plan::new(&study, &roster).map_err(unbuilt)?;
        let budgets = budgets(&plan, schedule.releases)?;
        let context =
            host::Context { identity: identity(0)?, roster: roster.clone(), plan: plan.clone() };
        let mut world = Self {
            study,
            roster,
            plan,
            budgets,
            host: Arc::new(context),
            sites: BTreeMap::new(),
            seed: schedule.seed,
        };
        for me in world.plan.sites().to_vec() {
            let context = site::Context {
                identity: identity(me.value())?,
                roster: world.roster.clone(),
                plan: world.plan.clone(),
                me,
                policy: Policy::default(),
            };
            let rows = schedule.seed ^ u64::from(me.value());
            let exact = world.exact(world.sum_of(me, rows)?)?;
            world.sites.insert(me, Hospital { context: Arc::new(context), exact, rows });
        }
        Ok(world)
    }

    /// The configuration of a round.
    pub(super) fn config(&self, counter: u64, salt: u64) -> RoundConfig {
        let ms = PHASE_MS;
        let deadlines = Deadlines {
            advertise_ms: ms,
            shares_ms: ms,
            masked_ms: ms,
            vote_ms: ms,
            unmask_ms: ms,
        };
        let fields = [self.seed.to_be_bytes(), counter.to_be_bytes(), salt.to_be_bytes()];
        let round_id = RoundId(*codec::hash("round of a world", &[&fields.concat()]).as_bytes());
        let identity = RoundIdentity { round_id, counter, deadlines, retry_of: None };
        RoundConfig::new(&self.plan, self.roster.federation(), &identity)
    }

    /// The sum of a site's rows, the same in every round.
    pub(super) fn sum(&self, site: SiteIndex) -> Result<SiteSum, Failure> {
        let rows = self.sites.get(&site).map(|hospital| hospital.rows);
        self.sum_of(site, rows.ok_or_else(|| unbuilt("a site without rows"))?)
    }

    fn sum_of(&self, site: SiteIndex, rows: u64) -> Result<SiteSum, Failure> {
        let rng = &mut ChaCha20Rng::seed_from_u64(rows);
        let mut sum = SiteSum::new(self.plan.layout().dimension(), self.plan.rows_max());
        for _ in 0..rng.random_range(1..5) {
            let levels = ["internal", "emergency", "oncology"];
            let level =
                levels.get(rng.random_range(0..levels.len())).copied().unwrap_or("internal");
            let measured = Measured {
                outcome: rng.random_range(5.0..55.0),
                features: vec![
                    Value::Number(rng.random_range(0.0..6.0)),
                    Value::Level(level.parse().map_err(unbuilt)?),
                ],
                groups: vec![rng.random_range(0.0..0.5)],
                histograms: vec![],
            };
            let row = FeatureRow::new(self.study.schema(), &measured).map_err(unbuilt)?;
            let contribution = Contribution::of(self.plan.layout(), site, &row);
            sum = sum.add(&contribution).map_err(unbuilt)?;
        }
        Ok(sum)
    }

    /// The numbers of a sum, read from the opening of a release that goes nowhere.
    fn exact(&self, sum: SiteSum) -> Result<Vec<i64>, Failure> {
        let round = Digest::new([0; 32]);
        let mut ledger =
            Ledger::open(Paper::default(), &[], budgets(&self.plan, 1)?).map_err(unbuilt)?;
        let paid = ready(ledger.charge(&self.plan, round, 0))?.map_err(unbuilt)?;
        let noise = Noise::draw(&self.plan, round, [0; 32]).map_err(unbuilt)?;
        let (_, opening) = release(sum, paid, noise, [0; 32]).map_err(unbuilt)?;
        let bytes = opening.for_the_hospitals_own_evidence();
        Ok(bytes.get(64..).map(integers).unwrap_or_default())
    }

    /// Exact sum and noise of a release, as an auditor gets them from the opening that the site kept.
    pub(super) fn recorded(&self, opening: &[u8]) -> Option<(Vec<i64>, Vec<i64>)> {
        let (head, sum) = opening.split_at_checked(64)?;
        let seed: &[u8; 32] = head.get(32..)?.try_into().ok()?;
        let mut noise = vec![0; self.plan.layout().dimension()];
        let gaussian = DiscreteGaussian::new(self.plan.noise().site_scale()).ok()?;
        gaussian.fill(seed, &mut noise).ok()?;
        Some((integers(sum), noise))
    }
}

/// Little-endian integers of 8 bytes.
pub(super) fn integers(bytes: &[u8]) -> Vec<i64> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().map(|number| i64::from_le_bytes(*number)).collect()
}

/// The lasting key of a site; that of the coordinator at 0.
pub(super) fn identity(index: u16) -> Result<IdentityKey, Failure> {
    let seed = codec::hash("key of a world", &[&index.to_be_bytes()]);
    IdentityKey::from_seed(seed.as_bytes()).map_err(unbuilt)
}

fn party(index: u16) -> Result<Party, Failure> {
    let name = if index == 0 { "convener".to_owned() } else { format!("site-{index}") };
    let certificate = codec::hash("certificate of a world", &[&index.to_be_bytes()]);
    Ok(Party {
        id: name.parse().map_err(unbuilt)?,
        name,
        signing_key: Key(*identity(index)?.verifying_key().as_bytes()),
        certificate: Key(*certificate.as_bytes()),
    })
}

/// The least budgets, in steps of a twentieth, that pay for so many releases; 0.2 pays for none.
fn budgets(plan: &Plan, releases: u16) -> Result<Budgets, Failure> {
    let budget = |step: i32| {
        let epsilon = Epsilon::new(0.2 * 1.05_f64.powi(step)).map_err(unbuilt)?;
        Budget::new(epsilon, Delta::new(1e-6).map_err(unbuilt)?).map_err(unbuilt)
    };
    let least = |one: Cost| {
        let times = u128::from(releases);
        let all = Cost { rho_fp: one.rho_fp * times, lattice_fp: one.lattice_fp * times };
        let (mut low, mut high) = (0, if releases == 0 { 0 } else { 255 });
        while low < high {
            let middle = i32::midpoint(low, high);
            if budget(middle)?.admits(Cost::ZERO, all) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        budget(low)
    };
    let charges = plan.charges();
    Ok(Budgets { clinician: least(charges.clinician)?, patient: least(charges.patient)? })
}

/// What a failed construction means: the world is at fault, not the code under test.
pub(super) fn unbuilt(problem: impl Display) -> Failure {
    Failure { rule: Rule::World, what: problem.to_string(), at_ms: 0 }
}

/// The result of a future that never has to wait.
pub(super) fn ready<F: Future>(future: F) -> Result<F::Output, Failure> {
    match pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(unbuilt("a journal in memory had to wait")),
    }
}

/// What a journal writes on: it outlives the program.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) entries: Vec<Entry>,
    /// The next write is reported as failed, written or not.
    pub(super) jam: Option<Side>,
}

/// A journal in memory that can fail.
#[derive(Clone, Debug, Default)]
pub(super) struct Paper(Arc<Mutex<Sheet>>);

impl Paper {
    /// The sheet behind it.
    pub(super) fn sheet(&self) -> MutexGuard<'_, Sheet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The disk said no.
#[derive(Debug, thiserror::Error)]
#[error("the disk reports a failure")]
pub(super) struct Jammed;

impl Journal for Paper {
    type Error = Jammed;

    async fn append(&mut self, entry: &Entry) -> Result<(), Jammed> {
        let mut sheet = self.sheet();
        let jam = sheet.jam.take();
        if jam != Some(Side::Before) {
            sheet.entries.push(entry.clone());
        }
        if jam.is_some() { Err(Jammed) } else { Ok(()) }
    }
}
