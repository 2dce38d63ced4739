//! Windows of a recording on a fixed grid, their values, and what a session comes to.
//!
//! Window k holds the beats that end in [kL, kL + L), L 300 s or 60 s, counted from the start of the
//! recording or, for joining windows to encounters, from 1970 UTC. All windows from the first that may
//! hold a beat to the last that does exist, with or without beats.
//!
//! Wrist recordings of a shift reach 80 % coverage in few windows: so a session's value is the median
//! of its good windows, of its low ones if none is good, and absent if none is valid; artefacts are
//! taken out before, by Lipponen–Tarvainen. Windows are computed on every core.
//!
//! Left to others: personal baselines ([`super::baseline`]), joining windows to encounters
//! ([`super::encounter`]).
use std::fmt;

use rayon::prelude::*;

use super::filter::Filter;
use super::hrv::TimeDomain;
use super::quality::Mark;
use super::recording::{Beat, Recording};
use super::running::median_of;
use super::spectrum::Gated;

/// The length of a window of five minutes, s.
pub const WINDOW_S: f64 = 300.0;

/// How long the windows of a grid are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// 60 s: mean heart rate, and sometimes rmssd.
    Minute,
    /// 300 s: all values.
    FiveMinutes,
}

impl Length {
    /// In s.
    pub fn s(self) -> f64 {
        match self {
            Length::Minute => 60.0,
            Length::FiveMinutes => WINDOW_S,
        }
    }
}

/// Where windows begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    length: Length,
    /// How long before the recording the first window begins, s: from 0 to below the length.
    ahead_s: f64,
}

impl Grid {
    /// Windows counted from the start of the recording.
    pub fn of_recording(length: Length) -> Self {
        Self { length, ahead_s: 0.0 }
    }

    /// Windows that begin at whole minutes, or every five, of UTC; `None` if the recording does not
    /// tell when it started.
    pub fn of_utc(length: Length, recording: &Recording) -> Option<Self> {
        let started_s = recording.started_unix_s().filter(|started| started.is_finite())?;
        Some(Self { length, ahead_s: started_s.rem_euclid(length.s()) })
    }

    fn start_s(&self, index: u32) -> f64 {
        f64::from(index) * self.length.s() - self.ahead_s
    }
}

/// One window of a recording. No `Debug`: its beats are a person's.
pub struct Window<'a> {
    grid: Grid,
    index: u32,
    beats: &'a [Beat],
}

impl<'a> Window<'a> {
    /// Its first second, counted from the start of the recording; below 0 if it began before.
    pub fn start_s(&self) -> f64 {
        self.grid.start_s(self.index)
    }

    /// The second at which the next one begins.
    pub fn end_s(&self) -> f64 {
        self.grid.start_s(self.index.saturating_add(1))
    }

    /// The beats that end in it.
    pub fn beats(&self) -> &'a [Beat] {
        self.beats
    }

    /// Its heart rate variability with all its beats.
    pub fn time_domain(&self) -> TimeDomain {
        TimeDomain::of(self.beats, self.grid.length.s())
    }

    /// Its values after a filter.
    pub fn values(&self, filter: Filter) -> Values {
        let left = filter.apply(self.beats);
        let time = left.time_domain(self.grid.length.s());
        let bands = match self.grid.length {
            Length::FiveMinutes => Gated::of(left.beats(), time.coverage),
            Length::Minute => Gated::default(), // two periods of the lowest frequency are no estimate
        };
        Values {
            start_s: self.start_s(),
            end_s: self.end_s(),
            bands,
            dropped: left.dropped,
            range_dropped: left.range_dropped,
            mark: Mark::of(self.time_domain().coverage, left.dropped_share()),
            time,
        }
    }
}

/// What a window comes to. `Debug` shows the number of beats only.
#[derive(Debug)]
pub struct Values {
    /// Its first second, counted from the start of the recording.
    pub start_s: f64,
    /// The second at which the next one begins.
    pub end_s: f64,
    /// Of what the filter left.
    pub time: TimeDomain,
    /// Of what the filter left, where it covers the window well enough; of five minutes only.
    pub bands: Gated,
    /// Intervals that the filter's rule took out.
    pub dropped: u32,
    /// Intervals that it took out because no heart beats so.
    pub range_dropped: u32,
    /// Whether it may be used: by the coverage before the filter, and what the filter took out.
    pub mark: Mark,
}

