//! What moved from period to period, and whether to go on: continuous evaluation over signed results.
//!
//! ```text
//! mean of k periods: θ̄ = Σθ/k, its ends at √Σ(θ − l)²/k and √Σ(u − θ)²/k           periods independent
//! moved since = θ̄_since − θ̄_before       low = d − √((θ̄₁ − l₁)² + (u₀ − θ̄₀)²), high alike      Zou and Donner 2008
//! rule: `rises by x` holds if low > x, `falls by x` if high < −x
//! ```
//! So a difference counts the privacy noise and the sampling of all its periods, each as if its clinicians were drawn anew,
//! which is too wide rather than too narrow where they are the same people. What else changed meanwhile is in it too: there
//! is no comparison group. Each look at a rule that does not hold in truth sets it off at most 25 times in 1,000.
//! Reading one period is [`snapshot`]'s work, the page [`page`]'s.
pub mod page;
pub mod snapshot;

use serde::{Deserialize, Serialize};
use tacit_shared::study::Study;
use tacit_shared::study::evaluation::{Rule, Watched, Way};

/// The version of `evaluation.json`.
pub const FORMAT: u32 = 1;

/// A number with its 95 % interval; both ends `None` where it is not estimable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Lower and upper end.
    pub interval: Option<(f64, f64)>,
}

/// One period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// First day.
    pub from: String,
    /// Day after the last.
    pub to: String,
    /// Whether it begins on the day from which work is compensated, or later.
    pub compensated: bool,
    /// Signal to noise of its release.
    pub kappa: f64,
    /// Interval width of coefficients over what it would be without noise, the median over coefficients.
    pub width_ratio: Option<f64>,
}

/// A period whose release is withheld: nothing is compared with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// First day.
    pub from: String,
    /// Day after the last.
    pub to: String,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// One number over the periods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it is, as in the study: `outcome`, `mean:FEATURE`, `gap:GROUP`, `coefficient:COLUMN`.
    pub watched: String,
    /// What a reader calls it.
    pub label: String,
    /// Its unit, in words.
    pub unit: String,
    /// Whether the study watches it.
    pub named: bool,
    /// By period; `None` where the release does not say.
    pub values: Vec<Option<Estimate>>,
    /// In a rehearsal, the same without noise, by period.
    pub truth: Vec<Option<f64>>,
    /// The newest period less the first: drift and all.
    pub drift: Option<Estimate>,
    /// Periods since compensation began less those before.
    pub moved: Option<Estimate>,
}

/// Whether to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Whether a rule holds.
    pub stop: bool,
    /// Each rule of the study in words, with what was found.
    pub rules: Vec<String>,
    /// `go on` or `stop`, and why.
    pub words: String,
}

/// A whole evaluation: the content of `evaluation.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    /// [`FORMAT`].
    pub format: u32,
    /// Title of the study.
    pub title: String,
    /// First day from which work is compensated, if the study says.
    pub began: Option<String>,
    /// The periods, the earliest first.
    pub periods: Vec<Period>,
    /// Periods whose releases are withheld.
    pub left_out: Vec<LeftOut>,
    /// What the study watches first, then everything else.
    pub rows: Vec<Row>,
    /// Whether to go on.
    pub verdict: Verdict,
}

/// What one period says of one number.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What.
    pub watched: Watched,
    /// What a reader calls it.
    pub label: String,
    /// Its unit.
    pub unit: String,
    /// The number; `None` where the release does not say.
    pub estimate: Option<Estimate>,
}

/// The mean of independent estimates.
pub fn mean(estimates: &[Estimate]) -> Option<Estimate> {
    let count: f64 = estimates.iter().map(|_| 1.0).sum();
    if count == 0.0 {
        return None;
    }
    let value = estimates.iter().map(|e| e.value).sum::<f64>() / count;
    let ends: Option<Vec<(f64, f64)>> = estimates
        .iter()
        .map(|e| e.interval.map(|(low, high)| (e.value - low, high - e.value)))
        .collect();
    let interval = ends.map(|ends| {
        let below = ends.iter().map(|(below, _)| below * below).sum::<f64>().sqrt() / count;
        let above = ends.iter().map(|(_, above)| above * above).sum::<f64>().sqrt() / count;
        (value - below, value + above)
    });
    Some(Estimate { value, interval })
}

