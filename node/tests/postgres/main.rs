//! The mapping in the hospital's own `PostgreSQL`: the same rows as over files, read alone, in bounded memory.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod server;

use server::Server;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tacit_node::intake::progress::Silent;
use tacit_node::intake::recording::{Reading, Recorder};
use tacit_node::intake::source::postgres::Database;
use tacit_node::intake::summary::Summary;
use tacit_node::intake::{self, Again, OnError, Ports, Questionnaire, Request};
use tacit_node::store::Store;
use tacit_node::store::pseudonym::Pseudonyms;
use tacit_shared::fault::Fault;

const OMOP: &str = include_str!("../../../configs/mappings/omop-5.4.sql");

/// Tables of the model as `PostgreSQL` declares them, with the columns that the mapping reads and one that names
/// people; the rows are those of the files.
const TABLES: [(&str, &str, &str); 7] = [
    (
        "provider",
        "provider_id integer PRIMARY KEY, provider_name varchar(255), specialty_concept_id integer, care_site_id integer, year_of_birth integer, gender_concept_id integer, specialty_source_value varchar(50)",
        "1,Ann,38004456,7,1979,8532,IM\n2,Bob,0,7,1990,8507,Oncology nursing\n3,Eve,0,,,,Astrology\n4,Dan,,8,,0,Emergency physician\n",
    ),
    (
        "care_site",
        "care_site_id integer PRIMARY KEY, care_site_name varchar(255)",
        "7,West\n8,East\n",
    ),
    (
        "visit_occurrence",
        "visit_occurrence_id integer PRIMARY KEY, person_id integer, visit_concept_id integer, visit_start_datetime timestamp, visit_end_datetime timestamp, provider_id integer",
        "10,100,9202,2026-07-01 10:00:00,2026-07-01 10:20:00,1\n\
         11,100,9203,2026-07-20 10:00:00,2026-07-20 12:00:00,2\n\
         12,100,9201,2026-07-20 12:00:00,2026-07-25 12:00:00,1\n\
         13,101,5083,2026-07-01 11:00:00,2026-07-01 11:15:10,1\n\
         14,101,9202,,,1\n\
         15,102,9202,2026-07-01 11:00:00,2026-07-01 11:15:00,\n\
         16,103,9203,2026-07-01 11:00:00.25,2026-07-01 11:07:00.75,4\n\
         17,103,9202,2026-07-01 11:00:00,2026-07-01 10:00:00,4\n",
    ),
    (
        "visit_detail",
        "visit_detail_id integer PRIMARY KEY, person_id integer, visit_detail_concept_id integer, visit_detail_start_datetime timestamp, visit_detail_end_datetime timestamp, provider_id integer, visit_occurrence_id integer",
        "70,100,32037,2026-07-21 08:00:00,2026-07-21 08:45:00,4,12\n\
         71,100,9201,2026-07-21 08:00:00,2026-07-24 08:00:00,4,12\n\
         72,100,9202,2026-07-01 10:00:00,2026-07-01 10:20:00,1,10\n",
    ),
    (
        "observation",
        "observation_id integer PRIMARY KEY, person_id integer, observation_datetime timestamp, value_as_number numeric, visit_occurrence_id integer, observation_source_value varchar(50), value_source_value varchar(50)",
        "1,100,2026-07-01 12:00:00,5,10,care-measure:q1,\n\
         2,100,2026-07-01 12:00:00,,10,care-measure:q2,DNA\n\
         3,100,2026-07-01 12:00:00,37,10,temperature,\n\
         4,101,2026-07-01 13:00:00,2.5,13,care-measure:q1,\n\
         5,101,2026-07-01 13:00:00,4.0,13,care-measure:q2,\n",
    ),
    ("cdm_source", "cdm_source_name varchar(255), source_release_date date", "West,2026-08-15\n"),
    (
        "measurement",
        "measurement_id integer PRIMARY KEY, person_id integer, measurement_datetime timestamp, value_as_number numeric, visit_occurrence_id integer, measurement_source_value varchar(50), value_source_value varchar(50)",
        "1,103,2026-07-02 09:00:00,3,16,care-measure:q1,\n2,103,2026-07-02 09:00:00,82,16,8867-4,\n",
    ),
];

