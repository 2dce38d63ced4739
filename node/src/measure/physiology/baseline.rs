//! A value against its owner's own earlier windows.
//!
//! ```text
//! z = (x − median) / (1.4826 · MAD), clamped to ±3
//! ```
//! The baseline is made of the person's own valid windows that ended before this one and began in the
//! 28 days before it, of the same activity and the same part of the shift: at least 30, on at least 7
//! days by the person's clock; else there is none. The MAD is not taken smaller than what the device
//! can tell apart.
//!
//! Whose windows they are, of which value, and that they are valid is the caller's to ensure.
use std::collections::BTreeMap;
use std::fmt;

use super::hrv::count;
use super::running::{median, median_of};

/// How far back a baseline looks, µs: 28 days.
pub const SPAN_US: i64 = 28 * DAY_US;

/// The fewest windows of a baseline.
pub const LEAST_WINDOWS: usize = 30;

/// The fewest days they lie on.
pub const LEAST_DAYS: usize = 7;

/// The largest z, and with a minus the smallest.
pub const LARGEST_Z: f64 = 3.0;

/// A MAD times this estimates the standard deviation of a normal distribution.
const MAD_TO_SD: f64 = 1.4826;

const DAY_US: i64 = 86_400_000_000;

/// What makes windows comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Posture or activity, by the site's own numbering.
    pub activity: u8,
    /// Which band of hours since the shift began.
    pub shift_band: u8,
}

/// One window of a person: when, in which class, and its value. `Debug` shows the class only.
#[derive(Clone, Copy)]
pub struct Observation {
    /// When it began, µs since 1970 UTC.
    pub start_us: i64,
    /// When it ended.
    pub end_us: i64,
    /// How far the local clock was ahead of UTC, minutes.
    pub tz_min: i16,
    /// What it may be compared with.
    pub class: Class,
    /// Its value.
    pub value: f64,
}

impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observation({:?})", self.class)
    }
}

/// The smallest MAD of a device, in the unit of the value. Finite and above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor(f64);

impl Floor {
    /// `None` if it is not finite or not above 0.
    pub fn new(value: f64) -> Option<Self> {
        (value.is_finite() && value > 0.0).then_some(Self(value))
    }
}

/// What is usual for a person. `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq)]
pub struct Baseline {
    median: f64,
    mad: f64,
}

impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Baseline")
    }
}

impl Baseline {
    /// What was usual before `now`; `None` if too little is known. The order of `history` is free.
    pub fn before(now: &Observation, history: &[Observation], floor: Floor) -> Option<Self> {
        let earliest_us = now.start_us.saturating_sub(SPAN_US);
        let counts = |past: &&Observation| {
            past.class == now.class
                && past.end_us <= now.start_us
                && past.start_us >= earliest_us
                && past.start_us < past.end_us
                && past.value.is_finite()
        };
        let (mut values, mut days) = (Vec::new(), Vec::new());
        for past in history.iter().filter(counts) {
            values.push(past.value);
            days.push(day_of(past));
        }
        days.sort_unstable();
        days.dedup();
        if values.len() < LEAST_WINDOWS || days.len() < LEAST_DAYS {
            return None;
        }
        let median = median_of(values.clone())?;
        let spread = median_of(values.iter().map(|value| (value - median).abs()).collect())?;
        Some(Self { median, mad: spread.max(floor.0) })
    }

    /// How unusual a value is, −3 to 3; `None` of what is no number.
    pub fn z(&self, value: f64) -> Option<f64> {
        let z = (value - self.median) / (MAD_TO_SD * self.mad);
        (!z.is_nan()).then(|| z.clamp(-LARGEST_Z, LARGEST_Z))
    }
}

/// How unusual the value of `now` is against its owner's `history`; `None` if too little is known.
pub fn z(now: &Observation, history: &[Observation], floor: Floor) -> Option<f64> {
    Baseline::before(now, history, floor)?.z(now.value)
}

