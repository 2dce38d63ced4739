//! Half-good files, files that overlap, and an import that is killed: nothing is lost, nothing counts twice.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tacit_node::command::import::{ImportArgs, run};
use tacit_node::config::Config;
use tacit_node::intake::OnError;
use tacit_node::intake::progress::Silent;
use tacit_node::intake::stream::Memory;
use tacit_node::store::Store;
use tacit_shared::fault::Fault;

const STAFF: &str = "nr,role,field,works\nD1,physician,internal,1\nD2,nurse,oncology,1\n";
const HEAD: &str = "visit,doctor,patient,began,mins,level,way\n";
const MAPPING: &str = "-- @person\nSELECT nr AS person, role, field AS specialty, works AS active, _line AS line FROM raw_staff\n\
    -- @encounter\nSELECT visit AS encounter, doctor AS person, patient, unixepoch(began) * 1000000 AS start_us, 120 AS tz_min, \
    mins AS minutes, level AS acuity, way AS channel, _line AS line FROM raw_visits\n";
const JULY: &str = "V1,D1,P1,2026-07-01T08:00:00Z,20,3,in_person\nV2,D1,P2,2026-07-01T09:00:00Z,15,5,video\n\
    V3,D2,P1,2026-07-02T08:00:00Z,30,1,in_person\n";

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let coordinator = "127.0.0.1:7843".parse().unwrap();
        site.write("node.toml", &Config::new(coordinator).to_toml().unwrap());
        site.write("site.sql", MAPPING);
        site.write("staff.csv", STAFF);
        site
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn args(&self) -> ImportArgs {
        let input = |name: &str| {
            let path = self.0.path().join(name).with_extension("csv");
            format!("{name}={}", path.display()).parse().unwrap()
        };
        ImportArgs {
            dir: self.0.path().to_owned(),
            mapping: self.0.path().join("site.sql"),
            recordings_dir: None,
            replace: false,
            on_error: OnError::Reject,
            postgres: None,
            schema: Vec::new(),
            statement_seconds: 60,
            memory_mib: Memory::default(),
            inputs: vec![input("staff"), input("visits")],
        }
    }

    /// Imports; the text without what it says of consent.
    async fn import(&self, change: impl FnOnce(&mut ImportArgs)) -> Result<String, Fault> {
        let mut args = self.args();
        change(&mut args);
        let text = run(&args, &Silent).await?;
        Ok(text.split("\n\n").next().unwrap().trim_end().to_owned())
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let store = Store::open(&self.0.path().join("node.sqlite")).await.unwrap();
        store.verify().await.unwrap();
        let found = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
        store.close().await;
        found
    }
}

const ROWS: &str = "SELECT (SELECT count(*) FROM person) + (SELECT count(*) FROM encounter) + \
                    (SELECT count(*) FROM import_batch) + (SELECT count(*) FROM reject)";

#[tokio::test]
async fn with_stop_all_bad_rows_are_shown_and_nothing_is_imported() {
    let site = Site::new();
    let bad =
        "V4,D1,P1,2026-07-01T08:00:00Z,20,6,in_person\nV5,D9,P1,2026-07-01T08:00:00Z,20,7,fax\n";
    site.write("visits.csv", &format!("{HEAD}{JULY}{bad}"));
    let fault = site.import(|args| args.on_error = OnError::Stop).await.unwrap_err();
    assert_eq!(
        fault.to_string(),
        "2 rows are bad, so nothing was imported (--on-error stop)\n  bad       encounter.acuity: not a whole number from 1 to 5 \
         (2 rows; first lines 5, 6)\n  bad       encounter.channel: not one of in_person, phone, ivr, video, other (1 rows; first \
         lines 6)\n  bad       encounter.person: names no person that was taken over (1 rows; first lines 6)\n  hint: mend \
         them, or take over the sound rows and record the others with --on-error reject"
    );
    assert_eq!(site.count(ROWS).await, 0);
    // The same file, by the steward's other choice.
    let text = site.import(|_| ()).await.unwrap();
    assert!(text.contains("  taken     encounter                 3 rows, 2 rejected\n"), "{text}");
    // Mended, it stops at nothing.
    site.write(
        "visits.csv",
        &format!("{HEAD}{JULY}V4,D1,P1,2026-07-01T08:00:00Z,20,5,in_person\n"),
    );
    let text = site.import(|args| args.on_error = OnError::Stop).await.unwrap();
    assert!(
        text.contains("  taken     encounter                 1 rows, 3 there already, 0 rejected"),
        "{text}"
    );
}

