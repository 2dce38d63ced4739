//! Seven nodes as processes, one colluder borne: five answers open a sum. One node is killed after it
//! dealt its shares, one after it sent its masked vector; the sum is still exact up to the noise.
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool};
use sqlx::{Connection as _, Row as _};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};
use tacit_coordinator::store::{FILE as HOST_FILE, Finished, Store as HostStore};
use tacit_node::intake::progress::Silent;
use tacit_node::store::FILE as NODE_FILE;
use tacit_shared::codec;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::privacy::sampler::DiscreteGaussian;
use tacit_shared::protocol::config::Deadlines;
use tacit_shared::protocol::message::{Outcome, Signed};
use tacit_shared::secagg::key::identity::VerifyingKey;
use tacit_shared::study::Study;
use tacit_shared::units::Epsilon;
use tacit_tests::federation::{Federation, Member, SetUp, adapted};
use tacit_tests::oracle;
use tacit_tests::population::{Population, Size};
use tacit_tests::process::{Programs, Running};

const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");
const SITES: usize = 7;
const PATIENCE: Duration = Duration::from_mins(3);
/// Sites by index, from 1: killed after M3, killed after M5, held back while the first is prepared.
const AFTER_SHARES: usize = 3;
const AFTER_MASKED: usize = 5;
const HELD_BACK: usize = 7;

