//! A small federation on disk, made by the real programs, and what a refusal must look like.
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tacit_tests::federation::free_address;
use tacit_tests::process::{Ended, Programs, Running};
use tempfile::TempDir;

pub(crate) const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");
const PATIENCE: Duration = Duration::from_mins(2);
/// Two clinicians, and a mapping that fills the tables a study reads first.
pub(crate) const STAFF: &str = "nr,job,seen,hours\nA1,nurse,90,300\nA2,physician,60,400\n";
pub(crate) const MAPPING: &str = "\
-- @person
SELECT nr AS person, job AS role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff

-- @period
SELECT nr AS person, unixepoch('2026-07-01') * 1000000 AS from_us,
       unixepoch('2026-10-01') * 1000000 AS to_us, seen AS volume, hours, _line AS line
FROM raw_staff
";

/// A folder with `coordinator`, `north` and `south`, not yet on a roster.
pub(crate) struct Bench {
    dir: TempDir,
    programs: Programs,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let programs = Programs::in_folder(&dir.path().join("bin")).unwrap();
        let bench = Self { dir, programs };
        let address = free_address().unwrap().to_string();
        let coordinator = ["init", "--dir", "coordinator", "--name", "Convener", "--listen"];
        bench.coordinator(&[&coordinator[..], &[&address]].concat()).done();
        for site in ["north", "south"] {
            let made = ["init", "--dir", site, "--site", site, "--name", site, "--coordinator"];
            let asked = [address.as_str(), "--clinicians", "by-mapping"];
            bench.node(&[&made[..], &asked].concat()).done();
        }
        bench.write("study.toml", &STUDY.replacen("min_sites = 4", "min_sites = 2", 1));
        bench.write("staff.csv", STAFF);
        bench.write("site.sql", MAPPING);
        bench
    }

    /// With a roster of both, pinned by both.
    pub(crate) fn joined() -> Self {
        let bench = Self::new();
        let digest = bench.roster("roster.toml", &["north", "south"], "1");
        for site in ["north", "south"] {
            bench.node(&["join", "--dir", site, "roster.toml", "--digest", &digest]).done();
        }
        bench
    }

    /// Makes a roster; returns its digest.
    pub(crate) fn roster(&self, file: &str, sites: &[&str], version: &str) -> String {
        let enrolments: Vec<String> = sites.iter().map(|s| format!("{s}/enrolment.toml")).collect();
        let fixed = ["roster", "--dir", "coordinator", "--federation", "demo", "--out", file];
        let mut arguments = [&fixed[..], &["--roster-version", version]].concat();
        arguments.extend(enrolments.iter().map(String::as_str));
        let printed = self.coordinator(&arguments).done();
        printed.lines().last().unwrap().trim().to_owned()
    }

    /// The digest of a study under a roster.
    pub(crate) fn digest(&self, study: &str) -> String {
        let printed = self.coordinator(&["check", "--roster", "roster.toml", study]).done();
        let line = printed.lines().find(|line| line.starts_with("  digest ")).unwrap();
        line.trim_start_matches("  digest ").trim().to_owned()
    }

    pub(crate) fn node(&self, arguments: &[&str]) -> Said {
        self.run(self.programs.node(), arguments)
    }

    /// A site's officer approves the study, although some groups are small here.
    pub(crate) fn approve(&self, site: &str, digest: &str) {
        let study = ["approve", "--dir", site, "study.toml", "--digest", digest];
        self.node(&[&study[..], &["--accept-small-cells"]].concat()).done();
    }

    pub(crate) fn coordinator(&self, arguments: &[&str]) -> Said {
        self.run(self.programs.coordinator(), arguments)
    }

    /// Starts a command that lasts.
    pub(crate) fn start(&self, name: &str, program: &str, arguments: &[&str]) -> Running {
        let mut command = match program {
            "node" => self.programs.node(),
            _ => self.programs.coordinator(),
        };
        command.current_dir(self.path("")).args(arguments).env_remove("TACIT_LOG");
        Running::start(&mut command, self.dir.path(), name).unwrap()
    }

    fn run(&self, mut command: Command, arguments: &[&str]) -> Said {
        command.current_dir(self.path("")).args(arguments).env_remove("TACIT_LOG");
        let running = Running::start(&mut command, self.dir.path(), "command").unwrap();
        Said { arguments: arguments.join(" "), ended: running.wait(PATIENCE).unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Changes a file; the text to change must be there.
    pub(crate) fn change(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` in {name}:\n{text}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// Every file of a folder with its bytes.
    pub(crate) fn contents(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        gather(&self.path(folder), &mut found);
        found
    }

    /// How many rows a table of a node's database has.
    pub(crate) fn count(&self, site: &str, table: &str) -> i64 {
        let path = self.path(site).join(tacit_node::store::FILE);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            use sqlx::Connection as _;
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
            let mut connection =
                sqlx::sqlite::SqliteConnection::connect_with(&options).await.unwrap();
            let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        })
    }
}

fn gather(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, found);
        } else if !matches!(path.extension().and_then(OsStr::to_str), Some("out" | "err")) {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
}

/// What a command said.
pub(crate) struct Said {
    arguments: String,
    ended: Ended,
}

impl Said {
    pub(crate) fn of(name: &str, ended: Ended) -> Self {
        Self { arguments: name.to_owned(), ended }
    }

    /// It must have worked; returns what it printed.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.ended.code, Some(0), "`{}`: {}", self.arguments, self.ended.stderr);
        self.ended.stdout
    }

    /// It must have refused with this code, a message, a place and a hint that hold these words, and
    /// without a word on the standard output.
    pub(crate) fn refused(&self, code: i32, message: &str, place: &str, hint: &str) {
        let Ended { code: found, stdout, stderr } = &self.ended;
        let case = format!("`{}`\n{stderr}", self.arguments);
        assert_eq!(*found, Some(code), "{case}");
        assert_eq!(stdout, "", "{case}");
        let error = stderr.split("error: ").nth(1).unwrap_or_else(|| panic!("no error: {case}"));
        let (said, rest) = error.split_once("\n  at:   ").unwrap_or((error, ""));
        let (said, rest) = match said.split_once("\n  hint: ") {
            Some((said, hint)) => (said, format!("\n  hint: {hint}")),
            None => (said, rest.to_owned()),
        };
        let (at, hinted) = rest.split_once("\n  hint: ").unwrap_or((&rest, ""));
        assert!(said.contains(message), "`{message}` in the message of {case}");
        assert!(at.contains(place), "`{place}` as the place of {case}");
        assert!(hinted.contains(hint), "`{hint}` in the hint of {case}");
    }
}
