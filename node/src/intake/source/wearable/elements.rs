//! The objects of a JSON document, one after another, without holding the document.
//!
//! Takes an array of objects, one object, or objects that follow one another (NDJSON, pretty or not). Only
//! brackets and quotes are looked at here; what stands inside is the parser's to judge, object by object, none
//! of them longer than [`JSON_LINE_BYTES_MAX`].
use super::super::JSON_LINE_BYTES_MAX;
use super::super::files::unreadable;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;

/// The objects of a file.
pub(super) struct Elements {
    bytes: std::io::Bytes<BufReader<File>>,
    path: PathBuf,
    line: u64,
    position: u64,
    total: u64,
    in_array: bool,
    ended: bool,
    object: Vec<u8>,
}

impl Elements {
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(|e| unreadable(&e, path))?;
        let total = file.metadata().map_err(|e| unreadable(&e, path))?.len();
        let bytes = BufReader::with_capacity(1 << 16, file).bytes();
        let (path, object) = (path.to_owned(), Vec::new());
        Ok(Self { bytes, path, line: 1, position: 0, total, in_array: false, ended: false, object })
    }

    /// The next object and the line on which it begins.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &[u8])>, Fault> {
        self.object.clear();
        loop {
            let Some(byte) = self.byte()? else {
                if self.in_array && !self.ended {
                    return Err(self.fault("the file ends within an array"));
                }
                return Ok(None);
            };
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b',' if self.in_array && !self.ended => {}
                0xEF | 0xBB | 0xBF if self.position <= 3 => {}
                b'[' if !self.in_array => self.in_array = true,
                b']' if self.in_array && !self.ended => self.ended = true,
                b'{' if !self.ended => break,
                _ => return Err(self.fault("not a JSON object, or a list of them")),
            }
        }
        let begun = self.line;
        self.object.push(b'{');
        let (mut depth, mut quoted, mut escaped) = (1_u32, false, false);
        while depth > 0 {
            let Some(byte) = self.byte()? else {
                return Err(self.fault("the file ends within a JSON object"));
            };
            if self.object.len() >= JSON_LINE_BYTES_MAX {
                let message = format!("a JSON object is longer than {JSON_LINE_BYTES_MAX} bytes");
                return Err(self.fault(&message));
            }
            self.object.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => depth -= 1,
                _ => {}
            }
        }
        Ok(Some((begun, self.object.as_slice())))
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn fault(&self, message: &str) -> Fault {
        Fault::user(message).at(format!("{}:{}", self.path.display(), self.line))
    }

    fn byte(&mut self) -> Result<Option<u8>, Fault> {
        let byte = self.bytes.next().transpose().map_err(|e| unreadable(&e, &self.path))?;
        if byte.is_some() {
            self.position += 1;
        }
        if byte == Some(b'\n') {
            self.line += 1;
        }
        Ok(byte)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(u64, String)>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        std::fs::write(&path, text).unwrap();
        let mut elements = Elements::open(&path).unwrap();
        let mut found = Vec::new();
        loop {
            match elements.next() {
                Ok(Some((line, object))) => {
                    found.push((line, String::from_utf8(object.to_vec()).unwrap()));
                }
                Ok(None) => return Ok(found),
                Err(fault) => return Err(fault.message),
            }
        }
    }

    #[test]
    fn objects_are_found_in_arrays_and_in_a_row() {
        let expected = vec![(1, r#"{"a":"}]\"{"}"#.to_owned()), (2, "{\"b\":[{}]}".to_owned())];
        assert_eq!(read("[{\"a\":\"}]\\\"{\"},\n {\"b\":[{}]}]\n").unwrap(), expected);
        assert_eq!(read("\u{feff}{\"a\":\"}]\\\"{\"}\n{\"b\":[{}]}\n").unwrap(), expected);
        assert_eq!(read("").unwrap(), []);
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for (text, message) in [
            ("[1]", "not a JSON object, or a list of them"),
            ("x", "not a JSON object, or a list of them"),
            ("[[{}]]", "not a JSON object, or a list of them"),
            ("[{}] {}", "not a JSON object, or a list of them"),
            ("[{}", "the file ends within an array"),
            ("{\"a\":\"", "the file ends within a JSON object"),
        ] {
            assert_eq!(read(text).unwrap_err(), message, "{text}");
        }
        let long = format!("{{\"a\":\"{}", "x".repeat(JSON_LINE_BYTES_MAX));
        assert_eq!(read(&long).unwrap_err(), "a JSON object is longer than 8388608 bytes");
    }
}
