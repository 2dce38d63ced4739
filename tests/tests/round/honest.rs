//! Rounds among honest sites: the opened sum is exact to the bit, whoever drops out and whenever.
use crate::rounds::{Federation, Passing, Round, at, faithful, set};
use std::collections::BTreeSet;
use tacit_shared::id::SiteIndex;
use tacit_shared::protocol::error::{Culprit, ProtocolError};
use tacit_shared::protocol::host;
use tacit_shared::protocol::message::ToHost;
use tacit_shared::protocol::site::{Answered, Event, Record};
use tacit_shared::study::layout::Part;
use tacit_shared::summary::contribution::CLIP;

fn everyone(federation: &Federation) -> BTreeSet<SiteIndex> {
    federation.plan.sites().iter().copied().collect()
}

/// Which answer of a site a message is, from 1.
fn phase(message: &ToHost) -> u8 {
    match message {
        ToHost::Advertise(_) => 1,
        ToHost::Shares(..) => 2,
        ToHost::Masked(..) => 3,
        ToHost::Vote(_) => 4,
        ToHost::Unmask(_) => 5,
        ToHost::Declined(_) => 0,
    }
}

/// Runs a round in which each of some sites falls silent once it has given so many answers.
fn with_lost<'a>(federation: &'a Federation, seed: u64, lost: &[(u16, u8)]) -> Round<'a> {
    let mut round = Round::new(federation, seed);
    round.run(&mut |passing, bytes| match passing {
        Passing::Up(from, message)
            if lost.iter().any(|(site, after)| at(*site) == *from && phase(message) > *after) =>
        {
            vec![]
        }
        _ => vec![bytes],
    });
    round
}

#[test]
fn the_opened_sum_is_that_of_the_sums_and_noises_of_all() {
    for (n, m) in [(2, 2), (3, 3), (5, 4), (7, 5), (30, 20)] {
        let federation = Federation::of(n, 1, m);
        let mut round = Round::new(&federation, u64::from(n));
        round.run(&mut faithful);
        let all = everyone(&federation);
        round.assert_opened(&all);
        assert_eq!(round.informed, all, "everyone hears of the result");
        assert!(round.refusals.is_empty() && round.dropped.is_empty());
    }
}

#[test]
fn the_sum_in_an_opening_counts_the_rows() {
    let federation = Federation::of(5, 1, 4);
    let mut round = Round::new(&federation, 3);
    round.run(&mut faithful);
    for (site, opening) in &round.openings {
        let block = federation.plan.layout().block(Part::SiteHeads(*site)).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small")]
        let head = (block.scale * CLIP as f64) as i64;
        let (exact, _) = federation.recomputed(opening);
        assert_eq!(exact[block.start], head * i64::from(round.rows[site]));
    }
}

#[test]
fn sites_lost_after_their_shares_and_after_their_vectors_are_taken_off_exactly() {
    let federation = Federation::of(7, 1, 5);
    let round = with_lost(&federation, 11, &[(3, 2), (6, 3)]);
    // Site 3 never sent a vector; site 6 did, so its sum stays in and the others restore its mask.
    round.assert_opened(&set([1, 2, 4, 5, 6, 7]));
    assert_eq!(round.informed, set([1, 2, 4, 5, 7]));
    assert_eq!(round.dropped[&at(3)], "no masked vectors in time");
    assert_eq!(round.dropped[&at(6)], "no votes in time");
}

#[test]
fn two_sites_may_be_lost_in_any_phase() {
    let federation = Federation::of(9, 1, 6);
    for answers in 0..5 {
        let round = with_lost(&federation, 20 + u64::from(answers), &[(1, answers), (8, answers)]);
        let left = if answers < 3 { set(2..=9) } else { set(1..=9) };
        let survivors = left.into_iter().filter(|site| answers >= 3 || *site != at(8)).collect();
        round.assert_opened(&survivors);
        // Enough others give their unmasking shares: nobody waits for these two.
        assert_eq!(round.dropped.len(), if answers < 4 { 2 } else { 0 });
    }
}

#[test]
fn among_thirty_a_third_may_be_lost_in_different_phases() {
    let federation = Federation::of(30, 3, 20);
    let lost = [(1, 0), (2, 1), (3, 2), (9, 2), (17, 2), (30, 2), (29, 3), (12, 3), (13, 4)];
    let round = with_lost(&federation, 5, &lost);
    let gone = set([1, 2, 3, 9, 17, 30]);
    round.assert_opened(&everyone(&federation).difference(&gone).copied().collect());
}

