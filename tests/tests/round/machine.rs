//! The site's machine against disorder, damage and a driver that errs.
use crate::puppet::{Puppets, result};
use crate::rounds::{Federation, Memory, at, budgets, charge, now, set};
use proptest::prelude::*;
use tacit_shared::codec;
use tacit_shared::id::Digest;
use tacit_shared::privacy::ledger::Ledger;
use tacit_shared::privacy::release::ReleaseError;
use tacit_shared::protocol::error::{Culprit, ProtocolError};
use tacit_shared::protocol::message::{ToSite, to_site_bytes_max};
use tacit_shared::protocol::site::{Effect, Event};
use tacit_shared::summary::sum::SiteSum;

const ME: u16 = 2;

fn federation() -> Federation {
    Federation::of(3, 1, 3)
}

/// The six messages that site 2 gets in a sound round of three, M0 to M10.
fn script(federation: &Federation) -> Vec<Vec<u8>> {
    let mut puppets = Puppets::new(federation);
    let all = set(1..=3);
    let announcement = puppets.announcement();
    let entries = puppets.announce();
    let shared = puppets.deal(&all, &entries);
    let delivery = puppets.delivery(&shared, &all, at(ME));
    let members = puppets.collect(&shared, &all);
    let survivors = puppets.survivors(&members, &all);
    let votes = (1..=3).map(|i| puppets.vote(at(i), &survivors)).collect();
    let result = result(&puppets.outcome(&members, &all));
    let messages = [
        announcement,
        ToSite::Directory(entries),
        delivery,
        survivors,
        ToSite::Certificate(votes),
        result,
    ];
    messages.iter().map(|message| codec::encode(message).unwrap()).collect()
}

/// Site 2 once it has taken the first `count` messages of the script. The randomness is the script's:
/// the other sites draw before and after it as they did then.
fn after(federation: &Federation, count: usize) -> Puppets<'_> {
    let mut puppets = Puppets::new(federation);
    let all = set(1..=3);
    if count == 0 {
        return puppets;
    }
    let entries = puppets.announce();
    if count == 1 {
        return puppets;
    }
    let shared = puppets.deal(&all, &entries);
    if count == 2 {
        return puppets;
    }
    let members = puppets.collect(&shared, &all);
    if count == 3 {
        return puppets;
    }
    let survivors = puppets.survivors(&members, &all);
    let votes = (1..=3).map(|i| puppets.vote(at(i), &survivors)).collect();
    if count == 4 {
        return puppets;
    }
    puppets.tell(at(ME), &ToSite::Certificate(votes)).unwrap();
    if count > 5 {
        puppets.tell(at(ME), &result(&puppets.outcome(&members, &all))).unwrap();
    }
    puppets
}

#[test]
fn only_the_next_message_is_taken_in_any_state() {
    let federation = federation();
    let script = script(&federation);
    for count in 0..=6 {
        for (place, message) in script.iter().enumerate() {
            let mut puppets = after(&federation, count);
            let answer = puppets.bytes(at(ME), message.clone());
            if place == count || place + 1 == count {
                answer.unwrap(); // the one that is due, or the last one again
                continue;
            }
            let error = answer.unwrap_err();
            assert!(matches!(error, ProtocolError::Unexpected { .. }), "{count} {place}: {error}");
            assert_eq!(error.culprit(), Culprit::Coordinator);
        }
    }
}

#[test]
fn an_end_without_a_result_is_nobodys_fault_and_wipes_the_site() {
    let federation = federation();
    for count in 0..6 {
        let mut puppets = after(&federation, count);
        let error = puppets.tell(at(ME), &ToSite::Closed).unwrap_err();
        assert!(matches!(error, ProtocolError::Closed { .. }));
        assert_eq!(error.culprit(), Culprit::Nobody);
        assert!(!puppets.sites.contains_key(&at(ME)));
    }
    // Once the result is there, nothing is lost.
    after(&federation, 6).tell(at(ME), &ToSite::Closed).unwrap();
}

#[test]
fn a_truncated_or_lengthened_message_is_refused() {
    let federation = federation();
    for (count, message) in script(&federation).into_iter().enumerate() {
        let lengths = (0..message.len()).step_by(message.len() / 23).chain([message.len() - 1]);
        for length in lengths {
            let answer = after(&federation, count).bytes(at(ME), message[..length].to_vec());
            assert!(answer.is_err(), "{count}: {length} of {}", message.len());
        }
        let mut longer = message;
        longer.push(0);
        assert!(after(&federation, count).bytes(at(ME), longer).is_err());
    }
}

