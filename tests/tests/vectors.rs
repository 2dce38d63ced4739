//! The accountant, the noise plan and `tacit-node privacy` against the reference values.
//!
//! `tests/vectors/accounting.json` holds values computed with 60 digits from the formulas of
//! docs/privacy.md. A larger file of the same form (`accounting.json` in the folder `TACIT_VECTORS`, by
//! default `../shared/vectors` beside the workspace), which also has values of `dp_accounting`, is compared
//! where it is. `check` holds the accepted interval: below it a claim would be unsound, above it needlessly
//! loose.
#![expect(clippy::print_stdout, reason = "a test tells what it compared, or why it did not")]
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tacit_node::command::privacy::{PrivacyArgs, run};
use tacit_shared::privacy::accountant::{
    Cost, GaussianReleases, attacker_power, compose, delta_at, epsilon_at, epsilon_zcdp, mu_max,
    mu_of, noise_multiplier, rho_max_zcdp, rho_of,
};
use tacit_shared::privacy::mechanism::NoisePlan;
use tacit_shared::units::{Delta, Epsilon, Mu, NoiseMultiplier, Probability, Rho};

type Outcome = Result<(), Box<dyn std::error::Error>>;
type Family = (&'static str, fn(&Case) -> Outcome);

/// Every family that is known here; each must have at least one case.
const FAMILIES: [Family; 12] = [
    ("gaussian_exact", gaussian_exact),
    ("gaussian_heterogeneous", gaussian_heterogeneous),
    ("gaussian_delta", gaussian_delta),
    ("gaussian_calibration", gaussian_calibration),
    ("zcdp_to_approx_dp", zcdp_to_approx_dp),
    ("zcdp_budget", zcdp_budget),
    ("discrete_gaussian_exact_1d", discrete_gaussian_exact_1d),
    ("tacit_claim", tacit_claim),
    ("noise_plan", noise_plan),
    ("two_units", two_units),
    ("gdp_attacker_power", gdp_attacker_power),
    ("edge", edge),
];

/// Families of noise and of bounds that this product neither draws nor publishes: it releases discrete
/// Gaussians only, and states the exact curve and the zCDP figure.
const ELSEWHERE: [&str; 6] = [
    "gaussian_rdp_default_orders",
    "skellam_rdp",
    "skellam_calibration",
    "skellam_exact_1d",
    "skellam_pld_1d",
    "distributed_discrete_gaussian_rdp",
];

#[test]
fn every_case_of_60_digits_is_met() -> Outcome {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/accounting.json"))
}

#[test]
fn every_reference_case_is_met() -> Outcome {
    let Some(folder) = vectors() else {
        println!("no further reference values here (TACIT_VECTORS)");
        return Ok(());
    };
    compare(&folder.join("accounting.json"))
}

fn compare(path: &Path) -> Outcome {
    let file: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let cases = file.get("cases").and_then(Value::as_array).ok_or("no cases")?;
    let mut ran: BTreeMap<&str, u32> = BTreeMap::new();
    let mut elsewhere: BTreeMap<&str, u32> = BTreeMap::new();
    let mut failures = Vec::new();
    for value in cases {
        let case = Case { value };
        let family = case.text("/family")?;
        if let Some((name, check)) = FAMILIES.iter().find(|(name, _)| *name == family) {
            *ran.entry(name).or_default() += 1;
            if let Err(error) = check(&case) {
                failures.push(format!("{}: {error}", case.text("/id")?));
            }
        } else if let Some(name) = ELSEWHERE.iter().find(|name| **name == family) {
            *elsewhere.entry(name).or_default() += 1;
        } else {
            failures.push(format!("{}: a family that nothing is compared with", case.text("/id")?));
        }
    }
    for (name, _) in &FAMILIES {
        let count = ran.get(name).copied().unwrap_or_default();
        println!("{name}: {count} cases");
        assert!(count > 0, "no case of {name} in {}", path.display());
    }
    println!("of noise that is not this product's: {elsewhere:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// The folder with the reference values, if it is there.
fn vectors() -> Option<PathBuf> {
    let folder = match std::env::var_os("TACIT_VECTORS") {
        Some(named) => PathBuf::from(named),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.parent()?.join("shared/vectors"),
    };
    folder.join("accounting.json").is_file().then_some(folder)
}

struct Case<'a> {
    value: &'a Value,
}

impl Case<'_> {
    fn at(&self, pointer: &str) -> Result<&Value, String> {
        self.value.pointer(pointer).ok_or_else(|| format!("no {pointer}"))
    }

    fn text(&self, pointer: &str) -> Result<&str, String> {
        self.at(pointer)?.as_str().ok_or_else(|| format!("{pointer} is no text"))
    }

    /// A number; `"nan"` and `"inf"` stand for what JSON cannot write.
    fn number(&self, pointer: &str) -> Result<f64, String> {
        let value = self.at(pointer)?;
        let spelled = value.as_str().and_then(|text| text.parse().ok());
        value.as_f64().or(spelled).ok_or_else(|| format!("{pointer} is no number"))
    }

    fn count(&self, pointer: &str) -> Result<u64, String> {
        self.at(pointer)?.as_u64().ok_or_else(|| format!("{pointer} is no count"))
    }

    fn site_count(&self, pointer: &str) -> Result<u32, Box<dyn std::error::Error>> {
        Ok(u32::try_from(self.count(pointer)?)?)
    }

    fn delta(&self) -> Result<Delta, Box<dyn std::error::Error>> {
        Ok(Delta::new(self.number("/inputs/delta")?)?)
    }

    fn epsilon(&self) -> Result<Epsilon, Box<dyn std::error::Error>> {
        Ok(Epsilon::new(self.number("/inputs/epsilon")?)?)
    }

    /// μ of the inputs `noise_multiplier` and `compositions`.
    fn mu(&self) -> Result<Mu, Box<dyn std::error::Error>> {
        let multiplier = NoiseMultiplier::new(self.number("/inputs/noise_multiplier")?)?;
        Ok(mu_of(multiplier, self.count("/inputs/compositions")?)?)
    }

    /// The value lies in the interval `check.{name}_min` to `check.{name}_max`.
    fn within(&self, name: &str, found: f64) -> Outcome {
        let from = self.number(&format!("/check/{name}_min"))?;
        let to = self.number(&format!("/check/{name}_max"))?;
        if (from..=to).contains(&found) {
            return Ok(());
        }
        Err(format!("{name} is {found}; accepted {from} to {to}").into())
    }

    /// The value is the one expected, to the given relative tolerance.
    fn near(&self, pointer: &str, found: f64, tolerance: f64) -> Outcome {
        let expected = self.number(pointer)?;
        if found.is_infinite() && found.total_cmp(&expected).is_eq() {
            return Ok(());
        }
        if (found - expected).abs() <= tolerance * expected.abs() {
            return Ok(());
        }
        Err(format!("{pointer}: found {found}, expected {expected}").into())
    }
}

fn finite(epsilon: Option<Epsilon>) -> Result<f64, &'static str> {
    epsilon.map(Epsilon::value).ok_or("no finite epsilon")
}

