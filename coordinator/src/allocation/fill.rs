//! Water-filling: a level k with Σ clip(k·pull, low, high) = budget.
//!
//! The sum is piecewise linear and non-decreasing in k. Its break points are the marks low/pull and
//! high/pull; between two of them the same units rise, so k follows from one division.

/// A unit as a vessel that fills in proportion to the level, between two marks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tank {
    /// Share of the level it takes, 0 to 1.
    pub(super) pull: f64,
    /// Lower mark.
    pub(super) low: f64,
    /// Upper mark, possibly infinite.
    pub(super) high: f64,
}

impl Tank {
    fn content(&self, level: f64) -> f64 {
        if self.pull > 0.0 { (level * self.pull).max(self.low).min(self.high) } else { self.low }
    }
}

/// What each tank holds once `budget` is poured in. The caller has checked that the marks admit it.
pub(super) fn fill(tanks: &[Tank], budget: f64) -> Vec<f64> {
    let at = level(tanks, budget);
    let given: Vec<f64> = tanks.iter().map(|tank| tank.content(at)).collect();
    let left = budget - given.iter().sum::<f64>();
    if left <= 1e-9 * budget.max(1.0) {
        return given;
    }
    // Only tanks without pull, or with immeasurably little, have room left: equal parts.
    let rises: Vec<Tank> = tanks
        .iter()
        .zip(&given)
        .map(|(tank, content)| Tank { pull: 1.0, low: 0.0, high: (tank.high - content).max(0.0) })
        .collect();
    let at = level(&rises, left);
    given.iter().zip(&rises).map(|(content, rise)| content + rise.content(at)).collect()
}

/// The level at which the tanks hold `budget`; the highest useful one if they cannot.
fn level(tanks: &[Tank], budget: f64) -> f64 {
    let mut marks: Vec<f64> = tanks
        .iter()
        .filter(|tank| tank.pull > 0.0)
        .flat_map(|tank| [tank.low / tank.pull, tank.high / tank.pull])
        .filter(|mark| mark.is_finite())
        .collect();
    marks.push(0.0);
    marks.sort_by(f64::total_cmp);
    marks.dedup();
    let held = |level: f64| -> f64 { tanks.iter().map(|tank| tank.content(level)).sum() };
    let above = marks.partition_point(|&mark| held(mark) <= budget);
    let start =
        above.checked_sub(1).and_then(|index| marks.get(index)).copied().unwrap_or_default();
    let end = marks.get(above).copied().unwrap_or(f64::INFINITY);
    // Between two marks the same tanks rise; the others stand at a mark.
    let rises = |tank: &Tank| {
        tank.pull > 0.0 && tank.low / tank.pull <= start && tank.high / tank.pull > start
    };
    let pull: f64 = tanks.iter().filter(|&tank| rises(tank)).map(|tank| tank.pull).sum();
    let standing: f64 =
        tanks.iter().filter(|&tank| !rises(tank)).map(|tank| tank.content(start)).sum();
    if pull > 0.0 { ((budget - standing) / pull).clamp(start, end) } else { start }
}
