//! What is in force at a node, through the commands people use: the profile, the switches, and a node as it is made.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use clap::Parser as _;
use std::fmt::Write as _;
use std::path::Path;
use tacit_node::command::{approve, import, init, profile};
use tacit_node::config::{Config, FILE, Modalities};
use tacit_node::intake::progress::Silent;
use tacit_node::link::session::unix_now;
use tacit_node::measure::feature::{self, Rows};
use tacit_node::measure::instrument::Catalogue;
use tacit_node::office::decision::{SmallCells, What};
use tacit_node::office::policy;
use tacit_node::store::consent::{Access, Purpose};
use tacit_node::store::panel::{Asked, Panel, Span};
use tacit_node::store::pseudonym::Pseudonyms;
use tacit_node::store::{Store, approval, away, officer, profile as signed};
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;
use tacit_shared::study::profile::Profile;
use tacit_shared::study::profile::document::Document;

const CLINICIANS: usize = 12;
const RESEARCH: &str = include_str!("../../configs/profiles/ethics-approved-research.toml");
const MAPPING: &str = "\
-- @consent\nSELECT nr AS person, purpose.value AS purpose, 'given' AS state, \
  unixepoch('2026-07-01') * 1000000 AS from_us, unixepoch('2027-06-01') * 1000000 AS to_us, _line AS line \
  FROM raw_staff, json_each('[\"research-aggregate\",\"heart\",\"skin-conductance\",\"wearable-summaries\"]') AS purpose\n\
-- @person\nSELECT nr AS person, 'nurse' AS role, 'internal' AS specialty, 1 AS active, _line AS line FROM raw_staff\n\
-- @period\nSELECT nr AS person, unixepoch('2026-07-01') * 1000000 AS from_us, unixepoch('2026-10-01') * 1000000 AS to_us, \
  volume, 300 AS hours, _line AS line FROM raw_staff\n\
-- @encounter\nSELECT visit AS encounter, nr AS person, patient, unixepoch('2026-07-20') * 1000000 AS start_us, \
  0 AS tz_min, 20 AS minutes, 4 AS acuity, 'in_person' AS channel, _line AS line FROM raw_visits\n\
-- @response\nSELECT form AS response, iif(who = 'patient', 'care-measure', 'copenhagen-burnout') AS instrument, \
  who AS respondent, nr AS person, nullif(visit, '') AS encounter, unixepoch('2026-07-21') * 1000000 AS authored_us, \
  _line AS line FROM raw_forms\n\
-- @answer\nSELECT form AS response, iif(who = 'patient', 'q', 'p') || value AS item, code, _line AS line FROM raw_forms, \
  json_each(iif(who = 'patient', '[1,2,3,4,5,6,7,8,9,10]', '[1,2,3,4,5,6]'))\n";
const SESSIONS: &str = "-- @device_session\nSELECT 'S' || nr AS session, nr AS person, 'strap' AS kind, \
  unixepoch('2026-07-22') * 1000000 AS start_us, 'strap.txt' AS file, _line AS line FROM raw_staff\n";

/// A study that reads one number of each kind of data.
fn study(heart: bool) -> String {
    let base = include_str!("../../configs/studies/empathy-billing.toml");
    let (head, rest) = base.split_once("[[features]]").unwrap();
    let (_, tail) = rest.split_once("# Groups stay outside").unwrap();
    let mut features = String::new();
    let mut kinds = vec![
        ("acuity", "acuity-mean", 1.0, 5.0),
        ("volume", "volume", 0.0, 180.0),
        ("own", "scale:copenhagen-burnout:personal", 0.0, 100.0),
    ];
    kinds.extend(heart.then_some(("pulse", "mean-hr", 40.0, 120.0)));
    for (id, source, low, high) in kinds {
        write!(
            features,
            "[[features]]\nid = \"{id}\"\nlabel = \"{id}\"\nsource = \"{source}\"\nlow = {low:?}\nhigh = {high:?}\n\
             centre = {:?}\nrms = 0.3\n",
            f64::midpoint(low, high)
        )
        .unwrap();
    }
    // Without a factor there are no service lines and no codes.
    let (tail, _) = tail.split_once("# Proposed codes").unwrap();
    let tail = tail.replacen("by = [\"sites\", \"levels:specialty\", \"codes\"]", "", 1);
    let text = format!("{head}{features}# Groups stay outside{tail}");
    text.replacen(", { name = \"policymakers\", class = \"policy\" }", "", 1)
}

