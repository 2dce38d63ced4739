//! The commands of `tacit-coordinator`, one file each: arguments, what they do, what they print.

pub mod allocate;
pub mod evaluate;
mod files;
pub mod fit;
pub mod held;
pub mod init;
pub mod next;
pub mod plan;
pub mod report;
pub mod roster;
pub mod run;
pub mod serve;
pub mod verify;
