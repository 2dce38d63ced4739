//! Quantiles and means from noisy counts.
//!
//! ```text
//! C_k noisy counts up to edge k, n = C_K     F = nearest non-decreasing curve to C_k/n    pool adjacent violators
//! se²(F_k) = sd²(k(1−F_k)² + (K−k)F_k²)/n² + F_k(1−F_k)/n      the last term for the population alone
//! quantile p: F⁻¹(p) between [(F + z·se)⁻¹(p), (F − z·se)⁻¹(p)]                   after Woodruff 1952
//! mean of a group: T/N, all θ with (T − θN)² ≤ z²(sd_T² + θ²sd_N² + N·s²)          Fieller
//! ```
//! Between the edges F is a monotone cubic (Fritsch and Carlson 1980): straight lines are off by some per
//! cent of a bin, which many clinicians make visible. An interval ends at the outermost edges at the latest.
use super::ModelError;
use super::gram::float;
use super::uncertainty::{Interval, Target, Z95};

/// Most bins.
const BINS_MAX: usize = 10_000;
/// Halvings of the range of a histogram, until neighbouring numbers.
const HALVINGS: u32 = 60;

/// A number and the standard deviation of the noise in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The number as released.
    pub value: f64,
    /// Standard deviation of its noise.
    pub sd: f64,
}

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Located {
    /// The estimate.
    pub value: f64,
    /// 95 %.
    pub interval: Interval,
}

/// The distribution that noisy counts show. Only [`Histogram::of`] makes one.
#[derive(Clone, Debug)]
pub struct Histogram {
    edges: Vec<f64>,
    /// F at the edges: from 0 to 1, never falling.
    shares: Vec<f64>,
    heads: f64,
    sd: f64,
}

impl Histogram {
    /// Reads `counts` of K bins, each with noise of `sd`, between K + 1 rising `edges`.
    ///
    /// # Errors
    /// [`ModelError::Shape`] if counts and edges differ in number, [`ModelError::NotFinite`],
    /// [`ModelError::Range`] if the edges do not rise, [`ModelError::NegativeVariance`];
    /// [`ModelError::EverybodyTooSmall`] if the sum of the counts does not stand clear of its noise.
    pub fn of(edges: &[f64], counts: &[f64], sd: f64) -> Result<Self, ModelError> {
        let bins = edges.len().saturating_sub(1);
        if bins == 0 || bins > BINS_MAX || bins != counts.len() {
            return Err(ModelError::Shape { what: "bins", expected: bins, found: counts.len() });
        }
        if !edges.iter().chain(counts).all(|value| value.is_finite()) {
            return Err(ModelError::NotFinite { what: "histogram" });
        }
        if !edges.is_sorted_by(|low, high| low < high) {
            return Err(ModelError::Range { what: "the edges of a histogram" });
        }
        if !(sd >= 0.0 && sd.is_finite()) {
            return Err(ModelError::NegativeVariance { what: "histogram" });
        }
        let heads: f64 = counts.iter().sum();
        if heads <= 4.0 * sd * float(bins).sqrt() {
            return Err(ModelError::EverybodyTooSmall);
        }
        let cumulative: Vec<f64> = counts
            .iter()
            .scan(0.0, |sum, count| {
                *sum += count;
                Some(*sum / heads)
            })
            .collect();
        let inner = cumulative.split_last().map_or(&[][..], |(_, inner)| inner);
        let inner = rising(inner).into_iter().map(|share| share.clamp(0.0, 1.0));
        let shares = std::iter::once(0.0).chain(inner).chain(std::iter::once(1.0)).collect();
        Ok(Self { edges: edges.to_vec(), shares, heads, sd })
    }

    /// The number of clinicians that the counts add up to.
    pub fn heads(&self) -> f64 {
        self.heads
    }

    /// F at the edges, from 0 to 1.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// The value below which the share p of clinicians lies.
    ///
    /// # Errors
    /// [`ModelError::Range`] unless 0 < p < 1.
    pub fn quantile(&self, p: f64, target: Target) -> Result<Located, ModelError> {
        if !(p > 0.0 && p < 1.0) {
            return Err(ModelError::Range { what: "the share of a quantile" });
        }
        let value = self.inverse(&self.shares, p);
        let high = self.inverse(&self.moved(-Z95, target), p);
        let low = self.inverse(&self.moved(Z95, target), p);
        Ok(Located { value, interval: Interval::between(low, high) })
    }

