//! The wire: dials the coordinator and drives the protocol's pure half.

pub(crate) mod enrolled;
mod hold;
pub mod net;
pub mod session;
