//! What not every release says of a group or a site, beside the sums of [`crate::gram`].

/// What not every release says of a group or a site: a later period's, and one for an equity rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Later {
    /// What the earlier formula predicts for them.
    pub predicted: Option<Predicted>,
    /// Σ x̃·d for each direction d along which a gap is closed.
    pub along: Vec<f64>,
    /// Standard deviation of the noise of each of these.
    pub along_sd: f64,
    /// Of a site, the heads of each group of the equity rule, in the rule's order.
    pub members: Vec<f64>,
    /// Standard deviation of the noise of each of these.
    pub members_sd: f64,
}

/// Outcomes that the earlier formula b₀ gives, summed: Σ(m − base), m = x·b₀. Of a group each counts with the weight s of
/// its row, as its other sums do, of a site with 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// The sum.
    pub sum: f64,
    /// Standard deviation of its noise.
    pub sd: f64,
    /// What is taken off each.
    pub base: f64,
}

impl Later {
    pub(crate) fn without(&self, part: &Self) -> Self {
        let predicted = self.predicted.zip(part.predicted).map(|(all, part)| Predicted {
            sum: all.sum - part.sum,
            sd: all.sd.hypot(part.sd),
            base: all.base,
        });
        let along = self.along.iter().zip(&part.along).map(|(all, part)| all - part).collect();
        Self {
            predicted,
            along,
            along_sd: self.along_sd.hypot(part.along_sd),
            members: self.members.iter().zip(&part.members).map(|(all, part)| all - part).collect(),
            members_sd: self.members_sd.hypot(part.members_sd),
        }
    }
}

/// Standard deviations of the independent noise of each number of [`GroupSums`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupNoise {
    /// Of `heads`.
    pub heads: f64,
    /// Of `weight`.
    pub weight: f64,
    /// Of `residual`.
    pub residual: f64,
    /// Of each entry of `x`.
    pub x: f64,
}
