//! The files of an input: itself, or those of a folder, in the order of their names.
//!
//! Bounded: 100,000 files, folders four deep. Names that begin with a dot are left out.
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ring::digest;
use tacit_shared::fault::Fault;

use super::FILE_BYTES_MAX;

/// Most files a folder may have.
const FILES_MAX: usize = 100_000;
/// How deep folders may lie in one another.
const DEPTH_MAX: usize = 4;

/// What was read once, for its digest.
pub(in crate::intake) struct Seen {
    pub(in crate::intake) sha256: [u8; 32],
    pub(in crate::intake) bytes: u64,
}

/// Reads a file, or every file of a folder, for its digest. That of a folder covers the names too.
pub(in crate::intake) fn see(path: &Path) -> Result<Seen, Fault> {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut bytes = 0;
    if path.is_dir() {
        for file in list(path, |_| true)? {
            let name = file.strip_prefix(path).unwrap_or(&file).display().to_string();
            context.update(&(name.len() as u64).to_le_bytes());
            context.update(name.as_bytes());
            let length = std::fs::metadata(&file).map_err(|e| unreadable(&e, &file))?.len();
            context.update(&length.to_le_bytes());
            bytes = feed(&mut context, &file, bytes)?;
        }
    } else {
        bytes = feed(&mut context, path, bytes)?;
    }
    let mut sha256 = [0; 32];
    for (to, from) in sha256.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    Ok(Seen { sha256, bytes })
}

/// The files below a folder whose lower-case names are wanted, sorted.
pub(in crate::intake) fn list(
    dir: &Path,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    let mut folders = vec![(dir.to_owned(), 1)];
    let mut met = 0;
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| unreadable(&e, &folder))? {
            let path = entry.map_err(|e| unreadable(&e, &folder))?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            met += 1;
            if met > FILES_MAX {
                let message = format!("the folder has more than {FILES_MAX} files");
                return Err(Fault::user(message).at(dir.display().to_string()));
            }
            if name.is_empty() || name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                if depth >= DEPTH_MAX {
                    let message = format!("folders lie more than {DEPTH_MAX} deep in one another");
                    return Err(Fault::user(message).at(path.display().to_string()));
                }
                folders.push((path, depth + 1));
            } else if wanted(&name.to_ascii_lowercase()) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The fault of a file that cannot be read.
pub(in crate::intake) fn unreadable(error: &io::Error, path: &Path) -> Fault {
    Fault::user(format!("the file cannot be read: {error}")).at(path.display().to_string())
}

fn feed(context: &mut digest::Context, path: &Path, before: u64) -> Result<u64, Fault> {
    let mut file = File::open(path).map_err(|e| unreadable(&e, path))?;
    let length = file.metadata().map_err(|e| unreadable(&e, path))?.len();
    if length > FILE_BYTES_MAX.saturating_sub(before) {
        let message = if before == 0 {
            format!("the file has {length} bytes; expected at most {FILE_BYTES_MAX}")
        } else {
            format!("the folder has more than {FILE_BYTES_MAX} bytes")
        };
        return Err(Fault::user(message).at(path.display().to_string()));
    }
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = before;
    loop {
        let count = file.read(&mut buffer).map_err(|e| unreadable(&e, path))?;
        if count == 0 {
            return Ok(bytes);
        }
        context.update(buffer.get(..count).unwrap_or_default());
        bytes += count as u64;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_seen_with_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(dir.path().join(name), "x").unwrap();
        std::fs::create_dir(dir.path().join("s")).unwrap();
        for name in ["b.csv", "a.csv", ".hidden", "s/C.CSV", "s/d.txt"] {
            write(name);
        }
        let found = list(dir.path(), |name| name.rsplit('.').next() == Some("csv")).unwrap();
        let names: Vec<_> = found.iter().map(|p| p.strip_prefix(dir.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("a.csv"), Path::new("b.csv"), Path::new("s/C.CSV")]);
        let before = see(dir.path()).unwrap();
        assert_eq!(before.bytes, 4);
        std::fs::rename(dir.path().join("a.csv"), dir.path().join("aa.csv")).unwrap();
        assert_ne!(see(dir.path()).unwrap().sha256, before.sha256);
    }

    #[test]
    fn folders_too_deep_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("1/2/3/4/5")).unwrap();
        let fault = list(dir.path(), |_| true).unwrap_err();
        assert_eq!(fault.message, "folders lie more than 4 deep in one another");
    }
}
