//! What a person's windows say beside the person's own, and beside their encounters.
//!
//! ```text
//! window, z       against the person's own valid windows of the 28 days before, of the same kind of device, the same
//!                 length, the same four hours of the shift, and at rest or not known to be ([`baseline`])
//! encounter       the median of its windows: of one of five minutes at least, else of three of one ([`encounter`])
//! ```
//! A shift begins with its session. Windows of quality 0 (someone moved) count nowhere. Of skin conductance an
//! encounter has its z alone: levels and counts of two devices, or two people, are not comparable.
use std::collections::BTreeMap;

use super::baseline::{self, Class, Floor, Observation};
use super::encounter::{self, Span};
use super::hrv::count;
use super::quality::Quality;
use super::running::median_of;
use super::utc::SPEC;
use super::window::Length;
use crate::intake::progress::Progress;
use crate::store::Store;
use crate::store::window::{self, Derived, Met, Person, Window};
use tacit_shared::fault::Fault;

/// How long a band of the shift is, µs: four hours. The fourth has all that is later.
const BAND_US: i64 = 4 * 3_600_000_000;

/// A feature, its z, the least spread that a device tells apart, and whether an encounter has the value itself.
struct Rule {
    feature: &'static str,
    z: &'static str,
    floor: f64,
    own_value: bool,
}

const RULES: [Rule; 6] = [
    rule("mean_hr_bpm", "mean_hr_z", 0.5, true),
    rule("ln_rmssd", "ln_rmssd_z", 0.02, true),
    rule("scl_mean_us", "scl_mean_z", 0.01, false),
    rule("scl_slope_us_per_min", "scl_slope_z", 0.01, false),
    rule("scr_per_min", "scr_per_min_z", 0.2, false),
    rule("scr_amp_mean_us", "scr_amp_mean_z", 0.01, false),
];

const fn rule(feature: &'static str, z: &'static str, floor: f64, own_value: bool) -> Rule {
    Rule { feature, z, floor, own_value }
}

/// Computes anew what follows from the windows of everyone whose sessions or encounters changed.
///
/// # Errors
/// A fault of the database. Who was done stays done; the others are still marked.
pub async fn refresh(store: &Store, progress: &dyn Progress) -> Result<(), Fault> {
    let all = window::count_stale(store).await?;
    if all == 0 {
        return Ok(());
    }
    progress.begin("baselines", all);
    let mut done = 0;
    while let Some(key) = window::next_stale(store).await? {
        let person = Person::open(store, key).await?;
        let derived = derive(&person.windows, &person.met, person.tz_min);
        person.keep(&derived, SPEC).await?;
        done += 1;
        progress.advance(done);
    }
    progress.end(&format!("baselines of {done} people"));
    Ok(())
}

/// The z of each window, and each encounter's values. `windows` are one person's, in any order, and so are `met`.
pub fn derive(windows: &[Window], met: &[Met], tz_min: i16) -> Vec<Derived> {
    let mut found = scores(windows, tz_min);
    let own = windows.iter().enumerate().filter(|(_, w)| Quality::from_number(w.quality).counts());
    let own = own.filter_map(|(place, w)| {
        let rule = RULES.iter().find(|rule| rule.feature == w.feature && rule.own_value)?;
        Some(Part { window: place, feature: rule.feature, value: w.value })
    });
    let of_z = found.iter().filter_map(|one| {
        let rule = RULES.iter().find(|rule| rule.z == one.feature)?;
        Some(Part { window: one.window, feature: rule.z, value: one.value })
    });
    let parts: Vec<Part> = own.chain(of_z).collect();
    found.extend(encounters(windows, met, &parts));
    found
}

/// A value of a window that may be one of an encounter's.
struct Part {
    window: usize,
    feature: &'static str,
    value: f64,
}

fn length_of(window: &Window) -> Option<Length> {
    match window.length_s {
        60 => Some(Length::Minute),
        300 => Some(Length::FiveMinutes),
        _ => None,
    }
}

