//! How fast a hospital's files come in, and in how much memory: the whole import through a mapping, beside
//! `sqlite3 .import` of the same CSV, in turn, in one run.
//!
//! `.import` lands lines in one table and is done; a second pair has it land them in a table with the same rules, a key, a
//! reference and two indexes, which is as near as it comes to the same work. An import of ours lands them, maps them, checks every value, replaces ids
//! by keyed hashes, refuses keys that stand twice, and commits durably; what landing alone takes has a row of its own. Each measured run is a
//! process of its own, so that its peak of resident memory is its own. 1 million encounters; `--full`: 10 million; `--once`: only the
//! Parquet file, once, for its memory.
#[path = "common/mod.rs"]
mod report;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use report::{asked, cpu_s, median, print, say};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tacit_node::intake::progress::Progress;
use tacit_node::intake::recording::{Reading, Recorder};
use tacit_node::intake::stream::Memory;
use tacit_node::intake::{self, Again, Ports, Request};
use tacit_node::store::Store;
use tacit_node::store::pseudonym::Pseudonyms;

type Failure = Box<dyn std::error::Error>;

/// How often each is measured, in turn.
const TURNS: usize = 2;
/// Rows of a row group.
const GROUP: u64 = 250_000;
/// A step of processor time in `/proc`: 1/100 s on Linux.
const TICK_S: f64 = 0.01;
const MICROSECONDS: i64 = 1_000_000;
/// 2026-07-01.
const FIRST_S: i64 = 1_782_864_000;

const MAPPING: &str = "-- @person
SELECT staff AS person, role, field AS specialty, 1 AS active, _line AS line FROM raw_staff;
-- @encounter
SELECT visit AS encounter, staff AS person, patient, start_us, end_us, 120 AS tz_min, minutes,
  field AS specialty, acuity, channel, ai_share, interpreter, readmit AS readmit_30d, ed AS ed_30d, _line AS line
FROM raw_visits;
";
const COLUMNS: [&str; 13] = [
    "visit",
    "staff",
    "patient",
    "start_us",
    "end_us",
    "minutes",
    "field",
    "acuity",
    "channel",
    "ai_share",
    "interpreter",
    "readmit",
    "ed",
];

/// What the import's own table holds rows to, in the words of SQL: what somebody without Tacit would write.
const RULED: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
PRAGMA cache_size = -100000;
CREATE TABLE person (person TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
INSERT INTO person WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999)
  SELECT printf('D%05d', i) FROM n;
CREATE TABLE raw_visits (visit TEXT PRIMARY KEY CHECK (length(visit) BETWEEN 1 AND 200),
  staff TEXT NOT NULL REFERENCES person (person), patient TEXT CHECK (length(patient) BETWEEN 1 AND 200),
  start_us INTEGER NOT NULL CHECK (start_us BETWEEN 631152000000000 AND 4102444800000000),
  end_us INTEGER CHECK (end_us BETWEEN start_us AND 4102444800000000),
  minutes REAL NOT NULL CHECK (minutes BETWEEN 0 AND 1440),
  field TEXT CHECK (length(field) BETWEEN 1 AND 48 AND field GLOB '[a-z]*' AND NOT field GLOB '*[^a-z0-9_-]*'),
  acuity INTEGER NOT NULL CHECK (acuity BETWEEN 1 AND 5),
  channel TEXT NOT NULL CHECK (channel IN ('in_person', 'phone', 'ivr', 'video', 'other')),
  ai_share REAL CHECK (ai_share BETWEEN 0 AND 1), interpreter INTEGER CHECK (interpreter IN (0, 1)),
  readmit INTEGER CHECK (readmit IN (0, 1)), ed INTEGER CHECK (ed IN (0, 1))) STRICT, WITHOUT ROWID;
CREATE INDEX visits_staff ON raw_visits (staff);
CREATE INDEX visits_patient ON raw_visits (patient) WHERE patient IS NOT NULL;";

