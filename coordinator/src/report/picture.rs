//! The pictures of a report, each with one sentence that says what it shows.
//!
//! What is drawn is what the tables beside the pictures say; a description in words goes with each.
use super::curve::{self, Curve, Point};
use super::data::{
    AllocationPart, AllocationRow, Bound, Coefficient, CoefficientKind, CurvePoint, Interval,
    ReportData,
};
use super::number::{decimal, percent, units};
pub(crate) use super::pictures::{change, histogram, sites};
use super::svg::{self, Mark, Row, Rows};
use super::words::{equal_share, per_head};
use maud::{Markup, html};

/// A picture with its caption.
pub(super) fn figure(drawing: &Markup, caption: &str) -> Markup {
    html! {
        figure {
            (drawing)
            figcaption { (caption) }
        }
    }
}

/// The row's words as one sentence for the description.
pub(super) fn told(rows: &[Row]) -> String {
    let each: Vec<String> =
        rows.iter().map(|row| format!("{}: {}.", row.label, row.value)).collect();
    each.join(" ")
}

/// What each feature adds, with both intervals; `None` if nothing can be drawn.
pub(crate) fn effects(data: &ReportData) -> Option<Markup> {
    let effects = data.coefficients.iter();
    let rows: Vec<Row> = effects
        .filter(|c| c.kind == CoefficientKind::Effect && c.estimate.is_some())
        .map(effect)
        .collect();
    if rows.is_empty() {
        return None;
    }
    let mut legend = vec![
        (Mark::Dot(0.0), "estimate"),
        (Mark::Thick(0.0, 0.0), "same data without noise"),
        (Mark::Thin(0.0, 0.0), "all such clinicians"),
    ];
    let mut caption = format!(
        "Each dot is what a typical difference in a feature adds to or takes from “{}”, in points, with \
         the ranges in which the value would lie 95 times in 100",
        data.study.outcome.label
    );
    if data.rehearsal {
        legend.push((Mark::Truth(0.0), "truth"));
        caption.push_str(", and the diamond is the truth that the hospitals were made with");
    }
    caption.push('.');
    let picture = Rows {
        id: "effects",
        title: "What each feature adds".to_owned(),
        desc: told(&rows),
        axis: "points for a typical difference in the feature".to_owned(),
        anchor: 0.0,
        legend,
        rows,
    };
    Some(figure(&svg::rows(&picture), &caption))
}

fn effect(coefficient: &Coefficient) -> Row {
    let mut marks = vec![];
    let step = coefficient.typical;
    if let Interval::Between { low, high } = coefficient.exact_data {
        marks.push(Mark::Thick(low * step, high * step));
    }
    if let Interval::Between { low, high } = coefficient.population {
        marks.push(Mark::Thin(low * step, high * step));
    }
    marks.extend(coefficient.truth.map(|truth| Mark::Truth(truth * step)));
    let mut value = "not estimable".to_owned();
    if let Some(estimate) = coefficient.estimate
        && coefficient.population != Interval::NotEstimable
    {
        marks.push(Mark::Dot(estimate * step));
        value = decimal(estimate * step, 2);
    }
    Row { label: coefficient.label.clone(), value, marks }
}

/// The gap of each group before and after the dial; `None` if there is no group.
pub(crate) fn gaps(data: &ReportData) -> Option<Markup> {
    let groups = &data.fairness.groups;
    if groups.is_empty() {
        return None;
    }
    let moved = data.fairness.phi > 0.0;
    let rows: Vec<Row> = groups
        .iter()
        .map(|group| {
            let (before, after) = (&group.before, &group.after);
            let (from, to) = (before.mean_residual_difference, after.mean_residual_difference);
            let mut marks = vec![];
            let judged = if moved { vec![before, after] } else { vec![before] };
            for measures in judged {
                if let Interval::Between { low, high } = measures.interval {
                    marks.push(Mark::Thin(low, high));
                }
            }
            if moved {
                marks.extend([Mark::Link(from, to), Mark::Ring(from)]);
            }
            marks.extend(before.truth.map(Mark::Truth));
            marks.push(Mark::Dot(to));
            let value = if moved {
                format!("{} → {}", decimal(from, 2), decimal(to, 2))
            } else {
                decimal(from, 2)
            };
            Row { label: group.label.clone(), value, marks }
        })
        .collect();
    let mut legend = if moved {
        vec![(Mark::Ring(0.0), "before the dial"), (Mark::Dot(0.0), "after")]
    } else {
        vec![(Mark::Dot(0.0), "gap")]
    };
    legend.push((Mark::Thin(0.0, 0.0), "95\u{a0}% range"));
    let mut caption =
        "Each row shows by how many points the formula values a group too low (right of \
         zero) or too high (left) against everybody else"
            .to_owned();
    if moved {
        caption.push_str(", before and after the dial");
    }
    if data.rehearsal {
        legend.push((Mark::Truth(0.0), if moved { "truth before" } else { "truth" }));
        caption.push_str(", and the diamond is the gap in the data without noise");
    }
    caption.push('.');
    let picture = Rows {
        id: "gaps",
        title: "How far the formula is off, by group".to_owned(),
        desc: told(&rows),
        axis: "points by which the group is valued too low".to_owned(),
        anchor: 0.0,
        legend,
        rows,
    };
    Some(figure(&svg::rows(&picture), &caption))
}

