//! The mappings that come with Tacit, over files of the formats they are for.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use sqlx::AssertSqlSafe;
use std::path::{Path, PathBuf};
use tacit_node::intake::progress::Silent;
use tacit_node::intake::recording::{Reading, Recorder};
use tacit_node::intake::summary::Summary;
use tacit_node::intake::{self, Again, Ports, Questionnaire, Request};
use tacit_node::store::Store;
use tacit_node::store::pseudonym::Pseudonyms;
use tacit_shared::fault::Fault;

/// A folder with files and a database.
struct Site {
    dir: tempfile::TempDir,
    store: Store,
    pseudonyms: Pseudonyms,
}

/// Refuses every recording.
struct Nothing;

impl Recorder for Nothing {
    fn read(&self, _: &Path) -> Result<Vec<Reading>, String> {
        Err("not read here".to_owned())
    }
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        let pseudonyms = Pseudonyms::open_or_create(dir.path()).unwrap();
        Self { dir, store, pseudonyms }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Imports `NAME=FILE` pairs by the text of a mapping.
    async fn import(&self, mapping: &str, inputs: &[(&str, &Path)]) -> Result<Summary, Fault> {
        let mapping = self.write("site.sql", mapping);
        let input = |(name, path): &(&str, &Path)| format!("{name}={}", path.display()).parse();
        let request = Request {
            mapping,
            inputs: inputs.iter().map(|i| input(i).unwrap()).collect(),
            recordings_dir: Some(self.dir.path().to_owned()),
            again: Again::Refuse,
            database: None,
            statement_s: 60,
            on_error: tacit_node::intake::OnError::Reject,
            at_us: 1_790_000_000_000_000,
            memory: tacit_node::intake::stream::Memory::default(),
        };
        let questionnaire = |id: &str, respondent: &str, items: &[&str]| Questionnaire {
            instrument: id.to_owned(),
            version: "2004".to_owned(),
            respondent: respondent.to_owned(),
            items: items.iter().map(|&i| i.to_owned()).collect(),
            codes: ["1", "2", "3", "4", "5", "NA", "DNA"].map(str::to_owned).to_vec(),
            imported: Vec::new(),
            locked: false,
        };
        let ports = Ports {
            pseudonyms: &self.pseudonyms,
            questionnaires: &[
                questionnaire("care-measure", "patient", &["q1", "q2"]),
                questionnaire("copenhagen-burnout", "clinician", &["c1", "p1"]),
            ],
            recorder: &Nothing,
            progress: &Silent,
        };
        intake::import(&self.store, &request, &ports).await
    }

    /// The rows of a query, their values joined.
    async fn rows(&self, sql: &str) -> Vec<String> {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        query.fetch_all(self.store.pool()).await.unwrap()
    }
}

fn taken(summary: &Summary) -> Vec<String> {
    let text = |t: &intake::summary::TableCount| {
        format!("{} {} {}", t.table.name(), t.accepted, t.rejected)
    };
    summary.tables.iter().map(text).collect()
}

fn reasons(summary: &Summary) -> Vec<String> {
    let text = |r: &intake::summary::Reason| {
        let lines = r.lines.as_deref().unwrap_or_default();
        format!("{}.{} {} {lines}", r.table_name, r.column_name, r.reason)
    };
    summary.reasons.iter().map(text).collect()
}

