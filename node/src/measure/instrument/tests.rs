//! What definitions are refused for, and what answers are worth.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::score::{Invalid, ScoreError};
use super::*;
use proptest::prelude::*;

const CARE: &str = BUILT_IN[0].1;

/// A definition with one scale `s` over items a, b, c of codes 1 to 5, c reversed.
fn made(scale: &str, vectors: &str) -> String {
    format!(
        "format = \"tacit-instrument/1\"\nid = \"made\"\nversion = \"1\"\ntitle = \"Made\"\n\
         respondent = \"patient\"\nunit = \"encounter\"\nsource = \"here\"\n\
         [licence]\nstatus = \"public-domain\"\nholder = \"nobody\"\nship_item_text = true\nsite_must_confirm = false\n\
         [items]\nids = [\"a\", \"b\", \"c\"]\ncodes = {{ \"1\" = 1, \"2\" = 2, \"3\" = 3, \"4\" = 4, \"5\" = 5 }}\n\
         not_applicable = [\"NA\"]\nreverse = [\"c\"]\n\
         [[scales]]\nid = \"s\"\nitems = [\"a\", \"b\", \"c\"]\ndirection = \"higher-better\"\n{scale}\n\
         [reporting]\nmin_n_person = 5\n{vectors}\n"
    )
}

fn parse(text: &str) -> Instrument {
    Instrument::parse("made.toml", text).unwrap()
}

fn score(
    instrument: &Instrument,
    scale: &str,
    answers: &[(&str, &str)],
) -> Result<Score, ScoreError> {
    let scale = instrument.scale(&scale.parse().unwrap()).unwrap();
    instrument.licensed(None).unwrap().score(scale, answers.iter().copied())
}

use super::score::Score;

fn value(instrument: &Instrument, scale: &str, answers: &[(&str, &str)]) -> Option<f64> {
    score(instrument, scale, answers).unwrap().value()
}

#[test]
fn what_comes_with_the_program_proves_itself() {
    let catalogue = Catalogue::built_in().unwrap();
    let states: Vec<(&str, bool, usize)> = catalogue
        .iter()
        .map(|i| (i.id().as_str(), i.licensed(None).is_ok(), i.expectations()))
        .collect();
    assert_eq!(
        states,
        [
            ("care-measure", true, 3),
            ("collaborate-10pt", false, 8),
            ("copenhagen-burnout", true, 6),
            ("eq-5d", false, 6),
            ("hcahps-communication", true, 12),
            ("jse", false, 3),
            ("jspppe", false, 3),
            ("mbi-scores-only", false, 6),
            ("mini-z", false, 16),
            ("ppe-15", false, 2),
            ("pwls-single", true, 5),
            ("stanford-pfi", false, 12),
        ]
    );
    for instrument in catalogue.iter() {
        assert_eq!(instrument.notes(), Vec::<String>::new(), "{}", instrument.id());
        assert!(!instrument.licence().ship_item_text);
    }
    let digest = catalogue.instrument(&"care-measure".parse().unwrap()).unwrap().sha256();
    assert_eq!(digest, tacit_shared::codec::sha256(CARE.as_bytes()));
}

#[test]
fn missing_items_count_as_the_rule_says() {
    let catalogue = Catalogue::built_in().unwrap();
    let of = |id: &str| catalogue.instrument(&id.parse().unwrap()).unwrap();
    let eight: Vec<(&str, &str)> = ["q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8"]
        .into_iter()
        .zip(["4", "4", "4", "4", "4", "4", "4", "3"])
        .collect();
    let care = of("care-measure");
    assert_eq!(value(care, "total", &eight), Some(38.75));
    let seven = score(care, "total", &eight[..7]).unwrap();
    assert_eq!((seven.value(), seven.answered()), (None, 7));
    assert_eq!(seven.invalid(), Some(Invalid::Missing { missing: 3, most: 2 }));
    assert_eq!(seven.instrument(), care.sha256());
    let work = [("w1", "5"), ("w2", "5"), ("w3", "5"), ("w7", "5"), ("p1", "1")];
    assert_eq!(value(of("copenhagen-burnout"), "work", &work), Some(75.0));
}

