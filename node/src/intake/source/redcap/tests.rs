//! Exports as `REDCap` writes them: of invented people, and generated.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::*;
use crate::intake::source::Refused;
use crate::intake::source::tests::real;
use std::fmt::Write as _;
use std::path::PathBuf;

const HEADER: &str = "\"Variable / Field Name\",\"Form Name\",\"Field Type\",\"Choices, Calculations, OR Slider Labels\",\
    \"Text Validation Type OR Show Slider Number\",Identifier?\n";
const DICTIONARY: &str = "staff_id,staff,text,,,y\nname,staff,text,,,y\nunit,staff,radio,\"1, Ward | 2, Clinic\",,\n\
    days,staff,checkbox,\"1, Monday | -1, Never\",,\nseen,staff,text,,date_dmy,\nnote,staff,notes,,,\n\
    cbi_c1,cbi,dropdown,\"1, Never | 2, Always\",,\nage,cbi,text,,integer,\nscore,cbi,calc,a+b,,\nmail,cbi,text,,email,\n";

struct Found {
    rows: BTreeMap<String, Vec<String>>,
    refused: Vec<String>,
    notes: Vec<String>,
    columns: Vec<String>,
}

fn shown(cell: Cell) -> String {
    match cell {
        Cell::Null => "-".to_owned(),
        Cell::Integer(value) => value.to_string(),
        Cell::Text(text) => text,
        _ => "?".to_owned(),
    }
}

fn read(records: &Path, dictionary: &Path) -> Result<Found, Fault> {
    let mut export = Export::open("forms", records, dictionary)?;
    let names: Vec<String> = export.tables().iter().map(|t| t.name.clone()).collect();
    let columns =
        export.tables[0].columns.iter().map(|c| format!("{} {}", c.name, c.affinity)).collect();
    let mut found =
        Found { rows: BTreeMap::new(), refused: Vec::new(), notes: export.notes(), columns };
    let mut step = Step::default();
    while export.step(&mut step)? {
        for (table, row) in step.rows.drain(..) {
            assert_eq!(row.len(), export.tables()[table].columns.len() + 1);
            let row: Vec<String> = row.into_iter().map(shown).collect();
            found.rows.entry(names[table].clone()).or_default().push(row.join("|"));
        }
        for Refused { line, column, reason, .. } in step.refused.drain(..) {
            found.refused.push(format!("{line} {column}: {reason}"));
        }
    }
    Ok(found)
}

fn read_text(records: &str) -> Result<Found, String> {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("r.csv"), dir.path().join("d.csv"));
    std::fs::write(&a, records).unwrap();
    std::fs::write(&b, format!("{HEADER}{DICTIONARY}")).unwrap();
    let prefix = format!("{}/", dir.path().display());
    read(&a, &b).map_err(|fault| fault.to_string().replace(&prefix, ""))
}

fn samples(name: &str) -> Option<PathBuf> {
    real(&format!("formats/redcap/{name}"))
}

fn sample(name: &str) -> Option<Found> {
    let folder = samples(name)?;
    Some(read(&folder.join("data.csv"), &folder.join("dictionary.csv")).unwrap())
}

#[test]
fn forms_boxes_times_and_instances_land_flat() {
    let found = read_text(
        "staff_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,redcap_survey_identifier,name,unit,\
         days___1,days____1,seen,note,staff_complete,cbi_timestamp,cbi_c1,age,score,mail,cbi_complete\n\
         D1,july_arm_1,,,a@b,Ann,2,1,0,2026-07-01,hello,2,,,,,,\n\
         D1,july_arm_1,cbi,2,,,,,,,,,2026-07-02 10:00:00,1,41,3.5,a@b,2\n\
         D2,july_arm_1,cbi,1,,,,,,,,,[not completed],,,,,0\n",
    )
    .unwrap();
    assert_eq!(found.refused, Vec::<String>::new());
    assert_eq!(
        found.columns.join(", "),
        "staff_id TEXT, redcap_event_name TEXT, redcap_repeat_instrument TEXT, redcap_repeat_instance INTEGER, unit TEXT, \
         days___1 INTEGER, days____1 INTEGER, seen TEXT, staff_complete INTEGER, cbi_timestamp TEXT, cbi_c1 TEXT, age INTEGER, \
         score REAL, cbi_complete INTEGER"
    );
    assert_eq!(found.rows["raw_forms"][0], "2|D1|july_arm_1|-|-|2|1|0|2026-07-01|2|-|-|-|-|-");
    assert_eq!(
        found.rows["raw_forms_form"],
        [
            "2|D1|july_arm_1|staff|-|-|-|2",
            "3|D1|july_arm_1|cbi|2|2026-07-02 10:00:00|1|2",
            "4|D2|july_arm_1|cbi|1|-|0|0",
        ]
    );
    assert_eq!(
        found.rows["raw_forms_answer"],
        [
            "2|D1|july_arm_1|staff|-|unit|2",
            "2|D1|july_arm_1|staff|-|days|1",
            "2|D1|july_arm_1|staff|-|seen|2026-07-01",
            "3|D1|july_arm_1|cbi|2|cbi_c1|1",
            "3|D1|july_arm_1|cbi|2|age|41",
            "3|D1|july_arm_1|cbi|2|score|3.5",
        ]
    );
    assert_eq!(
        found.notes,
        [
            "1 columns never land (contact or identifier by its type): mail",
            "1 columns never land (free text): note",
            "2 columns never land (identifier): name, redcap_survey_identifier",
        ]
    );
}

