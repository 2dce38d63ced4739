//! What a later period takes over from earlier results: W, b₀, the caps and the directions of the dial.
//!
//! ```text
//! W_next: see [`crate::whitening`], with A'        b₀ = b0 + W t̂, t̂ of the empirical-Bayes filter        c = 1.25√(p v̄)
//!     v̄: A'₁₁ over heads, the mean weight of a row of counts or shares, of counts over .6; 1 for scores
//! ρ = 3σ̂, or the outcome's whole range once clearly more than 1 % of residuals were cut
//!     (the family's own bound where the outcome is a count, a share or a positive number)
//! direction of a group: mean over results of W_next⁻¹W·A⁻¹u, coordinates below 1.5 sd of their noise at 0, length 1
//! ```
//! With these W rows have about the second moments 1 and no correlation, so a cap by their length wastes little
//! and noise of one size fits every entry. Any W that does so would do; the triangular one leaves the intercept
//! as it is. All of it is post-processing of what was released: it costs no privacy. The floors keep
//! noise from being blown up. Numbers follow from the results alone, so coordinator and nodes get the same ones, up
//! to the last digits of another processor's arithmetic: [`differs`] allows these.
use crate::ModelError;
use crate::filter;
use crate::gram::{GroupSums, Inputs, float};
use crate::linear;
use crate::moments::{Moments, MomentsError};
use crate::sane::{cut_too_often, senseless};
use crate::solve::Factor;
use crate::whitening::{CAP, reaches, whitening};
use nalgebra::{DMatrix, DVector};
use tacit_shared::id::{Digest, GroupId};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::Study;
use tacit_shared::study::family::Family;
use tacit_shared::study::schema::{Group, Schema};
use tacit_shared::study::warm::{RESULTS_MAX, Warm};

/// What capped rows show of the mean weight of counts, which spread far: of weights that fall off like an exponential, six
/// tenths.
const SEEN: f64 = 0.6;
/// Least and most mean weight of a row that a result is believed.
const LIGHTEST: f64 = 1e-3;
const HEAVIEST: f64 = 1e4;
/// Residual standard deviations up to which residuals count.
const DEVIATIONS: f64 = 3.0;
/// Standard deviations of noise below which a coordinate of a direction says nothing.
const CLEAR: f64 = 1.5;
/// By how much a stated number may differ from the derived one, beside the largest of its kind.
const TOLERANCE: f64 = 1e-6;

/// A result that a later period rests on.
#[derive(Clone, Copy, Debug)]
pub struct Earlier<'a> {
    /// Its study.
    pub study: &'a Study,
    /// The plan of that study among its roster.
    pub plan: &'a Plan,
    /// What was opened.
    pub aggregate: &'a Aggregate,
    /// Digest of the signed result.
    pub result: Digest,
}

/// What follows from earlier results. Only [`derive`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// W, b₀ and directions, with the results they follow from.
    pub warm: Warm,
    /// c, for `[privacy] norm_cap`.
    pub norm_cap: f64,
    /// ρ in units of the outcome, for `[outcome] residual_bound`.
    pub residual_bound: f64,
}