struct Node {
    dir: tempfile::TempDir,
}

impl Node {
    /// A node as `init` makes it, and a hospital's files beside it.
    async fn new() -> Self {
        let node = Self { dir: tempfile::tempdir().unwrap() };
        let args =
            init_line(&["init", "--dir", &node.folder(), "--site", "north", "--name", "North"]);
        init::run(&args).await.unwrap();
        let (mut staff, mut visits, mut forms) = (
            "nr,volume\n".to_owned(),
            "visit,nr,patient\n".to_owned(),
            "form,who,nr,visit,code\n".to_owned(),
        );
        for nr in 0..CLINICIANS {
            writeln!(staff, "D{nr},{}", 270 + nr).unwrap();
            for visit in 0..3 {
                writeln!(visits, "V{nr}-{visit},D{nr},P{nr}-{visit}").unwrap();
                writeln!(forms, "F{nr}-{visit},patient,D{nr},V{nr}-{visit},{}", 3 + visit % 3)
                    .unwrap();
            }
            writeln!(forms, "O{nr},clinician,D{nr},,3").unwrap();
        }
        for (name, text) in [("staff.csv", staff), ("visits.csv", visits), ("forms.csv", forms)] {
            node.write(name, &text);
        }
        let mut beats = String::new();
        for beat in 0..1200 {
            writeln!(beats, "{}", if beat % 2 == 0 { 790 } else { 810 }).unwrap();
        }
        node.write("strap.txt", &beats);
        node
    }

