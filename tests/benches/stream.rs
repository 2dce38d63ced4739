//! What the rows and the sum of a study cost when its encounters are read in place: clinician sums and contributions
//! (the matrix of features among them) from one scan of a Parquet file, with every row group's digest checked.
//!
//! `ROWS` encounters (`--rows N`; 1 million, and 10 million with `--full`) of 20,000 clinicians and a patient for each
//! five encounters, of whom each counts for 3 clinicians. `--keep DIR` leaves the file there, so that other programs can
//! be measured on the same one. Every stretch is a process of its own: its peak of resident memory is its own.
#[path = "common/mod.rs"]
mod report;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use report::{cpu_s, peak_mb, print, say};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use tacit_node::config::{Basis, Consent, Modalities};
use tacit_node::intake::progress::Progress;
use tacit_node::intake::stream::note;
use tacit_node::measure::feature;
use tacit_node::measure::instrument::Catalogue;
use tacit_node::store::Store;
use tacit_node::store::consent::Access;
use tacit_node::store::pseudonym::{Kind, Pseudonyms};
use tacit_shared::fault::Fault;
use tacit_shared::id::SiteIndex;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::study::Study;
use tacit_shared::summary::contribution::Contribution;
use tacit_shared::summary::sum::SiteSum;

type Failure = Box<dyn std::error::Error>;

const CLINICIANS: u64 = 20_000;
/// Rows of a row group.
const GROUP: usize = 250_000;
const TURNS: usize = 3;
/// 2026-07-01, in seconds, and 2026-11-01, in microseconds.
const FIRST_S: i64 = 1_782_864_000;
const NOW_US: i64 = 1_793_491_200_000_000;
const STUDY: &str = r#"
format = 1
id = "bench"
title = "A bench"
question = "What does a scan cost?"
purpose = "research-aggregate"
recipients = [{ name = "research-consortium", class = "research" }]
limits = ["No decision about a person."]
fairness = { groups = ["interpreter-panel"], phi = 0.5 }
[period]
from = "2026-07-01"
to = "2026-10-01"
[population]
roles = ["physician"]
clinicians_per_site_max = 20000
links_per_patient = 3
sites_per_patient = 1
[outcome]
id = "minutes"
label = "Minutes of an encounter"
source = "minutes-mean"
unit = "minutes"
low = 2.0
high = 55.0
centre = 30.0
residual_bound = 12.0
prior_count = 5
[[features]]
id = "acuity"
label = "Mean acuity"
source = "acuity-mean"
low = 1.0
high = 5.0
centre = 3.0
rms = 0.3
prior_count = 4
[[features]]
id = "ai"
label = "Share written by a machine"
source = "ai-share"
low = 0.0
high = 1.0
centre = 0.5
rms = 0.3
prior_count = 3
[[features]]
id = "remote"
label = "Not in person"
source = "remote-share"
low = 0.0
high = 1.0
centre = 0.4
rms = 0.3
prior_count = 3
[[groups]]
id = "interpreter-panel"
label = "Panels that often need an interpreter"
source = "interpreter-share"
at_least = 0.5
low = 0.0
high = 1.0
centre = 0.5
[privacy]
epsilon = 2.0
delta = 1e-6
min_sites = 4
rounds_per_year = 4
norm_cap = 2.5
shares = { matrix = 0.3, moment = 0.35, square = 0.03, group_heads = 0.03, group_residual = 0.09, group_features = 0.03, site_heads = 0.05, site_residual = 0.05, site_features = 0.05, meta = 0.02 }
[allocation]
pool_cents = 100000000
currency = "EUR"
floor_percent_per_head = 80
cap_percent_per_head = 130
"#;

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self, _: &str) {}
}