/// The windows of five minutes, in order, from second 0 to the last that holds a beat.
pub fn windows(recording: &Recording) -> impl Iterator<Item = Window<'_>> {
    windows_on(recording, Grid::of_recording(Length::FiveMinutes))
}

/// The windows of a grid, in order, up to the last that holds a beat.
pub fn windows_on(recording: &Recording, grid: Grid) -> impl Iterator<Item = Window<'_>> {
    let mut rest = recording.beats();
    let mut next = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut window = Window { grid, index: next, beats: &[] };
        let inside = rest.partition_point(|beat| beat.end_s < window.end_s());
        (window.beats, rest) = rest.split_at_checked(inside)?;
        next += 1;
        Some(window)
    })
}

/// The values of every window of a grid, in order; computed on every core.
pub fn values_on(recording: &Recording, grid: Grid, filter: Filter) -> Vec<Values> {
    let windows: Vec<Window<'_>> = windows_on(recording, grid).collect();
    windows.par_iter().map(|window| window.values(filter)).collect()
}

/// What a session comes to. `Debug` shows the number of windows only.
pub struct Summary {
    /// Windows used: valid, with an rmssd above 0.
    pub n_windows_used: u32,
    /// The mark of the windows used: the better one that any has.
    pub mark: Mark,
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

/// The median over the five-minute windows of `recording` that are good enough; `None` if none is.
///
/// Artefacts are taken out by [`Filter::LipponenTarvainen`]. A window without any variation is not
/// good enough: it is a device's, not a heart's.
pub fn summarise(recording: &Recording) -> Option<Summary> {
    let grid = Grid::of_recording(Length::FiveMinutes);
    summary_over(&values_on(recording, grid, Filter::LipponenTarvainen))
}

/// The median over the windows of several recordings of one session.
pub fn summarise_all(recordings: &[&Recording]) -> Option<Summary> {
    let grid = Grid::of_recording(Length::FiveMinutes);
    let values = |one: &&Recording| values_on(one, grid, Filter::LipponenTarvainen);
    summary_over(&recordings.iter().flat_map(values).collect::<Vec<Values>>())
}

/// The median of values in any order; `None` of none.
pub fn median(values: Vec<f64>) -> Option<f64> {
    median_of(values)
}

fn summary_over(values: &[Values]) -> Option<Summary> {
    [Mark::Good, Mark::Low].into_iter().find_map(|mark| summary_of(values, mark))
}

fn summary_of(values: &[Values], mark: Mark) -> Option<Summary> {
    let (mut rates, mut variabilities, mut coverages) = (Vec::new(), Vec::new(), Vec::new());
    let mut n_windows_used = 0;
    for window in values.iter().filter(|window| window.mark == mark) {
        if let (Some(rate), Some(variability)) = (window.time.mean_hr_bpm, window.time.ln_rmssd) {
            rates.push(rate);
            variabilities.push(variability);
            coverages.push(window.time.coverage);
            n_windows_used += 1;
        }
    }
    Some(Summary {
        n_windows_used,
        mark,
        mean_hr_bpm: median_of(rates)?,
        ln_rmssd: median_of(variabilities)?,
        coverage: median_of(coverages)?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    fn artefacts_are_taken_out_of_a_summary() {
        let clean: Vec<f64> =
            (0..370).map(|i| (800.0 + 40.0 * (f64::from(i) * 0.9).sin()).round()).collect();
        let chain = |rr: &[f64]| {
            let mut end_s = 0.0;
            recording(rr.iter().map(|&rr_ms| {
                end_s += rr_ms / 1000.0;
                (end_s, rr_ms)
            }))
        };
        let mut glitch = clean.clone();
        glitch.splice(100..102, [clean.iter().skip(100).take(2).sum()]);
        let (clean, glitch) = (chain(&clean), chain(&glitch));
        let raw = |recording: &Recording| windows(recording).next().unwrap().time_domain().ln_rmssd;
        let difference = |a: f64, b: f64| (a - b).abs();
        assert!(difference(raw(&clean).unwrap(), raw(&glitch).unwrap()) > 0.3);
        let (clean, glitch) = (summarise(&clean).unwrap(), summarise(&glitch).unwrap());
        assert!(difference(clean.ln_rmssd, glitch.ln_rmssd) < 0.02);
        assert_eq!((clean.mark, glitch.mark), (Mark::Good, Mark::Good));
    }

    #[test]
    fn low_windows_count_only_where_none_is_good() {
        let values = |mark| Values {
            start_s: 0.0,
            end_s: 300.0,
            time: TimeDomain::of(
                &[Beat { end_s: 1.0, rr_ms: 800.0 }, Beat { end_s: 1.9, rr_ms: 900.0 }],
                300.0,
            ),
            bands: Gated::default(),
            dropped: 0,
            range_dropped: 0,
            mark,
        };
        let used = |marks: &[Mark]| {
            let values: Vec<Values> = marks.iter().map(|mark| values(*mark)).collect();
            summary_over(&values).map(|summary| (summary.n_windows_used, summary.mark))
        };
        let (good, low, bad) = (Mark::Good, Mark::Low, Mark::Artefacts);
        assert_eq!(used(&[low, good, bad, good]), Some((2, good)));
        assert_eq!(used(&[low, bad, Mark::Gaps]), Some((1, low)));
        assert_eq!(used(&[bad, Mark::Gaps]), None);
    }

    #[test]
    fn a_grid_of_utc_begins_before_the_recording() {
        // 1,560,279,825 s is 225 s after a multiple of 300 and 45 s after one of 60.
        let mut recording = Recording::new(Some(1_560_279_825.0));
        for end_s in [10.0, 74.9, 75.0, 374.0, 375.0] {
            recording.push(Beat { end_s, rr_ms: 800.0 }).unwrap();
        }
        let cut = |length| {
            let grid = Grid::of_utc(length, &recording).unwrap();
            windows_on(&recording, grid)
                .map(|window| (window.start_s(), window.end_s(), window.beats().len()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            cut(Length::FiveMinutes),
            [(-225.0, 75.0, 2), (75.0, 375.0, 2), (375.0, 675.0, 1)]
        );
        let minutes = cut(Length::Minute);
        assert_eq!(minutes.len(), 8);
        assert_eq!(minutes.first(), Some(&(-45.0, 15.0, 1)));
        assert!(Grid::of_utc(Length::Minute, &Recording::new(None)).is_none());
        assert!(Grid::of_utc(Length::Minute, &Recording::new(Some(f64::NAN))).is_none());
    }

    #[test]
    fn a_minute_has_no_bands() {
        let recording = recording(covered(0, 290, 16.0));
        let bands = |length| {
            let values = values_on(&recording, Grid::of_recording(length), Filter::None);
            values.iter().filter(|values| values.bands.lf_ms2.is_some()).count()
        };
        assert_eq!((bands(Length::FiveMinutes), bands(Length::Minute)), (1, 0));
    }

    #[test]
    fn every_core_gives_what_one_gives_in_order() {
        let recording = recording((0..20).flat_map(|k| covered(k, 280, f64::from(k))));
        let grid = Grid::of_recording(Length::FiveMinutes);
        for filter in [Filter::None, Filter::Median, Filter::LipponenTarvainen] {
            let all = values_on(&recording, grid, filter);
            assert_eq!(all.len(), 20);
            for (window, found) in windows(&recording).zip(&all) {
                let expected = window.values(filter);
                assert_eq!(found.start_s.to_bits(), expected.start_s.to_bits());
                assert_eq!(found.time.ln_rmssd, expected.time.ln_rmssd);
                assert!(found.bands == expected.bands);
            }
        }
    }

    const FILTERS: [Filter; 3] = [Filter::None, Filter::Median, Filter::LipponenTarvainen];

    /// What is to be compared of a window, as it stands.
    fn shown(values: &Values) -> (u32, u32, u32, Option<f64>, Option<f64>, Option<f64>, Mark) {
        let Values { time, bands, dropped, range_dropped, mark, .. } = values;
        (time.n_rr, *dropped, *range_dropped, time.rmssd_ms, time.sdnn_ms, bands.lf_hf, *mark)
    }

    #[test]
    fn a_constant_heart_has_no_variability_whatever_the_filter() {
        let recording = recording(covered(0, 290, 0.0));
        for filter in FILTERS {
            let values = values_on(&recording, Grid::of_recording(Length::FiveMinutes), filter);
            let time = &values.first().unwrap().time;
            assert_eq!((time.rmssd_ms, time.sdnn_ms), (Some(0.0), Some(0.0)));
            assert!(time.ln_rmssd.is_none());
        }
        assert!(summarise(&recording).is_none());
    }

    /// Beats with artefacts and gaps, up to a day long; in 1/64 s, so that sums of times are exact.
    fn beats() -> impl Strategy<Value = Vec<(f64, f64)>> {
        let step = prop_oneof![
            40 => (40_u32..64).prop_map(|x| (x, 0)),
            2 => (1_u32..300).prop_map(|x| (x, 0)),
            1 => (40_u32..64, 1_u32..5_000_000).prop_map(|(x, gap)| (x, gap)),
        ];
        proptest::collection::vec(step, 0..600).prop_map(|steps| {
            let mut end_s = 0.0;
            let beat = |(rr, gap): (u32, u32)| {
                end_s += f64::from(rr + gap) / 64.0;
                (end_s, f64::from(rr) * 1000.0 / 64.0)
            };
            steps.into_iter().map(beat).collect()
        })
    }

    /// Those of them that make a recording, 31 days at most.
    fn admitted(beats: &[(f64, f64)], later_s: f64) -> Recording {
        let mut recording = Recording::new(None);
        for &(end_s, rr_ms) in beats {
            let _ = recording.push(Beat { end_s: end_s + later_s, rr_ms });
        }
        recording
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_interval_is_kept_or_counted_and_nothing_panics(
            beats in beats(),
            filter in proptest::sample::select(FILTERS.as_slice()),
            length in proptest::sample::select([Length::Minute, Length::FiveMinutes].as_slice()),
        ) {
            let recording = admitted(&beats, 0.0);
            let values = values_on(&recording, Grid::of_recording(length), filter);
            let counted: u32 =
                values.iter().map(|v| v.time.n_rr + v.dropped + v.range_dropped).sum();
            prop_assert_eq!(counted as usize, recording.beats().len());
            for value in &values {
                prop_assert!(value.time.n_pairs < value.time.n_rr.max(1));
                prop_assert!(value.time.rmssd_ms.is_none_or(f64::is_finite));
                prop_assert!(value.bands.lf_hf.is_none_or(f64::is_finite));
            }
            prop_assert!(summarise(&recording).is_none_or(|s| s.ln_rmssd.is_finite()));
        }

        #[test]
        fn a_window_depends_on_no_other_and_not_on_when_it_was(
            beats in beats(),
            filter in proptest::sample::select(FILTERS.as_slice()),
            later in 0_u32..5,
        ) {
            let grid = Grid::of_recording(Length::FiveMinutes);
            let values = values_on(&admitted(&beats, 0.0), grid, filter);
            let shifted = admitted(&beats, f64::from(later) * WINDOW_S);
            let moved = values_on(&shifted, grid, filter);
            prop_assert_eq!(shifted.beats().len(), beats.len(), "all are admitted");
            prop_assert_eq!(moved.iter().filter(|v| v.time.n_rr > 0).count(),
                values.iter().filter(|v| v.time.n_rr > 0).count());
            for (found, expected) in moved.iter().skip(later as usize).zip(&values) {
                let (found, expected) = (shown(found), shown(expected));
                let near = |(a, b): (f64, f64)| (a - b).abs() <= 1e-6 * b.abs();
                prop_assert_eq!(found.5.is_some(), expected.5.is_some());
                prop_assert!(found.5.zip(expected.5).is_none_or(near));
                prop_assert_eq!((found.0, found.1, found.2), (expected.0, expected.1, expected.2));
                prop_assert_eq!((found.3, found.4, found.6), (expected.3, expected.4, expected.6));
            }
            // In any order: each window by itself.
            let pairs: Vec<_> = windows(&shifted).zip(&moved).collect();
            for (window, found) in pairs.into_iter().rev() {
                prop_assert_eq!(shown(&window.values(filter)), shown(found));
            }
        }
    }
}
