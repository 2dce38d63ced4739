//! Empatica E4 sessions: which stretches of a folder's files belong together, and what they hold.
//!
//! ```text
//! IBI.csv                  start (Unix, UTC), IBI      then  offset s, interval s
//! EDA, TEMP, BVP, HR.csv   start / rate Hz             then  one value a line
//! ACC.csv                  start ×3 / rate ×3          then  x, y, z in 1/64 g
//! tags.csv                                                   Unix times of button presses
//! ```
//! Exports may hold several sessions that were joined. A file is cut where a second header stands, and beats where
//! time goes backwards without one (then nobody knows when that stretch began). Stretches of all files that begin
//! within a minute of each other are one session. Values are checked for being numbers and are not kept: a file is
//! read line by line.
use super::container::{Files, unpacked};
use std::io::{BufRead as _, BufReader, Read};

/// Longest line.
const LINE_BYTES_MAX: u64 = 4_096;
/// Most stretches of one file.
const PARTS_MAX: usize = 1_000;
/// A value above this is a Unix time (1973 and later): a header.
const UNIX_TIME_S: f64 = 1e8;
/// Files of one session start within this; heart rate starts ten seconds late.
const STARTS_S: f64 = 60.0;
/// Times a device can have, Unix seconds: 1990 to 2100.
const TIMES_S: std::ops::Range<f64> = 631_152_000.0..4_102_444_800.0;

/// The file of beats.
pub const BEATS: &str = "IBI.csv";
/// The file of skin conductance.
pub const CONDUCTANCE: &str = "EDA.csv";
/// The file of acceleration.
pub const ACCELERATION: &str = "ACC.csv";

/// What a session holds.
#[derive(Debug, PartialEq)]
pub struct Session {
    /// When it starts, microseconds since 1970 UTC, if that is known.
    pub start_us: Option<i64>,
    /// When its last value ends.
    pub end_us: Option<i64>,
    /// Intervals between beats; none if there is no `IBI.csv`.
    pub beats: Option<i64>,
    /// Sampling rate of skin conductance, Hz.
    pub eda_hz: Option<f64>,
    /// Button presses.
    pub tags: i64,
    /// Its stretches of files.
    parts: Vec<Part>,
}

/// A stretch of one file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    /// Unix seconds; unknown of beats that go backwards without a header.
    pub(super) start_s: Option<f64>,
    /// Seconds from its start to its last value.
    length_s: f64,
    rate_hz: Option<f64>,
    rows: i32,
    /// The first byte, and the one after the last.
    pub(super) bytes: std::ops::Range<u64>,
}

impl Session {
    /// The stretch of a file.
    pub(super) fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    fn of(parts: Vec<Part>) -> Self {
        let starts = parts.iter().filter_map(|p| p.start_s);
        let start = starts.reduce(f64::min);
        let ends = parts.iter().filter_map(|p| Some(p.start_s? + p.length_s));
        let end = ends.reduce(f64::max);
        let find = |name: &str| parts.iter().find(|part| part.name == name);
        Self {
            start_us: start.map(micros),
            end_us: end.map(micros),
            beats: find(BEATS).map(|part| i64::from(part.rows)),
            eda_hz: find(CONDUCTANCE).and_then(|part| part.rate_hz),
            tags: 0,
            parts,
        }
    }
}

/// Every file but that of beats, and how many values a line has.
const SIGNALS: [(&str, usize); 5] =
    [(CONDUCTANCE, 1), ("TEMP.csv", 1), ("BVP.csv", 1), ("HR.csv", 1), (ACCELERATION, 3)];
/// Of them those whose values are used.
const USED: [(&str, usize); 2] = [(CONDUCTANCE, 1), (ACCELERATION, 3)];

/// Checks every file. A reason names file and line.
pub(in crate::intake) fn check(files: &mut Files) -> Result<Vec<Session>, String> {
    let mut sessions = cut(files, &SIGNALS)?;
    let tags = files.read("tags.csv", |r| times(r).map_err(|e| format!("tags.csv{e}")))?;
    for at_us in tags.unwrap_or_default() {
        let before = |session: &&mut Session| session.start_us.is_some_and(|s| s <= at_us);
        if let Some(session) = sessions.iter_mut().rfind(before) {
            session.tags += 1;
        }
    }
    Ok(sessions)
}

