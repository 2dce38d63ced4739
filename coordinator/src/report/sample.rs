//! A report as a rehearsal would make it, for tests.
mod money;
mod questions;
mod spreads;

pub(crate) use questions::ANSWERS;
pub(crate) use spreads::forget_spreads;

use super::data::{
    Coefficient, CoefficientKind, CurvePoint, Definition, Equivalents, FORMAT, FairnessPart,
    FederationPart, FitPart, FitQuality, GapMeasures, GroupFairness, InputsPart, Interval, Noisy,
    OutcomePart, OverallFit, PatientPrivacy, PrivacyPart, QualityPart, ReportData, ScoredByPart,
    StudyPart,
};

/// What the answer says about [`data`].
pub(crate) const ANSWER: [&str; 6] = [
    "From the earlier days to this period, “Relational care reported by patients” was +1.50 points on \
     average for “Clinicians of emergency medicine” (95\u{a0}%\u{a0}range 1.20 to 1.80) and −0.25 points \
     for everybody else (95\u{a0}%\u{a0}range −0.40 to −0.10): 1.75 points more for the former \
     (95\u{a0}%\u{a0}range 1.40 to 2.10). With the other features held equal, the difference in differences is \
     +2.71 points (95\u{a0}%\u{a0}range 1.19 to 4.38, told from zero).",
    "Of 7 features, 4 have a value that can be told from zero (Mean acuity of the panel, 3.08 points per \
     level, 1.96 to 4.31; Encounters in the period, −1.24 points per 100 encounters, −1.95 to −0.46; \
     Specialty: emergency medicine, 2.71 points against internal medicine, 1.19 to 4.38; Specialty: oncology, \
     4.35 points against internal medicine, 2.66 to 6.21). Not told from zero: Share of encounters with an \
     interpreter, 0.610 points per 10 %, −0.050 to 1.336; Night shifts, 0.220 points per 10 % of shifts, \
     −0.360 to 0.858. Not estimable at this privacy level: Minutes present per encounter.",
    "The formula that fits best values “Panels that often need an interpreter” 2.47 points too low against \
     everybody else (95\u{a0}%\u{a0}range 1.55 to 3.39). With the fairness dial at φ = 0.50 (0 leaves the gap, \
     1 closes it), the formula that pays values it 1.23 points too low; how sure that is cannot be said. The \
     price is that the formula explains 43.9\u{a0}% of the variation instead of 45.2\u{a0}%. The best formula values “Night \
     staff” 0.31 points too high, a gap that the noise does not tell from zero.",
    "“Minutes of a call” is 17.90\u{a0}minutes for the clinician in the middle (95\u{a0}%\u{a0}range 17.34 to \
     18.46); a tenth of clinicians lie below 8.40 and a tenth above 27.80.",
    "Beyond the formula, hospitals differ by about 0.62 points; told from what the formula gives: \
     safety-net-county (−1.04).",
    "Of the pool of EUR\u{a0}1,000,000.00, safety-net-county gets the most per clinician, about EUR\u{a0}282 \
     (95\u{a0}%\u{a0}range 277 to 282), 12.6\u{a0}% above an equal share, the most that the rule allows; \
     north-coast-rural gets the least, about EUR\u{a0}228 (95\u{a0}%\u{a0}range 215 to 240), 8.9\u{a0}% below \
     an equal share. Without the privacy noise, too, safety-net-county would almost certainly get the most.",
];

/// The promise of [`data`] in words.
pub(crate) const PROMISE: &str = "One clinician at one hospital, added or removed, changes the odds of any finding by a factor of at most \
7.4 (ε = 2.00), but for a chance of 1 in 1,000,000 (δ). An attacker who knows all other data and accepts \
5\u{a0}% false alarms detects that the clinician took part with a chance of at most 12\u{a0}%. One patient, counted \
with at most 1 clinician at 1 site, is protected with ε = 4.32 at the same δ. The noise that does this is \
already in the sum when the coordinator first sees it; the sum is opened only over at least 4 sites, and \
the promise holds as long as the coordinator works together with no more than 1 of them. Where a record \
is exchanged for another instead of removed, the two cases lie twice as far apart (2μ). With 4 releases a \
year the promise for a year is ε = 4.32. Against the coordinator it also rests on standard cryptography.";

