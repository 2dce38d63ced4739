//! The sections of the page, each from the data alone.

pub(crate) mod asked;
pub(crate) mod fair;
pub(crate) mod money;
pub(crate) mod spread;
pub(crate) mod trust;
pub(crate) mod within;
pub(crate) mod worth;

use maud::{Markup, html};

/// A table that can be scrolled where it is too wide.
///
/// The caption stands outside, where it does not scroll away, and names both region and table.
fn table(id: &str, caption: &str, head: &[String], body: &Markup) -> Markup {
    html! {
        p.caption id=(id) { (caption) }
        div.scroll role="region" aria-labelledby=(id) tabindex="0" {
            table aria-labelledby=(id) {
                thead { tr { @for name in head { th scope="col" { (name) } } } }
                (body)
            }
        }
    }
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
