//! Each hospital's mapping says the same of its files as what happened.
//!
//! The raw tables are filled here in the plainest way, by the naming rule of `docs/data-mapping.md`;
//! the mapping's own SQL then makes the canonical tables, and these are held against the truth.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::tests::{population, programmes, small};
use super::{Hospital, Population};
use arrow_array::{Array, BooleanArray, Float64Array, Int64Array, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::path::Path;
use tacit_node::config::{Basis, Consent, Modalities};
use tacit_node::intake::progress::Silent;
use tacit_node::intake::recording::{Reading, Recorder};
use tacit_node::intake::summary::Reason;
use tacit_node::intake::{self, Again, Ports, Questionnaire, Request};
use tacit_node::measure::feature;
use tacit_node::measure::instrument::Catalogue;
use tacit_node::measure::physiology;
use tacit_node::store::Store;
use tacit_node::store::consent::Access;
use tacit_node::store::pseudonym::Pseudonyms;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;

type Cells = Vec<Option<String>>;

fn raw_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.to_lowercase().chars().map(plain).collect()
}

/// Names and rows of a file; numbers as SQL literals, text quoted.
fn read(path: &Path) -> (Vec<String>, Vec<Cells>) {
    let quoted = |text: &str| Some(format!("'{}'", text.replace('\'', "''")));
    if path.extension().unwrap() == "csv" {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let names = reader.headers().unwrap().iter().map(raw_name).collect();
        let row = |record: csv::StringRecord| -> Cells {
            let cell = |text| {
                if str::is_empty(text) { None } else { quoted(text) }
            };
            record.iter().map(cell).collect()
        };
        return (names, reader.records().map(|r| row(r.unwrap())).collect());
    }
    let file = std::fs::File::open(path).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let fields = builder.schema().fields().iter();
    let names = fields.map(|f| raw_name(f.name())).collect();
    let mut rows = Vec::new();
    for batch in builder.build().unwrap() {
        let batch = batch.unwrap();
        let cell = |array: &dyn Array, at: usize| {
            let any = array.as_any();
            if array.is_null(at) {
                None
            } else if let Some(text) = any.downcast_ref::<StringArray>() {
                quoted(text.value(at))
            } else if let Some(int) = any.downcast_ref::<Int64Array>() {
                Some(int.value(at).to_string())
            } else if let Some(real) = any.downcast_ref::<Float64Array>() {
                Some(format!("{:?}", real.value(at)))
            } else {
                let flag = any.downcast_ref::<BooleanArray>().unwrap();
                Some(u8::from(flag.value(at)).to_string())
            }
        };
        for at in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|c| cell(c, at)).collect());
        }
    }
    (names, rows)
}

async fn run(db: &mut SqliteConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql.clone()))
        .execute(db)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{}", &sql[..sql.len().min(2_000)]));
}

async fn load(db: &mut SqliteConnection, hospital: &Hospital) {
    for (raw, path) in &hospital.files {
        let (names, rows) = read(path);
        let columns: Vec<String> = names.iter().map(|n| format!("\"{n}\"")).collect();
        run(db, format!("CREATE TABLE raw_{raw} ({}, _line)", columns.join(", "))).await;
        for (at, chunk) in rows.chunks(200).enumerate() {
            let tuple = |(row, cells): (usize, &Cells)| {
                let cells: Vec<&str> =
                    cells.iter().map(|c| c.as_deref().unwrap_or("NULL")).collect();
                format!("({}, {})", cells.join(", "), at * 200 + row + 2)
            };
            let tuples: Vec<String> = chunk.iter().enumerate().map(tuple).collect();
            run(db, format!("INSERT INTO raw_{raw} VALUES {}", tuples.join(", "))).await;
        }
    }
    let mapping = std::fs::read_to_string(&hospital.mapping).unwrap();
    // SQLite alone knows no zones; in the months of the study Berlin's clocks are two hours ahead.
    let mapping = mapping
        .replace("utc_us(\"when\", 'Europe/Berlin')", "(unixepoch(\"when\") - 7200) * 1000000")
        .replace("tz_min(\"when\", 'Europe/Berlin')", "120");
    for section in mapping.split("-- @").skip(1) {
        let (table, sql) = section.split_once('\n').unwrap();
        run(db, format!("CREATE TABLE {table} AS {sql}")).await;
        let key = if table == "answer" { "response" } else { "line" };
        run(db, format!("CREATE INDEX i_{table} ON {table} ({key})")).await;
    }
}

