//! Which beats of a gap-free series are artefacts, after Lipponen and Tarvainen.
//!
//! ```text
//! drr[i] = (rr[i] − rr[i−1]) / th1        th = 5.2 · (q75 − q25) / 2 of the absolute values, 91 beats
//! mrr[i] = (rr[i] − median of 11) / th2   doubled where negative
//! ectopic:    drr[i] > 1 and s12 < −0.13·drr[i] − 0.17, or the mirror image
//! long:       drr[i] > 1 and s22 < −1        missed if |rr/2 − median| < th2 as well
//! short:      drr[i] < −1 and s22 > 1        extra if |rr[i] + rr[i+1] − median| < th2 as well
//! long/short: any other of those, or |mrr| > 3
//! ```
//! J. A. Lipponen and M. P. Tarvainen, *A robust algorithm for heart rate variability time series
//! artefact correction using novel beat classification*, J Med Eng Technol 43:173 (2019). s12 is the
//! more opposed of the two neighbours' drr, s22 the less opposed of the next two.
//!
//! Beats are in ms as whole numbers, `rr[0]` and `drr[0]` are the means of the rest, and thresholds of
//! zero make a value that is no number, which no comparison holds for: all three as in `NeuroKit2`
//! 0.2.13, which our flags equal. So in a series that repeats itself exactly nothing is flagged.
//!
//! One pass, detection alone: what becomes of a flagged beat is decided in [`super::filter`].
use std::fmt;

use super::recording::Beat;
use super::running::{centred, median, quantile};

const C1: f64 = 0.13;
const C2: f64 = 0.17;
const ALPHA: f64 = 5.2;
/// Half of the 91 beats whose quartiles make a threshold.
const QUARTILE_HALF: usize = 45;
/// Half of the 11 beats of the median.
const MEDIAN_HALF: usize = 5;

/// Flagged beats by kind, rising. Beat 0 opens the first interval, beat i closes interval i − 1.
/// `Debug` shows their numbers only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// A beat too early or too late between two others.
    pub ectopic: Vec<usize>,
    /// A beat before which one was not detected.
    pub missed: Vec<usize>,
    /// A beat that is none.
    pub extra: Vec<usize>,
    /// An interval too long or too short for no better known reason.
    pub longshort: Vec<usize>,
}

impl Flags {
    /// How many beats are flagged.
    pub fn count(&self) -> usize {
        self.ectopic.len() + self.missed.len() + self.extra.len() + self.longshort.len()
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({} beats)", self.count())
    }
}

/// The artefacts among the beats of one gap-free segment. None of fewer than two intervals.
///
/// The caller ensures that every interval follows the one before (see [`super::hrv::follows`]).
pub fn detect(beats: &[Beat]) -> Flags {
    let points = points(beats);
    let mut flags = Flags::default();
    let mut i = 0;
    // The last two beats have no two successors to be compared with.
    while i + 2 < points.len() {
        i += classify(&points, i, &mut flags).max(1);
    }
    flags
}

/// A beat with what it is judged by.
#[derive(Clone, Copy)]
struct Point {
    rr_s: f64,
    drr: f64,
    s12: f64,
    s22: f64,
    median_s: f64,
    mrr: f64,
    th2_s: f64,
}