fn gaussian_exact(case: &Case) -> Outcome {
    let mu = case.mu()?;
    case.near("/expected/mu_total", mu.value(), 1e-14)?;
    case.near("/expected/rho_total", rho_of(mu)?.value(), 1e-14)?;
    case.within("epsilon", finite(epsilon_at(mu, case.delta()?))?)?;
    let printed: Value = serde_json::from_str(&run(&PrivacyArgs {
        noise_multiplier: case.number("/inputs/noise_multiplier")?,
        releases: case.count("/inputs/compositions")?,
        delta: case.number("/inputs/delta")?,
        json: true,
    })?)?;
    let printed = Case { value: &printed };
    case.within("epsilon", printed.number("/epsilon")?)?;
    case.near("/expected/mu_total", printed.number("/mu")?, 1e-14)?;
    case.near("/expected/rho_total", printed.number("/rho")?, 1e-14)
}

fn gaussian_heterogeneous(case: &Case) -> Outcome {
    let listed = case.at("/inputs/releases")?.as_array().ok_or("no list")?;
    let releases = listed
        .iter()
        .map(|value| {
            let release = Case { value };
            Ok(GaussianReleases {
                l2: release.number("/l2_sensitivity")?,
                sigma: release.number("/sigma")?,
                count: release.count("/count")?,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    let mu = compose(&releases)?;
    case.near("/expected/mu_total", mu.value(), 1e-14)?;
    case.within("epsilon", finite(epsilon_at(mu, case.delta()?))?)
}

fn gaussian_delta(case: &Case) -> Outcome {
    case.within("delta", delta_at(case.mu()?, case.epsilon()?)?.value())
}

fn gaussian_calibration(case: &Case) -> Outcome {
    let releases = case.count("/inputs/compositions")?;
    let multiplier = noise_multiplier(case.epsilon()?, case.delta()?, releases)?;
    case.within("noise_multiplier", multiplier.value())?;
    let mu = mu_max(case.epsilon()?, case.delta()?)?;
    case.near("/expected/mu_max", mu.value(), 1e-11)
}

fn zcdp_to_approx_dp(case: &Case) -> Outcome {
    let rho = Rho::new(case.number("/inputs/rho")?)?;
    case.within("epsilon", finite(epsilon_zcdp(rho, case.delta()?))?)
}

fn zcdp_budget(case: &Case) -> Outcome {
    case.within("rho", rho_max_zcdp(case.epsilon()?, case.delta()?)?.value())
}

/// The ledger's cost of `count` releases of variance `variance`.
fn spent(
    l2: u64,
    variance: u128,
    dimension: u64,
    count: u64,
) -> Result<Cost, Box<dyn std::error::Error>> {
    let one = Cost::of(l2, variance, dimension)?;
    let total = (0..count).try_fold(Cost::ZERO, |total, _| total.checked_add(one));
    Ok(total.ok_or("the cost overflows")?)
}

fn discrete_gaussian_exact_1d(case: &Case) -> Outcome {
    let sigma = u128::from(case.count("/inputs/sigma")?);
    let count = case.count("/inputs/compositions")?;
    let total = spent(case.count("/inputs/shift")?, sigma * sigma, 1, count)?;
    case.within("epsilon", finite(total.epsilon(case.delta()?))?)?;
    case.near("/expected/zcdp_bound", finite(total.epsilon_zcdp(case.delta()?))?, 1e-9)
}

fn tacit_claim(case: &Case) -> Outcome {
    let c_int = case.count("/inputs/clip_norm_int")?;
    let multiplier = NoiseMultiplier::new(case.number("/inputs/noise_multiplier")?)?;
    let plan = NoisePlan::new(multiplier, c_int, 1, 0)?;
    let dimension = case.count("/inputs/dimension")?;
    let count = case.count("/inputs/compositions")?;
    let total = spent(c_int, plan.guaranteed_variance(), dimension, count)?;
    case.within("epsilon", finite(total.epsilon(case.delta()?))?)
}

fn noise_plan(case: &Case) -> Outcome {
    let multiplier = NoiseMultiplier::new(case.number("/inputs/noise_multiplier")?)?;
    let plan = NoisePlan::new(
        multiplier,
        case.count("/inputs/clip_norm_int")?,
        case.site_count("/inputs/min_sites")?,
        case.site_count("/inputs/max_colluders")?,
    )?;
    let scale = plan.site_scale();
    let from = case.count("/check/per_site_sigma_min")?;
    let to = case.count("/check/per_site_sigma_max")?;
    if !(from..=to).contains(&scale) {
        return Err(format!("per-site scale {scale}; accepted {from} to {to}").into());
    }
    let actual = plan.actual_variance(case.site_count("/inputs/survivors")?);
    case.near("/expected/guaranteed_sigma", root(plan.guaranteed_variance()), 1e-6)?;
    case.near("/expected/actual_sigma_all_survive", root(actual), 1e-6)
}

#[expect(clippy::cast_precision_loss, reason = "compared to one part in a million")]
fn root(variance: u128) -> f64 {
    (variance as f64).sqrt()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number of quanta"
)]
fn two_units(case: &Case) -> Outcome {
    let tolerance = case.number("/check/relative_tolerance")?;
    let clip = case.number("/inputs/clip_norm_int")?;
    let multiplier = case.number("/inputs/noise_multiplier_clinician")?;
    let sigma = clip * multiplier;
    let c_int = case.count("/inputs/clip_norm_int")?;
    let plan = NoisePlan::new(NoiseMultiplier::new(multiplier)?, c_int, 1, 0)?;
    for kind in ["clinician_add_remove", "clinician_substitution", "patient"] {
        let l2 = case.number(&format!("/expected/{kind}/l2"))?;
        let mu = compose(&[GaussianReleases { l2, sigma, count: 1 }])?;
        let epsilon = finite(epsilon_at(mu, case.delta()?))?;
        case.near(&format!("/expected/{kind}/mu"), mu.value(), tolerance)?;
        case.near(&format!("/expected/{kind}/epsilon"), epsilon, tolerance)?;
        // And as the ledger charges it, in whole numbers.
        if l2.fract() == 0.0 {
            let charged = spent(l2 as u64, plan.guaranteed_variance(), 1, 1)?;
            case.near(
                &format!("/expected/{kind}/epsilon"),
                finite(charged.epsilon(case.delta()?))?,
                tolerance,
            )?;
        }
    }
    Ok(())
}

fn gdp_attacker_power(case: &Case) -> Outcome {
    let mu = Mu::new(case.number("/inputs/mu")?)?;
    let rate = Probability::new(case.number("/inputs/false_positive_rate")?)?;
    let tolerance = case.number("/check/relative_tolerance")?;
    let power = attacker_power(mu, rate)?.value();
    case.near("/expected/max_true_positive_rate", power, tolerance)
}

/// The ends of the domain: a value, an infinity or an error is expected.
fn edge(case: &Case) -> Outcome {
    let found = edge_value(case);
    if case.at("/expected/error").is_ok() {
        return match found {
            Ok(value) => Err(format!("found {value}, expected an error").into()),
            Err(_) => Ok(()),
        };
    }
    let key = match case.text("/inputs/op")? {
        "gaussian_sigma" => "/expected/noise_multiplier",
        "gaussian_delta" => "/expected/delta",
        _ => "/expected/epsilon",
    };
    case.near(key, found?, case.number("/check/relative_tolerance")?)
}

fn edge_value(case: &Case) -> Result<f64, Box<dyn std::error::Error>> {
    let mu =
        || -> Result<Mu, Box<dyn std::error::Error>> { Ok(Mu::new(case.number("/inputs/mu")?)?) };
    match case.text("/inputs/op")? {
        "gaussian_epsilon" => {
            Ok(epsilon_at(mu()?, case.delta()?).map_or(f64::INFINITY, Epsilon::value))
        }
        "gaussian_delta" => Ok(delta_at(mu()?, case.epsilon()?)?.value()),
        "gaussian_sigma" => Ok(noise_multiplier(case.epsilon()?, case.delta()?, 1)?.value()),
        other => Err(format!("unknown operation {other}").into()),
    }
}
