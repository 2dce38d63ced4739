//! The pages around the reports: their list, the links of a report, and plain answers.
use super::Listing;
use crate::report::{Report, html};
use maud::{Markup, html};
use std::fmt::Write as _;

/// The list of reports.
pub(super) fn list(reports: &[Listing]) -> String {
    let body = html! {
        header {
            h1 { "Reports" }
            p.under { "What hospitals worked out together, without any of them showing its data." }
        }
        main id="main" {
            @if reports.is_empty() {
                p { "No round has finished yet." }
            } @else {
                ul.reports { @for report in reports { li { (entry(report)) } } }
            }
        }
    };
    html::document("Reports", &body)
}

fn entry(report: &Listing) -> Markup {
    let base = address(&report.id);
    let shown = report.withheld.is_none();
    html! {
        h2 { @if shown { a href=(base) { (report.title) } } @else { (report.title) } }
        dl {
            dt { "Study" } dd { (report.study) }
            dt { "Period" } dd { (html::period(&report.from, &report.to)) }
            dt { "Round" } dd.code { (report.id) }
            @if let Some(why) = &report.withheld { dt { "Withheld" } dd { (why) } }
        }
        @if shown { (files(&base)) }
    }
}

/// A report with the way back and to its files.
pub(super) fn report(id: &str, report: &Report) -> String {
    let links = html! {
        p.small { a href="/" { "All reports" } }
        (files(&address(id)))
    };
    html::page_among(report, &links)
}

fn files(base: &str) -> Markup {
    html! {
        p.small {
            "As files: "
            a href={ (base) ".json" } { "report.json" } ", "
            a href={ (base) "/coefficients.csv" } { "coefficients.csv" } ", "
            a href={ (base) "/allocation.csv" } { "allocation.csv" }
        }
    }
}

/// A heading, a sentence, and the way back.
pub(super) fn plain(title: &str, words: &str) -> String {
    let body = html! {
        header { h1 { (title) } }
        main id="main" {
            p { (words) }
            p { a href="/" { "All reports" } }
        }
    };
    html::document(title, &body)
}

/// The path of a report; what a path cannot hold is written in percent (RFC 3986 §2.1).
fn address(id: &str) -> String {
    let mut path = "/reports/".to_owned();
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                path.push(char::from(byte));
            }
            _ => {
                let _ = write!(path, "%{byte:02X}"); // writing into a String cannot fail
            }
        }
    }
    path
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_path_can_hold_is_written_in_percent() {
        assert_eq!(address("a-1_~.Z"), "/reports/a-1_~.Z");
        assert_eq!(address("a/b ?ü\""), "/reports/a%2Fb%20%3F%C3%BC%22");
    }

    #[test]
    fn a_withheld_result_is_listed_with_its_reason_and_without_links() {
        let text = include_str!("../../../configs/studies/empathy-billing.toml");
        let study = tacit_shared::study::Study::parse(text).unwrap();
        let listed = Listing::withheld("abc".to_owned(), &study, "a sum is outside".to_owned());
        let page = list(&[listed]);
        assert!(page.contains("<dt>Withheld</dt><dd>a sum is outside</dd>"), "{page}");
        assert!(!page.contains("/reports/abc"), "{page}");
    }

    #[test]
    fn an_empty_list_says_so() {
        assert!(list(&[]).contains("No round has finished yet."));
    }
}
