//! `tacit-coordinator plan` on a study of this repository.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::path::PathBuf;

use tacit_coordinator::command::plan::{PlanArgs, run};

fn args(clinicians: u32, sites: Option<u16>) -> PlanArgs {
    let study =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../configs/studies/empathy-billing.toml");
    PlanArgs { study, clinicians, roster: None, sites, max_colluders: 1 }
}

#[test]
fn a_plan_names_the_noise_and_every_column() {
    let page = run(&args(4_000, Some(5))).unwrap();
    for part in [
        "4000 clinicians at 5 sites",
        "signal to noise κ",
        "widest interval, times",
        "clinicians that are enough",
        "    intercept  ",
        "    specialty=palliative  ",
        "Noise is 2.88 times",
        "Coefficients would be published; some with wide intervals.",
        "To be sure of it: κ of 3 takes at most 7 of the 8 columns, intercept included (say, without specialty=palliative), or 4",
    ] {
        assert!(page.contains(part), "{part:?} is not in\n{page}");
    }
    // Rehearsals of this study with so many clinicians have κ from 2.4 to 2.9.
    let kappa = page.lines().find(|line| line.contains("κ")).unwrap();
    let kappa: f64 = kappa.split_whitespace().nth(4).unwrap().parse().unwrap();
    assert!((2.0..3.7).contains(&kappa), "{kappa}");
    let plenty = run(&args(1_000_000, None)).unwrap();
    assert!(plenty.contains("There are enough clinicians.") && !plenty.contains("To be sure"));
}

#[test]
fn a_hopeless_plan_is_refused_with_what_it_takes() {
    let fault = run(&args(600, Some(5))).unwrap_err();
    let takes = fault.message.split("which takes about ").nth(1).unwrap();
    let takes: u32 = takes.split(' ').next().unwrap().parse().unwrap();
    assert!(fault.message.starts_with("no coefficient could be published: κ would be 0."));
    assert!(run(&args(takes + 20, Some(5))).unwrap().contains("with a warning"));
    let hint = fault.hint.unwrap();
    for part in [
        "merge rare levels",
        "κ of 1 takes at most 5 of the 8 columns, intercept included (say, without specialty=palliative, specialty=oncology, specialty=emergency)",
        "or ε of 5.9",
        "κ of 3 takes at most 3 of the 8 columns",
    ] {
        assert!(hint.contains(part), "{part:?} is not in {hint}");
    }
}

#[test]
fn fewer_sites_than_the_study_opens_are_refused() {
    let fault = run(&args(4_000, Some(3))).unwrap_err();
    assert_eq!(fault.message, "found 3 sites; the study opens a sum of 4 or more");
    assert!(fault.place.unwrap().ends_with("empathy-billing.toml"));
}
