//! What the law and the site allow a node to take part in.
use super::schema::{Origin, Source};
use serde::{Deserialize, Serialize};

/// A legal policy. The safest is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Questionnaires, encounters and staff records only: no number from a clinician's body.
    #[default]
    SelfReportOnly,
    /// Body signals as plain numbers, under an ethics approval that the configuration names.
    EthicsApprovedResearch,
}

impl Profile {
    /// Whether a study may read the source under this profile.
    pub fn allows(self, source: &Source) -> bool {
        match self {
            Profile::SelfReportOnly => source.origin() != Origin::Biometric,
            Profile::EthicsApprovedResearch => true,
        }
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Profile::SelfReportOnly => "self-report-only",
            Profile::EthicsApprovedResearch => "ethics-approved-research",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_profile_reads_no_body_signal() {
        assert!(!Profile::default().allows(&Source::LnRmssd));
        assert!(Profile::default().allows(&Source::AcuityMean));
        assert!(Profile::EthicsApprovedResearch.allows(&Source::LnRmssd));
    }
}
