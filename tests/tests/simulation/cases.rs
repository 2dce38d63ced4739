//! Schedules kept by name: found failures, and for each rule the smallest schedule found that breaks it
//! as soon as the check it speaks of is taken out of a machine.
use super::holds;
use std::collections::BTreeSet;
use tacit_tests::world::{Attack, Op, Schedule, Side, Story, Who};

/// A schedule as a failure prints it: seed, N, t, m, rounds, releases, colluding sites.
fn case(
    seed: u64,
    [sites, colluders_max, min_sites]: [u16; 3],
    [rounds, releases]: [u16; 2],
    colluding: &[u16],
    ops: &[Op],
) -> Schedule {
    let (colluding, ops): (BTreeSet<u16>, Vec<Op>) =
        (colluding.iter().copied().collect(), ops.to_vec());
    Schedule { seed, sites, colluders_max, min_sites, rounds, releases, colluding, ops }
}

fn attacks(round: u16, attacks: &[Attack]) -> Vec<Op> {
    attacks.iter().map(|attack| Op::Attack { round, attack: *attack }).collect()
}

/// A site answers the last question of round 1 when the sum is open already. Its answer used to arrive
/// in round 2, out of turn: the site was dropped, and no other set may be voted for after the first.
/// Each round has connections of its own since.
#[test]
fn a_late_answer_does_not_reach_the_next_round() {
    for message in 36..40 {
        let late = Op::Delay { message, ms: 2000 };
        let story = holds("late", &case(5, [4, 1, 3], [2, 2], &[], &[late]));
        assert_eq!(story.count("rounds opened"), 2, "message {message}: {story}");
    }
}

/// One vote a round: two halves are shown two sets, then each the other's.
#[test]
fn a_second_question_gets_no_second_vote() {
    let ops = attacks(1, &[Attack::SplitSurvivors, Attack::AskTwice]);
    let story = holds("twice", &case(10_526_997_774_875_630_090, [13, 1, 9], [1, 1], &[], &ops));
    assert!(story.count("refusals: out of turn") > 0, "{story}");
}

/// The counter: announcements of round 1 come again in round 2.
#[test]
fn a_replayed_announcement_is_of_an_old_round() {
    let ops = attacks(2, &[Attack::AskTwice, Attack::FewSurvivors, Attack::Replay]);
    let story = holds("replay", &case(5_079_708_678_321_558_941, [7, 1, 5], [2, 3], &[1], &ops));
    assert!(story.count("refusals: an old round") > 0, "{story}");
}

/// T counts the colluders: they vote for both of two sets.
#[test]
fn colluders_who_vote_twice_certify_one_set_at_most() {
    let ops = attacks(1, &[Attack::SplitSurvivors]);
    let schedule = case(11_457_277_024_687_278_685, [7, 2, 5], [1, 1], &[6, 7], &ops);
    holds("two certificates", &schedule);
}

/// A certificate of too few votes, for too few survivors.
#[test]
fn a_small_set_is_neither_voted_for_nor_answered() {
    let ops = attacks(3, &[Attack::FewSurvivors]);
    let story = holds("few", &case(5_632_121_067_228_445_960, [3, 1, 3], [3, 3], &[], &ops));
    assert_eq!(story.count("rounds opened"), 2, "{story}");
}

/// Differencing: site 2 is away in round 2, so the sum of the others would show it by subtraction.
#[test]
fn a_round_without_one_site_is_not_voted_for_after_one_with_it() {
    let kill = Op::Kill { who: Who::Site(2), act: 11, side: Side::Before, for_ms: 256 };
    let schedule = case(9_486_764_164_556_448_534, [5, 1, 4], [2, 3], &[4], &[kill]);
    let story = holds("differencing", &schedule);
    assert_eq!(story.count("rounds opened"), 1, "{story}");
    assert!(story.count("refusals: sets that differ too little, or too many") > 0, "{story}");
}

/// A site dies with its vote unsent: its ledger remembers the vector when it starts again.
#[test]
fn a_restarted_ledger_remembers_the_last_charge() {
    let kill = Op::Kill { who: Who::Site(2), act: 7, side: Side::Before, for_ms: 4096 };
    let schedule = case(14_777_452_309_537_066_215, [5, 1, 4], [1, 1], &[1], &[kill]);
    let story = holds("restart", &schedule);
    assert_eq!(story.count("sites killed"), 1, "{story}");
}

