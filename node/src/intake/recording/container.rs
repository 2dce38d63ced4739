//! What a recording lies in: a plain file, an Empatica E4 folder or `.zip`, a file of a wearable.
//!
//! A zip is read in place, without a file being unpacked to the disk; members are found by name, and each
//! is bounded while it is unpacked, whatever its header claims. Encrypted zips are refused. Of a folder or zip in
//! which several sessions were joined, `NAME#2` is the second.
use super::e4::{self, Part, Session};
use super::fit;
use crate::intake::source::wearable::numbers::{self, Numbers};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Largest file of a session, unpacked.
pub const MEMBER_BYTES_MAX: u64 = 256 << 20;
/// Most members of a zip.
const MEMBERS_MAX: usize = 1_000;
/// Longest path of a member.
const NAME_BYTES_MAX: usize = 512;
/// What stands before beats whose header is missing. They do not tell when they began.
const NO_START: &[u8] = b"0, IBI\n";

/// A recording, opened as far as its container goes.
#[derive(Debug)]
pub enum Opened {
    /// A file in a format of its own.
    File(PathBuf),
    /// Sessions of an Empatica E4.
    E4(Box<E4>),
    /// Numbers, from a file that holds them as such.
    Numbers(Numbers),
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

/// The sessions of an Empatica folder, zip or `IBI.csv`.
pub struct E4 {
    files: Files,
    sessions: Vec<Session>,
}

impl std::fmt::Debug for E4 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "E4({} sessions)", self.sessions.len())
    }
}

impl E4 {
    /// The sessions, by their start; those that do not tell it come last.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// Reads a session's stretch of a file, as if it stood alone; `None` if it has none.
    ///
    /// # Errors
    /// Why it cannot be read, and what `read` says.
    pub fn read<T>(
        &mut self,
        session: usize,
        name: &str,
        read: impl FnOnce(&mut dyn Read) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let Some(part) = self.sessions.get(session).and_then(|s| s.part(name)) else {
            return Ok(None);
        };
        let Part { bytes, start_s, .. } = part.clone();
        self.files.read(name, |reader| {
            let skipped = io::copy(&mut reader.take(bytes.start), &mut io::sink());
            skipped.map_err(|e| unpacked(&e))?;
            let mut own = reader.take(bytes.end.saturating_sub(bytes.start));
            match start_s {
                Some(_) => read(&mut own),
                None => read(&mut NO_START.chain(own)),
            }
        })
    }
}

/// Opens a recording. A folder or zip must hold an Empatica session.
///
/// # Errors
/// Why it cannot be read, in words that quote nothing of it.
pub fn open(path: &Path) -> Result<Opened, String> {
    let (path, session) = numbered(path);
    let path = path.as_path();
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let files = match extension.to_ascii_lowercase().as_str() {
        _ if path.is_dir() => Files::Folder(path.to_owned()),
        "zip" => Files::Zip(Box::new(Zip::open(path)?)),
        "fit" => {
            let file = BufReader::new(File::open(path).map_err(|e| unreadable(&e))?);
            return fit::numbers(file).map(Opened::Numbers);
        }
        _ if name.eq_ignore_ascii_case(e4::BEATS) => Files::One(e4::BEATS, path.to_owned()),
        _ => {
            return match numbers::kind(path).map_err(|e| unreadable(&e))? {
                Some(kind) => numbers::read(path, kind).map(Opened::Numbers),
                None => Ok(Opened::File(path.to_owned())),
            };
        }
    };
    let mut files = files;
    let mut sessions = e4::used(&mut files)?;
    if let Some(number) = session {
        let all = sessions.len();
        sessions = sessions.into_iter().skip(number - 1).take(1).collect();
        if sessions.is_empty() {
            return Err(format!("the recording has {all} sessions; none has that number"));
        }
    }
    Ok(Opened::E4(Box::new(E4 { files, sessions })))
}

/// The path, and which session of it is meant: `A01.zip#2` is the second of `A01.zip`.
fn numbered(path: &Path) -> (PathBuf, Option<usize>) {
    let whole = || (path.to_owned(), None);
    if path.exists() {
        return whole();
    }
    let Some((before, number)) = path.to_str().and_then(|text| text.rsplit_once('#')) else {
        return whole();
    };
    match number.parse() {
        Ok(number @ 1..) => (PathBuf::from(before), Some(number)),
        _ => whole(),
    }
}

/// Files by their names, in a folder or a zip.
pub(in crate::intake) enum Files {
    Folder(PathBuf),
    Zip(Box<Zip>),
    /// A file of that name, alone.
    One(&'static str, PathBuf),
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
                read(&mut bounded(&path, name)?).map(Some)
            }
            Files::One(own, path) if *own == name => read(&mut bounded(path, name)?).map(Some),
            Files::One(..) => Ok(None),
            Files::Zip(zip) => zip.member(name, read),
        }
    }
}

/// A file, if it is no larger than a member of a zip may be.
fn bounded(path: &Path, name: &str) -> Result<impl Read + use<>, String> {
    let file = File::open(path).map_err(|e| unreadable(&e))?;
    if file.metadata().map_err(|e| unreadable(&e))?.len() > MEMBER_BYTES_MAX {
        return Err(format!("{name} has more than {MEMBER_BYTES_MAX} bytes"));
    }
    Ok(Bounded { inner: file, left: MEMBER_BYTES_MAX })
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
