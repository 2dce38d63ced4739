//! The coordinator is killed twice in one round, once before the sites dealt shares and once while masked vectors
//! come, and started again: the round goes on, and every site pays and releases once.
use super::losses::{lock, reader, unlock, until_written};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tacit_coordinator::store::{FILE as HOST_FILE, Store as HostStore};
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
use tacit_tests::population::{Population, Size};
use tacit_tests::process::{Programs, Running};

const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");
const SITES: usize = 3;
const PATIENCE: Duration = Duration::from_mins(3);

async fn federation(dir: &Path) -> Federation {
    let study_text = adapted(STUDY, None, SITES).unwrap();
    let study = Study::parse(&study_text).unwrap();
    let size = Size { sites: SITES, clinicians: 40 * SITES };
    let hospitals =
        Population::generate(&study, 12, size).unwrap().write(&dir.join("hospitals")).unwrap();
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
        deadlines: Deadlines {
            advertise_ms: 60_000,
            shares_ms: 60_000,
            masked_ms: 60_000,
            vote_ms: 60_000,
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

fn coordinator(dir: &Path, programs: &Programs, federation: &Federation, life: &str) -> Running {
    let mut command = programs.coordinator();
    command.arg("run").arg("--dir").arg(federation.coordinator_dir());
    command.arg("--roster").arg(federation.roster_path());
    command.arg("--study").arg(federation.study_path());
    Running::start(&mut command, dir, &format!("coordinator-{life}")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_killed_twice_in_a_round_finishes_it() {
    let dir = tempfile::tempdir().unwrap();
    let federation = federation(dir.path()).await;
    let programs = Programs::in_folder(&dir.path().join("bin")).unwrap();
    // Site 3 cannot make anything durable, so it advertises no keys: nobody gets further.
    let third = lock(&federation, 3).await;
    let mut nodes = Vec::new();
    for (site, member) in (1..).zip(federation.members()) {
        let mut command = programs.node();
        command.args(["run", "--once", "--patience-s", "120", "--dir"]);
        command.arg(federation.dir(member));
        nodes.push(Running::start(&mut command, dir.path(), &format!("node-{site}")).unwrap());
    }
    let first = coordinator(dir.path(), &programs, &federation, "first");
    let mut transcript = reader(&federation.coordinator_dir().join(HOST_FILE)).await;
    for site in [1, 2] {
        until_written(&mut transcript, site, "keys").await;
    }
    first.kill().unwrap();
    // Now site 2 cannot pay; the round goes on up to the masked vectors of the two others.
    let second = lock(&federation, 2).await;
    let again = coordinator(dir.path(), &programs, &federation, "second");
    unlock(third).await;
    for site in [1, 3] {
        until_written(&mut transcript, site, "masked vector").await;
    }
    again.kill().unwrap();
    let last = coordinator(dir.path(), &programs, &federation, "third");
    unlock(second).await;
    let ended = last.wait(PATIENCE).unwrap();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains("The sum of 3 of 3 sites is open."), "{ended:#?}");
    for (site, node) in (1..).zip(nodes) {
        let ended = node.wait(PATIENCE).unwrap();
        assert_eq!(ended.code, Some(0), "site {site}: {ended:#?}");
    }
    check(&federation).await;
}

/// One round, whose sum is that of what the three sites opened their commitments to.
async fn check(federation: &Federation) {
    let store = HostStore::open(&federation.coordinator_dir()).await.unwrap();
    let rounds: i64 =
        sqlx::query_scalar("SELECT count(*) FROM round").fetch_one(store.pool()).await.unwrap();
    assert_eq!(rounds, 1, "the round was begun once");
    assert_eq!(store.unfinished().await.unwrap(), None);
    let finished = store.finished().await.unwrap().0.remove(0);
    let key = VerifyingKey::from_bytes(finished.roster.coordinator().signing_key.0);
    let signed: Signed = codec::decode(&finished.signed).unwrap();
    let outcome = signed.body::<Outcome>(&key, "result").unwrap();
    let survivors: BTreeSet<u16> =
        outcome.survivors.set(SITES).unwrap().iter().map(|index| index.value()).collect();
    assert_eq!(survivors, BTreeSet::from([1, 2, 3]));
    let plan = Plan::new(federation.study(), &federation.roster().unwrap()).unwrap();
    let sampler = DiscreteGaussian::new(plan.noise().site_scale()).unwrap();
    let mut expected = vec![0_i64; plan.layout().dimension()];
    for member in federation.members() {
        let path = federation.dir(member).join(NODE_FILE);
        let options = SqliteConnectOptions::new().filename(path);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let rows = sqlx::query("SELECT opening FROM opening").fetch_all(&pool).await.unwrap();
        let charges: i64 =
            sqlx::query_scalar("SELECT count(*) FROM ledger").fetch_one(&pool).await.unwrap();
        pool.close().await;
        assert_eq!((rows.len(), charges), (1, 1), "{}: released and paid once", member.site);
        let opening: Vec<u8> = rows[0].try_get(0).unwrap();
        let mut noise = vec![0; expected.len()];
        sampler.fill(opening[32..64].try_into().unwrap(), &mut noise).unwrap();
        let exact = opening[64..].as_chunks::<8>().0;
        for ((sum, noise), exact) in expected.iter_mut().zip(noise).zip(exact) {
            *sum = sum.wrapping_add(noise).wrapping_add(i64::from_le_bytes(*exact));
        }
    }
    assert_eq!(outcome.sum, expected);
}
