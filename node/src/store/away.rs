//! Studies that this site stays away from, since a cell of them was too small when its data last changed.
//!
//! Written when data or an approval change ([`crate::measure::standing`]), read when a round is announced:
//! what an announcement is answered follows from what was written before it.
use super::{Store, fault};
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;

/// Why this site stays away from a study; `None` if it does not.
///
/// # Errors
/// A fault of the database.
pub async fn why(store: &Store, study: Digest) -> Result<Option<String>, Fault> {
    sqlx::query_scalar("SELECT why FROM away WHERE study = ?")
        .bind(study.to_string())
        .fetch_optional(store.pool())
        .await
        .map_err(|e| fault(&e))
}

/// From now on this site stays away from a study, or does not any more.
///
/// # Errors
/// A fault of the database.
pub async fn set(store: &Store, study: Digest, why: Option<&str>) -> Result<(), Fault> {
    let query = match why {
        Some(why) => sqlx::query("INSERT OR REPLACE INTO away (study, why) VALUES (?, ?)")
            .bind(study.to_string())
            .bind(why),
        None => sqlx::query("DELETE FROM away WHERE study = ?").bind(study.to_string()),
    };
    query.execute(store.pool()).await.map_err(|e| fault(&e))?;
    Ok(())
}
