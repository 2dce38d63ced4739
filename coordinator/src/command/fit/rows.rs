//! The rows of a fit: a CSV file, streamed as often as the model needs it and never held.
//!
//! ```text
//! header, then one row a line    fields between commas, in "…" if they hold one    "" inside is one "
//! ```
//! RFC 4180 without line breaks inside a field, so that a line of the file is a row and its number is
//! right. Only the columns of the model are read; a missing or a bad one is refused with its line and
//! column, never skipped. No message quotes a field: it may say something of a person.
use super::spec::Spec;
use crate::model::table::Row;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use tacit_shared::fault::Fault;

/// Most rows.
const ROWS_MAX: u64 = 100_000_000;
/// Most columns of the file.
const COLUMNS_MAX: usize = 10_000;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Most sites.
const SITES_MAX: usize = 10_000;
/// Numbers beyond this are typing errors, and their squares would not fit.
const LARGEST: f64 = 1e100;
/// What people write for a value that is not there.
const MISSING: [&str; 7] = ["", "NA", "N/A", "NaN", "nan", "null", "."];

/// A table on disk with the columns of one specification.
pub(super) struct Rows<'a> {
    path: &'a Path,
    spec: &'a Spec,
    /// Number of columns of the file.
    width: usize,
    outcome: usize,
    covariates: Vec<usize>,
    weights: Option<usize>,
    groups: Vec<usize>,
    site: Option<usize>,
    sites: BTreeMap<String, usize>,
}

impl<'a> Rows<'a> {
    /// Opens a table and finds the columns.
    ///
    /// # Errors
    /// A user's fault naming the column that is not there, or is there twice.
    pub(super) fn open(path: &'a Path, spec: &'a Spec) -> Result<Self, Fault> {
        let mut lines = Lines::open(path)?;
        let place = format!("{}:1", path.display());
        if !lines.next()? {
            return Err(Fault::user(
                "the file is empty; expected a header with the names of the columns",
            )
            .at(place));
        }
        let header: Vec<String> = lines.fields.iter().map(|name| name.trim().to_owned()).collect();
        if header.len() > COLUMNS_MAX {
            let found = header.len();
            let problem = format!("found {found} columns; expected at most {COLUMNS_MAX}");
            return Err(Fault::user(problem).at(place));
        }
        let find = |key: &str, name: &String| {
            let mut found = header.iter().enumerate().filter(|(_, field)| *field == name);
            match (found.next(), found.next()) {
                (Some((at, _)), None) => Ok(at),
                (Some(_), Some(_)) => {
                    Err(Fault::user(format!("the header names the column `{name}` twice"))
                        .at(&place))
                }
                (None, _) => {
                    Err(Fault::user(format!("there is no column `{name}`, which `{key}` names"))
                        .at(&place)
                        .hint(known(&header)))
                }
            }
        };
        let all = |key: &str, names: &[String]| {
            names.iter().map(|name| find(key, name)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            path,
            spec,
            width: header.len(),
            outcome: find("outcome", &spec.outcome)?,
            covariates: all("covariates", &spec.covariates)?,
            weights: spec.weights.as_ref().map(|name| find("weights", name)).transpose()?,
            groups: all("groups", &spec.groups)?,
            site: spec.site.as_ref().map(|name| find("site", name)).transpose()?,
            sites: BTreeMap::new(),
        })
    }

    /// The names of the sites seen so far, in the order of appearance.
    pub(super) fn sites(&self) -> Vec<String> {
        let mut names: Vec<(usize, &String)> =
            self.sites.iter().map(|(name, at)| (*at, name)).collect();
        names.sort();
        names.into_iter().map(|(_, name)| name.clone()).collect()
    }

