//! Noise, what it costs, and the ledger that is charged before anything leaves.
//!
//! [`sampler`] draws exact discrete Gaussians, [`mechanism`] says how wide each site's must be,
//! [`accountant`] what a release costs, [`plan`] puts a study and a roster into those numbers,
//! [`ledger`] keeps the spending, and [`release`] is the one way from an exact sum to a noisy one.

pub mod accountant;
pub mod ledger;
pub mod mechanism;
pub mod opened;
pub mod plan;
pub mod release;
pub mod sampler;
