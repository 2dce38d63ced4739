//! Lists the recordings of a folder, so that a mapping can join them to people.
//!
//! `NAME=FOLDER` lands in `raw_NAME`, one row a session: an Empatica folder or zip, a Garmin FIT file, or a wearable's
//! export. The recordings stay where they are; `file` is what a device session names, if `--recordings-dir` is the same
//! folder. Of joined sessions each has a row, with `#1`, `#2`, … behind the file. Sessions that are not sound are rejects;
//! `_line` is the file's place in the order of the names.
use super::Kind;
use super::files;
use super::wearable::numbers::{self, Numbers};
use super::{RawTable, Step, Tables, raw_table, real, text, whole};
use crate::intake::recording::container::Files;
use crate::intake::recording::{e4, fit};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use tacit_shared::fault::Fault;

/// Files that make a folder an Empatica session.
const E4_FILES: [&str; 6] = ["ibi.csv", "eda.csv", "bvp.csv", "temp.csv", "hr.csv", "acc.csv"];

/// The sessions of a folder.
pub(super) struct Sessions {
    root: PathBuf,
    found: Vec<PathBuf>,
    next: usize,
    tables: Vec<RawTable>,
    others: usize,
}

impl Sessions {
    /// Finds the sessions below a folder, or the one that a path is.
    pub(super) fn open(name: &str, path: &Path) -> Result<Self, Fault> {
        let mut found = BTreeSet::new();
        let mut others = 0;
        let single = !path.is_dir() || files::list(path, |_| true)?.is_empty();
        let all = if single { vec![path.to_owned()] } else { files::list(path, |_| true)? };
        for file in all {
            let name =
                file.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_ascii_lowercase();
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
            if ["zip", "fit"].contains(&extension) {
                found.insert(file);
            } else if E4_FILES.contains(&name.as_str()) {
                found.extend(file.parent().map(Path::to_owned));
            } else if numbers::kind(&file).ok().flatten().is_some() {
                found.insert(file);
            } else if !["info.txt", "tags.csv"].contains(&name.as_str()) {
                others += 1;
            }
        }
        if found.is_empty() {
            return Err(Fault::user("no recording was found")
                .at(path.display().to_string())
                .hint("expected Empatica folders or .zip files, Garmin .fit files, or exports of wearables"));
        }
        let columns = [
            ("session", "TEXT"),
            ("file", "TEXT"),
            ("kind", "TEXT"),
            ("start_us", "INTEGER"),
            ("end_us", "INTEGER"),
            ("beats", "INTEGER"),
            ("eda_hz", "REAL"),
            ("tags", "INTEGER"),
        ];
        let tables = vec![raw_table(format!("raw_{name}"), &columns)];
        let root =
            if path.is_dir() { path.to_owned() } else { path.parent().unwrap_or(path).to_owned() };
        Ok(Self { root, found: found.into_iter().collect(), next: 0, tables, others })
    }
}

/// What a session is, for its row.
struct Listed {
    kind: &'static str,
    start_us: Option<i64>,
    end_us: Option<i64>,
    beats: Option<i64>,
    eda_hz: Option<f64>,
    tags: Option<i64>,
}

impl Tables for Sessions {
    fn tables(&self) -> &[RawTable] {
        &self.tables
    }

    fn position(&self) -> u64 {
        self.next as u64
    }

    fn total(&self) -> u64 {
        self.found.len() as u64
    }

    fn step(&mut self, out: &mut Step) -> Result<bool, Fault> {
        let Some(path) = self.found.get(self.next) else { return Ok(false) };
        self.next += 1;
        let line = self.next as u64;
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let parts: Option<Vec<&str>> =
            relative.components().map(|c| c.as_os_str().to_str()).collect();
        let Some(file) = parts.map(|parts| parts.join("/")) else {
            out.refuse(0, line, "file", "the name is not UTF-8 text");
            return Ok(true);
        };
        // A session that lies in the folder itself is named by its beats.
        let file = if file.is_empty() { "IBI.csv".to_owned() } else { file };
        match list(path) {
            Ok(sessions) => {
                // Of a file without its ending; of a folder its name, dots and all.
                let cut = file.rsplit_once('.').filter(|_| path.is_file());
                let session = cut.map_or(file.as_str(), |(before, _)| before);
                let joined = sessions.len() > 1;
                for (number, found) in (1..).zip(sessions) {
                    let numbered = |name: &str| {
                        if joined { format!("{name}#{number}") } else { name.to_owned() }
                    };
                    let row = [
                        text(Some(numbered(session))),
                        text(Some(numbered(&file))),
                        text(Some(found.kind)),
                        whole(found.start_us),
                        whole(found.end_us),
                        whole(found.beats),
                        real(found.eda_hz),
                        whole(found.tags),
                    ];
                    out.row(0, line, row);
                }
            }
            Err(None) => self.others += 1,
            Err(Some(reason)) => out.refuse(0, line, "file", reason),
        }
        Ok(true)
    }

