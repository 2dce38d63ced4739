//! The parts of a report on slopes within hospitals and on the means of groups.
//!
//! Both are read from sums that the release holds anyway. A fit or a mean that the noise does not allow is said to be
//! refused, and why; it does not vanish.
use super::means;
use super::parts::{Scene, interval};
use crate::model::ModelError;
use crate::model::gram::GroupSums;
use crate::model::linear::solve;
use crate::model::plain::Coefficient as Slope;
use crate::model::uncertainty::Interval as Found;
use crate::model::within;
use crate::report::data::{Coefficient, CoefficientKind, Interval, Noisy};
use crate::report::within::{GroupMean, GroupMeans, WithinPart, WithinRow, differs};
use tacit_shared::study::schema::Group;

impl Scene<'_> {
    /// Slopes within hospitals beside `pooled`, the coefficients of the report. `None` where nothing is printed, or where
    /// the outcome is a count, a share or a positive number: weighted rows have no common level to take off.
    pub(super) fn within(&self, pooled: &[Coefficient]) -> Option<WithinPart> {
        if !(self.shown() && self.round.study.family().is_additive()) {
            return None;
        }
        let inputs = self.moments.inputs();
        let slopes = solve(inputs.gram()).and_then(|solution| within::fit(inputs, &solution));
        let scale = self.range();
        let columns = self.round.study.schema().columns();
        let units: Vec<f64> =
            columns.iter().skip(1).map(|column| scale / column.half_range).collect();
        let mut part = part(slopes, pooled, &units);
        for row in &mut part.rows {
            row.truth = self.truth.and_then(|truth| truth.within.get(&row.name).copied());
        }
        Some(part)
    }

    /// The mean outcome inside each group and outside it, in the order of the study; empty as [`Scene::within`].
    pub(super) fn means(&self) -> Vec<GroupMeans> {
        if !(self.shown() && self.round.study.family().is_additive()) {
            return Vec::new();
        }
        let inputs = self.moments.inputs();
        let groups = self.round.study.schema().groups.iter().zip(inputs.groups());
        let row = |(group, sums): (&Group, &GroupSums)| {
            let name = group.id.to_string();
            let truth = self.truth.and_then(|truth| truth.means.get(&name).copied());
            GroupMeans {
                name,
                label: group.label.clone(),
                inside: self.group_mean(sums, truth.map(|t| t.0)),
                outside: self.group_mean(&inputs.all().without(sums), truth.map(|t| t.1)),
            }
        };
        groups.map(row).collect()
    }

    fn group_mean(&self, sums: &GroupSums, truth: Option<f64>) -> GroupMean {
        let points = |scaled: f64| self.low() + self.range() * scaled;
        let found = means::of(self.moments.inputs(), sums, self.fitted.variance());
        let around = |level: Option<Found>| {
            level.map_or(Interval::NotEstimable, |level| interval(level, points))
        };
        GroupMean {
            heads: Noisy { value: sums.heads, sd: sums.noise.heads },
            mean: found.map(|level| points(level.value)),
            exact_data: around(found.map(|level| level.exact_data())),
            population: around(found.map(|level| level.population())),
            truth,
        }
    }
}

/// The rows, or why there are none; `units` brings each slope to points per unit of its feature.
fn part(
    slopes: Result<Vec<Slope>, ModelError>,
    pooled: &[Coefficient],
    units: &[f64],
) -> WithinPart {
    let slopes = match slopes {
        Ok(slopes) => slopes,
        Err(error) => return WithinPart { refused: Some(told(&error)), rows: Vec::new() },
    };
    let effects = pooled.iter().filter(|row| row.kind == CoefficientKind::Effect);
    let rows: Vec<WithinRow> = effects
        .zip(slopes.iter().zip(units))
        .map(|(pooled, (slope, unit))| {
            let own = interval(slope.interval, |value| value * unit);
            WithinRow {
                name: pooled.name.clone(),
                label: pooled.label.clone(),
                unit: pooled.unit.clone(),
                estimate: (own != Interval::NotEstimable).then_some(slope.estimate * unit),
                interval: own,
                differs: differs(own, pooled.population),
                truth: None,
            }
        })
        .collect();
    let refused = rows.is_empty().then(|| "the formula has no feature".to_owned());
    WithinPart { refused, rows }
}

