//! The assessment and the notice as pages for a browser: one file each, no script, nothing from elsewhere, fit for print.
use super::{Record, Risk, Rules, StudyPart};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("../quality_page/style.css");
/// Nothing may be loaded; the one style sheet stands inside.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const NO_ADVICE: &str = "This was written by a program from the configuration of one node. It is a draft to work on, not legal \
                         advice, and no approval of anything. Have it checked by counsel of your country.";

/// The draft of the impact assessment.
pub fn assessment(record: &Record) -> String {
    let sections = [
        ("what", "What is done"),
        ("data", "Data and people"),
        ("need", "Why it is necessary, and in proportion"),
        ("risks", "Risks and measures"),
        ("open", "Open points"),
        ("rules", "Rules and digests"),
    ];
    page(
        record,
        "Data protection impact assessment",
        &html! {
            nav aria-label="Contents" {
                ul { @for (id, title) in sections { li { a href={ "#" (id) } { (title) } } } }
            }
        },
        &html! {
            (what(record))
            (data(record))
            (need(record))
            (risks(&record.risks))
            (open(&record.open_points))
            (rules(record))
        },
    )
}

/// The sheet for those who work at the hospital.
pub fn notice(record: &Record) -> String {
    let read: Vec<&str> =
        record.data.iter().filter(|d| d.is_read()).map(|d| d.kind.as_str()).collect();
    let unread: Vec<&str> =
        record.data.iter().filter(|d| !d.is_read()).map(|d| d.kind.as_str()).collect();
    let approved = || record.studies.iter().filter(|study| study.approved);
    let contest =
        record.contest_to.as_deref().unwrap_or("nobody is named yet: ask the privacy officer");
    page(
        record,
        "Information for everyone who works here",
        &html! {},
        &html! {
            (section("why", "What this is about", &html! {
                p { "Hospitals work out together what care costs those who give it, and how money for it is shared fairly. Each hospital "
                    "keeps its data. What leaves is a sum with noise in it, and it opens only over several hospitals together." }
                p { "No number about you leaves, in any form. Nobody who decides on your work, your shifts or your pay gets one from here; "
                    "the program has no way to give it." }
            }))
            (section("read", "What is read about you", &html! {
                p { "Kinds of data: " (read.join(", ")) "." }
                @if !unread.is_empty() { p { "Not read: " (unread.join(", ")) "." } }
                p { "Legal basis, as the hospital states it:" }
                ul { @for basis in &record.profile.basis { li { (basis) } } }
                p { "Agreement with your representatives: " (record.profile.agreement.as_deref().unwrap_or("none is recorded")) "." }
            }))
            (section("who", "Who gets the results", &html! {
                @if approved().next().is_none() { p { "No study is approved at present." } }
                p { "The node of every hospital in a round keeps its result, the sum over all of them, to verify it." }
                @for study in approved() {
                    h3 { (study.title) }
                    p { (study.question) }
                    p { "Recipients: " (study.recipients.join(", ")) "." }
                    ul { @for limit in &study.limits { li { (limit) } } }
                }
            }))
            (section("choice", "What you decide", &html! {
                dl {
                    dt { "Taking part" } dd { "As the hospital set it up, " (asked(&record.consent.clinicians)) }
                    dt { "Withdrawing" } dd { "At any time, without a reason. What is held of you is erased the same day. Results that were "
                        "published before stay: they cannot be called back." }
                    dt { "Seeing" } dd { "All rows about you, in words and as a file to take with you." }
                    dt { "Contesting" } dd { "An encounter, or an answer about it, that is wrong. Whoever resolves it: " (contest) ". Until then it does not count." }
                    dt { "Excluding" } dd { "An encounter of yours, without a reason. Only a share over everyone is ever told, with noise." }
                    dt { "Complaining" } dd { "To the privacy officer, to your representatives, or to the data protection authority." }
                }
                p { "Whether you take part or not has no consequence for your work. Nobody outside sees who does." }
            }))
            (section("how-long", "How long it is kept", &html! {
                p { "Counted from the day the hospital's files were read: encounters and staff records " (record.kept_days.encounters)
                    " days, answers " (record.kept_days.answers) " days, what recordings gave " (record.kept_days.features) " days." }
            }))
        },
    )
}