    fn notes(&self) -> Vec<String> {
        match self.others {
            0 => Vec::new(),
            count => {
                vec![format!("{count} other files of the recordings' folder were not looked at")]
            }
        }
    }
}

/// The sessions of a file or folder. The error is why there are none; none for a file of which nobody said that it is
/// a recording.
fn list(path: &Path) -> Result<Vec<Listed>, Option<String>> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("fit")) {
        let file = File::open(path).map_err(|e| Some(format!("cannot be read: {}", e.kind())))?;
        return Ok(vec![listed("fit", &fit::numbers(BufReader::new(file)).map_err(Some)?)]);
    }
    let kind = if path.is_dir() { None } else { numbers::kind(path).map_err(|_| None)? };
    if let Some(kind) = kind {
        let word = match kind {
            Kind::Apple => "apple",
            Kind::Fitbit => "fitbit",
            _ => "openmhealth",
        };
        return Ok(vec![listed(word, &numbers::read(path, kind).map_err(|_| None)?)]);
    }
    let sessions = Files::open(path).and_then(|mut files| e4::check(&mut files)).map_err(Some)?;
    let of = |found: e4::Session| Listed {
        kind: "e4",
        start_us: found.start_us,
        end_us: found.end_us,
        beats: found.beats,
        eda_hz: found.eda_hz,
        tags: Some(found.tags),
    };
    Ok(sessions.into_iter().map(of).collect())
}

fn listed(kind: &'static str, found: &Numbers) -> Listed {
    #[expect(clippy::cast_possible_truncation, reason = "a cast to an integer stops at its limits")]
    let micros = |unix_s: f64| (unix_s * 1e6).round() as i64;
    let beats = found.beats.as_ref();
    let start = beats.and_then(|b| b.started_unix_s);
    let end = start.zip(beats.and_then(|b| b.beats.last())).map(|(start, last)| start + last.0);
    let rates = || found.rates.iter().map(|(at_s, _)| *at_s);
    Listed {
        kind,
        start_us: start.into_iter().chain(rates()).reduce(f64::min).map(micros),
        end_us: end.into_iter().chain(rates()).reduce(f64::max).map(micros),
        beats: beats.and_then(|b| i64::try_from(b.beats.len()).ok()),
        eda_hz: None,
        tags: None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::tests::read;
    use super::*;
    use crate::intake::recording::fit::tests::{DEFINITIONS, file, hrv, record};

    const WATCH: &str = r#"[{"rr_interval":{"value":800,"unit":"ms"},
        "effective_time_frame":{"date_time":"2001-09-09T01:46:40.8Z"}}]"#;
    const IBI: &str = "1560279825.0, IBI\n83.5,0.6\n84.25,0.75\n";

    #[test]
    fn a_folder_of_sessions_is_listed_and_what_is_broken_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        write("ann/A01/IBI.csv", IBI.as_bytes());
        write("ann/A01/info.txt", b"x");
        write("ann/A02/IBI.csv", IBI.repeat(2).as_bytes());
        write(
            "bob.fit",
            &file(&[DEFINITIONS, &record(1_000_000_000, 60), &hrv([800; 5])].concat()),
        );
        write("notes.docx", b"x");
        write("settings.json", b"{}");
        write("watch.json", WATCH.as_bytes());
        write("z.zip", b"x");
        let mut sessions = Sessions::open("wear", dir.path()).unwrap();
        let (rows, refused) = read(&mut sessions).unwrap();
        assert_eq!(
            rows,
            [
                "raw_wear|1|ann/A01|ann/A01|e4|1560279825000000|1560279909250000|2|-|0",
                "raw_wear|2|ann/A02#1|ann/A02#1|e4|1560279825000000|1560279909250000|2|-|0",
                "raw_wear|2|ann/A02#2|ann/A02#2|e4|1560279825000000|1560279909250000|2|-|0",
                "raw_wear|3|bob|bob.fit|fit|1631065600000000|1631065604000000|5|-|-",
                "raw_wear|5|watch|watch.json|openmhealth|1000000000000000|1000000000800000|1|-|-",
            ]
        );
        assert_eq!(refused, ["6 file: not a sound zip"]);
        assert_eq!(
            sessions.notes(),
            ["2 other files of the recordings' folder were not looked at"]
        );
    }

    #[test]
    fn a_folder_without_recordings_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.docx"), "x").unwrap();
        let fault = Sessions::open("wear", dir.path()).err().unwrap();
        assert_eq!(fault.message, "no recording was found");
    }
}
