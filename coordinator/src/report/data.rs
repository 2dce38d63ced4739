//! What a report says, as plain data: the content of `report.json`.
//!
//! `docs/report-format.md` describes every key; a test holds the page to what is written here. Points
//! are points of the study's outcome, money is in cents of the pool's currency, and every interval is
//! meant to hold the true value 95 times in 100. Whether the numbers agree with each other is for
//! [`super::Report::new`] to check; how they read is left to [`super::html`].
pub use super::found::{
    ChangePart, HistogramPart, MeanPart, QuantilePart, SiteEffectPart, SitesPart,
};
pub use super::gaps::{
    CurvePoint, Equivalents, FairnessPart, GapMeasures, GroupFairness, OverallFit,
};
pub use super::prices::{ColumnPrice, GapPrice, PricePart, PricesPart};
pub use super::questions::QuestionPart;
pub use super::scored::{Definition, InputsPart, ScoredByPart};
pub use super::shares::{
    CodeRow, CodesPart, EquityPart, EquityProof, ServiceLineRow, ServiceLinesPart,
};
pub use super::within::{GroupMean, GroupMeans, WithinPart, WithinRow};
use serde::{Deserialize, Serialize};

/// The version of the format that this program reads and writes.
pub const FORMAT: u32 = 1;

/// A whole report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportData {
    /// [`FORMAT`].
    pub format: u32,
    /// The program that made the report, with its version.
    pub generated_by: String,
    /// Whether the hospitals are synthetic, so that the truth is known and stands beside each estimate.
    pub rehearsal: bool,
    /// The answer in words; [`super::Report::new`] writes it from the figures, whatever was here.
    pub answer: Vec<String>,
    /// What the study asks in parts, each with its answer.
    pub questions: Vec<QuestionPart>,
    /// What was asked.
    pub study: StudyPart,
    /// Who was asked.
    pub federation: FederationPart,
    /// What a person who took part was promised.
    pub privacy: PrivacyPart,
    /// How much of the data was counted, and how much of it was cut.
    pub quality: QualityPart,
    /// How well the numbers determine the formula.
    pub fit: FitPart,
    /// The formula before the dial, in the order of the design.
    pub coefficients: Vec<Coefficient>,
    /// The same among clinicians of one hospital; `None` if the coefficients are withheld, or the outcome is a count, a
    /// share or a positive number.
    pub within: Option<WithinPart>,
    /// How the formula treats the groups of the study.
    pub fairness: FairnessPart,
    /// How numbers spread over clinicians, in the order of the study.
    pub histograms: Vec<HistogramPart>,
    /// How hospitals differ; `None` if the noise does not tell, or the coefficients are withheld.
    pub sites: Option<SitesPart>,
    /// What changed for some and for the others; `None` unless the study compares changes.
    pub change: Option<ChangePart>,
    /// How the pool is divided; `None` if it is not, as when the coefficients are withheld.
    pub allocation: Option<AllocationPart>,
    /// The same pool among service lines; empty if the study does not ask for it.
    pub service_lines: Vec<ServiceLinesPart>,
    /// What the pool pays for what; `None` if it is not divided.
    pub prices: Option<PricesPart>,
    /// What the equity rule did; `None` without one, or if nothing is divided.
    pub equity: Option<EquityPart>,
    /// Proposed billing codes; `None` if the study has none, or if nothing is divided.
    pub codes: Option<CodesPart>,
    /// The digests of everything the report follows from.
    pub inputs: InputsPart,
    /// What a reader must know besides, one sentence or two each.
    pub notes: Vec<String>,
}

/// What was asked, from the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyPart {
    /// The short name.
    pub name: String,
    /// The title.
    pub title: String,
    /// The question the study answers.
    pub question: String,
    /// The purpose of processing.
    pub purpose: String,
    /// Who receives the result, each with its class in brackets.
    pub recipients: Vec<String>,
    /// What the result must not be used for.
    pub limits: Vec<String>,
    /// First day of the period, `YYYY-MM-DD`, UTC.
    pub from: String,
    /// Day after the last, `YYYY-MM-DD`, UTC.
    pub to: String,
    /// What was measured.
    pub outcome: OutcomePart,
    /// By which definitions the questionnaires and composites of the study were scored, everywhere alike.
    pub scored_by: Vec<ScoredByPart>,
}

/// The outcome: what stands for emotional labour in this study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomePart {
    /// The short name.
    pub name: String,
    /// What a reader calls it.
    pub label: String,
    /// Lowest value counted, in points.
    pub low_points: f64,
    /// Highest value counted, in points.
    pub high_points: f64,
}

/// Who was asked and who answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederationPart {
    /// The name of the federation.
    pub name: String,
    /// The round: 64 hexadecimal digits or a short name.
    pub round: String,
    /// Sites of the roster that were asked; this list and the next two are sorted by name.
    pub invited: Vec<String>,
    /// Those whose sums are in the result.
    pub took_part: Vec<String>,
    /// Those who were asked and are not in the result.
    pub dropped: Vec<String>,
}

