//! What a session comes to in each window of UTC: the values that stand beside encounters and baselines.
//!
//! ```text
//! windows    of 60 s and of 300 s that begin at whole minutes, or every five, of UTC
//! beats      mean_hr_bpm, ln_rmssd           artefacts out by Lipponen–Tarvainen; marked good or low
//! skin       scl_mean_us, scl_slope_us_per_min, scr_per_min, scr_amp_mean_us, low_contact_frac
//!                                            contact good, and samples for 80 % of the window at least
//! rates      mean_hr_bpm                     of a watch that gives a rate every few seconds: 80 % of the 15 s slots
//! ```
//! A window that is refused has no value. One in which its wearer moved (acceleration) or the heart rate jumped by more
//! than 20 a minute has values that count nowhere: quality 0. All times are corrected by the offset of the
//! session's clock before; windows of a clock that is more than 30 s off are not made.
//! Whose encounter a window belongs to, and what is usual for its owner, is [`super::personal`]'s work.
use std::collections::BTreeSet;
use std::fmt;

use rayon::prelude::*;

use super::conductance::Conductance;
use super::filter::Filter;
use super::hrv::count;
use super::movement::{Movement, minute_of};
use super::quality::{Clock, Contact, LEAST_COVERAGE, Quality, is_exertion};
use super::recording::Recording;
use super::signal::Signal;
use super::window::{Grid, Length, Values, values_on};

/// By which rules the values are made: a number that goes up with every change of them.
pub const SPEC: u32 = 1;

/// A heart rate of a watch counts for this long, s.
pub const RATE_SLOT_S: f64 = 15.0;

/// The lengths of windows.
pub const LENGTHS: [Length; 2] = [Length::Minute, Length::FiveMinutes];

/// One value of one window. `Debug` shows which, not what.
#[derive(Clone, Copy, PartialEq)]
pub struct WindowValue {
    /// Its id, with the unit.
    pub feature: &'static str,
    /// How long the window is.
    pub length: Length,
    /// When it begins, µs since 1970 UTC.
    pub start_us: i64,
    /// The value.
    pub value: f64,
    /// Intervals, pairs of intervals or samples that it rests on.
    pub n: u32,
    /// Share of the window that they cover, 0 to 1.
    pub coverage: f64,
    /// What the window is worth.
    pub quality: Quality,
    /// Whether its wearer is known to have been at rest.
    pub at_rest: bool,
}

impl fmt::Debug for WindowValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowValue({}, {:?})", self.feature, self.length)
    }
}

/// What is known of a session beside its samples.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// What its clock is worth.
    pub clock: Clock,
    /// How much its wearer moved, where that was measured.
    pub movement: Option<&'a Movement>,
}

/// Minutes, counted from 1970, in which the heart rate jumped.
pub type Exertion = BTreeSet<i64>;

/// The values of beats, and the minutes in which the heart rate jumped. None of a recording that does not tell
/// when it started.
pub fn of_beats(recording: &Recording, gate: Gate<'_>) -> (Vec<WindowValue>, Exertion) {
    let mut exertion = Exertion::new();
    let mut found = Vec::new();
    let Some(started_s) = recording.started_unix_s() else { return (found, exertion) };
    for length in LENGTHS {
        let Some(grid) = Grid::of_utc(length, recording) else { continue };
        let windows = values_on(recording, grid, Filter::LipponenTarvainen);
        if length == Length::Minute {
            let rates = windows.iter().filter(|window| window.mark.is_valid());
            let rates = rates.filter_map(|window| {
                Some((minute_of(started_s + window.start_s + 30.0), window.time.mean_hr_bpm?))
            });
            exertion = jumps(rates);
        }
        for window in &windows {
            let Some(quality) = Quality::of_beats(window.mark, gate.clock) else { continue };
            let start_us = grid_us(started_s + window.start_s, length);
            let place = Place { length, start_us, quality };
            found.extend(beats_of(window, place.gated(gate, &exertion)));
        }
    }
    (found, exertion)
}

