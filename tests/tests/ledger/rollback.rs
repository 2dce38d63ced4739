//! A restored copy of a node's database: found out by the coordinator's receipts, before any round.
use serde_json::Value;
use std::path::Path;
use tacit_coordinator::command::run as host_run;
use tacit_coordinator::config::Config as HostConfig;
use tacit_link::keys::Keys;
use tacit_node::command::ledger::{Action, FolderArgs, LedgerArgs, LossArgs, run};
use tacit_node::command::run as node_run;
use tacit_node::command::verify::{ExportArgs, export as export_to};
use tacit_node::intake::progress::Silent;
use tacit_node::office::evidence::{self, Evidence, Exported};
use tacit_node::store::{FILE, Store};
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::ledger::{Cause, Entry};
use tacit_shared::protocol::config::Deadlines;
use tacit_shared::roster::Key;
use tacit_shared::study::Study;
use tacit_shared::units::Epsilon;
use tacit_tests::federation::{Federation, Member, SetUp, adapted};
use tacit_tests::population::{Population, Size};

const BILLING: &str = include_str!("../../../configs/studies/empathy-billing.toml");
const SITES: usize = 3;

async fn federation(dir: &Path) -> Federation {
    let study_text = adapted(BILLING, Some(1.0), SITES).unwrap();
    let study = Study::parse(&study_text).unwrap();
    let size = Size { sites: SITES, clinicians: 60 * SITES };
    let hospitals =
        Population::generate(&study, 12, size).unwrap().write(&dir.join("hospitals")).unwrap();
    let member = |hospital: tacit_tests::population::Hospital| Member {
        site: hospital.site,
        name: hospital.name,
        files: hospital.files,
        mapping: hospital.mapping,
        recordings: hospital.recordings_dir,
    };
    let minute = 60_000;
    let set_up = SetUp {
        dir: dir.join("federation"),
        study_text,
        max_colluders: 1,
        profile: None,
        budget: (Epsilon::new(8.0).unwrap(), Epsilon::new(20.0).unwrap()),
        deadlines: Deadlines {
            advertise_ms: minute,
            shares_ms: minute,
            masked_ms: minute,
            vote_ms: minute,
            unmask_ms: minute,
        },
    };
    let members = hospitals.into_iter().map(member).collect();
    let federation = Federation::enrol(set_up, members).await.unwrap();
    for member in federation.members() {
        federation.import(member, &Silent).await.unwrap();
    }
    federation.approve().await.unwrap();
    federation
}

async fn entries(dir: &Path) -> Value {
    let dir = Some(dir.to_owned());
    let page = run(&LedgerArgs { dir, json: true, action: None }).await.unwrap();
    serde_json::from_str(&page).unwrap()
}

async fn verify(dir: &Path) -> Result<String, Fault> {
    let action = Some(Action::Verify(FolderArgs { dir: dir.to_owned() }));
    run(&LedgerArgs { dir: None, json: false, action }).await
}

async fn accept_loss(dir: &Path, head: &str) -> Result<String, Fault> {
    let args = LossArgs { dir: dir.to_owned(), head: head.parse().unwrap(), key: None };
    run(&LedgerArgs { dir: None, json: false, action: Some(Action::AcceptLoss(args)) }).await
}

/// Sums of ρ, as whole numbers.
fn spent(page: &Value) -> (u128, u128) {
    let sum = |who: &str| {
        let cost = |entry: &Value| entry[who]["rho_fp"].as_str().unwrap().parse::<u128>().unwrap();
        page["entries"].as_array().unwrap().iter().map(cost).sum()
    };
    (sum("clinician"), sum("patient"))
}

