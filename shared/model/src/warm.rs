//! What a later period takes over from earlier results: W, b₀, the caps and the directions of the dial.
//!
//! ```text
//! A₊ = A, eigenvalues floored at √(2τ²p)        A' = W⁻ᵀA₊W⁻¹, n = A'₁₁        S = A'/n, floored at 1e-4
//!     Sⱼⱼ raised until (S⁻¹)ⱼⱼ dⱼ² ≤ 1.5625p, column by column        d: 1 for the level of a factor, 2 for a number that
//!     is 0 or 1, ½ for another
//! S = LLᵀ, W_next = L⁻ᵀ        b₀ = b0 + W t̂, t̂ of the empirical-Bayes filter        c = 1.25√(p v̄)
//!     v̄: A'₁₁ over heads, the mean weight of a row of counts or shares, of counts over .6; 1 for scores
//! ρ = 3σ̂, or the outcome's whole range once clearly more than 1 % of residuals were cut
//!     (the family's own bound where the outcome is a count, a share or a positive number)
//! direction of a group: mean over results of W_next⁻¹W·A⁻¹u, coordinates below 1.5 sd of their noise at 0, length 1
//! ```
//! With these W rows have about the second moments 1 and no correlation, so a cap by their length wastes little
//! and noise of one size fits every entry. Any W that does so would do; the triangular one leaves the intercept
//! as it is. A row moves by (S⁻¹)ⱼⱼ^½ when column j does by one unit. Left to itself, whoever has a rare mark would be
//! longer than the cap, the release would show the mark weaker than it is, and the next W stretch it further, period after
//! period. All of it is post-processing of what was released: it costs no privacy. The floors keep
//! noise from being blown up. Numbers follow from the results alone, so coordinator and nodes get the same ones, up
//! to the last digits of another processor's arithmetic: [`differs`] allows these.
use crate::ModelError;
use crate::filter;
use crate::gram::{Gram, GroupSums, Inputs, float};
use crate::linear;
use crate::moments::{Moments, MomentsError};
use crate::sane::{cut_too_often, senseless};
use crate::solve::{Factor, floored};
use nalgebra::{Cholesky, DMatrix, DVector};
use tacit_shared::id::{Digest, GroupId};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::Study;
use tacit_shared::study::family::Family;
use tacit_shared::study::schema::{Column, Feature, Group, Schema};
use tacit_shared::study::warm::{RESULTS_MAX, Warm};

/// Least eigenvalue of the second moments that whitening blows up.
const SPECTRUM_FLOOR: f64 = 1e-4;
/// How far from its mean, in half ranges, a number counts as special. Farther ones are few, or the column is narrow, and
/// then stretching it is what whitening is for.
const REACH: f64 = 0.5;
/// The norm cap over the root of the number of columns, for rows whose second moments are 1.
const CAP: f64 = 1.25;
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

/// How far whoever is special in a column lies from the mean, in units of the column: of a mark its whole. The intercept has
/// no reach.
fn reaches(schema: &Schema) -> Vec<f64> {
    let of = |feature: &Feature| {
        let (columns, reach) = match feature.levels.len() {
            // From one end of the range to the other are two units.
            0 if feature.source.is_flag() => (1, 2.0),
            0 => (1, REACH),
            levels => (levels.saturating_sub(1), 1.0),
        };
        std::iter::repeat_n(reach, columns)
    };
    std::iter::once(0.0).chain(schema.features.iter().flat_map(of)).collect()
}

/// How far whitening brings the columns of a study, by their public spreads: the least second moment that one has
/// afterwards, at most 1. A rare level is brought less far, so that whoever has it is no longer than the cap.
pub fn brought(schema: &Schema) -> f64 {
    let reaches = reaches(schema);
    let levels = schema.features.iter().flat_map(|feature| {
        std::iter::repeat_n(
            !feature.levels.is_empty(),
            feature.levels.len().saturating_sub(1).max(1),
        )
    });
    let columns = schema.columns();
    let most = CAP * CAP * float(columns.len());
    let after = |((column, reach), level): ((&Column, &f64), bool)| {
        let square = column.rms * column.rms;
        let variance = if level { square * (1.0 - square).max(0.0) } else { square };
        variance * most / (reach * reach)
    };
    let effects = columns.iter().zip(&reaches).skip(1).zip(levels);
    effects.map(after).fold(1.0, f64::min)
}

