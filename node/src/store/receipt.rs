//! Whether the ledger was set back: answers of this site that it does not know.
//!
//! Two witnesses. Every signed result of a round that this site stayed in names the head that its ledger had
//! when it answered; and on every connection the coordinator shows what this site signed itself
//! ([`tacit_shared::protocol::receipt`]), which a restored copy of the database does not hold. An unknown
//! head is written down at once, and nothing is answered until its loss is in the ledger.
use super::ledger::{PLACE, StoreJournal};
use super::{Store, fault};
use sqlx::Row as _;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::ledger::{Ledger, Lost};
use tacit_shared::protocol::message::{Outcome, Signed};
use tacit_shared::protocol::receipt::{RECEIPTS_MAX, Receipt};
use tacit_shared::roster::Key;
use tacit_shared::secagg::key::identity::VerifyingKey;

/// Whose receipts are read, and who shows them.
#[derive(Clone, Copy, Debug)]
pub struct Parties {
    /// This site's key.
    pub me: VerifyingKey,
    /// The coordinator's.
    pub coordinator: Key,
}

/// Holds what a coordinator shows against the ledger. Answers that it does not know are written down.
///
/// # Errors
/// An operator's fault if there is one: the site must not answer until a person resolved it.
pub async fn hold(
    store: &Store,
    ledger: &Ledger<StoreJournal>,
    parties: &Parties,
    shown: &[u8],
    now_s: i64,
) -> Result<(), Fault> {
    let receipts: Vec<Receipt> = codec::decode(shown).map_err(|e| {
        Fault::peer(e.to_string())
            .hint("the coordinator's first message must be this site's receipts")
    })?;
    for receipt in receipts.iter().skip(receipts.len().saturating_sub(RECEIPTS_MAX)) {
        let Some(lost) = receipt.read(&parties.me, parties.coordinator) else {
            tracing::warn!("a receipt that this site did not sign was ignored");
            continue;
        };
        if ledger.round_of(lost.head).is_none() {
            sqlx::query(
                "INSERT OR IGNORE INTO missing (head, receipt, seen_unix_s) VALUES (?, ?, ?)",
            )
            .bind(lost.head.to_string())
            .bind(codec::encode(receipt).map_err(|e| Fault::bug(e.to_string()))?)
            .bind(now_s)
            .execute(store.pool())
            .await
            .map_err(|e| fault(&e))?;
        }
    }
    check(store, ledger).await
}

/// Holds every answer that the database knows of against the ledger.
///
/// # Errors
/// An operator's fault naming the latest answer that the ledger does not know.
pub async fn check(store: &Store, ledger: &Ledger<StoreJournal>) -> Result<(), Fault> {
    let mut unknown = None;
    for head in heads(store).await? {
        if ledger.round_of(head).is_none() {
            unknown = Some(head);
        }
    }
    if let Some(head) = unknown {
        return Err(Fault::operator(format!(
            "this site answered when its ledger had the head {head}, which it does not have now"
        ))
        .at(PLACE)
        .hint(format!(
            "an older copy of the database was restored: what was paid since is missing. Restore the newest copy; \
             if there is none, `tacit-node ledger accept-loss --dir DIR --head {head}` charges it again"
        )));
    }
    for (round, heads) in results(store).await? {
        if !heads.iter().any(|head| ledger.round_of(*head) == Some(round)) {
            return Err(Fault::operator(format!(
                "round {round} has a signed result here, and no charge in the ledger"
            ))
            .at(PLACE)
            .hint("entries were taken out of the database; restore the newest copy"));
        }
    }
    Ok(())
}

/// Every answer that a coordinator showed and the ledger did not know then, oldest first.
///
/// # Errors
/// A fault of the database, or a damaged receipt in it.
pub async fn shown(store: &Store) -> Result<Vec<Receipt>, Fault> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT receipt FROM missing ORDER BY rowid")
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    let damaged = |_| Fault::operator("a receipt in the database is damaged");
    rows.iter().map(|bytes| codec::decode(bytes).map_err(damaged)).collect()
}

/// Answers that the ledger does not know, by counter.
///
/// # Errors
/// A fault of the database, or a damaged receipt in it.
pub async fn lost(
    store: &Store,
    ledger: &Ledger<StoreJournal>,
    parties: &Parties,
) -> Result<Vec<Lost>, Fault> {
    let mut all = Vec::new();
    for receipt in shown(store).await? {
        let lost = receipt.read(&parties.me, parties.coordinator);
        let lost = lost.ok_or_else(|| Fault::operator("a receipt in the database is damaged"))?;
        if ledger.round_of(lost.head).is_none() {
            all.push(lost);
        }
    }
    all.sort_by_key(|lost| lost.counter);
    Ok(all)
}

async fn heads(store: &Store) -> Result<Vec<Digest>, Fault> {
    let rows: Vec<String> = sqlx::query_scalar("SELECT head FROM missing ORDER BY rowid")
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    let damaged = |_| Fault::operator("a receipt in the database is damaged");
    rows.iter().map(|head| head.parse().map_err(damaged)).collect()
}

/// The heads that every signed result names, with its round. The signature was checked on arrival.
async fn results(store: &Store) -> Result<Vec<(Digest, Vec<Digest>)>, Fault> {
    let rows = sqlx::query("SELECT round, signed FROM result ORDER BY rowid")
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let round: String = row.try_get("round").map_err(|e| fault(&e))?;
        let bytes: Vec<u8> = row.try_get("signed").map_err(|e| fault(&e))?;
        let damaged = || Fault::operator("a signed result in the database is damaged");
        let signed: Signed = codec::decode(&bytes).map_err(|_| damaged())?;
        let outcome: Outcome = codec::decode(&signed.payload.0).map_err(|_| damaged())?;
        let heads = outcome.ledger_heads.iter().map(|(_, head)| *head).collect();
        Ok((round.parse().map_err(|_| damaged())?, heads))
    };
    rows.iter().map(read).collect()
}