fn scores(windows: &[Window], tz_min: i16) -> Vec<Derived> {
    let mut begins: BTreeMap<&[u8], i64> = BTreeMap::new();
    for window in windows {
        let begin = begins.entry(&window.session).or_insert(window.start_us);
        *begin = window.start_us.min(*begin);
    }
    let mut groups: BTreeMap<(&str, i64, &str), Vec<usize>> = BTreeMap::new();
    for (place, window) in windows.iter().enumerate() {
        if Quality::from_number(window.quality).counts() {
            let group = (window.kind.as_str(), window.length_s, window.feature.as_str());
            groups.entry(group).or_default().push(place);
        }
    }
    let mut found = Vec::new();
    for ((_, _, feature), places) in groups {
        let Some(rule) = RULES.iter().find(|rule| rule.feature == feature) else { continue };
        let Some(floor) = Floor::new(rule.floor) else { continue };
        let observation = |place: &usize| {
            let window = windows.get(*place)?;
            let length_us = window.length_s.saturating_mul(1_000_000);
            let begin_us = begins.get(window.session.as_slice()).copied()?;
            let band = window.start_us.saturating_sub(begin_us) / BAND_US;
            Some(Observation {
                start_us: window.start_us,
                end_us: window.start_us.saturating_add(length_us),
                tz_min,
                class: Class {
                    activity: u8::from(window.at_rest),
                    shift_band: u8::try_from(band.clamp(0, 3)).unwrap_or(3),
                },
                value: window.value,
            })
        };
        let observations: Vec<Observation> = places.iter().filter_map(observation).collect();
        let scored = baseline::z_of_all(&observations, floor);
        for (place, score) in places.iter().zip(scored) {
            if let (Some(score), Some(window)) = (score, windows.get(*place)) {
                found.push(Derived {
                    window: *place,
                    encounter: None,
                    feature: rule.z.to_owned(),
                    value: score.z,
                    n: score.n,
                    coverage: window.coverage,
                    quality: quality_of(window),
                });
            }
        }
    }
    found
}

fn quality_of(window: &Window) -> u8 {
    Quality::from_number(window.quality).number()
}

/// The parts of one encounter, session, feature and length.
type Gathered<'a> = BTreeMap<(usize, &'a [u8], &'static str), BTreeMap<i64, Vec<(usize, f64)>>>;

fn encounters(windows: &[Window], met: &[Met], parts: &[Part]) -> Vec<Derived> {
    let spans: Vec<Span> =
        met.iter().map(|one| Span { start_us: one.start_us, end_us: one.end_us }).collect();
    let own: Vec<Span> = windows
        .iter()
        .map(|window| {
            let length_us = window.length_s.saturating_mul(1_000_000);
            Span { start_us: window.start_us, end_us: window.start_us.saturating_add(length_us) }
        })
        .collect();
    let owners = encounter::owners(&own, &spans);
    let mut gathered = Gathered::new();
    for part in parts {
        let owner = owners.get(part.window).copied().flatten();
        if let (Some(owner), Some(window)) = (owner, windows.get(part.window)) {
            let key = (owner, window.session.as_slice(), part.feature);
            let by_length = gathered.entry(key).or_default();
            by_length.entry(window.length_s).or_default().push((part.window, part.value));
        }
    }
    let mut found = Vec::new();
    for ((owner, _, feature), by_length) in &gathered {
        // Five minutes before one.
        let mut lengths = by_length.values().rev();
        found.extend(lengths.find_map(|parts| summed(windows, parts, (*owner, *feature))));
    }
    found
}

