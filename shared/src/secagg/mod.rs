//! Secure aggregation: Bonawitz et al. 2017, variant against an active coordinator, complete graph.
//!
//! [`key`] derives and signs, [`pad`] expands masks, [`share`] splits the secrets that restore them,
//! [`mask`] hides one site's release, [`open`] opens the sum of certified survivors and nothing else, [`work`] lends
//! it a program's threads.
//! Who sends what when is [`crate::protocol`]'s work.

pub mod key;
pub mod mask;
pub mod open;
pub mod pad;
pub mod share;
pub mod work;
