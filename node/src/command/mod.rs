//! The commands of `tacit-node`, one file each: arguments, what they do, what they print.

pub mod annotate;
pub mod approve;
pub mod batches;
pub mod check;
pub mod contests;
pub mod dpia;
pub mod eda;
pub mod hrv;
pub mod identities;
pub mod import;
pub mod init;
pub mod instrument;
pub mod learn;
pub mod ledger;
pub mod officer;
pub mod opening;
pub mod preview;
pub mod privacy;
pub mod profile;
mod recordings;
pub mod retain;
pub mod review;
pub mod run;
pub mod stream;
pub mod subject;
pub mod verify;
pub mod withdraw;
