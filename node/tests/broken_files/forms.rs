//! FHIR resources, REDCap exports, the common data model.
use super::{Broken, PERSON, broken};

pub(crate) fn cases() -> Vec<Broken> {
    let mut all = fhir();
    all.extend(redcap());
    all.push(omop());
    all
}

fn fhir() -> Vec<Broken> {
    let case = |name, text: &str| broken(name, "x.fhir=x.ndjson", text);
    let observation = |rest: &str| {
        format!(
            "{{\"resourceType\":\"Observation\",\"id\":\"o1\",\"status\":\"final\",\"code\":{{\"coding\":[{{\"system\":\
             \"http://loinc.org\",\"code\":\"8867-4\"}}]}},\"effectiveDateTime\":\"2026-07-01T08:00:00Z\",{rest}}}\n"
        )
    };
    let quantity = |unit: &str| {
        observation(&format!(
            "\"valueQuantity\":{{\"value\":70,\"system\":\"http://unitsofmeasure.org\",\"code\":\"{unit}\"}}"
        ))
    };
    let sampled = |rest: &str| {
        observation(&format!(
            "\"valueSampledData\":{{\"origin\":{{\"value\":0,\"system\":\"http://unitsofmeasure.org\",\"code\":\"/min\"}},{rest}}}"
        ))
    };
    let form = |answer: &str| {
        format!(
            "{{\"resourceType\":\"QuestionnaireResponse\",\"id\":\"f1\",\"status\":\"completed\",\"questionnaire\":\"a\",\
             \"item\":[{{\"linkId\":\"q1\",\"answer\":[{answer}]}}]}}\n"
        )
    };
    vec![
        case("a resource without a type", &format!("{{\"id\":\"{PERSON}\"}}\n")).says(&["the object has no `resourceType`, so it is no FHIR resource", "  at:   x.ndjson:1", "  hint: of other NDJSON, say NAME.ndjson=FILE"]),
        case(
            "a resource that is not read",
            &format!("{{\"resourceType\":\"Condition\",\"note\":\"{PERSON}\"}}\n"),
        )
        .says(&["  noted     Condition: not a type that is read: left out, 1 times"]),
        case("a type that is no text", "{\"resourceType\":7}\n").says(&["the object is not shaped as a FHIR resource", "  at:   x.ndjson:1:17", "  hint: `resourceType` names its type as a text; of other NDJSON, say NAME.ndjson=FILE"]),
        case("a heart rate in Hz", &quantity("Hz")).says(&["  rejected  raw_observation.valueQuantity: in a unit that is not one of /min, 1/min, {beats}/min, {Beats}/min, {H.B.}/min (1 rows; first lines 1)"]),
        case(
            "a heart rate without a UCUM code",
            &observation("\"valueQuantity\":{\"value\":70,\"unit\":\"bpm\"}"),
        )
        .says(&["  rejected  raw_observation.valueQuantity: without a UCUM code for its unit; expected one of /min, 1/min, {beats}/min, {Beats}/min, {H.B.}/min (1 rows; first lines 1)"]),
        case("a status that was an error", &quantity("/min").replace("final", "entered-in-error"))
            .says(&["  noted     Observation: cancelled or entered in error: left out, 1 times"]),
        case("an observation without an id", &quantity("/min").replace("\"id\":\"o1\",", ""))
            .says(&["  rejected  raw_observation.id: missing (1 rows; first lines 1)"]),
        case(
            "samples that do not fill their dimensions",
            &sampled("\"period\":1000,\"dimensions\":2,\"data\":\"1 2 3\""),
        )
        .says(&["  rejected  raw_observation.valueSampledData: samples that do not fill their 2 dimensions (1 rows; first lines 1)"]),
        case(
            "a sample in words",
            &sampled(&format!("\"period\":1000,\"dimensions\":1,\"data\":\"1 {PERSON}\"")),
        )
        .says(&["  rejected  raw_observation.valueSampledData: a sample that is no number, E, L or U (1 rows; first lines 1)"]),
        case("a negative period", &sampled("\"period\":-1,\"dimensions\":1,\"data\":\"1 2\""))
            .says(&["  rejected  raw_observation.valueSampledData: a period that is not 0.001 to 3600000 ms (1 rows; first lines 1)"]),
        case("an answer without its code", &form(&format!("{{\"valueCoding\":{{\"display\":\"{PERSON}\"}}}}")))
            .by("-- @answer\nSELECT response, item, code, _line AS line FROM raw_answer\n")
            .says(&["  rejected  answer.code: missing (1 rows; first lines 1)", "  rejected  answer.response: names no response that was taken over (1 rows; first lines 1)"]),
        case("a form without an id", &form("{\"valueInteger\":1}").replace("\"id\":\"f1\",", ""))
            .says(&["  rejected  raw_response.id: missing (1 rows; first lines 1)"]),
        case(
            "a meaning turned round",
            "{\"resourceType\":\"Encounter\",\"id\":\"e1\",\"modifierExtension\":[{}]}\n",
        )
        .says(&["  rejected  raw_encounter.modifierExtension: may turn the resource's meaning round, and is not understood (1 rows; first lines 1)"]),
        case(
            "a period that is a text",
            &format!("{{\"resourceType\":\"Encounter\",\"id\":\"e1\",\"period\":\"{PERSON}\"}}\n"),
        )
        .says(&["  rejected  raw_encounter.resource: not shaped as in FHIR R4, at character 57 (1 rows; first lines 1)"]),
        case("a resource that ends too soon", "{\"resourceType\":\"Encounter\",\n").says(&["the line ends within a JSON object", "  at:   x.ndjson:1:0", "  hint: expected one JSON object a line; a document over several lines must be written on one"]),
        broken("a folder without resources", "x.fhir=rec", "")
            .absent()
            .with("rec/readme.txt", "none")
            .says(&["the folder has no NDJSON file", "  at:   rec", "  hint: expected the files of a FHIR bulk export: Encounter.ndjson and so on"]),
    ]
}

