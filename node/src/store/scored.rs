//! By which definitions the scores behind each release were made.
use super::{Store, fault};
use serde::Serialize;
use sqlx::Row as _;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, FeatureId};

/// A questionnaire or composite that a release rests on: which rules made its scores, and under which licence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ScoredBy {
    /// The instrument, or the composite.
    pub instrument: FeatureId,
    /// Its version.
    pub version: String,
    /// The digest of its definition, in hexadecimal digits.
    pub sha256: String,
    /// The licence reference that the site entered, if it needs one.
    pub licence: Option<String>,
}

/// Writes down what a round's scores rest on; again the same changes nothing.
///
/// # Errors
/// A fault of the database: then nothing may be paid for.
pub async fn keep(store: &Store, round: Digest, scored: &[ScoredBy]) -> Result<(), Fault> {
    for one in scored {
        let sql = "INSERT OR IGNORE INTO scored_by (round, instrument, version, sha256, licence) \
                   VALUES (?, ?, ?, ?, ?)";
        sqlx::query(sql)
            .bind(round.to_string())
            .bind(one.instrument.as_str().to_owned())
            .bind(&one.version)
            .bind(&one.sha256)
            .bind(&one.licence)
            .execute(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    }
    Ok(())
}

/// Every round's questionnaires, by round and instrument.
///
/// # Errors
/// A fault of the database, or a row in it that cannot be read.
pub async fn all(store: &Store) -> Result<Vec<(String, ScoredBy)>, Fault> {
    let sql = "SELECT round, instrument, version, sha256, licence FROM scored_by ORDER BY round, instrument, sha256";
    let rows = sqlx::query(sql).fetch_all(store.pool()).await.map_err(|e| fault(&e))?;
    let one = |row: &sqlx::sqlite::SqliteRow| -> Result<(String, ScoredBy), sqlx::Error> {
        let instrument: String = row.try_get("instrument")?;
        let instrument =
            FeatureId::try_from(instrument).map_err(|e| sqlx::Error::Decode(e.into()))?;
        let (version, sha256) = (row.try_get("version")?, row.try_get("sha256")?);
        let licence = row.try_get("licence")?;
        Ok((row.try_get("round")?, ScoredBy { instrument, version, sha256, licence }))
    };
    rows.iter().map(one).collect::<Result<_, _>>().map_err(|e| fault(&e))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_round_rests_on_is_kept_once_and_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        let one = |instrument: &str, digit: &str, licence: Option<&str>| ScoredBy {
            instrument: instrument.parse().unwrap(),
            version: "1".to_owned(),
            sha256: digit.repeat(64),
            licence: licence.map(str::to_owned),
        };
        let (first, second) = (Digest::new([1; 32]), Digest::new([2; 32]));
        let (care, pfi) =
            (one("care-measure", "a", None), one("stanford-pfi", "b", Some("letter")));
        keep(&store, first, &[care.clone(), pfi.clone()]).await.unwrap();
        keep(&store, first, std::slice::from_ref(&care)).await.unwrap();
        // The definition changed between two attempts: both stand.
        let other = one("care-measure", "c", None);
        keep(&store, first, std::slice::from_ref(&other)).await.unwrap();
        keep(&store, second, std::slice::from_ref(&care)).await.unwrap();
        let (a, b) = (first.to_string(), second.to_string());
        let expected = [(a.clone(), care.clone()), (a.clone(), other), (a, pfi), (b, care)];
        assert_eq!(all(&store).await.unwrap(), expected);
        store.close().await;
    }
}
