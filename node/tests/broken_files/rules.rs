//! Mappings that do not run, and rows that break a rule of the canonical tables.
use super::{Broken, PERSON, STAFF, broken, mapped};

/// A sound visit; the cases change one thing.
const VISITS: &str = "v,d,p,s,e,m,a,w\nV1,D1,P1,1782892800,1782894000,20,3,in_person\n";
const ENCOUNTER: &str = "-- @encounter\nSELECT v AS encounter, d AS person, p AS patient, CAST(s AS BIGINT) * 1000000 AS start_us,\n \
    CAST(e AS BIGINT) * 1000000 AS end_us, 120 AS tz_min, m AS minutes, a AS acuity, w AS channel, _line AS line FROM raw_x\n";

pub(crate) fn cases() -> Vec<Broken> {
    let mut all = mappings();
    all.extend(rows());
    all.extend(answers());
    all.extend(consents());
    all
}

fn mappings() -> Vec<Broken> {
    let person = |sql: &str| format!("-- @person\n{sql}\n");
    let staff = |from: &str, to: &str| STAFF.replacen(from, to, 1);
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    let columns = "'nurse' AS role, 'internal' AS specialty, 1 AS active";
    vec![
        mapped("a word too few", staff("role, field AS", "role field AS,")).says(&["section `@person` does not run: near \"AS\": syntax error", "  at:   site.sql:2", "  hint: raw_staff has _line, nr, role, field, works"]),
        mapped("a column nobody has", staff("nr AS person", "\n  number AS person")).says(&["section `@person` does not run: no such column: number", "  at:   site.sql:3", "  hint: raw_staff has _line, nr, role, field, works"]),
        mapped("a table nobody brought", staff("raw_staff", "\nraw_people")).says(&["`staff` would be lost: `raw_staff` is read by no section that can run", "  at:   staff.csv", "  hint: is its name as the mapping has it? The mapping asks for these too: people=FILE for `raw_people` (line 1)"]),
        mapped("a function nobody knows", staff("role,", "to_char(role) AS role,")).says(&["section `@person` does not run: no such function: to_char", "  at:   site.sql:2", "  hint: raw_staff has _line, nr, role, field, works"]),
        mapped(
            "a column that two tables have",
            staff("FROM raw_staff", "FROM raw_staff, raw_staff AS b"),
        )
        .says(&["section `@person` does not run: ambiguous column name: nr", "  at:   site.sql:2", "  hint: raw_staff has _line, nr, role, field, works"]),
        mapped("a column that is left out", staff(", works AS active", "")).says(&["section `@person` does not yield active", "  at:   site.sql:1", "  hint: @person yields line, person, role, specialty, grade_band?, site_unit?, active, age_band?, gender?, training_country? (? may be left out)"]),
        mapped("a column too many", staff("works AS active", "works AS active, 7 AS salary"))
            .says(&["section `@person` yields `salary`, which is not one of its columns", "  at:   site.sql:1", "  hint: @person yields line, person, role, specialty, grade_band?, site_unit?, active, age_band?, gender?, training_country? (? may be left out)"]),
        mapped("a section that writes", person("DELETE FROM person")).says(&["section `@person` starts with `DELETE`", "  at:   site.sql:2", "  hint: a section is one SELECT, or WITH … SELECT; it reads the raw tables and changes nothing"]),
        mapped("a section that attaches", person("ATTACH 'other.db' AS other")).says(&["section `@person` starts with `ATTACH`", "  at:   site.sql:2", "  hint: a section is one SELECT, or WITH … SELECT; it reads the raw tables and changes nothing"]),
        mapped("a pragma", person("PRAGMA user_version = 7")).says(&["section `@person` starts with `PRAGMA`", "  at:   site.sql:2", "  hint: a section is one SELECT, or WITH … SELECT; it reads the raw tables and changes nothing"]),
        mapped("a second statement", format!("{}; DROP TABLE person", STAFF.trim_end())).says(&["section `@person` has a second statement after `;`", "  at:   site.sql:2", "  hint: a section is one SELECT, or WITH … SELECT; it reads the raw tables and changes nothing"]),
        mapped("a library", staff("role,", "load_extension('x.so') AS role,")).says(&["section `@person` does not run: no section may load a library or reach beyond the tables: not authorized", "  at:   site.sql:1", "  hint: raw_staff has _line, nr, role, field, works"]),
        mapped(
            "rows without end",
            person(&format!("{endless} SELECT 'D' || i AS person, {columns}, i AS line FROM n, raw_staff")),
        )
        .says(&["section `@person` yields more than 1001000 rows, and the files have 1", "  at:   site.sql:1", "  hint: look for a WITH RECURSIVE without an end, or a JOIN without a condition; --statement-seconds says how long a section may run"]),
        mapped(
            "a count without end",
            person(&format!("{endless} SELECT count(*) AS person, {columns}, 1 AS line FROM n, raw_staff")),
        )
        .within_seconds(1)
        .says(&["section `@person` ran for more than 1 s", "  at:   site.sql:1", "  hint: look for a WITH RECURSIVE without an end, or a JOIN without a condition; --statement-seconds says how long a section may run"]),
        mapped("a table that is none", "-- @people\nSELECT 1\n").says(&["`@people` is not a canonical table", "  at:   site.sql:1", "  hint: expected one of @consent, @person, @encounter, @period, @training, @response, @answer, @device_session"]),
        mapped("a section twice", format!("{STAFF}{STAFF}")).says(&["section `@person` appears twice", "  at:   site.sql:3"]),
        mapped("no section", "SELECT 1\n").says(&["SQL before the first section", "  at:   site.sql:1", "  hint: a section starts with a line such as `-- @person`"]),
        mapped("a mapping in Latin-1", b"-- @person\n-- M\xfcller\n").says(&["the mapping cannot be read: stream did not contain valid UTF-8", "  at:   site.sql", "  hint: expected the site's SQL as UTF-8 text (docs/data-mapping.md)"]),
        mapped(
            "a value that a function refuses",
            staff("role,", "json_extract('{\"a\":1}', role) AS role,"),
        )
        .says(&["section `@person` does not run: a value of the files does not suit one of its functions", "  at:   site.sql:1", "  hint: raw_staff has _line, nr, role, field, works"]),
        mapped("no mapping", "").unmapped().says(&["the mapping cannot be read: No such file or directory (os error 2)", "  at:   site.sql"]),
    ]
}

