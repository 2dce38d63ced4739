//! What stands behind each row of a study: encounters if it reads any, else patients' answers, else nothing of patients.
use crate::measure::composite;
use crate::measure::instrument::Catalogue;
use crate::office::cells::WeighedBy;
use crate::office::policy::{self, Known};
use crate::store::consent::Access;
use crate::store::fault;
use crate::store::panel::Panel;
use crate::store::scored::ScoredBy;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;

/// What the cells of a study are weighed by, and how many of those each clinician has.
///
/// # Errors
/// An operator's fault of the database.
pub(super) async fn of(
    panel: &mut Panel,
    (study, scored_by): (&Study, &[ScoredBy]),
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
        // Of what the study does not read, patients' answers stand behind nobody's row.
        let of_patients = |id| catalogue.modality(id) == Some(Modality::PatientQuestionnaires);
        let read = scored_by.iter().map(|by| &by.instrument).filter(|id| of_patients(id));
        let read: Vec<&str> = read.map(FeatureId::as_str).collect();
        panel.answered(&read).await.map(|answered| (WeighedBy::Answers, answered))
    } else {
        panel.met().await.map(|met| (WeighedBy::Nothing, met))
    };
    found.map_err(|e| fault(&e))
}