/// A site could not pay once it had dealt its shares: the others take its pair masks off.
#[test]
fn the_masks_with_a_site_that_could_not_pay_come_off() {
    let jam = Op::DiskFails { site: 1, charge: 0, side: Side::Before };
    let schedule = case(13_914_686_857_442_635_280, [6, 1, 4], [1, 4], &[], &[jam]);
    let story = holds("dangling", &schedule);
    assert_eq!(story.count("rounds opened without some sites"), 1, "{story}");
}

/// The charge was written and reported as failed: the ledger charges no more until it is opened anew.
#[test]
fn a_charge_that_may_be_on_disk_stops_the_ledger() {
    let jam = Op::DiskFails { site: 1, charge: 0, side: Side::After };
    let story: Story = holds("unsettled", &case(7, [4, 1, 3], [3, 3], &[], &[jam]));
    assert!(story.count("declined: not approved or no budget") >= 2, "{story}");
}

/// A site dies before it sends its keys, the phase ends at its deadline, and the coordinator dies with
/// the directory written down and sent to nobody: the round goes on without that site.
#[test]
fn a_site_that_fell_silent_stays_out_when_its_round_is_taken_up() {
    let silent = Op::Kill { who: Who::Site(2), act: 1, side: Side::Before, for_ms: 90_000 };
    let dies = Op::Kill { who: Who::Coordinator, act: 9, side: Side::After, for_ms: 700 };
    let story = holds("silent", &case(3, [4, 1, 3], [1, 1], &[], &[silent, dies]));
    assert_eq!(story.count("rounds taken up again"), 1, "{story}");
    assert_eq!(story.count("rounds opened without some sites"), 1, "{story}");
}

/// The last vector is written down, and the survivors that follow from it in the same step are not.
#[test]
fn a_step_that_was_written_down_in_part_is_written_to_its_end() {
    let dies = |act| Op::Kill { who: Who::Coordinator, act, side: Side::After, for_ms: 300 };
    let story = holds("torn", &case(4, [4, 1, 3], [1, 1], &[], &[dies(27), dies(28), dies(29)]));
    assert_eq!(story.count("rounds taken up again"), 3, "{story}");
    assert_eq!(story.count("rounds opened"), 1, "{story}");
}

/// The result is on its way, and the end of the round is not written down: the same result again. The
/// fourth site never got the certificate (T is three), and does not take a result in its place.
#[test]
fn a_result_is_found_again_bit_for_bit() {
    let dies = Op::Kill { who: Who::Coordinator, act: 50, side: Side::Before, for_ms: 300 };
    let story = holds("again", &case(6, [4, 1, 3], [1, 1], &[], &[dies]));
    assert_eq!(story.count("results found again"), 1, "{story}");
    assert_eq!(story.count("results taken"), 3, "{story}");
}

/// A site gets back a disk that knows nothing of its answer in round 1. It is stopped by its receipt
/// when round 2 begins, and takes part in round 3 once the loss is charged.
#[test]
fn an_answer_that_was_forgotten_is_charged_before_another_is_given() {
    let set_back = Op::SetBack { site: 2, charge: 0, at_ms: 1500, for_ms: 50 };
    let story = holds("forgotten", &case(8, [4, 1, 3], [3, 3], &[], &[set_back]));
    assert_eq!(story.count("sites set back"), 1, "{story}");
    assert_eq!(story.count("sites stopped by a receipt"), 1, "{story}");
    assert_eq!(story.count("losses charged"), 1, "{story}");
}

/// An announcement comes when the last round is over: the site used to wait for ever for more, in a world
/// whose lines outlived the coordinator's program.
#[test]
fn an_announcement_does_not_arrive_after_the_last_round() {
    let late = Op::Delay { message: 2, ms: 32_768 };
    let story =
        holds("too late", &case(3_665_184_401_454_178_768, [3, 1, 3], [1, 1], &[3], &[late]));
    assert_eq!(story.count("rounds lost: too few sites"), 1, "{story}");
}
