//! What must hold of slopes within hospitals and of the means of groups.
use super::super::data::{CoefficientKind, FairnessPart, FitQuality, Interval, ReportData};
use super::super::within::{GroupMean, WithinPart, differs};
use super::{Checked, ensure, finite, interval, noisy, truth, unique};

/// Checks both.
pub(super) fn check(data: &ReportData) -> Checked {
    let nothing = data.within.is_none() && data.fairness.means.is_empty();
    ensure(
        nothing || data.fit.quality != FitQuality::Withheld,
        "fit.quality",
        "is withheld, yet slopes within hospitals or means of groups are given",
    )?;
    data.within.as_ref().map_or(Ok(()), |within| of_slopes(within, data))?;
    of_means(&data.fairness, data.rehearsal)
}

fn of_slopes(within: &WithinPart, data: &ReportData) -> Checked {
    let refused = within.refused.is_some();
    ensure(
        refused == within.rows.is_empty(),
        "within.refused",
        "is not null exactly if there are rows",
    )?;
    let mut effects = data.coefficients.iter().filter(|c| c.kind == CoefficientKind::Effect);
    for (at, row) in within.rows.iter().enumerate() {
        let key = |name: &str| format!("within.rows[{at}].{name}");
        let pooled = effects.next().filter(|pooled| pooled.name == row.name);
        let Some(pooled) = pooled else {
            return ensure(false, &key("name"), "is not the next feature of the formula");
        };
        row.estimate.map_or(Ok(()), |estimate| finite(&key("estimate"), estimate))?;
        stands(&key("interval"), row.interval, row.estimate)?;
        let differ = differs(row.interval, pooled.population);
        ensure(row.differs == differ, &key("differs"), "is not what the two ranges say")?;
        truth(&key("truth"), row.truth, data.rehearsal)?;
    }
    ensure(refused || effects.next().is_none(), "within.rows", "lacks a feature of the formula")
}

fn of_means(fairness: &FairnessPart, rehearsal: bool) -> Checked {
    unique("fairness.means", fairness.means.iter().map(|group| &group.name))?;
    for (at, group) in fairness.means.iter().enumerate() {
        of_mean(&format!("fairness.means[{at}].inside"), &group.inside, rehearsal)?;
        of_mean(&format!("fairness.means[{at}].outside"), &group.outside, rehearsal)?;
    }
    Ok(())
}

fn of_mean(key: &str, group: &GroupMean, rehearsal: bool) -> Checked {
    noisy(&format!("{key}.heads"), group.heads)?;
    group.mean.map_or(Ok(()), |mean| finite(&format!("{key}.mean"), mean))?;
    for (name, found) in [("exact_data", group.exact_data), ("population", group.population)] {
        stands(&format!("{key}.{name}"), found, group.mean)?;
    }
    truth(&format!("{key}.truth"), group.truth, rehearsal)
}

/// A range and its number are there together, or neither.
fn stands(key: &str, range: Interval, number: Option<f64>) -> Checked {
    interval(key, range)?;
    let shown = matches!(range, Interval::Between { .. });
    ensure(shown == number.is_some(), key, "is not there exactly if its number is")
}