#[test]
fn an_answer_of_another_instrument_is_an_error_and_never_missing() {
    let catalogue = Catalogue::built_in().unwrap();
    let single = catalogue.instrument(&"pwls-single".parse().unwrap()).unwrap();
    let error = |answers: &[(&str, &str)]| score(single, "level", answers).unwrap_err();
    for code in ["6", "", " 1", "1.0", "na", "three"] {
        let (item, expected) = ("b1".to_owned(), "1, 2, 3, 4, 5, NA".to_owned());
        assert_eq!(error(&[("b1", code)]), ScoreError::UnknownCode { item, expected });
    }
    assert_eq!(error(&[("b2", "1")]), ScoreError::UnknownItem);
    let twice = ScoreError::Twice { item: "b1".to_owned() };
    assert_eq!(error(&[("b1", "1"), ("b1", "2")]), twice);
    assert_eq!(error(&[("b1", "1"), ("b1", "NA")]), twice);
    assert_eq!(error(&[("b1", "NA"), ("b1", "1")]), twice);
}

#[test]
fn every_method_by_hand() {
    let cases = [
        ("sum", "range = [3, 15]", "5, 4, 2 give 5 + 4 + 4", 13.0, 13.5),
        ("mean", "range = [1, 5]", "", 13.0 / 3.0, 4.5),
        ("top-all", "range = [0, 1]", "", 0.0, 0.0),
        ("top-share", "range = [0, 1]", "", 1.0 / 3.0, 0.5),
        ("linear100", "range = [0, 100]", "100, 75 and 75", 250.0 / 3.0, 87.5),
    ];
    for (method, range, _, whole, without_c) in cases {
        let rule = if method == "sum" { "mean-of-answered" } else { "mean-of-available" };
        let scale =
            format!("method = \"{method}\"\n{range}\nmax_missing = 1\nmissing_rule = \"{rule}\"");
        let top = match method {
            "sum" => 15,
            "mean" => 5,
            "linear100" => 100,
            _ => 1,
        };
        let vector =
            format!("[[vectors]]\nanswers = {{ a = 5, b = 5, c = 1 }}\nexpect = {{ s = {top} }}");
        let instrument = parse(&made(&scale, &vector));
        let near = |answers: &[(&str, &str)], expected: f64| {
            let found = value(&instrument, "s", answers).unwrap();
            assert!((found - expected).abs() < 1e-12, "{method}: {found}, not {expected}");
        };
        near(&[("a", "5"), ("b", "4"), ("c", "2")], whole);
        near(&[("b", "4"), ("a", "5"), ("c", "NA")], without_c);
        near(&[("a", "5"), ("b", "4")], without_c);
        assert_eq!(value(&instrument, "s", &[("a", "5")]), None, "{method}");
    }
}

#[test]
fn an_imported_score_is_a_number_within_its_range() {
    let catalogue = Catalogue::built_in().unwrap();
    let mbi = catalogue.instrument(&"mbi-scores-only".parse().unwrap()).unwrap();
    let reference = LicenceReference::try_from("order 12 of 2026-01-10".to_owned()).unwrap();
    let licensed = mbi.licensed(Some(&reference)).unwrap();
    assert_eq!(licensed.reference().unwrap().as_str(), "order 12 of 2026-01-10");
    let ee = mbi.scale(&"ee".parse().unwrap()).unwrap();
    let score = |code| licensed.score(ee, [("ee", code), ("dp", "3")].into_iter());
    assert_eq!(score("27.5").unwrap().value(), Some(27.5));
    assert_eq!(score("55").unwrap().invalid(), Some(Invalid::OutsideRange));
    assert_eq!(score("NA").unwrap().invalid(), Some(Invalid::Missing { missing: 1, most: 0 }));
    for code in ["", "nan", "inf", "high", "1,5"] {
        assert_eq!(score(code), Err(ScoreError::NotANumber { scale: "ee".to_owned() }), "{code}");
    }
}

