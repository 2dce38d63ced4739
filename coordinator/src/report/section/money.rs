//! How the pool is divided.
use super::super::data::{AllocationPart, AllocationRow, Bound, ReportData};
use super::super::number::{amount, decimal, money as cents, units};
use super::super::picture;
use super::super::words::per_head;
use super::asked::noisy;
use super::{heads, table};
use maud::{Markup, html};

/// Pictures and table.
pub(crate) fn money(data: &ReportData) -> Markup {
    let Some(allocation) = &data.allocation else {
        return html! { p { "No money is divided by this report." } };
    };
    html! {
        p {
            "The pool is " (amount(allocation.pool_cents, &allocation.currency)) ". " (allocation.rule)
            " Money goes to hospitals, never to a person."
        }
        (picture::amounts(allocation, data.rehearsal))
        @if let Some(picture) = picture::per_clinician(allocation, data.rehearsal) { (picture) }
        (rows(allocation, data.rehearsal))
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
    let bound = match row.at {
        Bound::None => "",
        Bound::Floor => "at the floor",
        Bound::Cap => "at the cap",
    };
    let head = per_head(row).map_or("–".to_owned(), |head| decimal(head.amount, 2));
    html! {
        tr {
            th scope="row" { (row.site) }
            td.num { (noisy(row.heads)) }
            td.num { (decimal(row.labour_index, 3)) }
            td.num { (cents(row.cents)) @if !bound.is_empty() { span.unit { (bound) } } }
            td.num { (span(row.low_cents, row.high_cents)) }
            td.num { (span(row.floor_cents, row.cap_cents)) }
            td.num { (head) }
            @if rehearsal { td.num { (row.truth_cents.map_or("–".to_owned(), cents)) } }
        }
    }
}

/// Both ends on lines of their own, in whole units: the table stays narrow enough for paper.
fn span(low: i64, high: i64) -> Markup {
    html! { (decimal(units(low), 0)) " to" br; (decimal(units(high), 0)) }
}
