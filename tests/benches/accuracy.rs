//! How accurate releases are: the goals of the method, at full size and through the real integer path.
//!
//! `cargo bench -p tacit-tests --bench accuracy` prints the tables of docs/performance.md; seeds are fixed. Every figure
//! comes from rows that became contributions, were summed as integers, given the sampler's own noise and read back as a
//! signed aggregate; `-- --quick` takes a tenth of the draws.
#[path = "common/mod.rs"]
mod common;

use common::{asked, median, print, say};
use nalgebra::DVector;
use tacit_shared::fault::Fault;
use tacit_shared::secagg::open::Aggregate;
use tacit_tests::trial::score::{Exact, Plain, Score, score};
use tacit_tests::trial::{Setting, Trial, float};

/// A setting by its size; one study, or the products of columns alone.
fn setting(clinicians: usize, columns: usize, epsilon: f64, products_only: bool) -> Setting {
    Setting { clinicians, columns, sites: 20, epsilon, products_only, between: 0.0 }
}

/// Releases of one table after so many earlier periods, each of another table and with its own noise.
struct History {
    trial: Trial,
    plain: Plain,
    exact: Exact,
    sum: Vec<i64>,
}

async fn history(setting: &Setting, periods: u64, seed: u64) -> Result<History, Fault> {
    let mut past: Vec<(Trial, Aggregate)> = Vec::new();
    let mut trial = setting.first()?;
    for period in 0..periods {
        let table = setting.table(&trial, 1_000 * seed + period)?;
        let opened = trial.noised(&trial.exact(&table).await?, 2_000 * seed + period)?;
        past.insert(0, (trial, opened));
        let earlier: Vec<(&Trial, &Aggregate)> = past.iter().map(|(t, a)| (t, a)).collect();
        trial = match past.first() {
            Some((newest, _)) => newest.next(setting, &earlier)?,
            None => setting.first()?,
        };
    }
    let table = setting.table(&trial, 1_000 * seed + periods)?;
    let sum = trial.exact(&table).await?;
    let (plain, exact) = (Plain::of(&table)?, Exact::of(&trial, sum.clone())?);
    Ok(History { trial, plain, exact, sum })
}

impl History {
    fn draw(&self, seed: u64) -> Result<Score, Fault> {
        score(&self.trial, &self.plain, &self.exact, &self.trial.noised(&self.sum, seed)?)
    }
}

async fn scores(
    setting: &Setting,
    (periods, histories, draws): (u64, u64, u64),
) -> Result<Vec<Score>, Fault> {
    let mut all = Vec::new();
    for seed in 1..=histories {
        let history = history(setting, periods, seed).await?;
        for draw in 0..draws {
            all.push(history.draw(1_000_000 * seed + draw)?);
        }
    }
    Ok(all)
}

fn medians(scores: &[Score], of: impl Fn(&Score) -> f64) -> f64 {
    median(&scores.iter().map(of).collect::<Vec<f64>>())
}

fn percent(value: f64) -> String {
    format!("{:.3}", 100.0 * value)
}

/// Share of what holds, in percent; of nothing it is a dash.
fn share(holds: impl Iterator<Item = bool>) -> String {
    let (mut all, mut held) = (0, 0);
    for one in holds {
        all += 1;
        held += usize::from(one);
    }
    if all == 0 { "–".to_owned() } else { format!("{:.1}", 100.0 * float(held) / float(all)) }
}

/// The same setting where each hospital guards its rows with noise of its own, as much as the sum has now: √sites times
/// the noise in the sum, which is that of a smaller ε.
fn local(setting: &Setting) -> Result<Setting, Fault> {
    let noise = |epsilon: f64| -> Result<f64, Fault> {
        Ok(Setting { epsilon, ..*setting }.first()?.plan.noise().guaranteed_multiplier())
    };
    let wanted = noise(setting.epsilon)? * f64::from(setting.sites).sqrt();
    let (mut low, mut high) = (1e-3, setting.epsilon);
    for _ in 0..30 {
        let middle = f64::midpoint(low, high);
        if noise(middle)? > wanted { low = middle } else { high = middle }
    }
    Ok(Setting { epsilon: high, ..*setting })
}

async fn excess(scale: u64) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for (clinicians, columns, epsilon, goal) in [
        (20_000, 20, 1.0, "first .5, later .05"),
        (20_000, 8, 1.0, "later .01"),
        (2_000, 8, 2.0, ""),
    ] {
        let setting = setting(clinicians, columns, epsilon, true);
        let first = scores(&setting, (0, 5, scale)).await?;
        let later = scores(&setting, (2, 5 * scale, 1)).await?;
        let own = scores(&local(&setting)?, (2, 3 * scale, 1)).await?;
        let (central, apart) =
            (medians(&later, |s| s.excess), medians(&own, |s| s.excess_filtered));
        let filtered = medians(&later, |s| s.excess_filtered);
        rows.push(vec![
            clinicians.to_string(),
            columns.to_string(),
            epsilon.to_string(),
            percent(medians(&first, |s| s.excess)),
            percent(central),
            percent(filtered),
            format!("{} (×{:.0})", percent(apart), apart / filtered),
            goal.to_owned(),
        ]);
    }
    print(
        "Privacy excess risk, % of the residual variance, medians; the products of columns have all of the budget",
        &[
            "n",
            "p",
            "ε",
            "first period",
            "third period",
            "filtered",
            "each site its own noise",
            "goal",
        ],
        &rows,
    );
    Ok(())
}

