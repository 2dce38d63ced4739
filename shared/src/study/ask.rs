//! The questions that a study asks in words, each with the figures of a report that answer it.
//!
//! ```text
//! FIGURE   worth | coefficient:COLUMN | price:COLUMN | gap:GROUP | served:GROUP | incentive:GROUP | spread:HISTOGRAM
//!          | change | sites | money
//! ```
//! A report puts each question at its head, with a sentence from each figure below it. What the sentences say is the
//! coordinator's work.
use super::allocation::By;
use super::family::Family;
use super::source::Source;
use super::written::as_written;
use super::{File, StudyError};
use crate::id::{FeatureId, GroupId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most questions of a study, and most figures that answer one.
pub const ASKS_MAX: usize = 12;
/// Longest question, in bytes.
const QUESTION_BYTES_MAX: usize = 300;

/// One question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The question, ending in a question mark.
    pub question: String,
    /// What answers it.
    pub by: Vec<Figure>,
}

/// A figure of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Figure {
    /// What every feature is worth, in units of the outcome.
    Worth,
    /// What one column is worth, in units of the outcome.
    Coefficient(String),
    /// What the pool pays for one unit of a column.
    Price(String),
    /// What is left between a group and the others once the formula has said all it can: under- or overpaid work.
    Gap(GroupId),
    /// The mean outcome of a group beside that of the others: whom care reaches less.
    Served(GroupId),
    /// What closing the gap of a group would cost at the pool's own price.
    Incentive(GroupId),
    /// How a number spreads over clinicians.
    Spread(FeatureId),
    /// What changed for those that a study compares.
    Change,
    /// How hospitals differ.
    Sites,
    /// Who gets most and least of the pool.
    Money,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Worth => f.write_str("worth"),
            Figure::Coefficient(column) => write!(f, "coefficient:{column}"),
            Figure::Price(column) => write!(f, "price:{column}"),
            Figure::Gap(group) => write!(f, "gap:{group}"),
            Figure::Served(group) => write!(f, "served:{group}"),
            Figure::Incentive(group) => write!(f, "incentive:{group}"),
            Figure::Spread(histogram) => write!(f, "spread:{histogram}"),
            Figure::Change => f.write_str("change"),
            Figure::Sites => f.write_str("sites"),
            Figure::Money => f.write_str("money"),
        }
    }
}

impl FromStr for Figure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = || {
            format!(
                "`{text}` answers nothing: expected worth, coefficient:COLUMN, price:COLUMN, gap:GROUP, served:GROUP, \
                 incentive:GROUP, spread:HISTOGRAM, change, sites or money"
            )
        };
        let group = |id: &str| id.parse::<GroupId>().map_err(|_| none());
        match text.split_once(':') {
            None => match text {
                "worth" => Ok(Figure::Worth),
                "change" => Ok(Figure::Change),
                "sites" => Ok(Figure::Sites),
                "money" => Ok(Figure::Money),
                _ => Err(none()),
            },
            Some((_, "")) => Err(none()),
            Some(("coefficient", column)) => Ok(Figure::Coefficient(column.to_owned())),
            Some(("price", column)) => Ok(Figure::Price(column.to_owned())),
            Some(("gap", id)) => group(id).map(Figure::Gap),
            Some(("served", id)) => group(id).map(Figure::Served),
            Some(("incentive", id)) => group(id).map(Figure::Incentive),
            Some(("spread", id)) => id.parse().map(Figure::Spread).map_err(|_| none()),
            Some(_) => Err(none()),
        }
    }
}

as_written!(Figure);

/// Checks that what is to answer can: it is in the study, and its family of models has it. `columns` are the names of the
/// design.
pub(super) fn check(file: &File, columns: &[String]) -> Result<(), StudyError> {
    if file.asks.len() > ASKS_MAX {
        let problem = format!("are {}; at most {ASKS_MAX}", file.asks.len());
        return Err(StudyError::key("asks", problem));
    }
    for (at, ask) in file.asks.iter().enumerate() {
        let key = |part: &str| format!("asks.{}.{part}", at.saturating_add(1));
        let length = ask.question.len();
        let plain = !ask.question.chars().any(char::is_control);
        if !ask.question.ends_with('?') {
            let problem = "does not end with a question mark; expected a question";
            return Err(StudyError::key(key("question"), problem));
        }
        if length > QUESTION_BYTES_MAX || !plain {
            let problem = format!(
                "has {length} bytes; expected one line of at most {QUESTION_BYTES_MAX} bytes"
            );
            return Err(StudyError::key(key("question"), problem));
        }
        if ask.by.is_empty() || ask.by.len() > ASKS_MAX {
            let problem = format!("has {}; expected 1 to {ASKS_MAX}", ask.by.len());
            return Err(StudyError::key(key("by"), problem));
        }
        for figure in &ask.by {
            if let Some(problem) = lacks(file, columns, figure) {
                return Err(StudyError::key(key("by"), format!("names `{figure}`, {problem}")));
            }
        }
    }
    Ok(())
}

