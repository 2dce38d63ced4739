//! Power in the low and the high frequency band, from the beats where they are: no interpolation.
//!
//! ```text
//! PSD(f) = 2·dt·P(f)      dt = (t_last − t_first) / (n − 1)      x = rr − mean(rr)      ω = 2πf
//! P(f)   = ½ (Σ x cos ω(t−τ))² / Σ cos² ω(t−τ) + ½ (Σ x sin ω(t−τ))² / Σ sin² ω(t−τ)
//! tan 2ωτ = Σ sin 2ωt / Σ cos 2ωt
//! LF: 0.04 to 0.15 Hz, HF: 0.15 to 0.40 Hz, trapezoids of 1/1200 Hz
//! ```
//! N. R. Lomb, Astrophys Space Sci 39:447 (1976); bands of the Task Force 1996. A sine of 30 ms at
//! 0.1 Hz comes to 444 of its 450 ms². Gaps inflate absolute power (450 becomes 630 with one of 90 s)
//! and leave the ratio nearly alone, so each is given under its own condition, [`Gates`].
//!
//! From one frequency to the next each beat's cosine and sine are turned by a fixed angle: four
//! multiplications instead of two library calls; 433 turns lose four of sixteen digits at most.
//! LF/HF is no balance of nerves (Billman 2013) and is named by what it is.
use std::f64::consts::TAU;
use std::fmt;

use super::hrv::count;
use super::recording::Beat;

/// Absolute power needs this share of the window covered, and no gap above [`LONGEST_GAP_S`].
pub const POWER_COVERAGE: f64 = 0.9;

/// The ratio needs this share of the window covered.
pub const RATIO_COVERAGE: f64 = 0.8;

/// The longest time between two intervals, s, for absolute power.
pub const LONGEST_GAP_S: f64 = 5.0;

/// Steps a hertz of the grid.
const PER_HZ: f64 = 1200.0;
/// 0.04, 0.15 and 0.40 Hz in steps.
const EDGES: [usize; 3] = [48, 180, 480];
/// Beats turned side by side, so that the compiler can use vector registers.
const LANES: usize = 4;

/// Power by band, whatever the gaps. `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq)]
pub struct Bands {
    /// 0.04 to 0.15 Hz, ms².
    pub lf_ms2: f64,
    /// 0.15 to 0.40 Hz, ms².
    pub hf_ms2: f64,
}

/// Power by band where the window allows it. `Debug` shows nothing of it.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Gated {
    /// 0.04 to 0.15 Hz, ms².
    pub lf_ms2: Option<f64>,
    /// 0.15 to 0.40 Hz, ms².
    pub hf_ms2: Option<f64>,
    /// The first over the second.
    pub lf_hf: Option<f64>,
}

/// What decides on [`Gated`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gates {
    /// Share of the window that the intervals cover.
    pub coverage: f64,
    /// The longest time that no interval covers, between the first and the last, s.
    pub longest_gap_s: f64,
}

impl Gates {
    /// The gates of beats that cover a share of their window.
    pub fn of(beats: &[Beat], coverage: f64) -> Self {
        let gaps = beats
            .iter()
            .zip(beats.iter().skip(1))
            .map(|(before, beat)| beat.end_s - before.end_s - beat.rr_ms / 1000.0);
        Self { coverage, longest_gap_s: gaps.fold(0.0, f64::max) }
    }

    /// Whether absolute power may be given.
    pub fn power(self) -> bool {
        self.coverage >= POWER_COVERAGE && self.longest_gap_s <= LONGEST_GAP_S
    }

    /// Whether the ratio may be given.
    pub fn ratio(self) -> bool {
        self.coverage >= RATIO_COVERAGE
    }
}

