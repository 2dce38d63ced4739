//! Later periods of a rehearsal: the same hospitals and people, other files, a study in the frame of earlier results.
//!
//! The truth drifts a little from period to period; from the day on that the study calls compensated, relational care,
//! burnout and the gap of the interpreter group move by what [`crate::population`] plants.
use super::{Options, Rehearsal, files, members};
use crate::population::Moved;
use std::sync::Arc;
use tacit_coordinator::conclusion::Truth;
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use tacit_shared::study::evaluation::Evaluation;
use toml::{Table, Value};

/// The study with what it watches over periods. One that states nothing watches the outcome, burnout and every gap from its
/// second period on, and stops if patients report less or a gap grew by more than half a point.
///
/// # Errors
/// A fault if the text is no study.
pub(super) fn evaluated(text: &str, periods: u8) -> Result<String, Fault> {
    let study = Study::parse(text).map_err(|e| e.into_fault("the study"))?;
    if periods < 2 || study.evaluation().is_some() {
        return Ok(text.to_owned());
    }
    let mut table: Table = toml::from_str(text).map_err(|e| Fault::user(e.to_string()))?;
    let schema = study.schema();
    let burnout = schema.features.iter().filter(|f| f.source.to_string().contains("burnout"));
    let mut watch = vec!["outcome".to_owned()];
    watch.extend(burnout.map(|feature| format!("mean:{}", feature.id)));
    watch.extend(schema.groups.iter().map(|group| format!("gap:{}", group.id)));
    let mut stop_if = vec!["outcome falls by 0.5".to_owned()];
    stop_if.extend(schema.groups.iter().map(|group| format!("gap:{} rises by 0.5", group.id)));
    let texts = |texts: Vec<String>| Value::Array(texts.into_iter().map(Value::String).collect());
    let mut evaluation = Table::new();
    evaluation.insert("began".to_owned(), Value::String(study.period().1.to_string()));
    evaluation.insert("watch".to_owned(), texts(watch));
    evaluation.insert("stop_if".to_owned(), texts(stop_if));
    table.insert("evaluation".to_owned(), Value::Table(evaluation));
    toml::to_string(&table).map_err(|e| Fault::bug(e.to_string()))
}

/// One more period, from `next` to the round; returns what is true of it. `text` is the first period's study.
///
/// # Errors
/// The fault of the part that failed.
pub(super) async fn later(
    rehearsal: &mut Rehearsal,
    options: &Options,
    text: &str,
    period: u8,
) -> Result<Truth, Fault> {
    let stage =
        rehearsal.screen.stage(&format!("Period {}: the convener writes its study", period + 1));
    let federation = Arc::get_mut(&mut rehearsal.federation);
    let federation = federation.ok_or_else(|| Fault::bug("the federation is still at work"))?;
    federation.advance().await?;
    let study = federation.study().clone();
    let (from, to) = study.period();
    stage.done(&format!("{from} up to {to}, in the frame of earlier results"));

    let began = study.evaluation().and_then(Evaluation::began);
    let compensated = began.is_some_and(|began| from >= began);
    let moved = Moved { period: period.into(), compensated };
    let (population, hospitals) = files(&rehearsal.screen, options, &study, moved).await?;
    if let Some(federation) = Arc::get_mut(&mut rehearsal.federation) {
        federation.bring(members(&hospitals));
    }
    let plain = in_period(text, &study)?;
    rehearsal.period(&plain, &population).await
}

/// The first period's study, moved to the period of another: what an oracle fits without a frame.
fn in_period(text: &str, study: &Study) -> Result<Study, Fault> {
    let mut table: Table = toml::from_str(text).map_err(|e| Fault::user(e.to_string()))?;
    let (from, to) = study.period();
    let mut period = Table::new();
    period.insert("from".to_owned(), Value::String(from.to_string()));
    period.insert("to".to_owned(), Value::String(to.to_string()));
    table.insert("period".to_owned(), Value::Table(period));
    let text = toml::to_string(&table).map_err(|e| Fault::bug(e.to_string()))?;
    Study::parse(&text).map_err(|e| e.into_fault("the study"))
}
