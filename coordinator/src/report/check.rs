//! What must hold between the numbers of a report, key by key.
//!
//! The gates are those of the statistics: coefficients at κ ≥ 1 only, and without a warning at κ ≥ 2
//! only; where they are withheld, neither money nor a fairness measure follows from them.
mod found;
mod money;
mod prices;
mod within;

use super::ReportError;
use super::data::{
    Coefficient, FairnessPart, FederationPart, FitQuality, GapMeasures, InputsPart, Interval,
    Noisy, PrivacyPart, ReportData, StudyPart,
};
use std::collections::BTreeSet;
use std::str::FromStr;
use tacit_shared::id::{Digest, SiteId};

type Checked = Result<(), ReportError>;

/// Checks everything but the format.
pub(super) fn check(data: &ReportData) -> Checked {
    check_study(&data.study)?;
    check_federation(&data.federation, &data.privacy)?;
    check_privacy(&data.privacy)?;
    check_fit(data)?;
    check_coefficients(data)?;
    check_fairness(&data.fairness, data.rehearsal)?;
    found::check(data)?;
    within::check(data)?;
    money::check_money(data)?;
    prices::check(data)?;
    check_inputs(&data.inputs)
}

/// Refuses with `problem` unless `holds`.
fn ensure(holds: bool, key: &str, problem: impl Into<String>) -> Checked {
    if holds {
        return Ok(());
    }
    Err(ReportError::Key { key: key.to_owned(), problem: problem.into() })
}

fn finite(key: &str, value: f64) -> Checked {
    ensure(value.is_finite(), key, "is not a finite number")
}

fn positive(key: &str, value: f64) -> Checked {
    let holds = value.is_finite() && value > 0.0;
    ensure(holds, key, "is not a finite number above 0")
}

fn share(key: &str, value: f64) -> Checked {
    ensure((0.0..=1.0).contains(&value), key, "is not from 0 to 1")
}

fn noisy(key: &str, noisy: Noisy) -> Checked {
    finite(&format!("{key}.value"), noisy.value)?;
    let holds = noisy.sd.is_finite() && noisy.sd >= 0.0;
    ensure(holds, &format!("{key}.sd"), "is not a finite number of at least 0")
}

fn interval(key: &str, interval: Interval) -> Checked {
    let Interval::Between { low, high } = interval else {
        return Ok(());
    };
    finite(&format!("{key}.low"), low)?;
    finite(&format!("{key}.high"), high)?;
    ensure(low <= high, key, "has its low end above its high end")
}

/// The truth is known in a rehearsal only.
fn truth(key: &str, truth: Option<f64>, rehearsal: bool) -> Checked {
    let Some(value) = truth else { return Ok(()) };
    ensure(rehearsal, key, "is given, but only a rehearsal knows the truth")?;
    finite(key, value)
}

/// `names` are strictly rising.
fn sorted(key: &str, names: &[String]) -> Checked {
    let rising = names.iter().zip(names.iter().skip(1)).all(|(a, b)| a < b);
    ensure(rising, key, "is not sorted by name, each name once")
}

fn unique<'a>(key: &str, names: impl Iterator<Item = &'a String>) -> Checked {
    let mut seen = BTreeSet::new();
    let mut names = names;
    ensure(names.all(|name| seen.insert(name)), key, "has a name more than once")
}

fn check_study(study: &StudyPart) -> Checked {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    let day = |key: &str, text: &str| {
        time::Date::parse(text, format).map_err(|_| ReportError::Key {
            key: key.to_owned(),
            problem: "is not a day; expected YYYY-MM-DD".to_owned(),
        })
    };
    let (from, to) = (day("study.from", &study.from)?, day("study.to", &study.to)?);
    ensure(from < to, "study.to", "is not after `study.from`")?;
    let (low, high) = (study.outcome.low_points, study.outcome.high_points);
    finite("study.outcome.low_points", low)?;
    finite("study.outcome.high_points", high)?;
    ensure(low < high, "study.outcome.high_points", "is not above `low_points`")?;
    for (row, by) in study.scored_by.iter().enumerate() {
        let known = Digest::from_str(&by.sha256).is_ok();
        ensure(known, &format!("study.scored_by[{row}].sha256"), "is not 64 hexadecimal digits")?;
    }
    Ok(())
}

