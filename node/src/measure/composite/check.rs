//! What a composite's file is refused for: keys that contradict each other, and components of another output.
use super::blend::{Blend, Part};
use super::definition::{
    Component, FORMAT, File, Kind, Method, Output, Own, Source, TypicalMinutes,
};
use super::map::Map;
use crate::measure::instrument::Catalogue;
use crate::measure::instrument::term::{Direction, Respondent, Unit};
use crate::store::panel::detail::Typical;
use std::collections::BTreeSet;
use tacit_shared::id::FeatureId;
use tacit_shared::study::profile::Profile;
use tacit_shared::study::words::{feeling, feeling_beside};
use toml::Spanned;

/// Most components of a composite.
const COMPONENTS_MAX: usize = 64;
/// Most entries of typical minutes.
const TYPICAL_MAX: usize = 256;
/// Holds what concerns no single component.
pub(super) fn head(file: &File) -> Result<(), String> {
    if file.format != FORMAT {
        return Err(format!("`format` is `{}`; this program reads {FORMAT}", file.format));
    }
    if file.version.trim().is_empty() || file.title.trim().is_empty() {
        return Err("`version` or `title` is empty".to_owned());
    }
    if let Some(word) = file.alias.as_ref().and_then(|alias| feeling(alias.as_str())) {
        return Err(format!("`alias` has `{word}`, a feeling; name what is measured"));
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
    let weighed = !file.rule.anchor.is_empty() || file.rule.min_weight_present.is_some();
    if !blended && weighed {
        return Err("what is not blended has no anchor and no weights".to_owned());
    }
    if blended && file.vectors.is_empty() {
        return Err("no vector tries the score".to_owned());
    }
    Ok(())
}

/// Holds what concerns one component, and that it belongs in the output.
pub(super) fn component(
    file: &File,
    component: &Component,
    catalogue: &Catalogue,
) -> Result<Source, String> {
    let id = component.id.as_str();
    let source = Source::parse(&component.source)?;
    let title = match &source {
        Source::Scale { instrument, scale } => Some(format!("{instrument}/{scale}")),
        Source::Fact(_) | Source::Signal(_) => None,
    };
    if let Some(word) = feeling_beside(id, title.as_deref()) {
        return Err(format!("`{word}` is a feeling; name what is measured"));
    }
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
        (Output::RelationalExperience | Output::PhysiologicalLoad, Source::Signal(_), _)
        | (Output::RelationalExperience | Output::Engagement, _, Some(Respondent::Patient))
        | (Output::Engagement, Source::Fact(_), _)
        | (Output::Burnout, _, Some(Respondent::Clinician)) => Ok(()),
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

/// The typical minutes: there where a component divides by them, and the last entry fits every encounter.
pub(super) fn typical(file: &File, sources: &[Source]) -> Result<Vec<Typical>, String> {
    let entries = &file.typical_minutes;
    match (sources.contains(&Source::Fact("minutes_ratio")), entries.last()) {
        (false, None) => return Ok(Vec::new()),
        (false, Some(_)) => {
            return Err("`typical_minutes` are given, but no component is minutes_ratio".to_owned());
        }
        (true, Some(last)) if last.specialty.is_none() && last.channel.is_none() => {}
        (true, _) => {
            return Err(
                "`typical_minutes` must end with an entry without specialty and channel, for all else".to_owned()
            );
        }
    }
    if entries.len() > TYPICAL_MAX {
        return Err(format!("{} `typical_minutes`; expected at most {TYPICAL_MAX}", entries.len()));
    }
    let read = |entry: &TypicalMinutes| {
        if !(0.1..=1440.0).contains(&entry.minutes) {
            return Err("`typical_minutes` are out of bounds; expected 0.1 to 1440".to_owned());
        }
        let channel = entry.channel.as_deref().map(str::parse).transpose()?;
        Ok(Typical { specialty: entry.specialty.clone(), channel, minutes: entry.minutes })
    };
    entries.iter().map(read).collect()
}

/// How the components stand to each other.
pub(super) fn kind(file: &File, sources: Vec<Source>) -> Result<Kind, String> {
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
