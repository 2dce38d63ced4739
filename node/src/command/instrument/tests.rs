//! What the command prints, and the words of its faults.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::*;
use crate::office::profile::{Role, Said};
use crate::store::{self, Store, officer, profile};
use clap::Parser as _;
use std::collections::BTreeMap;
use tacit_shared::study::pin::Pin;
use tacit_shared::study::profile::document::Document;
use tempfile::TempDir;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: InstrumentArgs,
}

/// A folder with every shipped definition.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for kind in ["instruments", "composites"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(kind);
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    dir
}

fn write(dir: &TempDir, name: &str, text: &str) {
    std::fs::write(dir.path().join(name), text).unwrap();
}

/// Runs a line whose words that begin with `@` are files of the folder.
fn call(dir: &TempDir, line: &str) -> Result<String, Fault> {
    let word = |word: &str| match word.strip_prefix('@') {
        Some(name) => dir.path().join(name).display().to_string(),
        None => word.replace('_', " "),
    };
    let words = std::iter::once("instrument".to_owned()).chain(line.split(' ').map(word));
    let args = Line::try_parse_from(words).unwrap().args;
    tokio::runtime::Runtime::new().unwrap().block_on(run(&args))
}

/// The fault without the folder's name.
fn fault(dir: &TempDir, line: &str) -> String {
    let fault = call(dir, line).unwrap_err();
    assert_eq!(fault.audience.exit_code(), 2);
    fault.to_string().replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn check_says_what_a_definition_is() {
    let dir = folder();
    let text = call(&dir, "check @stanford-pfi.toml").unwrap();
    let sha256 = Instrument::open(&dir.path().join("stanford-pfi.toml")).unwrap().sha256();
    assert_eq!(
        text,
        format!(
            "stanford-pfi 2018: Professional Fulfillment Index
  source      Trockel et al. 2018, Acad Psychiatry 42:11-24
  filled in   by the clinician; a score is of one clinician-period
  licence     free-noncommercial, Stanford University, WellMD: locked until the site enters a licence reference
  items       16: f1 to f6, e1 to e4, d1 to d6
  codes       0 to 4, NA
  scale       fulfillment: mean of 6 items, 0 to 4, higher-better; none may be missing
  scale       burnout: mean of 10 items, 0 to 4, lower-better; none may be missing
  flag        burned_out: burnout at least 1.33
  flag        fulfilled: fulfillment at least 3
  own view    of a clinician from 1 responses on
  vectors     3 with 12 expectations: all hold
  sha256      {sha256}"
        )
    );
    // What the node knows needs no file.
    assert_eq!(call(&dir, "check stanford-pfi").unwrap(), text);
    let care = call(&dir, "check care-measure").unwrap();
    assert!(
        care.contains("\n  items       10: q1 to q10\n  codes       1 to 5, DNA, NA\n"),
        "{care}"
    );
    let imported = call(&dir, "check eq-5d").unwrap();
    assert!(imported.contains("\n  items       the scales: `code` is the score"), "{imported}");
    assert!(call(&dir, "check engagement").unwrap().contains("component   minutes"));
    assert_eq!(
        fault(&dir, "check care-mesure"),
        "there is no file `care-mesure`, and the program has no instrument of that id\n  hint: `tacit-node instrument list \
         --dir NODE` shows those that a node knows; its own need --dir NODE here too"
    );
    let json: Value =
        serde_json::from_str(&call(&dir, "check --json @mbi-scores-only.toml").unwrap()).unwrap();
    assert_eq!(
        json["licence"]["state"],
        "import of scores only, locked until the site enters a licence reference"
    );
    assert_eq!(json["vectors"], json!({"passed": 2, "expectations": 6}));
    assert_eq!(json["scales"][0]["method"], "imported");
    let text = call(&dir, "check @relational-experience.toml").unwrap();
    assert!(text.contains("\n  column      empathy_score\n"), "{text}");
    assert!(text.contains("\n  vectors     4: all hold\n"), "{text}");
}

#[test]
fn a_vector_that_fails_is_told_with_its_line() {
    let dir = folder();
    let care = std::fs::read_to_string(dir.path().join("care-measure.toml")).unwrap();
    write(&dir, "own.toml", &care.replace("total = 35", "total = 36"));
    assert_eq!(
        fault(&dir, "check @own.toml"),
        "vector 2: `total` is 35; expected 36\n  at:   own.toml:40\n  hint: docs/instruments.md explains every \
         key; configs/instruments/care-measure.toml is an example"
    );
    assert!(fault(&dir, "check @none.toml").starts_with("the definition cannot be read: "));
    write(&dir, "own.toml", "format = [");
    assert!(fault(&dir, "check @own.toml").contains("at:   own.toml:1"));
}

#[test]
fn answers_are_scored_row_by_row() {
    let dir = folder();
    write(&dir, "a.csv", "response;b1\r\nx1;3\r\n\r\nx2; 2\r\nx3;NA\r\nx4;\r\n");
    let text = call(&dir, "score @pwls-single.toml --answers @a.csv").unwrap();
    let sha256 = Instrument::open(&dir.path().join("pwls-single.toml")).unwrap().sha256();
    assert_eq!(
        text,
        format!(
            "line  level   burned-out
2     3.0000  yes
4     2.0000  no
5     -       -
6     -       -
4 rows, 4 scores, 2 of them not valid (-)
by pwls-single 1, sha256 {sha256}"
        )
    );
    let json: Value = serde_json::from_str(
        &call(&dir, "score @pwls-single.toml --json --answers @a.csv").unwrap(),
    )
    .unwrap();
    assert_eq!(json.as_array().unwrap().len(), 4);
    let row = json!({
        "line": 5, "instrument": "pwls-single", "version": "1", "sha256": sha256.to_string(),
        "scores": {"level": null}, "flags": {"burned-out": null},
        "detail": [{"scale": "level", "answered": 0, "invalid": "1 items are missing; at most 0 may be"}],
    });
    assert_eq!(json[2], row);
    assert_eq!(json[0]["scores"]["level"], json!(3.0));
}

#[test]
fn every_shape_of_json_gives_the_same_scores() {
    let dir = folder();
    write(
        &dir,
        "a.json",
        r#"[{"b1": 3, "id": "x"}, {"b1": "2"}, {"b1": 4.0}, {"b1": null}, {"id": 7}]"#,
    );
    write(
        &dir,
        "b.ndjson",
        "{\"b1\": 3}\n{\"b1\": \"2\"}\n\n{\"b1\": 4}\n{\"b1\": \"NA\"}\n{\"b1\": \"\"}\n",
    );
    write(&dir, "c.csv", "\u{feff}b1\n3\n2\n4\nNA\n\"\"\n");
    let scores = |file: &str| -> Vec<Value> {
        let text =
            call(&dir, &format!("score @pwls-single.toml --json --answers @{file}")).unwrap();
        let json: Vec<Value> = serde_json::from_str(&text).unwrap();
        json.into_iter().map(|row| row["scores"]["level"].clone()).collect()
    };
    let expected = [json!(3.0), json!(2.0), json!(4.0), Value::Null, Value::Null];
    for file in ["a.json", "b.ndjson", "c.csv"] {
        assert_eq!(scores(file), expected, "{file}");
    }
    write(&dir, "d.json", "{\n \"b1\": 5\n}\n");
    assert_eq!(scores("d.json"), [json!(5.0)]);
}

#[test]
fn a_wrong_answer_is_told_by_line_and_item_and_never_quoted() {
    let dir = folder();
    let cases = [
        (
            "b1\n3\n77\n",
            "the answer to item `b1` is not a code of the instrument; expected 1, 2, 3, 4, 5, NA",
            ":3",
        ),
        (
            "b1\n3.0\n",
            "the answer to item `b1` is not a code of the instrument; expected 1, 2, 3, 4, 5, NA",
            ":2",
        ),
        ("b1,b1\n3,4\n", "item `b1` has two columns", ""),
        ("3\n4\n", "no column is an item of the instrument", ""),
        ("b1,id\n3\n", "the row has 1 fields; the header has 2", ":2"),
        ("", "the file is empty", ""),
        (
            "[{\"b1\": 77}]",
            "the answer to item `b1` is not a code of the instrument; expected 1, 2, 3, 4, 5, NA",
            ", entry 1",
        ),
        (
            "[{\"b1\": true}]",
            "not an object of answers: each key once, each answer a text, a number or null",
            ":1:12",
        ),
        (
            "[{\"b1\": 1, \"b1\": 77}]",
            "not an object of answers: each key once, each answer a text, a number or null",
            ":1:20",
        ),
        ("{\"b1\": 1}\n{\"b1\": 77", "the file is not JSON", ":2:9"),
        (
            "[{\"b1\": [77]}]",
            "not an object of answers: each key once, each answer a text, a number or null",
            ":1:9",
        ),
    ];
    for (text, message, place) in cases {
        write(&dir, "a", text);
        let told = fault(&dir, "score @pwls-single.toml --answers @a");
        let (first, rest) = told.split_once("\n  at:   ").unwrap();
        assert_eq!(first, message, "{text}");
        let (at, hint) = rest.split_once("\n  hint: ").unwrap();
        assert_eq!(at, format!("a{place}"), "{text}");
        assert!(!told.contains("77") && !hint.is_empty(), "{told}");
    }
}

#[test]
fn a_misspelt_item_is_not_taken_for_missing() {
    let dir = folder();
    write(&dir, "a.csv", "id,n1,n2,N3\nx,4,4,4\n");
    assert_eq!(
        fault(&dir, "score @hcahps-communication.toml --answers @a.csv"),
        "column `N3` is no item, and item `n3` has no column\n  at:   a.csv\n  hint: correct its name, or say \
         `--ignore NAME` if it is none"
    );
    let text = call(&dir, "score @hcahps-communication.toml --answers @a.csv --ignore N3").unwrap();
    assert!(text.contains("2     100.0000"), "{text}");
    // A file may leave out items, and may have more columns than items.
    write(&dir, "a.csv", "id,n1,n2\nx,4,1\n");
    assert!(
        call(&dir, "score @hcahps-communication.toml --answers @a.csv")
            .unwrap()
            .contains("50.0000")
    );
    write(&dir, "a.csv", "ward,b1,remark\nx,4,none\n");
    assert!(call(&dir, "score @pwls-single.toml --answers @a.csv").unwrap().contains("4.0000"));
}

#[test]
fn a_locked_instrument_scores_under_a_licence_only() {
    let dir = folder();
    write(&dir, "a.csv", "ee,dp,pa\n27,10,33.5\n55,,0\n");
    assert_eq!(
        fault(&dir, "score @mbi-scores-only.toml --answers @a.csv"),
        "instrument `mbi-scores-only` is locked: its licence is licensed, held by Mind Garden, Inc., and the site \
         has entered none\n  at:   mbi-scores-only.toml\n  hint: once the site has a licence, name it in \
         node.toml: [licences] mbi-scores-only = \"contract, letter or date\""
    );
    let text = call(&dir, "score @mbi-scores-only.toml --json --answers @a.csv --licence order_12")
        .unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["scores"], json!({"ee": 27.0, "dp": 10.0, "pa": 33.5}));
    assert_eq!(json[0]["licence"], "order 12");
    assert_eq!(json[1]["scores"], json!({"ee": null, "dp": null, "pa": 0.0}));
    assert_eq!(json[1]["detail"][0]["invalid"], "outside the range of the scale");

    let config = Config::new("127.0.0.1:7843".parse().unwrap()).to_toml().unwrap();
    write(&dir, "node.toml", &format!("{config}\n[licences]\nmbi-scores-only = \"order 12\"\n"));
    let by_node =
        call(&dir, "score @mbi-scores-only.toml --json --answers @a.csv --dir @").unwrap();
    assert_eq!(by_node, text);
    write(&dir, "a.csv", "ee,dp,pa\nhigh,10,33\n");
    let told = fault(&dir, "score @mbi-scores-only.toml --answers @a.csv --dir @");
    assert!(told.starts_with("the imported score `ee` is no number\n  at:   a.csv:2\n"), "{told}");
}

