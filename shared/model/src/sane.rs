//! Whether an opened sum can be one of rows: nothing is concluded from one that cannot.
//!
//! ```text
//! counts, squares ≥ −6 sd        Σ heads of sites = heads of everyone ± 6 sd        heads of a group ≤ everyone + 6 sd
//! smallest eigenvalue of A ≥ −2·√(2τ²p)        ‖block‖ ≤ rows·C·its most + (√length + 6) sd, of one number 6 sd
//! rows = n + 6 sd, of a site the study's cap at most        numbers of a site that is not in the sum: 0 ± 6 sd
//! residuals cut ≤ 1 % of clinicians, beyond 3 sd
//! ```
//! One lying or faulty hospital can spoil a sum, and nobody sees its part. So a sum outside of these bounds is
//! withheld, and the hospitals are asked to look at what they committed to (`tacit-node opening`). By chance alone six
//! standard deviations are left once in a million results of a thousand numbers. Cut residuals bend coefficients towards
//! the prior formula; of a score the next period then counts the whole range.
use crate::moments::{Moments, MomentsError, Noisy};
use crate::solve::smallest_eigenvalue;
use tacit_shared::id::SiteIndex;
use tacit_shared::privacy::opened::signed;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::layout::{Block, Part};
use tacit_shared::summary::contribution::CLIP;

/// Standard deviations that no noise leaves.
const FAR: f64 = 6.0;
/// Share of clinicians whose residual may be cut.
const CUT_MOST: f64 = 0.01;
/// Standard deviations of noise by which that share must be exceeded: at exactly that share, one sound result in 740 is
/// withheld by chance.
const CLEARLY: f64 = 3.0;

/// Why nothing may be concluded from an opened sum.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// It is not the plan's.
    #[error(transparent)]
    Moments(#[from] MomentsError),
    /// No table of rows gives such a sum, or too much of it was cut.
    #[error("{}", .0.join("; "))]
    Senseless(Vec<String>),
}

/// The moments of an opened sum that nothing speaks against: whoever concludes anything reads it by this.
///
/// # Errors
/// [`Unsound`] with every reason.
pub fn read(plan: &Plan, aggregate: &Aggregate) -> Result<Moments, Unsound> {
    let moments = Moments::of(plan, aggregate)?;
    let found = faults(plan, aggregate, &moments);
    if found.is_empty() { Ok(moments) } else { Err(Unsound::Senseless(found)) }
}

/// Everything that is wrong with a sum, in words; empty for a sound one.
pub fn faults(plan: &Plan, aggregate: &Aggregate, moments: &Moments) -> Vec<String> {
    let mut faults = senseless(plan, aggregate, moments);
    let (cut, heads) = (moments.residuals_cut(), moments.inputs().all().heads);
    if cut_too_often(moments) {
        faults.push(format!(
            "{:.1} % of residuals were cut, more than 1 %: coefficients would be bent towards the prior formula",
            100.0 * cut.value / heads.max(1.0)
        ));
    }
    faults
}

/// Whether more than 1 % of residuals were cut, beyond what three standard deviations of noise explain. Nobody is at
/// fault then, but the study's bound.
pub fn cut_too_often(moments: &Moments) -> bool {
    let cut = moments.residuals_cut();
    cut.value - CLEARLY * cut.sd > CUT_MOST * moments.inputs().all().heads.max(1.0)
}

/// Why a sum cannot be one of rows, in words; empty if it can.
pub fn senseless(plan: &Plan, aggregate: &Aggregate, moments: &Moments) -> Vec<String> {
    let mut faults = Vec::new();
    faults.extend(blocks(plan, aggregate, moments));
    faults.extend(heads(moments));
    let gram = moments.inputs().gram();
    match smallest_eigenvalue(&gram.sums().a) {
        Ok(least) if least >= -2.0 * gram.noise_norm() => {}
        Ok(least) => faults.push(format!(
            "the products of columns have the eigenvalue {least:.1}, below what noise makes of any table"
        )),
        Err(error) => faults.push(error.to_string()),
    }
    faults
}

