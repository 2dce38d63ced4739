//! When an export was made: `transactionTime` of the manifest that a bulk export ends with (HL7 FHIR Bulk Data Access).
//!
//! The server's own word on the export as a whole: no resource of it was changed later. It follows from no patient's
//! data, so what is known of one patient does not hang on another.
use super::super::files::unreadable;
use super::super::{Cell, RawTable, raw_table, text, whole};
use super::shape::at;
use serde::Deserialize;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use tacit_shared::fault::Fault;

/// Its name in the folder.
const FILE: &str = "manifest.json";
/// A manifest is larger than this only by mistake: it lists files.
const BYTES_MAX: u64 = 16 << 20;

/// Whatever the folder says of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Export {
    /// There is no manifest.
    Silent,
    /// There is one that does not say when.
    Unknown,
    /// The time as it is written.
    At(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    transaction_time: Option<String>,
}

/// One row, if it is known; else none.
pub(super) fn table() -> RawTable {
    raw_table("raw_export", &[("at", "TEXT"), ("at_us", "INTEGER")])
}

/// Reads the manifest of a folder.
///
/// # Errors
/// A user's fault if it is there and cannot be read.
pub(super) fn of_folder(dir: &Path) -> Result<Export, Fault> {
    let path = dir.join(FILE);
    if !path.is_file() {
        return Ok(Export::Silent);
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(|e| unreadable(&e, &path))?;
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(|e| unreadable(&e, &path))?;
    let manifest: Option<Manifest> = serde_json::from_slice(&bytes).ok();
    let time = manifest.and_then(|manifest| manifest.transaction_time);
    // A day without a time, or a time without its offset, is not one moment.
    Ok(match time.filter(|time| at(Some(time)).is_some()) {
        Some(time) => Export::At(time),
        None => Export::Unknown,
    })
}

impl Export {
    /// The cells of its row.
    pub(super) fn row(&self) -> Option<[Cell; 2]> {
        match self {
            Export::At(time) => {
                Some([text(Some(time.as_str())), whole(at(Some(time)).map(|m| m.us))])
            }
            Export::Silent | Export::Unknown => None,
        }
    }

    /// What the steward should know.
    pub(super) fn note(&self) -> Option<String> {
        (*self == Export::Unknown).then(|| {
            format!("{FILE} has no `transactionTime` with a time and an offset from UTC: when the export was made is not known")
        })
    }
}
