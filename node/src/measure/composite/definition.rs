//! What a composite's file may say.
//!
//! ```text
//! format, id, version, title, alias, policy_profile
//! [rule]         method (weighted-mean own-scales own-numbers), anchor, min_weight_present, uncertainty
//! [[components]] id, source, direction, weight, map, biometric
//! [[typical_minutes]] specialty, channel, minutes    what `minutes_ratio` divides by: public, the first that fits
//! [[vectors]]    values, expect { score, weight_share, pattern }
//! ```
//! `source` is `instrument:ID/SCALE` or `feature:NAME`. As an instrument, the file proves itself: loading fails
//! if a vector does not hold. docs/instruments.md explains every key.
use super::blend::{self, Blend, OptIn};
use super::check::{component, head, kind, typical};
use crate::measure::instrument::Catalogue;
use crate::measure::instrument::definition::FILE_BYTES_MAX;
use crate::measure::instrument::term::Direction;
use crate::store::panel::detail::Typical;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, FeatureId};
use tacit_shared::study::profile::Profile;
use toml::Spanned;

/// The format this program reads.
pub const FORMAT: &str = "tacit-composite/1";
/// The outputs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// What patients report of the relation.
    RelationalExperience,
    /// Facts of the process.
    Engagement,
    /// Clinicians' own scales.
    Burnout,
    /// Signals of the clinician's body.
    PhysiologicalLoad,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Output::RelationalExperience => "relational-experience",
            Output::Engagement => "engagement",
            Output::Burnout => "burnout",
            Output::PhysiologicalLoad => "physiological-load",
        })
    }
}

