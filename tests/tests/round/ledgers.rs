//! The ledger: charged before anything leaves, once a round, never beyond either budget.
use crate::rounds::{Federation, Memory, budgets, now};
use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Waker};
use tacit_shared::id::Digest;
use tacit_shared::privacy::accountant::Cost;
use tacit_shared::privacy::ledger::{Cause, Entry, Journal, Ledger, LedgerError, Protected};
use tacit_shared::privacy::plan::{Charges, Terms};
use tacit_shared::roster::Key;

fn round(name: u8) -> Digest {
    Digest::new([name; 32])
}

/// A ledger in memory whose entries can be seen.
#[derive(Debug, Default)]
struct Shown(std::sync::Arc<std::sync::Mutex<Vec<Entry>>>);

impl Journal for Shown {
    type Error = std::convert::Infallible;
    async fn append(&mut self, entry: &Entry) -> Result<(), Self::Error> {
        self.0.lock().unwrap().push(entry.clone());
        Ok(())
    }
}

/// Entries of some rounds, one after the other.
fn entries(count: u8) -> Vec<Entry> {
    let federation = Federation::of(5, 1, 4);
    let shown = Shown::default();
    let written = shown.0.clone();
    let mut ledger = Ledger::open(shown, &[], budgets(19.0, 80.0)).unwrap();
    for name in 1..=count {
        let paid = now(ledger.charge(&federation.plan, round(name), name.into())).unwrap();
        assert_eq!((paid.round(), paid.charges()), (round(name), federation.plan.charges()));
        assert_eq!(paid.head(), ledger.head());
    }
    let entries = written.lock().unwrap().clone();
    assert_eq!(entries.last().unwrap().digest().unwrap(), ledger.head());
    entries
}

