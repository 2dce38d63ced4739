//! Rounds that must not happen.
use super::bench::{Bench, Said};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(2);
const RUN: [&str; 7] =
    ["run", "--dir", "coordinator", "--roster", "roster.toml", "--study", "study.toml"];

#[test]
fn a_study_that_is_not_approved_is_declined_with_its_reason() {
    let bench = Bench::joined();
    let digest = bench.digest("study.toml");
    bench.approve("south", &digest);
    let north = bench.start("north", "node", &["run", "--dir", "north", "--once"]);
    let south = bench.start("south", "node", &["run", "--dir", "south", "--once"]);
    let coordinator = bench.start("coordinator", "coordinator", &RUN);
    let reason = format!("study {digest} is not approved at this site");

    let ended = coordinator.wait(PATIENCE).unwrap();
    let said = Said::of("coordinator", ended);
    let hint = "the round is lost";
    said.refused(
        3,
        "1 sites gave their keys in time; 2 are needed",
        "north: the study is not approved at this site",
        hint,
    );
    Said::of("north", north.wait(PATIENCE).unwrap()).refused(2, &reason, "", "tacit-node approve");
    let message = "the coordinator closed the round without a result";
    Said::of("south", south.wait(PATIENCE).unwrap()).refused(3, message, "", "");
    for site in ["north", "south"] {
        for table in ["ledger", "opening", "result", "survivors"] {
            assert_eq!(bench.count(site, table), 0, "{site} {table}");
        }
    }
    let report = bench.coordinator(&["report", "--dir", "coordinator"]);
    report.refused(2, "there is no such result in this folder", "", "tacit-coordinator run");
    assert!(!bench.path("report").exists());
}

#[test]
fn a_node_that_is_not_on_the_roster_is_told_so() {
    let bench = Bench::joined();
    // A roster made anew, without south, which still has the one before pinned.
    let made = ["init", "--dir", "west", "--site", "west", "--name", "west"];
    bench.node(&made).done();
    bench.roster("roster.toml", &["north", "west"], "2");
    let coordinator = bench.start("coordinator", "coordinator", &RUN);
    let once = ["run", "--dir", "south", "--once", "--patience-s", "2"];
    let message = "the other side refused this certificate: it is not on its roster";
    bench.node(&once).refused(2, message, "", "is this site's certificate on its roster?");
    let ended = coordinator.kill().unwrap();
    assert!(!ended.stderr.contains("1 of 2 sites are connected"), "{}", ended.stderr);
    // West never pinned a roster, and a folder that is no node's joins nothing.
    bench.node(&["run", "--dir", "west", "--once"]).refused(
        2,
        "no roster is pinned here",
        "",
        "join",
    );
}

#[test]
fn a_coordinator_that_is_not_the_pinned_one_is_refused() {
    let bench = Bench::joined();
    let address = bench.read("coordinator/coordinator.toml");
    let address = address.lines().find_map(|line| line.strip_prefix("listen = ")).unwrap();
    let address = address.trim_matches('"').to_owned();
    std::fs::rename(bench.path("coordinator"), bench.path("before")).unwrap();
    let made = ["init", "--dir", "coordinator", "--name", "Someone", "--listen", &address];
    bench.coordinator(&made).done();
    // With the old roster its keys are wrong; with one of its own it listens, and no node trusts it.
    let message = "the roster lists another coordinator than this folder's keys";
    bench.coordinator(&RUN).refused(2, message, "", "enrolment");
    bench.roster("roster.toml", &["north", "south"], "1");
    let coordinator = bench.start("coordinator", "coordinator", &RUN);
    let once = ["run", "--dir", "north", "--once", "--patience-s", "2"];
    let message = "the other side's certificate is not the one on the pinned roster";
    bench.node(&once).refused(2, message, "", "");
    coordinator.kill().unwrap();
}

#[test]
fn a_coordinator_that_died_is_started_again_and_finishes() {
    let bench = Bench::joined();
    let digest = bench.digest("study.toml");
    for site in ["north", "south"] {
        bench.approve(site, &digest);
        bench.node(&["import", "--dir", site, "--mapping", "site.sql", "staff=staff.csv"]).done();
    }
    // South comes late to the first round: the coordinator is killed while it gathers.
    let north = bench.start("north", "node", &["run", "--dir", "north", "--once"]);
    let first = bench.start("first", "coordinator", &RUN);
    let end = std::time::Instant::now() + PATIENCE;
    while !bench.read("first.err").contains("1 of 2 sites are connected") {
        assert!(std::time::Instant::now() < end, "north did not connect");
        std::thread::sleep(Duration::from_millis(20));
    }
    first.kill().unwrap();
    let second = bench.start("second", "coordinator", &RUN);
    let south = bench.start("south", "node", &["run", "--dir", "south", "--once"]);
    let opened = Said::of("second", second.wait(PATIENCE).unwrap()).done();
    assert!(opened.contains("The sum of 2 of 2 sites is open."), "{opened}");
    for (site, node) in [("north", north), ("south", south)] {
        Said::of(site, node.wait(PATIENCE).unwrap()).done();
        assert_eq!(bench.count(site, "ledger"), 1, "{site}");
        assert_eq!(bench.count(site, "result"), 1, "{site}");
    }
}
