//! Tables become feature rows: one a clinician and period.
//!
//! ```text
//! mean = centre + Σ (clamp(v, low, high) − centre) / max(n, n₀)      values of patients; n₀ and bounds are public
//! ```
//! Whether a clinician has a row is decided by staff records and never by patients: no row appears or
//! vanishes with one of them, and a clinician of whom nothing is known is given the public centre. A
//! clinician's own questionnaire, staff numbers and recordings are plain means; where there is none, the centre.
//!
//! | source | value |
//! |---|---|
//! | `volume`, `hours` | a month of 365.25/12 days, over the staff records that overlap the period, by their overlap |
//! | `night-share` | night hours over hours of the records that have both |
//! | `training-hours` | sum over the period |
//! | `trained…`, `stratum…`, `in-stratum…` | what staff records declare; of trainings those completed before the period |
//! | `acuity-mean` … `ed-share` | means over encounters that began in the period and whose value is known |
//! | `mean-hr`, `ln-rmssd` | mean over recordings that began in the period of each recording's median window |
//! | `scale:…` | mean over responses of the period with a valid score |
//! | `composite:…`, `change:…` | see [`reading`] |
//!
//! What a clinician's row rests on is the clinician's own records, their patients', and public numbers of the study or
//! of a composite's file: nothing that is usual at the site.
//! Which encounters and responses count is decided in [`crate::store::panel`].
mod column;
mod contacts;
mod narrowing;
mod part;
pub mod pin;
mod reading;
pub mod spread;

use super::instrument::Catalogue;
use crate::office::cells::{Cell, Rare, WeighedBy, cells, rare};
use crate::office::policy;
use crate::store::consent::{Access, Purpose};
use crate::store::panel::{Asked, Bounds, COUNTED, Detail, Excluded, Links, Panel, Span};
use crate::store::pseudonym::Pseudonyms;
use crate::store::scored::ScoredBy;
use crate::store::{Store, fault};
use column::{column, detail, rests_on};
use part::{Column, Part, parts};
use std::collections::BTreeSet;
use std::fmt;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::study::Study;
use tacit_shared::study::source::Source;
use tacit_shared::summary::feature::{FeatureError, FeatureRow, Measured, Value};
use time::Date;

/// A day, in microseconds.
const DAY_US: i64 = 86_400_000_000;

/// The rows of a study, and what did not go as one would wish: counts only.
pub struct Rows {
    /// One row a clinician, in the order of their keys.
    pub rows: Vec<FeatureRow>,
    /// How many encounters each of them had, or answers of patients, in the same order.
    pub encounters: Vec<u32>,
    /// Which of them were counted.
    pub weighed_by: WeighedBy,
    /// Active clinicians with a role of the study whom the site's rules on consent admit.
    pub considered: usize,
    /// Those of them whose specialty or role is not a level of the study.
    pub outside_population: usize,
    /// For each part of the study, how many clinicians were given its centre because nothing was known.
    pub at_centre: Vec<(String, usize)>,
    /// Links of patients with clinicians.
    pub links: Links,
    /// Encounters that their clinicians excluded.
    pub excluded: Excluded,
    /// The questionnaires and composites that were scored, by id.
    pub scored_by: Vec<ScoredBy>,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.rows.len())
    }
}

impl Rows {
    /// The cells of the study at this site.
    pub fn cells(&self, study: &Study) -> Vec<Cell> {
        let rows = self.rows.iter().map(FeatureRow::member).zip(self.encounters.iter().copied());
        cells(study.schema(), self.weighed_by, rows)
    }

    /// The levels of factors that few clinicians of this site share.
    pub fn rare(&self, study: &Study) -> Vec<Rare> {
        rare(study.schema(), self.rows.iter().map(FeatureRow::x))
    }
}

/// Holds that the node can measure what the study asks for.
///
/// # Errors
/// A user's fault that names the part of the study: an instrument or scale the node does not know, a
/// questionnaire about wards, bounds beyond what the scale can be, or a definition that is not the one the study
/// pins.
pub fn check_fits(study: &Study, catalogue: &Catalogue) -> Result<(), Fault> {
    scored_by(study, catalogue).map(drop)
}

/// The questionnaires and composites that a study asks to be scored, each once, by id.
///
/// # Errors
/// As [`check_fits`].
pub fn scored_by(study: &Study, catalogue: &Catalogue) -> Result<Vec<ScoredBy>, Fault> {
    let mut found = BTreeSet::new();
    for part in parts(study) {
        rests_on((study, catalogue), &part, &mut found)?;
    }
    Ok(found.into_iter().collect())
}

/// Computes the rows of a study from a node's tables.
///
/// # Errors
/// As [`check_fits`]; more clinicians than the study admits; answers that the instrument does not have; an
/// operator's fault of the database.
pub async fn rows(
    store: &Store,
    study: &Study,
    catalogue: &Catalogue,
    pseudonyms: &Pseudonyms,
    access: &Access,
) -> Result<Rows, Fault> {
    let scored_by = scored_by(study, catalogue)?;
    let mut panel = open(store, study, pseudonyms, access).await?;
    let (considered, most) =
        (panel.clinicians().len(), study.population().clinicians_per_site_max as usize);
    if considered > most {
        return Err(Fault::user(format!(
            "{considered} active clinicians have a role of the study, which admits {most}"
        ))
        .at("population.clinicians_per_site_max")
        .hint("mark who does not work there any more as inactive, or ask for a study with a higher number"));
    }
    let mut columns = Vec::new();
    for part in parts(study) {
        columns.push(column(&mut panel, catalogue, &part).await?);
    }
    let contacts = contacts::of(&mut panel, (study, &scored_by), catalogue, access).await?;
    let rows = Rows { scored_by, ..assemble(study, &panel, &columns, contacts)? };
    panel.close().await.map_err(|e| fault(&e))?;
    Ok(rows)
}