/// The values of skin conductance. `exertion`: that of the beats of the same session.
pub fn of_conductance(signal: &Signal, gate: Gate<'_>, exertion: &Exertion) -> Vec<WindowValue> {
    let quality = match gate.clock {
        Clock::Sound => Quality::GOOD,
        Clock::Marked => Quality::CLOCK,
        Clock::Refused => return Vec::new(),
    };
    let (rate, started_s) = (signal.rate(), signal.started_unix_s());
    let lasts_s = f64::from(count(signal.samples().len())) / rate.hz();
    let mut places: Vec<(f64, Length)> = Vec::new();
    for length in LENGTHS {
        let mut start_s = (started_s / length.s()).floor() * length.s();
        while start_s < started_s + lasts_s {
            places.push((start_s, length));
            start_s += length.s();
        }
    }
    let values = |(start_s, length): &(f64, Length)| {
        let index = |at_s: f64| rate.first_at(at_s - started_s).min(signal.samples().len());
        let samples = signal.samples().get(index(*start_s)..index(start_s + length.s()))?;
        let filled = f64::from(count(samples.len())) / (length.s() * rate.hz());
        let found = Conductance::of(samples, rate)?;
        if filled < LEAST_COVERAGE || found.contact() == Contact::Poor {
            return None;
        }
        let start_us = grid_us(*start_s, *length);
        let place = Place { length: *length, start_us, quality }.gated(gate, exertion);
        let coverage = filled.min(1.0) * (1.0 - found.low_contact_frac);
        let value = |feature, value| place.value(feature, value, (found.n, coverage));
        let mut all = vec![
            value("scl_mean_us", found.scl_mean_us),
            value("scr_per_min", found.scr_per_min),
            value("low_contact_frac", found.low_contact_frac),
        ];
        all.extend(found.scl_slope_us_per_min.map(|slope| value("scl_slope_us_per_min", slope)));
        all.extend(found.scr_amp_mean_us.map(|rise| value("scr_amp_mean_us", rise)));
        Some(all)
    };
    places.par_iter().filter_map(values).flatten_iter().collect()
}

/// The mean heart rates of a watch that gives a rate (s since 1970 UTC, beats a minute) every few seconds,
/// in any order.
pub fn of_rates(rates: &[(f64, f64)], gate: Gate<'_>) -> Vec<WindowValue> {
    let quality = match gate.clock {
        Clock::Sound => Quality::GOOD,
        Clock::Marked => Quality::CLOCK,
        Clock::Refused => return Vec::new(),
    };
    let mut sorted: Vec<(f64, f64)> = rates.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut exertion = Exertion::new();
    let mut found = Vec::new();
    for length in LENGTHS {
        let window_of = |at_s: f64| (at_s / length.s()).floor();
        let mut windows = Vec::new();
        for window in sorted.chunk_by(|a, b| window_of(a.0).total_cmp(&window_of(b.0)).is_eq()) {
            let Some((at_s, _)) = window.first() else { continue };
            let n = count(window.len());
            let slot = |(at_s, _): &(f64, f64)| (at_s / RATE_SLOT_S).floor().to_bits();
            let slots = window.iter().map(slot).collect::<BTreeSet<u64>>().len();
            let coverage = f64::from(count(slots)) * RATE_SLOT_S / length.s();
            if coverage >= LEAST_COVERAGE {
                let mean = window.iter().map(|(_, rate)| rate).sum::<f64>() / f64::from(n);
                windows.push((window_of(*at_s) * length.s(), mean, (n, coverage.min(1.0))));
            }
        }
        if length == Length::Minute {
            exertion = jumps(windows.iter().map(|(at_s, rate, _)| (minute_of(at_s + 30.0), *rate)));
        }
        found.extend(windows.iter().map(|(at_s, rate, rests_on)| {
            let place = Place { length, start_us: grid_us(*at_s, length), quality };
            place.gated(gate, &exertion).value("mean_hr_bpm", *rate, *rests_on)
        }));
    }
    found
}

/// Minutes whose rate jumped from that of the minute before.
fn jumps(rates: impl Iterator<Item = (i64, f64)>) -> Exertion {
    let mut before: Option<(i64, f64)> = None;
    let mut exertion = Exertion::new();
    for (minute, rate) in rates {
        let last = before.filter(|(last, _)| last + 1 == minute).map(|(_, rate)| rate);
        if is_exertion(last, rate) {
            exertion.insert(minute);
        }
        before = Some((minute, rate));
    }
    exertion
}

/// A window's place, and what it is worth before its wearer's movement is looked at.
#[derive(Clone, Copy)]
struct Place {
    length: Length,
    start_us: i64,
    quality: Quality,
}

