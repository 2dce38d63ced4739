//! What the law and the site allow a node to take part in.
//!
//! A profile is a document ([`document::Document`]) of one of two kinds. Which one is in force, and whose signatures
//! that needs, is the node's work.
pub mod document;

use serde::{Deserialize, Serialize};

/// The kinds of profile. The safest is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Questionnaires, encounters and staff records only: no number from a clinician's body.
    #[default]
    SelfReportOnly,
    /// Body signals as plain numbers, under an ethics approval that the document names.
    EthicsApprovedResearch,
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Profile::SelfReportOnly => "self-report-only",
            Profile::EthicsApprovedResearch => "ethics-approved-research",
        })
    }
}
