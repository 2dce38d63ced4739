//! The parts of a study with their public numbers, and a column of values for each.
use crate::store::panel::Bounds;
use crate::store::panel::clipped::Clipped;
use tacit_shared::id::FeatureId;
use tacit_shared::study::Study;
use tacit_shared::study::schema::{Feature, Group, Histogram, Outcome, Source};
use tacit_shared::summary::feature::Value;

/// A part of the study with its public numbers.
pub(super) struct Part<'a> {
    pub(super) key: String,
    pub(super) source: &'a Source,
    pub(super) bounds: Bounds,
    pub(super) prior_count: u32,
}

/// Values of one part: one a clinician, `None` where nothing is known. Of scores it is counted besides how many
/// lie outside of the bounds.
pub(super) enum Column {
    Numbers { values: Vec<Option<f64>>, centre: f64, scores: Option<Clipped> },
    Levels(Vec<Option<FeatureId>>),
}

/// The outcome, then the features, the groups and the histograms, as in the schema.
pub(super) fn parts(study: &Study) -> impl Iterator<Item = Part<'_>> {
    let schema = study.schema();
    let Outcome { source, low, high, centre, prior_count, .. } = &schema.outcome;
    let outcome = Part {
        key: "outcome".to_owned(),
        source,
        bounds: Bounds { low: *low, high: *high, centre: *centre },
        prior_count: *prior_count,
    };
    let feature =
        |f: &'_ Feature| (format!("features.{}", f.id), f.low, f.high, f.centre, f.prior_count);
    let group = |g: &'_ Group| (format!("groups.{}", g.id), g.low, g.high, g.centre, g.prior_count);
    let part = |source, (key, low, high, centre, prior_count)| Part {
        key,
        source,
        bounds: Bounds { low, high, centre },
        prior_count,
    };
    let features = schema.features.iter().map(move |f| part(&f.source, feature(f)));
    let groups = schema.groups.iter().map(move |g| part(&g.source, group(g)));
    let histogram =
        |h: &'_ Histogram| (format!("histograms.{}", h.id), h.low, h.high, h.centre, h.prior_count);
    let histograms = schema.histograms.iter().map(move |h| part(&h.source, histogram(h)));
    std::iter::once(outcome).chain(features).chain(groups).chain(histograms)
}

impl Column {
    /// The value of a clinician; the public centre where nothing is known.
    pub(super) fn value(&self, clinician: usize) -> Option<Value> {
        match self {
            Column::Numbers { values, centre, .. } => {
                values.get(clinician).map(|value| Value::Number(value.unwrap_or(*centre)))
            }
            Column::Levels(levels) => levels.get(clinician)?.clone().map(Value::Level),
        }
    }
}