#[test]
fn the_list_tells_what_is_locked_and_what_is_local() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::new("127.0.0.1:7843".parse().unwrap()).to_toml().unwrap();
    write(&dir, "node.toml", &format!("{config}\n[licences]\nstanford-pfi = \"letter\"\n"));
    std::fs::create_dir(dir.path().join("instruments")).unwrap();
    let care =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/instruments/care-measure.toml");
    let care = std::fs::read_to_string(care).unwrap();
    write(&dir, "instruments/own.toml", &care.replace("id = \"care-measure\"", "id = \"ward-7\""));
    let json: Value = serde_json::from_str(&call(&dir, "list --json --dir @").unwrap()).unwrap();
    let of = |id: &str| json.as_array().unwrap().iter().find(|i| i["id"] == id).unwrap().clone();
    assert_eq!(
        (of("stanford-pfi")["state"].as_str(), of("stanford-pfi")["licence_reference"].as_str()),
        (Some("active"), Some("letter"))
    );
    assert_eq!(of("mbi-scores-only")["state"], "locked, import only");
    assert!(call(&dir, "check ward-7 --dir @").unwrap().starts_with("ward-7 "));
    assert_eq!(
        (of("ward-7")["from"].as_str(), of("care-measure")["from"].as_str()),
        (Some("here"), Some("shipped"))
    );
    let text = call(&dir, "list").unwrap();
    assert_eq!(text.lines().count(), 14);
    assert!(
        text.ends_with(
            "\n`tacit-node instrument check ID` shows the items, codes and scales of one."
        )
    );
    let line = text.lines().find(|line| line.starts_with("mini-z ")).unwrap();
    assert!(
        line.starts_with(
            "mini-z                2.0           clinician   clinician-period  locked    "
        ),
        "{text}"
    );
}

