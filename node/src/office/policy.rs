//! Whether this site may take part in a study at all.
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use tacit_shared::study::profile::Profile;

/// Holds if the profile allows every source the study reads.
///
/// # Errors
/// A user's fault naming the part of the study and the profile.
pub fn may_take_part(study: &Study, profile: Profile) -> Result<(), Fault> {
    for (part, source) in study.schema().sources() {
        if !profile.allows(source) {
            let message = format!(
                "study {} reads `{source}` for `{part}`; profile `{profile}` does not allow it",
                study.name()
            );
            let hint = "body signals need profile `ethics-approved-research` and an `approval_id` in node.toml";
            return Err(Fault::user(message).at("node.toml: profile").hint(hint));
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

    #[test]
    fn body_signals_need_a_profile() {
        let study = Study::parse(STUDY).unwrap();
        assert!(may_take_part(&study, Profile::default()).is_ok());
        let text = STUDY.replacen("source = \"volume\"", "source = \"ln-rmssd\"", 1);
        let study = Study::parse(&text).unwrap();
        let error = may_take_part(&study, Profile::default()).unwrap_err().to_string();
        assert!(error.contains("reads `ln-rmssd` for `volume`"), "{error}");
        assert!(may_take_part(&study, Profile::EthicsApprovedResearch).is_ok());
    }
}
