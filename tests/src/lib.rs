//! Rehearsals and whole-system tests of Tacit.

pub mod federation;
pub mod oracle;
pub mod pilot;
pub mod population;
pub mod process;
pub mod trial;
pub mod world;
