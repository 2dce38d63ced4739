//! What a what-if takes and refuses, and how it reads.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use super::*;
use crate::allocation::fixture::{release, rows, site_names, study};
use crate::conclusion::{Ground, divide, fit_study};
use clap::Parser;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: AllocateArgs,
}

fn args(words: &[&str]) -> AllocateArgs {
    let all = ["allocate", "--dir", "x"].iter().chain(words);
    Cli::try_parse_from(all).unwrap().args
}

fn billing() -> Study {
    study("by = [\"sites\", \"levels:specialty\", \"codes\"]", "")
}

fn refused(words: &[&str], study: &Study) -> String {
    rule(&args(words), study).unwrap_err().to_string()
}

#[test]
fn arguments_change_the_rule_and_nothing_else() {
    let study = billing();
    assert_eq!(&rule(&args(&[]), &study).unwrap(), study.allocation());
    let words =
        ["--pool", "2,500.00", "--floor", "70", "--cap", "200", "--by", "levels:specialty,sites"];
    let other = rule(&args(&words), &study).unwrap();
    assert_eq!(other.pool_cents, Cents::new(250_000));
    assert_eq!((other.floor_percent_per_head, other.cap_percent_per_head), (70, 200));
    assert_eq!(other.by, [By::Levels("specialty".parse().unwrap()), By::Sites]);
    let cents = rule(&args(&["--pool", "250000"]), &study).unwrap();
    assert_eq!(cents.pool_cents, Cents::new(250_000));
}

#[test]
fn public_numbers_come_from_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("numbers.csv");
    let file = path.display().to_string();
    let study = billing();
    let with = |text: &str, flag: &str| {
        std::fs::write(&path, text).unwrap();
        rule(&args(&[flag, &file]), &study)
    };
    let found = with("unit,heads\nsite-0,120\nsite-1,80\n", "--heads").unwrap();
    assert_eq!(found.heads_of(&By::Sites, "site-1"), Some(80.0));
    let lines = "by,unit,price_index\r\nlevels:specialty,oncology,1.25\r\n";
    let found = with(lines, "--price-index").unwrap();
    let by = By::Levels("specialty".parse().unwrap());
    assert!((found.price_of(&by, "oncology") - 1.25).abs() < 1e-12);
    for (text, flag, message) in [
        (
            "unit,people\nsite-0,1\n",
            "--heads",
            "found the columns `unit,people`; expected `unit,heads`",
        ),
        ("unit,heads\n", "--heads", "found no line below the head"),
        (
            "unit,heads\nsite-0,many\n",
            "--heads",
            "found no whole number in the column `heads`\n  at:   ",
        ),
        ("unit,heads\nsite-0,0\n", "--heads", "site-0` is 0; expected 1 to 10000000"),
        ("unit,heads\nsite-0,1,2\n", "--heads", "found 3 cells; expected 2"),
        ("unit,heads\nsite-0,1\nsite-0,2\n", "--heads", "`site-0` appears twice"),
        ("by,unit,heads\nward,a,2\n", "--heads", "`ward` is no way to divide"),
        (
            "by,unit,heads\nlevels:specialty,a,2\n",
            "--heads",
            "names `a`, which is unknown; the levels are",
        ),
        ("unit,price_index\nsite-0,-2\n", "--price-index", "site-0` is -2; expected 0.01 to 100"),
    ] {
        let error = with(text, flag).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
    assert!(refused(&["--heads", "/nowhere/x.csv"], &study).contains("cannot be read"));
}

#[test]
fn nonsense_is_refused_by_its_argument() {
    let study = billing();
    for (words, message) in [
        (["--pool", "0"], "expected cents in digits alone"),
        (["--pool", "0.00"], "at:   --pool"),
        (["--pool", "1,5"], "not an amount of money"),
        (["--pool", "99999999999999999999"], "more digits"),
        (
            ["--floor", "101"],
            "the floors together would ask for more than the pool\n  at:   --floor",
        ),
        (["--cap", "99"], "some of the pool could not be given out\n  at:   --cap"),
        (["--by", "levels:ward"], "there is no feature `ward`; the factors are: specialty"),
        (["--by", "sites,sites"], "names a way to divide twice"),
    ] {
        let error = refused(&words, &study);
        assert!(error.contains(message), "{words:?}: {error}");
    }
    let plain = self::study("by = \"sites\"", "");
    assert!(refused(&["--by", "codes"], &plain).contains("the study proposes none"));
    assert!(Cli::try_parse_from(["allocate", "--dir", "x", "--by", "wards"]).is_err());
}

#[test]
fn both_divisions_stand_side_by_side_and_sum_to_their_pools() {
    let study = study("by = \"sites\"", "");
    let (inputs, sites) = (release(&rows(900, 8), 0.0, 0), site_names());
    let fitted = fit_study(&study, &sites, &inputs).unwrap();
    let ground =
        Ground { study: &study, sites: &sites, inputs: &inputs, fitted: &fitted, seed: [0; 32] };
    let words =
        ["--pool", "500000", "--floor", "0", "--cap", "1000", "--by", "sites,levels:specialty"];
    let other = rule(&args(&words), &study).unwrap();
    let (own, what) =
        (divide(&ground, study.allocation()).unwrap(), divide(&ground, &other).unwrap());
    let shown = shown(&study, &other, (&own, &what), study.digest());
    let [by_site, by_line] = shown.views.as_slice() else { panic!("two views") };
    let sum = |view: &WhatIfView| view.rows.iter().map(|row| row.cents).sum::<i64>();
    assert_eq!((sum(by_site), sum(by_line)), (500_000, 500_000));
    assert_eq!(by_site.rows.iter().filter_map(|row| row.own_cents).sum::<i64>(), 1_000_000_000);
    assert!(by_line.rows.iter().all(|row| row.own_cents.is_none()));
    let page = table::page(&shown);
    assert!(
        page.contains("what if the pool were EUR 5,000.00 (the study's own: 10,000,000.00)"),
        "{page}"
    );
    assert!(
        page.contains("by levels:specialty") && page.lines().count() == 2 + 2 + 9 + 2 + 4 + 1,
        "{page}"
    );
    let csv = table::csv(&shown);
    assert!(csv.lines().all(|line| line.split(',').count() == 10) && csv.lines().count() == 13);
}
