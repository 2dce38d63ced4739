//! The wire: dials the coordinator and drives the protocol's pure half.

pub mod net;
pub mod session;
