//! What composites are refused for, and the laws their scores keep.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::blend::{
    AdmitError, Admitted, Blended, NoScore, OptIn, Outcome, PatternError, ReadingError, Terms,
};
use super::definition::Output;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tacit_shared::id::FeatureId;
use tacit_shared::study::profile::Profile;

const RELATIONAL: &str = SHIPPED[3].1;
const DEFAULT: Terms<'_> = Terms { profile: Profile::SelfReportOnly, approval_id: None };
const RESEARCH: Terms<'_> =
    Terms { profile: Profile::EthicsApprovedResearch, approval_id: Some("EC 2026/17") };

fn parse(text: &str) -> Result<Composite, Fault> {
    Composite::parse("own.toml", text, &Catalogue::built_in().unwrap())
}

fn id(name: &str) -> FeatureId {
    name.parse().unwrap()
}

fn blended(admitted: Admitted<'_>, readings: &[(&FeatureId, f64)], opt_in: OptIn) -> Blended {
    match admitted.score(readings.iter().copied(), opt_in).unwrap() {
        Outcome::Blended(blended) => blended,
        Outcome::Apart(_) => panic!("a blend was expected"),
    }
}

#[test]
fn what_comes_with_the_program_proves_itself() {
    let composites = shipped(&Catalogue::built_in().unwrap()).unwrap();
    let found: Vec<(Output, Profile, usize)> =
        composites.iter().map(|c| (c.output(), c.profile(), c.vectors())).collect();
    assert_eq!(
        found,
        [
            (Output::Burnout, Profile::SelfReportOnly, 0),
            (Output::Engagement, Profile::SelfReportOnly, 5),
            (Output::PhysiologicalLoad, Profile::EthicsApprovedResearch, 0),
            (Output::RelationalExperience, Profile::SelfReportOnly, 4),
        ]
    );
    let relational = &composites[3];
    assert_eq!(relational.alias().unwrap().as_str(), "empathy_score");
    assert_eq!(relational.sha256(), tacit_shared::codec::sha256(RELATIONAL.as_bytes()));
    let catalogue = Catalogue::built_in().unwrap();
    for (instrument, sha256) in relational.instruments() {
        assert_eq!(catalogue.instrument(instrument).unwrap().sha256(), *sha256);
    }
    assert_eq!(relational.instruments().len(), 2);
}

#[test]
fn a_score_carries_what_it_rests_on_and_none_its_reason() {
    let composite = parse(RELATIONAL).unwrap();
    let admitted = composite.admit(&DEFAULT).unwrap();
    let (care, decisions) = (id("care"), id("decisions"));
    let score = |readings: &[(&FeatureId, f64)]| blended(admitted, readings, OptIn::NotGiven);
    let alone = score(&[(&care, 30.0)]);
    assert_eq!(
        (alone.value(), alone.weight_share(), alone.pattern(), alone.present()),
        (Some(0.5), 0.7, "10", 1)
    );
    assert_eq!((alone.version(), alone.composite()), ("1", composite.sha256()));
    assert_eq!(format!("{alone:?}"), "Blended(2 components)");
    let beyond = score(&[(&decisions, 12.0), (&care, 70.0)]);
    assert_eq!(beyond.value(), Some(1.0));
    let without = score(&[(&decisions, 9.0)]);
    assert_eq!(without.none(), Some(&NoScore::AnchorAbsent { id: id("care") }));
    let thin = parse(
        &RELATIONAL.replace("weight = 0.7", "weight = 0.2").replace("weight = 0.3", "weight = 0.8"),
    );
    // Its vectors were written for other weights.
    assert!(thin.unwrap_err().message.starts_with("vector 2: score 0.4166"));
    let heavy = RELATIONAL.replace("min_weight_present = 0.5", "min_weight_present = 0.75");
    let heavy =
        parse(&heavy[..heavy.find("[[vectors]]\nvalues = { care = 20 }").unwrap()]).unwrap();
    let thin = blended(heavy.admit(&DEFAULT).unwrap(), &[(&care, 50.0)], OptIn::NotGiven);
    assert_eq!(thin.none(), Some(&NoScore::TooLittle { share: 0.7, least: 0.75 }));
    assert_eq!(
        thin.none().unwrap().to_string(),
        "0.7 of the weight is present; expected at least 0.75"
    );
    let error = |readings: &[(&FeatureId, f64)]| {
        admitted.score(readings.iter().copied(), OptIn::NotGiven).unwrap_err()
    };
    let other = id("other");
    assert_eq!(error(&[(&other, 1.0)]), ReadingError::Unknown { id: id("other") });
    assert_eq!(error(&[(&care, f64::NAN)]), ReadingError::NotANumber { id: id("care") });
    assert_eq!(error(&[(&care, 20.0), (&care, 30.0)]), ReadingError::Twice { id: id("care") });
}

