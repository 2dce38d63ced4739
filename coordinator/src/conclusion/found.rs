//! The parts of a report on distributions, on hospitals, and on what changed for whom.
use super::means::{self, Level};
use super::parts::{Scene, interval};
use crate::model::histogram::Histogram;
use crate::model::uncertainty::Target;
use crate::report::data::Noisy;
use crate::report::found::{
    ChangePart, HistogramPart, MeanPart, QuantilePart, SiteEffectPart, SitesPart,
};
use tacit_shared::study::schema::Histogram as Asked;
use tacit_shared::study::source::Source;

/// Shares of clinicians whose quantiles are given.
const QUANTILES: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// The edges of a histogram's bins.
fn edges(asked: &Asked) -> Vec<f64> {
    let width = (asked.high - asked.low) / f64::from(asked.bins);
    (0..=asked.bins).map(|at| asked.low + width * f64::from(at)).collect()
}

impl Scene<'_> {
    pub(super) fn histograms(&self) -> Vec<HistogramPart> {
        let asked = self.round.study.schema().histograms.iter();
        let parts = asked.zip(self.moments.bins());
        parts.map(|(asked, (counts, sd))| self.histogram(asked, counts, *sd)).collect()
    }

    fn histogram(&self, asked: &Asked, counts: &[f64], sd: f64) -> HistogramPart {
        let name = asked.id.to_string();
        let truth = self.truth.and_then(|truth| truth.quantiles.get(&name));
        let found = Histogram::of(&edges(asked), counts, sd).ok();
        let quantile = |(at, share): (usize, f64)| {
            let found = found.as_ref()?;
            let exact = found.quantile(share, Target::ExactData).ok()?;
            let population = found.quantile(share, Target::Population).ok()?;
            Some(QuantilePart {
                share,
                value: exact.value,
                exact_data: interval(exact.interval, |value| value),
                population: interval(population.interval, |value| value),
                truth: truth.and_then(|values| values.get(at).copied()),
            })
        };
        HistogramPart {
            name,
            label: asked.label.clone(),
            unit: asked.unit.clone(),
            low: asked.low,
            high: asked.high,
            counts: counts.to_vec(),
            sd,
            quantiles: QUANTILES.into_iter().enumerate().filter_map(quantile).collect(),
        }
    }

    /// `None` where hospitals cannot be told apart, or nothing is printed.
    pub(super) fn sites(&self) -> Option<SitesPart> {
        let additive = self.round.study.family().is_additive();
        let between = self.fitted.between.filter(|_| self.shown() && additive)?;
        let range = self.range();
        let row = |site: &crate::model::SiteResult| {
            let effect = site.effect?;
            Some(SiteEffectPart {
                site: site.name.clone(),
                effect: effect.value * range,
                interval: interval(effect.interval, |value| value * range),
                truth: self.truth.and_then(|truth| truth.sites.get(&site.name).copied()),
            })
        };
        let mut rows: Vec<SiteEffectPart> = self.fitted.sites.iter().filter_map(row).collect();
        rows.sort_by(|a, b| a.site.cmp(&b.site));
        Some(SitesPart { between_points: between.tau2.max(0.0).sqrt() * range, rows })
    }

    /// Where the outcome is a change and a group of the study is what one of its columns marks.
    pub(super) fn change(&self) -> Option<ChangePart> {
        let schema = self.round.study.schema();
        let additive = self.round.study.family().is_additive();
        let of_change = matches!(schema.outcome.source, Source::Change { .. });
        if !(of_change && additive && self.shown()) {
            return None;
        }
        let marked = |source: &Source| {
            let trained = matches!(source, Source::Trained { .. });
            schema.features.iter().find(|f| trained && f.source == *source)
        };
        let mut groups = schema.groups.iter().enumerate();
        let (at, feature, group) = groups.find_map(|(at, g)| Some((at, marked(&g.source)?, g)))?;
        let inputs = self.moments.inputs();
        let part = inputs.group(at).ok()?;
        let rest = inputs.all().without(part);
        let variance = self.fitted.variance();
        let both = means::difference(inputs, part, variance)?;
        let range = self.range();
        Some(ChangePart {
            coefficient: feature.id.to_string(),
            label: group.label.clone(),
            inside: self.mean(means::of(inputs, part, variance)?, (part.heads, part.noise.heads)),
            outside: self.mean(means::of(inputs, &rest, variance)?, (rest.heads, rest.noise.heads)),
            difference: both.value * range,
            interval: interval(both.population(), |value| value * range),
        })
    }

    fn mean(&self, level: Level, (value, sd): (f64, f64)) -> MeanPart {
        let points = |scaled: f64| self.low() + self.range() * scaled;
        MeanPart {
            heads: Noisy { value, sd },
            mean: points(level.value),
            exact_data: interval(level.exact_data(), points),
            population: interval(level.population(), points),
        }
    }
}

/// Quantiles that exact bins give, as a rehearsal knows them; `bins` has the bin of each clinician.
pub fn exact_quantiles(asked: &Asked, bins: impl Iterator<Item = usize>) -> Vec<f64> {
    let mut counts = vec![0.0; usize::try_from(asked.bins).unwrap_or(0)];
    for bin in bins {
        if let Some(count) = counts.get_mut(bin) {
            *count += 1.0;
        }
    }
    let found = Histogram::of(&edges(asked), &counts, 0.0);
    let of = |share| found.as_ref().ok()?.quantile(share, Target::ExactData).ok();
    QUANTILES.into_iter().filter_map(|share| Some(of(share)?.value)).collect()
}
