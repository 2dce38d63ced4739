//! Whole rounds in one thread: real sites and a real host, virtual time, a network that can meddle.
//!
//! Everything follows from seeds, so a test can run the same round twice and alter one message.
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tacit_shared::codec;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::accountant::Budget;
use tacit_shared::privacy::ledger::{Budgets, Charge, Entry, Journal, Ledger};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::privacy::sampler::DiscreteGaussian;
use tacit_shared::protocol::config::{Deadlines, RoundConfig, RoundId, RoundIdentity};
use tacit_shared::protocol::error::ProtocolError;
use tacit_shared::protocol::host::{self, Host, Opened, ResumeError};
use tacit_shared::protocol::message::{ToHost, ToSite};
use tacit_shared::protocol::site::{self, History, Policy, Record, Site};
use tacit_shared::protocol::transcript;
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::secagg::key::identity::IdentityKey;
use tacit_shared::study::Study;
use tacit_shared::summary::contribution::Contribution;
use tacit_shared::summary::feature::{FeatureRow, Measured, Value};
use tacit_shared::summary::sum::SiteSum;
use tacit_shared::units::{Delta, Epsilon};

/// A small sound study; `MIN` stands for the least number of sites.
const STUDY: &str = include_str!("small.toml");

/// How long each phase lasts in virtual time.
pub(crate) const PHASE_MS: u32 = 60_000;

/// The site at an index from 1.
pub(crate) fn at(index: u16) -> SiteIndex {
    SiteIndex::new(index).unwrap()
}

/// A set of sites.
pub(crate) fn set(indices: impl IntoIterator<Item = u16>) -> BTreeSet<SiteIndex> {
    indices.into_iter().map(at).collect()
}

/// The lasting key of a site; that of the coordinator at 0.
pub(crate) fn identity(index: u16) -> IdentityKey {
    IdentityKey::from_seed(codec::hash("key of a test", &[&index.to_be_bytes()]).as_bytes())
        .unwrap()
}

fn party(index: u16) -> Party {
    let name = if index == 0 { "convener".to_owned() } else { format!("site-{index}") };
    let certificate = codec::hash("certificate of a test", &[&index.to_be_bytes()]);
    Party {
        id: name.parse().unwrap(),
        name,
        signing_key: Key(*identity(index).verifying_key().as_bytes()),
        certificate: Key(*certificate.as_bytes()),
    }
}

/// A study among hospitals that all approved it.
#[derive(Clone, Debug)]
pub(crate) struct Federation {
    /// The study.
    pub(crate) study: Study,
    /// The hospitals.
    pub(crate) roster: Roster,
    /// Both in numbers.
    pub(crate) plan: Plan,
}

impl Federation {
    /// `n` sites, `t` of them possibly colluding, at least `m` of them in every sum.
    pub(crate) fn of(n: u16, t: u16, m: u16) -> Self {
        let study = Study::parse(&STUDY.replace("MIN", &m.to_string())).unwrap();
        let sites = (1..=n).map(party).collect();
        let roster = Roster::of("demo".parse().unwrap(), 1, t, party(0), sites).unwrap();
        let plan = Plan::new(&study, &roster).unwrap();
        Self { study, roster, plan }
    }

    /// The configuration of the round with this counter.
    pub(crate) fn config(&self, counter: u64) -> RoundConfig {
        let ms = PHASE_MS;
        let deadlines = Deadlines {
            advertise_ms: ms,
            shares_ms: ms,
            masked_ms: ms,
            vote_ms: ms,
            unmask_ms: ms,
        };
        let round_id = codec::hash("round of a test", &[&counter.to_be_bytes()]);
        let round_id = RoundId(*round_id.as_bytes());
        let identity = RoundIdentity { round_id, counter, deadlines, retry_of: None };
        RoundConfig::new(&self.plan, self.roster.federation(), &identity)
    }

