//! The synthetic hospitals are what they are said to be.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

pub(super) fn population(seed: u64, size: Size) -> (Study, Population) {
    let study = Study::parse(STUDY).unwrap();
    let population = Population::generate(&study, seed, size).unwrap();
    (study, population)
}

/// A study of this outcome that asks for what programmes are judged by.
pub(super) fn programmes(outcome: &str, low: &str, high: &str, centre: &str) -> String {
    let (head, rest) = STUDY.split_once("[outcome]").unwrap();
    let (_, rest) = rest.split_once("[privacy]").unwrap();
    let (privacy, _) = rest.split_once("[fairness]").unwrap();
    let head = head.replace("links_per_patient = 1 ", "links_per_patient = 1000 ");
    let mut text = format!(
        "{head}[outcome]\nid = \"care\"\nlabel = \"Care\"\nsource = \"{outcome}\"\nunit = \"points\"\nlow = {low}\n\
         high = {high}\ncentre = {centre}\nresidual_bound = 9.0\n"
    );
    for (at, (source, high, centre)) in [
        ("trained-within:89", "1.0", "0.5"),
        ("trained:listening", "1.0", "0.5"),
        ("in-stratum:training-country:abroad", "1.0", "0.5"),
        ("presence-minutes-mean", "200.0", "15.0"),
        ("scribe-minutes-mean", "40.0", "2.0"),
        ("call-minutes-mean", "200.0", "20.0"),
        ("minutes-mean:phone", "200.0", "20.0"),
        ("ai-share", "1.0", "0.1"),
        ("channel-share:phone", "1.0", "0.1"),
        ("channel-share:video", "1.0", "0.1"),
        ("routine-share", "1.0", "0.3"),
        ("continuity-share", "1.0", "0.3"),
        ("language-share:tr", "1.0", "0.1"),
        ("readmission-share", "1.0", "0.1"),
        ("ed-share", "1.0", "0.1"),
    ]
    .iter()
    .enumerate()
    {
        let _ = write!(
            text,
            "[[features]]\nid = \"f{at}\"\nlabel = \"{source}\"\nsource = \"{source}\"\nlow = 0.0\nhigh = {high}\n\
             centre = {centre}\nrms = 0.4\nprior_count = {}\n",
            at % 3
        );
    }
    text += "[[features]]\nid = \"band\"\nlabel = \"Age\"\nsource = \"stratum:age-band\"\nrms = 0.4\nlevels = [\n\
             \"age-25-34\", \"age-35-44\", \"age-45-54\", \"age-55-plus\", \"not-stated\"]\n";
    for (id, source) in [
        ("deprived", "patient-group-share:deprivation-band:high"),
        ("old", "patient-group-share:age-band:over-80"),
        ("private", "patient-group-share:payer:private"),
        ("other-language", "other-language-share:de"),
    ] {
        let _ = write!(
            text,
            "[[groups]]\nid = \"{id}\"\nlabel = \"{id}\"\nsource = \"{source}\"\nat_least = 0.26\nlow = 0.0\nhigh = 1.0\n\
             centre = 0.1\n"
        );
    }
    format!(
        "{text}[privacy]{privacy}[fairness]\ngroups = [\"deprived\"]\nphi = 0.5\n[allocation]\npool_cents = 100000\n\
         currency = \"EUR\"\nfloor_percent_per_head = 85\ncap_percent_per_head = 120\n"
    )
}

pub(super) fn small() -> Size {
    Size { sites: 5, clinicians: 400 }
}

#[test]
fn least_squares_on_exact_expectations_finds_the_truth() {
    let (_, population) = population(1, Size::default());
    let rows = population.clinicians();
    assert_eq!(rows.len(), 4_000);
    let fitted = least_squares(rows.iter().map(|c| (c.x.as_slice(), &c.expected)));
    for ((name, truth), fitted) in population.truth().columns.iter().zip(fitted) {
        assert!((truth - fitted).abs() < 1e-8, "{name}: {truth} {fitted}");
    }
}

/// Four standard errors, nine numbers, a fixed seed: a false alarm once in 1,700 seeds.
#[test]
fn least_squares_on_answers_finds_the_truth_within_its_error() {
    let (_, population) = population(2, Size::default());
    let pairs: Vec<(&[f64], f64)> = population
        .clinicians()
        .iter()
        .zip(population.outcomes())
        .filter_map(|(c, y)| y.map(|y| (c.x.as_slice(), y)))
        .collect();
    assert!(pairs.len() > 3_990, "{}", pairs.len());
    let fitted = least_squares(pairs.iter().map(|(x, y)| (*x, y)));
    // Standard errors of a plain fit of 4,000 clinicians with a residual of 2 points.
    let errors = [0.06, 0.15, 0.12, 0.13, 0.13, 0.11, 0.11, 0.14];
    for (((name, truth), fitted), error) in
        population.truth().columns.iter().zip(fitted).zip(errors)
    {
        assert!((truth - fitted).abs() < 4.0 * error, "{name}: {truth} {fitted}");
    }
}

#[test]
fn no_clinician_expects_a_value_at_the_ends_of_the_scale() {
    let (_, population) = population(3, Size::default());
    for clinician in population.clinicians() {
        assert!((15.0..46.0).contains(&clinician.expected));
    }
}