#[tokio::test]
async fn what_next_month_s_export_repeats_counts_once() {
    let site = Site::new();
    site.write("visits.csv", &format!("{HEAD}{JULY}"));
    site.import(|_| ()).await.unwrap();
    // V1 as it was, V2 with other minutes, V3 of another patient, V4 new.
    let august = "V1,D1,P1,2026-07-01T08:00:00Z,20,3,in_person\nV2,D1,P2,2026-07-01T09:00:00Z,16,5,video\n\
                  V3,D2,P7,2026-07-02T08:00:00Z,30,1,in_person\nV4,D2,P3,2026-08-02T08:00:00Z,30,1,in_person\n";
    site.write("visits.csv", &format!("{HEAD}{august}"));
    let text = site.import(|_| ()).await.unwrap();
    assert_eq!(
        text,
        "batch 2\n  read      staff                     2 rows\n  read      visits                    4 rows\n  \
         taken     person                    2 rows, 0 rejected\n  \
         taken     encounter                 1 rows, 1 there already, 2 rejected\n  \
         rejected  encounter.encounter: already there from an earlier import, with other values (2 rows; first lines 3, 4)"
    );
    assert_eq!(site.count("SELECT count(*) FROM encounter").await, 4);
    assert_eq!(
        site.count("SELECT CAST(sum(minutes) AS INTEGER) FROM encounter").await,
        20 + 15 + 30 + 30
    );
    // The very same files: refused, or they replace themselves.
    let fault = site.import(|_| ()).await.unwrap_err();
    assert_eq!(fault.message, "these files were imported before, as batch 2");
    let text = site.import(|args| args.replace = true).await.unwrap();
    assert!(
        text.contains("  taken     encounter                 1 rows, 1 there already, 2 rejected"),
        "{text}"
    );
    assert_eq!(site.count("SELECT count(*) FROM encounter").await, 4);
    assert_eq!(site.count("SELECT count(*) FROM import_batch").await, 2);
}

#[tokio::test]
async fn an_import_that_is_killed_leaves_nothing_and_runs_again() {
    let site = Site::new();
    let mut visits = HEAD.to_owned();
    for visit in 0..60_000 {
        writeln!(visits, "V{visit},D1,P{},2026-07-01T08:00:00Z,20,3,in_person", visit % 997)
            .unwrap();
    }
    site.write("visits.csv", &visits);
    // Once while rows are checked, once while those of the first table are written but not committed.
    for word in [" rows of visits", " rows into person"] {
        kill_at(site.0.path(), &site.args(), word);
        assert_eq!(site.count(ROWS).await, 0, "killed after `{word}`");
    }
    let text = site.import(|_| ()).await.unwrap();
    assert!(text.contains("  taken     encounter             60000 rows, 0 rejected"), "{text}");
    assert_eq!(site.count(ROWS).await, 2 + 60_000 + 1);
}

/// Runs the program and kills it as soon as it says the word.
fn kill_at(dir: &Path, args: &ImportArgs, word: &str) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tacit-node"));
    program.arg("import").arg("--dir").arg(dir).arg("--mapping").arg(&args.mapping);
    program.args(["--memory-mib", "64"]).env("TACIT_LOG", "tacit_node=debug");
    for name in ["staff", "visits"] {
        program.arg(format!("{name}={}", dir.join(name).with_extension("csv").display()));
    }
    let mut child = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    let found = said.map_while(Result::ok).any(|line| line.contains(word));
    assert!(found, "the program ended without a word of `{word}`");
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it was done before it was killed");
}
