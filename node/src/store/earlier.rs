//! Earlier signed results that a later period rests on, and whether a study follows from them.
//!
//! A node takes no number of a frame from a study or the wire: it derives W, b₀, caps and directions itself from the
//! results it holds ([`tacit_model::warm`]) and refuses a study that states others. A result is the one the
//! coordinator signed, read with the study of its release and the roster that was pinned then.
use super::{Store, fault};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;
use tacit_model::warm::{Earlier, derive, differs};
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::message::{Outcome, Signed};
use tacit_shared::roster::Roster;
use tacit_shared::secagg::key::identity::VerifyingKey;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::Study;

/// The place of a refusal because a study does not follow from earlier results.
pub const PLACE: &str = "the study's [warm]";

/// A result with what it takes to read it.
#[derive(Debug)]
struct Held {
    study: Study,
    plan: Plan,
    aggregate: Aggregate,
    result: Digest,
}

/// Holds that what a study takes over from earlier results is what follows from this site's copies of them. A study of
/// a first period takes nothing over.
///
/// # Errors
/// A user's fault if a result is not held here, or the study states something else; a fault of the database.
pub async fn holds(store: &Store, study: &Study) -> Result<(), Fault> {
    let Some(warm) = study.warm() else { return Ok(()) };
    let held = held(store, &warm.results).await?;
    let earlier: Vec<Earlier<'_>> = held
        .iter()
        .map(|Held { study, plan, aggregate, result }| Earlier {
            study,
            plan,
            aggregate,
            result: *result,
        })
        .collect();
    let frame = derive(study, &earlier).map_err(|e| {
        Fault::user(format!("nothing follows from the earlier results: {e}")).at(PLACE)
    })?;
    match differs(study, &frame) {
        None => Ok(()),
        Some(what) => Err(Fault::user(format!(
            "the study states another `{what}` than follows from the earlier results"
        ))
        .at(PLACE)
        .hint("`tacit-coordinator next` writes what follows; nobody may choose these numbers")),
    }
}

/// The results asked for, in that order: of rounds this site released in, or learnt.
async fn held(store: &Store, wanted: &[Digest]) -> Result<Vec<Held>, Fault> {
    let released = sqlx::query(
        "SELECT result.signed AS signed, approval.text AS study, roster.text AS roster
         FROM result JOIN release_log ON release_log.round = result.round
              JOIN approval ON approval.digest = release_log.study, roster
         ORDER BY result.rowid DESC, (roster.pinned_unix_s <= release_log.at_unix_s) DESC,
                  roster.pinned_unix_s DESC, roster.rowid DESC",
    );
    let learnt = sqlx::query("SELECT signed, study, roster FROM learnt ORDER BY rowid DESC");
    let mut found: BTreeMap<Digest, Held> = BTreeMap::new();
    for query in [released, learnt] {
        for row in query.fetch_all(store.pool()).await.map_err(|e| fault(&e))? {
            if found.len() == wanted.len() {
                break;
            }
            // Of several rosters the first that fits: the one that was pinned at the release stands first.
            if let Some(one) = read(&row)?.filter(|one| wanted.contains(&one.result)) {
                found.entry(one.result).or_insert(one);
            }
        }
    }
    let taken = |result: &Digest| {
        found.remove(result).ok_or_else(|| {
            Fault::user(format!("this site does not hold the earlier result {result}"))
                .at(PLACE)
                .hint("`tacit-node learn TRANSCRIPT` takes over a result of a round that this site missed")
        })
    };
    wanted.iter().map(taken).collect()
}

/// `None` if the roster is not the round's, or the study is one that this program does not read any more: it must not
/// stand in the way of others.
fn read(row: &SqliteRow) -> Result<Option<Held>, Fault> {
    let text = |column| row.try_get::<String, _>(column).map_err(|e| fault(&e));
    let signed: Vec<u8> = row.try_get("signed").map_err(|e| fault(&e))?;
    let (study, roster) = (Study::parse(&text("study")?), Roster::parse(&text("roster")?));
    Ok(match (study, roster) {
        (Ok(study), Ok(roster)) => result(&signed, study, &roster),
        _ => None,
    })
}

fn result(signed: &[u8], study: Study, roster: &Roster) -> Option<Held> {
    let signed: Signed = codec::decode(signed).ok()?;
    let key = VerifyingKey::from_bytes(roster.coordinator().signing_key.0);
    let (outcome, aggregate) = Outcome::verified(&signed, &key, roster.len())?;
    let plan = Plan::new(&study, roster).ok()?;
    let fits = aggregate.sum().len() == plan.layout().dimension();
    let result = outcome.digest().ok()?;
    fits.then_some(Held { study, plan, aggregate, result })
}

/// A result that a transcript proved, with its papers; again the same changes nothing.
///
/// # Errors
/// A fault of the database.
pub async fn learn(
    store: &Store,
    result: Digest,
    signed: &[u8],
    (study, roster): (&str, &str),
) -> Result<(), Fault> {
    sqlx::query("INSERT OR IGNORE INTO learnt (result, signed, study, roster) VALUES (?, ?, ?, ?)")
        .bind(result.to_string())
        .bind(signed)
        .bind(study)
        .bind(roster)
        .execute(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    Ok(())
}
