//! The specification of a fit: a small TOML file, read strictly; docs/model-spec.md explains every key.
use crate::model::dial::Phi;
use crate::model::fair::{Estimator, OverallMean};
use crate::model::glm::Family;
use crate::model::plain::Fairness;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tacit_shared::fault::Fault;

/// A specification is larger than this only by mistake.
pub(super) const BYTES_MAX: u64 = 1 << 20;
/// Most covariates.
pub(super) const COVARIATES_MAX: usize = 200;
/// Most groups.
pub(super) const GROUPS_MAX: usize = 64;

const PAGE: &str = "docs/model-spec.md explains every key";

/// What is fitted to what. Only [`Spec::parse`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Column of the outcome.
    pub outcome: String,
    /// Columns of the covariates; an intercept comes first and is not among them.
    pub covariates: Vec<String>,
    /// Column of the weights.
    pub weights: Option<String>,
    /// Columns of 0 and 1; those of the fairness term are among them.
    pub groups: Vec<String>,
    /// Column of the site.
    pub site: Option<String>,
    /// What the outcome is.
    pub family: Family,
    /// The fairness term, as written.
    pub term: Option<Term>,
    /// The same, for the model.
    pub fairness: Fairness,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecFile {
    outcome: String,
    covariates: Vec<String>,
    weights: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    site: Option<String>,
    #[serde(default)]
    family: FamilyName,
    fairness: Option<Term>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FamilyName {
    #[default]
    Gaussian,
    Poisson,
    #[serde(alias = "binomial")]
    Logistic,
    Gamma,
}

/// The table `[fairness]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Which estimator.
    pub kind: Kind,
    /// Whose gaps.
    pub groups: Vec<String>,
    /// Whether the overall mean residual is held at zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neutral: Option<bool>,
    /// Share of the gap that the dial closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phi: Option<f64>,
    /// Share of the plain fit in a weighted average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Bound of the covariance, as a share of that of the plain fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub m: Option<f64>,
    /// Weight of a penalty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f64>,
}

/// The estimators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The share φ of the gaps closed, the overall mean kept.
    Dial,
    /// No mean residual in the groups.
    Average,
    /// Between plain and average.
    WeightedAverage,
    /// A bound on the covariance of group and residual.
    Covariance,
    /// A penalty on the mean residual.
    NetCompensation,
    /// A penalty on the squared difference of mean residuals.
    MeanResidualDifference,
}

impl Kind {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::Average => "average",
            Self::WeightedAverage => "weighted-average",
            Self::Covariance => "covariance",
            Self::NetCompensation => "net-compensation",
            Self::MeanResidualDifference => "mean-residual-difference",
        }
    }

    const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Dial => Some("phi"),
            Self::Average => None,
            Self::WeightedAverage => Some("alpha"),
            Self::Covariance => Some("m"),
            Self::NetCompensation | Self::MeanResidualDifference => Some("lambda"),
        }
    }

    const fn many_groups(self) -> bool {
        matches!(self, Self::Dial | Self::Average | Self::WeightedAverage)
    }

    /// Whether `neutral` changes anything: the others keep the overall mean in any case.
    const fn may_move_the_mean(self) -> bool {
        matches!(self, Self::Average | Self::WeightedAverage | Self::NetCompensation)
    }
}

impl Spec {
    /// Reads a specification; `origin` is the file's name.
    ///
    /// # Errors
    /// A user's fault with the line or the key.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Fault> {
        let file: SpecFile = toml::from_str(text).map_err(|error| syntax(&error, text, origin))?;
        let refuse = |key: &str, problem: String| {
            Fault::user(problem).at(format!("{origin}: {key}")).hint(PAGE)
        };
        let family = match file.family {
            FamilyName::Gaussian => Family::Gaussian,
            FamilyName::Poisson => Family::Poisson,
            FamilyName::Logistic => Family::Logistic,
            FamilyName::Gamma => Family::Gamma,
        };
        let mut groups = file.groups;
        let named = file.fairness.iter().flat_map(|term| &term.groups);
        for group in named.cloned().collect::<Vec<_>>() {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        for (key, count, most) in [
            ("covariates", file.covariates.len(), COVARIATES_MAX),
            ("groups", groups.len(), GROUPS_MAX),
        ] {
            if count > most {
                return Err(refuse(key, format!("found {count} names; expected at most {most}")));
            }
        }
        if family != Family::Gaussian {
            let other = [("site", file.site.is_some()), ("fairness", file.fairness.is_some())];
            if let Some((key, _)) = other.into_iter().find(|(_, given)| *given) {
                let problem = format!("`{key}` needs the family gaussian; found {}", family.name());
                return Err(refuse(key, problem));
            }
        }
        let fairness = match &file.fairness {
            None => Fairness::None,
            Some(term) => fairness(term, &groups)
                .map_err(|(key, problem)| refuse(&format!("fairness.{key}"), problem))?,
        };
        let spec = Self {
            outcome: file.outcome,
            covariates: file.covariates,
            weights: file.weights,
            groups,
            site: file.site,
            family,
            term: file.fairness,
            fairness,
        };
        spec.distinct().map_err(|(key, problem)| refuse(key, problem))?;
        Ok(spec)
    }