fn main() -> Result<(), Failure> {
    let after = |flag: &str| {
        let mut arguments = std::env::args();
        arguments.find(|a| a == flag).and_then(|_| arguments.next())
    };
    let runtime = || tokio::runtime::Runtime::new();
    if let Some(dir) = after("--note") {
        return runtime()?.block_on(noted(Path::new(&dir))).map_err(|f| f.to_string().into());
    }
    if let Some(dir) = after("--rows-of") {
        return runtime()?.block_on(summed(Path::new(&dir)));
    }
    let many = if report::asked("--full") { 10_000_000 } else { 1_000_000 };
    let rows = after("--rows").map_or(Ok(many), |rows| rows.parse())?;
    let temporary = tempfile::tempdir()?;
    let dir = after("--keep").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let file = dir.join("encounters.parquet");
    if !file.exists() {
        generate(&file, rows)?;
    }
    say(&format!("{rows} encounters, {} MB", std::fs::metadata(&file)?.len() / 1_000_000));
    if !dir.join("node.sqlite").exists() {
        runtime()?.block_on(staff(&dir)).map_err(|fault| fault.to_string())?;
    }
    let mut table = vec![child("--note", "noting: every rule, digests, doubles", &dir)?];
    for _ in 0..TURNS {
        table.push(child("--rows-of", "a study: scan, links, sums, rows, contributions", &dir)?);
    }
    print("Encounters in place", &["what", "wall s", "CPU s", "peak MB", "found"], &table);
    Ok(())
}

fn child(flag: &str, name: &str, dir: &Path) -> Result<Vec<String>, Failure> {
    let done = Command::new(std::env::current_exe()?).arg(flag).arg(dir).output()?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned().into());
    }
    let said = String::from_utf8(done.stdout)?;
    let mut row = vec![name.to_owned()];
    row.extend(said.trim().split('\t').map(str::to_owned));
    Ok(row)
}

fn told(wall: Instant, found: &str) {
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_s());
    say(&format!("{wall:.2}\t{cpu:.2}\t{:.0}\t{found}", peak_mb()));
}