/// What the dial costs; `None` if the report has no curve.
pub(crate) fn price(data: &ReportData) -> Option<Markup> {
    // A formula that explains less than none is no choice: the line ends before it.
    let explains = |p: &&CurvePoint| p.r_squared >= 0.0;
    let all = &data.fairness.curve;
    let points: Vec<&CurvePoint> = all.iter().take_while(explains).collect();
    if points.len() < 2 {
        return None;
    }
    let phi = data.fairness.phi;
    let last = points.len() - 1;
    let shown: Vec<Point> = points
        .iter()
        .enumerate()
        .map(|(row, point)| {
            let chosen = (point.phi - phi).abs() < 1e-9;
            let label = if chosen {
                let word = if phi > 0.0 { "chosen" } else { "as it is" };
                Some(format!("φ = {}, {word}", decimal(point.phi, 2)))
            } else if row == 0 || row == last {
                Some(format!("φ = {}", decimal(point.phi, 2)))
            } else {
                None
            };
            Point { x: point.gap_points, y: point.r_squared, label, chosen }
        })
        .collect();
    let told: Vec<String> = points
        .iter()
        .map(|p| {
            let (phi, gap) = (decimal(p.phi, 2), decimal(p.gap_points, 2));
            let fit = percent(p.r_squared, 1);
            format!("At φ = {phi} a gap of {gap} points is left and {fit} is explained.")
        })
        .collect();
    let picture = Curve {
        id: "price",
        title: "What closing the gap costs the fit".to_owned(),
        desc: told.join(" "),
        x_axis: "largest gap left, points".to_owned(),
        y_axis: "variation explained".to_owned(),
        points: shown,
    };
    let mut caption =
        "Going left along the line closes the gap between groups, and the height says how \
         much of the variation between clinicians the formula still explains."
            .to_owned();
    if points.len() < all.len() {
        caption.push_str(" Where the line ends the formula would explain nothing any more.");
    }
    Some(figure(&curve::curve(&picture), &caption))
}

/// What each site gets in all.
pub(crate) fn amounts(allocation: &AllocationPart, rehearsal: bool) -> Markup {
    let rows: Vec<Row> = allocation
        .rows
        .iter()
        .map(|row| {
            let mut marks = vec![Mark::Bar(units(row.cents))];
            marks.extend(bounds(row, units));
            marks.push(Mark::Thin(units(row.low_cents), units(row.high_cents)));
            marks.extend(row.truth_cents.map(|c| Mark::Truth(units(c))));
            Row {
                label: row.site.clone(),
                value: format!("{}{}", decimal(units(row.cents), 0), at(row.at)),
                marks,
            }
        })
        .collect();
    let mut caption = format!(
        "Each bar is what a site gets of the pool, in {}, with the range in which the amount without \
         noise lies and the least and most that the rule allows",
        allocation.currency
    );
    let mut legend = vec![
        (Mark::Bar(0.0), "amount"),
        (Mark::Thin(0.0, 0.0), "95\u{a0}% range"),
        (Mark::Edge(0.0), "floor and cap"),
    ];
    truth_of_money(rehearsal, &mut legend, &mut caption);
    let picture = Rows {
        id: "amounts",
        title: "What each site gets".to_owned(),
        desc: told(&rows),
        axis: allocation.currency.clone(),
        anchor: 0.0,
        legend,
        rows,
    };
    figure(&svg::rows(&picture), &caption)
}

/// What each site gets for one clinician; `None` if the noise left no heads to divide by.
pub(crate) fn per_clinician(allocation: &AllocationPart, rehearsal: bool) -> Option<Markup> {
    let equal = equal_share(allocation)?;
    let rows: Option<Vec<Row>> = allocation
        .rows
        .iter()
        .map(|row| {
            let head = per_head(row)?;
            let share = |cents: i64| units(cents) / row.heads.value;
            let mut marks = bounds(row, share);
            marks.push(Mark::Thin(head.low, head.high));
            marks.extend(row.truth_cents.map(|c| Mark::Truth(share(c))));
            marks.push(Mark::Dot(head.amount));
            Some(Row {
                label: row.site.clone(),
                value: format!("{}{}", decimal(head.amount, 0), at(row.at)),
                marks,
            })
        })
        .collect();
    let rows = rows?;
    let mut caption = format!(
        "Each dot is what a site gets for one of its clinicians, in {}, beside the firm line of an equal \
         share of {}",
        allocation.currency,
        decimal(equal, 0)
    );
    let mut legend = vec![
        (Mark::Dot(0.0), "per clinician"),
        (Mark::Thin(0.0, 0.0), "95\u{a0}% range"),
        (Mark::Edge(0.0), "floor and cap"),
    ];
    truth_of_money(rehearsal, &mut legend, &mut caption);
    let picture = Rows {
        id: "heads",
        title: "What each site gets for one clinician".to_owned(),
        desc: told(&rows),
        axis: format!("{} per clinician", allocation.currency),
        anchor: equal,
        legend,
        rows,
    };
    Some(figure(&svg::rows(&picture), &caption))
}

fn truth_of_money(rehearsal: bool, legend: &mut Vec<(Mark, &'static str)>, caption: &mut String) {
    if rehearsal {
        legend.push((Mark::Truth(0.0), "truth"));
        caption.push_str(", and the diamond is what the data without noise give");
    }
    caption.push('.');
}

fn bounds(row: &AllocationRow, place: impl Fn(i64) -> f64) -> Vec<Mark> {
    vec![Mark::Edge(place(row.floor_cents)), Mark::Edge(place(row.cap_cents))]
}

fn at(bound: Bound) -> &'static str {
    match bound {
        Bound::None => "",
        Bound::Floor => " (floor)",
        Bound::Cap => " (cap)",
    }
}
