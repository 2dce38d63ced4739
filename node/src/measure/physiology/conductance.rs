//! Skin conductance: its level, and the responses that rise out of it.
//!
//! ```text
//! tonic   = running median over 8 s                smooth = mean over 1 s        both shorter at the ends
//! response: from a local minimum of smooth to the next local maximum,
//!           at least 0.05 µS higher (absolute), after 0.5 to 5 s
//! scl     = mean of tonic, and its slope by least squares        rates per minute of samples
//! ```
//! The threshold is absolute on purpose: `NeuroKit2` 0.2.13 takes a tenth of the tallest peak, and so
//! counts 238 responses on a flat recording of 0.08 µS, none above 0.05. Methods differ by a factor of
//! five in counts, so counts are compared within a person and a device, if at all.
//!
//! Windows are of five minutes by sample number; a rest shorter than that is left out. Reading files is
//! [`super::signal`]'s work.
use std::fmt;

use rayon::prelude::*;

use super::hrv::count;
use super::quality::Contact;
use super::running::{centred, median};
use super::signal::{Rate, Signal};
use super::window::WINDOW_S;

/// The smallest response, µS.
pub const LEAST_RESPONSE_US: f64 = 0.05;

/// The shortest and the longest rise of a response, s.
pub const RISE_S: [f64; 2] = [0.5, 5.0];

/// Below this the sensor does not touch the skin well, µS.
pub const LOW_CONTACT_US: f64 = 0.05;

/// Half of the tonic median's 8 s.
const TONIC_HALF_S: f64 = 4.0;

/// What a stretch of skin conductance comes to. `Debug` shows the number of samples only.
pub struct Conductance {
    /// Number of samples.
    pub n: u32,
    /// Mean of the tonic level, µS.
    pub scl_mean_us: f64,
    /// Its slope, µS a minute. Needs two samples.
    pub scl_slope_us_per_min: Option<f64>,
    /// Number of responses.
    pub scr_count: u32,
    /// Responses a minute.
    pub scr_per_min: f64,
    /// Mean rise of a response, µS. Needs a response.
    pub scr_amp_mean_us: Option<f64>,
    /// Sum of their rises, µS.
    pub scr_amp_sum_us: f64,
    /// Share of samples below 0.05 µS, 0 to 1.
    pub low_contact_frac: f64,
}

impl fmt::Debug for Conductance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conductance({} samples)", self.n)
    }
}

impl Conductance {
    /// The values of samples in µS at a rate; `None` of none.
    pub fn of(samples_us: &[f64], rate: Rate) -> Option<Self> {
        let n = count(samples_us.len());
        if n == 0 {
            return None;
        }
        let size = f64::from(n);
        let tonic = centred(samples_us, rate.samples_in(TONIC_HALF_S), median);
        let rises = responses(&smooth(samples_us, rate), rate);
        // Not `sum()`, which is −0 of nothing and would print as such.
        let rise_us = rises.iter().fold(0.0, |sum, rise| sum + rise);
        let scr_count = count(rises.len());
        let low = samples_us.iter().filter(|sample| **sample < LOW_CONTACT_US).count();
        Some(Self {
            n,
            scl_mean_us: tonic.iter().sum::<f64>() / size,
            scl_slope_us_per_min: slope(&tonic, rate.hz() * 60.0),
            scr_count,
            scr_per_min: 60.0 * f64::from(scr_count) / (size / rate.hz()),
            scr_amp_mean_us: (scr_count > 0).then(|| rise_us / f64::from(scr_count)),
            scr_amp_sum_us: rise_us,
            low_contact_frac: f64::from(count(low)) / size,
        })
    }

    /// Whether the sensor touched the skin often enough.
    pub fn contact(&self) -> Contact {
        Contact::of(self.low_contact_frac)
    }
}

/// One window of a signal and its values.
#[derive(Debug)]
pub struct SignalWindow {
    /// Its first second, counted from the start of the recording.
    pub start_s: f64,
    /// The second at which the next one begins.
    pub end_s: f64,
    /// What it comes to.
    pub values: Conductance,
}