#[test]
fn what_is_locked_does_not_score_without_a_licence() {
    let id: FeatureId = "stanford-pfi".parse().unwrap();
    let catalogue = Catalogue::built_in().unwrap();
    let fault = catalogue.licensed(&id).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "instrument `stanford-pfi` is locked: its licence is free-noncommercial, held by Stanford University, \
         WellMD, and the site has entered none\n  hint: once the site has a licence, name it in node.toml: \
         [licences] stanford-pfi = \"contract, letter or date\""
    );
    let reference = LicenceReference::try_from("letter of 2026-02-01".to_owned()).unwrap();
    let with = |id: &str| {
        let licences = BTreeMap::from([(id.parse().unwrap(), reference.clone())]);
        Catalogue::built_in().unwrap().with_licences(&licences)
    };
    let catalogue = with("stanford-pfi").unwrap();
    let licensed = catalogue.licensed(&id).unwrap().unwrap();
    assert_eq!(licensed.reference(), Some(&reference));
    assert!(catalogue.licensed(&"collaborate-10pt".parse().unwrap()).is_err());
    assert!(catalogue.licensed(&"none".parse().unwrap()).unwrap().is_none());
    let locked: Vec<String> =
        catalogue.questionnaires().into_iter().filter(|q| q.locked).map(|q| q.instrument).collect();
    let expected =
        ["collaborate-10pt", "eq-5d", "jse", "jspppe", "mbi-scores-only", "mini-z", "ppe-15"];
    assert_eq!(locked, expected);
    assert_eq!(
        with("stanford-pif").unwrap_err().to_string(),
        "the node has no instrument `stanford-pif`\n  at:   licences.stanford-pif\n  hint: `tacit-node instrument \
         list` shows those it has"
    );
    let error = with("care-measure").unwrap_err();
    assert_eq!(error.message, "instrument `care-measure` needs no licence reference");
}

#[test]
fn a_definition_that_is_not_sound_is_refused() {
    let cases = [
        ("tacit-instrument/1", "tacit-instrument/2", "`format` is `tacit-instrument/2`", 0),
        (
            "expect = { total = 35 }",
            "expect = { total = 34 }",
            "vector 2: `total` is 35; expected 34",
            40,
        ),
        ("total = \"invalid\"", "total = 50", "vector 3: `total` is invalid; expected 50", 45),
        ("total = 50", "totals = 50", "vector 1: `totals` is neither a scale nor a flag", 35),
        ("{ total = 50 }", "{}", "vector 1: `expect` is empty", 35),
        ("q9 = \"DNA\"", "q9 = \"none\"", "vector 2: an answer to item `q9` has a code", 40),
        ("q9 = \"DNA\"", "q11 = 1", "vector 2: `q11` is not an item of the instrument", 40),
        ("range = [10, 50]", "range = [50, 10]", "scale `total` has range [50.0, 10.0]", 22),
        ("range = [10, 50]", "range = [10, inf]", "scale `total` has range [10.0, inf]", 22),
        ("range = [10, 50]", "range = [10, 40]", "vector 1: `total` is invalid; expected 50", 35),
        ("reverse = []", "reverse = [\"q11\"]", "`items.reverse` names `q11`", 0),
        ("\"NA\", \"DNA\"", "\"NA\", \"5\"", "code `5` has a value and counts as missing", 0),
        (
            "\"NA\", \"DNA\"",
            "\"NA\", \" 5\"",
            "`items` has an id or a code that is empty, begins",
            0,
        ),
        ("\"5\" = 5 }", "\"5\" = nan }", "code `5` has a value beyond ±1e9", 0),
        ("ids = [\"q1\", \"q2\"", "ids = [\"q1\", \"q1\"", "`items.ids` names an item twice", 0),
        (
            "items = [\"q1\", \"q2\"",
            "items = [\"q1\", \"q1\"",
            "scale `total` names an item twice",
            22,
        ),
        ("items = [\"q1\"", "items = [\"q0\"", "scale `total` names `q0`, which is not among", 22),
        ("max_missing = 2", "max_missing = 10", "scale `total` may miss 10 of 10 items", 22),
        ("\"mean-of-answered\"", "\"mean-of-available\"", "scale `total` is a sum", 22),
        ("\"mean-of-answered\"", "\"reject\"", "scale `total` rejects what is missing", 22),
        (
            "method = \"sum\"",
            "method = \"imported\"",
            "scale `total` is imported, but has items",
            22,
        ),
        ("id = \"total\"", "id = \"sum\"", "no vector tries scale `sum`", 22),
        (
            "method = \"sum\"",
            "method = \"median\"",
            "unknown variant `median`, expected one of `sum`",
            25,
        ),
        ("min_n_person", "min_n_persons", "unknown field `min_n_persons`", 32),
        ("title = \"C", "title = C", "", 5),
        ("version = \"2004\"", "version = \" \"", "`version` is empty", 0),
    ];
    for (found, replaced, message, line) in cases {
        let text = CARE.replacen(found, replaced, 1);
        assert_ne!(text, CARE, "{found}");
        let fault = Instrument::parse("own.toml", &text).unwrap_err();
        assert!(fault.message.contains(message), "{replaced}: {}", fault.message);
        let place = if line == 0 { "own.toml".to_owned() } else { format!("own.toml:{line}") };
        assert_eq!(fault.place, Some(place), "{replaced}");
        assert!(fault.hint.is_some());
        assert_eq!(fault.audience.exit_code(), 2);
    }
    let long = "#".repeat(definition::FILE_BYTES_MAX + 1);
    let fault = Instrument::parse("own.toml", &long).unwrap_err();
    assert_eq!(fault.message, "262145 bytes; expected at most 262144");
}

