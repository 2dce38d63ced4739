//! What a release would be good for, before anything is spent: from public numbers alone.
//!
//! ```text
//! κ      = λ n √f_m / (√(2p) σ₀ c²)         smallest eigenvalue over the noise of the matrix
//! width  = √(1 + k σ₀² p / (f n))           an interval over what it were without noise; f = matrix + moment + square
//! half width of a coefficient = 1.96 · s · width / (√n · rms)                  s: residual sd, ρ/3
//! of a group's gap            = 1.96 · σ₀ √(K+1) ρ / (√f_r n_g)
//! of a site's heads           = 1.96 · σ₀ / √f_h           of its mean residual: 1.96 · σ₀ ρ / (√f_r n_s)
//! ```
//! σ₀ is the noise of all sites' answers for a sensitivity of 1, n the clinicians of all sites, p the
//! columns. k and λ are those of a first period, whose scaling is guessed: k = 125, 195, 500 at p = 8, 20,
//! 40 (between and beyond by the line through the logarithms), λ = 1.75/p and 0.9 at most. Both were
//! measured on invented hospitals. Widths of coefficients hold within some 30 percent, but for rare levels
//! of a factor; a gap's interval also counts the noise of the formula and can be thrice as wide. Nothing
//! here looks at data.
use serde::Serialize;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::study::Study;
use tacit_shared::study::layout::Part;
use tacit_shared::summary::contribution::CLIP;

/// The two-sided 95 percent quantile.
const Z95: f64 = 1.96;
/// Shares of the clinicians for which a group's gap is forecast.
const GROUP_SHARES: [f64; 2] = [0.1, 0.3];

/// Whether it is worth its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feasibility {
    /// κ ≥ 3 and intervals at most half as wide again as without noise.
    Enough,
    /// κ ≥ 1: coefficients, with wide intervals; below κ = 2 with a warning.
    Weak,
    /// κ < 1: the noise drowns the formula, and no coefficient would be published.
    Hopeless,
}

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
    /// Width of an interval over what it would be without noise.
    pub width_ratio: f64,
    /// Clinicians of all sites together from which it would be enough.
    pub heads_enough: f64,
    /// In a word.
    pub verdict: Feasibility,
    /// Coefficients of the formula.
    pub coefficients: Vec<HalfWidth>,
    /// Gaps between a group and everybody else.
    pub groups: Vec<HalfWidth>,
    /// Site totals.
    pub sites: Vec<HalfWidth>,
}

/// The forecast for `heads` clinicians in all sites of the plan together.
pub fn forecast(study: &Study, plan: &Plan, heads: u32) -> Forecast {
    let layout = plan.layout();
    let n = f64::from(heads.max(1));
    let sites = count(plan.sites().len());
    let p = count(layout.whitening().len());
    let noise = all_sites_multiplier(plan);
    let shares = &study.privacy().shares;
    let f = shares.matrix + shares.moment + shares.square;
    let c2 = layout.cap() * layout.cap();
    let (excess, eigenvalue) = match study.warm() {
        Some(_) => (LATER_EXCESS, WELL_SCALED),
        None => (excess(p), eigenvalue(p)),
    };
    let kappa = eigenvalue * n * shares.matrix.sqrt() / ((2.0 * p).sqrt() * noise * c2);
    let added = excess * noise * noise * p / f;
    let width_ratio = (1.0 + added / n).sqrt();
    // κ = 3, and a width of 1.5: 1.5² − 1 = 1.25.
    let heads_enough = (3.0 * n / kappa).max(added / 1.25);
    let verdict = match kappa {
        k if k >= 3.0 && width_ratio <= 1.5 => Feasibility::Enough,
        k if k >= 1.0 => Feasibility::Weak,
        _ => Feasibility::Hopeless,
    };
    // Of counts and shares coefficients are percents of a rate nobody knows yet, and no gap or total is offered.
    let additive = study.family().is_additive();
    let in_units = |list: Vec<HalfWidth>| if additive { list } else { Vec::new() };
    Forecast {
        heads,
        kappa,
        width_ratio,
        heads_enough: heads_enough.ceil(),
        verdict,
        coefficients: in_units(coefficients(study, n, width_ratio)),
        groups: in_units(groups(study, plan, n, noise)),
        sites: in_units(site_totals(study, plan, n / sites.max(1.0), noise)),
    }
}

/// σ₀ if every site answers: what intervals are computed with.
pub fn all_sites_multiplier(plan: &Plan) -> f64 {
    let sites = u32::try_from(plan.sites().len()).unwrap_or(u32::MAX);
    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    let sd = (plan.noise().actual_variance(sites) as f64).sqrt();
    sd / f64::from(u32::try_from(CLIP).unwrap_or(u32::MAX))
}

