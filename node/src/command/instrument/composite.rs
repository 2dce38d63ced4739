//! `instrument check` and `score` of a composite's file: readings in, a score with all that travels with it out.
//!
//! Answers have a column a component, with a number or nothing, and `opt_in` (1 or 0) where signals are read.
use super::answers::{Answers, Row};
use super::{aligned, pretty};
use crate::measure::composite::Composite;
use crate::measure::composite::blend::{Admitted, Blended, OptIn, Outcome, Terms};
use crate::measure::composite::definition::{FORMAT, Own, Source};
use serde_json::{Map, Value, json};
use std::path::Path;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::study::profile::document::Document;

/// The column that says whether a person agreed to have signals of their body read.
const OPT_IN: &str = "opt_in";

/// Whether a file says it is a composite.
pub(super) fn is_one(text: &str) -> bool {
    text.parse::<toml::Table>()
        .is_ok_and(|table| table.get("format").and_then(toml::Value::as_str) == Some(FORMAT))
}

/// What a composite is.
pub(super) fn check(composite: &Composite, json: bool) -> Result<String, Fault> {
    let source = |source: &Source| match source {
        Source::Scale { instrument, scale } => format!("instrument:{instrument}/{scale}"),
        Source::Fact(name) | Source::Signal(name) => format!("feature:{name}"),
    };
    let components = composite.components();
    if json {
        let component = |(id, from, weight): &(&FeatureId, &Source, Option<f64>)| json!({"id": id, "source": source(from), "weight": weight});
        let digests = composite.instruments().iter();
        return pretty(&json!({
            "id": composite.output().to_string(), "version": composite.version(), "title": composite.title(),
            "alias": composite.alias(), "policy_profile": composite.profile(),
            "components": components.iter().map(component).collect::<Vec<_>>(),
            "instruments": digests.map(|(id, d)| (id.to_string(), json!(d.to_string()))).collect::<Map<_, _>>(),
            "vectors": {"passed": composite.vectors()}, "sha256": composite.sha256().to_string(),
        }));
    }
    let mut lines = vec![
        format!("{} {}: {}", composite.output(), composite.version(), composite.title()),
        format!("  profile     {}", composite.profile()),
    ];
    lines.extend(composite.alias().map(|alias| format!("  column      {alias}")));
    for (id, from, weight) in &components {
        let weight = weight.map_or("by itself".to_owned(), |weight| format!("weight {weight}"));
        lines.push(format!("  component   {id}: {}, {weight}", source(from)));
    }
    for (id, sha256) in composite.instruments() {
        lines.push(format!("  instrument  {id}, sha256 {}", sha256.short()));
    }
    lines.push(format!("  vectors     {}: all hold", composite.vectors()));
    lines.push(format!("  sha256      {}", composite.sha256()));
    Ok(lines.join("\n"))
}

/// How a file of readings is scored.
pub(super) struct Asked<'a> {
    pub(super) answers: &'a Path,
    pub(super) ignore: &'a [String],
    pub(super) json: bool,
}

/// The score of every row under a profile.
pub(super) fn score(
    composite: &Composite,
    profile: &Document,
    asked: &Asked<'_>,
) -> Result<String, Fault> {
    let terms = Terms {
        profile: profile.kind(),
        approval_id: profile.approval().map(|approval| approval.id.as_str()),
    };
    let admitted = composite.admit(&terms).map_err(|e| {
        Fault::user(e.to_string()).hint(
            "name a node with `--dir` where such a profile is in force: `tacit-node profile show`",
        )
    })?;
    let ids: Vec<FeatureId> = composite.components().iter().map(|(id, ..)| (*id).clone()).collect();
    let mut columns: Vec<&str> = ids.iter().map(FeatureId::as_str).collect();
    if composite.reads_signals() {
        columns.push(OPT_IN);
    }
    let answers = Answers::read(asked.answers, &columns, asked.ignore)?;
    let mut rows = Vec::with_capacity(answers.rows().len());
    for row in answers.rows() {
        let outcome = one(admitted, &ids, row).map_err(|message| {
            Fault::user(message).at(row.place(asked.answers)).hint(
                "each column is a component; a reading is a number, or empty if there is none",
            )
        })?;
        rows.push((row, outcome));
    }
    if asked.json {
        return pretty(&Value::Array(
            rows.iter().map(|(row, outcome)| as_json(composite, row, outcome)).collect(),
        ));
    }
    let mut cells: Vec<Vec<String>> = Vec::with_capacity(rows.len() + 1);
    for (row, outcome) in &rows {
        let (header, line) = as_line(row, outcome);
        if cells.is_empty() {
            cells.push(header);
        }
        cells.push(line);
    }
    let mut lines = aligned(&cells);
    lines.push(format!("{} rows", rows.len()));
    lines.push(format!(
        "by {} {}, sha256 {}",
        composite.output(),
        composite.version(),
        composite.sha256()
    ));
    Ok(lines.join("\n"))
}

/// One row; the message of a fault never quotes a reading.
fn one<'a>(admitted: Admitted<'a>, ids: &[FeatureId], row: &Row) -> Result<Outcome<'a>, String> {
    let (mut readings, mut opt_in) = (Vec::new(), OptIn::NotGiven);
    for (column, text) in row.answers() {
        let Some(id) = ids.get(column) else {
            opt_in = match text {
                "1" => OptIn::Given,
                "0" => OptIn::NotGiven,
                _ => return Err(format!("`{OPT_IN}` is neither 1 nor 0")),
            };
            continue;
        };
        let value =
            text.parse::<f64>().map_err(|_| format!("the reading of `{id}` is no number"))?;
        readings.push((id, value));
    }
    admitted.score(readings.into_iter(), opt_in).map_err(|e| e.to_string())
}

fn as_json(composite: &Composite, row: &Row, outcome: &Outcome<'_>) -> Value {
    let mut object = Map::new();
    object.insert(row.unit().to_owned(), json!(row.number()));
    object.insert("composite".to_owned(), json!(composite.output().to_string()));
    object.insert("version".to_owned(), json!(composite.version()));
    object.insert("sha256".to_owned(), json!(composite.sha256().to_string()));
    match outcome {
        Outcome::Blended(blended) => {
            let name = composite.alias().map_or("score", FeatureId::as_str);
            object.insert(name.to_owned(), json!(blended.value()));
            object.insert("weight_share".to_owned(), json!(blended.weight_share()));
            object.insert("pattern".to_owned(), json!(blended.pattern()));
            object.insert("none".to_owned(), json!(reason(blended)));
        }
        Outcome::Apart(own) => {
            let pair = |(own, value): &(&Own, Option<f64>)| (own.id.to_string(), json!(value));
            object.insert("values".to_owned(), Value::Object(own.iter().map(pair).collect()));
        }
    }
    Value::Object(object)
}

fn reason(blended: &Blended) -> Option<String> {
    blended.none().map(ToString::to_string)
}

fn as_line(row: &Row, outcome: &Outcome<'_>) -> (Vec<String>, Vec<String>) {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let (mut header, mut line) = (vec![row.unit().to_owned()], vec![row.number().to_string()]);
    match outcome {
        Outcome::Blended(blended) => {
            header.extend(["score", "share", "pattern", "reason"].map(str::to_owned));
            line.extend([number(blended.value()), format!("{:.2}", blended.weight_share())]);
            line.extend([blended.pattern().to_owned(), reason(blended).unwrap_or_default()]);
        }
        Outcome::Apart(own) => {
            header.extend(own.iter().map(|(own, _)| own.id.to_string()));
            line.extend(own.iter().map(|(_, value)| number(*value)));
        }
    }
    (header, line)
}
