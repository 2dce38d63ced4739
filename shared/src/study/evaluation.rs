//! What a study watches over its periods, and when it stops.
//!
//! ```text
//! WATCHED   outcome | mean:FEATURE | gap:GROUP | coefficient:COLUMN
//! RULE      WATCHED rises by NUMBER | WATCHED falls by NUMBER
//! ```
//! A rule holds where the whole interval of what moved since `began` lies beyond its number. Numbers are in the unit of
//! what is watched: points of the outcome, the feature's own unit, points per unit. Comparing periods is the convener's work.
use super::written::as_written;
use super::{File, StudyError};
use crate::id::{FeatureId, GroupId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use time::{Date, macros::format_description};

/// Most numbers that a study watches, and most rules it has.
pub const WATCHED_MAX: usize = 16;

/// What is compared over periods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// First day from which emotional labour is compensated, `YYYY-MM-DD`, UTC. Periods that begin before are compared
    /// with those that begin then or later.
    pub began: String,
    /// What is compared.
    pub watch: Vec<Watched>,
    /// When to stop.
    #[serde(default)]
    pub stop_if: Vec<Rule>,
}

/// A number of a period.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Watched {
    /// The mean outcome of everybody.
    Outcome,
    /// The mean of a feature over everybody.
    Mean(FeatureId),
    /// The mean residual difference of a group under the best fit.
    Gap(GroupId),
    /// A coefficient of the formula, by its column.
    Coefficient(String),
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Above what it was.
    Rises,
    /// Below.
    Falls,
}

/// When to stop: a number moved that way by more than so much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    /// What.
    pub watched: Watched,
    /// Which way.
    pub way: Way,
    /// By more than this, at least 0.
    pub by: f64,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Watched::Outcome => f.write_str("outcome"),
            Watched::Mean(feature) => write!(f, "mean:{feature}"),
            Watched::Gap(group) => write!(f, "gap:{group}"),
            Watched::Coefficient(column) => write!(f, "coefficient:{column}"),
        }
    }
}

impl FromStr for Watched {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = || {
            format!(
                "`{text}` cannot be watched: expected outcome, mean:FEATURE, gap:GROUP or coefficient:COLUMN"
            )
        };
        match text.split_once(':') {
            None if text == "outcome" => Ok(Watched::Outcome),
            Some(("mean", id)) => id.parse().map(Watched::Mean).map_err(|_| none()),
            Some(("gap", id)) => id.parse().map(Watched::Gap).map_err(|_| none()),
            Some(("coefficient", column)) if !column.is_empty() => {
                Ok(Watched::Coefficient(column.to_owned()))
            }
            _ => Err(none()),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Rises => "rises",
            Way::Falls => "falls",
        };
        write!(f, "{} {way} by {}", self.watched, self.by)
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = || format!("`{text}` is no rule: expected such as `outcome falls by 0.5`");
        let words: Vec<&str> = text.split_whitespace().collect();
        let [watched, way, "by", by] = words.as_slice() else { return Err(none()) };
        let way = match *way {
            "rises" => Way::Rises,
            "falls" => Way::Falls,
            _ => return Err(none()),
        };
        let by = by.parse().ok().filter(|by: &f64| by.is_finite() && *by >= 0.0);
        Ok(Rule { watched: watched.parse()?, way, by: by.ok_or_else(none)? })
    }
}

as_written!(Watched, Rule);

impl Evaluation {
    /// [`Evaluation::began`] as a day; `None` if it is none, which no study that was read has.
    pub fn began(&self) -> Option<Date> {
        Date::parse(&self.began, format_description!("[year]-[month]-[day]")).ok()
    }
}

/// Checks what the file watches against what it measures; `columns` are the names of its design.
pub(super) fn check(file: &File, columns: &[String]) -> Result<(), StudyError> {
    let Some(evaluation) = &file.evaluation else { return Ok(()) };
    if evaluation.began().is_none() {
        let problem = format!("is `{}`; expected a day as YYYY-MM-DD", evaluation.began);
        return Err(StudyError::key("evaluation.began", problem));
    }
    let distinct: BTreeSet<&Watched> = evaluation.watch.iter().collect();
    let watched = evaluation.watch.len();
    if watched == 0 || watched > WATCHED_MAX || distinct.len() < watched {
        let problem =
            format!("has {watched}, or one twice; expected 1 to {WATCHED_MAX}, each once");
        return Err(StudyError::key("evaluation.watch", problem));
    }
    for watched in &evaluation.watch {
        let known = match watched {
            Watched::Outcome => true,
            Watched::Mean(id) => file.features.iter().any(|f| f.id == *id && f.levels.is_empty()),
            Watched::Gap(id) => file.groups.iter().any(|g| g.id == *id),
            Watched::Coefficient(column) => columns.contains(column),
        };
        if !known {
            let problem = format!("names `{watched}`, which the study does not have");
            return Err(StudyError::key("evaluation.watch", problem));
        }
    }
    if evaluation.stop_if.len() > WATCHED_MAX {
        let problem = format!("are {}; at most {WATCHED_MAX}", evaluation.stop_if.len());
        return Err(StudyError::key("evaluation.stop_if", problem));
    }
    match evaluation.stop_if.iter().find(|rule| !evaluation.watch.contains(&rule.watched)) {
        None => Ok(()),
        Some(rule) => {
            let problem = format!("names `{}`, which is not among `watch`", rule.watched);
            Err(StudyError::key("evaluation.stop_if", problem))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::Study;
    use super::super::tests::SOUND;
    use super::*;

    fn with(evaluation: &str) -> Result<Study, StudyError> {
        Study::parse(&format!("{SOUND}\n[evaluation]\n{evaluation}\n"))
    }

    #[test]
    fn rules_survive_their_words() {
        for text in [
            "outcome falls by 0.5",
            "mean:client-burnout rises by 2",
            "gap:interpreter-panel rises by 0.25",
            "coefficient:specialty=oncology falls by 0",
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for text in [
            "outcome",
            "outcome falls",
            "outcome drops by 1",
            "outcome falls by -1",
            "gap: rises by 1",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_study_watches_what_it_measures() {
        let sound = with(
            "began = \"2026-10-01\"\nwatch = [\"outcome\", \"gap:interpreter-panel\", \"mean:acuity\"]\n\
             stop_if = [\"outcome falls by 0.5\"]",
        )
        .unwrap();
        assert_eq!(sound.evaluation().unwrap().watch.len(), 3);
        assert_ne!(sound.digest(), Study::parse(SOUND).unwrap().digest());
        for (text, key) in [
            ("began = \"soon\"\nwatch = [\"outcome\"]", "evaluation.began"),
            ("began = \"2026-10-01\"\nwatch = []", "evaluation.watch"),
            ("began = \"2026-10-01\"\nwatch = [\"outcome\", \"outcome\"]", "evaluation.watch"),
            ("began = \"2026-10-01\"\nwatch = [\"mean:specialty\"]", "evaluation.watch"),
            ("began = \"2026-10-01\"\nwatch = [\"gap:nobody\"]", "evaluation.watch"),
            ("began = \"2026-10-01\"\nwatch = [\"coefficient:age\"]", "evaluation.watch"),
            (
                "began = \"2026-10-01\"\nwatch = [\"outcome\"]\nstop_if = [\"mean:acuity falls by 1\"]",
                "evaluation.stop_if",
            ),
        ] {
            match with(text) {
                Err(StudyError::Key { key: found, .. }) => assert_eq!(found, key),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
