//! Files of a hospital become canonical tables: whole, counted, or not at all.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "support/consents.rs"]
mod consents;
#[path = "support/research.rs"]
mod research;

use sqlx::AssertSqlSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tacit_node::intake::progress::Silent;
use tacit_node::intake::recording::{Reading, Recorder};
use tacit_node::intake::summary::Summary;
use tacit_node::intake::{self, Again, ImportedScore, Ports, Questionnaire, Request};
use tacit_node::store::Store;
use tacit_node::store::pseudonym::{Kind, Pseudonyms};
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

const STAFF: &str =
    "Nr;Role;Field;Works\nD1;physician;internal;1\nD2;nurse;oncology;1\nD3;nurse;oncology;0\n";
const VISITS: &str = "visit,doctor,patient,began,mins,level,way,ai\n\
    V1,D1,P1,2026-07-01T08:00:00Z,20,3,in_person,0.25\n\
    V2,D1,P2,2026-07-01T09:00:00Z,15,5,video,\n\
    V3,D2,P1,2026-07-02T08:00:00Z,30,1,in_person,1\n";
const PERSON: &str = "-- @person\nSELECT nr AS person, role, field AS specialty, works AS active, _line AS line FROM raw_staff;\n";
const ENCOUNTER: &str = "-- @encounter\nSELECT visit AS encounter, doctor AS person, patient, \
    unixepoch(began) * 1000000 AS start_us, 120 AS tz_min, mins AS minutes, level AS acuity, way AS channel, \
    ai AS ai_share, _line AS line FROM raw_visits\n";

/// An encounter as it is stored.
type Row = (Vec<u8>, Vec<u8>, i64, Option<i64>, i64, f64, String, Option<f64>, i64);

/// A folder with files and a database.
struct Site {
    dir: tempfile::TempDir,
    store: Store,
    pseudonyms: Pseudonyms,
}

/// Yields the length of a file as a heart rate; refuses empty files.
struct Lengths;

impl Recorder for Lengths {
    fn read(&self, file: &Path) -> Result<Vec<Reading>, String> {
        let bytes = std::fs::read(file).map_err(|_| "cannot be read".to_owned())?;
        if bytes.is_empty() {
            return Err("no beats".to_owned());
        }
        let value = f64::from(u32::try_from(bytes.len()).unwrap());
        let reading = Reading {
            feature: "mean_hr_bpm",
            value,
            n: 3,
            coverage: 0.9,
            modality: Modality::Heart,
        };
        Ok(vec![reading])
    }
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        let pseudonyms = Pseudonyms::open_or_create(dir.path()).unwrap();
        Self { dir, store, pseudonyms }
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn import_with(
        &self,
        mapping: &str,
        files: &[(&str, &str)],
        again: Again,
    ) -> Result<Summary, Fault> {
        let mapping = self.write("site.sql", mapping);
        let input = |(name, file): &(&str, &str)| {
            let text = format!("{name}={}", self.dir.path().join(file).display());
            text.parse().unwrap()
        };
        let request = Request {
            mapping,
            inputs: files.iter().map(input).collect(),
            recordings_dir: Some(self.dir.path().to_owned()),
            again,
            database: None,
            statement_s: 60,
            on_error: tacit_node::intake::OnError::Reject,
            at_us: 1_790_000_000_000_000,
            memory: tacit_node::intake::stream::Memory::default(),
        };
        let single = Questionnaire {
            instrument: "pwls-single".to_owned(),
            version: "1".to_owned(),
            respondent: "clinician".to_owned(),
            items: vec!["b1".to_owned()],
            codes: ["1", "2", "3", "4", "5", "NA"].map(str::to_owned).to_vec(),
            imported: Vec::new(),
            locked: false,
        };
        let score = |item: &str, low, high| ImportedScore { item: item.to_owned(), low, high };
        let imported = Questionnaire {
            instrument: "scores".to_owned(),
            items: Vec::new(),
            codes: vec!["NA".to_owned()],
            imported: vec![score("ee", 0.0, 54.0), score("index", -1.0, 1.0)],
            ..single.clone()
        };
        let locked =
            Questionnaire { instrument: "stanford-pfi".to_owned(), locked: true, ..single.clone() };
        let ports = Ports {
            pseudonyms: &self.pseudonyms,
            questionnaires: &[single, imported, locked],
            recorder: &Lengths,
            progress: &Silent,
        };
        let prefix = format!("{}/", self.dir.path().display());
        let imported = intake::import(&self.store, &request, &ports).await;
        imported.map_err(|mut fault| {
            fault.place = fault.place.map(|place| place.replace(&prefix, ""));
            fault
        })
    }

