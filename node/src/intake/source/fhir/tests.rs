//! Resources as HL7 publishes them, and as nobody should write them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::*;
use crate::intake::source::Refused;
use crate::intake::source::tests::real;
use crate::store::bulk::Cell;
use std::path::PathBuf;

/// Rows by table, refusals and notes.
#[derive(Default)]
struct Found {
    rows: BTreeMap<String, Vec<Vec<String>>>,
    refused: Vec<String>,
    notes: Vec<String>,
    columns: BTreeMap<String, Vec<String>>,
}

impl Found {
    fn cell(&self, table: &str, row: usize, column: &str) -> &str {
        let at = self.columns[table].iter().position(|c| c == column).unwrap();
        &self.rows[table][row][at + 1]
    }

    fn count(&self, table: &str) -> usize {
        self.rows.get(table).map_or(0, Vec::len)
    }
}

fn shown(cell: Cell) -> String {
    match cell {
        Cell::Null => "-".to_owned(),
        Cell::Integer(value) => value.to_string(),
        Cell::Real(value) => format!("{value:?}"),
        Cell::Text(text) => text,
        Cell::Blob(_) => "bytes".to_owned(),
    }
}

fn read_path(path: &Path) -> Result<Found, Fault> {
    let mut bulk = Bulk::open(path)?;
    let mut found = Found::default();
    for table in bulk.tables() {
        let columns = table.columns.iter().map(|c| c.name.clone()).collect();
        found.columns.insert(table.name.clone(), columns);
    }
    let mut step = Step::default();
    while bulk.step(&mut step)? {
        for (table, row) in step.rows.drain(..) {
            let table = &bulk.tables()[table];
            assert_eq!(row.len(), table.columns.len() + 1, "{}", table.name);
            let row = row.into_iter().map(shown).collect();
            found.rows.entry(table.name.clone()).or_default().push(row);
        }
        for refused in step.refused.drain(..) {
            let table = &bulk.tables()[refused.table].name;
            let Refused { line, column, reason, .. } = refused;
            found.refused.push(format!("{table}:{line} {column}: {reason}"));
        }
    }
    found.notes = bulk.notes();
    Ok(found)
}

fn read_text(text: &str) -> Result<Found, Fault> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ndjson");
    std::fs::write(&path, text).unwrap();
    let prefix = format!("{}/", dir.path().display());
    read_path(&path).map_err(|mut fault| {
        fault.place = fault.place.map(|place| place.replace(&prefix, ""));
        fault
    })
}

fn samples() -> Option<PathBuf> {
    real("formats/fhir-r4/ndjson")
}

#[test]
fn the_published_examples_land_flat() {
    let Some(folder) = samples() else { return };
    let found = read_path(&folder).unwrap();
    assert_eq!(found.refused, Vec::<String>::new());
    // A patient who stands within the form itself has no id that another row could share.
    assert_eq!(
        found.notes,
        ["QuestionnaireResponse.subject names no Patient by an id: left empty, 1 times"]
    );
    let counts: Vec<(&str, usize)> =
        found.rows.iter().map(|(t, rows)| (t.as_str(), rows.len())).collect();
    let expected = [
        ("raw_answer", 7),
        ("raw_consent", 4),
        ("raw_encounter", 3),
        ("raw_observation", 4),
        ("raw_practitioner_role", 1),
        ("raw_response", 2),
        ("raw_sample", 3 * 116),
    ];
    assert_eq!(counts, expected);
    // Consent has four lines, so Encounter begins with the fifth.
    assert_eq!(found.rows["raw_encounter"][0][0], "5");
    let encounter = |row, column| found.cell("raw_encounter", row, column);
    assert_eq!((encounter(0, "clinician"), encounter(0, "minutes")), ("f002", "140.0"));
    assert_eq!((encounter(0, "start_us"), encounter(0, "patient")), ("-", "f001"));
    assert_eq!((encounter(2, "class"), encounter(2, "minutes")), ("HH", "30.0"));
    assert_eq!((encounter(2, "start_us"), encounter(2, "tz_min")), ("1421474400000000", "600"));
    let state: Vec<&str> = (0..4).map(|row| found.cell("raw_consent", row, "state")).collect();
    assert_eq!(state, ["given", "refused", "given", "given"]);
    let exceptions: Vec<&str> =
        (0..4).map(|row| found.cell("raw_consent", row, "exceptions")).collect();
    assert_eq!(exceptions, ["0", "1", "0", "3"]);
    assert_eq!(found.cell("raw_observation", 0, "value"), "44.0");
    assert_eq!(found.cell("raw_observation", 0, "unit"), "/min");
    let sample = |row, column| found.cell("raw_sample", row, column);
    // (2041 × 1.612) + 2048, ten milliseconds a sample
    assert_eq!(sample(0, "value"), format!("{:?}", 2048.0 + 1.612 * 2041.0));
    assert_eq!((sample(1, "offset_us"), sample(0, "t_us")), ("10000", "1424334635000000"));
    let answers: Vec<String> = (3..7)
        .map(|row| {
            format!(
                "{} {}",
                found.cell("raw_answer", row, "item"),
                found.cell("raw_answer", row, "code")
            )
        })
        .collect();
    assert_eq!(answers, ["1.1 1", "1.1.1.1 1", "1.1.1.2 1", "1.1.1.3 0"]);
    assert_eq!(
        (found.cell("raw_response", 0, "source_type"), found.cell("raw_response", 0, "source")),
        ("Practitioner", "f007")
    );
    assert_eq!(found.cell("raw_practitioner_role", 0, "specialty"), "408443003");
    let cells = found.rows.values().flatten().flatten().map(String::as_str);
    let everything = cells.collect::<Vec<_>>().join("\n");
    for name in ["Heuvel", "Voigt", "Careful", "188912345", "5555", "lawyer"] {
        assert!(!everything.contains(name), "{name}");
    }
}

