//! How rows of the tables become those that a study reads, with a sentence for each step: for the page of `check`.
//!
//! The counts are [`Panel`]'s, by the rules that values are read by.
use super::{FeatureId, scored_by};
use crate::measure::instrument::Catalogue;
use crate::office::cells::WeighedBy;
use crate::office::quality_page::{Left, Narrowing, Step};
use crate::store::fault;
use crate::store::panel::{Narrowed, Panel};
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;

/// The tables that the study reads; `weighed_by` is `None` where a part of the study is not known here.
///
/// # Errors
/// An operator's fault of the database.
pub(super) async fn of(
    panel: &mut Panel,
    study: &Study,
    catalogue: &Catalogue,
    weighed_by: Option<WeighedBy>,
) -> Result<Vec<Narrowing>, Fault> {
    let mut tables = Vec::new();
    if matches!(weighed_by, None | Some(WeighedBy::Encounters))
        && let Some(found) = panel.narrow_encounters().await.map_err(|e| fault(&e))?
    {
        let read = "those that their clinician excluded (`annotate`, `contests`).";
        tables.push(narrowing("encounter", study, (&found, read.to_owned(), None)));
    }
    let asked = scored_by(study, catalogue).unwrap_or_default();
    let instruments: Vec<(&str, &'static str)> = asked
        .iter()
        .filter_map(|by| catalogue.instrument(&by.instrument))
        .map(|instrument| (instrument.id().as_str(), instrument.respondent().word()))
        .collect();
    if !instruments.is_empty() {
        let found = panel.narrow_responses(&instruments).await.map_err(|e| fault(&e))?;
        let names: Vec<&str> = instruments.iter().map(|(id, _)| *id).collect();
        let names = format!("other questionnaires than {}.", names.join(", "));
        let read =
            "those of excluded encounters, and all but one of a patient to a clinician by one \
                    questionnaire. The sketches count those of them whose score is valid."
                .to_owned();
        tables.push(narrowing("response", study, (&found, read, Some(names))));
    }
    Ok(tables)
}

fn narrowing(
    table: &str,
    study: &Study,
    (found, read, names): (&Narrowed, String, Option<String>),
) -> Narrowing {
    let (from, to) = study.period();
    let roles: Vec<&str> = study.population().roles.iter().map(FeatureId::as_str).collect();
    let links = match study.population().links_per_patient {
        1 => "one clinician".to_owned(),
        n => format!("{n} clinicians"),
    };
    let mut steps = vec![step(Left::InTheTable, found.all, "All that imports brought.".to_owned())];
    steps.extend(names.map(|names| step(Left::OfItsQuestionnaires, found.asked, names)));
    steps.extend([
        step(
            Left::InThePeriod,
            found.period,
            format!("what is dated before {from} or from {to} on, in UTC."),
        ),
        step(
            Left::OfItsClinicians,
            found.roles,
            format!("clinicians who are not active or have no role of {}.", roles.join(", ")),
        ),
        step(
            Left::WithConsent,
            found.admitted,
            "clinicians and patients who did not consent, by [consent] in node.toml; kinds of data that are \
             switched off."
                .to_owned(),
        ),
        step(
            Left::WithinLinks,
            found.linked,
            format!(
                "what a patient had with further clinicians. The study counts each patient for {links} \
                 (links_per_patient), chosen by a keyed hash, so that one person moves little."
            ),
        ),
        step(Left::Read, found.read, read),
    ]);
    let mut before = found.all;
    for step in steps.iter_mut().skip(1) {
        let out = before.saturating_sub(step.rows);
        step.why = match (before, out) {
            (0, _) => "There is none.".to_owned(),
            (_, 0) => "All of them.".to_owned(),
            _ => format!("{out} left out: {}", step.why),
        };
        before = step.rows;
    }
    Narrowing { table: table.to_owned(), steps }
}

fn step(left: Left, rows: u64, why: String) -> Step {
    Step { left, rows, why }
}
