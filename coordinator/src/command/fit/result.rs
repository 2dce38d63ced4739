//! What a fit gives, as data: the JSON of `--json` is this, field by field.
//!
//! ```text
//! net compensation ŷ_g − ȳ_g    mean residual difference (ȳ_g − ŷ_g) − (ȳ_r − ŷ_r)    predictive ratio ŷ_g/ȳ_g
//! fair covariance N_gN_r/N² · mean residual difference    R² = 1 − Σw(y − ŷ)²/Σw(y − ȳ)²
//! ```
//! All sums are weighted. Of a generalised model ŷ is the fitted mean, on the scale of the outcome.
use super::spec::{Spec, Term};
use crate::model::ModelError;
use crate::model::glm::Means;
use crate::model::measure::{self, Figure};
use crate::model::plain::{Coefficient, PlainFit};
use crate::model::table::{Profile, TableSums};
use crate::model::uncertainty::Interval;
use serde::Serialize;
use std::collections::BTreeMap;

/// The result of a fit.
#[derive(Clone, Debug, Serialize)]
pub struct FitResult {
    /// What the outcome is.
    pub family: &'static str,
    /// Number of rows.
    pub rows: u64,
    /// Σ w; the number of rows without weights.
    pub weight: f64,
    /// The fairness term, as the specification has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Term>,
    /// The intercept, then the covariates in the order of the specification.
    pub coefficients: Vec<CoefficientRow>,
    /// Degrees of freedom of the intervals; none where they are normal.
    pub degrees_of_freedom: Option<f64>,
    /// Fairness of this fit towards each group.
    pub metrics: BTreeMap<String, Metrics>,
    /// Share of the variance of the outcome that the fit explains.
    pub r2: Option<f64>,
    /// Residual variance of the plain fit; within sites, where there are sites; the dispersion of a
    /// generalised model.
    pub sigma2: f64,
    /// Mean squared residual of this fit.
    pub mse: Option<f64>,
    /// Mean outcome less mean prediction.
    pub overall_mean_residual: Option<f64>,
    /// The random intercept.
    #[serde(flatten)]
    pub site: Option<SitePart>,
    /// The generalised model.
    #[serde(flatten)]
    pub glm: Option<GlmPart>,
}

/// One coefficient.
#[derive(Clone, Debug, Serialize)]
pub struct CoefficientRow {
    /// `intercept`, or the column.
    pub name: String,
    /// Its value.
    pub estimate: f64,
    /// Lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Its standard error.
    pub standard_error: f64,
}

/// Fairness towards one group, and the accuracy for which it was had.
#[derive(Clone, Debug, Serialize)]
pub struct Metrics {
    /// Mean prediction less mean outcome, in the group.
    pub net_compensation_group: f64,
    /// The same outside it.
    pub net_compensation_rest: f64,
    /// Mean residual in the group less that outside it.
    pub mean_residual_difference: f64,
    /// Mean prediction over mean outcome, in the group; none where the mean outcome is 0.
    pub predictive_ratio_group: Option<f64>,
    /// The same outside it.
    pub predictive_ratio_rest: Option<f64>,
    /// Covariance of the group flag and the residual.
    pub fair_covariance: f64,
    /// Of everybody.
    pub overall_mean_residual: Option<f64>,
    /// Of everybody.
    pub r_squared: Option<f64>,
    /// Of everybody.
    pub mse: Option<f64>,
}

/// The random-intercept fit.
#[derive(Clone, Debug, Serialize)]
pub struct SitePart {
    /// τ²/σ².
    pub theta: f64,
    /// Variance between sites.
    pub tau2: f64,
    /// The sites, in the order of appearance.
    pub sites: Vec<String>,
    /// Predicted effect of each.
    pub blup: Vec<f64>,
    /// Covariance of the coefficients.
    pub cov_beta: Vec<Vec<f64>>,
}

/// What a generalised model says beyond its coefficients.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GlmPart {
    /// Deviance of the fit.
    pub deviance: f64,
    /// Deviance of the intercept alone.
    pub null_deviance: f64,
    /// Pearson's statistic.
    pub pearson: f64,
    /// Passes over the rows until nothing moved.
    pub passes: usize,
}