/// One independent estimate less another.
#[must_use = "returns the difference"]
pub fn difference(after: Estimate, before: Estimate) -> Estimate {
    let value = after.value - before.value;
    let interval = after.interval.zip(before.interval).map(|((l1, u1), (l0, u0))| {
        let below = (after.value - l1).hypot(u0 - before.value);
        let above = (u1 - after.value).hypot(before.value - l0);
        (value - below, value + above)
    });
    Estimate { value, interval }
}

/// What is compared; `periods`, `readings` and `truth` have one entry a period, the earliest first, `truth` in a rehearsal
/// alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// The periods.
    pub periods: Vec<Period>,
    /// Those that are withheld.
    pub left_out: Vec<LeftOut>,
    /// What each period's release says.
    pub readings: Vec<Vec<Reading>>,
    /// What its data say without noise.
    pub truth: Vec<Vec<Reading>>,
}

/// Compares periods; `study` is the newest's.
pub fn evaluate(study: &Study, compared: Compared) -> Evaluated {
    let Compared { periods, left_out, readings, truth } = compared;
    let asked = study.evaluation();
    let named = |watched: &Watched| asked.is_some_and(|asked| asked.watch.contains(watched));
    let all = readings.last().map_or(&[][..], Vec::as_slice);
    let (first, rest): (Vec<&Reading>, Vec<&Reading>) =
        all.iter().partition(|reading| named(&reading.watched));
    let order = first.into_iter().chain(rest);
    let rows: Vec<Row> = order
        .map(|reading| row(reading, named(&reading.watched), &periods, (&readings, &truth)))
        .collect();
    let mut verdict =
        verdict(asked.map_or(&[][..], |asked| asked.stop_if.as_slice()), &rows, &periods);
    if let Some(newest) = left_out.iter().max_by_key(|out| &out.from)
        && periods.iter().all(|period| period.from < newest.from)
    {
        verdict.words.push_str(" The newest period is withheld and not in this.");
    }
    Evaluated {
        format: FORMAT,
        title: study.title().to_owned(),
        began: asked.map(|asked| asked.began.clone()),
        periods,
        left_out,
        rows,
        verdict,
    }
}

fn row(
    reading: &Reading,
    named: bool,
    periods: &[Period],
    (readings, truth): (&[Vec<Reading>], &[Vec<Reading>]),
) -> Row {
    let of = |period: &Vec<Reading>| {
        period.iter().find(|r| r.watched == reading.watched).and_then(|r| r.estimate)
    };
    let values: Vec<Option<Estimate>> = readings.iter().map(of).collect();
    // A release that does not say it, because noise hides it, is not waited for: that depends on the noise, hardly on what
    // moved.
    let said = |value: &Option<Estimate>| value.filter(|value| value.interval.is_some());
    let side = |compensated: bool| {
        let each = periods.iter().zip(&values).filter(|(p, _)| p.compensated == compensated);
        mean(&each.filter_map(|(_, value)| said(value)).collect::<Vec<Estimate>>())
    };
    let ends = match values.as_slice() {
        [first, .., last] => first.zip(*last),
        _ => None,
    };
    Row {
        watched: reading.watched.to_string(),
        label: reading.label.clone(),
        unit: reading.unit.clone(),
        named,
        drift: ends.map(|(first, last)| difference(last, first)),
        moved: side(true).zip(side(false)).map(|(after, before)| difference(after, before)),
        truth: truth.iter().map(|period| of(period).map(|e| e.value)).collect(),
        values,
    }
}

/// Whether a rule holds, and what was found.
fn judge(rule: &Rule, row: &Row, both: bool) -> (bool, String) {
    let Some((moved, (low, high))) = row.moved.and_then(|moved| Some((moved, moved.interval?)))
    else {
        let why = if both {
            "noise hides it in all releases before, or in all since"
        } else {
            "there are no periods on both sides to compare"
        };
        return (false, why.to_owned());
    };
    let holds = match rule.way {
        Way::Rises => low > rule.by,
        Way::Falls => high < -rule.by,
    };
    let found =
        format!("{} by {:+.2} ({:+.2} to {:+.2}) {}", row.label, moved.value, low, high, row.unit);
    (holds, format!("found: {}", found.replace('-', "−")))
}

