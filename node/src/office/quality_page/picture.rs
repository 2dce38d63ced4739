//! The pictures of the page, as SVG inside it: shapes and few words, styled by the page's sheet.
use super::words;
use super::{Modality, Spread};
use maud::{Markup, html};

/// Months that a picture shows.
pub(super) const MONTHS: usize = 36;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 660.0;
const TOP: f64 = 34.0;
const BASE: f64 = 150.0;

/// Columns of clinicians between the bounds; the centre, the threshold of a group, and what is clipped on each side.
pub(super) fn spread(spread: &Spread, caption: &str) -> Markup {
    let (width, most) = (column_width(spread.bins.len()), most(&spread.bins));
    let at = |value: f64| {
        let share = ((value - spread.low) / (spread.high - spread.low)).clamp(0.0, 1.0);
        LEFT + share * (RIGHT - LEFT)
    };
    let clipped = [
        (LEFT, "end", share_clipped(spread.clipped_low, spread.values)),
        (RIGHT, "start", share_clipped(spread.clipped_high, spread.values)),
    ];
    html! {
        svg class="pic" viewBox="0 0 720 190" role="img" aria-labelledby=(caption) {
            @for (place, count) in (0_u32..).zip(&spread.bins) {
                (column(LEFT + f64::from(place) * width, width, *count, most))
            }
            line class="axis" x1=(px(LEFT)) y1=(px(BASE)) x2=(px(RIGHT)) y2=(px(BASE)) {}
            line class="centre" x1=(px(at(spread.centre))) y1="22" x2=(px(at(spread.centre))) y2=(px(BASE)) {}
            text class="dim" x=(px(at(spread.centre))) y="16" text-anchor=(anchor(at(spread.centre))) {
                "centre " (words::bound(spread.centre))
            }
            @if let Some(at_least) = spread.at_least {
                line class="mark" x1=(px(at(at_least))) y1=(px(TOP)) x2=(px(at(at_least))) y2="168" {}
                text class="dim" x=(px(at(at_least))) y="184" text-anchor=(anchor(at(at_least))) {
                    "group from " (words::bound(at_least))
                }
            }
            text x=(px(LEFT)) y="168" text-anchor="middle" { (words::bound(spread.low)) }
            text x=(px(RIGHT)) y="168" text-anchor="middle" { (words::bound(spread.high)) }
            @for (x, side, text) in clipped {
                @if let Some(text) = text {
                    @let x = if side == "end" { x - 6.0 } else { x + 6.0 };
                    text class="clip" x=(px(x)) y="128" text-anchor=(side) { (text) }
                    text class="clip" x=(px(x)) y="143" text-anchor=(side) { "clipped" }
                }
            }
            text class="dim" x=(px(LEFT - 8.0)) y=(px(TOP + 10.0)) text-anchor="end" { (words::grouped(most)) }
        }
    }
}

/// A column a month; a month without rows has a ring on the axis.
pub(super) fn months(modality: &Modality, months: &[String], caption: &str) -> Markup {
    let first = months.len().saturating_sub(MONTHS);
    let (months, rows) =
        (months.get(first..).unwrap_or_default(), modality.rows.get(first..).unwrap_or_default());
    let (width, most) = (column_width(months.len()).min(80.0), most(rows));
    let end = LEFT + width * f64::from(u32::try_from(months.len()).unwrap_or_default());
    let every = months.len().div_ceil(8).max(1);
    html! {
        svg class="pic" viewBox="0 0 720 190" role="img" aria-labelledby=(caption) {
            @for ((place, month), count) in (0_u32..).zip(months).zip(rows) {
                @let x = LEFT + f64::from(place) * width;
                @if *count == 0 {
                    circle class="none" cx=(px(x + width / 2.0)) cy=(px(BASE - 6.0)) r="3.5" {}
                } @else {
                    (column(x, width, *count, most))
                }
                @if usize::try_from(place).is_ok_and(|place| place.is_multiple_of(every)) {
                    text class="dim" x=(px(x + width / 2.0)) y="168" text-anchor="middle" { (month) }
                }
            }
            line class="axis" x1=(px(LEFT)) y1=(px(BASE)) x2=(px(end)) y2=(px(BASE)) {}
            text class="dim" x=(px(LEFT - 8.0)) y=(px(TOP + 10.0)) text-anchor="end" { (words::grouped(most)) }
        }
    }
}

fn column(x: f64, width: f64, count: u64, most: u64) -> Markup {
    #[expect(clippy::cast_precision_loss, reason = "a height in a picture")]
    let height =
        if count == 0 { 0.0 } else { (count as f64 / most as f64 * (BASE - TOP)).max(2.0) };
    html! {
        @if count > 0 {
            rect class="bar" x=(px(x + 1.0)) y=(px(BASE - height)) width=(px((width - 2.0).max(1.0))) height=(px(height)) {}
        }
    }
}

fn column_width(columns: usize) -> f64 {
    let columns = u32::try_from(columns.max(1)).unwrap_or(u32::MAX);
    (RIGHT - LEFT) / f64::from(columns)
}

fn most(counts: &[u64]) -> u64 {
    counts.iter().max().copied().unwrap_or_default().max(1)
}

fn share_clipped(clipped: u64, values: u64) -> Option<String> {
    (clipped > 0).then(|| words::share(clipped, values))
}

/// Words near an edge of the picture grow away from it.
fn anchor(x: f64) -> &'static str {
    if x < LEFT + 40.0 {
        "start"
    } else if x > WIDTH - LEFT - 40.0 {
        "end"
    } else {
        "middle"
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}
