//! Files that are not what they should be.
use super::bench::{Bench, MAPPING, STAFF};

const OTHER: &str = "00000000000000000000000000000000000000000000000000000000000000ff";
const IMPORT: [&str; 6] = ["import", "--dir", "north", "--mapping", "site.sql", "staff=staff.csv"];

/// A file, what is changed in it, the command that then refuses, with which message and hint.
type Case = (&'static str, [&'static str; 2], &'static [&'static str], [&'static str; 2]);

const STATUS: &[&str] = &["tacit-node", "status", "--dir", "north"];
const JOIN: &[&str] = &["tacit-node", "join", "--dir", "north", "roster.toml"];
const CHECK: &[&str] = &["tacit-coordinator", "check", "--roster", "roster.toml", "study.toml"];
const RUN: &[&str] = &[
    "tacit-coordinator",
    "run",
    "--dir",
    "coordinator",
    "--roster",
    "roster.toml",
    "--study",
    "study.toml",
];

const SETTINGS: [Case; 3] = [
    (
        "north/node.toml",
        ["min_sites", "min_site"],
        STATUS,
        ["unknown field `min_site`", "docs/operations.md"],
    ),
    ("north/node.toml", ["epsilon = 8.0", "epsilon = -8.0"], STATUS, ["`budget.clinician`", ""]),
    (
        "coordinator/coordinator.toml",
        ["gather_s", "gather"],
        RUN,
        ["unknown field `gather`", "docs/operations.md"],
    ),
];

const CONTRACTS: [Case; 6] = [
    (
        "study.toml",
        ["phi = 0.5", "fi = 0.5"],
        CHECK,
        ["unknown field `fi`", "docs/study-format.md"],
    ),
    (
        "study.toml",
        ["low = 10.0\nhigh = 50.0", "low = 50.0\nhigh = 10.0"],
        CHECK,
        ["`outcome` has bounds 50 to 10; expected low below high", "docs/study-format.md"],
    ),
    (
        "study.toml",
        ["low = 1.0\nhigh = 5.0", "low = 5.0\nhigh = 1.0"],
        CHECK,
        ["`features.acuity` has bounds 5 to 1", "docs/study-format.md"],
    ),
    (
        "study.toml",
        ["epsilon = 2.0", "epsilon = \"two\""],
        CHECK,
        ["invalid type: string \"two\"", "docs/study-format.md"],
    ),
    (
        "roster.toml",
        ["colluders_max", "colluders"],
        JOIN,
        ["unknown field `colluders`", "tacit-coordinator roster"],
    ),
    (
        "roster.toml",
        ["colluders_max = 1", "colluders_max = 2"],
        CHECK,
        ["`colluders_max` is 2; expected 1 to 1", "tacit-coordinator roster"],
    ),
];

#[test]
fn unknown_keys_and_wrong_bounds_are_refused_with_their_place() {
    let bench = Bench::joined();
    for (file, [from, to], command, [message, hint]) in SETTINGS.into_iter().chain(CONTRACTS) {
        let sound = bench.read(file);
        bench.change(file, from, to);
        let before = (bench.contents("north"), bench.contents("coordinator"));
        let said = match command[0] {
            "tacit-node" => bench.node(&command[1..]),
            _ => bench.coordinator(&command[1..]),
        };
        said.refused(2, message, file, hint);
        assert!(before == (bench.contents("north"), bench.contents("coordinator")), "{message}");
        bench.write(file, &sound);
    }
}

#[test]
fn a_syntax_error_names_line_and_column() {
    let bench = Bench::new();
    bench.change("north/node.toml", "[policy]", "[policy");
    bench.node(&["status", "--dir", "north"]).refused(
        2,
        "TOML parse error at line 13, column 8",
        "north/node.toml",
        "docs/operations.md",
    );
}

#[test]
fn a_mapping_that_names_a_missing_column_leaves_nothing() {
    let bench = Bench::new();
    bench.write("site.sql", &MAPPING.replacen("seen AS volume", "sen AS volume", 1));
    bench.node(&IMPORT).refused(2, "no such column: sen", "site.sql:6", "");
    for table in ["person", "period", "import_batch", "import_file", "reject"] {
        assert_eq!(bench.count("north", table), 0, "{table}");
    }
    bench.write("site.sql", MAPPING);
    bench.node(&IMPORT).done();
    assert_eq!(bench.count("north", "period"), 2);
}

#[test]
fn a_row_out_of_range_is_counted_and_reported() {
    let bench = Bench::new();
    bench.write("staff.csv", &format!("{STAFF}A3,nurse,90,-3\nA4,nurse,9999999,300\n"));
    let printed = bench.node(&IMPORT).done();
    assert!(
        printed.contains("taken     person                    4 rows, 0 rejected"),
        "{printed}"
    );
    assert!(
        printed.contains("taken     period                    2 rows, 2 rejected"),
        "{printed}"
    );
    assert!(printed.contains("rejected  period.hours: "), "{printed}");
    assert!(printed.contains("(1 rows; first lines 4)"), "{printed}");
    assert!(printed.contains("rejected  period.volume: "), "{printed}");
    assert!(printed.contains("(1 rows; first lines 5)"), "{printed}");
    assert!(!printed.contains("9999999"), "no value is printed: {printed}");
    assert_eq!(bench.count("north", "reject"), 2);
}

#[test]
fn an_import_into_a_folder_that_is_no_nodes_makes_nothing() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("empty")).unwrap();
    let mut arguments = IMPORT;
    arguments[2] = "empty";
    bench.node(&arguments).refused(
        2,
        "node.toml cannot be read",
        "empty/node.toml",
        "tacit-node init",
    );
    assert!(bench.contents("empty").is_empty());
}