    /// F + z·se, from 0 to 1 and never falling.
    fn moved(&self, z: f64, target: Target) -> Vec<f64> {
        let bins = float(self.shares.len()) - 1.0;
        let mut highest = 0.0_f64;
        let band = |(k, share): (usize, &f64)| {
            let (k, rest) = (float(k), 1.0 - share);
            let noise = self.sd.powi(2) * (k * rest * rest + (bins - k) * share * share);
            let sampling = match target {
                Target::Population => share * rest / self.heads,
                Target::ExactData => 0.0,
            };
            let se = (noise / self.heads.powi(2) + sampling).sqrt();
            highest = highest.max((share + z * se).clamp(0.0, 1.0));
            highest
        };
        self.shares.iter().enumerate().map(band).collect()
    }

    fn inverse(&self, shares: &[f64], p: f64) -> f64 {
        let curve = Curve::through(&self.edges, shares);
        let (mut low, mut high) = match self.edges.as_slice() {
            [first, .., last] => (*first, *last),
            _ => return f64::NAN,
        };
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if curve.at(middle) < p {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }
}

/// Mean of a group from its noisy sum and count. `variance` is that of one value, for the population; 0
/// for the exact data.
pub fn mean(sum: Measured, count: Measured, variance: f64) -> Located {
    let z2 = Z95 * Z95;
    let lead = count.value.powi(2) - z2 * count.sd.powi(2);
    let half = sum.value * count.value;
    let spread = sum.sd.powi(2) + count.value.max(0.0) * variance.max(0.0);
    // Half² − lead·rest, written without the difference: without noise rounding would make it negative.
    let root = (z2 * (spread * lead + (count.sd * sum.value).powi(2))).sqrt();
    // Where the count is lost in its noise the set of θ has no end.
    let interval = if lead > 0.0 {
        Interval::between((half - root) / lead, (half + root) / lead)
    } else {
        Interval::NotEstimable
    };
    Located { value: sum.value / count.value, interval }
}

/// The non-decreasing numbers nearest to these, by least squares: neighbours out of order are pooled.
pub fn rising(values: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for value in values {
        let mut block = (*value, 1_usize);
        while let Some((mean, length)) = blocks.pop() {
            if mean <= block.0 {
                blocks.push((mean, length));
                break;
            }
            let both = length.saturating_add(block.1);
            block = ((mean * float(length) + block.0 * float(block.1)) / float(both), both);
        }
        blocks.push(block);
    }
    blocks.into_iter().flat_map(|(mean, length)| std::iter::repeat_n(mean, length)).collect()
}

/// A monotone cubic through points: piece by piece value, slope and length.
struct Curve {
    pieces: Vec<Piece>,
}

struct Piece {
    from: f64,
    length: f64,
    values: (f64, f64),
    slopes: (f64, f64),
}

impl Curve {
    fn through(edges: &[f64], values: &[f64]) -> Self {
        let pairs = edges.windows(2).zip(values.windows(2));
        let mut pieces: Vec<Piece> = pairs
            .filter_map(|(edges, values)| match (edges, values) {
                ([from, to], [low, high]) => {
                    let (length, values) = (to - from, (*low, *high));
                    let secant = (high - low) / length;
                    Some(Piece { from: *from, length, values, slopes: (secant, secant) })
                }
                _ => None,
            })
            .collect();
        // At an inner edge the mean of both secants, 0 where one of them is.
        let secants: Vec<f64> = pieces.iter().map(|piece| piece.slopes.0).collect();
        for (at, pair) in secants.windows(2).enumerate() {
            let slope = match pair {
                [before, after] if before * after > 0.0 => f64::midpoint(*before, *after),
                _ => 0.0,
            };
            if let Some(piece) = pieces.get_mut(at) {
                piece.slopes.1 = slope;
            }
            if let Some(piece) = pieces.get_mut(at.saturating_add(1)) {
                piece.slopes.0 = slope;
            }
        }
        // A piece rises throughout if its slopes lie in a circle of three secants. Shrinking one piece's slope
        // shrinks its neighbour's too, which stays in its own circle.
        for (at, secant) in secants.iter().enumerate() {
            let Some(piece) = pieces.get_mut(at) else { continue };
            let length = piece.slopes.0.hypot(piece.slopes.1);
            if length > 3.0 * secant {
                let (left, right) = (piece.slopes.0, piece.slopes.1);
                let shrink = if *secant > 0.0 { 3.0 * secant / length } else { 0.0 };
                piece.slopes = (left * shrink, right * shrink);
                if let Some(before) = at.checked_sub(1).and_then(|at| pieces.get_mut(at)) {
                    before.slopes.1 = left * shrink;
                }
                if let Some(after) = pieces.get_mut(at.saturating_add(1)) {
                    after.slopes.0 = right * shrink;
                }
            }
        }
        Self { pieces }
    }

