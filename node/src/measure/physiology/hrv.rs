//! Heart rate variability in the time domain, by the plain definitions.
//!
//! ```text
//! mean_nn = mean(rr)       mean_hr = 60000 / mean(rr)       sdnn = sample SD of rr (n − 1)
//! rmssd = √mean(d²)        pnn50 = 100 · #(|d| > 50 ms) / #d        coverage = Σ rr / length
//! d = rr[i] − rr[i−1] over the pairs with |(t[i] − t[i−1]) − rr[i]| ≤ 20 ms
//! ```
//! Task Force of the ESC and NASPE 1996 (Circulation 93:1043). The pair rule is ours: across a gap
//! there is no difference between neighbours. `NeuroKit2` 0.2.13 divides pNN50 by #d + 1 and pairs
//! across gaps unless given times; all else agrees.
//!
//! Takes the beats of one window, in order. Cutting windows is [`super::window`]'s work, removing
//! artefacts [`super::filter`]'s; whether a window is good enough is [`super::quality`]'s to say.
use std::fmt;

use super::recording::Beat;

/// How far the interval may be from the time between the ends of two beats, ms.
pub const PAIR_TOLERANCE_MS: f64 = 20.0;

/// A difference counts for pNN50 above this, ms.
pub const LARGE_DIFFERENCE_MS: f64 = 50.0;

/// Time-domain values of one window. `None` where undefined. `Debug` shows the number of beats only.
pub struct TimeDomain {
    /// Number of intervals.
    pub n_rr: u32,
    /// Number of successive pairs without a gap between.
    pub n_pairs: u32,
    /// Σ rr as a share of the window's length.
    pub coverage: f64,
    /// Mean interval, ms. Needs an interval.
    pub mean_nn_ms: Option<f64>,
    /// 60000 / mean interval, beats a minute. Needs an interval.
    pub mean_hr_bpm: Option<f64>,
    /// Sample standard deviation of the intervals, ms. Needs two intervals.
    pub sdnn_ms: Option<f64>,
    /// Root mean square of successive differences, ms. Needs a pair.
    pub rmssd_ms: Option<f64>,
    /// Share of differences above 50 ms, percent. Needs a pair.
    pub pnn50_pct: Option<f64>,
    /// Natural logarithm of `rmssd_ms`. Needs an rmssd above 0.
    pub ln_rmssd: Option<f64>,
}

impl TimeDomain {
    /// The values of `beats`, which lie in a window of `length_s` seconds (above 0).
    pub fn of(beats: &[Beat], length_s: f64) -> Self {
        Self::of_runs(&[beats], length_s)
    }

    /// As [`Self::of`] for beats of which a filter dropped some: no pair is made from run to run,
    /// however short the interval was that is missing between them.
    pub fn of_runs(runs: &[&[Beat]], length_s: f64) -> Self {
        let beats = || runs.iter().flat_map(|run| run.iter());
        let n_rr = count(beats().count());
        // Not `sum()`, which is −0 of nothing and would print as such.
        let sum_ms = beats().fold(0.0, |sum, beat| sum + beat.rr_ms);
        let mean_nn_ms = (n_rr > 0).then(|| sum_ms / f64::from(n_rr));
        // Two passes: Σrr² − n·mean² would lose half of the digits.
        let sdnn_ms = mean_nn_ms.filter(|_| n_rr > 1).map(|mean| {
            let squares = beats().map(|beat| (beat.rr_ms - mean).powi(2));
            (squares.sum::<f64>() / f64::from(n_rr - 1)).sqrt()
        });

        let mut n_pairs = 0_u32;
        let mut n_large = 0_u32;
        let mut squares = 0.0;
        for difference_ms in runs.iter().flat_map(|run| differences_ms(run)) {
            n_pairs += 1;
            n_large += u32::from(difference_ms.abs() > LARGE_DIFFERENCE_MS);
            squares += difference_ms.powi(2);
        }
        let per_pair = |sum: f64| (n_pairs > 0).then(|| sum / f64::from(n_pairs));
        let rmssd_ms = per_pair(squares).map(f64::sqrt);

        Self {
            n_rr,
            n_pairs,
            coverage: sum_ms / 1000.0 / length_s,
            mean_nn_ms,
            mean_hr_bpm: mean_nn_ms.map(|mean| 60_000.0 / mean),
            sdnn_ms,
            rmssd_ms,
            pnn50_pct: per_pair(100.0 * f64::from(n_large)),
            ln_rmssd: rmssd_ms.filter(|rmssd| *rmssd > 0.0).map(f64::ln),
        }
    }
}

impl fmt::Debug for TimeDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeDomain({} intervals)", self.n_rr)
    }
}

/// The differences between successive intervals, ms, where no gap lies between.
pub fn differences_ms(beats: &[Beat]) -> impl Iterator<Item = f64> {
    beats
        .iter()
        .zip(beats.iter().skip(1))
        .filter(|(before, beat)| follows(before, beat))
        .map(|(before, beat)| beat.rr_ms - before.rr_ms)
}

