//! What a release must be, computed a second time in the plainest way.
//!
//! Written from the definition, not from the code: nothing here uses the layout, the contribution or
//! the moments of the programs. [`quanta`] gives the integers of one clinician, [`inputs`] the exact
//! sums that a model would read if there were no privacy.
use dense::{matrix, vector};
use tacit_coordinator::model::ModelError;
use tacit_coordinator::model::gram::{
    Frame, Gram, GramNoise, GramSums, GroupNoise, GroupSums, Inputs, Later, Predicted,
};
use tacit_shared::study::Study;
use tacit_shared::summary::feature::FeatureRow;

/// One clinician as the study sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Scaled columns, intercept first.
    pub x: Vec<f64>,
    /// Scaled outcome.
    pub y: f64,
    /// Membership in each group.
    pub member: Vec<bool>,
    /// The bin in each histogram.
    pub bins: Vec<usize>,
    /// The share of the clinician's encounters that they excluded.
    pub excluded: f64,
    /// The site, counted from 0.
    pub site: usize,
}

impl Row {
    /// The same row, out of the type that guards it.
    pub fn of(row: &FeatureRow, site: usize) -> Self {
        let (x, member) = (row.x().to_vec(), row.member().to_vec());
        let bins = row.bins().to_vec();
        Self { x, y: row.y(), member, bins, excluded: row.excluded(), site }
    }
}

/// Whitened, capped: x̃, its weight, r, shrunk, cut; and what the prior formula says of the row.
struct Capped {
    x: Vec<f64>,
    weight: f64,
    r: f64,
    predicted: f64,
    shrunk: bool,
    cut: bool,
}

/// b₀: the public centre in a first period, what the study states later.
fn prior(study: &Study) -> Vec<f64> {
    let o = &study.schema().outcome;
    let mut first = vec![0.0; study.schema().width()];
    if let Some(level) = first.first_mut() {
        *level = (o.centre - o.low) / (o.high - o.low);
    }
    study.warm().map_or(first, |warm| warm.prior.clone())
}

/// The columns of W, each down to its diagonal.
fn whitening(study: &Study) -> Vec<Vec<f64>> {
    if let Some(warm) = study.warm() {
        return warm.whitening.clone();
    }
    let mut columns = Vec::new();
    for (j, column) in study.schema().columns().iter().enumerate() {
        let mut entries = vec![0.0; j + 1];
        if let Some(last) = entries.last_mut() {
            *last = 1.0 / column.rms.max(0.15);
        }
        columns.push(entries);
    }
    columns
}

fn times(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (a, b) in a.iter().zip(b) {
        sum += a * b;
    }
    sum
}

fn capped(study: &Study, row: &Row) -> Capped {
    let o = &study.schema().outcome;
    let bound = o.residual_bound / (o.high - o.low);
    let mut x: Vec<f64> = whitening(study).iter().map(|column| times(column, &row.x)).collect();
    let weight = (study.privacy().norm_cap / times(&x, &x).sqrt()).min(1.0);
    for value in &mut x {
        *value *= weight;
    }
    let predicted = times(&prior(study), &row.x);
    let residual = row.y - predicted;
    let r = weight * residual.clamp(-bound, bound);
    Capped { x, weight, r, predicted, shrunk: weight < 1.0, cut: residual.abs() > bound }
}

/// x̃·d for each direction d of a later period, no longer than three of its standard deviations.
fn along(study: &Study, x: &[f64]) -> Vec<f64> {
    let directions = study.warm().map_or(&[][..], |warm| &warm.directions);
    directions.iter().map(|d| times(d, x).clamp(-3.0, 3.0)).collect()
}

