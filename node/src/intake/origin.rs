//! Where staged rows come from: raw tables of files, or sections that ran in the hospital's own database.
use super::Request;
use super::batch;
use super::canonical::Table;
use super::illegible::Times;
use super::mapping::Mapping;
use super::source::land::Landed;
use super::source::postgres::Pulled;
use super::staging::{self, Ground, Staged};
use super::summary::{FileCount, Summary};
use super::zone;
use crate::store::fault;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use tacit_shared::fault::Fault;

/// What the sections are staged from.
pub(super) enum Origin {
    /// Raw tables.
    Raw(Vec<Landed>),
    /// They ran in the hospital's database: their rows are staged.
    Staged(Vec<Staged>),
}

impl Origin {
    /// The staged rows of a table whose section the mapping has.
    pub(super) async fn stage(
        &mut self,
        connection: &mut SqliteConnection,
        table: Table,
        (mapping, statement_s): (&Mapping, u32),
    ) -> Result<Staged, Fault> {
        let bug = || Fault::bug(format!("the section `@{}` was not read", table.name()));
        match self {
            Origin::Raw(landed) => {
                let section = mapping.section(table).ok_or_else(bug)?;
                let (local, zones) = zone::found_in(section).map_err(|(problem, at)| {
                    Fault::user(format!("section `@{}` {problem}", table.name()))
                        .at(format!("{}:{}", mapping.origin(), section.line_at(at)))
                        .hint("docs/data-mapping.md explains local times")
                })?;
                zone::prepare(connection, &zones).await.map_err(|e| fault(&e))?;
                let ground = Ground { origin: mapping.origin(), landed, statement_s };
                let staged = staging::stage(connection, table, &local, ground).await?;
                Ok(Staged { times: Times::of(section, landed), ..staged })
            }
            Origin::Staged(staged) => {
                let at = staged.iter().position(|staged| staged.table == table);
                at.map(|at| staged.swap_remove(at)).ok_or_else(bug)
            }
        }
    }

    /// Drops the raw tables.
    pub(super) async fn forget(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        let Origin::Raw(landed) = self else { return Ok(()) };
        for table in landed {
            let sql = format!("DROP TABLE temp.\"{}\"", table.table);
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
        zone::forget(connection).await
    }
}

/// Makes the batch of rows that the hospital's database yielded.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    request: &Request,
    mapping: [u8; 32],
    pulled: Vec<Pulled>,
) -> Result<(Summary, Origin), Fault> {
    let (mut seen, mut staged, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for part in pulled {
        files.push(FileCount {
            name: format!("@{}", part.staged.table.name()),
            rows: part.rows,
            refused: 0,
        });
        seen.push(part.seen);
        staged.push(part.staged);
    }
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let mut summary = batch::begin(connection, request, (mapping, &seen, &names)).await?;
    let number = summary.batch;
    for (file, seen) in files.iter().zip(&seen) {
        let recorded = batch::record_file(connection, number, (&file.name, seen, file.rows)).await;
        recorded.map_err(|e| fault(&e))?;
    }
    summary.files = files;
    Ok((summary, Origin::Staged(staged)))
}
