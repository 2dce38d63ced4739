//! What happened at one hospital, before anybody writes it down in a file of their own.
//!
//! Everything is kept in the resolution of the coarsest file (whole minutes for times, tenths of a
//! minute for lengths, percent for shares), so that every layout says the same without loss.
mod programmes;

pub(super) use programmes::{Course, More, Strata};

use super::profile::{Kind, Profile, Specialty};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Beta, Distribution, StandardNormal};

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

/// What one clinician's encounters are like.
struct Habit {
    acuity: f64,
    minutes: f64,
    interpreter: f64,
}

/// The days of a population: the period, and the earlier days that a study compares it with, each `[from_us, to_us)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Days {
    pub(super) period: (i64, i64),
    pub(super) earlier: Option<(i64, i64)>,
}

/// Makes one hospital of `heads` clinicians. What came later to the synthetic hospitals is drawn from `later`.
pub(super) fn hospital(
    kind: Kind,
    heads: usize,
    days: Days,
    (rng, later): (&mut ChaCha20Rng, &mut ChaCha20Rng),
) -> Facts {
    let span = days.period;
    let profile = kind.profile();
    let mut maker = Maker { profile, span, rng, visits: Vec::new(), patients: 0 };
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
    maker.flawed(kind);
    let sessions = if kind.wearables() { maker.sessions(heads) } else { Vec::new() };
    let (mut visits, patients) = (maker.visits, maker.patients);
    if let Some(span) = days.earlier {
        let mut maker = Maker { profile, span, rng: &mut *later, visits, patients };
        for (person, habit) in persons.iter().zip(&habits) {
            maker.visits_of(person, habit);
        }
        visits = maker.visits;
    }
    visits.sort_by_key(|visit| (visit.start_us, visit.number));
    let first = time::OffsetDateTime::from_unix_timestamp(span.0 / SECOND_US)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let first = (first.year(), u8::from(first.month()));
    let mut facts = Facts { persons, visits, sessions, first, from_us: span.0 };
    programmes::fill(&mut facts, kind, span.0, later);
    facts
}

struct Maker<'a> {
    profile: Profile,
    span: (i64, i64),
    rng: &'a mut ChaCha20Rng,
    visits: Vec<Visit>,
    patients: u32,
}