    /// Shows every row once.
    ///
    /// # Errors
    /// A user's fault with the line and the column of what is missing, bad or too much.
    pub(super) fn pass(&mut self, mut take: impl FnMut(&Row<'_>)) -> Result<(), Fault> {
        let mut lines = Lines::open(self.path)?;
        lines.next()?;
        let mut covariates = vec![0.0; self.covariates.len()];
        let mut groups = vec![0.0; self.groups.len()];
        let mut count = 0_u64;
        while lines.next()? {
            count = count.saturating_add(1);
            let line = Line {
                fields: &lines.fields,
                place: format!("{}:{}", self.path.display(), lines.number),
            };
            if count > ROWS_MAX {
                return Err(Fault::user(format!("more than {ROWS_MAX} rows")).at(line.place));
            }
            if line.fields.len() != self.width {
                let (found, expected) = (line.fields.len(), self.width);
                let problem = format!("found {found} fields; the header has {expected}");
                return Err(Fault::user(problem)
                    .at(line.place)
                    .hint("a field that holds a comma stands in quotation marks"));
            }
            for ((value, at), name) in
                covariates.iter_mut().zip(&self.covariates).zip(&self.spec.covariates)
            {
                *value = line.number(*at, name)?;
            }
            for ((flag, at), name) in groups.iter_mut().zip(&self.groups).zip(&self.spec.groups) {
                *flag = line.checked(*at, name, "0 or 1", |value| [0.0, 1.0].contains(&value))?;
            }
            let family = self.spec.family;
            let outcome =
                line.checked(self.outcome, &self.spec.outcome, family.domain(), |value| {
                    family.admits(value)
                })?;
            let weight = match (self.weights, &self.spec.weights) {
                (Some(at), Some(name)) => {
                    line.checked(at, name, "a weight above 0", |value| value > 0.0)?
                }
                _ => 1.0,
            };
            let site = match (self.site, &self.spec.site) {
                (Some(at), Some(name)) => {
                    Some(index(&mut self.sites, line.text(at, name)?, &line)?)
                }
                _ => None,
            };
            take(&Row { covariates: &covariates, outcome, weight, groups: &groups, site });
        }
        Ok(())
    }
}

fn index(sites: &mut BTreeMap<String, usize>, name: &str, line: &Line<'_>) -> Result<usize, Fault> {
    if let Some(at) = sites.get(name) {
        return Ok(*at);
    }
    let at = sites.len();
    if at == SITES_MAX {
        return Err(Fault::user(format!("more than {SITES_MAX} sites")).at(&line.place));
    }
    sites.insert(name.to_owned(), at);
    Ok(at)
}

/// What the header does have, for who misspelt a name.
fn known(header: &[String]) -> String {
    const SHOWN: usize = 20;
    let names: Vec<&str> = header.iter().take(SHOWN).map(String::as_str).collect();
    let more = if header.len() > SHOWN { ", …" } else { "" };
    let list = names.join(", ");
    match names.as_slice() {
        [only] if only.contains(';') || only.contains('\t') => {
            "the file has a single column; expected commas between the fields".to_owned()
        }
        _ => format!("the columns are {list}{more}"),
    }
}

/// One row, as text.
struct Line<'a> {
    fields: &'a [String],
    place: String,
}

impl Line<'_> {
    fn text(&self, at: usize, name: &str) -> Result<&str, Fault> {
        let text = self.fields.get(at).map_or("", |field| field.trim());
        if MISSING.contains(&text) {
            let fault = Fault::user(format!("the value of `{name}` is missing"));
            return Err(fault
                .at(format!("{}, column `{name}`", self.place))
                .hint("leave out rows that are not complete, or fill them, before the fit; both are choices to report"));
        }
        Ok(text)
    }

    fn number(&self, at: usize, name: &str) -> Result<f64, Fault> {
        self.checked(at, name, "a number", |_| true)
    }

    fn checked(
        &self,
        at: usize,
        name: &str,
        expected: &str,
        fits: impl Fn(f64) -> bool,
    ) -> Result<f64, Fault> {
        let text = self.text(at, name)?;
        let refuse = |found: &str, hint: &str| {
            Err(Fault::user(format!("found {found} in `{name}`; expected {expected}"))
                .at(format!("{}, column `{name}`", self.place))
                .hint(hint))
        };
        match text.parse::<f64>() {
            Ok(value) if !value.is_finite() || value.abs() > LARGEST => {
                refuse("a number beyond 1e100", "numbers are finite, in decimal notation")
            }
            Ok(value) if fits(value) => Ok(value),
            Ok(_) => {
                refuse("another number", "docs/model-spec.md says which values a column may have")
            }
            Err(_) => refuse(
                &format!("text of {} characters", text.chars().count()),
                "numbers are written with a decimal point and without separators, as in 1234.5 or 1e-3",
            ),
        }
    }
}

