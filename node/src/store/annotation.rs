//! What clinicians say of their encounters: excluded ones, and answers about them, count for none.
//!
//! ```text
//! context    explains; it counts
//! exclude    it does not count, until it is taken back
//! contest    open: it does not count; upheld: nor does it then; dismissed, corrected: it counts
//! ```
//! What a person says is wrong is not released while nobody looked. It enters the released share of what was excluded:
//! contesting is no quieter way to leave something out. Who looks is named in node.toml. An exclusion holds for the clinician whose encounter it was when it was made. It leaves the link of the patient
//! with the clinician as it was: otherwise one clinician's word would move another's row.
use super::pseudonym::Key;
use super::{Store, fault};
use tacit_shared::fault::Fault;

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// It must not count.
    Exclude,
    /// Something in it is wrong; it does not count until somebody looked.
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
               at_us = excluded.at_us, resolution = NULL, resolved_us = NULL, resolved_by = NULL";
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

/// What became of a contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Resolution {
    /// The clinician is right: it stays out.
    Upheld,
    /// It is as it was: it counts.
    Dismissed,
    /// The hospital's files were mended and imported anew: it counts.
    Corrected,
}

impl Resolution {
    /// Its word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Resolution::Upheld => "upheld",
            Resolution::Dismissed => "dismissed",
            Resolution::Corrected => "corrected",
        }
    }
}

/// A contest, as whoever resolves it sees it: no id, and nothing of the patient.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Contest {
    /// The encounter's keyed hash, in hexadecimal digits.
    pub encounter: String,
    /// The clinician's.
    pub person: String,
    /// Why, as a code of the hospital.
    pub reason: String,
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
    /// What became of it; none while it is open.
    pub resolution: Option<String>,
    /// When.
    pub resolved_us: Option<i64>,
    /// By whom.
    pub resolved_by: Option<String>,
}

/// Every contest, the open ones first, the oldest of them first.
///
/// # Errors
/// A fault of the database.
pub async fn contests(store: &Store) -> Result<Vec<Contest>, Fault> {
    let sql = "SELECT lower(hex(encounter)) AS encounter, lower(hex(person)) AS person, reason, at_us, resolution, \
               resolved_us, resolved_by FROM annotation WHERE kind = 'contest' \
               ORDER BY resolution IS NOT NULL, at_us, encounter";
    sqlx::query_as(sql).fetch_all(store.pool()).await.map_err(|e| fault(&e))
}

/// Resolves the open contest whose encounter's hash begins with `prefix`, in lower-case hexadecimal digits.
///
/// # Errors
/// A user's fault if there is none, or more than one; a fault of the database.
pub async fn resolve(
    store: &Store,
    prefix: &str,
    (resolution, by): (Resolution, &str),
    at_us: i64,
) -> Result<(), Fault> {
    let open = contests(store).await?;
    let open = open.iter().filter(|c| c.resolution.is_none());
    let mut found = open.filter(|contest| contest.encounter.starts_with(prefix));
    let hint = "`tacit-node contests list` shows the open ones; give as many digits as tell one from the others";
    let (Some(contest), None) = (found.next(), found.next()) else {
        return Err(Fault::user("no open contest, or more than one, begins so").hint(hint));
    };
    sqlx::query(
        "UPDATE annotation SET resolution = ?, resolved_us = ?, resolved_by = ? \
         WHERE kind = 'contest' AND resolution IS NULL AND lower(hex(encounter)) = ?",
    )
    .bind(resolution.word())
    .bind(at_us)
    .bind(by.to_owned())
    .bind(contest.encounter.clone())
    .execute(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    Ok(())
}