const ROWS: &str = "
    WITH sound AS (SELECT * FROM encounter WHERE acuity BETWEEN 1 AND 5 AND minutes >= 0),
    e AS (SELECT person, avg(acuity) a, avg(min(max(minutes, 2), 42)) m, avg(interpreter) i, min(acuity) lo, max(acuity) hi
          FROM sound GROUP BY person),
    d AS (SELECT person, avg(volume) v, 1.0 * sum(night_hours) / sum(hours) n, count(*) months
          FROM period GROUP BY person),
    s AS (SELECT response, sum(code) total, count(*) items, avg(code) mean FROM answer GROUP BY response),
    c AS (SELECT person, avg(10.0 * total / items) y FROM response JOIN s USING (response)
          WHERE instrument = 'care-measure' AND respondent = 'patient' GROUP BY person),
    b AS (SELECT person, 25.0 * (mean - 1) mean FROM response JOIN s USING (response)
          WHERE instrument = 'copenhagen-burnout' AND respondent = 'clinician')
    SELECT p.specialty, e.a, e.m, e.i, d.v, d.n, d.months, c.y, b.mean
    FROM person p JOIN e USING (person) JOIN d USING (person)
    LEFT JOIN c USING (person) LEFT JOIN b USING (person)
    WHERE p.active AND p.role IN ('physician', 'nurse') ORDER BY p.line";

/// Every clinician's row and outcome as the canonical tables give them.
async fn hold(population: &Population, site: usize, hospital: &Hospital) {
    let options = "sqlite::memory:".parse::<SqliteConnectOptions>().unwrap();
    let mut db = options.connect().await.unwrap();
    load(&mut db, hospital).await;
    let own: Vec<_> = population
        .clinicians()
        .iter()
        .zip(population.outcomes())
        .filter(|(c, _)| c.site == site)
        .collect();
    let rows = sqlx::query(ROWS).fetch_all(&mut db).await.unwrap();
    assert_eq!(rows.len(), own.len(), "{}", hospital.name);
    let close = |a: f64, b: f64, what: &str| {
        assert!((a - b).abs() < 1e-9, "{}, {what}: {a} {b}", hospital.name);
    };
    for (row, (clinician, outcome)) in rows.iter().zip(own) {
        let x = &clinician.x;
        close((row.get::<f64, _>(1) - 3.0) / 2.0, x[1], "acuity");
        close((row.get::<f64, _>(4) - 90.0) / 90.0, x[2], "volume");
        close((row.get::<f64, _>(2) - 22.0) / 20.0, x[3], "minutes");
        let burnout = row.get::<Option<f64>, _>(8).unwrap_or(45.0);
        close((burnout - 45.0) / 50.0, x[4], "burnout");
        let level = match row.get::<&str, _>(0) {
            "internal" => 0,
            "emergency" => 5,
            "oncology" => 6,
            "palliative" => 7,
            other => panic!("{other}"),
        };
        assert!((5..8).all(|at| (x[at] > 0.5) == (at == level)));
        assert_eq!(row.get::<f64, _>(3) >= 0.24, clinician.member[0]);
        assert_eq!(row.get::<f64, _>(5) >= 0.3, clinician.member[1]);
        assert_eq!(row.get::<i64, _>(6), 3);
        let scored = row.get::<Option<f64>, _>(7);
        assert_eq!(scored.is_some(), outcome.is_some());
        close(scored.unwrap_or(0.0), outcome.unwrap_or(0.0), "outcome");
    }
    rejects(&mut db, hospital).await;
}

