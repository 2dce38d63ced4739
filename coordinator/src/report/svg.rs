//! A picture laid out by hand: rows of marks on one axis.
//!
//! Each picture is drawn twice, wide for paper and desk, narrow for a telephone; the style sheet shows
//! one. Colour is never alone: marks differ in shape, and a title and a description say what is seen.
//! What the marks mean is [`super::picture`]'s business.
use super::number::decimal;
use super::scale::Scale;
use maud::{Markup, html};

/// How much room a picture has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Labels beside the marks.
    Wide,
    /// Labels above the marks.
    Narrow,
}

/// One mark of a row; positions in the unit of the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mark {
    /// A bar from zero.
    Bar(f64),
    /// A thin line with ends: an interval.
    Thin(f64, f64),
    /// A thick band: a narrower interval.
    Thick(f64, f64),
    /// A faint line that joins two states.
    Link(f64, f64),
    /// A short upright line: a floor or a cap.
    Edge(f64),
    /// The same, short enough for a legend.
    Sign(f64),
    /// A filled circle: the estimate.
    Dot(f64),
    /// An empty circle: the state before.
    Ring(f64),
    /// A diamond: the truth of a rehearsal.
    Truth(f64),
}

/// A row of marks with its words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// What the row is about.
    pub(crate) label: String,
    /// The number or the words at its end.
    pub(crate) value: String,
    /// Drawn in order.
    pub(crate) marks: Vec<Mark>,
}

/// Rows on one axis.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the rows of the picture are its rows")]
pub(crate) struct Rows {
    /// Unique on the page.
    pub(crate) id: &'static str,
    /// Short title, for those who hear the picture.
    pub(crate) title: String,
    /// What the rows say, for those who hear the picture.
    pub(crate) desc: String,
    /// What the axis counts.
    pub(crate) axis: String,
    /// A value that the axis must show and that gets a firm line.
    pub(crate) anchor: f64,
    /// A mark and its meaning.
    pub(crate) legend: Vec<(Mark, &'static str)>,
    /// From top to bottom.
    pub(crate) rows: Vec<Row>,
}

const LINE: f64 = 16.0;

/// Where things go in a picture of rows.
struct Frame {
    width: f64,
    left: f64,
    right: f64,
    steps: f64,
    letters: usize,
}

impl Room {
    fn class(self) -> &'static str {
        match self {
            Room::Wide => "pic wide",
            Room::Narrow => "pic narrow",
        }
    }

    fn frame(self) -> Frame {
        match self {
            Room::Wide => {
                Frame { width: 720.0, left: 236.0, right: 612.0, steps: 6.0, letters: 33 }
            }
            Room::Narrow => {
                Frame { width: 340.0, left: 14.0, right: 326.0, steps: 4.0, letters: 30 }
            }
        }
    }
}

/// Both drawings of a picture of rows.
pub(crate) fn rows(rows: &Rows) -> Markup {
    html! {
        (draw_rows(rows, Room::Wide))
        (draw_rows(rows, Room::Narrow))
    }
}

fn draw_rows(picture: &Rows, room: Room) -> Markup {
    let frame = room.frame();
    let (legend, top) = legend(&picture.legend, &frame);
    let values = picture.rows.iter().flat_map(|r| r.marks.iter());
    let values = values.flat_map(|mark| mark.ends()).chain([picture.anchor]);
    let scale = Scale::over(values, frame.steps, frame.left, frame.right - frame.left);
    let mut y = top + 6.0;
    let mut body = vec![];
    for row in &picture.rows {
        let (drawn, height) = draw_row(row, room, &scale, y);
        body.push(drawn);
        y += height;
    }
    let axis = axis(&picture.axis, &scale, picture.anchor, (top, y, frame.width));
    let inside = html! { (axis) (legend) @for row in &body { (row) } };
    sheet((picture.id, room), (&picture.title, &picture.desc), (frame.width, y + 44.0), &inside)
}

