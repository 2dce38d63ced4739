//! `[consent]`, `[retention]`, `[modalities]`, `[oversight]`: whose rows are read, how long they are kept, which kinds
//! of data are, and who looks at what is contested.
use serde::{Deserialize, Serialize};
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;
use tacit_shared::study::profile::document::{Document, KEEP_MAX, Keep};

/// What lets a person's rows be read for a study.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Only a consent that is in force. Whoever said nothing is out.
    Required,
    /// Everyone but those who refused or withdrew.
    OptOut,
    /// The mapping has left out whoever must not be in; of the table of consents withdrawals alone count.
    #[default]
    ByMapping,
}

/// By kind of person, what lets their rows be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Consent {
    /// For clinicians.
    pub clinicians: Basis,
    /// For patients.
    pub patients: Basis,
}

/// How many days rows are kept, counted from their import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Encounters and staff records of work.
    pub encounters: u32,
    /// Filled-in questionnaires and their answers, of which scores are made.
    pub answers: u32,
    /// Recordings' sessions and the numbers they gave.
    pub features: u32,
}

/// The longest times to keep.
const LONGEST: Retention = Retention {
    encounters: KEEP_MAX.encounters,
    answers: KEEP_MAX.answers,
    features: KEEP_MAX.features,
};

impl Default for Retention {
    fn default() -> Self {
        LONGEST
    }
}

impl Retention {
    /// These times, or the profile's where they are shorter.
    #[must_use = "returns the shorter times"]
    pub fn within(self, Keep { encounters, answers, features }: Keep) -> Self {
        Self {
            encounters: self.encounters.min(encounters),
            answers: self.answers.min(answers),
            features: self.features.min(features),
        }
    }

    /// # Errors
    /// An operator's fault naming the key.
    pub(super) fn within_maxima(self) -> Result<(), Fault> {
        for (key, days, most) in [
            ("encounters", self.encounters, LONGEST.encounters),
            ("answers", self.answers, LONGEST.answers),
            ("features", self.features, LONGEST.features),
        ] {
            if !(1..=most).contains(&days) {
                return Err(Fault::operator(format!(
                    "`retention.{key}`: {days} days; expected 1 to {most}"
                ))
                .hint("data that a study does not need any more are not kept"));
            }
        }
        Ok(())
    }
}

/// Whether data of a kind are imported and read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "bool", into = "bool")]
pub enum Switch {
    /// They are.
    #[default]
    On,
    /// They are not.
    Off,
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<Switch> for bool {
    fn from(switch: Switch) -> Self {
        switch == Switch::On
    }
}

/// Which kinds of data are imported and read: each can be switched off by itself, and the profile in force may
/// allow fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Modalities {
    /// Hours, volume, nights and training.
    pub staff_records: Switch,
    /// Encounters.
    pub encounters: Switch,
    /// What patients answer.
    pub patient_questionnaires: Switch,
    /// What clinicians answer about themselves.
    pub clinician_questionnaires: Switch,
    /// Recordings of heart beats.
    pub heart: Switch,
    /// Recordings of skin conductance.
    pub skin_conductance: Switch,
    /// Numbers that a device worked out by itself.
    pub wearable_summaries: Switch,
    /// Action units of a face: off unless somebody writes otherwise.
    pub faces: Switch,
}

impl Default for Modalities {
    fn default() -> Self {
        Self::EVERYTHING.without(Modality::Faces)
    }
}

impl Modalities {
    /// Nothing switched off.
    pub const EVERYTHING: Self = Self {
        staff_records: Switch::On,
        encounters: Switch::On,
        patient_questionnaires: Switch::On,
        clinician_questionnaires: Switch::On,
        heart: Switch::On,
        skin_conductance: Switch::On,
        wearable_summaries: Switch::On,
        faces: Switch::On,
    };

    /// Whether a kind of data is imported and read.
    pub fn admits(&self, modality: Modality) -> bool {
        self.switch(modality) == Switch::On
    }

    /// Those of them that a profile allows.
    #[must_use = "returns the narrower switches"]
    pub fn within(mut self, profile: &Document) -> Self {
        for modality in Modality::ALL.into_iter().filter(|modality| !profile.allows(*modality)) {
            *self.switch_mut(modality) = Switch::Off;
        }
        self
    }

    /// The same with one kind switched off.
    #[must_use = "returns the changed switches"]
    pub fn without(mut self, modality: Modality) -> Self {
        *self.switch_mut(modality) = Switch::Off;
        self
    }

    fn switch(mut self, modality: Modality) -> Switch {
        *self.switch_mut(modality)
    }

    fn switch_mut(&mut self, modality: Modality) -> &mut Switch {
        match modality {
            Modality::StaffRecords => &mut self.staff_records,
            Modality::Encounters => &mut self.encounters,
            Modality::PatientQuestionnaires => &mut self.patient_questionnaires,
            Modality::ClinicianQuestionnaires => &mut self.clinician_questionnaires,
            Modality::Heart => &mut self.heart,
            Modality::SkinConductance => &mut self.skin_conductance,
            Modality::WearableSummaries => &mut self.wearable_summaries,
            Modality::Faces => &mut self.faces,
        }
    }
}

/// Who looks at what a clinician contests: somebody who does not direct them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oversight {
    /// The person, by name or function. What is contested waits for them, or for whoever will be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contest_to: Option<String>,
}

impl Oversight {
    /// # Errors
    /// An operator's fault if the name is no name.
    pub(super) fn is_a_name(&self) -> Result<(), Fault> {
        const LENGTH_MAX: usize = 200;
        let Some(name) = &self.contest_to else { return Ok(()) };
        let length = name.chars().count();
        if name.trim().is_empty() || length > LENGTH_MAX || name.contains(char::is_control) {
            let message = format!(
                "`oversight.contest_to`: {length} characters; expected one line of 1 to {LENGTH_MAX}"
            );
            return Err(Fault::operator(message)
                .hint("name a person who is not the line manager of any clinician here"));
        }
        Ok(())
    }
}
