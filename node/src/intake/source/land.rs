//! Makes the raw tables of an input and fills them.
use super::input::{Input, Kind};
use super::parquet::ParquetFile;
use super::wearable::{apple, fitbit, garmin, openmhealth};
use super::{Rows, Step, Tables};
use super::{csv, face, fhir, ndjson, redcap, sessions};
use crate::intake::progress::Progress;
use crate::intake::stream::Memory;
use crate::intake::stream::ahead::Ahead;
use crate::store::bulk::{Bulk, Cell};
use crate::store::fault;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use tacit_shared::fault::Fault;

/// Rows between two signs of progress.
const PROGRESS_ROWS: u64 = 8_192;

/// Rows that lie in their raw table.
pub(in crate::intake) struct Landed {
    pub(in crate::intake) table: String,
    pub(in crate::intake) columns: Vec<String>,
    pub(in crate::intake) rows: u64,
}

/// What came of an input.
pub(in crate::intake) struct Landing {
    pub(in crate::intake) tables: Vec<Landed>,
    /// Rows in all tables.
    pub(in crate::intake) rows: u64,
    /// Rows that did not land; each is recorded as a reject.
    pub(in crate::intake) refused: u64,
    /// What the steward should know.
    pub(in crate::intake) notes: Vec<String>,
}

/// An input, the data dictionary that belongs to it, the batch that rejects are recorded under, and the memory there is.
#[derive(Clone, Copy)]
pub(in crate::intake) struct Arrival<'a> {
    pub(in crate::intake) input: &'a Input,
    pub(in crate::intake) dictionary: Option<&'a Input>,
    pub(in crate::intake) batch: i64,
    pub(in crate::intake) memory: Memory,
}

enum Reader {
    One(Box<dyn Rows>),
    Groups(ParquetFile),
    Many(Box<dyn Tables>),
}

/// Makes the raw tables of an input and fills them; `earlier` are those that are there.
pub(in crate::intake) async fn land(
    connection: &mut SqliteConnection,
    arrival: Arrival<'_>,
    earlier: &[Landed],
    progress: &dyn Progress,
) -> Result<Landing, Fault> {
    let reader = open(arrival)?;
    let input = arrival.input;
    let tables: Vec<(String, Vec<(&str, &str)>)> = match &reader {
        Reader::One(rows) => {
            let columns = rows.columns().iter().map(|c| (c.name.as_str(), c.affinity)).collect();
            vec![(format!("raw_{}", input.name()), columns)]
        }
        Reader::Groups(file) => {
            let columns = file.columns().iter().map(|c| (c.name.as_str(), c.affinity)).collect();
            vec![(format!("raw_{}", input.name()), columns)]
        }
        Reader::Many(many) => many
            .tables()
            .iter()
            .map(|t| {
                let columns = t.columns.iter().map(|c| (c.name.as_str(), c.affinity));
                (t.name.clone(), columns.collect())
            })
            .collect(),
    };
    let mut landed = Vec::with_capacity(tables.len());
    let mut bulks = Vec::with_capacity(tables.len());
    for (table, columns) in tables {
        if earlier.iter().any(|before| before.table == table) {
            let message = format!("a second input lands in the table `{table}`");
            return Err(Fault::user(message)
                .at(input.path().display().to_string())
                .hint("give the inputs other names; of FHIR, put all files into one folder"));
        }
        bulks.push(make(connection, &table, &columns).await.map_err(|e| fault(&e))?);
        let columns = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        landed.push(Landed { table, columns, rows: 0 });
    }
    let mut landing = Landing { tables: landed, rows: 0, refused: 0, notes: Vec::new() };
    let total = match &reader {
        Reader::One(rows) => rows.total(),
        Reader::Groups(file) => file.total(),
        Reader::Many(many) => many.total(),
    };
    progress.begin(&input.path().display().to_string(), total);
    fill(connection, (reader, arrival), bulks, progress, &mut landing).await?;
    landing.rows = landing.tables.iter().map(|t| t.rows).sum();
    progress.end(&format!("{} rows of {}", landing.rows, input.name()));
    Ok(landing)
}

