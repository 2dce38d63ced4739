//! What stands behind each row of a study: encounters if it reads any, else patients' answers, else nothing of patients.
use crate::measure::instrument::Catalogue;
use crate::office::cells::WeighedBy;
use crate::office::policy;
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
    let kind = |source| policy::modality(source, &|id| catalogue.modality(id));
    let reads = |of: Modality| {
        access.modalities.admits(of) && study.schema().sources().any(|(_, s)| kind(s) == Some(of))
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
