//! The real programs as child processes over loopback: what the operator's page says, and rounds that
//! lose sites or their coordinator.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#[path = "end_to_end/losses.rs"]
mod losses;
#[path = "end_to_end/page.rs"]
mod page;
#[path = "end_to_end/restart.rs"]
mod restart;