async fn coverage(scale: u64) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for (clinicians, columns, epsilon, periods) in
        [(2_000, 8, 1.0, 2), (2_000, 20, 2.0, 2), (20_000, 20, 1.0, 2), (20_000, 20, 1.0, 0)]
    {
        let setting = setting(clinicians, columns, epsilon, true);
        let found = scores(&setting, (periods, 10, 5 * scale)).await?;
        let of =
            |j: usize| found.iter().filter_map(move |s| s.exact_data.get(j).copied().flatten());
        let each: Vec<f64> = (0..columns)
            .map(|j| {
                let (held, all) =
                    of(j).fold((0.0, 0.0), |(h, n), b| (h + f64::from(u8::from(b)), n + 1.0));
                100.0 * held / all
            })
            .collect();
        let (worst, best) = each.iter().fold((f64::MAX, 0.0), |(w, b), c| (c.min(w), c.max(b)));
        let none = found.iter().flat_map(|s| &s.exact_data).filter(|c| c.is_none()).count();
        rows.push(vec![
            clinicians.to_string(),
            columns.to_string(),
            epsilon.to_string(),
            (periods + 1).to_string(),
            format!("{:.1}", medians(&found, |s| s.kappa)),
            share(found.iter().flat_map(|s| s.exact_data.iter().copied().flatten())),
            format!("{worst:.1} to {best:.1}"),
            format!("{:.1}", 100.0 * float(none) / float(found.len() * columns)),
            found.len().to_string(),
        ]);
    }
    print(
        "Coverage of 95 % intervals for what the same fit without noise would give, %",
        &["n", "p", "ε", "period", "κ", "mean", "by coefficient", "not estimable %", "draws"],
        &rows,
    );
    Ok(())
}

/// The population's coefficients: tables drawn anew, the truth a fit to many tables in the same frame.
async fn population(scale: u64) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for (clinicians, columns, epsilon) in [(2_000, 8, 2.0), (20_000, 20, 1.0)] {
        let setting = setting(clinicians, columns, epsilon, true);
        let frame = history(&setting, 2, 77).await?.trial;
        let mut all = vec![0_i64; frame.plan.layout().dimension()];
        for seed in 0..10 * scale.max(5) {
            let table = setting.table(&frame, 5_000_000 + seed)?;
            let sum = frame.exact(&table).await?;
            all.iter_mut().zip(&sum).for_each(|(all, one)| *all += one);
        }
        let truth: DVector<f64> = Exact::of(&frame, all)?.beta().clone();
        let mut held = Vec::new();
        for seed in 0..50 * scale {
            let table = setting.table(&frame, 6_000_000 + seed)?;
            let sum = frame.exact(&table).await?;
            let (plain, exact) = (Plain::of(&table)?, Exact::of(&frame, sum.clone())?);
            let one = score(&frame, &plain, &exact, &frame.noised(&sum, 7_000_000 + seed)?)?;
            held.extend(one.population.iter().zip(truth.iter()).filter_map(|(ends, truth)| {
                ends.map(|(low, high)| low <= *truth && *truth <= high)
            }));
        }
        let count = held.len();
        rows.push(vec![
            clinicians.to_string(),
            columns.to_string(),
            epsilon.to_string(),
            share(held.into_iter()),
            count.to_string(),
        ]);
    }
    print(
        "Coverage of 95 % intervals for the population, %: hospitals do not differ beyond their case mix, so the cluster term can only widen them",
        &["n", "p", "ε", "mean", "intervals"],
        &rows,
    );
    Ok(())
}

async fn fairness(scale: u64) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for periods in [2, 6] {
        let setting = setting(20_000, 20, 1.0, false);
        let found = scores(&setting, (periods, 10, 5 * scale)).await?;
        let of = |after: bool, at: usize| {
            share(found.iter().filter_map(move |s| {
                let judged = if after { &s.after } else { &s.before };
                judged.get(at).copied()
            }))
        };
        let four = |after: bool| (0..4).map(|at| of(after, at)).collect::<Vec<_>>().join(" / ");
        let mut closed: Vec<f64> = found.iter().filter_map(|s| s.closed).collect();
        closed.sort_by(f64::total_cmp);
        let at = |share: usize| closed.get(closed.len() * share / 100).copied().unwrap_or(f64::NAN);
        let inside = closed.iter().filter(|c| (0.35..=0.70).contains(*c)).count();
        rows.push(vec![
            periods.to_string(),
            four(false),
            four(true),
            format!("{:.2}", 40.0 * medians(&found, |s| s.half_width)),
            format!("{:.2} / {:.2} / {:.2}", at(5), at(50), at(95)),
            format!("{:.0}", 100.0 * float(inside) / float(closed.len().max(1))),
            format!("{} of {}", closed.len(), found.len()),
            percent(medians(&found, |s| s.misplaced)),
        ]);
    }
    print(
        "A whole study of 20,000 clinicians, 20 columns, 20 hospitals, ε = 1; φ = .5; coverage of mean residual difference / net compensation / predictive ratio / fair covariance, %",
        &[
            "earlier periods",
            "before",
            "after the dial",
            "half width, points of 40",
            "closed, 5–50–95 %",
            "within .35–.70 %",
            "dial used",
            "pool misplaced %",
        ],
        &rows,
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Fault> {
    let scale = if asked("--quick") { 1 } else { 10 };
    say("Draws are fixed by their seeds; the whole takes some minutes.");
    excess(scale).await?;
    coverage(scale).await?;
    fairness(scale).await?;
    population(scale).await
}
