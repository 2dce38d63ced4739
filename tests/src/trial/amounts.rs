//! What the study's rule pays by a release, beside what it pays by the exact sums of the same table.
//!
//! ```text
//! release ─► fit ─► divide, as a report does: amounts, intervals from 999 redrawn releases ┐
//! exact sums ─► fit ─► divide ─► the amounts that these intervals are to hold ─────────────┴─► held, wide, misplaced
//! ```
//! Both go the whole road of [`divide`]: the dial, heads, floors and caps. Only the noise is missing in the second.
use super::score::{Exact, moved};
use super::{Trial, bug};
use std::collections::BTreeMap;
use tacit_coordinator::conclusion::{Divided, Ground, Share, divide, fit_study};
use tacit_coordinator::model::gram::Inputs;
use tacit_model::moments::Moments;
use tacit_shared::fault::Fault;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::Study;
use tacit_shared::study::allocation::{Allocation, By};

/// A rule, and what it pays by the exact sums of a table.
#[derive(Debug)]
pub struct Purse {
    study: Study,
    names: Vec<String>,
    rule: Allocation,
    truth: Divided,
}

/// One division of one release, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Paid {
    /// Among whom.
    pub by: By,
    /// For each unit whether the interval holds the amount without noise.
    pub held: Vec<bool>,
    /// For each unit half the width of the interval, a share of the amount without noise.
    pub half_widths: Vec<f64>,
    /// The part of the pool that another unit would have had.
    pub misplaced: f64,
}

impl Purse {
    /// The rule of a trial with the dial at `phi`, dividing among hospitals and, if there are any, the levels of the
    /// first factor. With `public_heads` both divisions know how many clinicians there are.
    ///
    /// # Errors
    /// A bug's fault if the exact sums cannot be divided.
    pub fn of(trial: &Trial, exact: &Exact, phi: f64, public_heads: bool) -> Result<Self, Fault> {
        let mut table: toml::Table = toml::from_str(&trial.text).map_err(bug)?;
        if let Some(part) = table.get_mut("fairness").and_then(toml::Value::as_table_mut) {
            part.insert("phi".to_owned(), phi.into());
        }
        let study = Study::parse(&toml::to_string(&table).map_err(bug)?).map_err(bug)?;
        let mut rule = study.allocation().clone();
        let factor = study.schema().features.iter().find(|feature| !feature.levels.is_empty());
        rule.by = vec![By::Sites];
        rule.by.extend(factor.map(|feature| By::Levels(feature.id.clone())));
        let names = trial.names();
        let mut truth = divided(&study, &names, (exact.inputs(), [0; 32]), &rule)?;
        if public_heads {
            rule.heads = truth.divisions.iter().map(|d| (d.by.clone(), heads(&d.shares))).collect();
            truth = divided(&study, &names, (exact.inputs(), [0; 32]), &rule)?;
        }
        Ok(Self { study, names, rule, truth })
    }

    /// Divides by a release and judges each division; the intervals' draws follow from the seed.
    ///
    /// # Errors
    /// A bug's fault if it cannot be divided.
    pub fn judge(
        &self,
        trial: &Trial,
        aggregate: &Aggregate,
        seed: [u8; 32],
    ) -> Result<Vec<Paid>, Fault> {
        let moments = Moments::of(&trial.plan, aggregate).map_err(bug)?;
        let found = divided(&self.study, &self.names, (moments.inputs(), seed), &self.rule)?;
        let views = self.truth.divisions.iter().zip(found.divisions);
        Ok(views
            .map(|(truth, found)| paid(truth.by.clone(), &truth.shares, &found.shares))
            .collect())
    }
}

fn divided(
    study: &Study,
    sites: &[String],
    (inputs, seed): (&Inputs, [u8; 32]),
    rule: &Allocation,
) -> Result<Divided, Fault> {
    let fitted = fit_study(study, sites, inputs).map_err(bug)?;
    divide(&Ground { study, sites, inputs, fitted: &fitted, seed }, rule).map_err(bug)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1 head, few")]
fn heads(shares: &[Share]) -> BTreeMap<String, u32> {
    shares.iter().map(|share| (share.unit.clone(), share.heads.0.round() as u32)).collect()
}

/// The amount before it is cut to cents.
fn amount(share: &Share) -> f64 {
    share.rate * share.heads.0
}

fn paid(by: By, truth: &[Share], found: &[Share]) -> Paid {
    let pairs = || truth.iter().map(amount).zip(found);
    Paid {
        by,
        held: pairs().map(|(a, share)| share.interval.0 <= a && a <= share.interval.1).collect(),
        half_widths: pairs().map(|(a, s)| (s.interval.1 - s.interval.0) / 2.0 / a).collect(),
        misplaced: moved(pairs().map(|(a, share)| (a, amount(share)))),
    }
}
