//! What a site switched off, or its profile does not allow, is not taken over: it never enters a table.
//!
//! | kind of data | what is left out |
//! |---|---|
//! | `encounters`, `staff-records` | the tables `encounter`; `period` and `training` |
//! | `patient-questionnaires`, `clinician-questionnaires` | responses of those, with their answers |
//! | `heart`, `skin-conductance` | recordings: the recorder says which it reads |
//! | `wearable-summaries` | files of a wearable's own numbers: refused, so that nobody thinks they were read |
use super::canonical::Table;
use super::key::KEYED;
use super::recording::Recorder;
use super::source::Input;
use super::source::input::Kind;
use super::staging::Staged;
use crate::config::Modalities;
use crate::store::identity::Identities;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// What of it is taken over.
#[derive(Clone, Copy, Default)]
pub struct Admitted<'a> {
    /// The kinds of data that are.
    pub modalities: Modalities,
    /// Where the ids of people are sealed, if they are kept.
    pub identities: Option<&'a Identities>,
}

/// A note if a whole table is left out.
pub(super) fn off(table: Table, recorder: &dyn Recorder, modalities: Modalities) -> Option<String> {
    let (what, on) = match table {
        Table::Encounter => ("encounters", modalities.admits(Modality::Encounters)),
        Table::Period | Table::Training => {
            ("staff records", modalities.admits(Modality::StaffRecords))
        }
        Table::DeviceSession => ("recordings", recorder.is_on()),
        _ => return None,
    };
    let name = table.name();
    (!on).then(|| {
        format!("{name}: {what} are switched off in node.toml or not allowed by the profile")
    })
}

/// Takes the responses of questionnaires that are switched off out of the staging table, after its checks; their
/// answers go with them. Notes say how many there were.
pub(super) async fn leave_out(
    connection: &mut SqliteConnection,
    staged: &Staged,
    modalities: Modalities,
) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    if staged.table != Table::Response {
        return Ok(notes);
    }
    let stage = staged.name();
    for (respondent, modality) in [
        ("patient", Modality::PatientQuestionnaires),
        ("clinician", Modality::ClinicianQuestionnaires),
    ] {
        if modalities.admits(modality) {
            continue;
        }
        let sql = format!(
            "INSERT OR IGNORE INTO temp.left_response SELECT response FROM {KEYED} \
             WHERE response IS NOT NULL AND row_id IN (SELECT row_id FROM {stage} WHERE respondent = '{respondent}')"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        let sql = format!("DELETE FROM {stage} WHERE respondent = '{respondent}'");
        let gone = sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?.rows_affected();
        let sql = format!("DELETE FROM temp.bad WHERE row_id NOT IN (SELECT row_id FROM {stage})");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        if gone > 0 {
            notes.push(format!(
                "response: {gone} rows were left out: {modality} are switched off in node.toml or not allowed by the profile"
            ));
        }
    }
    Ok(notes)
}

/// Refuses the files of a wearable's own numbers where they are switched off.
///
/// # Errors
/// A user's fault naming the file.
pub(super) fn refuse_wearables(inputs: &[Input], modalities: Modalities) -> Result<(), Fault> {
    if modalities.admits(Modality::WearableSummaries) {
        return Ok(());
    }
    for input in inputs {
        let kind = input.kind()?;
        if matches!(kind, Kind::Apple | Kind::Fitbit | Kind::Fit | Kind::OpenMHealth) {
            let message =
                format!("`{}` holds a wearable's numbers, which are not read here", input.label());
            return Err(Fault::user(message).at(input.path().display().to_string()).hint(
                "`wearable-summaries` need a profile that allows them (`tacit-node profile show`) and their switch in node.toml",
            ));
        }
    }
    Ok(())
}
