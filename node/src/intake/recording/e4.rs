//! An Empatica E4 session: whether its files belong together, and what they hold.
//!
//! ```text
//! IBI.csv                  start (Unix, UTC), IBI      then  offset s, interval s
//! EDA, TEMP, BVP, HR.csv   start / rate Hz             then  one value a line
//! ACC.csv                  start ×3 / rate ×3          then  x, y, z in 1/64 g
//! tags.csv                                                   Unix times of button presses
//! ```
//! Sessions that were joined are found and refused: a second header, time that goes backwards, files that
//! start more than a minute apart. Values are checked for being numbers and are not kept.
use super::container::{Files, unpacked};
use std::io::{BufRead as _, BufReader, Read};

/// Longest line.
const LINE_BYTES_MAX: u64 = 4_096;
/// A value above this is a Unix time (1973 and later): a header.
const UNIX_TIME_S: f64 = 1e8;
/// Files of one session start within this; heart rate starts ten seconds late.
const STARTS_S: f64 = 60.0;
/// Times a device can have, Unix seconds: 1990 to 2100.
const TIMES_S: std::ops::Range<f64> = 631_152_000.0..4_102_444_800.0;

/// What a session holds.
#[derive(Debug, PartialEq)]
pub(in crate::intake) struct Session {
    /// When it starts, microseconds since 1970 UTC.
    pub(in crate::intake) start_us: i64,
    /// When its last value ends.
    pub(in crate::intake) end_us: i64,
    /// Intervals between beats; none if there is no `IBI.csv`.
    pub(in crate::intake) beats: Option<i64>,
    /// Sampling rate of skin conductance, Hz.
    pub(in crate::intake) eda_hz: Option<f64>,
    /// Button presses.
    pub(in crate::intake) tags: i64,
}

/// One file of a session.
struct Part {
    start_s: f64,
    end_s: f64,
    rate_hz: Option<f64>,
    rows: i64,
}

/// Signals, and how many values a line has.
const SIGNALS: [(&str, usize); 5] =
    [("EDA.csv", 1), ("TEMP.csv", 1), ("BVP.csv", 1), ("HR.csv", 1), ("ACC.csv", 3)];

/// Checks a session. A reason names file and line.
pub(in crate::intake) fn check(files: &mut Files) -> Result<Session, String> {
    let beats = files.read("IBI.csv", |r| intervals(r).map_err(|e| format!("IBI.csv{e}")))?;
    let mut parts: Vec<Part> = Vec::new();
    let mut session = Session {
        start_us: 0,
        end_us: 0,
        beats: beats.as_ref().map(|part| part.rows),
        eda_hz: None,
        tags: 0,
    };
    parts.extend(beats);
    for (name, width) in SIGNALS {
        let part = files.read(name, |r| signal(r, width).map_err(|e| format!("{name}{e}")))?;
        if name == "EDA.csv" {
            session.eda_hz = part.as_ref().and_then(|p| p.rate_hz);
        }
        parts.extend(part);
    }
    let starts = || parts.iter().map(|p| p.start_s);
    let first = starts().fold(f64::INFINITY, f64::min);
    if !first.is_finite() {
        return Err("no file of an Empatica session: expected IBI.csv, EDA.csv or another signal"
            .to_owned());
    }
    if starts().any(|start| start - first > STARTS_S) {
        return Err(
            "the files start more than a minute apart: they are of different sessions".to_owned()
        );
    }
    let last = parts.iter().map(|p| p.end_s).fold(first, f64::max);
    let tags = files.read("tags.csv", |r| count_tags(r).map_err(|e| format!("tags.csv{e}")))?;
    session.tags = tags.unwrap_or_default();
    (session.start_us, session.end_us) = (micros(first), micros(last));
    Ok(session)
}

#[expect(clippy::cast_possible_truncation, reason = "times lie between 1990 and 2100")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

fn intervals(reader: &mut dyn Read) -> Result<Part, String> {
    let mut lines = Lines::new(reader);
    let header = lines.next()?.ok_or(" is empty")?;
    let start_s = header.split_once(',').filter(|(_, name)| name.trim() == "IBI");
    let start_s =
        start_s.and_then(|(start, _)| time(start)).ok_or(":1: not a start time and IBI")?;
    let (mut before, mut rows) = (0.0, 0);
    while let Some(line) = lines.next()? {
        let joined =
            || format!(":{}: a second header: sessions were joined; split them", lines.number);
        let (end, interval) = line.split_once(',').unwrap_or((&line, ""));
        if interval.trim() == "IBI" {
            return Err(joined());
        }
        let (Some(end), Some(interval)) = (number(end), number(interval)) else {
            return Err(format!(":{}: not an offset and an interval", lines.number));
        };
        if end <= before && rows > 0 {
            return Err(format!(
                ":{}: time does not advance: sessions were joined; split them",
                lines.number
            ));
        }
        if interval <= 0.0 || end > UNIX_TIME_S {
            return Err(format!(":{}: not an offset and an interval in s", lines.number));
        }
        (before, rows) = (end, rows + 1);
    }
    Ok(Part { start_s, end_s: start_s + before, rate_hz: None, rows })
}

