//! Extra weight for units that serve groups which the formula values too low.
//!
//! ```text
//! demand_u = g_u · L_u · (1 + w · min(1, Σ_k share of u's members in group k))      k: the groups that count
//! ```
//! A group counts if its gap is proven: the 95 % interval of its mean residual difference under the fit
//! before the dial lies above 0, against the group. Shares at a site are the heads of the group there over
//! its heads, a block of the release for this rule alone; shares in a service line come free from the
//! group's features. Who is in two groups counts for both. The pool stays what it is: what one unit gets
//! more, others get less.
use super::labour::{Labour, State};
use crate::model::gram::Inputs;
use crate::model::levels::Levels;
use crate::model::uncertainty::Interval;
use crate::model::{ModelError, measure};
use nalgebra::DVector;
use tacit_shared::study::Study;
use tacit_shared::study::allocation::Equity;

/// What the rule found of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// The group's short name.
    pub group: String,
    /// Whether it counts.
    pub counts: bool,
    /// Its mean residual difference before the dial, scaled; above 0 it is valued too low. `None` where the group
    /// does not stand clear of its noise.
    pub gap: Option<f64>,
    /// The interval of that difference.
    pub interval: Interval,
}

/// Which groups count, in the order of the rule.
///
/// # Errors
/// [`ModelError`] if the release has no such group. A group lost in its noise is no error and proves nothing.
pub fn proofs(
    study: &Study,
    rule: &Equity,
    inputs: &Inputs,
    plain: &DVector<f64>,
) -> Result<Vec<Proof>, ModelError> {
    let mut proofs = Vec::new();
    for (at, group) in places(study, rule) {
        let measures = match measure::group(inputs, at, plain) {
            Ok(measures) => Some(measures.mean_residual_difference),
            Err(ModelError::TooSmall { .. }) => None,
            Err(error) => return Err(error),
        };
        let interval = measures.map_or(Interval::NotEstimable, |figure| figure.interval());
        let proven = matches!(interval, Interval::Bounded { low, .. } if low > 0.0);
        let counts = proven || !rule.proven_only;
        proofs.push(Proof { group, counts, gap: measures.map(|figure| figure.value), interval });
    }
    Ok(proofs)
}

/// Extra weight of each site, w · share; 0 where the release has no heads of groups at sites.
pub fn of_sites(rule: &Equity, proofs: &[Proof], inputs: &Inputs, sites: &[Labour]) -> Vec<f64> {
    let sums = inputs.sites().iter().zip(sites);
    sums.map(|(sums, site)| {
        let members = sums.later.members.iter().zip(proofs);
        let counted: f64 = members.filter(|(_, proof)| proof.counts).map(|(n, _)| n.max(0.0)).sum();
        rule.weight * (counted / site.heads).min(1.0)
    })
    .collect()
}

/// Extra weight of each service line, w · share.
pub fn of_lines(
    study: &Study,
    rule: &Equity,
    proofs: &[Proof],
    (state, levels): (&State<'_>, &Levels),
) -> Vec<f64> {
    let all = levels.within(state.inputs.all());
    let mut counted = vec![0.0; all.len()];
    for ((at, _), _) in places(study, rule).iter().zip(proofs).filter(|(_, proof)| proof.counts) {
        let members = state.inputs.groups().get(*at).map(|group| levels.within(group));
        for (sum, members) in counted.iter_mut().zip(members.unwrap_or_default()) {
            *sum += members.max(0.0);
        }
    }
    let share = |(counted, all): (f64, f64)| if all > 0.0 { (counted / all).min(1.0) } else { 0.0 };
    counted.into_iter().zip(all).map(share).map(|share| rule.weight * share).collect()
}

/// The groups of the rule with their place among the study's.
fn places(study: &Study, rule: &Equity) -> Vec<(usize, String)> {
    let groups = &study.schema().groups;
    let place = |id: &tacit_shared::id::GroupId| {
        let at = groups.iter().position(|group| group.id == *id)?;
        Some((at, id.to_string()))
    };
    rule.groups.iter().filter_map(place).collect()
}
