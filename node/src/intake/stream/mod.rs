//! Large files in bounded memory: rows are decoded ahead of the one writer, and the database keeps to a share.
//!
//! ```text
//! decoder 1: row group 1, 4, … ─┐
//! decoder 2: row group 2, 5, … ─┼─► bounded, in order ─► one writer
//! decoder 3: row group 3, 6, … ─┘
//! ```
//! What the rows are is [`super::source`]'s work; how many of them wait is said here.
pub(super) mod ahead;
pub(super) mod memory;

pub use memory::Memory;
