//! What a release says of how hospitals differ, beside what they were made with.
//!
//! ```text
//! truth of a hospital    u_s − Σ n_s u_s / n        the formula's level takes up what they add on average
//! ```
//! An effect counts both noise and who happens to work there, so its truth is what was planted and not what the exact
//! sums show.
use super::{Hospitals, Table};
use tacit_coordinator::model::Fitted;
use tacit_model::gram::float;

/// The effects of the hospitals in one release, judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// For each hospital whether the interval holds what was planted.
    pub held: Vec<bool>,
    /// For each hospital its clinicians, and the estimate less what was planted, scaled units.
    pub errors: Vec<(usize, f64)>,
    /// The standard deviation between hospitals as found, scaled units; `None` where they cannot be told apart.
    pub between: Option<f64>,
}

impl Effects {
    /// Judges a fit of a release of a table.
    pub fn of(table: &Table, hospitals: &Hospitals, fitted: &Fitted) -> Self {
        let added = hospitals.added();
        let of_row = |(site, _): &(usize, _)| added.get(*site).copied().unwrap_or(0.0);
        let level = table.rows.iter().map(of_row).sum::<f64>() / float(table.rows.len());
        let between = fitted.between.map(|between| between.tau2.max(0.0).sqrt());
        let mut effects = Self { between, ..Self::default() };
        for (place, (site, added)) in fitted.sites.iter().zip(added).enumerate() {
            let Some(effect) = site.effect else { continue };
            let planted = added - level;
            effects.held.push(effect.interval.contains(planted));
            let clinicians = table.rows.iter().filter(|(own, _)| *own == place).count();
            effects.errors.push((clinicians, effect.value - planted));
        }
        effects
    }
}
