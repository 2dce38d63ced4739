//! What a release would be good for, before anything is spent: from public numbers alone.
//!
//! ```text
//! half width of a coefficient = 1.96 · s · width / (√(n v) · rms)          s: residual sd, ρ/3 of a score
//! of a group's gap            = 1.96 · σ₀ √(K+1) ρ / (√f_r n_g)
//! of a site's heads           = 1.96 · σ₀ / √f_h           of its mean residual: 1.96 · σ₀ ρ / (√f_r n_s)
//! ```
//! κ, the width of an interval over what it were without noise, and what would help come from
//! [`tacit_model::planning`], by which the convener plans. σ₀ is the noise of all sites' answers for a sensitivity of 1, n the
//! clinicians of all sites: as many as are named, or the study's cap, surely too many. Of a count, a share or a positive number
//! s is 1 in Pearson units, v the weight of a row at the typical value, and a coefficient says by how many percent the rate,
//! the odds or the mean differ. Widths of coefficients hold within some 30 percent, but for rare levels of a factor; a gap's
//! interval also counts the noise of the formula and can be thrice as wide. Nothing here looks at data.
use serde::Serialize;
use tacit_model::planning::remedy::{Remedy, remedies, told};
use tacit_model::planning::{self, Feasibility, LEAST_KAPPA};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::study::Study;
use tacit_shared::study::family::Family;
use tacit_shared::study::layout::Part;
use tacit_shared::summary::contribution::CLIP;

/// The two-sided 95 percent quantile.
const Z95: f64 = 1.96;
/// Shares of the clinicians for which a group's gap is forecast.
const GROUP_SHARES: [f64; 2] = [0.1, 0.3];

/// A number that will be published, and how far off it may be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HalfWidth {
    /// What it is.
    pub label: String,
    /// Half the width of its 95 percent interval.
    pub value: f64,
    /// In which unit.
    pub unit: String,
}

/// What to expect of one release.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Clinicians of all sites together that it rests on.
    pub heads: u32,
    /// κ.
    pub kappa: f64,
    /// Width of the widest interval over what it would be without noise.
    pub width_ratio: f64,
    /// Clinicians of all sites together from which it would be enough.
    pub heads_enough: f64,
    /// Clinicians of all sites together below which it would be hopeless.
    pub heads_least: f64,
    /// In a word.
    pub verdict: Feasibility,
    /// What it would take to do better; empty if κ is enough.
    pub remedies: Vec<Remedy>,
    /// Coefficients of the formula.
    pub coefficients: Vec<HalfWidth>,
    /// Gaps between a group and everybody else.
    pub groups: Vec<HalfWidth>,
    /// Site totals.
    pub sites: Vec<HalfWidth>,
}

/// Clinicians of all sites together: as many as are named, or else the study's cap.
pub fn heads(plan: &Plan, named: Option<u32>) -> u32 {
    let sites = u32::try_from(plan.sites().len()).unwrap_or(u32::MAX);
    named.unwrap_or(plan.rows_max().saturating_mul(sites))
}

/// The forecast for `heads` clinicians in all sites of the plan together; `None` if the study's own spreads give none.
pub fn forecast(study: &Study, plan: &Plan, heads: u32) -> Option<Forecast> {
    let layout = plan.layout();
    let n = f64::from(heads.max(1));
    let sites = count(plan.sites().len());
    let noise = all_sites_multiplier(plan);
    let found = planning::forecast(study, layout, noise, n).ok()?;
    let remedies = remedies(study, layout, (noise, n), &found).ok()?;
    // Of counts and shares no gap or total is offered.
    let additive = study.family().is_additive();
    let offered = |list: Vec<HalfWidth>| if additive { list } else { Vec::new() };
    Some(Forecast {
        heads,
        kappa: found.kappa,
        width_ratio: found.widest().1,
        heads_enough: found.enough,
        heads_least: (n * LEAST_KAPPA / found.kappa).ceil(),
        verdict: found.verdict(),
        remedies,
        coefficients: coefficients(study, plan, n, &found),
        groups: offered(groups(study, plan, n, noise)),
        sites: offered(site_totals(study, plan, n / sites.max(1.0), noise)),
    })
}

