//! The page in a browser: one file, no script, nothing from elsewhere, fit for print and for being read aloud.
use super::picture;
use super::words;
use super::{
    Clock, Coverage, Narrowing, Quality, Rejects, Spread, Standing, StudyQuality, TableRows,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
/// Nothing may be loaded; the one style sheet stands inside.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page as text, in UTF-8.
pub fn page(quality: &Quality) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { "Data quality of this node" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    h1 { "Data quality of this node" }
                    p.quiet { (quality.made_at) }
                    p.notice role="note" {
                        "Counts of this site, without noise: this page is for its data steward and privacy officer "
                        "and stays in the house."
                    }
                    (contents(quality))
                }
                main id="main" {
                    (rows(&quality.tables))
                    (rejects(&quality.rejects))
                    (coverage(&quality.coverage))
                    (clocks(&quality.clocks))
                    (studies(&quality.studies))
                }
                footer { p { "Made by " (quality.made_by) " on " (quality.made_at) "." } }
            }
        }
    };
    markup.into_string()
}

fn contents(quality: &Quality) -> Markup {
    let fixed =
        [("rows", "Rows"), ("rejects", "Rejects"), ("coverage", "Coverage"), ("clocks", "Clocks")];
    html! {
        nav aria-label="Contents" {
            ul {
                @for (id, title) in fixed { li { a href={ "#" (id) } { (title) } } }
                @for (place, study) in quality.studies.iter().enumerate() {
                    li { a href={ "#study-" (place) } { "Study " (study.name) } }
                }
            }
        }
    }
}

fn rows(tables: &[TableRows]) -> Markup {
    html! {
        section aria-labelledby="rows" {
            h2 id="rows" { "Rows" }
            p { "Every page of the database was read and is sound." }
            div.scroll tabindex="0" role="region" aria-label="Rows by table" {
                table {
                    thead { tr { th scope="col" { "Table" } th.n scope="col" { "Rows" } } }
                    tbody {
                        @for table in tables {
                            tr { th scope="row" { (table.table) } td.n { (words::grouped(table.rows)) } }
                        }
                    }
                }
            }
        }
    }
}

