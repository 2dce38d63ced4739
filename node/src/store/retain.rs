//! Rows are kept no longer than the site's settings say, counted from the import that brought them; what a clinician was
//! told of patients' answers as long as answers, counted from then.
//!
//! An import is when the node began to hold a row: a study may look at years past, and the files stay the hospital's.
//! Raw rows are never held: they go with their import. A clinician who is left without any row goes, too. Answers may
//! outlive their encounter, and then keep whose they are (a trigger sees to it: it bounds what one patient moves).
use super::consent::Purpose;
use super::withdraw::{self, Erased};
use super::{Store, fault};
use crate::config::{Modalities, Retention};
use sqlx::Error;
use sqlx::sqlite::SqliteConnection;
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// Erases what was kept long enough, what was withdrawn by now, and of signals of bodies what may not be `held`: what
/// let them be held has ended or was taken back.
///
/// # Errors
/// A fault of the database: then nothing is erased.
pub async fn retain(
    store: &Store,
    (keep, held): (Retention, Modalities),
    now_us: i64,
) -> Result<Erased, Fault> {
    let done = async {
        let mut transaction = store.pool().begin_with("BEGIN IMMEDIATE").await?;
        withdraw::settle(&mut transaction, now_us).await?;
        let erased = erase(&mut transaction, (keep, held), now_us).await?;
        transaction.commit().await?;
        withdraw::forget_log(store).await?;
        Ok::<_, Error>(erased)
    };
    done.await.map_err(|e| fault(&e))
}

/// Whether there may be something to erase, or a consent that ran out: a look that costs nothing.
///
/// # Errors
/// A fault of the database.
pub async fn due(
    store: &Store,
    (keep, held): (Retention, Modalities),
    now_us: i64,
) -> Result<bool, Fault> {
    for modality in ended(held) {
        let sql = "SELECT EXISTS (SELECT 1 FROM feature WHERE modality = ?1) \
                   OR EXISTS (SELECT 1 FROM window_feature WHERE modality = ?1)";
        let query = sqlx::query_scalar(sql).bind(modality.word());
        if query.fetch_one(store.pool()).await.map_err(|e| fault(&e))? {
            return Ok(true);
        }
    }
    let days = keep.encounters.min(keep.answers).min(keep.features);
    let before = now_us.saturating_sub(i64::from(days).saturating_mul(DAY_US));
    let sql = "SELECT EXISTS (SELECT 1 FROM import_batch WHERE at_us < ?) OR EXISTS (SELECT 1 FROM consent)";
    sqlx::query_scalar(sql).bind(before).fetch_one(store.pool()).await.map_err(|e| fault(&e))
}

/// Signals of bodies that may not be held.
fn ended(held: Modalities) -> impl Iterator<Item = Modality> {
    let all = Purpose::OF_BODIES.into_iter().map(|(_, modality)| modality);
    all.filter(move |modality| !held.admits(*modality))
}

async fn erase(
    connection: &mut SqliteConnection,
    (keep, held): (Retention, Modalities),
    now_us: i64,
) -> Result<Erased, Error> {
    let old = |days: u32| {
        let before = now_us.saturating_sub(i64::from(days).saturating_mul(DAY_US));
        format!("src IN (SELECT id FROM import_batch WHERE at_us < {before})")
    };
    let (met, said, felt) = (old(keep.encounters), old(keep.answers), old(keep.features));
    let told = now_us.saturating_sub(i64::from(keep.answers).saturating_mul(DAY_US));
    let told = format!("at_us < {told}");
    let of_responses = format!("response IN (SELECT response FROM response WHERE {said})");
    let of_sessions = format!("session IN (SELECT session FROM device_session WHERE {felt})");
    let alone = ["encounter", "period", "training", "response", "device_session"]
        .map(|table| format!("person NOT IN (SELECT person FROM {table})"))
        .join(" AND ");
    let mut erased = Erased::default();
    for modality in ended(held) {
        withdraw::erase_recorded(connection, &mut erased, (modality, "1")).await?;
    }
    for (table, condition) in [
        ("answer", of_responses.as_str()),
        ("answer", &said),
        ("response", &said),
        ("told", &told),
        ("feature", &of_sessions),
        ("device_session", &felt),
        ("encounter", &met),
        ("period", &met),
        ("training", &met),
        (
            "annotation",
            "encounter NOT IN (SELECT encounter FROM encounter) AND encounter NOT IN \
             (SELECT encounter FROM response WHERE encounter IS NOT NULL)",
        ),
        ("person", &format!("{met} AND {alone}")),
    ] {
        erased.erase(connection, table, condition).await?;
    }
    erased.keep(connection, "retention", now_us).await?;
    Ok(erased)
}
