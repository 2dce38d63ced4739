//! The formula: what privacy adds to its risk, and how often its intervals hold.
use crate::common::print;
use crate::goals::Goals;
use crate::history::{History, ends, medians, percent, scores, setting, share};
use nalgebra::DVector;
use tacit_model::gram::float;
use tacit_shared::fault::Fault;
use tacit_tests::trial::Setting;
use tacit_tests::trial::score::{Exact, Plain, score};

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

pub(crate) async fn excess(scale: u64, goals: &mut Goals) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for (clinicians, columns, epsilon, limits) in [
        (20_000, 20, 1.0, (Some(0.5), Some(0.05))),
        (20_000, 8, 1.0, (None, Some(0.01))),
        (2_000, 8, 2.0, (None, None)),
    ] {
        let setting = setting(clinicians, columns, epsilon, true);
        let first = scores(&setting, (0, 5, scale)).await?;
        let later = scores(&setting, (2, 5 * scale, 1)).await?;
        let own = scores(&local(&setting)?, (2, 3 * scale, 1)).await?;
        let (early, central) = (medians(&first, |s| s.excess), medians(&later, |s| s.excess));
        let apart = medians(&own, |s| s.excess_filtered);
        let filtered = medians(&later, |s| s.excess_filtered);
        let name = format!("excess of {clinicians} clinicians, {columns} columns, in %");
        let mut goal = |of: &str, value: f64, limit: Option<f64>| {
            let found =
                limit.map(|most| goals.at_most(&format!("{of} {name}"), 100.0 * value, most));
            found.unwrap_or_default()
        };
        let (of_first, of_later) =
            (goal("first", early, limits.0), goal("later", central, limits.1));
        let ratio = apart / filtered;
        rows.push(vec![
            clinicians.to_string(),
            columns.to_string(),
            epsilon.to_string(),
            percent(early),
            of_first,
            percent(central),
            of_later,
            percent(filtered),
            format!("{} (×{ratio:.0})", percent(apart)),
            goals.at_least(&format!("ratio of noise apart, {name}"), ratio, 10.0),
        ]);
    }
    print(
        "Privacy excess risk, % of the residual variance, medians; the products of columns have all of the budget",
        &[
            "n",
            "p",
            "ε",
            "first period",
            "goal",
            "third period",
            "goal",
            "filtered",
            "each site its own noise, filtered",
            "goal",
        ],
        &rows,
    );
    Ok(())
}

pub(crate) async fn coverage(scale: u64, goals: &mut Goals) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for (clinicians, columns, epsilon, periods) in
        [(2_000, 8, 1.0, 2), (2_000, 20, 2.0, 2), (20_000, 20, 1.0, 2), (20_000, 20, 1.0, 0)]
    {
        let setting = setting(clinicians, columns, epsilon, true);
        let found = scores(&setting, (periods, 10, 5 * scale)).await?;
        let of =
            |j: usize| found.iter().filter_map(move |s| s.exact_data.get(j).copied().flatten());
        let (worst, best) = ends(&(0..columns).map(|j| share(of(j))).collect::<Vec<f64>>());
        let mean = share(found.iter().flat_map(|s| s.exact_data.iter().copied().flatten()));
        let none = found.iter().flat_map(|s| &s.exact_data).filter(|c| c.is_none()).count();
        let name = format!(
            "coverage of {clinicians} clinicians, {columns} columns, period {}",
            periods + 1
        );
        rows.push(vec![
            clinicians.to_string(),
            columns.to_string(),
            epsilon.to_string(),
            (periods + 1).to_string(),
            format!("{:.1}", medians(&found, |s| s.kappa)),
            format!("{mean:.1}"),
            goals.covers(&name, mean),
            format!("{worst:.1} to {best:.1}"),
            format!("{:.1}", 100.0 * float(none) / float(found.len() * columns)),
            found.len().to_string(),
        ]);
    }
    print(
        "Coverage of 95 % intervals for what the same fit without noise would give, %",
        &[
            "n",
            "p",
            "ε",
            "period",
            "κ",
            "mean",
            "goal",
            "by coefficient",
            "not estimable %",
            "draws",
        ],
        &rows,
    );
    Ok(())
}

/// The population's coefficients: tables drawn anew, the truth a fit to many tables in the same frame.
pub(crate) async fn population(scale: u64, goals: &mut Goals) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for (clinicians, columns, epsilon) in [(2_000, 8, 2.0), (20_000, 20, 1.0)] {
        let setting = setting(clinicians, columns, epsilon, true);
        let frame = History::of(&setting, 2, 77).await?.trial;
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
        let (count, mean) = (held.len(), share(held.into_iter()));
        let name = format!("population's coverage of {clinicians} clinicians, {columns} columns");
        rows.push(vec![
            clinicians.to_string(),
            columns.to_string(),
            epsilon.to_string(),
            format!("{mean:.1}"),
            goals.at_least(&name, mean, 93.0),
            count.to_string(),
        ]);
    }
    print(
        "Coverage of 95 % intervals for the population, %: hospitals do not differ beyond their case mix, so the cluster term can only widen them",
        &["n", "p", "ε", "mean", "goal", "intervals"],
        &rows,
    );
    Ok(())
}
