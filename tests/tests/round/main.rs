//! Rounds of real sites and a real host in one thread: what opens, what is refused, what is charged.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod announcement;
mod attacks;
mod golden;
mod honest;
mod hosts;
mod ledgers;
mod machine;
mod prints;
mod puppet;
mod receipts;
mod refusals;
mod replays;
mod restart;
mod rounds;