fn rows() -> Vec<Broken> {
    let case = |name, from: &str, to: &str| {
        broken(name, "x=x.csv", VISITS.replacen(from, to, 1)).by(ENCOUNTER)
    };
    vec![
        case("acuity 6", ",3,in", ",6,in").says(&["  rejected  encounter.acuity: not a whole number from 1 to 5 (1 rows; first lines 2)"]),
        case("an end before its start", "1782894000", "1782892799").says(&["  rejected  encounter.end_us: before start_us (1 rows; first lines 2)"]),
        broken("a time in seconds", "x=x.csv", VISITS)
            .by(&ENCOUNTER.replace(" * 1000000", ""))
            .says(&["  rejected  encounter.end_us: not microseconds since 1970 UTC, between 1990 and 2100 (1 rows; first lines 2)", "  rejected  encounter.start_us: not microseconds since 1970 UTC, between 1990 and 2100 (1 rows; first lines 2)"]),
        case("a person nobody knows", "D1", PERSON).says(&["  rejected  encounter.person: names no person that was taken over (1 rows; first lines 2)"]),
        case("two days in one visit", ",20,", ",2880,").says(&["  rejected  encounter.minutes: not a number from 0 to 1440 (1 rows; first lines 2)"]),
        case("minutes in words", ",20,", &format!(",{PERSON},")).says(&["  rejected  encounter.minutes: not a number from 0 to 1440 (1 rows; first lines 2)"]),
        case("a channel that is none", "in_person", PERSON).says(&["  rejected  encounter.channel: not one of in_person, phone, ivr, video, other (1 rows; first lines 2)"]),
        case("an id without end", "V1", &"V".repeat(201)).says(&["  rejected  encounter.encounter: not an id of 1 to 200 characters (1 rows; first lines 2)"]),
        broken(
            "a visit twice",
            "x=x.csv",
            format!("{VISITS}V1,D1,P2,1782892800,1782894000,20,3,video\n"),
        )
        .by(ENCOUNTER)
        .says(&["  rejected  encounter.encounter: the key of an earlier row (1 rows; first lines 3)"]),
        broken("a time in words", "x=x.csv", VISITS.replacen("1782892800", &format!("the first of {PERSON}"), 1))
            .by(&ENCOUNTER.replace("CAST(s AS BIGINT)", "unixepoch(s)").replace("m AS minutes", "(e - unixepoch(s)) / 60 AS minutes"))
            .says(&["  rejected  encounter.minutes: `s` has a value that is no time; expected one such as 2026-07-01 08:10:00 (1 rows; first lines 2)", "  rejected  encounter.start_us: `s` has a value that is no time; expected one such as 2026-07-01 08:10:00 (1 rows; first lines 2)"]),
        broken("a local time in words, and one that is missing", "x=x.csv", format!("{}V2,D1,P2,,1782894000,20,3,phone\n", VISITS.replacen("1782892800", PERSON, 1)))
            .by(&ENCOUNTER.replace("CAST(s AS BIGINT) * 1000000", "utc_us(s, 'Europe/Berlin')"))
            .says(&["  rejected  encounter.start_us: `s` has a value that is no time; expected one such as 2026-07-01 08:10, without an offset (1 rows; first lines 2)", "  rejected  encounter.start_us: missing (1 rows; first lines 3)"]),
        broken("a file that no section reads", "more=x.csv", VISITS)
            .by("")
            .says(&["`more` would be lost: `raw_more` is read by no section that can run", "  at:   x.csv", "  hint: leave the file out, or write a section that reads it (docs/data-mapping.md)"]),
        broken("a section whose file did not come", "x=x.csv", VISITS)
            .by(&format!("{ENCOUNTER}-- @training\nSELECT p AS person, n AS programme, f AS from_us, _line AS line FROM raw_courses\n"))
            .says(&["  noted     sections left out, for want of their files: @training (courses=FILE)"]),
        case("many things at once", "V1,D1,P1,1782892800,1782894000,20,3,in_person", ",,,,,,,")
            .says(&["  rejected  encounter.acuity: missing (1 rows; first lines 2)", "  rejected  encounter.channel: missing (1 rows; first lines 2)", "  rejected  encounter.encounter: missing (1 rows; first lines 2)", "  rejected  encounter.minutes: missing (1 rows; first lines 2)", "  rejected  encounter.person: missing (1 rows; first lines 2)", "  rejected  encounter.start_us: missing (1 rows; first lines 2)"]),
        broken("a role with a capital", "x=x.csv", "n\nD2\n")
            .by(&format!("UNION ALL SELECT n, '{PERSON}', 'internal', 'yes', _line FROM raw_x\n"))
            .says(&["  rejected  person.active: not 0 or 1 (1 rows; first lines 2)", "  rejected  person.role: not a lower-case word (a-z, 0-9, - and _; 48 at most) (1 rows; first lines 2)"]),
    ]
}

