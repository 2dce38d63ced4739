//! Whether this site may take part in a study at all: what the profile in force and the switches allow.
//!
//! ```text
//! purpose      one of the profile's
//! each part    reads a kind of data that the profile allows; the outcome, one that is switched on besides
//! recipients   each of a class that the profile allows, and that may read every kind the study rests on
//! ```
//! A feature or group of a kind that is merely switched off stands at its public centre here: this site's rows
//! then say nothing of it. Which questionnaire is whose, and what a composite is made of, is the catalogue's knowledge and
//! comes as an argument: a composite reads every kind that one of its components reads.
use crate::config::Modalities;
use std::collections::BTreeSet;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;
use tacit_shared::study::profile::document::Document;
use tacit_shared::study::source::{Composite, Pattern, Source};

/// The place of a fault because the profile in force does not allow what a study asks for.
pub const PLACE: &str = "this site's profile";

/// What the node knows of the names that a study uses.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The kind of a questionnaire, by who answers it; `None` if the node does not know it.
    pub respondent: &'a (dyn Fn(&FeatureId) -> Option<Modality> + Sync),
    /// The kinds that the components of a composite read, of those that a pattern chooses.
    pub composite: &'a (dyn Fn(Composite, Option<&Pattern>) -> BTreeSet<Modality> + Sync),
}

/// The kinds of data a source reads: none for what the list of clinicians says, several for a composite.
pub fn modalities(source: &Source, known: &Known<'_>) -> BTreeSet<Modality> {
    match source {
        Source::Change { of, .. } => modalities(of, known),
        // Of one that the node does not know the safer is taken; the study is refused for it elsewhere.
        Source::Scale { instrument, .. } => {
            let kind = (known.respondent)(instrument);
            BTreeSet::from([kind.unwrap_or(Modality::ClinicianQuestionnaires)])
        }
        Source::Composite { id, pattern } => (known.composite)(*id, pattern.as_ref()),
        other => Modality::of(other).into_iter().collect(),
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
    known: &Known<'_>,
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
    let all = study.schema().sources().enumerate().flat_map(|(at, (part, source))| {
        modalities(source, known).into_iter().map(move |modality| (at, part, source, modality))
    });
    for (at, part, source, modality) in all {
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
        read.push((at, part, source, modality));
    }
    each_recipient_may_read(study, profile, &read)?;
    // The first of the parts is the outcome.
    let off = read.iter().find(|(at, .., modality)| *at == 0 && !switches.admits(*modality));
    if let Some((_, part, _, off)) = off {
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
    read: &[(usize, &str, &Source, Modality)],
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
        if let Some((_, part, source, modality)) = barred {
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

    /// Of what the node ships: engagement has a component that patients answer.
    fn composite(id: Composite, pattern: Option<&Pattern>) -> BTreeSet<Modality> {
        let decisions = pattern.is_none_or(|pattern| pattern.parts().nth(1) == Some(true));
        match id {
            Composite::Engagement if !decisions => BTreeSet::from([Modality::Encounters]),
            Composite::Engagement => {
                BTreeSet::from([Modality::Encounters, Modality::PatientQuestionnaires])
            }
            Composite::RelationalExperience => BTreeSet::from([Modality::PatientQuestionnaires]),
        }
    }

    const KNOWN: Known<'static> = Known { respondent: &respondent, composite: &composite };

    fn asked(text: &str, profile: &Document) -> Result<(), String> {
        let study = Study::parse(text).unwrap();
        let done = may_take_part(&study, profile, &Modalities::default(), &KNOWN);
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
            "scale:care-measure:understanding",
            1,
        );
        let patients = patients.replacen(
            "low = 0.0\nhigh = 100.0\ncentre = 45.0",
            "low = 10.0\nhigh = 50.0\ncentre = 45.0",
            1,
        );
        let patients = patients.replace("client-burnout", "own-care");
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
            may_take_part(&study, &plain, &switches, &KNOWN).map_err(|fault| fault.message)
        };
        assert!(
            off(Modality::PatientQuestionnaires).unwrap_err().ends_with("is switched off here")
        );
        assert_eq!(off(Modality::ClinicianQuestionnaires), Ok(()));
        assert_eq!(off(Modality::Encounters), Ok(()));
    }

    #[test]
    fn a_composite_is_asked_for_every_kind_its_components_read() {
        let study = |source: &str| {
            let (head, rest) = STUDY.split_once("[[features]]").unwrap();
            let (_, outcome) = head.split_once("[outcome]").unwrap();
            let old = outcome.lines().find(|line| line.starts_with("source")).unwrap();
            let text = head.replacen(old, &format!("source = \"{source}\""), 1);
            let text = ["low", "high", "centre"].iter().zip(["0.0", "1.0", "0.5"]).fold(
                text,
                |text, (key, value)| {
                    let (before, outcome) = text.split_once("[outcome]").unwrap();
                    let line = format!("{key} = ");
                    let old = outcome.lines().find(|l| l.starts_with(&line)).unwrap();
                    let new = format!("{key} = {value}");
                    format!("{before}[outcome]{}", outcome.replacen(old, &new, 1))
                },
            );
            let pin = format!(
                "[composites.engagement]\nversion = \"1\"\nsha256 = \"{}\"\n",
                "a".repeat(64)
            );
            Study::parse(&format!("{text}[[features]]{rest}\n{pin}")).unwrap()
        };
        let plain = Document::built_in().unwrap();
        let asked = |source: &str, off| {
            let switches = Modalities::default().without(off);
            let done = may_take_part(&study(source), &plain, &switches, &KNOWN);
            done.map_err(|fault| fault.message)
        };
        for off in [Modality::Encounters, Modality::PatientQuestionnaires] {
            let error = asked("composite:engagement", off).unwrap_err();
            assert!(error.ends_with(&format!("by {off}, which is switched off here")), "{error}");
        }
        assert_eq!(asked("composite:engagement:1011", Modality::PatientQuestionnaires), Ok(()));
        assert!(asked("composite:engagement:1011", Modality::Encounters).is_err());
    }
}
