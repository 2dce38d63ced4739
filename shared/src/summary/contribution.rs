//! What one clinician adds to a sum: integers whose norm is at most [`CLIP`], exactly.
//!
//! ```text
//! Δ = C_int = 2^24     sensitivity to adding or removing one row; 2·C_int to changing one
//! ```
//! A row becomes the vector of [`crate::study::layout`] in floats, is multiplied by `C_int` and
//! truncated toward zero, which can only shrink it. Then Σx² ≤ `C_int`² is checked in integers, so
//! the sensitivity holds whatever the floats did. Adding noise is the work of `privacy`.
use super::feature::FeatureRow;
use crate::id::SiteIndex;
use crate::study::layout::{Layout, Part};
use std::fmt;

/// `C_int`: the clip norm in quanta.
pub const CLIP: u64 = 1 << 24;

/// One clinician's vector, gated.
#[must_use = "a contribution that is not added to a sum is a clinician left out"]
pub struct Contribution {
    quanta: Vec<i64>,
}

impl Contribution {
    /// The contribution of one row at one site.
    pub fn of(layout: &Layout, site: SiteIndex, row: &FeatureRow) -> Self {
        Self { quanta: gate(&wire(layout, site, row)) }
    }

    /// The integers, for [`super::sum::SiteSum`].
    pub(super) fn quanta(&self) -> &[i64] {
        &self.quanta
    }
}

impl fmt::Debug for Contribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contribution({} numbers)", self.quanta.len())
    }
}

/// The whitened and capped row: x̃, its weight s, r, whether it was shrunk, whether the residual was cut.
struct Capped {
    x: Vec<f64>,
    weight: f64,
    r: f64,
    shrunk: bool,
    cut: bool,
}

fn capped(layout: &Layout, row: &FeatureRow) -> Capped {
    let working = layout.working(row.x(), row.y());
    let mut x = layout.whitened(row.x());
    for value in &mut x {
        *value *= working.root;
    }
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let weight = (layout.cap() / norm).min(1.0);
    for value in &mut x {
        *value *= weight;
    }
    let residual = working.residual;
    let bound = layout.residual_bound();
    Capped {
        x,
        weight,
        r: weight * residual.clamp(-bound, bound),
        shrunk: weight < 1.0,
        cut: residual.abs() > bound,
    }
}

fn wire(layout: &Layout, site: SiteIndex, row: &FeatureRow) -> Vec<f64> {
    let Capped { x, weight, r, shrunk, cut } = capped(layout, row);
    let in_group = |group: usize| match group.checked_sub(1) {
        None => true,
        Some(named) => row.member().get(named).copied().unwrap_or(false),
    };
    let flag = |set: bool| if set { vec![1.0] } else { Vec::new() };
    let mut wire = vec![0.0; layout.dimension()];
    for block in layout.blocks() {
        let natural = match block.part {
            Part::Matrix => svec(&x),
            Part::Moment => x.iter().map(|x| x * r).collect(),
            Part::Square => vec![r * r],
            Part::GroupHeads(g) => flag(in_group(g)),
            Part::GroupResidual(g) if in_group(g) => vec![r],
            Part::GroupFeatures(g) if in_group(g) => x.clone(),
            Part::SiteHeads(s) => flag(s == site),
            Part::SiteResidual(s) if s == site => vec![r],
            Part::SiteFeatures(s) if s == site => x.clone(),
            Part::GroupLabour(g) if in_group(g) => vec![weight * layout.group_labour(row.x())],
            Part::GroupDirection(g) if in_group(g) => layout.along(&x),
            Part::SiteLabour(s) if s == site => vec![layout.site_labour(row.x())],
            Part::SiteGroupHeads(s, g) => flag(s == site && in_group(g)),
            Part::Bins(h) => one_of(block.length, row.bins().get(h)),
            Part::RowsCapped => flag(shrunk),
            Part::ResidualsCut => flag(cut),
            Part::ExcludedShare => vec![row.excluded()],
            _ => Vec::new(),
        };
        let slots = wire.iter_mut().skip(block.start).take(block.length);
        for (slot, value) in slots.zip(natural) {
            *slot = block.scale * value;
        }
    }
    wire
}

/// A 1 in one of so many slots.
fn one_of(slots: usize, at: Option<&usize>) -> Vec<f64> {
    (0..slots).map(|slot| if Some(&slot) == at { 1.0 } else { 0.0 }).collect()
}

/// Upper triangle of xxᵀ by columns, off-diagonals × √2.
fn svec(x: &[f64]) -> Vec<f64> {
    let column = |(j, b): (usize, &f64)| {
        let above = x.iter().take(j).map(|a| std::f64::consts::SQRT_2 * a * b).collect::<Vec<_>>();
        above.into_iter().chain(std::iter::once(b * b)).collect::<Vec<_>>()
    };
    x.iter().enumerate().flat_map(column).collect()
}