fn open(arrival: Arrival<'_>) -> Result<Reader, Fault> {
    let input = arrival.input;
    let kind = input.kind()?;
    let (name, path) = (input.name(), input.path());
    if arrival.dictionary.is_some() && kind != Kind::Csv {
        return Err(Fault::user(format!(
            "a data dictionary goes with a CSV export; found {}",
            kind.name()
        ))
        .at(path.display().to_string()));
    }
    if let Some(dictionary) = arrival.dictionary {
        let export = redcap::Export::open(name, path, dictionary.path())?;
        return Ok(Reader::Many(Box::new(export)));
    }
    Ok(match kind {
        Kind::Csv => Reader::One(Box::new(csv::CsvRows::open(path)?)),
        Kind::Parquet => Reader::Groups(ParquetFile::open(path)?),
        Kind::Ndjson => Reader::One(Box::new(ndjson::NdjsonRows::open(path)?)),
        Kind::Fhir => Reader::Many(Box::new(fhir::Bulk::open(path)?)),
        Kind::Recordings => Reader::Many(Box::new(sessions::Sessions::open(name, path)?)),
        Kind::OpenMHealth => Reader::Many(Box::new(openmhealth::Points::open(name, path)?)),
        Kind::Fit => Reader::Many(Box::new(garmin::Fit::open(name, path)?)),
        Kind::Apple => Reader::Many(Box::new(apple::Export::open(name, path)?)),
        Kind::Fitbit => Reader::Many(Box::new(fitbit::Takeout::open(name, path)?)),
        Kind::OpenFace => return Err(face::refusal(&path.display().to_string())),
        Kind::Dictionary => return Err(Fault::bug("a data dictionary was to land by itself")),
    })
}

async fn make(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &[(&str, &str)],
) -> Result<Bulk, sqlx::Error> {
    let made: Vec<String> =
        columns.iter().map(|(name, kind)| format!("\"{name}\" {kind}")).collect();
    let sql = format!("CREATE TEMP TABLE \"{table}\" (_line INTEGER, {})", made.join(", "));
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    let quoted: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let names: Vec<&str> =
        std::iter::once("_line").chain(quoted.iter().map(String::as_str)).collect();
    Ok(Bulk::new(&format!("temp.\"{table}\""), &names))
}

async fn fill(
    connection: &mut SqliteConnection,
    (reader, arrival): (Reader, Arrival<'_>),
    mut bulks: Vec<Bulk>,
    progress: &dyn Progress,
    landing: &mut Landing,
) -> Result<(), Fault> {
    let none = || Fault::bug("an input of one table has none");
    let writer = bulks.first().ok_or_else(none)?;
    let mut ahead = match reader {
        Reader::Groups(file) => Ahead::of_groups(file, || writer.gather(), arrival.memory)?,
        Reader::One(rows) => Ahead::of_rows(rows, writer.gather())?,
        Reader::Many(many) => {
            return fill_many(connection, (many, arrival.batch), bulks, progress, landing).await;
        }
    };
    let landed = landing.tables.first_mut().ok_or_else(none)?;
    let bulk = bulks.first_mut().ok_or_else(none)?;
    while let Some((chunk, position)) = ahead.next().await? {
        bulk.write(connection, chunk).await.map_err(|e| fault(&e))?;
        progress.advance(position);
    }
    landed.rows = bulk.flush(connection).await.map_err(|e| fault(&e))?;
    Ok(())
}

async fn fill_many(
    connection: &mut SqliteConnection,
    (mut many, batch): (Box<dyn Tables>, i64),
    mut bulks: Vec<Bulk>,
    progress: &dyn Progress,
    landing: &mut Landing,
) -> Result<(), Fault> {
    let columns = ["batch", "table_name", "line", "column_name", "reason"];
    let mut rejects = Bulk::new("main.reject", &columns);
    let mut step = Step::default();
    let mut steps = 0_u64;
    while many.step(&mut step)? {
        for (table, mut row) in step.rows.drain(..) {
            if let Some(bulk) = bulks.get_mut(table) {
                bulk.push(connection, &mut row).await.map_err(|e| fault(&e))?;
            }
        }
        for refused in step.refused.drain(..) {
            let table = landing.tables.get(refused.table).map(|t| t.table.clone());
            let mut row = vec![
                Cell::Integer(batch),
                Cell::Text(table.unwrap_or_default()),
                Cell::Integer(i64::try_from(refused.line).unwrap_or(i64::MAX)),
                Cell::Text(refused.column),
                Cell::Text(refused.reason),
            ];
            rejects.push(connection, &mut row).await.map_err(|e| fault(&e))?;
        }
        steps += 1;
        if steps.is_multiple_of(PROGRESS_ROWS) {
            progress.advance(many.position());
        }
    }
    for (bulk, landed) in bulks.iter_mut().zip(&mut landing.tables) {
        landed.rows = bulk.flush(connection).await.map_err(|e| fault(&e))?;
    }
    landing.refused = rejects.flush(connection).await.map_err(|e| fault(&e))?;
    landing.notes = many.notes();
    Ok(())
}
