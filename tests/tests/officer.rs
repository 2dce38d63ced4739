//! The officer's side through the commands people use: small cells, review, evidence, transcript.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tacit_coordinator::command::run as host_run;
use tacit_coordinator::command::verify as host_verify;
use tacit_node::command::{approve, officer, preview, review, run, verify};
use tacit_node::config::{Config, FILE as CONFIG, Review};
use tacit_node::intake::progress::Silent;
use tacit_node::store::{FILE as NODE_FILE, Store, away, held};
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::protocol::config::Deadlines;
use tacit_shared::study::Study;
use tacit_shared::units::Epsilon;
use tacit_tests::federation::{Federation, Member, SetUp, adapted};
use tacit_tests::population::{Hospital, Population, Size};

const STUDY: &str = include_str!("../../configs/studies/empathy-billing.toml");
const SITES: usize = 4;

/// Four hospitals of 60 clinicians with their files imported; the study is not approved yet.
async fn federation(dir: &Path, masked_ms: u32) -> Federation {
    let study_text = adapted(STUDY, None, SITES).unwrap().replace("min_sites = 4", "min_sites = 3");
    let study = Study::parse(&study_text).unwrap();
    let size = Size { sites: SITES, clinicians: 60 * SITES };
    let hospitals =
        Population::generate(&study, 5, size).unwrap().write(&dir.join("hospitals")).unwrap();
    let member = |hospital: Hospital| Member {
        site: hospital.site,
        name: hospital.name,
        files: hospital.files,
        mapping: hospital.mapping,
        recordings: hospital.recordings_dir,
    };
    let ms = 60_000;
    let set_up = SetUp {
        dir: dir.join("federation"),
        study_text,
        max_colluders: 1,
        profile: None,
        budget: (Epsilon::new(8.0).unwrap(), Epsilon::new(20.0).unwrap()),
        deadlines: Deadlines {
            advertise_ms: ms,
            shares_ms: ms,
            masked_ms,
            vote_ms: ms,
            unmask_ms: ms,
        },
    };
    let members = hospitals.into_iter().map(member).collect();
    let federation = Federation::enrol(set_up, members).await.unwrap();
    for member in federation.members() {
        federation.import(member, &Silent).await.unwrap();
    }
    federation
}

fn dir(federation: &Federation, site: usize) -> PathBuf {
    federation.dir(&federation.members()[site])
}

fn study_path(federation: &Federation) -> PathBuf {
    federation.coordinator_dir().with_file_name("study.toml")
}

/// From now on this site's releases wait for its officer.
fn hold(federation: &Federation, site: usize) {
    let dir = dir(federation, site);
    let config = Config::open(&dir).unwrap().with_review(Review::Hold);
    std::fs::write(dir.join(CONFIG), config.to_toml().unwrap()).unwrap();
}

/// One round: how it ended for the coordinator, and for each node.
async fn round(federation: &Federation) -> (Result<String, Fault>, Vec<Result<String, Fault>>) {
    let mut nodes = Vec::new();
    for site in 0..SITES {
        let args = run::RunArgs { dir: dir(federation, site), once: true, patience_s: 120 };
        nodes.push(tokio::spawn(async move { run::run(&args).await }));
    }
    let coordinator = federation.coordinator_dir();
    let args = host_run::RunArgs {
        roster: coordinator.with_file_name("roster.toml"),
        study: study_path(federation),
        dir: coordinator,
    };
    let opened = host_run::run(&args).await;
    let mut ended = Vec::new();
    for node in nodes {
        ended.push(node.await.unwrap());
    }
    (opened, ended)
}