fn redcap() -> Vec<Broken> {
    let fields = "field_name,form_name,field_type,select_choices_or_calculations,text_validation_type_or_show_slider_number,identifier\n\
                  id,visit,text,,,\nmood,visit,radio,\"1, Low | 2, High\",,\nhelp,visit,checkbox,\"1, Walk | 2, Talk\",,\nage,visit,text,,integer,\n";
    let dictionary = "x.dictionary=d.csv";
    let case = |name, records: &str| broken(name, "x=x.csv", records).with(dictionary, fields);
    let described =
        |name, text: &str| broken(name, "x=x.csv", "id,mood\n1,1\n").with(dictionary, text);
    vec![
        case("a column of no dictionary", "id,weight\n1,70\n").says(&["the data dictionary does not know column `weight`", "  at:   x.csv:1", "  hint: what a column holds must be known before it lands: export raw values with variable names as header, and take the dictionary of the same day"]),
        case("a box of no dictionary", "id,help___9\n1,1\n").says(&["the data dictionary does not know column `help___9`", "  at:   x.csv:1", "  hint: what a column holds must be known before it lands: export raw values with variable names as header, and take the dictionary of the same day"]),
        case("another project's export", "subject,mood\n1,1\n").says(&["column 1 is `subject`; expected `id` as the first alone", "  at:   x.csv:1", "  hint: the dictionary's first field names the record: is it this project's?"]),
        case(
            "a form of no dictionary",
            "id,redcap_repeat_instrument,redcap_repeat_instance,mood\n1,diary,1,1\n",
        )
        .says(&["  rejected  raw_x.redcap_repeat_instrument: not a form of the dictionary (1 rows; first lines 2)"]),
        case(
            "an instance in words",
            &format!(
                "id,redcap_repeat_instrument,redcap_repeat_instance,mood\n1,visit,{PERSON},1\n"
            ),
        )
        .says(&["  rejected  raw_x.redcap_repeat_instance: not a whole number (1 rows; first lines 2)"]),
        case("a code of no choice", "id,mood\n1,3\n").says(&["  rejected  raw_x.mood: not a code of the data dictionary (1 rows; first lines 2)"]),
        case("a box that is 2", "id,help___1\n1,2\n").says(&["  rejected  raw_x.help: a box that is neither 0 nor 1 (1 rows; first lines 2)"]),
        case("an age in words", &format!("id,age\n1,{PERSON}\n")).says(&["  rejected  raw_x.age: not a whole number (1 rows; first lines 2)"]),
        case("a time that is none", &format!("id,visit_timestamp,mood\n1,{PERSON},1\n")).says(&["  rejected  raw_x.visit_timestamp: neither a time (YYYY-MM-DD HH:MM:SS) nor `[not completed]` (1 rows; first lines 2)"]),
        case("no record", "id,mood\n,1\n").says(&["  rejected  raw_x.id: missing (1 rows; first lines 2)"]),
        described("a dictionary that is none", "a,b\n1,2\n").says(&["the file is no data dictionary: it has no column `variable___field_name` or `field_name`", "  at:   d.csv", "  hint: download it in REDCap's designer, or export the project's metadata as CSV"]),
        described("a dictionary without fields", fields.lines().next().unwrap()).says(&["the data dictionary has no field", "  at:   d.csv", "  hint: take the dictionary as REDCap writes it, of the same day as the records"]),
        described("a field of no type", &fields.replace(",radio,", ",dial,")).says(&["the field's type is not known", "  at:   d.csv:3", "  hint: take the dictionary as REDCap writes it, of the same day as the records"]),
        described("a choice without its label", &fields.replace("2, High", "2")).says(&["a choice has no comma between code and label", "  at:   d.csv:3", "  hint: take the dictionary as REDCap writes it, of the same day as the records"]),
        described("a field twice", &fields.replace("age,visit", "mood,visit")).says(&["the field stands twice in the dictionary", "  at:   d.csv:5", "  hint: take the dictionary as REDCap writes it, of the same day as the records"]),
        broken("a dictionary without records", "x.dictionary=d.csv", fields).says(&["`x.dictionary` belongs to no export", "  hint: give the records as x=FILE beside it"]),
    ]
}

fn omop() -> Broken {
    let mut case = broken("a common data model without its details", "provider=x.csv", "provider_id,care_site_id,specialty_source_value,specialty_concept_id,year_of_birth,gender_concept_id\n1,7,General,0,,\n")
        .with("care_site=c.csv", "care_site_id,care_site_name\n7,West\n")
        .with("visit_occurrence=v.csv", "visit_occurrence_id,person_id,visit_concept_id,visit_start_datetime,visit_end_datetime,provider_id\n1,1,9202,,,1\n");
    case.mapping = Some(include_bytes!("../../../configs/mappings/omop-5.4.sql").to_vec());
    case.says(&["`visit_occurrence` would be lost: `raw_visit_occurrence` is read by no section that can run", "  at:   v.csv", "  hint: is its name as the mapping has it? The mapping asks for these too: cdm_source=FILE for `raw_cdm_source` (line 37), measurement=FILE for `raw_measurement` (line 78), observation=FILE for `raw_observation` (line 78), visit_detail=FILE for `raw_visit_detail` (line 37)"])
}
