//! Which window belongs to which encounter, and what an encounter comes to.
//!
//! A window belongs to the encounter that covers at least half of it. One that two encounters reach
//! into belongs to neither, however little of it is the second's: it is about two people. An encounter's
//! value is the median of its valid windows, and needs one of five minutes or three of one.
//!
//! Times are of one clock, corrected before; whether a device's can be corrected says
//! [`super::quality::Clock`].
use super::running::median_of;
use super::window::Length;

/// From when to when, µs since 1970 UTC; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First microsecond.
    pub start_us: i64,
    /// The one after the last.
    pub end_us: i64,
}

impl Span {
    fn length_us(self) -> i128 {
        (i128::from(self.end_us) - i128::from(self.start_us)).max(0)
    }

    fn shared_us(self, other: Span) -> i128 {
        let start_us = self.start_us.max(other.start_us);
        Span { start_us, end_us: self.end_us.min(other.end_us) }.length_us()
    }
}

/// For each window the place of its encounter in `encounters`, if it belongs to one.
///
/// The order of both is free. Windows and encounters without length belong to nothing. Time: that of
/// sorting, and of the encounters that go on at once.
pub fn owners(windows: &[Span], encounters: &[Span]) -> Vec<Option<usize>> {
    let by_start = |spans: &[Span]| {
        let lasting = spans.iter().copied().enumerate().filter(|(_, span)| span.length_us() > 0);
        let mut order: Vec<(usize, Span)> = lasting.collect();
        order.sort_by_key(|(_, span)| span.start_us);
        order
    };
    let mut owners = vec![None; windows.len()];
    let mut coming = by_start(encounters).into_iter().peekable();
    let mut open: Vec<(usize, Span)> = Vec::new();
    for (place, window) in by_start(windows) {
        // What ended before this window ended before all later ones.
        open.retain(|(_, encounter)| encounter.end_us > window.start_us);
        while let Some(next) = coming.next_if(|(_, next)| next.start_us < window.end_us) {
            if next.1.end_us > window.start_us {
                open.push(next);
            }
        }
        let mut within = open.iter().filter(|(_, encounter)| encounter.shared_us(window) > 0);
        if let (Some((index, encounter)), None) = (within.next(), within.next())
            && encounter.shared_us(window) * 2 >= window.length_us()
            && let Some(owner) = owners.get_mut(place)
        {
            *owner = Some(*index);
        }
    }
    owners
}

/// The value of an encounter from those of its valid windows, all of one length; `None` if they are too
/// few. Values that are no numbers are left out.
pub fn value(length: Length, values: &[f64]) -> Option<f64> {
    let least = match length {
        Length::Minute => 3,
        Length::FiveMinutes => 1,
    };
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if values.len() < least { None } else { median_of(values) }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans(spans: &[(i64, i64)]) -> Vec<Span> {
        spans.iter().map(|&(start_us, end_us)| Span { start_us, end_us }).collect()
    }

    #[test]
    fn a_window_belongs_to_the_encounter_that_covers_half_of_it() {
        let windows = spans(&[(0, 60), (60, 120), (120, 180), (180, 240), (240, 300)]);
        let encounters = spans(&[(90, 200)]);
        assert_eq!(owners(&windows, &encounters), [None, Some(0), Some(0), None, None]);
        assert_eq!(owners(&windows, &spans(&[(91, 200)])), [None, None, Some(0), None, None]);
    }

    #[test]
    fn a_window_that_two_encounters_reach_into_belongs_to_neither() {
        let windows = spans(&[(0, 60), (60, 120), (120, 180)]);
        let encounters = spans(&[(61, 400), (0, 61)]);
        assert_eq!(owners(&windows, &encounters), [Some(1), None, Some(0)]);
        let touching = spans(&[(60, 400), (0, 60)]);
        assert_eq!(owners(&windows, &touching), [Some(1), Some(0), Some(0)]);
        let twice = spans(&[(0, 180), (0, 180)]);
        assert_eq!(owners(&windows, &twice), [None, None, None]);
    }

    #[test]
    fn what_has_no_length_belongs_to_nothing() {
        let windows = spans(&[(0, 60), (30, 30), (70, 60)]);
        assert_eq!(
            owners(&windows, &spans(&[(0, 100), (10, 10), (50, 20)])),
            [Some(0), None, None]
        );
        assert_eq!(owners(&windows, &[]), [None, None, None]);
        assert_eq!(owners(&[], &windows), []);
        let whole = spans(&[(i64::MIN, i64::MAX)]);
        assert_eq!(owners(&whole, &whole), [Some(0)]);
    }

    #[test]
    fn an_encounter_needs_one_window_of_five_minutes_or_three_of_one() {
        assert_eq!(value(Length::FiveMinutes, &[]), None);
        assert_eq!(value(Length::FiveMinutes, &[70.0]), Some(70.0));
        assert_eq!(value(Length::Minute, &[70.0, 80.0]), None);
        assert_eq!(value(Length::Minute, &[70.0, 80.0, f64::NAN]), None);
        assert_eq!(value(Length::Minute, &[90.0, 70.0, 80.0]), Some(80.0));
    }

    fn any_spans() -> impl Strategy<Value = Vec<Span>> {
        let span = (0_i64..300, -5_i64..80);
        proptest::collection::vec(span, 0..25).prop_map(|all| {
            all.into_iter()
                .map(|(start_us, length)| Span { start_us, end_us: start_us + length })
                .collect()
        })
    }

    /// By trying every pair.
    fn direct(window: Span, encounters: &[Span]) -> Option<usize> {
        let within: Vec<usize> =
            (0..encounters.len()).filter(|&i| encounters[i].shared_us(window) > 0).collect();
        let [only] = within.as_slice() else { return None };
        (encounters[*only].shared_us(window) * 2 >= window.length_us()).then_some(*only)
    }

    proptest! {
        #[test]
        fn sweeping_equals_trying_every_pair_in_any_order(
            windows in any_spans(),
            encounters in any_spans(),
            turn in 0_usize..25,
        ) {
            let found = owners(&windows, &encounters);
            for (window, owner) in windows.iter().zip(&found) {
                prop_assert_eq!(*owner, direct(*window, &encounters));
            }
            if !windows.is_empty() {
                let turn = turn % windows.len();
                let mut turned = windows.clone();
                turned.rotate_left(turn);
                let mut expected = found;
                expected.rotate_left(turn);
                prop_assert_eq!(owners(&turned, &encounters), expected);
            }
        }
    }
}
