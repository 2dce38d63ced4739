//! The protocol of one round, as two pure machines with one verb.
//!
//! ```text
//! M0 announce → M1 advertise → M2 directory → M3 shares → M4 delivery → M5 masked input
//!    → M6 survivors → M7 vote → M8 certificate → M9 unmask → M10 result
//! ```
//! [`site`] is a hospital's half, [`host`] the coordinator's; [`message`] is what passes between
//! them, [`error`] why one of them refuses, [`transcript`] what the host keeps for an auditor,
//! [`replay`] what the auditor does with it, [`receipt`] what the host shows a site of its own earlier
//! answers. Sockets and disks belong to the programs that drive the machines.

pub mod config;
pub mod error;
pub mod host;
pub mod message;
pub mod receipt;
pub mod replay;
pub mod set;
pub mod site;
pub mod transcript;