impl Gated {
    /// The power of `beats` as far as they cover their window.
    pub fn of(beats: &[Beat], coverage: f64) -> Self {
        let gates = Gates::of(beats, coverage);
        let bands = if gates.power() || gates.ratio() { Bands::of(beats) } else { None };
        let Some(bands) = bands else { return Self::default() };
        let powers = Some(bands).filter(|_| gates.power());
        Self {
            lf_ms2: powers.map(|bands| bands.lf_ms2),
            hf_ms2: powers.map(|bands| bands.hf_ms2),
            lf_hf: Some(bands)
                .filter(|bands| gates.ratio() && bands.hf_ms2 > 0.0)
                .map(|bands| bands.lf_ms2 / bands.hf_ms2),
        }
    }
}

impl Bands {
    /// The power of `beats` by band; `None` of fewer than two, or if a time or interval is no number.
    pub fn of(beats: &[Beat]) -> Option<Self> {
        let density = density(beats)?;
        let [low, middle, high] = EDGES;
        let band = |from: usize, to: usize| {
            let inside = density.get(from - low..=to - low)?;
            let both = inside.iter().zip(inside.iter().skip(1));
            Some(both.map(|(a, b)| f64::midpoint(*a, *b)).sum::<f64>() / PER_HZ)
        };
        let bands = Self { lf_ms2: band(low, middle)?, hf_ms2: band(middle, high)? };
        (bands.lf_ms2.is_finite() && bands.hf_ms2.is_finite()).then_some(bands)
    }
}

impl fmt::Debug for Bands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bands")
    }
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = [self.lf_ms2, self.hf_ms2, self.lf_hf].iter().flatten().count();
        write!(f, "Gated({given} of 3)")
    }
}

/// Beats side by side: where each stands on its circle, how far it turns, and its deviation.
#[derive(Default)]
struct Turning {
    cos: [f64; LANES],
    sin: [f64; LANES],
    step_cos: [f64; LANES],
    step_sin: [f64; LANES],
    deviation_ms: [f64; LANES],
}

/// The density, ms²/Hz, from the lowest edge to the highest in steps of 1/1200 Hz.
fn density(beats: &[Beat]) -> Option<Vec<f64>> {
    let (first, last) = (beats.first()?, beats.last()?);
    let n = f64::from(count(beats.len()));
    let span_s = last.end_s - first.end_s;
    if !(n >= 2.0 && span_s > 0.0) {
        return None;
    }
    let mean_ms = beats.iter().map(|beat| beat.rr_ms).sum::<f64>() / n;
    let mut turning: Vec<Turning> =
        beats.chunks(LANES).map(|beats| start(beats, first.end_s, mean_ms)).collect();
    let [low, _, high] = EDGES;
    let spacing_s = span_s / (n - 1.0);
    Some((low..=high).map(|_| 2.0 * spacing_s * power(n, turn(&mut turning))).collect())
}

/// The beats at the lowest frequency. Lanes without a beat stay at the circle's middle and add nothing.
fn start(beats: &[Beat], first_s: f64, mean_ms: f64) -> Turning {
    let mut turning = Turning::default();
    let Turning { cos, sin, step_cos, step_sin, deviation_ms } = &mut turning;
    let places = cos.iter_mut().zip(sin).zip(step_cos.iter_mut().zip(step_sin)).zip(deviation_ms);
    for (beat, (((cos, sin), (step_cos, step_sin)), deviation_ms)) in beats.iter().zip(places) {
        let step = TAU * (beat.end_s - first_s) / PER_HZ;
        (*step_sin, *step_cos) = step.sin_cos();
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        let angle = step * EDGES[0] as f64;
        (*sin, *cos) = angle.sin_cos();
        // What rounding leaves of a constant series is no deviation.
        let deviation = beat.rr_ms - mean_ms;
        *deviation_ms = if deviation.abs() <= 1e-12 * mean_ms { 0.0 } else { deviation };
    }
    turning
}