/// What is told of a forecast wherever a study is decided on, sentence by sentence. `named`: whether somebody said how many
/// clinicians there are.
pub fn worth(forecast: Option<&Forecast>, named: bool) -> Vec<String> {
    let Some(forecast) = forecast else {
        let why = "nothing can be forecast: the study's own spreads leave its columns undetermined";
        return vec![why.to_owned()];
    };
    let (word, meaning) = match forecast.verdict {
        Feasibility::Enough => ("enough", "the formula stands well above the noise."),
        Feasibility::Weak => {
            ("weak", "coefficients come with wide intervals, below κ = 2 with a warning.")
        }
        Feasibility::Hopeless => {
            ("hopeless", "the noise drowns the formula; no coefficient would be published.")
        }
    };
    let mut lines = vec![
        resting_on(forecast, named),
        format!(
            "{word}: κ = {} (3 is enough, below 1 is hopeless), intervals up to {} times as wide as without noise; \
             {meaning} It would be enough from {:.0} clinicians on, and hopeless below {:.0}.",
            short(forecast.kappa),
            short(forecast.width_ratio),
            forecast.heads_enough,
            forecast.heads_least,
        ),
    ];
    if !forecast.remedies.is_empty() {
        lines.push(format!("What would help: {}.", told(&forecast.remedies)));
    }
    lines
}

/// Why a study is not worth its cost, and what would help; `None` if it may be.
pub fn hopeless(forecast: &Forecast, named: bool) -> Option<(String, String)> {
    let refused = || {
        let problem = format!(
            "hopeless: κ would be {}, by {}; expected 1 or more, below which no coefficient is published and the privacy \
             would be spent for nothing",
            short(forecast.kappa),
            resting_on(forecast, named)
        );
        let hint = format!(
            "fewer columns, a larger ε or share of the products of columns, or more clinicians: {}; `--accept-hopeless` approves \
             it all the same",
            told(&forecast.remedies)
        );
        (problem, hint)
    };
    (forecast.verdict == Feasibility::Hopeless).then(refused)
}

fn resting_on(forecast: &Forecast, named: bool) -> String {
    let source = if named {
        "as given"
    } else {
        "the study's cap, surely too many: `--heads N` gives the true number"
    };
    format!("{} clinicians in all sites together ({source})", forecast.heads)
}

/// What kind of number the outcome is and how rows of it are sent, in plain words.
pub fn model(study: &Study) -> String {
    let unit = &study.schema().outcome.unit;
    let (kind, step, what) = match study.family() {
        Family::Gaussian => {
            return format!("the outcome is an amount; coefficients are differences in {unit}");
        }
        Family::Poisson => ("a count", "a Poisson model", "the rate differs"),
        Family::Logistic => ("a yes or no, or a share", "a logistic model", "the odds differ"),
        Family::Gamma => ("a positive number", "a gamma model", "the mean differs"),
    };
    format!(
        "the outcome is {kind}: rows are sent as one Newton step of {step} from the formula stated beforehand; coefficients \
         say by how many percent {what}. No gap of a group is closed, and no pool divided"
    )
}

/// σ₀ if every site answers: what intervals are computed with.
pub fn all_sites_multiplier(plan: &Plan) -> f64 {
    let sites = u32::try_from(plan.sites().len()).unwrap_or(u32::MAX);
    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    let sd = (plan.noise().actual_variance(sites) as f64).sqrt();
    sd / f64::from(u32::try_from(CLIP).unwrap_or(u32::MAX))
}

fn coefficients(study: &Study, plan: &Plan, n: f64, found: &planning::Forecast) -> Vec<HalfWidth> {
    let schema = study.schema();
    let outcome = &schema.outcome;
    let weight = plan.layout().working(&[1.0], 0.0).root.powi(2);
    let sd = if study.family().is_additive() { outcome.residual_bound / 3.0 } else { 1.0 };
    let columns = schema.columns();
    let of = |(column, width): (&tacit_shared::study::schema::Column, &f64)| {
        // A level is there or not: around its own share it varies less than around none.
        let level = column.name.contains('=');
        let spread = if level {
            column.rms * (1.0 - column.rms * column.rms).max(0.01).sqrt()
        } else {
            column.rms
        };
        let per = if level || column.name == "intercept" {
            String::new()
        } else {
            format!(" for {} {}", short(column.half_range), column.unit)
        };
        let half = Z95 * sd * width / ((n * weight).sqrt() * spread);
        let percent = (half.exp() - 1.0) * 100.0;
        let (value, unit) = match study.family() {
            Family::Gaussian => (half, outcome.unit.as_str()),
            Family::Poisson => (percent, "% of the rate"),
            Family::Logistic => (percent, "% of the odds"),
            Family::Gamma => (percent, "% of the mean"),
        };
        HalfWidth { label: column.label.clone(), value, unit: format!("{unit}{per}") }
    };
    // A later period has one width for all.
    columns.iter().zip(found.widths.iter().cycle()).map(of).collect()
}