/// The lines of a file, split into fields; no more than one is held.
struct Lines<'a> {
    path: &'a Path,
    file: BufReader<File>,
    bytes: Vec<u8>,
    /// Of the line that was read, from 1.
    number: u64,
    fields: Vec<String>,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self, Fault> {
        let unread = |error: std::io::Error| {
            Fault::user(format!("cannot be read: {error}")).at(path.display().to_string())
        };
        let file = File::open(path).map_err(unread)?;
        if !file.metadata().map_err(unread)?.is_file() {
            return Err(Fault::user(
                "not a file; it is read more than once, so a pipe does not do",
            )
            .at(path.display().to_string()));
        }
        let (file, fields) = (BufReader::new(file), Vec::new());
        Ok(Self { path, file, bytes: Vec::new(), number: 0, fields })
    }

    /// Reads the next line that is not blank; `false` at the end.
    fn next(&mut self) -> Result<bool, Fault> {
        loop {
            self.bytes.clear();
            let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
            let read = self.file.by_ref().take(limit).read_until(b'\n', &mut self.bytes);
            self.number = self.number.saturating_add(1);
            let read = read.map_err(|error| self.fault(format!("cannot be read: {error}")))?;
            if read == 0 {
                return Ok(false);
            }
            if read >= LINE_BYTES_MAX {
                return Err(self.fault(format!("a line of more than {LINE_BYTES_MAX} bytes")));
            }
            let text = std::str::from_utf8(&self.bytes)
                .map_err(|_| self.fault("not UTF-8 text".to_owned()))?;
            let text = if self.number == 1 { text.trim_start_matches('\u{feff}') } else { text };
            let text = text.trim_end_matches(['\n', '\r']);
            if text.trim().is_empty() {
                continue;
            }
            if !split(text, &mut self.fields) {
                let problem =
                    "a quotation mark is not closed on its line, or stands inside a field";
                return Err(self.fault(problem.to_owned()));
            }
            return Ok(true);
        }
    }

    fn fault(&self, problem: String) -> Fault {
        Fault::user(problem).at(format!("{}:{}", self.path.display(), self.number))
    }
}

/// Splits a line at its commas into `fields`, whose memory is used again. `false` if a quotation mark is
/// where none may be.
fn split(text: &str, fields: &mut Vec<String>) -> bool {
    let mut count = 0_usize;
    let mut rest = Some(text);
    while let Some(line) = rest {
        if fields.len() == count {
            fields.push(String::new());
        }
        let Some(field) = fields.get_mut(count) else { return false };
        field.clear();
        count = count.saturating_add(1);
        rest = if let Some(mut quoted) = line.strip_prefix('"') {
            loop {
                let Some((part, after)) = quoted.split_once('"') else { return false };
                field.push_str(part);
                match after.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        quoted = more;
                    }
                    None if after.is_empty() => break None,
                    None => match after.strip_prefix(',') {
                        Some(next) => break Some(next),
                        None => return false,
                    },
                }
            }
        } else {
            let (part, next) =
                line.split_once(',').map_or((line, None), |(part, next)| (part, Some(next)));
            if part.contains('"') {
                return false;
            }
            field.push_str(part);
            next
        };
    }
    fields.truncate(count);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_as_spreadsheets_write_them() {
        let mut fields = vec!["old".to_owned(); 9];
        for (text, expected) in [
            ("a,b", &["a", "b"][..]),
            ("a,,", &["a", "", ""]),
            ("\"a,b\",\"say \"\"x\"\"\"", &["a,b", "say \"x\""]),
            ("\"\",1", &["", "1"]),
        ] {
            assert!(split(text, &mut fields), "{text}");
            assert_eq!(fields, expected);
        }
        for text in ["\"open", "a\"b,c", "\"a\"b"] {
            assert!(!split(text, &mut fields), "{text}");
        }
    }
}