/// Five hospitals, good fit, one coefficient that the noise hides, two groups, one site at its cap.
pub(crate) fn data() -> ReportData {
    let digest = |digit: &str| digit.repeat(64);
    ReportData {
        format: FORMAT,
        generated_by: "tacit-coordinator 0.1.0".to_owned(),
        rehearsal: true,
        answer: Vec::new(),
        questions: questions::asked(),
        study: study(),
        federation: federation(),
        privacy: privacy(),
        quality: QualityPart {
            heads: noisy(3_998.6, 9.4),
            rows_shrunk: noisy(212.3, 15.8),
            residuals_cut: noisy(31.0, 15.8),
            excluded_shares: noisy(46.1, 15.8),
        },
        fit: FitPart {
            kappa: 3.4,
            quality: FitQuality::Good,
            r_squared: Some(0.4517),
            sigma_points: Some(4.62),
            heads_weighted: 3_911.0,
        },
        within: Some(spreads::within(&coefficients())),
        coefficients: coefficients(),
        fairness: fairness(),
        histograms: vec![spreads::histogram()],
        sites: Some(spreads::sites()),
        change: Some(spreads::change()),
        allocation: Some(money::allocation()),
        service_lines: money::service_lines(),
        prices: Some(questions::prices(&coefficients())),
        equity: Some(money::equity()),
        codes: Some(money::codes()),
        inputs: InputsPart {
            study: digest("1"),
            roster: digest("2"),
            round_config: digest("3"),
            result: digest("4"),
            transcript: digest("5"),
        },
        notes: vec![
            "Ranges for the gap after the dial are not offered in a first period, because the direction of the \
             dial comes from the same noisy sums that would judge it."
                .to_owned(),
        ],
    }
}

/// The same round with too much noise for its number of clinicians.
pub(crate) fn withheld() -> ReportData {
    let mut data = data();
    data.fit = FitPart {
        kappa: 0.4,
        quality: FitQuality::Withheld,
        r_squared: None,
        sigma_points: None,
        heads_weighted: 3_911.0,
    };
    for row in &mut data.coefficients {
        (row.estimate, row.after_dial) = (None, None);
        (row.exact_data, row.population) = (Interval::NotEstimable, Interval::NotEstimable);
    }
    data.fairness.groups.clear();
    data.fairness.means.clear();
    data.within = None;
    data.fairness.curve.clear();
    data.allocation = None;
    data.service_lines.clear();
    (data.equity, data.codes, data.prices) = (None, None, None);
    data.histograms.clear();
    (data.sites, data.change) = (None, None);
    data
}

fn noisy(value: f64, sd: f64) -> Noisy {
    Noisy { value, sd }
}

fn study() -> StudyPart {
    StudyPart {
        name: "empathy-billing".to_owned(),
        title: "What emotional labour in care is worth".to_owned(),
        question: "How much emotional labour do specialty, acuity and volume ask of clinicians, and how should \
                   a pool of money be divided so that no group of them is valued too low?"
            .to_owned(),
        purpose: "research-aggregate".to_owned(),
        recipients: vec!["research-consortium (research)".to_owned(), "everyone (public)".to_owned()],
        limits: vec![
            "No decision about a person may rest on this report.".to_owned(),
            "It does not rank hospitals by quality.".to_owned(),
            "Amounts are for one pool and one period and are no price list.".to_owned(),
        ],
        from: "2026-07-01".to_owned(),
        to: "2026-10-01".to_owned(),
        outcome: OutcomePart {
            name: "experience".to_owned(),
            label: "Relational care reported by patients".to_owned(),
            low_points: 10.0,
            high_points: 50.0,
        },
        scored_by: vec![ScoredByPart {
            kind: Definition::Instrument,
            name: "care-measure".to_owned(),
            version: "2004".to_owned(),
            sha256: "a0".repeat(32),
        }],
    }
}

fn federation() -> FederationPart {
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    FederationPart {
        name: "northern-hospitals".to_owned(),
        round: "9c".repeat(32),
        invited: names(&[
            "city-general",
            "harbour-clinic",
            "north-coast-rural",
            "riverside",
            "safety-net-county",
            "st-brigid",
        ]),
        took_part: names(&[
            "city-general",
            "north-coast-rural",
            "riverside",
            "safety-net-county",
            "st-brigid",
        ]),
        dropped: names(&["harbour-clinic"]),
    }
}

fn privacy() -> PrivacyPart {
    PrivacyPart {
        epsilon: 2.0,
        delta: 1e-6,
        epsilon_zcdp: 2.457,
        mu: 0.448_4,
        patient: PatientPrivacy { epsilon: 4.318, clinicians_per_site: 1, sites: 1 },
        noise_multiplier: 2.230,
        min_sites: 4,
        colluders: 1,
        attacker_power: 0.115_7,
        releases_per_year: 4,
        year_epsilon: 4.318,
        words: String::new(),
    }
}

