//! Trials of accuracy: tables of clinicians with a known law, released again and again through the real path.
//!
//! ```text
//! rows ─► Contribution ─► SiteSum ─► exact integers (once) ─► + discrete Gaussian of every site (each time)
//!      ─► signed result ─► Aggregate ─► Moments ─► fit
//! y = x·β + .03 g₁ + .05 g₂ + u_site + e        e: sd .10, cut at 3.5 sd
//! ```
//! Seven numbers, and for 20 columns three factors; two groups outside the formula that it under-predicts; hospitals of
//! unequal size and case mix. Nothing simulates the noise: it is what the nodes' own sampler draws, at the scale
//! that the plan of study and roster says.
pub mod amounts;
pub mod hospitals;
pub mod score;
mod table;

pub use table::{Hospitals, Number};

use crate::oracle::Row;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use std::convert::Infallible;
use tacit_coordinator::conclusion::fit_study;
use tacit_coordinator::model::Fitted;
use tacit_model::moments::Moments;
use tacit_model::warm::{self, Earlier};
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::accountant::Budget;
use tacit_shared::privacy::ledger::{Budgets, Entry, Journal, Ledger};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::privacy::release::{Noise, release};
use tacit_shared::privacy::sampler::DiscreteGaussian;
use tacit_shared::protocol::config::RoundId;
use tacit_shared::protocol::message::{Outcome, Signed};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::secagg::key::identity::IdentityKey;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::Study;
use tacit_shared::summary::contribution::Contribution;
use tacit_shared::summary::feature::FeatureRow;
use tacit_shared::summary::sum::SiteSum;
use tacit_shared::units::{Delta, Epsilon};

/// What a trial is about.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Clinicians in all hospitals together.
    pub clinicians: usize,
    /// 8 or 20; of other numbers than the trial's own, one more than those.
    pub columns: usize,
    /// Hospitals.
    pub sites: u8,
    /// ε of one release.
    pub epsilon: f64,
    /// Whether the products of columns have all of the budget, or the share of a whole study.
    pub products_only: bool,
    /// Standard deviation of what hospitals add, in units of the scaled outcome.
    pub between: f64,
}

/// A table of clinicians.
#[derive(Debug)]
pub struct Table {
    rows: Vec<(usize, FeatureRow)>,
}

/// A study among its roster, ready to release tables.
#[derive(Debug)]
pub struct Trial {
    /// The study.
    pub study: Study,
    /// Its plan.
    pub plan: Plan,
    text: String,
    roster: Roster,
    sampler: DiscreteGaussian,
    signer: IdentityKey,
}

fn bug(error: impl std::fmt::Display) -> Fault {
    Fault::bug(error.to_string())
}

impl Setting {
    /// The study of a first period.
    ///
    /// # Errors
    /// A bug's fault if it is none.
    pub fn first(&self) -> Result<Trial, Fault> {
        self.first_with(&[])
    }

    /// The study of a first period with other words in its text.
    ///
    /// # Errors
    /// A bug's fault if it is none, or lacks the words.
    pub fn first_with(&self, others: &[(&str, &str)]) -> Result<Trial, Fault> {
        self.first_of(&table::NUMBERS, others)
    }

    /// The same, of other numbers than the trial's own.
    ///
    /// # Errors
    /// As [`Setting::first_with`].
    pub fn first_of(&self, numbers: &[Number], others: &[(&str, &str)]) -> Result<Trial, Fault> {
        let shares = if self.products_only {
            [0.44, 0.49, 0.05, 2e-3, 2e-3, 2e-3, 2e-3, 2e-3, 2e-3, 2e-3]
        } else {
            [0.27, 0.30, 0.03, 0.02, 0.08, 0.12, 0.03, 0.06, 0.08, 0.01]
        };
        let mut text = self.text(&shares, numbers);
        for (from, to) in others {
            if !text.contains(from) {
                return Err(bug(format!("the study has no `{from}`")));
            }
            text = text.replacen(from, to, 1);
        }
        self.trial(text)
    }

