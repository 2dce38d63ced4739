//! A picture of how a number spreads: a bar a bin, with what is below 0 left out, and lines at quantiles.
//!
//! Drawn wide and narrow as in [`super::svg`], and named and described in the same way.
use super::number::decimal;
use super::scale::Scale;
use super::svg::{Room, letters, px, sheet, text};
use maud::{Markup, html};

/// Bars of one width, and lines across them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bars {
    /// Unique on the page.
    pub(crate) id: &'static str,
    /// Short title, for those who hear the picture.
    pub(crate) title: String,
    /// What the bars say, for those who hear the picture.
    pub(crate) desc: String,
    /// What the horizontal axis counts.
    pub(crate) axis: String,
    /// Where the first bar begins and the last one ends.
    pub(crate) ends: (f64, f64),
    /// Clinicians a bar.
    pub(crate) counts: Vec<f64>,
    /// What noise does to a count, one standard deviation.
    pub(crate) sd: f64,
    /// Where lines stand, and the words above them.
    pub(crate) lines: Vec<(f64, String)>,
}

/// Both drawings.
pub(crate) fn bars(bars: &Bars) -> Markup {
    html! {
        (draw(bars, Room::Wide))
        (draw(bars, Room::Narrow))
    }
}

fn draw(picture: &Bars, room: Room) -> Markup {
    let (width, left, right, steps) = match room {
        Room::Wide => (720.0, 56.0, 700.0, 8.0),
        Room::Narrow => (340.0, 44.0, 330.0, 4.0),
    };
    let (top, bottom) = (48.0, 220.0);
    let (low, high) = picture.ends;
    let across = Scale::over([low, high].into_iter(), steps, left, right - left);
    let up = Scale::over(
        picture.counts.iter().map(|count| count.max(0.0)).chain([0.0, 1.0]),
        4.0,
        bottom,
        top - bottom,
    );
    let floor = up.at(0.0);
    let bins = f64::from(u16::try_from(picture.counts.len()).unwrap_or(u16::MAX)).max(1.0);
    let step = (high - low) / bins;
    let bar = |(at, count): (u16, &f64)| {
        let from = across.at(low + step * f64::from(at));
        let to = across.at(low + step * (f64::from(at) + 1.0));
        (from, to, up.at(count.max(0.0)), *count)
    };
    let inside = html! {
        @for value in up.ticks().into_iter().filter(|value| *value >= 0.0) {
            @let y = up.at(value);
            line class="grid" x1=(px(left)) y1=(px(y)) x2=(px(right)) y2=(px(y)) {}
            (text("val dim", (left - 8.0, y + 4.5), &decimal(value, up.places())))
        }
        @for value in across.ticks() {
            (text("tick", (across.at(value), bottom + 18.0), &decimal(value, across.places())))
        }
        @for (from, to, y, count) in (0_u16..).zip(&picture.counts).map(bar) {
            rect class="bar" x=(px(from + 0.5)) y=(px(y)) width=(px(to - from - 1.0)) height=(px((floor - y).max(0.0))) {}
            @let middle = f64::midpoint(from, to);
            @let (a, b) = (up.at((count - picture.sd).max(0.0)), up.at((count + picture.sd).max(0.0)));
            line class="thin" x1=(px(middle)) y1=(px(a)) x2=(px(middle)) y2=(px(b)) {}
        }
        line class="anchor" x1=(px(left)) y1=(px(floor)) x2=(px(right)) y2=(px(floor)) {}
        (marks(picture, &across, (top, floor, left, right)))
        (text("lbl dim", (0.0, 14.0), "clinicians"))
        (text("tick", (f64::midpoint(left, right), bottom + 38.0), &picture.axis))
    };
    sheet((picture.id, room), (&picture.title, &picture.desc), (width, bottom + 46.0), &inside)
}

/// Lines at quantiles, their words on two levels so that neighbours do not touch.
fn marks(
    picture: &Bars,
    across: &Scale,
    (top, floor, left, right): (f64, f64, f64, f64),
) -> Markup {
    html! {
        @for ((value, words), level) in picture.lines.iter().zip([0.0, 1.0, 0.0].into_iter().cycle()) {
            @let x = across.at(*value);
            line class="edge" x1=(px(x)) y1=(px(top - 6.0)) x2=(px(x)) y2=(px(floor)) {}
            @let half = letters(words) * 3.3;
            (text("tick strong", (x.clamp(left + half, right - half), top - 12.0 - 15.0 * level), words))
        }
    }
}