impl Maker<'_> {
    fn pick<T: Copy>(&mut self, items: &[T], shares: &[f64]) -> Option<T> {
        let mut at: f64 = self.rng.random();
        for (item, share) in items.iter().zip(shares) {
            at -= share;
            if at < 0.0 {
                return Some(*item);
            }
        }
        items.first().copied()
    }

    /// A moment of the period in whole minutes, a day from either end.
    fn moment(&mut self) -> i64 {
        let (from, to) = (self.span.0 + DAY_US, self.span.1 - DAY_US);
        let minute = 60 * SECOND_US;
        from + self.rng.random_range(0..(to - from) / minute) * minute
    }

    fn person(&mut self, number: u32) -> (Person, Habit) {
        let profile = self.profile;
        let specialty =
            self.pick(&Specialty::ALL, &profile.specialties).unwrap_or(Specialty::Internal);
        let level = profile.acuity + specialty.acuity() + 0.4 * normal(self.rng);
        let volume = (profile.volume * (0.3 * normal(self.rng)).exp()).clamp(14.0, 170.0);
        let slower = 0.03 * (profile.volume - volume);
        let spread = (0.22 * normal(self.rng)).exp();
        let minutes = (profile.minutes * specialty.length() * spread + slower).clamp(6.0, 40.0);
        let nights = self.rng.random_bool(profile.night);
        let night =
            if nights { self.rng.random_range(0.32..0.7) } else { self.rng.random_range(0.0..0.2) };
        let interpreter = Beta::new(5.0 * profile.interpreter, 5.0 * (1.0 - profile.interpreter))
            .map_or(profile.interpreter, |beta| beta.sample(self.rng));
        let worn = 8.0 * (level - profile.acuity) + if nights { 8.0 } else { 0.0 };
        let burnout = profile.burnout + worn + 14.0 * normal(self.rng);
        let person = Person {
            number,
            role: if self.rng.random_bool(0.6) { Role::Nurse } else { Role::Physician },
            specialty,
            active: true,
            grade: self.rng.random_range(1..=5),
            ward: self.rng.random_range(1..=24),
            months: std::array::from_fn(|_| self.month(volume, night)),
            sheet: self.sheet(burnout),
            strata: Strata::default(),
            courses: Vec::new(),
        };
        let habit = Habit { acuity: level, minutes, interpreter };
        (person, habit)
    }

    fn month(&mut self, volume: f64, night: f64) -> Month {
        let hours = 120.0 + 40.0 * self.rng.random::<f64>();
        let trains = self.rng.random_bool(0.15);
        Month {
            encounters: count((volume * (1.0 + 0.06 * normal(self.rng))).max(6.0)),
            hours: count(hours),
            night_hours: count(hours * night),
            training_hours: if trains { self.rng.random_range(1..=4) } else { 0 },
        }
    }

    /// Three in a hundred hand nothing in; two in a hundred leave an item out.
    fn sheet(&mut self, burnout: f64) -> Option<Sheet> {
        if self.rng.random_bool(0.03) {
            return None;
        }
        let at_us = self.moment();
        let mut items =
            std::array::from_fn(|_| Some(small(burnout / 25.0 + 0.6 * normal(self.rng), 0, 4)));
        if self.rng.random_bool(0.02) {
            let skipped = self.rng.random_range(0..items.len());
            if let Some(item) = items.get_mut(skipped) {
                *item = None;
            }
        }
        Some(Sheet { at_us, items })
    }

    fn visits_of(&mut self, person: &Person, habit: &Habit) {
        let mut own = None;
        for _ in 0..self.rng.random_range(15..=20) {
            let patient = match own {
                Some(patient) if self.rng.random_bool(0.25) => patient,
                _ if self.patients > 0 && self.rng.random_bool(0.04) => {
                    self.rng.random_range(1..=self.patients)
                }
                _ => {
                    self.patients += 1;
                    self.patients
                }
            };
            own = Some(patient);
            let visit = self.visit(person, habit, patient);
            self.visits.push(visit);
        }
    }

    fn visit(&mut self, person: &Person, habit: &Habit, patient: u32) -> Visit {
        let profile = self.profile;
        let length = habit.minutes * (0.35 * normal(self.rng) - 0.06).exp();
        let assisted = self.rng.random_bool(profile.assistance);
        let share = self.rng.random_range(5..=60);
        Visit {
            number: u32::try_from(self.visits.len()).unwrap_or(u32::MAX) + 1,
            person: person.number,
            patient,
            start_us: self.moment(),
            seconds: whole((length * 10.0).clamp(10.0, 1_800.0)) * 6,
            acuity: whole((habit.acuity + 0.9 * normal(self.rng)).clamp(1.0, 5.0))
                .try_into()
                .unwrap_or(3),
            channel: self.pick(&CHANNELS, &profile.channels).unwrap_or(Channel::InPerson),
            assisted_percent: assisted.then_some(share),
            interpreter: self.rng.random_bool(habit.interpreter.clamp(0.0, 1.0)),
            readmitted: self.rng.random_bool(0.07),
            emergency: self.rng.random_bool(0.09),
            more: More::default(),
            flaw: None,
        }
    }

    /// Rows that are wrong on purpose: copies of sound ones with one value spoilt.
    fn flawed(&mut self, kind: Kind) {
        for (flaw, times) in flaws(kind) {
            for _ in 0..times {
                let at = self.rng.random_range(0..self.visits.len().max(1));
                let Some(mut visit) = self.visits.get(at).cloned() else {
                    return;
                };
                visit.number = u32::try_from(self.visits.len()).unwrap_or(u32::MAX) + 1;
                visit.flaw = Some(flaw);
                match flaw {
                    Flaw::Acuity => visit.acuity = 9,
                    Flaw::Stranger => visit.person = 777_777,
                    Flaw::Length => visit.seconds = -visit.seconds,
                }
                self.visits.push(visit);
            }
        }
    }

    fn sessions(&mut self, heads: usize) -> Vec<Session> {
        let wearers = u32::try_from(8 + heads % 8).unwrap_or(8);
        let last = u32::try_from(heads).unwrap_or(1).max(1);
        (1..=wearers)
            .map(|number| Session {
                number,
                person: self.rng.random_range(1..=last),
                start_us: self.moment(),
                seed: self.rng.random(),
            })
            .collect()
    }
}
