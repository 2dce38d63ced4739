//! One beat-to-beat recording: when each beat ended, and how long it took.
//!
//! A [`Recording`] holds its beats in order: times finite, from 0 on and strictly rising, intervals
//! above 0 and at most a minute. Which intervals are artefacts is not judged here: a glitch of 1.6 s
//! is kept, as the plain definitions demand. Whether the intervals fit the times is judged pair by
//! pair in [`super::hrv`].
use std::fmt;

/// The longest interval between two beats, ms. Beyond it there is a gap, or another unit.
pub const LONGEST_RR_MS: f64 = 60_000.0;

/// The latest end of a beat, s after the start: 31 days. Bounds the number of windows.
pub const LONGEST_SPAN_S: f64 = 31.0 * 86_400.0;

/// The most beats of one recording: 31 days at 224 a minute.
pub const MOST_BEATS: usize = 10_000_000;

/// One interval between two heart beats. No `Debug` and no `Clone`: it is a person's.
pub struct Beat {
    /// When the interval ended, s after the start of the recording.
    pub end_s: f64,
    /// How long it took, ms.
    pub rr_ms: f64,
}

/// Why a beat does not continue a recording. The recording is left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeatError {
    /// Infinite or not a number.
    #[error("the time or the interval is not a finite number")]
    NotFinite,
    /// Zero or less.
    #[error("the interval is not above zero")]
    NotPositive,
    /// Above [`LONGEST_RR_MS`].
    #[error("the interval is longer than a minute")]
    TooLong,
    /// Below zero.
    #[error("the beat ends before the recording starts")]
    BeforeStart,
    /// Not later than the beat before.
    #[error("time does not advance from the beat before")]
    Backwards,
    /// Above [`LONGEST_SPAN_S`].
    #[error("the beat ends more than 31 days after the start")]
    BeyondSpan,
    /// More than [`MOST_BEATS`].
    #[error("the recording has more than 10,000,000 beats")]
    TooMany,
}

/// The beats of one recording, in order. `Debug` shows their number only.
pub struct Recording {
    beats: Vec<Beat>,
    started_unix_s: Option<f64>,
}

impl Recording {
    /// A recording without beats. `started_unix_s`: seconds since 1970 UTC, where the file tells.
    pub fn new(started_unix_s: Option<f64>) -> Self {
        Self { beats: Vec::new(), started_unix_s }
    }

    /// Adds the next beat.
    ///
    /// # Errors
    /// [`BeatError`] if it breaks what the type holds; nothing was added.
    pub fn push(&mut self, beat: Beat) -> Result<(), BeatError> {
        let Beat { end_s, rr_ms } = beat;
        if !end_s.is_finite() || !rr_ms.is_finite() {
            return Err(BeatError::NotFinite);
        }
        if rr_ms <= 0.0 {
            return Err(BeatError::NotPositive);
        }
        if rr_ms > LONGEST_RR_MS {
            return Err(BeatError::TooLong);
        }
        if end_s < 0.0 {
            return Err(BeatError::BeforeStart);
        }
        if self.beats.last().is_some_and(|last| end_s <= last.end_s) {
            return Err(BeatError::Backwards);
        }
        if end_s > LONGEST_SPAN_S {
            return Err(BeatError::BeyondSpan);
        }
        if self.beats.len() >= MOST_BEATS {
            return Err(BeatError::TooMany);
        }
        self.beats.push(beat);
        Ok(())
    }

    /// The same, known to have started then: seconds since 1970 UTC; `None` if that is not known.
    #[must_use]
    pub fn starting(self, started_unix_s: Option<f64>) -> Self {
        Self { started_unix_s, ..self }
    }

    /// The beats, their ends strictly rising.
    pub fn beats(&self) -> &[Beat] {
        &self.beats
    }

    /// When the recording started, seconds since 1970 UTC, if the file told.
    pub fn started_unix_s(&self) -> Option<f64> {
        self.started_unix_s
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recording({} beats)", self.beats.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(end_s: f64, rr_ms: f64) -> Beat {
        Beat { end_s, rr_ms }
    }

    #[test]
    fn a_beat_that_breaks_the_order_is_refused_and_not_added() {
        let mut recording = Recording::new(None);
        assert_eq!(recording.push(beat(1.0, 800.0)), Ok(()));
        for (end_s, rr_ms, error) in [
            (f64::NAN, 800.0, BeatError::NotFinite),
            (2.0, f64::INFINITY, BeatError::NotFinite),
            (2.0, 0.0, BeatError::NotPositive),
            (2.0, -800.0, BeatError::NotPositive),
            (2.0, 60_000.5, BeatError::TooLong),
            (-0.5, 800.0, BeatError::BeforeStart),
            (1.0, 800.0, BeatError::Backwards),
            (0.5, 800.0, BeatError::Backwards),
            (LONGEST_SPAN_S + 1.0, 800.0, BeatError::BeyondSpan),
        ] {
            assert_eq!(recording.push(beat(end_s, rr_ms)), Err(error));
        }
        assert_eq!(recording.beats().len(), 1);
        assert_eq!(recording.push(beat(1.8, 800.0)), Ok(()));
        assert_eq!(recording.push(beat(LONGEST_SPAN_S, 60_000.0)), Ok(()));
        assert_eq!(recording.beats().len(), 3);
    }

    #[test]
    fn debug_shows_the_number_of_beats_only() {
        let mut recording = Recording::new(Some(1_560_279_825.0));
        assert_eq!(recording.push(beat(1.0, 812.5)), Ok(()));
        assert_eq!(format!("{recording:?}"), "Recording(1 beats)");
    }
}
