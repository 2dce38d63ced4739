//! Opens a recording: the one place of this wing that touches the file system.
use std::fs::File;
use std::io;
use std::path::Path;

use super::error::RecordingError;
use super::format::{Format, parse};
use super::lines::MAX_BYTES;
use super::recording::Recording;
use super::signal::{self, Signal};

/// Reads the recording at `path`; its format is found out if none is given.
///
/// # Errors
/// [`RecordingError`]; nothing of the file is kept.
pub fn read(path: &Path, format: Option<Format>) -> Result<Recording, RecordingError> {
    parse(open(path)?, format)
}

/// Reads the skin conductance at `path`, in the layout of Empatica's `EDA.csv`.
///
/// # Errors
/// [`RecordingError`]; nothing of the file is kept.
pub fn read_signal(path: &Path) -> Result<Signal, RecordingError> {
    signal::parse(open(path)?)
}

fn open(path: &Path) -> Result<File, RecordingError> {
    let unreadable = |error: io::Error| RecordingError::Unreadable { kind: error.kind() };
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if about.is_dir() {
        return Err(RecordingError::Unreadable { kind: io::ErrorKind::IsADirectory });
    }
    if about.len() > MAX_BYTES {
        return Err(RecordingError::TooLarge);
    }
    Ok(file)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_and_a_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = |path: &Path| read(path, None).unwrap_err().to_string();
        assert_eq!(
            refusal(&folder.path().join("absent.csv")),
            "the recording cannot be read: entity not found"
        );
        assert_eq!(refusal(folder.path()), "the recording cannot be read: is a directory");
    }

    #[test]
    fn a_file_above_the_limit_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.txt");
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert_eq!(read(&path, None).unwrap_err(), RecordingError::TooLarge, "a sparse file");
        assert_eq!(read_signal(&path).unwrap_err(), RecordingError::TooLarge, "a sparse file");
    }
}