fn page(record: &Record, title: &str, contents: &Markup, main: &Markup) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) ", " (record.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    h1 { (title) }
                    p.quiet { (record.name) ", " (record.made_at) }
                    p.notice role="note" { (NO_ADVICE) }
                    (contents)
                }
                main id="main" { (main) }
                footer { p { "Made by " (record.made_by) " on " (record.made_at) ". " (NO_ADVICE) } }
            }
        }
    };
    markup.into_string()
}

fn section(id: &str, title: &str, inside: &Markup) -> Markup {
    html! { section aria-labelledby=(id) { h2 id=(id) { (title) } (inside) } }
}

fn table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (place, cell) in row.iter().enumerate() {
                            @if place == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                        } }
                    }
                }
            }
        }
    }
}

fn what(record: &Record) -> Markup {
    let profile = &record.profile;
    let flows: Vec<Vec<String>> = record
        .flows
        .iter()
        .map(|f| vec![f.what.clone(), f.way.clone(), f.protected.clone()])
        .collect();
    section(
        "what",
        "What is done",
        &html! {
            dl {
                dt { "Controller" } dd { (record.name) " (" (record.site) ")" }
                @match &record.federation {
                    Some(parties) => {
                        dt { "With" } dd { (parties.sites.join(", ")) "; coordinator " (parties.coordinator) }
                        dt { "Assumed" } dd { "at most " (parties.colluders) " of the hospitals conspire with the coordinator" }
                    }
                    None => { dt { "With" } dd { "nobody yet: no roster is pinned" } }
                }
                dt { "Purposes" } dd { (profile.purposes.join(", ")) }
                dt { "Legal basis" } dd { ul { @for basis in &profile.basis { li { (basis) } } } }
                dt { "Agreement with staff" } dd { (profile.agreement.as_deref().unwrap_or("none is recorded")) }
                @if let Some(approval) = &profile.approval { dt { "Ethics approval" } dd { (approval) } }
                dt { "Profile in force" } dd {
                    (profile.kind) ", version " (profile.version)
                    @if profile.signed.is_empty() { "; built in, signed by nobody" } @else { "; signed by " (profile.signed.join(" and ")) }
                    @if let Some(ends) = &profile.ends { "; ends after " (ends) }
                    @if let Some(why) = &profile.falls_short { ". " span.warn { "Signed last, but not in force: " } (why) }
                }
                dt { "Releases so far" } dd { (record.releases) }
            }
            h3 { "Where data go" }
            (table("Flows", &["What", "From where to where", "Protected by"], &flows))
            h3 { "Studies" }
            @if record.studies.is_empty() { p { "The officer has decided on none." } }
            @for one in &record.studies { (study(one)) }
        },
    )
}

fn study(study: &StudyPart) -> Markup {
    html! {
        div.part {
            h3 { (study.title) }
            p.quiet {
                (study.name) ", " (if study.approved { "approved" } else { "not approved" })
                @if study.small_cells_accepted { ", small cells accepted" }
            }
            p { (study.question) }
            dl {
                dt { "Purpose" } dd { (study.purpose) }
                dt { "Recipients" } dd { (study.recipients.join(", ")) }
                dt { "Period" } dd { (study.period.join(" up to ")) }
                dt { "Outcome" } dd { (study.outcome) }
                dt { "Privacy of a release" } dd {
                    "ε " (study.epsilon) " at δ " (format!("{:e}", study.delta)) " for one clinician; " (study.releases_a_year) " intended a year"
                }
            }
            ul { @for limit in &study.limits { li { (limit) } } }
        }
    }
}

