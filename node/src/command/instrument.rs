//! `tacit-node instrument`: what a definition says, whether it proves itself, and scores by it.
//!
//! Definitions and scores are [`crate::measure::instrument`]'s; reading a file of answers is [`answers`]'. Scores
//! are printed and nothing is stored: a study computes its own from the imported answers.
mod about;
mod answers;
mod composite;

use super::profile::of_folder;
use crate::config::{Config, LicenceReference};
use crate::measure::composite::{Composite, shipped};
use crate::measure::feature::pin;
use crate::measure::instrument::definition::{FILE_BYTES_MAX, Instrument};
use crate::measure::instrument::licence::Licensed;
use crate::measure::instrument::score::{Score, ScoreError};
use crate::measure::instrument::{Catalogue, Provenance};
use about::{about, described};
use answers::{Answers, Row};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use tacit_link::keys::read_bounded;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;

/// Questionnaires: check a definition, score answers by it, list what the node knows.
#[derive(Clone, Debug, clap::Args)]
pub struct InstrumentArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Say what a definition is, and whether its own vectors hold
    Check(CheckArgs),
    /// Score each row of a file of answers by a definition
    Score(ScoreArgs),
    /// The instruments a node knows, and which of them are locked
    List(ListArgs),
}

/// Arguments of `instrument check`.
#[derive(Clone, Debug, clap::Args)]
struct CheckArgs {
    /// The definition of an instrument or a composite (docs/instruments.md), or the id of one that the node knows
    #[arg(value_name = "FILE or ID")]
    file: PathBuf,
    /// A node's folder: its own instruments
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Arguments of `instrument score`.
#[derive(Clone, Debug, clap::Args)]
struct ScoreArgs {
    /// The definition (docs/instruments.md), or the id of one that the node knows
    #[arg(value_name = "FILE or ID")]
    file: PathBuf,
    /// CSV with a column an item, or JSON with an object a row
    #[arg(long)]
    answers: PathBuf,
    /// Print a JSON array, one object a row, instead of a table
    #[arg(long)]
    json: bool,
    /// A node's folder: its licences, and its own instruments for a composite
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The licence under which a locked instrument is used, if not in the node's settings
    #[arg(long, value_name = "REFERENCE", value_parser = licence)]
    licence: Option<LicenceReference>,
    /// A column that is no item
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
}

/// Arguments of `instrument list`.
#[derive(Clone, Debug, clap::Args)]
struct ListArgs {
    /// The node's folder; without it, what comes with the program
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print a JSON array, one object an instrument, instead of a table
    #[arg(long)]
    json: bool,
    /// Print the lines by which a study file pins each definition, composites among them
    #[arg(long, conflicts_with = "json")]
    toml: bool,
}

fn licence(text: &str) -> Result<LicenceReference, String> {
    LicenceReference::try_from(text.to_owned())
}

/// The text of whichever action.
///
/// # Errors
/// A user's fault with file and line: a definition that does not prove itself, one that is locked, or answers
/// that are not the instrument's.
pub async fn run(args: &InstrumentArgs) -> Result<String, Fault> {
    match &args.action {
        Action::Check(args) => check(args),
        Action::Score(args) => score(args).await,
        Action::List(args) => list(args),
    }
}

fn check(args: &CheckArgs) -> Result<String, Fault> {
    match definition(&args.file, args.dir.as_deref())? {
        Definition::Composite(composite) => composite::check(&composite, args.json),
        Definition::Instrument(instrument) if args.json => pretty(&about(&instrument)),
        Definition::Instrument(instrument) => Ok(described(&instrument)),
    }
}

/// What a file says, or what the node knows under an id.
enum Definition {
    Instrument(Box<Instrument>),
    Composite(Box<Composite>),
}

/// The definition in a file; if there is none of that name, the one of that id.
fn definition(path: &Path, dir: Option<&Path>) -> Result<Definition, Fault> {
    let id = path.to_str().and_then(|text| text.parse::<FeatureId>().ok());
    if let Some(id) = id.filter(|_| !path.exists()) {
        return known(&id, dir);
    }
    let origin = path.display().to_string();
    let bytes = read_bounded(path, FILE_BYTES_MAX as u64).map_err(|e| {
        Fault::user(format!("the definition cannot be read: {e}"))
            .at(&origin)
            .hint("a definition is a TOML file (docs/instruments.md), or an id that `tacit-node instrument list` shows")
    })?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Fault::user("the definition is not UTF-8").at(&origin).hint("save it as UTF-8")
    })?;
    Ok(if composite::is_one(&text) {
        Definition::Composite(Box::new(Composite::parse(&origin, &text, &catalogue(dir)?)?))
    } else {
        Definition::Instrument(Box::new(Instrument::parse(&origin, &text)?))
    })
}

