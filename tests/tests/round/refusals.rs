//! M2 to M10: what a site refuses of a malicious coordinator, and of sites that collude with it.
use crate::puppet::{Puppets, Shared, other_digest, result, up_to_masked};
use crate::rounds::{Federation, at, identity, set};
use std::collections::BTreeSet;
use tacit_shared::codec::{self, Bytes};
use tacit_shared::id::SiteIndex;
use tacit_shared::protocol::config::RoundId;
use tacit_shared::protocol::error::{Culprit, ProtocolError};
use tacit_shared::protocol::message::{
    Advertise, Ballot, Delivery, MaskedHeader, Member, Outcome, Signed, Survivors, ToSite,
};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::protocol::site::{Answered, History, Policy};
use tacit_shared::secagg::key::PublicKey;
use tacit_shared::secagg::key::identity::Signature;

const ME: u16 = 2;

fn body(entry: &Signed) -> Advertise {
    codec::decode(&entry.payload.0).unwrap()
}

fn resigned(signer: u16, body: &Advertise) -> Signed {
    Signed::of(&identity(signer), "advertise", body).unwrap()
}

/// Shows a site an altered directory.
fn directory(alter: impl Fn(&mut Vec<Signed>)) -> ProtocolError {
    let federation = Federation::of(5, 1, 4);
    let mut puppets = Puppets::new(&federation);
    let mut entries = puppets.announce();
    alter(&mut entries);
    let error = puppets.tell(at(ME), &ToSite::Directory(entries)).unwrap_err();
    assert_eq!(error.culprit(), Culprit::Coordinator);
    assert!(!puppets.sites.contains_key(&at(ME)), "the secrets went with the machine");
    error
}

#[test]
fn a_directory_with_too_few_or_too_many_entries_is_refused() {
    let wrong = "the directory has too few or too many entries";
    assert_eq!(directory(|entries| entries.truncate(3)).to_string(), wrong);
    assert_eq!(directory(Vec::clear).to_string(), wrong);
    assert_eq!(directory(|entries| entries.push(entries[4].clone())).to_string(), wrong);
}

#[test]
fn a_directory_without_me_or_with_another_key_of_mine_is_refused() {
    let error = directory(|entries| drop(entries.remove(usize::from(ME) - 1)));
    assert_eq!(error.to_string(), "the directory lacks this site");
    // Signed by this site, in this round, but not what it sent: as if a copy of it had been asked.
    let error = directory(|entries| {
        let mine = Advertise { commitment: other_digest(), ..body(&entries[1]) };
        entries[1] = resigned(ME, &mine);
    });
    assert_eq!(error.to_string(), "the coordinator changed this site's own directory entry");
}

#[test]
fn keys_that_the_coordinator_swapped_are_refused() {
    // The keys of another, as a man in the middle would have it.
    let error = directory(|entries| {
        let mut swapped = body(&entries[2]);
        std::mem::swap(&mut swapped.sealing, &mut swapped.masking);
        entries[2].payload = Bytes(codec::encode(&swapped).unwrap());
    });
    let unsigned = "the directory's entry of site 3 is not signed by its site";
    assert_eq!(error.to_string(), unsigned);
    // Keys of its own, signed by itself or by a colluding site.
    for signer in [0, 1] {
        let error = directory(|entries| entries[2] = resigned(signer, &body(&entries[2])));
        assert_eq!(error.to_string(), unsigned);
    }
    // Signed by the site, for another purpose.
    let error = directory(|entries| {
        entries[2] = Signed::of(&identity(3), "shares", &body(&entries[2])).unwrap();
    });
    assert_eq!(error.to_string(), unsigned);
}

#[test]
fn strangers_duplicates_and_disorder_in_the_directory_are_refused() {
    let error = directory(|entries| {
        let stranger = Advertise { index: at(6), ..body(&entries[4]) };
        entries[4] = resigned(6, &stranger);
    });
    assert_eq!(error.to_string(), "the directory's entry of site 6 is not of a site on the roster");
    let error = directory(|entries| entries[3] = entries[2].clone());
    assert_eq!(error.to_string(), "the directory's entry of site 3 is out of order");
    let error = directory(|entries| entries.swap(2, 3));
    assert_eq!(error.to_string(), "the directory's entry of site 3 is out of order");
}