    fn folder(&self) -> String {
        self.dir.path().join("node").display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    async fn import(&self, mapping: &str) -> String {
        let file = |name: &str| self.dir.path().join(name).with_extension("csv");
        let input = |name: &&str| format!("{name}={}", file(name).display()).parse().unwrap();
        let args = import::ImportArgs {
            dir: self.folder().into(),
            mapping: self.write("site.sql", mapping).into(),
            recordings_dir: Some(self.dir.path().to_owned()),
            replace: true,
            memory_mib: tacit_node::intake::stream::Memory::default(),
            on_error: tacit_node::intake::OnError::Reject,
            postgres: None,
            schema: Vec::new(),
            statement_seconds: 900,
            inputs: ["staff", "visits", "forms"].iter().map(input).collect(),
        };
        import::run(&args, &Silent).await.unwrap()
    }

    async fn store(&self) -> Store {
        Store::open(&Path::new(&self.folder()).join("node.sqlite")).await.unwrap()
    }

    async fn profile(&self, line: &str) -> Result<String, tacit_shared::fault::Fault> {
        let root = self.dir.path().display().to_string();
        let words = line.split(' ').map(|word| word.replace('@', &format!("{root}/")));
        profile::run(
            &Line::<profile::ProfileArgs>::parse_from(
                std::iter::once("profile".to_owned()).chain(words),
            )
            .args,
        )
        .await
    }

    fn approving(&self, study: &str) -> approve::DecideArgs {
        let file = self.write("study.toml", study);
        approve::DecideArgs { dir: self.folder().into(), file: file.into(), digest: None }
    }

    /// Has two people sign a profile for research that does not end soon.
    async fn research(&self) -> Document {
        let text = RESEARCH.replace("2027-12-31", "9999-12-31").replace("\"YOUR", "\"OUR");
        self.sign_research(&text).await
    }

    async fn sign_research(&self, text: &str) -> Document {
        self.write("research.toml", text);
        let document = Document::parse(text).unwrap();
        let digest = document.digest();
        self.profile("key --dir @node --key @staff.p8").await.unwrap();
        let said = self
            .profile(&format!("sign --dir @node --as officer @research.toml --digest {digest}"))
            .await
            .unwrap();
        assert!(
            said.contains("In force is profile `self-report-only`, version 1: profile"),
            "{said}"
        );
        let line = format!(
            "sign --dir @node --as staff-representative @research.toml --digest {digest} --key @staff.p8"
        );
        let said = self.profile(&line).await.unwrap();
        assert!(said.ends_with("\nSigned. It is in force from now on."), "{said}");
        document
    }

    fn switch_off(&self, modality: Modality) {
        let path = Path::new(&self.folder()).join(FILE);
        let config = Config::open(Path::new(&self.folder())).unwrap();
        let config = config.with_modalities(Modalities::EVERYTHING.without(modality));
        std::fs::write(path, config.to_toml().unwrap()).unwrap();
    }

    async fn counts(&self) -> Vec<(&'static str, i64)> {
        let store = self.store().await;
        let mut counts = Vec::new();
        for (name, sql) in [
            ("period", "SELECT count(*) FROM period"),
            ("encounter", "SELECT count(*) FROM encounter"),
            ("patients", "SELECT count(*) FROM response WHERE respondent = 'patient'"),
            ("clinicians", "SELECT count(*) FROM response WHERE respondent = 'clinician'"),
            ("answer", "SELECT count(*) FROM answer"),
            ("feature", "SELECT count(*) FROM feature"),
            ("device_session", "SELECT count(*) FROM device_session"),
        ] {
            counts.push((name, sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap()));
        }
        store.close().await;
        counts
    }

    async fn rows(&self, text: &str, change: impl FnOnce(Access) -> Access) -> Rows {
        let dir = self.folder();
        let store = self.store().await;
        let config = Config::open(Path::new(&dir)).unwrap();
        let access = Access::now(&store, &config, unix_now() * 1_000_000).await.unwrap();
        // Consents of the files are in force within the study's year.
        let access = change(Access { now_us: 1_793_491_200_000_000, ..access });
        let pseudonyms = Pseudonyms::open_or_create(Path::new(&dir)).unwrap();
        let (study, catalogue) = (Study::parse(text).unwrap(), Catalogue::built_in().unwrap());
        feature::rows(&store, &study, &catalogue, &pseudonyms, &access).await.unwrap()
    }
}

#[derive(clap::Parser)]
struct Line<A: clap::Args> {
    #[command(flatten)]
    args: A,
}

fn init_line(words: &[&str]) -> init::InitArgs {
    Line::<init::InitArgs>::parse_from(words).args
}

#[tokio::test]
async fn a_node_as_it_is_made_needs_no_wearable_and_reads_none() {
    let node = Node::new().await;
    let config = Config::open(Path::new(&node.folder())).unwrap();
    assert_eq!(config.modalities(), Modalities::EVERYTHING.without(Modality::Faces));
    let summary = node.import(MAPPING).await;
    assert!(!summary.contains("rejected  "), "{summary}");
    let plain = node.rows(&study(false), |access| access).await;
    assert_eq!((plain.rows.len(), plain.considered), (CLINICIANS, CLINICIANS));
    // The files say nothing of nights and interpreters.
    assert!(
        plain.at_centre.iter().all(|(part, _)| part.starts_with("groups.")),
        "{:?}",
        plain.at_centre
    );
    assert!(
        plain.cells(&Study::parse(&study(false)).unwrap()).iter().all(|cell| cell.small.is_none())
    );
    // CARE sums of 30, 40 and 50, of which five count at least: 36 + (−6 + 4 + 14)/5.
    assert!((plain.rows[0].y() * 40.0 + 10.0 - 38.4).abs() < 1e-9);
    assert!(
        node.profile("show --dir @node")
            .await
            .unwrap()
            .contains("signed by  nobody: it is built in")
    );
    // Recordings that are there all the same are not taken over, and the rest is what it was.
    let summary = node.import(&format!("{MAPPING}{SESSIONS}")).await;
    assert!(summary.contains("noted     device_session: recordings are switched off"), "{summary}");
    assert!(node.counts().await.ends_with(&[("feature", 0), ("device_session", 0)]));
    let again = node.rows(&study(false), |access| access).await;
    let numbers =
        |rows: &Rows| rows.rows.iter().map(|r| (r.x().to_vec(), r.y())).collect::<Vec<_>>();
    assert_eq!(numbers(&again), numbers(&plain));
}

#[tokio::test]
async fn two_people_put_a_wider_profile_in_force_and_either_takes_it_back() {
    let node = Node::new().await;
    let text = study(true);
    let refused = async |why: &str| {
        let fault = approve::approve(&node.approving(&text)).await.unwrap_err();
        assert_eq!(fault.place.as_deref(), Some(policy::PLACE), "{fault}");
        assert!(fault.message.contains(why), "{fault}");
    };
    refused(
        "reads `mean-hr` for `pulse`, which is heart; profile `self-report-only` does not allow it",
    )
    .await;
    refused("mean-hr").await;
    let document = node.research().await;
    // Past the profile, the next thing that is missing is a roster.
    let fault = approve::approve(&node.approving(&text)).await.unwrap_err();
    assert_eq!(fault.message, "no roster is pinned here");
    node.import(&format!("{MAPPING}{SESSIONS}")).await;
    let rows = node.rows(&text, |access| access).await;
    assert!(
        rows.at_centre.iter().all(|(part, _)| part.starts_with("groups."))
            && (rows.rows[0].x()[4] - (75.0 - 80.0) / 40.0).abs() < 0.01
    );
    let shown = node.profile("show --dir @node").await.unwrap();
    for line in [
        "Profile ethics-approved-research",
        "signed by  officer on ",
        "2 times: study empathy-billing reads",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let back = format!("take-back --dir @node {} --as staff-representative", document.digest());
    assert!(node.profile(&back).await.unwrap_err().message.contains("key is not named"));
    let said = node.profile(&format!("{back} --key @staff.p8")).await.unwrap();
    assert!(said.contains("was taken back by the staff-representative"), "{said}");
    refused("was taken back by the staff-representative").await;
    let store = node.store().await;
    assert_eq!(
        signed::now(&store, unix_now()).await.unwrap().document.kind(),
        Profile::SelfReportOnly
    );
    let refusals = signed::refusals(&store).await.unwrap();
    assert_eq!(refusals.iter().map(|r| r.times).sum::<i64>(), 3);
}

#[tokio::test]
async fn one_key_a_wrong_digest_or_the_example_sign_nothing() {
    let node = Node::new().await;
    node.write("example.toml", RESEARCH);
    let digest = Document::parse(RESEARCH).unwrap().digest();
    let shown = node.profile("sign --dir @node --as officer @example.toml").await.unwrap();
    assert!(shown.contains("\nNothing was signed."), "{shown}");
    for (line, why) in [
        (
            format!("sign --dir @node --as officer @example.toml --digest {digest}"),
            "words of the example",
        ),
        (
            format!("sign --dir @node --as officer @example.toml --digest {}", "0".repeat(64)),
            "digest is",
        ),
    ] {
        let fault = node.profile(&line).await.unwrap_err();
        assert!(fault.message.contains(why), "{fault}");
    }
    let document = node.research().await;
    let line = format!(
        "sign --dir @node --as officer @research.toml --digest {} --key @staff.p8",
        document.digest()
    );
    let fault = node.profile(&line).await.unwrap_err();
    assert!(fault.message.starts_with("this key is not the key of the officer"), "{fault}");
    let fault = node.profile("key --dir @node --key @other.p8").await.unwrap_err();
    assert!(fault.message.contains("is pinned here already"), "{fault}");
}

#[tokio::test]
async fn a_purpose_that_people_are_not_asked_about_is_refused_whatever_a_profile_says() {
    let node = Node::new().await;
    let purposes = "purposes = [\"research-aggregate\"]";
    let wider = "purposes = [\"research-aggregate\", \"staffing\"]";
    let text = RESEARCH.replace("2027-12-31", "9999-12-31").replace("\"YOUR", "\"OUR");
    node.sign_research(&text.replacen(purposes, wider, 1)).await;
    let asked =
        study(true).replacen("purpose = \"research-aggregate\"", "purpose = \"staffing\"", 1);
    let fault = approve::approve(&node.approving(&asked)).await.unwrap_err();
    assert_eq!(
        fault.message,
        "study empathy-billing has the purpose `staffing`, which people are not asked about here"
    );
    assert_eq!(fault.place.as_deref(), Some(policy::PLACE));
    let store = node.store().await;
    assert_eq!(signed::refusals(&store).await.unwrap().len(), 1);
    // Under the same profile what people are asked about goes on, up to the roster that is missing.
    let fault = approve::approve(&node.approving(&study(true))).await.unwrap_err();
    assert_eq!(fault.message, "no roster is pinned here");
}

#[tokio::test]
async fn after_each_word_on_a_profile_the_cells_are_looked_at_again() {
    let node = Node::new().await;
    node.import(MAPPING).await;
    let study_text = study(false);
    let (study, store) = (Study::parse(&study_text).unwrap(), node.store().await);
    // A study that stands approved, and a site that stays away from it for no reason.
    let roster = include_str!("../../tests/fuzz/corpus/roster/three-sites");
    let roster_digest = Roster::parse(roster).unwrap().digest();
    approval::pin(&store, &Roster::parse(roster).unwrap(), roster, 1).await.unwrap();
    approval::keep(&store, &study, &study_text, 1).await.unwrap();
    let key = officer::read_key(&Path::new(&node.folder()).join(officer::FILE)).unwrap();
    let what = What::Approve { study: study.digest(), small_cells: SmallCells::Refused };
    officer::decide_under(&store, &key, roster_digest, what, unix_now()).await.unwrap();
    let why = async || away::why(&store, study.digest()).await.unwrap();
    let narrower = tacit_shared::study::profile::document::BUILT_IN.replacen(
        "answers = 730",
        "answers = 30",
        1,
    );
    let digest = Document::parse(&narrower).unwrap().digest();
    node.write("narrower.toml", &narrower);
    for word in [
        format!("sign --dir @node --as officer @narrower.toml --digest {digest}"),
        format!("take-back --dir @node {digest} --as officer"),
    ] {
        away::set(&store, study.digest(), Some("as of yesterday")).await.unwrap();
        node.profile(&word).await.unwrap();
        assert_ne!(why().await.as_deref(), Some("as of yesterday"), "{word}");
        assert!(
            !why().await.unwrap_or_default().contains("were not looked at since"),
            "{word}: {:?}",
            why().await
        );
    }
}

#[tokio::test]
async fn the_representatives_key_is_replaced_and_everything_signed_again() {
    let node = Node::new().await;
    let document = node.research().await;
    let digest = document.digest();
    let kind = async || {
        let store = node.store().await;
        let found = signed::now(&store, unix_now()).await.unwrap();
        (found.document.kind(), found.falls_short.unwrap_or_default())
    };
    assert_eq!(kind().await.0, Profile::EthicsApprovedResearch);
    let said = node.profile("key --dir @node --key @second.p8 --replace").await.unwrap();
    let second = said.lines().last().unwrap().trim().to_owned();
    // Nothing that the first one signed is in force any more, and it signs nothing.
    let (found, why) = kind().await;
    assert_eq!(found, Profile::SelfReportOnly);
    assert!(why.contains("lacks the signature") || why.contains("has to be signed again"), "{why}");
    let sign = |role: &str, key: &str| {
        format!("sign --dir @node --as {role} @research.toml --digest {digest}{key}")
    };
    let fault = node.profile(&sign("staff-representative", " --key @staff.p8")).await.unwrap_err();
    assert!(fault.message.starts_with("this key is not the key of the staff-representative"));
    node.profile(&sign("staff-representative", " --key @second.p8")).await.unwrap();
    let (found, why) = kind().await;
    assert_eq!(found, Profile::SelfReportOnly);
    assert!(
        why.contains("signed by the officer before a key was replaced; it has to be signed again"),
        "{why}"
    );
    node.profile(&sign("officer", "")).await.unwrap();
    assert_eq!(kind().await.0, Profile::EthicsApprovedResearch);
    // Every pin is shown, of both people, with its day.
    let shown = node.profile("show --dir @node").await.unwrap();
    let pins = |of: &str| shown.matches(&format!("\n  pinned for the {of} on 20")).count();
    assert_eq!((pins("officer"), pins("staff-representative")), (1, 2), "{shown}");
    assert!(shown.contains(&format!("key of the staff-representative: {second}")), "{shown}");
}

#[tokio::test]
async fn the_representatives_key_is_no_file_of_the_node() {
    let node = Node::new().await;
    std::fs::create_dir(Path::new(&node.folder()).join("keys")).unwrap();
    for inside in ["@node/staff.p8", "@node/keys/staff.p8", "@node/keys/../staff.p8"] {
        let fault = node.profile(&format!("key --dir @node --key {inside}")).await.unwrap_err();
        assert_eq!(fault.message, "the staff representative's key lies in the node's folder");
    }
    let document = node.research().await;
    let copy = Path::new(&node.folder()).join("copy.p8");
    std::fs::copy(node.dir.path().join("staff.p8"), copy).unwrap();
    let digest = document.digest();
    for line in [
        format!("sign --dir @node --as staff-representative @research.toml --digest {digest}"),
        format!("take-back --dir @node {digest} --as staff-representative"),
    ] {
        let fault = node.profile(&format!("{line} --key @node/copy.p8")).await.unwrap_err();
        assert_eq!(fault.message, "the staff representative's key lies in the node's folder");
    }
}

#[tokio::test]
async fn what_is_switched_off_enters_no_table() {
    let all = [
        ("period", 12),
        ("encounter", 36),
        ("patients", 36),
        ("clinicians", 12),
        ("answer", 360 + 72),
        ("feature", 24),
        ("device_session", 12),
    ];
    let off: [(Modality, &[&str], i64); 5] = [
        (Modality::StaffRecords, &["period"], 432),
        (Modality::Encounters, &["encounter"], 432),
        (Modality::PatientQuestionnaires, &["patients"], 72),
        (Modality::ClinicianQuestionnaires, &["clinicians"], 360),
        (Modality::Heart, &["feature", "device_session"], 432),
    ];
    let node = Node::new().await;
    node.research().await;
    let mapping = format!("{MAPPING}{SESSIONS}");
    node.import(&mapping).await;
    assert_eq!(node.counts().await, all);
    for (modality, gone, answers) in off {
        node.switch_off(modality);
        let summary = node.import(&mapping).await;
        assert!(summary.contains("switched off"), "{summary}");
        // A recording that holds beats alone is a reject; what else is switched off is left out quietly.
        assert_eq!(summary.contains("rejected  "), modality == Modality::Heart, "{summary}");
        let expected = all.map(|(name, n)| match name {
            name if gone.contains(&name) => (name, 0),
            "answer" => (name, answers),
            name => (name, n),
        });
        assert_eq!(node.counts().await, expected, "{modality}");
    }
    node.switch_off(Modality::WearableSummaries);
    let args = import::ImportArgs {
        dir: node.folder().into(),
        mapping: node.write("site.sql", MAPPING).into(),
        recordings_dir: None,
        replace: true,
        memory_mib: tacit_node::intake::stream::Memory::default(),
        on_error: tacit_node::intake::OnError::Reject,
        postgres: None,
        schema: Vec::new(),
        statement_seconds: 900,
        inputs: vec![
            format!("watch.apple={}", node.write("export.xml", "<HealthData/>")).parse().unwrap(),
        ],
    };
    let fault = import::run(&args, &Silent).await.unwrap_err();
    assert_eq!(fault.message, "`watch` holds a wearable's numbers, which are not read here");
}

#[tokio::test]
async fn what_is_switched_off_is_read_from_no_table() {
    let node = Node::new().await;
    node.research().await;
    // Files that say something of nights and interpreters, so that each group has a value to lose.
    let mapping = MAPPING.replacen("300 AS hours", "300 AS hours, 30 AS night_hours", 1).replacen(
        "'in_person' AS channel",
        "'in_person' AS channel, 1 AS interpreter",
        1,
    );
    node.import(&format!("{mapping}{SESSIONS}")).await;
    let text = study(true);
    let columns: [(Modality, &[&str]); 5] = [
        (Modality::PatientQuestionnaires, &["outcome"]),
        (Modality::Encounters, &["features.acuity", "groups.interpreter-panel"]),
        (Modality::StaffRecords, &["features.volume", "groups.night-work"]),
        (Modality::ClinicianQuestionnaires, &["features.own"]),
        (Modality::Heart, &["features.pulse"]),
    ];
    assert!(node.rows(&text, |access| access).await.at_centre.is_empty());
    for (off, parts) in columns {
        let without =
            |access: Access| Access { modalities: access.modalities.without(off), ..access };
        let mut found = node.rows(&text, without).await.at_centre;
        found.sort();
        let expected: Vec<_> = parts.iter().map(|part| ((*part).to_owned(), CLINICIANS)).collect();
        assert_eq!(found, expected, "{off}");
    }
    // No study reads skin conductance yet; the tables do not give it either.
    let store = node.store().await;
    sqlx::query("INSERT INTO feature (session, feature, person, value, n, coverage, modality, src) \
         SELECT session, 'scr_per_min', person, 4, 3, 0.9, 'skin-conductance', src FROM feature WHERE feature = 'ln_rmssd'")
        .execute(store.pool())
        .await
        .unwrap();
    let config = Config::open(Path::new(&node.folder())).unwrap();
    let access = Access::now(&store, &config, unix_now() * 1_000_000).await.unwrap();
    let access = Access { now_us: 1_793_491_200_000_000, ..access };
    let pseudonyms = Pseudonyms::open_or_create(Path::new(&node.folder())).unwrap();
    let asked = Asked {
        purpose: Purpose::ResearchAggregate,
        roles: &["nurse"],
        span: Span { from_us: 0, to_us: i64::MAX },
        earlier: None,
        links_per_patient: 1,
        values: &[],
    };
    for (off, read) in [
        (None, CLINICIANS),
        (Some(Modality::Heart), CLINICIANS),
        (Some(Modality::SkinConductance), 0),
    ] {
        let modalities = off.map_or(access.modalities, |off| access.modalities.without(off));
        let access = Access { modalities, ..access };
        let mut panel = Panel::open(&store, &pseudonyms, &access, &asked).await.unwrap();
        let found = panel.recordings("scr_per_min").await.unwrap();
        assert_eq!(found.iter().flatten().count(), read, "{off:?}");
        panel.close().await.unwrap();
    }
    // Cells are weighed by patients who answered what the study reads: not by a form of another kind, nor by one again.
    for instrument in ["care-measure", "another"] {
        sqlx::query(
            "INSERT INTO response (response, instrument, respondent, person, encounter, patient, authored_us, src) \
             SELECT randomblob(16), ?, respondent, person, encounter, patient, authored_us, src FROM response \
             WHERE respondent = 'patient' AND instrument = 'care-measure' AND length(response) = 16",
        )
        .bind(instrument)
        .execute(store.pool())
        .await
        .unwrap();
    }
    let mut panel = Panel::open(&store, &pseudonyms, &access, &asked).await.unwrap();
    assert_eq!(panel.answered(&["care-measure"]).await.unwrap(), [3; CLINICIANS]);
    assert_eq!(panel.answered(&["care-measure", "another"]).await.unwrap(), [3; CLINICIANS]);
    assert_eq!(panel.answered(&[]).await.unwrap(), [0; CLINICIANS]);
    panel.close().await.unwrap();
}

/// Frames of a face as `OpenFace` writes them, in which AU12 is active half of the time.
const FRAMES: &str = "frame, timestamp, confidence, success, AU01_r, AU06_r, AU12_r, AU06_c, AU12_c\n\
    1, 0.00, 0.98, 1, 0.0, 0.0, 2.0, 0, 1\n2, 0.03, 0.98, 1, 0.0, 0.0, 1.0, 0, 0\n";

#[tokio::test]
async fn a_face_needs_a_profile_a_switch_and_a_consent_of_its_own_and_no_study_reads_it() {
    let node = Node::new().await;
    node.write("face.csv", FRAMES);
    let mapping = format!("{MAPPING}{}", SESSIONS.replace("strap.txt", "face.csv"));
    let consented = mapping.replacen("\"heart\",", "\"heart\",\"facial-action-units\",", 1);
    let faces = async || node.counts().await[5].1;
    let switch_on = || {
        let path = Path::new(&node.folder()).join(FILE);
        let config = Config::open(Path::new(&node.folder())).unwrap();
        let text = config.with_modalities(Modalities::EVERYTHING).to_toml().unwrap();
        assert!(text.contains("faces = true"), "{text}");
        std::fs::write(path, text).unwrap();
    };
    let refused = "device_session.file: holds measures of a face (OpenFace): read only where the profile allows `faces`";
    // The built-in profile reads no recording at all, and the shipped profile for research no face.
    let summary = node.import(&consented).await;
    assert!(
        summary.contains("recordings are switched off in node.toml or not allowed"),
        "{summary}"
    );
    node.research().await;
    switch_on();
    let summary = node.import(&consented).await;
    assert!(summary.contains(refused), "{summary}");
    assert_eq!(faces().await, 0);
    // A profile that names it: the switch is off unless somebody writes otherwise.
    let text = RESEARCH.replace("2027-12-31", "9999-12-31").replace("\"YOUR", "\"OUR");
    let text = text.replacen("    \"heart\",", "    \"faces\",\n    \"heart\",", 1);
    let document = Document::parse(&text).unwrap();
    node.write("faces.toml", &text);
    for by in ["officer", "staff-representative --key @staff.p8"] {
        let digest = document.digest();
        let line = format!("sign --dir @node @faces.toml --digest {digest} --as {by}");
        node.profile(&line).await.unwrap();
    }
    let off = Config::open(Path::new(&node.folder())).unwrap();
    let off = off.with_modalities(Modalities::default()).to_toml().unwrap();
    std::fs::write(Path::new(&node.folder()).join(FILE), off).unwrap();
    let summary = node.import(&consented).await;
    assert!(summary.contains(refused), "{summary}");
    // On: of who said yes to hearts, but not to this, nothing is read, and no line says who.
    switch_on();
    let summary = node.import(&mapping).await;
    assert!(!summary.contains("rejected  "), "{summary}");
    assert_eq!(faces().await, 0);
    let summary = node.import(&consented).await;
    assert!(!summary.contains("rejected  "), "{summary}");
    assert_eq!(faces().await, 4 * 12);
    let store = node.store().await;
    let sql = "SELECT DISTINCT feature, value, modality FROM feature ORDER BY feature";
    let rows: Vec<(String, f64, String)> =
        sqlx::query_as(sql).fetch_all(store.pool()).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|(f, v, m)| (f.as_str(), *v, m.as_str())).collect();
    assert_eq!(
        rows,
        [
            ("au06_active", 0.0, "faces"),
            ("au06_mean", 0.0, "faces"),
            ("au12_active", 0.5, "faces"),
            ("au12_mean", 1.5, "faces"),
        ]
    );
    // Nothing that a study could name reads it, even with everything allowed.
    let config = Config::open(Path::new(&node.folder())).unwrap();
    let access = Access::now(&store, &config, unix_now() * 1_000_000).await.unwrap();
    assert!(access.modalities.admits(Modality::Faces));
    let access = Access { now_us: 1_793_491_200_000_000, ..access };
    let pseudonyms = Pseudonyms::open_or_create(Path::new(&node.folder())).unwrap();
    let asked = Asked {
        purpose: Purpose::ResearchAggregate,
        roles: &["nurse"],
        span: Span { from_us: 0, to_us: i64::MAX },
        earlier: None,
        links_per_patient: 1,
        values: &[],
    };
    let mut panel = Panel::open(&store, &pseudonyms, &access, &asked).await.unwrap();
    assert!(panel.recordings("au12_active").await.unwrap().iter().all(Option::is_none));
    panel.close().await.unwrap();
}