/// Where a component's reading comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A scale of an instrument.
    Scale {
        /// The instrument.
        instrument: FeatureId,
        /// Its scale.
        scale: FeatureId,
    },
    /// A fact of the process: one of [`FACTS`].
    Fact(&'static str),
    /// A signal of a body: one of [`SIGNALS`].
    Signal(&'static str),
}

/// Minutes over the file's typical ones of specialty and channel; share of encounters with a patient met before;
/// interruptions.
pub const FACTS: [&str; 3] = ["minutes_ratio", "continuity", "interruptions_per_hour"];
/// Distances from the person's own baseline, in robust standard deviations.
pub const SIGNALS: [&str; 3] = ["mean_hr_z", "ln_rmssd_z", "scr_per_min_z"];

impl Source {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let named = |names: [&'static str; 3], name: &str| names.into_iter().find(|n| *n == name);
        let wrong = || {
            format!(
                "`{text}` is not a source: expected instrument:ID/SCALE, or feature: and one of {}, {}",
                FACTS.join(", "),
                SIGNALS.join(", ")
            )
        };
        match text.split_once(':') {
            Some(("instrument", rest)) => {
                let (instrument, scale) = rest.split_once('/').ok_or_else(wrong)?;
                let part = |name: &str| name.parse().map_err(|_| wrong());
                Ok(Source::Scale { instrument: part(instrument)?, scale: part(scale)? })
            }
            Some(("feature", name)) => named(FACTS, name)
                .map(Source::Fact)
                .or(named(SIGNALS, name).map(Source::Signal))
                .ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Method {
    WeightedMean,
    OwnScales,
    OwnNumbers,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Uncertainty {
    /// How many are present, the pattern and the share of weight go with every score.
    Report,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) method: Method,
    #[serde(default)]
    pub(super) anchor: Vec<FeatureId>,
    pub(super) min_weight_present: Option<f64>,
    #[serde(rename = "uncertainty")]
    _uncertainty: Uncertainty,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Component {
    pub(super) id: FeatureId,
    pub(super) source: String,
    pub(super) direction: Option<Direction>,
    pub(super) weight: Option<f64>,
    pub(super) map: Option<Vec<[f64; 2]>>,
    #[serde(default)]
    pub(super) biometric: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypicalMinutes {
    pub(super) specialty: Option<FeatureId>,
    pub(super) channel: Option<String>,
    pub(super) minutes: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vector {
    values: BTreeMap<FeatureId, f64>,
    expect: Expect,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    score: Expected,
    weight_share: Option<f64>,
    pattern: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Expected {
    Number(f64),
    Word(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) format: String,
    pub(super) id: Output,
    pub(super) version: String,
    pub(super) title: String,
    pub(super) alias: Option<FeatureId>,
    pub(super) policy_profile: Profile,
    pub(super) rule: Rule,
    pub(super) components: Vec<Spanned<Component>>,
    #[serde(default)]
    pub(super) typical_minutes: Vec<TypicalMinutes>,
    #[serde(default)]
    pub(super) vectors: Vec<Spanned<Vector>>,
}

/// A reading that is kept beside others.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// The component's id.
    pub id: FeatureId,
    /// Where it comes from.
    pub source: Source,
}

/// How the readings stand to each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Blend(Blend),
    Apart(Vec<Own>),
}

/// A composite that was read, found sound and met its own vectors.
#[derive(Clone, Debug)]
pub struct Composite {
    pub(super) output: Output,
    pub(super) version: String,
    title: String,
    alias: Option<FeatureId>,
    pub(super) profile: Profile,
    pub(super) sha256: Digest,
    pub(super) kind: Kind,
    instruments: BTreeMap<FeatureId, Digest>,
    typical: Vec<Typical>,
    vectors: usize,
}

impl Composite {
    /// Reads a file; `origin` is its name for messages. Scales are looked up in the node's catalogue; those of
    /// locked instruments may be named, and are absent until they are unlocked.
    ///
    /// # Errors
    /// A user's fault with file and line.
    pub fn parse(origin: &str, text: &str, catalogue: &Catalogue) -> Result<Self, Fault> {
        let hint = "docs/instruments.md explains every key; configs/composites has examples";
        let wrong = |problem: String| Fault::user(problem).at(origin).hint(hint);
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
        let mut sources = Vec::with_capacity(file.components.len());
        head(&file).map_err(wrong)?;
        for entry in &file.components {
            let source = component(&file, entry.get_ref(), catalogue).map_err(|e| {
                wrong(format!("component `{}`: {e}", entry.get_ref().id))
                    .at(line(entry.span().start))
            })?;
            sources.push(source);
        }
        let instruments = sources
            .iter()
            .filter_map(|source| match source {
                Source::Scale { instrument, .. } => catalogue.instrument(instrument),
                _ => None,
            })
            .map(|instrument| (instrument.id().clone(), instrument.sha256()))
            .collect();
        let composite = Self {
            typical: typical(&file, &sources).map_err(wrong)?,
            kind: kind(&file, sources).map_err(wrong)?,
            sha256: codec::sha256(text.as_bytes()),
            instruments,
            vectors: file.vectors.len(),
            output: file.id,
            version: file.version,
            title: file.title,
            alias: file.alias,
            profile: file.policy_profile,
        };
        for (number, vector) in (1..).zip(&file.vectors) {
            composite.prove(vector.get_ref()).map_err(|e| {
                wrong(format!("vector {number}: {e}")).at(line(vector.span().start))
            })?;
        }
        Ok(composite)
    }

    /// Which output it is.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The name of its column where a table has one.
    pub fn alias(&self) -> Option<&FeatureId> {
        self.alias.as_ref()
    }

    /// The profile it needs.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The digest of its file; it goes with every score.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }

    /// The instruments it reads, with the digests of their files.
    pub fn instruments(&self) -> &BTreeMap<FeatureId, Digest> {
        &self.instruments
    }

    /// Public typical minutes, which `minutes_ratio` divides by: the first entry that fits counts.
    pub fn typical_minutes(&self) -> &[Typical] {
        &self.typical
    }

    /// How many vectors it met.
    pub fn vectors(&self) -> usize {
        self.vectors
    }

    /// Its components: id, source, and weight if it is blended; by id.
    pub fn components(&self) -> Vec<(&FeatureId, &Source, Option<f64>)> {
        match &self.kind {
            Kind::Blend(blend) => {
                blend.parts().iter().map(|p| (&p.id, &p.source, Some(p.weight))).collect()
            }
            Kind::Apart(own) => own.iter().map(|own| (&own.id, &own.source, None)).collect(),
        }
    }

    fn prove(&self, vector: &Vector) -> Result<(), String> {
        let Kind::Blend(blend) = &self.kind else {
            return Err("what is not blended has no score to try".to_owned());
        };
        let readings = vector.values.iter().map(|(id, value)| (id, *value));
        let found = blend::of(self, blend, readings, OptIn::Given).map_err(|e| e.to_string())?;
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9;
        let Expect { score, weight_share, pattern } = &vector.expect;
        let holds = match (score, found.value()) {
            (Expected::Number(score), Some(value)) => near(*score, value),
            (Expected::Word(word), None) => word == "none",
            _ => false,
        };
        let share = weight_share.is_none_or(|share| near(share, found.weight_share()));
        let same = pattern.as_ref().is_none_or(|pattern| pattern == found.pattern());
        if holds && share && same {
            return Ok(());
        }
        Err(format!(
            "score {}, weight share {}, pattern {}; expected otherwise",
            found.value().map_or("none".to_owned(), |value| value.to_string()),
            found.weight_share(),
            found.pattern()
        ))
    }
}
