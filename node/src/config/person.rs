//! `[consent]`, `[retention]`, `[modalities]`: whose rows are read, how long they are kept, which recordings are.
use serde::{Deserialize, Serialize};
use tacit_shared::fault::Fault;

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

/// Longest times to keep: 24 months for what scores are made of, 12 for what bodies gave.
const LONGEST: Retention = Retention { encounters: 730, answers: 730, features: 365 };

impl Default for Retention {
    fn default() -> Self {
        LONGEST
    }
}

impl Retention {
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

/// Whether recordings of a kind are imported and read.
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

/// Which recordings are imported and read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Modalities {
    /// Recordings of heart beats.
    pub heart: Switch,
}