async fn staff(dir: &Path) -> Result<(), Fault> {
    let store = Store::open(&dir.join("node.sqlite")).await?;
    let pseudonyms = Pseudonyms::open_or_create(dir)?;
    let written = async {
        let mut transaction = store.pool().begin().await?;
        sqlx::query("INSERT INTO import_batch (id, at_us, mapping_sha256, files_sha256) VALUES (1, 0, zeroblob(32), zeroblob(32))")
            .execute(&mut *transaction)
            .await?;
        for n in 0..CLINICIANS {
            sqlx::query("INSERT INTO person (person, role, specialty, active, src) VALUES (?, 'physician', 'internal', 1, 1)")
                .bind(pseudonyms.key(Kind::Person, &format!("D{n:05}")).to_vec())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    };
    written.await.map_err(|e: sqlx::Error| Fault::operator(e.to_string()))?;
    store.close().await;
    Ok(())
}

async fn noted(dir: &Path) -> Result<(), Fault> {
    let wall = Instant::now();
    let store = Store::open(&dir.join("node.sqlite")).await?;
    let pseudonyms = Pseudonyms::open_or_create(dir)?;
    let file = dir.join("encounters.parquet");
    let request = note::Request { file, dir: dir.to_owned(), replace: true, at_us: NOW_US };
    let summary = note::note(&store, &request, &pseudonyms, &Silent).await?;
    told(wall, &format!("{} rejected", summary.rejected()));
    Ok(())
}

async fn summed(dir: &Path) -> Result<(), Failure> {
    let wall = Instant::now();
    let faulty = |fault: Fault| fault.to_string();
    let store = Store::open(&dir.join("node.sqlite")).await.map_err(faulty)?;
    let pseudonyms = Pseudonyms::open_or_create(dir).map_err(faulty)?;
    let (study, catalogue) =
        (Study::parse(STUDY).map_err(|e| e.to_string())?, Catalogue::built_in().map_err(faulty)?);
    let basis = Basis::ByMapping;
    let consent = Consent { clinicians: basis, patients: basis };
    let access = Access { consent, modalities: Modalities::EVERYTHING, now_us: NOW_US };
    let rows =
        feature::rows(&store, &study, &catalogue, &pseudonyms, &access).await.map_err(faulty)?;
    let party = |id: String, seed: u8| -> Result<Party, Failure> {
        Ok(Party {
            id: id.parse()?,
            name: id,
            signing_key: Key([seed; 32]),
            certificate: Key([seed | 0x80; 32]),
        })
    };
    let sites = (1..=5).map(|n| party(format!("site-{n}"), n)).collect::<Result<_, _>>()?;
    let roster = Roster::of("bench".parse()?, 1, 1, party("convener".to_owned(), 100)?, sites)?;
    let plan = Plan::new(&study, &roster)?;
    let me = SiteIndex::new(1).ok_or("no site has the number 1")?;
    let mut sum = SiteSum::new(plan.layout().dimension(), plan.rows_max());
    for row in &rows.rows {
        sum = sum.add(&Contribution::of(plan.layout(), me, row))?;
    }
    let (links, count) = (rows.links, sum.rows());
    told(wall, &format!("{count} rows, {} of {} links dropped", links.dropped, links.pairs));
    Ok(())
}

fn mix(n: u64) -> u64 {
    // SplitMix64: scattered ids, the same in every run.
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

fn generate(file: &Path, rows: u64) -> Result<(), Failure> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(GROUP))
        .build();
    let mut writer = None;
    for first in (0..rows).step_by(50_000) {
        let batch = batch(first, (first + 50_000).min(rows), rows)?;
        if writer.is_none() {
            let schema = batch.schema();
            writer =
                Some(ArrowWriter::try_new(File::create(file)?, schema, Some(properties.clone()))?);
        }
        if let Some(writer) = &mut writer {
            writer.write(&batch)?;
        }
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}

fn batch(first: u64, end: u64, rows: u64) -> Result<RecordBatch, Failure> {
    let part = |n: u64, shift: u32, of: u64| (mix(n) >> shift) % of;
    let whole = |n: u64, shift: u32, of: u64| i64::try_from(part(n, shift, of)).unwrap_or_default();
    let real = |n: u64, shift: u32, of: u64| {
        f64::from(u32::try_from(part(n, shift, of)).unwrap_or_default())
    };
    let texts = |of: &dyn Fn(u64) -> String| -> ArrayRef {
        Arc::new((first..end).map(|n| Some(of(n))).collect::<StringArray>())
    };
    let wholes = |of: &dyn Fn(u64) -> i64| -> ArrayRef {
        Arc::new((first..end).map(|n| Some(of(n))).collect::<Int64Array>())
    };
    let reals = |of: &dyn Fn(u64) -> f64| -> ArrayRef {
        Arc::new((first..end).map(|n| Some(of(n))).collect::<Float64Array>())
    };
    let channels = ["in_person", "in_person", "in_person", "phone", "video"];
    let channel = |n: u64| usize::try_from(part(n, 20, 5)).unwrap_or_default();
    let start = |n: u64| (FIRST_S + whole(n, 9, 92 * 86_400)) * 1_000_000;
    Ok(RecordBatch::try_from_iter([
        ("encounter", texts(&|n| format!("V{n:09}"))),
        ("person", texts(&|n| format!("D{:05}", part(n, 3, CLINICIANS)))),
        ("patient", texts(&|n| format!("P{:08}", part(n, 31, rows / 5)))),
        ("start_us", wholes(&start)),
        ("end_us", wholes(&|n| start(n) + 600_000_000)),
        ("tz_min", wholes(&|_| 120)),
        ("minutes", reals(&|n| real(n, 17, 590) / 10.0 + 1.0)),
        ("specialty", texts(&|_| "internal".to_owned())),
        ("acuity", wholes(&|n| whole(n, 5, 5) + 1)),
        ("channel", texts(&|n| channels.get(channel(n)).copied().unwrap_or("other").to_owned())),
        ("ai_share", reals(&|n| real(n, 11, 101) / 100.0)),
        ("interpreter", wholes(&|n| whole(n, 1, 2))),
        ("readmit_30d", wholes(&|n| whole(n, 13, 2))),
        ("ed_30d", wholes(&|n| whole(n, 29, 2))),
    ])?)
}