#[expect(clippy::cast_precision_loss, reason = "CLIP is 2^24")]
const QUANTA_PER_UNIT: f64 = CLIP as f64;

/// Truncates toward zero and holds the norm in integers.
fn gate(wire: &[f64]) -> Vec<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "saturates; the norm check follows")]
    let quanta: Vec<i64> = wire.iter().map(|v| (v * QUANTA_PER_UNIT).trunc() as i64).collect();
    match norm_squared(&quanta) {
        Some(norm) if norm <= CLIP_SQUARED => quanta,
        Some(norm) => shrunk(&quanta, norm),
        None => vec![0; wire.len()],
    }
}

const CLIP_SQUARED: u128 = (CLIP as u128) * (CLIP as u128);

/// Σx², `None` beyond u128.
fn norm_squared(quanta: &[i64]) -> Option<u128> {
    quanta.iter().try_fold(0_u128, |sum, x| {
        let x = u128::from(x.unsigned_abs());
        sum.checked_add(x.checked_mul(x)?)
    })
}

/// Every number times `C_int`/⌈√norm⌉, toward zero; zeros if that were still too long.
fn shrunk(quanta: &[i64], norm: u128) -> Vec<i64> {
    let root = norm.isqrt().saturating_add(1);
    let scale = |x: &i64| -> Option<i64> {
        let product = i128::from(*x).checked_mul(i128::from(CLIP))?;
        i64::try_from(product.checked_div(i128::try_from(root).ok()?)?).ok()
    };
    let shrunk: Option<Vec<i64>> = quanta.iter().map(scale).collect();
    match shrunk {
        Some(shrunk) if norm_squared(&shrunk).is_some_and(|n| n <= CLIP_SQUARED) => shrunk,
        _ => vec![0; quanta.len()],
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::study::Study;
    use crate::study::tests::SOUND;
    use crate::summary::feature::{Measured, Value};
    use proptest::prelude::*;

    fn layout(study: &Study) -> (Layout, SiteIndex) {
        let sites: Vec<SiteIndex> = (1..=5).filter_map(SiteIndex::new).collect();
        (Layout::new(study, &sites), SiteIndex::new(2).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn no_row_exceeds_the_clip_norm(acuity in -1e300..1e300_f64, outcome in -1e9..1e9_f64,
                                        share in -2.0..2.0_f64, level in 0..3_usize,
                                        excluded in prop::num::f64::ANY) {
            let study = if outcome > 0.0 { Study::parse(SOUND).unwrap() } else { weighed() };
            let (layout, site) = layout(&study);
            let level = ["internal", "emergency", "oncology"][level].parse().unwrap();
            let features = vec![Value::Number(acuity), Value::Level(level)];
            let measured = Measured { outcome, features, groups: vec![share], histograms: vec![] };
            let row = FeatureRow::new(study.schema(), &measured).unwrap().excluding(excluded);
            let norm = norm_squared(Contribution::of(&layout, site, &row).quanta()).unwrap();
            prop_assert!(norm <= CLIP_SQUARED);
            // and the row is not wasted: most of the norm is in use
            prop_assert!(norm > CLIP_SQUARED / 100);
        }

        #[test]
        fn the_gate_holds_whatever_the_floats_are(wire in prop::collection::vec(any::<f64>(), 1..40)) {
            prop_assert!(norm_squared(&gate(&wire)).unwrap() <= CLIP_SQUARED);
        }
    }

    /// A later period with every block: W and b₀ as large as a study may state them, two directions, histograms.
    fn extreme(entry: f64, family: &str) -> Study {
        let gaussian = family == "gaussian";
        let warm = format!(
            "[warm]\nresults = [\"{}\"]\nwhitening = [[1.0], [{entry:?}, 1.5], [0.1, {entry:?}, 2.0], [0.0, 0.3, {entry:?}, 0.7]]\n\
             prior = [0.4, {entry:?}, -0.1, 0.05]\n{}",
            "ab".repeat(32),
            if gaussian { "directions = [[0.0, 0.6, 0.8, 0.0]]\n" } else { "" }
        );
        let later = "group_labour = 0.02\ngroup_direction = 0.04\nsite_labour = 0.05\nhistograms = 0.05\nmatrix = 0.14";
        let plain = "histograms = 0.05\nmatrix = 0.25";
        let histogram = "[[histograms]]\nid = \"length\"\nlabel = \"x\"\nsource = \"minutes-mean\"\nunit = \"minute\"\n\
                         low = 0.0\nhigh = 60.0\ncentre = 20.0\nbins = 6\n\n[privacy]";
        let text = SOUND
            .replacen("matrix = 0.3", if gaussian { later } else { plain }, 1)
            .replacen("[privacy]", histogram, 1)
            .replacen("[fairness]", &format!("[model]\nfamily = \"{family}\"\n\n[fairness]"), 1);
        let text = if gaussian {
            text
        } else {
            text.replacen("groups = [\"interpreter-panel\"]", "groups = []", 1)
        };
        let text = if family == "logistic" {
            let bounds = "low = 10.0\nhigh = 50.0\ncentre = 38.0";
            text.replacen(bounds, "low = 0.0\nhigh = 1.0\ncentre = 0.4", 1)
        } else {
            text
        };
        Study::parse(&format!("{text}\n{warm}")).unwrap()
    }

    proptest! {
        /// Before the gate: it would hide a block that is longer than its share.
        #[test]
        fn no_block_of_a_later_period_is_longer_than_its_share(
            acuity in -1e3..1e3_f64, outcome in -1e3..1e3_f64, share in -2.0..2.0_f64,
            minutes in -1e3..1e3_f64, level in 0..3_usize, entry in -1e4..1e4_f64, family in 0..4_usize,
        ) {
            let family = ["gaussian", "poisson", "logistic", "gamma"][family];
            let study = extreme(entry, family);
            let (layout, site) = layout(&study);
            let level = ["internal", "emergency", "oncology"][level].parse().unwrap();
            let features = vec![Value::Number(acuity), Value::Level(level)];
            let measured = Measured { outcome, features, groups: vec![share], histograms: vec![minutes] };
            let row = FeatureRow::new(study.schema(), &measured).unwrap().excluding(share);
            let wire = wire(&layout, site, &row);
            let length = |run: &[f64]| run.iter().map(|v| v * v).sum::<f64>().sqrt();
            prop_assert!(length(&wire) <= 1.0 + 1e-9, "{}", length(&wire));
            for block in layout.blocks() {
                let run: Vec<f64> = wire.iter().skip(block.start).take(block.length).copied().collect();
                prop_assert!(length(&run) <= block.most * (1.0 + 1e-9), "{:?}", block.part);
            }
        }
    }

    #[test]
    fn what_a_clinician_excluded_moves_one_number_by_a_third_of_the_meta_share_at_most() {
        let study = Study::parse(SOUND).unwrap();
        let (layout, site) = layout(&study);
        let of = |share: f64| {
            let features = vec![Value::Number(3.0), Value::Level("internal".parse().unwrap())];
            let measured =
                Measured { outcome: 30.0, features, groups: vec![0.1], histograms: vec![] };
            let row = FeatureRow::new(study.schema(), &measured).unwrap().excluding(share);
            Contribution::of(&layout, site, &row).quanta().to_vec()
        };
        let block = layout.block(Part::ExcludedShare).unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "as the gate does")]
        let most = ((0.02_f64 / 3.0).sqrt() * QUANTA_PER_UNIT).trunc() as i64;
        for (share, moved) in [(0.0, 0), (1.0, most), (7.0, most), (-1.0, 0), (f64::NAN, 0)] {
            let mut with = of(share);
            assert_eq!(with[block.start], moved, "{share}");
            with[block.start] = 0;
            assert_eq!(with, of(0.0));
        }
    }

    /// SOUND with an equity rule that weighs sites.
    fn weighed() -> Study {
        let text = SOUND.replace("matrix = 0.3", "matrix = 0.1\nsite_groups = 0.2");
        let rule = "[allocation.equity]\ngroups = [\"interpreter-panel\"]\nweight = 0.5\n";
        Study::parse(&format!("{text}{rule}")).unwrap()
    }

    #[test]
    fn a_clinician_counts_in_the_groups_of_their_own_site_alone() {
        let study = weighed();
        let (layout, site) = layout(&study);
        for (share, member) in [(0.3, true), (0.1, false)] {
            let features = vec![Value::Number(3.0), Value::Level("internal".parse().unwrap())];
            let measured =
                Measured { outcome: 30.0, features, groups: vec![share], histograms: vec![] };
            let row = FeatureRow::new(study.schema(), &measured).unwrap();
            let quanta = Contribution::of(&layout, site, &row).quanta().to_vec();
            for index in (1..=5).filter_map(SiteIndex::new) {
                let block = layout.block(Part::SiteGroupHeads(index, 1)).unwrap();
                #[expect(clippy::cast_possible_truncation, reason = "as the gate does")]
                let one = (0.2_f64.sqrt() * QUANTA_PER_UNIT).trunc() as i64;
                let expected = if index == site && member { one } else { 0 };
                assert_eq!((block.length, quanta[block.start]), (1, expected));
            }
        }
    }

    #[test]
    fn svec_keeps_the_norm() {
        let x = [0.5, -1.25, 2.0];
        let norm: f64 = x.iter().map(|x| x * x).sum();
        let root: f64 = svec(&x).iter().map(|v| v * v).sum::<f64>().sqrt();
        assert!((root - norm).abs() < 1e-12);
        assert_eq!(svec(&x).len(), 6);
    }

    #[test]
    fn debug_shows_the_length_only() {
        let contribution = Contribution { quanta: vec![7; 3] };
        assert_eq!(format!("{contribution:?}"), "Contribution(3 numbers)");
    }
}
