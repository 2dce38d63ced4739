//! Every step, hit in turn: each durable write and each sending of a small world, before and after.
use super::holds;
use tacit_tests::world::{Op, Schedule, Side, Story, Who};

const SITES: u16 = 4;
const ROUNDS: u16 = 2;
/// Acts of a site in a round that opens: counter, keys, shares, charge, opening, vector, survivors,
/// vote, answer, result.
const SITE_ACTS: u32 = 10;
/// The least acts of the coordinator in a round that opens: one for each message that comes or goes.
const COORDINATOR_ACTS: u32 = 11 * SITES as u32;

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

#[test]
fn a_coordinator_killed_at_any_act_breaks_no_rule() {
    let mut story = Story::default();
    for act in 0..u32::from(ROUNDS) * COORDINATOR_ACTS {
        story.merge(&killed(Who::Coordinator, act, 500));
    }
    let kills = u64::from(ROUNDS) * u64::from(COORDINATOR_ACTS) * 2;
    assert!(story.count("coordinators killed") >= kills - 20, "{story}");
    assert!(story.count("rounds opened") >= kills, "{story}");
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
    for sites in [2, 3, 4, 5, 7, 10, 16, 33] {
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