/// The integers of one clinician among `sites` sites: each block's numbers, times the root of its share
/// over its bound, times 2^24, cut toward zero.
pub fn quanta(study: &Study, sites: usize, row: &Row) -> Vec<i64> {
    let f = &study.privacy().shares;
    let o = &study.schema().outcome;
    let (c, rho) = (study.privacy().norm_cap, o.residual_bound / (o.high - o.low));
    let Capped { x, weight, r, predicted, shrunk, cut } = capped(study, row);
    let along = along(study, &x);
    let flag = |set: bool| if set { 1.0 } else { 0.0 };
    let mut wire = Vec::new();
    for (j, b) in x.iter().enumerate() {
        for a in x.iter().take(j) {
            wire.push((f.matrix.sqrt() / (c * c)) * (2.0_f64.sqrt() * a * b));
        }
        wire.push((f.matrix.sqrt() / (c * c)) * (b * b));
    }
    wire.extend(x.iter().map(|x| (f.moment.sqrt() / (c * rho)) * (x * r)));
    wire.push((f.square.sqrt() / (rho * rho)) * (r * r));
    let groups = study.schema().groups.len() + 1;
    let shared = f64::from(u8::try_from(groups).unwrap_or(u8::MAX)).sqrt();
    let everyone = std::iter::once(true).chain(row.member.iter().copied());
    for inside in everyone.map(flag) {
        wire.push(inside * (f.group_heads.sqrt() / shared));
        wire.push(inside * ((f.group_residual.sqrt() / (shared * rho)) * r));
        wire.extend(x.iter().map(|x| inside * ((f.group_features.sqrt() / (shared * c)) * x)));
        if f.group_labour > 0.0 {
            let labour = weight * (predicted.clamp(0.0, 1.0) - 0.5);
            wire.push(inside * ((f.group_labour.sqrt() / (shared * 0.5)) * labour));
        }
        if f.group_direction > 0.0 {
            let count = f64::from(u8::try_from(along.len()).unwrap_or(u8::MAX));
            let scale = f.group_direction.sqrt() / (shared * 3.0 * count.sqrt());
            wire.extend(along.iter().map(|t| inside * (scale * t)));
        }
    }
    for site in 0..sites {
        let here = flag(site == row.site);
        wire.push(here * f.site_heads.sqrt());
        wire.push(here * ((f.site_residual.sqrt() / rho) * r));
        wire.extend(x.iter().map(|x| here * ((f.site_features.sqrt() / c) * x)));
        if f.site_labour > 0.0 {
            let typical = prior(study).first().copied().unwrap_or(0.0);
            let labour = (predicted - typical).clamp(-0.35, 0.35);
            wire.push(here * ((f.site_labour.sqrt() / 0.35) * labour));
        }
    }
    let weighed = equity_groups(study);
    let many = f64::from(u8::try_from(weighed.len()).unwrap_or(u8::MAX)).sqrt();
    for site in 0..sites {
        for group in &weighed {
            let here = flag(site == row.site && row.member.get(*group) == Some(&true));
            wire.push(here * (f.site_groups.sqrt() / many));
        }
    }
    let asked = &study.schema().histograms;
    let each = f.histograms.sqrt() / f64::from(u8::try_from(asked.len()).unwrap_or(u8::MAX)).sqrt();
    for (histogram, own) in asked.iter().zip(&row.bins) {
        let bins = 0..usize::try_from(histogram.bins).unwrap_or(0);
        wire.extend(bins.map(|bin| flag(bin == *own) * each));
    }
    for value in [flag(shrunk), flag(cut), row.excluded] {
        wire.push(value * (f.meta / 3.0).sqrt());
    }
    #[expect(clippy::cast_possible_truncation, reason = "cutting toward zero is the definition")]
    let cut_toward_zero = |v: f64| (v * 16_777_216.0).trunc() as i64;
    wire.into_iter().map(cut_toward_zero).collect()
}

/// Sums of the integers of many clinicians.
pub fn sum(study: &Study, sites: usize, rows: &[Row]) -> Vec<i64> {
    let mut total: Vec<i64> = Vec::new();
    for row in rows {
        let own = quanta(study, sites, row);
        total.resize(own.len(), 0);
        for (t, x) in total.iter_mut().zip(own) {
            *t += x;
        }
    }
    total
}

/// The groups whose heads at each site the release has: those of an equity rule that weighs sites.
fn equity_groups(study: &Study) -> Vec<usize> {
    let rule = study.allocation().equity.as_ref();
    let rule = rule.filter(|_| study.privacy().shares.site_groups > 0.0);
    let place = |id: &tacit_shared::id::GroupId| {
        study.schema().groups.iter().position(|group| group.id == *id)
    };
    rule.into_iter().flat_map(|rule| &rule.groups).filter_map(place).collect()
}

