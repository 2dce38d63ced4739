//! Files that are there whole or not at all.
use std::path::Path;

/// Writes beside and renames: a reader never sees half a file.
///
/// # Errors
/// The first error of the file system; nothing is left behind.
pub fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_added_extension(format!("{}.part", std::process::id()));
    let written = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, path));
    written.inspect_err(|_| {
        let _ = std::fs::remove_file(&draft); // the first error is the one to tell
    })
}
