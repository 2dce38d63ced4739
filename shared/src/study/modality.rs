//! The kinds of data a node can hold, each with a switch of its own and allowed or not by a profile.
use super::source::{Origin, Source};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Modality {
    /// Hours, volume, nights and training, from rosters. Who works there is not among them: a node always knows.
    StaffRecords,
    /// Who met whom, when, how long and how.
    Encounters,
    /// What patients answer.
    PatientQuestionnaires,
    /// What clinicians answer about themselves.
    ClinicianQuestionnaires,
    /// Recordings of a clinician's heart beats.
    Heart,
    /// Recordings of a clinician's skin conductance.
    SkinConductance,
    /// Numbers that a device worked out by itself: heart rates by the minute, a night's variability.
    WearableSummaries,
    /// Activity of muscles of a clinician's face. No source reads it: AI Act, Article 5(1)(f).
    Faces,
}

impl Modality {
    /// Every kind.
    pub const ALL: [Modality; 8] = [
        Modality::StaffRecords,
        Modality::Encounters,
        Modality::PatientQuestionnaires,
        Modality::ClinicianQuestionnaires,
        Modality::Heart,
        Modality::SkinConductance,
        Modality::WearableSummaries,
        Modality::Faces,
    ];

    /// Its word in files.
    pub fn word(self) -> &'static str {
        match self {
            Modality::StaffRecords => "staff-records",
            Modality::Encounters => "encounters",
            Modality::PatientQuestionnaires => "patient-questionnaires",
            Modality::ClinicianQuestionnaires => "clinician-questionnaires",
            Modality::Heart => "heart",
            Modality::SkinConductance => "skin-conductance",
            Modality::WearableSummaries => "wearable-summaries",
            Modality::Faces => "faces",
        }
    }

    /// Whether it comes from a clinician's body.
    pub fn is_biometric(self) -> bool {
        matches!(
            self,
            Modality::Heart
                | Modality::SkinConductance
                | Modality::WearableSummaries
                | Modality::Faces
        )
    }

    /// Whether it tells of the clinician's own state: from their body, or in their own words.
    pub fn is_about_the_clinician(self) -> bool {
        self.is_biometric() || self == Modality::ClinicianQuestionnaires
    }

    /// Whether a patient stands behind it.
    pub fn is_of_patients(self) -> bool {
        matches!(self, Modality::Encounters | Modality::PatientQuestionnaires)
    }

    /// The kind that a source reads; `None` for a questionnaire, of which only the node knows who answers it, for a
    /// composite, of which only the node knows the components, and for what the list of clinicians says.
    pub fn of(source: &Source) -> Option<Self> {
        match (source, source.origin()) {
            (
                Source::Specialty
                | Source::Role
                | Source::Scale { .. }
                | Source::Composite { .. }
                | Source::Stratum(_)
                | Source::InStratum { .. },
                _,
            ) => None,
            (Source::Change { of, .. }, _) => Self::of(of),
            (_, Origin::Staff) => Some(Modality::StaffRecords),
            (_, Origin::Patients) => Some(Modality::Encounters),
            (_, Origin::Biometric) => Some(Modality::Heart),
        }
    }
}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_source_reads_one_kind_of_data_or_one_that_the_node_knows() {
        for (source, modality) in [
            ("specialty", None),
            ("volume", Some(Modality::StaffRecords)),
            ("training-hours", Some(Modality::StaffRecords)),
            ("acuity-mean", Some(Modality::Encounters)),
            ("scale:care-measure:total", None),
            ("ln-rmssd", Some(Modality::Heart)),
            ("stratum:gender", None),
            ("trained", Some(Modality::StaffRecords)),
            ("change:92:acuity-mean", Some(Modality::Encounters)),
            ("composite:engagement", None),
        ] {
            assert_eq!(Modality::of(&source.parse().unwrap()), modality, "{source}");
        }
    }

    #[test]
    fn no_source_reads_a_face() {
        for source in ["au12-mean", "au12_mean", "au06-active", "faces", "change:92:au12-mean"] {
            assert!(source.parse::<Source>().is_err(), "{source}");
        }
        assert!(Modality::Faces.is_biometric() && Modality::Faces.is_about_the_clinician());
    }

    #[test]
    fn a_word_is_what_a_file_says() {
        for modality in Modality::ALL {
            let table = format!("m = \"{modality}\"");
            let read: std::collections::BTreeMap<String, Modality> =
                toml::from_str(&table).unwrap();
            assert_eq!(read.get("m"), Some(&modality));
        }
    }
}
