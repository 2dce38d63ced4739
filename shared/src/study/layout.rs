//! The vector of a release: which numbers stand where, and in which unit.
//!
//! ```text
//! x̃ = s·xW        s = min(1, c/‖xW‖)                                     a row weight, from x alone
//! r  = s·clamp(y − x·b₀, ±ρ)                 of counts and shares: x and r as [`super::family`] puts them
//! wire = √f₁/c² svec(x̃x̃ᵀ), √f₂/(cρ) x̃r, √f₃/ρ² r², group, site, site-by-group, histogram and meta blocks   Σf ≤ 1
//! svec: upper triangle by columns, off-diagonals × √2, so ‖svec(zzᵀ)‖ = ‖z‖²
//! first period    W = diag(1/max(rms, .15)), b₀ = (the outcome's public centre, 0, …)
//! later           W upper triangular and b₀ as [`super::warm`] has them; besides of each group and of everyone
//!                 s·(m − ½), m = x·b₀ held to [0, 1], and along each direction x̃·d held to ±3; and of each site
//!                 m − m₀, m₀ = b₀₁, held to ±.35
//! ```
//! Hence ‖wire‖ ≤ 1 whatever the row. A clinician is in "everyone" and in at most all K groups, so a
//! group block is divided by √(K+1), a site-by-group block by the root of how many groups it counts; in one site's slot only;
//! in one bin of each histogram. Of the three meta numbers each is at most 1 and has a third of their share. W is upper triangular with a first column of (1, 0, …), so x̃₁ = s
//! and Σx̃₁ counts clinicians. Filling the vector is [`crate::summary::contribution`]'s work, reading it that of
//! the package `tacit-model`.
use super::family::{Family, Working};
use super::{Study, warm};
use crate::id::SiteIndex;

/// Columns rarer than this are not blown up further: a public guess may be wrong.
const RMS_FLOOR: f64 = 0.15;
/// Rows along a direction of length 1 have a standard deviation of about 1; more than three of it is cut.
pub const ALONG_MAX: f64 = 3.0;
/// Predictions of b₀ differ by less than this from that at typical values; more is cut.
pub const LABOUR_MAX: f64 = 0.35;

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
    /// s·(m − ½) of a group; a later period's only.
    GroupLabour(usize),
    /// x̃·d of a group, one number a direction; a later period's only.
    GroupDirection(usize),
    /// m − m₀ of a site; a later period's only.
    SiteLabour(SiteIndex),
    /// Heads of a group at a site; of the groups of an equity rule.
    SiteGroupHeads(SiteIndex, usize),
    /// Clinicians by the bins of a histogram.
    Bins(usize),
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
    /// The longest that the numbers of one row are, in wire units: the root of the block's share, or of its part of it.
    pub most: f64,
}

/// The whole vector, fixed by the study and the number of sites.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    blocks: Vec<Block>,
    dimension: usize,
    whitening: Vec<Vec<f64>>,
    prior: Vec<f64>,
    directions: Vec<Vec<f64>>,
    groups: usize,
    cap: f64,
    residual_bound: f64,
    family: Family,
    own: (f64, f64),
}

impl Layout {
    /// The layout of a study among `sites` hospitals.
    pub fn new(study: &Study, sites: &[SiteIndex]) -> Self {
        let schema = study.schema();
        let outcome = &schema.outcome;
        let range = outcome.high - outcome.low;
        let (whitening, prior, directions) = if let Some(warm) = study.warm() {
            (warm.whitening.clone(), warm.prior.clone(), warm.directions.clone())
        } else {
            let rms: Vec<f64> = schema.columns().iter().map(|column| column.rms).collect();
            let prior = warm::first_prior(study.family(), outcome, rms.len());
            (diagonal(&rms), prior, Vec::new())
        };
        let mut layout = Self {
            blocks: Vec::new(),
            dimension: 0,
            whitening,
            prior,
            directions,
            groups: schema.groups.len(),
            cap: study.privacy().norm_cap,
            residual_bound: match study.family() {
                Family::Gaussian => outcome.residual_bound / range,
                _ => outcome.residual_bound,
            },
            family: study.family(),
            own: (outcome.low, range),
        };
        layout.push_all(study, sites);
        layout
    }