/// Seven hospitals with their files imported and the study approved.
async fn federation(dir: &Path) -> Federation {
    let study_text = adapted(STUDY, None, SITES).unwrap();
    let study = Study::parse(&study_text).unwrap();
    let size = Size { sites: SITES, clinicians: 60 * SITES };
    let hospitals =
        Population::generate(&study, 11, size).unwrap().write(&dir.join("hospitals")).unwrap();
    let member = |hospital: tacit_tests::population::Hospital| Member {
        site: hospital.site,
        name: hospital.name,
        files: hospital.files,
        mapping: hospital.mapping,
        recordings: hospital.recordings_dir,
    };
    let set_up = SetUp {
        dir: dir.join("federation"),
        study_text,
        max_colluders: 1,
        profile: None,
        budget: (Epsilon::new(8.0).unwrap(), Epsilon::new(20.0).unwrap()),
        // A silent site is waited for this long, twice; every other one answers at once.
        deadlines: Deadlines {
            advertise_ms: 60_000,
            shares_ms: 60_000,
            masked_ms: 12_000,
            vote_ms: 15_000,
            unmask_ms: 60_000,
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

/// A connection that is in no one's way.
pub(super) async fn reader(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Takes a node's database for writing: whatever it has to make durable waits.
pub(super) async fn lock(federation: &Federation, site: usize) -> SqliteConnection {
    let path = federation.dir(&federation.members()[site - 1]).join(NODE_FILE);
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
    connection
}

pub(super) async fn unlock(mut connection: SqliteConnection) {
    sqlx::query("ROLLBACK").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Waits until the coordinator wrote down a message of a site.
pub(super) async fn until_written(transcript: &mut SqliteConnection, site: usize, name: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let found: i64 =
            sqlx::query_scalar("SELECT count(*) FROM transcript WHERE sender = ? AND name = ?")
                .bind(i64::try_from(site).unwrap())
                .bind(name)
                .fetch_one(&mut *transcript)
                .await
                .unwrap();
        if found > 0 {
            return;
        }
        assert!(Instant::now() < end, "no {name} of site {site}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The round, with two of its nodes killed half-way.
async fn run_with_losses(dir: &Path, federation: &Federation) {
    let programs = Programs::in_folder(&dir.join("bin")).unwrap();
    let held_back = lock(federation, HELD_BACK).await;
    let mut nodes = BTreeMap::new();
    for (site, member) in (1..).zip(federation.members()) {
        let mut command = programs.node();
        command.args(["run", "--once", "--patience-s", "120", "--dir"]);
        command.arg(federation.dir(member));
        nodes.insert(site, Running::start(&mut command, dir, &format!("node-{site}")).unwrap());
    }
    let mut command = programs.coordinator();
    command.arg("run").arg("--dir").arg(federation.coordinator_dir());
    command.arg("--roster").arg(federation.roster_path());
    command.arg("--study").arg(federation.study_path());
    let coordinator = Running::start(&mut command, dir, "coordinator").unwrap();

    let mut transcript = reader(&federation.coordinator_dir().join(HOST_FILE)).await;
    until_written(&mut transcript, AFTER_SHARES, "keys").await;
    // All keys but one are there: nobody can be further. From now on this site cannot pay.
    let cannot_pay = lock(federation, AFTER_SHARES).await;
    unlock(held_back).await;
    until_written(&mut transcript, AFTER_SHARES, "shares").await;
    nodes.remove(&AFTER_SHARES).unwrap().kill().unwrap();
    unlock(cannot_pay).await;
    until_written(&mut transcript, AFTER_MASKED, "masked vector").await;
    nodes.remove(&AFTER_MASKED).unwrap().kill().unwrap();
    transcript.close().await.unwrap();

    let ended = coordinator.wait(PATIENCE).unwrap();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains("The sum of 6 of 7 sites is open."), "{ended:#?}");
    for (site, node) in nodes {
        let ended = node.wait(PATIENCE).unwrap();
        assert_eq!(ended.code, Some(0), "site {site}: {ended:#?}");
    }
}

async fn finished(federation: &Federation) -> (Finished, Outcome) {
    let store = HostStore::open(&federation.coordinator_dir()).await.unwrap();
    let (mut all, _) = store.finished().await.unwrap();
    assert_eq!(all.len(), 1);
    store.pool().close().await;
    let finished = all.remove(0);
    let key = VerifyingKey::from_bytes(finished.roster.coordinator().signing_key.0);
    let signed: Signed = codec::decode(&finished.signed).unwrap();
    let outcome = signed.body::<Outcome>(&key, "result").unwrap();
    (finished, outcome)
}

/// What a node's database says of the round: entries of the ledger, openings, signed results.
async fn evidence(federation: &Federation, site: usize) -> (i64, Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let path = federation.dir(&federation.members()[site - 1]).join(NODE_FILE);
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(path)).await.unwrap();
    let entries = sqlx::query_scalar("SELECT count(*) FROM ledger").fetch_one(&pool).await.unwrap();
    let openings =
        sqlx::query_scalar("SELECT opening FROM opening").fetch_all(&pool).await.unwrap();
    let results = sqlx::query_scalar("SELECT signed FROM result").fetch_all(&pool).await.unwrap();
    pool.close().await;
    (entries, openings, results)
}

pub(super) fn numbers(bytes: &[u8]) -> Vec<i64> {
    assert_eq!(bytes.len() % 8, 0);
    bytes.chunks(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_seven_nodes_die_and_the_sum_is_exact_up_to_the_noise() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    assert_eq!(federation.roster().unwrap().threshold(), 5);
    run_with_losses(dir.path(), &federation).await;

    let (finished, outcome) = finished(&federation).await;
    let survivors: BTreeSet<usize> =
        outcome.survivors.set(SITES).unwrap().iter().map(|i| usize::from(i.value())).collect();
    assert_eq!(survivors, (1..=SITES).filter(|site| *site != AFTER_SHARES).collect());
    let plan = Plan::new(federation.study(), &federation.roster().unwrap()).unwrap();
    let sampler = DiscreteGaussian::new(plan.noise().site_scale()).unwrap();
    let rows = federation.rows().await.unwrap();
    let dimension = plan.layout().dimension();
    let mut expected = vec![0_i64; dimension];
    let mut secret = Vec::new();
    for site in 1..=SITES {
        let (entries, openings, results) = evidence(&federation, site).await;
        if site == AFTER_SHARES {
            assert_eq!((entries, openings.len(), results.len()), (0, 0, 0), "nothing was spent");
            continue;
        }
        assert_eq!((entries, openings.len()), (1, 1), "site {site}");
        let kept = if site == AFTER_MASKED { vec![] } else { vec![finished.signed.clone()] };
        assert_eq!(results, kept, "site {site}");
        let exact = numbers(&openings[0][64..]);
        let own: Vec<_> = rows.iter().filter(|row| row.site == site - 1).cloned().collect();
        assert!(!own.is_empty());
        assert_eq!(exact, oracle::sum(federation.study(), SITES, &own), "site {site}");
        let mut noised = vec![0; dimension];
        sampler.fill(openings[0][32..64].try_into().unwrap(), &mut noised).unwrap();
        assert!(noised.iter().any(|noise| *noise != 0));
        for ((sum, noised), exact) in expected.iter_mut().zip(&mut noised).zip(&exact) {
            *noised = noised.wrapping_add(*exact);
            *sum = sum.wrapping_add(*noised);
        }
        secret.extend([exact, noised]);
    }
    assert_eq!(outcome.sum, expected);
    check_that_nothing_unmasked_is_kept(&federation, &outcome, &secret).await;
    check_report(dir.path(), &federation);
}

/// No stored byte string of the coordinator holds eight numbers in a row of a site's own vector, exact
/// or noised, in either encoding.
async fn check_that_nothing_unmasked_is_kept(
    federation: &Federation,
    outcome: &Outcome,
    secret: &[Vec<i64>],
) {
    let path = federation.coordinator_dir().join(HOST_FILE);
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(path)).await.unwrap();
    let rows = sqlx::query(
        "SELECT bytes FROM transcript UNION ALL SELECT signed_result FROM round \
             UNION ALL SELECT header FROM receipt",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    pool.close().await;
    let blobs: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get(0).unwrap()).collect();
    let holds = |needle: &[u8]| {
        blobs.iter().any(|blob| blob.windows(needle.len()).any(|window| window == needle))
    };
    // The search finds what is there: the opened sum, as the wire writes it.
    assert!(holds(&wire(&outcome.sum[..8])));
    for vector in secret {
        for run in vector.chunks_exact(8).filter(|run| run.iter().filter(|x| **x != 0).count() > 2)
        {
            let raw: Vec<u8> = run.iter().flat_map(|x| x.to_le_bytes()).collect();
            assert!(!holds(&raw) && !holds(&wire(run)), "an unmasked vector is stored");
        }
    }
}

/// Numbers as the wire writes them one after the other, without their count.
fn wire(run: &[i64]) -> Vec<u8> {
    run.iter().flat_map(|x| codec::encode(x).unwrap()).collect()
}

fn check_report(dir: &Path, federation: &Federation) {
    let programs = Programs::in_folder(&dir.join("report-bin")).unwrap();
    let mut command = programs.coordinator();
    command.arg("report").arg("--dir").arg(federation.coordinator_dir());
    command.arg("--out").arg(dir.join("report"));
    let ended = Running::start(&mut command, dir, "report").unwrap().wait(PATIENCE).unwrap();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let text = std::fs::read_to_string(dir.join("report/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let lost = federation.members()[AFTER_SHARES - 1].site.to_string();
    assert_eq!(report["federation"]["dropped"], serde_json::json!([lost]));
    assert_eq!(report["federation"]["took_part"].as_array().unwrap().len(), SITES - 1);
}
