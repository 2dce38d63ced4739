//! CSV as hospitals write it: a header line, then rows; comma, semicolon or tab; UTF-8.
//!
//! Every value is text, an empty field is absent. `_line` is the line of the file on which the row
//! begins. A line longer than [`LINE_BYTES_MAX`](super::LINE_BYTES_MAX), as an open quote makes it, is refused before it fills the memory.
use super::{COLUMNS_MAX, LINE_BYTES_MAX, RawColumn, Rows, face, identifiers};
use crate::store::bulk::Cell;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder, Terminator};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;

/// How much is read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// The rows of a CSV file.
pub struct CsvRows {
    reader: Reader<Bounded>,
    record: ByteRecord,
    columns: Vec<RawColumn>,
    place: String,
    path: PathBuf,
    delimiter: u8,
    /// Byte and line on which the last row begins.
    last: (u64, u64),
    length: u64,
}

impl CsvRows {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// A user's fault with file and line.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        Self::of_columns(path, COLUMNS_MAX)
    }

    /// The same of a file that may have `most` columns.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn of_columns(path: &Path, most: usize) -> Result<Self, Fault> {
        let place = path.display().to_string();
        let wrong = |e: io::Error| Fault::user(format!("the file cannot be read: {e}")).at(&place);
        let mut file = File::open(path).map_err(wrong)?;
        let length = file.metadata().map_err(wrong)?.len();
        if packed(&mut file).map_err(wrong)? {
            return Err(Fault::user("the file is a zip archive, as a spreadsheet is, and no CSV")
                .at(&place)
                .hint("open it and save its sheet as CSV UTF-8, or unpack it"));
        }
        let delimiter = delimiter(&mut file).map_err(wrong)?;
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .terminator(Terminator::Any(b'\n')) // so that lines are counted right; `\r` is cut off below
            .flexible(true) // so that the header, not the first row, says how many fields there are
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(Bounded { file, left: LINE_BYTES_MAX + BUFFER_BYTES });
        let headers = match reader.byte_headers() {
            Ok(headers) => headers.clone(),
            Err(error) => return Err(explain(&error, 1, &place)),
        };
        let mut names = Vec::with_capacity(headers.len());
        for header in &headers {
            let name = std::str::from_utf8(header).map_err(|_| not_utf8(1, &place))?;
            if name.contains('\0') {
                return Err(nul(1, &place));
            }
            names.push(name.trim_end_matches('\r'));
        }
        if face::has_columns(names.iter().copied()) {
            return Err(face::refusal(&place));
        }
        let names = identifiers(names.into_iter(), most).map_err(|problem| {
            Fault::user(format!("the header line is not sound: {problem}"))
                .at(format!("{place}:1"))
                .hint("the first line must name every column once")
        })?;
        let text = |name| RawColumn { name, affinity: "TEXT" };
        Ok(Self {
            reader,
            record: ByteRecord::new(),
            columns: names.into_iter().map(text).collect(),
            place,
            path: path.to_owned(),
            delimiter,
            last: (0, 1),
            length,
        })
    }
}

impl Rows for CsvRows {
    fn columns(&self) -> &[RawColumn] {
        &self.columns
    }

    fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    fn total(&self) -> u64 {
        self.length
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<bool, Fault> {
        loop {
            self.reader.get_mut().left = LINE_BYTES_MAX;
            let before = self.reader.position().line();
            match self.reader.read_byte_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return self.check_end().map(|()| false),
                Err(error) => return Err(explain(&error, before, &self.place)),
            }
            let line = self.record.position().map_or(before, csv::Position::line);
            self.last = (self.record.position().map_or(0, csv::Position::byte), line);
            let (found, expected) = (self.record.len(), self.columns.len());
            if found == 1 && expected > 1 && self.record.get(0) == Some(b"\r") {
                continue; // an empty line
            }
            if found != expected {
                return Err(self.wrong_length(found)?);
            }
            return self.fill(line, row).map(|()| true);
        }
    }
}

impl CsvRows {
    /// Refuses a file that ends within quotes: its last row would have swallowed the rows after it. A row
    /// is bounded, so reading the last one again costs little.
    fn check_end(&self) -> Result<(), Fault> {
        match quotes(&self.last_row(None)?, self.delimiter).open {
            Some(lines) => Err(self.never_closed(lines)),
            None => Ok(()),
        }
    }

