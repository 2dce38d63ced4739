//! Bad input through the real programs: the exit code, what was wrong, where, and what to do; and
//! nothing half-written.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#[path = "bad_input/bench.rs"]
mod bench;
#[path = "bad_input/files.rs"]
mod files;
#[path = "bad_input/rounds.rs"]
mod rounds;