impl Place {
    fn gated(self, gate: Gate<'_>, exertion: &Exertion) -> Gated {
        let first = self.start_us.div_euclid(60_000_000);
        let minutes = match self.length {
            Length::Minute => first..first.saturating_add(1),
            Length::FiveMinutes => first..first.saturating_add(5),
        };
        let moved = |minute| gate.movement.and_then(|movement| movement.moved(minute));
        let gone =
            minutes.clone().any(|minute| exertion.contains(&minute) || moved(minute) == Some(true));
        let at_rest = !gone && minutes.into_iter().all(|minute| moved(minute) == Some(false));
        let quality = if gone { Quality::MOVED } else { self.quality };
        Gated { place: Place { quality, ..self }, at_rest }
    }
}

/// The same after that.
#[derive(Clone, Copy)]
struct Gated {
    place: Place,
    at_rest: bool,
}

impl Gated {
    fn value(&self, feature: &'static str, value: f64, (n, coverage): (u32, f64)) -> WindowValue {
        let Place { length, start_us, quality } = self.place;
        let at_rest = self.at_rest;
        WindowValue { feature, length, start_us, value, n, coverage, quality, at_rest }
    }
}

fn beats_of(window: &Values, place: Gated) -> impl Iterator<Item = WindowValue> {
    let time = &window.time;
    let coverage = time.coverage.clamp(0.0, 1.0);
    let value = move |feature, value: Option<f64>, n| {
        value.map(|value| place.value(feature, value, (n, coverage)))
    };
    // A window that never varies is a device's, not a heart's.
    let rate = time.mean_hr_bpm.filter(|_| time.ln_rmssd.is_some());
    let rate = value("mean_hr_bpm", rate, time.n_rr);
    rate.into_iter().chain(value("ln_rmssd", time.ln_rmssd, time.n_pairs))
}