    /// A site with this memory and policy, at time 0.
    pub(crate) fn site(&self, index: SiteIndex, history: History, policy: Policy) -> Site {
        let context = site::Context {
            identity: identity(index.value()),
            roster: self.roster.clone(),
            plan: self.plan.clone(),
            me: index,
            policy,
        };
        Site::new(Arc::new(context), history, 0)
    }

    /// A host for the round with this counter.
    pub(crate) fn host(&self, counter: u64) -> Host {
        Host::new(self.host_context(), self.config(counter)).unwrap()
    }

    /// A host that takes up the round with this counter, at this time.
    pub(crate) fn resumed(
        &self,
        counter: u64,
        transcript: &[transcript::Entry],
        now: u64,
    ) -> Result<(Host, Vec<host::Effect>), ResumeError> {
        let entries = transcript.iter().cloned();
        Host::resume(self.host_context(), self.config(counter), entries, now)
    }

    fn host_context(&self) -> Arc<host::Context> {
        let (roster, plan) = (self.roster.clone(), self.plan.clone());
        Arc::new(host::Context { identity: identity(0), roster, plan })
    }

    /// The exact sum of `rows` clinicians drawn at random.
    pub(crate) fn sum(&self, site: SiteIndex, rows: u32, rng: &mut ChaCha20Rng) -> SiteSum {
        let empty = SiteSum::new(self.plan.layout().dimension(), self.plan.rows_max());
        (0..rows).try_fold(empty, |sum, _| sum.add(&self.contribution(site, rng))).unwrap()
    }

    /// One clinician drawn at random.
    pub(crate) fn contribution(&self, site: SiteIndex, rng: &mut ChaCha20Rng) -> Contribution {
        let level = ["internal", "emergency", "oncology"].get(rng.random_range(0..3));
        let measured = Measured {
            outcome: rng.random_range(5.0..55.0),
            features: vec![
                Value::Number(rng.random_range(0.0..6.0)),
                Value::Level(level.unwrap().parse().unwrap()),
            ],
            groups: vec![rng.random_range(0.0..0.5)],
            histograms: vec![],
        };
        let row = FeatureRow::new(self.study.schema(), &measured).unwrap();
        Contribution::of(self.plan.layout(), site, &row)
    }

    /// Exact sum plus noise of one site, as an auditor gets it from the opening that the site kept.
    pub(crate) fn recomputed(&self, opening: &[u8]) -> (Vec<i64>, Vec<i64>) {
        let (head, sum) = opening.split_at(64);
        let (_, seed) = head.split_at(32);
        let numbers = sum.as_chunks::<8>().0;
        let exact: Vec<i64> = numbers.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
        let mut noise = vec![0; self.plan.layout().dimension()];
        let gaussian = DiscreteGaussian::new(self.plan.noise().site_scale()).unwrap();
        gaussian.fill(seed.try_into().unwrap(), &mut noise).unwrap();
        (exact, noise)
    }
}

/// A journal in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory(
    /// The entries written.
    pub(crate) Vec<Entry>,
);

impl Journal for Memory {
    type Error = Infallible;
    async fn append(&mut self, entry: &Entry) -> Result<(), Infallible> {
        self.0.push(entry.clone());
        Ok(())
    }
}

/// The result of a future that never has to wait.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a future in memory had to wait"),
    }
}

/// Budgets of ε for clinicians and for patients.
pub(crate) fn budgets(clinician: f64, patient: f64) -> Budgets {
    let budget =
        |epsilon| Budget::new(Epsilon::new(epsilon).unwrap(), Delta::new(1e-6).unwrap()).unwrap();
    Budgets { clinician: budget(clinician), patient: budget(patient) }
}

/// A charge of one release of a plan.
pub(crate) fn charge(plan: &Plan, round: Digest) -> Charge {
    let mut ledger = Ledger::open(Memory::default(), &[], budgets(10.0, 20.0)).unwrap();
    now(ledger.charge(plan, round, 1_790_000_000)).unwrap()
}

