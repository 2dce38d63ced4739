//! The vector of a first-period release: which numbers stand where, and in which unit.
//!
//! ```text
//! x̃ = s·xW        W = diag(1/max(rms, .15)), s = min(1, c/‖xW‖)         a row weight, from x alone
//! r  = s·clamp(y − b₀, ±ρ)                                              b₀ the outcome's public centre
//! wire = √f₁/c² svec(x̃x̃ᵀ), √f₂/(cρ) x̃r, √f₃/ρ² r², group, site and meta blocks       Σf ≤ 1
//! svec: upper triangle by columns, off-diagonals × √2, so ‖svec(zzᵀ)‖ = ‖z‖²
//! ```
//! Hence ‖wire‖ ≤ 1 whatever the row. A clinician is in "everyone" and in at most all K groups, so a
//! group block is divided by √(K+1); in one site's slot only. Of the three meta numbers each is at most 1 and has a
//! third of their share. Filling the vector is
//! [`crate::summary::contribution`]'s work, reading it the coordinator's.
use super::Study;
use crate::id::SiteIndex;

/// Columns rarer than this are not blown up further: a public guess may be wrong.
const RMS_FLOOR: f64 = 0.15;

/// What a run of numbers is the sum of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// svec(x̃x̃ᵀ), p(p+1)/2 numbers.
    Matrix,
    /// x̃r, p numbers.
    Moment,
    /// r².
    Square,
    /// Heads of a group; group 0 is everyone.
    GroupHeads(usize),
    /// r of a group.
    GroupResidual(usize),
    /// x̃ of a group, p numbers.
    GroupFeatures(usize),
    /// Heads of a site.
    SiteHeads(SiteIndex),
    /// r of a site.
    SiteResidual(SiteIndex),
    /// x̃ of a site, p numbers.
    SiteFeatures(SiteIndex),
    /// Rows shrunk by the norm cap.
    RowsCapped,
    /// Residuals cut at ±ρ.
    ResidualsCut,
    /// e, the share of a clinician's encounters that they excluded, summed over clinicians; each adds 0 to 1.
    ExcludedShare,
}

/// A run of numbers in the vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// What it is the sum of.
    pub part: Part,
    /// Where it starts.
    pub start: usize,
    /// How many numbers.
    pub length: usize,
    /// Wire units in one natural unit.
    pub scale: f64,
}

/// The whole vector, fixed by the study and the number of sites.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    blocks: Vec<Block>,
    dimension: usize,
    whitening: Vec<f64>,
    groups: usize,
    centre: f64,
    cap: f64,
    residual_bound: f64,
}

impl Layout {
    /// The layout of a study among `sites` hospitals.
    pub fn new(study: &Study, sites: &[SiteIndex]) -> Self {
        let schema = study.schema();
        let outcome = &schema.outcome;
        let range = outcome.high - outcome.low;
        let whiten = |rms: f64| 1.0 / rms.max(RMS_FLOOR);
        let mut layout = Self {
            blocks: Vec::new(),
            dimension: 0,
            whitening: schema.columns().iter().map(|column| whiten(column.rms)).collect(),
            groups: schema.groups.len(),
            centre: (outcome.centre - outcome.low) / range,
            cap: study.privacy().norm_cap,
            residual_bound: outcome.residual_bound / range,
        };
        layout.push_all(study, sites);
        layout
    }

    fn push_all(&mut self, study: &Study, sites: &[SiteIndex]) {
        let f = &study.privacy().shares;
        let p = self.whitening.len();
        let (c, rho) = (self.cap, self.residual_bound);
        let triangle = p.saturating_mul(p.saturating_add(1)) / 2;
        self.push(Part::Matrix, triangle, f.matrix.sqrt() / (c * c));
        self.push(Part::Moment, p, f.moment.sqrt() / (c * rho));
        self.push(Part::Square, 1, f.square.sqrt() / (rho * rho));
        #[expect(clippy::cast_precision_loss, reason = "at most GROUPS_MAX + 1")]
        let shared = (self.groups.saturating_add(1) as f64).sqrt();
        for group in 0..=self.groups {
            self.push(Part::GroupHeads(group), 1, f.group_heads.sqrt() / shared);
            self.push(Part::GroupResidual(group), 1, f.group_residual.sqrt() / (shared * rho));
            self.push(Part::GroupFeatures(group), p, f.group_features.sqrt() / (shared * c));
        }
        for &site in sites {
            self.push(Part::SiteHeads(site), 1, f.site_heads.sqrt());
            self.push(Part::SiteResidual(site), 1, f.site_residual.sqrt() / rho);
            self.push(Part::SiteFeatures(site), p, f.site_features.sqrt() / c);
        }
        let meta = (f.meta / 3.0).sqrt();
        self.push(Part::RowsCapped, 1, meta);
        self.push(Part::ResidualsCut, 1, meta);
        self.push(Part::ExcludedShare, 1, meta);
    }

    fn push(&mut self, part: Part, length: usize, scale: f64) {
        self.blocks.push(Block { part, start: self.dimension, length, scale });
        self.dimension = self.dimension.saturating_add(length);
    }

    /// d: how many numbers the vector has.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The runs, in the order of the vector.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The run of a part.
    pub fn block(&self, part: Part) -> Option<&Block> {
        self.blocks.iter().find(|block| block.part == part)
    }

    /// The diagonal of W, one number a column.
    pub fn whitening(&self) -> &[f64] {
        &self.whitening
    }

    /// K: how many groups beside everyone.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// b₀ of the intercept: the outcome's public centre, scaled.
    pub fn centre(&self) -> f64 {
        self.centre
    }

    /// c: the longest whitened row that is not shrunk.
    pub fn cap(&self) -> f64 {
        self.cap
    }

    /// ρ: the largest residual counted, scaled.
    pub fn residual_bound(&self) -> f64 {
        self.residual_bound
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::study::tests::SOUND;

    #[test]
    fn the_blocks_follow_one_another_and_fill_the_vector() {
        let study = Study::parse(SOUND).unwrap();
        let sites: Vec<SiteIndex> = (1..=5).filter_map(SiteIndex::new).collect();
        let layout = Layout::new(&study, &sites);
        // p = 4, one group: 10 + 4 + 1, two group blocks of 6, five site blocks of 6, three of quality.
        assert_eq!(layout.dimension(), 15 + 2 * 6 + 5 * 6 + 3);
        let mut next = 0;
        for block in layout.blocks() {
            assert_eq!(block.start, next);
            next += block.length;
        }
        assert_eq!(next, layout.dimension());
    }
}
