//! The pure core of Tacit: what a hospital's node and the coordinator agree on, to the bit.
//!
//! No socket, clock, file, thread or source of randomness: they are arguments.
//!
//! The type one holds says what was done to the data. Each is made by one function, in the file of its
//! private field; on a hospital's side only the last has a wire form:
//!
//! ```text
//! FeatureRow ─► Contribution ─► SiteSum ─┐
//! summary       ‖x‖ ≤ C_int     exact    ├► Noised ─► Masked ═wire═► Aggregate     the certified survivors' sum
//! Ledger ──────────────► Charge ─────────┘  privacy    secagg         secagg
//!                        privacy: durable, both budgets
//! ```
//! So nothing leaves without clipping, budget, noise and mask: the program that would do it does not
//! compile. What compiles is the way through:
//!
//! ```
//! use tacit_shared::privacy::ledger::Charge;
//! use tacit_shared::privacy::release::{Noise, release};
//! use tacit_shared::secagg::mask::{MaskSeeds, Masked, mask};
//! use tacit_shared::study::{Study, layout::Layout};
//! use tacit_shared::summary::{contribution::Contribution, feature::{FeatureRow, Measured}, sum::SiteSum};
//! use tacit_shared::id::SiteIndex;
//!
//! fn way(study: &Study, layout: &Layout, site: SiteIndex, measured: &[Measured], paid: Charge,
//!        noise: Noise, seeds: MaskSeeds) -> Result<Masked, Box<dyn std::error::Error>> {
//!     let mut sum = SiteSum::new(layout.dimension(), 2000);
//!     for measured in measured {
//!         let row = FeatureRow::new(study.schema(), measured)?;
//!         sum = sum.add(&Contribution::of(layout, site, &row))?;
//!     }
//!     let (noised, _opening) = release(sum, paid, noise, [0; 32])?;
//!     Ok(mask(noised, seeds)?)
//! }
//! ```
//! The stages cannot be made by hand; [`privacy::release`] and [`secagg::mask`] show the other detours.
//!
//! ```compile_fail,E0451
//! # use tacit_shared::summary::feature::FeatureRow;
//! fn row() -> FeatureRow {
//!     FeatureRow { x: vec![1.0], y: 9e9, member: vec![], excluded: 0.0 } // not scaled, not bounded
//! }
//! ```
//! ```compile_fail,E0451
//! # use tacit_shared::summary::contribution::Contribution;
//! fn contribution() -> Contribution {
//!     Contribution { quanta: vec![i64::MAX] } // not clipped
//! }
//! ```
//! ```compile_fail,E0451
//! # use tacit_shared::summary::sum::SiteSum;
//! fn sum() -> SiteSum {
//!     SiteSum { sum: vec![1], rows: 1, cap: 1 } // of whom?
//! }
//! ```
//! ```compile_fail,E0451
//! # use tacit_shared::{id::Digest, secagg::open::Aggregate};
//! fn aggregate(round: Digest) -> Aggregate {
//!     Aggregate { sum: vec![1], survivors: Default::default(), round } // certified by nobody
//! }
//! ```
//! ```compile_fail,E0451
//! # use tacit_shared::secagg::open::Certificate;
//! fn certificate() -> Certificate {
//!     Certificate { survivors: Default::default() } // without a vote
//! }
//! ```
#![warn(clippy::arithmetic_side_effects)]

pub mod codec;
pub mod fault;
pub mod frame;
pub mod id;
pub mod money;
pub mod privacy;
pub mod protocol;
pub mod roster;
pub mod secagg;
pub mod study;
pub mod summary;
pub mod units;