#[test]
fn what_the_dictionary_does_not_admit_is_a_reject_with_line_and_field() {
    let found = read_text(
        "staff_id,redcap_repeat_instrument,redcap_repeat_instance,unit,days___1,seen,cbi_timestamp,age,score,cbi_complete\n\
         D1,,,3,,,,,,\nD2,,,Ward,,,,,,\nD3,,,,2,,,,,\nD4,,,,,01.07.2026,,,,\nD5,,,,,,yesterday,,,\n\
         D6,,,,,,,4.5,,\nD7,,,,,,,,inf,\nD8,,,,,,,,,Complete\n,,,1,,,,,,\nD9,burnout,x,,,,,,,\nD10,,,1,,2026-13-01,,,,\n",
    )
    .unwrap();
    assert_eq!(
        found.refused,
        [
            "2 unit: not a code of the data dictionary",
            "3 unit: a choice's label, not its code: export raw values",
            "4 days: a box that is neither 0 nor 1",
            "5 seen: not a day (YYYY-MM-DD), or a day and time",
            "6 cbi_timestamp: neither a time (YYYY-MM-DD HH:MM:SS) nor `[not completed]`",
            "7 age: not a whole number",
            "8 score: not a number",
            "9 cbi_complete: not 0, 1 or 2",
            "10 staff_id: missing",
            "11 redcap_repeat_instance: not a whole number",
            "11 redcap_repeat_instrument: not a form of the dictionary",
            "12 seen: not a day (YYYY-MM-DD), or a day and time",
        ]
    );
    assert_eq!(found.rows.len(), 0);
}