/// W of the next period, upper triangular with a first column of (1, 0, …), and A'₁₁.
/// Nobody who lies by `reaches` from the mean in one column is made longer than the cap by it.
fn whitening(gram: &Gram, reaches: &[f64]) -> Result<(DMatrix<f64>, f64), ModelError> {
    let positive = floored(&gram.sums().a, gram.noise_norm())?;
    let back = gram.columns()?;
    let moments = back.transpose() * positive * &back;
    let weight = moments.iter().next().copied().unwrap_or(0.0);
    let mut spectrum = floored(&(moments / weight), SPECTRUM_FLOOR)?;
    for (column, reach) in reaches.iter().enumerate().skip(1) {
        let most = CAP * CAP * float(gram.len()) / (reach * reach);
        let stretch = Factor::new(&spectrum)?.inverse()?.get((column, column)).copied();
        // By Sherman and Morrison this makes it `most`, and no other larger.
        let lacks = stretch.filter(|stretch| *stretch > most).map(|g| 1.0 / most - 1.0 / g);
        if let Some((entry, lacks)) = spectrum.get_mut((column, column)).zip(lacks) {
            *entry += lacks;
        }
    }
    let level = spectrum.iter().next().copied().unwrap_or(1.0);
    let root = Cholesky::new((&spectrum + spectrum.transpose()) * (0.5 / level));
    let root = root.ok_or(ModelError::NoConvergence)?.l();
    let mut w = Factor::new(&root.transpose())?.inverse()?;
    w.fill_lower_triangle(0.0, 1);
    if let Some(first) = w.iter_mut().next() {
        *first = 1.0;
    }
    Ok((w, weight))
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
    use crate::gram::{Frame, GramNoise, GramSums};

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

    /// 8 columns of 20,000 rows: an intercept, six spread-out numbers, and a mark that one row in `rare` has.
    fn marked(rare: f64) -> DMatrix<f64> {
        let p = 8;
        let mut moments = DMatrix::from_diagonal_element(p, p, 0.11);
        let share = 1.0 / rare;
        for (at, value) in [((0, 0), 1.0), ((0, 7), share), ((7, 0), share), ((7, 7), share)] {
            *moments.get_mut(at).unwrap() = value;
        }
        moments * 20_000.0
    }

    fn whitened(a: DMatrix<f64>) -> DMatrix<f64> {
        let p = a.nrows();
        let sums = GramSums { a, b: DVector::zeros(p), q: 1.0 };
        let frame = Frame { w: DMatrix::identity(p, p), b0: DVector::zeros(p) };
        let gram = Gram::new(sums, GramNoise::default(), frame).unwrap();
        let mut reaches = vec![REACH; p];
        *reaches.last_mut().unwrap() = 1.0;
        whitening(&gram, &reaches).unwrap().0
    }

    #[test]
    fn narrow_numbers_and_such_as_go_together_are_white_all_the_same() {
        for (spread, together) in [(0.04, 0.0), (0.11, 0.8)] {
            let mut moments = DMatrix::from_diagonal_element(8, 8, spread);
            let alike = together * spread;
            for (at, value) in [((0, 0), 1.0), ((7, 7), 0.2), ((1, 2), alike), ((2, 1), alike)] {
                *moments.get_mut(at).unwrap() = value;
            }
            let w = whitened(&moments * 20_000.0);
            assert!((w.transpose() * &moments * &w - DMatrix::identity(8, 8)).amax() < 1e-9);
        }
    }

    #[test]
    fn rows_are_white_unless_a_rare_mark_would_make_them_longer_than_the_cap() {
        let moved = |w: &DMatrix<f64>, column: usize| w.row(column).norm_squared();
        let most = CAP * CAP * 8.0;
        let common = marked(4.0);
        let w = whitened(common.clone());
        let white = w.transpose() * (common / 20_000.0) * &w;
        assert!((white - DMatrix::identity(8, 8)).amax() < 1e-9);
        assert!(moved(&w, 7) < most);
        let rare = whitened(marked(1_000.0));
        assert!((moved(&rare, 7) / most - 1.0).abs() < 1e-9, "{}", moved(&rare, 7));
        for column in 1..7 {
            assert!((moved(&rare, column) * 0.11 - 1.0).abs() < 1e-9);
        }
    }

    /// Period after period each release shows the mark as weak as the cap makes it: W stays.
    #[test]
    fn what_the_cap_takes_from_a_rare_mark_is_not_made_up_for_again_and_again() {
        let (rare, cap) = (200.0, CAP * CAP * 8.0);
        let mut last = whitened(marked(rare)).row(7).norm();
        for _ in 0..6 {
            // A marked row has about this length; it is shrunk to the cap, and counts by its square.
            let weight = (cap / (last * last + 7.0)).min(1.0);
            let next = whitened(marked(rare / weight)).row(7).norm();
            assert!(next < 1.05 * cap.sqrt(), "{next}");
            last = next;
        }
    }

    #[test]
    fn a_plan_counts_that_rare_levels_stay_behind() {
        let of = |rms: &str| {
            let text = STUDY.split("[[asks]]").next().unwrap();
            let at = text.find("id = \"specialty\"").unwrap();
            let (before, after) = text.split_at(at);
            let line = after.lines().find(|line| line.starts_with("rms")).unwrap();
            let text = format!("{before}{}", after.replacen(line, &format!("rms = {rms}"), 1));
            brought(Study::parse(&text).unwrap().schema())
        };
        assert!((of("0.5") - 1.0).abs() < 1e-12);
        // One in a hundred: .01 · .99 · 1.5625 · 8.
        assert!((of("0.1") - 0.123_75).abs() < 1e-9, "{}", of("0.1"));
    }
}
