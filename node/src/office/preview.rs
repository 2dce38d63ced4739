//! Everything an officer wants to know of a study before approving it, in one value and on one page.
//!
//! ```text
//! sd of a number, in its own unit = √variance / (C_int · scale of its block)
//! ```
//! once with the noise that is guaranteed (m − t sites) and once if every site answers. The page is text of
//! 100 columns at most ([`page`](super::page)); the same value serialises to JSON.
use super::cells::Cell;
use super::forecast::{self, Forecast, all_sites_multiplier, forecast};
use serde::Serialize;
use tacit_shared::privacy::accountant::{Budget, Cost, attacker_power};
use tacit_shared::privacy::ledger::{Budgets, Scope};
use tacit_shared::privacy::plan::{Charges, Plan};
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;
use tacit_shared::study::layout::{ALONG_MAX, Block, LABOUR_MAX, Part};
use tacit_shared::summary::contribution::CLIP;
use tacit_shared::units::{Delta, Epsilon, Probability};

/// One statistic of the release.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistic {
    /// What it is, in words.
    pub words: String,
    /// How many numbers of the vector.
    pub numbers: usize,
    /// The most that one clinician adds to its length, in its unit.
    pub bound: f64,
    /// Standard deviation of the noise in one number of the opened sum, as guaranteed.
    pub sd_guaranteed: f64,
    /// The same if every site answers.
    pub sd_all: f64,
    /// Its unit.
    pub unit: String,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Account {
    /// Whom it protects.
    pub one: &'static str,
    /// Which limit: `budget` is that over everything.
    pub limit: String,
    /// ε by the exact curve; absent if no finite one holds.
    pub epsilon: Option<f64>,
    /// ε by the zCDP rule.
    pub epsilon_zcdp: Option<f64>,
    /// ε spent so far, by the exact curve.
    pub spent: Option<f64>,
    /// ε that would be spent with this release.
    pub spent_after: Option<f64>,
    /// ε of the budget.
    pub budget: f64,
    /// δ of the budget.
    pub delta: f64,
    /// Share of the whole budget that would be left, in percent of ρ.
    pub left_percent: f64,
    /// How often the best attacker, who knows everything else and bears 5 percent false alarms, would find
    /// this person out after this release, in percent.
    pub detected_percent: Option<f64>,
    /// Whether it fits.
    pub fits: bool,
}

/// One run of numbers in the vector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// What it is.
    pub part: String,
    /// Position of its first number.
    pub start: usize,
    /// How many numbers.
    pub length: usize,
    /// Wire units in one natural unit.
    pub scale: f64,
}

/// The whole preview.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preview {
    /// Short name of the study.
    pub study: String,
    /// Its title.
    pub title: String,
    /// Its digest: what is approved.
    pub digest: String,
    /// Digest of the pinned roster.
    pub roster: String,
    /// N, m and t.
    pub sites: (usize, u16, u16),
    /// The statistics.
    pub statistics: Vec<Statistic>,
    /// What kind of number the outcome is, in words.
    pub model: String,
    /// What to expect of the result; absent where the study's own spreads give no forecast.
    pub forecast: Option<Forecast>,
    /// Whether the head-count is the study's cap, since none was given.
    pub heads_are_the_cap: bool,
    /// The cells of this site; empty if nothing was imported.
    pub cells: Vec<Cell>,
    /// Links of patients with clinicians here, and those of them that do not count.
    pub links: [u64; 2],
    /// Both accounts.
    pub accounts: Vec<Account>,
    /// Bytes of the masked vector: 8 a number, little endian.
    pub bytes: usize,
    /// Quanta in one wire unit.
    pub quanta: u64,
    /// The layout of the vector.
    pub layout: Vec<Run>,
}

/// What a preview is made of.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The study.
    pub study: &'a Study,
    /// The pinned roster.
    pub roster: &'a Roster,
    /// Both in numbers.
    pub plan: &'a Plan,
    /// Clinicians of all sites together, if known.
    pub heads: Option<u32>,
}

/// One limit of the site.
#[derive(Clone, Copy, Debug)]
pub struct Limited {
    /// Which.
    pub scope: Scope,
    /// What was spent under it.
    pub spent: Charges,
    /// What it allows.
    pub budgets: Budgets,
}