const ROLES: &str = r#"{"resourceType":"PractitionerRole","id":"r1","active":true,"practitioner":{"reference":"Practitioner/d1","display":"Dr A. B."},"code":[{"coding":[{"code":"doctor"}]}],"specialty":[{"coding":[{"code":"419192003"}]}]}
{"resourceType":"PractitionerRole","id":"r2","active":true,"practitioner":{"reference":"Practitioner/d2"},"code":[{"coding":[{"code":"nurse"}]}],"specialty":[{"coding":[{"code":"394593009"}]}]}
"#;
const ENCOUNTERS: &str = r#"{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"},"priority":{"coding":[{"code":"R"}]},"subject":{"reference":"Patient/p1"},"participant":[{"individual":{"reference":"Practitioner/d1"}}],"period":{"start":"2026-07-01T08:00:00+02:00","end":"2026-07-01T08:20:00+02:00"}}
{"resourceType":"Encounter","id":"e2","status":"finished","class":{"code":"VR"},"subject":{"reference":"Patient/p2"},"participant":[{"individual":{"reference":"Practitioner/d1"}},{"type":[{"coding":[{"code":"PPRF"}]}],"individual":{"reference":"PractitionerRole/r2"}}],"period":{"start":"2026-07-01T09:00:00+02:00","end":"2026-07-01T09:10:00+02:00"}}
{"resourceType":"Encounter","id":"e3","status":"planned","class":{"code":"AMB"}}
{"resourceType":"Encounter","id":"e4","status":"finished","class":{"code":"AMB"},"participant":[{"individual":{"reference":"Practitioner/d9"}}],"period":{"start":"2026-07-01T09:00:00Z","end":"2026-07-01T09:10:00Z"}}
"#;
const FORMS: &str = r#"{"resourceType":"QuestionnaireResponse","id":"f1","questionnaire":"https://h/Questionnaire/care-measure|2004","status":"completed","subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e2"},"authored":"2026-07-02T10:00:00Z","item":[{"linkId":"a","item":[{"linkId":"q1","answer":[{"valueInteger":5}]},{"linkId":"q2","answer":[{"valueCoding":{"code":"DNA"}}]}]}]}
{"resourceType":"QuestionnaireResponse","id":"f2","questionnaire":"https://h/Questionnaire/copenhagen-burnout","status":"amended","source":{"reference":"Practitioner/d2"},"authored":"2026-07-03T10:00:00Z","item":[{"linkId":"c1","answer":[{"valueCoding":{"code":"3"}}]},{"linkId":"p1","answer":[{"valueString":"I would rather tell you, Jane"}]}]}
{"resourceType":"QuestionnaireResponse","id":"f3","questionnaire":"https://h/Questionnaire/other","status":"completed"}
"#;

const CONSENTS: &str = r#"{"resourceType":"Consent","id":"c1","status":"active","scope":{"coding":[{"code":"research"}]},"patient":{"reference":"Patient/p1"},"dateTime":"2026-06-01","provision":{"type":"permit","period":{"start":"2026-06-02","end":"2026-12-31"}}}
{"resourceType":"Consent","id":"c2","status":"active","scope":{"coding":[{"code":"patient-privacy"}]},"patient":{"reference":"Patient/p2"},"dateTime":"2026-06-01T08:00:00Z","policyRule":{"coding":[{"code":"OPTIN"}]},"provision":{"purpose":[{"code":"HRESCH"},{"code":"TREAT"}],"actor":[{"role":{}}]}}
{"resourceType":"Consent","id":"c3","status":"inactive","scope":{"coding":[{"code":"research"}]},"patient":{"reference":"Patient/p3"},"dateTime":"2026-06-01T08:00:00Z"}
"#;

#[tokio::test]
async fn a_bulk_export_becomes_canonical_by_the_mapping_that_comes_along() {
    let site = Site::new().await;
    for (name, text) in [
        ("Consent", CONSENTS),
        ("PractitionerRole", ROLES),
        ("Encounter", ENCOUNTERS),
        ("QuestionnaireResponse", FORMS),
    ] {
        site.write(&format!("fhir/{name}.ndjson"), text);
    }
    let mapping = include_str!("../../configs/mappings/fhir-r4.sql");
    let summary = site.import(mapping, &[("fhir", &site.dir.path().join("fhir"))]).await.unwrap();
    assert_eq!(
        reasons(&summary),
        ["consent.state missing 2", "encounter.person names no person that was taken over 7"],
        "{summary}"
    );
    assert_eq!(
        taken(&summary),
        ["consent 2 1", "person 2 0", "encounter 2 1", "response 2 0", "answer 3 0"]
    );
    let sql = "SELECT purpose || ' ' || state || ' ' || date(from_us / 1000000, 'unixepoch') || ' ' || \
               date(until_us / 1000000, 'unixepoch') FROM consent ORDER BY state";
    assert_eq!(
        site.rows(sql).await,
        [
            "research-aggregate given 2026-06-02 2026-12-31",
            "research-aggregate withdrawn 2026-06-01 2027-06-02"
        ]
    );
    let sql = "SELECT channel || ' ' || acuity || ' ' || minutes || ' ' || tz_min || ' ' || start_us || ' ' || coalesce(specialty, '-') \
               FROM encounter ORDER BY start_us";
    assert_eq!(
        site.rows(sql).await,
        ["in_person 2 20.0 120 1782885600000000 -", "video 2 10.0 120 1782889200000000 oncology"]
    );
    let sql = "SELECT r.instrument || ' ' || p.specialty || ' ' || a.item || ' ' || a.code FROM answer a \
               JOIN response r USING (response) JOIN person p ON p.person = r.person ORDER BY 1";
    assert_eq!(
        site.rows(sql).await,
        [
            "care-measure oncology q1 5",
            "care-measure oncology q2 DNA",
            "copenhagen-burnout oncology c1 3"
        ]
    );
}

