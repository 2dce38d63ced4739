//! Files that only their owner can read: keys, secrets, pages and sums of this hospital alone.
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Writes a file that nobody else of this machine reads. One that is there already is never written over, and what stands
/// half written is taken away again.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut how = OpenOptions::new();
    how.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
    let mut file = how.open(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = std::fs::remove_file(path); // the first error is the one to tell
    })
}