/// Why nothing follows from earlier results.
#[derive(Debug, thiserror::Error)]
pub enum WarmError {
    /// None, or too many.
    #[error("{found} earlier results; a later period rests on 1 to {RESULTS_MAX}")]
    Results {
        /// How many were given.
        found: usize,
    },
    /// A study with other columns, bounds or outcome.
    #[error("{what} of the earlier result {result} is not that of the study")]
    Unlike {
        /// Which part.
        what: String,
        /// Digest of the result.
        result: Digest,
    },
    /// A result is no moments.
    #[error("the earlier result {result}: {source}")]
    Moments {
        /// Digest of the result.
        result: Digest,
        /// What is wrong with it.
        source: MomentsError,
    },
    /// A result that no table of rows gives.
    #[error("the earlier result {result} cannot be one of rows: {faults}")]
    Senseless {
        /// Digest of the result.
        result: Digest,
        /// Why, in words.
        faults: String,
    },
    /// Results that do not go back in time from the study.
    #[error("the earlier result {result} is not older than the one named before it")]
    Order {
        /// Digest of the result.
        result: Digest,
    },
    /// The noise of a result leaves nothing to go on.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Derives the frame of `next` from earlier results, the newest first.
///
/// # Errors
/// [`WarmError`] if a result is of another design, or its noise leaves no frame.
pub fn derive(next: &Study, earlier: &[Earlier<'_>]) -> Result<Frame, WarmError> {
    if earlier.is_empty() || earlier.len() > RESULTS_MAX {
        return Err(WarmError::Results { found: earlier.len() });
    }
    let (mut read, mut before) = (Vec::new(), next.period());
    for one in earlier {
        alike(next, one)?;
        // A second release of a period rests on the first, so equal periods are in order.
        if one.study.period() > before {
            return Err(WarmError::Order { result: one.result });
        }
        before = one.study.period();
        let source = |source| WarmError::Moments { result: one.result, source };
        let moments = Moments::of(one.plan, one.aggregate).map_err(source)?;
        // What nothing may be concluded from, nothing may rest on.
        let faults = senseless(one.plan, one.aggregate, &moments);
        if !faults.is_empty() {
            return Err(WarmError::Senseless { result: one.result, faults: faults.join("; ") });
        }
        read.push(moments);
    }
    let newest = read.first().ok_or(WarmError::Results { found: 0 })?;
    let gram = newest.inputs().gram();
    let (w, weight) = whitening(gram, &reaches(next.schema()))?;
    let cap = CAP * float(gram.len()).sqrt();
    let seen = match next.family() {
        Family::Gaussian => None,
        Family::Poisson => Some(SEEN),
        Family::Logistic | Family::Gamma => Some(1.0),
    };
    let scale = seen.map_or(1.0, |seen| {
        let mean = weight / newest.inputs().all().heads.max(1.0);
        (mean / seen).clamp(LIGHTEST, HEAVIEST).sqrt()
    });
    let prior = gram.coefficients(&filter::solve(gram)?)?;
    let outcome = &next.schema().outcome;
    let range = outcome.high - outcome.low;
    let deviations = DEVIATIONS * linear::solve(gram)?.sigma2().sqrt() * range;
    let bound = match next.family().pearson_bound() {
        Some(bound) => bound,
        None if read.iter().any(cut_too_often) => range,
        None => deviations.min(range),
    };
    let warm = Warm {
        results: earlier.iter().map(|one| one.result).collect(),
        whitening: (0..w.ncols())
            .map(|j| w.column(j).iter().take(j.saturating_add(1)).copied().collect())
            .collect(),
        prior: prior.iter().copied().collect(),
        directions: directions(next, earlier, &read, &w)?,
    };
    Ok(Frame { warm, norm_cap: cap * scale, residual_bound: bound })
}

/// The first part of a study that states something else than follows from its earlier results, in words; `None` if
/// all is as derived.
pub fn differs(next: &Study, derived: &Frame) -> Option<&'static str> {
    let stated = next.warm()?;
    let flat = |columns: &[Vec<f64>]| columns.concat();
    let parts = [
        ("warm.whitening", flat(&stated.whitening), flat(&derived.warm.whitening)),
        ("warm.prior", stated.prior.clone(), derived.warm.prior.clone()),
        ("warm.directions", flat(&stated.directions), flat(&derived.warm.directions)),
        ("privacy.norm_cap", vec![next.privacy().norm_cap], vec![derived.norm_cap]),
        (
            "outcome.residual_bound",
            vec![next.schema().outcome.residual_bound],
            vec![derived.residual_bound],
        ),
    ];
    if stated.results != derived.warm.results {
        return Some("warm.results");
    }
    let apart = |(_, stated, derived): &&(&'static str, Vec<f64>, Vec<f64>)| {
        let largest = derived.iter().map(|value| value.abs()).fold(0.0, f64::max);
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= TOLERANCE * largest;
        stated.len() != derived.len() || !stated.iter().zip(derived).all(near)
    };
    parts.iter().find(apart).map(|(what, ..)| *what)
}

/// Holds that an earlier result speaks of the same numbers, scored alike, in the same units.
fn alike(next: &Study, earlier: &Earlier<'_>) -> Result<(), WarmError> {
    let unlike = |what| WarmError::Unlike { what, result: earlier.result };
    unlike_part(next, earlier.study).map_or(Ok(()), |what| Err(unlike(what)))
}

/// The first part by which a formula of one study would say something else in the other; `None` if all are alike.
fn unlike_part(next: &Study, earlier: &Study) -> Option<String> {
    if next.family() != earlier.family() {
        return Some("the family".to_owned());
    }
    let (new, old) = (next.schema(), earlier.schema());
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
    let (outcome, other) = (&new.outcome, &old.outcome);
    if outcome.source != other.source
        || !same(outcome.low, other.low)
        || !same(outcome.high, other.high)
        || outcome.prior_count != other.prior_count
    {
        return Some("the outcome".to_owned());
    }
    let (columns, others) = (new.columns(), old.columns());
    if columns.len() != others.len() {
        return Some("the number of columns".to_owned());
    }
    let sources =
        |schema: &Schema| schema.features.iter().map(|f| f.source.to_string()).collect::<Vec<_>>();
    if sources(new) != sources(old) {
        return Some("the sources of the features".to_owned());
    }
    for (column, other) in columns.iter().zip(&others) {
        let scaled = same(column.half_range, other.half_range) && same(column.centre, other.centre);
        if column.name != other.name || !scaled {
            return Some(format!("the column `{}`", column.name));
        }
    }
    for (feature, other) in new.features.iter().zip(&old.features) {
        // Columns name the levels but the first, with which they are compared.
        if feature.levels.first() != other.levels.first() {
            return Some(format!("the reference level of `{}`", feature.id));
        }
        if feature.prior_count != other.prior_count {
            return Some(format!("the `prior_count` of `{}`", feature.id));
        }
    }
    repinned(next, earlier)
}

/// A questionnaire or composite that the two studies score by different definitions. What a part reads is pinned in
/// both, for the parts are the same.
fn repinned(next: &Study, earlier: &Study) -> Option<String> {
    let pins = |study: &Study| {
        let (instruments, composites) = (study.instruments().clone(), study.composites().clone());
        [("instruments", instruments), ("composites", composites)]
    };
    for ((table, new), (_, old)) in pins(next).into_iter().zip(pins(earlier)) {
        let other = |(id, pin): &(_, _)| old.get(*id).is_some_and(|older| older != *pin);
        if let Some((id, _)) = new.iter().find(other) {
            return Some(format!("the definition `{table}.{id}`"));
        }
    }
    None
}

/// One direction for each group of the dial; none at all if one of them is lost in noise.
fn directions(
    next: &Study,
    earlier: &[Earlier<'_>],
    read: &[Moments],
    w: &DMatrix<f64>,
) -> Result<Vec<Vec<f64>>, ModelError> {
    let mut all = Vec::new();
    for group in &next.fairness().groups {
        match direction((next, group), earlier, read, w)? {
            Some(direction) => all.push(direction.iter().copied().collect()),
            None => return Ok(Vec::new()),
        }
    }
    Ok(all)
}

fn direction(
    (next, group): (&Study, &GroupId),
    earlier: &[Earlier<'_>],
    read: &[Moments],
    w: &DMatrix<f64>,
) -> Result<Option<DVector<f64>>, ModelError> {
    let p = w.nrows();
    let (mut sum, mut variance, mut found) = (DVector::zeros(p), DVector::zeros(p), 0_usize);
    let to_next = Factor::new(w)?;
    for (one, moments) in earlier.iter().zip(read) {
        let same = |other: &Group| same_rule(next, other) && other.id == *group;
        let Some(at) = one.study.schema().groups.iter().position(same) else { continue };
        let Some((row, spread)) = row(moments.inputs(), at)? else { continue };
        let gram = moments.inputs().gram();
        let factor = Factor::new(&gram.sums().a)?;
        let path = factor.solve(&row)?;
        // What the noise of u and of A makes of A⁻¹u, to first order.
        let half = gram.noise().tau2 / 2.0;
        let cov = DMatrix::identity(p, p) * (spread + half * path.norm_squared())
            + &path * path.transpose() * half;
        let over = to_next.solve_columns(&gram.frame().w)?;
        let map = over * factor.inverse()?;
        sum += &map * row;
        variance += (&map * cov * map.transpose()).diagonal();
        found += 1;
    }
    if found == 0 {
        return Ok(None);
    }
    // The overall mean stays: Σx̃ is n(1, 0, …) in the next frame.
    let kept = |(at, (value, variance)): (usize, (&f64, &f64))| {
        if at > 0 && value.abs() >= CLEAR * variance.sqrt() { *value } else { 0.0 }
    };
    let kept = sum.iter().zip(variance.iter()).enumerate().map(kept);
    let kept = DVector::from_iterator(p, kept);
    let length = kept.norm();
    Ok((length > 0.0).then(|| kept / length))
}

/// Whether a group of an earlier study has the rule of the next one's group of that id.
fn same_rule(next: &Study, group: &Group) -> bool {
    let same = |own: &&Group| {
        own.source == group.source && own.at_least.to_bits() == group.at_least.to_bits()
    };
    next.schema().groups.iter().filter(|own| own.id == group.id).any(|own| same(&own))
}

/// u, mean x̃ of a group less that of the rest, and the variance of the noise of an entry; `None` where either is lost in
/// noise.
fn row(inputs: &Inputs, at: usize) -> Result<Option<(DVector<f64>, f64)>, ModelError> {
    let part = inputs.group(at)?;
    let rest = inputs.all().without(part);
    if !part.stands_clear() || !rest.stands_clear() {
        return Ok(None);
    }
    let mean = |sums: &GroupSums| &sums.x / sums.weight;
    // The group's noise is in both means.
    let own = part.noise.x * (1.0 / part.weight + 1.0 / rest.weight);
    let all = inputs.all().noise.x / rest.weight;
    Ok(Some((mean(part) - mean(&rest), own.powi(2) + all.powi(2))))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

    #[test]
    fn a_formula_of_other_numbers_is_not_taken_over() {
        // Without its questions, which name columns.
        let (head, _) = STUDY.split_once("[[asks]]").unwrap();
        let study = Study::parse(head).unwrap();
        let unlike = |from: &str, to: &str| {
            let text = head.replace(from, to);
            assert_ne!(text, head, "{from}");
            unlike_part(&study, &Study::parse(&text).unwrap())
        };
        for (from, to, expected) in [
            ("low = 10.0", "low = 9.0", "the outcome"),
            ("prior_count = 5", "prior_count = 6", "the outcome"),
            ("centre = 3.0", "centre = 2.9", "the column `acuity`"),
            ("rms = 0.29\nprior_count = 5", "rms = 0.29", "the `prior_count` of `acuity`"),
            ("internal", "surgery", "the reference level of `specialty`"),
            (
                "\"internal\", \"emergency\"",
                "\"emergency\", \"internal\"",
                "the column `specialty=emergency`",
            ),
            (
                "version = \"2004\"",
                "version = \"2005\"",
                "the definition `instruments.care-measure`",
            ),
        ] {
            assert_eq!(unlike(from, to).as_deref(), Some(expected), "{from}");
        }
        // What changes from period to period, and the public centre, from which residuals are no longer taken.
        for (from, to) in [
            ("epsilon = 2.0", "epsilon = 1.0"),
            ("residual_bound = 11.0", "residual_bound = 7.5"),
            ("rms = 0.29", "rms = 0.3"),
            ("phi = 0.5", "phi = 0.25"),
        ] {
            assert_eq!(unlike(from, to), None, "{from}");
        }
    }
}