/// What a person who took part was promised, by whom, against whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyPart {
    /// ε of this release for one clinician at one site, added or removed; exact Gaussian curve.
    pub epsilon: f64,
    /// δ of the same statement.
    pub delta: f64,
    /// The same by the looser conversion from zero-concentrated privacy, for comparison.
    pub epsilon_zcdp: f64,
    /// μ of Gaussian privacy: the distance in standard deviations between with and without the person.
    pub mu: f64,
    /// The same for one patient.
    pub patient: PatientPrivacy,
    /// Guaranteed sd of the noise over the most one clinician can change.
    pub noise_multiplier: f64,
    /// Fewest sites whose sum may be opened.
    pub min_sites: u16,
    /// How many sites may work together with the coordinator without weakening the promise.
    pub colluders: u16,
    /// How often an attacker with a 5 % false-alarm rate tells that a clinician took part, 0 to 1.
    pub attacker_power: f64,
    /// Releases a year that the study intends.
    pub releases_per_year: u32,
    /// ε of all releases of a year together, at the same δ.
    pub year_epsilon: f64,
    /// The promise in words; [`super::Report::new`] writes it from the figures, whatever was here.
    pub words: String,
}

/// What a patient was promised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatientPrivacy {
    /// ε of this release for one patient, at the same δ.
    pub epsilon: f64,
    /// K: with how many clinicians of a site one patient may count.
    pub clinicians_per_site: u32,
    /// At how many sites one patient may be.
    pub sites: u32,
}

/// A number known up to Gaussian noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noisy {
    /// The number as released.
    pub value: f64,
    /// Standard deviation of the noise in it.
    pub sd: f64,
}

/// How much of the data was counted; heads of clinicians, noisy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityPart {
    /// Clinicians counted.
    pub heads: Noisy,
    /// Clinicians whose features were shrunk to the norm cap.
    pub rows_shrunk: Noisy,
    /// Clinicians whose outcome was cut to the residual bound.
    pub residuals_cut: Noisy,
    /// Shares of their encounters that clinicians excluded, 0 to 1 each, summed over clinicians.
    pub excluded_shares: Noisy,
}

/// How far the noise lets the coefficients be known (gate of the statistics: κ ≥ 2, ≥ 1, below).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FitQuality {
    /// κ is 2 or more.
    Good,
    /// κ is 1 or more: printed with a warning.
    Weak,
    /// Not printed, and no money is divided by it.
    Withheld,
}

/// How well the numbers determine the formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitPart {
    /// Smallest eigenvalue of the released matrix over the norm of its noise; no unit.
    pub kappa: f64,
    /// What follows from κ.
    pub quality: FitQuality,
    /// Share of the outcome's variance that the formula explains, before the dial; `None` if withheld.
    pub r_squared: Option<f64>,
    /// Standard deviation of what the formula leaves unexplained, points; `None` if withheld.
    pub sigma_points: Option<f64>,
    /// Sum of the row weights: clinicians, shrunk ones counting less.
    pub heads_weighted: f64,
}

/// A 95 % interval, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Interval {
    /// From `low` to `high`, in the unit of the estimate.
    Between {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// At this privacy level every value is possible.
    NotEstimable,
    /// Nobody knows how to compute a valid one here; a note says why.
    NotOffered,
}

/// Whether a coefficient is where the formula starts, or what a feature adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoefficientKind {
    /// The expected outcome of the typical clinician.
    Baseline,
    /// What one unit of a feature adds.
    Effect,
}

/// One coefficient of the formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficient {
    /// The short name of the column.
    pub name: String,
    /// What a reader calls it.
    pub label: String,
    /// Its unit in words, such as `points per level`.
    pub unit: String,
    /// Start or effect.
    pub kind: CoefficientKind,
    /// A typical difference between two clinicians, in units of the feature, above 0: public, from the
    /// study. The picture draws effects of such a difference, so that features can be compared.
    pub typical: f64,
    /// The estimate before the dial; `None` if the coefficients are withheld.
    pub estimate: Option<f64>,
    /// Where the same computation without noise would lie.
    pub exact_data: Interval,
    /// Where the value for all such clinicians lies, of whom these are a sample.
    pub population: Interval,
    /// The coefficient in the formula that pays, after the dial; `None` if there is none.
    pub after_dial: Option<f64>,
    /// In a rehearsal, the value the hospitals were made with.
    pub truth: Option<f64>,
}

/// How the pool is divided among the sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllocationPart {
    /// The pool, in cents of `currency`; the rows sum to it exactly.
    pub pool_cents: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// The rule in words.
    pub rule: String,
    /// One row a site that took part, sorted by name.
    pub rows: Vec<AllocationRow>,
}

/// What bounds the amount of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Neither: the amount is proportional to fitted labour.
    None,
    /// The least a site gets per head.
    Floor,
    /// The most a site gets per head.
    Cap,
}

/// What one site gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllocationRow {
    /// The site.
    pub site: String,
    /// Clinicians counted there.
    pub heads: Noisy,
    /// Fitted labour per head over that of all sites together; the mean over heads is 1.
    pub labour_index: f64,
    /// Extra weight by the equity rule; 0 without one.
    pub extra_weight: f64,
    /// Least the site can get, cents.
    pub floor_cents: i64,
    /// Most the site can get, cents.
    pub cap_cents: i64,
    /// What the site gets, cents.
    pub cents: i64,
    /// Lower end of where the amount without noise lies, cents.
    pub low_cents: i64,
    /// Upper end, cents.
    pub high_cents: i64,
    /// Whether the floor or the cap decided.
    pub at: Bound,
    /// In a rehearsal, what the same rule gives on the data without noise, cents.
    pub truth_cents: Option<i64>,
}
