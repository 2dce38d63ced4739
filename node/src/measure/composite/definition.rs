//! What a composite's file may say.
//!
//! ```text
//! format, id, version, title, alias, policy_profile
//! [rule]         method (weighted-mean own-scales own-numbers), anchor, min_weight_present, uncertainty
//! [[components]] id, source, direction, weight, map, biometric
//! [[vectors]]    values, expect { score, weight_share, pattern }
//! ```
//! `source` is `instrument:ID/SCALE` or `feature:NAME`. As an instrument, the file proves itself: loading fails
//! if a vector does not hold. docs/instruments.md explains every key.
use super::blend::{self, Blend, OptIn, Part};
use super::map::Map;
use crate::measure::instrument::Catalogue;
use crate::measure::instrument::definition::FILE_BYTES_MAX;
use crate::measure::instrument::term::{Direction, Respondent, Unit};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, FeatureId};
use tacit_shared::study::profile::Profile;
use toml::Spanned;

/// The format this program reads.
pub const FORMAT: &str = "tacit-composite/1";
/// Most components of a composite.
const COMPONENTS_MAX: usize = 64;
/// Words for what a person may feel: no name of a component has one.
const FEELINGS: [&str; 14] = [
    "anger",
    "angry",
    "anxiety",
    "anxious",
    "calm",
    "emotion",
    "fear",
    "happiness",
    "happy",
    "joy",
    "mood",
    "sad",
    "stress",
    "stressed",
];

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

/// Minutes over the median of specialty and channel; share of encounters with a known patient; interruptions.
pub const FACTS: [&str; 3] = ["minutes_ratio", "continuity", "interruptions_per_hour"];
/// Distances from the person's own baseline, in robust standard deviations.
pub const SIGNALS: [&str; 3] = ["mean_hr_z", "ln_rmssd_z", "scr_per_min_z"];

