//! The study: the contract that an officer approves by its digest.
//!
//! A study file is TOML. [`Study::parse`] refuses unknown keys, bounds upside down and whatever would
//! fail later, naming the key. The digest covers the meaning, not the comments.

pub mod allocation;
pub mod ask;
mod check;
pub mod codes;
mod design;
pub mod evaluation;
pub mod family;
pub mod layout;
pub mod modality;
pub mod pin;
pub mod profile;
pub mod recipient;
pub mod schema;
pub mod source;
pub mod warm;
pub mod words;
mod written;

use crate::codec;
use crate::fault::Fault;
use crate::id::{Digest, FeatureId, GroupId, StudyName};
use allocation::Allocation;
use ask::Ask;
use codes::Codes;
use evaluation::Evaluation;
use family::Family;
use pin::Pin;
use recipient::Recipient;
use schema::{Feature, Group, Histogram, Outcome, Schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::Date;
use warm::Warm;

/// The version of the file format this program reads.
pub const FORMAT: u32 = 1;
/// Most columns a design may have: what a secure sum of this size can carry and a solve can bear.
pub const COLUMNS_MAX: usize = 64;
/// Most groups a study may compare.
pub const GROUPS_MAX: usize = 8;
/// Most histograms a study may count.
pub const HISTOGRAMS_MAX: usize = 4;
/// Most bins of a histogram.
pub const BINS_MAX: u32 = 64;
/// A study file is larger than this only by mistake.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// The calendar of a study: from the first day, up to but not including the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// First day, `YYYY-MM-DD`, UTC.
    pub from: String,
    /// Day after the last.
    pub to: String,
}

/// Who has a row, and what one person can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Roles that take part, as in the person table.
    pub roles: Vec<FeatureId>,
    /// A node refuses to sum more rows than this.
    pub clinicians_per_site_max: u32,
    /// K: with how many clinicians of a site one patient may count.
    pub links_per_patient: u32,
    /// At how many sites one patient may be.
    pub sites_per_patient: u32,
}

/// Privacy of one release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    /// ε of one release for one clinician at one site, added or removed.
    pub epsilon: f64,
    /// δ of the same statement.
    pub delta: f64,
    /// Smallest number of sites whose sum may be opened.
    pub min_sites: u16,
    /// Releases a year the consortium intends; the year's ε is quoted from it.
    pub rounds_per_year: u32,
    /// Longest scaled row that is not shrunk.
    pub norm_cap: f64,
    /// What part of the privacy that `epsilon` admits this release spends, in percent of ρ. A first period may be
    /// released twice: with 25 for the scaling, and once more with 75 in the frame that follows.
    #[serde(default = "whole")]
    pub spend_percent: u32,
    /// How the privacy of the release is divided among its parts.
    pub shares: Shares,
}

fn whole() -> u32 {
    100
}

impl Privacy {
    /// How many releases like this one spend what a year of whole periods does, rounded up: of a release that spends a
    /// part of its period, the others spend the rest.
    pub fn releases_a_year(&self) -> u32 {
        let percent = self.rounds_per_year.saturating_mul(100);
        percent.div_ceil(self.spend_percent.max(1))
    }
}

/// Shares f of the squared norm of a row; they sum to 1 at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Products of features: Σ x̃x̃ᵀ.
    pub matrix: f64,
    /// Products of features and residual: Σ x̃r.
    pub moment: f64,
    /// Squared residuals: Σ r².
    pub square: f64,
    /// Heads of each group.
    pub group_heads: f64,
    /// Residuals of each group.
    pub group_residual: f64,
    /// Features of each group.
    pub group_features: f64,
    /// Heads of each site.
    pub site_heads: f64,
    /// Residuals of each site.
    pub site_residual: f64,
    /// Features of each site.
    pub site_features: f64,
    /// How many rows were shrunk, how many residuals cut, and what share of encounters clinicians excluded.
    pub meta: f64,
    /// Outcomes that b₀ predicts for each group; a later period's only.
    #[serde(default)]
    pub group_labour: f64,
    /// Rows of each group along the frozen directions; a later period's only.
    #[serde(default)]
    pub group_direction: f64,
    /// Outcomes that b₀ predicts for each site; a later period's only.
    #[serde(default)]
    pub site_labour: f64,
    /// Clinicians by bins.
    #[serde(default)]
    pub histograms: f64,
    /// Heads of the groups of an equity rule at each site.
    #[serde(default)]
    pub site_groups: f64,
}

impl Shares {
    /// The shares with their keys, in the order of the layout.
    pub fn each(&self) -> [(&'static str, f64); 10] {
        [
            ("matrix", self.matrix),
            ("moment", self.moment),
            ("square", self.square),
            ("group_heads", self.group_heads),
            ("group_residual", self.group_residual),
            ("group_features", self.group_features),
            ("site_heads", self.site_heads),
            ("site_residual", self.site_residual),
            ("site_features", self.site_features),
            ("meta", self.meta),
        ]
    }

    /// The shares of blocks that not every study has, with their keys; 0 where there is no such block.
    pub fn optional(&self) -> [(&'static str, f64); 5] {
        [
            ("group_labour", self.group_labour),
            ("group_direction", self.group_direction),
            ("site_labour", self.site_labour),
            ("histograms", self.histograms),
            ("site_groups", self.site_groups),
        ]
    }
}

/// The fairness the study asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fairness {
    /// Groups whose mean residual is drawn towards everybody else's.
    pub groups: Vec<GroupId>,
    /// φ in [0, 1]: 0 leaves the gap as it is, 1 closes it.
    pub phi: f64,
}

/// What is fitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What kind of number the outcome is.
    #[serde(default)]
    pub family: Family,
}