#[test]
fn fewer_than_the_study_asks_for_open_nothing() {
    let federation = Federation::of(5, 1, 4);
    let cases =
        [(0, "keys", 4), (1, "shares", 4), (2, "masked vectors", 4), (4, "unmasking shares", 4)];
    for (answers, phase, needed) in cases {
        let round = with_lost(&federation, 1, &[(1, answers), (2, answers)]);
        assert!(round.opened.is_none() && round.informed.is_empty());
        match round.failure.unwrap() {
            ProtocolError::TooFew { what, found: 3, expected } => {
                assert_eq!((what, expected), (phase, needed));
            }
            other => panic!("{other}"),
        }
    }
    let round = with_lost(&federation, 1, &[(1, 3), (2, 3)]);
    assert_eq!(round.failure.unwrap().to_string(), "3 votes for the survivors; 4 needed");
}

#[test]
fn with_two_sites_nobody_may_be_lost() {
    let federation = Federation::of(2, 1, 2);
    for answers in 0..5 {
        let round = with_lost(&federation, 1, &[(2, answers)]);
        assert!(round.opened.is_none() && round.failure.is_some(), "{answers}");
    }
}

#[test]
fn a_message_that_comes_twice_is_answered_with_the_same_bytes() {
    let federation = Federation::of(5, 1, 4);
    let mut once = Round::new(&federation, 9);
    once.run(&mut faithful);
    let mut twice = Round::new(&federation, 9);
    let mut answers: Vec<(Passing, u32)> = Vec::new();
    twice.run(&mut |passing, bytes| {
        match passing {
            Passing::Down(..) => return vec![bytes.clone(), bytes],
            Passing::Up(..) => match answers.iter_mut().find(|(seen, _)| seen == passing) {
                Some((_, count)) => *count += 1,
                None => answers.push((passing.clone(), 1)),
            },
        }
        vec![bytes]
    });
    // Five answers of five sites, each given twice to the bit: nothing was drawn or computed anew.
    assert_eq!(answers.len(), 25);
    assert!(answers.iter().all(|(_, count)| *count == 2));
    assert_eq!(twice.opened.unwrap().outcome, once.opened.unwrap().outcome);
    assert_eq!(twice.records, once.records);
    assert!(twice.dropped.is_empty() && twice.refusals.is_empty());
}

#[test]
fn answers_that_come_twice_or_late_or_from_strangers_change_nothing() {
    let federation = Federation::of(5, 1, 4);
    let mut once = Round::new(&federation, 9);
    once.run(&mut faithful);
    let mut noisy = Round::new(&federation, 9);
    let mut earlier: Vec<(SiteIndex, Vec<u8>)> = Vec::new();
    noisy.run(&mut |passing, bytes| match passing {
        Passing::Up(from, _) => {
            earlier.push((*from, bytes.clone()));
            let again = earlier.iter().filter(|(site, _)| site == from).map(|(_, b)| b.clone());
            std::iter::once(bytes.clone()).chain(again).collect()
        }
        Passing::Down(..) => vec![bytes],
    });
    assert_eq!(noisy.opened.as_ref().unwrap().outcome, once.opened.unwrap().outcome);
    assert!(noisy.dropped.is_empty());
    // After the end, and from outside the roster.
    let count = noisy.transcript.len();
    for from in [1, 6, 65_535] {
        let bytes = earlier[0].1.clone();
        noisy.tell_host(host::Event::Received { from: at(from), bytes });
        noisy.tell_host(host::Event::Received { from: at(from), bytes: vec![0xff; 9] });
    }
    noisy.tell_host(host::Event::Start);
    noisy.tell_host(host::Event::Tick);
    assert!(noisy.dropped.is_empty() && noisy.host.unwrap().is_done());
    assert_eq!(noisy.transcript.len(), count);
}

