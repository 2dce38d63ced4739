//! Sums of a plain table in two passes, so that the rows are never held.
//!
//! ```text
//! pass 1   mean m_j, spread s_j, range of every column            Welford's update, weights w
//! pass 2   x̃ = (1, (x_j − m_j)/s_j)    r = y − ȳ    A = Σ w x̃x̃ᵀ    b = Σ w x̃ r    q = Σ w r²
//! ```
//! Centring and scaling first keeps the digits of columns like years or cents; to the rest of the model
//! it is a [`Frame`], so the same code reads tables and releases. Columns that depend on each other are
//! found by Cholesky on the scaled matrix: a pivot is 1 − R² of its column given those before it.
//! Reading a file is the command's work.
use nalgebra::{DMatrix, DVector};

use super::ModelError;
use super::gram::{Frame, Gram, GramNoise, GramSums, GroupNoise, GroupSums, Inputs, Later, float};

/// Least 1 − R² of a column given those before it.
const LEAST_PIVOT: f64 = 1e-10;
/// Rows that are summed at a time; also keeps rounding errors from growing with the table.
const CHUNK: usize = 256;

/// One row as the model sees it.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The covariates without the constant.
    pub covariates: &'a [f64],
    /// The outcome.
    pub outcome: f64,
    /// Its weight, above 0.
    pub weight: f64,
    /// 0 or 1 for each group.
    pub groups: &'a [f64],
    /// The site, counted from 0 in the order of appearance.
    pub site: Option<usize>,
}

/// Mean, spread and range of one column.
#[derive(Clone, Copy)]
pub struct Column {
    /// Weighted mean.
    pub mean: f64,
    /// Weighted sum of squares about the mean.
    squares: f64,
    /// Least value.
    pub least: f64,
    /// Greatest value.
    pub most: f64,
}

impl Column {
    const EMPTY: Self =
        Self { mean: 0.0, squares: 0.0, least: f64::INFINITY, most: f64::NEG_INFINITY };

    fn add(&mut self, value: f64, weight: f64, total: f64) {
        let before = value - self.mean;
        self.mean += before * weight / total;
        self.squares += weight * before * (value - self.mean);
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }

    /// Whether the column tells no row from another, to the digits a number has.
    pub fn is_constant(&self) -> bool {
        let size = self.least.abs().max(self.most.abs());
        (self.most - self.least).is_nan() || self.most - self.least <= 1e-13 * size
    }

    /// Whether its differences are so small or large that their squares lose digits.
    pub fn is_out_of_scale(&self) -> bool {
        !(1e-200..=1e280).contains(&self.squares)
    }
}

/// What the first pass learns.
#[derive(Clone)]
pub struct Profile {
    rows: u64,
    weight: f64,
    columns: Vec<Column>,
    outcome: Column,
    members: Vec<u64>,
}

impl Profile {
    /// Of a table with so many covariates and groups, before its first row.
    pub fn new(covariates: usize, groups: usize) -> Self {
        Self {
            rows: 0,
            weight: 0.0,
            columns: vec![Column::EMPTY; covariates],
            outcome: Column::EMPTY,
            members: vec![0; groups],
        }
    }