/// Judges beat `i` and where needed the next; gives the number of beats judged.
fn classify(points: &[Point], i: usize, flags: &mut Flags) -> usize {
    let Some([point, next, after]) = points.get(i..).and_then(<[Point]>::first_chunk) else {
        return 1;
    };
    if point.drr.abs() <= 1.0 {
        return 1;
    }
    let early = point.drr > 1.0 && point.s12 < -C1 * point.drr - C2;
    let late = point.drr < -1.0 && point.s12 > -C1 * point.drr + C2;
    if early || late {
        flags.ectopic.push(i);
        return 1;
    }
    // Left to judge: a large step, or none that can be told (no threshold) far from the median.
    if !(point.drr.abs() > 1.0 || point.mrr.abs() > 3.0) {
        return 1;
    }
    let candidates = if next.drr.abs() < after.drr.abs() { 2 } else { 1 };
    let pairs = points.get(i..).unwrap_or_default().windows(2);
    for (j, pair) in (i..).zip(pairs.take(candidates)) {
        let [point, next] = pair else { continue };
        let long = point.drr > 1.0 && point.s22 < -1.0;
        let short = point.drr < -1.0 && point.s22 > 1.0;
        if !(long || short || point.mrr.abs() > 3.0) {
            continue;
        }
        let halves = (point.rr_s / 2.0 - point.median_s).abs() < point.th2_s;
        let whole = (point.rr_s + next.rr_s - point.median_s).abs() < point.th2_s;
        let kind = match (short && whole, long && halves) {
            (true, _) => &mut flags.extra,
            (false, true) => &mut flags.missed,
            (false, false) => &mut flags.longshort,
        };
        kind.push(j);
    }
    candidates
}

fn points(beats: &[Beat]) -> Vec<Point> {
    let rr_s = intervals_s(beats);
    if rr_s.len() < 3 {
        return Vec::new();
    }
    let mut steps = with_mean(rr_s.iter().zip(rr_s.iter().skip(1)).map(|(a, b)| b - a));
    let th1 = thresholds(&steps);
    for (step, threshold) in steps.iter_mut().zip(th1) {
        *step = scaled(*step, threshold);
    }
    let medians = centred(&rr_s, MEDIAN_HALF, median);
    let deviations: Vec<f64> = rr_s
        .iter()
        .zip(&medians)
        .map(|(rr, median)| rr - median)
        .map(|deviation| if deviation < 0.0 { deviation * 2.0 } else { deviation })
        .collect();
    let thresholds = thresholds(&deviations);
    // The series goes on at both ends as in a mirror.
    let last = steps.len() - 1;
    let drr = |i: usize| steps.get(if i > last { 2 * last - i } else { i }).copied();
    let drr = |i: usize| drr(i).unwrap_or(f64::NAN);
    let judged = rr_s.iter().zip(&medians).zip(deviations.iter().zip(&thresholds));
    judged
        .enumerate()
        .map(|(i, ((&rr_s, &median_s), (&deviation_s, &th2_s)))| {
            let before = drr(if i == 0 { 1 } else { i - 1 });
            let (own, next, after) = (drr(i), drr(i + 1), drr(i + 2));
            let s12 = match own {
                own if own > 0.0 => greater(before, next),
                own if own < 0.0 => smaller(before, next),
                _ => 0.0,
            };
            let s22 = match own {
                own if own >= 0.0 => smaller(next, after),
                own if own < 0.0 => greater(next, after),
                _ => 0.0,
            };
            let mrr = scaled(deviation_s, th2_s);
            Point { rr_s, drr: own, s12, s22, median_s, mrr, th2_s }
        })
        .collect()
}

/// The time from beat to beat, s, of beats at whole ms; before the first, the mean of the rest.
fn intervals_s(beats: &[Beat]) -> Vec<f64> {
    let opens = beats.first().map(|beat| beat.end_s * 1000.0 - beat.rr_ms);
    let at_ms: Vec<f64> = opens
        .into_iter()
        .chain(beats.iter().map(|beat| beat.end_s * 1000.0))
        .map(f64::round_ties_even)
        .collect();
    with_mean(at_ms.iter().zip(at_ms.iter().skip(1)).map(|(a, b)| (b - a) / 1000.0))
}

/// The values with their mean before them; nothing of nothing.
fn with_mean(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut all = vec![0.0];
    all.extend(values);
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2⁵³ beats")]
    let n = (all.len() - 1) as f64;
    let mean = all.iter().sum::<f64>() / n;
    match all.first_mut() {
        Some(first) if n > 0.0 => *first = mean,
        _ => all.clear(),
    }
    all
}