fn signal(reader: &mut dyn Read, width: usize) -> Result<Part, String> {
    let mut lines = Lines::new(reader);
    let mut head = |what| {
        let line = lines.next()?.ok_or_else(|| format!(" ends before {what}"))?;
        let first = line.split(',').next().and_then(number);
        first.ok_or(format!(":{}: not {what}", lines.number))
    };
    let start_s = head("a start time")?;
    let rate_hz = head("a sampling rate")?;
    if !TIMES_S.contains(&start_s) || !(0.01..=10_000.0).contains(&rate_hz) {
        return Err(":1: not a start time and a sampling rate".to_owned());
    }
    let mut rows = 0_i32;
    while let Some(line) = lines.next()? {
        let values: Vec<Option<f64>> = line.split(',').take(width + 1).map(number).collect();
        if values.len() != width || values.iter().any(Option::is_none) {
            return Err(format!(":{}: not {width} numbers", lines.number));
        }
        if values.iter().flatten().any(|value| *value > UNIX_TIME_S) {
            return Err(format!(
                ":{}: a second header: sessions were joined; split them",
                lines.number
            ));
        }
        rows = rows.saturating_add(1);
    }
    let end_s = start_s + f64::from(rows) / rate_hz;
    Ok(Part { start_s, end_s, rate_hz: Some(rate_hz), rows: i64::from(rows) })
}

fn count_tags(reader: &mut dyn Read) -> Result<i64, String> {
    let mut lines = Lines::new(reader);
    let mut count = 0;
    while let Some(line) = lines.next()? {
        time(&line).ok_or(format!(":{}: not a Unix time", lines.number))?;
        count += 1;
    }
    Ok(count)
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

fn time(text: &str) -> Option<f64> {
    number(text).filter(|time| TIMES_S.contains(time))
}

/// Lines that are not empty, each bounded.
struct Lines<'a> {
    reader: BufReader<&'a mut dyn Read>,
    number: u64,
}

impl<'a> Lines<'a> {
    fn new(reader: &'a mut dyn Read) -> Self {
        Self { reader: BufReader::with_capacity(1 << 16, reader), number: 0 }
    }

    fn next(&mut self) -> Result<Option<String>, String> {
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut self.reader).take(LINE_BYTES_MAX + 1);
            let count =
                bounded.read_until(b'\n', &mut line).map_err(|e| format!(": {}", unpacked(&e)))?;
            if count == 0 {
                return Ok(None);
            }
            self.number += 1;
            if count as u64 > LINE_BYTES_MAX {
                return Err(format!(
                    ":{}: a line of more than {LINE_BYTES_MAX} bytes",
                    self.number
                ));
            }
            let text =
                String::from_utf8(line).map_err(|_| format!(":{}: not text", self.number))?;
            let text = text.trim().trim_start_matches('\u{feff}');
            if !text.is_empty() {
                return Ok(Some(text.to_owned()));
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::intake::recording::container::{Opened, open};
    use std::io::{Cursor, Write as _};
    use std::path::{Path, PathBuf};

    const IBI: &str = "1560279825.0, IBI\n83.5,0.6\n84.25,0.75\n";
    const EDA: &str = "1560279825.0\n4.0\n0.0\n0.02\n0.02\n0.02\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    fn found(files: &[(&str, &str)]) -> Result<Session, String> {
        check(&mut Files::open(folder(files).path())?)
    }

    fn packed(files: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn real() -> Option<PathBuf> {
        let folder = std::env::var_os("TACIT_REAL_DATA").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real"),
            PathBuf::from,
        );
        if folder.is_dir() {
            return Some(folder);
        }
        eprintln!("ignored: no recordings in {}", folder.display());
        None
    }

