//! The book of proposed billing codes: which row of the design stands for each, and how often each is expected.
//!
//! ```text
//! x_c        the level's dummy, the midpoints of its time and acuity bands, everything else at everybody's mean
//! number_c   N_l · mean volume of the line · units a period · share of the time band · share of the acuity band
//! ```
//! Everybody's mean and a line's mean volume are read off the Gram matrix, weighted by s². Without a
//! volume feature the number is of clinicians, and an amount is per clinician and period.
use super::labour::Labour;
use crate::model::ModelError;
use crate::model::gram::Gram;
use crate::model::levels::Levels;
use nalgebra::DVector;
use std::ops::Range;
use tacit_shared::id::FeatureId;
use tacit_shared::study::Study;
use tacit_shared::study::codes::Band;
use tacit_shared::study::schema::Schema;

/// One code.
#[derive(Clone, Debug)]
pub struct Code {
    /// The code.
    pub name: String,
    /// The level of the factor.
    pub level: FeatureId,
    /// The time band.
    pub time: Band,
    /// The acuity band.
    pub acuity: Band,
    /// Which level, from 0; the reference is 0.
    line: usize,
    /// Columns that the code sets, with their scaled values.
    set: Vec<(usize, f64)>,
}

impl Code {
    /// The row of the design that stands for the code.
    pub fn row(&self, typical: &[f64]) -> Vec<f64> {
        let mut row = typical.to_vec();
        for (at, value) in &self.set {
            if let Some(entry) = row.get_mut(*at) {
                *entry = *value;
            }
        }
        row
    }
}

/// The volume feature: its column, centre and half range, and how many of its units the period has.
#[derive(Clone, Copy, Debug)]
struct Volume {
    column: usize,
    centre: f64,
    half_range: f64,
    units: f64,
}

/// All codes of a study.
#[derive(Clone, Debug)]
pub struct CodeBook {
    codes: Vec<Code>,
    levels: Levels,
    volume: Option<Volume>,
    /// `W⁻¹e_j` of every column: no draw changes W.
    columns: Vec<DVector<f64>>,
}

impl CodeBook {
    /// The book of a study in the frame of a release; `None` if the study has no codes.
    ///
    /// # Errors
    /// [`ModelError`] if the release is of another design.
    pub fn new(study: &Study, gram: &Gram) -> Result<Option<Self>, ModelError> {
        let Some(rule) = study.codes() else { return Ok(None) };
        let schema = study.schema();
        let at = |id: &FeatureId| columns_of(schema, id);
        let dummies = at(&rule.factor);
        let scaled = |id: &FeatureId, value: f64| {
            let feature = schema.features.iter().find(|feature| feature.id == *id);
            feature.map_or(0.0, |f| (value - f.centre) / ((f.high - f.low) / 2.0))
        };
        let mut codes = Vec::new();
        let factor = schema.features.iter().find(|feature| feature.id == rule.factor);
        for (line, level) in factor.into_iter().flat_map(|f| &f.levels).enumerate() {
            for (i, time) in rule.times().into_iter().enumerate() {
                for (j, acuity) in rule.acuities().into_iter().enumerate() {
                    let own = |(k, at)| (at, if k + 1 == line { 1.0 } else { 0.0 });
                    let mut set: Vec<(usize, f64)> = dummies.clone().enumerate().map(own).collect();
                    set.push((at(&rule.time).start, scaled(&rule.time, time.midpoint())));
                    set.push((at(&rule.acuity).start, scaled(&rule.acuity, acuity.midpoint())));
                    let name = rule.name(level, i, j);
                    codes.push(Code { name, level: level.clone(), time, acuity, line, set });
                }
            }
        }
        let volume = rule.volume.as_ref().and_then(|id| {
            let feature = schema.features.iter().find(|feature| feature.id == *id)?;
            let half_range = (feature.high - feature.low) / 2.0;
            let column = at(id).start;
            Some(Volume { column, centre: feature.centre, half_range, units: rule.volume_units })
        });
        let levels = Levels::new(gram, &dummies.collect::<Vec<_>>())?;
        let columns = (0..schema.width()).map(|j| gram.column(j)).collect::<Result<_, _>>()?;
        Ok(Some(Self { codes, levels, volume, columns }))
    }

    /// The codes, by level, time and acuity.
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// The service lines.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Whether numbers are of encounters; otherwise of clinicians.
    pub fn counts_encounters(&self) -> bool {
        self.volume.is_some()
    }

    /// Everybody's mean row in units of the columns; the constant is 1.
    pub fn typical(&self, gram: &Gram) -> Vec<f64> {
        let row = &gram.sums().a * gram.unit();
        let weight = row.dot(gram.unit());
        let mean = |a: &DVector<f64>| if weight > 0.0 { a.dot(&row) / weight } else { 0.0 };
        self.columns.iter().map(mean).collect()
    }

    /// How often each code is expected in the period.
    pub fn numbers(&self, gram: &Gram, lines: &[Labour]) -> Vec<f64> {
        let each = self.volume_per_head(gram);
        let of = |code: &Code| {
            let heads = lines.get(code.line).map_or(0.0, |line| line.heads);
            let per_head = each.get(code.line).copied().unwrap_or(0.0);
            heads * per_head * code.time.share * code.acuity.share
        };
        self.codes.iter().map(of).collect()
    }

    /// Encounters of a clinician of each line in the period; 1 without a volume feature.
    fn volume_per_head(&self, gram: &Gram) -> Vec<f64> {
        let column = self.volume.and_then(|volume| self.columns.get(volume.column));
        let (Some(volume), Some(column)) = (self.volume, column) else {
            return vec![1.0; self.levels.len()];
        };
        let sums = self.levels.sums_along(gram, column);
        let weights = self.levels.weights(gram);
        let of = |(sum, weight): (f64, &crate::model::measure::Figure)| {
            let scaled = if weight.value > 0.0 { sum / weight.value } else { 0.0 };
            // No volume below the bound or above it: what lies there is noise.
            let scaled = scaled.clamp(-1.0, 1.0);
            (volume.centre + volume.half_range * scaled).max(0.0) * volume.units
        };
        sums.into_iter().zip(&weights).map(of).collect()
    }
}

/// The columns of a feature, counted from the intercept's 0; empty if there is none of that name.
pub fn columns_of(schema: &Schema, id: &FeatureId) -> Range<usize> {
    let mut start = 1_usize;
    for feature in &schema.features {
        let width = feature.levels.len().saturating_sub(1).max(1);
        if feature.id == *id {
            return start..start.saturating_add(width);
        }
        start = start.saturating_add(width);
    }
    0..0
}