#[tokio::test]
async fn an_inactive_consent_erases_only_where_nothing_came_after_it() {
    let site = Site::new().await;
    let consent = |patient: &str, status: &str, recorded: &str, provision: &str| {
        format!(
            r#"{{"resourceType":"Consent","id":"c","status":"{status}","scope":{{"coding":[{{"code":"research"}}]}},"patient":{{"reference":"Patient/{patient}"}},"dateTime":"{recorded}","provision":{{"type":"permit"{provision}}}}}"#
        )
    };
    let from = |day: &str| format!(r#","period":{{"start":"{day}"}}"#);
    let lines = [
        // Replaced by a version that begins with it.
        consent("p1", "inactive", "2026-01-01", &from("2026-01-01")),
        consent("p1", "active", "2026-05-01", &from("2026-01-01")),
        // Terminated, after another that is active.
        consent("p2", "active", "2026-01-01", ""),
        consent("p2", "inactive", "2026-05-01", ""),
        // Over.
        consent(
            "p3",
            "inactive",
            "2025-01-01",
            r#","period":{"start":"2025-01-01","end":"2025-03-01"}"#,
        ),
        // Replaced by one that is narrower than the tables can say.
        consent("p4", "inactive", "2026-01-01", ""),
        consent("p4", "active", "2026-02-01", r#","dataPeriod":{"start":"2026-01-01"}"#),
        // Terminated, and recorded before it began.
        consent("p5", "inactive", "2026-01-01", &from("2026-03-01")),
    ];
    site.write("fhir/Consent.ndjson", lines.join("\n") + "\n");
    let mapping = include_str!("../../configs/mappings/fhir-r4.sql");
    let summary = site.import(mapping, &[("fhir", &site.dir.path().join("fhir"))]).await.unwrap();
    assert_eq!(reasons(&summary), ["consent.state missing 7"], "{summary}");
    let sql = "SELECT state || ' ' || date(from_us / 1000000, 'unixepoch') FROM consent ORDER BY 1";
    assert_eq!(
        site.rows(sql).await,
        [
            "given 2026-01-01",
            "given 2026-01-01",
            "refused 2025-01-01",
            "refused 2026-01-01",
            "withdrawn 2026-03-01",
            "withdrawn 2026-05-01"
        ]
    );
    let sql = "SELECT DISTINCT hex(key) FROM barred WHERE kind = 'patient'";
    assert_eq!(site.rows(sql).await.len(), 2);
}

#[tokio::test]
async fn what_followed_an_encounter_is_known_once_its_30_days_are_over() {
    let encounter = |id: &str, class: &str, patient: &str, start: &str, end: &str| {
        let subject = match patient {
            "" => String::new(),
            _ => format!(r#""subject":{{"reference":"Patient/{patient}"}},"#),
        };
        format!(
            r#"{{"resourceType":"Encounter","id":"{id}","status":"finished","class":{{"code":"{class}"}},{subject}"participant":[{{"individual":{{"reference":"Practitioner/d1"}}}}],"period":{{"start":"2026-{start}:00Z","end":"2026-{end}:00Z"}}}}"#
        )
    };
    let lines = [
        encounter("a", "AMB", "p1", "07-01T08:00", "07-01T08:20"),
        encounter("b", "AMB", "p2", "07-02T08:00", "07-02T08:20"),
        encounter("c", "AMB", "", "07-03T08:00", "07-03T08:20"),
        encounter("d", "EMER", "p3", "07-05T10:00", "07-05T12:00"),
        encounter("stay-of-d", "IMP", "p3", "07-05T11:00", "07-09T11:00"),
        encounter("stay-of-a", "IMP", "p1", "07-20T11:00", "07-25T11:00"),
        encounter("e", "VR", "p3", "07-10T10:00", "07-10T10:30"),
        encounter("f", "EMER", "p1", "08-01T10:00", "08-01T11:00"),
        encounter("g", "EMER", "p3", "08-01T10:00", "08-01T11:00"),
    ];
    // The stay of `a` began in the emergency department, as does nobody else's.
    let admitted = r#","hospitalization":{"admitSource":{"coding":[{"code":"emd"}]}},"period""#;
    let lines = lines.map(|line| {
        if line.contains("stay-of-a") { line.replace(r#","period""#, admitted) } else { line }
    });
    let mapping = include_str!("../../configs/mappings/fhir-r4.sql");
    let told = mapping.replace("unixepoch(NULL)", "unixepoch('2026-08-15')");
    assert_ne!(told, mapping);
    let sql = "SELECT date(start_us / 1000000, 'unixepoch') || ' ' || coalesce(readmit_30d, '-') || \
               coalesce(ed_30d, '-') FROM encounter ORDER BY start_us, patient";
    let manifest = |time: &str| format!(r#"{{"transactionTime":"{time}","output":[]}}"#);
    for (mapping, manifest, expected) in [
        (
            mapping,
            manifest("2026-08-15T00:00:00Z"),
            ["01 11", "02 00", "03 --", "05 01", "10 01", "01 --", "01 --"],
        ),
        (
            mapping,
            manifest("2026-08-15"),
            ["01 --", "02 --", "03 --", "05 --", "10 --", "01 --", "01 --"],
        ),
        (
            told.as_str(),
            String::new(),
            ["01 11", "02 00", "03 --", "05 01", "10 01", "01 --", "01 --"],
        ),
        (mapping, String::new(), ["01 --", "02 --", "03 --", "05 --", "10 --", "01 --", "01 --"]),
    ] {
        let site = Site::new().await;
        site.write("fhir/PractitionerRole.ndjson", ROLES);
        site.write("fhir/Encounter.ndjson", lines.join("\n") + "\n");
        if !manifest.is_empty() {
            site.write("fhir/manifest.json", &manifest);
        }
        let summary =
            site.import(mapping, &[("fhir", &site.dir.path().join("fhir"))]).await.unwrap();
        // A day alone is not one moment: said, and not guessed.
        let unknown =
            summary.notes.iter().any(|n| n.contains("manifest.json has no `transactionTime`"));
        assert_eq!(unknown, manifest.contains("2026-08-15\""));
        let found = site.rows(sql).await;
        let found: Vec<&str> = found.iter().map(|row| &row[8..]).collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn json_lines_are_mapped_by_json_functions() {
    let site = Site::new().await;
    let file =
        site.write("staff.ndjson", "{\"id\":\"D1\",\"job\":{\"kind\":\"nurse\"},\"on\":true}\n");
    let mapping = "-- @person\nSELECT json_extract(json, '$.id') AS person, json_extract(json, '$.job.kind') AS role, \
                   'internal' AS specialty, json_extract(json, '$.on') AS active, _line AS line FROM raw_staff\n";
    let summary = site.import(mapping, &[("staff", &file)]).await.unwrap();
    assert_eq!(taken(&summary), ["person 1 0"]);
    assert_eq!(site.rows("SELECT role || active FROM person").await, ["nurse1"]);
    // Behind a NUL a text would come in unseen.
    let text = "{\"id\":\"D2\",\"job\":{\"kind\":\"nurse\\u0000Jane Doe\"},\"on\":true}\n\
                {\"id\":\"D3\\u0000x\",\"job\":{\"kind\":\"nurse\"},\"on\":true}\n";
    let summary =
        site.import(mapping, &[("staff", &site.write("staff.ndjson", text))]).await.unwrap();
    assert_eq!(
        reasons(&summary),
        [
            "person.person not an id of 1 to 200 characters 2",
            "person.role not a lower-case word (a-z, 0-9, - and _; 48 at most) 1"
        ]
    );
}

#[tokio::test]
async fn two_inputs_never_share_a_table() {
    let site = Site::new().await;
    let (a, b) = (site.write("a.ndjson", ROLES), site.write("b.ndjson", ENCOUNTERS));
    let mapping = include_str!("../../configs/mappings/fhir-r4.sql");
    let fault = site.import(mapping, &[("a.fhir", &a), ("b.fhir", &b)]).await.unwrap_err();
    assert_eq!(fault.message, "a second input lands in the table `raw_encounter`");
    assert_eq!(site.rows("SELECT 'x' FROM import_batch").await, Vec::<String>::new());
    let fault = site.import(mapping, &[("a.dictionary", &a)]).await.unwrap_err();
    assert_eq!(fault.message, "`a.dictionary` belongs to no export");
}

#[tokio::test]
async fn a_redcap_project_becomes_canonical_by_the_example() {
    let site = Site::new().await;
    let dictionary = site.write(
        "dictionary.csv",
        "field_name,form_name,field_type,select_choices_or_calculations,text_validation_type_or_show_slider_number,identifier\n\
         staff_id,staff,text,,,\nname,staff,text,,,y\njob,staff,radio,\"1, Doctor | 2, Nurse\",,\n\
         field,staff,radio,\"1, Internal | 3, Oncology\",,\nworking,staff,yesno,,,\n\
         cbi_c1,cbi,radio,\"1, A | 2, B | 3, C\",,\ncare_patient,care,text,,,\ncare_q1,care,radio,\"1, A | 5, E\",,\n",
    );
    let records = site.write(
        "records.csv",
        "staff_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,name,job,field,working,staff_complete,\
         cbi_timestamp,cbi_c1,cbi_complete,care_timestamp,care_patient,care_q1,care_complete\n\
         D1,july_arm_1,,,Ann,1,3,1,2,2026-07-02 10:00:00,3,2,,,,\n\
         D1,july_arm_1,care,1,,,,,,,,,2026-07-03 12:00:00,P7,5,2\n\
         D1,july_arm_1,care,2,,,,,,,,,[not completed],P8,1,0\n\
         D1,july_arm_1,care,3,,,,,,,,,2026-07-03 12:00:00,P7,4,2\n",
    );
    let mapping = include_str!("../../configs/mappings/redcap-example.sql");
    let summary = site
        .import(mapping, &[("forms", &records), ("forms.dictionary", &dictionary)])
        .await
        .unwrap();
    assert_eq!(taken(&summary), ["person 1 0", "response 2 0", "answer 2 0"], "{summary}");
    assert_eq!(reasons(&summary), ["raw_forms.care_q1 not a code of the data dictionary 5"]);
    assert_eq!((summary.files[0].refused, summary.rejected()), (1, 1));
    assert!(
        summary.to_string().contains("3 rows, 1 rejected") || summary.files[0].rows > 3,
        "{summary}"
    );
    let sql = "SELECT instrument || ' ' || authored_us || ' ' || (patient IS NOT NULL) FROM response ORDER BY 1";
    assert_eq!(
        site.rows(sql).await,
        ["care-measure 1783072800000000 1", "copenhagen-burnout 1782979200000000 0"]
    );
}

#[tokio::test]
async fn a_redcap_project_without_events_becomes_canonical_by_the_same_example() {
    let site = Site::new().await;
    let dictionary = site.write(
        "dictionary.csv",
        "field_name,form_name,field_type,select_choices_or_calculations,text_validation_type_or_show_slider_number,identifier\n\
         staff_id,staff,text,,,\njob,staff,radio,\"1, Doctor | 2, Nurse\",,\n\
         field,staff,radio,\"1, Internal | 3, Oncology\",,\nworking,staff,yesno,,,\n\
         cbi_c1,cbi,radio,\"1, A | 2, B | 3, C\",,\ncare_patient,care,text,,,\ncare_q1,care,radio,\"1, A | 5, E\",,\n",
    );
    let records = site.write(
        "records.csv",
        "staff_id,job,field,working,staff_complete,cbi_timestamp,cbi_c1,cbi_complete,care_timestamp,care_patient,care_q1,\
         care_complete\n\
         D1,1,3,1,2,2026-07-02 10:00:00,3,2,2026-07-03 12:00:00,P7,5,2\n",
    );
    let mapping = include_str!("../../configs/mappings/redcap-example.sql");
    let inputs = [("forms", records.as_path()), ("forms.dictionary", &dictionary)];
    let summary = site.import(mapping, &inputs).await.unwrap();
    assert_eq!(taken(&summary), ["person 1 0", "response 2 0", "answer 2 0"], "{summary}");
}

#[tokio::test]
async fn a_common_data_model_becomes_canonical_by_the_mapping_that_comes_along() {
    let site = Site::new().await;
    let provider = site.write(
        "provider.csv",
        "provider_id,provider_name,npi,specialty_concept_id,care_site_id,year_of_birth,gender_concept_id,specialty_source_value\n\
         1,Ann,99,0,7,1974,8532,Internal Medicine\n2,Bob,98,0,7,,0,Oncology nursing\n3,Eve,97,0,,1990,8507,Astrology\n4,Fay,96,0,7,,0,General medicine\n",
    );
    let care_site = site.write("care_site.csv", "care_site_id,care_site_name\n7,West\n");
    let visits = site.write(
        "visits.csv",
        "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_start_datetime,visit_end_date,visit_end_datetime,provider_id,care_site_id\n\
         10,100,9202,2026-07-01,2026-07-01 10:00:00,2026-07-01,2026-07-01 10:20:00,1,7\n\
         11,100,9203,2026-07-20,2026-07-20 10:00:00,2026-07-20,2026-07-20 12:00:00,2,7\n\
         12,100,9201,2026-07-20,2026-07-20 12:00:00,2026-07-25,2026-07-25 12:00:00,1,7\n\
         13,101,5083,2026-07-01,2026-07-01 11:00:00,2026-07-01,2026-07-01 11:15:00,1,7\n\
         14,101,9202,2026-07-01,,2026-07-01,,1,7\n\
         15,102,9202,2026-07-01,2026-07-01 11:00:00,2026-07-01,2026-07-01 11:15:00,,7\n",
    );
    let observations = site.write(
        "observations.csv",
        "observation_id,person_id,observation_concept_id,observation_date,observation_datetime,value_as_number,value_as_string,\
         visit_occurrence_id,observation_source_value,value_source_value\n\
         1,100,0,2026-07-01,2026-07-01 12:00:00,5,,10,care-measure:q1,\n\
         2,100,0,2026-07-01,2026-07-01 12:00:00,,,10,care-measure:q2,DNA\n\
         3,100,0,2026-07-01,2026-07-01 12:00:00,37,,10,temperature,\n",
    );
    // Taken from its source while the last visit's 30 days were not over.
    let source =
        site.write("cdm_source.csv", "cdm_source_name,source_release_date\nWest,2026-08-15\n");
    let details = site.write(
        "details.csv",
        "visit_detail_id,person_id,visit_detail_concept_id,visit_detail_start_datetime,visit_detail_end_datetime,provider_id,visit_occurrence_id\n",
    );
    let measurements = site.write(
        "measurements.csv",
        "measurement_id,person_id,measurement_datetime,value_as_number,visit_occurrence_id,measurement_source_value,value_source_value\n",
    );
    let mapping = include_str!("../../configs/mappings/omop-5.4.sql");
    let inputs = [
        ("provider", provider.as_path()),
        ("care_site", &care_site),
        ("visit_occurrence", &visits),
        ("observation", &observations),
        ("visit_detail", &details),
        ("measurement", &measurements),
        ("cdm_source", &source),
    ];
    let summary = site.import(mapping, &inputs).await.unwrap();
    assert_eq!(
        taken(&summary),
        ["person 3 1", "encounter 3 1", "response 1 0", "answer 2 0"],
        "{summary}"
    );
    let sql = "SELECT channel || ' ' || acuity || ' ' || minutes || ' ' || coalesce(ed_30d, '-') || ' ' || start_us \
               FROM encounter ORDER BY start_us";
    assert_eq!(
        site.rows(sql).await,
        [
            "in_person 2 20.0 1 1782892800000000",
            "video 2 15.0 0 1782896400000000",
            "in_person 4 120.0 - 1784534400000000",
        ]
    );
    let sql = "SELECT p.role || ' ' || p.specialty || ' ' || p.site_unit || ' ' || p.active || ' ' || \
               coalesce(p.age_band, '-') || ' ' || coalesce(p.gender, '-') FROM person p ORDER BY 1";
    assert_eq!(
        site.rows(sql).await,
        [
            "nurse oncology West 1 - -",
            "physician general West 1 - -", // who has no visit
            "physician internal West 1 born-1970s female"
        ]
    );
    let sql = "SELECT count(*) || ' ' || sum(call_minutes) FROM encounter WHERE call_minutes > 0";
    assert_eq!(site.rows(sql).await, ["1 15.0"]);
    let sql = "SELECT a.item || ' ' || a.code || ' ' || r.instrument FROM answer a JOIN response r USING (response) ORDER BY 1";
    assert_eq!(site.rows(sql).await, ["q1 5 care-measure", "q2 DNA care-measure"]);
}

#[tokio::test]
async fn what_a_watch_counts_is_noted_and_faces_are_refused() {
    let site = Site::new().await;
    let staff = site.write("staff.csv", "id\nD1\n");
    let mapping = "-- @person\nSELECT id AS person, 'nurse' AS role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff\n";
    let export = site.write(
        "export.xml",
        "<HealthData>\n<Record type=\"HKQuantityTypeIdentifierHeartRateVariabilitySDNN\" unit=\"ms\" value=\"37\"/>\n\
         <Record type=\"HKQuantityTypeIdentifierStepCount\"/>\n</HealthData>\n",
    );
    let counted = format!(
        "{mapping}-- @period\nSELECT 'D1' AS person, start_us AS from_us, end_us AS to_us, value AS volume, 1 AS hours, \
         _line AS line FROM raw_watch\n"
    );
    let summary =
        site.import(&counted, &[("staff", &staff), ("watch.apple", &export)]).await.unwrap();
    let printed = summary.to_string();
    for line in [
        "  read      watch                     0 rows, 1 rejected\n",
        "  noted     1 records are of other types than heart rate: left out\n",
        "  rejected  raw_watch.HeartRateVariabilitySDNN: SDNN, which is not RMSSD and is never taken for it: use a \
         recording of beats (1 rows; first lines 2)\n",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
    for name in ["face.openface", "staff"] {
        let face = site.write("face.csv", "frame, timestamp, AU01_r\n1, 0, 0\n");
        let fault = site.import(mapping, &[(name, &face)]).await.unwrap_err();
        assert_eq!(
            fault.message,
            "the file holds measures of faces (OpenFace), which no table of a node takes"
        );
    }
    let wrong = site.write("wrong.bin", "x");
    for (kind, message) in [
        ("fhir", "the line is not JSON"),
        ("ndjson", "the line is not JSON"),
        ("openmhealth", "not a JSON object, or a list of them"),
        ("fit", "not a FIT file: its header has neither 12 nor 14 bytes"),
        ("apple", "the file holds no XML"),
        ("fitbit", "the file is neither JSON nor CSV"),
        ("recordings", "no recording was found"),
        ("parquet", "the file is not sound Parquet"),
    ] {
        let name = format!("staff.{kind}");
        let mapping = if kind == "fhir" {
            mapping.replace("raw_staff", "raw_patient")
        } else {
            mapping.to_owned()
        };
        let fault = site.import(&mapping, &[(name.as_str(), &wrong)]).await.unwrap_err();
        assert!(fault.message.starts_with(message), "{kind}: {fault}");
        assert!(fault.place.is_some(), "{kind}");
    }
}