/// The whole windows of five minutes, in order: window k holds samples ⌊300·k·rate⌋ to
/// ⌊300·(k + 1)·rate⌋ − 1. Computed on every core.
pub fn windows(signal: &Signal) -> Vec<SignalWindow> {
    let rate = signal.rate();
    let mut edges = vec![0_usize];
    let end = |k: usize| rate.index_at(WINDOW_S * f64::from(count(k)));
    while let Some(end) = Some(end(edges.len())).filter(|end| *end <= signal.samples().len()) {
        edges.push(end);
    }
    let windows: Vec<(usize, &[f64])> = edges
        .iter()
        .zip(edges.iter().skip(1))
        .filter_map(|(from, to)| signal.samples().get(*from..*to))
        .enumerate()
        .collect();
    windows
        .par_iter()
        .filter_map(|(k, samples)| {
            let start_s = WINDOW_S * f64::from(count(*k));
            let values = Conductance::of(samples, rate)?;
            Some(SignalWindow { start_s, end_s: start_s + WINDOW_S, values })
        })
        .collect()
}

/// The mean over 1 s around each sample, from running sums: two samples with equal sums in exact
/// arithmetic may differ by rounding, as in the reference, and a response begins at the last such.
fn smooth(samples: &[f64], rate: Rate) -> Vec<f64> {
    let half = rate.samples_in(1.0) / 2;
    let mut sums = vec![0.0];
    sums.extend(samples.iter().scan(0.0, |sum, sample| {
        *sum += sample;
        Some(*sum)
    }));
    let n = samples.len();
    let sum_to = |i: usize| sums.get(i).copied().unwrap_or(f64::NAN);
    let mean = |i: usize| {
        let (from, to) = (i.saturating_sub(half), (i + half + 1).min(n));
        (sum_to(to) - sum_to(from)) / f64::from(count(to - from))
    };
    (0..n).map(mean).collect()
}

/// The rises of the responses, µS.
fn responses(smooth: &[f64], rate: Rate) -> Vec<f64> {
    let [shortest, longest] = RISE_S;
    let rise = |run: &[f64]| {
        let (first, last) = (run.first()?, run.last()?);
        let amplitude = last - first;
        let rise_s = f64::from(count(run.len() - 1)) / rate.hz();
        (amplitude >= LEAST_RESPONSE_US && (shortest..=longest).contains(&rise_s))
            .then_some(amplitude)
    };
    smooth.chunk_by(|before, after| after > before).filter_map(rise).collect()
}