fn rejects(rejects: &[Rejects]) -> Markup {
    html! {
        section aria-labelledby="rejects" {
            h2 id="rejects" { "Rejects" }
            @if rejects.is_empty() {
                p { "Every row was taken over." }
            } @else {
                p { "Rows that were not taken over, and where to look for them. A row may have several reasons." }
                div.scroll tabindex="0" role="region" aria-label="Rejects by reason" {
                    table {
                        thead { tr {
                            th.n scope="col" { "Rows" } th scope="col" { "Column" } th scope="col" { "Reason" }
                            th.n scope="col" { "Batch" } th scope="col" { "First lines" }
                        } }
                        tbody {
                            @for one in rejects {
                                tr {
                                    td.n { (words::grouped(one.rows)) }
                                    td { (one.table) "." (one.column) }
                                    td { (one.reason) }
                                    td.n { (one.batch) }
                                    td { (words::lines(&one.lines)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn coverage(coverage: &Coverage) -> Markup {
    html! {
        section aria-labelledby="coverage" {
            h2 id="coverage" { "Coverage by month" }
            @if coverage.months.is_empty() {
                p { "Nothing is imported." }
            } @else {
                p.quiet {
                    "Months are in UTC; staff records count where they begin. A ring marks a month without rows."
                    @if coverage.months.len() > picture::MONTHS {
                        " Pictures show the last " (picture::MONTHS) " months, sentences all of them."
                    }
                }
                @for (place, modality) in coverage.modalities.iter().enumerate() {
                    @let caption = format!("months-{place}");
                    h3 { (capital(&modality.name)) }
                    figure {
                        (picture::months(modality, &coverage.months, &caption))
                        figcaption id=(caption) { (words::modality(modality, &coverage.months)) }
                    }
                }
                (months_table(coverage))
            }
        }
    }
}

fn months_table(coverage: &Coverage) -> Markup {
    html! {
        details {
            summary { "Rows, and clinicians in brackets, as a table" }
            div.scroll tabindex="0" role="region" aria-label="Rows by month" {
                table {
                    thead { tr {
                        th scope="col" { "Month" }
                        @for modality in &coverage.modalities { th.n scope="col" { (capital(&modality.name)) } }
                    } }
                    tbody {
                        @for (place, month) in coverage.months.iter().enumerate() {
                            tr {
                                th scope="row" { (month) }
                                @for modality in &coverage.modalities {
                                    @let at = |counts: &[u64]| words::grouped(counts.get(place).copied().unwrap_or_default());
                                    td.n { (at(&modality.rows)) " (" (at(&modality.clinicians)) ")" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn clocks(clocks: &[Clock]) -> Markup {
    html! {
        section aria-labelledby="clocks" {
            h2 id="clocks" { "Clocks" }
            @if clocks.is_empty() {
                p { "No time is in the future or before 2000, no end lies before its start, and no device clock was off by more than two seconds." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Problems of times" {
                    table {
                        thead { tr {
                            th.n scope="col" { "Rows" } th scope="col" { "Column" } th scope="col" { "Problem" }
                            th scope="col" { "Dated" } th scope="col" { "Brought by" }
                        } }
                        tbody {
                            @for clock in clocks {
                                tr {
                                    td.n { (words::grouped(clock.rows)) }
                                    td { (clock.place) }
                                    td { (words::problem(clock.problem)) }
                                    td { (words::months(clock)) }
                                    td { (words::batches(clock)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn studies(studies: &[StudyQuality]) -> Markup {
    html! {
        @if studies.is_empty() {
            section aria-labelledby="studies" {
                h2 id="studies" { "Studies" }
                p { "No study is approved; " code { "tacit-node check --study FILE" } " holds the data against one." }
            }
        }
        @for (place, one) in studies.iter().enumerate() { (study(place, one)) }
    }
}

fn study(place: usize, study: &StudyQuality) -> Markup {
    let id = format!("study-{place}");
    let standing = match study.standing {
        Standing::Approved => "Approved",
        Standing::Named => "Named for this check",
    };
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { "Study " (study.name) ": " (study.title) }
            p { (standing) ", " (study.from) " up to, not including, " (study.to) ". " (words::population(study)) }
            p.quiet { "Digest " code { (study.digest) } }
            @if let Some(why) = &study.stays_away {
                p.warn { "This site stays away from it for now: " (why) "." }
            }
            (missing(study))
            @for table in &study.tables { (narrowing(table)) }
            @for (number, one) in study.spreads.iter().enumerate() {
                (spread(one, &format!("{id}-{number}")))
            }
            (cells(study))
        }
    }
}

fn missing(study: &StudyQuality) -> Markup {
    html! {
        h3 { "What is missing" }
        @if study.missing.is_empty() {
            p { "Nothing." }
        } @else {
            ul.missing {
                @for one in &study.missing {
                    li {
                        code { (one.part) } ": " (one.what)
                        @if let Some(hint) = &one.hint { span.quiet { ". " (capital(hint)) } }
                    }
                }
            }
        }
    }
}

fn narrowing(table: &Narrowing) -> Markup {
    html! {
        h3 { "Rows of " (table.table) " that it reads" }
        div.scroll tabindex="0" role="region" aria-label={ "Rows of " (table.table) ", step by step" } {
            table {
                thead { tr {
                    th scope="col" { "Left" } th.n scope="col" { "Rows" } th scope="col" { "Why others are not" }
                } }
                tbody {
                    @for step in &table.steps {
                        tr {
                            th scope="row" { (words::left(step.left)) }
                            td.n { (words::grouped(step.rows)) }
                            td { (step.why) }
                        }
                    }
                }
            }
        }
    }
}

fn spread(spread: &Spread, caption: &str) -> Markup {
    html! {
        div.part {
            h3 { (spread.label) }
            p.quiet {
                code { (spread.part) } " from " code { (spread.source) }
                @if !spread.unit.is_empty() { ", " (spread.unit) }
            }
            figure {
                (picture::spread(spread, caption))
                figcaption id=(caption) { (words::spread(spread)) }
            }
        }
    }
}

fn cells(study: &StudyQuality) -> Markup {
    html! {
        @if !study.cells.is_empty() {
            h3 { "Cells" }
            div.scroll tabindex="0" role="region" aria-label="Clinicians and encounters by cell" {
                table {
                    thead { tr {
                        th scope="col" { "Cell" } th.n scope="col" { "Clinicians" } th.n scope="col" { "Encounters" }
                        th scope="col" { "Large enough" }
                    } }
                    tbody {
                        @for cell in &study.cells {
                            tr {
                                th scope="row" { (cell.label) }
                                td.n { (words::grouped(cell.clinicians as u64)) }
                                td.n { (words::grouped(cell.encounters)) }
                                td {
                                    @match cell.small {
                                        Some(why) => span.warn { "No: " (words::small(why)) },
                                        None => "Yes",
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
