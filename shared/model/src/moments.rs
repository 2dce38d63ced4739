//! Moments: an opened aggregate read back into named numbers, each with its noise.
//!
//! ```text
//! natural = quanta / (C_int · scale)         scale of its block, from the layout
//! sd      = √(|U3|·s² + n/3) / (C_int · scale)
//! ```
//! The noise is the realised one: |U3| sites added theirs, more than privacy was accounted with. n/3
//! bounds what truncation toward zero adds. Off the diagonal of A the √2 of svec halves the variance.
use crate::ModelError;
use crate::gram::{
    Frame, Gram, GramNoise, GramSums, GroupNoise, GroupSums, Inputs, Later, Predicted,
};
use nalgebra::{DMatrix, DVector};
use tacit_shared::id::SiteIndex;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::layout::{Block, Layout, Part};
use tacit_shared::summary::contribution::CLIP;

/// A number and the standard deviation of the noise in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noisy {
    /// The number as released.
    pub value: f64,
    /// Standard deviation of its noise.
    pub sd: f64,
}

/// Why an aggregate is not one of the plan.
#[derive(Debug, thiserror::Error)]
pub enum MomentsError {
    /// Another length than the layout's.
    #[error("{found} numbers; the study's layout has {expected}")]
    Length {
        /// Numbers of the aggregate.
        found: usize,
        /// Numbers of the layout.
        expected: usize,
    },
    /// The layout has no such block, which a sound plan does not give.
    #[error("the layout has no block {part:?}")]
    Block {
        /// The block.
        part: Part,
    },
    /// The numbers are no inputs of a model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What one release says. Only [`Moments::of`] makes it.
#[derive(Clone, Debug)]
pub struct Moments {
    inputs: Inputs,
    sites: Vec<SiteIndex>,
    rows_capped: Noisy,
    residuals_cut: Noisy,
    excluded_shares: Noisy,
    bins: Vec<(Vec<f64>, f64)>,
}

impl Moments {
    /// Reads an aggregate by the layout of its plan.
    ///
    /// # Errors
    /// [`MomentsError`] if the aggregate is another plan's.
    pub fn of(plan: &Plan, aggregate: &Aggregate) -> Result<Self, MomentsError> {
        let reader = Reader::new(plan, aggregate)?;
        let layout = plan.layout();
        let sites: Vec<SiteIndex> = aggregate.survivors().iter().copied().collect();
        let groups = (1..=layout.groups()).map(|g| reader.group(g)).collect::<Result<_, _>>()?;
        let site_sums = sites.iter().map(|s| reader.site(*s)).collect::<Result<_, _>>()?;
        let inputs = Inputs::new(reader.gram()?, reader.group(0)?, groups, site_sums)?;
        let (rows_capped, residuals_cut) =
            (reader.one(Part::RowsCapped)?, reader.one(Part::ResidualsCut)?);
        let excluded_shares = reader.one(Part::ExcludedShare)?;
        let bins = reader.bins()?;
        Ok(Self { inputs, sites, rows_capped, residuals_cut, excluded_shares, bins })
    }

    /// The sums a model reads; sites in the order of [`Moments::sites`].
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The sites in the sum, ascending.
    pub fn sites(&self) -> &[SiteIndex] {
        &self.sites
    }

    /// Clinicians whose row was shrunk to the norm cap.
    pub fn rows_capped(&self) -> Noisy {
        self.rows_capped
    }

    /// Clinicians whose outcome was cut to the residual bound.
    pub fn residuals_cut(&self) -> Noisy {
        self.residuals_cut
    }

    /// Clinicians in each bin of each histogram, with the standard deviation of the noise of a bin.
    pub fn bins(&self) -> &[(Vec<f64>, f64)] {
        &self.bins
    }

    /// Over all clinicians, the share of their encounters that each excluded: over the heads, the mean share.
    pub fn excluded_shares(&self) -> Noisy {
        self.excluded_shares
    }
}

struct Reader<'a> {
    layout: &'a Layout,
    sum: &'a [i64],
    /// Standard deviation of a coordinate, in quanta.
    sd: f64,
}

#[expect(clippy::cast_precision_loss, reason = "2^24, and noise far below 2^53")]
impl<'a> Reader<'a> {
    fn new(plan: &'a Plan, aggregate: &'a Aggregate) -> Result<Self, MomentsError> {
        let (layout, sum) = (plan.layout(), aggregate.sum());
        if sum.len() != layout.dimension() {
            let (found, expected) = (sum.len(), layout.dimension());
            return Err(MomentsError::Length { found, expected });
        }
        let survivors = u32::try_from(aggregate.survivors().len()).unwrap_or(u32::MAX);
        let mut reader = Self { layout, sum, sd: 0.0 };
        let heads = reader.one(Part::GroupHeads(0))?.value.max(0.0);
        reader.sd = (plan.noise().actual_variance(survivors) as f64 + heads / 3.0).sqrt();
        Ok(reader)
    }

    fn block(&self, part: Part) -> Result<(&Block, &'a [i64]), MomentsError> {
        let block = self.layout.block(part).ok_or(MomentsError::Block { part })?;
        let end = block.start.saturating_add(block.length);
        let run = self.sum.get(block.start..end).ok_or(MomentsError::Block { part })?;
        Ok((block, run))
    }

    fn natural(block: &Block, quanta: i64) -> f64 {
        quanta as f64 / (CLIP as f64 * block.scale)
    }

