//! Makes people, what their months and encounters are like, and what they hand in.
use super::lot;
use super::{
    CHANNELS, Channel, DAY_US, Flaw, Month, More, Person, Role, SECOND_US, Session, Sheet, Strata,
    Visit, count, flaws, normal, small, whole,
};
use crate::population::Moved;
use crate::population::profile::{Kind, Profile, Specialty};
use rand::RngExt;
use rand::rngs::ChaCha20Rng;
use rand_distr::{Beta, Distribution};

/// What one clinician's encounters are like.
pub(super) struct Habit {
    acuity: f64,
    minutes: f64,
    interpreter: f64,
    volume: f64,
    night: f64,
    pub(super) burnout: f64,
    /// Share of encounters in which an AI assistant takes part.
    assistance: f64,
    channels: [f64; 5],
}

/// Points by which the burnout level falls once work is compensated.
const RELIEF: f64 = 5.0;

pub(super) struct Maker<'a> {
    pub(super) profile: Profile,
    pub(super) span: (i64, i64),
    pub(super) rng: &'a mut ChaCha20Rng,
    pub(super) visits: Vec<Visit>,
    pub(super) patients: u32,
    pub(super) offset: u32,
}

impl Maker<'_> {
    /// Another period of the same people: its months, sheets and encounters.
    pub(super) fn again(&mut self, persons: &mut [Person], habits: &[Habit], moved: Moved) {
        let relief = if moved.compensated { RELIEF } else { 0.0 };
        for (person, habit) in persons.iter_mut().zip(habits) {
            person.months = std::array::from_fn(|_| self.month(habit.volume, habit.night));
            person.sheet = self.sheet(habit.burnout - relief);
            self.visits_of(person, habit);
        }
        for person in persons.iter_mut().skip(habits.len()) {
            person.months = std::array::from_fn(|_| self.month(self.profile.volume, 0.0));
        }
    }

    /// The number of the next encounter.
    fn next(&self) -> u32 {
        let made = u32::try_from(self.visits.len()).unwrap_or(u32::MAX);
        self.offset.saturating_add(made).saturating_add(1)
    }

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

    pub(super) fn person(&mut self, number: u32) -> (Person, Habit) {
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
            earlier: None,
            strata: Strata::default(),
            courses: Vec::new(),
        };
        let (assistance, channels) = lot::ways(&profile, number);
        let habit = Habit {
            acuity: level,
            minutes,
            interpreter,
            volume,
            night,
            burnout,
            assistance,
            channels,
        };
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
    pub(super) fn sheet(&mut self, burnout: f64) -> Option<Sheet> {
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

    pub(super) fn visits_of(&mut self, person: &Person, habit: &Habit) {
        let mut own = None;
        for _ in 0..self.rng.random_range(15..=20) {
            let patient = match own {
                Some(patient) if self.rng.random_bool(0.25) => patient,
                _ if self.patients > self.offset && self.rng.random_bool(0.04) => {
                    self.rng.random_range(self.offset + 1..=self.patients)
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
        let length = habit.minutes * (0.35 * normal(self.rng) - 0.06).exp();
        let assisted = self.rng.random_bool(habit.assistance);
        let share = self.rng.random_range(5..=60);
        Visit {
            number: self.next(),
            person: person.number,
            patient,
            start_us: self.moment(),
            seconds: whole((length * 10.0).clamp(10.0, 1_800.0)) * 6,
            acuity: whole((habit.acuity + 0.9 * normal(self.rng)).clamp(1.0, 5.0))
                .try_into()
                .unwrap_or(3),
            channel: self.pick(&CHANNELS, &habit.channels).unwrap_or(Channel::InPerson),
            assisted_percent: assisted.then_some(share),
            interpreter: self.rng.random_bool(habit.interpreter.clamp(0.0, 1.0)),
            readmitted: self.rng.random_bool(0.07),
            emergency: self.rng.random_bool(0.09),
            more: More::default(),
            flaw: None,
        }
    }

    /// Rows that are wrong on purpose: copies of sound ones with one value spoilt.
    pub(super) fn flawed(&mut self, kind: Kind) {
        for (flaw, times) in flaws(kind) {
            for _ in 0..times {
                let at = self.rng.random_range(0..self.visits.len().max(1));
                let Some(mut visit) = self.visits.get(at).cloned() else {
                    return;
                };
                visit.number = self.next();
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

    pub(super) fn sessions(&mut self, heads: usize) -> Vec<Session> {
        let wearers = u32::try_from(8 + heads % 8).unwrap_or(8);
        let last = u32::try_from(heads).unwrap_or(1).max(1);
        (1..=wearers)
            .map(|number| Session {
                number: self.offset / 10_000 + number,
                person: self.rng.random_range(1..=last),
                start_us: self.moment(),
                seed: self.rng.random(),
            })
            .collect()
    }
}
