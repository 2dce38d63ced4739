//! Crashes: what a ledger told as charged is charged for ever.
use super::{Disk, ample, now, plan, round, times};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;
use tacit_node::store::{FILE, Store, ledger};
use tacit_shared::id::Digest;
use tacit_shared::privacy::ledger::{Entry, Journal, Ledger, LedgerError, Limits};

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Written,
    /// The disk refused, or power went before the write.
    FailsBefore,
    /// Power went after the write, before anybody heard of it.
    FailsAfter,
}

#[derive(Debug)]
struct Doomed {
    disk: Disk,
    fates: std::vec::IntoIter<Fate>,
}

impl Journal for Doomed {
    type Error = std::io::Error;
    async fn append(&mut self, entry: &Entry) -> Result<(), Self::Error> {
        let fate = self.fates.next().unwrap_or(Fate::Written);
        if fate != Fate::FailsBefore {
            now(self.disk.append(entry)).unwrap();
        }
        match fate {
            Fate::Written => Ok(()),
            _ => Err(std::io::Error::other("power cut")),
        }
    }
}

/// Charges six rounds, opening the ledger anew after each failure, as a node does that is started again.
fn survive(fates: Vec<Fate>) {
    let plan = plan("one", 100);
    let disk = Disk::default();
    let mut fates = fates.into_iter();
    let mut told = BTreeSet::new();
    let mut failures = 0;
    let mut name = 0;
    while told.len() < 6 {
        let journal = Doomed { disk: disk.clone(), fates: fates.clone() };
        let mut ledger = Ledger::open(journal, &disk.entries(), ample()).unwrap();
        loop {
            name += 1;
            fates.next();
            match now(ledger.charge(&plan, round(name), 0)) {
                Ok(charge) => {
                    assert_eq!(charge.head(), ledger.head());
                    told.insert(round(name));
                    if told.len() == 6 {
                        break;
                    }
                }
                Err(LedgerError::Journal(_)) => {
                    failures += 1;
                    // This one charges nothing any more, whatever it is asked.
                    let next = ledger.charge(&plan, round(1000), 0);
                    assert!(matches!(now(next), Err(LedgerError::Unsettled)));
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        let entries = disk.entries();
        let reopened = Ledger::open(disk.clone(), &entries, ample()).unwrap();
        let on_disk: BTreeSet<Digest> = entries.iter().map(|entry| entry.round).collect();
        assert!(on_disk.is_superset(&told), "an under-count");
        assert!(entries.len() <= told.len() + failures, "more than was ever begun");
        if let Ok(count @ 1..) = u32::try_from(entries.len()) {
            assert_eq!(reopened.spent(), times(plan.charges(), count));
        }
        for round in &told {
            let again = reopened.admits(&plan, *round, 0);
            assert!(matches!(again, Err(LedgerError::AlreadyCharged { .. })));
        }
    }
}

#[test]
fn a_ledger_cut_off_at_every_write_never_counts_too_little() {
    use Fate::{FailsAfter, FailsBefore, Written};
    // Each of three ends at each of the first seven writes: 2,187 histories.
    for history in 0..3_u32.pow(7) {
        let fate = |write: u32| {
            [Written, FailsBefore, FailsAfter][(history / 3_u32.pow(write) % 3) as usize]
        };
        survive((0..7).map(fate).collect());
    }
}

const FOLDER: &str = "TACIT_CHARGE_FOLDER";
const FIRST: &str = "TACIT_CHARGE_FIRST";
const KILLS: u64 = 25;

/// Limits under which 100,000 charges fit.
fn endless() -> Limits {
    super::budgets(200_000.0, 800_000.0).into()
}

/// The child of the test below: charges through the node's database and says so, until it is killed.
#[tokio::test]
#[ignore = "a child process of the test below, which sets its folder"]
async fn charges_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let plan = plan("one", 100);
    let store = Store::open(&std::path::Path::new(&folder).join(FILE)).await.unwrap();
    let mut ledger = ledger::open(&store, endless()).await.unwrap();
    let mut out = std::io::stdout().lock();
    for name in first.. {
        let charge = ledger.charge(&plan, round(name), 0).await.unwrap();
        writeln!(out, "charged {}", charge.round()).unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn a_node_killed_at_any_moment_never_counts_too_little() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan("one", 100);
    let seed = 0x5eed_0009;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut told: BTreeSet<Digest> = BTreeSet::new();
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::charges_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, dir.path())
            .env(FIRST, ((kill + 1) << 32).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut text = Vec::new();
        // It is at work once it charged; then it is killed at any moment of its loop.
        while !String::from_utf8_lossy(&text).contains("charged ") {
            assert!(
                lines.read_until(b'\n', &mut text).unwrap() > 0,
                "the child ended, seed {seed:#x}"
            );
        }
        std::thread::sleep(Duration::from_micros(rng.random_range(0..60_000)));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        std::io::Read::read_to_end(&mut lines, &mut text).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let rounds = whole.lines().filter_map(|line| line.split("charged ").nth(1));
        told.extend(rounds.map(|round| round.parse::<Digest>().unwrap()));

        let store = Store::open(&dir.path().join(FILE)).await.unwrap();
        let entries = ledger::entries(&store).await.unwrap();
        let reopened = ledger::open(&store, endless()).await.unwrap();
        let on_disk: BTreeSet<Digest> = entries.iter().map(|entry| entry.round).collect();
        assert!(on_disk.is_superset(&told), "an under-count, seed {seed:#x}, kill {kill}");
        // One charge of each run may be on disk and not have been told.
        assert!(
            entries.len() as u64 <= told.len() as u64 + kill + 1,
            "seed {seed:#x}, kill {kill}"
        );
        let count = u32::try_from(entries.len()).unwrap();
        assert_eq!(reopened.spent(), times(plan.charges(), count));
        store.close().await;
    }
    assert!(told.len() as u64 >= KILLS);
}