#[test]
fn of_a_patient_the_key_lands_and_nothing_else() {
    let found = read_text(
        r#"{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}],"birthDate":"1970-01-01","shoeSize":43}"#,
    )
    .unwrap();
    assert_eq!(found.rows["raw_patient"], [["1", "p1"]]);
    assert_eq!(found.notes, ["Patient.shoeSize is no field of FHIR R4: ignored, 1 times"]);
}

#[test]
fn fields_within_an_element_are_counted_and_may_not_turn_its_meaning_round() {
    let found = read_text(
        r#"{"participant":[{"individual":{"reference":"Practitioner/d"},"mood":1},{"mood":{}}],"resourceType":"Encounter","id":"e","subject":{"reference":"Group/g"},"hospitalization":{"Jane Doe":1}}
{"resourceType":"QuestionnaireResponse","id":"q","status":"completed","subject":{"reference":"urn:uuid:7"},"item":[{"linkId":"a","item":[{"answer":[{"valueInteger":1,"colour":2,"item":[{"linkId":"b","_text":{},"shade":[]}]}]}]}]}
{"resourceType":"Consent","id":"c","status":"active","patient":{"reference":"Patient/p"},"provision":{"provision":[{"modifierExtension":[{}]}]}}
{"resourceType":"Consent","id":"d","status":"active","patient":{"identifier":{"value":"4711"}},"provision":{"type":"permit","securityLabel":[{"code":"R"}],"dataPeriod":{"start":"2026-01-01"}}}"#,
    )
    .unwrap();
    assert_eq!(
        found.notes,
        [
            "Encounter.hospitalization.(no name) is no field of FHIR R4: ignored, 1 times",
            "Encounter.participant.mood is no field of FHIR R4: ignored, 2 times",
            "QuestionnaireResponse.answer.colour is no field of FHIR R4: ignored, 1 times",
            "QuestionnaireResponse.item.shade is no field of FHIR R4: ignored, 1 times",
            "Consent.patient names no Patient by an id: left empty, 1 times",
            "Encounter.subject names no Patient by an id: left empty, 1 times",
            "QuestionnaireResponse.subject names no Patient by an id: left empty, 1 times",
        ]
    );
    assert_eq!(
        found.refused,
        [
            "raw_consent:3 modifierExtension: may turn the resource's meaning round, and is not understood"
        ]
    );
    assert_eq!(found.cell("raw_encounter", 0, "readmission"), "-", "nothing said is not a no");
    // A label and a span of the data narrow what is permitted.
    assert_eq!(found.cell("raw_consent", 0, "exceptions"), "2");
    assert_eq!(found.cell("raw_consent", 0, "state"), "given");
}

#[test]
fn sampled_data_keeps_its_markers_and_dimensions() {
    let found = read_text(
        r#"{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"code":"x"}]},"effectivePeriod":{"start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:01Z"},"valueSampledData":{"origin":{"value":1,"system":"http://unitsofmeasure.org","code":"uS"},"period":250,"factor":0.5,"dimensions":2,"data":"2 E L U -1 4"}}"#,
    )
    .unwrap();
    let row = |nth: usize| {
        ["dimension", "offset_us", "value", "marker", "unit"]
            .map(|c| found.cell("raw_sample", nth, c).to_owned())
            .join(" ")
    };
    let rows: Vec<String> = (0..6).map(row).collect();
    assert_eq!(
        rows,
        [
            "0 0 2.0 - uS",
            "1 0 - E uS",
            "0 250000 - L uS",
            "1 250000 - U uS",
            "0 500000 0.5 - uS",
            "1 500000 3.0 - uS"
        ]
    );
    assert_eq!(found.cell("raw_observation", 0, "samples"), "6");
}