fn draw_row(row: &Row, room: Room, scale: &Scale, top: f64) -> (Markup, f64) {
    let frame = room.frame();
    let lines = wrap(&row.label, frame.letters, 3);
    let words = match room {
        Room::Wide => {
            let taken = f64::from(u8::try_from(lines.len()).unwrap_or(3)) * LINE;
            let height = (taken + 14.0).max(36.0);
            let middle = top + height / 2.0;
            let first = middle - taken / 2.0 + 12.0;
            let value = text("val", (frame.width, middle + 4.5), &row.value);
            (middle, height, first, value)
        }
        Room::Narrow => {
            let taken = f64::from(u8::try_from(lines.len()).unwrap_or(3)) * LINE;
            let value = text("val", (frame.right, top + 17.0), &row.value);
            (top + taken + 20.0, taken + 38.0, top + 17.0, value)
        }
    };
    let (middle, height, first, value) = words;
    let start = match room {
        Room::Wide => 0.0,
        Room::Narrow => frame.left,
    };
    let drawn = html! {
        @for (line, number) in lines.iter().zip(0u8..) {
            (text("lbl", (start, f64::from(number).mul_add(LINE, first)), line))
        }
        @for mark in &row.marks { (draw_mark(*mark, scale, middle)) }
        (value)
    };
    (drawn, height)
}

impl Mark {
    /// The values that the axis must cover.
    fn ends(self) -> Vec<f64> {
        match self {
            Mark::Bar(x) => vec![0.0, x],
            Mark::Thin(low, high) | Mark::Thick(low, high) | Mark::Link(low, high) => {
                vec![low, high]
            }
            Mark::Edge(x) | Mark::Sign(x) | Mark::Dot(x) | Mark::Ring(x) | Mark::Truth(x) => {
                vec![x]
            }
        }
    }
}

fn draw_mark(mark: Mark, scale: &Scale, y: f64) -> Markup {
    let line = |class: &str, from: (f64, f64), to: (f64, f64)| {
        html! { line class=(class) x1=(px(from.0)) y1=(px(from.1)) x2=(px(to.0)) y2=(px(to.1)) {} }
    };
    let block = |class: &str, low: f64, high: f64, half: f64| {
        let (a, b) = (low.min(high), (high - low).abs().max(1.5));
        html! { rect class=(class) x=(px(a)) y=(px(y - half)) width=(px(b)) height=(px(half * 2.0)) {} }
    };
    match mark {
        Mark::Bar(x) => block("bar", scale.at(0.0), scale.at(x), 9.0),
        Mark::Thick(low, high) => block("thick", scale.at(low), scale.at(high), 5.0),
        Mark::Thin(low, high) => {
            let (a, b) = (scale.at(low), scale.at(high));
            html! {
                (line("thin", (a, y), (b, y)))
                (line("thin", (a, y - 5.0), (a, y + 5.0)))
                (line("thin", (b, y - 5.0), (b, y + 5.0)))
            }
        }
        Mark::Link(from, to) => line("link", (scale.at(from), y), (scale.at(to), y)),
        Mark::Edge(x) => line("edge", (scale.at(x), y - 13.0), (scale.at(x), y + 13.0)),
        Mark::Sign(x) => line("edge", (scale.at(x), y - 8.0), (scale.at(x), y + 8.0)),
        Mark::Dot(x) => html! { circle class="dot" cx=(px(scale.at(x))) cy=(px(y)) r="5" {} },
        Mark::Ring(x) => html! { circle class="ring" cx=(px(scale.at(x))) cy=(px(y)) r="5" {} },
        Mark::Truth(x) => {
            let x = scale.at(x);
            let corners = format!(
                "{},{} {},{} {},{} {},{}",
                px(x),
                px(y - 6.5),
                px(x + 6.5),
                px(y),
                px(x),
                px(y + 6.5),
                px(x - 6.5),
                px(y)
            );
            html! { polygon class="truth" points=(corners) {} }
        }
    }
}