#[test]
fn a_site_makes_counter_vote_and_result_durable_once_each_and_in_this_order() {
    let federation = Federation::of(5, 1, 4);
    let mut round = Round::new(&federation, 2);
    round.run(&mut faithful);
    let config = federation.config(1);
    let digest = config.digest().unwrap();
    for site in federation.plan.sites() {
        let of_site: Vec<&Record> =
            round.records.iter().filter(|(index, _)| index == site).map(|(_, r)| r).collect();
        let [counter, survivors, result] = of_site[..] else { panic!("{of_site:?}") };
        assert_eq!(*counter, Record::Counter(1));
        let family = federation.plan.family().clone();
        let all = everyone(&federation);
        let answered = Answered::of(&federation.roster, &federation.plan, &all);
        assert_eq!(*survivors, Record::Survivors { family, round: digest, answered });
        let signed = round.opened.as_ref().unwrap().signed.clone();
        assert_eq!(*result, Record::Result { round: digest, signed });
    }
}

#[test]
fn the_transcript_holds_every_message_that_matters() {
    let federation = Federation::of(5, 1, 4);
    let mut round = Round::new(&federation, 2);
    round.run(&mut faithful);
    let names: Vec<&str> = round.transcript.iter().map(|entry| entry.name.as_str()).collect();
    let of = |name: &str| names.iter().filter(|n| **n == name).count();
    for (name, count) in [
        ("announcement", 1),
        ("keys", 5),
        ("directory", 1),
        ("shares", 5),
        ("delivery", 1),
        ("masked vector", 5),
        ("survivors", 1),
        ("vote", 5),
        ("certificate", 1),
        ("result", 1),
    ] {
        assert_eq!(of(name), count, "{name}");
    }
    // The sum opens with the T-th answer; later ones are not needed.
    assert_eq!(of("unmasking shares"), 4);
}

#[test]
fn a_masked_vector_looks_like_noise_and_a_new_attempt_shares_nothing_with_it() {
    let federation = Federation::of(5, 1, 4);
    let bodies = |seed| {
        let mut bodies: Vec<Vec<u8>> = Vec::new();
        let mut round = Round::new(&federation, seed);
        round.run(&mut |passing, bytes| {
            if let Passing::Up(_, ToHost::Masked(_, body)) = passing {
                bodies.push(body.0.clone());
            }
            vec![bytes]
        });
        bodies
    };
    let words = |bodies: Vec<Vec<u8>>| -> Vec<u64> {
        let numbers = bodies.iter().flat_map(|body| body.as_chunks::<8>().0);
        numbers.map(|bytes| u64::from_le_bytes(*bytes)).collect()
    };
    let (one, two) = (words(bodies(1)), words(bodies(2)));
    // Bits of 295 words: fair to within six standard deviations, each of √bits/2.
    for sample in [&one, &two] {
        let bits = sample.len() as u64 * 64;
        let ones: u64 = sample.iter().map(|word| u64::from(word.count_ones())).sum();
        assert!(ones.abs_diff(bits / 2) < 3 * bits.isqrt(), "{ones} of {bits}");
    }
    assert!(one.iter().zip(&two).all(|(a, b)| a != b));
}

#[test]
fn a_site_whose_coordinator_falls_silent_gives_up_in_every_phase() {
    let federation = Federation::of(5, 1, 4);
    let due = ["directory", "delivery", "survivors", "certificate", "result"];
    for (seen, expected) in due.into_iter().enumerate() {
        let mut round = Round::new(&federation, 4);
        let mut count = 0;
        round.run(&mut |passing, bytes| match passing {
            Passing::Down(to, _) if *to == at(2) => {
                count += 1;
                if count > seen + 1 { vec![] } else { vec![bytes] }
            }
            _ => vec![bytes],
        });
        assert_eq!(round.sites[&at(2)].due(), expected);
        round.wait(1_000_000);
        round.tell_site(at(2), Event::Tick);
        let error = round.refusals.remove(&at(2)).unwrap();
        assert_eq!(error.to_string(), format!("no {expected} came in time"));
        assert_eq!(error.culprit(), Culprit::Nobody);
    }
}

#[test]
fn a_site_waits_for_the_longest_phase_and_ten_seconds_not_less_and_not_more() {
    let federation = Federation::of(5, 1, 4);
    for (wait, gives_up) in [(70_000, false), (70_001, true)] {
        let mut round = Round::new(&federation, 4);
        // Never announced: nothing to wait for.
        round.tell_site(at(1), Event::Tick);
        round.tell_host(host::Event::Start);
        let announced = round.transcript[0].bytes.clone();
        round.tell_site(at(1), Event::Received(announced));
        round.wait(wait);
        round.tell_site(at(1), Event::Tick);
        assert_eq!(round.refusals.contains_key(&at(1)), gives_up);
    }
}
