//! `tacit-node self`: all that is held about one person, for that person to read and to take along.
//!
//! ```text
//! rows     every row about them (GDPR, Articles 15 and 20)
//! scores   of what they answered themselves: each. Of what patients answered about a clinician: a mean, from as many
//!          answers on as the questionnaire asks for, and never fewer than five
//! ```
//! It needs the hospital's id and the node's key file: without the key nobody finds the rows. Which rows those are is
//! [`crate::store::subject`]'s to say. The text goes to whoever typed the command; handing it over, to that person alone,
//! is theirs.
use super::check::{day_and_time, now_us};
use super::withdraw::Id;
use crate::config::Config;
use crate::measure::instrument::Catalogue;
use crate::measure::instrument::definition::Respondent;
use crate::store::pseudonym::{self, Kind, Pseudonyms};
use crate::store::subject::{self, Form, Rows};
use crate::store::{self, Store};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_shared::fault::Fault;

/// Fewest answers of patients of which a clinician is shown a mean.
const ANSWERS_MIN: u32 = 5;

/// Arguments of `self`.
#[derive(Clone, Debug, clap::Args)]
pub struct SubjectArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// The person's id, as the hospital's files have it; `-` reads it from the standard input, so that it
    /// stands in no history of commands
    #[arg(long)]
    pub id: Id,
    /// The person is a patient; otherwise a clinician
    #[arg(long)]
    pub patient: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// A score that stands for one person.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Scored {
    instrument: String,
    version: String,
    scale: String,
    /// Who answered.
    by: String,
    /// How many answers have a valid score.
    n: u32,
    /// Their mean; none if there are too few of patients.
    mean: Option<f64>,
    low: f64,
    high: f64,
    sha256: String,
}

#[derive(Serialize)]
struct Shown {
    format: &'static str,
    made_at: String,
    of: &'static str,
    left_out_of_imports: bool,
    rows: Rows,
    scores: Vec<Scored>,
}

/// The rows and scores of a person.
///
/// # Errors
/// A fault of the folder, its key file or the database.
pub async fn run(args: &SubjectArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    if !args.dir.join(pseudonym::FILE).is_file() {
        return Err(Fault::operator(
            "the key file is not in the node's folder, and without it nobody is found",
        )
        .at(args.dir.join(pseudonym::FILE).display().to_string()));
    }
    let id = args.id.given()?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let pseudonyms = Pseudonyms::open_or_create(&args.dir)?;
    pseudonyms.bind(&store).await?;
    let kind = if args.patient { Kind::Patient } else { Kind::Person };
    let who = (kind, &id.key(&pseudonyms, kind));
    let catalogue = Catalogue::of_node(&args.dir, config.licences())?;
    let shown = Shown {
        format: "tacit-self/1",
        made_at: day_and_time(now_us()?),
        of: if args.patient { "patient" } else { "clinician" },
        left_out_of_imports: subject::is_barred(&store, who.1).await?,
        rows: subject::rows(&store, who).await?,
        scores: scores(&catalogue, kind, &subject::forms(&store, who).await?),
    };
    store.close().await;
    if args.json {
        return serde_json::to_string_pretty(&shown).map_err(|e| Fault::bug(e.to_string()));
    }
    Ok(text(&shown))
}

/// The scores that the node can make of the forms; an instrument that is unknown or locked has none.
fn scores(catalogue: &Catalogue, kind: Kind, forms: &[Form]) -> Vec<Scored> {
    let mut by_instrument: BTreeMap<(&str, &str), Vec<&Form>> = BTreeMap::new();
    for form in forms {
        by_instrument.entry((&form.instrument, &form.respondent)).or_default().push(form);
    }
    let mut scores = Vec::new();
    for ((instrument, by), forms) in by_instrument {
        let Some(licensed) =
            instrument.parse().ok().and_then(|id| catalogue.licensed(&id).ok().flatten())
        else {
            continue;
        };
        let found = licensed.instrument();
        let fewest = match (kind, found.respondent()) {
            (Kind::Person, Respondent::Patient) => found.min_n_person().max(ANSWERS_MIN),
            _ => 1,
        };
        for scale in found.scales() {
            let value = |form: &&Form| {
                let answers =
                    form.answers.iter().map(|(item, code)| (item.as_str(), code.as_str()));
                licensed.score(scale, answers).ok().and_then(|score| score.value())
            };
            let values: Vec<f64> = forms.iter().filter_map(value).collect();
            let n = u32::try_from(values.len()).unwrap_or(u32::MAX);
            let [low, high] = scale.range;
            scores.push(Scored {
                instrument: instrument.to_owned(),
                version: found.version().to_owned(),
                scale: scale.id.to_string(),
                by: by.to_owned(),
                n,
                mean: (n >= fewest).then(|| values.iter().sum::<f64>() / f64::from(n)),
                low,
                high,
                sha256: found.sha256().to_string(),
            });
        }
    }
    scores
}

fn text(shown: &Shown) -> String {
    let mut page = format!("What this node holds about one {}, {}\n", shown.of, shown.made_at);
    if shown.left_out_of_imports {
        page.push_str("Imports leave this person out, since they withdrew.\n");
    }
    if shown.rows.is_empty() {
        page.push_str("No row.");
        return page;
    }
    for (table, rows) in &shown.rows {
        let _ = write!(page, "\n{table}: {} rows", rows.len()); // a String
        for row in rows {
            let cells = row.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
            let cells: Vec<String> =
                cells.map(|(name, value)| format!("{name} {}", plain(value))).collect();
            let _ = write!(page, "\n  {}", cells.join(", "));
        }
        page.push('\n');
    }
    if !shown.scores.is_empty() {
        page.push_str("\nscores");
    }
    for score in &shown.scores {
        let Scored { instrument, version, scale, by, n, low, high, .. } = score;
        let value = match score.mean {
            Some(mean) => format!("mean {mean:.3} of {low} to {high}"),
            None => "too few answers for a mean".to_owned(),
        };
        let _ = write!(page, "\n  {instrument} {version}, {scale}: {value}; {n} answers by {by}s");
    }
    page
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
