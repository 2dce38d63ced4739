//! Lines of text files, laid end to end in the order of the files' names, `.gz` unpacked on the way.
//!
//! A line longer than its bound is refused before it fills the memory; so is a packed file that would
//! unpack to more than [`FILE_BYTES_MAX`].
use super::FILE_BYTES_MAX;
use super::files::unreadable;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tacit_shared::fault::Fault;

/// How much is read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// The lines of files.
pub(super) struct Lines {
    files: std::vec::IntoIter<PathBuf>,
    current: Option<Current>,
    line: Vec<u8>,
    line_bytes_max: usize,
    /// Lines before this one, in all files.
    before: u64,
    read: Arc<AtomicU64>,
    total: u64,
}

struct Current {
    reader: BufReader<Box<dyn Read + Send>>,
    path: PathBuf,
    number: u64,
}

/// A line, without its end.
pub(super) struct Line<'a> {
    /// Its bytes.
    pub(super) bytes: &'a [u8],
    /// Its number in all files laid end to end, from 1.
    pub(super) overall: u64,
    /// File and number in it.
    place: (&'a PathBuf, u64),
}

impl Line<'_> {
    /// File and line, for a message.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.place.0.display(), self.place.1)
    }
}

impl Lines {
    /// The lines of files, none longer than so many bytes.
    pub(super) fn open(files: Vec<PathBuf>, line_bytes_max: usize) -> Result<Self, Fault> {
        let mut total = 0;
        for path in &files {
            total += std::fs::metadata(path).map_err(|e| unreadable(&e, path))?.len();
        }
        let read = Arc::new(AtomicU64::new(0));
        let (files, line) = (files.into_iter(), Vec::new());
        Ok(Self { files, current: None, line, line_bytes_max, before: 0, read, total })
    }

    /// The next line that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Fault> {
        while self.advance()? {
            let blank = self.line.iter().all(u8::is_ascii_whitespace);
            if !blank {
                break;
            }
        }
        let overall = self.before;
        let Some(current) = &self.current else { return Ok(None) };
        let mut bytes = self.line.as_slice();
        if current.number == 1 {
            bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        }
        Ok(Some(Line { bytes, overall, place: (&current.path, current.number) }))
    }

    /// Bytes read of the files as they lie on the disk.
    pub(super) fn position(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes of all files.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Reads a line into `self.line`; `false` after the last of all files.
    fn advance(&mut self) -> Result<bool, Fault> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(path) = self.files.next() else { return Ok(false) };
                self.current = Some(self.enter(path)?);
                continue;
            };
            self.line.clear();
            let limit = self.line_bytes_max as u64 + 1;
            let wrong = |e: &io::Error, at: u64| {
                let place = format!("{}:{at}", current.path.display());
                if is_packed(&current.path) {
                    return Fault::user(format!("the packed file cannot be unpacked: {e}"))
                        .at(place)
                        .hint("expected gzip, whole: copy it again");
                }
                unreadable(e, &current.path).at(place)
            };
            let mut bounded = (&mut current.reader).take(limit);
            let count = bounded.read_until(b'\n', &mut self.line);
            let count = count.map_err(|e| wrong(&e, current.number + 1))?;
            if count == 0 {
                self.current = None;
                continue;
            }
            current.number += 1;
            self.before += 1;
            if self.line.len() > self.line_bytes_max {
                let message = format!("a line is longer than {} bytes", self.line_bytes_max);
                let place = format!("{}:{}", current.path.display(), current.number);
                return Err(Fault::user(message).at(place).hint("expected one JSON object a line"));
            }
            return Ok(true);
        }
    }

    fn enter(&self, path: PathBuf) -> Result<Current, Fault> {
        let file = File::open(&path).map_err(|e| unreadable(&e, &path))?;
        let counted = Counted { file, read: Arc::clone(&self.read) };
        let inner: Box<dyn Read + Send> = if is_packed(&path) {
            Box::new(Unpacked { decoder: MultiGzDecoder::new(counted), left: FILE_BYTES_MAX })
        } else {
            Box::new(counted)
        };
        let reader = BufReader::with_capacity(BUFFER_BYTES, inner);
        Ok(Current { reader, path, number: 0 })
    }
}

/// Whether a file is packed, by its name.
fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"))
}

/// Counts what was read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Unpacks no more than a file may have.
struct Unpacked {
    decoder: MultiGzDecoder<Counted>,
    left: u64,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            let message = format!("it unpacks to more than {FILE_BYTES_MAX} bytes");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(count)
    }
}
