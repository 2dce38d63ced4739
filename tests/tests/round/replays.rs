//! A transcript proves its result, and nothing else: every byte of it counts.
use crate::rounds::{Federation, Passing, Round, at, faithful, identity, set};
use tacit_shared::codec;
use tacit_shared::protocol::message::{Outcome, Signed, ToHost, ToSite};
use tacit_shared::protocol::replay::{ReplayError, Verdict, replay};
use tacit_shared::protocol::transcript::{Entry, Papers, Party, digest, seal, seal_holds};

fn again(federation: &Federation, entries: &[Entry]) -> Result<Verdict, ReplayError> {
    replay(&federation.study, &federation.roster, entries)
}

/// A round with the faults of `meddle`, its transcript, and the sum that was opened.
fn recorded(
    federation: &Federation,
    meddle: &mut crate::rounds::Meddle<'_>,
) -> (Vec<Entry>, Outcome) {
    let mut round = Round::new(federation, 11);
    round.run(meddle);
    (round.transcript, round.opened.unwrap().outcome)
}

#[test]
fn a_sound_round_is_recomputed_bit_for_bit() {
    for (n, t, m) in [(3, 1, 3), (5, 1, 4), (7, 2, 5)] {
        let federation = Federation::of(n, t, m);
        let (entries, outcome) = recorded(&federation, &mut faithful);
        let verdict = again(&federation, &entries).unwrap();
        assert_eq!(verdict.outcome, outcome);
        assert_eq!(verdict.result, outcome.digest().unwrap());
        assert_eq!(verdict.transcript, digest(&entries).unwrap());
        assert_eq!(verdict.survivors.len(), usize::from(n));
        assert_eq!((verdict.votes, verdict.dropped.len()), (usize::from(n), 0));
    }
}

/// Silent from a phase on, one phase after the other: the coordinator moved on at the deadline.
#[test]
fn sites_that_fell_silent_in_any_phase_do_not_hinder_the_proof() {
    let federation = Federation::of(7, 2, 5);
    for (phase, survivors) in [
        ("keys", set(2..=7)),
        ("shares", set(2..=7)),
        ("masked vector", set(2..=7)),
        ("vote", set(1..=7)),
        ("unmasking shares", set(1..=7)),
    ] {
        let mut gone = false;
        let (entries, outcome) = recorded(&federation, &mut |passing, bytes| {
            let Passing::Up(from, message) = passing else { return vec![bytes] };
            gone |= *from == at(1) && message.name() == phase;
            if gone && *from == at(1) { Vec::new() } else { vec![bytes] }
        });
        let verdict = again(&federation, &entries).unwrap_or_else(|e| panic!("{phase}: {e}"));
        assert_eq!(verdict.outcome, outcome, "{phase}");
        assert!(verdict.survivors.iter().eq(&survivors), "{phase}");
    }
}

#[test]
fn sites_that_refuse_or_lie_are_told_with_their_reason() {
    let federation = Federation::of(7, 2, 5);
    let (entries, outcome) = recorded(&federation, &mut |passing, bytes| match passing {
        Passing::Up(from, ToHost::Masked(..)) if *from == at(3) => {
            vec![codec::encode(&ToHost::Declined("not today".to_owned())).unwrap()]
        }
        Passing::Up(from, ToHost::Shares(..)) if *from == at(5) => {
            let mut broken = bytes;
            let last = broken.len() - 1;
            broken[last] ^= 1;
            vec![broken]
        }
        _ => vec![bytes],
    });
    let verdict = again(&federation, &entries).unwrap();
    assert_eq!(verdict.outcome, outcome);
    let told: Vec<String> = verdict.dropped.iter().map(|(i, why)| format!("{i}: {why}")).collect();
    assert_eq!(
        told,
        ["5: it did not seal one pair of shares for each site", "3: not today"],
        "{told:?}"
    );
}

/// Each recorded message is needed: T is 4, so the fourth unmasking answer opened the sum and the fifth
/// was not recorded.
#[test]
fn any_flipped_byte_is_refused_by_name() {
    let federation = Federation::of(5, 1, 4);
    let (entries, _) = recorded(&federation, &mut faithful);
    let mut named = std::collections::BTreeSet::new();
    for place in 0..entries.len() {
        let length = entries[place].bytes.len();
        // The ends of each message, where headers and signatures are, and steps between.
        let spots = (0..length)
            .filter(|byte| *byte < 12 || length - byte < 12 || byte % (length / 40).max(1) == 0);
        for byte in spots {
            let mut entries = entries.clone();
            entries[place].bytes[byte] ^= 0x10;
            let error = again(&federation, &entries)
                .expect_err(&format!("entry {} byte {byte} of {length}", place + 1));
            named.insert(kind(&error));
        }
    }
    let expected = ["differs", "name", "not due", "protocol", "result", "signature", "skipped"];
    for kind in &named {
        assert!(expected.contains(kind), "{named:?}");
    }
    assert!(["differs", "name", "signature"].iter().all(|kind| named.contains(kind)), "{named:?}");
}