    /// Takes a row in.
    pub fn add(&mut self, row: &Row<'_>) {
        self.rows = self.rows.saturating_add(1);
        self.weight += row.weight;
        for (column, value) in self.columns.iter_mut().zip(row.covariates) {
            column.add(*value, row.weight, self.weight);
        }
        self.outcome.add(row.outcome, row.weight, self.weight);
        for (members, flag) in self.members.iter_mut().zip(row.groups) {
            *members = members.saturating_add(u64::from(*flag > 0.0));
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The covariates, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The outcome.
    pub fn outcome(&self) -> &Column {
        &self.outcome
    }

    /// Rows of each group.
    pub fn members(&self) -> &[u64] {
        &self.members
    }

    /// Σ w.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    fn spread(&self, column: &Column) -> f64 {
        let spread = (column.squares / self.weight).sqrt();
        if spread > 0.0 && spread.is_finite() { spread } else { 1.0 }
    }

    /// The scaled row (1, (x − m)/s) into `scaled`, p.
    pub fn scale(&self, covariates: &[f64], scaled: &mut [f64]) {
        let mut entries = scaled.iter_mut();
        if let Some(first) = entries.next() {
            *first = 1.0;
        }
        for ((entry, value), column) in entries.zip(covariates).zip(&self.columns) {
            *entry = (value - column.mean) / self.spread(column);
        }
    }

    /// W with x̃ = x W, and b0 = (`level`, 0, …).
    pub fn frame(&self, level: f64) -> Frame {
        let p = self.columns.len().saturating_add(1);
        let mut w = DMatrix::identity(p, p);
        let mut columns = w.column_iter_mut();
        columns.next();
        for ((mut entries, column), at) in columns.zip(&self.columns).zip(1..) {
            let spread = self.spread(column);
            if let Some(entry) = entries.get_mut(0) {
                *entry = -column.mean / spread;
            }
            if let Some(entry) = entries.get_mut(at) {
                *entry = 1.0 / spread;
            }
        }
        let mut b0 = DVector::zeros(p);
        if let Some(entry) = b0.get_mut(0) {
            *entry = level;
        }
        Frame { w, b0 }
    }
}

/// All that a fit without noise needs of a table.
#[derive(Clone, Debug)]
pub struct TableSums {
    /// Gram, everybody, groups and sites; exact. Weights count as Σ s of a release.
    pub inputs: Inputs,
    /// Number of rows.
    pub rows: f64,
    /// Σ w over the rows that two groups share, K×K.
    pub shared: DMatrix<f64>,
    /// Σ w over the rows of a group at a site, K×S.
    pub at_site: DMatrix<f64>,
}

/// The second pass.
pub struct Summation<'a> {
    profile: &'a Profile,
    chunk: DMatrix<f64>,
    residuals: DVector<f64>,
    filled: usize,
    scaled: Vec<f64>,
    sums: GramSums,
    rows: u64,
    all: GroupSums,
    groups: Vec<GroupSums>,
    sites: Vec<GroupSums>,
    shared: DMatrix<f64>,
    at_site: DMatrix<f64>,
}

impl<'a> Summation<'a> {
    /// Of the table of this profile, at so many sites.
    pub fn new(profile: &'a Profile, sites: usize) -> Self {
        let (p, k) = (profile.columns.len().saturating_add(1), profile.members.len());
        let empty = GroupSums {
            heads: 0.0,
            weight: 0.0,
            residual: 0.0,
            x: DVector::zeros(p),
            noise: GroupNoise::default(),
            later: Later::default(),
        };
        Self {
            profile,
            chunk: DMatrix::zeros(p, CHUNK),
            residuals: DVector::zeros(CHUNK),
            filled: 0,
            scaled: vec![0.0; p],
            sums: GramSums { a: DMatrix::zeros(p, p), b: DVector::zeros(p), q: 0.0 },
            rows: 0,
            all: empty.clone(),
            groups: vec![empty.clone(); k],
            sites: vec![empty; sites],
            shared: DMatrix::zeros(k, k),
            at_site: DMatrix::zeros(k, sites),
        }
    }

    /// Takes a row in.
    pub fn add(&mut self, row: &Row<'_>) {
        self.rows = self.rows.saturating_add(1);
        self.profile.scale(row.covariates, &mut self.scaled);
        let residual = row.outcome - self.profile.outcome.mean;
        let root = row.weight.sqrt();
        for (entry, value) in self.chunk.column_mut(self.filled).iter_mut().zip(&self.scaled) {
            *entry = root * value;
        }
        if let Some(entry) = self.residuals.get_mut(self.filled) {
            *entry = root * residual;
        }
        self.filled = self.filled.saturating_add(1);
        self.add_to_parts(row, residual);
        if self.filled == CHUNK {
            self.flush();
        }
    }

