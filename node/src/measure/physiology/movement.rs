//! How much a wrist moved, minute by minute: acceleration, kept as sums alone.
//!
//! ```text
//! of a sample  e = max(|a| − 1 g, 0)                  of a minute  mean of e
//! moved        mean e above 0.1 g
//! ```
//! Without gravity's 1 g nothing is left of a wrist at rest; moderate activity begins near 0.1 g at the wrist
//! (Hildebrand et al. 2014, *Med Sci Sports Exerc* 46:1816). Empatica's `ACC.csv`: start three times, rate three
//! times, then x, y, z in 1/64 g. A day of it is read line by line; what stays is two numbers a minute.
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use super::error::RecordingError;
use super::lines::Lines;
use super::signal::{MOST_SAMPLES, RATE_HZ};

/// A minute's mean acceleration beyond gravity, g, above which its wearer moved.
pub const MOVED_G: f64 = 0.1;

/// What one unit of `ACC.csv` is, g.
const UNIT_G: f64 = 1.0 / 64.0;
/// No wrist is accelerated more, in units: 16 g.
const MOST_UNITS: f64 = 1024.0;
/// The most samples: those of a signal, at eight times its rate.
const MOST: usize = 8 * MOST_SAMPLES;

const START: &str = "the start in s since 1970 UTC, three times, with commas between";
const RATE: &str = "a rate from 1 to 1024 Hz, three times, with commas between";
const SAMPLE: &str = "x, y and z in 1/64 g, from -1024 to 1024, with commas between";

/// How much was moved in each minute of UTC. `Debug` shows the number of minutes only.
#[derive(Default)]
pub struct Movement {
    /// Sum of what is beyond gravity, g, and the number of samples, by minute since 1970.
    minutes: BTreeMap<i64, (f64, u32)>,
}

impl Movement {
    /// Adds a sample: when, s since 1970 UTC, and its acceleration, g.
    pub fn push(&mut self, unix_s: f64, acceleration_g: [f64; 3]) {
        let [x, y, z] = acceleration_g;
        let beyond_g = ((x * x + y * y + z * z).sqrt() - 1.0).max(0.0);
        let minute = self.minutes.entry(minute_of(unix_s)).or_default();
        minute.0 += beyond_g;
        minute.1 = minute.1.saturating_add(1);
    }

    /// Whether its wearer moved in the minute (counted from 1970); `None` where it was not measured.
    pub fn moved(&self, minute: i64) -> Option<bool> {
        let (sum_g, n) = self.minutes.get(&minute)?;
        Some(sum_g / f64::from(*n) > MOVED_G)
    }
}

impl fmt::Debug for Movement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Movement({} minutes)", self.minutes.len())
    }
}

/// Reads the bytes of an Empatica `ACC.csv`. The device's clock was `ahead_s` seconds ahead of UTC.
///
/// # Errors
/// [`RecordingError`]; nothing is kept.
pub fn parse(input: impl Read, ahead_s: f64) -> Result<Movement, RecordingError> {
    let mut lines = Lines::new(input);
    let mut head = |number, expected| {
        let wrong = RecordingError::SignalHeader { line: number, expected };
        let line = lines.next()?.ok_or(wrong)?;
        let [first, second, third] = line.commas(expected).map_err(|_| wrong)?;
        let equal = first.text == second.text && second.text == third.text;
        first.number(expected).ok().filter(|_| equal).ok_or(wrong)
    };
    let start_s = head(1, START)?;
    let rate_hz = head(2, RATE)?;
    let [slowest, fastest] = RATE_HZ;
    if start_s < 0.0 || !(slowest..=fastest).contains(&rate_hz) {
        return Err(RecordingError::SignalHeader { line: 1, expected: START });
    }
    let mut movement = Movement::default();
    let mut n = 0_usize;
    while let Some(line) = lines.next()? {
        let units = line.commas::<3>(SAMPLE)?;
        let mut sample = [0.0; 3];
        for (axis, field) in sample.iter_mut().zip(&units) {
            *axis = field.number(SAMPLE)? * UNIT_G;
            if axis.abs() > MOST_UNITS * UNIT_G {
                return Err(field.wrong(SAMPLE));
            }
        }
        if n >= MOST {
            return Err(RecordingError::TooManySamples);
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of samples is far below 2⁵³")]
        let after_s = n as f64 / rate_hz;
        movement.push(start_s - ahead_s + after_s, sample);
        n += 1;
    }
    Ok(movement)
}

/// The minute that a moment lies in, counted from 1970.
#[expect(clippy::cast_possible_truncation, reason = "a cast to an integer stops at its limits")]
pub(super) fn minute_of(unix_s: f64) -> i64 {
    (unix_s / 60.0).floor() as i64
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn file(samples: impl Iterator<Item = [i32; 3]>) -> String {
        let rows: Vec<String> = samples.map(|[x, y, z]| format!("{x},{y},{z}")).collect();
        format!("600,600,600\n4.0,4.0,4.0\n{}\n", rows.join("\n"))
    }

    #[test]
    fn a_wrist_at_rest_does_not_move_and_a_shaken_one_does() {
        // A minute at rest, then one shaken between 0.5 and 2 g, then half a minute at rest.
        let at = |i: u32| match i {
            240..480 if i.is_multiple_of(2) => [0, 0, 32],
            240..480 => [0, 128, 0],
            _ => [0, 0, 64],
        };
        let movement = parse(file((0..600).map(at)).as_bytes(), 0.0).unwrap();
        let found: Vec<_> = (9..14).map(|minute| movement.moved(minute)).collect();
        assert_eq!(found, [None, Some(false), Some(true), Some(false), None]);
        assert_eq!(format!("{movement:?}"), "Movement(3 minutes)");
        let late = parse(file((0..600).map(at)).as_bytes(), -60.0).unwrap();
        assert_eq!(late.moved(12), Some(true), "a clock a minute behind is corrected");
    }

    #[test]
    fn what_is_no_acceleration_is_refused_with_its_line() {
        let line = |text: &str| parse(text.as_bytes(), 0.0).unwrap_err().line();
        assert_eq!(line(""), Some(1));
        assert_eq!(line("600\n4.0\n1.0\n"), Some(1), "skin conductance");
        assert_eq!(line("600,600,600\n32,32,4\n"), Some(2));
        assert_eq!(line("600,600,600\n4,4,4\n1,2,3\n1,2\n"), Some(4));
        assert_eq!(line("600,600,600\n4,4,4\n1,2,x\n"), Some(3));
        assert_eq!(line("600,600,600\n4,4,4\n1,2,2000\n"), Some(3));
    }
}
