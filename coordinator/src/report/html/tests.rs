//! That the page says what the data say, loads nothing, and can be read by everyone.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::super::data::WithinPart;
use super::super::{Report, sample};
use super::{STYLE, base64, page};

fn sample_page() -> String {
    page(&Report::new(sample::data()).unwrap())
}

/// The values of every attribute `name`.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    page.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn the_page_loads_and_runs_nothing() {
    let page = sample_page();
    for part in ["<script", "<link", "<img", "<iframe", " style=\"", "url(", "@import", " src=\""] {
        assert!(!page.contains(part), "{part}");
    }
    let addresses = attributes(&page, "href");
    assert!(addresses.iter().all(|a| a.starts_with('#')), "{addresses:?}");
    let policy = attributes(&page, "content");
    assert!(
        policy
            .iter()
            .any(|p| p.starts_with("default-src &#39;none&#39;")
                || p.starts_with("default-src 'none'")),
        "{policy:?}"
    );
}

#[test]
fn every_identifier_is_used_once_and_every_reference_has_its_target() {
    let page = sample_page();
    let mut ids = attributes(&page, "id");
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id is used twice");
    let links = attributes(&page, "href").into_iter().map(|a| &a[1..]);
    let named = attributes(&page, "aria-labelledby");
    let named = named.iter().flat_map(|list| list.split(' '));
    for target in links.chain(named) {
        assert!(ids.binary_search(&target).is_ok(), "{target}");
    }
}

#[test]
fn headings_go_down_one_level_at_a_time() {
    let page = sample_page();
    let levels: Vec<u32> =
        page.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)).collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
    assert_eq!(levels.first(), Some(&1));
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

#[test]
fn pictures_are_named_described_and_have_one_sentence_each() {
    let page = sample_page();
    let pictures = page.matches("<svg").count();
    assert_eq!(pictures, 16, "eight pictures, wide and narrow");
    assert_eq!(page.matches("role=\"img\"").count(), pictures);
    assert_eq!(page.matches("<desc").count(), pictures);
    assert_eq!(page.matches("<figure>").count(), 8);
    for caption in page.split("<figcaption>").skip(1) {
        let caption = caption.split("</figcaption>").next().unwrap();
        let caption = caption.replace("95\u{a0}%", "");
        assert!(caption.ends_with('.') && !caption.contains(". "), "{caption}");
    }
    let tables = page.matches("<table").count();
    assert_eq!(page.matches("<table aria-labelledby=").count(), tables);
    assert_eq!(page.matches("class=\"caption\"").count(), tables);
}

#[test]
fn a_rehearsal_says_so_and_shows_the_truth_and_a_real_report_neither() {
    let banner =
        "Rehearsal on synthetic hospitals: the truth is known and shown beside each estimate.";
    assert!(sample_page().contains(banner));
    assert!(sample_page().contains("class=\"truth\""));
    let mut data = sample::data();
    data.rehearsal = false;
    data.coefficients.iter_mut().for_each(|c| c.truth = None);
    for group in &mut data.fairness.groups {
        (group.before.truth, group.after.truth) = (None, None);
    }
    let rows = &mut data.allocation.as_mut().unwrap().rows;
    for row in rows.iter_mut() {
        row.truth_cents = None;
    }
    data.service_lines[0].rows.iter_mut().for_each(|row| row.truth_cents = None);
    sample::forget_spreads(&mut data);
    let real = page(&Report::new(data).unwrap());
    assert!(!real.contains(banner) && !real.contains("class=\"truth\""));
    assert!(!real.contains(">Truth<") && !real.to_lowercase().contains("rehearsal"));
}

#[test]
fn a_withheld_report_shows_no_number_that_follows_from_the_fit() {
    let page = page(&Report::new(sample::withheld()).unwrap());
    assert!(page.contains("The coefficients are withheld"));
    assert!(!page.contains("<svg") && !page.contains("<table"));
    assert!(!page.contains("EUR"));
}

#[test]
fn values_within_hospitals_or_their_refusal_and_lost_means_are_told() {
    let shown = sample_page();
    assert!(
        shown.contains("with ranges that do not overlap: “Mean acuity of the panel”."),
        "{shown}"
    );
    assert_eq!(shown.matches(">yes</td>").count(), 1);
    let lost = shown.split("In their first month").nth(1).unwrap();
    assert!(lost.split("</tr>").next().unwrap().contains(">not estimable</td>"));
    let mut data = sample::data();
    let refused = Some("9 clinicians are too few".to_owned());
    data.within = Some(WithinPart { refused, rows: Vec::new() });
    data.sites = None;
    data.histograms.clear();
    let page = page(&Report::new(data).unwrap());
    assert!(page.contains("Such a comparison is not offered here: 9 clinicians are too few."));
    assert!(page.contains("How it spreads"));
}

#[test]
fn words_from_a_study_are_escaped() {
    let mut data = sample::data();
    let evil = "<script>alert(1)</script>\"'><b>";
    data.study.title = evil.to_owned();
    data.study.outcome.label = evil.to_owned();
    data.coefficients[1].label = evil.to_owned();
    data.fairness.groups[0].label = evil.to_owned();
    data.notes.push(evil.to_owned());
    data.generated_by = evil.to_owned();
    data.federation.round = evil.to_owned();
    let page = page(&Report::new(data).unwrap());
    assert!(!page.contains("<script") && !page.contains("<b>"));
    assert!(page.contains("&lt;script&gt;"));
}

/// Relative luminance of `#rrggbb` (WCAG 2.2).
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn words_contrast_with_their_paper() {
    for palette in STYLE.split(":root {").skip(1) {
        let palette = palette.split('}').next().unwrap();
        let colour = |name: &str| {
            let (_, rest) = palette.split_once(&format!("--{name}: ")).unwrap();
            let value = rest.split(';').next().unwrap();
            let long: String = value[1..].chars().flat_map(|c| [c, c]).collect();
            if value.len() == 4 { format!("#{long}") } else { value.to_owned() }
        };
        for (ink, paper, least) in [
            ("ink", "paper", 7.0),
            ("quiet", "paper", 4.5),
            ("quiet", "faint", 4.5),
            ("ink", "faint", 7.0),
            ("mark", "paper", 4.5),
            ("mark", "band", 3.0),
            ("mark", "bar", 3.0),
            ("truth", "paper", 3.0),
            ("edge", "paper", 3.0),
        ] {
            let (a, b) = (luminance(&colour(ink)), luminance(&colour(paper)));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= least, "{ink} on {paper}: {contrast:.2}");
        }
    }
}

#[test]
fn base64_matches_the_samples_of_rfc_4648() {
    for (bytes, text) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
    {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}