    fn add_to_parts(&mut self, row: &Row<'_>, residual: f64) {
        let (scaled, weight) = (&self.scaled, row.weight);
        add(&mut self.all, scaled, residual, weight);
        if let Some(sums) = row.site.and_then(|site| self.sites.get_mut(site)) {
            add(sums, scaled, residual, weight);
        }
        let flags = row.groups.iter().enumerate();
        for ((one, sums), flag) in self.groups.iter_mut().enumerate().zip(row.groups) {
            if *flag <= 0.0 {
                continue;
            }
            add(sums, scaled, residual, weight);
            for (other, flag) in flags.clone() {
                if let Some(entry) = self.shared.get_mut((one, other)) {
                    *entry += flag * weight;
                }
            }
            if let Some(entry) = row.site.and_then(|site| self.at_site.get_mut((one, site))) {
                *entry += weight;
            }
        }
    }

    /// The sums.
    ///
    /// # Errors
    /// [`ModelError::TooFewRows`] unless there are more rows than coefficients,
    /// [`ModelError::Collinear`] with the columns that depend on each other, and as [`Gram::new`].
    pub fn finish(mut self) -> Result<TableSums, ModelError> {
        self.flush();
        let p = self.sums.b.len();
        let rows = float(usize::try_from(self.rows).unwrap_or(usize::MAX));
        if rows <= float(p) {
            return Err(ModelError::TooFewRows { coefficients: p });
        }
        let frame = self.profile.frame(self.profile.outcome.mean);
        let gram = Gram::new(self.sums, GramNoise::default(), frame)?;
        independent(&gram.sums().a)?;
        let inputs = Inputs::new(gram, self.all, self.groups, self.sites)?;
        Ok(TableSums { inputs, rows, shared: self.shared, at_site: self.at_site })
    }

    fn flush(&mut self) {
        let x = self.chunk.columns(0, self.filled);
        let r = self.residuals.rows(0, self.filled);
        self.sums.a += x * x.transpose();
        self.sums.b += x * r;
        self.sums.q += r.norm_squared();
        self.filled = 0;
    }
}

fn add(sums: &mut GroupSums, scaled: &[f64], residual: f64, weight: f64) {
    sums.heads += 1.0;
    sums.weight += weight;
    sums.residual += weight * residual;
    for (sum, value) in sums.x.iter_mut().zip(scaled) {
        *sum += weight * value;
    }
}

/// Checks that no column of a scaled Gram matrix is a linear combination of those before it.
///
/// # Errors
/// [`ModelError::Collinear`] with the first such column and those it is made of.
pub fn independent(a: &DMatrix<f64>) -> Result<(), ModelError> {
    let p = a.nrows();
    // Row j of `factor` is L_j; `inverse` keeps L⁻¹, whose row j holds the combination.
    let mut factor = DMatrix::<f64>::zeros(p, p);
    for j in 0..p {
        let scale = at(a, j, j);
        for k in 0..j {
            let done = factor.row(j).columns(0, k).dot(&factor.row(k).columns(0, k));
            let value = (at(a, j, k) - done) / at(&factor, k, k);
            set(&mut factor, j, k, value);
        }
        let explained = factor.row(j).columns(0, j).norm_squared();
        let left = scale - explained;
        // `>` so that what is not a number counts as dependent.
        if left > LEAST_PIVOT * scale {
            set(&mut factor, j, j, left.sqrt());
        } else {
            return Err(ModelError::Collinear { index: j, of: combination(&factor, j) });
        }
    }
    Ok(())
}