/// The preview of a study under the limits of the site, that over everything first.
pub fn preview(
    asked: &Asked<'_>,
    (cells, links): (Vec<Cell>, [u64; 2]),
    limits: &[Limited],
) -> Preview {
    let Asked { study, roster, plan, heads } = asked;
    let sites = plan.sites().len();
    Preview {
        study: study.name().to_string(),
        title: study.title().to_owned(),
        digest: study.digest().to_string(),
        roster: roster.digest().to_string(),
        sites: (sites, plan.min_sites(), plan.colluders()),
        statistics: statistics(study, plan),
        model: forecast::model(study),
        forecast: forecast(study, plan, forecast::heads(plan, *heads)),
        heads_are_the_cap: heads.is_none(),
        cells,
        links,
        accounts: limits.iter().flat_map(|limited| accounts(limited, plan)).collect(),
        bytes: plan.layout().dimension().saturating_mul(8),
        quanta: CLIP,
        layout: plan.layout().blocks().iter().map(|block| run(block, study, roster)).collect(),
    }
}

/// What each kind of block is, in words; blocks of groups and of sites are alike.
const KINDS: [&str; 16] = [
    "products of two features, summed (diagonal; off it √2 times less noise)",
    "feature times residual, summed",
    "squared residuals, summed",
    "clinicians of everyone and of each group",
    "residuals of everyone and of each group, summed",
    "features of everyone and of each group, summed",
    "clinicians of each site",
    "residuals of each site, summed",
    "features of each site, summed",
    "clinicians whose row was shrunk; whose residual was cut",
    "shares of their encounters that clinicians excluded, summed",
    "outcomes that the earlier formula gives everyone and each group, less a half, summed",
    "rows of everyone and of each group along the direction of earlier results, summed",
    "outcomes that the earlier formula gives each site, less a typical one, summed",
    "clinicians by the bins of a histogram",
    "clinicians of each group at each site, for the equity rule of the money",
];

/// The place among [`KINDS`].
fn kind(part: Part) -> usize {
    match part {
        Part::Matrix => 0,
        Part::Moment => 1,
        Part::Square => 2,
        Part::GroupHeads(_) => 3,
        Part::GroupResidual(_) => 4,
        Part::GroupFeatures(_) => 5,
        Part::SiteHeads(_) => 6,
        Part::SiteResidual(_) => 7,
        Part::SiteFeatures(_) => 8,
        Part::RowsCapped | Part::ResidualsCut => 9,
        Part::ExcludedShare => 10,
        Part::GroupLabour(_) => 11,
        Part::GroupDirection(_) => 12,
        Part::SiteLabour(_) => 13,
        Part::Bins(_) => 14,
        Part::SiteGroupHeads(..) => 15,
    }
}

fn statistics(study: &Study, plan: &Plan) -> Vec<Statistic> {
    let blocks = plan.layout().blocks();
    let guaranteed = plan.noise().guaranteed_multiplier();
    let all = all_sites_multiplier(plan);
    let statistic = |(place, words): (usize, &&str)| {
        let alike = || blocks.iter().filter(|block| kind(block.part) == place);
        let block = alike().next()?;
        let (bound, natural, unit) = size(block.part, study, plan);
        Some(Statistic {
            words: (*words).to_owned(),
            numbers: alike().map(|block| block.length).sum(),
            bound,
            sd_guaranteed: guaranteed * natural / block.scale,
            sd_all: all * natural / block.scale,
            unit,
        })
    };
    KINDS.iter().enumerate().filter_map(statistic).collect()
}

/// The most that one clinician adds, and how large one natural unit is, both in the unit shown.
fn size(part: Part, study: &Study, plan: &Plan) -> (f64, f64, String) {
    let outcome = &study.schema().outcome;
    // Of counts and shares residuals are in standard deviations of one observation.
    let (range, unit) = if study.family().is_additive() {
        (outcome.high - outcome.low, outcome.unit.as_str())
    } else {
        (1.0, "Pearson units")
    };
    let (cap, rho) = (plan.layout().cap(), plan.layout().residual_bound());
    match part {
        Part::Matrix => (cap * cap, 1.0, "scaled".to_owned()),
        Part::Moment => (cap * rho * range, range, format!("{unit}, scaled")),
        Part::Square => (rho * rho * range * range, range * range, format!("{unit}²")),
        Part::GroupResidual(_) | Part::SiteResidual(_) => (rho * range, range, unit.to_owned()),
        Part::GroupFeatures(_) | Part::SiteFeatures(_) => (cap, 1.0, "scaled".to_owned()),
        Part::GroupLabour(_) => (range / 2.0, range, unit.to_owned()),
        Part::SiteLabour(_) => (LABOUR_MAX * range, range, unit.to_owned()),
        Part::GroupDirection(_) => (ALONG_MAX, 1.0, "scaled".to_owned()),
        Part::Bins(_)
        | Part::SiteGroupHeads(..)
        | Part::GroupHeads(_)
        | Part::SiteHeads(_)
        | Part::RowsCapped
        | Part::ResidualsCut
        | Part::ExcludedShare => (1.0, 1.0, "clinicians".to_owned()),
    }
}

