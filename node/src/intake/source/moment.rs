//! Moments as texts write them.
//!
//! Only a text with a time of day and an offset from UTC is a moment; a bare date is none, and stays a
//! text for the mapping to judge.
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment and the offset it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Microseconds since 1970 UTC.
    pub(super) us: i64,
    /// Minutes east of UTC.
    pub(super) tz_min: i64,
}

/// Reads `2026-07-01T08:00:00+02:00` (RFC 3339); `None` for all else.
pub(super) fn rfc3339(text: &str) -> Option<Moment> {
    OffsetDateTime::parse(text, &Rfc3339).ok().and_then(of)
}

fn of(time: OffsetDateTime) -> Option<Moment> {
    let us = i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000)).ok()?;
    Some(Moment { us, tz_min: i64::from(time.offset().whole_minutes()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_needs_time_and_offset() {
        let at = |us, tz_min| Some(Moment { us, tz_min });
        assert_eq!(rfc3339("1970-01-01T00:00:01Z"), at(1_000_000, 0));
        assert_eq!(rfc3339("2015-01-17T16:00:00.25+10:00"), at(1_421_474_400_250_000, 600));
        assert_eq!(rfc3339("1969-12-31T23:59:59.9999999Z"), at(-1, 0));
        for text in ["2015-01-17", "2015", "2015-01-17T16:00:00", "2015-02-30T00:00:00Z", ""] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }
}