/// How unusual a window is, and on how many others that rests. `Debug` shows their number only.
#[derive(Clone, Copy, PartialEq)]
pub struct Score {
    /// −3 to 3.
    pub z: f64,
    /// Windows of the baseline.
    pub n: u32,
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Score({} windows)", self.n)
    }
}

/// The same for every window of a person, each against those before it, in their order.
///
/// Equals [`z`] of each. The windows of 28 days slide along, sorted: a person's year of minutes takes seconds.
pub fn z_of_all(all: &[Observation], floor: Floor) -> Vec<Option<Score>> {
    let mut found = vec![None; all.len()];
    let mut classes: Vec<Class> = Vec::new();
    for class in all.iter().map(|one| one.class) {
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    for class in classes {
        let own = || all.iter().enumerate().filter(|(_, one)| one.class == class);
        let mut asking: Vec<(usize, &Observation)> = own().collect();
        asking.sort_by_key(|(_, one)| one.start_us);
        let lasting = |one: &&Observation| one.start_us < one.end_us && one.value.is_finite();
        let mut coming: Vec<&Observation> = own().map(|(_, one)| one).filter(lasting).collect();
        let mut leaving = coming.clone();
        coming.sort_by_key(|one| one.end_us);
        leaving.sort_by_key(|one| one.start_us);
        let (mut coming, mut leaving) =
            (coming.into_iter().peekable(), leaving.into_iter().peekable());
        let mut known = Known::default();
        for (place, now) in asking {
            while let Some(past) = coming.next_if(|past| past.end_us <= now.start_us) {
                known.add(past);
            }
            let earliest_us = now.start_us.saturating_sub(SPAN_US);
            // A window that began too early has ended: windows are far shorter than 28 days, or were never added.
            while let Some(past) = leaving.next_if(|past| past.start_us < earliest_us) {
                known.remove(past);
            }
            let baseline = known.baseline(floor);
            if let (Some(slot), Some(baseline)) = (found.get_mut(place), baseline) {
                let n = count(known.sorted.len());
                *slot = baseline.z(now.value).map(|z| Score { z, n });
            }
        }
    }
    found
}

/// The windows of 28 days: their values sorted, and how many there are of each day.
#[derive(Default)]
struct Known {
    sorted: Vec<f64>,
    days: BTreeMap<i64, u32>,
}

impl Known {
    fn place(&self, value: f64) -> usize {
        self.sorted.partition_point(|other| other.total_cmp(&value).is_lt())
    }

    fn add(&mut self, past: &Observation) {
        let place = self.place(past.value);
        self.sorted.insert(place, past.value);
        *self.days.entry(day_of(past)).or_default() += 1;
    }

    fn remove(&mut self, past: &Observation) {
        let place = self.place(past.value);
        let there = self.sorted.get(place).is_some_and(|v| v.total_cmp(&past.value).is_eq());
        if !there {
            return; // never added
        }
        self.sorted.remove(place);
        let day = day_of(past);
        if let Some(left) = self.days.get_mut(&day) {
            *left -= 1;
            if *left == 0 {
                self.days.remove(&day);
            }
        }
    }

    fn baseline(&self, floor: Floor) -> Option<Baseline> {
        if self.sorted.len() < LEAST_WINDOWS || self.days.len() < LEAST_DAYS {
            return None;
        }
        let median = median(&self.sorted);
        // Distances rise to both sides of the median: their own median needs no sorting.
        let (below, above) = self.sorted.split_at_checked(self.place(median))?;
        let distance = |place: usize| {
            nth_of_two(place, (below.len(), above.len()), |from_below, nth| {
                let value = if from_below { below.iter().rev().nth(nth) } else { above.get(nth) };
                value.map_or(f64::INFINITY, |value| (value - median).abs())
            })
        };
        let half = self.sorted.len() / 2;
        let spread = if self.sorted.len() % 2 == 1 {
            distance(half)
        } else {
            f64::midpoint(distance(half - 1), distance(half))
        };
        Some(Baseline { median, mad: spread.max(floor.0) })
    }
}

/// The value at place `nth` of two rising sequences merged, from 0. `at` yields the value at a place of the first
/// (`true`) or the second.
fn nth_of_two(nth: usize, (first, second): (usize, usize), at: impl Fn(bool, usize) -> f64) -> f64 {
    // How many of the first stand before that place.
    let (mut low, mut high) = (nth.saturating_sub(second), nth.min(first));
    while low < high {
        let middle = low.midpoint(high);
        if at(true, middle) < at(false, nth - middle - 1) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    at(true, low).min(at(false, nth - low))
}

/// The day of the person's clock that a window began on.
fn day_of(one: &Observation) -> i64 {
    one.start_us.saturating_add(i64::from(one.tz_min) * 60_000_000).div_euclid(DAY_US)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NIGHT: Class = Class { activity: 1, shift_band: 2 };
    const NOW_US: i64 = 40 * DAY_US;

    fn at(start_us: i64, value: f64) -> Observation {
        Observation { start_us, end_us: start_us + 300_000_000, tz_min: 0, class: NIGHT, value }
    }

    /// `n` windows on each of `days` days before, with values 0, 1, 2 …
    fn history(days: i64, n: i64) -> Vec<Observation> {
        let place = |i: i64| NOW_US - (1 + i / n) * DAY_US + (i % n) * 600_000_000;
        (0..days * n).zip(0_u32..).map(|(i, value)| at(place(i), f64::from(value))).collect()
    }

    fn floor() -> Floor {
        Floor::new(0.01).unwrap()
    }

    #[test]
    fn z_is_the_distance_from_the_median_in_robust_standard_deviations() {
        // Values 0 to 34: median 17, MAD 9.
        let history = history(7, 5);
        let z_of = |value| z(&at(NOW_US, value), &history, floor()).unwrap();
        assert!(z_of(17.0).abs() < 1e-12);
        assert!((z_of(26.0) - 1.0 / 1.4826).abs() < 1e-12);
        assert!((z_of(8.0) + 1.0 / 1.4826).abs() < 1e-12);
        assert!((z_of(1e9) - 3.0).abs() < 1e-12 && (z_of(f64::NEG_INFINITY) + 3.0).abs() < 1e-12);
        assert!(z(&at(NOW_US, f64::NAN), &history, floor()).is_none());
    }

    #[test]
    fn thirty_windows_on_seven_days_are_needed() {
        assert!(z(&at(NOW_US, 1.0), &history(7, 5), floor()).is_some());
        assert!(z(&at(NOW_US, 1.0), &history(6, 10), floor()).is_none(), "six days");
        assert!(z(&at(NOW_US, 1.0), &history(7, 4), floor()).is_none(), "28 windows");
        assert!(z(&at(NOW_US, 1.0), &history(10, 3), floor()).is_some());
        assert!(z(&at(NOW_US, 1.0), &[], floor()).is_none());
    }

    #[test]
    fn the_day_is_that_of_the_persons_clock() {
        // Six UTC days with windows at midnight and later; half an hour behind, midnight is the day before.
        let mut history = history(6, 10);
        assert!(z(&at(NOW_US, 1.0), &history, floor()).is_none());
        for past in &mut history {
            past.tz_min = -30;
        }
        assert!(z(&at(NOW_US, 1.0), &history, floor()).is_some());
    }

    #[test]
    fn only_earlier_windows_of_28_days_and_the_same_class_count() {
        let good = history(10, 3);
        let count_without = |change: &dyn Fn(&mut Observation)| {
            let mut history = good.clone();
            change(&mut history[4]);
            z(&at(NOW_US, 1.0), &history, floor()).is_some()
        };
        assert!(count_without(&|_| {}));
        assert!(!count_without(&|past| past.class.activity = 9));
        assert!(!count_without(&|past| past.class.shift_band = 9));
        assert!(!count_without(&|past| past.value = f64::NAN));
        assert!(!count_without(&|past| past.end_us = past.start_us));
        assert!(!count_without(&|past| *past = at(NOW_US - SPAN_US - 1, past.value)));
        assert!(count_without(&|past| *past = at(NOW_US - SPAN_US, past.value)));
        assert!(
            !count_without(&|past| *past = at(NOW_US - 299_999_999, past.value)),
            "still going on"
        );
        assert!(count_without(&|past| *past = at(NOW_US - 300_000_000, past.value)));
        assert!(!count_without(&|past| *past = at(NOW_US + DAY_US, past.value)), "later");
    }

    #[test]
    fn a_spread_of_zero_is_the_floor() {
        let mut history = history(7, 5);
        for past in &mut history {
            past.value = 4.0;
        }
        let found = z(&at(NOW_US, 4.02), &history, floor()).unwrap();
        assert!((found - 2.0 / 1.4826).abs() < 1e-9);
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Floor::new(wrong).is_none());
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let now = at(NOW_US, 61.5);
        assert!(!format!("{now:?}").contains("61"));
        let baseline = Baseline::before(&now, &history(7, 5), floor()).unwrap();
        assert_eq!(format!("{baseline:?}"), "Baseline");
    }

    proptest! {
        #[test]
        fn order_is_free_and_units_are_too(
            values in proptest::collection::vec(-1e3..1e3, 35),
            value in -1e3..1e3,
            (scale, offset) in (0.1..10.0, -100.0..100.0),
            turn in 0_usize..35,
        ) {
            let mut history = history(7, 5);
            for (past, value) in history.iter_mut().zip(values) {
                past.value = value;
            }
            let first = z(&at(NOW_US, value), &history, floor()).unwrap();
            prop_assert!((-3.0..=3.0).contains(&first));
            history.rotate_left(turn);
            prop_assert_eq!(z(&at(NOW_US, value), &history, floor()), Some(first));
            for past in &mut history {
                past.value = past.value * scale + offset;
            }
            let floor = Floor::new(0.01 * scale).unwrap();
            let other = z(&at(NOW_US, value * scale + offset), &history, floor).unwrap();
            prop_assert!((first - other).abs() < 1e-6);
        }

        #[test]
        fn sliding_along_finds_what_looking_at_each_finds(
            windows in proptest::collection::vec((0_i64..60 * 24, 0_u8..2, 0_i32..40), 0..400),
            tz_min in -720_i16..720,
        ) {
            let all: Vec<Observation> = windows.into_iter().map(|(hour, band, value)| Observation {
                start_us: hour * 3_600_000_000,
                end_us: hour * 3_600_000_000 + 300_000_000,
                tz_min,
                class: Class { activity: 0, shift_band: band },
                value: f64::from(value) / 4.0,
            }).collect();
            let found = z_of_all(&all, floor());
            for (one, found) in all.iter().zip(found) {
                prop_assert_eq!(found.map(|score| score.z), z(one, &all, floor()));
            }
        }

        #[test]
        fn any_time_is_taken_without_a_panic(
            starts in proptest::collection::vec((any::<i64>(), any::<i64>(), any::<i16>()), 0..60),
            now in any::<i64>(),
        ) {
            let history: Vec<Observation> = starts.into_iter()
                .map(|(start_us, end_us, tz_min)| Observation { start_us, end_us, tz_min, class: NIGHT, value: 1.0 })
                .collect();
            let now = Observation { start_us: now, end_us: now, tz_min: 0, class: NIGHT, value: 1.0 };
            let found = z(&now, &history, floor());
            prop_assert!(found.is_none_or(|z| z.abs() < 1e-9));
        }
    }
}
