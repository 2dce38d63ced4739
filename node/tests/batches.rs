//! A steward's day by the commands: import, list, look at the quality, withdraw.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use tacit_node::command::batches::{self, BatchesArgs};
use tacit_node::command::check::{self, CheckArgs};
use tacit_node::command::identities::{self, IdentitiesArgs};
use tacit_node::command::import::{self, ImportArgs};
use tacit_node::config::Config;
use tacit_node::intake::progress::Silent;
use tacit_node::store::Store;

const PERSON: &str = "-- @person\nSELECT nr AS person, role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff\n";
const ENCOUNTER: &str = "-- @encounter\nSELECT visit AS encounter, doctor AS person, patient, \
    unixepoch(began) * 1000000 AS start_us, unixepoch(ended) * 1000000 AS end_us, 120 AS tz_min, mins AS minutes, \
    3 AS acuity, 'phone' AS channel, _line AS line FROM raw_visits\n";
const STAFF: &str = "nr,role\nD-One,nurse\nD-Two,nurse\nD-Three,clerk\n";
const VISITS: &str = "visit,doctor,patient,began,ended,mins\n\
    V1,D-One,P-4711,2026-07-01T08:00:00Z,2026-07-01T08:20:00Z,20\n\
    V2,D-One,P-4712,2026-09-01T08:00:00Z,,500\n\
    V3,D-Two,P-4711,2026-07-02T08:00:00Z,2026-07-02T07:00:00Z,10\n\
    V4,D-Two,P-4713,1999-07-02T08:00:00Z,,10\n";

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new(extra: &str) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        let config = Config::new("127.0.0.1:7843".parse().unwrap());
        let text = config.to_toml().unwrap().replace("keep = false", extra);
        site.write("node.toml", &text);
        site.write("staff.csv", STAFF);
        site.write("visits.csv", VISITS);
        site
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn import(&self, mapping: &str, name: &str, replace: bool) -> String {
        let file = self.path().join(name).with_extension("csv");
        let args = ImportArgs {
            dir: self.path().to_owned(),
            mapping: self.write("site.sql", mapping),
            recordings_dir: None,
            replace,
            memory_mib: tacit_node::intake::stream::Memory::default(),
            on_error: tacit_node::intake::OnError::Reject,
            postgres: None,
            schema: Vec::new(),
            statement_seconds: 900,
            inputs: vec![format!("{name}={}", file.display()).parse().unwrap()],
        };
        import::run(&args, &Silent).await.unwrap()
    }

    fn batches(&self, withdraw: Option<i64>) -> BatchesArgs {
        BatchesArgs { dir: self.path().to_owned(), withdraw, with_dependents: false, json: false }
    }

    async fn identities(&self, change: impl FnOnce(&mut IdentitiesArgs), input: &str) -> String {
        let dir = self.path().to_owned();
        let mut args = IdentitiesArgs { dir, find: None, hash: None, forget: false };
        change(&mut args);
        identities::run(&args, input.as_bytes()).await.unwrap()
    }
}

#[tokio::test]
async fn a_batch_is_listed_and_withdrawn_by_its_number() {
    let site = Site::new("keep = false");
    site.import(PERSON, "staff", false).await;
    site.import(ENCOUNTER, "visits", false).await;
    let text = batches::run(&site.batches(None)).await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("batch 1      20"), "{text}");
    assert!(lines[1].ends_with("…             3 rows  staff"), "{text}");
    assert_eq!(lines[2], "  has   person                       3 rows");
    assert_eq!(
        &lines[5..],
        [
            "  has   encounter                    3 rows",
            "  and   rejected                     1 rows, for 1 reason"
        ]
    );
    let json = batches::run(&BatchesArgs { json: true, ..site.batches(None) }).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["batches"][1]["rows"]["encounter"], 3);
    assert_eq!(json["batches"][1]["files"][0]["sha256"].as_str().unwrap().len(), 64);

    let fault = batches::run(&site.batches(Some(1))).await.unwrap_err();
    assert!(fault.message.contains("3 rows of other batches refer to rows of batch 1"), "{fault}");
    assert!(fault.hint.unwrap().contains("--with-dependents"));
    let text = batches::run(&site.batches(Some(2))).await.unwrap();
    assert_eq!(
        text,
        "Batch 2 is withdrawn.\n  deleted  encounter                    3 rows\n\
         What was released before cannot be recalled; the next release is without these rows."
    );
    let text = batches::run(&site.batches(None)).await.unwrap();
    assert!(text.lines().last().unwrap().ends_with("3 rows, and 0 of other batches"), "{text}");
    assert_eq!(
        batches::run(&site.batches(Some(2))).await.unwrap_err().message,
        "there is no batch 2"
    );
    // The same files may come in anew.
    assert!(site.import(ENCOUNTER, "visits", false).await.starts_with("batch 3\n"));
}