/// One message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// From the coordinator to a site.
    Down(SiteIndex, ToSite),
    /// From a site to the coordinator.
    Up(SiteIndex, ToHost),
}

/// Says which bytes arrive in the place of a message.
pub(crate) type Meddle<'m> = dyn FnMut(&Passing, Vec<u8>) -> Vec<Vec<u8>> + 'm;

/// A round under way.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    /// Who takes part.
    pub(crate) federation: &'a Federation,
    /// The coordinator's machine, until it fails.
    pub(crate) host: Option<Host>,
    /// The sites still alive.
    pub(crate) sites: BTreeMap<SiteIndex, Site>,
    /// Rows that each site sums.
    pub(crate) rows: BTreeMap<SiteIndex, u32>,
    /// Openings that sites kept.
    pub(crate) openings: BTreeMap<SiteIndex, Vec<u8>>,
    /// What sites made durable.
    pub(crate) records: Vec<(SiteIndex, Record)>,
    /// What the coordinator made durable.
    pub(crate) transcript: Vec<transcript::Entry>,
    /// Sites that refused, and why.
    pub(crate) refusals: BTreeMap<SiteIndex, ProtocolError>,
    /// Sites that the coordinator dropped, and why.
    pub(crate) dropped: BTreeMap<SiteIndex, String>,
    /// Sites that saw the result.
    pub(crate) informed: BTreeSet<SiteIndex>,
    /// The result.
    pub(crate) opened: Option<Opened>,
    /// Why the coordinator gave up.
    pub(crate) failure: Option<ProtocolError>,
    /// The coordinator's program ends, once, when its transcript has so many entries.
    pub(crate) ends_at: Option<usize>,
    down: VecDeque<(SiteIndex, Arc<Vec<u8>>)>,
    up: VecDeque<(SiteIndex, Vec<u8>)>,
    clock: u64,
    rng: ChaCha20Rng,
}

impl<'a> Round<'a> {
    /// A round of all sites, with fresh memories, that follows from the seed.
    pub(crate) fn new(federation: &'a Federation, seed: u64) -> Self {
        let sites = federation.plan.sites().iter();
        let fresh = |index: &SiteIndex| {
            (*index, federation.site(*index, History::default(), Policy::default()))
        };
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        Self {
            federation,
            host: Some(federation.host(1)),
            sites: sites.clone().map(fresh).collect(),
            rows: sites.map(|index| (*index, rng.random_range(2..6))).collect(),
            openings: BTreeMap::new(),
            records: Vec::new(),
            transcript: Vec::new(),
            refusals: BTreeMap::new(),
            dropped: BTreeMap::new(),
            informed: BTreeSet::new(),
            opened: None,
            failure: None,
            ends_at: None,
            down: VecDeque::new(),
            up: VecDeque::new(),
            clock: 0,
            rng,
        }
    }

    /// Runs to the end. `meddle` is shown each message and says which bytes arrive in its place: the
    /// same, none, others or several.
    pub(crate) fn run(&mut self, meddle: &mut Meddle<'_>) {
        self.tell_host(host::Event::Start);
        while !self.is_over() {
            if let Some((to, bytes)) = self.down.pop_front() {
                let passing = Passing::Down(to, codec::decode(&bytes).unwrap());
                for bytes in meddle(&passing, bytes.to_vec()) {
                    self.tell_site(to, site::Event::Received(bytes));
                }
            } else if let Some((from, bytes)) = self.up.pop_front() {
                let passing = Passing::Up(from, codec::decode(&bytes).unwrap());
                for bytes in meddle(&passing, bytes) {
                    self.tell_host(host::Event::Received { from, bytes });
                }
            } else {
                self.clock += u64::from(PHASE_MS);
                self.tell_host(host::Event::Tick);
            }
        }
    }

    fn is_over(&self) -> bool {
        let waiting = self.host.as_ref().is_some_and(|host| !host.is_done());
        !waiting && self.down.is_empty() && self.up.is_empty()
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.clock += ms;
    }