/// The round whose release waits at a site, once one does.
async fn waiting(dir: &Path) -> held::Held {
    let store = Store::open(&dir.join(NODE_FILE)).await.unwrap();
    loop {
        if let Some(held) = held::all(&store).await.unwrap().pop() {
            store.close().await;
            return held;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn asked(dir: &Path, round: Option<Digest>) -> review::ReviewArgs {
    review::ReviewArgs { dir: dir.to_owned(), round, accept: false, refuse: false, key: None }
}

/// Site 0 waits and is let go, site 1 waits and is withheld: the sum opens over the other three, and
/// only who sent was charged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_release_goes_with_a_yes_and_stays_with_a_no() {
    let scratch = tempfile::tempdir().unwrap();
    let federation = federation(scratch.path(), 60_000).await;
    federation.approve().await.unwrap();
    hold(&federation, 0);
    hold(&federation, 1);
    let (yes, no) = (dir(&federation, 0), dir(&federation, 1));
    assert_eq!(review::run(&asked(&yes, None)).await.unwrap(), "No release waits.");
    let officers = async {
        let held = waiting(&yes).await;
        let list = review::run(&asked(&yes, None)).await.unwrap();
        assert!(list.contains(&held.round.to_string()), "{list}");
        let shown = review::run(&asked(&yes, Some(held.round))).await.unwrap();
        assert!(shown.contains("What leaves: one vector") && shown.contains("--accept"), "{shown}");
        let accept = review::ReviewArgs { accept: true, ..asked(&yes, Some(held.round)) };
        review::run(&accept).await.unwrap();
        let again = review::run(&accept).await.unwrap_err().to_string();
        assert!(again.contains("decided on already: let go"), "{again}");
        waiting(&no).await;
        let refuse = review::ReviewArgs { refuse: true, ..asked(&no, Some(held.round)) };
        review::run(&refuse).await.unwrap();
    };
    let ((opened, nodes), ()) = tokio::join!(round(&federation), officers);
    let opened = opened.unwrap();
    assert!(opened.contains("The sum of 3 of 4 sites is open."), "{opened}");
    for (site, ended) in nodes.iter().enumerate() {
        assert_eq!(ended.is_ok(), site != 1, "{site}: {ended:?}");
    }
    let reason = nodes[1].as_ref().unwrap_err().to_string();
    assert!(reason.contains("the officer withheld the release"), "{reason}");
    let spent = async |site| {
        approve::status(&approve::StatusArgs { dir: dir(&federation, site) }).await.unwrap()
    };
    assert!(spent(0).await.contains("clinician: ε 1.990"), "{}", spent(0).await);
    assert!(spent(1).await.contains("clinician: ε 0.000"), "{}", spent(1).await);
    // An auditor sees who left, not why.
    let page = transcript(&federation, scratch.path()).await.unwrap();
    assert!(
        page.contains("left out") && page.contains("it releases nothing in this round"),
        "{page}"
    );
}

/// Revoked while it waits: the release stays, nothing is charged, and the site's evidence holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_stops_a_round_that_is_running() {
    let scratch = tempfile::tempdir().unwrap();
    let federation = federation(scratch.path(), 60_000).await;
    federation.approve().await.unwrap();
    hold(&federation, 3);
    let own = dir(&federation, 3);
    let officer = async {
        let held = waiting(&own).await;
        // A second program on the same folder would not know of this round.
        let args = run::RunArgs { dir: own.clone(), once: true, patience_s: 1 };
        let error = run::run(&args).await.unwrap_err().to_string();
        assert!(error.contains("another `tacit-node run` is at work"), "{error}");
        let digest = federation.study().digest();
        approve::revoke(&approve::RevokeArgs { dir: own.clone(), digest, key: None })
            .await
            .unwrap();
        held.round
    };
    let ((opened, nodes), round) = tokio::join!(round(&federation), officer);
    let opened = opened.unwrap();
    assert!(opened.contains("The sum of 3 of 4 sites is open."), "{opened}");
    let why = nodes[3].as_ref().unwrap_err().to_string();
    assert!(why.contains("revoked while its release waited"), "{why}");
    let accept = review::ReviewArgs { accept: true, ..asked(&own, Some(round)) };
    review::run(&accept).await.unwrap(); // too late, and to no effect
    let out = scratch.path().join("evidence.json");
    verify::export(&verify::ExportArgs { dir: own, out: out.clone() }).await.unwrap();
    let page = verify::verify(&verify::VerifyArgs { evidence: out }).unwrap();
    assert!(page.contains("Charges: 0"), "{page}");
}

/// Let go, and not charged all the same: what is asked right before the charge is not what was asked before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_stays_away_since_is_not_charged() {
    let scratch = tempfile::tempdir().unwrap();
    let federation = federation(scratch.path(), 60_000).await;
    federation.approve().await.unwrap();
    hold(&federation, 0);
    let own = dir(&federation, 0);
    let study = federation.study().digest();
    let stays_away = async |why| {
        let store = Store::open(&own.join(NODE_FILE)).await.unwrap();
        away::set(&store, study, why).await.unwrap();
        store.close().await;
    };
    // Approved without small cells; as if there were none until the release waits.
    let decide = approve::DecideArgs {
        dir: own.clone(),
        file: study_path(&federation),
        digest: Some(study),
    };
    approve::approve(&decide).await.unwrap();
    stays_away(None).await;
    let officer = async {
        let held = waiting(&own).await;
        stays_away(Some("an import made a cell small")).await;
        let accept = review::ReviewArgs { accept: true, ..asked(&own, Some(held.round)) };
        review::run(&accept).await.unwrap();
    };
    let ((opened, nodes), ()) = tokio::join!(round(&federation), officer);
    assert!(opened.unwrap().contains("The sum of 3 of 4 sites is open."));
    let why = nodes[0].as_ref().unwrap_err().to_string();
    assert!(why.contains("an import made a cell small"), "{why}");
    let status = approve::status(&approve::StatusArgs { dir: own }).await.unwrap();
    assert!(status.contains("clinician: ε 0.000"), "{status}");
}

