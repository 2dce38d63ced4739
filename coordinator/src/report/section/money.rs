//! How the pool is divided.
use super::super::data::{
    AllocationPart, AllocationRow, Bound, CodeRow, CodesPart, Interval, PricePart, PricesPart,
    ReportData, ServiceLineRow, ServiceLinesPart,
};
use super::super::number::{amount, decimal, money as cents, percent, significant, units};
use super::super::picture;
use super::super::words::{per_head, range};
use super::asked::noisy;
use super::{heads, table};
use maud::{Markup, html};

/// Pictures and tables: hospitals, service lines, codes.
pub(crate) fn money(data: &ReportData) -> Markup {
    if data.allocation.is_none() && data.service_lines.is_empty() && data.codes.is_none() {
        return html! { p { "No money is divided by this report." } };
    }
    html! {
        @if let Some(allocation) = &data.allocation { (hospitals(allocation, data.rehearsal)) }
        @if let Some(equity) = &data.equity { p { (equity.words) } }
        @for part in &data.service_lines { (service_lines(part, data.rehearsal)) }
        @if let Some(part) = &data.codes { (codes(part)) }
        @if let Some(prices) = &data.prices { (paid(prices, data)) }
    }
}

/// What the pool pays for what.
fn paid(prices: &PricesPart, data: &ReportData) -> Markup {
    let mut names = heads(&["One more"]);
    names.push(format!("Price, {}", prices.currency));
    names.extend(heads(&["Without noise, 95\u{a0}%"]));
    if data.rehearsal {
        names.push("Truth".to_owned());
    }
    let label = |name: &str| {
        let found = data.coefficients.iter().find(|c| c.name == name);
        found.map_or_else(|| name.to_owned(), |c| c.label.clone())
    };
    let group = |name: &str| {
        let found = data.fairness.groups.iter().find(|g| g.name == name);
        format!("The gap of “{}”, closed", found.map_or(name, |g| g.label.as_str()))
    };
    let body = html! {
        tbody {
            (price("Point of the outcome", "for a clinician", &prices.point, data.rehearsal))
            @for column in &prices.columns {
                @let unit = if column.unit.is_empty() { String::new() } else { format!("{}, ", column.unit) };
                (price(&label(&column.name), &format!("{unit}for a clinician"), &column.price, data.rehearsal))
            }
            @for gap in &prices.gaps {
                (price(&group(&gap.name), "for all in the group", &gap.price, data.rehearsal))
            }
        }
    };
    let caption = "What this pool pays by its rule for a little more of each, in the period, before floors, caps, price indices and \
                   extra weights: nobody receives these amounts one by one.";
    html! {
        h3 { "What the pool pays for what" }
        (table("prices", caption, &names, &body))
    }
}

fn price(label: &str, unit: &str, price: &PricePart, rehearsal: bool) -> Markup {
    let places = significant(price.cents / 100.0).min(4);
    let amount = |cents: f64| decimal(cents / 100.0, places);
    let ends = match price.interval {
        Interval::Between { low, high } => {
            Interval::Between { low: low / 100.0, high: high / 100.0 }
        }
        other => other,
    };
    html! {
        tr {
            th scope="row" { (label) span.unit { (unit) } }
            td.num { (amount(price.cents)) }
            td.num { (range(ends, places)) }
            @if rehearsal { td.num { (price.truth.map_or("–".to_owned(), amount)) } }
        }
    }
}

fn hospitals(allocation: &AllocationPart, rehearsal: bool) -> Markup {
    html! {
        p {
            "The pool is " (amount(allocation.pool_cents, &allocation.currency)) ". " (allocation.rule)
            " Money goes to hospitals, never to a person."
        }
        (picture::amounts(allocation, rehearsal))
        @if let Some(picture) = picture::per_clinician(allocation, rehearsal) { (picture) }
        (rows(allocation, rehearsal))
    }
}

fn rows(allocation: &AllocationPart, rehearsal: bool) -> Markup {
    let mut names = heads(&["Site", "Clinicians", "Labour index"]);
    names.push(format!("Amount, {}", allocation.currency));
    names.extend(heads(&["95\u{a0}% range", "Floor to cap", "Per clinician"]));
    if rehearsal {
        names.push("Truth".to_owned());
    }
    let body = html! {
        tbody { @for row in &allocation.rows { (site(row, rehearsal)) } }
        tfoot {
            tr {
                th scope="row" { "All" }
                td {} td {}
                td.num { (cents(allocation.pool_cents)) }
                td {} td {} td {}
                @if rehearsal { td {} }
            }
        }
    };
    let caption = "The share of each site, which sum to the pool to the cent. The labour index is fitted \
                   labour per clinician, 1 on average; the range is where the amount without noise lies.";
    table("allocation", caption, &names, &body)
}