    /// Hands the coordinator an event.
    pub(crate) fn tell_host(&mut self, event: host::Event) {
        let Some(host) = self.host.take() else { return };
        match host.step(self.clock, event) {
            Ok((host, effects)) => {
                self.host = Some(host);
                for effect in effects {
                    self.host_does(effect);
                    if self.ends_at == Some(self.transcript.len()) {
                        return self.restart_host(); // with what it was still to do
                    }
                }
            }
            Err(error) => self.failure = Some(error),
        }
    }

    /// Everything on its way is lost; the coordinator goes on from its transcript.
    fn restart_host(&mut self) {
        self.ends_at = None;
        self.down.clear();
        self.up.clear();
        self.dropped.clear();
        let (host, effects) = self.federation.resumed(1, &self.transcript, self.clock).unwrap();
        self.host = Some(host);
        for effect in effects {
            self.host_does(effect);
        }
    }

    fn host_does(&mut self, effect: host::Effect) {
        match effect {
            host::Effect::Persist(entry) => self.transcript.push(entry),
            host::Effect::Send { to, bytes } => self.down.push_back((to, bytes)),
            host::Effect::Dropped { site, reason } => {
                assert_eq!(self.dropped.insert(site, reason), None, "dropped twice");
            }
            host::Effect::Opened(opened) => self.opened = Some(*opened),
        }
    }

    /// Hands a site an event; a site that refuses is gone, and tells the coordinator so.
    pub(crate) fn tell_site(&mut self, index: SiteIndex, event: site::Event) {
        let Some(site) = self.sites.remove(&index) else { return };
        match site.step(self.clock, event, &mut self.rng) {
            Ok((site, effects)) => {
                self.sites.insert(index, site);
                for effect in effects {
                    self.site_does(index, effect);
                }
            }
            Err(error) => {
                let declined = ToHost::Declined(error.to_string());
                self.up.push_back((index, codec::encode(&declined).unwrap()));
                self.refusals.insert(index, error);
            }
        }
    }

    fn site_does(&mut self, index: SiteIndex, effect: site::Effect) {
        match effect {
            site::Effect::Persist(record) => self.records.push((index, record)),
            site::Effect::Keep(opening) => {
                let bytes = opening.for_the_hospitals_own_evidence().to_vec();
                assert!(self.openings.insert(index, bytes).is_none(), "released twice");
            }
            site::Effect::Collect { round } => {
                let rows = self.rows.get(&index).copied().unwrap_or(3);
                let sum = self.federation.sum(index, rows, &mut self.rng);
                let paid = charge(&self.federation.plan, round);
                self.tell_site(index, site::Event::Funded { sum, paid });
            }
            site::Effect::Send(bytes) => self.up.push_back((index, bytes)),
            site::Effect::Done(_) => {
                self.informed.insert(index);
            }
        }
    }

    /// Asserts that the opened sum is that of exact sums and noises of these sites, modulo 2⁶⁴.
    pub(crate) fn assert_opened(&self, survivors: &BTreeSet<SiteIndex>) {
        let opened = self.opened.as_ref().unwrap_or_else(|| {
            panic!("not opened: {:?}, refused {:?}", self.failure, self.refusals)
        });
        assert_eq!(opened.aggregate.survivors(), survivors);
        let mut expected = vec![0_i64; self.federation.plan.layout().dimension()];
        for site in survivors {
            let opening = self.openings.get(site).unwrap();
            let (exact, noise) = self.federation.recomputed(opening);
            assert_eq!(exact.len(), expected.len());
            for (total, (x, z)) in expected.iter_mut().zip(exact.iter().zip(noise)) {
                *total = total.wrapping_add(*x).wrapping_add(z);
            }
        }
        assert_eq!(opened.aggregate.sum(), expected);
    }
}

/// Everything arrives.
pub(crate) fn faithful(_: &Passing, bytes: Vec<u8>) -> Vec<Vec<u8>> {
    vec![bytes]
}
