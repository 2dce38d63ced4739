//! What clinicians say of their encounters: excluded ones, and answers about them, count for none.
//!
//! An exclusion holds for the clinician whose encounter it was when it was made. It leaves the link of the patient
//! with the clinician as it was: otherwise one clinician's word would move another's row.
use super::pseudonym::Key;
use super::{Store, fault};
use tacit_shared::fault::Fault;

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// It must not count.
    Exclude,
    /// Something in it is wrong; it counts until somebody looked.
    Contest,
    /// Something explains it; it counts.
    Context,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Exclude => "exclude",
            Kind::Contest => "contest",
            Kind::Context => "context",
        }
    }
}

/// Writes an annotation down; one of the same kind is replaced. Returns whether there is such an encounter.
///
/// # Errors
/// A fault of the database.
pub async fn annotate(
    store: &Store,
    encounter: &Key,
    (kind, reason): (Kind, &str),
    at_us: i64,
) -> Result<bool, Fault> {
    let sql = "INSERT INTO annotation (encounter, kind, person, reason, at_us) \
               SELECT encounter, ?, person, ?, ? FROM encounter WHERE encounter = ? \
               ON CONFLICT (encounter, kind) DO UPDATE SET person = excluded.person, reason = excluded.reason, \
               at_us = excluded.at_us";
    let done = sqlx::query(sql)
        .bind(kind.word())
        .bind(reason.to_owned())
        .bind(at_us)
        .bind(&encounter[..])
        .execute(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    Ok(done.rows_affected() > 0)
}

/// Takes an annotation back. Returns whether there was one.
///
/// # Errors
/// A fault of the database.
pub async fn take_back(store: &Store, encounter: &Key, kind: Kind) -> Result<bool, Fault> {
    let done = sqlx::query("DELETE FROM annotation WHERE encounter = ? AND kind = ?")
        .bind(&encounter[..])
        .bind(kind.word())
        .execute(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    Ok(done.rows_affected() > 0)
}