/// Why hospitals cannot be looked into, for a reader.
fn told(error: &ModelError) -> String {
    match error {
        ModelError::WithinTooNoisy { heads, needed } => format!(
            "{heads:.0} clinicians are too few for it at so many hospitals and this noise; at least {needed:.0} are needed"
        ),
        ModelError::TooFewSites { found } => format!(
            "hospitals of at least 20 clinicians, smaller ones put together: {found}; at least 2 are needed"
        ),
        ModelError::Singular { .. } => {
            "some feature is the same for all clinicians of a hospital".to_owned()
        }
        ModelError::Coefficients { .. } => "the formula has no feature".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::model::gram::{Frame, Gram, GramNoise, GramSums, GroupNoise, Inputs, Later};
    use crate::report::sample;
    use nalgebra::{DMatrix, DVector};

    /// Of each row the site, a feature and the outcome: levels go with the feature, and each unit of it is worth 0.02.
    fn rows() -> Vec<(usize, f64, f64)> {
        let row = |i: u32| {
            let site = i % 3;
            let x = f64::from(i % 7) / 7.0 + f64::from(site);
            let level = 0.2 + 0.15 * f64::from(site);
            let error = if i.is_multiple_of(2) { 0.01 } else { -0.01 };
            (usize::try_from(site).unwrap(), x, level + 0.02 * x + error)
        };
        (0..420).map(row).collect()
    }

    /// From the prior formula 0.3 + 0.1 x.
    fn residual((_, x, y): &(usize, f64, f64)) -> f64 {
        y - 0.3 - 0.1 * x
    }

    fn group(rows: &[(usize, f64, f64)], noise: f64) -> GroupSums {
        let heads = rows.iter().map(|_| 1.0).sum();
        let x: f64 = rows.iter().map(|row| row.1).sum();
        let noise = GroupNoise { heads: noise, weight: noise, residual: noise, x: noise };
        GroupSums {
            heads,
            weight: heads,
            residual: rows.iter().map(residual).sum(),
            x: DVector::from_vec(vec![heads, x]),
            noise,
            later: Later::default(),
        }
    }

    /// The sums of the rows, said to have so much noise at each site.
    fn slopes(noise: f64) -> Result<Vec<Slope>, ModelError> {
        let rows = rows();
        let all = group(&rows, 0.0);
        let of = |f: fn(&(usize, f64, f64)) -> f64| rows.iter().map(f).sum::<f64>();
        let (n, x) = (all.heads, all.x[1]);
        let a = DMatrix::from_row_slice(2, 2, &[n, x, x, of(|r| r.1 * r.1)]);
        let b = DVector::from_vec(vec![of(residual), of(|r| r.1 * residual(r))]);
        let frame = Frame { w: DMatrix::identity(2, 2), b0: DVector::from_vec(vec![0.3, 0.1]) };
        let sums = GramSums { a, b, q: of(|r| residual(r).powi(2)) };
        let gram = Gram::new(sums, GramNoise::default(), frame).unwrap();
        let own = |site| rows.iter().copied().filter(|row| row.0 == site).collect::<Vec<_>>();
        let sites = (0..3).map(|site| group(&own(site), noise)).collect();
        let inputs = Inputs::new(gram, all, Vec::new(), sites).unwrap();
        within::fit(&inputs, &solve(inputs.gram()).unwrap())
    }

    /// A formula of one feature, whose slope the levels of the sites have bent to `estimate`.
    fn pooled(estimate: f64) -> Vec<Coefficient> {
        let mut rows = sample::data().coefficients;
        rows.truncate(2);
        rows[1].estimate = Some(estimate);
        rows[1].population = Interval::Between { low: estimate - 0.1, high: estimate + 0.1 };
        rows
    }

    #[test]
    fn slopes_within_are_those_of_least_squares_about_the_means_of_sites() {
        let rows = rows();
        let (mut square, mut cross) = (0.0, 0.0);
        for site in 0..3 {
            let own: Vec<_> = rows.iter().filter(|row| row.0 == site).collect();
            let n: f64 = own.iter().map(|_| 1.0).sum();
            let mean = own.iter().map(|row| row.1).sum::<f64>() / n;
            square += own.iter().map(|row| (row.1 - mean).powi(2)).sum::<f64>();
            cross += own.iter().map(|row| (row.1 - mean) * row.2).sum::<f64>();
        }
        // 40 points from end to end, half range 2: a scaled slope counts twenty times.
        let part = part(slopes(0.0), &pooled(3.4), &[20.0]);
        assert_eq!((part.refused, part.rows.len()), (None, 1));
        let row = &part.rows[0];
        let estimate = row.estimate.unwrap();
        assert!((estimate - 20.0 * cross / square).abs() < 1e-9, "{row:?}");
        // The pooled slope is that of the levels, about 0.17.
        assert!((estimate - 0.4).abs() < 0.02 && row.differs, "{row:?}");
        assert_eq!(row.name, "acuity");
        let Interval::Between { low, high } = row.interval else { unreachable!("{row:?}") };
        assert!(low < estimate && estimate < high && high - low < 1.0, "{row:?}");
    }

    #[test]
    fn a_slope_whose_range_meets_the_pooled_one_does_not_differ() {
        assert!(!part(slopes(0.0), &pooled(0.45), &[20.0]).rows[0].differs);
    }

    #[test]
    fn a_slope_that_the_noise_hides_has_no_number() {
        let hidden = Slope { estimate: 7.0, standard_error: 9.0, interval: Found::NotEstimable };
        let row = part(Ok(vec![hidden]), &pooled(3.4), &[20.0]).rows.remove(0);
        assert_eq!(
            (row.estimate, row.interval, row.differs),
            (None, Interval::NotEstimable, false)
        );
    }

    #[test]
    fn a_refusal_says_why() {
        let refused = |slopes| part(slopes, &pooled(3.4), &[20.0]).refused.unwrap();
        // 420 clinicians at 3 sites with noise of 100: 3·3·100 are needed.
        assert_eq!(
            refused(slopes(100.0)),
            "420 clinicians are too few for it at so many hospitals and this noise; at least 900 are needed"
        );
        assert_eq!(
            refused(Err(ModelError::TooFewSites { found: 1 })),
            "hospitals of at least 20 clinicians, smaller ones put together: 1; at least 2 are needed"
        );
        assert_eq!(
            refused(Err(ModelError::Singular { smallest_pivot: 0.0 })),
            "some feature is the same for all clinicians of a hospital"
        );
        assert!(part(Ok(Vec::new()), &[], &[]).refused.is_some());
    }
}
