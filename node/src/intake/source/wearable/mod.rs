//! Numbers that wearables export, in one shape: what was measured, when, the value, its unit.
//!
//! | column | |
//! |---|---|
//! | `kind` | `heart_rate` (`/min`), `rr_interval` (`ms`), `rmssd` (`ms`) |
//! | `time` | the time as the file has it; of Fitbit without offset from UTC |
//! | `start_us`, `end_us`, `tz_min` | the same as moments, where the file tells them |
//! | `value`, `unit` | |
//! | `statistic` | of a summary: `average`, `minimum`, … |
//! | `coverage`, `confidence` | as Fitbit gives them |
//!
//! Names of devices and of apps never land: people name them after themselves.
pub(super) mod apple;
mod elements;
pub(super) mod fitbit;
pub(super) mod garmin;
pub mod numbers;
pub(super) mod openmhealth;

use super::{RawTable, Step, raw_table, real, text, whole};

/// One number.
#[derive(Default)]
struct Sample {
    kind: &'static str,
    time: Option<String>,
    start_us: Option<i64>,
    end_us: Option<i64>,
    tz_min: Option<i64>,
    value: f64,
    unit: &'static str,
    statistic: Option<String>,
    coverage: Option<f64>,
    confidence: Option<i64>,
}

impl Sample {
    fn land(self, line: u64, out: &mut Step) {
        let row = [
            text(Some(self.kind)),
            text(self.time),
            whole(self.start_us),
            whole(self.end_us),
            whole(self.tz_min),
            real(Some(self.value)),
            text(Some(self.unit)),
            text(self.statistic),
            real(self.coverage),
            whole(self.confidence),
        ];
        out.row(0, line, row);
    }
}

/// The raw table of an input.
fn table(name: &str) -> RawTable {
    let columns = [
        ("kind", "TEXT"),
        ("time", "TEXT"),
        ("start_us", "INTEGER"),
        ("end_us", "INTEGER"),
        ("tz_min", "INTEGER"),
        ("value", "REAL"),
        ("unit", "TEXT"),
        ("statistic", "TEXT"),
        ("coverage", "REAL"),
        ("confidence", "INTEGER"),
    ];
    raw_table(format!("raw_{name}"), &columns)
}