/// The start of the window nearest to a moment, µs: rounding may have moved it off the grid.
#[expect(clippy::cast_possible_truncation, reason = "a cast to an integer stops at its limits")]
fn grid_us(unix_s: f64, length: Length) -> i64 {
    let windows = (unix_s / length.s()).round() as i64;
    windows.saturating_mul(length.s() as i64).saturating_mul(1_000_000)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::super::recording::Beat;
    use super::super::signal::Rate;
    use super::*;

    const SOUND: Gate<'_> = Gate { clock: Clock::Sound, movement: None };

    /// Beats from `start_s` on for `length_s`, about one a second by `rr_ms` of the time since the start.
    fn beats(start_s: f64, length_s: f64, rr_ms: impl Fn(f64) -> f64) -> Recording {
        let mut recording = Recording::new(Some(start_s));
        let mut end_s = 0.0;
        for beat in 0_u32.. {
            let rr = rr_ms(end_s) + if beat % 2 == 0 { 10.0 } else { -10.0 };
            end_s += rr / 1000.0;
            if end_s > length_s {
                break;
            }
            recording.push(Beat { end_s, rr_ms: rr }).unwrap();
        }
        recording
    }

    fn of<'a>(
        values: &'a [WindowValue],
        feature: &'static str,
        length: Length,
    ) -> impl Iterator<Item = &'a WindowValue> {
        values.iter().filter(move |v| v.feature == feature && v.length == length)
    }

    #[test]
    fn windows_lie_on_whole_minutes_and_fives_of_utc() {
        // From 1000.5 s on: minutes begin at 960, 1020 …, fives at 900, 1200, 1500.
        let (values, exertion) = of_beats(&beats(1000.5, 620.0, |_| 800.0), SOUND);
        assert!(exertion.is_empty());
        let starts: Vec<i64> =
            of(&values, "mean_hr_bpm", Length::Minute).map(|v| v.start_us / 1_000_000).collect();
        assert_eq!(starts, (0..10).map(|k| 1020 + 60 * k).collect::<Vec<i64>>());
        let fives: Vec<&WindowValue> = of(&values, "ln_rmssd", Length::FiveMinutes).collect();
        assert_eq!(fives.len(), 1, "900 and 1500 are covered too little");
        assert_eq!((fives[0].start_us, fives[0].quality), (1_200_000_000, Quality::GOOD));
        assert!((fives[0].value - 20.0_f64.ln()).abs() < 1e-9);
        assert!(fives[0].coverage > 0.99 && fives[0].coverage <= 1.0 && !fives[0].at_rest);
        assert!(of_beats(&beats(0.0, 600.0, |_| 800.0), SOUND).0.len() > 20);
        let mut none = Recording::new(None);
        none.push(Beat { end_s: 1.0, rr_ms: 800.0 }).unwrap();
        assert!(of_beats(&none, SOUND).0.is_empty(), "it does not tell when it started");
    }

    #[test]
    fn a_jump_of_the_heart_rate_marks_its_minute_and_its_five_minutes() {
        // 60 a minute until 1500 s, then 100.
        let jump = |s: f64| if s < 300.0 { 1000.0 } else { 600.0 };
        let (values, exertion) = of_beats(&beats(1200.0, 600.0, jump), SOUND);
        assert_eq!(exertion, Exertion::from([25]));
        let quality = |length| {
            let found = of(&values, "mean_hr_bpm", length);
            found.map(|v| v.quality.number()).collect::<Vec<u8>>()
        };
        assert_eq!(quality(Length::Minute), [3, 3, 3, 3, 3, 0, 3, 3, 3, 3]);
        assert_eq!(quality(Length::FiveMinutes), [3, 0]);
    }

    #[test]
    fn movement_marks_too_and_a_clock_that_is_off_says_so() {
        let recording = beats(1200.0, 600.0, |_| 800.0);
        let mut movement = Movement::default();
        for second in 1200..1800_u32 {
            let shaken = (1320..1380).contains(&second);
            movement
                .push(f64::from(second), if shaken { [1.5, 1.0, 0.0] } else { [0.0, 0.0, 1.0] });
        }
        let gate = Gate { clock: Clock::Marked, movement: Some(&movement) };
        let (values, _) = of_beats(&recording, gate);
        let found: Vec<(u8, bool)> = of(&values, "mean_hr_bpm", Length::Minute)
            .map(|v| (v.quality.number(), v.at_rest))
            .collect();
        let still = (2, true);
        assert_eq!(found[..5], [still, still, (0, false), still, still]);
        let refused = Gate { clock: Clock::Refused, movement: None };
        assert!(of_beats(&recording, refused).0.is_empty());
    }

    #[test]
    fn skin_conductance_is_cut_on_the_same_grid() {
        // 4 Hz from 1010 s on for 15 minutes; the sensor is off the skin from 1500 to 1560.
        let rate = Rate::new(4.0).unwrap();
        let sample = |i: u32| {
            let at_s = 1010.0 + f64::from(i) / 4.0;
            if (1500.0..1560.0).contains(&at_s) {
                0.0
            } else {
                2.0 + f64::from((i % 80).min(12)) / 12.0
            }
        };
        let signal = Signal::new(1010.0, rate, (0..3600).map(sample).collect());
        let values = of_conductance(&signal, SOUND, &Exertion::from([20]));
        let level = |length| {
            let found = of(&values, "scl_mean_us", length);
            found.map(|v| (v.start_us / 1_000_000, v.quality.number(), v.n)).collect::<Vec<_>>()
        };
        let minutes = level(Length::Minute);
        assert_eq!(minutes.len(), 14, "the first is cut short by 50 s, one is off the skin");
        assert_eq!(minutes[0], (1020, 3, 240));
        assert_eq!(minutes[3], (1200, 0, 240), "the heart rate jumped");
        assert!(!minutes.iter().any(|(at, ..)| *at == 1500));
        assert_eq!(level(Length::FiveMinutes), [(1200, 0, 1200)]);
        let frequent: Vec<f64> =
            of(&values, "scr_per_min", Length::Minute).map(|v| v.value).collect();
        assert!(frequent.iter().all(|rate| (2.0..=4.0).contains(rate)), "a rise every 20 s");
        assert!(of(&values, "low_contact_frac", Length::Minute).all(|v| v.value == 0.0));
    }

    #[test]
    fn the_rates_of_a_watch_make_windows_where_they_are_dense() {
        let every = |step: usize| -> Vec<(f64, f64)> {
            (1200..1800_u32).step_by(step).map(|s| (f64::from(s), 70.0)).collect()
        };
        let dense = of_rates(&every(10), SOUND);
        assert_eq!(of(&dense, "mean_hr_bpm", Length::Minute).count(), 10);
        let fives: Vec<_> = of(&dense, "mean_hr_bpm", Length::FiveMinutes).collect();
        assert_eq!((fives.len(), fives[0].n), (2, 30));
        assert!((fives[1].value - 70.0).abs() < 1e-12);
        assert!(of_rates(&every(30), SOUND).is_empty());
        assert!(of_rates(&[], SOUND).is_empty());
    }
}
