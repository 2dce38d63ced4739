//! A hospital looks at what it released: the commitment of its opening, and whether its exact sum is one of rows.
//!
//! ```text
//! ic = H("tacit/v1/input", salt, sum, seed)      as the site's header in the transcript has it
//! rows = site heads / trunc(C·scale)             every block of the sum no longer than rows · C · its most
//! ```
//! A result that makes no sense is withheld until the hospitals have looked. What is said is yes, or which block is
//! none of rows: no number of the sum.
use super::plan::Plan;
use crate::codec;
use crate::id::{Digest, SiteIndex};
use crate::study::layout::{Block, Part};
use crate::summary::contribution::CLIP;

/// Salt and seed before the sum.
const HEAD_BYTES: usize = 64;
/// Each number of each row is cut toward zero by less than one quantum, and lengths are computed in floats.
const SLACK: f64 = 1e-6;

/// What an opening shows of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The commitment that the site sent, if this is its opening.
    pub commitment: Digest,
    /// The first block that no table of rows gives.
    pub senseless: Option<Part>,
}

/// Looks at the opening of `site` in a round of `plan`; `None` if it is another plan's.
pub fn opened(plan: &Plan, site: SiteIndex, opening: &[u8]) -> Option<Opened> {
    let (head, sum) = opening.split_at_checked(HEAD_BYTES)?;
    let (salt, seed) = head.split_at_checked(HEAD_BYTES / 2)?;
    let (numbers, rest) = sum.as_chunks::<8>();
    if numbers.len() != plan.layout().dimension() || !rest.is_empty() {
        return None;
    }
    let numbers: Vec<i64> = numbers.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
    let commitment = codec::hash("tacit/v1/input", &[salt, sum, seed]);
    let blocks = plan.layout().blocks();
    let rows = rows(plan, site, &numbers)?;
    let senseless = blocks.iter().find(|block| !makes_sense(block, site, rows, &numbers));
    Some(Opened { commitment, senseless: senseless.map(|block| block.part) })
}

/// How many rows the sum has, by the heads of its own site.
#[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^53")]
fn rows(plan: &Plan, site: SiteIndex, numbers: &[i64]) -> Option<f64> {
    let block = plan.layout().block(Part::SiteHeads(site))?;
    let one = (block.scale * CLIP as f64).trunc();
    numbers.get(block.start).map(|heads| (*heads as f64 / one).round())
}

#[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^53")]
fn makes_sense(block: &Block, site: SiteIndex, rows: f64, numbers: &[i64]) -> bool {
    let run = || numbers.iter().skip(block.start).take(block.length);
    let elsewhere = match block.part {
        Part::SiteHeads(s)
        | Part::SiteResidual(s)
        | Part::SiteFeatures(s)
        | Part::SiteLabour(s)
        | Part::SiteGroupHeads(s, _) => s != site,
        _ => false,
    };
    if elsewhere {
        return run().all(|number| *number == 0);
    }
    if !signed(block.part) && run().any(|number| *number < 0) {
        return false;
    }
    let length = run().map(|number| (*number as f64).powi(2)).sum::<f64>().sqrt();
    rows >= 0.0 && length <= rows * block.most * CLIP as f64 * (1.0 + SLACK)
}

/// Whether a block of a sum of rows may have a negative number.
pub fn signed(part: Part) -> bool {
    !matches!(
        part,
        Part::Square
            | Part::GroupHeads(_)
            | Part::SiteHeads(_)
            | Part::SiteGroupHeads(..)
            | Part::Bins(_)
            | Part::RowsCapped
            | Part::ResidualsCut
            | Part::ExcludedShare
    )
}
