//! Divides the pool among sites, service lines and billing codes, with intervals by redrawing the noise.
//!
//! ```text
//! release ─► fit ─► labour of each unit ─► claims (prices, equity, floors, caps) ─► cents
//!    └─► 999 redrawn releases ─► the same road each ─► 2.5 % and 97.5 % points
//! ```
//! Every step of the road is repeated in every draw: refit, dial, heads, which gaps are proven, floors and caps
//! per head. So an interval says where the amount of the exact data would lie. Each entry of the rule's `by`
//! divides the whole pool: they are views of one money, not parts of it.
use super::prices::{self, Prices, public_heads};
use super::{ConclusionError, dial_of};
use crate::allocation::codes::{CodeBook, columns_of};
use crate::allocation::equity::{self, Proof};
use crate::allocation::labour::{self, Labour, State};
use crate::allocation::redraw::Redrawn;
use crate::allocation::{
    AllocationError, Claim, FEWEST_DRAWS, ShareInterval, allocate, amounts, labour_index,
    share_intervals,
};
use crate::model::gram::{GroupSums, Inputs};
use crate::model::levels::Levels;
use crate::model::{DialOutcome, DialSpec, Fitted};
use rayon::prelude::*;
use tacit_shared::id::FeatureId;
use tacit_shared::money::Cents;
use tacit_shared::study::Study;
use tacit_shared::study::allocation::{Allocation, By};

/// What a division rests on.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The study.
    pub study: &'a Study,
    /// Names of the sites, in the order of the sums.
    pub sites: &'a [String],
    /// The sums.
    pub inputs: &'a Inputs,
    /// The fit of them.
    pub fitted: &'a Fitted,
    /// What the draws follow from.
    pub seed: [u8; 32],
}

/// What one unit gets, before it is put into words.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The site, the level or the code.
    pub unit: String,
    /// Its heads (of a code its expected number) and the standard deviation of their noise.
    pub heads: (f64, f64),
    /// Amount to the cent.
    pub cents: Cents,
    /// Labour a head over that of everybody; 1 on average.
    pub index: f64,
    /// Where the index without noise lies.
    pub index_interval: (f64, f64),
    /// Least and most it can get.
    pub bounds: (f64, f64),
    /// Where the amount without noise lies.
    pub interval: (f64, f64),
    /// Cents a head.
    pub rate: f64,
    /// Where that lies without noise.
    pub rate_interval: (f64, f64),
    /// Extra weight by the equity rule; 0 without one.
    pub extra: f64,
}

/// One view of the division, in the order of the sites, levels or codes.
#[derive(Clone, Debug, PartialEq)]
pub struct Division {
    /// Among whom.
    pub by: By,
    /// One share a unit.
    pub shares: Vec<Share>,
}

/// The division in all its views.
#[derive(Clone, Debug, PartialEq)]
pub struct Divided {
    /// One for each entry of `by`.
    pub divisions: Vec<Division>,
    /// What the equity rule found; empty without one.
    pub equity: Vec<Proof>,
    /// What the pool pays for what.
    pub prices: Prices,
}

impl Divided {
    /// The view by sites, levels or codes.
    pub fn view(&self, by: &By) -> Option<&Division> {
        self.divisions.iter().find(|division| division.by == *by)
    }
}

/// Divides a pool by a rule: the study's own, or another on public numbers.
///
/// # Errors
/// [`ConclusionError::Allocation`] if floors and caps do not admit the pool, [`ConclusionError::Study`] if the
/// rule names units that do not exist.
pub fn divide(ground: &Ground<'_>, rule: &Allocation) -> Result<Divided, ConclusionError> {
    let schema = ground.study.schema();
    rule.check(&schema.features, &schema.groups)?;
    let views =
        rule.by.iter().map(|by| View::new(ground, rule, by)).collect::<Result<Vec<_>, _>>()?;
    let fitted = ground.fitted;
    let state = State { inputs: ground.inputs, plain: fitted.t(), paying: fitted.published() };
    let road = Road { study: ground.study, rule, public: public_heads(rule, ground.sites) };
    let equity = road.proofs(&state)?;
    let drawn = if ground.inputs.gram().is_exact() {
        None
    } else {
        Some(draws(ground, &road, &state, &views)?)
    };
    let mut divisions = Vec::new();
    for (at, view) in views.iter().enumerate() {
        let lines = road.lines(view, &state, &equity)?;
        let intervals = match &drawn {
            None => numbers(rule.pool_cents, &lines)?
                .into_iter()
                .map(|v| ShareInterval { low: v, high: v })
                .collect(),
            Some(drawn) => {
                let own = drawn.iter().filter_map(|views| views.get(at).cloned());
                share_intervals(lines.len().saturating_mul(3), own)?
            }
        };
        divisions.push(division(view, rule.pool_cents, &lines, &intervals)?);
    }
    let numbers = road.prices(&state)?;
    let of_prices = drawn.map(|drawn| drawn.into_iter().filter_map(|mut of| of.pop()).collect());
    let prices = Prices::of(ground.study, &numbers, of_prices)?;
    Ok(Divided { divisions, equity, prices })
}