/// The legend, and where it ends.
fn legend(items: &[(Mark, &'static str)], frame: &Frame) -> (Markup, f64) {
    let (mut x, mut y) = (0.0, 14.0);
    let mut places = vec![];
    for (mark, words) in items {
        let wide = letters(words) * 6.6 + 46.0;
        if x > 0.0 && x + wide > frame.width {
            (x, y) = (0.0, y + 22.0);
        }
        places.push((*mark, *words, x, y));
        x += wide;
    }
    let drawn = html! {
        @for (mark, words, x, y) in &places {
            (draw_mark(sign(*mark), &Scale::unit(x + 2.0, 22.0), *y))
            (text("dim", (x + 30.0, y + 4.5), words))
        }
    };
    (drawn, y + 16.0)
}

/// A mark at its place in a legend, whose axis runs from 0 to 1.
fn sign(mark: Mark) -> Mark {
    match mark {
        Mark::Bar(_) => Mark::Bar(1.0),
        Mark::Thin(..) => Mark::Thin(0.0, 1.0),
        Mark::Thick(..) => Mark::Thick(0.0, 1.0),
        Mark::Link(..) => Mark::Link(0.0, 1.0),
        Mark::Edge(_) | Mark::Sign(_) => Mark::Sign(0.5),
        Mark::Dot(_) => Mark::Dot(0.5),
        Mark::Ring(_) => Mark::Ring(0.5),
        Mark::Truth(_) => Mark::Truth(0.5),
    }
}

/// The grid, its numbers below, and what they count.
fn axis(words: &str, scale: &Scale, anchor: f64, (top, bottom, width): (f64, f64, f64)) -> Markup {
    let places = scale.places();
    let middle = scale.middle();
    html! {
        @for value in scale.ticks() {
            @let x = scale.at(value);
            line class="grid" x1=(px(x)) y1=(px(top)) x2=(px(x)) y2=(px(bottom)) {}
            @let number = decimal(value, places);
            @let half = letters(&number) * 3.4;
            (text("tick", (x.clamp(half, width - half), bottom + 16.0), &number))
        }
        @let x = scale.at(anchor);
        line class="anchor" x1=(px(x)) y1=(px(top)) x2=(px(x)) y2=(px(bottom)) {}
        (text("tick", (middle, bottom + 36.0), words))
    }
}

/// The picture itself, with title and description for those who hear it.
pub(crate) fn sheet(
    (id, room): (&str, Room),
    (title, desc): (&str, &str),
    (width, height): (f64, f64),
    inside: &Markup,
) -> Markup {
    let kind = match room {
        Room::Wide => "wide",
        Room::Narrow => "narrow",
    };
    let (title_id, desc_id) = (format!("{id}-{kind}-title"), format!("{id}-{kind}-desc"));
    let named = format!("{title_id} {desc_id}");
    let window = format!("0 0 {} {}", px(width), px(height));
    html! {
        svg class=(room.class()) viewBox=(window) role="img" aria-labelledby=(named)
            xmlns="http://www.w3.org/2000/svg" {
            title id=(title_id) { (title) }
            desc id=(desc_id) { (desc) }
            (inside)
        }
    }
}

pub(crate) fn text(class: &str, (x, y): (f64, f64), words: &str) -> Markup {
    html! { text class=(class) x=(px(x)) y=(px(y)) { (words) } }
}

/// A length to a tenth of a picture unit.
pub(crate) fn px(length: f64) -> String {
    format!("{length:.1}")
}

pub(crate) fn letters(words: &str) -> f64 {
    f64::from(u16::try_from(words.chars().count()).unwrap_or(u16::MAX))
}

/// Breaks `words` at spaces into at most `most` lines of about `width` letters; the rest becomes `…`.
pub(crate) fn wrap(words: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in words.split_whitespace() {
        let fits = |line: &&mut String| line.chars().count() + 1 + word.chars().count() <= width;
        match lines.last_mut().filter(fits) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None if word.chars().count() > width => {
                lines.push(format!("{}…", cut(word, width.saturating_sub(1))));
            }
            None => lines.push(word.to_owned()),
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = cut(last, width.saturating_sub(1));
            last.push('…');
        }
    }
    lines
}

fn cut(word: &str, width: usize) -> String {
    word.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_break_at_spaces_and_the_rest_is_dots() {
        assert_eq!(wrap("a bb ccc", 4, 2), ["a bb", "ccc"]);
        assert_eq!(wrap("one two three four", 7, 2), ["one two", "three…"]);
        assert_eq!(wrap("far-too-long-a-name", 7, 2), ["far-to…"]);
        assert_eq!(wrap("", 7, 2), Vec::<String>::new());
    }

    #[test]
    fn words_from_a_study_are_escaped() {
        let picture = Rows {
            id: "x",
            title: "<b>".to_owned(),
            desc: String::new(),
            axis: String::new(),
            anchor: 0.0,
            legend: vec![],
            rows: vec![Row {
                label: "</svg><script>".to_owned(),
                value: String::new(),
                marks: vec![],
            }],
        };
        let text = rows(&picture).into_string();
        assert!(text.contains("&lt;/svg&gt;&lt;script&gt;") && text.contains("&lt;b&gt;"));
        assert!(!text.contains("<script") && !text.contains("<b>"));
    }
}
