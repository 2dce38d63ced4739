//! `tacit-node self`: all that is held about one person, for that person to read and to take along.
//!
//! ```text
//! rows     every row about them (GDPR, Articles 15 and 20)
//! scores   of what they answered themselves: all
//! told     of what patients answered about a clinician: for each quarter that is over, a mean in steps of a twentieth
//!          of its scale, where so many patients answered as the questionnaire asks for, and never fewer than 25;
//!          nothing by one that shows no single clinician, nor while patients' questionnaires are switched off
//! ```
//! A quarter's mean is told as it was told first ([`crate::store::told`]): two looks have no difference to tell.
//! It needs the hospital's id and the node's key file: without the key nobody finds the rows. Which rows those are is
//! [`crate::store::subject`]'s to say. The text goes to whoever typed the command; handing it over, to that person alone,
//! is theirs.
use super::check::{day_and_time, now_us};
use super::withdraw::Id;
use crate::config::Config;
use crate::measure::instrument::Catalogue;
use crate::measure::instrument::term::Respondent;
use crate::store::pseudonym::{self, Key, Kind, Pseudonyms};
use crate::store::subject::{self, Form, Rows};
use crate::store::told::{self, InQuarter, Told};
use crate::store::{self, Store};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// Fewest patients of whose answers a clinician is told a mean.
const PATIENTS_MIN: u32 = 25;
/// Steps of a scale to which such a mean is rounded: each wider than what one of 25 patients can move it by.
const STEPS: f64 = 20.0;

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

/// A score of what a person answered themselves.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Scored {
    instrument: String,
    version: String,
    scale: String,
    /// Who answered.
    by: String,
    /// How many answers have a valid score.
    n: u32,
    /// Their mean; none if no answer has a score.
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
    told: Vec<Told>,
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
    let now_us = now_us()?;
    let told =
        if kind == Kind::Person && config.modalities().admits(Modality::PatientQuestionnaires) {
            about(&store, &catalogue, who.1, now_us).await?
        } else {
            Vec::new()
        };
    let shown = Shown {
        format: "tacit-self/1",
        made_at: day_and_time(now_us),
        of: if args.patient { "patient" } else { "clinician" },
        left_out_of_imports: subject::is_barred(&store, who.1).await?,
        rows: subject::rows(&store, who).await?,
        scores: scores(&catalogue, &subject::forms(&store, who).await?),
        told,
    };
    store.close().await;
    if args.json {
        return serde_json::to_string_pretty(&shown).map_err(|e| Fault::bug(e.to_string()));
    }
    Ok(text(&shown))
}

/// What a clinician is told of patients' answers.
async fn about(
    store: &Store,
    catalogue: &Catalogue,
    person: &Key,
    now_us: i64,
) -> Result<Vec<Told>, Fault> {
    let began =
        told::quarter_began_us(now_us).ok_or_else(|| Fault::operator("the clock shows no date"))?;
    let made = means(catalogue, &told::answered(store, person, began).await?);
    told::keep(store, person, &made, now_us).await
}

/// The means of quarters of which enough patients answered; each questionnaire is another patient's.
fn means(catalogue: &Catalogue, all: &[InQuarter]) -> Vec<Told> {
    let mut by_quarter: BTreeMap<(&str, &str), Vec<&Form>> = BTreeMap::new();
    for InQuarter { quarter, form } in all {
        by_quarter.entry((&form.instrument, quarter)).or_default().push(form);
    }
    let mut means = Vec::new();
    for ((instrument, quarter), forms) in by_quarter {
        let Some(licensed) =
            instrument.parse().ok().and_then(|id| catalogue.licensed(&id).ok().flatten())
        else {
            continue;
        };
        let found = licensed.instrument();
        if found.min_n_person() == 0 || found.respondent() != Respondent::Patient {
            continue;
        }
        let fewest = found.min_n_person().max(PATIENTS_MIN);
        for scale in found.scales() {
            let values: Vec<f64> = forms
                .iter()
                .filter_map(|form| licensed.score(scale, form.pairs()).ok()?.value())
                .collect();
            let n = u32::try_from(values.len()).unwrap_or(u32::MAX);
            if n < fewest {
                continue;
            }
            let [low, high] = scale.range;
            means.push(Told {
                quarter: quarter.to_owned(),
                instrument: instrument.to_owned(),
                version: found.version().to_owned(),
                scale: scale.id.to_string(),
                patients: band(n, fewest),
                mean: coarse(values.iter().sum::<f64>() / f64::from(n), [low, high]),
                low,
                high,
                sha256: found.sha256().to_string(),
            });
        }
    }
    means
}

/// The nearest of [`STEPS`] even steps from the lowest to the highest.
fn coarse(mean: f64, [low, high]: [f64; 2]) -> f64 {
    let step = (high - low) / STEPS;
    if step > 0.0 { ((mean - low) / step).round().mul_add(step, low).clamp(low, high) } else { low }
}

/// How many patients, in words; `fewest` are enough.
fn band(n: u32, fewest: u32) -> String {
    match n {
        100.. if fewest < 100 => "100 or more".to_owned(),
        50..100 if fewest < 50 => "50 to 99".to_owned(),
        25..50 if fewest == 25 => "25 to 49".to_owned(),
        _ => format!("{fewest} or more"),
    }
}

/// The scores that the node can make of the forms; an instrument that is unknown or locked has none.
fn scores(catalogue: &Catalogue, forms: &[Form]) -> Vec<Scored> {
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
        for scale in found.scales() {
            let value = |form: &&Form| licensed.score(scale, form.pairs()).ok()?.value();
            let values: Vec<f64> = forms.iter().filter_map(value).collect();
            let n = u32::try_from(values.len()).unwrap_or(u32::MAX);
            let [low, high] = scale.range;
            scores.push(Scored {
                instrument: instrument.to_owned(),
                version: found.version().to_owned(),
                scale: scale.id.to_string(),
                by: by.to_owned(),
                n,
                mean: (n > 0).then(|| values.iter().sum::<f64>() / f64::from(n)),
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
            None => "no answer with a score".to_owned(),
        };
        let _ = write!(page, "\n  {instrument} {version}, {scale}: {value}; {n} answers by {by}s");
    }
    if !shown.told.is_empty() {
        page.push_str("\n\nwhat patients answered, by quarter, rounded");
    }
    for told in &shown.told {
        let Told { quarter, instrument, version, scale, patients, mean, low, high, .. } = told;
        let _ = write!(
            page,
            "\n  {quarter} {instrument} {version}, {scale}: about {mean} of {low} to {high}; {patients} patients"
        );
    }
    page
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