    fn push_all(&mut self, study: &Study, sites: &[SiteIndex]) {
        let f = &study.privacy().shares;
        let p = self.whitening.len();
        let (c, rho) = (self.cap, self.residual_bound);
        let triangle = p.saturating_mul(p.saturating_add(1)) / 2;
        self.push(Part::Matrix, triangle, (f.matrix.sqrt(), c * c));
        self.push(Part::Moment, p, (f.moment.sqrt(), c * rho));
        self.push(Part::Square, 1, (f.square.sqrt(), rho * rho));
        let shared = root(self.groups.saturating_add(1));
        let directions = self.directions.len();
        for group in 0..=self.groups {
            let of = |share: f64, bound: f64| (share.sqrt() / shared, bound);
            self.push(Part::GroupHeads(group), 1, of(f.group_heads, 1.0));
            self.push(Part::GroupResidual(group), 1, of(f.group_residual, rho));
            self.push(Part::GroupFeatures(group), p, of(f.group_features, c));
            if f.group_labour > 0.0 {
                self.push(Part::GroupLabour(group), 1, of(f.group_labour, 0.5));
            }
            if f.group_direction > 0.0 {
                let bound = ALONG_MAX * root(directions);
                self.push(Part::GroupDirection(group), directions, of(f.group_direction, bound));
            }
        }
        for &site in sites {
            self.push(Part::SiteHeads(site), 1, (f.site_heads.sqrt(), 1.0));
            self.push(Part::SiteResidual(site), 1, (f.site_residual.sqrt(), rho));
            self.push(Part::SiteFeatures(site), p, (f.site_features.sqrt(), c));
            if f.site_labour > 0.0 {
                self.push(Part::SiteLabour(site), 1, (f.site_labour.sqrt(), LABOUR_MAX));
            }
        }
        self.push_site_groups(study, sites);
        let histograms = &study.schema().histograms;
        let each = f.histograms.sqrt() / root(histograms.len());
        for (at, histogram) in histograms.iter().enumerate() {
            let bins = usize::try_from(histogram.bins).unwrap_or(usize::MAX);
            self.push(Part::Bins(at), bins, (each, 1.0));
        }
        let meta = (f.meta / 3.0).sqrt();
        for part in [Part::RowsCapped, Part::ResidualsCut, Part::ExcludedShare] {
            self.push(part, 1, (meta, 1.0));
        }
    }

    /// A clinician is at one site and in at most all groups of the rule.
    fn push_site_groups(&mut self, study: &Study, sites: &[SiteIndex]) {
        let Some(equity) = study.allocation().equity.as_ref() else { return };
        let share = study.privacy().shares.site_groups;
        if share <= 0.0 {
            return;
        }
        let groups = &study.schema().groups;
        let place = |id: &crate::id::GroupId| groups.iter().position(|group| group.id == *id);
        let places: Vec<usize> = equity.groups.iter().filter_map(place).collect();
        let each = share.sqrt() / root(places.len());
        for &site in sites {
            for place in &places {
                self.push(Part::SiteGroupHeads(site, place.saturating_add(1)), 1, (each, 1.0));
            }
        }
    }

    /// Appends a block: how long it may be on the wire, and in natural units.
    fn push(&mut self, part: Part, length: usize, (most, bound): (f64, f64)) {
        let scale = most / bound;
        self.blocks.push(Block { part, start: self.dimension, length, scale, most });
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

    /// W: column j has its j + 1 numbers down to the diagonal.
    pub fn whitening(&self) -> &[Vec<f64>] {
        &self.whitening
    }

    /// b₀: what the outcome is taken from, one number a column, scaled.
    pub fn prior(&self) -> &[f64] {
        &self.prior
    }

    /// The directions along which gaps are closed, in whitened units, each of length 1.
    pub fn directions(&self) -> &[Vec<f64>] {
        &self.directions
    }

    /// K: how many groups beside everyone.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// c: the longest whitened row that is not shrunk.
    pub fn cap(&self) -> f64 {
        self.cap
    }

    /// How a row enters the sums: its columns' factor and its residual, before the caps.
    pub fn working(&self, x: &[f64], y: f64) -> Working {
        self.family.working(self.predicted(x), y, self.own)
    }

    /// What kind of number the outcome is.
    pub fn family(&self) -> Family {
        self.family
    }

    /// ρ: the largest residual counted, scaled; in Pearson units where the family is not gaussian.
    pub fn residual_bound(&self) -> f64 {
        self.residual_bound
    }

    /// xW, before the cap.
    pub fn whitened(&self, x: &[f64]) -> Vec<f64> {
        self.whitening.iter().map(|column| dot(column, x)).collect()
    }

    /// x·b₀, what the prior predicts, on the family's scale.
    pub fn predicted(&self, x: &[f64]) -> f64 {
        dot(&self.prior, x)
    }

    /// m₀: what the prior predicts at typical values.
    pub fn typical(&self) -> f64 {
        self.prior.first().copied().unwrap_or(0.0)
    }

    /// m − ½ of a row; a group counts it times the row's weight.
    pub fn group_labour(&self, x: &[f64]) -> f64 {
        self.predicted(x).clamp(0.0, 1.0) - 0.5
    }

    /// m − m₀ of a row, as a site counts it.
    pub fn site_labour(&self, x: &[f64]) -> f64 {
        (self.predicted(x) - self.typical()).clamp(-LABOUR_MAX, LABOUR_MAX)
    }

    /// A whitened and capped row along each direction.
    pub fn along(&self, capped: &[f64]) -> Vec<f64> {
        let along = |d: &Vec<f64>| dot(d, capped).clamp(-ALONG_MAX, ALONG_MAX);
        self.directions.iter().map(along).collect()
    }
}

/// Σ aᵢbᵢ over as many as the shorter has.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// √count; counts here are small.
#[expect(clippy::cast_precision_loss, reason = "blocks of a study are few")]
fn root(count: usize) -> f64 {
    (count as f64).sqrt()
}

/// W of a first period.
fn diagonal(rms: &[f64]) -> Vec<Vec<f64>> {
    let column = |(above, rms): (usize, &f64)| {
        let mut column = vec![0.0; above];
        column.push(1.0 / rms.max(RMS_FLOOR));
        column
    };
    rms.iter().enumerate().map(column).collect()
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
