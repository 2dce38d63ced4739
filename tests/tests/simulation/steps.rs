//! Every step, hit in turn: each durable write and each sending of a small world, before and after.
use super::holds;
use tacit_tests::world::{Lie, Op, Schedule, Side, Story, Who};

const SITES: u16 = 4;
const ROUNDS: u16 = 2;
/// Acts of a site in a round that opens: counter, keys, shares, charge, opening, vector, survivors,
/// vote, answer, result.
const SITE_ACTS: u32 = 10;
/// Acts of the coordinator in a round that opens: it begins, writes down four answers of each site, the
/// three (T) that open the sum, and its own six messages, sends those, and ends.
const COORDINATOR_ACTS: u32 = 2 + 4 * SITES as u32 + 3 + 6 + 6 * SITES as u32;

/// Runs a small world in which one program dies at an act, once before and once after it.
fn killed(who: Who, act: u32, for_ms: u32) -> Story {
    let mut story = Story::default();
    for side in [Side::Before, Side::After] {
        let mut schedule = Schedule::calm(u64::from(act) << 8, SITES, ROUNDS);
        schedule.ops.push(Op::Kill { who, act, side, for_ms });
        story.merge(&holds("a program killed", &schedule));
    }
    story
}

#[test]
fn a_site_killed_at_any_act_breaks_no_rule() {
    let mut story = Story::default();
    for act in 0..u32::from(ROUNDS) * SITE_ACTS {
        for for_ms in [100, 30_000] {
            story.merge(&killed(Who::Site(2), act, for_ms));
        }
    }
    // Every one of them died, but for those whose round was lost before the act came.
    assert!(story.count("sites killed") >= 70, "{story}");
    // T of four is three: the others go on.
    assert!(story.count("rounds opened without some sites") >= 10, "{story}");
}

/// A world of one round, and what goes wrong in it.
fn one_round(seed: u32, ops: impl IntoIterator<Item = Op>) -> Schedule {
    let mut schedule = Schedule::calm(u64::from(seed) << 8, SITES, 1);
    schedule.ops.extend(ops);
    schedule
}

fn dies(act: u32, side: Side, for_ms: u32) -> Op {
    Op::Kill { who: Who::Coordinator, act, side, for_ms }
}

#[test]
fn a_coordinator_killed_at_any_act_goes_on_with_every_round() {
    let mut story = Story::default();
    for act in 0..u32::from(ROUNDS) * COORDINATOR_ACTS {
        let killed = killed(Who::Coordinator, act, 500);
        assert_eq!(killed.count("coordinators killed"), 2, "act {act}: {killed}");
        assert_eq!(killed.count("rounds opened"), 2 * u64::from(ROUNDS), "act {act}: {killed}");
        assert_eq!(killed.count("rounds opened without some sites"), 0, "act {act}: {killed}");
        assert_eq!(killed.count("rounds given up: too late"), 0, "act {act}: {killed}");
        story.merge(&killed);
    }
    // Acts that are counted by hand above are those of the world: one later, nothing dies any more.
    let none = killed(Who::Coordinator, u32::from(ROUNDS) * COORDINATOR_ACTS, 500);
    assert_eq!(none.count("coordinators killed"), 0, "{none}");
    // Nearly every site hears of every result: not if the program dies with it on its way, and has written
    // that the round is over; nor if the certificate was, which is not sent again once the sum is open.
    let results =
        u64::from(ROUNDS) * u64::from(SITES) * 2 * u64::from(ROUNDS) * u64::from(COORDINATOR_ACTS);
    assert!(story.count("results taken") >= results - 24, "{story}");
    assert_eq!(story.count("results found again"), u64::from(ROUNDS), "{story}");
}

#[test]
fn a_coordinator_killed_again_soon_after_it_started_goes_on() {
    for act in 0..COORDINATOR_ACTS - 1 {
        for again in 1..=6 {
            let side = if (act + again) % 2 == 0 { Side::Before } else { Side::After };
            let ops = [dies(act, side, 300), dies(act + again, side, 300)];
            let story = holds("killed again", &one_round(act * 8 + again, ops));
            assert_eq!(story.count("rounds opened"), 1, "{act} and {again} later: {story}");
        }
    }
}

