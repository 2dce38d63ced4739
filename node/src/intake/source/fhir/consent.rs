//! Consent: one row a purpose, with the base rule and how many exceptions narrow it.
//!
//! `state` is what the base says: `given` (opt-in, or a provision that permits), `refused` (opt-out, or
//! one that denies, or a consent that was rejected), `ended` (inactive: terminated, replaced or over; R4 does not say
//! which, so the mapping looks for what came after it). Where base and provision speak against one another, or nothing
//! says, it is absent. Actors, actions, labels, classes, a span of the data and nested provisions are exceptions: they
//! are counted, not judged.
use super::super::{RawTable, raw_table, text, whole};
use super::shape::{Coding, Concept, Period, Reference, at};
use super::{Refusal, Taken, Target};
use serde::Deserialize;
use serde::de::IgnoredAny;

pub(super) const FIELDS: &[&str] = &[
    "identifier",
    "status",
    "scope",
    "category",
    "patient",
    "dateTime",
    "performer",
    "organization",
    "sourceAttachment",
    "sourceReference",
    "policy",
    "policyRule",
    "verification",
    "provision",
];

/// Most purposes a consent may name.
const PURPOSES_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Consent {
    id: Option<String>,
    status: Option<String>,
    scope: Option<Concept>,
    patient: Option<Reference>,
    date_time: Option<String>,
    policy_rule: Option<Concept>,
    #[serde(default)]
    provision: Provision,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Provision {
    r#type: Option<String>,
    period: Period,
    purpose: Vec<Coding>,
    actor: Vec<IgnoredAny>,
    action: Vec<IgnoredAny>,
    security_label: Vec<IgnoredAny>,
    class: Vec<IgnoredAny>,
    code: Vec<IgnoredAny>,
    data_period: Option<IgnoredAny>,
    data: Vec<IgnoredAny>,
    #[serde(rename = "provision")]
    nested: Vec<IgnoredAny>,
}

/// One row a consent and purpose.
pub(super) fn table() -> RawTable {
    let columns = [
        ("id", "TEXT"),
        ("patient", "TEXT"),
        ("status", "TEXT"),
        ("state", "TEXT"),
        ("scope", "TEXT"),
        ("policy", "TEXT"),
        ("provision", "TEXT"),
        ("purpose", "TEXT"),
        ("exceptions", "INTEGER"),
        ("recorded", "TEXT"),
        ("valid_from", "TEXT"),
        ("from_us", "INTEGER"),
        ("valid_to", "TEXT"),
        ("to_us", "INTEGER"),
    ];
    raw_table("raw_consent", &columns)
}

pub(super) fn consent(found: Consent, target: &mut Target<'_>) -> Taken {
    let status = found.status.as_deref();
    if matches!(status, Some("entered-in-error" | "draft" | "proposed")) {
        return Err(Refusal::LeftOut("a draft, a proposal or an error"));
    }
    let provision = found.provision;
    if provision.purpose.len() > PURPOSES_MAX {
        return Err(Refusal::Reject("purpose", format!("more than {PURPOSES_MAX} purposes")));
    }
    let policy = found.policy_rule.as_ref().and_then(Concept::first);
    let exceptions = [
        &provision.actor,
        &provision.action,
        &provision.security_label,
        &provision.class,
        &provision.code,
        &provision.data,
        &provision.nested,
    ];
    let lists: usize = exceptions.into_iter().map(Vec::len).sum();
    let exceptions = lists.saturating_add(usize::from(provision.data_period.is_some()));
    let (from, to) = (provision.period.start.as_deref(), provision.period.end.as_deref());
    let patient = target.patient("Consent.patient", found.patient.as_ref());
    let mut purposes: Vec<Option<&str>> =
        provision.purpose.iter().map(|p| p.code.as_deref()).collect();
    if purposes.is_empty() {
        purposes.push(None);
    }
    for purpose in purposes {
        let row = [
            text(found.id.as_deref()),
            text(patient),
            text(status),
            text(state(status, policy, provision.r#type.as_deref())),
            text(found.scope.as_ref().and_then(Concept::first)),
            text(policy),
            text(provision.r#type.as_deref()),
            text(purpose),
            whole(i64::try_from(exceptions).ok()),
            text(found.date_time.as_deref()),
            text(from),
            whole(at(from).map(|m| m.us)),
            text(to),
            whole(at(to).map(|m| m.us)),
        ];
        target.step.row(target.table, target.line, row);
    }
    Ok(())
}

fn state(
    status: Option<&str>,
    policy: Option<&str>,
    provision: Option<&str>,
) -> Option<&'static str> {
    match status {
        Some("inactive") => return Some("ended"),
        Some("rejected") => return Some("refused"),
        Some("active") => {}
        _ => return None,
    }
    let base = match policy {
        Some("OPTIN") => Some(true),
        Some("OPTOUT") => Some(false),
        _ => None,
    };
    let root = match provision {
        Some("permit") => Some(true),
        Some("deny") => Some(false),
        _ => None,
    };
    match (base, root) {
        (Some(true), Some(true) | None) | (None, Some(true)) => Some("given"),
        (Some(false), Some(false) | None) | (None, Some(false)) => Some("refused"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::state;

    #[test]
    fn the_state_is_told_only_where_base_and_provision_agree() {
        for (status, policy, provision, expected) in [
            ("active", "OPTIN", "", Some("given")),
            ("active", "OPTIN", "permit", Some("given")),
            ("active", "OPTIN", "deny", None),
            ("active", "OPTOUT", "", Some("refused")),
            ("active", "OPTOUT", "permit", None),
            ("active", "", "permit", Some("given")),
            ("active", "", "deny", Some("refused")),
            ("active", "", "", None),
            ("active", "hipaa-auth", "", None),
            ("inactive", "OPTIN", "permit", Some("ended")),
            ("rejected", "OPTIN", "", Some("refused")),
            ("other", "OPTIN", "", None),
        ] {
            let found = state(Some(status), Some(policy), Some(provision));
            assert_eq!(found, expected, "{status} {policy} {provision}");
        }
    }
}
