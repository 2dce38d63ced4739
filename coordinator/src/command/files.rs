//! Files that commands write: whole or not at all.
use std::path::Path;
use tacit_shared::fault::Fault;

/// Writes files into a folder, which is made if it is not there; returns their paths, a line each.
///
/// # Errors
/// As [`write`].
pub(super) fn write_all(out: &Path, files: &[(&str, String)]) -> Result<String, Fault> {
    std::fs::create_dir_all(out).map_err(|e| unwritten(out, &e))?;
    let mut written = Vec::new();
    for (name, text) in files {
        let path = out.join(name);
        write(&path, text)?;
        written.push(path.display().to_string());
    }
    Ok(written.join("\n"))
}

/// Writes beside and renames: a reader never sees half a file.
///
/// # Errors
/// An operator's fault naming the file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Fault> {
    tacit_link::files::write(path, text).map_err(|e| unwritten(path, &e))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Fault {
    Fault::operator(format!("cannot be written: {error}")).at(path.display().to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn files_are_whole_and_leave_no_drafts() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("a").join("b");
        let files = [("one.csv", "1\n".to_owned()), ("two.html", "2\n".to_owned())];
        assert_eq!(write_all(&out, &files).unwrap().lines().count(), 2);
        assert_eq!(std::fs::read_to_string(out.join("two.html")).unwrap(), "2\n");
        write(&out.join("one.csv"), "3\n").unwrap();
        assert_eq!(std::fs::read_to_string(out.join("one.csv")).unwrap(), "3\n");
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 2);
        std::fs::create_dir(out.join("three")).unwrap();
        std::fs::write(out.join("three").join("full"), "x").unwrap();
        let refused = write(&out.join("three"), "4").unwrap_err().to_string();
        assert!(refused.contains("cannot be written") && refused.contains("three"), "{refused}");
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 3);
    }
}
