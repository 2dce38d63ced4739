//! Releases of one table after earlier periods, and what is read off many of them.
use crate::common::median;
use tacit_model::gram::float;
use tacit_shared::fault::Fault;
use tacit_shared::secagg::open::Aggregate;
use tacit_tests::trial::score::{Exact, Plain, Score, score};
use tacit_tests::trial::{Setting, Table, Trial};

/// A setting by its size; the products of columns alone, or a whole study.
pub(crate) fn setting(
    clinicians: usize,
    columns: usize,
    epsilon: f64,
    products_only: bool,
) -> Setting {
    Setting { clinicians, columns, sites: 20, epsilon, products_only, between: 0.0 }
}

/// Releases of one table after so many earlier periods, each of another table and with its own noise.
pub(crate) struct History {
    pub(crate) trial: Trial,
    pub(crate) table: Table,
    pub(crate) plain: Plain,
    pub(crate) exact: Exact,
    pub(crate) sum: Vec<i64>,
}

impl History {
    pub(crate) async fn of(setting: &Setting, periods: u64, seed: u64) -> Result<Self, Fault> {
        Self::from(setting, setting.first()?, periods, seed).await
    }

    /// The same from another first study of the setting.
    pub(crate) async fn from(
        setting: &Setting,
        first: Trial,
        periods: u64,
        seed: u64,
    ) -> Result<Self, Fault> {
        let mut past: Vec<(Trial, Aggregate)> = Vec::new();
        let mut trial = first;
        for period in 0..periods {
            let table = setting.table(&trial, 1_000 * seed + period)?;
            let opened = trial.noised(&trial.exact(&table).await?, 2_000 * seed + period)?;
            let earlier: Vec<(&Trial, &Aggregate)> = std::iter::once((&trial, &opened))
                .chain(past.iter().map(|(trial, opened)| (trial, opened)))
                .collect();
            let next = trial.next(setting, &earlier)?;
            past.insert(0, (std::mem::replace(&mut trial, next), opened));
        }
        let table = setting.table(&trial, 1_000 * seed + periods)?;
        let sum = trial.exact(&table).await?;
        let (plain, exact) = (Plain::of(&table)?, Exact::of(&trial, sum.clone())?);
        Ok(Self { trial, table, plain, exact, sum })
    }

    pub(crate) fn draw(&self, seed: u64) -> Result<Score, Fault> {
        score(&self.trial, &self.plain, &self.exact, &self.trial.noised(&self.sum, seed)?)
    }
}

/// Scores of `draws` releases after each of `histories` histories of so many earlier periods.
pub(crate) async fn scores(
    setting: &Setting,
    (periods, histories, draws): (u64, u64, u64),
) -> Result<Vec<Score>, Fault> {
    let mut all = Vec::new();
    for seed in 1..=histories {
        let history = History::of(setting, periods, seed).await?;
        for draw in 0..draws {
            all.push(history.draw(1_000_000 * seed + draw)?);
        }
    }
    Ok(all)
}

pub(crate) fn medians(scores: &[Score], of: impl Fn(&Score) -> f64) -> f64 {
    median(&scores.iter().map(of).collect::<Vec<f64>>())
}

/// A share in percent.
pub(crate) fn percent(value: f64) -> String {
    format!("{:.3}", 100.0 * value)
}

/// Share of what holds, in percent; of nothing it is no number.
pub(crate) fn share(holds: impl Iterator<Item = bool>) -> f64 {
    let (mut all, mut held) = (0, 0);
    for one in holds {
        all += 1;
        held += usize::from(one);
    }
    100.0 * float(held) / float(all)
}

/// Least and greatest of some numbers.
pub(crate) fn ends(numbers: &[f64]) -> (f64, f64) {
    numbers.iter().fold((f64::MAX, f64::MIN), |(low, high), n| (n.min(low), n.max(high)))
}
