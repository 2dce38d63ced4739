//! The sentences of a report: what the numbers say, and how sure one can be.
//!
//! A range that holds zero is said to be one that "the noise does not tell from zero"; two ranges that
//! overlap leave an order open. No sentence claims more than the interval beside it.
use super::data::{
    AllocationPart, AllocationRow, Bound, Coefficient, CoefficientKind, FitQuality, GapMeasures,
    GroupFairness, Interval, PatientPrivacy, PrivacyPart, ReportData,
};
use super::number::{amount, decimal, one_in, percent, significant, units, whole};

/// `2026-07-01 to 2026-09-30`, from the first day and the day after the last.
pub fn period(from: &str, to: &str) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    let last = time::Date::parse(to, format).ok().and_then(time::Date::previous_day);
    match last {
        Some(last) => format!("{from} to {last}"),
        None => format!("{from} up to, not including, {to}"),
    }
}

/// `1 clinician at 1 site`: with how many clinicians a patient may count, and where.
pub(crate) fn patient_counts(patient: &PatientPrivacy) -> String {
    let places = match patient.sites {
        1 => "1 site".to_owned(),
        many => format!("each of at most {many} sites"),
    };
    format!("{} at {places}", count(patient.clinicians_per_site, "clinician", "clinicians"))
}

/// The privacy promise, from its figures.
pub(crate) fn promise(privacy: &PrivacyPart) -> String {
    let PrivacyPart { min_sites, colluders, patient, .. } = privacy;
    let allies = match colluders {
        0 => "none of them".to_owned(),
        some => format!("no more than {some} of them"),
    };
    format!(
        "One clinician at one hospital, added or removed, changes the odds of any finding by a factor \
         of at most {} (ε = {}), but for a chance of {} (δ). An attacker who knows all other data and \
         accepts 5\u{a0}% false alarms detects that the clinician took part with a chance of at most {}. One \
         patient, counted with at most {}, is protected with ε = {} at the same δ. The noise that \
         does this is already in the sum when the coordinator first sees it; the sum is opened only over \
         at least {}, and the promise holds as long as the coordinator works together with {}. Where a \
         record is exchanged for another instead of removed, the two cases lie twice as far apart (2μ). \
         With {} the promise for a year is ε = {}. Against the coordinator it also rests on standard \
         cryptography.",
        decimal(above(privacy.epsilon.exp(), 1), 1),
        decimal(above(privacy.epsilon, 2), 2),
        one_in(privacy.delta),
        percent(above(privacy.attacker_power, 2), 0),
        patient_counts(patient),
        decimal(above(patient.epsilon, 2), 2),
        count((*min_sites).into(), "site", "sites"),
        allies,
        count(privacy.releases_per_year, "release a year", "releases a year"),
        decimal(above(privacy.year_epsilon, 2), 2),
    )
}

/// The number with so many decimals, never below it: a bound is not rounded in its own favour.
fn above(value: f64, places: i32) -> f64 {
    let unit = 10_f64.powi(places);
    // A hair is taken off first, so that 1.5 does not become 1.51 through the last bit.
    ((value * unit) * (1.0 - 1e-12)).ceil() / unit
}

/// `1 site`, `4 sites`.
pub(crate) fn count(number: u32, one: &str, many: &str) -> String {
    let words = if number == 1 { one } else { many };
    format!("{number} {words}")
}

/// `1.20 to 3.40`, or why there is no interval.
pub(crate) fn range(interval: Interval, places: usize) -> String {
    match interval {
        Interval::Between { low, high } => {
            format!("{} to {}", decimal(low, places), decimal(high, places))
        }
        Interval::NotEstimable => "not estimable".to_owned(),
        Interval::NotOffered => "not offered".to_owned(),
    }
}

/// The same as brackets have it: `95 % range 1.20 to 3.40`.
pub(crate) fn around(interval: Interval, places: usize) -> String {
    match interval {
        Interval::Between { .. } => format!("95\u{a0}%\u{a0}range {}", range(interval, places)),
        other => range(other, places),
    }
}

/// Decimals of a coefficient and all that stands in its row: three digits that count, at least two.
///
/// A value much smaller than its own range gets no more decimals than the range.
pub(crate) fn places(coefficient: &Coefficient) -> usize {
    let half = match coefficient.exact_data {
        Interval::Between { low, high } => (high - low) / 2.0,
        Interval::NotEstimable | Interval::NotOffered => 0.0,
    };
    significant(half.max(coefficient.estimate.unwrap_or(0.0).abs()))
}

