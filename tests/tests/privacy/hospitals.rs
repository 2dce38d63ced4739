//! Hospitals that release through the real path, and an attacker who knows all but one person.
//!
//! Each release is `SiteSum → Ledger::charge → Noise::draw → release → mask`, with fresh seeds. The
//! attacker is the coordinator with the colluding sites: it has the sum of the sites that answered,
//! the masks taken off, knows every row of everybody else, and the colluders tell it their noise.
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::accountant::Budget;
use tacit_shared::privacy::ledger::{Budgets, Entry, Journal, Ledger};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::privacy::release::{Noise, release};
use tacit_shared::privacy::sampler::DiscreteGaussian;
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::secagg::mask::{MaskSeeds, mask};
use tacit_shared::secagg::pad::{PadKey, sub_pad};
use tacit_shared::study::Study;
use tacit_shared::summary::contribution::Contribution;
use tacit_shared::summary::feature::{FeatureRow, Measured};
use tacit_shared::summary::sum::SiteSum;
use tacit_shared::units::{Delta, Epsilon};
use zeroize::Zeroizing;

const STUDY: &str = include_str!("study.toml");

/// Shares like those of a real study: a clinician's row moves many numbers at once.
pub(crate) const MIXED: &str = "matrix = 0.3\nmoment = 0.35\nsquare = 0.03\ngroup_heads = 0.06\n\
    group_residual = 0.09\ngroup_features = 0.05\nsite_heads = 0.05\nsite_residual = 0.05\n\
    site_features = 0.01\nmeta = 0.01";

/// Nearly all in x̃r, which turns round with the residual: the other end of the ball is within reach.
pub(crate) const TURNING: &str = "matrix = 1e-4\nmoment = 0.9\nsquare = 1e-4\ngroup_heads = 1e-4\n\
    group_residual = 0.05\ngroup_features = 1e-4\nsite_heads = 1e-4\nsite_residual = 0.0492\n\
    site_features = 1e-4\nmeta = 1e-4";

/// Who takes part and what the study promises.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// N.
    pub(crate) sites: u8,
    /// m: that many answer; the others are lost on the way.
    pub(crate) min_sites: u8,
    /// K.
    pub(crate) links: u8,
    /// ε of one release for a clinician, at δ = 10⁻⁶.
    pub(crate) epsilon: f64,
    /// How the budget is divided among the parts of the vector.
    pub(crate) shares: &'static str,
}

/// The rows of each site that answers: an outcome for each clinician.
pub(crate) type Rows = Vec<Vec<f64>>;

/// The hospitals of one study; one of them may collude.
pub(crate) struct Hospitals {
    pub(crate) plan: Plan,
    study: Study,
    budgets: Budgets,
    answering: u16,
}

/// What the coordinator has after a round, and what each site could tell it.
pub(crate) struct Seen {
    sum: Vec<i64>,
    openings: Vec<Zeroizing<Vec<u8>>>,
}

impl Hospitals {
    pub(crate) fn of(terms: &Terms) -> Self {
        let text = STUDY
            .replace("@LINKS@", &terms.links.to_string())
            .replace("@MIN@", &terms.min_sites.to_string())
            .replace("@EPSILON@", &format!("{:?}", terms.epsilon))
            .replace("@SHARES@", terms.shares);
        let study = Study::parse(&text).unwrap();
        let parties = (1..=terms.sites).map(party).collect();
        let roster = Roster::of("audit".parse().unwrap(), 1, 1, party(0), parties).unwrap();
        let plan = Plan::new(&study, &roster).unwrap();
        let ample = Budget::new(Epsilon::new(500.0).unwrap(), Delta::new(1e-6).unwrap()).unwrap();
        let budgets = Budgets { clinician: ample, patient: ample };
        Self { plan, study, budgets, answering: terms.min_sites.into() }
    }

