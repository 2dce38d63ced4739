//! From one clinician's measured values to a site's exact sum.
//!
//! [`feature`] scales a row by the study's public bounds, [`contribution`] turns it into integers of
//! bounded norm, [`sum`] adds those up. Nothing here has a wire form; the noise is `privacy`'s.

pub mod contribution;
pub mod feature;
pub mod sum;
