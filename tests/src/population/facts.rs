//! What happened at one hospital, before anybody writes it down in a file of their own.
//!
//! Everything is kept in the resolution of the coarsest file (whole minutes for times, tenths of a
//! minute for lengths, percent for shares), so that every layout says the same without loss.
mod lot;
mod maker;
mod programmes;

use maker::Maker;
pub(super) use programmes::{Course, More, Strata, TRAINED, WORN};

use super::Moved;
use super::profile::{Kind, Specialty};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use rand_distr::{Distribution, StandardNormal};

/// One second, in microseconds.
pub(super) const SECOND_US: i64 = 1_000_000;
/// One day, in microseconds.
pub(super) const DAY_US: i64 = 86_400 * SECOND_US;
/// Months of the study's period.
pub(super) const MONTHS: usize = 3;

/// Who a person at a hospital is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Physician,
    Nurse,
    /// Outside every study's population: somebody at a desk.
    Clerk,
}

/// One month on the duty roster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Month {
    pub(super) encounters: u32,
    pub(super) hours: u32,
    pub(super) night_hours: u32,
    pub(super) training_hours: u32,
}

/// A burnout questionnaire: six items, each 0 to 4 steps of 25 points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sheet {
    pub(super) at_us: i64,
    pub(super) items: [Option<u8>; 6],
}

/// One person on the hospital's list of staff.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) number: u32,
    pub(super) role: Role,
    pub(super) specialty: Specialty,
    pub(super) active: bool,
    pub(super) grade: u8,
    pub(super) ward: u8,
    pub(super) months: [Month; MONTHS],
    pub(super) sheet: Option<Sheet>,
    /// Handed in in the earlier days, where a study compares them.
    pub(super) earlier: Option<Sheet>,
    pub(super) strata: Strata,
    pub(super) courses: Vec<Course>,
}

/// How an encounter took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    InPerson,
    Phone,
    Ivr,
    Video,
    Other,
}

const CHANNELS: [Channel; 5] =
    [Channel::InPerson, Channel::Phone, Channel::Ivr, Channel::Video, Channel::Other];

/// What is wrong with a row on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// An acuity of 9 on the canonical scale.
    Acuity,
    /// A clinician who is not on the list of staff.
    Stranger,
    /// A negative length.
    Length,
}

/// One encounter.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) number: u32,
    pub(super) person: u32,
    pub(super) patient: u32,
    pub(super) start_us: i64,
    pub(super) seconds: i32,
    pub(super) acuity: i8,
    pub(super) channel: Channel,
    pub(super) assisted_percent: Option<u8>,
    pub(super) interpreter: bool,
    pub(super) readmitted: bool,
    pub(super) emergency: bool,
    pub(super) more: More,
    pub(super) flaw: Option<Flaw>,
}

/// A patient's answers about one encounter: ten items, 1 to 5.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    pub(super) number: u32,
    pub(super) visit: u32,
    pub(super) person: u32,
    pub(super) patient: u32,
    pub(super) authored_us: i64,
    pub(super) items: [Option<u8>; 10],
}

/// A wearable's recording.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) number: u32,
    pub(super) person: u32,
    pub(super) start_us: i64,
    pub(super) seed: u64,
}

/// Everything that happened at one hospital but what patients thought of it.
pub(super) struct Facts {
    pub(super) persons: Vec<Person>,
    pub(super) visits: Vec<Visit>,
    pub(super) sessions: Vec<Session>,
    /// First month of the period: year and month.
    pub(super) first: (i32, u8),
    /// The period's first moment: encounters before it are of the earlier days.
    pub(super) from_us: i64,
    /// Encounters and answers are numbered from here on, so that periods do not number alike.
    pub(super) offset: u32,
}

