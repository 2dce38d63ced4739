//! The host's machine against sites that answer wrongly: each is named and dropped, the round goes on.
use crate::puppet::other_digest;
use crate::rounds::{Federation, Passing, Round, at, identity, set};
use proptest::prelude::*;
use std::collections::BTreeSet;
use tacit_shared::codec::{self, Bytes};
use tacit_shared::id::SiteIndex;
use tacit_shared::protocol::config::RoundId;
use tacit_shared::protocol::error::ProtocolError;
use tacit_shared::protocol::message::{
    Advertise, MaskedHeader, Sealed, SharesHeader, Signed, ToHost, Unmask, to_host_bytes_max,
};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::secagg::key::PublicKey;
use tacit_shared::secagg::key::identity::Signature;

type Alter<T> = fn(&mut T);

/// A round of seven (T = 5) in which the answers of some sites are altered.
fn with_liars<'a>(
    federation: &'a Federation,
    liars: &[u16],
    mut alter: impl FnMut(SiteIndex, &mut ToHost),
) -> Round<'a> {
    let mut round = Round::new(federation, 77);
    let liars = set(liars.iter().copied());
    round.run(&mut |passing, bytes| match passing {
        Passing::Up(from, message) if liars.contains(from) => {
            let mut message = message.clone();
            alter(*from, &mut message);
            vec![codec::encode(&message).unwrap()]
        }
        _ => vec![bytes],
    });
    round
}

fn resigned<T: serde::Serialize + serde::de::DeserializeOwned>(
    signer: u16,
    label: &'static str,
    entry: &mut Signed,
    alter: impl FnOnce(&mut T),
) {
    let mut body: T = codec::decode(&entry.payload.0).unwrap();
    alter(&mut body);
    *entry = Signed::of(&identity(signer), label, &body).unwrap();
}

/// Site 4 alters its answers: it is dropped for this reason, and the sum of the others opens.
fn names(reason: &str, survivors: &BTreeSet<SiteIndex>, alter: impl FnMut(&mut ToHost)) {
    let federation = Federation::of(7, 1, 5);
    let mut alter = alter;
    let round = with_liars(&federation, &[4], |_, message| alter(message));
    assert_eq!(round.dropped.get(&at(4)).map(String::as_str), Some(reason));
    assert_eq!(round.dropped.len(), 1, "{:?}", round.dropped);
    round.assert_opened(survivors);
}

fn without_4() -> BTreeSet<SiteIndex> {
    set([1, 2, 3, 5, 6, 7])
}

#[test]
fn wrong_keys_are_named() {
    let cases: [(&str, Alter<Advertise>); 6] = [
        ("its keys are of another round or site", |body| body.index = at(5)),
        ("its keys are of another round or site", |body| body.round_id = RoundId([0; 32])),
        ("its keys are of another round or site", |body| body.config = other_digest()),
        ("it advertised a key that is in use", |body| body.masking = body.sealing),
        ("it advertised a key of low order", |body| {
            body.masking = PublicKey::parse(&[0; 32]).unwrap();
        }),
        ("it advertised a key of low order", |body| {
            body.sealing = PublicKey::parse(&[0; 32]).unwrap();
        }),
    ];
    for (reason, alter) in cases {
        names(reason, &without_4(), |message| {
            if let ToHost::Advertise(signed) = message {
                resigned(4, "advertise", signed, alter);
            }
        });
    }
    // Nobody else's signature, nor its own for another purpose.
    let reason = "its message \"advertise\" is not signed by it, or is none";
    for (signer, label) in [(5, "advertise"), (4, "shares")] {
        names(reason, &without_4(), |message| {
            if let ToHost::Advertise(signed) = message {
                resigned::<Advertise>(signer, label, signed, |_| ());
            }
        });
    }
}

#[test]
fn a_site_that_takes_over_anothers_key_is_named() {
    let federation = Federation::of(7, 1, 5);
    let mut of_1 = None;
    let mut round = Round::new(&federation, 77);
    round.run(&mut |passing, bytes| match passing {
        Passing::Up(from, ToHost::Advertise(signed)) => {
            let body: Advertise = codec::decode(&signed.payload.0).unwrap();
            if *from == at(1) {
                of_1 = Some(body.masking);
            }
            if *from != at(4) {
                return vec![bytes];
            }
            let mut signed = signed.clone();
            resigned(4, "advertise", &mut signed, |body: &mut Advertise| {
                body.sealing = of_1.unwrap();
            });
            vec![codec::encode(&ToHost::Advertise(signed)).unwrap()]
        }
        _ => vec![bytes],
    });
    assert_eq!(round.dropped[&at(4)], "it advertised a key that is in use");
    round.assert_opened(&without_4());
}