    fn trial(&self, text: String) -> Result<Trial, Fault> {
        let study = Study::parse(&text).map_err(bug)?;
        let party = |id: &str, seed: u8| -> Result<Party, Fault> {
            let (signing_key, certificate) = (Key([seed; 32]), Key([seed | 0x80; 32]));
            Ok(Party {
                id: id.parse().map_err(bug)?,
                name: id.to_owned(),
                signing_key,
                certificate,
            })
        };
        let parties: Result<Vec<Party>, Fault> =
            (1..=self.sites).map(|i| party(&format!("site-{i}"), i)).collect();
        let demo = "demo".parse().map_err(bug)?;
        let roster = Roster::of(demo, 1, 1, party("convener", 100)?, parties?).map_err(bug)?;
        let plan = Plan::new(&study, &roster).map_err(bug)?;
        let sampler = DiscreteGaussian::new(plan.noise().site_scale()).map_err(bug)?;
        let signer = IdentityKey::from_seed(&[3; 32]).map_err(bug)?;
        Ok(Trial { study, plan, text, roster, sampler, signer })
    }
}

impl Table {
    /// A table of rows made elsewhere, each with its hospital, counted from 0.
    pub fn of(rows: Vec<(usize, FeatureRow)>) -> Self {
        Self { rows }
    }

    /// The rows in plain numbers, for an oracle.
    pub fn rows(&self) -> Vec<Row> {
        self.rows.iter().map(|(site, row)| Row::of(row, *site)).collect()
    }
}

struct Memory;

impl Journal for Memory {
    type Error = Infallible;
    async fn append(&mut self, _: &Entry) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Trial {
    /// What each hospital keeps of its release of a table: salt, seed, exact sum.
    ///
    /// # Errors
    /// A bug's fault if a part of the path refuses.
    pub async fn openings(&self, table: &Table) -> Result<Vec<Vec<u8>>, Fault> {
        let dimension = self.plan.layout().dimension();
        let budget = Budget::new(Epsilon::new(40.0).map_err(bug)?, Delta::new(1e-6).map_err(bug)?);
        let budget = budget.map_err(bug)?;
        let budgets = Budgets { clinician: budget, patient: budget };
        let mut openings = Vec::new();
        for (place, site) in self.plan.sites().iter().enumerate() {
            let mut sum = SiteSum::new(dimension, self.plan.rows_max());
            for (_, row) in table.rows.iter().filter(|(own, _)| *own == place) {
                sum = sum.add(&Contribution::of(self.plan.layout(), *site, row)).map_err(bug)?;
            }
            let seed = [u8::try_from(place).unwrap_or(u8::MAX); 32];
            let round = Digest::new(seed);
            let mut ledger = Ledger::open(Memory, &[], budgets).map_err(bug)?;
            let paid = ledger.charge(&self.plan, round, 0).await.map_err(bug)?;
            let noise = Noise::draw(&self.plan, round, seed).map_err(bug)?;
            let (_, opening) = release(sum, paid, noise, [1; 32]).map_err(bug)?;
            openings.push(opening.for_the_hospitals_own_evidence().to_vec());
        }
        Ok(openings)
    }

    /// The sum of a table without noise, as the hospitals' evidence holds it.
    ///
    /// # Errors
    /// A bug's fault if a part of the path refuses.
    pub async fn exact(&self, table: &Table) -> Result<Vec<i64>, Fault> {
        let mut total = vec![0_i64; self.plan.layout().dimension()];
        for opening in self.openings(table).await? {
            let exact = opening.get(64..).unwrap_or_default().as_chunks::<8>().0.iter();
            for (total, bytes) in total.iter_mut().zip(exact) {
                *total += i64::from_le_bytes(*bytes);
            }
        }
        Ok(total)
    }

    /// A sum with the noise of every hospital.
    ///
    /// # Errors
    /// A bug's fault if the sampler refuses.
    pub fn noised(&self, exact: &[i64], seed: u64) -> Result<Aggregate, Fault> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (mut sum, mut noise) = (exact.to_vec(), vec![0_i64; exact.len()]);
        for _ in self.plan.sites() {
            self.sampler.fill(&rng.random(), &mut noise).map_err(bug)?;
            sum.iter_mut().zip(&noise).for_each(|(sum, noise)| *sum += noise);
        }
        self.signed(sum)
    }

