//! The days that a study looks at.

/// From a time up to, not including, another; microseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first microsecond.
    pub from_us: i64,
    /// The microsecond after the last.
    pub to_us: i64,
}

impl Span {
    /// Whether a time lies in it.
    pub(crate) fn has(&self, at_us: i64) -> bool {
        (self.from_us..self.to_us).contains(&at_us)
    }
}