/// The shipped relational experience with one more component.
fn with(component: &str) -> String {
    RELATIONAL.replacen(
        "[[vectors]]",
        &format!("[[components]]\nid = \"more\"\n{component}\n\n[[vectors]]"),
        1,
    )
}

/// The same without vectors but the first two, under the research profile.
fn researched(component: &str) -> String {
    let text = with(component).replace("self-report-only", "ethics-approved-research");
    let end = text.find("[[vectors]]").unwrap();
    let values = "values = { care = 30, decisions = 4.5, more = 0 }";
    format!("{}[[vectors]]\n{values}\nexpect = {{ score = 0.5 }}\n", &text[..end])
}

const SIGNAL: &str = "source = \"feature:ln_rmssd_z\"\ndirection = \"higher-better\"\nmap = [[-3, 0.0], [3, 1.0]]\nbiometric = true";

#[test]
fn the_outputs_are_kept_apart() {
    let place = |text: &str, message: &str| {
        let fault = parse(text).unwrap_err();
        assert_eq!(fault.message, message);
        assert!(fault.place.unwrap().starts_with("own.toml"), "{message}");
        assert_eq!(fault.audience.exit_code(), 2);
    };
    let scale = |source: &str, direction: &str| {
        format!(
            "source = \"{source}\"\ndirection = \"{direction}\"\nweight = 0.1\nmap = [[0, 1.0], [100, 0.0]]"
        )
    };
    place(
        &with(&scale("instrument:copenhagen-burnout/client", "lower-better")),
        "component `more`: what clinicians report of themselves is no part of `relational-experience`, which takes \
         what patients report",
    );
    place(
        &with(&scale("feature:interruptions_per_hour", "lower-better")),
        "component `more`: a fact of the process is no part of `relational-experience`, which takes what patients \
         report",
    );
    place(
        &with(&scale("instrument:hcahps-communication/doctors_linear", "higher-better")),
        "component `more`: instrument `hcahps-communication` is about wards, not about one clinician",
    );
    let engagement = SHIPPED[1].1;
    let in_engagement = |component: &str| {
        engagement.replacen(
            "[[vectors]]",
            &format!("[[components]]\nid = \"more\"\n{component}\n\n[[vectors]]"),
            1,
        )
    };
    let research = |text: &str| text.replace("self-report-only", "ethics-approved-research");
    for text in [
        in_engagement(&format!("{SIGNAL}\nweight = 0.1")),
        research(&in_engagement(&format!("{SIGNAL}\nweight = 0.1"))),
    ] {
        place(
            &text,
            "component `more`: a signal of a body is no part of `engagement`, which takes facts of the process and \
             what patients report",
        );
    }
    let burnout = |source: &str| {
        format!("{}\n[[components]]\nid = \"more\"\nsource = \"{source}\"\n", SHIPPED[0].1)
    };
    for (source, what) in [
        ("feature:mean_hr_z", "a signal of a body"),
        ("feature:continuity", "a fact of the process"),
        ("instrument:care-measure/total", "what patients report"),
    ] {
        place(
            &burnout(source),
            &format!(
                "component `more`: {what} is no part of `burnout`, which takes the scales that clinicians fill in \
                 about themselves"
            ),
        );
    }
    let blended = SHIPPED[0].1.replace("own-scales", "weighted-mean");
    place(&blended, "`burnout` has another method; expected own-scales, unblended");
    let load = SHIPPED[2].1;
    place(
        &format!(
            "{load}\n[[components]]\nid = \"more\"\nsource = \"instrument:copenhagen-burnout/work\"\n"
        ),
        "component `more`: what clinicians report of themselves is no part of `physiological-load`, which takes \
         signals",
    );
    place(
        &load.replace("ethics-approved-research", "self-report-only"),
        "signals need `policy_profile = \"ethics-approved-research\"`",
    );
    let other = parse(&RELATIONAL.replace("id = \"relational-experience\"", "id = \"wellness\""))
        .unwrap_err();
    assert!(other.message.starts_with("unknown variant `wellness`, expected one of"), "{other}");
}

