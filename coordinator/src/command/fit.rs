//! `tacit-coordinator fit`: the models of a study, without noise, on a plain table.
//!
//! For who checks the method against other software: the same estimators as in a report, fed with exact
//! sums. docs/model-spec.md explains the specification and the output.
mod page;
mod result;
mod rows;
mod spec;

pub use result::{CoefficientRow, FitResult, GlmPart, Metrics, SitePart};
pub use spec::{Kind, Spec, Term};

use crate::model::ModelError;
use crate::model::glm::{self, Family, GlmFit, Means};
use crate::model::plain;
use crate::model::student::two_sided_95;
use crate::model::table::{Profile, Summation, TableSums};
use nalgebra::DVector;
use rows::Rows;
use std::path::PathBuf;
use tacit_shared::fault::Fault;

/// Arguments of `fit`.
#[derive(Clone, Debug, clap::Args)]
pub struct FitArgs {
    /// The table, CSV with a header
    #[arg(long, value_name = "FILE.csv")]
    pub rows: PathBuf,
    /// The model, TOML
    #[arg(long, value_name = "MODEL.toml")]
    pub spec: PathBuf,
    /// Print JSON with every digit
    #[arg(long)]
    pub json: bool,
}

/// Fits; returns a page to read, or JSON.
///
/// # Errors
/// A user's fault with the file, the line and what was expected there.
pub fn run(args: &FitArgs) -> Result<String, Fault> {
    let origin = args.spec.display().to_string();
    let unread =
        |error: std::io::Error| Fault::user(format!("cannot be read: {error}")).at(&origin);
    let text = tacit_link::keys::read_bounded(&args.spec, spec::BYTES_MAX).map_err(unread)?;
    let text = String::from_utf8(text).map_err(|_| Fault::user("not UTF-8 text").at(&origin))?;
    let spec = Spec::parse(&text, &origin)?;
    let result = fit(&args.rows, &spec)?;
    if args.json {
        serde_json::to_string_pretty(&result).map_err(|error| Fault::bug(error.to_string()))
    } else {
        Ok(page::page(&spec, &result))
    }
}

/// Fits a specification to the table in a file.
///
/// # Errors
/// As [`run`].
pub fn fit(table: &std::path::Path, spec: &Spec) -> Result<FitResult, Fault> {
    let mut rows = Rows::open(table, spec)?;
    let mut profile = Profile::new(spec.covariates.len(), spec.groups.len());
    rows.pass(|row| profile.add(row))?;
    let place = table.display().to_string();
    check(&profile, spec).map_err(|fault| fault.at(&place))?;
    let model = |error: ModelError| explain(&error, spec).at(&place);
    let mut summation = Summation::new(&profile, rows.sites().len());
    let mut again = 0_u64;
    rows.pass(|row| {
        again = again.saturating_add(1);
        summation.add(row);
    })?;
    if again != profile.rows() {
        return Err(changed().at(&place));
    }
    let sums = summation.finish().map_err(model)?;
    if spec.family == Family::Gaussian {
        let fitted = plain::fit(&sums, &spec.fairness).map_err(model)?;
        return FitResult::gaussian(spec, &profile, &sums, &fitted, rows.sites()).map_err(model);
    }
    generalised(spec, &profile, &sums, &mut rows).map_err(|error| match error {
        Failure::Fault(fault) => fault,
        Failure::Model(error) => model(error),
    })
}

/// Either kind of failure while rows are read for a model.
enum Failure {
    Fault(Fault),
    Model(ModelError),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}

