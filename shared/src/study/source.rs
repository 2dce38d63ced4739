//! Where a number of a clinician-period comes from, by the names that a study file uses.
//!
//! ```text
//! NAME                     minutes-mean, ed-share, …
//! NAME:WORD                channel-share:phone, minutes-mean:video, language-share:de, trained:PROGRAMME, stratum:gender, …
//! change:DAYS:SOURCE       SOURCE over the period, less SOURCE over as many days that began DAYS days earlier
//! ```
//! Every word that a study compares with is in the study, for all hospitals alike: no source rests on what is usual at
//! one hospital. How a node computes a source is its own work.
mod word;

pub use word::{Channel, Composite, Days, PatientGroup, Pattern, Stratum};

use super::written::as_written;
use crate::id::{FeatureId, IdError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use word::shown;

/// Whom a source says something about, beyond the clinician whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Staff records: no patient can change them.
    Staff,
    /// Encounters and patients' answers: a patient can change them.
    Patients,
    /// The clinician's own body: numbers that need a profile and an opt-in.
    Biometric,
}

/// Where a number of a clinician-period comes from. The names are what a study file says; docs/study-format.md
/// explains each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// `specialty`: the clinician's specialty (factor).
    Specialty,
    /// `role`: the clinician's role (factor).
    Role,
    /// `stratum:STRATUM`: a coarse group of the clinician (factor).
    Stratum(Stratum),
    /// `in-stratum:STRATUM:WORD`: 1 for a clinician of that group, 0 for others.
    InStratum {
        /// Which column.
        stratum: Stratum,
        /// The group.
        word: FeatureId,
    },
    /// `trained`, `trained:PROGRAMME`, `trained-within:DAYS`, `trained-within:DAYS:PROGRAMME`: 1 if a training was
    /// completed before the period, 0 if not.
    Trained {
        /// Only this programme counts.
        programme: Option<FeatureId>,
        /// It was completed so many days before the period's first day at the earliest.
        within: Option<Days>,
    },
    /// `volume`: encounters a month, from staff records.
    Volume,
    /// `hours`: hours worked a month.
    Hours,
    /// `night-share`: hours at night over hours worked, 0 to 1.
    NightShare,
    /// `training-hours`: hours of communication training in the period.
    TrainingHours,
    /// `acuity-mean`: mean acuity of encounters, 1 to 5.
    AcuityMean,
    /// `minutes-mean`, `minutes-mean:CHANNEL`: mean minutes of an encounter, of all or of one channel.
    MinutesMean(Option<Channel>),
    /// `presence-minutes-mean`: mean minutes in which a person was with the patient.
    PresenceMinutesMean,
    /// `scribe-minutes-mean`: mean minutes of documentation that a scribe took over.
    ScribeMinutesMean,
    /// `call-minutes-mean`: mean length of a call.
    CallMinutesMean,
    /// `ai-share`: mean share of an encounter that an AI assistant carried, 0 to 1.
    AiShare,
    /// `remote-share`: share of encounters not in person, 0 to 1.
    RemoteShare,
    /// `channel-share:CHANNEL`: share of encounters by that channel, 0 to 1.
    ChannelShare(Channel),
    /// `routine-share`: share of encounters of acuity 1 or 2, 0 to 1.
    RoutineShare,
    /// `continuity-share`: share of encounters with a patient whom the clinician had met before, 0 to 1.
    ContinuityShare,
    /// `interpreter-share`: share of encounters with an interpreter, 0 to 1.
    InterpreterShare,
    /// `language-share:WORD`: share of encounters in that language, 0 to 1.
    LanguageShare(FeatureId),
    /// `other-language-share:WORD`: share of encounters in any other language, 0 to 1.
    OtherLanguageShare(FeatureId),
    /// `patient-group-share:COLUMN:WORD`: share of encounters with patients of that group, 0 to 1.
    PatientGroupShare {
        /// Which column.
        column: PatientGroup,
        /// The group.
        word: FeatureId,
    },
    /// `readmission-share`: share of encounters followed by a readmission within 30 days, 0 to 1.
    ReadmissionShare,
    /// `ed-share`: share of encounters followed by an emergency visit within 30 days, 0 to 1.
    EdShare,
    /// `mean-hr`: median over valid windows of the mean heart rate, beats a minute.
    MeanHr,
    /// `ln-rmssd`: median over valid windows of ln RMSSD, ln ms.
    LnRmssd,
    /// `scale:INSTRUMENT:SCALE`: mean score of a questionnaire scale.
    Scale {
        /// The instrument's id, as in `configs/instruments`.
        instrument: FeatureId,
        /// The scale's id within it.
        scale: FeatureId,
    },
    /// `composite:ID`, `composite:ID:PATTERN`: a composite of the clinician's means, 0 to 1.
    Composite {
        /// Which one.
        id: Composite,
        /// The components it is made of; all that have a weight if none is given.
        pattern: Option<Pattern>,
    },
    /// `change:DAYS:SOURCE`: SOURCE over the period, less SOURCE over as many days that began DAYS days earlier.
    Change {
        /// How much earlier.
        days: Days,
        /// Of what.
        of: Box<Source>,
    },
}