fn thresholds(values: &[f64]) -> Vec<f64> {
    let sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    centred(&sizes, QUARTILE_HALF, |sorted| {
        ALPHA * ((quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2.0)
    })
}

fn scaled(value: f64, threshold: f64) -> f64 {
    if threshold == 0.0 { f64::NAN } else { value / threshold }
}

/// Unlike `f64::max`, no number if one is none.
fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn smaller(a: f64, b: f64) -> f64 {
    -greater(-a, -b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A breathing series of `n` intervals around 800 ms.
    fn breathing(n: u32) -> Vec<f64> {
        let wave = |i: u32| 40.0 * (f64::from(i) * 0.9).sin() + 10.0 * (f64::from(i) * 0.37).cos();
        (0..n).map(|i| (800.0 + wave(i)).round()).collect()
    }

    fn chain(rr_ms: &[f64]) -> Vec<Beat> {
        let mut end_s = 0.0;
        let beat = |&rr_ms: &f64| {
            end_s += rr_ms / 1000.0;
            Beat { end_s, rr_ms }
        };
        rr_ms.iter().map(beat).collect()
    }

    fn of(rr_ms: &[f64]) -> [Vec<usize>; 4] {
        let Flags { ectopic, missed, extra, longshort } = detect(&chain(rr_ms));
        [ectopic, missed, extra, longshort]
    }

    #[test]
    fn a_regular_heart_has_no_artefacts() {
        assert_eq!(detect(&chain(&breathing(300))).count(), 0);
    }

    #[test]
    fn a_beat_that_comes_early_is_ectopic() {
        let mut rr = breathing(300);
        for (i, change) in [(150, -300.0), (151, 300.0)] {
            rr.iter_mut().skip(i).take(1).for_each(|rr| *rr += change);
        }
        let [ectopic, missed, extra, _] = of(&rr);
        assert!(ectopic.contains(&151) || ectopic.contains(&152), "around its close");
        assert!(missed.is_empty() && extra.is_empty());
    }

    #[test]
    fn a_beat_left_out_is_missed_and_one_put_in_is_extra() {
        let mut rr = breathing(300);
        let joined = rr.remove(150);
        rr.iter_mut().skip(150).take(1).for_each(|rr| *rr += joined);
        assert_eq!(of(&rr), [vec![], vec![151], vec![], vec![]]);

        let mut rr = breathing(300);
        let whole = rr.remove(150);
        rr.insert(150, (whole / 2.0).round());
        rr.insert(150, whole - (whole / 2.0).round());
        let [ectopic, missed, extra, _] = of(&rr);
        assert!(ectopic.is_empty() && missed.is_empty());
        assert_eq!(extra, [151]);
    }

    #[test]
    fn a_shift_in_time_changes_no_flag() {
        let mut rr = breathing(200);
        rr.iter_mut().skip(100).take(1).for_each(|rr| *rr = 1500.0);
        let beats = chain(&rr);
        let shifted: Vec<Beat> = beats
            .iter()
            .map(|beat| Beat { end_s: beat.end_s + 86_400.0, rr_ms: beat.rr_ms })
            .collect();
        assert!(detect(&beats) == detect(&shifted));
        assert!(detect(&beats).count() > 0);
    }

    #[test]
    fn few_beats_constant_beats_and_no_numbers_flag_nothing_and_never_panic() {
        for rr in [vec![], vec![800.0], vec![800.0, 300.0], vec![800.0; 3], vec![800.0; 200]] {
            assert_eq!(detect(&chain(&rr)).count(), 0);
        }
        for wrong in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            for n in 1..20 {
                let mut rr = breathing(n);
                rr.iter_mut().skip(3).take(2).for_each(|rr| *rr = wrong);
                assert!(detect(&chain(&rr)).count() <= rr.len());
            }
        }
    }

    #[test]
    fn debug_shows_the_number_of_flags_only() {
        let flags = Flags { ectopic: vec![3, 9], ..Flags::default() };
        assert_eq!(format!("{flags:?}"), "Flags(2 beats)");
    }
}
