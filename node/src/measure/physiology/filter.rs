//! Which intervals of a window are taken out before anything is computed from it. None is made up.
//!
//! | filter | out |
//! |---|---|
//! | none | nothing |
//! | median | outside 300 to 2000 ms; then more than 20 % from the median of the 11 around |
//! | Lipponen–Tarvainen | touching a beat that [`super::lipponen`] flags; then outside 300 to 2000 ms |
//!
//! Lipponen–Tarvainen runs on each gap-free segment by itself; a segment of fewer than 30 intervals is
//! judged by the range alone, because quartiles of so few say nothing. A flagged beat takes both of its
//! intervals along, a missed one the interval it is missing in.
//!
//! Where something was taken out the series is broken: no pair is made across. How much was taken out
//! decides in [`super::quality`] whether the rest is worth anything.
use std::fmt;

use super::hrv::{TimeDomain, count, follows};
use super::lipponen::detect;
use super::recording::Beat;
use super::running::{centred, median};

/// The shortest and the longest interval between two beats of a heart, ms.
pub const RANGE_MS: [f64; 2] = [300.0, 2000.0];

/// The median filter takes out what is further from the median, as a share of it.
pub const MOST_FROM_MEDIAN: f64 = 0.2;

/// The fewest intervals of a segment that Lipponen–Tarvainen is run on.
pub const LEAST_SEGMENT: usize = 30;

/// Half of the 11 intervals of the median filter.
const MEDIAN_HALF: usize = 5;

/// How artefacts are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Filter {
    /// Not at all.
    None,
    /// Range, then 20 % around a running median; trims large swings of a young heart as well.
    Median,
    /// Detection by Lipponen and Tarvainen (2019), then deletion; then range.
    LipponenTarvainen,
}

/// What a filter left of a window. `Debug` shows numbers of intervals only.
pub struct Filtered {
    beats: Vec<Beat>,
    /// The lengths of the runs that lie between what was taken out.
    runs: Vec<usize>,
    /// Intervals that the rule took out.
    pub dropped: u32,
    /// Intervals out of [`RANGE_MS`], not counted in `dropped`. None counts without a filter.
    pub range_dropped: u32,
}

impl Filtered {
    /// What is left, in order.
    pub fn beats(&self) -> &[Beat] {
        &self.beats
    }

    /// What is left, cut where something was taken out.
    pub fn runs(&self) -> Vec<&[Beat]> {
        let mut rest = self.beats.as_slice();
        let cut = |length: &usize| {
            let (run, after) = rest.split_at_checked(*length)?;
            rest = after;
            Some(run)
        };
        self.runs.iter().map_while(cut).collect()
    }

    /// Its heart rate variability, in a window of `length_s` seconds.
    pub fn time_domain(&self, length_s: f64) -> TimeDomain {
        TimeDomain::of_runs(&self.runs(), length_s)
    }

    /// All that was taken out, as a share of all there was; 0 of nothing.
    pub fn dropped_share(&self) -> f64 {
        let out = f64::from(self.dropped) + f64::from(self.range_dropped);
        let all = out + f64::from(count(self.beats.len()));
        if all > 0.0 { out / all } else { 0.0 }
    }
}

impl fmt::Debug for Filtered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, out) = (self.beats.len(), self.dropped + self.range_dropped);
        write!(f, "Filtered({left} intervals, {out} taken out)")
    }
}