const PLAIN: [(&str, Source); 21] = [
    ("specialty", Source::Specialty),
    ("role", Source::Role),
    ("trained", Source::Trained { programme: None, within: None }),
    ("volume", Source::Volume),
    ("hours", Source::Hours),
    ("night-share", Source::NightShare),
    ("training-hours", Source::TrainingHours),
    ("acuity-mean", Source::AcuityMean),
    ("minutes-mean", Source::MinutesMean(None)),
    ("presence-minutes-mean", Source::PresenceMinutesMean),
    ("scribe-minutes-mean", Source::ScribeMinutesMean),
    ("call-minutes-mean", Source::CallMinutesMean),
    ("ai-share", Source::AiShare),
    ("remote-share", Source::RemoteShare),
    ("routine-share", Source::RoutineShare),
    ("continuity-share", Source::ContinuityShare),
    ("interpreter-share", Source::InterpreterShare),
    ("readmission-share", Source::ReadmissionShare),
    ("ed-share", Source::EdShare),
    ("mean-hr", Source::MeanHr),
    ("ln-rmssd", Source::LnRmssd),
];
/// What takes words, for a message.
const WORDED: &str = "stratum:STRATUM, in-stratum:STRATUM:WORD, trained:PROGRAMME, trained-within:DAYS[:PROGRAMME], \
    minutes-mean:CHANNEL, channel-share:CHANNEL, language-share:WORD, other-language-share:WORD, \
    patient-group-share:COLUMN:WORD, composite:ID[:PATTERN], change:DAYS:SOURCE";
impl Source {
    /// Whom the source says something about. A questionnaire is taken to be the patients', the safe
    /// side: only the node knows who answers it.
    pub fn origin(&self) -> Origin {
        match self {
            Source::Specialty
            | Source::Role
            | Source::Stratum(_)
            | Source::InStratum { .. }
            | Source::Trained { .. }
            | Source::Volume
            | Source::Hours
            | Source::NightShare
            | Source::TrainingHours => Origin::Staff,
            Source::MeanHr | Source::LnRmssd => Origin::Biometric,
            Source::Change { of, .. } => of.origin(),
            _ => Origin::Patients,
        }
    }

    /// Whether it is 0 or 1 of a clinician.
    pub fn is_flag(&self) -> bool {
        matches!(self, Source::InStratum { .. } | Source::Trained { .. })
    }

    /// Whether the source is one of several levels, not a number.
    pub fn is_factor(&self) -> bool {
        matches!(self, Source::Specialty | Source::Role | Source::Stratum(_))
    }

    /// The lowest and highest value it can have, where that is known without an instrument's definition.
    pub fn range(&self) -> Option<[f64; 2]> {
        const DAY_MINUTES: f64 = 1440.0;
        match self {
            Source::AcuityMean => Some([1.0, 5.0]),
            Source::MinutesMean(_)
            | Source::PresenceMinutesMean
            | Source::ScribeMinutesMean
            | Source::CallMinutesMean => Some([0.0, DAY_MINUTES]),
            Source::InStratum { .. }
            | Source::Trained { .. }
            | Source::NightShare
            | Source::AiShare
            | Source::RemoteShare
            | Source::ChannelShare(_)
            | Source::RoutineShare
            | Source::ContinuityShare
            | Source::InterpreterShare
            | Source::LanguageShare(_)
            | Source::OtherLanguageShare(_)
            | Source::PatientGroupShare { .. }
            | Source::ReadmissionShare
            | Source::EdShare
            | Source::Composite { .. } => Some([0.0, 1.0]),
            Source::Change { of, .. } => of.range().map(|[low, high]| [low - high, high - low]),
            _ => None,
        }
    }

