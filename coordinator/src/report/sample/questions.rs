//! Questions of the sample, and the prices that some of them ask for.
use super::*;
use crate::report::prices::{ColumnPrice, GapPrice, PricePart, PricesPart};
use crate::report::questions::QuestionPart;

/// What the answers of [`asked`] say.
pub(crate) const ANSWERS: [&str; 8] = [
    "“Mean acuity of the panel”: +3.08 points per level (95\u{a0}%\u{a0}range 1.96 to 4.31; told from \
     zero), with the other features held equal.",
    "One level more of “Mean acuity of the panel” goes with +3.08 points of “Relational care reported by \
     patients” (95\u{a0}%\u{a0}range 1.96 to 4.31). After the fairness dial the formula gives +2.99 points \
     for it. This pool pays EUR\u{a0}7.00 a point, so EUR\u{a0}20.91 for a clinician in the period \
     (95\u{a0}%\u{a0}range 15.68 to 26.14, by the privacy noise alone).",
    "Ten percentage points more of “Share of encounters with an interpreter” goes with +0.0610 points of \
     “Relational care reported by patients” (95\u{a0}%\u{a0}range −0.0050 to 0.1336, not told from zero). \
     After the fairness dial the formula gives +0.0592 points for it. This pool pays EUR\u{a0}7.00 a point, \
     so EUR\u{a0}0.414 for a clinician in the period (95\u{a0}%\u{a0}range 0.311 to 0.518, by the privacy \
     noise alone).",
    "“Panels that often need an interpreter”: “Relational care reported by patients” is 40.31 points on \
     average (95\u{a0}%\u{a0}range 39.09 to 41.64), against 38.02 for everybody else (95\u{a0}%\u{a0}range \
     37.85 to 38.20): clearly more, before any formula, and whatever their hospitals add.",
    "“Panels that often need an interpreter”: underpaid by the formula that fits best. Among the clinicians \
     of this period, what is reported of them lies 2.47 points above what the formula gives, compared with \
     everybody else (95\u{a0}%\u{a0}range 1.55 to 3.39, by the privacy noise alone). With the fairness dial \
     at φ = 0.50 the formula that pays leaves +1.23 points; how sure that is cannot be said.",
    "“Night staff”: neither under- nor overpaid as far as this release tells. Among the clinicians of this \
     period, what is reported of them lies 0.31 points below what the formula gives, compared with \
     everybody else (95\u{a0}%\u{a0}range −0.40 to 1.02, by the privacy noise alone). With the fairness \
     dial at φ = 0.50 the formula that pays leaves −0.36 points; how sure that is cannot be said.",
    "“Panels that often need an interpreter”: to pay for the gap of 2.47 points to about 463 clinicians, at \
     the price of a point in this pool, would take EUR\u{a0}8,000 (95\u{a0}%\u{a0}range 6,000 to 10,000, by \
     the privacy noise alone), 0.8\u{a0}% of the pool; to pay for half of it, half as much. Who is in \
     several groups is counted in each.",
    "“Night staff”: no gap is told from zero, so no incentive is costed.",
];

/// One question for each kind of figure.
pub(super) fn asked() -> Vec<QuestionPart> {
    let part = |question: &str, by: &[&str]| QuestionPart {
        question: question.to_owned(),
        by: by.iter().filter_map(|figure| figure.parse().ok()).collect(),
        words: Vec::new(),
    };
    vec![
        part("What is a level of acuity worth?", &["coefficient:acuity", "price:acuity"]),
        part("What is a tenth more with an interpreter worth?", &["price:interpreter"]),
        part("Who is under-served?", &["served:interpreter-panel"]),
        part("Who is under-compensated?", &["gap:interpreter-panel", "gap:night-staff"]),
        part("What would it cost?", &["incentive:interpreter-panel", "incentive:night-staff"]),
    ]
}

/// Of a pool of a million.
pub(super) fn prices(columns: &[Coefficient]) -> PricesPart {
    let part = |cents: f64| PricePart {
        cents,
        interval: Interval::Between {
            low: cents - cents.abs() / 4.0,
            high: cents + cents.abs() / 4.0,
        },
        truth: Some(1.1 * cents),
    };
    let column = |row: &Coefficient| ColumnPrice {
        name: row.name.clone(),
        unit: match row.name.as_str() {
            "acuity" => "level".to_owned(),
            "interpreter" => "share".to_owned(),
            _ => String::new(),
        },
        price: part(700.0 * row.after_dial.or(row.estimate).unwrap_or(0.1)),
    };
    let gap = |name: &str, cents: f64| GapPrice { name: name.to_owned(), price: part(cents) };
    PricesPart {
        currency: "EUR".to_owned(),
        pool_cents: 100_000_000,
        point: part(700.0),
        columns: columns.iter().map(column).collect(),
        gaps: vec![gap("interpreter-panel", 800_000.0), gap("night-staff", -174_000.0)],
    }
}
