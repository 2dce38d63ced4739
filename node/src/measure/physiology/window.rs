//! Five-minute windows of a recording, and what a session comes to.
//!
//! Window k holds the beats that end in [300k, 300k + 300) s after the start. All windows up to the
//! last that holds a beat exist, with or without beats.
//!
//! Wrist recordings of a shift reach 80 % coverage in few windows: so a session's value is the median
//! of the windows that do, and absent if none does. Left to others: personal baselines, and joining
//! windows to encounters.
use std::fmt;

use super::hrv::TimeDomain;
use super::recording::{Beat, Recording};

/// The length of a window, s.
pub const WINDOW_S: f64 = 300.0;

/// The share of a window that its intervals must cover to count for a [`Summary`].
pub const LEAST_COVERAGE: f64 = 0.8;

/// One window of a recording. No `Debug`: its beats are a person's.
pub struct Window<'a> {
    index: u32,
    beats: &'a [Beat],
}

impl<'a> Window<'a> {
    /// Its first second, counted from the start of the recording.
    pub fn start_s(&self) -> f64 {
        f64::from(self.index) * WINDOW_S
    }

    /// The second at which the next one begins.
    pub fn end_s(&self) -> f64 {
        (f64::from(self.index) + 1.0) * WINDOW_S
    }

    /// The beats that end in it.
    pub fn beats(&self) -> &'a [Beat] {
        self.beats
    }

    /// Its heart rate variability.
    pub fn time_domain(&self) -> TimeDomain {
        TimeDomain::of(self.beats, WINDOW_S)
    }
}

/// The windows of a recording, in order, from second 0 to the last that holds a beat.
pub fn windows(recording: &Recording) -> impl Iterator<Item = Window<'_>> {
    let mut rest = recording.beats();
    let mut next = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut window = Window { index: next, beats: &[] };
        let inside = rest.partition_point(|beat| beat.end_s < window.end_s());
        (window.beats, rest) = rest.split_at_checked(inside)?;
        next += 1;
        Some(window)
    })
}

/// What a session comes to. `Debug` shows the number of windows only.
pub struct Summary {
    /// Windows used: covered at least to [`LEAST_COVERAGE`], with an rmssd above 0.
    pub n_windows_used: u32,
    /// Median of their mean heart rates, beats a minute.
    pub mean_hr_bpm: f64,
    /// Median of their ln rmssd, ln ms.
    pub ln_rmssd: f64,
    /// Median of their coverages.
    pub coverage: f64,
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Summary({} windows)", self.n_windows_used)
    }
}

/// The median over the windows of `recording` that are good enough; `None` if none is.
///
/// A window without any variation is not: it is a device's, not a heart's.
pub fn summarise(recording: &Recording) -> Option<Summary> {
    let (mut rates, mut variabilities, mut coverages) = (Vec::new(), Vec::new(), Vec::new());
    let mut n_windows_used = 0;
    for window in windows(recording) {
        let values = window.time_domain();
        if values.coverage < LEAST_COVERAGE {
            continue;
        }
        if let (Some(rate), Some(variability)) = (values.mean_hr_bpm, values.ln_rmssd) {
            n_windows_used += 1;
            rates.push(rate);
            variabilities.push(variability);
            coverages.push(values.coverage);
        }
    }
    Some(Summary {
        n_windows_used,
        mean_hr_bpm: median(rates)?,
        ln_rmssd: median(variabilities)?,
        coverage: median(coverages)?,
    })
}

/// The median; of an even number the mean of the middle two. `None` of none.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn recording(beats: impl IntoIterator<Item = (f64, f64)>) -> Recording {
        let mut recording = Recording::new(None);
        for (end_s, rr_ms) in beats {
            recording.push(Beat { end_s, rr_ms }).unwrap();
        }
        recording
    }

    #[test]
    fn a_beat_at_the_edge_belongs_to_the_next_window() {
        let beats = [299.0, 300.0_f64.next_down(), 300.0, 600.0_f64.next_down(), 1500.0];
        let recording = recording(beats.map(|end_s| (end_s, 800.0)));
        let counts: Vec<(f64, f64, usize)> = windows(&recording)
            .map(|window| (window.start_s(), window.end_s(), window.beats().len()))
            .collect();
        assert_eq!(
            counts,
            [
                (0.0, 300.0, 2),
                (300.0, 600.0, 2),
                (600.0, 900.0, 0),
                (900.0, 1200.0, 0),
                (1200.0, 1500.0, 0),
                (1500.0, 1800.0, 1)
            ]
        );
    }

    #[test]
    fn a_recording_without_beats_has_no_windows() {
        assert_eq!(windows(&recording([])).count(), 0);
        assert!(summarise(&recording([])).is_none());
    }

    /// Beats of window `k` at alternating intervals of 1000 ± `half` ms, `n` of them.
    fn covered(k: u32, n: u32, half: f64) -> impl Iterator<Item = (f64, f64)> {
        let start_s = f64::from(k) * WINDOW_S;
        let mut end_s = start_s;
        (0..n).map(move |i| {
            let rr_ms = if i % 2 == 0 { 1000.0 - half } else { 1000.0 + half };
            end_s += rr_ms / 1000.0;
            (end_s, rr_ms)
        })
    }

    #[test]
    fn a_summary_is_the_median_of_the_windows_covered_well() {
        // Windows 0, 1 and 3 pass; 2 is covered to 0.5 only; 4 never varies.
        let beats = covered(0, 240, 16.0)
            .chain(covered(1, 270, 32.0))
            .chain(covered(2, 150, 8.0))
            .chain(covered(3, 298, 64.0))
            .chain(covered(4, 290, 0.0));
        let summary = summarise(&recording(beats)).unwrap();
        assert_eq!(summary.n_windows_used, 3);
        assert!((summary.mean_hr_bpm - 60.0).abs() < 1e-9);
        assert!((summary.ln_rmssd - 64.0_f64.ln()).abs() < 1e-9);
        assert!((summary.coverage - 0.9).abs() < 1e-9);
        assert_eq!(format!("{summary:?}"), "Summary(3 windows)");
    }

    #[test]
    fn no_window_covered_well_means_no_summary() {
        assert!(summarise(&recording(covered(0, 238, 16.0))).is_none());
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
