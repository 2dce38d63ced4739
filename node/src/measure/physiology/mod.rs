//! Recordings become numbers about windows of five minutes, or one.
//!
//! ```text
//! bytes ─► Recording ─► Window ─► Filtered ─► TimeDomain, Gated ─► Mark ─► Summary
//!         (format)     (window)  (filter,    (hrv, spectrum)      (quality) (window)
//!                                 lipponen)
//! bytes ─► Signal ─► Conductance                  values ─► z (baseline), per encounter (encounter)
//!         (signal)  (conductance)
//! ```
//! Samples stay in their file: only the numbers of windows become rows. [`file`] alone opens files; the
//! rest of the wing is pure. Heart rate variability and skin conductance are numbers here and nothing
//! more: what they may be used for is the study's and the site's decision.

pub mod baseline;
pub mod conductance;
pub mod encounter;
pub mod error;
pub mod file;
pub mod filter;
pub mod format;
pub mod hrv;
mod lines;
pub mod lipponen;
pub mod movement;
pub mod personal;
pub mod quality;
pub mod recording;
mod running;
pub mod signal;
pub mod spectrum;
pub mod utc;
pub mod window;

pub use error::RecordingError;
pub use file::{read, read_signal};
pub use filter::Filter;
pub use format::Format;
pub use recording::{Beat, Recording};
pub use signal::Signal;
pub use window::{Summary, summarise};