#[test]
fn wrong_shares_are_named() {
    let wrong = "it did not seal one pair of shares for each site";
    let alterations: [fn(&mut Vec<Sealed>); 5] = [
        |sealed| drop(sealed.pop()),
        |sealed| sealed.push((at(9), Bytes(vec![0; 80]))),
        |sealed| sealed.swap(0, 1),
        |sealed| sealed[0].1.0.push(0),
        |sealed| sealed[0].1.0[3] ^= 1,
    ];
    for alter in alterations {
        names(wrong, &without_4(), |message| {
            if let ToHost::Shares(_, sealed) = message {
                alter(sealed);
            }
        });
    }
    let other = "its shares are of another round, site or directory";
    let alterations: [fn(&mut SharesHeader); 3] = [
        |header| header.round_id = RoundId([0; 32]),
        |header| header.u1 = other_digest(),
        |header| header.index = at(5),
    ];
    for alter in alterations {
        names(other, &without_4(), |message| {
            if let ToHost::Shares(signed, _) = message {
                resigned(4, "shares", signed, alter);
            }
        });
    }
}

#[test]
fn shares_that_do_not_open_are_told_by_the_sites_that_got_them() {
    // A site that signs garbage for one other: that one refuses, and says who sealed it.
    let federation = Federation::of(7, 1, 5);
    let round = with_liars(&federation, &[4], |_, message| {
        if let ToHost::Shares(signed, sealed) = message {
            sealed[0].1.0[3] ^= 1;
            let fields: Vec<Vec<u8>> = sealed
                .iter()
                .flat_map(|(index, bytes)| [index.to_bytes().to_vec(), bytes.0.clone()])
                .collect();
            let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
            let digest = codec::hash("tacit/v1/sealed", &fields);
            resigned(4, "shares", signed, |header: &mut SharesHeader| header.sealed = digest);
        }
    });
    assert!(round.dropped[&at(1)].starts_with("the shares of site 4 do not open"));
    round.assert_opened(&set(2..=7));
}

#[test]
fn a_wrong_masked_vector_is_named_and_not_added() {
    let wrong = "its masked vector is not what its header says";
    let alterations: [fn(&mut MaskedHeader); 6] = [
        |header| header.round_id = RoundId([0; 32]),
        |header| header.config = other_digest(),
        |header| header.u1 = other_digest(),
        |header| header.u2 = Bitmap::of(&set(1..=6), 7),
        |header| header.index = at(5),
        |header| header.body = other_digest(),
    ];
    for alter in alterations {
        names(wrong, &without_4(), |message| {
            if let ToHost::Masked(signed, _) = message {
                resigned(4, "masked", signed, alter);
            }
        });
    }
    names(wrong, &without_4(), |message| {
        if let ToHost::Masked(_, body) = message {
            body.0[0] ^= 1;
        }
    });
    names("its message \"masked\" is not signed by it, or is none", &without_4(), |message| {
        if let ToHost::Masked(signed, _) = message {
            signed.signature = Signature::from_bytes([0; 64]);
        }
    });
    let federation = Federation::of(7, 1, 5);
    let bytes = federation.plan.layout().dimension() * 8;
    for length in [0, bytes - 8, bytes - 1, bytes + 8] {
        let reason = format!("{length} bytes; a masked vector has {bytes}");
        names(&reason, &without_4(), |message| {
            if let ToHost::Masked(signed, body) = message {
                body.0.resize(length, 0);
                let digest = codec::sha256(&body.0);
                resigned(4, "masked", signed, |header: &mut MaskedHeader| header.body = digest);
            }
        });
    }
}

#[test]
fn a_wrong_vote_or_answer_is_named_while_the_vector_stays_in() {
    names("its vote is for something else", &set(1..=7), |message| {
        if let ToHost::Vote(signature) = message {
            *signature = identity(4).sign("survivors", b"others");
        }
    });
    let alterations: [(&str, Alter<Unmask>); 6] = [
        ("its shares are of another round, site or vote", |u| u.round_id = RoundId([0; 32])),
        ("its shares are of another round, site or vote", |u| u.ballot = other_digest()),
        ("its shares are of another round, site or vote", |u| u.index = at(5)),
        ("it did not answer for each site", |u| u.own.truncate(6)),
        ("it did not answer for each site", |u| u.dropped.push((at(9), [0; 32]))),
        ("it answered with something that is not a share", |u| u.own[2].1 = [0xff; 32]),
    ];
    for (reason, alter) in alterations {
        names(reason, &set(1..=7), |message| {
            if let ToHost::Unmask(signed) = message {
                resigned(4, "unmask", signed, alter);
            }
        });
    }
}

