//! The program a hospital runs.

pub mod command;
pub mod config;
pub mod intake;
pub mod link;
pub mod measure;
pub mod office;
pub mod store;
