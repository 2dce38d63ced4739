//! A picture of what is given up for what: a line through points.
//!
//! Drawn wide and narrow as in [`super::svg`], and named and described in the same way.
use super::number::{decimal, percent};
use super::scale::Scale;
use super::svg::{Room, letters, px, sheet, text};
use maud::{Markup, html};

/// A point of a curve, with the words beside it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// Position on the horizontal axis.
    pub(crate) x: f64,
    /// Position on the vertical axis, a share.
    pub(crate) y: f64,
    /// Words beside it, if any.
    pub(crate) label: Option<String>,
    /// Whether it is the one that counts.
    pub(crate) chosen: bool,
}

/// A line through points; the vertical axis counts shares in percent and starts at 0.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    /// Unique on the page.
    pub(crate) id: &'static str,
    /// Short title, for those who hear the picture.
    pub(crate) title: String,
    /// What the points say, for those who hear the picture.
    pub(crate) desc: String,
    /// What the horizontal axis counts.
    pub(crate) x_axis: String,
    /// What the vertical axis counts.
    pub(crate) y_axis: String,
    /// Along the line.
    pub(crate) points: Vec<Point>,
}

/// Both drawings of a curve.
pub(crate) fn curve(curve: &Curve) -> Markup {
    html! {
        (draw_curve(curve, Room::Wide))
        (draw_curve(curve, Room::Narrow))
    }
}

fn draw_curve(picture: &Curve, room: Room) -> Markup {
    let (width, left, right, steps) = match room {
        Room::Wide => (720.0, 60.0, 640.0, 6.0),
        Room::Narrow => (340.0, 52.0, 326.0, 4.0),
    };
    let (top, bottom) = (34.0, 260.0);
    let xs = picture.points.iter().map(|p| p.x).chain([0.0]);
    let ys = picture.points.iter().map(|p| p.y * 100.0).chain([0.0]);
    let across = Scale::over(xs, steps, left, right - left);
    let up = Scale::over(ys, 4.0, bottom, top - bottom);
    let place = |p: &Point| (across.at(p.x), up.at(p.y * 100.0));
    let line: Vec<String> = picture
        .points
        .iter()
        .map(|p| {
            let (x, y) = place(p);
            format!("{},{}", px(x), px(y))
        })
        .collect();
    let inside = html! {
        @for value in up.ticks() {
            @let y = up.at(value);
            line class="grid" x1=(px(left)) y1=(px(y)) x2=(px(right)) y2=(px(y)) {}
            (text("val dim", (left - 8.0, y + 4.5), &percent(value / 100.0, up.places())))
        }
        @for value in across.ticks() {
            (text("tick", (across.at(value), bottom + 18.0), &decimal(value, across.places())))
        }
        line class="anchor" x1=(px(left)) y1=(px(bottom)) x2=(px(right)) y2=(px(bottom)) {}
        (text("lbl dim", (0.0, 16.0), &picture.y_axis))
        (text("tick", (f64::midpoint(left, right), bottom + 38.0), &picture.x_axis))
        polyline class="curve" points=(line.join(" ")) {}
        @for point in &picture.points {
            (draw_point(point, place(point), (left, right, bottom)))
        }
    };
    sheet((picture.id, room), (&picture.title, &picture.desc), (width, bottom + 46.0), &inside)
}

fn draw_point(point: &Point, (x, y): (f64, f64), (left, right, bottom): (f64, f64, f64)) -> Markup {
    let class = if point.chosen { "dot" } else { "ring" };
    let radius = if point.chosen { "6" } else { "4" };
    html! {
        circle class=(class) cx=(px(x)) cy=(px(y)) r=(radius) {}
        @if let Some(label) = &point.label {
            @let half = letters(label) * 3.4;
            // A line that rises leaves room below it to the right; beside it where the axis is near.
            @let (x, y) = if y + 30.0 > bottom { (x + half + 12.0, y + 5.0) } else { (x + half * 0.8, y + 24.0) };
            (text("tick strong", (x.clamp(left + half, right - half), y), label))
        }
    }
}