/// Sites give up on a coordinator that is silent for 30 s, and it gives up a round after 100 s.
#[test]
fn a_coordinator_that_stays_away_ends_its_round_or_finishes_it() {
    let mut story = Story::default();
    for act in 0..COORDINATOR_ACTS {
        for (side, for_ms) in
            [(Side::Before, 45_000), (Side::After, 45_000), (Side::After, 110_000)]
        {
            story.merge(&holds("away", &one_round(act, [dies(act, side, for_ms)])));
        }
    }
    assert!(story.count("rounds given up: too late") >= u64::from(COORDINATOR_ACTS) - 4, "{story}");
    assert!(story.count("rounds lost: too few sites") >= 50, "{story}");
    assert!(story.count("rounds opened") >= 20, "{story}");
}

/// What else goes wrong in a round whose coordinator dies: phases end at their deadline, a site's answer
/// is none, a secret does not come out as committed.
#[test]
fn a_coordinator_killed_at_any_act_of_a_round_with_faults_breaks_no_rule() {
    let site = Who::Site(2);
    let gone = |act| vec![Op::Kill { who: site, act, side: Side::Before, for_ms: 90_000 }];
    let lies = |lie| vec![Op::Lie { site: 2, lie }];
    let slow = vec![Op::Slow { site: 2, ms: 21_000 }];
    let unpaid = vec![Op::DiskFails { site: 2, charge: 0, side: Side::Before }];
    let stories: Vec<Vec<Op>> =
        [1, 2, 5, 7, 8].into_iter().map(gone).chain([slow, unpaid]).collect();
    let told =
        [Lie::Keys, Lie::Shares, Lie::Vector, Lie::Vote, Lie::Unmask, Lie::Garbage, Lie::Silence];
    let mut opened = Story::default();
    for (at, ops) in (0..).zip(stories.into_iter().chain(told.into_iter().map(lies))) {
        for act in 0..COORDINATOR_ACTS {
            let edge = if (act + at) % 2 == 0 { Side::Before } else { Side::After };
            let mut schedule = one_round(act, ops.clone());
            if let [Op::Lie { site, .. }] = ops.as_slice() {
                schedule.colluding.insert(*site);
            }
            schedule.ops.push(dies(act, edge, 700));
            opened.merge(&holds("killed among faults", &schedule));
        }
    }
    assert!(opened.count("rounds taken up again") >= 500, "{opened}");
    assert!(opened.count("rounds opened") >= 300, "{opened}");
}

#[test]
fn any_one_message_lost_late_or_twice_breaks_no_rule() {
    let mut story = Story::default();
    for message in 0..u32::from(ROUNDS) * 11 * u32::from(SITES) {
        let faults = [
            Op::Lose { message },
            Op::Delay { message, ms: 3000 },
            Op::Duplicate { message, ms: 700 },
        ];
        for fault in faults {
            let mut schedule = Schedule::calm(u64::from(message) << 8, SITES, ROUNDS);
            schedule.ops.push(fault);
            story.merge(&holds("a message", &schedule));
        }
    }
    assert!(story.count("rounds opened") >= 300, "{story}");
}

#[test]
fn a_calm_world_opens_every_round_that_is_paid_for() {
    for sites in [2, 3, 4, 5, 7, 10, 16, 33, 60] {
        let mut schedule = Schedule::calm(u64::from(sites), sites, 3);
        if sites > 16 {
            schedule.rounds = 1;
            schedule.releases = 1;
        } else {
            schedule.releases = 2;
        }
        let story = holds("a calm world", &schedule);
        let paid = u64::from(schedule.releases);
        assert_eq!(story.count("rounds opened"), paid, "{sites} sites: {story}");
        assert_eq!(story.count("results taken"), paid * u64::from(sites));
    }
}

#[test]
fn the_same_schedule_gives_the_same_story() {
    let schedule = Schedule::draw(11);
    assert_eq!(holds("once", &schedule), holds("again", &schedule));
}

/// At any moment of two rounds a site gets back the disk from before its first charge. It answers again
/// only once the answer of which it is shown a receipt is charged.
#[test]
fn a_site_set_back_at_any_moment_pays_for_what_it_answered() {
    let mut story = Story::default();
    for at_ms in (0..40).map(|step| 25 + step * 75) {
        for for_ms in [50, 3000] {
            let mut schedule = Schedule::calm(u64::from(at_ms) << 8, SITES, 3);
            schedule.ops.push(Op::SetBack { site: 2, charge: 0, at_ms, for_ms });
            story.merge(&holds("set back", &schedule));
        }
    }
    assert!(story.count("sites set back") >= 60, "{story}");
    assert!(story.count("sites stopped by a receipt") >= 50, "{story}");
    assert!(story.count("losses charged") >= story.count("sites stopped by a receipt"), "{story}");
}