#[test]
fn a_budget_of_one_release_admits_one_and_refuses_the_second() {
    // The study's ε is 2 for a clinician; a patient moves a row twice as far.
    let federation = Federation::of(5, 1, 4);
    let mut ledger = Ledger::open(Memory::default(), &[], budgets(2.0, 80.0)).unwrap();
    drop(now(ledger.charge(&federation.plan, round(1), 0)).unwrap());
    let (spent, head) = (ledger.spent(), ledger.head());
    assert_eq!(spent, federation.plan.charges());
    let error = now(ledger.charge(&federation.plan, round(2), 0)).unwrap_err();
    let LedgerError::BudgetExceeded { protected, asked, left, limit, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(protected, Protected::Clinician);
    assert!(left < asked && asked <= limit && left >= 0.0);
    assert_eq!((ledger.spent(), ledger.head()), (spent, head), "nothing was spent");
}

#[test]
fn the_patients_budget_refuses_by_itself() {
    let federation = Federation::of(5, 1, 4);
    let mut ledger = Ledger::open(Memory::default(), &[], budgets(19.0, 2.0)).unwrap();
    let error = now(ledger.charge(&federation.plan, round(1), 0)).unwrap_err();
    assert!(matches!(error, LedgerError::BudgetExceeded { protected: Protected::Patient, .. }));
    assert!(
        error.to_string().starts_with("one release of study small does not fit the patient budget")
    );
    assert_eq!(ledger.spent().clinician, Cost::ZERO);
    assert_eq!(ledger.head(), Digest::new([0; 32]));
}

#[test]
fn a_round_is_charged_once_also_after_a_restart() {
    let federation = Federation::of(5, 1, 4);
    let entries = entries(2);
    let mut ledger = Ledger::open(Memory::default(), &entries, budgets(19.0, 80.0)).unwrap();
    for name in [1, 2] {
        let error = now(ledger.charge(&federation.plan, round(name), 0)).unwrap_err();
        assert!(matches!(error, LedgerError::AlreadyCharged { .. }));
    }
    ledger.admits(&federation.plan, round(3), 0).unwrap();
    let twice =
        federation.plan.charges().clinician.checked_add(federation.plan.charges().clinician);
    assert_eq!(ledger.spent().clinician, twice.unwrap());
    assert_eq!(ledger.head(), entries[1].digest().unwrap());
}

#[test]
fn entries_that_do_not_follow_one_another_are_refused() {
    let sound = entries(3);
    let open =
        |entries: &[Entry]| match Ledger::open(Memory::default(), entries, budgets(19.0, 80.0)) {
            Ok(_) => None,
            Err(LedgerError::Chain { sequence }) => Some(sequence),
            Err(error) => panic!("{error}"),
        };
    assert_eq!(open(&sound), None);
    assert_eq!(open(&sound[1..]), Some(1));
    assert_eq!(open(&[sound[0].clone(), sound[2].clone()]), Some(2));
    assert_eq!(open(&[sound[0].clone(), sound[1].clone(), sound[1].clone()]), Some(3));
    let alterations: [fn(&mut Entry); 9] = [
        |entry| entry.at_unix_s += 1,
        |entry| entry.round = round(9),
        |entry| entry.charges.clinician.rho_fp -= 1,
        |entry| entry.charges.patient.lattice_fp -= 1,
        |entry| entry.study = round(9),
        |entry| entry.coordinator = Key([9; 32]),
        |entry| entry.population = "other".parse().unwrap(),
        |entry| entry.terms.guaranteed_variance += 1,
        |entry| entry.terms.mechanism += 1,
    ];
    for alter in alterations {
        let mut altered = sound.clone();
        alter(&mut altered[1]);
        assert_eq!(open(&altered), Some(3), "the entry after an altered one does not follow it");
    }
    // A chain that is sound but pays for a round twice was not written by a ledger.
    let mut doubled = sound[..2].to_vec();
    doubled[1].round = doubled[0].round;
    assert_eq!(open(&doubled), Some(2));
}

#[test]
fn costs_that_cannot_be_added_up_are_refused() {
    let mut entries = entries(2);
    entries[0].charges.clinician.rho_fp = u128::MAX;
    entries[1].previous = entries[0].digest().unwrap();
    let error = Ledger::open(Memory::default(), &entries, budgets(19.0, 80.0)).unwrap_err();
    assert!(matches!(error, LedgerError::Overflow));
}

/// A journal that fails, or never ends.
#[derive(Debug)]
enum Broken {
    Fails,
    Hangs,
}

impl Journal for Broken {
    type Error = std::io::Error;
    async fn append(&mut self, _: &Entry) -> Result<(), Self::Error> {
        match self {
            Broken::Fails => Err(std::io::Error::other("disk full")),
            Broken::Hangs => pending().await,
        }
    }
}

#[test]
fn after_a_write_that_may_have_happened_nothing_more_is_charged() {
    let federation = Federation::of(5, 1, 4);
    let mut ledger = Ledger::open(Broken::Fails, &[], budgets(19.0, 80.0)).unwrap();
    let error = now(ledger.charge(&federation.plan, round(1), 0)).unwrap_err();
    assert_eq!(error.to_string(), "the charge could not be made durable: disk full");
    for name in [1, 2] {
        let error = now(ledger.charge(&federation.plan, round(name), 0)).unwrap_err();
        assert!(matches!(error, LedgerError::Unsettled));
    }
    // Nobody waited for the end of the write.
    let mut ledger = Ledger::open(Broken::Hangs, &[], budgets(19.0, 80.0)).unwrap();
    {
        let charge = pin!(ledger.charge(&federation.plan, round(1), 0));
        assert!(charge.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert!(matches!(ledger.admits(&federation.plan, round(2), 0), Err(LedgerError::Unsettled)));
}

#[test]
fn the_bytes_of_an_entry_are_fixed() {
    // A change here breaks the chain of every ledger on disk.
    let entry = Entry {
        sequence: 1,
        previous: Digest::new([0; 32]),
        at_unix_s: 1_790_000_000,
        cause: Cause::Release,
        round: round(1),
        coordinator: Key([3; 32]),
        population: "all".parse().unwrap(),
        family: "small".parse().unwrap(),
        study: round(2),
        terms: Terms {
            mechanism: 1,
            dimension: 59,
            clinician_l2: 1 << 24,
            patient_l2: 1 << 25,
            guaranteed_variance: 1 << 51,
        },
        charges: Charges {
            clinician: Cost { rho_fp: 1 << 60, lattice_fp: 7 },
            patient: Cost { rho_fp: 1 << 62, lattice_fp: 14 },
        },
    };
    assert_eq!(
        entry.digest().unwrap().to_string(),
        "303d9c4c72b5a7dbd9b3bd1b0316656eb06707db1d55c6818aa55a2f01a80e5e"
    );
}