/// One unit on its way to an amount.
struct Line {
    labour: Labour,
    extra: f64,
    claim: Claim,
}

/// A view made ready: names and what does not change from draw to draw.
struct View<'a> {
    by: &'a By,
    units: Vec<String>,
    prices: Vec<f64>,
    public: Vec<Option<f64>>,
    kind: Kind,
}

enum Kind {
    Sites,
    Lines(Levels),
    Codes(CodeBook),
}

impl<'a> View<'a> {
    fn new(ground: &Ground<'_>, rule: &Allocation, by: &'a By) -> Result<Self, ConclusionError> {
        let gram = ground.inputs.gram();
        let schema = ground.study.schema();
        let levels_of = |id: &FeatureId| -> Vec<String> {
            let feature = schema.features.iter().find(|feature| feature.id == *id);
            feature.into_iter().flat_map(|f| &f.levels).map(ToString::to_string).collect()
        };
        let public = |by: &By, units: &[String]| -> Vec<Option<f64>> {
            units.iter().map(|unit| rule.heads_of(by, unit)).collect()
        };
        let (units, public, kind) = match by {
            By::Sites => {
                let needed = rule.equity.as_ref().map_or(0, |equity| equity.groups.len());
                let lacks = |s: &GroupSums| s.later.members.len() < needed;
                if ground.inputs.sites().iter().any(lacks) {
                    return Err(ConclusionError::NoMembers);
                }
                let units = ground.sites.to_vec();
                let public = public(by, &units);
                (units, public, Kind::Sites)
            }
            By::Levels(id) => {
                let columns: Vec<usize> = columns_of(schema, id).collect();
                let units = levels_of(id);
                let public = public(by, &units);
                (units, public, Kind::Lines(Levels::new(gram, &columns)?))
            }
            By::Codes => {
                let book = CodeBook::new(ground.study, gram)?.ok_or(AllocationError::NoUnits)?;
                let units = book.codes().iter().map(|code| code.name.clone()).collect();
                // Heads of the lines from which the codes' expected numbers follow.
                let factor = ground.study.codes().map(|codes| codes.factor.clone());
                let public = factor.map_or_else(Vec::new, |factor| {
                    let levels = levels_of(&factor);
                    public(&By::Levels(factor), &levels)
                });
                (units, public, Kind::Codes(book))
            }
        };
        let prices = units.iter().map(|unit| rule.price_of(by, unit)).collect();
        Ok(Self { by, units, prices, public, kind })
    }
}

/// The road from a release to claims, the same for the release and for each redraw.
struct Road<'a> {
    study: &'a Study,
    rule: &'a Allocation,
    public: Option<f64>,
}

impl Road<'_> {
    #[expect(clippy::cast_precision_loss, reason = "a pool is far below 2^53 cents")]
    fn pool(&self) -> f64 {
        self.rule.pool_cents.value() as f64
    }

    fn prices(&self, state: &State<'_>) -> Result<Vec<f64>, ConclusionError> {
        Ok(prices::numbers(self.study, self.pool(), self.public, state)?)
    }

    fn proofs(&self, state: &State<'_>) -> Result<Vec<Proof>, ConclusionError> {
        match &self.rule.equity {
            None => Ok(Vec::new()),
            Some(rule) => Ok(equity::proofs(self.study, rule, state.inputs, state.plain)?),
        }
    }

    fn lines(
        &self,
        view: &View<'_>,
        state: &State<'_>,
        proofs: &[Proof],
    ) -> Result<Vec<Line>, ConclusionError> {
        let labour = match &view.kind {
            Kind::Sites => labour::sites(state, &view.public),
            Kind::Lines(levels) => labour::lines(state, levels, &view.public),
            Kind::Codes(book) => {
                let lines = labour::lines(state, book.levels(), &view.public);
                labour::codes(state, book, &lines)?
            }
        };
        let extra = match (&self.rule.equity, &view.kind) {
            (Some(rule), Kind::Sites) => equity::of_sites(rule, proofs, state.inputs, &labour),
            (Some(rule), Kind::Lines(levels)) => {
                equity::of_lines(self.study, rule, proofs, (state, levels))
            }
            _ => vec![0.0; labour.len()],
        };
        let rule = self.rule;
        let all: f64 = labour.iter().map(|unit| unit.heads).sum();
        let per_head = self.pool() / all;
        let percent = |share: u32| f64::from(share) / 100.0;
        let line = |((labour, extra), price): ((Labour, f64), &f64)| {
            let claim = Claim {
                labour: labour.labour,
                price: price * (1.0 + extra),
                floor: per_head * labour.heads * percent(rule.floor_percent_per_head),
                cap: per_head * labour.heads * percent(rule.cap_percent_per_head),
            };
            Line { labour, extra, claim }
        };
        Ok(labour.into_iter().zip(extra).zip(&view.prices).map(line).collect())
    }
}