#[test]
fn a_signal_weighs_only_under_a_profile_with_approval_and_opt_in() {
    let weighted = format!("{SIGNAL}\nweight = 0.25");
    let fault = parse(&with(&weighted)).unwrap_err();
    assert_eq!(
        fault.message,
        "component `more`: a signal of a body with a weight is refused under the profile `self-report-only`"
    );
    let hidden = researched(&weighted).replace("biometric = true\n", "");
    let message = "component `more`: expected `biometric = true`: it is a signal of a body";
    assert_eq!(parse(&hidden).unwrap_err().message, message);
    // Without a weight it is named, and has no say.
    let silent = parse(&with(&format!("{SIGNAL}\nweight = 0"))).unwrap();
    assert!(!silent.reads_signals());
    let (care, more) = (id("care"), id("more"));
    let readings = [(&care, 30.0), (&more, 3.0)];
    let score = blended(silent.admit(&DEFAULT).unwrap(), &readings, OptIn::Given);
    assert_eq!((score.value(), score.pattern()), (Some(0.5), "10"));

    let composite = parse(&researched(&weighted)).unwrap();
    assert!(composite.reads_signals());
    let output = Output::RelationalExperience;
    let (needs, has) = (Profile::EthicsApprovedResearch, Profile::SelfReportOnly);
    let approved = Terms { approval_id: Some("EC 2026/17"), ..DEFAULT };
    for terms in [&DEFAULT, &approved] {
        assert_eq!(composite.admit(terms).unwrap_err(), AdmitError::Profile { output, needs, has });
    }
    for approval_id in [None, Some(""), Some(" ")] {
        let terms = Terms { approval_id, ..RESEARCH };
        assert_eq!(composite.admit(&terms).unwrap_err(), AdmitError::NoApproval { output });
    }
    let admitted = composite.admit(&RESEARCH).unwrap();
    let given = blended(admitted, &readings, OptIn::Given);
    assert_eq!((given.value(), given.pattern()), (Some((0.7 * 0.5 + 0.25) / 0.95), "101"));
    let not = blended(admitted, &readings, OptIn::default());
    assert_eq!((not.value(), not.pattern()), (Some(0.5), "100"));
    assert!((not.weight_share() - 0.56).abs() < 1e-12);
}

#[test]
fn what_is_unblended_stays_side_by_side() {
    let burnout = parse(SHIPPED[0].1).unwrap();
    let (work, level) = (id("cbi-work"), id("pwls-level"));
    let outcome = burnout.admit(&DEFAULT).unwrap();
    let outcome =
        outcome.score([(&level, 3.0), (&work, 62.5)].into_iter(), OptIn::NotGiven).unwrap();
    let Outcome::Apart(own) = outcome else { panic!("unblended") };
    let present: Vec<(&str, f64)> =
        own.iter().filter_map(|(own, value)| Some((own.id.as_str(), (*value)?))).collect();
    assert_eq!(present, [("cbi-work", 62.5), ("pwls-level", 3.0)]);
    assert_eq!(own.len(), 8);

    let load = parse(SHIPPED[2].1).unwrap();
    assert!(load.admit(&DEFAULT).is_err());
    let admitted = load.admit(&RESEARCH).unwrap();
    let rmssd = id("ln-rmssd");
    let count = |opt_in| match admitted.score([(&rmssd, -1.5)].into_iter(), opt_in).unwrap() {
        Outcome::Apart(own) => own.iter().filter(|(_, value)| value.is_some()).count(),
        Outcome::Blended(_) => panic!("unblended"),
    };
    assert_eq!((count(OptIn::NotGiven), count(OptIn::Given)), (0, 1));
}