#[test]
fn a_false_share_is_left_out_and_its_site_named_if_another_answers_in_its_place() {
    let federation = Federation::of(7, 1, 5);
    for liar in [1, 4, 5] {
        let round = with_liars(&federation, &[liar], |_, message| {
            if let ToHost::Unmask(signed) = message {
                resigned(liar, "unmask", signed, |unmask: &mut Unmask| {
                    unmask.own[2].1 = [3; 32];
                });
            }
        });
        round.assert_opened(&set(1..=7));
        let expected = format!(
            "its share of the secret of site 3 does not fit those of the other sites: \
             site {liar} answered wrongly, or site 3 dealt it wrongly"
        );
        assert_eq!(round.dropped.get(&at(liar)), Some(&expected));
        assert_eq!(round.dropped.len(), 1);
    }
}

#[test]
fn two_liars_of_seven_are_left_out_and_three_end_the_round() {
    let federation = Federation::of(7, 1, 5);
    let lie = |from: SiteIndex, message: &mut ToHost| {
        if let ToHost::Unmask(signed) = message {
            resigned(from.value(), "unmask", signed, |unmask: &mut Unmask| {
                unmask.own[0].1 = [u8::try_from(from.value()).unwrap(); 32];
            });
        }
    };
    let round = with_liars(&federation, &[2, 5], lie);
    round.assert_opened(&set(1..=7));
    assert_eq!(round.dropped.keys().copied().collect::<BTreeSet<_>>(), set([2, 5]));
    let round = with_liars(&federation, &[2, 5, 6], lie);
    assert!(round.opened.is_none());
    let error = round.failure.unwrap();
    assert!(matches!(error, ProtocolError::Restore { index } if index == at(1)), "{error}");
}

#[test]
fn a_site_whose_keys_were_altered_on_the_way_refuses_the_directory() {
    let federation = Federation::of(7, 1, 5);
    let round = with_liars(&federation, &[4], |_, message| {
        if let ToHost::Advertise(signed) = message {
            resigned(4, "advertise", signed, |body: &mut Advertise| {
                body.commitment = other_digest();
            });
        }
    });
    assert!(matches!(round.refusals[&at(4)], ProtocolError::Own { what: "directory entry" }));
    round.assert_opened(&without_4());
}

#[test]
fn an_answer_of_a_later_phase_is_out_of_turn() {
    let federation = Federation::of(7, 1, 5);
    let mut round = Round::new(&federation, 77);
    round.run(&mut |passing, bytes| match passing {
        Passing::Up(from, ToHost::Shares(..)) if *from == at(4) => {
            let vote = ToHost::Vote(identity(4).sign("survivors", b"soon"));
            vec![codec::encode(&vote).unwrap(), bytes]
        }
        _ => vec![bytes],
    });
    assert_eq!(round.dropped[&at(4)], "its vote came out of turn");
    round.assert_opened(&without_4());
}

#[test]
fn a_refusal_may_come_at_any_time_and_is_one_short_line() {
    let federation = Federation::of(7, 1, 5);
    for phase in 0..4 {
        let mut seen = 0;
        let mut round = Round::new(&federation, 77);
        round.run(&mut |passing, bytes| match passing {
            Passing::Up(from, _) if *from == at(4) => {
                seen += 1;
                if seen <= phase {
                    return vec![bytes];
                }
                let words = format!("no\u{1b}[31m\nERROR forged{}", "!".repeat(900));
                vec![codec::encode(&ToHost::Declined(words)).unwrap()]
            }
            _ => vec![bytes],
        });
        let reason = &round.dropped[&at(4)];
        assert!(reason.starts_with("no[31mERROR forged!!!") && reason.len() == 400, "{reason}");
        round.assert_opened(&if phase < 3 { without_4() } else { set(1..=7) });
    }
}

#[test]
fn a_message_longer_than_any_answer_is_not_read() {
    let federation = Federation::of(7, 1, 5);
    let limit = to_host_bytes_max(7, federation.plan.layout().dimension());
    let mut round = Round::new(&federation, 77);
    round.run(&mut |passing, bytes| match passing {
        Passing::Up(from, ToHost::Masked(..)) if *from == at(4) => {
            vec![vec![0; limit as usize + 1]]
        }
        _ => {
            assert!(bytes.len() <= limit as usize || matches!(passing, Passing::Down(..)));
            vec![bytes]
        }
    });
    let reason = format!("a message of {} bytes; at most {limit} are due", limit + 1);
    assert_eq!(round.dropped[&at(4)], reason);
    round.assert_opened(&without_4());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn whatever_one_site_sends_the_others_open_their_sum(phase in 0..5, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let federation = Federation::of(4, 1, 3);
        let mut round = Round::new(&federation, 5);
        let mut seen = 0;
        round.run(&mut |passing, sound| match passing {
            Passing::Up(from, _) if *from == at(4) => {
                seen += 1;
                if seen > phase { vec![bytes.clone()] } else { vec![sound] }
            }
            _ => vec![sound],
        });
        round.assert_opened(&if phase < 3 { set(1..=3) } else { set(1..=4) });
    }
}