/// Σ x cos ωt, Σ x sin ωt, Σ cos 2ωt and Σ sin 2ωt; then each beat goes on to the next frequency.
#[expect(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "every array has LANES places; side by side they become vector registers"
)]
fn turn(turning: &mut [Turning]) -> [f64; 4] {
    let mut sums = [[0.0; LANES]; 4];
    for beats in turning {
        for lane in 0..LANES {
            let (cos, sin) = (beats.cos[lane], beats.sin[lane]);
            let (step_cos, step_sin) = (beats.step_cos[lane], beats.step_sin[lane]);
            sums[0][lane] += beats.deviation_ms[lane] * cos;
            sums[1][lane] += beats.deviation_ms[lane] * sin;
            sums[2][lane] += cos * cos - sin * sin;
            sums[3][lane] += 2.0 * cos * sin;
            beats.cos[lane] = cos * step_cos - sin * step_sin;
            beats.sin[lane] = sin * step_cos + cos * step_sin;
        }
    }
    sums.map(|lanes| lanes.iter().sum())
}

/// The periodogram of `n` beats from the sums at one frequency.
fn power(n: f64, [x_cos, x_sin, cos_2, sin_2]: [f64; 4]) -> f64 {
    let (sin, cos) = (sin_2.atan2(cos_2) / 2.0).sin_cos();
    let length = cos_2.hypot(sin_2);
    // By the choice of τ the squares sum to (n ± length)/2; rounding must not make them zero or less.
    let squares = |twice: f64| (twice / 2.0).max(n * f64::EPSILON / 2.0);
    let (along, across) = (x_cos * cos + x_sin * sin, x_sin * cos - x_cos * sin);
    f64::midpoint(along * along / squares(n + length), across * across / squares(n - length))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Five minutes around 800 ms with a sine of `size_ms` at `hz`.
    fn tone(size_ms: f64, hz: f64) -> Vec<Beat> {
        let (mut beats, mut end_s) = (Vec::new(), 0.0);
        while end_s < 300.0 {
            let rr_ms = 800.0 + size_ms * (TAU * hz * end_s).sin();
            end_s += rr_ms / 1000.0;
            beats.push(Beat { end_s, rr_ms });
        }
        beats
    }

    /// The periodogram from its definition, with library calls for every beat and frequency.
    fn direct(beats: &[Beat]) -> Vec<f64> {
        let n = f64::from(count(beats.len()));
        let mean = beats.iter().map(|beat| beat.rr_ms).sum::<f64>() / n;
        let t0 = beats[0].end_s;
        let dt = (beats[beats.len() - 1].end_s - t0) / (n - 1.0);
        let density = |step: usize| {
            let w = TAU * f64::from(count(step)) / PER_HZ;
            let sum = |f: &dyn Fn(f64, f64) -> f64| {
                beats.iter().map(|b| f(b.end_s - t0, b.rr_ms - mean)).sum::<f64>()
            };
            let tau = sum(&|t, _| (2.0 * w * t).sin()).atan2(sum(&|t, _| (2.0 * w * t).cos()))
                / (2.0 * w);
            let c = sum(&|t, x| x * (w * (t - tau)).cos()).powi(2)
                / sum(&|t, _| (w * (t - tau)).cos().powi(2));
            let s = sum(&|t, x| x * (w * (t - tau)).sin()).powi(2)
                / sum(&|t, _| (w * (t - tau)).sin().powi(2));
            dt * (c + s)
        };
        (EDGES[0]..=EDGES[2]).map(density).collect()
    }

    #[test]
    fn turning_equals_the_definition() {
        for beats in [tone(30.0, 0.1), tone(20.0, 0.25)] {
            let largest = direct(&beats).into_iter().fold(0.0, f64::max);
            for (found, expected) in density(&beats).unwrap().iter().zip(direct(&beats)) {
                assert!((found - expected).abs() <= 1e-11 * largest);
            }
        }
    }

    #[test]
    fn a_sine_comes_to_half_its_square_in_its_own_band() {
        let low = Bands::of(&tone(30.0, 0.1)).unwrap();
        assert!((low.lf_ms2 - 450.0).abs() < 15.0 && low.hf_ms2 < 15.0);
        let high = Bands::of(&tone(20.0, 0.25)).unwrap();
        assert!((high.hf_ms2 - 200.0).abs() < 8.0 && high.lf_ms2 < 5.0);
    }

    #[test]
    fn a_gap_leaves_the_ratio_and_takes_the_powers() {
        let mut beats = tone(20.0, 0.25);
        let whole = Gated::of(&beats, 0.95);
        assert!(whole.lf_ms2.is_some() && whole.hf_ms2.is_some() && whole.lf_hf.is_some());
        assert_eq!(format!("{whole:?}"), "Gated(3 of 3)");

        beats.retain(|beat| !(100.0..106.0).contains(&beat.end_s));
        let gap = Gated::of(&beats, 0.95);
        assert!(gap.lf_ms2.is_none() && gap.hf_ms2.is_none() && gap.lf_hf.is_some());
        assert!(Gated::of(&beats, 0.79) == Gated::default());
        // At its edge each condition holds.
        assert!(Gates { coverage: 0.9, longest_gap_s: 5.0 }.power());
        assert!(!Gates { coverage: 0.9, longest_gap_s: 5.0_f64.next_up() }.power());
        assert!(!Gates { coverage: 0.9_f64.next_down(), longest_gap_s: 0.0 }.power());
        assert!(Gates { coverage: 0.8, longest_gap_s: 60.0 }.ratio());
    }

    #[test]
    fn a_constant_series_has_no_power_and_no_ratio() {
        let beats: Vec<Beat> =
            (1..=375_u32).map(|i| Beat { end_s: f64::from(i) * 0.7999, rr_ms: 799.9 }).collect();
        let gated = Gated::of(&beats, 1.0);
        assert!(gated.lf_ms2.is_some_and(|power| power.abs() < 1e-300));
        assert!(gated.lf_hf.is_none());
    }

    #[test]
    fn too_few_beats_and_no_numbers_have_no_power() {
        let beat = |end_s, rr_ms| Beat { end_s, rr_ms };
        assert!(Bands::of(&[]).is_none());
        assert!(Bands::of(&[beat(1.0, 800.0)]).is_none());
        assert!(Bands::of(&[beat(1.0, 800.0), beat(1.0, 900.0)]).is_none());
        assert!(Bands::of(&[beat(1.0, 800.0), beat(2.0, 900.0)]).is_some());
        for wrong in [f64::NAN, f64::INFINITY] {
            assert!(Bands::of(&[beat(1.0, 800.0), beat(2.0, wrong), beat(3.0, 800.0)]).is_none());
            assert!(Bands::of(&[beat(wrong, 800.0), beat(2.0, 700.0)]).is_none());
            assert!(Gated::of(&[beat(1.0, wrong), beat(2.0, 700.0)], f64::NAN) == Gated::default());
        }
    }

    proptest! {
        #[test]
        fn a_shift_in_time_changes_no_power(
            rr in proptest::collection::vec(400.0..1400.0, 20..120),
            shift_s in 0.0..1e5,
        ) {
            let mut end_s = 0.0;
            let beats: Vec<Beat> = rr.iter().map(|&rr_ms| {
                end_s += rr_ms / 1000.0;
                Beat { end_s, rr_ms }
            }).collect();
            let later: Vec<Beat> =
                beats.iter().map(|b| Beat { end_s: b.end_s + shift_s, rr_ms: b.rr_ms }).collect();
            let (a, b) = (Bands::of(&beats).unwrap(), Bands::of(&later).unwrap());
            prop_assert!((a.lf_ms2 - b.lf_ms2).abs() <= 1e-7 * (a.lf_ms2 + a.hf_ms2));
            prop_assert!((a.hf_ms2 - b.hf_ms2).abs() <= 1e-7 * (a.lf_ms2 + a.hf_ms2));
        }
    }
}
