//! How a site's values lie within a study's bounds, and what the study misses here: for the page of `check`.
//!
//! The values are those that a release would be made of, computed by the same functions. Where patients' values
//! are clipped one by one before a clinician's mean is taken, they are counted one by one.
use super::column::{column, detail};
use super::part::{Column, Part, parts};
use super::{FeatureId, assemble, contacts, narrowing, open, scored_by};
use crate::measure::instrument::Catalogue;
use crate::office::cells::Cell;
use crate::office::quality_page::{Counted, Missing, Spread, Standing, StudyQuality};
use crate::store::consent::Access;
use crate::store::panel::Panel;
use crate::store::panel::clipped::Clipped;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{Store, fault};
use tacit_shared::fault::{Audience, Fault};
use tacit_shared::study::Study;
use tacit_shared::study::source::Source;

/// What a site's data are for a study.
///
/// # Errors
/// An operator's fault of the database or the key file. What the site lacks is no fault; it stands in the answer.
pub async fn of_study(
    store: &Store,
    study: &Study,
    (standing, stays_away): (Standing, Option<String>),
    catalogue: &Catalogue,
    (pseudonyms, access): (&Pseudonyms, &Access),
) -> Result<StudyQuality, Fault> {
    let mut panel = open(store, study, pseudonyms, access).await?;
    let (mut spreads, mut missing, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    let mut known_parts = true;
    let clinicians = panel.clinicians().len();
    missing.extend(population_missing(study, clinicians));
    for (part, told) in parts(study).zip(told(study)) {
        let found = match column(&mut panel, catalogue, &part).await {
            Ok(found) => found,
            Err(fault) if fault.audience == Audience::User => {
                known_parts = false;
                missing.push(Missing { part: part.key, what: fault.message, hint: fault.hint });
                continue;
            }
            Err(fault) => return Err(fault),
        };
        missing.extend(nobody_trained(&part, &found));
        if let Some(spread) = spread(&mut panel, &part, &found, told).await? {
            missing.extend(no_values(&spread, clinicians));
            spreads.push(spread);
        }
        columns.push(found);
    }
    missing.extend(empty_levels(study, &columns, known_parts));
    let mut outside_population = 0;
    let mut found_cells = Vec::new();
    let mut weighed_by = None;
    if known_parts {
        let read = scored_by(study, catalogue)?;
        let contacts = contacts::of(&mut panel, (study, &read), catalogue, access).await?;
        let rows = assemble(study, &panel, &columns, contacts)?;
        outside_population = rows.outside_population;
        weighed_by = Some(rows.weighed_by);
        found_cells = rows.cells(study);
        missing.extend(empty_groups(study, &found_cells, clinicians));
    }
    let tables = narrowing::of(&mut panel, study, catalogue, weighed_by).await?;
    panel.close().await.map_err(|e| fault(&e))?;
    let (from, to) = study.period();
    Ok(StudyQuality {
        name: study.name().to_string(),
        title: study.title().to_owned(),
        digest: study.digest().to_string(),
        tables,
        from: from.to_string(),
        to: to.to_string(),
        standing,
        stays_away,
        clinicians,
        outside_population,
        spreads,
        cells: found_cells,
        missing,
    })
}

/// Label, unit and the group's threshold of each part, in the order of [`parts`].
fn told(study: &Study) -> Vec<(String, String, Option<f64>)> {
    let schema = study.schema();
    let outcome = (schema.outcome.label.clone(), schema.outcome.unit.clone(), None);
    let features = schema.features.iter().map(|f| (f.label.clone(), f.unit.clone(), None));
    let groups = schema.groups.iter().map(|g| (g.label.clone(), String::new(), Some(g.at_least)));
    let histograms = schema.histograms.iter().map(|h| (h.label.clone(), h.unit.clone(), None));
    std::iter::once(outcome).chain(features).chain(groups).chain(histograms).collect()
}

async fn spread(
    panel: &mut Panel,
    part: &Part<'_>,
    column: &Column,
    (label, unit, at_least): (String, String, Option<f64>),
) -> Result<Option<Spread>, Fault> {
    let Column::Numbers { values, scores, .. } = column else { return Ok(None) };
    let bounds = &part.bounds;
    let (counted, clipped) = match (scores, detail(part.source)) {
        (Some(clipped), _) => (Counted::Responses, *clipped),
        (None, Some(what)) => {
            let clipped = panel.clipped(what, bounds).await.map_err(|e| fault(&e))?;
            (Counted::Encounters, clipped)
        }
        (None, None) => {
            let mut clipped = Clipped::default();
            values.iter().flatten().for_each(|value| clipped.count(*value, bounds));
            (Counted::Clinicians, clipped)
        }
    };
    let known = values.iter().flatten().count();
    Ok(Some(Spread {
        part: part.key.clone(),
        label,
        source: String::from(part.source.clone()),
        unit,
        low: bounds.low,
        high: bounds.high,
        centre: bounds.centre,
        at_least,
        known: known as u64,
        at_centre: values.len().saturating_sub(known) as u64,
        bins: Spread::bins(values.iter().flatten().copied(), bounds.low, bounds.high),
        counted,
        values: clipped.values,
        clipped_low: clipped.low,
        clipped_high: clipped.high,
    }))
}

fn population_missing(study: &Study, clinicians: usize) -> Option<Missing> {
    let most = study.population().clinicians_per_site_max as usize;
    let roles: Vec<&str> = study.population().roles.iter().map(FeatureId::as_str).collect();
    let (what, hint) = if clinicians == 0 {
        let what = format!("no active clinician has a role of the study ({})", roles.join(", "));
        (what, "do the roles of section @person carry these names, and is `active` 1?")
    } else if clinicians > most {
        let what = format!("{clinicians} clinicians, but the study admits {most} a site");
        (what, "mark who does not work there any more as inactive, or ask for another study")
    } else {
        return None;
    };
    Some(Missing { part: "population".to_owned(), what, hint: Some(hint.to_owned()) })
}

fn no_values(spread: &Spread, clinicians: usize) -> Option<Missing> {
    if spread.known > 0 || clinicians == 0 {
        return None;
    }
    let mut words = spread.source.split(':');
    // What a change is of stands behind its days.
    let head = match words.next() {
        Some("change") => words.nth(1),
        head => head,
    };
    let hint = match head {
        Some("composite") => {
            "every component of its pattern needs values: docs/instruments.md names them"
        }
        Some("in-stratum") => "import this column of clinicians (section @person)",
        Some("scale") => "import responses and their answers (sections @response, @answer)",
        Some("volume" | "hours" | "night-share" | "training-hours") => {
            "import staff records that overlap the period (section @period)"
        }
        Some("mean-hr" | "ln-rmssd") => "import recordings (section @device_session)",
        _ => "import encounters with this column (section @encounter)",
    };
    Some(Missing {
        part: spread.part.clone(),
        what: format!("no clinician has a value from `{}` in the period", spread.source),
        hint: Some(hint.to_owned()),
    })
}

/// Nobody here counts as trained: a word that differs, or trainings that were not imported.
fn nobody_trained(part: &Part<'_>, column: &Column) -> Option<Missing> {
    let (Source::Trained { .. }, Column::Numbers { values, .. }) = (part.source, column) else {
        return None;
    };
    if values.is_empty() || values.iter().flatten().any(|trained| *trained > 0.0) {
        return None;
    }
    Some(Missing {
        part: part.key.clone(),
        what: format!("nobody here counts as trained by `{}`", part.source),
        hint: Some("import trainings with their end (section @training)".to_owned()),
    })
}

/// Levels of a factor that nobody here has: their column would be empty.
fn empty_levels(study: &Study, columns: &[Column], known_parts: bool) -> Vec<Missing> {
    let mut missing = Vec::new();
    // With a part left out the columns do not stand in the study's order.
    if !known_parts {
        return missing;
    }
    for (feature, column) in study.schema().features.iter().zip(columns.iter().skip(1)) {
        let Column::Levels(found) = column else { continue };
        for level in
            feature.levels.iter().filter(|level| !found.iter().flatten().any(|f| f == *level))
        {
            missing.push(Missing {
                part: format!("features.{}", feature.id),
                what: format!("nobody here has the level `{level}`"),
                hint: None,
            });
        }
    }
    missing
}

fn empty_groups(study: &Study, cells: &[Cell], clinicians: usize) -> Vec<Missing> {
    let mut missing = Vec::new();
    if clinicians == 0 {
        return missing;
    }
    // After the cell of everyone, each group has two: its members and the others.
    for (group, pair) in
        study.schema().groups.iter().zip(cells.get(1..).unwrap_or_default().chunks(2))
    {
        for (cell, what) in
            pair.iter().zip(["nobody here is in the group", "everybody here is in the group"])
        {
            if cell.clinicians == 0 {
                missing.push(Missing {
                    part: format!("groups.{}", group.id),
                    what: what.to_owned(),
                    hint: None,
                });
            }
        }
    }
    missing
}