fn coefficients(study: &Study, n: f64, width_ratio: f64) -> Vec<HalfWidth> {
    let schema = study.schema();
    let outcome = &schema.outcome;
    let sd = outcome.residual_bound / 3.0;
    let columns = schema.columns();
    let of = |column: &tacit_shared::study::schema::Column| {
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
        HalfWidth {
            label: column.label.clone(),
            value: Z95 * sd * width_ratio / (n.sqrt() * spread),
            unit: format!("{}{per}", outcome.unit),
        }
    };
    columns.iter().map(of).collect()
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

/// k in the frame of earlier results.
const LATER_EXCESS: f64 = 25.0;
/// λ in that frame.
const WELL_SCALED: f64 = 0.9;

/// k, by the line through the logarithms of (8, 125), (20, 195), (40, 500); level below 8.
fn excess(p: f64) -> f64 {
    let known: [(f64, f64); 3] = [(8.0, 125.0), (20.0, 195.0), (40.0, 500.0)];
    let [first, middle, last] = known;
    if p <= first.0 {
        return first.1;
    }
    if p <= middle.0 { between(first, middle, p) } else { between(middle, last, p) }
}

/// λ; a well-known scaling reaches 0.9.
fn eigenvalue(p: f64) -> f64 {
    (1.75 / p).min(WELL_SCALED)
}

fn between(a: (f64, f64), b: (f64, f64), x: f64) -> f64 {
    let slope = (b.1 / a.1).ln() / (b.0 / a.0).ln();
    a.1 * (x / a.0).powf(slope)
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
        forecast(&study, &plan(&study, &roster(5)), heads)
    }

    /// By hand: σ₀ = 2.2407·√(5/3) = 2.8927, p = 8, c² = 16, f = .61, matrix .28.
    #[test]
    fn the_example_study_is_forecast_as_by_hand() {
        let found = of(4000, 2.0);
        let close = |found: f64, expected: f64| {
            assert!((found / expected - 1.0).abs() < 2e-3, "{found}, expected {expected}");
        };
        close(found.kappa, 1.75 / 8.0 * 4000.0 * 0.28_f64.sqrt() / (4.0 * 2.8927 * 16.0));
        close(found.width_ratio, (1.0 + 125.0 * 2.8927_f64.powi(2) * 8.0 / (0.61 * 4000.0)).sqrt());
        assert_eq!(found.verdict, Feasibility::Weak);
        // √(K+1) = √3; ρ = 11 points; 10 percent are 400.
        close(
            found.groups[0].value,
            1.96 * 2.8927 * 3_f64.sqrt() * 11.0 / (0.08_f64.sqrt() * 400.0),
        );
        close(found.sites[0].value, 1.96 * 2.8927 / 0.07_f64.sqrt());
        close(found.sites[1].value, 1.96 * 2.8927 * 11.0 / (0.05_f64.sqrt() * 800.0));
        // Acuity: rms .29 of half a range of 2 levels.
        let acuity = &found.coefficients[1];
        close(acuity.value, 1.96 * 11.0 / 3.0 * found.width_ratio / (4000_f64.sqrt() * 0.29));
        assert_eq!(acuity.unit, "points for 2.00 level");
        assert_eq!(found.coefficients.len(), 8);
    }

    #[test]
    fn more_clinicians_or_a_larger_budget_help_and_the_threshold_is_where_it_says() {
        assert_eq!(of(500, 1.0).verdict, Feasibility::Hopeless);
        let enough = of(4000, 2.0).heads_enough;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a head count")]
        let heads = enough as u32;
        assert_eq!(of(heads, 2.0).verdict, Feasibility::Enough);
        assert_eq!(of(heads - heads / 50, 2.0).verdict, Feasibility::Weak);
        assert!(of(4000, 4.0).width_ratio < of(4000, 2.0).width_ratio);
        assert!(of(8000, 2.0).kappa > of(4000, 2.0).kappa);
    }

    #[test]
    fn the_constants_are_those_of_their_points_and_fall_or_rise_between() {
        for (p, k) in [(3.0, 125.0), (8.0, 125.0), (20.0, 195.0), (40.0, 500.0)] {
            assert!((excess(p) - k).abs() < 1e-9);
        }
        assert!((eigenvalue(1.0) - 0.9).abs() < 1e-12 && (eigenvalue(20.0) - 0.0875).abs() < 1e-12);
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