#[test]
fn both_groups_are_paid_too_little_by_a_formula_blind_to_them() {
    let (_, population) = population(4, Size::default());
    let truth = population.truth();
    for (at, (group, effect)) in truth.group_effects.iter().enumerate() {
        let members = population.clinicians().iter().filter(|c| c.member[at]).count();
        assert!((500..1_500).contains(&members), "{group}: {members}");
        assert!(effect.seen > 0.9 && effect.seen <= effect.planted, "{group}: {effect:?}");
    }
    assert_eq!(truth.site_effects.len(), 5);
    let seen = |c: &Clinician| truth.site_effects[c.site].1.seen;
    let sum: f64 = population.clinicians().iter().map(seen).sum();
    assert!(sum.abs() < 1e-6, "{sum}");
}

/// A public guess that is far off costs accuracy: it must not be one of ours.
#[test]
fn columns_are_spread_as_the_studies_guessed() {
    for (name, text) in crate::pilot::STUDIES {
        let study = Study::parse(text).unwrap();
        let population = Population::generate(&study, 5, Size::default()).unwrap();
        for (at, column) in study.schema().columns().iter().enumerate().skip(1) {
            let squares: f64 = population.clinicians().iter().map(|c| c.x[at] * c.x[at]).sum();
            let rms = (squares / 4_000.0).sqrt();
            // Columns rarer than that are not blown up further.
            let off = rms.max(0.15) / column.rms;
            assert!((0.75..1.3).contains(&off), "{name}, {}: {rms}", column.name);
        }
        for (at, group) in study.schema().groups.iter().enumerate() {
            let members = population.clinicians().iter().filter(|c| c.member[at]).count();
            assert!((500..1_500).contains(&members), "{name}, {}: {members}", group.id);
        }
    }
}

#[test]
fn the_same_seed_writes_the_same_bytes() {
    let bytes = |seed| {
        let dir = tempfile::tempdir().unwrap();
        let (_, population) = population(seed, small());
        let mut bytes = BTreeMap::new();
        for hospital in population.write(dir.path()).unwrap() {
            for (raw, path) in &hospital.files {
                bytes
                    .insert((hospital.site.to_string(), raw.clone()), std::fs::read(path).unwrap());
            }
            for number in 1..=8 {
                if let Some(dir) = &hospital.recordings_dir {
                    let file = dir.join(format!("E4-{number:04}/IBI.csv"));
                    let key = (hospital.site.to_string(), format!("ibi{number}"));
                    bytes.insert(key, std::fs::read(file).unwrap());
                }
            }
        }
        bytes
    };
    let (first, again, other) = (bytes(6), bytes(6), bytes(7));
    assert_eq!(first.len(), 7 + 8 + 6 + 7 + 6 + 4 * 8);
    assert!(first == again, "the same seed gave other bytes");
    assert!(first != other);
}

#[test]
fn any_number_of_hospitals_shares_the_clinicians_out() {
    for (sites, clinicians) in [(2, 500), (7, 1_001), (30, 1_300)] {
        let (_, population) = population(8, Size { sites, clinicians });
        assert_eq!(population.sites().len(), sites);
        assert_eq!(population.clinicians().len(), clinicians);
    }
    let (_, population) = population(8, Size { sites: 7, clinicians: 1_000 });
    let names: Vec<&str> = population.sites().iter().map(|s| s.0.as_str()).collect();
    assert_eq!(names[5..], ["teaching-2", "safety-net-2"]);
    let study = Study::parse(STUDY).unwrap();
    for (sites, clinicians) in [(1, 500), (31, 5_000), (5, 100)] {
        assert!(Population::generate(&study, 1, Size { sites, clinicians }).is_err());
    }
}

/// What changed is what was planted: a training's effect beyond the drift of those without one. The standard error of the
/// mean of 4,000 changes of 1.3 points each is 0.02, of the difference 0.05: four of them are a false alarm once in
/// 8,000 seeds.
#[test]
fn a_change_is_the_drift_and_what_a_training_added() {
    let text = programmes("change:181:scale:care-measure:total", "-40.0", "40.0", "0.0");
    let study = Study::parse(&text).unwrap();
    let population = Population::generate(&study, 12, Size::default()).unwrap();
    let names: Vec<&str> =
        population.truth().columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..3], ["intercept", "f0", "f1"]);
    let truth = |at: usize| population.truth().columns[at].1;
    // Half of a training's effect a scaled unit, for each of the two columns that tell of one.
    assert!((truth(1) - 0.75).abs() < 1e-12 && (truth(2) - 0.75).abs() < 1e-12);
    let (mut within, mut without) = ((0.0, 0.0), (0.0, 0.0));
    let (mut known, mut missing) = (0.0, 0);
    for (clinician, change) in population.clinicians().iter().zip(population.outcomes()) {
        let Some(change) = change else {
            missing += 1;
            continue;
        };
        let trained = clinician.x[1] > 0.0 && clinician.x[2] > 0.0;
        let not = clinician.x[1] < 0.0 && clinician.x[2] < 0.0;
        known += 1.0;
        let side = if trained { &mut within } else { &mut without };
        if trained || not {
            side.0 += change;
            side.1 += 1.0;
        }
    }
    assert!(missing < 20 && known > 3_900.0, "{missing}");
    let (with, without) = (within.0 / within.1, without.0 / without.1);
    assert!(within.1 > 500.0, "{}", within.1);
    // Both columns tell of those who were trained in `listening` in between: twice 1.5 points.
    assert!((without + 0.4).abs() < 0.2 && (with - without - 3.0).abs() < 0.2, "{with} {without}");
}