    #[test]
    fn a_session_is_the_same_in_a_folder_and_in_a_zip() {
        let files = [("IBI.csv", IBI), ("EDA.csv", EDA), ("tags.csv", "1560279830.5\n")];
        let session = found(&files).unwrap();
        let expected = Session {
            start_us: 1_560_279_825_000_000,
            end_us: 1_560_279_909_250_000,
            beats: Some(2),
            eda_hz: Some(4.0),
            tags: 1,
        };
        assert_eq!(session, expected);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        let inside = [
            ("A01/ibi.csv", IBI),
            ("A01/EDA.csv", EDA),
            ("A01/tags.csv", "1560279830.5\n"),
            ("__MACOSX/A01/._IBI.csv", "x"),
        ];
        std::fs::write(&path, packed(&inside)).unwrap();
        assert_eq!(check(&mut Files::open(&path).unwrap()).unwrap(), expected);
        let Opened::E4(text) = open(&path).unwrap() else { panic!() };
        assert_eq!(text, IBI.as_bytes());
    }

    #[test]
    fn joined_sessions_are_refused_with_file_and_line() {
        let joined = format!("{IBI}{IBI}");
        let twice = format!("{EDA}{EDA}");
        let later = EDA.replace("1560279825", "1560289825");
        for (files, reason) in [
            (
                vec![("IBI.csv", joined.as_str())],
                "IBI.csv:4: a second header: sessions were joined; split them",
            ),
            (
                vec![("IBI.csv", "1560279825, IBI\n9.5,0.7\n1.5,0.7\n")],
                "IBI.csv:3: time does not advance: sessions were joined; split them",
            ),
            (
                vec![("EDA.csv", twice.as_str())],
                "EDA.csv:7: a second header: sessions were joined; split them",
            ),
            (
                vec![("IBI.csv", IBI), ("EDA.csv", later.as_str())],
                "the files start more than a minute apart: they are of different sessions",
            ),
            (
                vec![("ACC.csv", "1560279825,1560279825,1560279825\n32,32,32\n1,2\n")],
                "ACC.csv:3: not 3 numbers",
            ),
            (vec![("EDA.csv", "1560279825\n")], "EDA.csv ends before a sampling rate"),
            (vec![("IBI.csv", "IBI\n1,2\n")], "IBI.csv:1: not a start time and IBI"),
            (
                vec![("tags.csv", "1560279830.5\n")],
                "no file of an Empatica session: expected IBI.csv, EDA.csv or another signal",
            ),
        ] {
            assert_eq!(found(&files).unwrap_err(), reason);
        }
    }

    #[test]
    fn zips_that_are_none_or_hold_two_sessions_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        let reason = |bytes: Vec<u8>| {
            std::fs::write(&path, bytes).unwrap();
            open(&path).unwrap_err()
        };
        assert_eq!(reason(b"PK\x03\x04 and nothing more".to_vec()), "not a sound zip");
        assert_eq!(reason(Vec::new()), "not a sound zip");
        assert_eq!(reason(packed(&[("EDA.csv", EDA)])), "the zip has no IBI.csv");
        let two = packed(&[("A/IBI.csv", IBI), ("B/IBI.csv", IBI)]);
        assert_eq!(reason(two), "the zip has several files IBI.csv: expected one session");
        let mut cut = packed(&[("IBI.csv", &IBI.repeat(100))]);
        cut.drain(40..60);
        assert!(open_bytes(&path, &cut).is_err());
    }

    fn open_bytes(path: &Path, bytes: &[u8]) -> Result<Opened, String> {
        std::fs::write(path, bytes).unwrap();
        open(path)
    }

    #[test]
    fn published_sessions_are_sound() {
        let Some(real) = real() else { return };
        for (name, beats, eda_hz) in [
            ("formats/empatica-e4", 201, Some(4.0)),
            ("recordings/stress-predict/S04", 1_530, Some(4.0)),
            ("recordings/nurses/nurse-5C", 4_179, Some(4.0)),
        ] {
            let session = check(&mut Files::open(&real.join(name)).unwrap()).unwrap();
            assert_eq!((session.beats, session.eda_hz), (Some(beats), eda_hz), "{name}");
            assert!(session.end_us > session.start_us);
        }
    }

    proptest::proptest! {
        #[test]
        fn turned_bytes_of_a_zip_never_panic(
            turns in proptest::collection::vec((0_usize..400, proptest::prelude::any::<u8>()), 1..8),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut bytes = packed(&[("A/IBI.csv", IBI), ("A/EDA.csv", EDA)]);
            for (at, byte) in turns {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let path = dir.path().join("a.zip");
            let _ = open_bytes(&path, &bytes);
            let _ = Files::open(&path).and_then(|mut files| check(&mut files));
        }
    }
}