fn generalised(
    spec: &Spec,
    profile: &Profile,
    sums: &TableSums,
    rows: &mut Rows<'_>,
) -> Result<FitResult, Failure> {
    let family = spec.family;
    let p = sums.inputs.gram().len();
    let mut scaled = vec![0.0; p];
    let level = family.link(profile.outcome().mean);
    let fitted: GlmFit = glm::fit(family, p, level, |pass| {
        let shown = rows.pass(|row| {
            profile.scale(row.covariates, &mut scaled);
            pass.add(&scaled, row.outcome, row.weight);
        });
        shown.map_err(Failure::from)
    })?;
    let mut groups = vec![Means::default(); spec.groups.len()];
    let (mut all, mut pearson, mut squares) = (Means::default(), 0.0, 0.0);
    rows.pass(|row| {
        profile.scale(row.covariates, &mut scaled);
        let eta = scaled.iter().zip(fitted.t.iter()).map(|(x, t)| x * t).sum();
        let mean = family.terms(eta, row.outcome).mean;
        let square = row.weight * (row.outcome - mean).powi(2);
        squares += square;
        pearson += square / family.variance(mean);
        all.add(row.outcome, mean, row.weight);
        for (means, flag) in groups.iter_mut().zip(row.groups) {
            means.add(row.outcome, mean, row.weight * flag);
        }
    })?;
    let freedom = sums.rows - p_of(&fitted.t);
    let dispersion = if family == Family::Gamma { pearson / freedom } else { 1.0 };
    let w = profile.frame(0.0).w;
    let beta = &w * &fitted.t;
    let covariance = &w * &fitted.inverse * w.transpose() * dispersion;
    let quantile = two_sided_95(f64::INFINITY);
    let pairs = beta.iter().zip(covariance.diagonal().iter().copied().collect::<Vec<_>>());
    let coefficients =
        pairs.map(|(value, variance)| plain::coefficient(*value, variance, quantile));
    let part = GlmPart {
        deviance: fitted.deviance,
        null_deviance: fitted.null_deviance,
        pearson,
        passes: fitted.passes,
    };
    let coefficients: Vec<_> = coefficients.collect();
    let totals = sums.inputs.gram().sums().q;
    Ok(FitResult::generalised(spec, profile, &coefficients, dispersion, part).with_means(
        spec,
        all,
        &groups,
        (squares, totals),
    ))
}

fn p_of(t: &DVector<f64>) -> f64 {
    crate::model::gram::float(t.len())
}

/// What can be refused by name before anything is fitted.
fn check(profile: &Profile, spec: &Spec) -> Result<(), Fault> {
    if profile.rows() == 0 {
        return Err(Fault::user("the table has a header and no rows"));
    }
    for (name, members) in spec.groups.iter().zip(profile.members()) {
        let problem = match *members {
            0 => "no row is in it",
            all if all == profile.rows() => "every row is in it",
            _ => continue,
        };
        return Err(Fault::user(format!("the group `{name}` cannot be compared: {problem}"))
            .hint("a group needs rows inside and outside it"));
    }
    let named = spec.covariates.iter().zip(profile.columns());
    let named = named.chain(std::iter::once((&spec.outcome, profile.outcome())));
    if let Some((name, _)) = named.clone().find(|(_, column)| column.is_constant()) {
        return Err(Fault::user(format!("the column `{name}` has the same value in every row"))
            .hint("an intercept is always part of the model; leave constant columns out"));
    }
    if let Some((name, _)) = named.clone().find(|(_, column)| column.is_out_of_scale()) {
        let problem = format!("the values of `{name}` differ by too little or too much to square");
        return Err(Fault::user(problem).hint("write the column in another unit"));
    }
    Ok(())
}

fn changed() -> Fault {
    Fault::user("the table changed while it was read").hint("fit a copy that nobody writes to")
}

/// A model's error with the names of the specification.
fn explain(error: &ModelError, spec: &Spec) -> Fault {
    let column = |index: usize| match index.checked_sub(1) {
        None => "the intercept".to_owned(),
        Some(at) => spec.covariates.get(at).map_or_else(String::new, |name| format!("`{name}`")),
    };
    let group = |index: usize| spec.groups.get(index).map_or("", String::as_str);
    match error {
        ModelError::Collinear { index, of } => {
            let others: Vec<String> =
                of.iter().filter(|at| **at > 0).map(|at| column(*at)).collect();
            let own = column(*index);
            let problem = format!("{own} is a linear combination of {}", others.join(", "));
            Fault::user(problem).hint("leave one of them out: together they say nothing more")
        }
        ModelError::TooFewRows { coefficients } => {
            Fault::user(format!("{coefficients} coefficients need more than {coefficients} rows"))
                .hint("leave covariates out")
        }
        ModelError::OutOfReach { index } => Fault::user(format!(
            "the covariates do not tell the group `{}` from the rest: no fit can close its gap",
            group(*index)
        )),
        ModelError::Singular { .. } => Fault::user(
            "the fit has no unique solution: the groups of the fairness term, with the overall mean where it is kept, depend on each other",
        )
        .hint("leave one of the groups out"),
        ModelError::TooFewSites { .. } => Fault::user(error.to_string())
            .hint("leave `site` out, or fit a table of several sites"),
        ModelError::NoMaximum { .. } => Fault::user(error.to_string())
            .hint("leave out the covariate that decides the outcome, or merge rare levels"),
        other => Fault::user(other.to_string()),
    }
}
