//! An instrument's definition: data in a TOML file, which proves itself.
//!
//! ```text
//! [licence]   status, holder, ship_item_text, site_must_confirm     whether a site must first enter a licence
//! [items]     ids, codes {"3" = 50}, not_applicable, reverse        value of a reversed item: min + max − value
//! [[scales]]  id, items, method, range, direction, max_missing, missing_rule
//! [[flags]]   id, scale, at_least
//! [reporting] min_n_person
//! [[vectors]] answers, expect                                       loading fails if one does not hold
//! ```
//! No wording of items: it belongs to the authors of the instrument. Scoring is [`super::score`]'s work; what
//! a file is refused for stands in `check`; docs/instruments.md explains every key.
use super::check;
pub use super::term::{Direction, LicenceStatus, Method, MissingRule, Respondent, Unit};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, FeatureId};
use toml::Spanned;

/// The format this program reads.
pub const FORMAT: &str = "tacit-instrument/1";
/// A definition is longer than this only by mistake.
pub const FILE_BYTES_MAX: usize = 1 << 18;

/// One scale.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Its id.
    pub id: FeatureId,
    /// Its items; none if its scores are imported.
    #[serde(default)]
    pub items: Vec<String>,
    /// How they become a score.
    pub method: Method,
    /// Lowest and highest score there can be.
    pub range: [f64; 2],
    /// Which end is good.
    pub direction: Direction,
    /// So many items may be missing.
    #[serde(default)]
    pub max_missing: usize,
    /// What they do then.
    #[serde(default)]
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

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
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

/// An answer of a vector; a number stands for the code of its shortest decimal form.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Code {
    Integer(i64),
    Number(f64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Expected {
    Flag(bool),
    Score(f64),
    Word(String),
}

/// A file as written; lists know where their entries stand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) format: String,
    id: FeatureId,
    pub(super) version: String,
    pub(super) title: String,
    pub(super) respondent: Respondent,
    pub(super) unit: Unit,
    source: String,
    pub(super) licence: Licence,
    #[serde(default)]
    pub(super) items: Items,
    #[serde(default)]
    pub(super) scales: Vec<Spanned<Scale>>,
    #[serde(default)]
    pub(super) flags: Vec<Spanned<Flag>>,
    reporting: Reporting,
    #[serde(default)]
    pub(super) vectors: Vec<Spanned<Vector>>,
}

/// An instrument that was read, found sound and scored its own vectors.
#[derive(Clone, Debug)]
pub struct Instrument {
    pub(super) file: File,
    sha256: Digest,
}

impl Instrument {
    /// Reads a definition; `origin` is the file's name for messages.
    ///
    /// # Errors
    /// A user's fault with file and line, and the key or the vector that does not hold.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Fault> {
        let wrong = |problem: String| {
            Fault::user(problem)
                .at(origin)
                .hint("docs/instruments.md explains every key; configs/instruments/care-measure.toml is an example")
        };
        let line = |offset: usize| {
            let before = text.get(..offset).unwrap_or(text);
            format!("{origin}:{}", before.matches('\n').count().saturating_add(1))
        };
        if text.len() > FILE_BYTES_MAX {
            return Err(wrong(format!("{} bytes; expected at most {FILE_BYTES_MAX}", text.len())));
        }
        let file: File = toml::from_str(text).map_err(|e| {
            let fault = wrong(e.message().to_owned());
            e.span().map_or(fault.clone(), |span| fault.at(line(span.start)))
        })?;
        let instrument = Self { file, sha256: codec::sha256(text.as_bytes()) };
        check::check(&instrument).map_err(|problem| {
            let fault = wrong(problem.message);
            match problem.offset {
                Some(offset) => fault.at(line(offset)),
                None => fault,
            }
        })?;
        Ok(instrument)
    }

    /// Its id.
    pub fn id(&self) -> &FeatureId {
        &self.file.id
    }

    /// The digest of its file; it goes with every score.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }

    /// What is lawful, but hardly meant: for whoever wrote the file.
    pub fn notes(&self) -> Vec<String> {
        check::notes(&self.file)
    }

    /// How many expectations its vectors hold, all of them met.
    pub fn expectations(&self) -> usize {
        self.file.vectors.iter().map(|vector| vector.get_ref().expect.len()).sum()
    }

    /// How many vectors it has.
    pub fn vectors(&self) -> usize {
        self.file.vectors.len()
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
    pub fn scales(&self) -> impl Iterator<Item = &Scale> {
        self.file.scales.iter().map(Spanned::get_ref)
    }

    /// The scale of that id.
    pub fn scale(&self, id: &FeatureId) -> Option<&Scale> {
        self.scales().find(|scale| scale.id == *id)
    }

    /// Its scales whose scores a site brings itself.
    pub fn imported(&self) -> impl Iterator<Item = &Scale> {
        self.scales().filter(|scale| scale.method == Method::Imported)
    }

    /// Everything an answer can be to: the items, then the scales whose scores are imported.
    pub fn questions(&self) -> impl Iterator<Item = &str> {
        let imported = self.imported().map(|scale| scale.id.as_str());
        self.file.items.ids.iter().map(String::as_str).chain(imported)
    }

    /// Its flags.
    pub fn flags(&self) -> impl Iterator<Item = &Flag> {
        self.file.flags.iter().map(Spanned::get_ref)
    }

    /// Whether both turn any answers into the same scores and flags, for the same respondent and unit.
    pub fn same_rules(&self, other: &Self) -> bool {
        let (a, b) = (&self.file, &other.file);
        a.items == b.items
            && (a.respondent, a.unit) == (b.respondent, b.unit)
            && self.scales().eq(other.scales())
            && self.flags().eq(other.flags())
    }
}

/// Lowest and highest value of a code.
pub(super) fn span(items: &Items) -> (f64, f64) {
    let values = || items.codes.values().copied();
    (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
}
