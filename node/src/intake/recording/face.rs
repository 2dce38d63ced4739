//! What a camera's frames of a face come to: activity of two action units, as numbers.
//!
//! ```text
//! kept          frames with success = 1 and confidence ≥ 0.8
//! au12_mean     mean of AU12_r over them, 0 to 5      (au06_mean alike)
//! au12_active   share of them with AU12_c = 1         (au06_active alike)
//! coverage      kept / frames; below a half there is no value
//! ```
//! The file is `OpenFace`'s CSV (Baltrušaitis et al. 2018), one face: where `face_id` tells of two, somebody else was in the
//! frame, and nothing is read. Gaze, pose and landmarks are never looked at. The values have the names of muscles and no
//! other; no study reads them ([`crate::store::panel`]).
use super::{Reading, Recorded};
use crate::intake::source::face::has_columns;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use tacit_shared::study::modality::Modality;

/// By which rules the values are made.
const SPEC: u32 = 1;
/// A line is longer than this only by mistake: a frame has some 700 numbers.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Most columns.
const COLUMNS_MAX: usize = 2_048;
/// Most frames: a day at sixty a second.
const FRAMES_MAX: u32 = 5_184_000;
/// How sure the tracker must be of a frame.
const CONFIDENCE: f64 = 0.8;
/// The share of frames that must be kept.
const LEAST_KEPT: f64 = 0.5;

/// Why a file of a face gives nothing here.
pub const OFF: &str = "holds measures of a face (OpenFace): read only where the profile allows `faces` and `modalities.faces` in node.toml says so";

/// Whether a file holds frames of a face, by its first line.
///
/// # Errors
/// Why it cannot be read.
pub fn holds(path: &Path) -> Result<bool, String> {
    if !path.is_file() {
        return Ok(false);
    }
    let file = File::open(path).map_err(|e| format!("cannot be read: {}", e.kind()))?;
    let mut line = Vec::new();
    let read = BufReader::new(file).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
    read.map_err(|e| format!("cannot be read: {}", e.kind()))?;
    Ok(std::str::from_utf8(&line).is_ok_and(|line| has_columns(line.split(','))))
}

/// Reads such a file.
///
/// # Errors
/// Why it gives nothing, in words that quote nothing of it.
pub fn read(path: &Path) -> Result<Recorded, String> {
    let file = File::open(path).map_err(|e| format!("cannot be read: {}", e.kind()))?;
    parse(BufReader::new(file))
}

/// Where the columns stand.
struct Columns {
    confidence: usize,
    success: usize,
    face: Option<usize>,
    /// Intensity and presence of AU06 and of AU12.
    units: [(usize, usize); 2],
}

/// Sums over the frames that were kept.
#[derive(Default)]
struct Sums {
    frames: u32,
    kept: u32,
    /// Of intensities and of presences.
    units: [(f64, f64); 2],
}

fn parse(mut reader: impl BufRead) -> Result<Recorded, String> {
    let mut line = String::new();
    next(&mut reader, &mut line)?;
    let columns = Columns::of(&line)?;
    let (mut sums, mut face) = (Sums::default(), None);
    while next(&mut reader, &mut line)? {
        if line.trim().is_empty() {
            continue;
        }
        if sums.frames >= FRAMES_MAX {
            return Err(format!("more than {FRAMES_MAX} frames"));
        }
        let cells: Vec<&str> = line.split(',').take(COLUMNS_MAX).map(str::trim).collect();
        if let Some(at) = columns.face {
            let found = number(&cells, at)?.to_bits();
            if *face.get_or_insert(found) != found {
                return Err("shows more than one face: nothing of it is read".to_owned());
            }
        }
        sums.add(&cells, &columns)?;
    }
    sums.recorded()
}

/// Reads the next line; `false` at the end.
fn next(reader: &mut impl BufRead, line: &mut String) -> Result<bool, String> {
    line.clear();
    let read = reader.take(LINE_BYTES_MAX).read_line(line);
    match read {
        Ok(0) => Ok(false),
        Ok(_) if !line.ends_with('\n') && line.len() as u64 >= LINE_BYTES_MAX => {
            Err(format!("a line is longer than {LINE_BYTES_MAX} bytes"))
        }
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
            Err("is not a text file".to_owned())
        }
        Err(e) => Err(format!("cannot be read: {}", e.kind())),
    }
}

fn number(cells: &[&str], at: usize) -> Result<f64, String> {
    let cell = cells.get(at).ok_or("a line has fewer columns than the first one")?;
    let value = cell.parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| "a value is not a number".to_owned())
}

fn between(value: f64, low: f64, high: f64, what: &str) -> Result<f64, String> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(format!("`{what}` is outside {low} to {high}"))
}

impl Columns {
    fn of(header: &str) -> Result<Self, String> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        if names.len() > COLUMNS_MAX {
            return Err(format!("more than {COLUMNS_MAX} columns"));
        }
        let find = |name: &str| names.iter().position(|found| found.eq_ignore_ascii_case(name));
        let need = |name: &str| find(name).ok_or_else(|| format!("has no column `{name}`"));
        Ok(Self {
            confidence: need("confidence")?,
            success: need("success")?,
            face: find("face_id"),
            units: [(need("AU06_r")?, need("AU06_c")?), (need("AU12_r")?, need("AU12_c")?)],
        })
    }
}

