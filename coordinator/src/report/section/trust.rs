//! What was promised, what the report must not be used for, and how to check it.
use super::super::data::ReportData;
use super::super::number::{decimal, one_in, percent};
use super::super::words::patient_counts;
use maud::{Markup, html};

/// The promise in words and in figures, and the limits.
pub(crate) fn privacy(data: &ReportData) -> Markup {
    let privacy = &data.privacy;
    let patient = &privacy.patient;
    html! {
        p { (privacy.words) }
        dl {
            dt { "One clinician" }
            dd {
                "ε = " (decimal(privacy.epsilon, 3)) " at δ = " (one_in(privacy.delta)) ", μ = "
                (decimal(privacy.mu, 3)) "; by the looser zero-concentrated conversion ε = "
                (decimal(privacy.epsilon_zcdp, 3))
            }
            dt { "One patient" }
            dd {
                "ε = " (decimal(patient.epsilon, 3)) ", counted with at most " (patient_counts(patient))
            }
            dt { "An attacker" }
            dd { "detects a clinician with a chance of at most " (percent(privacy.attacker_power, 1)) " at 5\u{a0}% false alarms" }
            dt { "Noise" }
            dd { "standard deviation at least " (decimal(privacy.noise_multiplier, 3)) " times what one clinician can change" }
            dt { "Sum opened over" } dd { "at least " (privacy.min_sites) " sites, of which at most " (privacy.colluders) " may collude" }
            dt { "A year" }
            dd { (privacy.releases_per_year) " releases, together ε = " (decimal(privacy.year_epsilon, 3)) }
        }
        h3 { "Limits of use" }
        ul { @for limit in &data.study.limits { li { (limit) } } }
        h3 { "What the promise does not cover" }
        ul {
            li { "Facts about a hospital as a whole: its totals are in the result, under noise sized for one person." }
            li { "Conclusions that hold for everyone, whether or not a person took part." }
            li { "A person beyond the stated bounds, such as a patient at more sites than counted." }
            li { "A hospital that sends wrong numbers: that can be traced to it, but not prevented." }
            li { "Data that the hospitals share outside this study." }
        }
        @if !data.notes.is_empty() {
            h3 { "Notes" }
            ul { @for note in &data.notes { li { (note) } } }
        }
    }
}

/// The digests of all inputs.
pub(crate) fn verify(data: &ReportData) -> Markup {
    let inputs = &data.inputs;
    let digests = [
        ("Study", &inputs.study),
        ("Roster", &inputs.roster),
        ("Round configuration", &inputs.round_config),
        ("Opened sum", &inputs.result),
        ("Transcript", &inputs.transcript),
        ("Round", &data.federation.round),
    ];
    html! {
        p {
            "Every number above follows from the signed transcript of the round. Whoever has it can add up "
            "the masked vectors again, fit and divide again, and compare these SHA-256 digests; a hospital "
            "can compare the study and the roster with what its officer approved."
        }
        dl {
            @for (name, digest) in digests { dt { (name) } dd.code { (digest) } }
        }
        @if !data.study.scored_by.is_empty() {
            p {
                "Answers were scored by the definitions below. The study names their files by digest, and a "
                "hospital with any other takes no part."
            }
            dl {
                @for by in &data.study.scored_by {
                    dt { (by.name) ", version " (by.version) } dd.code { (by.sha256) }
                }
            }
        }
    }
}
