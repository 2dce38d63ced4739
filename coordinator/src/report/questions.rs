//! The questions of a study, each answered from the figures that the study names for it.
//!
//! No sentence claims more than the interval beside it: what a range does not tell from zero is said not to be told, and
//! where a figure is withheld the answer says that.
use super::answer::{changed, hospitals, spread};
use super::data::{Coefficient, FitQuality, GroupFairness, Interval, ReportData};
use super::number::{decimal, percent, signed, significant, units};
use super::prices::{ColumnPrice, PricePart, PricesPart};
use super::within::GroupMeans;
use super::words::{self, around, places, tells_from_zero};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use tacit_shared::study::ask::Figure;

/// A question of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionPart {
    /// The question.
    pub question: String,
    /// The figures that answer it, as the study names them.
    pub by: Vec<Figure>,
    /// The answer, a paragraph a figure; [`super::Report::new`] writes it from the figures, whatever was here.
    pub words: Vec<String>,
}

/// A paragraph a figure; what several figures would say alike is said once.
pub(crate) fn answers(by: &[Figure], data: &ReportData) -> Vec<String> {
    let mut words: Vec<String> = by.iter().map(|figure| answer(figure, data)).collect();
    words.dedup();
    words
}

fn answer(figure: &Figure, data: &ReportData) -> String {
    let none = || {
        if data.fit.quality == FitQuality::Withheld {
            let kappa = decimal(data.fit.kappa, 1);
            return format!(
                "Withheld: the noise that protects people hides the formula (κ\u{a0}=\u{a0}{kappa}, 1 is needed)."
            );
        }
        format!("This release does not say (`{figure}`).")
    };
    let coefficient = |name: &str| data.coefficients.iter().find(|c| c.name == name);
    let group = |name: &str| data.fairness.groups.iter().find(|g| g.name == name);
    match figure {
        Figure::Worth => Some(words::worth(data).join(" ")),
        Figure::Coefficient(name) => coefficient(name).and_then(worth),
        Figure::Price(name) => {
            coefficient(name).zip(data.prices.as_ref()).and_then(|(c, all)| price(c, all, data))
        }
        Figure::Gap(id) => group(id.as_str()).map(|found| gap(found, data)),
        Figure::Served(id) => {
            let found = data.fairness.means.iter().find(|means| means.name == id.as_str());
            found.map(|means| served(means, &data.study.outcome.label))
        }
        Figure::Incentive(id) => group(id.as_str())
            .zip(data.prices.as_ref())
            .and_then(|(found, all)| incentive(found, all)),
        Figure::Spread(id) => {
            data.histograms.iter().find(|histogram| histogram.name == id.as_str()).map(spread)
        }
        Figure::Change => data.change.as_ref().map(|change| changed(change, data)),
        Figure::Sites => data.sites.as_ref().map(hospitals),
        Figure::Money => data.allocation.as_ref().map(|found| words::money(found).join(" ")),
    }
    .unwrap_or_else(none)
}

fn worth(row: &Coefficient) -> Option<String> {
    let estimate = row.estimate?;
    let places = places(row);
    let sure = match row.population {
        Interval::NotEstimable => "so large is the noise that every value is possible",
        found if tells_from_zero(found) => "told from zero",
        _ => "not told from zero",
    };
    Some(format!(
        "“{}”: {} {} ({}; {sure}), with the other features held equal.",
        row.label,
        signed(estimate, places),
        row.unit,
        around(row.population, places)
    ))
}

/// `EUR +1.17`, with as many decimals as it deserves, and where it would lie without noise: money goes to those who are here,
/// so that they are a sample does not count.
fn paid(price: PricePart, factor: f64, currency: &str) -> (String, String) {
    let scaled = |cents: f64| cents * factor / 100.0;
    let whole = scaled(price.cents);
    let places = if whole.abs() >= 100.0 { 0 } else { significant(whole).min(3) };
    let around = match price.interval {
        Interval::Between { low, high } => format!(
            " (95\u{a0}%\u{a0}range {} to {}, by the privacy noise alone)",
            decimal(scaled(low), places),
            decimal(scaled(high), places)
        ),
        _ => ", how sure that is cannot be said".to_owned(),
    };
    (format!("{currency}\u{a0}{}", decimal(whole, places)), around)
}