fn groups(study: &Study, plan: &Plan, n: f64, noise: f64) -> Vec<HalfWidth> {
    let schema = study.schema();
    let Some(block) = plan.layout().block(Part::GroupResidual(0)) else { return Vec::new() };
    // The block's scale is √f_r / (√(K+1) ρ), with ρ over the outcome's range.
    let range = schema.outcome.high - schema.outcome.low;
    let error = Z95 * noise * range / block.scale;
    let of = |label: &str, share: f64| HalfWidth {
        label: format!("{label}, if {:.0} % of all clinicians", share * 100.0),
        value: error / (share * n),
        unit: schema.outcome.unit.clone(),
    };
    let each = schema
        .groups
        .iter()
        .flat_map(|group| GROUP_SHARES.iter().map(move |share| of(&group.label, *share)));
    each.collect()
}

fn site_totals(study: &Study, plan: &Plan, heads: f64, noise: f64) -> Vec<HalfWidth> {
    let outcome = &study.schema().outcome;
    let range = outcome.high - outcome.low;
    let scale = |part: Part| plan.layout().block(part).map(|block| block.scale);
    let Some(site) = plan.sites().first().copied() else { return Vec::new() };
    let heads_error = scale(Part::SiteHeads(site)).map(|scale| HalfWidth {
        label: "Clinicians of one site".to_owned(),
        value: Z95 * noise / scale,
        unit: "clinicians".to_owned(),
    });
    let mean_error = scale(Part::SiteResidual(site)).map(|scale| HalfWidth {
        label: "Mean residual of one site".to_owned(),
        value: Z95 * noise * range / (scale * heads),
        unit: outcome.unit.clone(),
    });
    heads_error.into_iter().chain(mean_error).collect()
}

/// Four significant digits at most.
pub fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let digits = value.abs().log10().floor();
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 8")]
    let places = (2.0 - digits).clamp(0.0, 8.0) as i32;
    let places = usize::try_from(places).unwrap_or(0);
    format!("{value:.places$}")
}

