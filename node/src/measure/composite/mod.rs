//! Composites: several readings of one clinician or encounter become one score, or are kept side by side.
//!
//! ```text
//! relational-experience   Σ w m(v) / Σ w     patients' scales                     alias `empathy_score`
//! engagement              Σ w m(v) / Σ w     facts of the process, patients' scales
//! burnout                 own scales         clinicians' scales, unblended
//! physiological-load      own numbers        signals, with their coverage
//! ```
//! The sums run over the components that are present; m is a clamped, piecewise linear, monotone map into [0, 1].
//! There are these outputs and no other, and none reads what another stands for: a burnout scale is no part of
//! relational experience, a signal none of burnout. Weights are a judgement, not an estimate: changing one makes
//! a new version. What files may say is [`definition`]'s, arithmetic [`blend`]'s; where readings come from is the
//! caller's.
pub mod blend;
mod check;
pub mod definition;
mod map;

pub use definition::{Composite, Source};

use crate::measure::instrument::Catalogue;
use std::collections::BTreeSet;
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;
use tacit_shared::study::source::{Composite as Named, Pattern};

macro_rules! shipped {
    ($($file:literal),+ $(,)?) => {
        [$(($file, include_str!(concat!("../../../../configs/composites/", $file)))),+]
    };
}

const SHIPPED: [(&str, &str); 4] = shipped![
    "burnout.toml",
    "engagement.toml",
    "physiological-load.toml",
    "relational-experience.toml",
];

/// The composites that come with the program, by id.
///
/// # Errors
/// A fault if one does not prove itself, or if the catalogue redefines an instrument so that it lacks a scale.
pub fn shipped(catalogue: &Catalogue) -> Result<Vec<Composite>, Fault> {
    SHIPPED.iter().map(|(origin, text)| Composite::parse(origin, text, catalogue)).collect()
}

/// The composite that a study names: the one that comes with the program, for all hospitals alike.
///
/// # Errors
/// As [`shipped`].
pub fn named(name: Named, catalogue: &Catalogue) -> Result<Composite, Fault> {
    let file = match name {
        Named::RelationalExperience => "relational-experience.toml",
        Named::Engagement => "engagement.toml",
    };
    let found = SHIPPED.iter().find(|(origin, _)| *origin == file);
    let (origin, text) =
        found.ok_or_else(|| Fault::bug(format!("composite `{}` is not shipped", name.word())))?;
    Composite::parse(origin, text, catalogue)
}

/// The kinds of data that a composite reads, by those components that a pattern chooses. One that has no score, or
/// reads a questionnaire that the node does not know, is taken to read whatever a composite may: its study is refused
/// elsewhere.
pub fn modalities(
    name: Named,
    pattern: Option<&Pattern>,
    catalogue: &Catalogue,
) -> BTreeSet<Modality> {
    let kind = |source: &Source| match source {
        Source::Scale { instrument, .. } => catalogue.modality(instrument),
        Source::Fact(_) => Some(Modality::Encounters),
        Source::Signal("scr_per_min_z") => Some(Modality::SkinConductance),
        Source::Signal(_) => Some(Modality::Heart),
    };
    let found = named(name, catalogue).ok().and_then(|composite| {
        let components = composite.over(pattern.map(Pattern::parts)).ok()?;
        components.iter().map(|component| kind(component.source)).collect()
    });
    found.unwrap_or_else(|| {
        let scales = [Modality::PatientQuestionnaires, Modality::ClinicianQuestionnaires];
        scales.into_iter().chain([Modality::Encounters]).collect()
    })
}

#[cfg(test)]
mod tests;