fn accounts(limited: &Limited, plan: &Plan) -> [Account; 2] {
    let Limited { scope, spent, budgets } = limited;
    let asked = plan.charges();
    let one = |one, asked, spent, budget| Account {
        limit: scope.to_string(),
        ..account(one, asked, (spent, budget), plan)
    };
    [
        one("clinician", asked.clinician, spent.clinician, budgets.clinician),
        one("patient", asked.patient, spent.patient, budgets.patient),
    ]
}

fn account(
    one: &'static str,
    asked: Cost,
    (spent, budget): (Cost, Budget),
    plan: &Plan,
) -> Account {
    let value = |epsilon: Option<Epsilon>| epsilon.map(Epsilon::value);
    let at = |cost: Cost, delta: Delta| value(cost.epsilon(delta));
    let after = spent.checked_add(asked);
    let total = budget.total().rho();
    let left = after.map_or(0.0, |after| (1.0 - after.rho() / total).max(0.0));
    Account {
        one,
        limit: String::new(),
        epsilon: at(asked, plan.delta()),
        epsilon_zcdp: value(asked.epsilon_zcdp(plan.delta())),
        spent: at(spent, budget.delta()),
        spent_after: after.and_then(|after| at(after, budget.delta())),
        budget: budget.epsilon().value(),
        delta: budget.delta().value(),
        left_percent: left * 100.0,
        detected_percent: after.and_then(detected_percent),
        fits: budget.admits(spent, asked),
    }
}

/// Φ(Φ⁻¹(0.05) + μ), in percent.
fn detected_percent(spent: Cost) -> Option<f64> {
    let alarms = Probability::new(0.05).ok()?;
    attacker_power(spent.mu().ok()?, alarms).ok().map(|power| power.value() * 100.0)
}

fn histogram(study: &Study, place: usize) -> &str {
    study.schema().histograms.get(place).map_or("", |histogram| histogram.id.as_str())
}

fn run(block: &Block, study: &Study, roster: &Roster) -> Run {
    let group = |place: usize| match place.checked_sub(1) {
        None => "everyone".to_owned(),
        Some(named) => {
            study.schema().groups.get(named).map_or_else(String::new, |g| g.id.to_string())
        }
    };
    let site = |index| roster.site(index).map_or_else(String::new, |party| party.id.to_string());
    let part = match block.part {
        Part::Matrix => "matrix".to_owned(),
        Part::Moment => "moment".to_owned(),
        Part::Square => "square".to_owned(),
        Part::GroupHeads(g) => format!("heads of {}", group(g)),
        Part::GroupResidual(g) => format!("residual of {}", group(g)),
        Part::GroupFeatures(g) => format!("features of {}", group(g)),
        Part::SiteHeads(s) => format!("heads of site {}", site(s)),
        Part::SiteResidual(s) => format!("residual of site {}", site(s)),
        Part::SiteFeatures(s) => format!("features of site {}", site(s)),
        Part::GroupLabour(g) => format!("earlier formula for {}", group(g)),
        Part::GroupDirection(g) => format!("directions for {}", group(g)),
        Part::SiteLabour(s) => format!("earlier formula for site {}", site(s)),
        Part::SiteGroupHeads(s, g) => format!("heads of {} at site {}", group(g), site(s)),
        Part::Bins(h) => format!("bins of {}", histogram(study, h)),
        Part::RowsCapped => "rows shrunk".to_owned(),
        Part::ResidualsCut => "residuals cut".to_owned(),
        Part::ExcludedShare => "shares excluded".to_owned(),
    };
    Run { part, start: block.start, length: block.length, scale: block.scale }
}
