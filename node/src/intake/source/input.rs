//! What a steward types: `NAME=PATH`, or `NAME.KIND=PATH` where the path does not tell what it is.
//!
//! A file's ending tells tables (`.csv`, `.parquet`, `.ndjson`) and FIT files; a folder of NDJSON is FHIR,
//! another folder holds recordings. Of all else, one JSON looks like the next, so the kind is said.
use super::{NAME_LENGTH_MAX, identifier};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tacit_shared::fault::Fault;

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// CSV: `.csv`, `.tsv`, `.txt`.
    Csv,
    /// Parquet.
    Parquet,
    /// One JSON object a line.
    Ndjson,
    /// FHIR R4 bulk data: NDJSON, a file or a folder.
    Fhir,
    /// The data dictionary of a `REDCap` project; the input of the same name is its export.
    Dictionary,
    /// A folder of recordings, or one recording.
    Recordings,
    /// Open mHealth data points.
    OpenMHealth,
    /// A Garmin FIT file.
    Fit,
    /// Apple Health's `export.xml`.
    Apple,
    /// A file of a Fitbit Takeout.
    Fitbit,
    /// Frames of a face: refused.
    OpenFace,
}

impl Kind {
    const ALL: [Kind; 11] = [
        Kind::Csv,
        Kind::Parquet,
        Kind::Ndjson,
        Kind::Fhir,
        Kind::Dictionary,
        Kind::Recordings,
        Kind::OpenMHealth,
        Kind::Fit,
        Kind::Apple,
        Kind::Fitbit,
        Kind::OpenFace,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Csv => "csv",
            Kind::Parquet => "parquet",
            Kind::Ndjson => "ndjson",
            Kind::Fhir => "fhir",
            Kind::Dictionary => "dictionary",
            Kind::Recordings => "recordings",
            Kind::OpenMHealth => "openmhealth",
            Kind::Fit => "fit",
            Kind::Apple => "apple",
            Kind::Fitbit => "fitbit",
            Kind::OpenFace => "openface",
        }
    }
}

/// A file or folder and the name under which the mapping knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    name: String,
    kind: Option<Kind>,
    path: PathBuf,
}

impl Input {
    /// The name; the raw table is `raw_` and the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the file or folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is the data dictionary that belongs to the input of the same name.
    pub fn is_dictionary(&self) -> bool {
        self.kind == Some(Kind::Dictionary)
    }

    /// The name that tells it from other inputs: that of a dictionary ends in `.dictionary`.
    pub fn label(&self) -> String {
        if self.is_dictionary() { format!("{}.dictionary", self.name) } else { self.name.clone() }
    }

    /// What it is: as the steward said, else as the path tells.
    ///
    /// # Errors
    /// A user's fault if neither says.
    pub fn kind(&self) -> Result<Kind, Fault> {
        if let Some(kind) = self.kind {
            return Ok(kind);
        }
        let name = self.path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        if self.path.is_dir() {
            let fhir = super::files::list(&self.path, super::ndjson::is_named)?;
            return Ok(if fhir.is_empty() { Kind::Recordings } else { Kind::Fhir });
        }
        if super::ndjson::is_named(&name) {
            return Ok(Kind::Ndjson);
        }
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "csv" | "tsv" | "txt" => Ok(Kind::Csv),
            "parquet" | "pq" => Ok(Kind::Parquet),
            "fit" => Ok(Kind::Fit),
            "xlsx" | "xlsm" | "xls" | "ods" => Err(Fault::user("the file is a spreadsheet")
                .at(self.path.display().to_string())
                .hint("save its sheet as CSV UTF-8")),
            _ => Err(Fault::user("the kind of the file is not known")
                .at(self.path.display().to_string())
                .hint(format!(
                    "its name must end in .csv, .tsv, .txt, .parquet, .ndjson or .fit; else say what it is, as in \
                     {}.apple=FILE: one of {}",
                    self.name,
                    kinds()
                ))),
        }
    }
}

impl FromStr for Input {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let shape =
            "expected NAME=FILE or NAME.KIND=FILE, the name in lower-case letters, digits and _";
        let (label, path) = text.split_once('=').ok_or(shape)?;
        let (name, kind) = match label.split_once('.') {
            None => (label, None),
            Some((name, word)) => {
                let known = Kind::ALL.into_iter().find(|kind| kind.name() == word);
                let kind = known.ok_or_else(|| format!("expected a KIND among {}", kinds()))?;
                (name, Some(kind))
            }
        };
        if path.is_empty()
            || name.is_empty()
            || name.len() > NAME_LENGTH_MAX
            || name != identifier(name)
        {
            return Err(shape.to_owned());
        }
        Ok(Self { name: name.to_owned(), kind, path: path.into() })
    }
}

fn kinds() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_name_and_a_file() {
        let input: Input = "visits=data/a=b.csv".parse().unwrap();
        assert_eq!((input.name(), input.path()), ("visits", Path::new("data/a=b.csv")));
        for bad in ["visits", "=a.csv", "visits=", "Visits=a.csv", "a b=a.csv", "1a=a.csv"] {
            assert!(bad.parse::<Input>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_kind_is_said_or_told_by_the_path() {
        let kind = |text: &str| text.parse::<Input>().unwrap().kind().unwrap();
        assert_eq!(kind("a=x.CSV"), Kind::Csv);
        assert_eq!(kind("a=x.ndjson.gz"), Kind::Ndjson);
        assert_eq!(kind("a.fhir=x.ndjson"), Kind::Fhir);
        assert_eq!(kind("a=x.fit"), Kind::Fit);
        for known in Kind::ALL {
            assert_eq!(kind(&format!("a.{}=x", known.name())), known);
        }
        let input: Input = "forms.dictionary=d.csv".parse().unwrap();
        assert_eq!((input.name(), input.label().as_str()), ("forms", "forms.dictionary"));
        assert_eq!(
            "a.word=x".parse::<Input>().unwrap_err(),
            "expected a KIND among csv, parquet, ndjson, fhir, dictionary, recordings, openmhealth, fit, apple, \
             fitbit, openface"
        );
        let fault = "watch=export.xml".parse::<Input>().unwrap().kind().unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the kind of the file is not known\n  at:   export.xml\n  hint: its name must end in .csv, .tsv, .txt, \
             .parquet, .ndjson or .fit; else say what it is, as in watch.apple=FILE: one of csv, parquet, ndjson, fhir, \
             dictionary, recordings, openmhealth, fit, apple, fitbit, openface"
        );
    }
}
