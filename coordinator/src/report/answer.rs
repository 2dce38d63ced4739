//! The answer at the top of a report: what was asked for, in words, from the figures alone.
//!
//! One paragraph each on what changed for whom, what features are worth, how groups fare, how numbers spread, how hospitals
//! differ, and money; what a study does not have is left out. No sentence claims more than the interval beside it, and
//! what is not estimable is said to be.
use super::data::{Coefficient, HistogramPart, Interval, QuantilePart, ReportData};
use super::found::{ChangePart, SitesPart};
use super::number::{decimal, percent, signed, significant};
use super::words::{self, around, range, tells_from_zero};

/// The paragraphs.
pub(crate) fn answer(data: &ReportData) -> Vec<String> {
    let mut paragraphs = Vec::new();
    paragraphs.extend(data.change.as_ref().map(|change| changed(change, data)));
    paragraphs.push(words::worth(data).join(" "));
    paragraphs.push(words::fairness(data).join(" "));
    paragraphs.push(data.histograms.iter().map(spread).collect::<Vec<String>>().join(" "));
    paragraphs.extend(data.sites.as_ref().map(hospitals));
    paragraphs.push(match &data.allocation {
        Some(allocation) => words::money(allocation).join(" "),
        None if data.service_lines.is_empty() && data.codes.is_none() => {
            "No money is divided by this report.".to_owned()
        }
        None => "The pool is divided among service lines or codes, not among hospitals.".to_owned(),
    });
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

/// `changed by 1.20 points (95 % range 0.90 to 1.50)`, and what remains with the rest held equal.
pub(super) fn changed(change: &ChangePart, data: &ReportData) -> String {
    let (inside, outside) = (&change.inside, &change.outside);
    let side = |value: f64| if value < 0.0 { "less" } else { "more" };
    let plain = format!(
        "From the earlier days to this period, “{}” was {} points on average for “{}” ({}) and {} points for everybody else \
         ({}): {} points {} for the former{}.",
        data.study.outcome.label,
        signed(inside.mean, 2),
        change.label,
        around(inside.population, 2),
        signed(outside.mean, 2),
        around(outside.population, 2),
        decimal(change.difference.abs(), 2),
        side(change.difference),
        sure(change.interval),
    );
    let adjusted = data.coefficients.iter().find(|c| c.name == change.coefficient);
    let Some(Coefficient { estimate: Some(estimate), population, .. }) = adjusted else {
        return plain;
    };
    let verdict = match population {
        Interval::NotEstimable => "which is not estimable at this privacy level".to_owned(),
        found if tells_from_zero(*found) => format!("{}, told from zero", around(*found, 2)),
        found => format!("{}, which is not told from zero", around(*found, 2)),
    };
    format!(
        "{plain} With the other features held equal, the difference in differences is {} points ({verdict}).",
        signed(*estimate, 2)
    )
}

/// Half, and the outer tenths.
pub(super) fn spread(histogram: &HistogramPart) -> String {
    let at = |share: f64| histogram.quantiles.iter().find(|q| (q.share - share).abs() < 1e-9);
    let (Some(low), Some(middle), Some(high)) = (at(0.1), at(0.5), at(0.9)) else {
        return format!("How “{}” spreads is not told from the noise.", histogram.label);
    };
    let places = digits(histogram);
    // A share reads better in percent.
    let (factor, places, unit) = match histogram.unit.as_str() {
        "share" | "whole share" => (100.0, places.saturating_sub(2), "%"),
        unit => (1.0, places, unit),
    };
    let value = |q: &QuantilePart| {
        let sign = if factor > 1.0 { "\u{a0}%" } else { "" };
        format!("{}{sign}", decimal(factor * q.value, places))
    };
    let unit = if factor > 1.0 { String::new() } else { format!("\u{a0}{unit}") };
    let around = match middle.population {
        Interval::Between { low, high } => {
            Interval::Between { low: factor * low, high: factor * high }
        }
        other => other,
    };
    format!(
        "“{}” is {}{unit} for the clinician in the middle (95\u{a0}%\u{a0}range {}); a tenth of clinicians lie below {} and \
         a tenth above {}.",
        histogram.label,
        value(middle),
        range(around, places),
        value(low),
        value(high),
    )
}

/// Decimals that a histogram's values deserve.
pub(crate) fn digits(histogram: &HistogramPart) -> usize {
    significant((histogram.high - histogram.low) / 10.0)
}

pub(super) fn hospitals(sites: &SitesPart) -> String {
    let clear: Vec<String> = sites
        .rows
        .iter()
        .filter(|row| tells_from_zero(row.interval))
        .map(|row| format!("{} ({})", row.site, signed(row.effect, 2)))
        .collect();
    let spread = decimal(sites.between_points, 2);
    let known = match clear.as_slice() {
        [] => "no single one is told from what the formula gives".to_owned(),
        some => format!("told from what the formula gives: {}", some.join(", ")),
    };
    if sites.between_points > 0.0 {
        format!("Beyond the formula, hospitals differ by about {spread} points; {known}.")
    } else {
        "Beyond the formula, noise and sampling explain how hospitals differ.".to_owned()
    }
}

fn sure(interval: Interval) -> String {
    match interval {
        Interval::Between { .. } if tells_from_zero(interval) => {
            format!(" ({})", around(interval, 2))
        }
        Interval::Between { .. } => {
            format!(" ({}), which is not told from zero", around(interval, 2))
        }
        _ => ", which is not estimable".to_owned(),
    }
}

/// A share in words, for captions: `10 %`.
pub(crate) fn share(share: f64) -> String {
    percent(share, 0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_answer_of_the_sample_is_in_plain_paragraphs() {
        assert_eq!(answer(&sample::data()), sample::ANSWER);
    }

    #[test]
    fn a_change_that_is_not_told_from_zero_claims_nothing() {
        let mut data = sample::data();
        let change = data.change.as_mut().unwrap();
        change.interval = Interval::Between { low: -0.4, high: 1.9 };
        let row = data.coefficients.iter_mut().find(|c| c.name == "emergency").unwrap();
        row.population = Interval::NotEstimable;
        let told = answer(&data).join("\n");
        assert!(
            told.contains("(95\u{a0}%\u{a0}range −0.40 to 1.90), which is not told from zero."),
            "{told}"
        );
        assert!(told.contains("which is not estimable at this privacy level)."), "{told}");
    }

    #[test]
    fn what_noise_hides_of_a_spread_is_said() {
        let mut data = sample::data();
        data.histograms.iter_mut().for_each(|h| h.quantiles.clear());
        data.sites.as_mut().unwrap().between_points = 0.0;
        let told = answer(&data).join("\n");
        assert!(told.contains("spreads is not told from the noise."));
        assert!(told.contains("noise and sampling explain how hospitals differ."));
    }
}
