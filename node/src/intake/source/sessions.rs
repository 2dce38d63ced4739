//! Lists the recordings of a folder, so that a mapping can join them to people.
//!
//! `NAME=FOLDER` lands in `raw_NAME`, one row a session: an Empatica folder or zip, or a Garmin FIT file. The
//! recordings stay where they are; `file` is what a device session names, if `--recordings-dir` is the same
//! folder. Sessions that are not sound are rejects; `_line` is the session's place in the order of the names.
use super::files;
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
            } else if !["info.txt", "tags.csv"].contains(&name.as_str()) {
                others += 1;
            }
        }
        if found.is_empty() {
            return Err(Fault::user("no recording was found")
                .at(path.display().to_string())
                .hint("expected Empatica folders or .zip files, or Garmin .fit files"));
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
            Ok(found) => {
                // Of a file without its ending; of a folder its name, dots and all.
                let cut = file.rsplit_once('.').filter(|_| path.is_file());
                let session = cut.map_or(file.as_str(), |(before, _)| before);
                let row = [
                    text(Some(session)),
                    text(Some(file.as_str())),
                    text(Some(found.kind)),
                    whole(found.start_us),
                    whole(found.end_us),
                    whole(found.beats),
                    real(found.eda_hz),
                    whole(found.tags),
                ];
                out.row(0, line, row);
            }
            Err(reason) => out.refuse(0, line, "file", reason),
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

fn list(path: &Path) -> Result<Listed, String> {
    let is_fit = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("fit"));
    if !is_fit {
        let found = e4::check(&mut Files::open(path)?)?;
        return Ok(Listed {
            kind: "e4",
            start_us: Some(found.start_us),
            end_us: Some(found.end_us),
            beats: found.beats,
            eda_hz: found.eda_hz,
            tags: Some(found.tags),
        });
    }
    let file = File::open(path).map_err(|e| format!("cannot be read: {}", e.kind()))?;
    let found = fit::beats(BufReader::new(file))?;
    #[expect(clippy::cast_possible_truncation, reason = "FIT counts seconds in 32 bits")]
    let at =
        |offset_s: f64| found.started_unix_s.map(|start| ((start + offset_s) * 1e6).round() as i64);
    Ok(Listed {
        kind: "fit",
        start_us: at(0.0),
        end_us: found.beats.last().and_then(|last| at(last.0)),
        beats: i64::try_from(found.beats.len()).ok(),
        eda_hz: None,
        tags: None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::tests::read;
    use super::*;
    use crate::intake::recording::fit::tests::{DEFINITIONS, file, hrv, record};

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
        write("z.zip", b"x");
        let mut sessions = Sessions::open("wear", dir.path()).unwrap();
        let (rows, refused) = read(&mut sessions).unwrap();
        assert_eq!(
            rows,
            [
                "raw_wear|1|ann/A01|ann/A01|e4|1560279825000000|1560279909250000|2|-|0",
                "raw_wear|3|bob|bob.fit|fit|1631065600000000|1631065604000000|5|-|-",
            ]
        );
        assert_eq!(
            refused,
            [
                "2 file: IBI.csv:4: a second header: sessions were joined; split them",
                "4 file: not a sound zip",
            ]
        );
        assert_eq!(
            sessions.notes(),
            ["1 other files of the recordings' folder were not looked at"]
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
