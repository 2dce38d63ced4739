//! How far an import is: a port, so that the work knows no terminal.

/// Hears how far the work is. Names files and counts, nothing of what they hold.
pub trait Progress: Send + Sync {
    /// A stretch of work begins: what it is, and how far it will go (0 if nobody knows).
    fn begin(&self, what: &str, total: u64);
    /// The stretch has come this far.
    fn advance(&self, position: u64);
    /// The stretch is done: what came of it.
    fn end(&self, result: &str);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self, _: &str) {}
}