#[test]
fn flags_are_checked_and_raised() {
    let sum = "method = \"sum\"\nrange = [3, 15]";
    let vector = "[[vectors]]\nanswers = { a = 5, b = 5, c = 1 }\nexpect = { s = 15 }";
    let flag = |id: &str, scale: &str, at: &str| {
        made(
            sum,
            &format!("[[flags]]\nid = \"{id}\"\nscale = \"{scale}\"\nat_least = {at}\n{vector}"),
        )
    };
    let instrument = parse(&flag("high", "s", "13"));
    assert_eq!(instrument.notes(), ["no vector tries flag `high`"]);
    let high = instrument.flags().next().unwrap();
    let raised = |answers: &[(&str, &str)]| score(&instrument, "s", answers).unwrap().raises(high);
    assert_eq!(raised(&[("a", "5"), ("b", "4"), ("c", "2")]), Some(true));
    assert_eq!(raised(&[("a", "5"), ("b", "4"), ("c", "3")]), Some(false));
    assert_eq!(raised(&[("a", "5"), ("b", "4")]), None);
    for (text, message) in [
        (flag("high", "t", "13"), "flag `high` is on `t`, which is no scale"),
        (flag("s", "s", "13"), "flag `s` has the name of another scale or flag"),
        (flag("high", "s", "nan"), "flag `high`: `at_least` is no number"),
    ] {
        assert_eq!(Instrument::parse("own.toml", &text).unwrap_err().message, message);
    }
}

#[test]
fn a_score_outside_the_range_is_invalid_and_the_range_is_noted() {
    let vector = "[[vectors]]\nanswers = { a = 1, b = 1, c = 5 }\nexpect = { s = 3 }";
    let instrument = parse(&made("method = \"sum\"\nrange = [3, 12]", vector));
    assert_eq!(
        instrument.notes(),
        [
            "scale `s` has range 3 to 12, but its items give 3 to 15; a score outside the range is invalid"
        ]
    );
    let full = score(&instrument, "s", &[("a", "5"), ("b", "5"), ("c", "1")]).unwrap();
    assert_eq!(full.invalid(), Some(Invalid::OutsideRange));
    assert_eq!(format!("{full:?}"), "Score(3 answered)");
}

