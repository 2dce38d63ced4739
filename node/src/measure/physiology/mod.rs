//! Beat-to-beat recordings become numbers about five-minute windows.
//!
//! ```text
//! bytes ─► Recording ─► Window ─► TimeDomain ─► Summary
//!         (format)     (window)  (hrv)         (window)
//! ```
//! Beats stay in their file: only the numbers of windows become rows. [`file`] alone opens files; the
//! rest of the wing is pure. Heart rate variability is a number here and nothing more: what it may be
//! used for is the study's and the site's decision.
//!
//! Left to others: removing artefacts (a filter takes the beats of a window and yields fewer of them;
//! the pair rule of [`hrv`] then breaks the pairs by itself), frequency bands, other signals.

pub mod error;
pub mod file;
pub mod format;
pub mod hrv;
mod lines;
pub mod recording;
pub mod window;

pub use error::RecordingError;
pub use file::read;
pub use format::Format;
pub use recording::{Beat, Recording};
pub use window::{Summary, summarise};