fn verdict(rules: &[Rule], rows: &[Row], periods: &[Period]) -> Verdict {
    let both = periods.iter().any(|p| p.compensated) && periods.iter().any(|p| !p.compensated);
    let mut told = Vec::new();
    let mut held = Vec::new();
    for rule in rules {
        let name = rule.watched.to_string();
        let Some(row) = rows.iter().find(|row| row.watched == name) else { continue };
        let (holds, found) = judge(rule, row, both);
        let is = if holds { "holds" } else { "does not hold" };
        told.push(format!("“{rule}” {is}; {found}."));
        if holds {
            held.push(format!("“{rule}” holds"));
        }
    }
    let words = match (rules.is_empty(), both, held.is_empty()) {
        (true, ..) => "Go on: the study states no rule to stop by.".to_owned(),
        (_, false, _) => {
            "Nothing to judge yet: there are no periods both before and since compensation began."
                .to_owned()
        }
        (.., true) => "Go on: no rule to stop by holds.".to_owned(),
        _ => format!("Stop, because {}.", held.join(", and ")),
    };
    Verdict { stop: !held.is_empty(), rules: told, words }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn around(value: f64, half: f64) -> Estimate {
        Estimate { value, interval: Some((value - half, value + half)) }
    }

    #[test]
    fn differences_count_the_noise_of_both() {
        let found = difference(around(5.0, 3.0), around(1.0, 4.0));
        assert_eq!(found, around(4.0, 5.0));
        let lost = Estimate { interval: None, ..around(1.0, 0.0) };
        assert_eq!(difference(around(5.0, 3.0), lost).interval, None);
        let pooled = mean(&[around(1.0, 2.0), around(3.0, 2.0)]).unwrap();
        assert!((pooled.interval.unwrap().1 - 2.0 - 2.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(mean(&[]), None);
    }

    /// 2,000 draws: coverage has an sd of 0.5 points.
    #[test]
    fn differences_cover_what_moved() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let mut hits = 0_u32;
        for _ in 0..2_000 {
            let mut draw = |centre: f64, sd: f64| {
                let normal: f64 = StandardNormal.sample(&mut rng);
                around(centre + sd * normal, 1.959_964 * sd)
            };
            let before = mean(&[draw(1.0, 0.4), draw(1.2, 0.6)]).unwrap();
            let after = mean(&[draw(2.0, 0.3), draw(2.2, 0.3), draw(1.8, 0.5)]).unwrap();
            let (low, high) = difference(after, before).interval.unwrap();
            hits += u32::from(low <= 0.9 && 0.9 <= high);
        }
        assert!((1_860..=1_940).contains(&hits), "{hits}");
    }

    fn evaluated(values: [f64; 3], half: f64, rule: &str) -> Evaluated {
        let text = include_str!("../../configs/studies/equity-value.toml");
        let (text, _) = text.split_once("\n[evaluation]").unwrap();
        let study = Study::parse(&format!(
            "{text}\n[evaluation]\nbegan = \"2026-10-01\"\nwatch = [\"outcome\"]\nstop_if = [\"{rule}\"]\n"
        ))
        .unwrap();
        let readings = values.map(|value| {
            vec![Reading {
                watched: Watched::Outcome,
                label: "Care".to_owned(),
                unit: "points".to_owned(),
                estimate: Some(around(value, half)),
            }]
        });
        let period = |compensated| Period {
            from: "2026-07-01".to_owned(),
            to: "2026-10-01".to_owned(),
            compensated,
            kappa: 3.0,
            width_ratio: Some(1.2),
        };
        let periods = vec![period(false), period(true), period(true)];
        evaluate(&study, Compared { periods, readings: readings.to_vec(), ..Compared::default() })
    }

    #[test]
    fn a_rule_holds_only_if_the_whole_interval_is_beyond() {
        let fell = evaluated([36.0, 35.0, 35.0], 0.2, "outcome falls by 0.5");
        assert!(fell.verdict.stop);
        assert_eq!(fell.verdict.words, "Stop, because “outcome falls by 0.5” holds.");
        assert!(fell.verdict.rules[0].contains("Care by −1.00 (−1.24 to −0.76) points"));
        let unsure = evaluated([36.0, 35.0, 35.0], 0.8, "outcome falls by 0.5");
        assert!(!unsure.verdict.stop);
        assert_eq!(unsure.verdict.words, "Go on: no rule to stop by holds.");
        assert!(!evaluated([36.0, 37.0, 37.0], 0.2, "outcome falls by 0").verdict.stop);
        assert!(evaluated([36.0, 37.0, 37.0], 0.2, "outcome rises by 0.7").verdict.stop);
        let row = &fell.rows[0];
        assert!(row.named && (row.drift.unwrap().value + 1.0).abs() < 1e-12);
    }
}