/// One encounter, made from its number alone.
struct Visit {
    number: String,
    staff: String,
    patient: String,
    start_us: i64,
    minutes: f64,
    acuity: i64,
    channel: &'static str,
    ai_share: f64,
    flags: [i64; 3],
}

/// What a run took.
#[derive(Clone, Default)]
struct Run {
    wall_s: f64,
    cpu_s: f64,
    peak_mb: f64,
    said: String,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|a| a == "--child") {
        let (Some(dir), Some(file)) = (arguments.get(at + 1), arguments.get(at + 2)) else {
            return Err("--child DIR FILE".into());
        };
        return child(Path::new(dir), file);
    }
    let rows = if asked("--full") { 10_000_000 } else { 1_000_000 };
    let dir = tempfile::tempdir()?;
    generate(dir.path(), rows)?;
    if asked("--once") {
        // Ten million rows take minutes: what they need of memory is seen in one run.
        let table = [(
            "the whole import, visits.parquet".to_owned(),
            vec![ours(dir.path(), "visits.parquet")?],
        )];
        show(&table, rows);
        return Ok(());
    }
    measure(dir.path(), rows)
}

fn measure(dir: &Path, rows: u64) -> Result<(), Failure> {
    let theirs = Command::new("sqlite3").arg("--version").output().is_ok();
    if !theirs {
        say("the sqlite3 command is absent: no pair");
    }
    let files = ["visits.csv", "visits.parquet"];
    for file in files {
        let bytes = std::fs::metadata(dir.join(file))?.len();
        say(&format!("{file}: {rows} rows, {} MB", bytes / 1_000_000));
    }
    let mut table: Vec<(String, Vec<Run>)> = Vec::new();
    let mut note = |name: String, run: Run| match table.iter_mut().find(|(n, _)| *n == name) {
        Some((_, runs)) => runs.push(run),
        None => table.push((name, vec![run])),
    };
    for _ in 0..TURNS {
        for file in files {
            if theirs && file == "visits.csv" {
                note("sqlite3 .import, CSV, as texts".to_owned(), dot_import(dir, "")?);
                let ruled = "sqlite3 .import, CSV, into a table with rules, key and indexes";
                note(ruled.to_owned(), dot_import(dir, RULED)?);
            }
            let run = ours(dir, file)?;
            for line in run.said.lines() {
                let mut words = line.split('\t');
                if let (Some(what), Some(wall), Some(cpu)) =
                    (words.next(), words.next(), words.next())
                {
                    let (wall_s, cpu_s) = (wall.parse()?, cpu.parse()?);
                    let part = Run { wall_s, cpu_s, ..Run::default() };
                    note(format!("of it, {what}, {file}"), part);
                }
            }
            note(format!("the whole import, {file}"), run);
        }
    }
    show(&table, rows);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "rows of a bench")]
fn show(table: &[(String, Vec<Run>)], rows: u64) {
    let shown: Vec<Vec<String>> = table
        .iter()
        .map(|(name, runs)| {
            let of = |value: fn(&Run) -> f64| median(&runs.iter().map(value).collect::<Vec<_>>());
            let (wall, cpu) = (of(|r| r.wall_s), of(|r| r.cpu_s));
            let rate = rows as f64 / wall.max(1e-9) / 1000.0;
            let peak = of(|r| r.peak_mb);
            let peak = if peak > 0.0 { format!("{peak:.0}") } else { String::new() };
            vec![
                name.clone(),
                format!("{rate:.0}"),
                format!("{wall:.2}"),
                format!("{cpu:.2}"),
                peak,
            ]
        })
        .collect();
    let head = ["what", "thousand rows/s (wall)", "wall s", "CPU s", "peak MB"];
    print("Import", &head, &shown);
}

/// `made`: the statements that make the tables first; then the header line is left out.
fn dot_import(dir: &Path, made: &str) -> Result<Run, Failure> {
    let database = tempfile::tempdir_in(dir)?;
    let mut command = Command::new("sqlite3");
    command.arg(database.path().join("theirs.sqlite"));
    let skipped = if made.is_empty() { "" } else { "--skip 1 " };
    if !made.is_empty() {
        command.arg(made);
    }
    command.arg(".mode csv");
    command.arg(format!(".import {skipped}{} raw_visits", dir.join("visits.csv").display()));
    run(&mut command)
}