/// The file as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    id: StudyName,
    title: String,
    question: String,
    purpose: String,
    recipients: Vec<Recipient>,
    limits: Vec<String>,
    period: Period,
    population: Population,
    outcome: Outcome,
    features: Vec<Feature>,
    groups: Vec<Group>,
    #[serde(default)]
    model: Model,
    #[serde(default)]
    histograms: Vec<Histogram>,
    #[serde(default)]
    instruments: BTreeMap<FeatureId, Pin>,
    #[serde(default)]
    composites: BTreeMap<FeatureId, Pin>,
    privacy: Privacy,
    fairness: Fairness,
    allocation: Allocation,
    #[serde(default)]
    codes: Option<Codes>,
    #[serde(default)]
    warm: Option<Warm>,
    #[serde(default)]
    evaluation: Option<Evaluation>,
    #[serde(default)]
    asks: Vec<Ask>,
}

/// A study that was read and found sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    file: File,
    schema: Schema,
    from: Date,
    to: Date,
    digest: Digest,
}

/// Why a study was refused: the key, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StudyError {
    /// Not TOML, an unknown key, or a value of the wrong type; the text shows the line.
    #[error("{0}")]
    Syntax(String),
    /// A value that the study cannot have.
    #[error("`{key}` {problem}")]
    Key {
        /// The key as written in the file.
        key: String,
        /// What was found and what was expected.
        problem: String,
    },
}

impl StudyError {
    fn key(key: impl Into<String>, problem: impl Into<String>) -> Self {
        StudyError::Key { key: key.into(), problem: problem.into() }
    }

    /// The same, for a person: with the file's name and a hint.
    pub fn into_fault(self, origin: &str) -> Fault {
        let fault = Fault::user(self.to_string()).at(origin);
        fault.hint("docs/study-format.md lists every key with its unit and bounds")
    }
}

impl Study {
    /// Reads a study file.
    ///
    /// # Errors
    /// [`StudyError`] with the key; nothing is kept of a refused file.
    pub fn parse(text: &str) -> Result<Self, StudyError> {
        if text.len() > FILE_BYTES_MAX {
            let problem = format!("{} bytes; expected at most {FILE_BYTES_MAX}", text.len());
            return Err(StudyError::Syntax(problem));
        }
        let file: File = toml::from_str(text).map_err(|e| StudyError::Syntax(e.to_string()))?;
        let (from, to) = check::check(&file)?;
        let bytes = codec::encode(&file).map_err(|e| StudyError::Syntax(e.to_string()))?;
        let digest = codec::hash("tacit/v1/study", &[&bytes]);
        let schema = check::schema(&file);
        Ok(Study { file, schema, from, to, digest })
    }

    /// What an officer approves: covers every key of the file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The short name.
    pub fn name(&self) -> &StudyName {
        &self.file.id
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.file.title
    }

    /// The question the study answers.
    pub fn question(&self) -> &str {
        &self.file.question
    }

    /// The same in parts, each with what answers it.
    pub fn asks(&self) -> &[Ask] {
        &self.file.asks
    }

    /// The purpose of processing.
    pub fn purpose(&self) -> &str {
        &self.file.purpose
    }

    /// Who receives the result, with the class that decides what may go there.
    pub fn recipients(&self) -> &[Recipient] {
        &self.file.recipients
    }

    /// What the result must not be used for.
    pub fn limits(&self) -> &[String] {
        &self.file.limits
    }

    /// First day, and the day after the last.
    pub fn period(&self) -> (Date, Date) {
        (self.from, self.to)
    }

    /// Who has a row.
    pub fn population(&self) -> &Population {
        &self.file.population
    }

    /// What is measured.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The questionnaires by which hospitals score, by id: version and digest of each definition.
    pub fn instruments(&self) -> &BTreeMap<FeatureId, Pin> {
        &self.file.instruments
    }

    /// The composites by which hospitals score, by id, likewise.
    pub fn composites(&self) -> &BTreeMap<FeatureId, Pin> {
        &self.file.composites
    }

    /// Privacy of one release.
    pub fn privacy(&self) -> &Privacy {
        &self.file.privacy
    }

    /// What kind of number the outcome is.
    pub fn family(&self) -> Family {
        self.file.model.family
    }

    /// What the period takes over from earlier results; `None` in a first period.
    pub fn warm(&self) -> Option<&Warm> {
        self.file.warm.as_ref()
    }

    /// What is compared over periods, if anything is.
    pub fn evaluation(&self) -> Option<&Evaluation> {
        self.file.evaluation.as_ref()
    }

    /// The fairness asked for.
    pub fn fairness(&self) -> &Fairness {
        &self.file.fairness
    }

    /// How the pool is divided.
    pub fn allocation(&self) -> &Allocation {
        &self.file.allocation
    }

    /// The billing codes that the study proposes, if it does.
    pub fn codes(&self) -> Option<&Codes> {
        self.file.codes.as_ref()
    }
}

#[cfg(test)]
pub(crate) mod tests;