async fn open(
    store: &Store,
    study: &Study,
    pseudonyms: &Pseudonyms,
    access: &Access,
) -> Result<Panel, Fault> {
    pseudonyms.bind(store).await?;
    let population = study.population();
    let roles: Vec<&str> = population.roles.iter().map(FeatureId::as_str).collect();
    let (from, to) = study.period();
    let span = Span { from_us: midnight_us(from), to_us: midnight_us(to) };
    // As many days, which began so many days earlier.
    let earlier = study.schema().lag().map(|lag| {
        let back = i64::from(lag.get()).saturating_mul(DAY_US);
        let (from_us, to_us) = (span.from_us.saturating_sub(back), span.to_us.saturating_sub(back));
        Span { from_us, to_us }
    });
    let links_per_patient = population.links_per_patient;
    let values = values(study);
    let purpose = purpose(study)?;
    let asked = Asked { purpose, roles: &roles, span, earlier, links_per_patient, values: &values };
    Panel::open(store, pseudonyms, access, &asked).await
}

/// The means of encounters that the rows of a study rest on; both of a study's spans are asked for.
fn values(study: &Study) -> Vec<(Detail<'_>, Bounds)> {
    std::iter::once((Detail::Acuity, COUNTED))
        .chain(parts(study).filter_map(|part| value(&part)))
        .collect()
}

fn value<'a>(part: &Part<'a>) -> Option<(Detail<'a>, Bounds)> {
    match part.source {
        Source::Change { of, .. } => Some((detail(of)?, reading::bounds(of)?)),
        source => Some((detail(source)?, part.bounds)),
    }
}

/// What people's rows are read for.
///
/// # Errors
/// A user's fault for a purpose that nobody can have consented to here.
pub(super) fn purpose(study: &Study) -> Result<Purpose, Fault> {
    Purpose::of_study(study.purpose()).ok_or_else(|| {
        let message = format!(
            "study {} has the purpose `{}`, which people are not asked about here",
            study.name(),
            study.purpose()
        );
        Fault::user(message).at(policy::PLACE).hint("rows are read for `research-aggregate` alone")
    })
}

fn assemble(
    study: &Study,
    panel: &Panel,
    columns: &[Column],
    (weighed_by, contacts): (WeighedBy, Vec<u32>),
) -> Result<Rows, Fault> {
    let (features, groups) = (study.schema().features.len(), study.schema().groups.len());
    let mut at_centre = Vec::new();
    for (part, column) in parts(study).zip(columns) {
        if let Column::Numbers { values, .. } = column
            && let count @ 1.. = values.iter().filter(|value| value.is_none()).count()
        {
            at_centre.push((part.key, count));
        }
    }
    let considered = panel.clinicians().len();
    let mut rows = Vec::with_capacity(considered);
    let mut encounters = Vec::with_capacity(considered);
    let mut outside_population = 0;
    for clinician in 0..considered {
        let values: Option<Vec<Value>> = columns.iter().map(|c| c.value(clinician)).collect();
        let Some(measured) = values.and_then(|values| measured(values, (features, groups))) else {
            outside_population += 1; // a level that is no name is none of the study's
            continue;
        };
        match FeatureRow::new(study.schema(), &measured) {
            Ok(row) => {
                let excluded = panel.excluded_shares().get(clinician).copied();
                rows.push(row.excluding(excluded.unwrap_or(0.0)));
                encounters.push(contacts.get(clinician).copied().unwrap_or(0));
            }
            Err(FeatureError::UnknownLevel { .. }) => outside_population += 1,
            Err(error) => return Err(Fault::bug(error.to_string())),
        }
    }
    let (links, excluded) = (panel.links(), panel.excluded());
    let scored_by = Vec::new();
    Ok(Rows {
        rows,
        encounters,
        weighed_by,
        considered,
        outside_population,
        at_centre,
        links,
        excluded,
        scored_by,
    })
}

/// Splits the values of a clinician as the schema does; `None` if the outcome, a group or a histogram is no number.
fn measured(values: Vec<Value>, (features, groups): (usize, usize)) -> Option<Measured> {
    let number = |value: Value| match value {
        Value::Number(value) => Some(value),
        Value::Level(_) => None,
    };
    let mut values = values.into_iter();
    let outcome = number(values.next()?)?;
    let features = values.by_ref().take(features).collect();
    let groups = values.by_ref().take(groups).map(number).collect::<Option<Vec<f64>>>()?;
    let histograms = values.map(number).collect::<Option<Vec<f64>>>()?;
    Some(Measured { outcome, features, groups, histograms })
}

fn midnight_us(day: Date) -> i64 {
    day.midnight().assume_utc().unix_timestamp().saturating_mul(1_000_000)
}