/// No answer is a no: the phase is eight seconds, of which six are the officer's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_release_without_an_answer_does_not_leave() {
    let scratch = tempfile::tempdir().unwrap();
    let federation = federation(scratch.path(), 8_000).await;
    federation.approve().await.unwrap();
    hold(&federation, 2);
    let (opened, nodes) = round(&federation).await;
    let opened = opened.unwrap();
    assert!(opened.contains("The sum of 3 of 4 sites is open."), "{opened}");
    let reason = nodes[2].as_ref().unwrap_err().to_string();
    assert!(reason.contains("no officer answered in time"), "{reason}");
    let silent = dir(&federation, 2);
    let late = waiting(&silent).await.round;
    let accept = review::ReviewArgs { accept: true, ..asked(&silent, Some(late)) };
    let error = review::run(&accept).await.unwrap_err().to_string();
    assert!(error.contains("is over: nothing was released"), "{error}");
}

/// Four times 60 clinicians are too few for eight columns. The first officer, who says how many there are, is refused, and
/// approves it knowingly; the others say nothing, and with as many as the study admits it would be worth its cost.
async fn hopeless_unless_accepted(federation: &Federation) {
    let approving = |digest, accept_hopeless| approve::ApproveArgs {
        decide: approve::DecideArgs {
            dir: dir(federation, 0),
            file: study_path(federation),
            digest,
        },
        accept_small_cells: false,
        accept_hopeless,
        heads: Some(240),
        key: None,
    };
    let digest = Some(federation.study().digest());
    let shown = approve::approve_with(&approving(None, false)).await.unwrap();
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains("240 clinicians in all sites together (as given) hopeless: κ = 0."),
        "{shown}"
    );
    let fault = approve::approve_with(&approving(digest, false)).await.unwrap_err();
    assert!(fault.message.starts_with("hopeless: κ would be 0."), "{fault}");
    assert_eq!(fault.place.as_deref(), study_path(federation).to_str());
    let hint = fault.hint.unwrap();
    assert!(hint.contains("κ of 1 takes") && hint.contains("`--accept-hopeless`"), "{hint}");
    let status = || async {
        approve::status(&approve::StatusArgs { dir: dir(federation, 0) }).await.unwrap()
    };
    assert!(!status().await.contains(" approved, digest"));
    approve::approve_with(&approving(digest, true)).await.unwrap();
    assert!(status().await.contains(" approved, digest"));
}