/// The slope of values at `per_unit` a unit of time, by least squares; `None` of fewer than two.
fn slope(values: &[f64], per_unit: f64) -> Option<f64> {
    let n = f64::from(count(values.len()));
    if n < 2.0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let middle = (n - 1.0) / 2.0;
    let (mut products, mut squares) = (0.0, 0.0);
    for (i, value) in (0_u32..).zip(values) {
        let off = f64::from(i) - middle;
        products += off * (value - mean);
        squares += off * off;
    }
    Some(products / squares * per_unit)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(hz: f64) -> Rate {
        Rate::new(hz).unwrap()
    }

    /// 5 µS with a rise of `size` over `rise_s` s at second 60, then a fall over 10 s; 4 Hz, 2 minutes.
    fn bump(size: f64, rise_s: f64) -> Vec<f64> {
        let at = |i: u32| {
            let t = f64::from(i) / 4.0 - 60.0;
            let up = (t / rise_s).clamp(0.0, 1.0);
            let down = ((t - rise_s) / 10.0).clamp(0.0, 1.0);
            5.0 + size * (up - down)
        };
        (0..480).map(at).collect()
    }

    #[test]
    fn a_rise_of_two_seconds_is_a_response() {
        let values = Conductance::of(&bump(0.5, 2.0), rate(4.0)).unwrap();
        assert_eq!((values.n, values.scr_count), (480, 1));
        assert!((values.scr_per_min - 0.5).abs() < 1e-12);
        assert!(values.scr_amp_mean_us.is_some_and(|rise| rise > 0.4 && rise <= 0.5));
        assert!((values.scr_amp_sum_us - values.scr_amp_mean_us.unwrap()).abs() < 1e-12);
        assert!((values.scl_mean_us - 5.0).abs() < 0.05);
        assert_eq!(values.contact(), Contact::Good);
        assert_eq!(format!("{values:?}"), "Conductance(480 samples)");
    }

    #[test]
    fn a_small_or_a_slow_rise_is_none() {
        for samples in [bump(0.04, 2.0), bump(0.5, 8.0)] {
            let values = Conductance::of(&samples, rate(4.0)).unwrap();
            assert_eq!(values.scr_count, 0);
            assert!(values.scr_amp_mean_us.is_none());
            assert_eq!(values.scr_amp_sum_us.to_bits(), 0, "0, and not -0");
        }
    }

    #[test]
    fn a_slope_is_per_minute() {
        let samples: Vec<f64> = (0..1200).map(|i| 2.0 + f64::from(i) / 4.0 / 60.0 * 0.3).collect();
        let values = Conductance::of(&samples, rate(4.0)).unwrap();
        assert!((values.scl_slope_us_per_min.unwrap() - 0.3).abs() < 1e-3);
        assert_eq!(values.scr_count, 0);
    }

    #[test]
    fn a_sensor_off_the_skin_is_poor_contact() {
        let mut samples = vec![3.0; 90];
        samples.extend([0.0; 11]);
        let values = Conductance::of(&samples, rate(4.0)).unwrap();
        assert!((values.low_contact_frac - 11.0 / 101.0).abs() < 1e-12);
        assert_eq!(values.contact(), Contact::Poor);
    }

    #[test]
    fn nothing_and_little_never_panic() {
        assert!(Conductance::of(&[], rate(4.0)).is_none());
        let one = Conductance::of(&[1.0], rate(4.0)).unwrap();
        assert!(one.scl_slope_us_per_min.is_none() && (one.scl_mean_us - 1.0).abs() < 1e-12);
        let wrong = [1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2.0];
        assert_eq!(Conductance::of(&wrong, rate(1.0)).unwrap().n, 5);
    }

    #[test]
    fn only_whole_windows_count() {
        for (samples, hz, expected) in
            [(1199, 4.0, 0), (1200, 4.0, 1), (2399, 4.0, 1), (2400, 4.0, 2), (901, 1.5, 2)]
        {
            let signal = Signal::new(0.0, rate(hz), vec![1.0; samples]);
            let windows = windows(&signal);
            assert_eq!(windows.len(), expected);
            for (k, window) in (0_u32..).zip(&windows) {
                assert!((window.start_s - 300.0 * f64::from(k)).abs() < 1e-12);
                assert!((window.end_s - window.start_s - 300.0).abs() < 1e-12);
                assert_eq!(f64::from(window.values.n).to_bits(), (300.0 * hz).to_bits());
            }
        }
    }

    proptest! {
        #[test]
        fn a_higher_level_changes_no_response(
            samples in proptest::collection::vec(0_u32..4000, 1..600),
            hz in prop_oneof![Just(1.0), Just(4.0), Just(32.0)],
        ) {
            // Binary fractions: sums are exact, so that only the level differs.
            let samples: Vec<f64> = samples.iter().map(|&x| f64::from(x) / 1024.0).collect();
            let higher: Vec<f64> = samples.iter().map(|x| x + 8.0).collect();
            let found = Conductance::of(&samples, rate(hz)).unwrap();
            let other = Conductance::of(&higher, rate(hz)).unwrap();
            prop_assert!((found.scl_mean_us + 8.0 - other.scl_mean_us).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&found.low_contact_frac));
            prop_assert!(found.scr_amp_sum_us >= LEAST_RESPONSE_US * f64::from(found.scr_count));
            prop_assert!(f64::from(found.scr_count) <= f64::from(found.n));
        }
    }
}
