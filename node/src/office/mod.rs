//! What the privacy officer decides, as pure functions: may we take part, and what would leave.

pub mod cells;
pub mod decision;
pub mod dpia;
pub mod evidence;
pub mod forecast;
pub mod page;
pub mod policy;
pub mod preview;
pub mod profile;
pub mod quality_page;
pub mod statement;

#[cfg(test)]
pub(crate) mod tests;
