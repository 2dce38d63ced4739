//! What one release says, and what the next one takes over from it: the same numbers for every party.
//!
//! ```text
//! Aggregate ─► moments ─► gram ─► linear, filter     (the coordinator goes on to intervals, fairness, money)
//!                          └────► warm               W, b₀, caps and the direction of the next period
//! Study ─► planning                                  what a release will be able to say, before anyone pays
//! ```
//! Apart from `tacit-shared`, whose sums it reads, because a hospital computes it too: before it takes part
//! in a later period its node derives the public frame from the signed results it holds itself and refuses
//! a study that states another; and before it agrees to any study, it forecasts as the coordinator does. Pure:
//! no clock, no file, no randomness.

mod error;
pub mod filter;
pub mod gram;
mod later;
pub mod linear;
pub mod moments;
pub mod planning;
pub mod sane;
pub mod solve;
pub mod warm;
pub mod whitening;

pub use error::ModelError;
