//! The study of a trial and the rows of its tables.
use super::{Setting, Table, Trial, bug};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution, StandardNormal};
use std::fmt::Write as _;
use tacit_model::gram::float;
use tacit_shared::fault::Fault;
use tacit_shared::study::schema::Histogram;
use tacit_shared::summary::feature::{FeatureRow, Measured, Value};

/// A feature of a study that is a number.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// Where a hospital would have it from.
    pub source: &'static str,
    /// Lowest value.
    pub low: f64,
    /// Highest value.
    pub high: f64,
    /// A public typical value.
    pub centre: f64,
    /// Public root mean square of the scaled column.
    pub rms: f64,
}

/// Hospitals: how large they are, whom they treat, what they add to the outcome.
#[derive(Clone, Debug)]
pub struct Hospitals {
    weights: Vec<f64>,
    mix: Vec<f64>,
    added: Vec<f64>,
}

impl Hospitals {
    /// What each adds to the scaled outcome.
    pub fn added(&self) -> &[f64] {
        &self.added
    }
}

const fn number(source: &'static str, low: f64, high: f64) -> Number {
    Number { source, low, high, centre: f64::midpoint(low, high), rms: 0.33 }
}

/// The numbers of the table.
pub(super) const NUMBERS: [Number; 7] = [
    number("acuity-mean", 1.0, 5.0),
    number("volume", 0.0, 180.0),
    number("minutes-mean", 2.0, 42.0),
    number("hours", 0.0, 200.0),
    number("night-share", 0.0, 1.0),
    number("remote-share", 0.0, 1.0),
    number("ai-share", 0.0, 1.0),
];
/// What the hospitals of a trial follow from, where nothing else is asked.
const HOSPITALS: u64 = 11;
/// The factors of 20 columns: source, shares of their levels.
const FACTORS: [(&str, &[f64]); 3] = [
    ("specialty", &[0.22, 0.18, 0.15, 0.12, 0.11, 0.09, 0.08, 0.05]),
    ("role", &[0.55, 0.2, 0.15, 0.1]),
    ("stratum:age-band", &[0.6, 0.25, 0.15]),
];
/// What the first coefficients are; the others are small and drawn.
const LAW: [f64; 8] = [0.45, 0.10, 0.16, 0.08, 0.05, -0.06, -0.04, 0.05];
/// Lowest and highest value of the outcome.
const OUTCOME: (f64, f64) = (10.0, 50.0);