#[test]
fn keys_of_another_round_are_refused() {
    for alter in
        [(|body: &mut Advertise| body.round_id = RoundId([1; 32])) as fn(&mut Advertise), |body| {
            body.config = other_digest();
        }]
    {
        let error = directory(|entries| {
            let mut old = body(&entries[0]);
            alter(&mut old);
            entries[0] = resigned(1, &old);
        });
        assert_eq!(error.to_string(), "the directory's entry of site 1 is of another round");
    }
}

#[test]
fn a_key_that_stands_twice_in_the_directory_is_refused() {
    let twins: [fn(&mut Advertise, &Advertise); 4] = [
        |mine, of_3| mine.sealing = of_3.sealing,
        |mine, of_3| mine.masking = of_3.masking,
        |mine, of_3| mine.sealing = of_3.masking,
        |mine, _| mine.sealing = mine.masking,
    ];
    for twin in twins {
        let error = directory(|entries| {
            let mut colluder = body(&entries[0]);
            twin(&mut colluder, &body(&entries[2]));
            entries[0] = resigned(1, &colluder);
        });
        assert!(matches!(error, ProtocolError::KeyTwice), "{error}");
    }
}

#[test]
fn a_key_of_low_order_is_refused_before_data_are_read() {
    let mut one = [0; 32];
    one[0] = 1;
    for bytes in [[0; 32], one] {
        let low = PublicKey::parse(&bytes).unwrap();
        for masking in [false, true] {
            let error = directory(|entries| {
                let mut colluder = body(&entries[0]);
                *(if masking { &mut colluder.masking } else { &mut colluder.sealing }) = low;
                entries[0] = resigned(1, &colluder);
            });
            let expected = "the directory's entry of site 1 has a key of low order";
            assert_eq!(error.to_string(), expected);
        }
    }
}

/// Up to the shares; then shows a site an altered delivery.
fn delivery(alter: impl Fn(&mut Delivery, &Shared)) -> ProtocolError {
    let federation = Federation::of(5, 1, 4);
    let mut puppets = Puppets::new(&federation);
    let entries = puppets.announce();
    // Site 5 is not in the directory.
    let shared = puppets.deal(&set(1..=4), &entries[..4]);
    let ToSite::Delivery(mut delivery) = puppets.delivery(&shared, &set(1..=4), at(ME)) else {
        panic!("no delivery")
    };
    alter(&mut delivery, &shared);
    let error = puppets.tell(at(ME), &ToSite::Delivery(delivery)).unwrap_err();
    assert!(!puppets.sites.contains_key(&at(ME)));
    error
}

#[test]
fn sites_shown_different_directories_cannot_open_each_others_shares() {
    let federation = Federation::of(5, 1, 4);
    let mut puppets = Puppets::new(&federation);
    let entries = puppets.announce();
    let mut shared = puppets.deal(&set([1, 2]), &entries);
    shared.extend(puppets.deal(&set([3, 4]), &entries[..4]));
    let delivery = puppets.delivery(&shared, &set(1..=4), at(1));
    let error = puppets.tell(at(1), &delivery).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the shares of site 3 do not open: the shares that site 3 sealed for site 1 do not open"
    );
}

#[test]
fn a_delivery_of_a_wrong_set_is_refused() {
    let u2 = |indices: Vec<u16>| {
        move |delivery: &mut Delivery, _: &Shared| {
            delivery.shared = Bitmap::of(&set(indices.clone()), 5);
        }
    };
    let error = delivery(u2(vec![1, 2, 3]));
    assert_eq!(error.to_string(), "the delivery has fewer sites than the study asks for");
    let error = delivery(u2(vec![1, 3, 4, 5]));
    let outside = "the delivery lacks this site, or names one outside the directory";
    assert_eq!(error.to_string(), outside);
    let error = delivery(u2(vec![1, 2, 3, 4, 5]));
    assert_eq!(error.to_string(), outside);
    let error = delivery(|delivery, _| delivery.shared = Bitmap::of(&set(1..=4), 9));
    assert_eq!(error.to_string(), "the delivery is not a set of sites");
}