fn check_federation(federation: &FederationPart, privacy: &PrivacyPart) -> Checked {
    let lists = [
        ("federation.invited", &federation.invited),
        ("federation.took_part", &federation.took_part),
        ("federation.dropped", &federation.dropped),
    ];
    for (key, names) in lists {
        sorted(key, names)?;
        for name in names {
            SiteId::from_str(name).map_err(|e| ReportError::Key {
                key: key.to_owned(),
                problem: format!("holds a name that is none: {e}"),
            })?;
        }
    }
    let mut answered = federation.took_part.clone();
    answered.extend_from_slice(&federation.dropped);
    answered.sort();
    ensure(
        answered == federation.invited,
        "federation.invited",
        "is not `took_part` and `dropped` together",
    )?;
    let enough = federation.took_part.len() >= usize::from(privacy.min_sites);
    ensure(enough, "federation.took_part", "has fewer sites than `privacy.min_sites`")
}

fn check_privacy(privacy: &PrivacyPart) -> Checked {
    positive("privacy.epsilon", privacy.epsilon)?;
    positive("privacy.delta", privacy.delta)?;
    ensure(privacy.delta < 1.0, "privacy.delta", "is not below 1")?;
    positive("privacy.epsilon_zcdp", privacy.epsilon_zcdp)?;
    positive("privacy.mu", privacy.mu)?;
    positive("privacy.patient.epsilon", privacy.patient.epsilon)?;
    positive("privacy.noise_multiplier", privacy.noise_multiplier)?;
    share("privacy.attacker_power", privacy.attacker_power)?;
    ensure(privacy.colluders < privacy.min_sites, "privacy.colluders", "is not below `min_sites`")?;
    ensure(privacy.releases_per_year > 0, "privacy.releases_per_year", "is 0")?;
    finite("privacy.year_epsilon", privacy.year_epsilon)?;
    let whole = privacy.year_epsilon >= privacy.epsilon;
    ensure(whole, "privacy.year_epsilon", "is below `privacy.epsilon`")
}

/// The gates of the statistics: what κ does not carry is not printed.
fn check_fit(data: &ReportData) -> Checked {
    let (fit, quality) = (&data.fit, &data.quality);
    noisy("quality.heads", quality.heads)?;
    noisy("quality.rows_shrunk", quality.rows_shrunk)?;
    noisy("quality.residuals_cut", quality.residuals_cut)?;
    noisy("quality.excluded_shares", quality.excluded_shares)?;
    finite("fit.kappa", fit.kappa)?;
    finite("fit.heads_weighted", fit.heads_weighted)?;
    let least = match fit.quality {
        FitQuality::Good => 2.0,
        FitQuality::Weak => 1.0,
        FitQuality::Withheld => f64::NEG_INFINITY,
    };
    ensure(fit.kappa >= least, "fit.quality", format!("needs a kappa of at least {least}"))?;
    let withheld = fit.quality == FitQuality::Withheld;
    for (key, value) in [("fit.r_squared", fit.r_squared), ("fit.sigma_points", fit.sigma_points)] {
        ensure(value.is_none() == withheld, key, "is not null exactly when the fit is withheld")?;
        value.map_or(Ok(()), |v| finite(key, v))?;
    }
    let divided = data.allocation.is_some() || data.codes.is_some() || data.equity.is_some();
    let nothing = data.fairness.groups.is_empty() && !divided && data.service_lines.is_empty();
    ensure(
        nothing || !withheld,
        "fit.quality",
        "is withheld, yet there is an allocation or a fairness measure",
    )
}

fn check_coefficients(data: &ReportData) -> Checked {
    unique("coefficients", data.coefficients.iter().map(|c| &c.name))?;
    let withheld = data.fit.quality == FitQuality::Withheld;
    for (row, coefficient) in data.coefficients.iter().enumerate() {
        check_coefficient(row, coefficient, data.rehearsal)?;
        ensure(
            coefficient.estimate.is_none() == withheld,
            &format!("coefficients[{row}].estimate"),
            "is not null exactly when the fit is withheld",
        )?;
    }
    Ok(())
}