    async fn import(&self, mapping: &str, files: &[(&str, &str)]) -> Result<Summary, Fault> {
        self.import_with(mapping, files, Again::Refuse).await
    }

    async fn count(&self, what: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {what}");
        let count = sqlx::query_scalar(AssertSqlSafe(sql));
        count.fetch_one(self.store.pool()).await.unwrap()
    }

    /// Rows of every table, the temporary ones among them.
    async fn counts(&self) -> Vec<(String, i64)> {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' \
                   UNION ALL SELECT name FROM sqlite_temp_master WHERE type = 'table'";
        let tables: Vec<String> =
            sqlx::query_scalar(sql).fetch_all(self.store.pool()).await.unwrap();
        let mut counts = Vec::new();
        for table in tables {
            // The fingerprint of the key file may be there before the first import.
            if table != "pseudonym_check" {
                let rows = self.count(&table).await;
                counts.push((table, rows));
            }
        }
        counts
    }
}

/// Column, reason and first lines of every reject.
fn reasons(summary: &Summary) -> Vec<String> {
    let text = |r: &intake::summary::Reason| {
        let lines = r.lines.as_deref().unwrap_or_default();
        format!("{}.{} {} {lines}", r.table_name, r.column_name, r.reason)
    };
    summary.reasons.iter().map(text).collect()
}

fn mapping() -> String {
    format!("{PERSON}{ENCOUNTER}")
}

const FILES: [(&str, &str); 2] = [("staff", "staff.csv"), ("visits", "visits.csv")];

#[tokio::test]
async fn csv_becomes_canonical_rows_with_hashed_keys() {
    let site = Site::new().await;
    site.write("staff.csv", STAFF);
    site.write("visits.csv", VISITS);
    let summary = site.import(&mapping(), &FILES).await.unwrap();
    assert_eq!(
        summary.to_string(),
        "batch 1\n  read      staff                     3 rows\n  read      visits                    3 rows\n\
         \x20 taken     person                    3 rows, 0 rejected\n\
         \x20 taken     encounter                 3 rows, 0 rejected\n"
    );
    let key = site.pseudonyms.key(Kind::Encounter, "V2");
    let row: Row = sqlx::query_as(
        "SELECT person, patient, start_us, end_us, acuity, minutes, channel, ai_share, src \
         FROM encounter WHERE encounter = ?",
    )
    .bind(&key[..])
    .fetch_one(site.store.pool())
    .await
    .unwrap();
    let person = site.pseudonyms.key(Kind::Person, "D1").to_vec();
    let patient = site.pseudonyms.key(Kind::Patient, "P2").to_vec();
    let start = 1_782_896_400_000_000;
    assert_eq!(row, (person, patient, start, None, 5, 15.0, "video".to_owned(), None, 1));
    let left = |name: &str| ["raw_", "stage_", "key_"].iter().any(|p| name.starts_with(p));
    assert!(site.counts().await.iter().all(|(name, _)| !left(name)));
    for file in ["node.sqlite", "node.sqlite-wal"] {
        let bytes = std::fs::read(site.dir.path().join(file)).unwrap();
        let raw = b"2026-07-01T09";
        assert!(!bytes.windows(raw.len()).any(|w| w == raw), "{file} holds a raw row");
    }
}