impl Sums {
    fn add(&mut self, cells: &[&str], columns: &Columns) -> Result<(), String> {
        self.frames = self.frames.saturating_add(1);
        let confidence = between(number(cells, columns.confidence)?, 0.0, 1.0, "confidence")?;
        let success = between(number(cells, columns.success)?, 0.0, 1.0, "success")?;
        if success < 1.0 || confidence < CONFIDENCE {
            return Ok(());
        }
        self.kept = self.kept.saturating_add(1);
        for ((intensity, presence), (sum, active)) in columns.units.iter().zip(&mut self.units) {
            *sum += between(number(cells, *intensity)?, 0.0, 5.0, "AU_r")?;
            let there = between(number(cells, *presence)?, 0.0, 1.0, "AU_c")?;
            *active += f64::from(u8::from(there >= 0.5));
        }
        Ok(())
    }

    fn recorded(self) -> Result<Recorded, String> {
        let n = self.kept;
        let coverage = f64::from(n) / f64::from(self.frames.max(1));
        if n == 0 || coverage < LEAST_KEPT {
            return Err("shows the face well enough in fewer than half of its frames".to_owned());
        }
        let quality = if coverage >= 0.8 { 3 } else { 1 };
        let value = |feature, sum: f64| {
            let value = sum / f64::from(n);
            (Reading { feature, value, n, coverage, modality: Modality::Faces }, quality)
        };
        let [(au06, active06), (au12, active12)] = self.units;
        let whole = vec![
            value("au06_mean", au06),
            value("au06_active", active06),
            value("au12_mean", au12),
            value("au12_active", active12),
        ];
        Ok(Recorded { whole, windows: Vec::new(), spec: SPEC })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const HEAD: &str = "frame, timestamp, confidence, success, AU06_r, AU12_r, AU06_c, AU12_c\n";

    fn values(text: &str) -> Result<Vec<(&'static str, f64)>, String> {
        let found = parse(text.as_bytes())?;
        assert!(found.windows.is_empty());
        assert!(found.whole.iter().all(|(reading, _)| reading.modality == Modality::Faces));
        Ok(found.whole.iter().map(|(reading, _)| (reading.feature, reading.value)).collect())
    }

    #[test]
    fn frames_that_show_the_face_come_to_means_and_shares() {
        let frames = "1, 0.00, 0.98, 1, 1.0, 2.0, 1, 1\n\
                      2, 0.03, 0.80, 1, 0.0, 1.0, 0, 1\n\
                      3, 0.07, 0.79, 1, 5.0, 5.0, 1, 1\n\
                      4, 0.10, 0.95, 0, 5.0, 5.0, 1, 1\n\
                      5, 0.13, 0.95, 1, 0.5, 0.0, 0, 0\n\
                      6, 0.17, 0.95, 1, 0.5, 0.0, 1, 0\n";
        let found = parse([HEAD, frames].concat().as_bytes()).unwrap();
        let told: Vec<_> = found.whole.iter().map(|(r, q)| (r.feature, r.value, r.n, *q)).collect();
        assert_eq!(
            told,
            [
                ("au06_mean", 0.5, 4, 1),
                ("au06_active", 0.5, 4, 1),
                ("au12_mean", 0.75, 4, 1),
                ("au12_active", 0.5, 4, 1),
            ]
        );
        assert!(
            found.whole.iter().all(|(reading, _)| (reading.coverage - 4.0 / 6.0).abs() < 1e-12)
        );
        assert_eq!(found.spec, SPEC);
    }

    #[test]
    fn what_cannot_be_trusted_gives_nothing_and_quotes_nothing() {
        let good = "1,0,0.9,1,1,2,1,1\n";
        let faces = "confidence,success,face_id,AU06_r,AU12_r,AU06_c,AU12_c\n";
        let long = "9".repeat(70_000);
        for (text, why) in [
            ("frame,confidence,success\n".to_owned(), "has no column `AU06_r`"),
            (HEAD.to_owned(), "in fewer than half of its frames"),
            ([HEAD, good, "2,0,0.1,1,1,2,1,1\n3,0,0.1,1,1,2,1,1\n"].concat(), "fewer than half"),
            ([HEAD, "1,0,0.9,1,77,2,1,1\n"].concat(), "`AU_r` is outside 0 to 5"),
            ([HEAD, "1,0,0.9,1,1,-7,1,1\n"].concat(), "`AU_r` is outside 0 to 5"),
            ([HEAD, "1,0,7,1,1,2,1,1\n"].concat(), "`confidence` is outside 0 to 1"),
            ([HEAD, "1,0,0.9,1,nan,2,1,1\n"].concat(), "a value is not a number"),
            ([HEAD, "1,0,0.9,1,1\n"].concat(), "a line has fewer columns than the first one"),
            ([faces, "0.9,1,0,1,1,1,1\n0.9,1,7,1,1,1,1\n"].concat(), "more than one face"),
            ([HEAD, &long].concat(), "a line is longer than 65536 bytes"),
            ([&"a,".repeat(3_000), "\n"].concat(), "more than 2048 columns"),
        ] {
            let found = values(&text).unwrap_err();
            assert!(found.contains(why) && !found.contains('7'), "{why}: {found}");
        }
        let one = [faces, "0.9,1,0,1,1,1,1\n0.9,1,0,1,1,1,1\n"].concat();
        assert_eq!(values(&one).unwrap().len(), 4);
        assert!(parse(&[HEAD.as_bytes(), b"\xff\xff\n"].concat()[..]).is_err());
    }

    #[test]
    fn a_real_file_is_known_by_its_columns_and_read() {
        let Some(sample) =
            crate::intake::source::tests::real("formats/openface/OpenFace_Test-first30.csv")
        else {
            return;
        };
        assert!(holds(&sample).unwrap());
        let found = read(&sample).unwrap();
        assert_eq!(found.whole.len(), 4);
        for (reading, _) in &found.whole {
            assert!((0.0..=5.0).contains(&reading.value) && reading.n <= 30, "{reading:?}");
        }
        assert!(!holds(sample.parent().unwrap()).unwrap());
    }
}
