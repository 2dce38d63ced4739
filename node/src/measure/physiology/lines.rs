//! Lines of a recording, bounded: size of the file, length of a line; and the numbers on them.
//!
//! Bytes are read as Latin-1, which never fails: `.hrm` files are written in it, and of all other
//! formats only the ASCII part means anything. Lines end with LF or CR LF.
use std::io::{BufRead, BufReader, Read};

use super::error::RecordingError;

/// The largest recording that is read, bytes.
pub(super) const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The longest line that is read, bytes.
pub(super) const MAX_LINE: u64 = 4096;

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A reader that yields one trimmed line at a time and counts from 1.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    max_bytes: u64,
    bytes_read: u64,
    bytes: Vec<u8>,
    text: String,
    line: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self::within(input, MAX_BYTES)
    }

    fn within(input: R, max_bytes: u64) -> Self {
        Self {
            input: BufReader::new(input),
            max_bytes,
            bytes_read: 0,
            bytes: Vec::new(),
            text: String::new(),
            line: 0,
        }
    }

    /// The next line that is not blank, without white space around it; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, RecordingError> {
        loop {
            self.bytes.clear();
            let got = (&mut self.input)
                .take(MAX_LINE + 1)
                .read_until(b'\n', &mut self.bytes)
                .map_err(|error| RecordingError::Unreadable { kind: error.kind() })?;
            if got == 0 {
                return Ok(None);
            }
            self.line += 1;
            self.bytes_read += self.bytes.len() as u64;
            if self.bytes_read > self.max_bytes {
                return Err(RecordingError::TooLarge);
            }
            if self.bytes.len() as u64 > MAX_LINE {
                return Err(RecordingError::LineTooLong { line: self.line });
            }
            if self.bytes.iter().any(|byte| !byte.is_ascii_whitespace()) {
                break;
            }
        }
        let bytes = if self.line == 1 { without_mark(&self.bytes) } else { &self.bytes };
        self.text.clear();
        self.text.extend(bytes.iter().copied().map(char::from));
        Ok(Some(Line { number: self.line, text: &self.text }))
    }

    /// The next line that is neither blank nor a comment (`#`).
    pub(super) fn next_row(&mut self) -> Result<Option<Line<'_>>, RecordingError> {
        while let Some(line) = self.next()? {
            if !line.text().starts_with('#') {
                let number = line.number;
                return Ok(Some(Line { number, text: &self.text }));
            }
        }
        Ok(None)
    }
}

/// The bytes without a leading UTF-8 byte order mark.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

/// One line and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) number: u64,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// Without white space around it.
    pub(super) fn text(&self) -> &'a str {
        self.text.trim()
    }

    /// The line as one field.
    pub(super) fn whole(&self) -> Field<'a> {
        self.field(self.text)
    }

    /// Exactly `N` fields between commas.
    pub(super) fn commas<const N: usize>(
        &self,
        expected: &'static str,
    ) -> Result<[Field<'a>; N], RecordingError> {
        self.exactly(self.text.split(',').collect(), expected)
    }

    /// Exactly `N` fields between white space.
    pub(super) fn words<const N: usize>(
        &self,
        expected: &'static str,
    ) -> Result<[Field<'a>; N], RecordingError> {
        self.exactly(self.text.split_whitespace().collect(), expected)
    }

    fn exactly<const N: usize>(
        &self,
        parts: Vec<&'a str>,
        expected: &'static str,
    ) -> Result<[Field<'a>; N], RecordingError> {
        let parts: [&str; N] = parts.try_into().map_err(|parts: Vec<&str>| {
            RecordingError::Fields { line: self.number, found: parts.len(), expected }
        })?;
        Ok(parts.map(|part| self.field(part)))
    }

    /// `part` is a piece of this line's text: its column is found from where it lies.
    fn field(&self, part: &'a str) -> Field<'a> {
        let trimmed = part.trim();
        let before = trimmed.as_ptr() as usize - self.text.as_ptr() as usize;
        let column = self.text.get(..before).map_or(0, |text| text.chars().count());
        Field { line: self.number, column: column + 1, text: trimmed }
    }
}

/// A field of a line and where it stands.
pub(super) struct Field<'a> {
    line: u64,
    column: usize,
    pub(super) text: &'a str,
}

impl Field<'_> {
    /// A finite number.
    pub(super) fn number(&self, expected: &'static str) -> Result<f64, RecordingError> {
        number(self.text).ok_or_else(|| self.wrong(expected))
    }

    /// The error that something else was expected here.
    pub(super) fn wrong(&self, expected: &'static str) -> RecordingError {
        RecordingError::Field { line: self.line, column: self.column, expected }
    }
}

/// `text` as a finite number.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_count_but_are_not_given() {
        let mut lines = Lines::new("\u{feff} 1 \r\n\r\n \t\n# a\n2".as_bytes());
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.number, line.text()), (1, "1"));
        let line = lines.next_row().unwrap().unwrap();
        assert_eq!((line.number, line.text()), (5, "2"));
        assert!(lines.next().unwrap().is_none());
    }

    #[test]
    fn a_field_knows_its_column() {
        let mut lines = Lines::new(" 1.5,\u{b5} ,x".as_bytes());
        let line = lines.next().unwrap().unwrap();
        let columns = line.commas("three").unwrap().map(|field| field.column);
        // The sign is two bytes of UTF-8, hence two characters of Latin-1.
        assert_eq!(columns, [2, 6, 10]);
    }

    #[test]
    fn a_stream_without_end_is_refused_at_the_limit() {
        let mut lines = Lines::within(std::io::repeat(b'\n'), 100_000);
        assert_eq!(lines.next().err(), Some(RecordingError::TooLarge));
        let mut lines = Lines::new(std::io::repeat(b'8'));
        let error = RecordingError::LineTooLong { line: 1 };
        assert_eq!(lines.next().err(), Some(error));
    }

    #[test]
    fn a_line_of_just_the_limit_is_read() {
        let text = format!("{}\n", "8".repeat(4095));
        let mut lines = Lines::new(text.as_bytes());
        assert_eq!(lines.next().unwrap().unwrap().text().len(), 4095);
    }
}