impl Filter {
    /// Takes the artefacts out of a window.
    pub fn apply(self, beats: &[Beat]) -> Filtered {
        let mut verdicts = vec![Verdict::Keep; beats.len()];
        match self {
            Filter::None => {}
            Filter::Median => {
                range(beats, &mut verdicts);
                around_median(beats, &mut verdicts);
            }
            Filter::LipponenTarvainen => {
                let mut rest = verdicts.as_mut_slice();
                for segment in beats.chunk_by(follows) {
                    let Some((own, after)) = rest.split_at_mut_checked(segment.len()) else {
                        break;
                    };
                    flagged(segment, own);
                    rest = after;
                }
                range(beats, &mut verdicts);
            }
        }
        take(beats, &verdicts)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keep,
    Drop,
    OutOfRange,
}

fn range(beats: &[Beat], verdicts: &mut [Verdict]) {
    let [shortest, longest] = RANGE_MS;
    for (beat, verdict) in beats.iter().zip(verdicts) {
        if *verdict == Verdict::Keep && !(shortest..=longest).contains(&beat.rr_ms) {
            *verdict = Verdict::OutOfRange;
        }
    }
}

fn around_median(beats: &[Beat], verdicts: &mut [Verdict]) {
    let kept = || beats.iter().zip(verdicts.iter()).filter(|(_, v)| **v == Verdict::Keep);
    let intervals: Vec<f64> = kept().map(|(beat, _)| beat.rr_ms).collect();
    let medians = centred(&intervals, MEDIAN_HALF, median);
    let left = verdicts.iter_mut().filter(|v| **v == Verdict::Keep);
    for (verdict, (rr_ms, median_ms)) in left.zip(intervals.iter().zip(medians)) {
        if (rr_ms - median_ms).abs() > MOST_FROM_MEDIAN * median_ms {
            *verdict = Verdict::Drop;
        }
    }
}

fn flagged(segment: &[Beat], verdicts: &mut [Verdict]) {
    if segment.len() < LEAST_SEGMENT {
        return;
    }
    let flags = detect(segment);
    let mut drop = |interval: Option<usize>| {
        if let Some(verdict) = interval.and_then(|i| verdicts.get_mut(i)) {
            *verdict = Verdict::Drop;
        }
    };
    for beat in flags.ectopic.iter().chain(&flags.longshort).chain(&flags.extra) {
        drop(beat.checked_sub(1));
        drop(Some(*beat));
    }
    for beat in &flags.missed {
        drop(beat.checked_sub(1));
    }
}

fn take(beats: &[Beat], verdicts: &[Verdict]) -> Filtered {
    let of = |kind: Verdict| count(verdicts.iter().filter(|v| **v == kind).count());
    let kept = beats.iter().zip(verdicts).filter(|(_, v)| **v == Verdict::Keep);
    Filtered {
        beats: kept.map(|(beat, _)| Beat { end_s: beat.end_s, rr_ms: beat.rr_ms }).collect(),
        runs: verdicts
            .chunk_by(|a, b| (*a == Verdict::Keep) == (*b == Verdict::Keep))
            .filter(|run| run.first() == Some(&Verdict::Keep))
            .map(<[Verdict]>::len)
            .collect(),
        dropped: of(Verdict::Drop),
        range_dropped: of(Verdict::OutOfRange),
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use clap::ValueEnum as _;
    use proptest::prelude::*;

    fn chain(rr_ms: &[f64]) -> Vec<Beat> {
        let mut end_s = 0.0;
        let beat = |&rr_ms: &f64| {
            end_s += rr_ms / 1000.0;
            Beat { end_s, rr_ms }
        };
        rr_ms.iter().map(beat).collect()
    }

    fn intervals(filtered: &Filtered) -> Vec<f64> {
        filtered.beats().iter().map(|beat| beat.rr_ms).collect()
    }

    #[test]
    fn the_names_are_those_of_the_command_line() {
        let names: Vec<String> = Filter::value_variants()
            .iter()
            .filter_map(|filter| Some(filter.to_possible_value()?.get_name().to_owned()))
            .collect();
        assert_eq!(names, ["none", "median", "lipponen-tarvainen"]);
    }

    #[test]
    fn the_median_filter_drops_by_range_and_then_by_20_percent() {
        let beats = chain(&[800.0, 800.0, 2500.0, 960.0, 961.0, 640.0, 639.0, 800.0, 800.0, 800.0]);
        let left = Filter::Median.apply(&beats);
        assert_eq!(intervals(&left), [800.0, 800.0, 960.0, 640.0, 800.0, 800.0, 800.0]);
        assert_eq!((left.dropped, left.range_dropped), (2, 1));
        assert!((left.dropped_share() - 0.3).abs() < 1e-12);
        assert_eq!(left.runs().iter().map(|run| run.len()).collect::<Vec<_>>(), [2, 1, 1, 3]);
        assert_eq!(left.time_domain(300.0).n_pairs, 3);
        assert_eq!(format!("{left:?}"), "Filtered(7 intervals, 3 taken out)");
    }

    #[test]
    fn a_missed_beat_takes_one_interval_along_and_breaks_the_pairs() {
        let mut rr: Vec<f64> =
            (0..200).map(|i| (800.0 + 40.0 * (f64::from(i) * 0.9).sin()).round()).collect();
        rr[100] = 1610.0;
        let left = Filter::LipponenTarvainen.apply(&chain(&rr));
        rr.remove(100);
        assert_eq!(intervals(&left), rr);
        assert_eq!((left.dropped, left.range_dropped), (1, 0));
        assert_eq!(left.time_domain(300.0).n_pairs, 197);
    }

    #[test]
    fn a_short_segment_is_judged_by_the_range_alone() {
        let mut rr = vec![800.0, 790.0, 400.0, 1190.0, 805.0, 2400.0, 810.0];
        let left = Filter::LipponenTarvainen.apply(&chain(&rr));
        assert_eq!((left.dropped, left.range_dropped), (0, 1));
        rr.remove(5);
        assert_eq!(intervals(&left), rr);
    }

    #[test]
    fn no_filter_takes_nothing_out_and_nothing_filtered_is_nothing() {
        let left = Filter::None.apply(&chain(&[10.0, 50_000.0]));
        assert_eq!((left.beats().len(), left.dropped, left.range_dropped), (2, 0, 0));
        for filter in Filter::value_variants() {
            let none = filter.apply(&[]);
            assert_eq!((none.beats().len(), none.runs().len()), (0, 0));
            assert!(none.dropped_share() < 1e-300);
        }
    }

    /// Intervals with glitches, among them such as no pair rule would notice.
    fn series() -> impl Strategy<Value = Vec<f64>> {
        let interval = prop_oneof![
            20 => 600.0..1000.0,
            1 => 1.0..20.0,
            1 => 1500.0..5000.0,
            1 => Just(f64::NAN),
        ];
        proptest::collection::vec(interval, 0..400)
    }

    proptest! {
        #[test]
        fn what_is_left_was_there_and_no_pair_spans_what_was_taken_out(
            rr in series(),
            filter in proptest::sample::select(Filter::value_variants()),
        ) {
            let beats = chain(&rr);
            let left = filter.apply(&beats);
            let out = left.dropped as usize + left.range_dropped as usize;
            prop_assert_eq!(left.beats().len() + out, beats.len());
            prop_assert_eq!(left.runs().iter().map(|run| run.len()).sum::<usize>(), left.beats().len());
            // Each run is a stretch of the original, and between two runs something was.
            let mut from = 0;
            for (n, run) in left.runs().into_iter().enumerate() {
                let at = (from..beats.len())
                    .find(|&i| beats[i].rr_ms.to_bits() == run[0].rr_ms.to_bits()
                        && beats[i].end_s.to_bits() == run[0].end_s.to_bits());
                let at = at.unwrap_or(usize::MAX);
                prop_assert!(at < beats.len());
                prop_assert!(n == 0 || at > from, "a break is where something was taken out");
                for (kept, original) in run.iter().zip(&beats[at..]) {
                    prop_assert_eq!(kept.rr_ms.to_bits(), original.rr_ms.to_bits());
                }
                from = at + run.len();
            }
            prop_assert!((0.0..=1.0).contains(&left.dropped_share()));
        }
    }
}