/// What one head of a site gets, in currency units: the amount and its range.
pub(crate) struct PerHead {
    /// The amount.
    pub(crate) amount: f64,
    /// Lower end.
    pub(crate) low: f64,
    /// Upper end.
    pub(crate) high: f64,
}

/// `None` if the noisy count of heads is below 1.
pub(crate) fn per_head(row: &AllocationRow) -> Option<PerHead> {
    let heads = row.heads.value;
    (heads >= 1.0).then(|| PerHead {
        amount: units(row.cents) / heads,
        low: units(row.low_cents) / heads,
        high: units(row.high_cents) / heads,
    })
}

/// The pool over all heads, in currency units.
pub(crate) fn equal_share(allocation: &AllocationPart) -> Option<f64> {
    let heads: f64 = allocation.rows.iter().map(|r| r.heads.value).sum();
    (heads >= 1.0).then(|| units(allocation.pool_cents) / heads)
}

/// Who gets most and least, and how sure that is.
pub(super) fn money(allocation: &AllocationPart) -> Vec<String> {
    let pool = amount(allocation.pool_cents, &allocation.currency);
    let equal = equal_share(allocation);
    let mut sites: Vec<_> = allocation
        .rows
        .iter()
        .filter_map(|row| Some((row.site.as_str(), per_head(row)?, row.at)))
        .collect();
    sites.sort_by(|(_, a, _), (_, b, _)| b.amount.total_cmp(&a.amount));
    let (Some(most), Some(fewest), Some(equal)) = (sites.first(), sites.last(), equal) else {
        return vec![format!("Of the pool of {pool} no amount per clinician can be given.")];
    };
    let ((first, top, _), (last, low, _)) = (most, fewest);
    if sites.len() == 1 {
        return vec![format!("The whole pool of {pool} goes to the one site, {first}.")];
    }
    let tell = |(_, site, bound): &(&str, PerHead, Bound)| {
        let code = &allocation.currency;
        let (low, high) = (decimal(site.low, 0), decimal(site.high, 0));
        let side = against(site.amount / equal - 1.0);
        let head = decimal(site.amount, 0);
        let limit = match bound {
            Bound::None => "",
            Bound::Floor => ", the least that the rule allows",
            Bound::Cap => ", the most that the rule allows",
        };
        format!("about {code}\u{a0}{head} (95\u{a0}%\u{a0}range {low} to {high}), {side}{limit}")
    };
    let highest = format!(
        "Of the pool of {pool}, {first} gets the most per clinician, {}; {last} gets the least, {}.",
        tell(most),
        tell(fewest)
    );
    // The second in amount need not be the one whose range reaches highest.
    let others = sites.iter().skip(1);
    let rival = others.max_by(|(_, a, _), (_, b, _)| a.high.total_cmp(&b.high));
    let certain = match rival {
        _ if top.low <= low.high => {
            "The ranges of these two overlap: without the privacy noise the order might be another."
                .to_owned()
        }
        Some((second, next, _)) if top.low <= next.high => format!(
            "That {first} gets more than {last} is clear of the privacy noise; its lead over {second} is not."
        ),
        _ => {
            format!("Without the privacy noise, too, {first} would almost certainly get the most.")
        }
    };
    vec![highest, certain]
}

/// `7.2 % above an equal share`.
fn against(share: f64) -> String {
    let side = if share < 0.0 { "below" } else { "above" };
    format!("{} {side} an equal share", percent(share.abs(), 1))
}

/// What each feature is worth, and what is not known.
pub(super) fn worth(data: &ReportData) -> Vec<String> {
    let kappa = decimal(data.fit.kappa, 1);
    if data.fit.quality == FitQuality::Withheld {
        return vec![format!(
            "The noise that protects people is too strong for this number of clinicians (κ\u{a0}=\u{a0}{kappa}, \
             1 is needed): what each feature is worth is withheld."
        )];
    }
    let effects = || {
        let all = data.coefficients.iter();
        all.filter(|c| c.kind == CoefficientKind::Effect)
    };
    let clear: Vec<String> =
        effects().filter(|c| tells_from_zero(c.population)).filter_map(told).collect();
    let total = effects().count();
    let listed = clear.join("; ");
    let known = match clear.len() {
        0 => "none has a value that can be told from zero".to_owned(),
        1 => format!("one has a value that can be told from zero ({listed})"),
        all if all == total => format!("all have a value that can be told from zero ({listed})"),
        many => format!("{many} have a value that can be told from zero ({listed})"),
    };
    let mut sentences = vec![format!("Of {} features, {known}.", whole(total))];
    let rest = |is: fn(Interval) -> bool| -> Vec<String> {
        effects().filter(|c| is(c.population)).filter_map(told).collect()
    };
    let unclear = rest(|found| found != Interval::NotEstimable && !tells_from_zero(found));
    if !unclear.is_empty() {
        sentences.push(format!("Not told from zero: {}.", unclear.join("; ")));
    }
    let lost = effects().filter(|c| c.population == Interval::NotEstimable);
    let lost: Vec<&str> = lost.map(|c| c.label.as_str()).collect();
    if !lost.is_empty() {
        sentences.push(format!("Not estimable at this privacy level: {}.", lost.join("; ")));
    }
    if data.fit.quality == FitQuality::Weak {
        sentences.push(format!(
            "The fit is weak (κ\u{a0}=\u{a0}{kappa}, below 2): read every coefficient with its interval."
        ));
    }
    sentences
}