    /// A sum as a result that was signed and verified.
    ///
    /// # Errors
    /// A bug's fault if it does not verify.
    pub fn signed(&self, sum: Vec<i64>) -> Result<Aggregate, Fault> {
        let survivors = self.plan.sites().iter().copied().collect();
        let sites = self.plan.sites().len();
        let outcome = Outcome {
            round_id: RoundId([4; 32]),
            config: Digest::new([5; 32]),
            survivors: Bitmap::of(&survivors, sites),
            sum,
            ledger_heads: Vec::new(),
        };
        let signed = Signed::of(&self.signer, "result", &outcome).map_err(bug)?;
        let verified = Outcome::verified(&signed, &self.signer.verifying_key(), sites);
        Ok(verified.ok_or_else(|| bug("the result does not verify"))?.1)
    }

    /// The study of the next period after these results, the newest first.
    ///
    /// # Errors
    /// A fault if no frame follows.
    pub fn next(
        &self,
        setting: &Setting,
        earlier: &[(&Trial, &Aggregate)],
    ) -> Result<Trial, Fault> {
        self.next_spending(setting, earlier, 100)
    }

    /// The same, spending a part of the period's privacy, in percent.
    ///
    /// # Errors
    /// As [`Trial::next`].
    pub fn next_spending(
        &self,
        setting: &Setting,
        earlier: &[(&Trial, &Aggregate)],
        percent: i64,
    ) -> Result<Trial, Fault> {
        let digest = |at: usize| Digest::new([u8::try_from(at).unwrap_or(u8::MAX); 32]);
        let earlier: Vec<Earlier<'_>> = earlier
            .iter()
            .enumerate()
            .map(|(at, (trial, aggregate))| Earlier {
                study: &trial.study,
                plan: &trial.plan,
                aggregate,
                result: digest(at),
            })
            .collect();
        let frame = warm::derive(&self.study, &earlier).map_err(bug)?;
        let mut table: toml::Table = toml::from_str(&self.text).map_err(bug)?;
        let directed = !frame.warm.directions.is_empty();
        let mut put = |part: &str, key: &str, value: toml::Value| {
            if let Some(part) = table.get_mut(part).and_then(toml::Value::as_table_mut) {
                part.insert(key.to_owned(), value);
            }
        };
        put("outcome", "residual_bound", frame.residual_bound.into());
        put("privacy", "norm_cap", frame.norm_cap.into());
        put("privacy", "spend_percent", percent.into());
        put("privacy", "shares", later_shares(&self.study, setting.products_only, directed).into());
        let warm = toml::Table::try_from(&frame.warm).map_err(bug)?;
        table.insert("warm".to_owned(), warm.into());
        setting.trial(toml::to_string(&table).map_err(bug)?)
    }

    /// The release read and fitted as the coordinator does.
    ///
    /// # Errors
    /// A bug's fault if it cannot be.
    pub fn fitted(&self, aggregate: &Aggregate) -> Result<(Moments, Fitted), Fault> {
        let moments = Moments::of(&self.plan, aggregate).map_err(bug)?;
        let fitted = fit_study(&self.study, &self.names(), moments.inputs()).map_err(bug)?;
        Ok((moments, fitted))
    }

    /// The hospitals' names, in the order of the roster.
    pub fn names(&self) -> Vec<String> {
        self.roster.sites().map(|(_, party)| party.id.to_string()).collect()
    }

    /// The hospitals' places on the roster.
    pub fn sites(&self) -> impl Iterator<Item = SiteIndex> {
        self.roster.sites().map(|(index, _)| index)
    }
}

/// The products of columns with all of the budget, or what `tacit-coordinator next` gives a whole study.
fn later_shares(study: &Study, products_only: bool, directed: bool) -> toml::Table {
    if !products_only {
        return tacit_coordinator::command::next::shares(study, directed);
    }
    let shares: [(&str, f64); 10] = [
        ("matrix", 0.295),
        ("moment", 0.64),
        ("square", 0.05),
        ("group_heads", 2e-3),
        ("group_residual", 2e-3),
        ("group_features", 2e-3),
        ("site_heads", 2e-3),
        ("site_residual", 2e-3),
        ("site_features", 2e-3),
        ("meta", 1e-3),
    ];
    shares.iter().map(|(name, share)| ((*name).to_owned(), (*share).into())).collect()
}