/// Whether `beat` is the one after `before`: its interval is the time that passed between their ends.
pub fn follows(before: &Beat, beat: &Beat) -> bool {
    let elapsed_ms = (beat.end_s - before.end_s) * 1000.0;
    (elapsed_ms - beat.rr_ms).abs() <= PAIR_TOLERANCE_MS
}

pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    fn chain(rr_ms: &[f64]) -> Vec<Beat> {
        let mut end_s = 0.0;
        let beats = rr_ms.iter().map(|&rr_ms| {
            end_s += rr_ms / 1000.0;
            Beat { end_s, rr_ms }
        });
        beats.collect()
    }

    #[track_caller]
    fn near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() <= 1e-12 * expected.abs()));
    }

    #[test]
    fn five_intervals_give_the_values_worked_by_hand() {
        // Mean 4050 / 5 = 810; deviations −10, 50, −60, 40, −20: squares 8200.
        // Differences 60, −110, 100, −60: squares 29300; all four above 50.
        let values = TimeDomain::of(&chain(&[800.0, 860.0, 750.0, 850.0, 790.0]), 300.0);
        assert_eq!((values.n_rr, values.n_pairs), (5, 4));
        near(Some(values.coverage), 0.0135);
        near(values.mean_nn_ms, 810.0);
        near(values.mean_hr_bpm, 60_000.0 / 810.0);
        near(values.sdnn_ms, 2050.0_f64.sqrt());
        near(values.rmssd_ms, 7325.0_f64.sqrt());
        near(values.pnn50_pct, 100.0);
        near(values.ln_rmssd, 7325.0_f64.ln() / 2.0);
    }

    #[test]
    fn a_difference_of_just_50_ms_is_not_counted() {
        let values = TimeDomain::of(&chain(&[800.0, 850.0, 799.0, 800.0]), 300.0);
        near(values.pnn50_pct, 100.0 / 3.0);
    }

    #[test]
    fn no_pair_is_made_across_a_gap() {
        let beat = |end_s, rr_ms| Beat { end_s, rr_ms };
        // The third interval is 20 ms from the time passed (a pair), the fourth 1 s away.
        let beats = [
            beat(1.0, 750.0),
            beat(1.75, 750.0),
            beat(2.5, 770.0),
            beat(4.5, 1000.0),
            beat(5.5, 1000.0),
        ];
        let values = TimeDomain::of(&beats, 300.0);
        assert_eq!((values.n_rr, values.n_pairs), (5, 3));
        near(values.rmssd_ms, (400.0_f64 / 3.0).sqrt());
        near(values.pnn50_pct.map(|share| share + 1.0), 1.0);
        let beats = [beat(1.0, 750.0), beat(1.75, 770.5)];
        assert_eq!(TimeDomain::of(&beats, 300.0).n_pairs, 0);
    }

    #[test]
    fn no_pair_is_made_from_run_to_run_even_across_a_dropped_interval_of_10_ms() {
        let beats = chain(&[800.0, 810.0, 10.0, 800.0, 820.0]);
        let runs = [&beats[..2], &beats[3..]];
        let values = TimeDomain::of_runs(&runs, 300.0);
        assert_eq!((values.n_rr, values.n_pairs), (4, 2));
        near(values.rmssd_ms, 250.0_f64.sqrt());
    }

    #[test]
    fn what_is_undefined_is_absent() {
        let none = TimeDomain::of(&[], 300.0);
        assert_eq!((none.n_rr, none.n_pairs), (0, 0));
        assert_eq!(none.coverage.to_bits(), 0, "0, and not -0");
        assert!(none.mean_nn_ms.is_none() && none.mean_hr_bpm.is_none());
        assert!(none.sdnn_ms.is_none() && none.rmssd_ms.is_none());
        assert!(none.pnn50_pct.is_none() && none.ln_rmssd.is_none());

        let one = TimeDomain::of(&chain(&[800.0]), 300.0);
        near(one.mean_hr_bpm, 75.0);
        assert!(one.sdnn_ms.is_none() && one.rmssd_ms.is_none());

        let still = TimeDomain::of(&chain(&[800.0, 800.0]), 300.0);
        near(still.rmssd_ms.map(|rmssd| rmssd + 1.0), 1.0);
        near(still.sdnn_ms.map(|sdnn| sdnn + 1.0), 1.0);
        assert!(still.ln_rmssd.is_none());
    }

    #[test]
    fn a_small_spread_on_a_large_mean_keeps_its_digits() {
        let values = TimeDomain::of(&chain(&[50_000.0, 50_000.001, 50_000.002]), 300.0);
        assert!(values.sdnn_ms.is_some_and(|sdnn| (sdnn - 0.001).abs() < 1e-10));
    }

    #[test]
    fn debug_shows_the_number_of_intervals_only() {
        let values = TimeDomain::of(&chain(&[812.0, 790.0]), 300.0);
        assert_eq!(format!("{values:?}"), "TimeDomain(2 intervals)");
    }
}
