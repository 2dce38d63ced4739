//! The wire: listens for the sites of a roster and drives the protocol's pure half.

pub mod net;
pub mod session;
pub mod workers;