#[test]
fn an_export_of_another_project_is_refused() {
    let fault = |text: &str| read_text(text).err().unwrap();
    assert_eq!(
        fault("record_id,unit\n"),
        "column 1 is `record_id`; expected `staff_id` as the first alone\n  at:   r.csv:1\n  hint: the dictionary's \
         first field names the record: is it this project's?"
    );
    assert_eq!(
        fault("staff_id,shoe_size\n"),
        "the data dictionary does not know column `shoe_size`\n  at:   r.csv:1\n  hint: what a column holds must be \
         known before it lands: export raw values with variable names as header, and take the dictionary of the same day"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.csv");
    std::fs::write(&path, "staff_id,unit\n").unwrap();
    let found = Dictionary::open(&path).unwrap_err();
    assert_eq!(
        found.message,
        "the file is no data dictionary: it has no column `variable___field_name` or `field_name`"
    );
    std::fs::write(&path, format!("{HEADER}a,f,text,,,\nb,f,radio,\"1 Yes\",,\n")).unwrap();
    let found = Dictionary::open(&path).unwrap_err();
    assert_eq!(found.message, "a choice has no comma between code and label");
    assert!(found.place.unwrap().ends_with("d.csv:3"));
}

#[test]
fn a_longitudinal_export_lands_without_names() {
    let Some(found) = sample("longitudinal") else { return };
    assert_eq!(found.refused, Vec::<String>::new());
    let wide = &found.rows["raw_forms"];
    assert_eq!(wide.len(), 18);
    assert!(
        found.rows["raw_forms_answer"]
            .contains(&"2|100|enrollment_arm_1|demographics|-|gym|0".to_owned())
    );
    let everything = found.rows.values().flatten().cloned().collect::<String>();
    for name in ["Zharko", "Lenox", "555-1212", "gmail", "1983-09-23", "earnest"] {
        assert!(!everything.contains(name), "{name}");
    }
}

#[test]
fn repeating_forms_keep_their_instance() {
    let Some(found) = sample("repeating-instruments") else { return };
    assert_eq!(found.refused, Vec::<String>::new());
    assert_eq!(found.rows["raw_forms"].len(), 6);
    let bp = found.rows["raw_forms_form"].iter().filter(|row| row.contains("|bp|"));
    assert_eq!(bp.count(), 4);
    assert!(found.rows["raw_forms_answer"].contains(&"4|1|-|bp|2|bp_systolic|111".to_owned()));
}

#[test]
fn a_survey_that_is_not_completed_has_no_time() {
    let Some(found) = sample("survey") else { return };
    assert_eq!(found.refused, Vec::<String>::new());
    let forms = &found.rows["raw_forms_form"];
    assert!(forms.contains(&"2|1|-|participant_morale_questionnaire|-|-|0|0".to_owned()));
    assert!(forms.contains(&"2|1|-|prescreening_survey|-|2018-03-06 15:52:43|1|2".to_owned()));
}

/// A dictionary with a matrix of boxes, and its export: `fields` texts and twenty fields of `codes` boxes.
fn matrix(fields: usize, codes: usize) -> Result<Found, String> {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("r.csv"), dir.path().join("d.csv"));
    let mut dictionary = format!("{HEADER}staff_id,staff,text,,,y\n");
    let (mut header, mut line) = ("staff_id".to_owned(), "D1".to_owned());
    for field in 0..fields {
        let _ = writeln!(dictionary, "f{field},staff,text,,integer,");
        let _ = write!(header, ",f{field}");
        let _ = write!(line, ",{field}");
    }
    let choices: Vec<String> = (0..codes).map(|code| format!("{code}, Code")).collect();
    for field in 0..20 {
        let _ = writeln!(dictionary, "m{field},cbi,checkbox,\"{}\",,", choices.join(" | "));
        for code in 0..codes {
            let _ = write!(header, ",m{field}___{code}");
            line.push_str(if code == field { ",1" } else { ",0" });
        }
    }
    std::fs::write(&a, format!("{header}\n{line}\n")).unwrap();
    std::fs::write(&b, dictionary).unwrap();
    let prefix = format!("{}/", dir.path().display());
    read(&a, &b).map_err(|fault| fault.to_string().replace(&prefix, ""))
}

#[test]
fn a_wide_export_lands_whole_and_a_wider_one_with_its_boxes_apart() {
    let found = matrix(998, 50).unwrap();
    assert_eq!((found.columns.len(), found.notes.len()), (1_999, 0));
    for (fields, codes) in [(999, 50), (1_998, 500)] {
        let found = matrix(fields, codes).unwrap();
        assert_eq!(found.columns.len(), fields + 1);
        assert!(found.columns.iter().all(|column| !column.starts_with('m')));
        assert_eq!(found.rows["raw_forms"][0].split('|').count(), fields + 2);
        assert_eq!(found.rows["raw_forms_answer"].len(), fields + 20);
        assert!(found.rows["raw_forms_answer"].contains(&"2|D1|-|cbi|-|m7|7".to_owned()));
        assert_eq!(
            found.notes,
            [format!(
                "{} boxes are no columns of raw_forms, which would have more than 1999: they land in \
                 raw_forms_answer alone",
                20 * codes
            )]
        );
    }
    assert_eq!(
        matrix(1_999, 1).err().unwrap(),
        "2000 columns would land besides boxes; a table has 1999 at most\n  at:   r.csv:1\n  hint: export fewer forms at a \
         time, as inputs of their own"
    );
}

#[test]
fn a_code_may_begin_with_the_letter_that_its_column_is_named_by() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("r.csv"), dir.path().join("d.csv"));
    std::fs::write(&a, "staff_id,ray___x,ray___x1,ray___xx2,ray____9\nD1,1,0,1,1\n").unwrap();
    let field = "ray,staff,checkbox,\"x, None | x1, One | XX2, Two | -9, Unknown\",,\n";
    std::fs::write(&b, format!("{HEADER}staff_id,staff,text,,,y\n{field}")).unwrap();
    let found = read(&a, &b).unwrap();
    let answers = ["x", "XX2", "-9"].map(|code| format!("2|D1|-|staff|-|ray|{code}"));
    assert_eq!(found.rows["raw_forms_answer"], answers);
}