/// Why a study has no such figure, and what it has of that kind.
fn lacks(file: &File, columns: &[String], figure: &Figure) -> Option<String> {
    let has_group = |id: &GroupId| file.groups.iter().any(|group| group.id == *id);
    let known = match figure {
        // The first is what everybody has.
        Figure::Coefficient(column) | Figure::Price(column) => {
            columns.iter().skip(1).any(|other| other == column)
        }
        Figure::Gap(id) | Figure::Served(id) | Figure::Incentive(id) => has_group(id),
        Figure::Spread(id) => file.histograms.iter().any(|histogram| histogram.id == *id),
        Figure::Change => matches!(file.outcome.source, Source::Change { .. }),
        Figure::Money => file.allocation.by.contains(&By::Sites),
        Figure::Worth | Figure::Sites => true,
    };
    let adds = matches!(file.model.family, Family::Gaussian);
    match figure {
        _ if !known => {
            Some(format!("which the study does not have; {}", kept(file, columns, figure)))
        }
        Figure::Worth | Figure::Coefficient(_) | Figure::Spread(_) => None,
        _ if adds => None,
        _ => Some("which a model of rates or odds does not have".to_owned()),
    }
}

/// What a study has of the kind that a figure names.
fn kept(file: &File, columns: &[String], figure: &Figure) -> String {
    let listed = |names: Vec<String>| match names.as_slice() {
        [] => "it has none".to_owned(),
        some => format!("expected one of {}", some.join(", ")),
    };
    match figure {
        Figure::Coefficient(_) | Figure::Price(_) => {
            listed(columns.iter().skip(1).cloned().collect())
        }
        Figure::Gap(_) | Figure::Served(_) | Figure::Incentive(_) => {
            listed(file.groups.iter().map(|group| group.id.to_string()).collect())
        }
        Figure::Spread(_) => listed(file.histograms.iter().map(|h| h.id.to_string()).collect()),
        Figure::Money => "its pool is not divided among sites".to_owned(),
        _ => "its outcome is no change".to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::Study;
    use super::super::tests::SOUND;
    use super::*;

    #[test]
    fn figures_survive_their_words() {
        for text in [
            "worth",
            "coefficient:specialty=oncology",
            "price:acuity",
            "gap:night-work",
            "served:night-work",
            "incentive:night-work",
            "spread:minutes",
            "change",
            "sites",
            "money",
        ] {
            assert_eq!(text.parse::<Figure>().unwrap().to_string(), text);
        }
        for text in ["", "price", "price:", "gap:", "gap:Not An Id", "mean:acuity"] {
            assert!(text.parse::<Figure>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_study_asks_for_what_it_has() {
        let with = |question: &str, by: &str| {
            let asks = format!("\n[[asks]]\nquestion = \"{question}\"\nby = [{by}]\n");
            Study::parse(&format!("{SOUND}{asks}"))
        };
        let sound = with("What is a level worth?", "\"price:acuity\", \"gap:interpreter-panel\"");
        assert_eq!(sound.unwrap().asks().first().map(|ask| ask.by.len()), Some(2));
        for (question, by, found) in [
            ("What now", "\"worth\"", "`asks.1.question` does not end with a question mark"),
            ("What now?", "", "`asks.1.by` has 0; expected 1 to 12"),
            ("What now?", "\"price:age\"", "names `price:age`, which the study does not have"),
            ("What\\nnow?", "\"worth\"", "`asks.1.question` has 9 bytes; expected one line"),
            ("What now?", "\"price:intercept\"", "names `price:intercept`"),
            (
                "What now?",
                "\"gap:nobody\"",
                "names `gap:nobody`, which the study does not have; expected one of interpreter-panel",
            ),
            ("What now?", "\"spread:minutes\"", "which the study does not have; it has none"),
            ("What now?", "\"change\"", "names `change`, which the study does not have"),
        ] {
            let error = with(question, by).unwrap_err().to_string();
            assert!(error.contains(found), "{error}");
        }
    }
}