/// The exact sums a model would read without privacy: the same capped rows, in floats.
///
/// # Errors
/// [`ModelError`] if the rows do not make one.
pub fn inputs(study: &Study, sites: usize, rows: &[Row]) -> Result<Inputs, ModelError> {
    let capped: Vec<(&Row, Capped)> =
        rows.iter().map(|row| (row, self::capped(study, row))).collect();
    let width = study.schema().width();
    let group = |inside: &dyn Fn(&Row) -> bool| {
        let mut sums = part(&capped, width, inside);
        sums.later = of_group(study, &capped, inside);
        sums
    };
    let everyone = group(&|_| true);
    let in_group = |at: usize| group(&|row| row.member.get(at).copied().unwrap_or(false));
    let groups = (0..study.schema().groups.len()).map(in_group).collect();
    let at_site = |site: usize| {
        let mut sums = part(&capped, width, |row| row.site == site);
        sums.later = of_site(study, &capped, site);
        let inside = |group: usize| {
            let here = |row: &Row| row.site == site && row.member.get(group) == Some(&true);
            part(&capped, width, here).heads
        };
        sums.later.members = equity_groups(study).into_iter().map(inside).collect();
        sums
    };
    let sites = (0..sites).map(at_site).collect();
    Inputs::new(gram(study, &capped)?, everyone, groups, sites)
}

/// What a later period sums of a group besides.
fn of_group(study: &Study, capped: &[(&Row, Capped)], inside: &dyn Fn(&Row) -> bool) -> Later {
    let shares = &study.privacy().shares;
    let mut later = Later::default();
    let mut labour = 0.0;
    for (_, row) in capped.iter().filter(|(row, _)| inside(row)) {
        labour += row.weight * (row.predicted.clamp(0.0, 1.0) - 0.5);
        let along = along(study, &row.x);
        later.along.resize(along.len(), 0.0);
        later.along.iter_mut().zip(&along).for_each(|(sum, t)| *sum += t);
    }
    if shares.group_labour > 0.0 {
        later.predicted = Some(Predicted { sum: labour, sd: 0.0, base: 0.5 });
    }
    if shares.group_direction <= 0.0 {
        later.along.clear();
    }
    later
}

/// What a later period sums of a site besides.
fn of_site(study: &Study, capped: &[(&Row, Capped)], site: usize) -> Later {
    let base = prior(study).first().copied().unwrap_or(0.0);
    let mut sum = 0.0;
    for (_, row) in capped.iter().filter(|(row, _)| row.site == site) {
        sum += (row.predicted - base).clamp(-0.35, 0.35);
    }
    let predicted = Predicted { sum, sd: 0.0, base };
    Later {
        predicted: (study.privacy().shares.site_labour > 0.0).then_some(predicted),
        ..Later::default()
    }
}

fn gram(study: &Study, capped: &[(&Row, Capped)]) -> Result<Gram, ModelError> {
    let width = study.schema().width();
    let mut products = vec![vec![0.0; width]; width];
    let mut moments = vec![0.0; width];
    let mut square = 0.0;
    for (_, row) in capped {
        for (line, xi) in products.iter_mut().zip(&row.x) {
            for (entry, xj) in line.iter_mut().zip(&row.x) {
                *entry += xi * xj;
            }
        }
        for (entry, x) in moments.iter_mut().zip(&row.x) {
            *entry += x * row.r;
        }
        square += row.r * row.r;
    }
    let columns = whitening(study);
    let line = |i: usize| columns.iter().map(|c| c.get(i).copied().unwrap_or(0.0)).collect();
    let scaling: Vec<Vec<f64>> = (0..width).map(line).collect();
    Gram::new(
        GramSums { a: matrix(&products), b: vector(&moments), q: square },
        GramNoise::default(),
        Frame { w: matrix(&scaling), b0: vector(&prior(study)) },
    )
}

fn part(capped: &[(&Row, Capped)], width: usize, inside: impl Fn(&Row) -> bool) -> GroupSums {
    let mut sums = GroupSums {
        heads: 0.0,
        weight: 0.0,
        residual: 0.0,
        x: vector(&vec![0.0; width]),
        noise: GroupNoise::default(),
        later: Later::default(),
    };
    for (_, row) in capped.iter().filter(|(row, _)| inside(row)) {
        sums.heads += 1.0;
        sums.residual += row.r;
        for (entry, x) in sums.x.iter_mut().zip(&row.x) {
            *entry += x;
        }
    }
    sums.weight = sums.x.iter().next().copied().unwrap_or(0.0);
    sums
}

/// The model's matrices from plain vectors.
mod dense {
    use nalgebra::{DMatrix, DVector};

    pub(super) fn vector(values: &[f64]) -> DVector<f64> {
        DVector::from_column_slice(values)
    }

    pub(super) fn matrix(rows: &[Vec<f64>]) -> DMatrix<f64> {
        let (n, m) = (rows.len(), rows.first().map_or(0, Vec::len));
        DMatrix::from_row_iterator(n, m, rows.iter().flatten().copied())
    }
}