#[test]
fn a_second_init_changes_nothing() {
    let bench = Bench::new();
    let before = (bench.contents("north"), bench.contents("coordinator"));
    let hint = "never overwrites keys: choose an empty folder";
    let node = ["init", "--dir", "north", "--site", "other", "--name", "Other"];
    bench.node(&node).refused(2, "identity.p8 cannot be written", "north/identity.p8", hint);
    let coordinator = ["init", "--dir", "coordinator", "--name", "Other"];
    let place = "coordinator/identity.p8";
    bench.coordinator(&coordinator).refused(2, "identity.p8 cannot be written", place, hint);
    assert!(before == (bench.contents("north"), bench.contents("coordinator")));
}

#[test]
fn a_wrong_digest_decides_nothing() {
    let bench = Bench::joined();
    let hint = "differs from the one that was agreed on; nothing was decided";
    let join = ["join", "--dir", "north", "roster.toml", "--digest", OTHER];
    bench.node(&join).refused(2, OTHER, "roster.toml", hint);
    let approve = ["approve", "--dir", "north", "study.toml", "--digest", OTHER];
    bench.node(&approve).refused(2, OTHER, "study.toml", hint);
    assert_eq!(bench.count("north", "approval"), 0);
    assert_eq!(bench.count("north", "roster"), 1);
    let shown = bench.node(&["approve", "--dir", "north", "study.toml"]).done();
    assert!(shown.contains("Nothing was approved."), "{shown}");
    assert_eq!(bench.count("north", "approval"), 0);
}

#[test]
fn a_budget_that_does_not_suffice_approves_nothing() {
    let bench = Bench::joined();
    bench.change("north/node.toml", "epsilon = 8.0", "epsilon = 1.0");
    let digest = bench.digest("study.toml");
    let approve = ["approve", "--dir", "north", "study.toml", "--digest", &digest];
    let message = "one release of study empathy-billing does not fit the clinician budget";
    bench.node(&approve).refused(2, message, "privacy ledger", "[budget]");
    assert_eq!((bench.count("north", "approval"), bench.count("north", "ledger")), (0, 0));
    let shown = bench.node(&["approve", "--dir", "north", "study.toml"]).done();
    assert!(shown.contains("DOES NOT FIT"), "{shown}");
}

#[test]
fn a_corrupt_database_is_refused_and_left_as_it_is() {
    let bench = Bench::joined();
    let garbage: Vec<u8> = (0..=u8::MAX).rev().cycle().take(9_000).collect();
    let site: &[&[&str]] = &[
        &["status", "--dir", "north"],
        &["check", "--dir", "north"],
        &["run", "--dir", "north", "--once"],
        &IMPORT,
        &[
            "join",
            "--dir",
            "north",
            "roster.toml",
            "--digest",
            &bench.roster("r.toml", &["north", "south"], "1"),
        ],
    ];
    let path = bench.path("north/node.sqlite");
    std::fs::write(&path, &garbage).unwrap();
    for arguments in site {
        let hint = "do not repair it in place";
        bench.node(arguments).refused(2, "is damaged or is no database", "north/node.sqlite", hint);
        assert!(std::fs::read(&path).unwrap() == garbage, "{arguments:?}");
    }
    let path = bench.path("coordinator/coordinator.sqlite");
    std::fs::write(&path, &garbage).unwrap();
    for arguments in [&RUN[1..], &["report", "--dir", "coordinator"]] {
        let said = bench.coordinator(arguments);
        said.refused(2, "database", "coordinator/coordinator.sqlite", "damaged");
        assert!(std::fs::read(&path).unwrap() == garbage, "{arguments:?}");
    }
    assert!(!bench.path("report").exists());
}