/// Groups of fewer than ten at 60 clinicians: without the officer's word the sites take no part, and
/// do not say why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_cells_keep_a_site_out_unless_its_officer_accepts_them() {
    let scratch = tempfile::tempdir().unwrap();
    let federation = federation(scratch.path(), 60_000).await;
    let digest = Some(federation.study().digest());
    hopeless_unless_accepted(&federation).await;
    for site in 1..SITES {
        let (dir, file) = (dir(&federation, site), study_path(&federation));
        approve::approve(&approve::DecideArgs { dir, file, digest }).await.unwrap();
    }
    let mut small = Vec::new();
    for site in 0..SITES {
        let (dir, study) = (dir(&federation, site), study_path(&federation));
        let args = preview::PreviewArgs { dir, study, heads: Some(240), json: false };
        // Wherever the lines break.
        let page = preview::run(&args).await.unwrap();
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains("hopeless: κ = "), "{page}");
        let json = preview::run(&preview::PreviewArgs { json: true, ..args }).await.unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["forecast"]["heads"], 240);
        let cells = json["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 5);
        if cells.iter().any(|cell| !cell["small"].is_null()) {
            assert!(page.contains("TOO SMALL"), "{page}");
            small.push(site);
        }
    }
    assert!(small.len() >= 2, "{small:?}"); // so the three that are needed are not there
    let (opened, nodes) = round(&federation).await;
    let error = opened.unwrap_err().to_string();
    assert!(
        error.contains("the study is not approved at this site") && !error.contains("few"),
        "{error}"
    );
    for site in small {
        let why = nodes[site].as_ref().unwrap_err().to_string();
        assert!(why.contains("too few clinicians or encounters here"), "{why}");
    }
}

async fn transcript(federation: &Federation, scratch: &Path) -> Result<String, Fault> {
    let out = scratch.join("transcript.tacit");
    let args = host_verify::ExportArgs {
        dir: federation.coordinator_dir(),
        round: None,
        out: out.clone(),
    };
    host_verify::export(&args).await?;
    host_verify::verify(&checked(out))
}

fn checked(transcript: PathBuf) -> host_verify::VerifyArgs {
    host_verify::VerifyArgs { transcript, roster: None, result: None }
}

/// After one round, both files hold; changed, neither does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_and_transcript_hold_until_a_byte_is_changed() {
    let scratch = tempfile::tempdir().unwrap();
    let federation = federation(scratch.path(), 60_000).await;
    federation.approve().await.unwrap();
    round(&federation).await.0.unwrap();

    let page = transcript(&federation, scratch.path()).await.unwrap();
    assert!(page.starts_with("Recomputed bit for bit: the "), "{page}");
    assert!(page.contains("4 votes for these sites; 3 are needed"), "{page}");
    let path = scratch.path().join("transcript.tacit");
    every_byte_counts(&path);
    let other = Digest::new([7; 32]);
    for args in [
        host_verify::VerifyArgs { roster: Some(other), ..checked(path.clone()) },
        host_verify::VerifyArgs { result: Some(other), ..checked(path.clone()) },
    ] {
        assert!(host_verify::verify(&args).unwrap_err().to_string().contains("digest is"));
    }

    let own = dir(&federation, 1);
    let out = scratch.path().join("evidence.json");
    verify::export(&verify::ExportArgs { dir: own.clone(), out: out.clone() }).await.unwrap();
    let page = verify::verify(&verify::VerifyArgs { evidence: out.clone() }).unwrap();
    assert!(page.contains("Charges: 1, in an unbroken chain"), "{page}");
    assert!(page.contains("receipts   1, each a head of this chain"), "{page}");
    let released = "for research-aggregate, to research-consortium (research), policymakers (policy); \
                    profile self-report-only (";
    assert!(page.contains(released) && page.contains(") was in force\n"), "{page}");
    assert!(page.contains("everything, a clinician: ε 1.990 of 8 at δ 1e-6"), "{page}");
    forged(&out);

    // A revoked study stands approved no more; the charge before stays explained.
    let study = federation.study().digest();
    approve::revoke(&approve::RevokeArgs { dir: own.clone(), digest: study, key: None })
        .await
        .unwrap();
    let refused = round_refuses(&federation).await;
    assert!(refused.contains("is not approved at this site"), "{refused}");
    // Another key signs nothing here.
    let key = scratch.path().join("other.p8");
    let what = officer::OfficerCommand::Init(officer::OfficerInitArgs {
        dir: own.clone(),
        key: Some(key.clone()),
        replace: false,
    });
    let error = officer::run(&officer::OfficerArgs { what }).await.unwrap_err().to_string();
    assert!(error.contains("is pinned here already"), "{error}");
    let stranger = dir(&federation, 2).join("officer.p8");
    let decide =
        approve::DecideArgs { dir: own, file: study_path(&federation), digest: Some(study) };
    let args = approve::ApproveArgs {
        decide,
        accept_small_cells: true,
        accept_hopeless: false,
        heads: None,
        key: Some(stranger),
    };
    let error = approve::approve_with(&args).await.unwrap_err().to_string();
    assert!(error.contains("not the officer's key that is pinned here"), "{error}");
}