impl FitResult {
    pub(super) fn gaussian(
        spec: &Spec,
        profile: &Profile,
        sums: &TableSums,
        fit: &PlainFit,
        names: Vec<String>,
    ) -> Result<Self, ModelError> {
        let overall = measure::overall(&sums.inputs, &fit.t, 0.0)?;
        let value = |figure: Option<Figure>| figure.map(|figure| figure.value);
        let mut result = Self::bare(spec, profile, &fit.coefficients, fit.sigma2);
        result.degrees_of_freedom = Some(fit.freedom);
        // Rounding of a fit without error must not pass its bounds.
        result.r2 = value(overall.r_squared).map(|r2| r2.min(1.0));
        result.mse = value(overall.mean_squared_error).map(|mse| mse.max(0.0));
        result.overall_mean_residual = value(overall.overall_mean_residual);
        for (at, name) in spec.groups.iter().enumerate() {
            let group = measure::group(&sums.inputs, at, &fit.t)?;
            let metrics = Metrics {
                net_compensation_group: group.net_compensation_group.value,
                net_compensation_rest: group.net_compensation_rest.value,
                mean_residual_difference: group.mean_residual_difference.value,
                predictive_ratio_group: value(group.predictive_ratio_group),
                predictive_ratio_rest: value(group.predictive_ratio_rest),
                fair_covariance: group.fair_covariance.value,
                overall_mean_residual: result.overall_mean_residual,
                r_squared: result.r2,
                mse: result.mse,
            };
            result.metrics.insert(name.clone(), metrics);
        }
        result.site = fit.sites.as_ref().map(|reml| SitePart {
            theta: reml.theta,
            tau2: reml.tau2,
            sites: names,
            blup: reml.effects.clone(),
            cov_beta: fit.covariance.row_iter().map(|row| row.iter().copied().collect()).collect(),
        });
        Ok(result)
    }

    pub(super) fn generalised(
        spec: &Spec,
        profile: &Profile,
        coefficients: &[Coefficient],
        dispersion: f64,
        part: GlmPart,
    ) -> Self {
        let mut result = Self::bare(spec, profile, coefficients, dispersion);
        result.glm = Some(part);
        result
    }

    /// The measures of a generalised model, from sums over its fitted means; `squares` are those of the
    /// residuals and those about the mean.
    pub(super) fn with_means(
        mut self,
        spec: &Spec,
        all: Means,
        groups: &[Means],
        (left, total): (f64, f64),
    ) -> Self {
        let residual = |part: Means| (part.outcome - part.fitted) / part.weight;
        let ratio = |part: Means| (part.outcome != 0.0).then(|| part.fitted / part.outcome);
        self.r2 = Some(1.0 - left / total);
        self.mse = Some(left / all.weight);
        self.overall_mean_residual = Some(residual(all));
        for (name, own) in spec.groups.iter().zip(groups) {
            let rest = all.without(*own);
            let difference = residual(*own) - residual(rest);
            let metrics = Metrics {
                net_compensation_group: -residual(*own),
                net_compensation_rest: -residual(rest),
                mean_residual_difference: difference,
                predictive_ratio_group: ratio(*own),
                predictive_ratio_rest: ratio(rest),
                fair_covariance: own.weight * rest.weight / all.weight.powi(2) * difference,
                overall_mean_residual: self.overall_mean_residual,
                r_squared: self.r2,
                mse: self.mse,
            };
            self.metrics.insert(name.clone(), metrics);
        }
        self
    }

    fn bare(spec: &Spec, profile: &Profile, coefficients: &[Coefficient], sigma2: f64) -> Self {
        let names = std::iter::once("intercept").chain(spec.covariates.iter().map(String::as_str));
        let row = |(name, coefficient): (&str, &Coefficient)| {
            let (low, high) = match coefficient.interval {
                Interval::Bounded { low, high } => (Some(low), Some(high)),
                Interval::NotEstimable => (None, None),
            };
            let (estimate, standard_error) = (coefficient.estimate, coefficient.standard_error);
            CoefficientRow { name: name.to_owned(), estimate, low, high, standard_error }
        };
        Self {
            family: spec.family.name(),
            rows: profile.rows(),
            weight: profile.weight(),
            fairness: spec.term.clone(),
            coefficients: names.zip(coefficients).map(row).collect(),
            degrees_of_freedom: None,
            metrics: BTreeMap::new(),
            r2: None,
            sigma2,
            mse: None,
            overall_mean_residual: None,
            site: None,
            glm: None,
        }
    }
}
