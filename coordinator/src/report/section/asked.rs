//! What was asked, and who answered.
use super::super::data::{FitQuality, Noisy, ReportData};
use super::super::number::{decimal, percent};
use super::super::words::{count, period};
use maud::{Markup, html};

/// The study's questions with their answers, and all that the report says in words; of a study that asks in one sentence,
/// the words alone.
pub(crate) fn answer(data: &ReportData) -> Markup {
    let words = html! { @for paragraph in &data.answer { p { (paragraph) } } };
    html! {
        @if data.questions.is_empty() {
            div.answer { (words) }
        } @else {
            div.answer {
                @for asked in &data.questions {
                    h3 { (asked.question) }
                    @for words in &asked.words { p { (words) } }
                }
            }
            h3 { "All figures in words" }
            (words)
        }
    }
}

/// The question and its frame.
pub(crate) fn question(data: &ReportData) -> Markup {
    let study = &data.study;
    let outcome = &study.outcome;
    html! {
        p { (study.question) }
        dl {
            dt { "Period" } dd { (period(&study.from, &study.to)) }
            dt { "Measured" }
            dd {
                (outcome.label) ", from " (decimal(outcome.low_points, 0)) " to "
                (decimal(outcome.high_points, 0)) " points"
            }
            dt { "Purpose" } dd { (study.purpose) }
            dt { "Recipients" } dd { (study.recipients.join(", ")) }
            dt { "Study" } dd { (study.name) }
        }
    }
}

/// The sites, and how much of their data counted.
pub(crate) fn who(data: &ReportData) -> Markup {
    let federation = &data.federation;
    let quality = &data.quality;
    let below = [quality.rows_shrunk, quality.residuals_cut, quality.excluded_shares]
        .iter()
        .any(|c| c.value <= -0.5);
    let sites = u32::try_from(federation.invited.len()).unwrap_or(u32::MAX);
    html! {
        p {
            "Of " (count(sites, "hospital", "hospitals")) " of the federation “" (federation.name)
            "” that were asked, "
            (federation.took_part.len()) " took part: " (federation.took_part.join(", ")) "."
            @if !federation.dropped.is_empty() {
                " Not in the result: " (federation.dropped.join(", ")) "."
            }
        }
        p {
            "No hospital's data was seen by anyone else: only a masked and noisy sum over all of them was "
            "opened. The counts below carry that noise too"
            @if below { "; a count below 0 is noise alone" } "."
        }
        dl {
            dt { "Clinicians counted" } dd { (noisy(quality.heads)) }
            dt { "Features shrunk" }
            dd { (noisy(quality.rows_shrunk)) " clinicians, " (part(quality.rows_shrunk, quality.heads)) }
            dt { "Outcomes cut" }
            dd { (noisy(quality.residuals_cut)) " clinicians, " (part(quality.residuals_cut, quality.heads)) }
            dt { "Excluded by clinicians" } dd { (excluded(data)) }
        }
        @if data.fit.quality != FitQuality::Withheld && share(surely(quality.residuals_cut), quality.heads) > 0.01 {
            p { "More than 1 % of the outcomes were cut, so the intervals of this period are approximate." }
        }
    }
}

/// The mean share, and the most by which it can have moved the mean outcome: if all that was left out had stood at
/// the other end of the scale. Exact for a mean over encounters; for answers, where these spread alike over them.
fn excluded(data: &ReportData) -> String {
    let (shares, heads) = (data.quality.excluded_shares, data.quality.heads);
    let sure = Noisy { value: shares.value + 2.0 * shares.sd, ..shares };
    let range = data.study.outcome.high_points - data.study.outcome.low_points;
    format!(
        "{} of a clinician's encounters or answers on average, at most {} but for noise of two standard deviations: the mean \
         outcome would differ by no more than {} points with them in it",
        percent(share(shares, heads), 1),
        percent(share(sure, heads), 1),
        decimal(share(sure, heads) * range, 1)
    )
}

/// `4,012 ± 9`: the second number is the sd of the noise.
pub(super) fn noisy(count: Noisy) -> Markup {
    html! { (decimal(count.value, 0)) " ± " (decimal(count.sd, 0)) }
}

/// What is left of a count two standard deviations below it: noise alone raises no alarm.
fn surely(count: Noisy) -> Noisy {
    Noisy { value: (count.value - 2.0 * count.sd).max(0.0), ..count }
}

fn share(count: Noisy, heads: Noisy) -> f64 {
    if heads.value >= 1.0 { (count.value / heads.value).clamp(0.0, 1.0) } else { 0.0 }
}

fn part(count: Noisy, heads: Noisy) -> String {
    format!("{} of all", percent(share(count, heads), 1))
}