    /// What is wrong with the last row, which has so many fields: most often a quote, which swallows the lines after it.
    fn wrong_length(&self, found: usize) -> Result<Fault, Fault> {
        let expected = self.columns.len();
        let (end, line) = (self.reader.position(), self.last.1);
        let word = if found == 1 { "field" } else { "fields" };
        let message = format!("the row has {found} {word}; the header has {expected}");
        let fault = Fault::user(&message).at(format!("{}:{line}", self.place));
        if end.line() <= line.saturating_add(1) && end.byte() < self.length {
            return Ok(fault.hint("look for a delimiter inside a field that is not quoted"));
        }
        let quotes = quotes(&self.last_row(Some(end.byte()))?, self.delimiter);
        Ok(match (quotes.open, quotes.across) {
            (Some(lines), _) => self.never_closed(lines),
            (None, Some((from, to))) => {
                let (from, to) = (line.saturating_add(from), line.saturating_add(to));
                Fault::user(format!("{message}; a quote that opens on line {from} closes on line {to}"))
                    .at(format!("{}:{line}", self.place))
                    .hint("close the quote where its field ends, or write it twice if it is part of the text")
            }
            (None, None) => fault.hint("look for a delimiter inside a field that is not quoted"),
        })
    }

    /// The bytes of the last row, up to `end` if it is known; else those that follow its beginning.
    fn last_row(&self, end: Option<u64>) -> Result<Vec<u8>, Fault> {
        let (byte, line) = self.last;
        let wrong = |e: io::Error| {
            Fault::user(format!("the file cannot be read: {e}"))
                .at(format!("{}:{line}", self.place))
        };
        let most = 2 * LINE_BYTES_MAX as u64;
        let length = end.map_or(most, |end| end.saturating_sub(byte).min(most));
        let mut file = File::open(&self.path).map_err(wrong)?;
        file.seek(SeekFrom::Start(byte)).map_err(wrong)?;
        let mut row = Vec::new();
        file.take(length).read_to_end(&mut row).map_err(wrong)?;
        Ok(row)
    }

    /// The fault of a quote that opens so many lines below the beginning of the last row.
    fn never_closed(&self, lines: u64) -> Fault {
        let line = self.last.1.saturating_add(lines);
        Fault::user(format!("a quote that opens on line {line} is never closed"))
            .at(format!("{}:{line}", self.place))
            .hint("close the quote, or write it twice if it is part of the text")
    }

    fn fill(&self, line: u64, row: &mut Vec<Cell>) -> Result<(), Fault> {
        row.push(Cell::Integer(i64::try_from(line).unwrap_or(i64::MAX)));
        if self.record.as_slice().contains(&0) {
            return Err(nul(line, &self.place));
        }
        let last = self.columns.len();
        for (index, field) in self.record.iter().enumerate() {
            let text = std::str::from_utf8(field).map_err(|_| not_utf8(line, &self.place))?;
            let text = match text.strip_suffix('\r') {
                Some(cut) if index + 1 == last => cut,
                _ => text,
            };
            row.push(if text.is_empty() { Cell::Null } else { Cell::Text(text.to_owned()) });
        }
        Ok(())
    }
}

/// Reads no more bytes than a record may have before it is told to go on.
struct Bounded {
    file: File,
    left: usize,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let message = format!("a line is longer than {LINE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let count = self.file.read(buffer)?;
        self.left = self.left.saturating_sub(count);
        Ok(count)
    }
}

/// Whether it begins as zip archives do.
fn packed(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head == b"PK\x03\x04")
}

/// The sign that most often stands in the header line outside quotes.
fn delimiter(file: &mut File) -> io::Result<u8> {
    let mut head = Vec::new();
    file.by_ref().take(BUFFER_BYTES as u64).read_to_end(&mut head)?;
    file.rewind()?;
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in head {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            _ => {
                for (sign, count) in &mut counts {
                    *count += i32::from(*sign == byte);
                }
            }
        }
    }
    let mut best = (b',', 0);
    for found in counts {
        if found.1 > best.1 {
            best = found;
        }
    }
    Ok(best.0)
}

/// The quotes of a row; lines are counted from that on which it begins.
#[derive(Default)]
struct Quotes {
    /// Where a quote opens that nothing closes.
    open: Option<u64>,
    /// Where one opens that closes on a later line, and where it does; the first.
    across: Option<(u64, u64)>,
}

/// The quotes of a row, read from its beginning.
fn quotes(row: &[u8], delimiter: u8) -> Quotes {
    // A quote opens only where a field begins; within quotes two are one.
    let (mut begins, mut quoted, mut closing) = (true, false, false);
    let (mut line, mut opened, mut closed) = (0_u64, 0, 0);
    let mut across = None;
    for byte in row {
        let here = line;
        line = line.saturating_add(u64::from(*byte == b'\n'));
        if quoted && !closing {
            closing = *byte == b'"';
            closed = here;
            continue;
        }
        if closing && *byte == b'"' {
            closing = false;
            continue;
        }
        if closing && closed > opened {
            across = across.or(Some((opened, closed)));
        }
        (quoted, closing) = (begins && *byte == b'"', false);
        if quoted {
            opened = here;
        }
        begins = *byte == delimiter || *byte == b'\n';
    }
    Quotes { open: (quoted && !closing).then_some(opened), across }
}