    /// How much earlier the days began that the period is compared with, if it is compared.
    pub fn lag(&self) -> Option<Days> {
        match self {
            Source::Change { days, .. } => Some(*days),
            _ => None,
        }
    }

    /// What is measured, of the period or of earlier days: the source itself, or that whose change it is.
    pub fn measured(&self) -> &Self {
        match self {
            Source::Change { of, .. } => of,
            plain => plain,
        }
    }

    /// A name with words after it.
    fn worded(head: &str, rest: &str) -> Option<Result<Self, String>> {
        let (first, second) = rest.split_once(':').map_or((rest, None), |(a, b)| (a, Some(b)));
        let alone = |made: Result<Self, String>| match second {
            None => made,
            Some(_) => Err(format!("`{head}` takes one word")),
        };
        let pair = || second.ok_or_else(|| format!("`{head}` takes two words"));
        Some(match head {
            "stratum" => alone(first.parse().map(Source::Stratum)),
            "in-stratum" => pair().and_then(|word| {
                Ok(Source::InStratum { stratum: first.parse()?, word: name(word)? })
            }),
            "trained" => alone(
                name(first).map(|word| Source::Trained { programme: Some(word), within: None }),
            ),
            "trained-within" => first.parse().and_then(|days| {
                let programme = second.map(name).transpose()?;
                Ok(Source::Trained { programme, within: Some(days) })
            }),
            "minutes-mean" => alone(first.parse().map(|by| Source::MinutesMean(Some(by)))),
            "channel-share" => alone(first.parse().map(Source::ChannelShare)),
            "language-share" => alone(name(first).map(Source::LanguageShare)),
            "other-language-share" => alone(name(first).map(Source::OtherLanguageShare)),
            "patient-group-share" => pair().and_then(|word| {
                Ok(Source::PatientGroupShare { column: first.parse()?, word: name(word)? })
            }),
            "scale" => pair().and_then(|scale| {
                Ok(Source::Scale { instrument: name(first)?, scale: name(scale)? })
            }),
            "composite" => composite(first, second),
            "change" => pair().and_then(|of| change(first, of)),
            _ => return None,
        })
    }
}

fn composite(id: &str, pattern: Option<&str>) -> Result<Source, String> {
    let id = match id {
        "empathy_score" => Composite::RelationalExperience, // its column's name, where a table has one
        "burnout" => {
            let apart = "is no single number: name one of its scales, as scale:INSTRUMENT:SCALE";
            return Err(format!("composite `burnout` {apart}"));
        }
        "physiological-load" => {
            let apart = "is no single number: name `mean-hr` or `ln-rmssd`";
            return Err(format!("composite `physiological-load` {apart}"));
        }
        other => other.parse()?,
    };
    Ok(Source::Composite { id, pattern: pattern.map(str::parse).transpose()? })
}

fn change(days: &str, of: &str) -> Result<Source, String> {
    let (days, of) = (days.parse()?, of.parse::<Source>()?);
    let still =
        matches!(of, Source::Change { .. } | Source::Trained { .. } | Source::InStratum { .. });
    if still || of.is_factor() {
        return Err(format!(
            "`{of}` has no change: expected a mean, a share, a scale or a composite"
        ));
    }
    Ok(Source::Change { days, of: Box::new(of) })
}

fn name(text: &str) -> Result<FeatureId, String> {
    text.parse().map_err(|e: IdError| e.to_string())
}

impl FromStr for Source {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, source)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(source.clone());
        }
        if let Some((head, rest)) = text.split_once(':')
            && let Some(source) = Self::worded(head, rest)
        {
            return source;
        }
        let names: Vec<&str> = PLAIN.iter().map(|(name, _)| *name).collect();
        Err(format!(
            "`{}` is not a source: expected {}, {WORDED} or scale:INSTRUMENT:SCALE",
            shown(text),
            names.join(", ")
        ))
    }
}