/// The columns before j with a share in the combination that gives column j.
fn combination(factor: &DMatrix<f64>, j: usize) -> Vec<usize> {
    let above = factor.view((0, 0), (j, j)).transpose();
    let right = factor.view((j, 0), (1, j)).transpose();
    let Some(shares) = above.solve_upper_triangular(&right) else { return Vec::new() };
    let largest = shares.amax();
    let counts = |share: &f64| share.abs() > 1e-6 * largest.max(1e-6);
    shares.iter().enumerate().filter(|(_, share)| counts(share)).map(|(at, _)| at).collect()
}

fn at(matrix: &DMatrix<f64>, row: usize, column: usize) -> f64 {
    matrix.get((row, column)).copied().unwrap_or(f64::NAN)
}

fn set(matrix: &mut DMatrix<f64>, row: usize, column: usize, value: f64) {
    if let Some(entry) = matrix.get_mut((row, column)) {
        *entry = value;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
    use super::*;

    fn sums(rows: &[[f64; 4]]) -> Result<TableSums, ModelError> {
        let mut profile = Profile::new(3, 0);
        let row = |row: &[f64; 4], take: &mut dyn FnMut(&Row<'_>)| {
            let covariates = &row[..3];
            take(&Row { covariates, outcome: row[3], weight: 2.0, groups: &[], site: None });
        };
        for one in rows {
            row(one, &mut |row| profile.add(row));
        }
        let mut sums = Summation::new(&profile, 0);
        for one in rows {
            row(one, &mut |row| sums.add(row));
        }
        sums.finish()
    }

    fn rows(count: u32, third: impl Fn(f64, f64) -> f64) -> Vec<[f64; 4]> {
        let row = |at: u32| {
            let (a, b) = (f64::from(at * 7 % 11), f64::from(at * at % 13));
            [a, b, third(a, b), f64::from(at * 5 % 7)]
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn more_rows_than_a_chunk_sum_as_few() {
        // 700 rows are two full chunks and a rest; the sums of squares are p times the weight.
        let sums = sums(&rows(700, |a, b| (a * b).sin())).unwrap();
        let a = &sums.inputs.gram().sums().a;
        assert!((a.diagonal() - DVector::repeat(4, 1_400.0)).amax() < 1e-9);
        assert!((a.column(0).rows(1, 3)).amax() < 1e-9, "centred");
        assert!((&sums.inputs.all().x - a.column(0)).amax() < 1e-9);
        assert!((sums.inputs.all().heads - 700.0).abs() < 1e-12);
    }

    #[test]
    fn a_combination_is_found_with_its_columns() {
        let both = sums(&rows(60, |a, b| 3.0 * a - b + 1e6)).unwrap_err();
        assert_eq!(both, ModelError::Collinear { index: 3, of: vec![1, 2] });
        let one = sums(&rows(60, |_, b| 1e-9 * b)).unwrap_err();
        assert_eq!(one, ModelError::Collinear { index: 3, of: vec![2] });
    }

    #[test]
    fn too_few_rows_are_refused() {
        let few = sums(&rows(4, |a, b| a * b)).unwrap_err();
        assert_eq!(few, ModelError::TooFewRows { coefficients: 4 });
    }

    #[test]
    fn the_frame_leads_back_to_the_columns() {
        let mut profile = Profile::new(1, 0);
        for (x, y) in [(2000.0, 1.0), (2010.0, 2.0), (2040.0, 6.0)] {
            let covariates = &[x];
            profile.add(&Row { covariates, outcome: y, weight: 1.0, groups: &[], site: None });
        }
        let mut scaled = [0.0; 2];
        profile.scale(&[2010.0], &mut scaled);
        let frame = profile.frame(3.0);
        let back = DVector::from_row_slice(&[1.0, 2010.0]).transpose() * &frame.w;
        assert!((back.transpose() - DVector::from_row_slice(&scaled)).amax() < 1e-12);
        assert!((profile.outcome().mean - 3.0).abs() < 1e-12 && (frame.b0[0] - 3.0).abs() < 1e-12);
    }
}