impl Source {
    fn parse(text: &str) -> Result<Self, String> {
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
enum Method {
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
struct Rule {
    method: Method,
    #[serde(default)]
    anchor: Vec<FeatureId>,
    min_weight_present: Option<f64>,
    #[serde(rename = "uncertainty")]
    _uncertainty: Uncertainty,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    id: FeatureId,
    source: String,
    direction: Option<Direction>,
    weight: Option<f64>,
    map: Option<Vec<[f64; 2]>>,
    #[serde(default)]
    biometric: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
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
struct File {
    format: String,
    id: Output,
    version: String,
    title: String,
    alias: Option<FeatureId>,
    policy_profile: Profile,
    rule: Rule,
    components: Vec<Spanned<Component>>,
    #[serde(default)]
    vectors: Vec<Spanned<Vector>>,
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

/// Holds what concerns no single component.
fn head(file: &File) -> Result<(), String> {
    if file.format != FORMAT {
        return Err(format!("`format` is `{}`; this program reads {FORMAT}", file.format));
    }
    if file.version.trim().is_empty() || file.title.trim().is_empty() {
        return Err("`version` or `title` is empty".to_owned());
    }
    let count = file.components.len();
    if !(1..=COMPONENTS_MAX).contains(&count) {
        return Err(format!("{count} components; expected 1 to {COMPONENTS_MAX}"));
    }
    let ids: BTreeSet<&FeatureId> = file.components.iter().map(|c| &c.get_ref().id).collect();
    let sources: BTreeSet<&String> = file.components.iter().map(|c| &c.get_ref().source).collect();
    if ids.len() < count || sources.len() < count {
        return Err("two components have one id or one source".to_owned());
    }
    let (method, output) = (file.rule.method, file.id);
    let fits = match output {
        Output::RelationalExperience | Output::Engagement => Method::WeightedMean,
        Output::Burnout => Method::OwnScales,
        Output::PhysiologicalLoad => Method::OwnNumbers,
    };
    if method != fits {
        let expected = match fits {
            Method::WeightedMean => "weighted-mean",
            Method::OwnScales => "own-scales, unblended",
            Method::OwnNumbers => "own-numbers, unblended",
        };
        return Err(format!("`{output}` has another method; expected {expected}"));
    }
    if output == Output::PhysiologicalLoad && file.policy_profile == Profile::SelfReportOnly {
        return Err("signals need `policy_profile = \"ethics-approved-research\"`".to_owned());
    }
    let blended = fits == Method::WeightedMean;
    if !blended && !(file.rule.anchor.is_empty() && file.rule.min_weight_present.is_none()) {
        return Err("what is not blended has no anchor and no weights".to_owned());
    }
    if blended && file.vectors.is_empty() {
        return Err("no vector tries the score".to_owned());
    }
    Ok(())
}

/// Holds what concerns one component, and that it belongs in the output.
fn component(file: &File, component: &Component, catalogue: &Catalogue) -> Result<Source, String> {
    let id = component.id.as_str();
    if let Some(word) = id.split(['-', '_']).find(|word| FEELINGS.contains(word)) {
        return Err(format!("`{word}` is a feeling; name what is measured"));
    }
    let source = Source::parse(&component.source)?;
    belongs(file.id, &source, component.direction, catalogue)?;
    let signal = matches!(source, Source::Signal(_));
    if signal != component.biometric {
        let says =
            if signal { "`biometric = true`: it is a signal of a body" } else { "no `biometric`" };
        return Err(format!("expected {says}"));
    }
    if file.rule.method != Method::WeightedMean {
        return match (component.weight, &component.map) {
            (None, None) => Ok(source),
            _ => Err("what is not blended has no weight and no map".to_owned()),
        };
    }
    let weight = component.weight.ok_or("`weight` is missing")?;
    if !(weight == 0.0 || (1e-6..=1e6).contains(&weight)) {
        return Err("`weight` is out of bounds; expected 0, or 0.000001 to 1000000".to_owned());
    }
    if signal && weight > 0.0 && file.policy_profile == Profile::SelfReportOnly {
        return Err(
            "a signal of a body with a weight is refused under the profile `self-report-only`"
                .to_owned(),
        );
    }
    Ok(source)
}

/// Keeps the outputs apart, and a component the way its scale goes.
fn belongs(
    output: Output,
    source: &Source,
    direction: Option<Direction>,
    catalogue: &Catalogue,
) -> Result<(), String> {
    let respondent = match source {
        Source::Scale { instrument, scale } => {
            let found = catalogue.instrument(instrument);
            let found =
                found.ok_or_else(|| format!("the node has no instrument `{instrument}`"))?;
            let own = found
                .scale(scale)
                .ok_or_else(|| format!("instrument `{instrument}` has no scale `{scale}`"))?;
            if direction.is_some_and(|direction| direction != own.direction) {
                return Err(format!(
                    "`direction` contradicts the scale, which is {}",
                    own.direction.word()
                ));
            }
            if found.unit() == Unit::WardPeriod {
                return Err(format!(
                    "instrument `{instrument}` is about wards, not about one clinician"
                ));
            }
            Some(found.respondent())
        }
        _ => None,
    };
    match (output, source, respondent) {
        (Output::RelationalExperience, Source::Signal(_), _)
        | (Output::RelationalExperience | Output::Engagement, _, Some(Respondent::Patient))
        | (Output::Engagement, Source::Fact(_), _)
        | (Output::Burnout, _, Some(Respondent::Clinician))
        | (Output::PhysiologicalLoad, Source::Signal(_), _) => Ok(()),
        _ => {
            let what = match (source, respondent) {
                (Source::Signal(_), _) => "a signal of a body",
                (Source::Fact(_), _) => "a fact of the process",
                (_, Some(Respondent::Clinician)) => "what clinicians report of themselves",
                _ => "what patients report",
            };
            let takes = match output {
                Output::RelationalExperience => "what patients report",
                Output::Engagement => "facts of the process and what patients report",
                Output::Burnout => "the scales that clinicians fill in about themselves",
                Output::PhysiologicalLoad => "signals",
            };
            Err(format!("{what} is no part of `{output}`, which takes {takes}"))
        }
    }
}

fn kind(file: &File, sources: Vec<Source>) -> Result<Kind, String> {
    let mut components: Vec<(&Component, Source)> =
        file.components.iter().map(Spanned::get_ref).zip(sources).collect();
    components.sort_by(|a, b| a.0.id.cmp(&b.0.id)); // so that the order in the file is no matter
    if file.rule.method != Method::WeightedMean {
        let own =
            |(component, source): (&Component, Source)| Own { id: component.id.clone(), source };
        return Ok(Kind::Apart(components.into_iter().map(own).collect()));
    }
    let part = |(component, source): (&Component, Source)| {
        let wrong = |problem: String| format!("component `{}`: {problem}", component.id);
        let direction =
            component.direction.ok_or_else(|| wrong("`direction` is missing".to_owned()))?;
        let knots = component.map.clone().ok_or_else(|| wrong("`map` is missing".to_owned()))?;
        let map = Map::new(knots, direction).map_err(wrong)?;
        let (id, weight) = (component.id.clone(), component.weight.unwrap_or(0.0));
        Ok(Part { id, source, weight, map, anchor: file.rule.anchor.contains(&component.id) })
    };
    let parts: Vec<Part> = components.into_iter().map(part).collect::<Result<_, String>>()?;
    for anchor in &file.rule.anchor {
        if !parts.iter().any(|p| p.id == *anchor && p.weight > 0.0 && !p.is_signal()) {
            return Err(format!("anchor `{anchor}` is no component with a weight, or is a signal"));
        }
    }
    if file.rule.anchor.is_empty() {
        return Err(
            "`anchor` is empty: name the component without which there is no score".to_owned()
        );
    }
    let least = file.rule.min_weight_present.unwrap_or(0.5);
    if !(0.5..=1.0).contains(&least) {
        return Err("`min_weight_present` is out of bounds; expected 0.5 to 1".to_owned());
    }
    Ok(Kind::Blend(Blend::new(parts, least)))
}