struct Site {
    dir: tempfile::TempDir,
    store: Store,
    pseudonyms: Pseudonyms,
}

struct Nothing;

impl Recorder for Nothing {
    fn is_on(&self) -> bool {
        false
    }

    fn read(&self, _: &Path) -> Result<Vec<Reading>, String> {
        Err("not read here".to_owned())
    }
}

/// Where an import takes its rows from.
enum From<'a> {
    Files,
    Database(&'a str, u32),
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        let pseudonyms = Pseudonyms::new(&[7; 32]);
        for (name, columns, rows) in TABLES {
            let names: Vec<&str> =
                columns.split(", ").map(|c| c.split(' ').next().unwrap()).collect();
            std::fs::write(dir.path().join(name), format!("{}\n{rows}", names.join(","))).unwrap();
        }
        Self { dir, store, pseudonyms }
    }

    async fn import(&self, mapping: &str, from: From<'_>, again: Again) -> Result<Summary, Fault> {
        let path: PathBuf = self.dir.path().join("site.sql");
        std::fs::write(&path, mapping).unwrap();
        let file = |(name, ..): &(&str, &str, &str)| {
            format!("{name}.csv={}", self.dir.path().join(name).display()).parse().unwrap()
        };
        // What no section reads is not given.
        let read = |(name, ..): &&(&str, &str, &str)| mapping.contains(&format!("raw_{name}"));
        let mut statement_s = 60;
        let (inputs, database) = match from {
            From::Files => (TABLES.iter().filter(read).map(file).collect(), None),
            From::Database(url, seconds) => {
                statement_s = seconds;
                (Vec::new(), Some(Database::new(url, &["cdm".to_owned()]).unwrap()))
            }
        };
        let request = Request {
            mapping: path,
            inputs,
            database,
            recordings_dir: None,
            again,
            on_error: OnError::Reject,
            statement_s,
            at_us: 1_790_000_000_000_000,
            memory: intake::stream::Memory::default(),
        };
        let questionnaire = Questionnaire {
            instrument: "care-measure".to_owned(),
            version: "2004".to_owned(),
            respondent: "patient".to_owned(),
            items: ["q1", "q2"].map(str::to_owned).to_vec(),
            codes: ["1", "2", "3", "4", "5", "NA", "DNA"].map(str::to_owned).to_vec(),
            imported: Vec::new(),
            locked: false,
        };
        let ports = Ports {
            pseudonyms: &self.pseudonyms,
            questionnaires: &[questionnaire],
            recorder: &Nothing,
            progress: &Silent,
        };
        let prefix = format!("{}/", self.dir.path().display());
        intake::import(&self.store, &request, &ports).await.map_err(|mut fault| {
            fault.place = fault.place.map(|place| place.replace(&prefix, ""));
            fault
        })
    }

    /// Every value of the canonical tables, and every reject; a file's header stands before its first row.
    async fn everything(&self, header: i64) -> Vec<String> {
        let mut all = Vec::new();
        for (table, columns) in [
            ("person", "hex(person), role, specialty, site_unit, active, age_band, gender"),
            (
                "encounter",
                "hex(encounter), hex(person), hex(patient), start_us, end_us, tz_min, minutes, acuity, channel, ed_30d, call_minutes",
            ),
            (
                "response",
                "hex(response), instrument, respondent, hex(person), hex(encounter), hex(patient), authored_us",
            ),
            ("answer", "hex(response), item, code"),
            ("reject", "table_name, line - HEADER, column_name, reason"),
        ] {
            let sql = format!("SELECT '{table} ' || json_array({columns}) FROM {table} ORDER BY 1")
                .replace("HEADER", &header.to_string());
            let rows: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(self.store.pool()).await.unwrap();
            all.extend(rows);
        }
        all
    }

    async fn batches(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM import_batch")
            .fetch_one(self.store.pool())
            .await
            .unwrap()
    }
}

