//! `QuestionnaireResponse`: its head, and its answers laid flat however deep they are nested.
//!
//! Answers are codes, numbers and yes or no; free text, dates, attachments and references never land.
use super::super::{RawTable, raw_table, real, text, whole};
use super::shape::{Coding, Reference, at};
use super::{Refusal, Taken, Target};
use crate::store::bulk::Cell;
use serde::Deserialize;
use serde_json::Number;

pub(super) const FIELDS: &[&str] = &[
    "identifier",
    "basedOn",
    "partOf",
    "questionnaire",
    "status",
    "subject",
    "encounter",
    "authored",
    "author",
    "source",
    "item",
];

/// Most answers a response may have.
const ANSWERS_MAX: usize = 10_000;

#[derive(Deserialize)]
pub(super) struct Response {
    id: Option<String>,
    questionnaire: Option<String>,
    status: Option<String>,
    subject: Option<Reference>,
    encounter: Option<Reference>,
    authored: Option<String>,
    author: Option<Reference>,
    source: Option<Reference>,
    #[serde(default)]
    item: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    link_id: Option<String>,
    #[serde(default)]
    answer: Vec<Answer>,
    #[serde(default, rename = "item")]
    nested: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    value_coding: Option<Coding>,
    value_integer: Option<Number>,
    value_decimal: Option<Number>,
    value_boolean: Option<bool>,
    #[serde(default)]
    item: Vec<Item>,
}

/// One row a response that is complete. Author and source land as type and id.
pub(super) fn response_table() -> RawTable {
    let columns = [
        ("id", "TEXT"),
        ("questionnaire", "TEXT"),
        ("version", "TEXT"),
        ("status", "TEXT"),
        ("patient", "TEXT"),
        ("encounter", "TEXT"),
        ("author_type", "TEXT"),
        ("author", "TEXT"),
        ("source_type", "TEXT"),
        ("source", "TEXT"),
        ("authored", "TEXT"),
        ("authored_us", "INTEGER"),
        ("tz_min", "INTEGER"),
        ("answers", "INTEGER"),
    ];
    raw_table("raw_response", &columns)
}

/// One row an answer: `code` as it was given, `number` where it is one, `nth` from 1 if an item has several.
pub(super) fn answer_table() -> RawTable {
    let columns = [
        ("response", "TEXT"),
        ("questionnaire", "TEXT"),
        ("item", "TEXT"),
        ("nth", "INTEGER"),
        ("system", "TEXT"),
        ("code", "TEXT"),
        ("number", "REAL"),
    ];
    raw_table("raw_answer", &columns)
}

pub(super) fn response(found: Response, target: &mut Target<'_>) -> Taken {
    if !matches!(found.status.as_deref(), Some("completed" | "amended")) {
        return Err(Refusal::LeftOut("neither completed nor amended"));
    }
    let id = found.id.ok_or(Refusal::Reject("id", "missing".to_owned()))?;
    let canonical = found.questionnaire.unwrap_or_default();
    let (questionnaire, version) =
        canonical.split_once('|').map_or((canonical.as_str(), None), |(url, v)| (url, Some(v)));
    let questionnaire = (!questionnaire.is_empty()).then_some(questionnaire);
    let mut answers = Vec::new();
    collect(&found.item, &mut answers)
        .map_err(|()| Refusal::Reject("item", format!("more than {ANSWERS_MAX} answers")))?;
    let authored = at(found.authored.as_deref());
    let who = |reference: Option<&Reference>| {
        let (kind, id) = reference.map(Reference::target).unwrap_or_default();
        [text(kind), text(id)]
    };
    let [author_type, author] = who(found.author.as_ref());
    let [source_type, source] = who(found.source.as_ref());
    let patient = target.patient("QuestionnaireResponse.subject", found.subject.as_ref());
    let row = [
        text(Some(id.as_str())),
        text(questionnaire),
        text(version),
        text(found.status),
        text(patient),
        text(found.encounter.as_ref().and_then(|e| e.to("Encounter"))),
        author_type,
        author,
        source_type,
        source,
        text(found.authored),
        whole(authored.map(|m| m.us)),
        whole(authored.map(|m| m.tz_min)),
        whole(i64::try_from(answers.len()).ok()),
    ];
    target.step.row(target.table, target.line, row);
    for (item, nth, value) in answers {
        let [system, code, number] = value;
        let head = [text(Some(id.as_str())), text(questionnaire), text(item), whole(Some(nth))];
        target.step.row(
            target.table + 1,
            target.line,
            head.into_iter().chain([system, code, number]),
        );
    }
    Ok(())
}

type Flat<'a> = (Option<&'a str>, i64, [Cell; 3]);

/// Lays items flat, in their order. The depth is bounded by the parser's (128).
fn collect<'a>(items: &'a [Item], answers: &mut Vec<Flat<'a>>) -> Result<(), ()> {
    for item in items {
        for (nth, answer) in (1..).zip(&item.answer) {
            if let Some(value) = answer.value() {
                if answers.len() >= ANSWERS_MAX {
                    return Err(());
                }
                answers.push((item.link_id.as_deref(), nth, value));
            }
            collect(&answer.item, answers)?;
        }
        collect(&item.nested, answers)?;
    }
    Ok(())
}

impl Answer {
    /// System, code and number.
    fn value(&self) -> Option<[Cell; 3]> {
        if let Some(coding) = &self.value_coding {
            // Without a code it lands as such: the answer is missing, not the question.
            let code = text(coding.code.as_deref());
            return Some([text(coding.system.as_deref()), code, Cell::Null]);
        }
        if let Some(number) = self.value_integer.as_ref().or(self.value_decimal.as_ref()) {
            return Some([Cell::Null, text(Some(number.to_string())), real(number.as_f64())]);
        }
        let word = if self.value_boolean? { "true" } else { "false" };
        Some([Cell::Null, text(Some(word)), Cell::Null])
    }
}
