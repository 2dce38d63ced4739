//! What the privacy officer decides, as pure functions: may we take part, and what would leave.

pub mod policy;
pub mod statement;
