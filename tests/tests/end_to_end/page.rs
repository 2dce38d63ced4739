//! `docs/operations.md`, run as printed.
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tacit_tests::federation::free_address;
use tacit_tests::process::{Ended, Programs, Running};

const PAGE: &str = include_str!("../../../docs/operations.md");
const PATIENCE: Duration = Duration::from_mins(4);

/// The blocks that a reader pastes into terminals.
fn terminals() -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.filter(|block| block.starts_with("# terminal ")).collect()
}

/// Runs every block in a shell of its own; the folder and the port come from the page's own variables.
fn run(dir: &Path) -> Vec<Ended> {
    let programs = Programs::in_folder(&dir.join("bin")).unwrap();
    let path = std::env::join_paths(
        std::iter::once(programs.dir().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let port = free_address().unwrap().port().to_string();
    let start = |(at, block): (usize, &&str)| {
        let script = dir.join(format!("terminal-{at}.sh"));
        std::fs::write(&script, block).unwrap();
        let mut shell = Command::new("sh");
        shell.arg("-eu").arg(&script).current_dir(dir);
        shell.env("PATH", &path).env("DEMO", dir.join("demo")).env("PORT", &port);
        shell.env_remove("TACIT_LOG");
        Running::start(&mut shell, dir, &format!("terminal-{at}")).unwrap()
    };
    let running: Vec<Running> = terminals().iter().enumerate().map(start).collect();
    running.into_iter().map(|terminal| terminal.wait(PATIENCE).unwrap()).collect()
}

#[test]
fn the_page_runs_as_printed() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path());
    assert_eq!(ended.len(), 3, "one block a party");
    for terminal in &ended {
        assert_eq!(terminal.code, Some(0), "{terminal:#?}");
    }
    let said = [
        (0, "Coordinator of Research consortium made in coordinator."),
        (0, "The sum of 2 of 2 sites is open."),
        (1, "Node of north made in north."),
        (1, "rejected  answer.code: not a code of the instrument (1 rows; first lines 8)"),
        (1, "the database is sound"),
        (1, "Nothing was pinned."),
        (1, "Pinned."),
        (1, "Nothing was approved."),
        (1, "Approved."),
        (1, "The round is over; the signed result is kept."),
        (1, "Rounds with a signed result: 1"),
        (1, "scored by pwls-single 1, sha256 "),
        (2, "taken     answer                  200 rows, 0 rejected"),
        (2, "The round is over; the signed result is kept."),
    ];
    for (terminal, text) in said {
        let stdout = &ended[terminal].stdout;
        assert!(stdout.contains(text), "terminal {terminal} lacks `{text}`:\n{stdout}");
    }
    let demo = dir.path().join("demo");
    check_report(&demo.join("report"));
    check_settings(&demo);
}

/// Both sites took part, and the parts of the pool sum to it to the cent.
fn check_report(report: &Path) {
    let page = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert!(page.contains("Where care wears people down"));
    for table in ["coefficients.csv", "allocation.csv"] {
        assert!(std::fs::metadata(report.join(table)).unwrap().len() > 0, "{table}");
    }
    let text = std::fs::read_to_string(report.join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["federation"]["took_part"], serde_json::json!(["north", "south"]));
    assert_eq!(report["rehearsal"], false);
    let rows = report["allocation"]["rows"].as_array().unwrap();
    let sites: Vec<&str> = rows.iter().map(|row| row["site"].as_str().unwrap()).collect();
    assert_eq!(sites, ["north", "south"]);
    let cents: i64 = rows.iter().map(|row| row["cents"].as_i64().unwrap()).sum();
    assert_eq!(cents, 25_000_000);
    assert_eq!(report["allocation"]["pool_cents"], 25_000_000);
}

/// Every key that `init` writes stands in the page's tables, and no other but those that it leaves out.
fn check_settings(demo: &Path) {
    let mut expected = BTreeSet::from(["licences.ID", "oversight.contest_to"].map(str::to_owned));
    for scope in ["study", "year"] {
        for who in ["clinician", "patient"] {
            let key = |key| format!("budget.{scope}.{who}.{key}");
            expected.extend([key("epsilon"), key("delta")]);
        }
    }
    for file in ["north/node.toml", "coordinator/coordinator.toml"] {
        let text = std::fs::read_to_string(demo.join(file)).unwrap();
        flatten("", &text.parse().unwrap(), &mut expected);
    }
    let settings = PAGE.split("## Settings").nth(1).unwrap().split("\n## ").next().unwrap();
    let found: BTreeSet<String> = settings
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(key, _)| key.to_owned())
        .collect();
    assert_eq!(found, expected);
}

fn flatten(prefix: &str, table: &toml::Table, keys: &mut BTreeSet<String>) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            toml::Value::Table(inner) => flatten(&format!("{key}."), inner, keys),
            _ => {
                keys.insert(key);
            }
        }
    }
}