/// `Acuity, 3.08 points per level, 2.20 to 3.96`.
fn told(coefficient: &Coefficient) -> Option<String> {
    let places = places(coefficient);
    let value = decimal(coefficient.estimate?, places);
    let around = range(coefficient.population, places);
    Some(format!("{}, {value} {}, {around}", coefficient.label, coefficient.unit))
}

/// Whether zero lies outside.
pub(super) fn tells_from_zero(interval: Interval) -> bool {
    matches!(interval, Interval::Between { low, high } if low > 0.0 || high < 0.0)
}

/// How each group fares, and what the dial does.
pub(super) fn fairness(data: &ReportData) -> Vec<String> {
    let size = |group: &&GroupFairness| group.before.mean_residual_difference.abs();
    let groups = data.fairness.groups.iter();
    let Some(group) = groups.max_by(|a, b| size(a).total_cmp(&size(b))) else {
        return vec![];
    };
    let before = match group.before.interval {
        Interval::NotEstimable => format!(
            "How the formula treats “{}” is not estimable at this privacy level.",
            group.label
        ),
        interval => format!(
            "The formula that fits best values “{}” {} against everybody else{}.",
            group.label,
            points_off(&group.before),
            certainty(interval)
        ),
    };
    let phi = decimal(data.fairness.phi, 2);
    let after = if data.fairness.phi > 0.0 && group.after == group.before {
        "The fairness dial is not used for this group.".to_owned()
    } else if data.fairness.phi > 0.0 {
        let reach = match group.after.interval {
            Interval::Between { .. } => certainty(group.after.interval),
            _ => "; how sure that is cannot be said".to_owned(),
        };
        let off = points_off(&group.after);
        format!(
            "With the fairness dial at φ = {phi} (0 leaves the gap, 1 closes it), the formula that pays \
             values it {off}{reach}."
        )
    } else {
        "No gap is closed in this report; the notes at its end say why if one was to be.".to_owned()
    };
    let mut sentences = vec![before, after];
    sentences.extend(cost(data));
    let others = data.fairness.groups.iter().filter(|other| other.name != group.name);
    sentences.extend(others.map(|other| match other.before.interval {
        Interval::NotEstimable => {
            format!("“{}” is not estimable at this privacy level.", other.label)
        }
        interval => format!(
            "The best formula values “{}” {}{}.",
            other.label,
            points_off(&other.before),
            certainty(interval)
        ),
    }));
    sentences
}

/// `1.20 points too low`; a mean residual above 0 says that the outcome is above the formula.
fn points_off(measures: &GapMeasures) -> String {
    let gap = measures.mean_residual_difference;
    let side = if gap < 0.0 { "high" } else { "low" };
    format!("{} points too {side}", decimal(gap.abs(), 2))
}

fn certainty(interval: Interval) -> String {
    let Interval::Between { low, high } = interval else {
        return String::new();
    };
    if tells_from_zero(interval) {
        let (near, far) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
        return format!(" (95\u{a0}%\u{a0}range {} to {})", decimal(near, 2), decimal(far, 2));
    }
    ", a gap that the noise does not tell from zero".to_owned()
}

/// What the dial took from the fit, if the curve says so.
fn cost(data: &ReportData) -> Option<String> {
    let curve = &data.fairness.curve;
    let at = |phi: f64| curve.iter().find(|p| (p.phi - phi).abs() < 1e-9);
    let (none, chosen) = (at(0.0)?, at(data.fairness.phi)?);
    (data.fairness.phi > 0.0).then(|| {
        format!(
            "The price is that the formula explains {} of the variation instead of {}.",
            explained(chosen.r_squared),
            explained(none.r_squared)
        )
    })
}

