//! The ledger under stress: limits, order, crashes at every write, kills, lost charges and restored copies.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod crash;
mod rollback;

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tacit_shared::id::Digest;
use tacit_shared::privacy::accountant::{Budget, Cost};
use tacit_shared::privacy::ledger::{
    Budgets, Cause, Entry, Journal, Ledger, LedgerError, Limits, Lost, Protected, RecostError,
    Scope, recost, year_of,
};
use tacit_shared::privacy::plan::{Charges, Plan};
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::study::Study;
use tacit_shared::units::{Delta, Epsilon};

const STUDY: &str = include_str!("../sensitivity/study.toml");
/// Midnight of the new year 2027, UTC.
const NEW_YEAR: i64 = 1_798_761_600;

fn round(name: u64) -> Digest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&name.to_be_bytes());
    Digest::new(bytes)
}

/// The plan of a study of this name, asked by this coordinator.
fn plan(name: &str, coordinator: u8) -> Plan {
    let party = |id: String, seed: u8| Party {
        id: id.parse().unwrap(),
        name: id,
        signing_key: Key([seed; 32]),
        certificate: Key([seed | 0x80; 32]),
    };
    let sites = (1..=5).map(|i| party(format!("site-{i}"), i)).collect();
    let convener = party("convener".to_owned(), coordinator);
    let roster = Roster::of("demo".parse().unwrap(), 1, 1, convener, sites).unwrap();
    let text = STUDY.replace("LINKS", "1").replace("PRIOR", "5");
    let study = Study::parse(&text.replace("\"small\"", &format!("\"{name}\""))).unwrap();
    Plan::new(&study, &roster).unwrap()
}

fn budgets(clinician: f64, patient: f64) -> Budgets {
    let budget =
        |epsilon| Budget::new(Epsilon::new(epsilon).unwrap(), Delta::new(1e-6).unwrap()).unwrap();
    Budgets { clinician: budget(clinician), patient: budget(patient) }
}

/// More than any test spends.
fn ample() -> Budgets {
    budgets(500.0, 2000.0)
}

/// A disk in memory that outlives the ledger over it.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Vec<Entry>>>);

impl Disk {
    fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }
}

impl Journal for Disk {
    type Error = Infallible;
    async fn append(&mut self, entry: &Entry) -> Result<(), Infallible> {
        self.0.lock().unwrap().push(entry.clone());
        Ok(())
    }
}

/// The result of a future that never has to wait.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a future in memory had to wait"),
    }
}

fn times(charges: Charges, count: u32) -> Charges {
    let mut total = charges;
    for _ in 1..count {
        total = Charges {
            clinician: total.clinician.checked_add(charges.clinician).unwrap(),
            patient: total.patient.checked_add(charges.patient).unwrap(),
        };
    }
    total
}

fn refused<J: Journal>(error: LedgerError<J::Error>) -> (Scope, Protected) {
    match error {
        LedgerError::BudgetExceeded { scope, protected, .. } => (scope, protected),
        error => panic!("{error}"),
    }
}

#[test]
fn every_limit_must_admit_and_each_counts_what_is_its() {
    // One release is ε 2 for a clinician, about 4.3 for a patient; two together stay below 3.1 and 7.
    let limits = Limits {
        site: budgets(4.9, 40.0),
        study: Some(budgets(3.1, 40.0)),
        year: Some(budgets(19.0, 7.0)),
    };
    let (one, other) = (plan("one", 100), plan("other", 101));
    let mut ledger = Ledger::open(Disk::default(), &[], limits).unwrap();
    let before = NEW_YEAR - 1;
    for name in [1, 2] {
        drop(now(ledger.charge(&one, round(name), before)).unwrap());
    }
    // Study and year are full; a year later only the study is; another study is only full in that year.
    let mut refusal = |plan: &Plan, at| {
        let error = ledger.admits(plan, round(9), at).unwrap_err();
        assert!(now(ledger.charge(plan, round(9), at)).is_err());
        refused::<Disk>(error)
    };
    assert_eq!(refusal(&one, before), (Scope::Study, Protected::Clinician));
    assert_eq!(refusal(&one, NEW_YEAR), (Scope::Study, Protected::Clinician));
    assert_eq!(refusal(&other, before), (Scope::Year(2026), Protected::Patient));
    for name in [3, 4] {
        drop(now(ledger.charge(&other, round(name), NEW_YEAR)).unwrap());
    }
    // Nor does another coordinator get a budget of its own: the same name is the same study.
    let same_name = plan("one", 101);
    let error = ledger.admits(&same_name, round(9), 2 * NEW_YEAR).unwrap_err();
    assert_eq!(
        error.to_string().split(':').next().unwrap(),
        "one release of study one does not fit the clinician budget of a study"
    );
    let third = plan("third", 102);
    assert!(ledger.admits(&third, round(9), 2 * NEW_YEAR).is_ok());
    drop(now(ledger.charge(&third, round(5), 2 * NEW_YEAR)).unwrap());
    let error = ledger.admits(&plan("fourth", 100), round(9), 3 * NEW_YEAR).unwrap_err();
    assert_eq!(refused::<Disk>(error), (Scope::Site, Protected::Clinician));
    assert_eq!(ledger.spent(), times(one.charges(), 5));
    assert_eq!(ledger.spent_in(2026), times(one.charges(), 2));
    assert_eq!(ledger.spent_in(2027), times(one.charges(), 2));
    assert_eq!(ledger.spent_on(&"one".parse().unwrap()), times(one.charges(), 2));
    assert_eq!((year_of(before), year_of(NEW_YEAR), year_of(i64::MAX)), (2026, 2027, i32::MAX));
}

