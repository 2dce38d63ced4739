//! Whether this site may take part in a study at all: what the profile in force and the switches allow.
//!
//! ```text
//! purpose      one of the profile's
//! each part    reads a kind of data that the profile allows; the outcome, one that is switched on besides
//! recipients   each of a class that the profile allows, and that may read every kind the study rests on
//! ```
//! A feature or group of a kind that is merely switched off stands at its public centre here: this site's rows
//! then say nothing of it. Which questionnaire is whose is the catalogue's knowledge and comes as an argument.
use crate::config::Modalities;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;
use tacit_shared::study::profile::document::Document;
use tacit_shared::study::source::Source;

/// The place of a fault because the profile in force does not allow what a study asks for.
pub const PLACE: &str = "this site's profile";

/// The kind of data a source reads: for a questionnaire, that of who answers it, where the node knows it.
pub fn modality(
    source: &Source,
    respondent: &dyn Fn(&FeatureId) -> Option<Modality>,
) -> Option<Modality> {
    match source {
        Source::Change { of, .. } => modality(of, respondent),
        // Of one that the node does not know the safer is taken; the study is refused for it elsewhere.
        Source::Scale { instrument, .. } => {
            Some(respondent(instrument).unwrap_or(Modality::ClinicianQuestionnaires))
        }
        other => Modality::of(other),
    }
}

/// Holds if the profile allows what the study reads, for what, and for whom, and the outcome is not switched off.
///
/// # Errors
/// A user's fault naming the part of the study and the profile.
pub fn may_take_part(
    study: &Study,
    profile: &Document,
    switches: &Modalities,
    respondent: &dyn Fn(&FeatureId) -> Option<Modality>,
) -> Result<(), Fault> {
    let kind = profile.kind();
    if !profile.purposes().iter().any(|purpose| purpose.as_str() == study.purpose()) {
        let message = format!(
            "study {} has the purpose `{}`; profile `{kind}` does not",
            study.name(),
            study.purpose()
        );
        return refused(
            message,
            "`tacit-node profile show` lists the purposes that were agreed on",
        );
    }
    let mut read = Vec::new();
    for (part, source) in study.schema().sources() {
        let Some(modality) = modality(source, respondent) else { continue };
        if !profile.allows(modality) {
            let message = format!(
                "study {} reads `{source}` for `{part}`, which is {modality}; profile `{kind}` does not allow it",
                study.name()
            );
            return refused(
                message,
                "signals of a body need a profile `ethics-approved-research` that two people signed: `tacit-node profile`",
            );
        }
        read.push((part, source, modality));
    }
    each_recipient_may_read(study, profile, &read)?;
    if let Some((part, _, off)) = read.first().filter(|(.., modality)| !switches.admits(*modality))
    {
        let message = format!(
            "study {} measures `{part}` by {off}, which is switched off here",
            study.name()
        );
        return refused(
            message,
            "`[modalities]` in node.toml: without its outcome a study has nothing to say",
        );
    }
    Ok(())
}

/// Holds that every recipient is of a class that the profile allows, and that may read all the study rests on.
fn each_recipient_may_read(
    study: &Study,
    profile: &Document,
    read: &[(&str, &Source, Modality)],
) -> Result<(), Fault> {
    let kind = profile.kind();
    for recipient in study.recipients() {
        if !profile.recipients().contains(&recipient.class) {
            let message = format!(
                "study {} goes to {recipient}; profile `{kind}` does not allow that class",
                study.name()
            );
            return refused(
                message,
                "`tacit-node profile show` lists the classes of recipients that were agreed on",
            );
        }
        let barred =
            read.iter().find(|(.., modality)| !profile.allows_reader(recipient.class, *modality));
        if let Some((part, source, modality)) = barred {
            let message = format!(
                "study {} goes to {recipient}, which reaches employers, but `{part}` reads `{source}`, which is {modality}",
                study.name()
            );
            return refused(
                message,
                "what clinicians say of themselves goes to research, policy or oversight alone",
            );
        }
    }
    Ok(())
}