/// The rows that are wrong on purpose, no other ones, and times within the period.
async fn rejects(db: &mut SqliteConnection, hospital: &Hospital) {
    let counts = "SELECT count(*) FILTER (WHERE acuity NOT BETWEEN 1 AND 5),
        count(*) FILTER (WHERE person NOT IN (SELECT person FROM person)),
        count(*) FILTER (WHERE minutes < 0),
        count(*) FILTER (WHERE start_us < 1782864000000000 OR start_us >= 1790812800000000),
        count(*) FILTER (WHERE channel IS NULL OR patient IS NULL OR ai_share > 1) FROM encounter";
    let row = sqlx::query(counts).fetch_one(&mut *db).await.unwrap();
    let expected = hospital.expected_rejects;
    let found: Vec<u32> = (0..5).map(|at| row.get::<u32, _>(at)).collect();
    assert_eq!(found, [expected.acuity, expected.stranger, expected.length, 0, 0]);
    let strays = "SELECT count(*) FROM response WHERE authored_us < 1782864000000000
        OR authored_us >= 1790812800000000 OR person NOT IN (SELECT person FROM person)
        OR respondent = 'patient' AND encounter NOT IN (SELECT encounter FROM encounter)";
    assert_eq!(sqlx::query_scalar::<_, i64>(strays).fetch_one(&mut *db).await.unwrap(), 0);
    let odd = "SELECT count(*) FROM answer WHERE code NOT IN ('1', '2', '3', '4', '5')
        OR item NOT GLOB 'q[1-9]' AND item <> 'q10' AND item NOT GLOB 'c[1-6]'
        OR typeof(code) <> 'text' OR typeof(item) <> 'text'";
    assert_eq!(sqlx::query_scalar::<_, i64>(odd).fetch_one(&mut *db).await.unwrap(), 0);
    let Some(folder) = &hospital.recordings_dir else {
        return;
    };
    let files = sqlx::query_scalar::<_, String>("SELECT file FROM device_session");
    let files = files.fetch_all(db).await.unwrap();
    assert!((8..=15).contains(&files.len()));
    assert!(files.iter().all(|file| folder.join(file).is_file()));
}

#[test]
fn every_mapping_gives_back_what_happened() {
    let dir = tempfile::tempdir().unwrap();
    let (_, population) = population(9, small());
    let hospitals = population.write(dir.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (site, hospital) in hospitals.iter().enumerate() {
        runtime.block_on(hold(&population, site, hospital));
    }
}

/// Gives every recording a feature if its beats are read and make a window.
struct Beats;

impl Recorder for Beats {
    fn read(&self, file: &Path) -> Result<Vec<Reading>, String> {
        let recording = physiology::read(file, None).map_err(|e| e.to_string())?;
        let windows = physiology::summarise(&recording).map(|_| 1.0);
        let value = windows.ok_or("no window")?;
        Ok(vec![Reading {
            feature: "windows",
            value,
            n: 1,
            coverage: 1.0,
            modality: Modality::Heart,
        }])
    }
}

fn request(hospital: &Hospital) -> Request {
    let inputs = hospital.files.iter().map(|(raw, path)| format!("{raw}={}", path.display()));
    Request {
        mapping: with_consents(hospital),
        inputs: inputs.map(|input| input.parse().unwrap()).collect(),
        recordings_dir: hospital.recordings_dir.clone(),
        again: Again::Refuse,
        database: None,
        statement_s: 60,
        on_error: tacit_node::intake::OnError::Reject,
        at_us: 1_790_812_800_000_000,
        memory: tacit_node::intake::stream::Memory::default(),
    }
}

/// The hospital's mapping, and that everybody on its list of staff lets their heart be recorded.
fn with_consents(hospital: &Hospital) -> std::path::PathBuf {
    let text = std::fs::read_to_string(&hospital.mapping).unwrap();
    let (_, rest) = text.split_once("-- @person").unwrap();
    let section = rest.split_once("\n-- @").map_or(rest, |(section, _)| section);
    let select = section.split_once('\n').unwrap().1.trim().trim_end_matches(';');
    let path = hospital.mapping.with_extension("consents.sql");
    let said = format!(
        "-- @consent\nSELECT person, 'heart' AS purpose, 'given' AS state, 1780000000000000 AS from_us, line AS line \
         FROM (\n{select}\n)\n"
    );
    std::fs::write(&path, format!("{said}{text}")).unwrap();
    path
}

fn questionnaires() -> Vec<Questionnaire> {
    Catalogue::built_in().unwrap().questionnaires()
}

#[test]
fn the_node_rejects_what_is_wrong_on_purpose_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (_, population) = population(10, small());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (pseudonyms, questionnaires) = (Pseudonyms::new(&[7; 32]), questionnaires());
    let ports = Ports {
        pseudonyms: &pseudonyms,
        questionnaires: &questionnaires,
        recorder: &Beats,
        progress: &Silent,
    };
    for hospital in population.write(dir.path()).unwrap() {
        let request = request(&hospital);
        let summary = runtime.block_on(async {
            let path = dir.path().join(format!("{}.sqlite", hospital.site));
            let store = Store::open(&path).await.unwrap();
            intake::import(&store, &request, &ports).await.unwrap()
        });
        let count = |column: &str| {
            let of = |r: &&Reason| r.table_name == "encounter" && r.column_name == column;
            summary.reasons.iter().filter(of).map(|r| r.rows).sum::<i64>()
        };
        let found = [count("acuity"), count("person"), count("minutes")];
        let expected = hospital.expected_rejects;
        let each = [expected.acuity, expected.stranger, expected.length].map(i64::from);
        assert_eq!(found, each, "{summary}");
        assert_eq!(summary.rejected(), u64::from(expected.total()), "{summary}");
        assert_eq!(summary.features >= 8, hospital.recordings_dir.is_some(), "{summary}");
    }
}

