//! Receipts: the header each site signed when it answered, and what it is shown of them.
use super::{Store, fault};
use sqlx::{Row as _, Sqlite, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;
use tacit_shared::codec::{self, Bytes};
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::message::{MaskedHeader, Signed, ToSite};
use tacit_shared::protocol::receipt::{RECEIPTS_MAX, Receipt};
use tacit_shared::protocol::transcript::{Entry, Party};
use tacit_shared::roster::{Key, Roster};

/// Keeps the header of a site's answer, if the entry is one.
///
/// # Errors
/// A fault of the database: then the answer may not be acted on.
pub(super) async fn keep(
    transaction: &mut Transaction<'_, Sqlite>,
    round: Digest,
    entry: &Entry,
) -> Result<(), Fault> {
    let Party::Site(site) = entry.from else { return Ok(()) };
    let Some(header) = Receipt::header_of(&entry.bytes) else { return Ok(()) };
    // One of another round, late: the site could not read it beside this round's configuration.
    let stated: Option<MaskedHeader> = codec::decode(&header.payload.0).ok();
    if stated.is_none_or(|stated| stated.config != round) {
        return Ok(());
    }
    sqlx::query("INSERT OR IGNORE INTO receipt (round, site, header) VALUES (?, ?, ?)")
        .bind(round.to_string())
        .bind(i64::from(site.value()))
        .bind(codec::encode(&header).map_err(|e| Fault::bug(e.to_string()))?)
        .execute(&mut **transaction)
        .await
        .map_err(|e| fault(&e))?;
    Ok(())
}

/// For each site of a roster the encoded list of its latest receipts, oldest first; empty for one that
/// never answered. A site is known by its key, whatever its place in an earlier roster was.
///
/// # Errors
/// A fault of the database, or something damaged in it.
pub async fn latest(
    store: &Store,
    roster: &Roster,
) -> Result<BTreeMap<SiteIndex, Arc<Vec<u8>>>, Fault> {
    let by_key: BTreeMap<Key, SiteIndex> =
        roster.sites().map(|(index, party)| (party.signing_key, index)).collect();
    let mut all: BTreeMap<SiteIndex, Vec<Receipt>> =
        by_key.values().map(|index| (*index, Vec::new())).collect();
    let rounds = sqlx::query(
        "SELECT r.config, r.roster_text, t.bytes FROM round r JOIN transcript t ON t.round = r.config \
         AND t.sender = 0 AND t.name = ? WHERE EXISTS (SELECT 1 FROM receipt x WHERE x.round = r.config) \
         ORDER BY r.counter DESC",
    )
    .bind(ANNOUNCEMENT)
    .fetch_all(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    for row in &rounds {
        if all.values().all(|receipts| receipts.len() >= RECEIPTS_MAX) {
            break;
        }
        let config: String = row.try_get("config").map_err(|e| fault(&e))?;
        let text: String = row.try_get("roster_text").map_err(|e| fault(&e))?;
        let announcement: Vec<u8> = row.try_get("bytes").map_err(|e| fault(&e))?;
        let then = Roster::parse(&text).map_err(|e| e.into_fault("a stored roster"))?;
        let payload = announced(&announcement)?;
        for (site, header) in headers(store, &config).await? {
            let party = SiteIndex::new(site).and_then(|index| then.site(index));
            let Some(index) = party.and_then(|party| by_key.get(&party.signing_key)) else {
                continue;
            };
            if let Some(receipts) = all.get_mut(index).filter(|list| list.len() < RECEIPTS_MAX) {
                receipts.push(Receipt { config: payload.clone(), header });
            }
        }
    }
    for receipts in all.values_mut() {
        receipts.reverse(); // gathered from the latest on
    }
    let encoded = |(index, receipts)| {
        let bytes = codec::encode(&receipts).map_err(|e| Fault::bug(e.to_string()))?;
        Ok((index, Arc::new(bytes)))
    };
    all.into_iter().map(encoded).collect()
}

/// What M0 is called in a transcript.
const ANNOUNCEMENT: &str = "announcement";

fn announced(bytes: &[u8]) -> Result<Bytes, Fault> {
    match codec::decode(bytes) {
        Ok(ToSite::Announce(signed)) => Ok(signed.payload),
        _ => Err(Fault::operator("a stored announcement is damaged")),
    }
}

async fn headers(store: &Store, round: &str) -> Result<Vec<(u16, Signed)>, Fault> {
    let rows = sqlx::query("SELECT site, header FROM receipt WHERE round = ? ORDER BY site")
        .bind(round)
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let site: i64 = row.try_get("site").map_err(|e| fault(&e))?;
        let bytes: Vec<u8> = row.try_get("header").map_err(|e| fault(&e))?;
        let damaged = || Fault::operator("a stored receipt is damaged");
        let site = u16::try_from(site).map_err(|_| damaged())?;
        Ok((site, codec::decode(&bytes).map_err(|_| damaged())?))
    };
    rows.iter().map(read).collect()
}
