//! All that is held about one person, as that person may have it: nothing about anybody else.
//!
//! ```text
//! clinician   every row of theirs in every table; of encounters what they did, not who the patient was or what became of
//!             them; what they answered themselves. What patients answered about them is not among the rows
//! patient     their encounters, without the clinician; what they answered, also if it names their encounter alone
//! both        what they said about consent, and whether imports leave them out
//! ```
//! Keys of the person and of others are left out; hashes of encounters, responses and sessions stay, so that one row can
//! be spoken of. Times are UTC. A table that is added later is found by its column `person` or `patient`.
use super::pseudonym::{Key, Kind};
use super::{Store, fault};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;
use tacit_shared::fault::Fault;

/// Columns that say something of the clinician's work and nothing of what became of the patient.
const OF_WORK: [&str; 9] = [
    "encounter",
    "start_us",
    "end_us",
    "minutes",
    "specialty",
    "acuity",
    "channel",
    "ai_share",
    "tz_min",
];
/// Keys of people, and where a row came from.
const HIDDEN: [&str; 6] = ["person", "patient", "who", "src", "recorded_by", "from_encounter"];

/// Rows by table, each with its columns.
pub type Rows = BTreeMap<String, Vec<Value>>;

/// One filled-in questionnaire: by whom, by which instrument, and its items with their codes.
pub struct Form {
    /// The instrument's id.
    pub instrument: String,
    /// `patient` or `clinician`.
    pub respondent: String,
    /// Items with their codes.
    pub answers: Vec<(String, String)>,
}

impl Form {
    /// Items with their codes.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.answers.iter().map(|(item, code)| (item.as_str(), code.as_str()))
    }
}

/// The rows of a person. `kind` is a clinician or a patient.
///
/// # Errors
/// A fault of the database.
pub async fn rows(store: &Store, (kind, key): (Kind, &Key)) -> Result<Rows, Fault> {
    let column = if kind == Kind::Patient { "patient" } else { "person" };
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = ? \
         WHERE m.type = 'table' ORDER BY m.name",
    )
    .bind(column)
    .fetch_all(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    let mut all = Rows::new();
    for table in tables {
        let condition = match table.as_str() {
            // What others answered about a clinician is theirs; a clinician's own names no patient.
            "response" => own_responses(kind).to_owned(),
            "told" => continue, // stands among the scores
            _ => format!("{column} = ?1"),
        };
        let found = of_table(store, &table, (kind, &condition), key).await?;
        if !found.is_empty() {
            all.insert(table, found);
        }
    }
    let own = format!("response IN (SELECT response FROM response WHERE {})", own_responses(kind));
    let answers = of_table(store, "answer", (kind, &own), key).await?;
    if !answers.is_empty() {
        all.insert("answer".to_owned(), answers);
    }
    Ok(all)
}

/// Whether imports leave the person out, since they withdrew.
///
/// # Errors
/// A fault of the database.
pub async fn is_barred(store: &Store, key: &Key) -> Result<bool, Fault> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM barred WHERE who = ?)")
        .bind(&key[..])
        .fetch_one(store.pool())
        .await
        .map_err(|e| fault(&e))
}

/// What a person answered themselves, for scores. What patients answered about a clinician is [`super::told`]'s.
///
/// # Errors
/// A fault of the database.
pub async fn forms(store: &Store, (kind, key): (Kind, &Key)) -> Result<Vec<Form>, Fault> {
    let sql = format!(
        "SELECT lower(hex(r.response)), r.instrument, r.respondent, a.item, a.code \
         FROM (SELECT * FROM response WHERE {}) r \
         JOIN answer a ON a.response = r.response ORDER BY r.response, a.item",
        own_responses(kind)
    );
    let found: Vec<(String, String, String, String, String)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(&key[..])
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    let mut forms: Vec<Form> = Vec::new();
    let mut last = String::new();
    for (response, instrument, respondent, item, code) in found {
        if response != last {
            forms.push(Form { instrument, respondent, answers: Vec::new() });
            last = response;
        }
        if let Some(form) = forms.last_mut() {
            form.answers.push((item, code));
        }
    }
    Ok(forms)
}

/// Which responses a person gave. One that names no patient is whose encounter it names, as for a withdrawal.
fn own_responses(kind: Kind) -> &'static str {
    match kind {
        Kind::Patient => {
            "respondent = 'patient' AND (patient = ?1 OR patient IS NULL AND encounter IN \
             (SELECT e.encounter FROM encounter e WHERE e.patient = ?1))"
        }
        _ => "respondent = 'clinician' AND person = ?1",
    }
}

async fn of_table(
    store: &Store,
    table: &str,
    (kind, condition): (Kind, &str),
    key: &Key,
) -> Result<Vec<Value>, Fault> {
    let columns: Vec<(String, String)> =
        sqlx::query_as("SELECT name, type FROM pragma_table_info(?) ORDER BY cid")
            .bind(table.to_owned())
            .fetch_all(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    let shown = |name: &str| {
        let work = kind != Kind::Patient && table == "encounter";
        !HIDDEN.contains(&name) && (!work || OF_WORK.contains(&name))
    };
    let pairs: Vec<String> = columns
        .iter()
        .filter(|(name, _)| shown(name))
        .map(|(name, of_type)| match name.strip_suffix("_us") {
            Some(time) if time != "clock_offset" => {
                format!("'{time}', strftime('%Y-%m-%dT%H:%M:%SZ', {name} / 1000000, 'unixepoch')")
            }
            _ if of_type == "BLOB" => format!("'{name}', lower(hex({name}))"),
            _ => format!("'{name}', {name}"),
        })
        .collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    // Names of tables and columns are those of this program's own migrations.
    let sql = format!("SELECT json_object({}) FROM {table} WHERE {condition}", pairs.join(", "));
    let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(&key[..])
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    let row = |text: &String| serde_json::from_str(text).map_err(|e| Fault::bug(e.to_string()));
    found.iter().map(row).collect()
}