fn ours(dir: &Path, file: &str) -> Result<Run, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--child").arg(dir).arg(file);
    run(&mut command)
}

/// Runs a process to its end; its memory is looked at all the while.
fn run(command: &mut Command) -> Result<Run, Failure> {
    let (wall, cpu) = (Instant::now(), children_s());
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut peak_mb = 0.0;
    let status = loop {
        peak_mb = report::peak_mb_of(child.id()).max(peak_mb);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let (wall_s, cpu_s) = (wall.elapsed().as_secs_f64(), children_s() - cpu);
    if !status.success() {
        return Err(format!("{command:?} ended with {status}").into());
    }
    let mut said = String::new();
    if let Some(mut from) = child.stdout.take() {
        std::io::Read::read_to_string(&mut from, &mut said)?;
    }
    Ok(Run { wall_s, cpu_s, peak_mb, said })
}

/// Processor time of ended children, in seconds.
fn children_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in brackets: cutime and cstime are the 14th and 15th.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(13).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() * TICK_S
}

/// Times the stretches of an import.
#[derive(Default)]
struct Stretches(Mutex<Timed>);

/// The stretch that goes on (its name, when it began, processor time then), and what is said of the others.
#[derive(Default)]
struct Timed {
    current: Option<(String, Instant, f64)>,
    said: String,
}

impl Progress for Stretches {
    fn begin(&self, what: &str, _: u64) {
        let name = Path::new(what).file_name().and_then(|n| n.to_str()).unwrap_or(what);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.current = Some((name.to_owned(), Instant::now(), cpu_s()));
    }
    fn advance(&self, _: u64) {}
    fn end(&self, _: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((name, wall, cpu)) = all.current.take() {
            let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_s() - cpu);
            let landing = name.contains('.');
            let what = if landing { "landing".to_owned() } else { format!("table {name}") };
            if name != "person" && name != "staff.csv" {
                writeln!(all.said, "{what}\t{wall}\t{cpu}").ok();
            }
        }
    }
}

struct NoRecorder;

impl Recorder for NoRecorder {
    fn read(&self, _: &Path) -> Result<Vec<Reading>, String> {
        Err("there are no recordings".to_owned())
    }
}

fn child(dir: &Path, file: &str) -> Result<(), Failure> {
    let node = tempfile::tempdir_in(dir)?;
    let stretches = Stretches::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let imported = runtime.block_on(async {
        let store = Store::open(&node.path().join("node.sqlite")).await?;
        let pseudonyms = Pseudonyms::open_or_create(node.path())?;
        let input = |name: &str, file: &str| format!("{name}={}", dir.join(file).display()).parse();
        let both = (input("staff", "staff.csv"), input("visits", file));
        let (Ok(staff), Ok(visits)) = both else {
            return Err(tacit_shared::fault::Fault::bug("the bench's own inputs"));
        };
        let request = Request {
            mapping: dir.join("site.sql"),
            inputs: vec![staff, visits],
            recordings_dir: None,
            again: Again::Refuse,
            database: None,
            statement_s: 60,
            on_error: tacit_node::intake::OnError::Reject,
            at_us: FIRST_S * MICROSECONDS,
            memory: Memory::default(),
        };
        let ports = Ports {
            pseudonyms: &pseudonyms,
            questionnaires: &[],
            recorder: &NoRecorder,
            progress: &stretches,
        };
        let summary = intake::import(&store, &request, &ports).await;
        store.close().await;
        summary
    });
    let summary = imported.map_err(|fault| fault.to_string())?;
    if summary.tables.iter().any(|table| table.rejected > 0) {
        return Err("the generated file has rejects".into());
    }
    let said = stretches.0.into_inner().unwrap_or_else(PoisonError::into_inner).said;
    say(&said);
    Ok(())
}