fn kind(error: &ReplayError) -> &'static str {
    match error {
        ReplayError::Missing { .. } => "missing",
        ReplayError::Plan(_) => "plan",
        ReplayError::Name { .. } => "name",
        ReplayError::Signature { .. } => "signature",
        ReplayError::Announcement(_) => "announcement",
        ReplayError::NotDue { .. } => "not due",
        ReplayError::Skipped { .. } => "skipped",
        ReplayError::Differs { .. } => "differs",
        ReplayError::Result { .. } => "result",
        ReplayError::Protocol { .. } => "protocol",
        ReplayError::After { .. } => "after",
        ReplayError::Codec(_) | ReplayError::Key(_) => "bug",
    }
}

#[test]
fn a_message_left_out_moved_renamed_or_doubled_is_refused() {
    let federation = Federation::of(5, 1, 4);
    let (entries, _) = recorded(&federation, &mut faithful);
    for place in 0..entries.len() {
        let mut without = entries.clone();
        let taken = without.remove(place);
        again(&federation, &without).expect_err(&format!("without {} {taken:?}", place + 1));
        let mut doubled = entries.clone();
        doubled.insert(place, taken.clone());
        again(&federation, &doubled).expect_err(&format!("{taken:?} twice"));
        let mut renamed = entries.clone();
        renamed[place].name = "something".to_owned();
        let error = again(&federation, &renamed).unwrap_err();
        assert_eq!(kind(&error), "name", "{error}");
        let mut passed_on = entries.clone();
        passed_on[place].from = match taken.from {
            Party::Coordinator => Party::Site(at(1)),
            Party::Site(index) if index == at(1) => Party::Site(at(2)),
            Party::Site(_) => Party::Site(at(1)),
        };
        again(&federation, &passed_on).expect_err(&format!("{taken:?} of another"));
    }
    assert_eq!(kind(&again(&federation, &[]).unwrap_err()), "missing");
}

/// A coordinator holds its own key: it can sign another result, but not prove it.
#[test]
fn a_false_result_signed_by_the_coordinator_is_found_out() {
    let federation = Federation::of(5, 1, 4);
    let (entries, outcome) = recorded(&federation, &mut faithful);
    let publish = |change: &dyn Fn(&mut Outcome)| {
        let mut outcome = outcome.clone();
        change(&mut outcome);
        let mut entries = entries.clone();
        let signed = Signed::of(&identity(0), "result", &outcome).unwrap();
        entries.last_mut().unwrap().bytes = codec::encode(&ToSite::Result(signed)).unwrap();
        again(&federation, &entries)
    };
    assert!(publish(&|_| {}).is_ok());
    let part = |change: &dyn Fn(&mut Outcome)| match publish(change).unwrap_err() {
        ReplayError::Result { part, .. } => part,
        other => panic!("{other}"),
    };
    assert_eq!(part(&|outcome| outcome.sum[3] += 1), "sum");
    assert_eq!(part(&|outcome| outcome.sum.truncate(5)), "sum");
    assert_eq!(part(&|outcome| outcome.ledger_heads.swap(0, 1)), "list of ledger heads");
    assert_eq!(part(&|outcome| outcome.config = crate::puppet::other_digest()), "round");
}

#[test]
fn another_study_or_roster_is_not_that_of_the_round() {
    let federation = Federation::of(5, 1, 4);
    let (entries, _) = recorded(&federation, &mut faithful);
    let other = Federation::of(5, 1, 5);
    let error = replay(&other.study, &federation.roster, &entries).unwrap_err();
    assert!(matches!(error, ReplayError::Announcement(_)), "{error}");
    let other = Federation::of(6, 1, 4);
    let error = replay(&federation.study, &other.roster, &entries).unwrap_err();
    assert!(matches!(error, ReplayError::Announcement(_)), "{error}");
}

#[test]
fn the_seal_covers_papers_and_entries() {
    let federation = Federation::of(3, 1, 3);
    let (entries, _) = recorded(&federation, &mut faithful);
    let papers = Papers { study: "study".to_owned(), roster: "roster".to_owned(), entries: 5 };
    let sealed = seal(&identity(0), &papers, &entries).unwrap();
    let (own, other) = (identity(0).verifying_key(), identity(1).verifying_key());
    assert!(seal_holds(&sealed, &own, &papers, &entries));
    assert!(!seal_holds(&sealed, &other, &papers, &entries));
    assert!(!seal_holds(&sealed, &own, &papers, &entries[1..]));
    let papers = Papers { study: "another".to_owned(), ..papers };
    assert!(!seal_holds(&sealed, &own, &papers, &entries));
}