/// The ends of a range as seen from the side on which its number lies.
fn magnitude(interval: Interval, value: f64) -> Interval {
    match interval {
        Interval::Between { low, high } if value < 0.0 => {
            Interval::Between { low: -high, high: -low }
        }
        other => other,
    }
}

/// What one unit more is paid with; of shares a tenth.
fn price(row: &Coefficient, all: &PricesPart, data: &ReportData) -> Option<String> {
    let ColumnPrice { unit, price, .. } = all.columns.iter().find(|c| c.name == row.name)?;
    let estimate = row.estimate?;
    let of_share = unit.ends_with("share");
    let factor = if of_share { 0.1 } else { 1.0 };
    let more = match unit.as_str() {
        "" => format!("“{}”", row.label),
        _ if of_share => format!("Ten percentage points more of “{}”", row.label),
        "minutes" => format!("One minute more of “{}”", row.label),
        unit => format!("One {unit} more of “{}”", row.label),
    };
    let scaled = estimate * factor;
    let ends = match row.population {
        Interval::Between { low, high } => {
            Interval::Between { low: low * factor, high: high * factor }
        }
        other => other,
    };
    let places = significant(scaled);
    let sure = match row.population {
        Interval::Between { .. } if !tells_from_zero(row.population) => ", not told from zero",
        _ => "",
    };
    let point = format!("{}\u{a0}{}", all.currency, decimal(all.point.cents / 100.0, 2));
    let (amount, without) = paid(*price, factor, &all.currency);
    let paying = match row.after_dial.map(|after| after * factor) {
        Some(after) if data.fairness.phi > 0.0 && after.to_bits() != scaled.to_bits() => {
            format!(
                " After the fairness dial the formula gives {} points for it.",
                signed(after, places)
            )
        }
        _ => String::new(),
    };
    Some(format!(
        "{more} goes with {} points of “{}” ({}{sure}).{paying} This pool pays {point} a point, so {amount} for a clinician in \
         the period{without}.",
        signed(scaled, places),
        data.study.outcome.label,
        around(ends, places),
    ))
}

/// Whether those who do the work of a group are paid for it.
fn gap(group: &GroupFairness, data: &ReportData) -> String {
    let before = &group.before;
    let size = before.mean_residual_difference;
    let verdict = match before.interval {
        Interval::Between { .. } if !tells_from_zero(before.interval) => {
            "neither under- nor overpaid as far as this release tells"
        }
        Interval::Between { .. } if size > 0.0 => "underpaid by the formula that fits best",
        Interval::Between { .. } => "overpaid by the formula that fits best",
        _ => return format!("“{}”: not estimable at this privacy level.", group.label),
    };
    let mut told = format!(
        "“{}”: {verdict}. Among the clinicians of this period, what is reported of them lies {} points {} what the formula gives, compared with everybody \
         else ({}, by the privacy noise alone).",
        group.label,
        decimal(size.abs(), 2),
        if size < 0.0 { "below" } else { "above" },
        around(magnitude(before.interval, size), 2),
    );
    if data.fairness.phi > 0.0 && group.after != group.before {
        let left = group.after.mean_residual_difference;
        let sure = match group.after.interval {
            Interval::Between { .. } => format!(" ({})", around(group.after.interval, 2)),
            _ => "; how sure that is cannot be said".to_owned(),
        };
        let _ = write!(
            told,
            " With the fairness dial at φ = {} the formula that pays leaves {} points{sure}.",
            decimal(data.fairness.phi, 2),
            signed(left, 2),
        ); // a String
    }
    told
}

/// Whether a group is reached less: its mean beside that of the others, before any formula.
fn served(means: &GroupMeans, outcome: &str) -> String {
    let (Some(inside), Some(outside)) = (means.inside.mean, means.outside.mean) else {
        return format!("“{}”: the mean is not estimable at this privacy level.", means.label);
    };
    let apart = match (means.inside.population, means.outside.population) {
        (
            Interval::Between { low, high },
            Interval::Between { low: other_low, high: other_high },
        ) => low > other_high || high < other_low,
        _ => false,
    };
    let way = match (apart, inside < outside) {
        (false, _) => "the two ranges overlap, so which is less is not told",
        (true, true) => "clearly less, before any formula, and whatever their hospitals add",
        (true, false) => "clearly more, before any formula, and whatever their hospitals add",
    };
    format!(
        "“{}”: “{outcome}” is {} points on average ({}), against {} for everybody else ({}): {way}.",
        means.label,
        decimal(inside, 2),
        around(means.inside.population, 2),
        decimal(outside, 2),
        around(means.outside.population, 2),
    )
}