fn answers() -> Vec<Broken> {
    let by = "-- @response\nSELECT DISTINCT f AS response, i AS instrument, r AS respondent, 'D1' AS person, \
              1782892800000000 AS authored_us, min(_line) AS line FROM raw_x GROUP BY f, i, r\n\
              -- @answer\nSELECT f AS response, q AS item, c AS code, _line AS line FROM raw_x WHERE q IS NOT NULL\n";
    let case = |name, row: &str| broken(name, "x=x.csv", format!("f,i,r,q,c\n{row}\n")).by(by);
    vec![
        case("a code the instrument lacks", "F1,care-measure,patient,q1,9").says(&["  noted     without a patient's id: 0 encounters, 1 questionnaires of patients; each counts as a patient of its own", "  rejected  answer.code: not a code of the instrument (1 rows; first lines 2)"]),
        case("an item the instrument lacks", "F1,care-measure,patient,q99,1").says(&["  noted     without a patient's id: 0 encounters, 1 questionnaires of patients; each counts as a patient of its own", "  rejected  answer.item: not an item of the instrument (1 rows; first lines 2)"]),
        case("an instrument nobody defined", "F1,mood,patient,q1,1").says(&["  rejected  answer.response: names no response that was taken over (1 rows; first lines 2)", "  rejected  response.instrument: no instrument of this node has that name (1 rows; first lines 2)"]),
        case("an instrument without its licence", "F1,stanford-pfi,clinician,,").says(&["  rejected  response.instrument: the instrument is locked: no licence reference in node.toml (1 rows; first lines 2)"]),
        case("a form that the wrong side filled in", "F1,care-measure,clinician,,").says(&["  rejected  response.respondent: not who answers this instrument (1 rows; first lines 2)"]),
    ]
}

fn consents() -> Vec<Broken> {
    let by = "-- @consent\nSELECT d AS person, p AS patient, u AS purpose, s AS state, CAST(f AS BIGINT) * 1000000 AS from_us, \
              CAST(t AS BIGINT) * 1000000 AS to_us, _line AS line FROM raw_x\n";
    let case = |name, row: &str| broken(name, "x=x.csv", format!("d,p,u,s,f,t\n{row}\n")).by(by);
    vec![
        case("a consent of nobody", ",,local-view,given,1782892800,").says(&["  rejected  consent.person: not either a person or a patient (1 rows; first lines 2)"]),
        case("a consent of two", "D1,P1,local-view,given,1782892800,").says(&["  rejected  consent.person: not either a person or a patient (1 rows; first lines 2)"]),
        case("a purpose that is none", "D1,,marketing,given,1782892800,").says(&["  rejected  consent.purpose: not one of local-view, research-aggregate, heart, skin-conductance, wearable-summaries, facial-action-units (1 rows; first lines 2)"]),
        case("a state that is none", "D1,,local-view,maybe,1782892800,").says(&["  rejected  consent.state: not one of given, refused, withdrawn (1 rows; first lines 2)"]),
        case("a consent that ends before it begins", "D1,,local-view,given,1782892800,1782892799")
            .says(&["  rejected  consent.to_us: not after from_us (1 rows; first lines 2)"]),
    ]
}
