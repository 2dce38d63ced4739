//! The hospital's own `PostgreSQL`: the mapping runs there, and only the rows it yields travel.
//!
//! ```text
//! section ─► in PostgreSQL's words ─► cursor, a page at a time ─► staged rows ─► the checks that files have
//!             dialect                  pull: READ ONLY, one snapshot
//! ```
//! The database is never written to: every statement stands in one read-only transaction, which sees one
//! state of all tables. Memory holds one page of rows. A password comes from where `PostgreSQL`'s own
//! programs take it, never from the command line.
mod address;
mod dialect;
mod pull;
mod session;

pub use address::Database;
pub(in crate::intake) use pull::{Pulled, pull};