    /// The columns that a table must have, each once: a column has one part in a model. A group may be
    /// a covariate too, so that the flag itself enters the formula.
    fn distinct(&self) -> Result<(), (&'static str, String)> {
        let mut seen = BTreeSet::new();
        let single = [
            ("outcome", Some(&self.outcome)),
            ("weights", self.weights.as_ref()),
            ("site", self.site.as_ref()),
        ];
        let parts = single
            .into_iter()
            .filter_map(|(key, name)| Some((key, name?)))
            .chain(self.covariates.iter().map(|name| ("covariates", name)));
        for (key, name) in parts {
            if !seen.insert(name) {
                return Err((key, format!("the column `{name}` is named twice")));
            }
        }
        let mut groups = BTreeSet::new();
        for name in &self.groups {
            let taken = seen.contains(name) && !self.covariates.contains(name);
            if !groups.insert(name) || taken {
                return Err(("groups", format!("the column `{name}` is named twice")));
            }
        }
        Ok(())
    }
}

fn fairness(term: &Term, groups: &[String]) -> Result<Fairness, (&'static str, String)> {
    let kind = term.kind;
    let mut own = Vec::new();
    for name in &term.groups {
        let at = groups.iter().position(|group| group == name);
        own.extend(at.filter(|at| !own.contains(at)));
    }
    let first = match own.as_slice() {
        [] => return Err(("groups", "found no group; expected at least one".to_owned())),
        [_, _, ..] if !kind.many_groups() => {
            let problem = format!("found {} groups; {} takes one", own.len(), kind.name());
            return Err(("groups", problem));
        }
        [first, ..] => *first,
    };
    if own.len() < term.groups.len() {
        return Err(("groups", "a group is named twice".to_owned()));
    }
    let given = [("phi", term.phi), ("alpha", term.alpha), ("m", term.m), ("lambda", term.lambda)];
    if let Some((key, _)) =
        given.iter().find(|(key, value)| value.is_some() && Some(*key) != kind.parameter())
    {
        return Err((*key, format!("found `{key}`, which {} does not have", kind.name())));
    }
    let number = || {
        let key = kind.parameter().unwrap_or("kind");
        let value = given.iter().find(|(name, _)| *name == key).and_then(|(_, value)| *value);
        let Some(value) = value else {
            return Err((key, format!("{} needs `{key}`", kind.name())));
        };
        let most = if key == "lambda" { f64::MAX } else { 1.0 };
        if (0.0..=most).contains(&value) {
            Ok(value)
        } else {
            let expected = if key == "lambda" { "a number of at least 0" } else { "0 to 1" };
            Err((key, format!("found {value}; expected {expected}")))
        }
    };
    let kept = term.neutral == Some(true) || !kind.may_move_the_mean();
    let overall = if kept { OverallMean::Kept } else { OverallMean::Free };
    Ok(match kind {
        Kind::Dial => {
            let phi = Phi::new(number()?).map_err(|error| ("phi", error.to_string()))?;
            Fairness::Dial { groups: own, phi }
        }
        Kind::Average => Fairness::Estimator(Estimator::Average { groups: own, overall }),
        Kind::WeightedAverage => {
            Fairness::WeightedAverage { groups: own, alpha: number()?, overall }
        }
        Kind::Covariance => {
            Fairness::Estimator(Estimator::Covariance { group: first, m: number()? })
        }
        Kind::NetCompensation => {
            let lambda = number()?;
            Fairness::Estimator(Estimator::NetCompensation { group: first, lambda, overall })
        }
        Kind::MeanResidualDifference => {
            let lambda = number()?;
            Fairness::Estimator(Estimator::MeanResidualDifference { group: first, lambda })
        }
    })
}

fn syntax(error: &toml::de::Error, text: &str, origin: &str) -> Fault {
    let before = error.span().and_then(|span| text.get(..span.start));
    let place = before.map_or_else(
        || origin.to_owned(),
        |before| {
            let line = before.matches('\n').count().saturating_add(1);
            let column = before.chars().rev().take_while(|c| *c != '\n').count().saturating_add(1);
            format!("{origin}:{line}:{column}")
        },
    );
    Fault::user(error.message().to_owned()).at(place).hint(PAGE)
}