/// A generator of its own for each hospital and purpose, so that one does not move the other.
pub(super) fn rng(seed: u64, stream: u64) -> ChaCha20Rng {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

pub(super) fn normal(rng: &mut ChaCha20Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// A whole number from a float that is known to be small.
#[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i32 first")]
pub(super) fn whole(value: f64) -> i32 {
    value.round().clamp(f64::from(i32::MIN), f64::from(i32::MAX)) as i32
}

fn small(value: f64, low: u8, high: u8) -> u8 {
    let bounded = whole(value).clamp(i32::from(low), i32::from(high));
    u8::try_from(bounded).unwrap_or(low)
}

fn count(value: f64) -> u32 {
    u32::try_from(whole(value)).unwrap_or(0)
}

/// How many rows of each flaw the hospital's encounter file has.
pub(super) fn flaws(kind: Kind) -> [(Flaw, u32); 3] {
    let (acuity, stranger, length) = match kind {
        Kind::Teaching => (5, 4, 3),
        Kind::SafetyNet => (4, 6, 2),
        Kind::Suburban => (3, 2, 2),
        Kind::Rural => (1, 2, 1),
        Kind::NoWearables => (2, 3, 4),
    };
    [(Flaw::Acuity, acuity), (Flaw::Stranger, stranger), (Flaw::Length, length)]
}

/// The days of a population: the period, and the earlier days that a study compares it with, each `[from_us, to_us)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Days {
    pub(super) period: (i64, i64),
    pub(super) earlier: Option<(i64, i64)>,
}

/// The generators of a hospital.
pub(super) struct Lots {
    /// Of the people, and of what happened in a first period.
    pub(super) first: ChaCha20Rng,
    /// Of what came later to the synthetic hospitals.
    pub(super) later: ChaCha20Rng,
    /// Of what happened in this period, if it is not the first.
    pub(super) again: ChaCha20Rng,
}

/// So many numbers are kept for a period's encounters.
const NUMBERS: u32 = 1_000_000;

/// Makes one hospital of `heads` clinicians, who are the same in every period.
pub(super) fn hospital(
    kind: Kind,
    heads: usize,
    days: Days,
    moved: Moved,
    lots: &mut Lots,
) -> Facts {
    let span = days.period;
    let profile = kind.profile();
    let (rng, later) = (&mut lots.first, &mut lots.later);
    let offset = moved.period.saturating_mul(NUMBERS);
    let mut maker = Maker { profile, span, rng, visits: Vec::new(), patients: offset, offset };
    let mut persons = Vec::with_capacity(heads + heads / 50 + 1);
    let mut habits = Vec::with_capacity(heads);
    for number in (1..).take(heads) {
        let (person, habit) = maker.person(number);
        maker.visits_of(&person, &habit);
        persons.push(person);
        habits.push(habit);
    }
    let clerks = heads / 50 + 1;
    for number in (900_001..).take(clerks) {
        let (mut person, _) = maker.person(number);
        person.role = Role::Clerk;
        person.sheet = None;
        person.active = number % 3 != 0;
        persons.push(person);
    }
    if moved.period > 0 {
        (maker.visits, maker.patients) = (Vec::new(), offset);
        maker.rng = &mut lots.again;
        maker.again(&mut persons, &habits, moved);
    }
    maker.flawed(kind);
    let sessions = if kind.wearables() { maker.sessions(heads) } else { Vec::new() };
    let (mut visits, patients) = (maker.visits, maker.patients);
    if let Some(span) = days.earlier {
        let mut maker = Maker { profile, span, rng: &mut *later, visits, patients, offset };
        for (person, habit) in persons.iter().zip(&habits) {
            maker.visits_of(person, habit);
        }
        visits = maker.visits;
    }
    visits.sort_by_key(|visit| (visit.start_us, visit.number));
    let first = time::OffsetDateTime::from_unix_timestamp(span.0 / SECOND_US)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let first = (first.year(), u8::from(first.month()));
    let mut facts = Facts { persons, visits, sessions, first, from_us: span.0, offset };
    programmes::fill(&mut facts, kind, span.0, later);
    if let Some(earlier) = days.earlier {
        let levels = habits.iter().map(|habit| habit.burnout);
        let mut maker =
            Maker { profile, span, rng: later, visits: Vec::new(), patients: 0, offset };
        for (person, level) in facts.persons.iter_mut().zip(levels) {
            (maker.span, person.earlier) = (earlier, None);
            person.earlier = maker.sheet(level);
            maker.span = span;
            person.sheet = maker.sheet(level + programmes::changed(person, days));
        }
    }
    facts
}
