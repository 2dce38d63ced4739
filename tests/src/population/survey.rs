//! What patients answer: ten items of the CARE Measure whose sum is the clinician's mean plus chance.
//!
//! Chance is symmetric and ends before the ends of the scale, and a sum is rounded up or down by lot,
//! so the expected sum is exactly the clinician's: no ceiling bends the truth.
use super::facts::{DAY_US, Days, Facts, SECOND_US, Survey, normal};
use super::law::{Asked, BASE, Clinician};
use rand::RngExt;
use rand::rngs::ChaCha20Rng;
use std::collections::BTreeMap;

const LOW: f64 = 10.0;
const HIGH: f64 = 50.0;
/// Spread of clinicians about what their row and hospital predict, in points.
const CLINICIAN_SD: f64 = 1.5;
/// Most that one patient differs from the clinician's mean, in points.
const PATIENT_SPAN: f64 = 9.0;
/// How many patients hand a questionnaire in.
const RESPONSE_RATE: f64 = 0.58;

/// The patients' answers at one hospital, in the order of their authoring. Where a change is asked for, a clinician's own
/// level stands in both spans, and the law's change in the period alone.
pub(super) fn answers(
    facts: &Facts,
    clinicians: &[Clinician],
    days: Days,
    (rng, again): (&mut ChaCha20Rng, Option<&mut ChaCha20Rng>),
    asked: Asked,
) -> Vec<Survey> {
    let means: BTreeMap<u32, (f64, f64)> = clinicians
        .iter()
        .map(|one| {
            let own = loop {
                let own = normal(rng);
                if own.abs() < 2.5 {
                    break own;
                }
            };
            let own = CLINICIAN_SD * own;
            let means = match asked {
                Asked::Level => (one.expected + own, one.expected + own),
                Asked::Worn => (BASE + own, BASE + own),
                Asked::Change => (BASE + own, BASE + own + one.expected),
            };
            (one.number, means)
        })
        .collect();
    // Clinicians are the same in every period, chance is not.
    let rng = again.unwrap_or(rng);
    let mut surveys = Vec::new();
    for visit in facts.visits.iter().filter(|visit| visit.flaw.is_none()) {
        if !rng.random_bool(RESPONSE_RATE) {
            continue;
        }
        let before = visit.start_us < facts.from_us;
        let (earlier, now) = means.get(&visit.person).copied().unwrap_or((36.0, 36.0));
        let mean = if before { earlier } else { now };
        let end_us = days.earlier.filter(|_| before).map_or(days.period.1, |(_, end)| end);
        let span = PATIENT_SPAN.min(HIGH - mean).min(mean - LOW).max(0.0);
        let chance: f64 = rng.random::<f64>() - rng.random::<f64>();
        let total = by_lot((mean + span * chance).clamp(LOW, HIGH), rng);
        let later = rng.random_range(1..=10 * 24 * 60) * 60 * SECOND_US;
        surveys.push(Survey {
            number: 0,
            visit: visit.number,
            person: visit.person,
            patient: visit.patient,
            authored_us: (visit.start_us + later).min(end_us - DAY_US / 2),
            items: items(total, rng),
        });
    }
    surveys.sort_by_key(|survey| (survey.authored_us, survey.visit));
    for (survey, number) in surveys.iter_mut().zip(1..) {
        survey.number = facts.offset.saturating_add(number);
    }
    surveys
}

/// The whole number below or above, so that the mean is the value.
fn by_lot(value: f64, rng: &mut ChaCha20Rng) -> u8 {
    let below = value.floor();
    let up = rng.random_bool((value - below).clamp(0.0, 1.0));
    u8::try_from(super::facts::whole(below) + i32::from(up)).unwrap_or(u8::MAX)
}

/// Ten answers of 1 to 5 with the sum given; three in a hundred leave one item out, any one.
fn items(total: u8, rng: &mut ChaCha20Rng) -> [Option<u8>; 10] {
    let mut codes = [total / 10; 10];
    for code in codes.iter_mut().take(usize::from(total % 10)) {
        *code += 1;
    }
    codes.rotate_left(rng.random_range(0..10));
    for _ in 0..3 {
        let (up, down) = (rng.random_range(0..10), rng.random_range(0..10));
        if let Ok([up, down]) = codes.get_disjoint_mut([up, down])
            && *up < 5
            && *down > 1
        {
            *up += 1;
            *down -= 1;
        }
    }
    let mut items = codes.map(Some);
    if rng.random_bool(0.03)
        && let Some(item) = items.get_mut(rng.random_range(0..10))
    {
        *item = None;
    }
    items
}