/// Rows in a form that can be sorted: the columns to a millionth, then the groups.
fn sorted<'a>(rows: impl Iterator<Item = (&'a [f64], &'a [bool])>) -> Vec<(Vec<i64>, Vec<bool>)> {
    #[expect(clippy::cast_possible_truncation, reason = "scaled columns are small")]
    let millionths = |x: &f64| (x * 1e6).round() as i64;
    let row =
        |(x, member): (&[f64], &[bool])| (x.iter().map(millionths).collect(), member.to_vec());
    let mut rows: Vec<_> = rows.map(row).collect();
    rows.sort_unstable();
    rows
}

/// From files through mapping, import and tables to rows, with no limit on a patient's clinicians: the rows are those of
/// the truth, at every kind of hospital.
#[test]
fn the_node_s_rows_are_what_happened() {
    let study =
        Study::parse(&programmes("scale:care-measure:total", "10.0", "50.0", "36.0")).unwrap();
    let population = Population::generate(&study, 11, small()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let catalogue = Catalogue::built_in().unwrap();
    let (pseudonyms, questionnaires) = (Pseudonyms::new(&[7; 32]), catalogue.questionnaires());
    let ports = Ports {
        pseudonyms: &pseudonyms,
        questionnaires: &questionnaires,
        recorder: &Beats,
        progress: &Silent,
    };
    let basis = Basis::ByMapping;
    let consent = Consent { clinicians: basis, patients: basis };
    let access =
        Access { consent, modalities: Modalities::EVERYTHING, now_us: 1_790_812_800_000_000 };
    for (site, hospital) in population.write(dir.path()).unwrap().iter().enumerate() {
        let found = runtime.block_on(async {
            let path = dir.path().join(format!("{}.sqlite", hospital.site));
            let store = Store::open(&path).await.unwrap();
            intake::import(&store, &request(hospital), &ports).await.unwrap();
            feature::rows(&store, &study, &catalogue, &pseudonyms, &access).await.unwrap()
        });
        let own = population.clinicians().iter().filter(|c| c.site == site);
        let truth = sorted(own.map(|c| (c.x.as_slice(), c.member.as_slice())));
        let found = sorted(found.rows.iter().map(|row| (row.x(), row.member())));
        assert_eq!(found.len(), truth.len(), "{}", hospital.name);
        // A sum in another order can round otherwise, so a row is looked for, not compared at its place.
        let close = |a: &[i64], b: &[i64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1);
        let mut left = truth.clone();
        for row in &found {
            let at = left.iter().position(|other| close(&other.0, &row.0) && other.1 == row.1);
            let alike = |other: &&(Vec<i64>, Vec<bool>)| {
                other.0.iter().zip(&row.0).filter(|(a, b)| a == b).count()
            };
            let nearest = left.iter().max_by_key(alike);
            let at = at.unwrap_or_else(|| panic!("{}: {row:?}; {nearest:?}", hospital.name));
            left.swap_remove(at);
        }
        let columns = study.schema().width();
        for at in 1..columns {
            let first = truth[0].0[at];
            assert!(truth.iter().any(|row| row.0[at] != first), "{}: column {at}", hospital.name);
        }
    }
}
