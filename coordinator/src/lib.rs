//! The convener's program.

pub mod allocation;
pub mod command;
pub mod conclusion;
pub mod config;
pub mod evaluation;
pub mod link;
pub mod model;
pub mod report;
pub mod store;
pub mod web;