#[test]
fn a_folder_adds_its_own_and_redefines_by_version_only() {
    let dir = tempfile::tempdir().unwrap();
    let built_in = || Catalogue::built_in().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let none = built_in().with_dir(&dir.path().join("none")).unwrap();
    assert_eq!(none.iter().count(), BUILT_IN.len());

    write("local.toml", &CARE.replace("id = \"care-measure\"", "id = \"local\""));
    write("notes.txt", "not a definition");
    // The same rules under the same version: only the digest is another.
    write("care.toml", &format!("# as we use it\n{CARE}"));
    let catalogue = built_in().with_dir(dir.path()).unwrap();
    let (local, care) = ("local".parse().unwrap(), "care-measure".parse().unwrap());
    assert_eq!(catalogue.provenance(&local), Some(&Provenance::Local { replaces: None }));
    let replaces = Some("2004".to_owned());
    assert_eq!(catalogue.provenance(&care), Some(&Provenance::Local { replaces }));
    assert_ne!(
        catalogue.instrument(&care).unwrap().sha256(),
        built_in().instrument(&care).unwrap().sha256()
    );

    let strict = CARE
        .replace("q8 = 3, q9 = \"DNA\"", "q8 = 3, q9 = 3, q10 = 4")
        .replace("mean-of-answered", "reject")
        .replace("max_missing = 2", "max_missing = 0");
    write("care.toml", &strict);
    let fault = built_in().with_dir(dir.path()).unwrap_err();
    assert_eq!(fault.message, "instrument `care-measure` 2004 is shipped, with other rules");
    write("care.toml", &strict.replace("version = \"2004\"", "version = \"2004-strict\""));
    let catalogue = built_in().with_dir(dir.path()).unwrap();
    assert_eq!(catalogue.instrument(&care).unwrap().version(), "2004-strict");

    write("more.toml", CARE);
    let fault = built_in().with_dir(dir.path()).unwrap_err();
    assert_eq!(fault.message, "another file of the folder is instrument `care-measure`");
    assert!(fault.place.unwrap().ends_with("more.toml"));

    let pfi = BUILT_IN.iter().find(|(name, _)| *name == "stanford-pfi.toml").unwrap().1;
    write("more.toml", &pfi.replace("site_must_confirm = true", "site_must_confirm = false"));
    let fault = built_in().with_dir(dir.path()).unwrap_err();
    let message =
        "instrument `stanford-pfi` needs a licence; a local file cannot do away with that";
    assert_eq!(fault.message, message);
}

proptest! {
    /// Whatever is answered, a score lies in its range, and the order of answers is no matter.
    #[test]
    fn a_score_lies_in_its_range(
        answers in prop::collection::vec((0_usize..19, 0_usize..7), 0..19),
        which in 0_usize..3,
    ) {
        let catalogue = Catalogue::built_in().unwrap();
        let cbi = catalogue.instrument(&"copenhagen-burnout".parse().unwrap()).unwrap();
        let scale = cbi.scales().nth(which).unwrap();
        let mut given: BTreeMap<&str, &str> = BTreeMap::new();
        for (item, code) in &answers {
            given.insert(cbi.items()[*item].as_str(), ["1", "2", "3", "4", "5", "NA", "NA"][*code]);
        }
        let licensed = cbi.licensed(None).unwrap();
        let forward = licensed.score(scale, given.iter().map(|(i, c)| (*i, *c))).unwrap();
        let backward = licensed.score(scale, given.iter().rev().map(|(i, c)| (*i, *c))).unwrap();
        prop_assert_eq!(forward.value(), backward.value());
        let counted = scale.items.iter().filter(|i| given.get(i.as_str()).is_some_and(|c| *c != "NA")).count();
        prop_assert_eq!(forward.answered(), counted);
        prop_assert_eq!(forward.value().is_some(), counted + 3 >= scale.items.len());
        if let Some(value) = forward.value() {
            prop_assert!((scale.range[0]..=scale.range[1]).contains(&value));
        }
    }
}
