//! What programmes are judged by: who was trained, how a meeting was assisted, in what language, with whom.
//!
//! Drawn after everything else and from a generator of its own, so that what happened otherwise is the same with it
//! and without. Presence follows from length, channel and assistance; the rest is by lot. Trainings are no secret: a third
//! of a hospital's clinicians completed one in the three months before the period, one in ten long before.
use super::lot::{About, lot};
use super::{Channel, DAY_US, Days, Facts, Flaw, Person, Visit};
use crate::population::profile::Kind;
use rand::RngExt;
use rand::rngs::ChaCha20Rng;
use std::collections::BTreeMap;

/// Programmes that clinicians are trained in.
const PROGRAMMES: [&str; 2] = ["listening", "breaking-news"];
/// Languages beside the main one.
const LANGUAGES: [&str; 3] = ["tr", "ar", "uk"];
/// Points by which burnout rises in half a year.
pub(in crate::population) const WORN: f64 = 1.0;
/// Points that a training takes off it.
pub(in crate::population) const TRAINED: f64 = -4.0;
/// The main language of every synthetic hospital.
const MAIN: &str = "de";

/// A training.
#[derive(Clone, Copy, Debug)]
pub(in crate::population) struct Course {
    pub(in crate::population) programme: &'static str,
    pub(in crate::population) from_us: i64,
    /// None while it goes on.
    pub(in crate::population) to_us: Option<i64>,
    pub(in crate::population) hours: u8,
}

/// What staff records declare of a clinician; none where nothing is recorded.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::population) struct Strata {
    pub(in crate::population) age_band: Option<&'static str>,
    pub(in crate::population) gender: Option<&'static str>,
    pub(in crate::population) training_country: Option<&'static str>,
}

/// What is known of an encounter beside what every encounter has. Lengths are tenths of a minute.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::population) struct More {
    pub(in crate::population) scribe: Option<i32>,
    pub(in crate::population) call: Option<i32>,
    pub(in crate::population) presence: Option<i32>,
    pub(in crate::population) interruptions: Option<u8>,
    pub(in crate::population) language: Option<&'static str>,
    pub(in crate::population) age_band: Option<&'static str>,
    pub(in crate::population) deprivation: Option<&'static str>,
    pub(in crate::population) payer: Option<&'static str>,
    pub(in crate::population) group: Option<&'static str>,
}

/// What a patient brings to every encounter.
#[derive(Clone, Copy)]
struct Patient {
    language: &'static str,
    age_band: &'static str,
    deprivation: Option<&'static str>,
    payer: &'static str,
    group: &'static str,
}

/// Fills it in for a hospital whose period begins at `from_us`.
pub(super) fn fill(facts: &mut Facts, kind: Kind, from_us: i64, rng: &mut ChaCha20Rng) {
    for person in &mut facts.persons {
        person.strata = strata(rng);
        person.courses = courses(person, from_us, rng);
    }
    let mut patients = BTreeMap::new();
    for visit in &mut facts.visits {
        let number = visit.patient;
        let patient = *patients.entry(number).or_insert_with(|| patient(kind, number, rng));
        visit.more = more(visit, patient, kind, rng);
        if patient.deprivation == Some("high") {
            visit.readmitted |= lot(About::Readmission, visit.number) < 0.07;
            visit.emergency |= lot(About::Emergency, visit.number) < 0.09;
        }
    }
}

/// Points by which the burnout level of a clinician changed since the earlier days: a little up for all, down for those
/// who completed a training in between.
pub(super) fn changed(person: &Person, days: Days) -> f64 {
    let between = |to_us: i64| days.earlier.is_some_and(|(_, end)| to_us >= end);
    let trained = person
        .courses
        .iter()
        .any(|course| course.to_us.is_some_and(|to_us| between(to_us) && to_us <= days.period.0));
    if trained { WORN + TRAINED } else { WORN }
}

