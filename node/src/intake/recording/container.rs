//! What a recording lies in: a plain file, an Empatica E4 folder or `.zip`, a Garmin FIT file.
//!
//! A zip is read in place, without a file being unpacked to the disk; members are found by name, and each
//! is bounded while it is unpacked, whatever its header claims. Encrypted zips are refused.
use super::fit;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Largest member of a zip, unpacked.
pub const MEMBER_BYTES_MAX: u64 = 256 << 20;
/// Most members of a zip.
const MEMBERS_MAX: usize = 1_000;
/// Longest path of a member.
const NAME_BYTES_MAX: usize = 512;

/// A recording, opened as far as its container goes.
#[derive(Debug)]
pub enum Opened {
    /// A file in a format of its own.
    File(PathBuf),
    /// The text of an Empatica `IBI.csv`.
    E4(Vec<u8>),
    /// Beats, from a container that holds them as numbers.
    Beats(Beats),
}

/// Heart beats.
#[derive(Clone, PartialEq)]
pub struct Beats {
    /// When the recording starts, seconds since 1970 UTC, if the file tells.
    pub started_unix_s: Option<f64>,
    /// For each beat: its end in seconds from the start, and its interval in ms.
    pub beats: Vec<(f64, f64)>,
}

impl std::fmt::Debug for Beats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Beats({})", self.beats.len())
    }
}

/// Opens a recording. A folder or zip must hold an Empatica session.
///
/// # Errors
/// Why it cannot be read, in words that quote nothing of it.
pub fn open(path: &Path) -> Result<Opened, String> {
    if path.is_dir() {
        return match find(path, "IBI.csv") {
            Some(file) => Ok(Opened::File(file)),
            None => Err("the folder has no IBI.csv".to_owned()),
        };
    }
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "zip" => {
            let mut zip = Zip::open(path)?;
            let text = zip.member("IBI.csv", |reader| {
                let mut text = Vec::new();
                reader.read_to_end(&mut text).map(|_| text).map_err(|e| unpacked(&e))
            });
            text?.map_or_else(
                || Err("the zip has no IBI.csv".to_owned()),
                |text| Ok(Opened::E4(text)),
            )
        }
        "fit" => fit::beats(BufReader::new(File::open(path).map_err(|e| unreadable(&e))?))
            .map(Opened::Beats),
        _ => Ok(Opened::File(path.to_owned())),
    }
}

/// Files by their names, in a folder or a zip.
pub(in crate::intake) enum Files {
    Folder(PathBuf),
    Zip(Box<Zip>),
}

impl Files {
    pub(in crate::intake) fn open(path: &Path) -> Result<Self, String> {
        if path.is_dir() {
            Ok(Files::Folder(path.to_owned()))
        } else {
            Zip::open(path).map(|zip| Files::Zip(Box::new(zip)))
        }
    }

    /// Reads the file of that name, whatever its case; `None` if there is none.
    pub(in crate::intake) fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut dyn Read) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        match self {
            Files::Folder(folder) => {
                let Some(path) = find(folder, name) else { return Ok(None) };
                let file = File::open(path).map_err(|e| unreadable(&e))?;
                read(&mut file.take(MEMBER_BYTES_MAX)).map(Some)
            }
            Files::Zip(zip) => zip.member(name, read),
        }
    }
}

/// An open zip.
pub(in crate::intake) struct Zip {
    archive: ZipArchive<BufReader<File>>,
}

impl Zip {
    fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| unreadable(&e))?;
        let archive =
            ZipArchive::new(BufReader::new(file)).map_err(|_| "not a sound zip".to_owned())?;
        if archive.len() > MEMBERS_MAX {
            return Err(format!("the zip has more than {MEMBERS_MAX} files"));
        }
        Ok(Self { archive })
    }

    /// Reads the member of that name, at the top or in a folder. Two of them are two sessions.
    fn member<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut dyn Read) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let mut found = Vec::new();
        for index in 0..self.archive.len() {
            let entry = self.archive.name_for_index(index).and_then(Result::ok).unwrap_or_default();
            let last = entry.rsplit(['/', '\\']).next().unwrap_or_default();
            // A Mac's archive holds a shadow of each file.
            let shadow = entry.starts_with("__MACOSX/") || last.starts_with("._");
            if entry.len() <= NAME_BYTES_MAX && !shadow && last.eq_ignore_ascii_case(name) {
                found.push(index);
            }
        }
        let index = match found.as_slice() {
            [] => return Ok(None),
            [index] => *index,
            _ => return Err(format!("the zip has several files {name}: expected one session")),
        };
        let member = self.archive.by_index(index).map_err(|error| match error {
            zip::result::ZipError::UnsupportedArchive(_) => {
                "the zip is encrypted, or packed otherwise than by deflate".to_owned()
            }
            _ => "not a sound zip".to_owned(),
        })?;
        if member.size() > MEMBER_BYTES_MAX {
            return Err(format!("{name} has more than {MEMBER_BYTES_MAX} bytes"));
        }
        let mut bounded = Bounded { inner: member, left: MEMBER_BYTES_MAX };
        read(&mut bounded).map(Some)
    }
}

/// Fails once more was unpacked than may be.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(count)
    }
}

/// The file of that name in a folder, whatever its case.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(folder).ok()?;
    let is = |path: &PathBuf| {
        path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.eq_ignore_ascii_case(name))
    };
    entries.find_map(|entry| entry.ok().map(|e| e.path()).filter(|p| is(p) && p.is_file()))
}

pub(super) fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {}", error.kind())
}

pub(super) fn unpacked(error: &io::Error) -> String {
    format!("cannot be unpacked: {}", error.kind())
}