#[test]
fn a_message_longer_than_any_of_the_round_is_not_even_read() {
    let federation = federation();
    let limit = to_site_bytes_max(3, federation.plan.layout().dimension());
    for (excess, too_long) in [(0, false), (1, true)] {
        let bytes = vec![0; limit as usize + excess];
        let error = after(&federation, 0).bytes(at(ME), bytes).unwrap_err();
        assert_eq!(matches!(error, ProtocolError::TooLong { .. }), too_long);
        assert_eq!(error.culprit(), Culprit::Coordinator);
    }
    let longest = script(&federation).iter().map(Vec::len).max().unwrap();
    assert!(longest <= limit as usize);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn one_flipped_bit_is_refused_wherever_it_is(count in 0..6_usize, place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let federation = federation();
        let mut message = script(&federation)[count].clone();
        let place = place.index(message.len());
        message[place] ^= 1_u8 << bit;
        prop_assert!(after(&federation, count).bytes(at(ME), message).is_err());
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic(count in 0..6_usize, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let federation = federation();
        prop_assert!(after(&federation, count).bytes(at(ME), bytes).is_err());
    }

    #[test]
    fn a_message_kind_with_random_contents_is_refused(count in 0..6_usize, kind in 0..7_u8, length in 0..200_u8, bytes in prop::collection::vec(any::<u8>(), 0..250)) {
        let federation = federation();
        let bytes = [&[kind, length][..], &bytes].concat();
        prop_assert!(after(&federation, count).bytes(at(ME), bytes).is_err());
    }
}

#[test]
fn a_delivery_that_comes_again_while_data_are_summed_starts_nothing_and_sends_nothing() {
    let federation = federation();
    let script = script(&federation);
    let mut puppets = after(&federation, 2);
    puppets.hold = true;
    let first = puppets.event(at(ME), Event::Received(script[2].clone())).unwrap();
    let [Effect::Collect { round }] = first[..] else { panic!("{first:?}") };
    assert_eq!(round, federation.config(1).digest().unwrap());
    assert!(puppets.event(at(ME), Event::Received(script[2].clone())).unwrap().is_empty());
    let sum = puppets.sum(at(ME));
    let funded =
        puppets.event(at(ME), Event::Funded { sum, paid: charge(&federation.plan, round) });
    let [Effect::Keep(_), Effect::Send(masked)] = &funded.unwrap()[..] else { panic!("not sent") };
    // From now on it is answered with the very vector that was sent.
    let again = puppets.event(at(ME), Event::Received(script[2].clone())).unwrap();
    let [Effect::Send(bytes)] = &again[..] else { panic!("{again:?}") };
    assert_eq!(bytes, masked);
}

fn funding(
    fund: impl FnOnce(&mut Puppets<'_>, Digest) -> Event,
) -> Result<Vec<Effect>, ProtocolError> {
    let federation = federation();
    let script = script(&federation);
    let mut puppets = after(&federation, 2);
    puppets.hold = true;
    puppets.event(at(ME), Event::Received(script[2].clone())).unwrap();
    let event = fund(&mut puppets, federation.config(1).digest().unwrap());
    puppets.event(at(ME), event)
}

#[test]
fn a_charge_of_another_round_or_of_another_plan_buys_nothing() {
    let error = funding(|puppets, _| {
        let paid = charge(&puppets.federation.plan, Digest::new([8; 32]));
        Event::Funded { sum: puppets.sum(at(ME)), paid }
    })
    .unwrap_err();
    assert!(matches!(error, ProtocolError::Charge { .. }));
    assert_eq!(error.culprit(), Culprit::Nobody);
    let error = funding(|puppets, round| {
        // Paid under the name of this round, but for a study with other noise.
        let other = Federation::of(5, 1, 4);
        assert_ne!(other.plan.charges(), puppets.federation.plan.charges());
        Event::Funded { sum: puppets.sum(at(ME)), paid: charge(&other.plan, round) }
    })
    .unwrap_err();
    assert!(matches!(error, ProtocolError::Release(ReleaseError::Charges)), "{error}");
}

#[test]
fn a_sum_of_another_length_or_of_too_many_rows_is_not_released() {
    let error = funding(|puppets, round| {
        let sum = SiteSum::new(3, 10);
        Event::Funded { sum, paid: charge(&puppets.federation.plan, round) }
    })
    .unwrap_err();
    assert!(matches!(error, ProtocolError::Release(ReleaseError::Dimension { found: 3, .. })));
    // A driver that counts to another cap than the plan's.
    let error = funding(|puppets, round| {
        let plan = &puppets.federation.plan;
        let one = puppets.federation.contribution(at(ME), &mut puppets.rng);
        let empty = SiteSum::new(plan.layout().dimension(), 10_000);
        let sum = (0..2001).try_fold(empty, |sum, _| sum.add(&one)).unwrap();
        Event::Funded { sum, paid: charge(plan, round) }
    })
    .unwrap_err();
    let ProtocolError::Release(ReleaseError::Rows { found, expected }) = error else {
        panic!("{error}")
    };
    assert_eq!((found, expected), (2001, 2000));
}

#[test]
fn a_second_sum_is_refused_and_so_is_one_that_nobody_asked_for() {
    let federation = federation();
    for count in [0, 1, 2, 3, 4, 5, 6] {
        let mut puppets = after(&federation, count);
        let sum = puppets.sum(at(ME));
        let paid = charge(&federation.plan, federation.config(1).digest().unwrap());
        let error = puppets.fund(at(ME), sum, paid).unwrap_err();
        assert!(matches!(error, ProtocolError::Unexpected { found: "a local sum", .. }), "{count}");
        assert!(!puppets.sites.contains_key(&at(ME)));
    }
}

#[test]
fn a_restarted_site_answers_a_round_it_has_seen_with_nothing() {
    // Secrets are in memory only: after a crash the counter on disk refuses the round, and the ledger
    // refuses to charge it again.
    use tacit_shared::protocol::site::{History, Policy};
    let federation = federation();
    let round = federation.config(1).digest().unwrap();
    let mut ledger = Ledger::open(Memory::default(), &[], budgets(10.0, 20.0)).unwrap();
    now(ledger.charge(&federation.plan, round, 0)).map(drop).unwrap();
    let mut puppets = after(&federation, 3);
    let history = History { last_counter: 1, ..History::default() };
    puppets.sites.insert(at(ME), federation.site(at(ME), history, Policy::default()));
    let error = puppets.bytes(at(ME), script(&federation)[0].clone()).unwrap_err();
    assert!(matches!(error, ProtocolError::Replay { found: 1, last: 1 }));
    assert!(now(ledger.charge(&federation.plan, round, 0)).is_err());
}