    fn at(&self, x: f64) -> f64 {
        let at = self.pieces.partition_point(|piece| piece.from <= x).saturating_sub(1);
        let Some(piece) = self.pieces.get(at) else { return f64::NAN };
        let u = ((x - piece.from) / piece.length).clamp(0.0, 1.0);
        let v = 1.0 - u;
        let (low, high) = piece.values;
        let (left, right) = piece.slopes;
        let ends = low * (1.0 + 2.0 * u) * v * v + high * u * u * (3.0 - 2.0 * u);
        ends + piece.length * u * v * (left * v - right * u)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;
    use rand_distr::{Distribution, StandardNormal};
    use statrs::distribution::{ContinuousCDF, Normal};

    use super::*;

    /// Bins of a score of 0 to 60 whose distribution is normal about 33 with sd 9, for n clinicians.
    fn score(n: f64, bins: u32) -> (Vec<f64>, Vec<f64>) {
        let law = Normal::new(33.0, 9.0).unwrap();
        let edges: Vec<f64> = (0..=bins).map(|k| 60.0 * f64::from(k) / f64::from(bins)).collect();
        let counts = edges.windows(2).map(|pair| n * (law.cdf(pair[1]) - law.cdf(pair[0])));
        let counts = counts.collect();
        (edges, counts)
    }

    #[test]
    fn neighbours_out_of_order_are_pooled() {
        assert_eq!(rising(&[1.0, 3.0, 2.0, 4.0]), [1.0, 2.5, 2.5, 4.0]);
        assert_eq!(rising(&[3.0, 2.0, 1.0]), [2.0, 2.0, 2.0]);
        assert_eq!(rising(&[]), [] as [f64; 0]);
    }

    #[test]
    fn quantiles_without_noise_are_those_of_the_law() {
        // Thirty bins of 2 points: the cubic is within 0.01 points, straight lines are not.
        let (edges, counts) = score(20_000.0, 30);
        let histogram = Histogram::of(&edges, &counts, 0.0).unwrap();
        let law = Normal::new(33.0, 9.0).unwrap();
        // The law between 0 and 60.
        let (low, high) = (law.cdf(0.0), law.cdf(60.0));
        for p in [0.1, 0.25, 0.5, 0.75, 0.9] {
            let found = histogram.quantile(p, Target::ExactData).unwrap();
            let truth = law.inverse_cdf(low + p * (high - low));
            assert!((found.value - truth).abs() < 0.01, "{p}: {found:?}");
            assert!(found.interval.width() < 1e-9);
            let population = histogram.quantile(p, Target::Population).unwrap().interval;
            assert!(population.width() > 0.2 && population.contains(found.value));
        }
    }

    #[test]
    fn intervals_of_quantiles_cover_what_exact_counts_would_say() {
        // 400 draws each: coverage has an sd of 1.1 points; noise of the sd that ε = 1 costs.
        let (edges, counts) = score(20_000.0, 30);
        let exact = Histogram::of(&edges, &counts, 0.0).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(31);
        let (mut hits, mut error) = ([0_u32; 3], 0.0);
        for _ in 0..400 {
            let mut draw = |count: &f64| -> f64 {
                let normal: f64 = StandardNormal.sample(&mut rng);
                count + 26.7 * normal
            };
            let noisy: Vec<f64> = counts.iter().map(&mut draw).collect();
            let noisy = Histogram::of(&edges, &noisy, 26.7).unwrap();
            for (hit, p) in hits.iter_mut().zip([0.1, 0.5, 0.9]) {
                let truth = exact.quantile(p, Target::ExactData).unwrap().value;
                let found = noisy.quantile(p, Target::ExactData).unwrap();
                *hit += u32::from(found.interval.contains(truth));
                if (0.4..0.6).contains(&p) {
                    error += (found.value - truth).abs() / 400.0;
                }
            }
        }
        assert!(hits.iter().all(|hits| (364..=396).contains(hits)), "{hits:?} of 400");
        assert!(error < 0.15, "median off by {error} points");
    }

    #[test]
    fn means_cover_and_know_when_they_cannot() {
        let (sum, count) =
            (Measured { value: 900.0, sd: 12.0 }, Measured { value: 2_000.0, sd: 15.0 });
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut hits = 0_u32;
        for _ in 0..1_000 {
            let mut noisy = |m: Measured| {
                let normal: f64 = StandardNormal.sample(&mut rng);
                Measured { value: m.value + m.sd * normal, ..m }
            };
            let (sum, count) = (noisy(sum), noisy(count));
            hits += u32::from(mean(sum, count, 0.0).interval.contains(0.45));
        }
        // 0.7 points of sd.
        assert!((929..=971).contains(&hits), "{hits} of 1000");
        let exact = mean(Measured { sd: 0.0, ..sum }, Measured { sd: 0.0, ..count }, 0.04);
        let reach = Z95 * (0.04_f64 / 2_000.0).sqrt();
        assert!((exact.interval.width() - 2.0 * reach).abs() < 1e-12);
        let lost = mean(sum, Measured { value: 20.0, sd: 15.0 }, 0.0);
        assert_eq!(lost.interval, Interval::NotEstimable);
    }

    #[test]
    fn senseless_histograms_are_refused() {
        let of = |edges: &[f64], counts: &[f64], sd| Histogram::of(edges, counts, sd).unwrap_err();
        assert!(matches!(of(&[0.0, 1.0], &[1.0, 2.0], 0.0), ModelError::Shape { .. }));
        assert!(matches!(of(&[0.0, 0.0], &[1.0], 0.0), ModelError::Range { .. }));
        assert!(matches!(of(&[0.0, 1.0], &[f64::NAN], 0.0), ModelError::NotFinite { .. }));
        assert!(matches!(of(&[0.0, 1.0], &[1.0], -1.0), ModelError::NegativeVariance { .. }));
        assert_eq!(of(&[0.0, 1.0, 2.0], &[9.0, 9.0], 10.0), ModelError::EverybodyTooSmall);
        let (edges, counts) = score(100.0, 5);
        let histogram = Histogram::of(&edges, &counts, 0.0).unwrap();
        assert!(histogram.quantile(0.0, Target::ExactData).is_err());
        assert!(histogram.quantile(f64::NAN, Target::ExactData).is_err());
    }

    proptest! {
        #[test]
        fn curves_never_fall_and_meet_their_points(
            steps in prop::collection::vec((0.1..3.0f64, 0.0..1.0f64), 1..12),
        ) {
            let (mut edges, mut values) = (vec![0.0], vec![0.0]);
            for (step, rise) in steps {
                edges.push(edges.last().unwrap() + step);
                values.push(values.last().unwrap() + if rise < 0.3 { 0.0 } else { rise });
            }
            let curve = Curve::through(&edges, &values);
            for (edge, value) in edges.iter().zip(&values) {
                prop_assert!((curve.at(*edge) - value).abs() < 1e-12);
            }
            let last = edges.last().unwrap();
            let points: Vec<f64> = (0..=500).map(|k| curve.at(last * f64::from(k) / 500.0)).collect();
            prop_assert!(points.is_sorted_by(|a, b| *b > a - 1e-12));
        }
    }
}