    /// A round of the sites that answer, each with noise from its own seed.
    pub(crate) fn round(&self, rows: &[Vec<Contribution>], number: u64, seeds: &Seeds) -> Seen {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_be_bytes());
        let round = Digest::new(name);
        let mut sum = vec![0_u64; self.plan.layout().dimension()];
        let mut openings = Vec::new();
        for (index, rows) in (1..=self.answering).zip(rows) {
            let empty = SiteSum::new(self.plan.layout().dimension(), self.plan.rows_max());
            let exact = rows.iter().try_fold(empty, SiteSum::add).unwrap();
            let mut ledger = Ledger::open(Memory, &[], self.budgets).unwrap();
            let paid = now(ledger.charge(&self.plan, round, 0)).unwrap();
            let seed = seeds.0[usize::from(index) - 1];
            let noise = Noise::draw(&self.plan, round, seed).unwrap();
            let (noised, opening) = release(exact, paid, noise, seed).unwrap();
            openings.push(opening.for_the_hospitals_own_evidence());
            let masked = mask(noised, self.masks(index, number)).unwrap();
            let mut words: Vec<u64> =
                masked.body().0.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect();
            sub_pad(&pad(index, index, number), &mut words).unwrap();
            sum.iter_mut().zip(words).for_each(|(total, x)| *total = total.wrapping_add(x));
        }
        Seen { sum: sum.into_iter().map(u64::cast_signed).collect(), openings }
    }

    /// A site's own mask and those it shares with each other site that answers.
    fn masks(&self, index: u16, number: u64) -> MaskSeeds {
        let others = (1..=self.answering).filter(|other| *other != index);
        let pair = |other: u16| (at(other), pad(index.min(other), index.max(other), number));
        MaskSeeds {
            own: pad(index, index, number),
            pairs: others.map(pair).collect(),
            index: at(index),
        }
    }

    /// The gated rows, as each site adds them up.
    pub(crate) fn contributions(&self, rows: &Rows) -> Vec<Vec<Contribution>> {
        let row = |outcome: f64| {
            let measured =
                Measured { outcome, features: vec![], groups: vec![], histograms: vec![] };
            // Whoever excluded every encounter shows in the sum by as much as a row can.
            FeatureRow::new(self.study.schema(), &measured).unwrap().excluding(1.0)
        };
        let of_site = |(index, outcomes): (u16, &Vec<f64>)| {
            let gated = |y: &f64| Contribution::of(self.plan.layout(), at(index), &row(*y));
            outcomes.iter().map(gated).collect()
        };
        (1..).zip(rows).map(of_site).collect()
    }

    /// What a site could tell: its exact sum, and its noise drawn again from the seed it kept.
    fn told(&self, opening: &[u8]) -> (Vec<i64>, Vec<i64>) {
        let exact = opening[64..].as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b));
        let exact: Vec<i64> = exact.collect();
        let mut noise = vec![0; exact.len()];
        let gaussian = DiscreteGaussian::new(self.plan.noise().site_scale()).unwrap();
        gaussian.fill(opening[32..64].try_into().unwrap(), &mut noise).unwrap();
        (exact, noise)
    }

    /// What is left of a round once none, one, … of the last `colluders` sites told all they know.
    pub(crate) fn left(&self, seen: &Seen, colluders: usize) -> Vec<Vec<i64>> {
        let mut left = vec![seen.sum.clone()];
        for opening in seen.openings.iter().rev().take(colluders) {
            let (exact, noise) = self.told(opening);
            let before = left.last().unwrap().iter().zip(exact.into_iter().zip(noise));
            left.push(before.map(|(y, (x, z))| y.wrapping_sub(x).wrapping_sub(z)).collect());
        }
        left
    }

    /// The exact sum of the sites that do not collude, which the attacker knows but for one person.
    pub(crate) fn exact(&self, rows: &Rows, colluders: usize) -> Vec<i64> {
        let seen = self.round(&self.contributions(rows), 0, &Seeds::of(0));
        let mut sum = vec![0; self.plan.layout().dimension()];
        for opening in seen.openings.iter().take(usize::from(self.answering) - colluders) {
            let (exact, _) = self.told(opening);
            sum.iter_mut().zip(exact).for_each(|(total, x)| *total += x);
        }
        sum
    }
}

/// The seed of each site's noise.
#[derive(Clone, Copy)]
pub(crate) struct Seeds([[u8; 32]; 8]);

impl Seeds {
    /// Seeds that no other number gives.
    pub(crate) fn of(number: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(number).random())
    }
}

struct Memory;

impl Journal for Memory {
    type Error = Infallible;
    async fn append(&mut self, _: &Entry) -> Result<(), Infallible> {
        Ok(())
    }
}

fn at(index: u16) -> SiteIndex {
    SiteIndex::new(index).unwrap()
}

fn party(index: u8) -> Party {
    let name = format!("party-{index}");
    Party {
        id: name.parse().unwrap(),
        name,
        signing_key: Key([index; 32]),
        certificate: Key([index | 0x80; 32]),
    }
}

/// The pad of a pair of sites, or a site's own.
fn pad(one: u16, other: u16, number: u64) -> PadKey {
    let mut key = Zeroizing::new([0; 32]);
    key[..2].copy_from_slice(&one.to_be_bytes());
    key[2..4].copy_from_slice(&other.to_be_bytes());
    key[4..12].copy_from_slice(&number.to_be_bytes());
    PadKey::new(&key)
}

/// The result of a future that never has to wait.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a future in memory had to wait"),
    }
}