#[test]
fn a_delivery_holds_one_pair_of_shares_of_each_other_site_and_nothing_else() {
    let expected = "the delivery does not hold one sealed pair of shares from each site";
    let alterations: [fn(&mut Delivery); 5] = [
        |delivery| drop(delivery.sealed.remove(1)),
        |delivery| delivery.sealed.push((at(5), Bytes(vec![0; 80]))),
        |delivery| delivery.sealed.push(delivery.sealed[2].clone()),
        |delivery| delivery.sealed.swap(0, 1),
        |delivery| delivery.sealed[0].0 = at(ME),
    ];
    for alter in alterations {
        assert_eq!(delivery(|delivery, _| alter(delivery)).to_string(), expected);
    }
    for length in [0, 79, 81] {
        let error = delivery(|delivery, _| delivery.sealed[1].1.0.resize(length, 0));
        assert_eq!(error.to_string(), "the delivery holds sealed shares of a wrong length");
    }
}

#[test]
fn one_altered_or_misdirected_share_refuses_the_whole_delivery() {
    for place in [0, 31, 64, 79] {
        let error = delivery(|delivery, _| delivery.sealed[1].1.0[place] ^= 1);
        assert!(matches!(error, ProtocolError::Sealed { index, .. } if index == at(3)));
        assert_eq!(error.culprit(), Culprit::Site(at(3)));
    }
    let error = delivery(|delivery, _| {
        let (one, two) = (delivery.sealed[0].1.clone(), delivery.sealed[1].1.clone());
        (delivery.sealed[0].1, delivery.sealed[1].1) = (two, one);
    });
    assert!(matches!(error, ProtocolError::Sealed { index, .. } if index == at(1)));
    // What site 3 sealed for site 4.
    let error = delivery(|delivery, shared| delivery.sealed[1].1 = shared[&at(3)].1[2].1.clone());
    assert!(matches!(error, ProtocolError::Sealed { index, .. } if index == at(3)));
}

/// Up to the masked vectors among six, of whom the sixth never shared; then altered survivors.
fn survivors(alter: impl Fn(&mut Survivors)) -> ProtocolError {
    let federation = Federation::of(6, 1, 4);
    let mut puppets = Puppets::new(&federation);
    let entries = puppets.announce();
    let shared = puppets.deal(&set(1..=5), &entries);
    let members = puppets.collect(&shared, &set(1..=5));
    let ToSite::Survivors(mut survivors) = puppets.survivors(&members, &set(1..=5)) else {
        panic!("no survivors")
    };
    alter(&mut survivors);
    let error = puppets.tell(at(ME), &ToSite::Survivors(survivors)).unwrap_err();
    assert_eq!(error.culprit(), Culprit::Coordinator);
    error
}

fn choose(survivors: &mut Survivors, indices: &[u16], n: usize) {
    let chosen = set(indices.iter().copied());
    survivors.members.retain(|member| chosen.contains(&member.index));
    survivors.survivors = Bitmap::of(&chosen, n);
}

#[test]
fn survivors_too_few_without_me_or_that_never_shared_are_refused() {
    let error = survivors(|s| choose(s, &[1, 2, 3], 6));
    assert_eq!(error.to_string(), "the set of survivors has fewer sites than the study asks for");
    let stranger = "the set of survivors lacks this site, or names one that did not share";
    assert_eq!(survivors(|s| choose(s, &[1, 3, 4, 5], 6)).to_string(), stranger);
    assert_eq!(survivors(|s| choose(s, &[1, 2, 3, 6], 6)).to_string(), stranger);
    let error = survivors(|s| choose(s, &[1, 2, 3, 4], 9));
    assert_eq!(error.to_string(), "the set of survivors is not a set of sites");
}