/// Of each draw and view: the amounts, then the rates, then the indices; last of all the prices.
fn draws(
    ground: &Ground<'_>,
    road: &Road<'_>,
    state: &State<'_>,
    views: &[View<'_>],
) -> Result<Vec<Vec<Vec<f64>>>, ConclusionError> {
    let dial: Option<DialSpec> = match &ground.fitted.dial {
        Some(DialOutcome::Applied(_)) => dial_of(ground.study, ground.inputs),
        _ => None,
    };
    let count = u64::try_from(FEWEST_DRAWS).unwrap_or(u64::MAX);
    let one = |number: u64| {
        let drawn = Redrawn::new(state, dial.as_ref(), ground.seed, number)?;
        let state = drawn.state();
        let proofs = road.proofs(&state)?;
        let of = |view: &View<'_>| {
            let lines = road.lines(view, &state, &proofs)?;
            Ok(numbers(road.rule.pool_cents, &lines)?)
        };
        let priced = std::iter::once_with(|| road.prices(&state));
        views.iter().map(of).chain(priced).collect()
    };
    (0..count).into_par_iter().map(one).collect()
}

/// Amounts, cents a head and indices of all units, one after the other.
fn numbers(pool: Cents, lines: &[Line]) -> Result<Vec<f64>, AllocationError> {
    let claims: Vec<Claim> = lines.iter().map(|line| line.claim).collect();
    let mut numbers = amounts(pool, &claims)?;
    let rates = numbers.iter().zip(lines).map(|(amount, line)| amount / line.labour.heads);
    let rates: Vec<f64> = rates.collect();
    numbers.extend(rates);
    numbers.extend(indices(lines)?);
    Ok(numbers)
}

fn indices(lines: &[Line]) -> Result<Vec<f64>, AllocationError> {
    let labour: Vec<f64> = lines.iter().map(|line| line.labour.labour).collect();
    let heads: Vec<f64> = lines.iter().map(|line| line.labour.heads).collect();
    Ok(labour_index(&labour, &heads)?.into_iter().map(|index| index.unwrap_or(1.0)).collect())
}

fn division(
    view: &View<'_>,
    pool: Cents,
    lines: &[Line],
    intervals: &[ShareInterval],
) -> Result<Division, ConclusionError> {
    let claims: Vec<Claim> = lines.iter().map(|line| line.claim).collect();
    let awards = allocate(pool, &claims)?;
    let index = indices(lines)?;
    let count = lines.len();
    let ends = |at: usize| {
        intervals.get(at).map_or((f64::NAN, f64::NAN), |interval| (interval.low, interval.high))
    };
    let mut shares = Vec::new();
    for (at, ((unit, line), (award, index))) in
        view.units.iter().zip(lines).zip(awards.iter().zip(index)).enumerate()
    {
        shares.push(Share {
            unit: unit.clone(),
            heads: (line.labour.heads, line.labour.heads_sd),
            cents: award.cents,
            index,
            index_interval: ends(at.saturating_add(count.saturating_mul(2))),
            bounds: (line.claim.floor, line.claim.cap),
            interval: ends(at),
            rate: award.amount / line.labour.heads,
            rate_interval: ends(at.saturating_add(count)),
            extra: line.extra,
        });
    }
    Ok(Division { by: view.by.clone(), shares })
}

#[cfg(test)]
mod tests;