fn known(id: &FeatureId, dir: Option<&Path>) -> Result<Definition, Fault> {
    let catalogue = catalogue(dir)?;
    if let Some(instrument) = catalogue.instrument(id) {
        return Ok(Definition::Instrument(Box::new(instrument.clone())));
    }
    let composites = shipped(&catalogue)?;
    let found = composites.into_iter().find(|c| c.output().to_string() == id.as_str());
    found.map(|composite| Definition::Composite(Box::new(composite))).ok_or_else(|| {
        let whose = if dir.is_some() { "the node" } else { "the program" };
        Fault::user(format!("there is no file `{id}`, and {whose} has no instrument of that id")).hint(
            "`tacit-node instrument list --dir NODE` shows those that a node knows; its own need --dir NODE here too",
        )
    })
}

/// The instruments of a node, or those that come with the program.
fn catalogue(dir: Option<&Path>) -> Result<Catalogue, Fault> {
    match dir {
        Some(dir) => Catalogue::of_node(dir, Config::open(dir)?.licences()),
        None => Catalogue::built_in(),
    }
}

fn pretty(value: &Value) -> Result<String, Fault> {
    serde_json::to_string_pretty(value).map_err(|e| Fault::bug(e.to_string()))
}

async fn score(args: &ScoreArgs) -> Result<String, Fault> {
    let config = args.dir.as_deref().map(Config::open).transpose()?;
    let instrument = match definition(&args.file, args.dir.as_deref())? {
        Definition::Instrument(instrument) => instrument,
        Definition::Composite(parsed) => {
            let ScoreArgs { answers, ignore, json, .. } = args;
            return composite::score(
                &parsed,
                &of_folder(args.dir.as_deref()).await?,
                &composite::Asked { answers, ignore, json: *json },
            );
        }
    };
    let entered = config.as_ref().and_then(|config| config.licences().get(instrument.id()));
    let reference = args.licence.as_ref().or(entered);
    let origin = args.file.display().to_string();
    let licensed =
        instrument.licensed(reference).map_err(|locked| Fault::from(locked).at(&origin))?;
    let questions: Vec<&str> = instrument.questions().collect();
    let answers = Answers::read(&args.answers, &questions, &args.ignore)?;
    let mut rows = Vec::with_capacity(answers.rows().len());
    for row in answers.rows() {
        rows.push((
            row,
            scored(licensed, &questions, row).map_err(|e| wrong_answer(e, &args.answers, row))?,
        ));
    }
    if args.json {
        pretty(&Value::Array(
            rows.iter().map(|(row, scores)| as_json(licensed, row, scores)).collect(),
        ))
    } else {
        Ok(table(licensed, &rows))
    }
}

/// The score of every scale.
fn scored(licensed: Licensed<'_>, questions: &[&str], row: &Row) -> Result<Vec<Score>, ScoreError> {
    let answers = || {
        let pair = |(question, code)| questions.get(question).map(|q: &&str| (*q, code));
        row.answers().filter_map(pair)
    };
    licensed.instrument().scales().map(|scale| licensed.score(scale, answers())).collect()
}

/// Names line and item, never the answer.
fn wrong_answer(error: ScoreError, file: &Path, row: &Row) -> Fault {
    let (message, hint) = match error {
        ScoreError::UnknownCode { item, expected } => (
            format!(
                "the answer to item `{item}` is not a code of the instrument; expected {expected}"
            ),
            "correct the answer, or leave it empty if there is none",
        ),
        ScoreError::NotANumber { scale } => (
            format!("the imported score `{scale}` is no number"),
            "write it with a decimal point, or leave it empty if there is none",
        ),
        other => (other.to_string(), "each row has an item once"),
    };
    Fault::user(message).at(row.place(file)).hint(hint)
}