#[test]
fn a_file_that_is_not_sound_is_refused() {
    let cases = [
        ("tacit-composite/1", "tacit-composite/2", "`format` is `tacit-composite/2`"),
        (
            "[10, 0.0], [50, 1.0]",
            "[10, 0.0], [50, 1.1]",
            "component `care`: `map` has a knot that is no number, or",
        ),
        (
            "[10, 0.0], [50, 1.0]",
            "[50, 0.0], [10, 1.0]",
            "component `care`: `map` has knots whose first numbers",
        ),
        (
            "[10, 0.0], [50, 1.0]",
            "[10, 1.0], [50, 0.0]",
            "component `care`: `map` does not go one way, as higher",
        ),
        ("[10, 0.0], [50, 1.0]", "[10, 0.5], [50, 0.5]", "component `care`: `map` is flat"),
        (
            "[10, 0.0], [50, 1.0]",
            "[10, 0.0]",
            "component `care`: `map` has 1 knots; expected 2 to 64",
        ),
        ("weight = 0.7", "weight = -0.7", "component `care`: `weight` is out of bounds"),
        ("weight = 0.7", "weight = nan", "component `care`: `weight` is out of bounds"),
        ("weight = 0.7", "weight = 0", "anchor `care` is no component with a weight"),
        ("weight = 0.7\n", "", "component `care`: `weight` is missing"),
        ("direction = \"higher-better\"\n", "", "component `care`: `direction` is missing"),
        ("higher-better", "lower-better", "component `care`: `direction` contradicts the scale"),
        ("anchor = [\"care\"]", "anchor = []", "`anchor` is empty"),
        ("anchor = [\"care\"]", "anchor = [\"cares\"]", "anchor `cares` is no component"),
        (
            "min_weight_present = 0.5",
            "min_weight_present = 0.4",
            "`min_weight_present` is out of bounds",
        ),
        ("uncertainty = \"report\"", "uncertainty = \"hide\"", "unknown variant `hide`"),
        ("id = \"care\"", "id = \"mood_care\"", "component `mood_care`: `mood` is a feeling"),
        ("id = \"decisions\"", "id = \"care\"", "two components have one id or one source"),
        (
            "collaborate-10pt/mean",
            "collaborate-10pt/means",
            "component `decisions`: instrument `collaborate-10pt` has no",
        ),
        (
            "instrument:collaborate-10pt/mean",
            "instrument:own/mean",
            "component `decisions`: the node has no instrument",
        ),
        (
            "instrument:collaborate-10pt/mean",
            "feature:au12",
            "component `decisions`: `feature:au12` is not a source",
        ),
        ("score = 0.625", "score = 0.62", "vector 2: score 0.62"),
        ("pattern = \"01\"", "pattern = \"10\"", "vector 4: score none"),
        ("score = \"none\"", "score = 0.5", "vector 4: score none"),
    ];
    for (found, replaced, message) in cases {
        let text = RELATIONAL.replacen(found, replaced, 1);
        assert_ne!(text, RELATIONAL, "{found}");
        let fault = parse(&text).unwrap_err();
        assert!(fault.message.starts_with(message), "{replaced}: {}", fault.message);
        assert!(fault.place.unwrap().starts_with("own.toml"));
    }
    let end = RELATIONAL.find("[[vectors]]").unwrap();
    assert_eq!(parse(&RELATIONAL[..end]).unwrap_err().message, "no vector tries the score");
}