#[expect(clippy::cast_precision_loss, reason = "sites and columns are few")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::office::tests::{plan, roster};

    const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

    fn of(heads: u32, epsilon: f64) -> Forecast {
        let text = STUDY.replace("epsilon = 2.0", &format!("epsilon = {epsilon:?}"));
        let study = Study::parse(&text).unwrap();
        forecast(&study, &plan(&study, &roster(5)), heads).unwrap()
    }

    /// The example study with another family, a count or share of 0.4 on average.
    fn counted(family: &str) -> Study {
        // Without its questions, which ask what only a score answers.
        let text = STUDY
            .split("[[asks]]")
            .next()
            .unwrap()
            .replace(
                "low = 10.0\nhigh = 50.0\ncentre = 36.0",
                "low = 0.0\nhigh = 1.0\ncentre = 0.4",
            )
            .replace("[fairness]", &format!("[model]\nfamily = \"{family}\"\n\n[fairness]"));
        let at = text.find("[fairness]").unwrap();
        let (before, after) = text.split_at(at);
        let low =
            if family == "gamma" { "low = 0.01\nhigh = 1.0" } else { "low = 0.0\nhigh = 1.0" };
        let before = before.replacen("low = 0.0\nhigh = 1.0", low, 1);
        Study::parse(&format!("{before}{}", after.replacen("groups = [", "groups = [] # [", 1)))
            .unwrap()
    }

    /// By hand: σ₀ = 2.2407·√(5/3) = 2.8927, p = 8, c² = 16, matrix .28.
    #[test]
    fn the_example_study_is_forecast_as_by_hand() {
        let found = of(4000, 2.0);
        let close = |found: f64, expected: f64| {
            assert!((found / expected - 1.0).abs() < 2e-3, "{found}, expected {expected}");
        };
        close(found.kappa, 1.75 / 8.0 * 4000.0 * 0.28_f64.sqrt() / (4.0 * 2.8927 * 16.0));
        close(found.heads_least, 4000.0 / found.kappa);
        assert_eq!(found.verdict, Feasibility::Weak);
        // √(K+1) = √3; ρ = 11 points; 10 percent are 400.
        close(
            found.groups[0].value,
            1.96 * 2.8927 * 3_f64.sqrt() * 11.0 / (0.08_f64.sqrt() * 400.0),
        );
        close(found.sites[0].value, 1.96 * 2.8927 / 0.07_f64.sqrt());
        close(found.sites[1].value, 1.96 * 2.8927 * 11.0 / (0.05_f64.sqrt() * 800.0));
        // Acuity: rms .29 of half a range of 2 levels; its own width, less than the widest.
        let acuity = &found.coefficients[1];
        let width = acuity.value / (1.96 * 11.0 / 3.0 / (4000_f64.sqrt() * 0.29));
        assert!(width > 1.5 && width < 0.8 * found.width_ratio, "{width}");
        assert_eq!(acuity.unit, "points for 2.00 level");
        assert_eq!(found.coefficients.len(), 8);
    }

    #[test]
    fn more_clinicians_or_a_larger_budget_help_and_the_threshold_is_where_it_says() {
        assert_eq!(of(500, 1.0).verdict, Feasibility::Hopeless);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a head count")]
        let heads = |from: f64| from as u32;
        let found = of(4000, 2.0);
        let (enough, least) = (heads(found.heads_enough), heads(found.heads_least));
        assert_eq!(of(enough + 1, 2.0).verdict, Feasibility::Enough);
        assert_eq!(of(enough - enough / 50, 2.0).verdict, Feasibility::Weak);
        assert_eq!(of(least, 2.0).verdict, Feasibility::Weak);
        assert_eq!(of(least - 1, 2.0).verdict, Feasibility::Hopeless);
        assert!(of(4000, 4.0).width_ratio < of(4000, 2.0).width_ratio);
        assert!(of(8000, 2.0).kappa > of(4000, 2.0).kappa);
    }

    #[test]
    fn a_hopeless_study_is_refused_with_what_would_help() {
        let (problem, hint) = hopeless(&of(600, 2.0), true).unwrap();
        assert_eq!(
            problem,
            "hopeless: κ would be 0.375, by 600 clinicians in all sites together (as given); expected 1 or more, below \
             which no coefficient is published and the privacy would be spent for nothing"
        );
        for part in [
            "fewer columns, a larger ε",
            "κ of 1 takes at most 5 of the 8 columns",
            "or 1600 clinicians in all sites together, or ε of 6",
            "`--accept-hopeless` approves it all the same",
        ] {
            assert!(hint.contains(part), "{part}: {hint}");
        }
        assert_eq!(hopeless(&of(4000, 2.0), true), None);
        // Not even with all that the study admits: 2,500 at each of five sites.
        let study = Study::parse(&STUDY.replace("epsilon = 2.0", "epsilon = 0.1")).unwrap();
        let plan = plan(&study, &roster(5));
        let found = forecast(&study, &plan, heads(&plan, None)).unwrap();
        let (problem, _) = hopeless(&found, false).unwrap();
        assert!(
            problem.contains("by 12500 clinicians in all sites together (the study's cap, surely"),
            "{problem}"
        );
    }

    #[test]
    fn counts_and_shares_are_forecast_in_percent() {
        for (family, unit, words) in [
            (
                "poisson",
                "% of the rate",
                "the outcome is a count: rows are sent as one Newton step of a Poisson model",
            ),
            (
                "logistic",
                "% of the odds",
                "the outcome is a yes or no, or a share: rows are sent as one Newton step of a logistic",
            ),
            (
                "gamma",
                "% of the mean",
                "the outcome is a positive number: rows are sent as one Newton step of a gamma",
            ),
        ] {
            let study = counted(family);
            let found = forecast(&study, &plan(&study, &roster(5)), 4000).unwrap();
            assert!(found.groups.is_empty() && found.sites.is_empty());
            assert_eq!(found.coefficients[0].unit, unit);
            assert_eq!(found.coefficients[1].unit, format!("{unit} for 2.00 level"));
            // At 0.4 a row weighs .4 as a count, .24 as a share, 1 as an amount.
            let weight: f64 = match family {
                "poisson" => 0.4,
                "logistic" => 0.24,
                _ => 1.0,
            };
            let without_noise = 1.96 / ((4000.0 * weight).sqrt() * 0.29);
            let half = (found.coefficients[1].value / 100.0).ln_1p();
            assert!(half > without_noise && half < found.width_ratio * without_noise, "{half}");
            assert!(model(&study).starts_with(words), "{}", model(&study));
        }
        assert!(
            model(&Study::parse(STUDY).unwrap())
                .ends_with("coefficients are differences in points")
        );
    }

    #[test]
    fn figures_have_three_digits() {
        for (value, text) in
            [(0.012_345, "0.0123"), (1.0, "1.00"), (66.66, "66.7"), (12_345.6, "12346")]
        {
            assert_eq!(short(value), text);
        }
    }
}
