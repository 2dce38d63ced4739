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

/// How many clinicians there are rows of, by kind of data. A session with a heart's variability is of beats; one with
/// rates alone, or with a night's numbers, is what a device worked out.
///
/// # Errors
/// A fault of the database.
pub async fn with(store: &Store, modality: Modality) -> Result<i64, Fault> {
    const RECORDED: &str = "WITH f AS (SELECT session, person, feature FROM feature \
        UNION SELECT session, person, feature FROM window_feature) SELECT count(DISTINCT person) FROM f WHERE ";
    let sql = match modality {
        Modality::StaffRecords => "SELECT count(DISTINCT person) FROM period".to_owned(),
        Modality::Encounters => "SELECT count(DISTINCT person) FROM encounter".to_owned(),
        Modality::PatientQuestionnaires => {
            "SELECT count(DISTINCT person) FROM response WHERE respondent = 'patient'".to_owned()
        }
        Modality::ClinicianQuestionnaires => {
            "SELECT count(DISTINCT person) FROM response WHERE respondent = 'clinician'".to_owned()
        }
        Modality::Heart => format!("{RECORDED} feature = 'ln_rmssd'"),
        Modality::SkinConductance => format!(
            "{RECORDED} feature GLOB 'sc[lr]*' OR feature GLOB 'eda*' OR feature GLOB 'low_contact*'"
        ),
        Modality::Faces => format!("{RECORDED} feature GLOB 'au[0-9]*'"),
        Modality::WearableSummaries => format!(
            "{RECORDED} feature = 'ln_rmssd_sleep' OR feature = 'mean_hr_bpm' \
             AND session NOT IN (SELECT session FROM f WHERE feature = 'ln_rmssd')"
        ),
    };
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(store.pool()).await.map_err(|e| fault(&e))
}

/// How many patients there are rows of, where the kind of data is about patients. An encounter without a patient is a
/// patient of its own.
///
/// # Errors
/// A fault of the database.
pub async fn patients_with(store: &Store, modality: Modality) -> Result<Option<i64>, Fault> {
    let sql = match modality {
        Modality::Encounters => {
            "SELECT count(DISTINCT coalesce(patient, encounter)) FROM encounter"
        }
        Modality::PatientQuestionnaires => {
            "SELECT count(DISTINCT coalesce(r.patient, e.patient, r.encounter, r.response)) FROM response r \
             LEFT JOIN encounter e ON e.encounter = r.encounter WHERE r.respondent = 'patient'"
        }
        _ => return Ok(None),
    };
    sqlx::query_scalar(sql).fetch_one(store.pool()).await.map(Some).map_err(|e| fault(&e))
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
