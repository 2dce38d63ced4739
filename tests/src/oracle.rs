//! What a release must be, computed a second time in the plainest way.
//!
//! Written from the definition, not from the code: nothing here uses the layout, the contribution or
//! the moments of the programs. [`quanta`] gives the integers of one clinician, [`inputs`] the exact
//! sums that a model would read if there were no privacy.
use dense::{matrix, vector};
use tacit_coordinator::model::ModelError;
use tacit_coordinator::model::gram::{
    Frame, Gram, GramNoise, GramSums, GroupNoise, GroupSums, Inputs, Later,
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
    /// The share of the clinician's encounters that they excluded.
    pub excluded: f64,
    /// The site, counted from 0.
    pub site: usize,
}

impl Row {
    /// The same row, out of the type that guards it.
    pub fn of(row: &FeatureRow, site: usize) -> Self {
        let (x, member) = (row.x().to_vec(), row.member().to_vec());
        Self { x, y: row.y(), member, excluded: row.excluded(), site }
    }
}

/// Whitened, capped: x̃, r, shrunk, cut.
struct Capped {
    x: Vec<f64>,
    r: f64,
    shrunk: bool,
    cut: bool,
}

fn scaled_centre(study: &Study) -> f64 {
    let o = &study.schema().outcome;
    (o.centre - o.low) / (o.high - o.low)
}

fn whitening(study: &Study) -> Vec<f64> {
    study.schema().columns().iter().map(|c| 1.0 / c.rms.max(0.15)).collect()
}

fn capped(study: &Study, row: &Row) -> Capped {
    let o = &study.schema().outcome;
    let bound = o.residual_bound / (o.high - o.low);
    let mut x = row.x.clone();
    for (x, w) in x.iter_mut().zip(whitening(study)) {
        *x *= w;
    }
    let mut norm = 0.0;
    for value in &x {
        norm += value * value;
    }
    let weight = (study.privacy().norm_cap / norm.sqrt()).min(1.0);
    for value in &mut x {
        *value *= weight;
    }
    let residual = row.y - scaled_centre(study);
    let r = weight * residual.clamp(-bound, bound);
    Capped { x, r, shrunk: weight < 1.0, cut: residual.abs() > bound }
}

/// The integers of one clinician among `sites` sites: each block's numbers, times the root of its share
/// over its bound, times 2^24, cut toward zero.
pub fn quanta(study: &Study, sites: usize, row: &Row) -> Vec<i64> {
    let f = &study.privacy().shares;
    let o = &study.schema().outcome;
    let (c, rho) = (study.privacy().norm_cap, o.residual_bound / (o.high - o.low));
    let Capped { x, r, shrunk, cut } = capped(study, row);
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
    }
    for site in 0..sites {
        let here = flag(site == row.site);
        wire.push(here * f.site_heads.sqrt());
        wire.push(here * ((f.site_residual.sqrt() / rho) * r));
        wire.extend(x.iter().map(|x| here * ((f.site_features.sqrt() / c) * x)));
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

/// The exact sums a model would read without privacy: the same capped rows, in floats.
///
/// # Errors
/// [`ModelError`] if the rows do not make one.
pub fn inputs(study: &Study, sites: usize, rows: &[Row]) -> Result<Inputs, ModelError> {
    let capped: Vec<(&Row, Capped)> =
        rows.iter().map(|row| (row, self::capped(study, row))).collect();
    let width = study.schema().width();
    let everyone = part(&capped, width, |_| true);
    let in_group =
        |group: usize| part(&capped, width, |row| row.member.get(group).copied().unwrap_or(false));
    let groups = (0..study.schema().groups.len()).map(in_group).collect();
    let at_site = |site: usize| part(&capped, width, |row| row.site == site);
    let sites = (0..sites).map(at_site).collect();
    Inputs::new(gram(study, &capped)?, everyone, groups, sites)
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
    let diagonal = |(i, w): (usize, &f64)| {
        (0..width).map(|j| if i == j { *w } else { 0.0 }).collect::<Vec<f64>>()
    };
    let scaling: Vec<Vec<f64>> = whitening(study).iter().enumerate().map(diagonal).collect();
    let mut prior = vec![0.0; width];
    if let Some(first) = prior.first_mut() {
        *first = scaled_centre(study);
    }
    Gram::new(
        GramSums { a: matrix(&products), b: vector(&moments), q: square },
        GramNoise::default(),
        Frame { w: matrix(&scaling), b0: vector(&prior) },
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