as_written!(Source);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Stratum(stratum) => write!(f, "stratum:{}", stratum.word()),
            Source::InStratum { stratum, word } => {
                write!(f, "in-stratum:{}:{word}", stratum.word())
            }
            Source::Trained { programme: Some(word), within: None } => write!(f, "trained:{word}"),
            Source::Trained { programme: None, within: Some(days) } => {
                write!(f, "trained-within:{}", days.get())
            }
            Source::Trained { programme: Some(word), within: Some(days) } => {
                write!(f, "trained-within:{}:{word}", days.get())
            }
            Source::MinutesMean(Some(by)) => write!(f, "minutes-mean:{}", by.word()),
            Source::ChannelShare(by) => write!(f, "channel-share:{}", by.word()),
            Source::LanguageShare(word) => write!(f, "language-share:{word}"),
            Source::OtherLanguageShare(word) => write!(f, "other-language-share:{word}"),
            Source::PatientGroupShare { column, word } => {
                write!(f, "patient-group-share:{}:{word}", column.word())
            }
            Source::Scale { instrument, scale } => write!(f, "scale:{instrument}:{scale}"),
            Source::Composite { id, pattern: None } => write!(f, "composite:{}", id.word()),
            Source::Composite { id, pattern: Some(pattern) } => {
                write!(f, "composite:{}:{pattern}", id.word())
            }
            Source::Change { days, of } => write!(f, "change:{}:{of}", days.get()),
            plain => {
                let name = PLAIN.iter().find(|(_, source)| source == plain).map_or("", |(n, _)| n);
                f.write_str(name)
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const WORDS: [&str; 21] = [
        "stratum:age-band",
        "stratum:training-country",
        "in-stratum:gender:female",
        "trained:listening",
        "trained-within:92",
        "trained-within:92:listening",
        "minutes-mean:video",
        "channel-share:in_person",
        "language-share:de",
        "other-language-share:de",
        "patient-group-share:deprivation-band:high",
        "patient-group-share:age-band:over-80",
        "patient-group-share:payer:public",
        "patient-group-share:group:asylum",
        "scale:care-measure:total",
        "composite:relational-experience",
        "composite:relational-experience:10",
        "composite:engagement:1001",
        "change:181:scale:copenhagen-burnout:client",
        "change:181:composite:engagement:1001",
        "change:91:volume",
    ];

    #[test]
    fn every_source_survives_its_name() {
        for (name, source) in PLAIN {
            assert_eq!(name.parse::<Source>().unwrap(), source);
            assert_eq!(source.to_string(), name);
        }
        for name in WORDS {
            assert_eq!(name.parse::<Source>().unwrap().to_string(), name);
        }
        let alias = "composite:empathy_score:10".parse::<Source>().unwrap();
        assert_eq!(alias.to_string(), "composite:relational-experience:10");
    }

    #[test]
    fn what_is_no_source_is_told_why() {
        for (text, why) in [
            ("mood", "`mood` is not a source: expected specialty, role, trained"),
            ("scale:care-measure", "`scale` takes two words"),
            (
                "channel-share:fax",
                "`fax` is no channel: expected in_person, phone, ivr, video, other",
            ),
            ("channel-share:phone:ivr", "`channel-share` takes one word"),
            ("stratum:income", "`income` is no stratum of clinicians: expected age-band, gender"),
            ("language-share:Deutsch", "`Deutsch` is not a FeatureId"),
            ("patient-group-share:payer", "`patient-group-share` takes two words"),
            ("composite:burnout", "is no single number: name one of its scales"),
            ("composite:physiological-load", "is no single number: name `mean-hr`"),
            ("composite:engagement:00", "`00` is no pattern"),
            ("composite:engagement:12", "`12` is no pattern"),
            ("change:0:volume", "`0` is no number of days"),
            ("change:+9:volume", "`+9` is no number of days"),
            ("change:3661:volume", "3661 days; expected 1 to 3660"),
            ("change:91:role", "`role` has no change"),
            ("change:91:trained", "`trained` has no change"),
            ("change:91:change:91:volume", "`change:91:volume` has no change"),
        ] {
            let found = text.parse::<Source>().unwrap_err();
            assert!(found.contains(why), "{text}: {found}");
        }
    }

    #[test]
    fn who_can_change_a_source_is_known() {
        let of = |text: &str| text.parse::<Source>().unwrap().origin();
        for staff in ["stratum:gender", "in-stratum:gender:female", "trained", "change:91:hours"] {
            assert_eq!(of(staff), Origin::Staff, "{staff}");
        }
        for patients in ["ed-share", "composite:engagement", "change:91:minutes-mean"] {
            assert_eq!(of(patients), Origin::Patients, "{patients}");
        }
        assert_eq!(of("change:91:ln-rmssd"), Origin::Biometric);
    }

    #[test]
    fn a_change_spans_both_ways() {
        let range = |text: &str| text.parse::<Source>().unwrap().range();
        assert_eq!(range("change:91:acuity-mean"), Some([-4.0, 4.0]));
        assert_eq!(range("ed-share"), Some([0.0, 1.0]));
        assert_eq!(range("scale:care-measure:total"), None);
    }
}