/// A clock that falls back does not open last year's budget again.
#[test]
fn a_charge_is_never_dated_before_the_one_before() {
    let plan = plan("one", 100);
    let mut ledger = Ledger::open(Disk::default(), &[], ample()).unwrap();
    drop(now(ledger.charge(&plan, round(1), NEW_YEAR)).unwrap());
    // A minute before midnight, after midnight: it counts for the new year.
    drop(now(ledger.charge(&plan, round(2), NEW_YEAR - 60)).unwrap());
    assert_eq!(ledger.spent_in(2027), times(plan.charges(), 2));
    assert_eq!(ledger.spent_in(2026).patient, Cost::ZERO);
    for (behind_s, refused) in [(86_400, false), (86_401, true), (NEW_YEAR, true)] {
        match ledger.admits(&plan, round(3), NEW_YEAR - behind_s) {
            Ok(()) => assert!(!refused, "{behind_s}"),
            Err(LedgerError::Clock { behind_s: found }) => assert!(refused && found == behind_s),
            Err(error) => panic!("{error}"),
        }
    }
    let error = now(ledger.charge(&plan, round(3), 0)).unwrap_err();
    assert!(matches!(error, LedgerError::Clock { .. }), "{error}");
    assert_eq!(ledger.spent(), times(plan.charges(), 2));
}

#[test]
fn totals_do_not_depend_on_the_order_of_charges() {
    let plans = [plan("one", 100), plan("other", 101), plan("one", 102)];
    let day = |i: i64| NEW_YEAR + (i % 4 - 2) * 86_400;
    let charges: Vec<(usize, i64)> =
        (0..12_usize).zip((0..).map(day)).map(|(i, at)| (i % 3, at)).collect();
    let total = |order: &[usize]| {
        let mut ledger = Ledger::open(Disk::default(), &[], ample()).unwrap();
        for at in order {
            let (which, when) = charges[*at];
            drop(now(ledger.charge(&plans[which], round(*at as u64), when)).unwrap());
        }
        let families: Vec<_> = ledger.families().map(|(f, spent)| (f.clone(), spent)).collect();
        (ledger.spent(), families, ledger.spent_in(2026), ledger.spent_in(2027))
    };
    let mut forward: Vec<usize> = (0..12).collect();
    forward.sort_by_key(|at| charges[*at].1);
    let expected = total(&forward);
    assert_eq!(expected.1.len(), 2);
    for stride in [5, 7, 11] {
        let mut order: Vec<usize> = forward.iter().map(|at| at * stride % 12).collect();
        order.sort_by_key(|at| charges[*at].1); // time goes on; within a day any order
        assert_eq!(total(&order), expected, "stride {stride}");
    }
}

#[test]
fn a_loss_is_charged_whatever_is_left_and_once() {
    let plan = plan("one", 100);
    let lost = Lost {
        head: round(77),
        round: round(1),
        counter: 4,
        coordinator: plan.coordinator(),
        family: plan.family().clone(),
        study: plan.study(),
        terms: plan.terms(),
    };
    let disk = Disk::default();
    let mut ledger = Ledger::open(disk.clone(), &[], budgets(2.0, 40.0)).unwrap();
    drop(now(ledger.charge(&plan, round(1), 0)).unwrap());
    assert_eq!(ledger.round_of(lost.head), None);
    // The same round was answered twice, under two heads: both are spent, beyond the budget.
    assert_eq!(now(ledger.record_loss(&lost, 5)).unwrap(), plan.charges());
    assert_eq!(ledger.spent(), times(plan.charges(), 2));
    assert_eq!(ledger.round_of(lost.head), Some(round(1)));
    let again = now(ledger.record_loss(&lost, 6)).unwrap_err();
    assert!(matches!(again, LedgerError::NotLost { .. }), "{again}");
    assert!(ledger.admits(&plan, round(2), 7).is_err());
    let reopened = Ledger::open(disk.clone(), &disk.entries(), budgets(2.0, 40.0)).unwrap();
    assert_eq!((reopened.spent(), reopened.head()), (ledger.spent(), ledger.head()));
    assert_eq!(reopened.round_of(lost.head), Some(round(1)));
    assert_eq!(disk.entries()[1].cause, Cause::Loss { head: lost.head });
}

#[test]
fn history_is_costed_by_the_present_accountant() {
    let (one, other) = (plan("one", 100), plan("other", 101));
    let disk = Disk::default();
    let mut ledger = Ledger::open(disk.clone(), &[], ample()).unwrap();
    for (name, plan) in [(1, &one), (2, &other), (3, &one)] {
        drop(now(ledger.charge(plan, round(name), 0)).unwrap());
    }
    let mut entries = disk.entries();
    let all = recost(&entries).unwrap();
    assert_eq!((all.site.old, all.site.new), (ledger.spent(), ledger.spent()));
    assert!(all.changed.is_empty());
    assert_eq!(all.families[one.family()].new, times(one.charges(), 2));
    // An accountant of old that charged one unit more than today's.
    entries[1].charges.patient.rho_fp += 1;
    let all = recost(&entries).unwrap();
    assert_eq!(all.changed, [2]);
    assert_eq!(all.site.new, ledger.spent());
    assert_eq!(all.site.old.patient.rho_fp, ledger.spent().patient.rho_fp + 1);
    entries[2].terms.mechanism = 9;
    assert_eq!(recost(&entries), Err(RecostError::Mechanism { sequence: 3, found: 9 }));
    entries[0].terms.guaranteed_variance = 0;
    assert!(matches!(recost(&entries), Err(RecostError::Terms { sequence: 1, .. })));
}