/// A random blend of up to six patients' scales: sources are made by copies of one instrument.
#[derive(Clone, Debug)]
struct Drawn {
    weights: Vec<f64>,
    maps: Vec<Vec<[f64; 2]>>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let knots = prop::collection::vec((-50.0..50.0_f64, 0.0..=1.0_f64), 2..7).prop_filter_map(
        "flat",
        |knots| {
            let mut xs: Vec<f64> = knots.iter().map(|k| k.0).collect();
            let mut ys: Vec<f64> = knots.iter().map(|k| k.1).collect();
            xs.sort_by(f64::total_cmp);
            ys.sort_by(f64::total_cmp);
            let grows = xs.windows(2).all(|x| x[0] < x[1]) && ys[0] < ys[ys.len() - 1];
            grows.then(|| xs.into_iter().zip(ys).map(|(x, y)| [x, y]).collect::<Vec<[f64; 2]>>())
        },
    );
    prop::collection::vec((0.01..10.0_f64, knots), 2..=6).prop_map(|parts| {
        let (weights, maps) = parts.into_iter().unzip();
        Drawn { weights, maps }
    })
}

/// The blend as a file: components c0, c1, … in the given order, weights times `factor`, c0 the anchor.
fn made(drawn: &Drawn, order: &[usize], factor: f64) -> Composite {
    let care = include_str!("../../../../configs/instruments/care-measure.toml");
    let dir = tempfile::tempdir().unwrap();
    for index in 0..drawn.weights.len() {
        let text = care.replace("id = \"care-measure\"", &format!("id = \"care-{index}\""));
        std::fs::write(dir.path().join(format!("{index}.toml")), text).unwrap();
    }
    let catalogue = Catalogue::built_in().unwrap().with_dir(dir.path()).unwrap();
    let mut text = String::from(
        "format = \"tacit-composite/1\"\nid = \"relational-experience\"\nversion = \"1\"\ntitle = \"Drawn\"\n\
         policy_profile = \"self-report-only\"\n[rule]\nmethod = \"weighted-mean\"\nanchor = [\"c0\"]\n\
         min_weight_present = 0.5\nuncertainty = \"report\"\n\
         [[vectors]]\nvalues = {}\nexpect = { score = \"none\", weight_share = 0 }\n",
    );
    for &index in order {
        let (weight, map) = (drawn.weights[index] * factor, &drawn.maps[index]);
        write!(
            text,
            "[[components]]\nid = \"c{index}\"\nsource = \"instrument:care-{index}/total\"\n\
             direction = \"higher-better\"\nweight = {weight:?}\nmap = {map:?}\n"
        )
        .unwrap();
    }
    Composite::parse("drawn.toml", &text, &catalogue).unwrap()
}

fn readings(values: &[Option<f64>], count: usize) -> BTreeMap<FeatureId, f64> {
    let value = |index: usize| Some((id(&format!("c{index}")), values[index]?));
    (0..count).filter_map(value).collect()
}