fn visit(n: u64) -> Visit {
    // SplitMix64: scattered ids, the same in every run.
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let part = |shift: u32, of: u64| ((z >> shift) & 0xffff_ffff) % of;
    let small = |shift: u32, of: u64| i64::try_from(part(shift, of)).unwrap_or_default();
    let channels = ["in_person", "in_person", "in_person", "phone", "video"];
    let channel = usize::try_from(part(20, 5)).unwrap_or_default();
    Visit {
        number: format!("V{n:09}"),
        staff: format!("D{:05}", part(3, 2_000)),
        patient: format!("P{:08}", part(31, 400_000)),
        start_us: (FIRST_S + small(9, 80 * 86_400)) * MICROSECONDS,
        minutes: f64::from(u32::try_from(part(17, 590)).unwrap_or_default()) / 10.0 + 1.0,
        acuity: small(5, 5) + 1,
        channel: channels.get(channel).copied().unwrap_or("other"),
        ai_share: f64::from(u32::try_from(part(11, 101)).unwrap_or_default()) / 100.0,
        flags: [small(1, 2), small(13, 2), small(29, 2)],
    }
}

impl Visit {
    fn end_us(&self) -> i64 {
        self.start_us + self.acuity * 600 * MICROSECONDS
    }
}

fn generate(dir: &Path, rows: u64) -> Result<(), Failure> {
    std::fs::write(dir.join("site.sql"), MAPPING)?;
    let mut staff = String::from("staff,role,field\n");
    for n in 0..2_000 {
        writeln!(staff, "D{n:05},physician,internal")?;
    }
    std::fs::write(dir.join("staff.csv"), staff)?;
    let mut csv = BufWriter::new(File::create(dir.join("visits.csv"))?);
    writeln!(csv, "{}", COLUMNS.join(","))?;
    let mut parquet = None;
    for first in (0..rows).step_by(10_000) {
        let visits: Vec<Visit> = (first..(first + 10_000).min(rows)).map(visit).collect();
        for v in &visits {
            let [a, b, c] = v.flags;
            writeln!(
                csv,
                "{},{},{},{},{},{},internal,{},{},{},{a},{b},{c}",
                v.number,
                v.staff,
                v.patient,
                v.start_us,
                v.end_us(),
                v.minutes,
                v.acuity,
                v.channel,
                v.ai_share
            )?;
        }
        let batch = batch(&visits)?;
        if parquet.is_none() {
            let properties = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_max_row_group_row_count(usize::try_from(GROUP).ok())
                .build();
            let file = File::create(dir.join("visits.parquet"))?;
            parquet = Some(ArrowWriter::try_new(file, batch.schema(), Some(properties))?);
        }
        if let Some(writer) = &mut parquet {
            writer.write(&batch)?;
        }
    }
    csv.flush()?;
    if let Some(writer) = parquet {
        writer.close()?;
    }
    Ok(())
}

fn batch(visits: &[Visit]) -> Result<RecordBatch, Failure> {
    let texts = |of: fn(&Visit) -> &str| -> ArrayRef {
        Arc::new(visits.iter().map(|v| Some(of(v))).collect::<StringArray>())
    };
    let wholes = |of: fn(&Visit) -> i64| -> ArrayRef {
        Arc::new(visits.iter().map(|v| Some(of(v))).collect::<Int64Array>())
    };
    let reals = |of: fn(&Visit) -> f64| -> ArrayRef {
        Arc::new(visits.iter().map(|v| Some(of(v))).collect::<Float64Array>())
    };
    let arrays = [
        texts(|v| &v.number),
        texts(|v| &v.staff),
        texts(|v| &v.patient),
        wholes(|v| v.start_us),
        wholes(Visit::end_us),
        reals(|v| v.minutes),
        texts(|_| "internal"),
        wholes(|v| v.acuity),
        texts(|v| v.channel),
        reals(|v| v.ai_share),
        wholes(|v| v.flags[0]),
        wholes(|v| v.flags[1]),
        wholes(|v| v.flags[2]),
    ];
    Ok(RecordBatch::try_from_iter(COLUMNS.into_iter().zip(arrays))?)
}
