//! Tables, answers and heart beats become numbers: the rows a study is computed from.
//!
//! [`physiology`] turns a recording into window features, [`instrument`] answers into scores, [`composite`]
//! several readings into one score, and [`feature`] a node's tables into one row a clinician. What arithmetic
//! needs of the database is read by [`crate::store::panel`]; what may leave is decided in the shared pipeline.

pub mod composite;
pub mod feature;
pub mod instrument;
pub mod physiology;
pub mod standing;