#[test]
fn the_lines_that_pin_are_those_that_a_study_reads() {
    let dir = tempfile::tempdir().unwrap();
    let lines = call(&dir, "list --toml").unwrap();
    let all: BTreeMap<String, BTreeMap<String, Pin>> = toml::from_str(&lines).unwrap();
    assert_eq!((all["instruments"].len(), all["composites"].len()), (12, 2));
    let file = include_bytes!("../../../../configs/instruments/mini-z.toml");
    let pin = &all["instruments"]["mini-z"];
    assert_eq!((pin.version(), pin.sha256()), ("2.0", tacit_shared::codec::sha256(file)));
    // The studies that come along are scored by the definitions that come along.
    let study = include_str!("../../../../configs/studies/empathy-billing.toml");
    let study = tacit_shared::study::Study::parse(study).unwrap();
    assert_eq!(study.instruments().len(), 2);
    for (id, pin) in study.instruments() {
        assert_eq!(Some(pin), all["instruments"].get(id.as_str()), "{id}");
    }
}

#[test]
fn a_composite_is_scored_with_all_that_travels() {
    let dir = folder();
    write(&dir, "a.csv", "id,care,decisions\nx,30,4.5\ny,30,\nz,,9\n");
    let text = call(&dir, "score @relational-experience.toml --answers @a.csv").unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("line  score   share  pattern  reason"));
    assert_eq!(lines.next(), Some("2     0.5000  1.00   11"));
    assert_eq!(lines.next(), Some("3     0.5000  0.70   10"));
    assert_eq!(lines.next(), Some("4     -       0.30   01       the anchor `care` is absent"));
    let json: Value = serde_json::from_str(
        &call(&dir, "score @relational-experience.toml --json --answers @a.csv").unwrap(),
    )
    .unwrap();
    assert_eq!(json[1]["empathy_score"], json!(0.5));
    assert_eq!(json[1]["pattern"], "10");
    assert_eq!(json[1]["sha256"].as_str().unwrap().len(), 64);

    write(&dir, "b.csv", "ln-rmssd,opt_in\n-1.5,1\n-2,0\n-2,\n");
    let told = fault(&dir, "score @physiological-load.toml --answers @b.csv");
    assert!(
        told.starts_with(
            "composite `physiological-load` needs the profile `ethics-approved-research`"
        ),
        "{told}"
    );
    write(&dir, "node.toml", &Config::new("127.0.0.1:7843".parse().unwrap()).to_toml().unwrap());
    let told = fault(&dir, "score @physiological-load.toml --answers @b.csv --dir @");
    assert!(told.contains("here `self-report-only` is in force"), "{told}");
    tokio::runtime::Runtime::new().unwrap().block_on(in_force(dir.path()));
    std::fs::create_dir(dir.path().join("instruments")).unwrap();
    let text =
        call(&dir, "score @physiological-load.toml --json --answers @b.csv --dir @").unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let values: Vec<&Value> =
        json.as_array().unwrap().iter().map(|row| &row["values"]["ln-rmssd"]).collect();
    assert_eq!(values, [&json!(-1.5), &Value::Null, &Value::Null]);
    write(&dir, "b.csv", "ln-rmssd,opt_in\n-1.5,yes\n");
    let told = fault(&dir, "score @physiological-load.toml --answers @b.csv --dir @");
    assert!(told.starts_with("`opt_in` is neither 1 nor 0\n  at:   b.csv:2\n"), "{told}");
}

/// Has two people sign the profile for research.
async fn in_force(dir: &Path) {
    let store = Store::open(&dir.join(store::FILE)).await.unwrap();
    let keys = ["officer.p8", "staff.p8"].map(|name| officer::create_key(&dir.join(name)).unwrap());
    officer::pin(&store, &keys[0].verifying_key(), 1).await.unwrap();
    profile::pin(&store, &keys[1].verifying_key(), 1).await.unwrap();
    let text = include_str!("../../../../configs/profiles/ethics-approved-research.toml");
    let text = text.replace("2027-12-31", "9999-12-31");
    let document = Document::parse(&text).unwrap();
    let at_s = crate::link::session::unix_now();
    for (key, role) in keys.iter().zip([Role::Officer, Role::StaffRepresentative]) {
        profile::say(&store, key, (&document, &text), (role, Said::Given), at_s).await.unwrap();
    }
    store.close().await;
}