fn score_of(composite: &Composite, readings: &BTreeMap<FeatureId, f64>) -> Blended {
    let pairs: Vec<(&FeatureId, f64)> = readings.iter().map(|(id, value)| (id, *value)).collect();
    blended(composite.admit(&DEFAULT).unwrap(), &pairs, OptIn::NotGiven)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Many draws of readings a blend: bounded always, monotone in each component for a fixed pattern, the same
    /// whatever the order of the file and of the readings, and whatever the unit of the weights.
    #[test]
    fn a_blend_keeps_its_laws(
        drawn in drawn(),
        people in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.8, -60.0..60.0_f64), 6), 200),
        steps in prop::collection::vec((0_usize..6, 0.0..30.0_f64), 200),
        factor in 0.01..100.0_f64,
    ) {
        let count = drawn.weights.len();
        let forward: Vec<usize> = (0..count).collect();
        let backward: Vec<usize> = forward.iter().rev().copied().collect();
        let (one, two) = (made(&drawn, &forward, 1.0), made(&drawn, &backward, 1.0));
        let scaled = made(&drawn, &forward, factor);
        let total: f64 = drawn.weights.iter().sum();
        for (values, (which, step)) in people.iter().zip(steps) {
            let given = readings(values, count);
            let score = score_of(&one, &given);
            let share: f64 = (0..count).filter(|i| values[*i].is_some()).map(|i| drawn.weights[i]).sum::<f64>() / total;
            prop_assert!((score.weight_share() - share).abs() < 1e-12);
            if (share - 0.5).abs() > 1e-9 {
                prop_assert_eq!(score.value().is_some(), values[0].is_some() && share > 0.5);
            }
            prop_assert!(score.value().is_none_or(|value| (0.0..=1.0).contains(&value)));
            // Order: bit by bit the same.
            let mirrored = score_of(&two, &given);
            prop_assert_eq!((score.value(), score.pattern()), (mirrored.value(), mirrored.pattern()));
            // The unit of weights.
            if (share - 0.5).abs() > 1e-9 {
                let other = score_of(&scaled, &given);
                prop_assert_eq!(score.pattern(), other.pattern());
                match (score.value(), other.value()) {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
            // More in one component is never less in the score.
            let name = id(&format!("c{}", which % count));
            let mut more = given.clone();
            if let Some(value) = more.get_mut(&name) {
                *value += step;
                let raised = score_of(&one, &more);
                prop_assert_eq!(raised.pattern(), score.pattern());
                if let (Some(before), Some(after)) = (score.value(), raised.value()) {
                    prop_assert!(after >= before, "{before} {after}");
                }
            }
        }
    }
}

#[test]
fn typical_minutes_stand_in_the_file_and_fit_every_encounter() {
    const ENGAGEMENT: &str = SHIPPED[1].1;
    let typical = parse(ENGAGEMENT).unwrap().typical_minutes().to_vec();
    assert_eq!((typical.len(), typical[0].minutes, typical[7].minutes), (8, 18.0, 18.0));
    assert!(typical[7].specialty.is_none() && typical[7].channel.is_none());
    let last = "[[typical_minutes]]\nminutes = 18.0";
    for (found, replaced, message) in [
        (last, "", "`typical_minutes` must end with an entry without specialty and channel"),
        (
            "minutes = 12.0",
            "minutes = 0.0",
            "`typical_minutes` are out of bounds; expected 0.1 to 1440",
        ),
        (
            "channel = \"ivr\"",
            "channel = \"fax\"",
            "`fax` is no channel: expected in_person, phone",
        ),
        ("feature:minutes_ratio", "instrument:care-measure/total", "no component is minutes_ratio"),
    ] {
        let text = ENGAGEMENT.replacen(found, replaced, 1);
        assert_ne!(text, ENGAGEMENT, "{found}");
        let fault = parse(&text).unwrap_err();
        assert!(fault.message.contains(message), "{fault}");
    }
}

#[test]
fn a_pattern_is_the_components_over_which_there_is_a_score() {
    let relational = parse(RELATIONAL).unwrap();
    let over = |marks: &[bool]| {
        let found = relational.over(Some(marks.iter().copied()));
        found.map(|parts| parts.iter().map(|p| p.id.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(over(&[true, true]).unwrap(), ["care", "decisions"]);
    assert_eq!(over(&[true, false]).unwrap(), ["care"]);
    let output = Output::RelationalExperience;
    assert_eq!(over(&[false, true]), Err(PatternError::Anchor { output, id: id("care") }));
    assert!(matches!(over(&[true]), Err(PatternError::Length { found: 1, expected: 2, .. })));
    let none = None::<std::iter::Empty<bool>>;
    assert_eq!(relational.over(none.clone()).unwrap().len(), 2);
    let burnout = parse(SHIPPED[0].1).unwrap();
    let apart = PatternError::Apart { output: Output::Burnout };
    assert_eq!(burnout.over(none).unwrap_err(), apart);
}

#[test]
fn a_composite_reads_what_the_components_of_its_pattern_read() {
    use tacit_shared::study::modality::Modality;
    use tacit_shared::study::source::Composite as Named;
    let catalogue = Catalogue::built_in().unwrap();
    let read = |name, pattern: Option<&str>| {
        let pattern = pattern.map(|text| text.parse().unwrap());
        let read = super::modalities(name, pattern.as_ref(), &catalogue);
        read.into_iter().collect::<Vec<_>>()
    };
    let both = vec![Modality::Encounters, Modality::PatientQuestionnaires];
    assert_eq!(read(Named::Engagement, None), both);
    assert_eq!(read(Named::Engagement, Some("0101")), both);
    assert_eq!(read(Named::Engagement, Some("1011")), [Modality::Encounters]);
    assert_eq!(read(Named::RelationalExperience, None), [Modality::PatientQuestionnaires]);
}