fn coefficients() -> Vec<Coefficient> {
    let row = |name: &str, label: &str, unit: &str, v: [f64; 4]| {
        let [estimate, exact, population, truth] = v;
        let around =
            |half: f64| Interval::Between { low: estimate - half, high: estimate + half * 1.1 };
        Coefficient {
            name: name.to_owned(),
            label: label.to_owned(),
            unit: unit.to_owned(),
            kind: CoefficientKind::Effect,
            typical: if unit == "points" { 1.0 } else { 0.5 },
            estimate: Some(estimate),
            exact_data: around(exact),
            population: around(population),
            after_dial: Some(estimate * 0.97),
            truth: Some(truth),
        }
    };
    let mut rows = vec![
        row("baseline", "Typical clinician", "points", [38.12, 0.31, 0.42, 38.0]),
        row("acuity", "Mean acuity of the panel", "points per level", [3.08, 0.88, 1.12, 3.4]),
        row(
            "volume",
            "Encounters in the period",
            "points per 100 encounters",
            [-1.24, 0.52, 0.71, -1.0],
        ),
        row(
            "interpreter",
            "Share of encounters with an interpreter",
            "points per 10 %",
            [0.61, 0.49, 0.66, 0.8],
        ),
        row(
            "emergency",
            "Specialty: emergency medicine",
            "points against internal medicine",
            [2.71, 1.15, 1.52, 2.2],
        ),
        row(
            "oncology",
            "Specialty: oncology",
            "points against internal medicine",
            [4.35, 1.31, 1.69, 4.8],
        ),
        row("nights", "Night shifts", "points per 10 % of shifts", [0.22, 0.41, 0.58, 0.3]),
        row(
            "presence",
            "Minutes present per encounter",
            "points per 10 minutes",
            [5.9, 6.1, 8.4, 1.5],
        ),
    ];
    if let Some(first) = rows.first_mut() {
        first.kind = CoefficientKind::Baseline;
    }
    if let Some(last) = rows.last_mut() {
        last.population = Interval::NotEstimable;
        last.exact_data = Interval::NotEstimable;
    }
    rows
}

fn fairness() -> FairnessPart {
    let measures = |gap: f64, half: Option<f64>, truth: f64| GapMeasures {
        mean_residual_difference: gap,
        interval: half.map_or(Interval::NotOffered, |half| Interval::Between {
            low: gap - half,
            high: gap + half,
        }),
        predictive_ratio: 1.0 - gap / 42.0,
        predictive_ratio_interval: half.map_or(Interval::NotOffered, |half| Interval::Between {
            low: 1.0 - (gap + half) / 42.0,
            high: 1.0 - (gap - half) / 42.0,
        }),
        net_compensation: -gap * 0.88,
        net_compensation_interval: half.map_or(Interval::NotOffered, |half| Interval::Between {
            low: -(gap + half) * 0.88,
            high: -(gap - half) * 0.88,
        }),
        fair_covariance: gap * 0.1,
        fair_covariance_interval: Interval::NotOffered,
        truth: Some(truth),
    };
    FairnessPart {
        phi: 0.5,
        groups: vec![
            GroupFairness {
                name: "interpreter-panel".to_owned(),
                label: "Panels that often need an interpreter".to_owned(),
                heads: noisy(463.0, 15.8),
                before: measures(2.47, Some(0.92), 2.71),
                after: measures(1.23, None, 1.36),
                equivalents: Some(Equivalents { alpha: 0.5, m: 0.5, lambda: Some(18.24) }),
            },
            GroupFairness {
                name: "night-staff".to_owned(),
                label: "Night staff".to_owned(),
                heads: noisy(802.0, 15.8),
                before: measures(-0.31, Some(0.71), -0.12),
                after: measures(-0.36, None, -0.18),
                equivalents: None,
            },
        ],
        means: spreads::means(),
        curve: [0.0, 0.25, 0.5, 0.75, 1.0]
            .map(|phi: f64| CurvePoint {
                phi,
                r_squared: 0.4517 - 0.0502 * phi * phi,
                gap_points: 2.47 * (1.0 - phi),
            })
            .to_vec(),
        overall_before: Some(OverallFit {
            residual: 0.0,
            residual_interval: Interval::Between { low: -0.2, high: 0.2 },
            r_squared: 0.4517,
            r_squared_interval: Interval::Between { low: 0.43, high: 0.473 },
        }),
        overall_after: Some(OverallFit {
            residual: 0.0,
            residual_interval: Interval::NotOffered,
            r_squared: 0.4391,
            r_squared_interval: Interval::NotOffered,
        }),
    }
}
