//! Hospitals that differ: how well their effects are found, and whether the intervals of the formula count them.
//!
//! Every table has hospitals of its own, drawn anew: size, case mix and effect. The truth of a coefficient is a fit to many
//! tables whose hospitals add nothing.
use crate::common::print;
use crate::goals::Goals;
use crate::history::{History, ends, setting, share};
use nalgebra::DVector;
use std::ops::RangeInclusive;
use tacit_coordinator::model::uncertainty::Interval;
use tacit_model::gram::float;
use tacit_shared::fault::Fault;
use tacit_tests::trial::hospitals::Effects;
use tacit_tests::trial::score::Exact;
use tacit_tests::trial::{Setting, Trial};

/// A fit to the sum of many tables whose hospitals add nothing.
async fn truth(setting: &Setting, frame: &Trial, tables: u64) -> Result<DVector<f64>, Fault> {
    let setting = Setting { between: 0.0, ..*setting };
    let mut all = vec![0_i64; frame.plan.layout().dimension()];
    for seed in 0..tables {
        let hospitals = setting.hospitals(50_000 + seed);
        let sum = frame.exact(&setting.table_at(&hospitals, frame, 8_000_000 + seed)?).await?;
        all.iter_mut().zip(&sum).for_each(|(all, one)| *all += one);
    }
    Ok(Exact::of(frame, all)?.beta().clone())
}

/// What was found in many tables.
#[derive(Default)]
struct Found {
    effects: Vec<Effects>,
    /// By coefficient whether its interval held the truth, table by table.
    coefficients: Vec<Vec<bool>>,
}

async fn found(setting: &Setting, scale: u64) -> Result<Found, Fault> {
    let mut all = Found { coefficients: vec![Vec::new(); setting.columns], ..Found::default() };
    for seed in 1..=4 {
        let frame = History::of(setting, 2, 30 + seed).await?.trial;
        let truth = truth(setting, &frame, 4 * scale.max(2)).await?;
        for draw in 0..10 * scale {
            let number = 100_000 * seed + draw;
            let hospitals = setting.hospitals(number);
            let table = setting.table_at(&hospitals, &frame, 9_000_000 + number)?;
            let opened = frame.noised(&frame.exact(&table).await?, 9_500_000 + number)?;
            let (_, fitted) = frame.fitted(&opened)?;
            let held = fitted.coefficients.iter().zip(truth.iter());
            for (all, (coefficient, truth)) in all.coefficients.iter_mut().zip(held) {
                if let Interval::Bounded { low, high } = coefficient.population {
                    all.push(low <= *truth && *truth <= high);
                }
            }
            all.effects.push(Effects::of(&table, &hospitals, &fitted));
        }
    }
    Ok(all)
}

pub(crate) async fn report(scale: u64, goals: &mut Goals) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for between in [0.03, 0.075] {
        let setting = Setting { between, ..setting(20_000, 20, 1.0, false) };
        let found = found(&setting, scale).await?;
        let name = |what: &str| format!("{what}, hospitals apart by {:.1} of 100", 100.0 * between);
        let held = share(found.effects.iter().flat_map(|e| e.held.iter().copied()));
        let rms = |sizes: RangeInclusive<usize>| {
            let errors = found.effects.iter().flat_map(|effects| &effects.errors);
            let inside = errors.filter(|(clinicians, _)| sizes.contains(clinicians));
            let (count, sum) = inside.fold((0, 0.0), |(n, sum), (_, e)| (n + 1, sum + e.powi(2)));
            100.0 * (sum / float(count)).sqrt()
        };
        let (typical, all) = (rms(600..=1_000), rms(0..=usize::MAX));
        let mut apart: Vec<f64> = found.effects.iter().filter_map(|e| e.between).collect();
        apart.sort_by(f64::total_cmp);
        let at = |share: usize| {
            100.0 * apart.get(apart.len() * share / 100).copied().unwrap_or(f64::NAN)
        };
        let each: Vec<f64> =
            found.coefficients.iter().map(|held| share(held.iter().copied())).collect();
        let (worst, best) = ends(&each);
        let mean = each.iter().sum::<f64>() / float(each.len());
        rows.push(vec![
            format!("{:.1}", 100.0 * between),
            format!("{:.1} / {:.1} / {:.1}", at(10), at(50), at(90)),
            format!("{typical:.2}"),
            // The goal is of hospitals about three points apart.
            if between < 0.05 {
                goals.at_most(&name("error of an effect"), typical, 1.1)
            } else {
                String::new()
            },
            format!("{all:.2}"),
            format!("{held:.1}"),
            goals.covers(&name("coverage of effects"), held),
            format!("{mean:.1} ({worst:.1} to {best:.1})"),
            goals.at_least(&name("worst coefficient"), worst, 92.0),
            found.effects.len().to_string(),
        ]);
    }
    print(
        "Hospitals that differ: 20,000 clinicians, 20 columns, 20 hospitals drawn anew for each table, ε = 1, third period; points of 100",
        &[
            "sd between them",
            "found, 10–50–90 %",
            "rms error of effects, 600 to 1,000 clinicians",
            "goal",
            "of all",
            "coverage %",
            "goal",
            "population's coefficients, coverage %",
            "goal of the worst",
            "tables",
        ],
        &rows,
    );
    Ok(())
}