fn heads(moments: &Moments) -> Vec<String> {
    let mut faults = Vec::new();
    let inputs = moments.inputs();
    let all = inputs.all();
    let sites = inputs.sites().iter();
    let (sum, variance) = sites.fold((0.0, all.noise.heads.powi(2)), |(sum, variance), site| {
        (sum + site.heads, variance + site.noise.heads.powi(2))
    });
    if (sum - all.heads).abs() > FAR * variance.sqrt() {
        faults.push(format!(
            "hospitals count {sum:.0} clinicians one by one and {:.0} together",
            all.heads
        ));
    }
    for (at, group) in inputs.groups().iter().enumerate() {
        let more =
            Noisy { value: group.heads - all.heads, sd: group.noise.heads.hypot(all.noise.heads) };
        if more.value > FAR * more.sd {
            faults
                .push(format!("group {} has more clinicians than there are", at.saturating_add(1)));
        }
    }
    faults
}

#[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^53")]
fn blocks(plan: &Plan, aggregate: &Aggregate, moments: &Moments) -> Vec<String> {
    let survivors = u32::try_from(aggregate.survivors().len()).unwrap_or(u32::MAX);
    let sd = (plan.noise().actual_variance(survivors) as f64).sqrt();
    let all = moments.inputs().all();
    let rows = all.heads.max(0.0) + FAR * all.noise.heads;
    let cap = f64::from(plan.rows_max());
    let wrong = |block: &&Block| {
        let run = || aggregate.sum().iter().skip(block.start).take(block.length);
        let length = run().map(|number| (*number as f64).powi(2)).sum::<f64>().sqrt();
        let rows = match site(block.part) {
            Some(site) if !aggregate.survivors().contains(&site) => {
                return run().any(|number| (*number as f64).abs() > FAR * sd);
            }
            Some(_) => rows.min(cap),
            None => rows,
        };
        let negative = !signed(block.part) && run().any(|number| (*number as f64) < -FAR * sd);
        let most = rows * block.most * CLIP as f64;
        let noise = if block.length == 1 { FAR } else { (block.length as f64).sqrt() + FAR };
        negative || length > most + noise * sd
    };
    let told = |block: &Block| format!("the block {} is outside its bound", named(block.part));
    plan.layout().blocks().iter().filter(wrong).map(told).collect()
}

/// The hospital whose rows alone a block sums.
fn site(part: Part) -> Option<SiteIndex> {
    match part {
        Part::SiteHeads(site)
        | Part::SiteResidual(site)
        | Part::SiteFeatures(site)
        | Part::SiteLabour(site)
        | Part::SiteGroupHeads(site, _) => Some(site),
        _ => None,
    }
}

fn named(part: Part) -> String {
    match part {
        Part::Matrix => "of the products of columns".to_owned(),
        Part::Moment => "of the products of columns and residual".to_owned(),
        Part::Square => "of the squared residuals".to_owned(),
        Part::GroupHeads(0) => "of everyone's heads".to_owned(),
        Part::GroupHeads(g) => format!("of the heads of group {g}"),
        Part::GroupResidual(g) => format!("of the residuals of group {g}"),
        Part::GroupFeatures(g) => format!("of the columns of group {g}"),
        Part::GroupLabour(g) => format!("of the earlier formula for group {g}"),
        Part::GroupDirection(g) => format!("of the directions for group {g}"),
        Part::SiteHeads(s) => format!("of the heads of site {s}"),
        Part::SiteResidual(s) => format!("of the residuals of site {s}"),
        Part::SiteFeatures(s) => format!("of the columns of site {s}"),
        Part::SiteLabour(s) => format!("of the earlier formula for site {s}"),
        Part::SiteGroupHeads(s, g) => format!("of the heads of group {g} at site {s}"),
        Part::Bins(h) => format!("of the bins of histogram {}", h.saturating_add(1)),
        Part::RowsCapped => "of the rows shrunk".to_owned(),
        Part::ResidualsCut => "of the residuals cut".to_owned(),
        Part::ExcludedShare => "of the shares excluded".to_owned(),
    }
}