#[test]
fn what_cannot_be_trusted_is_a_reject_with_line_and_field() {
    let observation = |code: &str, value: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"o","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},{value}}}"#
        )
    };
    let ucum = |code: &str| {
        format!(
            r#""valueQuantity":{{"value":1,"system":"http://unitsofmeasure.org","code":"{code}"}}"#
        )
    };
    let sampled = |rest: &str| format!(r#""valueSampledData":{{"origin":{{"value":0}},{rest}}}"#);
    let many = "1 ".repeat(100_001);
    let lines = [
        observation("8867-4", &ucum("Hz")),
        observation("8867-4", r#""valueQuantity":{"value":60,"unit":"bpm"}"#),
        observation("1-1", r#""valueQuantity":{"value":60,"comparator":"<"}"#),
        observation("1-1", &sampled(r#""period":10,"dimensions":0,"data":"1""#)),
        observation("1-1", &sampled(r#""period":0,"dimensions":1,"data":"1""#)),
        observation("1-1", &sampled(r#""period":10,"dimensions":1,"data":"1 Q""#)),
        observation("1-1", &sampled(&format!(r#""period":10,"dimensions":1,"data":"{many}""#))),
        r#"{"resourceType":"Encounter","status":"finished"}"#.to_owned(),
        r#"{"resourceType":"Encounter","id":"e","class":[{"coding":[]}]}"#.to_owned(),
        r#"{"resourceType":"Encounter","id":"e","length":{"value":2,"unit":"h"}}"#.to_owned(),
        r#"{"resourceType":"Consent","id":"c","status":"active","modifierExtension":[]}"#
            .to_owned(),
    ];
    let found = read_text(&lines.join("\n")).unwrap();
    assert_eq!(
        found.refused,
        [
            "raw_observation:1 valueQuantity: in a unit that is not one of /min, 1/min, {beats}/min, {Beats}/min, {H.B.}/min",
            "raw_observation:2 valueQuantity: without a UCUM code for its unit; expected one of /min, 1/min, {beats}/min, {Beats}/min, {H.B.}/min",
            "raw_observation:3 valueQuantity: a bound (`<` or `>`), not a value",
            "raw_observation:4 valueSampledData: dimensions that are not 1 to 64",
            "raw_observation:5 valueSampledData: a period that is not 0.001 to 3600000 ms",
            "raw_observation:6 valueSampledData: a sample that is no number, E, L or U",
            "raw_observation:7 valueSampledData: more than 100000 samples",
            "raw_encounter:8 id: missing",
            "raw_encounter:9 resource: not shaped as in FHIR R4, at character 46",
            "raw_encounter:10 length: in a unit that is not one of min, s, h, d, wk",
            "raw_consent:11 modifierExtension: may turn the resource's meaning round, and is not understood",
        ]
    );
    assert_eq!(found.rows.len(), 0);
}

#[test]
fn what_is_left_out_is_counted() {
    let found = read_text(
        "{\"resourceType\":\"Provenance\"}\n{\"resourceType\":\"Provenance\"}\n\
         {\"resourceType\":\"QuestionnaireResponse\",\"id\":\"q\",\"status\":\"in-progress\"}\n\
         {\"resourceType\":\"Observation\",\"id\":\"o\",\"status\":\"final\",\"valueString\":\"x\"}\n",
    )
    .unwrap();
    assert_eq!(
        found.notes,
        [
            "Observation: without a number: left out, 1 times",
            "Provenance: not a type that is read: left out, 2 times",
            "QuestionnaireResponse: neither completed nor amended: left out, 1 times",
        ]
    );
    assert_eq!(found.count("raw_response"), 0);
}

#[test]
fn what_is_no_resource_stops_the_import() {
    let fault = |text: &str| read_text(text).err().unwrap().to_string();
    assert_eq!(
        fault("{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"id\":1}\n"),
        "the object has no `resourceType`, so it is no FHIR resource\n  at:   a.ndjson:2\n  hint: of other \
         NDJSON, say NAME.ndjson=FILE"
    );
    let pretty = fault("{\n \"resourceType\": \"Patient\"\n}\n");
    assert!(
        pretty.starts_with("the line ends within a JSON object\n  at:   a.ndjson:1:"),
        "{pretty}"
    );
    let dir = tempfile::tempdir().unwrap();
    let found = Bulk::open(dir.path()).err().unwrap();
    assert_eq!(found.message, "the folder has no NDJSON file");
}

#[test]
fn answers_nested_too_deep_are_a_reject() {
    let deep = |levels: usize| {
        let open = r#"{"linkId":"1","item":["#.repeat(levels);
        let close = "]}".repeat(levels);
        format!(
            r#"{{"resourceType":"QuestionnaireResponse","id":"q","status":"completed","item":[{open}{close}]}}"#
        )
    };
    assert_eq!(read_text(&deep(50)).unwrap().count("raw_response"), 1);
    let found = read_text(&deep(2_000)).unwrap();
    assert_eq!(found.count("raw_response"), 0);
    assert!(
        found.refused[0].starts_with("raw_response:1 resource: not shaped as in FHIR R4"),
        "{:?}",
        found.refused
    );
}

proptest::proptest! {
    #[test]
    fn arbitrary_lines_never_panic(
        pieces in proptest::collection::vec(
            "\\{\"resourceType\":\"(Encounter|Observation|Consent|Patient|QuestionnaireResponse|PractitionerRole)\"|\
             ,\"(id|status|period|length|item|answer|component|valueSampledData|provision|subject|code)\":|\
             \"[a-z/#|.0-9-]{0,12}\"|[-0-9.eE]{1,6}|[\\[\\]{}:,]|null|true|\n",
            0..40,
        ),
    ) {
        let _ = read_text(&pieces.concat());
    }
}
