//! NDJSON: one JSON object a line, in UTF-8, also packed (`.gz`).
//!
//! A row has the line's text in `json`; the mapping takes what it wants by `json_extract(json, '$.field')`.
//! That every line is an object is checked here, so that no function of the mapping fails on one.
use super::lines::Lines;
use super::{JSON_LINE_BYTES_MAX, RawColumn, Rows, face};
use crate::store::bulk::Cell;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use tacit_shared::fault::Fault;

/// Whether a lower-case file name is that of NDJSON.
pub(super) fn is_named(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    [".ndjson", ".jsonl"].iter().any(|end| name.ends_with(end))
}

/// The fault of a line that is no JSON object. The parser's own words may quote it, so they are not told.
pub(super) fn broken(error: &serde_json::Error, place: &str) -> Fault {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "the line ends within a JSON object",
        serde_json::error::Category::Data => "the line is not a JSON object",
        _ => "the line is not JSON",
    };
    Fault::user(what).at(format!("{place}:{}", error.column())).hint(
        "expected one JSON object a line; a document over several lines must be written on one",
    )
}

/// Whether the keys of an object differ, and whether they are those of a face.
struct Keys {
    differ: bool,
    face: bool,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let (mut keys, mut differ) = (BTreeSet::new(), true);
        while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            differ &= keys.insert(key);
        }
        Ok(Keys { differ, face: face::has_columns(keys.iter().map(String::as_str)) })
    }
}

/// The rows of an NDJSON file.
pub struct NdjsonRows {
    lines: Lines,
    columns: Vec<RawColumn>,
}

impl NdjsonRows {
    /// Opens a file.
    ///
    /// # Errors
    /// A user's fault with the file.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let lines = Lines::open(vec![path.to_owned()], JSON_LINE_BYTES_MAX)?;
        let columns = vec![RawColumn { name: "json".to_owned(), affinity: "TEXT" }];
        Ok(Self { lines, columns })
    }
}

impl Rows for NdjsonRows {
    fn columns(&self) -> &[RawColumn] {
        &self.columns
    }

    fn position(&self) -> u64 {
        self.lines.position()
    }

    fn total(&self) -> u64 {
        self.lines.total()
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> Result<bool, Fault> {
        let Some(line) = self.lines.next()? else { return Ok(false) };
        let text = std::str::from_utf8(line.bytes).map_err(|_| {
            Fault::user("the line is not UTF-8 text")
                .at(line.place())
                .hint("save the file as UTF-8")
        })?;
        let parsed: Result<Keys, _> = serde_json::from_str(text);
        let keys = parsed.map_err(|e| broken(&e, &line.place()))?;
        if keys.face {
            return Err(face::refusal(&line.place()));
        }
        if !keys.differ {
            return Err(Fault::user("the object has a key twice, and nobody says which counts")
                .at(line.place())
                .hint("each key of an object may stand once"));
        }
        row.push(Cell::Integer(i64::try_from(line.overall).unwrap_or(i64::MAX)));
        row.push(Cell::Text(text.trim().to_owned()));
        Ok(true)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn read(name: &str, bytes: &[u8]) -> Result<Vec<(i64, String)>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let shown = |f: Fault| f.to_string().replace(&path.display().to_string(), name);
        let mut rows = NdjsonRows::open(&path).map_err(shown)?;
        let (mut found, mut row) = (Vec::new(), Vec::new());
        while rows.next(&mut row).map_err(shown)? {
            let [Cell::Integer(line), Cell::Text(json)] = row.as_slice() else { panic!() };
            found.push((*line, json.clone()));
            row.clear();
        }
        assert_eq!(rows.position(), rows.total());
        Ok(found)
    }

    #[test]
    fn frames_of_a_face_do_not_land_under_any_name() {
        let refused =
            read("shifts.ndjson", b"{\"a\":1}\n{\"frame\":1,\"au01_R\":0.5}\n").unwrap_err();
        assert!(refused.starts_with("the file holds measures of faces (OpenFace)"), "{refused}");
        assert!(refused.contains("at:   shifts.ndjson:2"), "{refused}");
        assert!(read("a.ndjson", b"{\"gaze_0_x\":1,\"gaze_1_x\":1}\n").is_err());
        assert!(read("a.ndjson", b"{\"gaze_0_x\":1,\"au45\":1}\n").is_ok());
    }

    #[test]
    fn a_line_is_a_row_whatever_its_end() {
        let text = "\u{feff}{\"a\":1}\r\n\n  \n{\"b\":\"ü\"}".as_bytes();
        let expected = vec![(1, "{\"a\":1}".to_owned()), (4, "{\"b\":\"ü\"}".to_owned())];
        assert_eq!(read("a.ndjson", text).unwrap(), expected);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text).unwrap();
        assert_eq!(read("a.ndjson.gz", &packed.finish().unwrap()).unwrap(), expected);
        assert_eq!(read("a.ndjson", b"").unwrap(), []);
    }

    #[test]
    fn a_line_that_is_no_object_is_refused_with_its_place() {
        let hint = "\n  hint: expected one JSON object a line; a document over several lines must be written on one";
        let fault = |text: &[u8]| read("a.ndjson", text).unwrap_err();
        let cases: [(&[u8], &str, &str); 5] = [
            (b"{}\n{\"a\":x}\n", "the line is not JSON", "2:6"),
            (b"{}\n{\n", "the line ends within a JSON object", "2:1"),
            (b"[1]\n", "the line is not a JSON object", "1:0"),
            (b"{} {}\n", "the line is not JSON", "1:4"),
            (b"{\"a\":\"\n", "the line is not JSON", "1:6"),
        ];
        for (text, what, place) in cases {
            let found = fault(text);
            assert!(found.starts_with(what), "{found}");
            assert!(found.ends_with(hint), "{found}");
            assert!(found.contains("a.ndjson:"), "{found}, {place}");
        }
        assert_eq!(
            fault(b"{\"a\":\"\xff\"}"),
            "the line is not UTF-8 text\n  at:   a.ndjson:1\n  hint: save the file as UTF-8"
        );
        let long = format!("{{}}\n{{\"a\":\"{}\"}}\n", "x".repeat(JSON_LINE_BYTES_MAX));
        assert_eq!(
            fault(long.as_bytes()),
            "a line is longer than 8388608 bytes\n  at:   a.ndjson:2\n  hint: expected one JSON object a line"
        );
        assert!(
            read("a.ndjson.gz", b"{}")
                .unwrap_err()
                .starts_with("the packed file cannot be unpacked")
        );
    }
}