#[test]
fn survivors_hold_one_header_of_each_member() {
    let expected = "the set of survivors does not hold one header of each member";
    let alterations: [fn(&mut Survivors); 4] = [
        |survivors| survivors.members.truncate(4),
        |survivors| survivors.members.push(survivors.members[0].clone()),
        |survivors| survivors.members.swap(3, 4),
        |survivors| survivors.members[4].index = at(6),
    ];
    for alter in alterations {
        assert_eq!(survivors(alter).to_string(), expected);
    }
}

#[test]
fn my_own_header_is_the_one_i_sent() {
    let alterations: [fn(&mut Member); 4] = [
        |mine| mine.body = other_digest(),
        |mine| mine.input = other_digest(),
        |mine| mine.ledger_head = other_digest(),
        |mine| mine.signature = Signature::from_bytes([1; 64]),
    ];
    for alter in alterations {
        let error = survivors(|survivors| alter(&mut survivors.members[usize::from(ME) - 1]));
        assert_eq!(error.to_string(), "the coordinator changed this site's own header");
    }
}

#[test]
fn a_member_that_saw_or_sent_something_else_is_refused() {
    let alterations: [fn(&mut Member); 4] = [
        |member| member.body = other_digest(),
        |member| member.input = other_digest(),
        |member| member.ledger_head = other_digest(),
        |member| member.signature = Signature::from_bytes([1; 64]),
    ];
    for alter in alterations {
        let error = survivors(|survivors| alter(&mut survivors.members[3]));
        let expected = "site 4 signed another header than this site rebuilds";
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_colluder_that_signs_another_round_directory_or_set_is_found_out() {
    type Lie = fn(&mut MaskedHeader);
    let lies: [(Lie, bool); 6] = [
        (|_| (), true),
        (|header| header.round_id = RoundId([0; 32]), false),
        (|header| header.config = other_digest(), false),
        (|header| header.u1 = other_digest(), false),
        (|header| header.u2 = Bitmap::of(&set(1..=4), 5), false),
        (|header| header.index = at(3), false),
    ];
    let federation = Federation::of(5, 1, 4);
    for (lie, accepted) in lies {
        let (mut puppets, mut members) = up_to_masked(&federation);
        let mut header = puppets.headers[&at(1)].clone();
        lie(&mut header);
        members[0].signature = Signed::of(&identity(1), "masked", &header).unwrap().signature;
        let survivors = puppets.survivors(&members, &set(1..=5));
        match puppets.tell(at(ME), &survivors) {
            Ok(_) => assert!(accepted),
            Err(ProtocolError::Header { index }) => assert!(!accepted && index == at(1)),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Up to the survivors of a site with this memory; the error, if it does not vote.
fn votes(earlier: &[&[u16]], policy: Policy, now: &[u16]) -> Result<(), ProtocolError> {
    let federation = Federation::of(10, 1, 6);
    let answered = |indices: &&[u16]| {
        Answered::of(&federation.roster, &federation.plan, &set(indices.iter().copied()))
    };
    let answered = earlier.iter().map(answered).collect();
    votes_after(&federation, History { answered, ..History::default() }, policy, now)
}

/// Up to the survivors of a site that remembers this; the error, if it does not vote.
fn votes_after(
    federation: &Federation,
    history: History,
    policy: Policy,
    now: &[u16],
) -> Result<(), ProtocolError> {
    let mut puppets = Puppets::new(federation);
    puppets.sites.insert(at(ME), federation.site(at(ME), history, policy));
    let entries = puppets.announce();
    let shared = puppets.deal(&set(1..=10), &entries);
    let members = puppets.collect(&shared, &set(1..=10));
    let survivors = puppets.survivors(&members, &set(now.iter().copied()));
    puppets.tell(at(ME), &survivors).map(|_| ())
}

#[test]
fn two_answers_that_differ_by_few_hospitals_are_refused() {
    let policy = Policy::default;
    let all: Vec<u16> = (1..=10).collect();
    votes(&[], policy(), &all).unwrap();
    votes(&[&all], policy(), &all).unwrap();
    for (missing, allowed) in [(1, false), (2, false), (3, true), (4, true)] {
        let fewer: Vec<u16> = (1..=10 - missing).collect();
        let found = usize::from(missing);
        for (earlier, now) in [(&all, &fewer), (&fewer, &all)] {
            match votes(&[earlier], policy(), now) {
                Ok(()) => assert!(allowed, "{missing}"),
                Err(ProtocolError::Differencing { found: f, expected: 3 }) => {
                    assert!(!allowed && f == found);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    // Three lost but one gained: the one is exposed.
    let (before, now) = ([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 5, 6, 10]);
    let error = votes(&[&before], policy(), &now).unwrap_err();
    assert!(matches!(error, ProtocolError::Differencing { found: 1, .. }));
    assert_eq!(error.culprit(), Culprit::Nobody);
}

#[test]
fn earlier_answers_bind_by_name_and_over_the_same_days_only() {
    let federation = Federation::of(10, 1, 6);
    let (all, fewer): (Vec<u16>, Vec<u16>) = ((1..=10).collect(), (1..=9).collect());
    let mut before = Answered::of(&federation.roster, &federation.plan, &set(all));
    let after = |answered: &Answered| {
        let history = History { answered: vec![answered.clone()], ..History::default() };
        votes_after(&federation, history, Policy::default(), &fewer)
    };
    let error = after(&before).unwrap_err();
    assert!(matches!(error, ProtocolError::Differencing { found: 1, .. }));
    // Two hospitals went and two came since: the same places on the roster are other hospitals.
    let (sites, (from, to)) = (before.sites.clone(), before.period);
    before.sites.retain(|id| !["site-1", "site-2"].contains(&id.as_str()));
    before.sites.extend(["gone-1", "gone-2"].map(|id| id.parse().unwrap()));
    let error = after(&before).unwrap_err();
    assert!(matches!(error, ProtocolError::Differencing { found: 2, .. }), "{error}");
    before.sites = sites;
    // A day in common is enough; the day after the last is not one.
    let day = time::Duration::DAY;
    for (period, bound) in [
        ((to - day, to + day), true),
        ((from - day, from + day), true),
        ((to, to + day), false),
        ((from - day, from), false),
    ] {
        before.period = period;
        assert_eq!(after(&before).is_err(), bound, "{period:?}");
    }
}

#[test]
fn the_gap_is_at_least_two_beyond_the_colluders_and_more_if_the_site_says_so() {
    let (all, fewer): (Vec<u16>, Vec<u16>) = ((1..=10).collect(), (1..=7).collect());
    let asking = |differencing_gap| Policy { differencing_gap, ..Policy::default() };
    votes(&[&all], asking(0), &fewer).unwrap();
    let error = votes(&[&all], asking(0), &all[..8]).unwrap_err();
    assert!(matches!(error, ProtocolError::Differencing { found: 2, expected: 3 }));
    let error = votes(&[&all], asking(4), &fewer).unwrap_err();
    assert!(matches!(error, ProtocolError::Differencing { found: 3, expected: 4 }));
}

#[test]
fn at_most_so_many_sets_of_survivors_are_answered_over_the_same_data() {
    let earlier: [&[u16]; 3] =
        [&[1, 2, 3, 4, 5, 6, 7], &[1, 2, 3, 4, 8, 9, 10], &[1, 2, 5, 6, 7, 8, 9, 10]];
    let now: [u16; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    let asking =
        |survivor_sets_max| Policy { survivor_sets_max, differencing_gap: 0, ..Policy::default() };
    // The third of `earlier` differs from all ten by two: leave it out here.
    votes(&earlier[..2], asking(3), &now).unwrap();
    let error = votes(&earlier[..2], asking(2), &now).unwrap_err();
    assert!(matches!(error, ProtocolError::Sets { found: 2 }), "{error}");
    // A set that was answered before is not a new one.
    votes(&earlier[..2], asking(2), earlier[0]).unwrap();
    votes(&[earlier[0], earlier[0], earlier[0]], asking(2), &now).unwrap();
}

/// Everybody voted for all five; shows a site another certificate.
fn certificate(alter: impl Fn(&mut Vec<(SiteIndex, Signature)>)) -> ProtocolError {
    let federation = Federation::of(5, 1, 4);
    let (mut puppets, members) = up_to_masked(&federation);
    let survivors = puppets.survivors(&members, &set(1..=5));
    let mut votes: Vec<_> = (1..=5).map(|i| puppets.vote(at(i), &survivors)).collect();
    alter(&mut votes);
    let error = puppets.tell(at(ME), &ToSite::Certificate(votes)).unwrap_err();
    assert_eq!(error.culprit(), Culprit::Coordinator);
    error
}

#[test]
fn a_certificate_needs_as_many_votes_as_the_threshold() {
    let error = certificate(|votes| votes.truncate(3));
    assert_eq!(error.to_string(), "3 votes for the survivors; 4 needed");
    assert_eq!(certificate(Vec::clear).to_string(), "0 votes for the survivors; 4 needed");
}

#[test]
fn a_vote_counts_once_and_only_of_a_survivor_on_these_bytes() {
    let error = certificate(|votes| votes[3] = votes[2]);
    assert_eq!(error.to_string(), "the vote of site 3 does not count");
    let error = certificate(|votes| votes[4] = (at(6), votes[4].1));
    assert_eq!(error.to_string(), "the vote of site 6 does not count");
    let error = certificate(|votes| votes[1].0 = at(1));
    assert_eq!(error.to_string(), "the vote of site 1 does not count");
    let error = certificate(|votes| {
        votes[0].1 = identity(1).sign("survivors", b"other survivors");
    });
    assert_eq!(error.to_string(), "the vote of site 1 does not count");
}

#[test]
fn a_vote_from_outside_the_survivors_does_not_count_though_it_signs_the_same_bytes() {
    let federation = Federation::of(5, 1, 4);
    let (mut puppets, members) = up_to_masked(&federation);
    let survivors = puppets.survivors(&members, &set(1..=4));
    let mut votes: Vec<_> = (1..=4).map(|i| puppets.vote(at(i), &survivors)).collect();
    let digests: Vec<_> =
        (1..=4).map(|i| codec::sha256(&codec::encode(&puppets.headers[&at(i)]).unwrap())).collect();
    let digests: Vec<&[u8]> = digests.iter().map(|digest| digest.as_bytes().as_slice()).collect();
    let header = &puppets.headers[&at(1)];
    let ballot = Ballot {
        round_id: header.round_id,
        config: header.config,
        u1: header.u1,
        u2: header.u2.clone(),
        u3: Bitmap::of(&set(1..=4), 5),
        headers: codec::hash("tacit/v1/headers", &digests),
    };
    let ballot = codec::encode(&ballot).unwrap();
    assert_eq!(identity(1).sign("survivors", &ballot), votes[0].1, "these are the bytes");
    votes[3] = (at(5), identity(5).sign("survivors", &ballot));
    let error = puppets.tell(at(ME), &ToSite::Certificate(votes)).unwrap_err();
    assert_eq!(error.to_string(), "the vote of site 5 does not count");
}

#[test]
fn two_sets_of_survivors_are_never_both_certified() {
    // N = 5, t = 1: site 1 colludes and signs whatever it is asked for.
    let federation = Federation::of(5, 1, 4);
    let (mut puppets, members) = up_to_masked(&federation);
    let one = puppets.survivors(&members, &set(1..=4));
    let two = puppets.survivors(&members, &set([1, 2, 3, 5]));
    let for_one = [puppets.vote(at(2), &one), puppets.vote(at(4), &one)];
    let for_two = [puppets.vote(at(3), &two), puppets.vote(at(5), &two)];
    // Each honest site voted once; a second list is refused, so neither reaches four votes.
    assert!(matches!(
        puppets.tell(at(3), &one).unwrap_err(),
        ProtocolError::Unexpected { found: "survivors", expected: "certificate" }
    ));
    let mixed = ToSite::Certificate(vec![for_one[0], for_two[0], for_one[1]]);
    let error = puppets.tell(at(2), &mixed).unwrap_err();
    assert_eq!(error.to_string(), "the vote of site 3 does not count");
    let mixed = ToSite::Certificate(for_two.to_vec());
    let error = puppets.tell(at(5), &mixed).unwrap_err();
    assert_eq!(error.to_string(), "2 votes for the survivors; 4 needed");
}

#[test]
fn a_site_outside_the_certified_set_gets_no_second_list_and_gives_one_kind_of_share() {
    let federation = Federation::of(5, 1, 4);
    let (mut puppets, members) = up_to_masked(&federation);
    let survivors = puppets.survivors(&members, &set(1..=4));
    let votes: Vec<_> = (1..=4).map(|i| puppets.vote(at(i), &survivors)).collect();
    let certificate = ToSite::Certificate(votes.clone());
    let answer = puppets.tell(at(ME), &certificate).unwrap().unwrap();
    let tacit_shared::protocol::message::ToHost::Unmask(signed) = answer else { panic!() };
    let unmask: tacit_shared::protocol::message::Unmask = codec::decode(&signed.payload.0).unwrap();
    let of = |list: &[(SiteIndex, [u8; 32])]| list.iter().map(|(i, _)| *i).collect::<BTreeSet<_>>();
    assert_eq!(of(&unmask.own), set(1..=4));
    assert_eq!(of(&unmask.dropped), set([5]));
    // The same certificate with fewer votes is another message: no second answer.
    let other = ToSite::Certificate([&votes[1..], &votes[..1]].concat());
    let error = puppets.tell(at(ME), &other).unwrap_err();
    assert!(matches!(error, ProtocolError::Unexpected { .. }));
}

type Alter = fn(&mut Outcome);

/// Up to the answers; then shows a site another result.
fn outcome(alter: impl Fn(&mut Outcome)) -> Result<(), ProtocolError> {
    let federation = Federation::of(5, 1, 4);
    let (mut puppets, members) = up_to_masked(&federation);
    let survivors = puppets.survivors(&members, &set(1..=5));
    let votes = (1..=5).map(|i| puppets.vote(at(i), &survivors)).collect();
    puppets.tell(at(ME), &ToSite::Certificate(votes)).unwrap();
    let mut outcome = puppets.outcome(&members, &set(1..=5));
    alter(&mut outcome);
    puppets.tell(at(ME), &result(&outcome)).map(|_| ())
}

#[test]
fn a_result_is_of_this_round_of_these_survivors_and_a_receipt() {
    outcome(|_| ()).unwrap();
    let cases: [(Alter, &str); 8] = [
        (|o| o.round_id = RoundId([0; 32]), "is of another round"),
        (|o| o.config = other_digest(), "is of another round"),
        (|o| o.survivors = Bitmap::of(&set(1..=4), 5), "is of other survivors"),
        (|o| o.survivors = Bitmap::of(&set(1..=5), 9), "is of other survivors"),
        (|o| o.sum.truncate(1), "has another length than the plan"),
        (|o| o.sum.push(0), "has another length than the plan"),
        (|o| o.ledger_heads[1].1 = other_digest(), "has other ledger heads than were signed"),
        (|o| o.ledger_heads.truncate(4), "has other ledger heads than were signed"),
    ];
    for (alter, problem) in cases {
        let error = outcome(alter).unwrap_err();
        assert_eq!(error.to_string(), format!("the result {problem}"));
        assert_eq!(error.culprit(), Culprit::Coordinator);
    }
}

#[test]
fn a_result_is_signed_by_the_coordinator() {
    let federation = Federation::of(5, 1, 4);
    let (mut puppets, members) = up_to_masked(&federation);
    let survivors = puppets.survivors(&members, &set(1..=5));
    let votes = (1..=5).map(|i| puppets.vote(at(i), &survivors)).collect();
    puppets.tell(at(ME), &ToSite::Certificate(votes)).unwrap();
    let outcome = puppets.outcome(&members, &set(1..=5));
    let signed = Signed::of(&identity(1), "result", &outcome).unwrap();
    let error = puppets.tell(at(ME), &ToSite::Result(signed)).unwrap_err();
    assert!(matches!(error, ProtocolError::CoordinatorSignature { what: "result" }));
}
