//! Whether what a device delivered is enough to compute from: marks, as values.
//!
//! | mark | window of beats |
//! |---|---|
//! | good | covered to 0.8 at least, at most 5 % of the intervals taken out |
//! | low | covered as well, above 5 % and at most 10 % taken out |
//! | artefacts | more than 10 % taken out |
//! | gaps | covered to less than 0.8 |
//!
//! Coverage is that of the intervals the device delivered, before any filter: what a filter takes out is
//! judged by its share, and not a second time as a gap. Measured on hospital shifts, one window of a
//! wrist device in a hundred passes: a missing value is the normal case. A heart rate that jumps says
//! that someone climbed stairs and nothing else; a clock that is off moves windows between encounters.

/// The share of a window that its intervals must cover.
pub const LEAST_COVERAGE: f64 = 0.8;

/// The share of intervals taken out up to which a window is good.
pub const GOOD_DROPPED: f64 = 0.05;

/// The share of intervals taken out above which a window is refused.
pub const MOST_DROPPED: f64 = 0.10;

/// The share of samples without contact above which a window of skin conductance is poor.
pub const MOST_WITHOUT_CONTACT: f64 = 0.10;

/// A heart rate this much above or below the minute before marks exertion, beats a minute.
pub const EXERTION_STEP_BPM: f64 = 20.0;

/// A device's clock further off than this is marked, s.
pub const CLOCK_MARKED_S: f64 = 2.0;

/// A device's clock further off than this is refused, s.
pub const CLOCK_REFUSED_S: f64 = 30.0;

/// What a window of beats is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// To be used.
    Good,
    /// To be used where there is no better.
    Low,
    /// Refused: too many intervals were artefacts.
    Artefacts,
    /// Refused: too little of the window is covered.
    Gaps,
}

impl Mark {
    /// The mark of a window by what of it the device covered and the share of that taken out since.
    pub fn of(coverage: f64, dropped_share: f64) -> Self {
        // What is no number passes no comparison and is refused.
        let (covered, good, low) = (
            coverage >= LEAST_COVERAGE,
            dropped_share <= GOOD_DROPPED,
            dropped_share <= MOST_DROPPED,
        );
        match (covered, good, low) {
            (false, _, _) => Mark::Gaps,
            (true, true, _) => Mark::Good,
            (true, false, true) => Mark::Low,
            (true, false, false) => Mark::Artefacts,
        }
    }

    /// Whether the window may be used.
    pub fn is_valid(self) -> bool {
        matches!(self, Mark::Good | Mark::Low)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Mark::Good => "good",
            Mark::Low => "low",
            Mark::Artefacts => "artefacts",
            Mark::Gaps => "gaps",
        }
    }
}

/// Whether a sensor of skin conductance touched the skin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contact {
    /// In nine samples of ten at least.
    Good,
    /// Less.
    Poor,
}

impl Contact {
    /// By the share of samples without contact, 0 to 1.
    pub fn of(low_contact_share: f64) -> Self {
        if low_contact_share <= MOST_WITHOUT_CONTACT { Contact::Good } else { Contact::Poor }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Contact::Good => "good",
            Contact::Poor => "poor",
        }
    }
}

/// Whether the mean heart rate of a minute says that its wearer moved, given that of the minute before.
pub fn is_exertion(before_bpm: Option<f64>, now_bpm: f64) -> bool {
    before_bpm.is_some_and(|before_bpm| (now_bpm - before_bpm).abs() > EXERTION_STEP_BPM)
}

/// What the clock of a device is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// At most 2 s off.
    Sound,
    /// Above 2 s and at most 30 s off, or by nobody knows how much: said beside every value.
    Marked,
    /// Above 30 s off: its windows belong to no encounter.
    Refused,
}

