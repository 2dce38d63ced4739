//! What a report rests on: the definitions by which answers were scored, and the digests of all inputs.
//!
//! The study pins them; a hospital with any other took no part, so one list holds for all.
use serde::{Deserialize, Serialize};

/// A definition by which scores were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoredByPart {
    /// `instrument` or `composite`.
    pub kind: Definition,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file, 64 hexadecimal digits.
    pub sha256: String,
}

/// What a definition is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Definition {
    /// A questionnaire.
    Instrument,
    /// Several readings put together.
    Composite,
}

/// Digests (SHA-256, 64 hexadecimal digits) of everything the report follows from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputsPart {
    /// The study that the officers approved.
    pub study: String,
    /// The roster that the hospitals agreed on.
    pub roster: String,
    /// What every site signed before the round.
    pub round_config: String,
    /// The opened sum.
    pub result: String,
    /// The signed messages of the round.
    pub transcript: String,
}
