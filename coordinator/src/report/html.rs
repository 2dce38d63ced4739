//! The report as one page: no script, no font, no picture from elsewhere.
//!
//! The page says so to the browser itself: its content policy allows nothing but the one style sheet
//! inside it, by digest. The sections are in [`super::section`], their sentences in [`super::words`].
use super::data::ReportData;
use super::{Report, section, words};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};

pub use words::period;

/// The style of every page.
const STYLE: &str = include_str!("style.css");

/// The page as text, in UTF-8.
pub fn page(report: &Report) -> String {
    page_among(report, &html! {})
}

/// The page with links to others above its contents, for a server that has others.
pub fn page_among(report: &Report, links: &Markup) -> String {
    let data = report.data();
    let body = html! {
        header {
            h1 { (data.study.title) }
            p.under {
                "What " (data.federation.took_part.len()) " hospitals worked out together, without any of them "
                "showing its data: " span.day { (words::period(&data.study.from, &data.study.to)) } "."
            }
            @if data.rehearsal {
                p.banner role="note" {
                    "Rehearsal on synthetic hospitals: the truth is known and shown beside each estimate."
                }
            }
            (links)
            (contents(data))
        }
        main id="main" { (sections(data)) }
        footer {
            p { "Made by " (data.generated_by) " from " (data.study.name) ", round " (short(&data.federation.round)) "." }
        }
    };
    document(&data.study.title, &body)
}

/// A page with the style of the report, around `body`, which brings its own landmarks.
pub fn document(title: &str, body: &Markup) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(content_policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (body)
            }
        }
    };
    markup.into_string()
}

/// The content policy of every page: nothing but its own style sheet, by digest.
pub fn content_policy() -> String {
    let sum = base64(digest(&SHA256, STYLE.as_bytes()).as_ref());
    format!("default-src 'none'; style-src 'sha256-{sum}'; base-uri 'none'; form-action 'none'")
}

const SECTIONS: [(&str, &str); 9] = [
    ("answer", "The answer"),
    ("question", "What was asked"),
    ("who", "Who took part"),
    ("worth", "What it is worth"),
    ("fairness", "Fairness"),
    ("spread", "How it spreads"),
    ("money", "Money"),
    ("privacy", "Privacy and limits"),
    ("verify", "How to verify"),
];

fn contents(data: &ReportData) -> Markup {
    html! {
        nav aria-label="Contents" {
            ul { @for (id, name) in shown(data) { li { a href={ "#" (id) } { (name) } } } }
        }
    }
}

fn sections(data: &ReportData) -> Markup {
    let inside: [Markup; 9] = [
        section::asked::answer(data),
        section::asked::question(data),
        section::asked::who(data),
        section::worth::worth(data),
        section::fair::fairness(data),
        section::spread::spread(data),
        section::money::money(data),
        section::trust::privacy(data),
        section::trust::verify(data),
    ];
    html! {
        @for ((id, name), inside) in SECTIONS.iter().zip(&inside).filter(|(section, _)| shown(data).any(|s| s == **section)) {
            section aria-labelledby=(id) {
                h2 id=(id) { (name) }
                (inside)
            }
        }
    }
}

/// The sections that have anything to show.
fn shown(data: &ReportData) -> impl Iterator<Item = (&'static str, &'static str)> {
    let spread = !data.histograms.is_empty() || data.sites.is_some() || data.within.is_some();
    SECTIONS.into_iter().filter(move |(id, _)| *id != "spread" || spread)
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// RFC 4648 §4, with padding; `ring` digests have no text form of their own.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, place| {
            bits << 8 | u32::from(group.get(place).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let letter = (bits >> (18 - 6 * place) & 63) as usize;
            match LETTERS.get(letter) {
                Some(letter) if place <= group.len() => text.push(char::from(*letter)),
                _ => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests;