#[tokio::test]
async fn parquet_gives_the_same_rows_as_csv() {
    use arrow_array::{
        ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray,
    };
    let csv = Site::new().await;
    csv.write("staff.csv", STAFF);
    csv.write("visits.csv", VISITS);
    csv.import(&mapping(), &FILES).await.unwrap();
    let words = |words: [&'static str; 3]| Arc::new(StringArray::from(words.to_vec())) as ArrayRef;
    let times = vec![1_782_892_800_000, 1_782_896_400_000, 1_782_979_200_000];
    let times = TimestampMillisecondArray::from(times).with_timezone("+02:00");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("visit", words(["V1", "V2", "V3"])),
        ("doctor", words(["D1", "D1", "D2"])),
        ("patient", words(["P1", "P2", "P1"])),
        ("began", Arc::new(times)),
        ("mins", Arc::new(Int32Array::from(vec![20, 15, 30]))),
        ("level", Arc::new(Int32Array::from(vec![3, 5, 1]))),
        ("way", words(["in_person", "video", "in_person"])),
        ("ai", Arc::new(Float64Array::from(vec![Some(0.25), None, Some(1.0)]))),
    ];
    let mut other = Site::new().await;
    let secret = std::fs::read(csv.dir.path().join("pseudonym.key")).unwrap();
    other.pseudonyms = Pseudonyms::new(&secret);
    other.write("staff.csv", STAFF);
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let file = std::fs::File::create(other.dir.path().join("visits.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let files = [("staff", "staff.csv"), ("visits", "visits.parquet")];
    let summary = other.import(&mapping(), &files).await.unwrap();
    assert_eq!(summary.rejected(), 0, "{summary}");
    let sql = "SELECT hex(encounter) || hex(person) || hex(patient) || start_us || minutes || acuity || channel \
               || coalesce(ai_share, '-') FROM encounter ORDER BY 1";
    let mut found: Vec<Vec<String>> = Vec::new();
    for site in [&csv, &other] {
        found.push(sqlx::query_scalar(sql).fetch_all(site.store.pool()).await.unwrap());
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0].len(), 3);
}

#[tokio::test]
async fn bad_rows_are_counted_with_their_lines_and_good_ones_kept() {
    let site = Site::new().await;
    site.write(
        "staff.csv",
        "nr;role;field;works\nD1;physician;internal;1\nD2;Nurse;oncology;1\nD1;nurse;oncology;1\n;nurse;oncology;yes\n",
    );
    site.write(
        "visits.csv",
        "visit,doctor,patient,began,mins,level,way,ai\n\
         V1,D1,P1,2026-07-01T08:00:00Z,20,3,in_person,0.25\n\
         V2,D1,P1,2026-07-01T08:00:00Z,20,9,in_person,\n\
         V3,D1,P1,2026-07-01T08:00:00Z,20,3.5,in_person,\n\
         V4,D1,P1,yesterday,20,3,in_person,\n\
         V5,D1,P1,2026-07-01T08:00:00Z,1441,x,fax,1.5\n\
         V6,D2,P1,2026-07-01T08:00:00Z,20,3,in_person,\n\
         V1,D1,P1,2026-07-01T08:00:00Z,20,3,in_person,\n\
         V7,D9,P1,2026-07-01T08:00:00Z,20,3,in_person,\n\
         V8,D1,,1890-07-01T08:00:00Z,20,3,in_person,\n",
    );
    let summary = site.import(&mapping(), &FILES).await.unwrap();
    assert_eq!(
        summary.to_string(),
        "batch 1\n  read      staff                     4 rows\n  read      visits                    9 rows\n\
         \x20 taken     person                    1 rows, 3 rejected\n\
         \x20 taken     encounter                 1 rows, 8 rejected\n\
         \x20 rejected  encounter.acuity: not a whole number from 1 to 5 (3 rows; first lines 3, 4, 6)\n\
         \x20 rejected  encounter.person: names no person that was taken over (2 rows; first lines 7, 9)\n\
         \x20 rejected  encounter.ai_share: not a number from 0 to 1 (1 rows; first lines 6)\n\
         \x20 rejected  encounter.channel: not one of in_person, phone, ivr, video, other (1 rows; first lines 6)\n\
         \x20 rejected  encounter.encounter: the key of an earlier row (1 rows; first lines 8)\n\
         \x20 rejected  encounter.minutes: not a number from 0 to 1440 (1 rows; first lines 6)\n\
         \x20 rejected  encounter.start_us: `began` has a value that is no time; expected one such as 2026-07-01 08:10:00 (1 rows; first lines 5)\n\
         \x20 rejected  encounter.start_us: not microseconds since 1970 UTC, between 1990 and 2100 (1 rows; first \
         lines 10)\n\
         \x20 rejected  person.active: not 0 or 1 (1 rows; first lines 5)\n\
         \x20 rejected  person.person: missing (1 rows; first lines 5)\n\
         \x20 rejected  person.person: the key of an earlier row (1 rows; first lines 4)\n\
         \x20 rejected  person.role: not a lower-case word (a-z, 0-9, - and _; 48 at most) (1 rows; first lines 3)\n"
    );
    assert_eq!(site.count("reject").await, 15);
}

#[tokio::test]
async fn spans_upside_down_are_rejects() {
    let site = Site::new().await;
    site.write("staff.csv", STAFF);
    site.write(
        "work.csv",
        "d,a,b,v,h,n\nD1,0,31,90,160,10\nD1,31,31,90,160,10\nD2,0,1,9,25,0\nD2,1,31,9,20,21\n",
    );
    let mapping = format!(
        "{PERSON}-- @period\nSELECT d AS person, unixepoch('2026-07-01', a || ' days') * 1000000 AS from_us, \
         unixepoch('2026-07-01', b || ' days') * 1000000 AS to_us, v AS volume, h AS hours, n AS night_hours, \
         _line AS line FROM raw_work\n"
    );
    let files = [("staff", "staff.csv"), ("work", "work.csv")];
    let summary = site.import(&mapping, &files).await.unwrap();
    assert_eq!(
        reasons(&summary),
        [
            "period.hours more hours than from from_us to to_us 4",
            "period.night_hours more than hours 5",
            "period.to_us not after from_us 3"
        ]
    );
    assert_eq!(site.count("period").await, 1);
}

#[tokio::test]
async fn a_mapping_that_does_not_fit_is_refused_and_leaves_nothing() {
    let site = Site::new().await;
    site.write("staff.csv", STAFF);
    site.write("visits.csv", VISITS);
    let before = site.counts().await;
    let raw = "raw_staff has _line, nr, role, field, works; raw_visits has _line, visit, doctor, patient, began, \
               mins, level, way, ai";
    let person = "@person yields line, person, role, specialty, grade_band?, site_unit?, active, age_band?, gender?, training_country? (? may be left out)";
    let unknown = |name: &str| {
        format!(
            "section `@person` yields `{name}`, which is not one of its columns\n  at:   site.sql:1\n  hint: {person}"
        )
    };
    let locked = "no section may load a library or reach beyond the tables: not authorized";
    let unsuited = "a value of the files does not suit one of its functions";
    let fails = |table: &str, line: usize, message: &str| {
        format!(
            "section `@{table}` does not run: {message}\n  at:   site.sql:{line}\n  hint: {raw}"
        )
    };
    let cases = [
        ("mins AS", "minutos AS", fails("encounter", 4, "no such column: minutos")),
        (
            "raw_visits",
            "raw_visit",
            "`visits` would be lost: `raw_visits` is read by no section that can run\n  at:   visits.csv\n  hint: is its name as \
             the mapping has it? The mapping asks for these too: visit=FILE for `raw_visit` (line 3)"
                .to_owned(),
        ),
        (
            ", works AS active",
            "",
            format!(
                "section `@person` does not yield active\n  at:   site.sql:1\n  hint: {person}"
            ),
        ),
        ("works AS active", "works", unknown("works")),
        ("SELECT nr", "SELECT role, nr", unknown("role:1")),
        ("field AS", "load_extension('x') AS", fails("person", 1, locked)),
        ("field AS", "abs(-9223372036854775807 - 1) AS", fails("person", 1, unsuited)),
        // SQLite would quote the cell.
        ("field AS", "json_extract('{\"a\":1}', role) AS", fails("person", 1, unsuited)),
    ];
    for (found, replaced, expected) in cases {
        let text = mapping().replacen(found, replaced, 1);
        assert_ne!(text, mapping());
        let fault = site.import(&text, &FILES).await.unwrap_err();
        assert_eq!(fault.to_string(), expected);
        assert_eq!(site.counts().await, before);
    }
    site.write("visits.csv", format!("{VISITS}V9,D1\n"));
    let found = site.import(&mapping(), &FILES).await.unwrap_err();
    assert_eq!(found.place.as_deref(), Some("visits.csv:5"));
    assert_eq!(site.counts().await, before);
    site.write("visits.csv", VISITS);
    assert_eq!(site.import(&mapping(), &FILES).await.unwrap().rejected(), 0);
}

#[tokio::test]
async fn the_same_files_come_in_once_unless_they_replace_themselves() {
    let site = Site::new().await;
    site.write("staff.csv", STAFF);
    site.write("visits.csv", VISITS);
    let other = mapping().replace("120 AS tz_min", "60 AS tz_min");
    site.import(&mapping(), &FILES).await.unwrap();
    let before = site.counts().await;
    let found = site.import(&other, &[FILES[1], FILES[0]]).await.unwrap_err();
    assert_eq!(
        found.to_string(),
        "these files were imported before, as batch 1\n  hint: to import them anew, for example with a better \
         mapping, add --replace"
    );
    assert_eq!(site.counts().await, before);
    let summary = site.import_with(&other, &FILES, Again::Replace).await.unwrap();
    assert_eq!((summary.batch, summary.rejected()), (2, 0));
    assert_eq!(site.count("encounter WHERE tz_min = 60 AND src = 2").await, 3);
    assert_eq!(site.count("import_batch").await, 1);
}

#[tokio::test]
async fn what_an_earlier_batch_brought_is_not_changed_unseen() {
    let site = Site::new().await;
    site.write("staff.csv", STAFF);
    site.write("visits.csv", VISITS);
    site.import(&mapping(), &FILES).await.unwrap();
    site.write("more.csv", VISITS.replace("V3", "V4").replace("15,5", "16,5"));
    site.write("later.csv", STAFF.replace("D1;physician", "D1;nurse"));
    let later = [("staff", "later.csv"), ("visits", "more.csv")];
    let summary = site.import(&mapping(), &later).await.unwrap();
    assert_eq!(
        reasons(&summary),
        ["encounter.encounter already there from an earlier import, with other values 3"]
    );
    assert_eq!((summary.tables[1].accepted, summary.tables[1].known), (1, 1));
    assert_eq!(site.count("encounter").await, 4);
    assert_eq!(site.count("person WHERE role = 'nurse' AND src = 2").await, 3);
    let dropping = mapping().replace("FROM raw_staff", "FROM raw_staff WHERE nr <> 'D2'");
    let before = site.counts().await;
    let found = site.import_with(&dropping, &later, Again::Replace).await.unwrap_err();
    assert_eq!(
        found.message,
        "the batch cannot be replaced: rows of other batches refer to rows that the new one lacks"
    );
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn answers_must_belong_to_a_response_and_its_instrument() {
    let site = Site::new().await;
    site.write("staff.csv", STAFF);
    let forms = "id,who,tool,by\nR1,D1,pwls-single,clinician\nR2,D2,pwls-single,patient\nR3,D2,mood,clinician\n";
    site.write("forms.csv", forms);
    site.write(
        "answers.csv",
        "id,item,code\nR1,b1,3\nR1,b2,3\nR2,b1,3\nR4,b1,3\nR1,b1,2\nR1,b1,9\n",
    );
    let mapping = format!(
        "{PERSON}-- @response\nSELECT id AS response, tool AS instrument, by AS respondent, who AS person, \
         unixepoch('2026-07-05') * 1000000 AS authored_us, _line AS line FROM raw_forms\n\
         -- @answer\nSELECT id AS response, item, code, _line AS line FROM raw_answers\n"
    );
    let files = [("staff", "staff.csv"), ("forms", "forms.csv"), ("answers", "answers.csv")];
    let summary = site.import(&mapping, &files).await.unwrap();
    assert_eq!(
        reasons(&summary),
        [
            "answer.response names no response that was taken over 4, 5",
            "answer.code not a code of the instrument 7",
            "answer.item not an item of the instrument 3",
            "answer.response the key of an earlier row 6",
            "response.instrument no instrument of this node has that name 4",
            "response.respondent not who answers this instrument 3",
        ]
    );
    assert_eq!((site.count("response").await, site.count("answer").await), (1, 1));
}

#[tokio::test]
async fn imported_scores_are_numbers_in_range_and_locked_instruments_stay_out() {
    let site = Site::new().await;
    site.write("staff.csv", STAFF);
    site.write("forms.csv", "id,tool\nR1,scores\nR2,scores\nR3,stanford-pfi\nR4,scores\n");
    site.write(
        "answers.csv",
        "id,item,code\nR1,ee,27.5\nR1,index,-0.25\nR2,ee,55\nR2,index,-1.01\nR3,b1,3\n\
         R4,ee,high\nR4,index,--1\nR4,b1,3\nR4,dp,NA\n",
    );
    let mapping = format!(
        "{PERSON}-- @response\nSELECT id AS response, tool AS instrument, 'clinician' AS respondent, 'D1' AS person, \
         unixepoch('2026-07-05') * 1000000 AS authored_us, _line AS line FROM raw_forms\n\
         -- @answer\nSELECT id AS response, item, code, _line AS line FROM raw_answers\n"
    );
    let files = [("staff", "staff.csv"), ("forms", "forms.csv"), ("answers", "answers.csv")];
    let summary = site.import(&mapping, &files).await.unwrap();
    assert_eq!(
        reasons(&summary),
        [
            "answer.code not a number, as an imported score is 7, 8",
            "answer.code outside the range of the scale 4, 5",
            "answer.item not an item of the instrument 9, 10",
            "answer.code not a code of the instrument 9",
            "answer.response names no response that was taken over 6",
            "response.instrument the instrument is locked: no licence reference in node.toml 4",
        ]
    );
    assert_eq!((site.count("response").await, site.count("answer").await), (3, 2));
    // An import again finds its tables as it left them.
    site.write("more.csv", "id,item,code\nR2,ee,NA\nR2,index,1\n");
    let mapping = "-- @answer\nSELECT id AS response, item, code, _line AS line FROM raw_more\n";
    let summary = site.import(mapping, &[("more", "more.csv")]).await.unwrap();
    assert_eq!(reasons(&summary), Vec::<String>::new());
}

#[tokio::test]
async fn recordings_become_features_and_unreadable_ones_rejects() {
    let site = Site::new().await;
    site.write("staff.csv", STAFF);
    site.write("good.txt", "800\n810\n");
    site.write("empty.txt", "");
    site.write(
        "sessions.csv",
        "s,who,file\nS1,D1,good.txt\nS2,D1,empty.txt\nS3,D2,../good.txt\nS4,D2,none.txt\n",
    );
    let mapping = format!(
        "{PERSON}-- @device_session\nSELECT s AS session, who AS person, 'chest-strap' AS kind, \
         unixepoch('2026-07-05') * 1000000 AS start_us, file, _line AS line FROM raw_sessions\n"
    );
    let files = [("staff", "staff.csv"), ("sessions", "sessions.csv")];
    consents::give(&site.store, &site.pseudonyms, &["D1", "D2"], 1_780_000_000_000_000).await;
    let summary = site.import(&mapping, &files).await.unwrap();
    assert_eq!(
        reasons(&summary),
        [
            "device_session.file cannot be read 5",
            "device_session.file no beats 3",
            "device_session.file not a relative path inside the recordings folder 4"
        ]
    );
    let sql = "SELECT person, feature, value, n, coverage FROM feature";
    let row = sqlx::query_as(sql).fetch_one(site.store.pool()).await.unwrap();
    let found: (Vec<u8>, String, f64, i64, f64) = row;
    let person = site.pseudonyms.key(Kind::Person, "D1").to_vec();
    assert_eq!(found, (person, "mean_hr_bpm".to_owned(), 8.0, 3, 0.9));
    assert_eq!((summary.features, site.count("device_session").await), (1, 1));
}

#[tokio::test]
async fn the_guide_s_example_runs_as_printed() {
    let guide = include_str!("../../docs/data-mapping.md");
    let block = |start: &str| {
        let from = guide.find(start).unwrap();
        let text = &guide[from..];
        text[..text.find("```").unwrap()].to_owned()
    };
    let site = Site::new().await;
    site.write("staff.csv", "nr,role,field,works\nD17,physician,internal,1\n");
    site.write("visits.csv", block("visit;doctor;"));
    let mapping = format!("{PERSON}{}", block("-- @encounter\nSELECT visit  AS"));
    let summary = site.import(&mapping, &FILES).await.unwrap();
    assert_eq!(summary.rejected(), 0, "{summary}");
    let sql = "SELECT minutes, acuity, channel, (start_us / 1000000 - unixepoch('2026-07-01T00:00:00Z')) / 60, \
               (end_us - start_us) / 60000000 FROM encounter ORDER BY minutes";
    let rows: Vec<(f64, i64, String, i64, i64)> =
        sqlx::query_as(sql).fetch_all(site.store.pool()).await.unwrap();
    let expected =
        [(12.0, 5, "phone".to_owned(), 420, 12), (25.0, 2, "in_person".to_owned(), 370, 25)];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn the_command_imports_recordings_and_counts_what_is_there() {
    use tacit_node::command::check::{self, CheckArgs};
    use tacit_node::command::import::{ImportArgs, run};
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let coordinator = "127.0.0.1:7843".parse().unwrap();
    write("node.toml", &tacit_node::config::Config::new(coordinator).to_toml().unwrap());
    write("staff.csv", STAFF);
    write("sessions.csv", "s,who,file\nS1,D1,beats.txt\nS2,D1,visits.csv\n");
    write("visits.csv", VISITS);
    // Ten minutes of beats that last 790 and 810 ms in turn: every difference is 20 ms.
    write("beats.txt", &"790\n810\n".repeat(375));
    let mapping = format!(
        "{PERSON}-- @device_session\nSELECT s AS session, who AS person, 'chest-strap' AS kind, \
         unixepoch('2026-07-05') * 1000000 AS start_us, file, _line AS line FROM raw_sessions\n"
    );
    let input =
        |name: &str| format!("{name}={}", dir.path().join(name).with_extension("csv").display());
    let args = ImportArgs {
        dir: dir.path().to_owned(),
        mapping: write("site.sql", &mapping),
        recordings_dir: Some(dir.path().to_owned()),
        replace: false,
        on_error: tacit_node::intake::OnError::Reject,
        postgres: None,
        schema: Vec::new(),
        statement_seconds: 900,
        memory_mib: tacit_node::intake::stream::Memory::default(),
        inputs: vec![input("staff").parse().unwrap(), input("sessions").parse().unwrap()],
    };
    research::allow(dir.path()).await;
    let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
    let pseudonyms = Pseudonyms::open_or_create(dir.path()).unwrap();
    let since_us = (tacit_node::link::session::unix_now() - 86_400) * 1_000_000;
    consents::give(&store, &pseudonyms, &["D1"], since_us).await;
    store.close().await;
    let text = run(&args, &Silent).await.unwrap();
    assert_eq!(
        text,
        "batch 1\n  read      staff                     3 rows\n  read      sessions                  2 rows\n\
         \x20 taken     person                    3 rows, 0 rejected\n\
         \x20 taken     device_session            1 rows, 1 rejected\n\
         \x20 computed  feature                   2 rows\n\
         \x20 computed  window_feature           24 rows\n\
         \x20 rejected  device_session.file: the format of the recording is not recognised (1 rows; first lines 3)\n"
    );
    let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
    let sql = "SELECT feature, value FROM feature ORDER BY feature";
    let found: Vec<(String, f64)> = sqlx::query_as(sql).fetch_all(store.pool()).await.unwrap();
    store.close().await;
    assert_eq!(found[0].0, "ln_rmssd");
    assert!((found[0].1 - 20.0_f64.ln()).abs() < 1e-9, "ln RMSSD of equal differences");
    assert!((found[1].1 - 75.0).abs() < 0.01, "mean heart rate of 800 ms");
    let text = check::run(&CheckArgs::of(dir.path())).await.unwrap();
    assert!(
        text.starts_with(
            "the database is sound\n  import_batch                            1 rows\n"
        ),
        "{text}"
    );
    let none = tempfile::tempdir().unwrap();
    let fault = check::run(&CheckArgs::of(none.path())).await.unwrap_err();
    assert_eq!(fault.message, "the node has no database yet");
    assert_eq!(std::fs::read_dir(none.path()).unwrap().count(), 0);
}
