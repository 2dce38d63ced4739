//! What stands behind each row of a study: encounters if it reads any, else patients' answers, else nothing of patients.
use crate::measure::composite;
use crate::measure::instrument::Catalogue;
use crate::office::cells::WeighedBy;
use crate::office::policy::{self, Known};
use crate::store::consent::Access;
use crate::store::fault;
use crate::store::panel::Panel;
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;

/// What the cells of a study are weighed by, and how many of those each clinician has.
///
/// # Errors
/// An operator's fault of the database.
pub(super) async fn of(
    panel: &mut Panel,
    study: &Study,
    catalogue: &Catalogue,
    access: &Access,
) -> Result<(WeighedBy, Vec<u32>), Fault> {
    let known = Known {
        respondent: &|id| catalogue.modality(id),
        composite: &|id, pattern| composite::modalities(id, pattern, catalogue),
    };
    let reads = |of: Modality| {
        let mut sources = study.schema().sources();
        access.modalities.admits(of)
            && sources.any(|(_, source)| policy::modalities(source, &known).contains(&of))
    };
    let found = if reads(Modality::Encounters) {
        panel.met().await.map(|met| (WeighedBy::Encounters, met))
    } else if reads(Modality::PatientQuestionnaires) {
        panel.answered().await.map(|answered| (WeighedBy::Answers, answered))
    } else {
        panel.met().await.map(|met| (WeighedBy::Nothing, met))
    };
    found.map_err(|e| fault(&e))
}