fn as_json(licensed: Licensed<'_>, row: &Row, scores: &[Score]) -> Value {
    let instrument = licensed.instrument();
    let (mut values, mut flags, mut detail) = (Map::new(), Map::new(), Vec::new());
    for (scale, score) in instrument.scales().zip(scores) {
        values.insert(scale.id.to_string(), json!(score.value()));
        detail.push(json!({
            "scale": scale.id, "answered": score.answered(),
            "invalid": score.invalid().map(|reason| reason.to_string()),
        }));
        for flag in instrument.flags().filter(|flag| flag.scale == scale.id) {
            flags.insert(flag.id.to_string(), json!(score.raises(flag)));
        }
    }
    let mut object = Map::new();
    object.insert(row.unit().to_owned(), json!(row.number()));
    object.insert("instrument".to_owned(), json!(instrument.id()));
    object.insert("version".to_owned(), json!(instrument.version()));
    object.insert("sha256".to_owned(), json!(instrument.sha256().to_string()));
    if let Some(reference) = licensed.reference() {
        object.insert("licence".to_owned(), json!(reference.as_str()));
    }
    object.insert("scores".to_owned(), Value::Object(values));
    object.insert("flags".to_owned(), Value::Object(flags));
    object.insert("detail".to_owned(), Value::Array(detail));
    Value::Object(object)
}

fn table(licensed: Licensed<'_>, rows: &[(&Row, Vec<Score>)]) -> String {
    let instrument = licensed.instrument();
    let mut headings = vec![rows.first().map_or("line", |(row, _)| row.unit()).to_owned()];
    headings.extend(instrument.scales().map(|scale| scale.id.to_string()));
    headings.extend(instrument.flags().map(|flag| flag.id.to_string()));
    let mut cells = vec![headings];
    let mut without = 0_usize;
    for (row, scores) in rows {
        let mut line = vec![row.number().to_string()];
        line.extend(scores.iter().map(|s| s.value().map_or("-".to_owned(), |v| format!("{v:.4}"))));
        for flag in instrument.flags() {
            let score = instrument.scales().zip(scores).find(|(scale, _)| scale.id == flag.scale);
            let raised = score.and_then(|(_, score)| score.raises(flag));
            line.push(raised.map_or("-", |raised| if raised { "yes" } else { "no" }).to_owned());
        }
        without += scores.iter().filter(|score| score.value().is_none()).count();
        cells.push(line);
    }
    let mut lines = aligned(&cells);
    let scores = rows.len() * instrument.scales().count();
    lines.push(format!("{} rows, {scores} scores, {without} of them not valid (-)", rows.len()));
    lines.push(format!(
        "by {} {}, sha256 {}",
        instrument.id(),
        instrument.version(),
        instrument.sha256()
    ));
    lines.extend(licensed.reference().map(|reference| format!("licence: {}", reference.as_str())));
    lines.join("\n")
}

/// Columns as wide as their widest cell, each to the left.
fn aligned(cells: &[Vec<String>]) -> Vec<String> {
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let lengths =
            cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

fn list(args: &ListArgs) -> Result<String, Fault> {
    let catalogue = catalogue(args.dir.as_deref())?;
    if args.toml {
        return pin::lines(&catalogue);
    }
    let mut objects = Vec::new();
    let header = ["id", "version", "respondent", "unit", "state", "from", "sha256"];
    let mut cells = vec![header.map(str::to_owned).to_vec()];
    for instrument in catalogue.iter() {
        let id = instrument.id();
        let licensed = catalogue.licensed(id).ok().flatten();
        let reference = licensed.and_then(|l| l.reference()).map(LicenceReference::as_str);
        let state = match (licensed.is_some(), instrument.items().is_empty()) {
            (false, false) => "locked",
            (false, true) => "locked, import only",
            (true, false) => "active",
            (true, true) => "active, import only",
        };
        let from = match catalogue.provenance(id) {
            Some(Provenance::Local { replaces: Some(version) }) => format!("here, for {version}"),
            Some(Provenance::Local { replaces: None }) => "here".to_owned(),
            _ => "shipped".to_owned(),
        };
        let words =
            [instrument.version(), instrument.respondent().word(), instrument.unit().word(), state];
        let mut line = vec![id.to_string()];
        line.extend(words.map(str::to_owned));
        line.extend([from.clone(), instrument.sha256().short()]);
        cells.push(line);
        objects.push(json!({
            "id": id, "version": instrument.version(), "title": instrument.title(),
            "respondent": instrument.respondent().word(), "unit": instrument.unit().word(),
            "state": state, "licence_status": instrument.licence().status.word(),
            "licence_reference": reference, "from": from, "sha256": instrument.sha256().to_string(),
        }));
    }
    if args.json {
        return pretty(&Value::Array(objects));
    }
    let mut lines = aligned(&cells);
    let whose = if args.dir.is_some() { " --dir NODE" } else { "" };
    lines.push(format!(
        "`tacit-node instrument check ID{whose}` shows the items, codes and scales of one."
    ));
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests;
