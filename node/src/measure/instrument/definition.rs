//! An instrument's definition: data in a TOML file, which proves itself.
//!
//! ```text
//! [items]     ids, codes {"3" = 50}, not_applicable, reverse        value of a reversed item: min + max − value
//! [[scales]]  id, items, method, range, max_missing, missing_rule
//! [[vectors]] answers, expect                                       loading fails if one does not hold
//! ```
//! No wording of items: it belongs to the authors of the instrument. Scoring is [`super::score`]'s work; what
//! a file is refused for stands in `check`.
use super::check;
use super::score::ScoreError;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;

/// The format this program reads.
pub const FORMAT: &str = "tacit-instrument/1";
/// A definition is longer than this only by mistake.
pub const FILE_BYTES_MAX: usize = 1 << 18;

/// Who fills it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Respondent {
    /// A patient, about a clinician.
    Patient,
    /// A clinician, about themselves.
    Clinician,
}

impl Respondent {
    /// The word of the response table.
    pub fn word(self) -> &'static str {
        match self {
            Respondent::Patient => "patient",
            Respondent::Clinician => "clinician",
        }
    }
}

/// What one score says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// One encounter.
    Encounter,
    /// A clinician over some weeks.
    ClinicianPeriod,
    /// A ward, never one clinician.
    WardPeriod,
}

/// How items become a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The sum of the items.
    Sum,
    /// Their mean.
    Mean,
}

/// What missing items do, up to `max_missing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingRule {
    /// No score.
    Reject,
    /// Each missing item counts as the mean of the answered ones.
    MeanOfAnswered,
    /// The mean is taken over the answered items.
    MeanOfAvailable,
}

/// Which end is good; told to readers, no part of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A higher score is better.
    HigherBetter,
    /// A lower score is better.
    LowerBetter,
}

/// One scale.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Its id.
    pub id: FeatureId,
    /// Its items.
    pub items: Vec<String>,
    /// How they become a score.
    pub method: Method,
    /// Lowest and highest score there can be.
    pub range: [f64; 2],
    /// Which end is good.
    pub direction: Direction,
    /// So many items may be missing.
    pub max_missing: usize,
    /// What they do then.
    pub missing_rule: MissingRule,
}

/// A score from which on a scale raises a flag.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// Its id.
    pub id: FeatureId,
    /// The scale.
    pub scale: FeatureId,
    /// Raised from this score on.
    pub at_least: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Items {
    pub(super) ids: Vec<String>,
    pub(super) codes: BTreeMap<String, f64>,
    pub(super) not_applicable: BTreeSet<String>,
    pub(super) reverse: BTreeSet<String>,
}

/// On what terms the instrument may be used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// The terms, in a word.
    pub status: LicenceStatus,
    /// Who holds the rights.
    pub holder: String,
    /// Whether the wording of items may be given on.
    pub ship_item_text: bool,
    /// Whether a site needs a licence of its own.
    pub site_must_confirm: bool,
}

/// Terms of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LicenceStatus {
    /// Nobody holds rights.
    PublicDomain,
    /// Copyrighted, free for anyone to use.
    CopyrightFreeToUse,
    /// Free unless money is made with it.
    FreeNoncommercial,
    /// A licence must be bought or signed.
    Licensed,
    /// Not found out.
    Unclear,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reporting {
    min_n_person: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vector {
    pub(super) answers: BTreeMap<String, Code>,
    pub(super) expect: BTreeMap<String, Expected>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Code {
    Number(i64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Expected {
    Flag(bool),
    Score(f64),
    Word(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) format: String,
    id: FeatureId,
    version: String,
    title: String,
    respondent: Respondent,
    unit: Unit,
    source: String,
    licence: Licence,
    pub(super) items: Items,
    pub(super) scales: Vec<Scale>,
    #[serde(default)]
    pub(super) flags: Vec<Flag>,
    reporting: Reporting,
    pub(super) vectors: Vec<Vector>,
}

/// An instrument that was read, found sound and scored its own vectors.
#[derive(Clone, Debug)]
pub struct Instrument {
    pub(super) file: File,
}

impl Instrument {
    /// Reads a definition; `origin` is the file's name for messages.
    ///
    /// # Errors
    /// A user's fault with the key, the line, or the vector that does not hold.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Fault> {
        let wrong = |problem: String| {
            Fault::user(problem)
                .at(origin)
                .hint("configs/instruments/care-measure.toml is an example")
        };
        if text.len() > FILE_BYTES_MAX {
            return Err(wrong(format!("{} bytes; expected at most {FILE_BYTES_MAX}", text.len())));
        }
        let file: File = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        check::check(&file).map_err(wrong)?;
        let instrument = Self { file };
        check::prove(&instrument).map_err(wrong)?;
        Ok(instrument)
    }

    /// Its id.
    pub fn id(&self) -> &FeatureId {
        &self.file.id
    }

    /// Its version, as its authors call it.
    pub fn version(&self) -> &str {
        &self.file.version
    }

    /// Its title.
    pub fn title(&self) -> &str {
        &self.file.title
    }

    /// Where it was published.
    pub fn source(&self) -> &str {
        &self.file.source
    }

    /// On what terms it may be used.
    pub fn licence(&self) -> &Licence {
        &self.file.licence
    }

    /// Who fills it in.
    pub fn respondent(&self) -> Respondent {
        self.file.respondent
    }

    /// What one score says something about.
    pub fn unit(&self) -> Unit {
        self.file.unit
    }

    /// With fewer responses a clinician's own view shows no mean.
    pub fn min_n_person(&self) -> u32 {
        self.file.reporting.min_n_person
    }

    /// Its items.
    pub fn items(&self) -> &[String] {
        &self.file.items.ids
    }

    /// Every code an answer may have, those that count as missing last.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        let items = &self.file.items;
        items.codes.keys().chain(&items.not_applicable).map(String::as_str)
    }

    /// Its scales.
    pub fn scales(&self) -> &[Scale] {
        &self.file.scales
    }

    /// The scale of that id.
    pub fn scale(&self, id: &FeatureId) -> Option<&Scale> {
        self.file.scales.iter().find(|scale| scale.id == *id)
    }

    /// Its flags.
    pub fn flags(&self) -> &[Flag] {
        &self.file.flags
    }

    /// What an answer is worth; `None` if its code counts as missing.
    ///
    /// # Errors
    /// [`ScoreError`] for a code or an item that the instrument does not have.
    pub fn value(&self, item: &str, code: &str) -> Result<Option<f64>, ScoreError> {
        let items = &self.file.items;
        if !items.ids.iter().any(|id| id == item) {
            return Err(ScoreError::UnknownItem);
        }
        let Some(value) = items.codes.get(code) else {
            return if items.not_applicable.contains(code) {
                Ok(None)
            } else {
                Err(ScoreError::UnknownCode { item: item.to_owned() })
            };
        };
        if items.reverse.contains(item) {
            let (low, high) = span(items);
            return Ok(Some(low + high - value));
        }
        Ok(Some(*value))
    }
}

/// Lowest and highest value of a code.
pub(super) fn span(items: &Items) -> (f64, f64) {
    let values = || items.codes.values().copied();
    (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
}