/// Fills a schema `cdm` with the rows of the files.
async fn fill(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut sql = "CREATE SCHEMA cdm;\n".to_owned();
    for (name, columns, rows) in TABLES {
        writeln!(sql, "CREATE TABLE cdm.{name} ({columns});").unwrap();
        for row in rows.lines() {
            let quoted = |value: &str| {
                if value.is_empty() { "NULL".to_owned() } else { format!("'{value}'") }
            };
            let values: Vec<String> = row.split(',').map(quoted).collect();
            writeln!(sql, "INSERT INTO cdm.{name} VALUES ({});", values.join(", ")).unwrap();
        }
    }
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
    connection
}

#[tokio::test]
async fn the_same_mapping_gives_the_same_rows_over_files_and_in_the_database() {
    let Some(server) = Server::start() else { return };
    let url = server.url();
    let mut hospital = fill(&url).await;
    let files = Site::new().await;
    files.import(OMOP, From::Files, Again::Refuse).await.unwrap();
    let pushed = Site::new().await;
    let summary = pushed.import(OMOP, From::Database(&url, 60), Again::Refuse).await.unwrap();
    assert_eq!(files.everything(1).await, pushed.everything(0).await);
    assert_eq!(
        summary.to_string(),
        "batch 1\n  read      @person                   4 rows\n  read      @encounter                7 rows\n  \
         read      @response                 3 rows\n  read      @answer                   5 rows\n  taken     person      \
         \x20             3 rows, 1 rejected\n  taken     encounter                 5 rows, 2 rejected\n  taken     response  \
         \x20               3 rows, 0 rejected\n  taken     answer                    4 rows, 1 rejected\n"
            .to_owned()
            + &summary.reasons.iter().fold(String::new(), |mut all, reason| {
                writeln!(all, "  rejected  {reason}").unwrap();
                all
            })
    );
    // The same rows again: refused, or they replace themselves; another row makes them others.
    let fault = pushed.import(OMOP, From::Database(&url, 60), Again::Refuse).await.unwrap_err();
    assert_eq!(
        fault.to_string(),
        "these rows were imported before, as batch 1\n  hint: to import them anew, for example with a better mapping, \
         add --replace"
    );
    let before = pushed.everything(0).await;
    pushed.import(OMOP, From::Database(&url, 60), Again::Replace).await.unwrap();
    assert_eq!((pushed.everything(0).await, pushed.batches().await), (before, 1));
    let sql = "INSERT INTO cdm.visit_occurrence VALUES (20, 104, 9202, '2026-08-01 10:00', '2026-08-01 10:30', 1)";
    hospital.execute(sql).await.unwrap();
    let summary = pushed.import(OMOP, From::Database(&url, 60), Again::Refuse).await.unwrap();
    let encounter = &summary.tables[1];
    assert_eq!((encounter.accepted, encounter.known, encounter.rejected), (1, 5, 2), "{summary}");
}

#[tokio::test]
async fn a_large_table_comes_in_pages_with_lines_in_the_order_of_its_key() {
    let Some(server) = Server::start() else { return };
    let url = server.url();
    let mut hospital = PgConnection::connect(&url).await.unwrap();
    // 10,001 people, written from the last to the first; every 1000th lacks a role, one id is far too long.
    let sql = "CREATE SCHEMA cdm; CREATE TABLE cdm.staff (nr bigint PRIMARY KEY, id text, role text, works boolean, share numeric);
         INSERT INTO cdm.staff SELECT n, CASE n WHEN 7 THEN repeat('x', 5000) ELSE 'D' || n END,
         CASE WHEN n % 1000 <> 0 THEN 'nurse' END, true, 0.5 FROM generate_series(10001, 1, -1) n";
    hospital.execute(sqlx::raw_sql(sql)).await.unwrap();
    let mapping = "-- @person\nSELECT id AS person, role, 'internal' AS specialty, works AS active, _line AS line FROM raw_Staff\n";
    let site = Site::new().await;
    let summary = site.import(mapping, From::Database(&url, 60), Again::Refuse).await.unwrap();
    assert_eq!(
        summary.to_string(),
        "batch 1\n  read      @person               10001 rows\n  taken     person                 9990 rows, 11 rejected\n  \
         rejected  person.role: missing (10 rows; first lines 1000, 2000, 3000, 4000, 5000)\n  rejected  person.person: \
         not an id of 1 to 200 characters (1 rows; first lines 7)\n"
    );
}