fn check_coefficient(row: usize, coefficient: &Coefficient, rehearsal: bool) -> Checked {
    let key = |name: &str| format!("coefficients[{row}].{name}");
    let typical = coefficient.typical;
    let sound = typical.is_finite() && typical > 0.0;
    ensure(sound, &key("typical"), "is not above 0")?;
    for (name, value) in
        [("estimate", coefficient.estimate), ("after_dial", coefficient.after_dial)]
    {
        value.map_or(Ok(()), |v| finite(&key(name), v))?;
    }
    for (name, range) in
        [("exact_data", coefficient.exact_data), ("population", coefficient.population)]
    {
        interval(&key(name), range)?;
        let shown = matches!(range, Interval::Between { .. });
        ensure(
            coefficient.estimate.is_some() || !shown,
            &key(name),
            "is an interval without an estimate",
        )?;
    }
    truth(&key("truth"), coefficient.truth, rehearsal)
}

fn check_fairness(fairness: &FairnessPart, rehearsal: bool) -> Checked {
    share("fairness.phi", fairness.phi)?;
    unique("fairness.groups", fairness.groups.iter().map(|g| &g.name))?;
    for (row, group) in fairness.groups.iter().enumerate() {
        let key = format!("fairness.groups[{row}]");
        noisy(&format!("{key}.heads"), group.heads)?;
        check_measures(&format!("{key}.before"), &group.before, rehearsal)?;
        check_measures(&format!("{key}.after"), &group.after, rehearsal)?;
        if let Some(equal) = &group.equivalents {
            finite(&format!("{key}.equivalents.alpha"), equal.alpha)?;
            finite(&format!("{key}.equivalents.m"), equal.m)?;
            let lambda = equal.lambda.unwrap_or(0.0);
            finite(&format!("{key}.equivalents.lambda"), lambda)?;
        }
    }
    for (row, point) in fairness.curve.iter().enumerate() {
        let key = format!("fairness.curve[{row}]");
        share(&format!("{key}.phi"), point.phi)?;
        finite(&format!("{key}.r_squared"), point.r_squared)?;
        let gap = point.gap_points;
        ensure(
            gap.is_finite() && gap >= 0.0,
            &format!("{key}.gap_points"),
            "is not a finite number of at least 0",
        )?;
    }
    for (name, fit) in [("before", &fairness.overall_before), ("after", &fairness.overall_after)] {
        let Some(fit) = fit else { continue };
        let key = format!("fairness.overall_{name}");
        finite(&format!("{key}.residual"), fit.residual)?;
        finite(&format!("{key}.r_squared"), fit.r_squared)?;
        interval(&format!("{key}.residual_interval"), fit.residual_interval)?;
        interval(&format!("{key}.r_squared_interval"), fit.r_squared_interval)?;
    }
    let next = fairness.curve.iter().skip(1);
    let rising = fairness.curve.iter().zip(next).all(|(a, b)| a.phi < b.phi);
    ensure(rising, "fairness.curve", "is not in the order of rising phi")
}

fn check_measures(key: &str, measures: &GapMeasures, rehearsal: bool) -> Checked {
    finite(&format!("{key}.mean_residual_difference"), measures.mean_residual_difference)?;
    interval(&format!("{key}.interval"), measures.interval)?;
    finite(&format!("{key}.predictive_ratio"), measures.predictive_ratio)?;
    finite(&format!("{key}.net_compensation"), measures.net_compensation)?;
    finite(&format!("{key}.fair_covariance"), measures.fair_covariance)?;
    for (name, found) in [
        ("predictive_ratio_interval", measures.predictive_ratio_interval),
        ("net_compensation_interval", measures.net_compensation_interval),
        ("fair_covariance_interval", measures.fair_covariance_interval),
    ] {
        interval(&format!("{key}.{name}"), found)?;
    }
    truth(&format!("{key}.truth"), measures.truth, rehearsal)
}

fn check_inputs(inputs: &InputsPart) -> Checked {
    for (key, digest) in [
        ("inputs.study", &inputs.study),
        ("inputs.roster", &inputs.roster),
        ("inputs.round_config", &inputs.round_config),
        ("inputs.result", &inputs.result),
        ("inputs.transcript", &inputs.transcript),
    ] {
        let known = Digest::from_str(digest).is_ok();
        ensure(known, key, "is not 64 hexadecimal digits")?;
    }
    Ok(())
}