/// One node meets the coordinator by itself. The coordinator has threads of its own, which end with the
/// meeting: its port must be free again.
async fn meet(federation: &Federation, dir: &Path) -> Result<String, Fault> {
    let host = host_run::RunArgs {
        dir: federation.coordinator_dir(),
        roster: federation.coordinator_dir().with_file_name("roster.toml"),
        study: federation.coordinator_dir().with_file_name("study.toml"),
    };
    let threads = tokio::runtime::Runtime::new().unwrap();
    let coordinator = threads.spawn(async move { host_run::watched(&host, &|_| {}).await });
    let node = node_run::RunArgs { dir: dir.to_owned(), once: true, patience_s: 60 };
    let ended = node_run::run(&node).await;
    assert!(!coordinator.is_finished(), "the coordinator was there all the time");
    threads.shutdown_background();
    let address = HostConfig::open(&federation.coordinator_dir()).unwrap().listen();
    for _ in 0..1_000 {
        if std::net::UdpSocket::bind(address).is_ok() {
            return ended;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the coordinator kept its port");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_answers_nothing_until_its_loss_is_charged() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    let node = federation.dir(&federation.members()[0]);
    let other = federation.dir(&federation.members()[1]);
    federation.round(|_| {}).await.unwrap();

    let copy = dir.path().join("copy.sqlite");
    let store = Store::open(&node.join(FILE)).await.unwrap();
    sqlx::query("VACUUM INTO ?").bind(copy.to_str().unwrap()).execute(store.pool()).await.unwrap();
    store.close().await;
    federation.round(|_| {}).await.unwrap();
    federation.round(|_| {}).await.unwrap();
    let before = entries(&node).await;
    let head = before["head"].as_str().unwrap().to_owned();
    assert_eq!(before["entries"].as_array().unwrap().len(), 3);
    assert!(verify(&node).await.unwrap().ends_with(&head));

    for name in [FILE.to_owned(), format!("{FILE}-wal"), format!("{FILE}-shm")] {
        let _ = std::fs::remove_file(node.join(name)); // the log may be written back already
    }
    std::fs::copy(&copy, node.join(FILE)).unwrap();
    // By itself an older copy looks sound.
    assert_eq!(entries(&node).await["entries"].as_array().unwrap().len(), 1);
    verify(&node).await.unwrap();

    let fault = meet(&federation, &node).await.unwrap_err();
    let said = "this site answered when its ledger had the head";
    assert!(fault.message.starts_with(said) && fault.message.contains(&head), "{fault}");
    // It is written down: without the coordinator, too, nothing goes on.
    assert!(verify(&node).await.unwrap_err().message.contains(&head));
    let args = node_run::RunArgs { dir: node.clone(), once: true, patience_s: 1 };
    assert!(node_run::run(&args).await.unwrap_err().message.starts_with(said));

    // Nor does it have evidence to show for itself.
    let fault = export(&node).await.unwrap_err();
    assert!(fault.message.starts_with(said), "{fault}");

    let unknown = accept_loss(&node, &"ab".repeat(32)).await.unwrap_err();
    assert!(unknown.message.starts_with("no receipt here shows"), "{unknown}");
    let page = accept_loss(&node, &head).await.unwrap();
    assert_eq!(page.matches("Charged again: round").count(), 2, "{page}");
    let after = entries(&node).await;
    assert_eq!(spent(&after), spent(&entries(&other).await), "as if nothing had been lost");
    assert_eq!(after["entries"][2]["lost_head"].as_str(), Some(head.as_str()));
    for key in ["round", "coordinator", "study_digest", "dimension", "patient_l2", "patient"] {
        assert_eq!(after["entries"][1][key], before["entries"][1][key], "{key}");
    }
    verify(&node).await.unwrap();
    accept_loss(&node, &head).await.unwrap_err();
    evidence_of_a_loss(&node).await;

    federation.round(|_| {}).await.unwrap();
    assert_eq!(entries(&node).await["entries"].as_array().unwrap().len(), 4);
    let action = Some(Action::Recost(FolderArgs { dir: node.clone() }));
    let page = run(&LedgerArgs { dir: None, json: false, action }).await.unwrap();
    assert!(page.ends_with(
        "4 entries, 0 of them would be charged otherwise today. What was charged stays."
    ));
}

async fn export(dir: &Path) -> Result<Exported, Fault> {
    let out = dir.join("evidence.json");
    export_to(&ExportArgs { dir: dir.to_owned(), out: out.clone() }).await?;
    Ok(serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap())
}

/// A loss counts with the site's own receipt, at its price, and with the officer's word; the site itself
/// cannot sign these away.
async fn evidence_of_a_loss(dir: &Path) {
    let sound = export(dir).await.unwrap();
    let proved = evidence::check(&sound).unwrap();
    assert_eq!((proved.charges.0, proved.losses), (3, 2));
    let problem = |change: &dyn Fn(&mut Evidence)| {
        let mut changed = sound.evidence.clone();
        change(&mut changed);
        let digest = changed.digest().unwrap();
        let key = Keys::open(dir).unwrap().identity().unwrap();
        let signature = key.sign(evidence::LABEL, digest.as_bytes()).as_bytes().to_vec();
        let forged = Exported { evidence: changed, signature: evidence::Hex(signature) };
        evidence::check(&forged).unwrap_err().join("; ")
    };
    let found = problem(&|evidence| drop(evidence.receipts.pop()));
    assert!(found.contains("charge 3 is of a lost answer that no receipt shows"), "{found}");
    let found = problem(&|evidence| {
        let decisions = &mut evidence.officers.last_mut().unwrap().decisions;
        decisions.pop();
    });
    assert_eq!(found, "charge 3 is of a lost answer that no officer accepted");
    let found = problem(&|evidence| drop(evidence.ledger.pop()));
    assert!(found.contains("which it does not have: charges are lost"), "{found}");
    // An entry put at the end, as a loss of nothing.
    let found = problem(&|evidence| {
        let last: Entry = codec::decode(&evidence.ledger.last().unwrap().0).unwrap();
        let cause = Cause::Loss { head: Digest::new([9; 32]) };
        let (sequence, previous) = (last.sequence + 1, last.digest().unwrap());
        let entry = Entry { sequence, previous, cause, ..last };
        evidence.ledger.push(evidence::Hex(codec::encode(&entry).unwrap()));
    });
    assert_eq!(found, "charge 4 is of a lost answer that no receipt shows");
    // A charge of another coordinator, the price being the same.
    let found = problem(&|evidence| {
        let mut first: Entry = codec::decode(&evidence.ledger[0].0).unwrap();
        first.coordinator = Key([7; 32]);
        evidence.ledger = vec![evidence::Hex(codec::encode(&first).unwrap())];
    });
    assert!(found.contains("charge 1 is not what study empathy-billing costs"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_without_its_charge_stops_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    let node = federation.dir(&federation.members()[0]);
    federation.round(|_| {}).await.unwrap();
    let store = Store::open(&node.join(FILE)).await.unwrap();
    sqlx::query("DELETE FROM ledger").execute(store.pool()).await.unwrap();
    store.close().await;
    let fault = verify(&node).await.unwrap_err();
    assert!(
        fault.message.ends_with("has a signed result here, and no charge in the ledger"),
        "{fault}"
    );
    let args = node_run::RunArgs { dir: node, once: true, patience_s: 1 };
    assert_eq!(node_run::run(&args).await.unwrap_err().message, fault.message);
}