#[tokio::test]
async fn what_does_not_run_there_is_told_with_its_line_and_leaves_nothing() {
    let Some(server) = Server::start() else { return };
    let url = server.url();
    let mut hospital = fill(&url).await;
    let extra = "CREATE TABLE cdm.odd (id text PRIMARY KEY, doc json); INSERT INTO cdm.odd VALUES ('Ann Example', '{}');
         CREATE FUNCTION cdm.note() RETURNS text LANGUAGE sql AS 'INSERT INTO cdm.care_site VALUES (99, ''x''); SELECT ''a''::text'";
    hospital.execute(sqlx::raw_sql(extra)).await.unwrap();
    let site = Site::new().await;
    let odd = "raw_odd has _line, id, doc";
    let person =
        "'nurse' AS role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_odd";
    let none = "raw_NAME stands for the table or view NAME; --schema says where to look";
    let runs = |line: usize, problem: &str, hint: &str| {
        format!(
            "section `@person` does not run in PostgreSQL: {problem}\n  at:   site.sql:{line}\n  hint: {hint}"
        )
    };
    let cases = [
        (format!("SELECT\n nom AS person, {person}"), runs(3, "column \"nom\" does not exist", odd)),
        (format!("SELECT id AS person,\n\n {person} WHERE"), runs(4, "syntax error at or near \")\"", odd)),
        ("SELECT 1 FROM raw_nothing".to_owned(), runs(2, "relation \"raw_nothing\" does not exist", none)),
        (format!("SELECT json_extract(id, '$.a') AS person, {person}"), runs(2, "function json_extract(text, unknown) does not exist", odd)),
        (
            format!("SELECT CAST(id AS BIGINT) AS person, {person}"),
            runs(1, "a value of the database does not suit one of its functions or casts (SQLSTATE 22P02)", odd),
        ),
        (format!("SELECT note() AS person, {person}"), runs(1, "it would write, and the session is read-only", odd)),
        (
            format!("SELECT doc AS person, {person}"),
            "section `@person` yields `person` as json, which is no plain value\n  at:   site.sql:1\n  hint: yield numbers, \
             texts, booleans, dates or times; a time is unixepoch(…) * 1000000"
                .to_owned(),
        ),
        (
            format!("SELECT unixepoch(1, 2, 3) AS person, {person}"),
            "section `@person` calls `unixepoch` with 3 arguments, which does not run in PostgreSQL\n  at:   site.sql:2"
                .to_owned(),
        ),
        (
            format!("SELECT id, {person}"),
            "section `@person` yields `id`, which is not one of its columns\n  at:   site.sql:1\n  hint: @person yields \
             line, person, role, specialty, grade_band?, site_unit?, active, age_band?, gender?, training_country? (? may be left out)"
                .to_owned(),
        ),
        (
            format!("SELECT id || (SELECT count(*) FROM generate_series(1, 10000000000) n) AS person, {person}"),
            format!(
                "the hospital's database stopped a statement that took more than 1 s\n  at:   {}:5432/postgres\n  hint: a larger \
                 --statement-seconds, an index on the columns that the section joins by, or a narrower WHERE",
                url.split("host=").nth(1).unwrap()
            ),
        ),
    ];
    for (sql, expected) in cases {
        let mapping = format!("-- @person\n{sql}\n");
        let fault =
            site.import(&mapping, From::Database(&url, 1), Again::Refuse).await.unwrap_err();
        assert_eq!(fault.to_string(), expected, "{sql}");
        assert_eq!((site.batches().await, site.everything(0).await.len()), (0, 0));
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM cdm.care_site")
        .fetch_one(&mut hospital)
        .await
        .unwrap();
    assert_eq!(rows, 2, "the hospital's tables are as they were");
    // A user who may not read, a database that is not there, and nobody who listens.
    hospital.execute("CREATE ROLE stranger LOGIN").await.unwrap();
    hospital.execute("GRANT USAGE ON SCHEMA cdm TO stranger").await.unwrap();
    let mapping = format!("-- @person\nSELECT id AS person, {person}\n");
    for (url, expected) in [
        (
            url.replace("emr@", "stranger@"),
            "section `@person` does not run in PostgreSQL: permission denied for table odd",
        ),
        (url.replace("/postgres?", "/warehouse?"), "the server has no database of that name"),
        (
            url.replace("emr@", "nobody-at-all@"),
            "the hospital's database refused the user or the password",
        ),
    ] {
        let fault =
            site.import(&mapping, From::Database(&url, 5), Again::Refuse).await.unwrap_err();
        assert_eq!(fault.message, expected);
    }
    let url = format!("postgres://emr@localhost/postgres?host={}", site.dir.path().display());
    let fault = site.import(&mapping, From::Database(&url, 5), Again::Refuse).await.unwrap_err();
    assert!(fault.message.starts_with("the hospital's database cannot be reached: "), "{fault}");
}

/// Local times about both changes of the clocks, of two zones: the same moments, offsets and rejects in both databases.
#[tokio::test]
async fn local_times_are_the_same_moments_over_files_and_in_the_database() {
    let Some(server) = Server::start() else { return };
    let url = server.url();
    let _hospital = fill(&url).await;
    let times = [
        "2026-03-29 01:59:59",
        "2026-03-29 02:30:00",
        "2026-03-29 03:00:00",
        "2026-07-01 08:10",
        "2026-10-25 01:59",
        "2026-10-25 02:30",
        "2026-10-25 03:00",
        "2026-04-05 01:45",
        "2026-10-04 02:15",
        "2026-07-01 08:10:00+02:00",
        "2026-07-01 08:10Z",
    ];
    let mut rows = Vec::new();
    for (zone, name) in [("b", "Europe/Berlin"), ("l", "Australia/Lord_Howe")] {
        for (nth, time) in times.iter().enumerate() {
            rows.push(format!(
                "SELECT '{zone}{nth}' AS encounter, '1' AS person, utc_us(x.t, '{name}') AS start_us, \
                 tz_min(x.t, '{name}') AS tz_min, 10 AS minutes, 3 AS acuity, 'phone' AS channel, v._line AS line \
                 FROM raw_visit_occurrence v CROSS JOIN (SELECT '{time}' AS t) AS x WHERE v._line = LINE"
            ));
        }
    }
    let person = "SELECT CAST(provider_id AS TEXT) AS person, 'nurse' AS role, 'internal' AS specialty, 1 AS active, \
                  _line AS line FROM raw_provider";
    let rows = rows.join("\nUNION ALL\n");
    let mapping = format!("-- @person\n{person}\n-- @encounter\n{rows}\n");
    let files = Site::new().await;
    let over_files = files.import(&mapping.replace("LINE", "2"), From::Files, Again::Refuse).await;
    over_files.unwrap();
    let pushed = Site::new().await;
    let in_database = mapping.replace("LINE", "1");
    pushed.import(&in_database, From::Database(&url, 60), Again::Refuse).await.unwrap();
    let found = files.everything(1).await;
    assert_eq!(found, pushed.everything(0).await);
    let skipped = found.iter().filter(|row| row.contains("a local time that no clock showed"));
    assert_eq!(skipped.count(), 2, "{found:?}");
    assert_eq!(found.iter().filter(|row| row.starts_with("encounter ")).count(), 2 * 8);
    // Two columns each of the four texts that have an offset.
    assert_eq!(found.iter().filter(|row| row.contains("\"missing\"")).count(), 8);
}
