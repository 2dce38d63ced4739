//! A coordinator whose program ends in the middle of a round, wherever that is, goes on with it.
use crate::rounds::{Federation, Passing, Round, at, faithful, identity, set};
use std::collections::BTreeSet;
use tacit_shared::codec;
use tacit_shared::id::SiteIndex;
use tacit_shared::protocol::host::{Effect, ResumeError};
use tacit_shared::protocol::message::{Signed, ToHost, ToSite};
use tacit_shared::protocol::transcript::{Entry, Party};

type Meddler = fn(&Passing, Vec<u8>) -> Vec<Vec<u8>>;

/// What one of seven sites does, and who is in the sum then (T = 5).
fn stories() -> [(&'static str, Meddler, BTreeSet<SiteIndex>); 6] {
    let without_7 = set(1..=6);
    [
        ("everything arrives", faithful, set(1..=7)),
        (
            "site 7 never shares",
            |passing, bytes| match passing {
                Passing::Up(from, ToHost::Shares(..)) if *from == at(7) => vec![],
                _ => vec![bytes],
            },
            without_7.clone(),
        ),
        (
            "site 7 sends no vector",
            |passing, bytes| match passing {
                Passing::Up(from, ToHost::Masked(..)) if *from == at(7) => vec![],
                _ => vec![bytes],
            },
            without_7.clone(),
        ),
        (
            "site 7 sends no vector and 6 does not vote",
            |passing, bytes| match passing {
                Passing::Up(from, ToHost::Masked(..)) if *from == at(7) => vec![],
                Passing::Up(from, ToHost::Vote(_)) if *from == at(6) => vec![],
                _ => vec![bytes],
            },
            without_7.clone(),
        ),
        (
            "site 7 sends no message where its vector is due",
            |passing, bytes| match passing {
                Passing::Up(from, ToHost::Masked(..)) if *from == at(7) => vec![vec![0xff; 9]],
                _ => vec![bytes],
            },
            without_7.clone(),
        ),
        (
            "site 7 takes no part",
            |passing, bytes| match passing {
                Passing::Up(from, ToHost::Advertise(_)) if *from == at(7) => {
                    vec![codec::encode(&ToHost::Declined("no".to_owned())).unwrap()]
                }
                _ => vec![bytes],
            },
            without_7,
        ),
    ]
}

#[test]
fn a_round_goes_on_from_every_start_of_its_transcript() {
    let federation = Federation::of(7, 1, 5);
    for (story, mut meddler, survivors) in stories() {
        let mut whole = Round::new(&federation, 5);
        whole.run(&mut meddler);
        whole.assert_opened(&survivors);
        for entries in 1..=whole.transcript.len() {
            let mut round = Round::new(&federation, 5);
            round.ends_at = Some(entries);
            round.run(&mut meddler);
            assert_eq!(round.ends_at, None, "{story}: did not end at entry {entries}");
            assert!(round.failure.is_none(), "{story}: {entries}: {:?}", round.failure);
            assert!(round.refusals.is_empty(), "{story}: {entries}: {:?}", round.refusals);
            assert_eq!(round.informed, whole.informed, "{story}: {entries}");
            round.assert_opened(&survivors);
        }
    }
}

#[test]
fn a_whole_transcript_gives_the_result_again_bit_for_bit() {
    let federation = Federation::of(7, 1, 5);
    for (story, mut meddler, _) in stories() {
        let mut whole = Round::new(&federation, 6);
        whole.run(&mut meddler);
        let (host, effects) = federation.resumed(1, &whole.transcript, 0).unwrap();
        assert!(host.is_done(), "{story}");
        let mut opened = None;
        for effect in effects {
            match effect {
                Effect::Opened(result) => opened = Some(result),
                Effect::Persist(entry) => panic!("{story}: {entry:?} is written twice"),
                Effect::Send { .. } | Effect::Dropped { .. } => {}
            }
        }
        assert_eq!(opened.unwrap().signed, whole.opened.unwrap().signed, "{story}");
    }
}

#[test]
fn a_transcript_that_says_something_else_than_the_machine_is_refused_at_that_entry() {
    let federation = Federation::of(5, 1, 4);
    let mut whole = Round::new(&federation, 5);
    whole.run(&mut faithful);
    let sound = whole.transcript;
    let refused = |transcript: &[Entry]| match federation.resumed(1, transcript, 0) {
        Err(ResumeError::Entry { place, .. }) => place,
        other => panic!("{other:?}"),
    };
    let place = |name: &str| sound.iter().position(|entry| entry.name == name).unwrap();
    for name in ["announcement", "directory", "delivery", "survivors", "certificate", "result"] {
        let there = place(name);
        let mut altered = sound.clone();
        *altered[there].bytes.last_mut().unwrap() ^= 1;
        assert_eq!(refused(&altered), there, "{name}");
        let mut missing = sound.clone();
        missing.remove(there);
        if there + 1 < sound.len() {
            assert_eq!(refused(&missing), there, "without {name}");
        }
    }
    for name in ["keys", "shares", "masked vector", "vote", "unmasking shares"] {
        let there = place(name);
        let mut twice = sound.clone();
        twice.insert(there + 1, sound[there].clone());
        assert_eq!(refused(&twice), there + 1, "{name} twice");
        let mut renamed = sound.clone();
        renamed[there].name = "refusal".to_owned();
        assert_eq!(refused(&renamed), there, "{name} under another name");
        let mut strangers = sound.clone();
        strangers[there].from = Party::Site(at(6));
        assert_eq!(refused(&strangers), there, "{name} of a stranger");
    }
    // Another round's: its announcement already differs.
    let config = federation.config(2);
    let announcement = ToSite::Announce(Signed::of(&identity(0), "announce", &config).unwrap());
    let mut other = sound.clone();
    other[0].bytes = codec::encode(&announcement).unwrap();
    assert_eq!(refused(&other), 0);
}
