//! Large files in bounded memory: rows are decoded ahead of the one writer, and the database keeps to a share.
//!
//! ```text
//! decoder 1: row group 1, 4, … ─┐
//! decoder 2: row group 2, 5, … ─┼─► bounded, in order ─► one writer
//! decoder 3: row group 3, 6, … ─┘
//! ```
//! A file of encounters in canonical columns can stay where it is: `note` checks it once, `scan` reads it for each study.
//!
//! What the rows are is [`super::source`]'s work; how many of them wait is said here.
pub(super) mod ahead;
pub(crate) mod check;
pub(crate) mod file;
pub(super) mod memory;
pub mod note;
pub(crate) mod scan;
pub(crate) mod spill;
mod value;

pub use memory::Memory;

/// Does long work without keeping other tasks from theirs.
pub(crate) fn beside<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let many = |handle: Handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread;
    if Handle::try_current().is_ok_and(many) { tokio::task::block_in_place(work) } else { work() }
}