/// The second round without site 1: its own reason.
async fn round_refuses(federation: &Federation) -> String {
    let (_, nodes) = round(federation).await;
    nodes[1].as_ref().unwrap_err().to_string()
}

fn every_byte_counts(path: &Path) {
    let sound = std::fs::read(path).unwrap();
    let changed = path.with_extension("changed");
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(&changed, bytes).unwrap();
        let error = host_verify::verify(&checked(changed.clone())).expect_err(what);
        assert_eq!(error.audience.exit_code(), 2, "{what}");
    };
    for place in (0..sound.len()).step_by(sound.len() / 150) {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x04;
        refused(&bytes, &format!("byte {place} of {}", sound.len()));
    }
    refused(&sound[..sound.len() - 1], "without its last byte");
    refused(&[&sound[..], &[0]].concat(), "with a byte more");
}

type Change<'a> = &'a dyn Fn(&mut Value);

/// Each part of the evidence, changed; the site's own signature is not what finds it out alone.
fn forged(path: &Path) {
    let sound: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let changed = path.with_extension("changed");
    let refusal = |change: &dyn Fn(&mut Value)| {
        let mut value = sound.clone();
        change(&mut value);
        assert_ne!(value, sound);
        std::fs::write(&changed, serde_json::to_string(&value).unwrap()).unwrap();
        let args = verify::VerifyArgs { evidence: changed.clone() };
        let error = verify::verify(&args).unwrap_err();
        assert_eq!(error.audience.exit_code(), 2);
        error.to_string()
    };
    let flip = |value: &mut Value, digit: usize| {
        let text = value.as_str().unwrap().to_owned();
        let other = if &text[digit..=digit] == "0" { "1" } else { "0" };
        *value = Value::String(format!("{}{other}{}", &text[..digit], &text[digit + 1..]));
    };
    let cases: [(&str, Change<'_>); 11] = [
        ("is not signed by the key", &|v| flip(&mut v["signature"], 9)),
        ("is not signed by the key", &|v| {
            v["evidence"]["budget"]["clinician"]["epsilon"] = 9.0.into();
        }),
        ("more was spent than one clinician's budget", &|v| {
            v["evidence"]["budget"]["clinician"]["epsilon"] = 1.0.into();
        }),
        ("was never charged", &|v| v["evidence"]["ledger"] = Value::Array(Vec::new())),
        ("decision 1 is not signed by the officer's key", &|v| {
            flip(&mut v["evidence"]["officers"][0]["decisions"][0]["payload"], 20);
        }),
        ("was not approved when it was made", &|v| {
            v["evidence"]["officers"][0]["decisions"] = Value::Array(Vec::new());
        }),
        ("is not signed by a coordinator", &|v| {
            flip(&mut v["evidence"]["results"][0]["payload"], 90);
        }),
        ("no release says for what, for whom and under which profile", &|v| {
            v["evidence"]["profiles"]["releases"] = Value::Array(Vec::new());
        }),
        ("has another purpose or other recipients", &|v| {
            v["evidence"]["profiles"]["releases"][0]["recipients"] = "anyone (public)".into();
        }),
        ("evidence of format 1; this program reads format 2", &|v| {
            v["evidence"]["format"] = 1.into();
            v["evidence"].as_object_mut().unwrap().remove("profiles");
        }),
        ("is not among the evidence", &|v| v["evidence"]["studies"] = Value::Array(Vec::new())),
    ];
    for (message, change) in cases {
        let error = refusal(change);
        assert!(error.contains(message), "{message}: {error}");
    }
    // A digit anywhere in the ledger's entry: another digest, so the receipt does not fit.
    let length = sound["evidence"]["ledger"][0].as_str().unwrap().len();
    for digit in (0..length).step_by(7) {
        refusal(&|v| flip(&mut v["evidence"]["ledger"][0], digit));
    }
}