impl Setting {
    pub(super) fn text(&self, shares: &[f64; 10], numbers: &[Number]) -> String {
        let middle = f64::midpoint(OUTCOME.0, OUTCOME.1) - 2.0;
        let mut text = format!(
            "format = 1\nid = \"trial\"\ntitle = \"A trial\"\nquestion = \"How accurate?\"\n\
             purpose = \"research-aggregate\"\nlimits = []\n\
             recipients = [{{ name = \"research\", class = \"research\" }}]\n\
             [period]\nfrom = \"2026-01-01\"\nto = \"2026-04-01\"\n\
             [population]\nroles = [\"level-0\", \"level-1\", \"level-2\", \"level-3\"]\n\
             clinicians_per_site_max = 100000\nlinks_per_patient = 1\nsites_per_patient = 1\n\
             [outcome]\nid = \"experience\"\nlabel = \"Experience\"\nsource = \"scale:care-measure:total\"\n\
             unit = \"points\"\nlow = {:?}\nhigh = {:?}\ncentre = {middle:?}\nresidual_bound = 18.0\n\
             [instruments.care-measure]\nversion = \"2004\"\nsha256 = \"{}\"\n",
            OUTCOME.0,
            OUTCOME.1,
            "0".repeat(64)
        );
        for (at, Number { source, low, high, centre, rms }) in numbers.iter().enumerate() {
            let _ = write!(
                text,
                "[[features]]\nid = \"number-{at}\"\nlabel = \"Number {at}\"\nsource = \"{source}\"\n\
                 low = {low:?}\nhigh = {high:?}\ncentre = {centre:?}\nrms = {rms:?}\n"
            ); // a String
        }
        for (at, (source, levels)) in self.factors().iter().enumerate() {
            let names: Vec<String> =
                (0..levels.len()).map(|level| format!("\"level-{level}\"")).collect();
            let others: f64 = levels.iter().skip(1).sum();
            let mean = others / float(levels.len() - 1);
            let _ = write!(
                text,
                "[[features]]\nid = \"factor-{at}\"\nlabel = \"Factor {at}\"\nsource = \"{source}\"\n\
                 rms = {:?}\nlevels = [{}]\n",
                mean.sqrt(),
                names.join(", ")
            ); // a String
        }
        text.push_str(&groups());
        let norm = 1.25 * float(self.columns).sqrt();
        let _ = write!(
            text,
            "[fairness]\ngroups = [\"group-a\"]\nphi = 0.5\n\
             [allocation]\npool_cents = 1000000000\ncurrency = \"EUR\"\nfloor_percent_per_head = 85\n\
             cap_percent_per_head = 115\n\
             [privacy]\nepsilon = {:?}\ndelta = 1e-6\nmin_sites = {}\nrounds_per_year = 4\nnorm_cap = {norm:?}\n\
             [privacy.shares]\n",
            self.epsilon, self.sites
        ); // a String
        let keys = [
            "matrix",
            "moment",
            "square",
            "group_heads",
            "group_residual",
            "group_features",
            "site_heads",
            "site_residual",
            "site_features",
            "meta",
        ];
        for (key, share) in keys.iter().zip(shares) {
            let _ = writeln!(text, "{key} = {share:?}"); // a String
        }
        text
    }