fn pick<T: Copy>(rng: &mut ChaCha20Rng, of: &[T], otherwise: T) -> T {
    of.get(rng.random_range(0..of.len().max(1))).copied().unwrap_or(otherwise)
}

fn strata(rng: &mut ChaCha20Rng) -> Strata {
    let bands = ["age-25-34", "age-35-44", "age-45-54", "age-55-plus"];
    let recorded = rng.random_bool(0.95);
    Strata {
        age_band: Some(pick(rng, &bands, "age-35-44")).filter(|_| recorded),
        gender: Some(pick(rng, &["female", "female", "male"], "female")).filter(|_| recorded),
        training_country: Some(if rng.random_bool(0.2) { "abroad" } else { "here" })
            .filter(|_| recorded),
    }
}

fn courses(person: &Person, from_us: i64, rng: &mut ChaCha20Rng) -> Vec<Course> {
    let programme = pick(rng, &PROGRAMMES, "listening");
    let lot = rng.random_range(0..100);
    let back = match lot {
        0..33 => rng.random_range(5..85), // days before the period that it was completed
        33..43 => rng.random_range(300..1_000), // long ago
        43..50 => 0,                      // goes on
        _ => return Vec::new(),
    };
    let lasted = rng.random_range(1..4);
    let to_us = from_us - back * DAY_US;
    let hours = 3 + person.grade;
    let ends = (back > 0).then_some(to_us);
    vec![Course { programme, from_us: to_us - lasted * DAY_US, to_us: ends, hours }]
}

fn patient(kind: Kind, number: u32, rng: &mut ChaCha20Rng) -> Patient {
    let high = match kind {
        Kind::SafetyNet => 0.5,
        Kind::Rural => 0.3,
        Kind::Teaching | Kind::NoWearables => 0.2,
        Kind::Suburban => 0.08,
    };
    let newcomers = match kind {
        Kind::SafetyNet => 0.3,
        Kind::Teaching => 0.16,
        Kind::NoWearables => 0.1,
        Kind::Suburban | Kind::Rural => 0.04,
    };
    let band: f64 = rng.random();
    let band = if band < high { "high" } else { pick(rng, &["middle", "low"], "middle") };
    Patient {
        language: pick(rng, &LANGUAGES, "tr"),
        age_band: pick(rng, &["child", "adult", "adult", "over-65", "over-80"], "adult"),
        deprivation: Some(band).filter(|_| rng.random_bool(0.97)),
        payer: if rng.random_bool(0.8) { "public" } else { "private" },
        group: if lot(About::Group, number) < newcomers { "asylum" } else { "resident" },
    }
}

fn more(visit: &Visit, patient: Patient, kind: Kind, rng: &mut ChaCha20Rng) -> More {
    let tenths = visit.seconds / 6;
    let assisted = i32::from(visit.assisted_percent.unwrap_or(0));
    let reached = match visit.channel {
        Channel::InPerson | Channel::Phone | Channel::Video => 100 - assisted,
        Channel::Ivr => 20,
        Channel::Other => 0,
    };
    let waited = rng.random_range(0..60);
    let by_call = matches!(visit.channel, Channel::Phone | Channel::Ivr | Channel::Video);
    let scribed = rng.random_bool(0.3);
    let interruptions = rng.random_range(0..4);
    let counted = matches!(kind, Kind::Teaching | Kind::Suburban);
    let foreign = visit.interpreter || rng.random_bool(0.05);
    let sound = visit.flaw != Some(Flaw::Length);
    More {
        scribe: sound.then_some(if scribed { tenths / 5 } else { 0 }),
        call: (by_call && sound).then_some(tenths + waited),
        presence: sound.then_some(tenths * reached / 100),
        interruptions: counted.then_some(interruptions),
        language: Some(if foreign { patient.language } else { MAIN }),
        age_band: Some(patient.age_band),
        deprivation: patient.deprivation,
        payer: Some(patient.payer),
        group: Some(patient.group),
    }
}