    fn sd_of(&self, block: &Block) -> f64 {
        self.sd / (CLIP as f64 * block.scale)
    }

    fn one(&self, part: Part) -> Result<Noisy, MomentsError> {
        let (block, run) = self.block(part)?;
        let quanta = run.first().copied().ok_or(MomentsError::Block { part })?;
        Ok(Noisy { value: Self::natural(block, quanta), sd: self.sd_of(block) })
    }

    fn vector(&self, part: Part) -> Result<(DVector<f64>, f64), MomentsError> {
        let (block, run) = self.block(part)?;
        let values = run.iter().map(|quanta| Self::natural(block, *quanta));
        Ok((DVector::from_iterator(run.len(), values), self.sd_of(block)))
    }

    fn gram(&self) -> Result<Gram, MomentsError> {
        let (triangle, sd_a) = self.vector(Part::Matrix)?;
        let (b, sd_b) = self.vector(Part::Moment)?;
        let q = self.one(Part::Square)?;
        let sums = GramSums { a: symmetric(&triangle, b.len()), b, q: q.value };
        let noise = GramNoise { tau2: sd_a * sd_a, vb: sd_b * sd_b, vq: q.sd * q.sd };
        let gram = Gram::new(sums, noise, frame(self.layout))?;
        if self.layout.family().is_additive() {
            return Ok(gram);
        }
        // Rows are weighted by √v, so the matrix does not count them.
        Ok(gram.of_rows(self.one(Part::GroupHeads(0))?.value))
    }

    fn bins(&self) -> Result<Vec<(Vec<f64>, f64)>, MomentsError> {
        let is_bins = |block: &&Block| matches!(block.part, Part::Bins(_));
        let read = |block: &Block| {
            let (bins, sd) = self.vector(block.part)?;
            Ok((bins.iter().copied().collect(), sd))
        };
        self.layout.blocks().iter().filter(is_bins).map(read).collect()
    }

    /// The weight is the first feature: W leaves the intercept as it is, so x̃₁ = s. Rows of counts and shares are
    /// weighted by √v besides, which says nothing of how many there are: there it is the heads.
    fn sums(&self, heads: Noisy, residual: Noisy, (x, sd_x): (DVector<f64>, f64)) -> GroupSums {
        let first = Noisy { value: x.iter().next().copied().unwrap_or(0.0), sd: sd_x };
        let weight = if self.layout.family().is_additive() { first } else { heads };
        let noise =
            GroupNoise { heads: heads.sd, weight: weight.sd, residual: residual.sd, x: sd_x };
        let (heads, residual) = (heads.value, residual.value);
        GroupSums { heads, weight: weight.value, residual, x, noise, later: Later::default() }
    }

    fn group(&self, group: usize) -> Result<GroupSums, MomentsError> {
        let heads = self.one(Part::GroupHeads(group))?;
        let residual = self.one(Part::GroupResidual(group))?;
        let mut sums = self.sums(heads, residual, self.vector(Part::GroupFeatures(group))?);
        sums.later.predicted = self.predicted(Part::GroupLabour(group), 0.5)?;
        if self.layout.block(Part::GroupDirection(group)).is_some() {
            let (along, along_sd) = self.vector(Part::GroupDirection(group))?;
            sums.later.along = along.iter().copied().collect();
            sums.later.along_sd = along_sd;
        }
        Ok(sums)
    }

    fn site(&self, site: SiteIndex) -> Result<GroupSums, MomentsError> {
        let heads = self.one(Part::SiteHeads(site))?;
        let residual = self.one(Part::SiteResidual(site))?;
        let mut sums = self.sums(heads, residual, self.vector(Part::SiteFeatures(site))?);
        sums.later.predicted = self.predicted(Part::SiteLabour(site), self.layout.typical())?;
        let own = |block: &&Block| matches!(block.part, Part::SiteGroupHeads(s, _) if s == site);
        for block in self.layout.blocks().iter().filter(own) {
            let Noisy { value, sd } = self.one(block.part)?;
            sums.later.members.push(value);
            sums.later.members_sd = sd;
        }
        Ok(sums)
    }

    /// What the earlier formula predicts, where the release says it.
    fn predicted(&self, part: Part, base: f64) -> Result<Option<Predicted>, MomentsError> {
        if self.layout.block(part).is_none() {
            return Ok(None);
        }
        let Noisy { value: sum, sd } = self.one(part)?;
        Ok(Some(Predicted { sum, sd, base }))
    }
}

/// W and b₀ of a layout.
pub fn frame(layout: &Layout) -> Frame {
    let columns = layout.whitening();
    let p = columns.len();
    let entry = |row: usize, column: usize| columns.get(column).and_then(|c| c.get(row)).copied();
    let w = DMatrix::from_fn(p, p, |row, column| entry(row, column).unwrap_or(0.0));
    Frame { w, b0: DVector::from_column_slice(layout.prior()) }
}

/// The symmetric matrix whose upper triangle, by columns and with √2 off the diagonal, is given.
fn symmetric(triangle: &DVector<f64>, p: usize) -> DMatrix<f64> {
    let mut matrix = DMatrix::zeros(p, p);
    let entries = (0..p).flat_map(|j| (0..=j).map(move |i| (i, j)));
    for ((i, j), value) in entries.zip(triangle.iter()) {
        let value = if i == j { *value } else { value / std::f64::consts::SQRT_2 };
        for position in [(i, j), (j, i)] {
            if let Some(entry) = matrix.get_mut(position) {
                *entry = value;
            }
        }
    }
    matrix
}