/// What closing a gap would cost.
fn incentive(group: &GroupFairness, all: &PricesPart) -> Option<String> {
    let price = all.gaps.iter().find(|gap| gap.name == group.name)?.price;
    let (size, interval) = (group.before.mean_residual_difference, group.before.interval);
    if !tells_from_zero(interval) {
        let most = match price.interval {
            Interval::Between { high, .. } if high > 0.0 => format!(
                " The range of what it would take reaches up to {}\u{a0}{}.",
                all.currency,
                decimal(high / 100.0, 0)
            ),
            _ => String::new(),
        };
        return Some(format!(
            "“{}”: no gap is told from zero, so no incentive is costed.{most}",
            group.label
        ));
    }
    if size < 0.0 {
        return Some(format!(
            "“{}”: valued {} points too high already; an incentive would widen that.",
            group.label,
            decimal(-size, 2)
        ));
    }
    let (amount, without) = paid(price, 1.0, &all.currency);
    Some(format!(
        "“{}”: to pay for the gap of {} points to about {} clinicians, at the price of a point in this pool, would take \
         {amount}{without}, {} of the pool; to pay for half of it, half as much. Who is in several groups is counted in each.",
        group.label,
        decimal(size, 2),
        decimal(group.heads.value, 0),
        percent(price.cents / 100.0 / units(all.pool_cents), 1),
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::super::{Report, sample};
    use super::*;

    fn told(data: ReportData) -> Vec<String> {
        let report = Report::new(data).unwrap();
        report.data().questions.iter().flat_map(|asked| asked.words.clone()).collect()
    }

    fn says(by: &str, data: &ReportData) -> String {
        answers(&[by.parse().unwrap()], data).remove(0)
    }

    #[test]
    fn the_questions_of_the_sample_are_answered_in_plain_words() {
        assert_eq!(told(sample::data()), sample::ANSWERS);
    }

    #[test]
    fn what_is_withheld_is_not_answered() {
        for words in told(sample::withheld()) {
            assert!(words.starts_with("Withheld: the noise") && words.contains("0.4"), "{words}");
        }
    }

    #[test]
    fn an_interval_that_holds_zero_promises_nothing() {
        let mut data = sample::data();
        let wide = Interval::Between { low: -1.0, high: 6.0 };
        for row in &mut data.coefficients {
            row.population = wide;
        }
        for group in &mut data.fairness.groups {
            group.before.interval = wide;
        }
        assert!(says("coefficient:acuity", &data).contains("not told from zero)"));
        assert!(says("price:acuity", &data).contains(", not told from zero)"));
        assert!(says("gap:night-staff", &data).contains("neither under- nor overpaid"));
        let costed = says("incentive:interpreter-panel", &data);
        assert!(
            costed.contains("no incentive is costed. The range")
                && costed.ends_with("EUR\u{a0}10,000.")
        );
        let means = &mut data.fairness.means[0];
        (means.inside.population, means.outside.population) = (wide, wide);
        assert!(says("served:interpreter-panel", &data).contains("so which is less is not told"));
    }

    #[test]
    fn a_group_valued_too_high_gets_no_incentive_and_lost_ones_no_sentence() {
        let mut data = sample::data();
        data.fairness.groups[1].before.interval = Interval::Between { low: -0.6, high: -0.1 };
        assert!(says("incentive:night-staff", &data).contains("0.31 points too high already"));
        assert!(says("gap:night-staff", &data).contains("overpaid by the formula that fits best"));
        data.prices.as_mut().unwrap().gaps.clear();
        assert_eq!(
            says("incentive:night-staff", &data),
            "This release does not say (`incentive:night-staff`)."
        );
        data.fairness.groups[0].before.interval = Interval::NotEstimable;
        assert!(
            says("gap:interpreter-panel", &data).ends_with("not estimable at this privacy level.")
        );
    }
}
