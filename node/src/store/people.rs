//! How many people there are rows of, and how many said what: for papers that tell it in bands.
use super::consent::{DECISIVE, Purpose};
use super::{Store, fault};
use sqlx::AssertSqlSafe;
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// How many people said one thing.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Said {
    /// `clinicians` or `patients`.
    pub of: String,
    /// The purpose.
    pub purpose: String,
    /// What stands at the moment: `given`, `refused`, `withdrawn`, `expired`.
    pub state: String,
    /// How many.
    pub people: i64,
}

/// How many clinicians there are rows of, by kind of data.
///
/// # Errors
/// A fault of the database.
pub async fn with(store: &Store, modality: Modality) -> Result<i64, Fault> {
    let sql = match modality {
        Modality::StaffRecords => "SELECT count(DISTINCT person) FROM period",
        Modality::Encounters => "SELECT count(DISTINCT person) FROM encounter",
        Modality::PatientQuestionnaires => {
            "SELECT count(DISTINCT person) FROM response WHERE respondent = 'patient'"
        }
        Modality::ClinicianQuestionnaires => {
            "SELECT count(DISTINCT person) FROM response WHERE respondent = 'clinician'"
        }
        Modality::Heart => "SELECT count(DISTINCT person) FROM device_session",
        Modality::SkinConductance => {
            "SELECT count(DISTINCT person) FROM feature WHERE feature LIKE 'sc%' OR feature LIKE 'eda%'"
        }
        Modality::WearableSummaries => "SELECT 0", // they land as raw rows, which go with their import
    };
    sqlx::query_scalar(sql).fetch_one(store.pool()).await.map_err(|e| fault(&e))
}

/// What stands at a moment, by kind of person and purpose.
///
/// # Errors
/// A fault of the database.
pub async fn said(store: &Store, now_us: i64) -> Result<Vec<Said>, Fault> {
    let mut all = Vec::new();
    for purpose in Purpose::ALL {
        let sql = format!(
            "SELECT iif(person IS NULL, 'patients', 'clinicians') AS of, ?1 AS purpose, state, count(*) AS people \
             FROM ({DECISIVE}) GROUP BY 1, 3 ORDER BY 1, 3"
        );
        let found: Vec<Said> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(purpose.word())
            .bind(now_us)
            .fetch_all(store.pool())
            .await
            .map_err(|e| fault(&e))?;
        all.extend(found);
    }
    Ok(all)
}