/// A formula may fit worse than no formula: its share is then below 0.
fn explained(share: f64) -> String {
    if share > 0.0 { percent(share, 1) } else { "nothing".to_owned() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::super::answer::answer;
    use super::super::data::Noisy;
    use super::super::sample;
    use super::*;

    fn told_by(data: &ReportData) -> String {
        answer(data).join("\n")
    }

    #[test]
    fn a_period_ends_on_its_last_day() {
        assert_eq!(period("2026-07-01", "2026-10-01"), "2026-07-01 to 2026-09-30");
        assert_eq!(period("2027-02-01", "2027-03-01"), "2027-02-01 to 2027-02-28");
    }

    #[test]
    fn a_patient_at_several_sites_is_counted_at_each() {
        let mut patient = sample::data().privacy.patient;
        (patient.clinicians_per_site, patient.sites) = (3, 2);
        assert_eq!(patient_counts(&patient), "3 clinicians at each of at most 2 sites");
    }

    #[test]
    fn overlapping_ranges_leave_the_order_open() {
        let mut data = sample::data();
        for row in &mut data.allocation.as_mut().unwrap().rows {
            (row.low_cents, row.high_cents) = (row.cents / 2, row.cents * 2);
        }
        assert!(told_by(&data).contains("without the privacy noise the order might be another"));
    }

    #[test]
    fn a_third_site_with_a_wide_range_is_not_forgotten() {
        let mut data = sample::data();
        let rows = &mut data.allocation.as_mut().unwrap().rows;
        let row = rows.iter_mut().find(|r| r.site == "st-brigid").unwrap();
        row.high_cents = 12_040_000; // 283 per clinician
        let told = "is clear of the privacy noise; its lead over st-brigid is not.";
        assert!(told_by(&data).contains(told), "{}", told_by(&data));
    }

    #[test]
    fn a_small_coefficient_shows_three_digits_and_a_vague_one_no_more_than_its_range() {
        let mut row = sample::data().coefficients.remove(1);
        let mut shown = |estimate: f64, half: f64| {
            row.estimate = Some(estimate);
            row.exact_data = Interval::Between { low: estimate - half, high: estimate + half };
            decimal(estimate, places(&row))
        };
        assert_eq!(shown(-0.029_04, 0.006), "−0.0290");
        assert_eq!(shown(0.123, 0.04), "0.123");
        assert_eq!(shown(36.604, 0.3), "36.60");
        assert_eq!(shown(0.000_4, 0.5), "0.000");
    }

    #[test]
    fn a_formula_worse_than_none_explains_nothing() {
        let mut data = sample::data();
        data.fairness.curve[2].r_squared = -0.1;
        let end = "explains nothing of the variation instead of 45.2\u{a0}%.";
        assert!(told_by(&data).contains(end));
    }

    #[test]
    fn features_that_are_all_clear_are_said_to_be() {
        let mut data = sample::data();
        for row in &mut data.coefficients {
            row.population = Interval::Between { low: 1.0, high: 2.0 };
        }
        assert!(
            told_by(&data)
                .contains("Of 7 features, all have a value that can be told from zero (Mean")
        );
    }

    #[test]
    fn what_is_withheld_is_said_to_be() {
        let text = told_by(&sample::withheld());
        assert!(text.starts_with("The noise that protects"));
    }

    #[test]
    fn an_interval_that_holds_zero_claims_no_direction_for_sure() {
        let mut data = sample::data();
        for group in &mut data.fairness.groups {
            group.before.interval = Interval::Between { low: -1.0, high: 6.0 };
        }
        assert!(told_by(&data).contains("a gap that the noise does not tell from zero"));
        for group in &mut data.fairness.groups {
            group.before.interval = Interval::NotEstimable;
        }
        assert!(told_by(&data).contains("is not estimable at this privacy level."));
    }

    #[test]
    fn a_site_with_no_heads_left_by_the_noise_has_no_amount_per_head() {
        let mut allocation = sample::data().allocation.unwrap();
        let row = allocation.rows.first_mut().unwrap();
        row.heads = Noisy { value: -3.0, sd: 5.0 };
        assert!(per_head(row).is_none());
    }

    #[test]
    fn the_promise_of_the_sample_is_in_plain_words() {
        assert_eq!(promise(&sample::data().privacy), sample::PROMISE);
    }
}
