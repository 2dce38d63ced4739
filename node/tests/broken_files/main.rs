//! Broken files, and the whole text that each must get: where, what was found, what is expected, what to do.
//!
//! A case that stops the import leaves nothing; one of bad rows takes the sound ones over and names the others. No
//! message holds a value of the file: the cases carry the mark [`PERSON`] where a person would stand.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "../support/consents.rs"]
mod consents;
#[path = "../support/research.rs"]
mod research;

mod devices;
mod forms;
mod rules;
mod tables;

use std::path::Path;
use tacit_node::command::import::{ImportArgs, run};
use tacit_node::config::Config;
use tacit_node::intake::OnError;
use tacit_node::intake::progress::Silent;
use tacit_node::intake::stream::Memory;
use tacit_node::store::Store;
use tacit_node::store::pseudonym::Pseudonyms;

/// What stands where a person would: no message may repeat it.
pub(crate) const PERSON: &str = "Jane Roe";
/// A mapping of sound staff, for cases in which another file is broken.
pub(crate) const STAFF: &str = "-- @person\nSELECT nr AS person, role, field AS specialty, works AS active, _line AS line FROM raw_staff\n";

/// One broken file.
pub(crate) struct Broken {
    name: &'static str,
    files: Vec<(String, Vec<u8>)>,
    inputs: Vec<&'static str>,
    mapping: Option<Vec<u8>>,
    seconds: u32,
    says: &'static [&'static str],
}

/// Files under the folder of the case; one named `x…` is the broken one. Its mapping reads what it lands in.
pub(crate) fn broken(name: &'static str, input: &'static str, bytes: impl AsRef<[u8]>) -> Broken {
    let label = input.split(['=', '.']).next().unwrap();
    let raw = if input.contains(".fhir=") { "encounter" } else { label };
    let reads = format!(
        "-- @period\nSELECT 'D1' AS person, 0 AS from_us, 0 AS to_us, 0 AS volume, 0 AS hours, _line AS line FROM raw_{raw} WHERE 0\n"
    );
    let file = input.split_once('=').map_or(input, |(_, file)| file).to_owned();
    Broken {
        name,
        files: vec![(file, bytes.as_ref().to_vec())],
        inputs: vec![input],
        mapping: Some(format!("{STAFF}{reads}").into_bytes()),
        seconds: 60,
        says: &[],
    }
}

/// A mapping over sound staff.
pub(crate) fn mapped(name: &'static str, mapping: impl AsRef<[u8]>) -> Broken {
    let mut case = broken(name, "x=x.csv", "").absent();
    case.inputs.clear();
    case.mapping = Some(mapping.as_ref().to_vec());
    case
}

impl Broken {
    /// Another file; it is an input too if it has the form `NAME=FILE`.
    pub(crate) fn with(mut self, input: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        let file = input.split_once('=').map_or(input, |(_, file)| file);
        if input.contains('=') {
            self.inputs.push(input);
        }
        self.files.push((file.to_owned(), bytes.as_ref().to_vec()));
        self
    }

    pub(crate) fn by(mut self, mapping: &str) -> Self {
        self.mapping = Some(format!("{STAFF}{mapping}").into_bytes());
        self
    }

    /// Without the file itself.
    pub(crate) fn absent(mut self) -> Self {
        self.files.clear();
        self
    }

    pub(crate) fn unmapped(mut self) -> Self {
        self.mapping = None;
        self
    }

    pub(crate) fn within_seconds(mut self, seconds: u32) -> Self {
        self.seconds = seconds;
        self
    }

    /// The lines of the fault, or those of rejects and notes.
    pub(crate) fn says(mut self, says: &'static [&'static str]) -> Self {
        self.says = says;
        self
    }

    async fn found(&self) -> String {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let coordinator = "127.0.0.1:7843".parse().unwrap();
        std::fs::write(at("node.toml"), Config::new(coordinator).to_toml().unwrap()).unwrap();
        research::allow(dir.path()).await;
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        let pseudonyms = Pseudonyms::open_or_create(dir.path()).unwrap();
        let since_us = (tacit_node::link::session::unix_now() - 86_400) * 1_000_000;
        consents::give(&store, &pseudonyms, &["D1"], since_us).await;
        store.close().await;
        std::fs::write(at("staff.csv"), "nr,role,field,works\nD1,nurse,internal,1\n").unwrap();
        if let Some(mapping) = &self.mapping {
            std::fs::write(at("site.sql"), mapping).unwrap();
        }
        for (name, bytes) in &self.files {
            std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            std::fs::write(at(name), bytes).unwrap();
        }
        // A mapping of another staff list is not given this one.
        let other = self
            .mapping
            .as_ref()
            .is_some_and(|m| String::from_utf8_lossy(m).contains("raw_provider"));
        let staff = if other { None } else { Some("staff=staff.csv") };
        let input = |input: &&str| {
            let (name, file) = input.split_once('=').unwrap();
            format!("{name}={}", at(file).display()).parse().unwrap()
        };
        let args = ImportArgs {
            dir: dir.path().to_owned(),
            mapping: at("site.sql"),
            recordings_dir: Some(at("rec")),
            replace: false,
            on_error: OnError::Reject,
            postgres: None,
            schema: Vec::new(),
            statement_seconds: self.seconds,
            memory_mib: Memory::default(),
            inputs: staff.iter().chain(&self.inputs).map(input).collect(),
        };
        let imported = run(&args, &Silent).await;
        let found = match imported {
            Ok(text) => {
                let told =
                    |line: &&str| line.starts_with("  rejected") || line.starts_with("  noted");
                text.lines().filter(told).collect::<Vec<_>>().join("\n")
            }
            Err(fault) => {
                assert_eq!(rows(dir.path()).await, 0, "{}: rows were left", self.name);
                fault.to_string()
            }
        };
        found.replace(&format!("{}/", dir.path().display()), "")
    }
}

async fn rows(dir: &Path) -> i64 {
    let store = Store::open(&dir.join("node.sqlite")).await.unwrap();
    let sql = "SELECT (SELECT count(*) FROM person) + (SELECT count(*) FROM import_batch) + (SELECT count(*) FROM reject)";
    let found = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
    store.close().await;
    found
}

/// Runs all cases of a table and shows those that say something else.
async fn hold(cases: Vec<Broken>, least: usize) {
    assert!(cases.len() >= least, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let found = case.found().await;
        let tells = found.contains(PERSON);
        if found != case.says.join("\n") || tells {
            wrong.push(format!(
                "== {}{}\n{found}",
                case.name,
                if tells { " REPEATS A PERSON" } else { "" }
            ));
        }
    }
    assert!(wrong.is_empty(), "{} cases say something else:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn broken_tables() {
    hold(tables::cases(), 30).await;
}

#[tokio::test]
async fn broken_mappings_and_rows() {
    hold(rules::cases(), 25).await;
}

#[tokio::test]
async fn broken_fhir_and_redcap() {
    hold(forms::cases(), 20).await;
}

#[tokio::test]
async fn broken_recordings_and_wearables() {
    hold(devices::cases(), 25).await;
}