fn nul(line: u64, place: &str) -> Fault {
    Fault::user("the line holds a NUL byte, so it is no UTF-8 text")
        .at(format!("{place}:{line}"))
        .hint("save the file as CSV UTF-8")
}

fn not_utf8(line: u64, place: &str) -> Fault {
    Fault::user("the line is not UTF-8 text")
        .at(format!("{place}:{line}"))
        .hint("save the file as CSV UTF-8")
}

fn explain(error: &csv::Error, line: u64, place: &str) -> Fault {
    let quote_hint = "look for a quote that is not closed near this line";
    match error.kind() {
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            Fault::user(error.to_string()).at(format!("{place}:{line}")).hint(quote_hint)
        }
        ErrorKind::Io(error) => {
            Fault::user(format!("the file cannot be read: {error}")).at(format!("{place}:{line}"))
        }
        _ => Fault::user("the row cannot be read").at(format!("{place}:{line}")).hint(quote_hint),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<String>, Fault> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let shown = path.display().to_string();
        let located = |mut fault: Fault| {
            fault.place = fault.place.map(|p| p.replace(&shown, "a.csv"));
            fault
        };
        let mut rows = CsvRows::open(&path).map_err(located)?;
        let mut lines =
            vec![rows.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>().join("|")];
        let mut row = Vec::new();
        while rows.next(&mut row).map_err(located)? {
            let cells = row.drain(..).map(|cell| match cell {
                Cell::Integer(line) => line.to_string(),
                Cell::Text(text) => text,
                _ => "-".to_owned(),
            });
            lines.push(cells.collect::<Vec<_>>().join("|"));
        }
        Ok(lines)
    }

    #[test]
    fn rows_keep_their_line_whatever_the_delimiter() {
        let text = b"\xef\xbb\xbfId,Note\r\na,\"x\ny\"\r\n,z\n\r\nb,\r\nc,\"d\"\r\n\r\n";
        let lines = ["id|note", "2|a|x\ny", "4|-|z", "6|b|-", "7|c|d"];
        assert_eq!(read(text).unwrap(), lines);
        let text = "\"a,b\";Größe\n1;2\n".as_bytes();
        assert_eq!(read(text).unwrap(), ["a_b|gr__e", "2|1|2"]);
        assert_eq!(read(b"a\tb\n1\t2\n").unwrap(), ["a|b", "2|1|2"]);
        assert_eq!(read(b"a\n").unwrap(), ["a"]);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let fault = |text: &[u8]| read(text).unwrap_err().to_string();
        assert_eq!(
            fault(b"a,b\n1,2\n1,2,3\n"),
            "the row has 3 fields; the header has 2\n  at:   a.csv:3\n  hint: look for a delimiter inside a \
             field that is not quoted"
        );
        let open = "a quote that opens on line 3 is never closed\n  at:   a.csv:3\n  hint: close the quote, or write it twice \
                    if it is part of the text";
        // As the first field it swallows the others, as the last one it does not.
        assert_eq!(fault(b"a,b\n1,2\n\"3,4\n5,6\n"), open);
        assert_eq!(fault(b"a,b\n1,2\n3,\"4\n5,6\n"), open);
        assert_eq!(fault(b"a,b,c\n1,2,3\n4,\"5,6\n7,8,9\n"), open);
        assert_eq!(fault(b"a,b\n1,2\n\"3,4"), open);
        assert_eq!(
            fault(b"a,b\n\"1,2\n3,\"4\n5,6\n"),
            "the row has 1 field; the header has 2; a quote that opens on line 2 closes on line 3\n  at:   a.csv:2\n  hint: \
             close the quote where its field ends, or write it twice if it is part of the text"
        );
        assert_eq!(
            fault(b"a,b\n1,\xff\n"),
            "the line is not UTF-8 text\n  at:   a.csv:2\n  hint: save the file as CSV UTF-8"
        );
        assert_eq!(
            fault(b""),
            "the header line is not sound: no columns\n  at:   a.csv:1\n  hint: the first line must name every column \
             once"
        );
        let faces = "the file holds measures of faces (OpenFace), which no table of a node takes\n  at:   a.csv\n  hint: \
             leave it out; where a profile allows `faces`, a device session names it as its recording";
        assert_eq!(
            fault(b"frame, timestamp, confidence, success, AU01_r\n1, 0, 1, 1, 0.5\n"),
            faces
        );
        if let Some(sample) =
            super::super::tests::real("formats/openface/OpenFace_Test-first30.csv")
        {
            assert_eq!(fault(&std::fs::read(sample).unwrap()), faces);
        }
        let open_quote = [b"a,b\n1,\"".to_vec(), b"x\n".repeat(LINE_BYTES_MAX)].concat();
        assert_eq!(
            fault(&open_quote),
            "a line is longer than 1048576 bytes\n  at:   a.csv:2\n  hint: look for a quote that is not closed \
             near this line"
        );
    }
}