impl Clock {
    /// By the offset of the session's clock, s.
    pub fn of(offset_s: f64) -> Self {
        match offset_s.abs() {
            off if off <= CLOCK_MARKED_S => Clock::Sound,
            off if off <= CLOCK_REFUSED_S => Clock::Marked,
            _ => Clock::Refused,
        }
    }

    /// By the offset of a session's clock, s, if somebody compared it with another.
    pub fn of_session(offset_s: Option<f64>) -> Self {
        offset_s.map_or(Clock::Marked, Clock::of)
    }
}

/// What a window is worth, as it stands beside its values: 3 to use, 2 with a clock that may be off, 1 with more
/// artefacts than usual, 0 of someone who moved. Of a window that is refused there are no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quality(u8);

impl Quality {
    /// Its wearer moved, or the heart rate jumped: it counts nowhere.
    pub const MOVED: Self = Self(0);
    /// Valid, though not by much.
    pub const LOW: Self = Self(1);
    /// Good, but for a clock that may be off.
    pub const CLOCK: Self = Self(2);
    /// Good.
    pub const GOOD: Self = Self(3);

    /// Of a window of beats; `None` if it is refused.
    pub fn of_beats(mark: Mark, clock: Clock) -> Option<Self> {
        match (mark, clock) {
            (_, Clock::Refused) | (Mark::Artefacts | Mark::Gaps, _) => None,
            (Mark::Low, _) => Some(Self::LOW),
            (Mark::Good, Clock::Marked) => Some(Self::CLOCK),
            (Mark::Good, Clock::Sound) => Some(Self::GOOD),
        }
    }

    /// The number, 0 to 3.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Of a number from the tables; what is none of 0 to 3 counts nowhere.
    pub fn from_number(number: i64) -> Self {
        u8::try_from(number).ok().filter(|n| *n <= 3).map_or(Self::MOVED, Self)
    }

    /// Whether values of such a window are used for encounters and baselines.
    pub fn counts(self) -> bool {
        self > Self::MOVED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_at_its_edge() {
        for (coverage, dropped, mark) in [
            (0.8, 0.05, Mark::Good),
            (1.0, 0.0, Mark::Good),
            (0.8, 0.05_f64.next_up(), Mark::Low),
            (0.8, 0.10, Mark::Low),
            (0.8, 0.10_f64.next_up(), Mark::Artefacts),
            (0.8_f64.next_down(), 0.0, Mark::Gaps),
            (0.1, 0.5, Mark::Gaps),
            (f64::NAN, 0.0, Mark::Gaps),
            (0.9, f64::NAN, Mark::Artefacts),
        ] {
            assert_eq!(Mark::of(coverage, dropped), mark, "{coverage} {dropped}");
        }
        let valid = [Mark::Good, Mark::Low, Mark::Artefacts, Mark::Gaps].map(Mark::is_valid);
        assert_eq!(valid, [true, true, false, false]);
    }

    #[test]
    fn words_are_those_of_json() {
        for mark in [Mark::Good, Mark::Low, Mark::Artefacts, Mark::Gaps] {
            assert_eq!(serde_json::json!(mark), mark.word());
        }
        for contact in [Contact::Good, Contact::Poor] {
            assert_eq!(serde_json::json!(contact), contact.word());
        }
    }

    #[test]
    fn contact_steps_and_clocks_are_judged_at_their_edges() {
        assert_eq!(
            [0.1, 0.1001, f64::NAN].map(Contact::of),
            [Contact::Good, Contact::Poor, Contact::Poor]
        );
        assert!(!is_exertion(None, 150.0) && !is_exertion(Some(60.0), 80.0));
        assert!(is_exertion(Some(60.0), 80.5) && is_exertion(Some(90.0), 69.0));
        let judged = [2.0, -2.5, 30.0, -31.0, f64::NAN].map(Clock::of);
        assert_eq!(
            judged,
            [Clock::Sound, Clock::Marked, Clock::Marked, Clock::Refused, Clock::Refused]
        );
    }
}