fn refused(message: String, hint: &str) -> Result<(), Fault> {
    Err(Fault::user(message).at(PLACE).hint(hint))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::office::profile::tests::RESEARCH;

    const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

    fn respondent(instrument: &FeatureId) -> Option<Modality> {
        match instrument.as_str() {
            "care-measure" => Some(Modality::PatientQuestionnaires),
            "copenhagen-burnout" => Some(Modality::ClinicianQuestionnaires),
            _ => None,
        }
    }

    fn asked(text: &str, profile: &Document) -> Result<(), String> {
        let study = Study::parse(text).unwrap();
        let done = may_take_part(&study, profile, &Modalities::default(), &respondent);
        done.map_err(|fault| {
            assert_eq!(fault.place.as_deref(), Some(PLACE));
            fault.message
        })
    }

    #[test]
    fn body_signals_need_a_profile() {
        let (plain, research) = (Document::built_in().unwrap(), Document::parse(RESEARCH).unwrap());
        assert_eq!(asked(STUDY, &plain), Ok(()));
        let text = STUDY.replacen("source = \"volume\"", "source = \"ln-rmssd\"", 1);
        let error = asked(&text, &plain).unwrap_err();
        assert!(error.contains("reads `ln-rmssd` for `volume`, which is heart"), "{error}");
        let text = text.replacen(", { name = \"policymakers\", class = \"policy\" }", "", 1);
        assert_eq!(asked(&text, &research), Ok(()));
    }

    #[test]
    fn each_recipient_is_of_a_class_that_may_read_what_the_study_rests_on() {
        let plain = Document::built_in().unwrap();
        let with =
            |class: &str| STUDY.replacen("class = \"policy\"", &format!("class = \"{class}\""), 1);
        // The study reads client-related burnout.
        let error = asked(&with("public"), &plain).unwrap_err();
        assert!(
            error.contains("`client-burnout` reads `scale:copenhagen-burnout:client`"),
            "{error}"
        );
        let error = asked(&with("employer-management"), &plain).unwrap_err();
        assert!(error.ends_with("profile `self-report-only` does not allow that class"), "{error}");
        let patients = with("public").replacen(
            "scale:copenhagen-burnout:client",
            "scale:care-measure:total",
            1,
        );
        let patients = patients.replacen(
            "low = 0.0\nhigh = 100.0\ncentre = 45.0",
            "low = 10.0\nhigh = 50.0\ncentre = 45.0",
            1,
        );
        assert_eq!(asked(&patients, &plain), Ok(()));
        // Of a questionnaire that the node does not know the safer is taken.
        let unknown = patients.replacen("scale:care-measure:total", "scale:local:total", 1);
        let unknown = unknown.replacen("instruments.copenhagen-burnout", "instruments.local", 1);
        assert!(asked(&unknown, &plain).unwrap_err().contains("which is clinician-questionnaires"));
    }

    #[test]
    fn a_wider_purpose_is_refused_and_an_outcome_that_is_switched_off() {
        let plain = Document::built_in().unwrap();
        let text = STUDY.replacen("purpose = \"research-aggregate\"", "purpose = \"staffing\"", 1);
        assert!(asked(&text, &plain).unwrap_err().contains("has the purpose `staffing`"));
        let study = Study::parse(STUDY).unwrap();
        let off = |modality| {
            let switches = Modalities::default().without(modality);
            may_take_part(&study, &plain, &switches, &respondent).map_err(|fault| fault.message)
        };
        assert!(
            off(Modality::PatientQuestionnaires).unwrap_err().ends_with("is switched off here")
        );
        assert_eq!(off(Modality::ClinicianQuestionnaires), Ok(()));
        assert_eq!(off(Modality::Encounters), Ok(()));
    }
}