fn summed(
    windows: &[Window],
    parts: &[(usize, f64)],
    (owner, feature): (usize, &'static str),
) -> Option<Derived> {
    let first = parts.first()?.0;
    let length = length_of(windows.get(first)?)?;
    let values: Vec<f64> = parts.iter().map(|(_, value)| *value).collect();
    let value = encounter::value(length, &values)?;
    let of = || parts.iter().filter_map(|(place, _)| windows.get(*place));
    Some(Derived {
        window: first,
        encounter: Some(owner),
        feature: feature.to_owned(),
        value,
        n: count(values.len()),
        coverage: median_of(of().map(|window| window.coverage).collect())?,
        quality: of().map(quality_of).min()?,
    })
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    const DAY_US: i64 = 86_400_000_000;
    const MINUTE_US: i64 = 60_000_000;

    fn window(session: u8, length_s: i64, start_us: i64, (feature, value): (&str, f64)) -> Window {
        Window {
            session: vec![session; 16],
            kind: "e4".to_owned(),
            length_s,
            start_us,
            feature: feature.to_owned(),
            modality: "heart".to_owned(),
            value,
            coverage: 0.9,
            quality: 3,
            at_rest: false,
        }
    }

    fn met(start_us: i64, minutes: i64) -> Met {
        Met { encounter: vec![1; 16], start_us, end_us: start_us + minutes * MINUTE_US }
    }

    /// Eight days with a shift of five windows each, and a ninth with one more of value `last`.
    fn shifts(feature: &str, last: f64) -> Vec<Window> {
        let mut all: Vec<Window> = (0..40_u32)
            .map(|i| {
                let (day, k) = (i64::from(i / 5), i64::from(i % 5));
                let start_us = day * DAY_US + k * 5 * MINUTE_US;
                window(u8::try_from(day).unwrap_or(0), 300, start_us, (feature, f64::from(i)))
            })
            .collect();
        all.push(window(9, 300, 9 * DAY_US, (feature, last)));
        all
    }

    fn of<'a>(found: &'a [Derived], feature: &str) -> Vec<&'a Derived> {
        found.iter().filter(|one| one.feature == feature).collect()
    }

    #[test]
    fn a_window_is_held_against_its_persons_own_and_an_encounter_gets_both() {
        let windows = shifts("ln_rmssd", 29.5);
        let found = derive(&windows, &[met(9 * DAY_US - MINUTE_US, 10)], 0);
        let scores = of(&found, "ln_rmssd_z");
        // The second window of the seventh day is the first with a baseline; that of the last has 40: median 19.5, MAD 10.
        let of_windows: Vec<&&Derived> = scores.iter().filter(|s| s.encounter.is_none()).collect();
        assert_eq!(
            of_windows.len(),
            10,
            "four of the seventh day, five of the eighth, and the last"
        );
        let last = of_windows.iter().find(|s| s.window == 40).map(|s| (s.value, s.n));
        assert!(last.is_some_and(|(z, n)| (z - 10.0 / 14.826).abs() < 1e-12 && n == 40));
        let of_encounter: Vec<&&Derived> =
            scores.iter().filter(|s| s.encounter == Some(0)).collect();
        assert_eq!((of_encounter.len(), of_encounter[0].n, of_encounter[0].quality), (1, 1, 3));
        let own = of(&found, "ln_rmssd");
        assert_eq!(own.len(), 1);
        assert!((own[0].value - 29.5).abs() < 1e-12);
    }

    #[test]
    fn skin_conductance_comes_to_an_encounter_as_z_alone() {
        let windows = shifts("scr_per_min", 50.0);
        let found = derive(&windows, &[met(9 * DAY_US, 10)], 0);
        assert!(of(&found, "scr_per_min").is_empty());
        let of_encounter: Vec<f64> =
            found.iter().filter(|one| one.encounter.is_some()).map(|one| one.value).collect();
        assert_eq!(of_encounter.len(), 1);
        assert!((of_encounter[0] - 30.5 / 14.826).abs() < 1e-12);
        assert!(
            of(&derive(&shifts("low_contact_frac", 0.1), &[], 0), "low_contact_frac_z").is_empty()
        );
    }

    #[test]
    fn another_band_of_the_shift_another_device_and_movement_make_no_baseline() {
        let z_of_last = |change: &dyn Fn(&mut Window)| {
            let mut windows = shifts("mean_hr_bpm", 19.0);
            for past in &mut windows[..40] {
                change(past);
            }
            derive(&windows, &[], 0).iter().any(|one| one.window == 40)
        };
        assert!(z_of_last(&|_| {}));
        assert!(!z_of_last(&|past| past.kind = "chest-strap".to_owned()));
        assert!(!z_of_last(&|past| past.quality = 0));
        assert!(!z_of_last(&|past| past.at_rest = true));
        // One early window of each session makes the others fall into its second four hours.
        let mut windows = shifts("mean_hr_bpm", 19.0);
        for day in 0..8 {
            let early =
                window(day, 60, i64::from(day) * DAY_US - 5 * 60 * MINUTE_US, ("ln_rmssd", 1.0));
            windows.push(early);
        }
        assert!(!derive(&windows, &[], 0).iter().any(|one| one.window == 40));
    }

    #[test]
    fn five_minutes_go_before_three_of_one_and_two_of_one_are_too_few() {
        let minute = |k: i64, value| window(1, 60, k * MINUTE_US, ("mean_hr_bpm", value));
        let mut windows: Vec<Window> =
            [(10, 60.0), (11, 61.0), (12, 65.0)].map(|(k, value)| minute(k, value)).into();
        let all = [met(10 * MINUTE_US, 3)];
        let found = derive(&windows, &all, 0);
        assert_eq!((found.len(), found[0].n), (1, 3));
        assert!((found[0].value - 61.0).abs() < 1e-12);
        assert!(derive(&windows[..2], &all, 0).is_empty());
        windows[2].quality = 0;
        assert!(derive(&windows, &all, 0).is_empty());
        windows.push(window(1, 300, 10 * MINUTE_US, ("mean_hr_bpm", 70.0)));
        let found = derive(&windows, &all, 0);
        assert_eq!(
            (found.len(), found[0].n),
            (1, 1),
            "the five minutes are covered to three fifths"
        );
        assert!((found[0].value - 70.0).abs() < 1e-12);
        let two = [met(10 * MINUTE_US, 3), met(13 * MINUTE_US, 3)];
        assert!(derive(&windows[3..], &two, 0).is_empty(), "it covers two encounters");
    }
}