/// Checks the files whose values are used.
pub(super) fn used(files: &mut Files) -> Result<Vec<Session>, String> {
    cut(files, &USED)
}

/// The sessions, by their start; those without come last.
fn cut(files: &mut Files, signals: &[(&'static str, usize)]) -> Result<Vec<Session>, String> {
    let read = files.read(BEATS, |r| intervals(r).map_err(|e| format!("{BEATS}{e}")))?;
    let mut parts = read.unwrap_or_default();
    for (name, width) in signals {
        let read = |r: &mut dyn Read| signal(r, (name, *width)).map_err(|e| format!("{name}{e}"));
        parts.extend(files.read(name, read)?.unwrap_or_default());
    }
    if parts.is_empty() {
        return Err("no file of an Empatica session: expected IBI.csv, EDA.csv or another signal"
            .to_owned());
    }
    let (mut known, unknown): (Vec<Part>, Vec<Part>) =
        parts.into_iter().partition(|part| part.start_s.is_some());
    let start = |part: &Part| part.start_s.unwrap_or_default();
    known.sort_by(|a, b| start(a).total_cmp(&start(b)));
    let mut groups: Vec<Vec<Part>> = Vec::new();
    for part in known {
        match groups.last_mut() {
            Some(group)
                if group.first().is_some_and(|first| start(&part) - start(first) <= STARTS_S)
                    && group.iter().all(|other| other.name != part.name) =>
            {
                group.push(part);
            }
            _ => groups.push(vec![part]),
        }
    }
    groups.extend(unknown.into_iter().map(|part| vec![part]));
    Ok(groups.into_iter().map(Session::of).collect())
}

#[expect(clippy::cast_possible_truncation, reason = "times lie between 1990 and 2100")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

fn intervals(reader: &mut dyn Read) -> Result<Vec<Part>, String> {
    let mut lines = Lines::new(reader);
    let start_of = |line: &str| {
        let (start, name) = line.split_once(',')?;
        (name.trim() == "IBI").then(|| time(start))
    };
    let header = lines.next()?.ok_or(" is empty")?;
    let start_s = start_of(&header).flatten().ok_or(":1: not a start time and IBI")?;
    let mut parts = vec![lines.part(BEATS, (Some(start_s), None))];
    while let Some(line) = lines.next()? {
        if let Some(start) = start_of(&line) {
            let start = start.ok_or(format!(":{}: not a start time and IBI", lines.number))?;
            lines.next_part(&mut parts, (Some(start), None))?;
            continue;
        }
        let (end, interval) = line.split_once(',').unwrap_or((&line, ""));
        let (Some(end), Some(interval)) = (number(end), number(interval)) else {
            return Err(format!(":{}: not an offset and an interval", lines.number));
        };
        if interval <= 0.0 || end > UNIX_TIME_S {
            return Err(format!(":{}: not an offset and an interval in s", lines.number));
        }
        if parts.last().is_some_and(|part| part.rows > 0 && end <= part.length_s) {
            lines.next_part(&mut parts, (None, None))?;
        }
        if let Some(part) = parts.last_mut() {
            (part.length_s, part.rows) = (end, part.rows.saturating_add(1));
        }
    }
    lines.close(&mut parts);
    Ok(parts)
}

fn signal(
    reader: &mut dyn Read,
    (name, width): (&'static str, usize),
) -> Result<Vec<Part>, String> {
    let mut lines = Lines::new(reader);
    let mut parts: Vec<Part> = Vec::new();
    while let Some(line) = lines.next()? {
        let values: Vec<Option<f64>> = line.split(',').take(width + 1).map(number).collect();
        let first = values.first().copied().flatten();
        let is_header = parts.is_empty() || first.is_some_and(|first| first > UNIX_TIME_S);
        if is_header {
            let at = lines.number;
            let start = first.ok_or(format!(":{at}: not a start time"))?;
            lines.next_part(&mut parts, (Some(start), None))?;
            let rate = lines.next()?.ok_or(" ends before a sampling rate")?;
            let rate = rate.split(',').next().and_then(number);
            let rate = rate.ok_or(format!(":{}: not a sampling rate", lines.number))?;
            if !TIMES_S.contains(&start) || !(0.01..=10_000.0).contains(&rate) {
                return Err(format!(":{at}: not a start time and a sampling rate"));
            }
            if let Some(part) = parts.last_mut() {
                (part.name, part.rate_hz) = (name, Some(rate));
            }
            continue;
        }
        if values.len() != width || values.iter().any(Option::is_none) {
            return Err(format!(":{}: not {width} numbers", lines.number));
        }
        if let Some(part) = parts.last_mut() {
            part.rows = part.rows.saturating_add(1);
            part.length_s = f64::from(part.rows) / part.rate_hz.unwrap_or(1.0);
        }
    }
    if parts.is_empty() {
        return Err(" is empty".to_owned());
    }
    lines.close(&mut parts);
    Ok(parts)
}

/// Times of button presses, µs.
fn times(reader: &mut dyn Read) -> Result<Vec<i64>, String> {
    let mut lines = Lines::new(reader);
    let mut found = Vec::new();
    while let Some(line) = lines.next()? {
        let at = time(&line).ok_or(format!(":{}: not a Unix time", lines.number))?;
        found.push(micros(at));
    }
    Ok(found)
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

fn time(text: &str) -> Option<f64> {
    number(text).filter(|time| TIMES_S.contains(time))
}

/// Lines that are not empty, each bounded, and where they begin.
struct Lines<'a> {
    reader: BufReader<&'a mut dyn Read>,
    number: u64,
    /// The first byte of the line, and the one after it.
    line: std::ops::Range<u64>,
}

impl<'a> Lines<'a> {
    fn new(reader: &'a mut dyn Read) -> Self {
        Self { reader: BufReader::with_capacity(1 << 16, reader), number: 0, line: 0..0 }
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
            self.line = self.line.end..self.line.end + count as u64;
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

    /// A stretch that begins with the line just read.
    fn part(&self, name: &'static str, (start_s, rate_hz): (Option<f64>, Option<f64>)) -> Part {
        let bytes = self.line.start..self.line.end;
        Part { name, start_s, length_s: 0.0, rate_hz, rows: 0, bytes }
    }

    /// Ends the stretch before, and begins another.
    fn next_part(
        &self,
        parts: &mut Vec<Part>,
        start: (Option<f64>, Option<f64>),
    ) -> Result<(), String> {
        if parts.len() >= PARTS_MAX {
            return Err(format!(":{}: more than {PARTS_MAX} sessions were joined", self.number));
        }
        if let Some(before) = parts.last_mut() {
            before.bytes.end = self.line.start;
        }
        parts.push(self.part(BEATS, start));
        Ok(())
    }

    fn close(&self, parts: &mut [Part]) {
        if let Some(last) = parts.last_mut() {
            last.bytes.end = self.line.end;
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

    fn found(files: &[(&str, &str)]) -> Result<Vec<Session>, String> {
        check(&mut Files::open(folder(files).path())?)
    }

    /// Starts in seconds after the first session's, beats, whether there is skin conductance, and tags.
    fn shapes(files: &[(&str, &str)]) -> Vec<(Option<i64>, Option<i64>, bool, i64)> {
        let after = |us: i64| us / 1_000_000 - 1_560_279_825;
        let shape = |s: &Session| (s.start_us.map(after), s.beats, s.eda_hz.is_some(), s.tags);
        found(files).unwrap().iter().map(shape).collect()
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
        let sessions = found(&files).unwrap();
        let [session] = sessions.as_slice() else { panic!("one session") };
        assert_eq!(session.start_us, Some(1_560_279_825_000_000));
        assert_eq!(session.end_us, Some(1_560_279_909_250_000));
        assert_eq!((session.beats, session.eda_hz, session.tags), (Some(2), Some(4.0), 1));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        let inside = [
            ("A01/ibi.csv", IBI),
            ("A01/EDA.csv", EDA),
            ("A01/tags.csv", "1560279830.5\n"),
            ("__MACOSX/A01/._IBI.csv", "x"),
        ];
        std::fs::write(&path, packed(&inside)).unwrap();
        assert_eq!(check(&mut Files::open(&path).unwrap()).unwrap(), sessions);
        assert_eq!(read(&path, 0, BEATS), IBI);
        assert_eq!(read(&path, 0, CONDUCTANCE), EDA);
    }

    /// What a reader of one file of one session gets.
    fn read(path: &Path, session: usize, name: &str) -> String {
        let Opened::E4(mut opened) = open(path).unwrap() else { panic!("an E4") };
        let text = |reader: &mut dyn Read| {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text).map_err(|e| e.to_string())
        };
        opened.read(session, name, text).unwrap().unwrap_or_default()
    }

    #[test]
    fn joined_sessions_are_cut_where_a_header_stands_or_time_goes_back() {
        let later = |text: &str| text.replace("1560279825", "1560289825");
        let (ibi, eda) = (format!("{IBI}{}", later(IBI)), format!("{EDA}{}", later(EDA)));
        let tags = "1560279830.5\n1560289826\n1560289827\n";
        let files = [("IBI.csv", ibi.as_str()), ("EDA.csv", eda.as_str()), ("tags.csv", tags)];
        let (first, second) = (Some(0), Some(10_000));
        assert_eq!(shapes(&files), [(first, Some(2), true, 1), (second, Some(2), true, 2)]);
        let dir = folder(&files);
        assert_eq!(read(dir.path(), 0, BEATS), IBI);
        assert_eq!(read(dir.path(), 1, BEATS), later(IBI));
        assert_eq!(read(dir.path(), 1, CONDUCTANCE), later(EDA));
        let second_alone = PathBuf::from(format!("{}#2", dir.path().display()));
        assert_eq!(read(&second_alone, 0, BEATS), later(IBI));
        let fault = open(&PathBuf::from(format!("{}#3", dir.path().display()))).unwrap_err();
        assert_eq!(fault, "the recording has 2 sessions; none has that number");

        let backwards = [("IBI.csv", "1560279825, IBI\n9.5,0.7\n1.5,0.7\n2.5,0.8\n")];
        assert_eq!(shapes(&backwards), [(first, Some(1), false, 0), (None, Some(2), false, 0)]);
        assert_eq!(read(folder(&backwards).path(), 1, BEATS), "0, IBI\n1.5,0.7\n2.5,0.8\n");

        let apart = [("IBI.csv", IBI), ("EDA.csv", &later(EDA))];
        assert_eq!(shapes(&apart), [(first, Some(2), false, 0), (second, None, true, 0)]);
    }

    #[test]
    fn what_is_no_session_is_refused_with_file_and_line() {
        let many = format!("{IBI}{}", "1560279825, IBI\n".repeat(1_000));
        for (files, reason) in [
            (vec![("IBI.csv", many.as_str())], "IBI.csv:1003: more than 1000 sessions were joined"),
            (
                vec![("IBI.csv", "1560279825, IBI\n9.5,0.7\n5, IBI\n")],
                "IBI.csv:3: not a start time and IBI",
            ),
            (
                vec![("ACC.csv", "1560279825,1560279825,1560279825\n32,32,32\n1,2\n")],
                "ACC.csv:3: not 3 numbers",
            ),
            (vec![("EDA.csv", "1560279825\n")], "EDA.csv ends before a sampling rate"),
            (
                vec![("EDA.csv", "1560279825\n4\n1\n1560289825\nx\n")],
                "EDA.csv:5: not a sampling rate",
            ),
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
        let neither = "no file of an Empatica session: expected IBI.csv, EDA.csv or another signal";
        assert_eq!(reason(packed(&[("info.txt", EDA)])), neither);
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
            let sessions = check(&mut Files::open(&real.join(name)).unwrap()).unwrap();
            let [session] = sessions.as_slice() else { panic!("{name}: one session") };
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