fn data(record: &Record) -> Markup {
    let yes = |set: bool| if set { "yes" } else { "no" }.to_owned();
    let kinds: Vec<Vec<String>> = record
        .data
        .iter()
        .map(|d| {
            vec![
                d.kind.clone(),
                d.about.to_owned(),
                yes(d.allowed),
                yes(d.switched_on),
                yes(d.is_read()),
                d.people.words().to_owned(),
                d.patients.map_or("", super::Band::words).to_owned(),
            ]
        })
        .collect();
    let said: Vec<Vec<String>> = record
        .consent
        .statements
        .iter()
        .map(|s| {
            vec![s.of.to_owned(), s.purpose.clone(), s.state.clone(), s.people.words().to_owned()]
        })
        .collect();
    section(
        "data",
        "Data and people",
        &html! {
            (table(
                "Kinds of data",
                &[
                    "Kind", "About", "Profile allows", "Switched on", "Read", "Clinicians with rows",
                    "Patients with rows",
                ],
                &kinds
            ))
            h3 { "Consent" }
            p { "Clinicians: " (asked(&record.consent.clinicians)) }
            p { "Patients: " (asked(&record.consent.patients)) }
            @if !said.is_empty() {
                (table("What people said, in bands", &["Of", "Purpose", "Stands", "People"], &said))
            }
            h3 { "How long" }
            p { "Days from the import: encounters and staff records " (record.kept_days.encounters) ", questionnaires "
                (record.kept_days.answers) ", what recordings gave " (record.kept_days.features)
                ". Raw rows go when the import ends. Erasures are counted in the database." }
        },
    )
}

/// The rule on consent, in words.
fn asked(rule: &str) -> &'static str {
    match rule {
        "required" => {
            "nobody counts without a consent that is in force; silence is a no, and a consent ends after 366 days."
        }
        "opt-out" => "everyone counts but those who refused or withdrew.",
        _ => {
            "the hospital decides outside of this program who is in; those who withdrew never are."
        }
    }
}

fn need(record: &Record) -> Markup {
    let budgets: Vec<Vec<String>> = record
        .budgets
        .iter()
        .map(|b| {
            let spent =
                b.spent.map_or("without a finite figure".to_owned(), |spent| format!("{spent:.3}"));
            vec![b.one.to_owned(), format!("{}", b.epsilon), format!("{:e}", b.delta), spent]
        })
        .collect();
    section(
        "need",
        "Why it is necessary, and in proportion",
        &html! {
            p { "Comparing hospitals needs sums over hospitals. Pooling rows would do, and would move health data of patients and "
                "employees to a third party. Here rows stay, and only sums with noise leave, over at least as many hospitals as "
                "the study says." }
            ul {
                li { "Only what a study names is read, within public bounds; no free text, no image, no recording leaves its file." }
                li { "A study is approved by its digest, by a person, and can be revoked until the moment of its charge." }
                li { "The same answer is never given twice for one charge." }
            }
            (table("What one person may lose over everything", &["One", "ε", "δ", "ε spent so far"], &budgets))
            @if !record.refusals.is_empty() {
                h3 { "Refused under a profile" }
                ul { @for (why, times) in &record.refusals { li { (why) " (" (times) " times)" } } }
            }
        },
    )
}

fn risks(risks: &[Risk]) -> Markup {
    section(
        "risks",
        "Risks and measures",
        &html! {
            @for risk in risks {
                div.part {
                    h3 { (risk.what) }
                    p.quiet { "For " (risk.whom) }
                    ul { @for measure in &risk.measures { li { (measure) } } }
                    p { strong { "What is left: " } (risk.left) }
                }
            }
        },
    )
}

fn open(points: &[String]) -> Markup {
    section(
        "open",
        "Open points",
        &html! {
            p { "For counsel, the parties and the hospital to settle. The program cannot." }
            ol { @for point in points { li { (point) } } }
            p { "Views of the clinicians and their representatives (Article 35(9)), and of the data protection officer (Article 35(2)):" }
            p.quiet { "to be written here by hand" }
        },
    )
}

fn rules(record: &Record) -> Markup {
    let lines = |all: &[Rules]| -> Vec<Vec<String>> {
        let line = |r: &Rules| {
            vec![
                r.id.clone(),
                r.version.clone(),
                r.note.clone().unwrap_or_default(),
                r.sha256.clone(),
            ]
        };
        all.iter().map(line).collect()
    };
    section(
        "rules",
        "Rules and digests",
        &html! {
            p { "Profile: " code { (record.profile.digest) } }
            @if let Some(parties) = &record.federation { p { "Roster: " code { (parties.roster) } } }
            @for study in &record.studies { p { "Study " (study.name) ": " code { (study.digest) } } }
            @if !record.instruments.is_empty() {
                (table("Questionnaires of approved studies", &["Id", "Version", "Licence", "SHA-256"], &lines(&record.instruments)))
            }
            (table("Composites", &["Id", "Version", "Needs", "SHA-256"], &lines(&record.composites)))
        },
    )
}