#[tokio::test]
async fn what_is_replaced_leaves_a_line_and_what_is_not_is_told() {
    let site = Site::new("keep = false");
    site.import(PERSON, "staff", false).await;
    site.import(ENCOUNTER, "visits", false).await;
    let text = site.import(&ENCOUNTER.replace("120 AS", "60 AS"), "visits", true).await;
    assert!(
        text.contains(
            "\n  noted     batch 2, of the same files, was withdrawn; it held rows: 3 of encounter\n"
        ),
        "{text}"
    );
    let text = batches::run(&site.batches(None)).await.unwrap();
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with("batch 2 ") && last.ends_with("3 rows, and 0 of other batches"),
        "{text}"
    );
    // A mended file is another one.
    site.write("visits.csv", &VISITS.replace(",500", ",50"));
    let text = site.import(ENCOUNTER, "visits", true).await;
    assert!(
        text.contains(
            "  noted     --replace replaced nothing: no batch was made of these very files. If they mend those of batch 3, \
             which has files of the same names, withdraw this batch and that one (`tacit-node batches --dir DIR \
             --withdraw N`) and import them again\n"
        ),
        "{text}"
    );
    site.write("other.csv", STAFF);
    let other = PERSON.replace("raw_staff", "raw_other").replace("1 AS active", "0 AS active");
    site.write("other.csv", &STAFF.replace("clerk", "nurse"));
    let text = site.import(&other, "other", true).await;
    assert!(
        text.contains(
            "  noted     --replace replaced nothing: no batch was made of these very files\n"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn a_study_says_at_which_step_rows_are_left_out() {
    let site = Site::new("keep = false");
    site.import(
        &PERSON.replace("role,", "iif(role = 'clerk', role, 'physician') AS role,"),
        "staff",
        false,
    )
    .await;
    // One patient with two clinicians, one before the period, one of a clerk.
    site.write(
        "visits.csv",
        "visit,doctor,patient,began,ended,mins\n\
         V1,D-One,P-1,2026-08-01T08:00:00Z,,20\nV2,D-Two,P-1,2026-08-02T08:00:00Z,,20\n\
         V3,D-One,P-2,2020-08-01T08:00:00Z,,20\nV4,D-Three,P-3,2026-08-01T08:00:00Z,,20\n\
         V5,D-Two,P-4,2026-08-01T08:00:00Z,,20\n",
    );
    site.import(ENCOUNTER, "visits", false).await;
    let mut args = CheckArgs::of(site.path());
    let study = include_str!("../../configs/studies/empathy-billing.toml");
    args.study.push(site.write("study.toml", study));
    args.json = true;
    let json: serde_json::Value = serde_json::from_str(&check::run(&args).await.unwrap()).unwrap();
    let steps = |table: usize| {
        let steps = json["studies"][0]["tables"][table]["steps"].as_array().unwrap();
        let of = |step: &serde_json::Value| {
            format!("{} {}", step["left"].as_str().unwrap(), step["rows"])
        };
        steps.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(
        steps(0),
        [
            "in-the-table 5",
            "in-the-period 4",
            "of-its-clinicians 3",
            "with-consent 3",
            "within-links 2",
            "read 2"
        ]
    );
    assert_eq!(steps(1)[..2], ["in-the-table 0", "of-its-questionnaires 0"]);
    args.json = false;
    let text = check::run(&args).await.unwrap();
    assert!(text.contains("\n  rows of encounter\n           5  in the table"), "{text}");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "4 in its period 1 left out: what is dated before 2026-07-01 or from 2026-10-01 on, in UTC.",
        "3 with consent All of them.",
        "2 within links_per_patient 1 left out: what a patient had with further clinicians.",
    ] {
        assert!(flat.contains(part), "{part} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[tokio::test]
async fn no_id_is_kept_unless_the_site_says_so() {
    let site = Site::new("keep = false");
    site.import(PERSON, "staff", false).await;
    site.import(ENCOUNTER, "visits", false).await;
    assert!(!site.path().join("identities.sqlite").exists());
    let text = site.identities(|_| (), "").await;
    assert!(text.starts_with("No id is kept"), "{text}");
    let hash = site.identities(|args| args.hash = Some("person".to_owned()), "D-One\n").await;
    let store = Store::open(&site.path().join("node.sqlite")).await.unwrap();
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM person WHERE lower(hex(person)) = ?")
        .bind(&hash)
        .fetch_one(store.pool())
        .await
        .unwrap();
    store.close().await;
    assert_eq!(known, 1);
}

#[tokio::test]
async fn kept_ids_lead_back_to_their_person_until_the_batch_goes() {
    let site = Site::new("keep = true");
    site.import(PERSON, "staff", false).await;
    site.import(ENCOUNTER, "visits", false).await;
    // P-4713 and P-4712 and P-4711; the row of V3 is a reject, but P-4711 came by V1.
    let text = site.identities(|_| (), "").await;
    assert_eq!(text, "  patient           3 ids, sealed\n  person            3 ids, sealed");
    let hash = site.identities(|args| args.hash = Some("patient".to_owned()), "P-4711").await;
    let found = site.identities(|args| args.find = Some(hash[..10].to_owned()), "").await;
    assert_eq!(found, format!("patient  {hash}  P-4711"));
    for file in ["identities.sqlite", "node.sqlite", "node.sqlite-wal"] {
        let bytes = std::fs::read(site.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(6).any(|w| w == b"P-4711" || w == b"D-Thre"), "{file}");
    }
    // Imported again without the patients: theirs go with the batch that is replaced.
    let without = ENCOUNTER.replace("doctor AS person, patient,", "doctor AS person,");
    site.import(&without, "visits", true).await;
    assert_eq!(site.identities(|_| (), "").await, "  person            3 ids, sealed");
    let args = BatchesArgs { with_dependents: true, ..site.batches(Some(1)) };
    let text = batches::run(&args).await.unwrap();
    assert!(text.contains("  deleted  encounter                    3 rows of batch 3\n"), "{text}");
    assert!(text.contains("  deleted  sealed ids                   5\n"), "{text}");
    assert_eq!(site.identities(|_| (), "").await, "No id is kept so far.");
    let text = site.identities(|args| args.forget = true, "").await;
    assert!(text.starts_with("Every kept id and its key are deleted. The next import"), "{text}");
    assert!(!site.path().join("identities.key").exists());
}

#[tokio::test]
async fn the_quality_page_shows_what_a_study_lacks_here() {
    let site = Site::new("keep = false");
    site.import(PERSON, "staff", false).await;
    site.import(ENCOUNTER, "visits", false).await;
    let study =
        site.write("study.toml", include_str!("../../configs/studies/empathy-billing.toml"));
    // An older page that others may read, and that somebody has open.
    let html = site.write("page.html", "an older page");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&html, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let mut older = std::fs::File::open(&html).unwrap();
    let mut args = CheckArgs::of(site.path());
    args.study.push(study);
    args.html = Some(html.clone());
    let text = check::run(&args).await.unwrap();
    for part in [
        "the database is sound\n",
        "  encounter_feature                       0 rows\n",
        "  encounter, no patient's id              0 rows\n",
        "           1 in batch 2    encounter.end_us: before start_us (first lines 4)",
        "         1  encounter.start_us: before 2000; taken over (1999-07: 1; batch 2)",
        "         1  encounter.end_us: end before its start; rejected (batch 2)",
        "(named for this check)",
        "  missing  groups.interpreter-panel: nobody here is in the group",
        "  missing  outcome: no clinician has a value from `scale:care-measure:total` in the period",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">") && !page.contains("<script"));
    assert!(page.matches("<svg").count() > 3);
    let mut still = String::new();
    std::io::Read::read_to_string(&mut older, &mut still).unwrap();
    assert_eq!(still, "an older page");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&html).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let parts = std::fs::read_dir(site.path()).unwrap();
    let parts =
        parts.filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "part"));
    assert_eq!(parts.count(), 0);
    args.json = true;
    let json: serde_json::Value = serde_json::from_str(&check::run(&args).await.unwrap()).unwrap();
    let study = &json["studies"][0];
    assert_eq!(
        (study["standing"].as_str(), study["clinicians"].as_u64()),
        (Some("named"), Some(2))
    );
    let spread = study["spreads"]
        .as_array()
        .unwrap()
        .iter()
        .find(|spread| spread["counted"] == "encounters")
        .unwrap();
    assert_eq!(spread["at_centre"].as_u64().unwrap() + spread["known"].as_u64().unwrap(), 2);
    assert_eq!(json["coverage"]["modalities"][0]["name"], "encounters");
    assert_eq!(json["tables"][2]["rows"], 3);
}

#[tokio::test]
async fn a_locked_questionnaire_is_told_and_the_rest_is_shown() {
    let site = Site::new("keep = false");
    site.import(PERSON, "staff", false).await;
    let study = include_str!("../../configs/studies/empathy-billing.toml");
    let locked = study.replace("scale:copenhagen-burnout:client", "scale:stanford-pfi:burnout");
    let locked = locked.replace("instruments.copenhagen-burnout", "instruments.stanford-pfi");
    assert_ne!(locked, study);
    let mut args = CheckArgs::of(site.path());
    args.study.push(site.write("study.toml", &locked));
    let text = check::run(&args).await.unwrap();
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("missing features.client-burnout: instrument `stanford-pfi` is locked"),
        "{text}"
    );
    assert!(flat.contains("name it in node.toml: [licences] stanford-pfi"), "{text}");
    // What the other parts hold is shown all the same; cells need all of them.
    assert!(text.contains("  features.minutes (minutes-mean)"), "{text}");
    assert!(!text.contains("everyone here"), "{text}");
}