    fn factors(&self) -> &'static [(&'static str, &'static [f64])] {
        if self.columns == 20 { &FACTORS } else { &[] }
    }

    /// The law: one coefficient a column, in scaled units.
    pub fn law(&self) -> Vec<f64> {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut normal = move || -> f64 { StandardNormal.sample(&mut rng) };
        let others = std::iter::from_fn(move || Some(0.03 * normal()));
        LAW.into_iter().chain(others).take(self.columns).collect()
    }

    /// Hospitals drawn by a seed.
    pub fn hospitals(&self, seed: u64) -> Hospitals {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut of_site = |sd: f64| -> Vec<f64> {
            let draw = |_| sd * Distribution::<f64>::sample(&StandardNormal, &mut rng);
            (0..self.sites).map(draw).collect()
        };
        let (sizes, mix, added) = (of_site(0.7), of_site(0.3), of_site(self.between));
        Hospitals { weights: sizes.iter().map(|size| size.exp()).collect(), mix, added }
    }

    /// A table drawn anew; hospitals stay what they are.
    ///
    /// # Errors
    /// A bug's fault if a row does not fit the study.
    pub fn table(&self, trial: &Trial, seed: u64) -> Result<Table, Fault> {
        self.table_at(&self.hospitals(HOSPITALS), trial, seed)
    }

    /// A table of these hospitals, drawn anew.
    ///
    /// # Errors
    /// As [`Setting::table`].
    pub fn table_at(
        &self,
        hospitals: &Hospitals,
        trial: &Trial,
        seed: u64,
    ) -> Result<Table, Fault> {
        let (law, mut rng) = (self.law(), ChaCha20Rng::seed_from_u64(seed));
        let mut rows = Vec::with_capacity(self.clinicians);
        for _ in 0..self.clinicians {
            let site = drawn(&hospitals.weights, &mut rng);
            let (shift, level) = (at(&hospitals.mix, site), at(&hospitals.added, site));
            rows.push((site, self.row(trial, &law, (shift, level), &mut rng)?));
        }
        Ok(Table { rows })
    }

    fn row(
        &self,
        trial: &Trial,
        law: &[f64],
        (shift, level): (f64, f64),
        rng: &mut ChaCha20Rng,
    ) -> Result<FeatureRow, Fault> {
        let normal = |rng: &mut ChaCha20Rng| -> f64 { StandardNormal.sample(rng) };
        let factors: Vec<usize> =
            self.factors().iter().map(|(_, shares)| drawn(shares, rng)).collect();
        let mut z: Vec<f64> = NUMBERS.iter().map(|_| normal(rng)).collect();
        if let [a, b, c, _, e, f, _] = z.as_mut_slice() {
            *b += shift + 0.5 * (float(factors.first().copied().unwrap_or(1) % 3) - 1.0);
            *a += shift;
            *c += 0.4 * *a;
            *e -= 0.3 * *f;
        }
        let scaled: Vec<f64> = z.iter().map(|z| (z / 3.0).clamp(-1.0, 1.0)).collect();
        let mut x = vec![1.0];
        x.extend(&scaled);
        for ((_, shares), level) in self.factors().iter().zip(&factors) {
            x.extend((1..shares.len()).map(|other| if other == *level { 1.0 } else { 0.0 }));
        }
        let late = factors.get(2).is_some_and(|level| *level == 2);
        let in_a = rng.random::<f64>() < 1.0 / (1.0 + (1.9 - 0.9 * at(&z, 1)).exp());
        let in_b = rng.random::<f64>() < 0.08 + if late { 0.18 } else { 0.0 };
        let flag = |member: bool| if member { 1.0 } else { 0.0 };
        let mean: f64 = x.iter().zip(law).map(|(x, b)| x * b).sum();
        let error = 0.1 * normal(rng).clamp(-3.5, 3.5);
        let y = mean + 0.03 * flag(in_a) + 0.05 * flag(in_b) + level + error;
        let (low, high) = OUTCOME;
        let value = |(number, scaled): (&Number, &f64)| {
            number.centre + scaled * (number.high - number.low) / 2.0
        };
        let numbers: Vec<f64> = NUMBERS.iter().zip(&scaled).map(value).collect();
        let outcome = low + (high - low) * y.clamp(0.0, 1.0);
        // A histogram counts the outcome, or a number of the table by its source.
        let counted = |histogram: &Histogram| {
            let source = histogram.source.to_string();
            let at = NUMBERS.iter().position(|number| number.source == source);
            at.and_then(|at| numbers.get(at).copied()).unwrap_or(outcome)
        };
        let histograms = trial.study.schema().histograms.iter().map(counted).collect();
        let mut features: Vec<Value> = numbers.iter().copied().map(Value::Number).collect();
        for level in factors {
            features.push(Value::Level(format!("level-{level}").parse().map_err(bug)?));
        }
        let measured =
            Measured { outcome, features, groups: vec![flag(in_a), flag(in_b)], histograms };
        FeatureRow::new(trial.study.schema(), &measured).map_err(bug)
    }
}

/// The two groups, which stay outside the formula.
fn groups() -> String {
    let mut text = String::new();
    for (id, source) in [("group-a", "interpreter-share"), ("group-b", "ed-share")] {
        let _ = write!(
            text,
            "[[groups]]\nid = \"{id}\"\nlabel = \"{id}\"\nsource = \"{source}\"\nat_least = 0.5\n\
             low = 0.0\nhigh = 1.0\ncentre = 0.1\n"
        ); // a String
    }
    text
}

/// A place drawn by weights.
fn drawn(weights: &[f64], rng: &mut ChaCha20Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    let inside = |weight: &f64| {
        left -= weight;
        left < 0.0
    };
    weights.iter().position(inside).unwrap_or(weights.len().saturating_sub(1))
}

fn at(values: &[f64], place: usize) -> f64 {
    values.get(place).copied().unwrap_or(0.0)
}