fn site(row: &AllocationRow, rehearsal: bool) -> Markup {
    let head = per_head(row).map_or("–".to_owned(), |head| decimal(head.amount, 2));
    html! {
        tr {
            th scope="row" { (row.site) }
            td.num { (noisy(row.heads)) }
            td.num { (decimal(row.labour_index, 3)) (extra(row.extra_weight)) }
            td.num { (cents(row.cents)) (limit(row.at)) }
            td.num { (span(row.low_cents, row.high_cents)) }
            td.num { (span(row.floor_cents, row.cap_cents)) }
            td.num { (head) }
            @if rehearsal { td.num { (row.truth_cents.map_or("–".to_owned(), cents)) } }
        }
    }
}

/// The same pool by the levels of a factor.
fn service_lines(part: &ServiceLinesPart, rehearsal: bool) -> Markup {
    let mut names = heads(&["Service line", "Clinicians", "Labour index"]);
    names.push(format!("Amount, {}", part.currency));
    names.extend(heads(&["95\u{a0}% range", "Floor to cap"]));
    if rehearsal {
        names.push("Truth".to_owned());
    }
    let body = html! {
        tbody { @for row in &part.rows { (service_line(row, rehearsal)) } }
        tfoot {
            tr {
                th scope="row" { "All" }
                td {} td {}
                td.num { (cents(part.pool_cents)) }
                td {} td {}
                @if rehearsal { td {} }
            }
        }
    };
    let caption = "The same pool by service line: another view of one money, not a second pool.";
    html! {
        h3 { "By service line: " (part.label) }
        p { (part.rule) }
        (table(&format!("lines-{}", part.feature), caption, &names, &body))
    }
}

fn service_line(row: &ServiceLineRow, rehearsal: bool) -> Markup {
    html! {
        tr {
            th scope="row" { (row.level) }
            td.num { (noisy(row.heads)) }
            td.num { (decimal(row.labour_index, 3)) (extra(row.extra_weight)) }
            td.num { (cents(row.cents)) (limit(row.at)) }
            td.num { (span(row.low_cents, row.high_cents)) }
            td.num { (span(row.floor_cents, row.cap_cents)) }
            @if rehearsal { td.num { (row.truth_cents.map_or("–".to_owned(), cents)) } }
        }
    }
}

/// The proposed codes: one sentence, the caution, the table.
fn codes(part: &CodesPart) -> Markup {
    let names = [
        "Code",
        "Specialty",
        &format!("Time, {}s", part.time_unit),
        &format!("Acuity, {}", part.acuity_unit),
        "Relative value",
        "95\u{a0}% range",
        &format!("{} per {}", part.currency, part.per),
        "95\u{a0}% range",
    ];
    let body = html! { tbody { @for row in &part.rows { (code(row)) } } };
    let caption = "Proposed codes. The relative value is the fitted outcome at the middle of the bands over \
                   that of all codes, 1 on average over the expected numbers.";
    html! {
        h3 { "Proposed billing codes" }
        p {
            "If the pool of " (amount(part.pool_cents, &part.currency)) " were paid per " (part.per)
            " by specialty, time and acuity, each code would be worth this."
        }
        p.banner role="note" { (part.caution) }
        (table("codes", caption, &heads(&names), &body))
    }
}

fn code(row: &CodeRow) -> Markup {
    let to = |low: f64, high: f64, places: usize| {
        format!("{} to {}", decimal(low, places), decimal(high, places))
    };
    html! {
        tr {
            th scope="row" { span.day { (row.code) } }
            td { (row.specialty) }
            td.num { (row.time_from) " to " (row.time_to) }
            td.num { (row.acuity_from) " to " (row.acuity_to) }
            td.num { (decimal(row.relative_value, 3)) }
            td.num { (to(row.relative_low, row.relative_high, 3)) }
            td.num { (cents(row.amount_cents)) }
            td.num { (to(units(row.amount_low_cents), units(row.amount_high_cents), 2)) }
        }
    }
}

fn extra(weight: f64) -> Markup {
    html! { @if weight > 0.0 { span.unit { "weight +" (percent(weight, 1)) } } }
}

fn limit(bound: Bound) -> Markup {
    let words = match bound {
        Bound::None => "",
        Bound::Floor => "at the floor",
        Bound::Cap => "at the cap",
    };
    html! { @if !words.is_empty() { span.unit { (words) } } }
}

/// Both ends on lines of their own, in whole units: the table stays narrow enough for paper.
fn span(low: i64, high: i64) -> Markup {
    html! { (decimal(units(low), 0)) " to" br; (decimal(units(high), 0)) }
}
