//! Who cares for whom, when: Encounter, `PractitionerRole`, and the key of Patient.
use super::super::{RawTable, raw_table, real, text, whole};
use super::shape::{Coding, Concept, Period, Quantity, Reference, at, first_of};
use super::{Refusal, Taken, Target, unit};
use serde::Deserialize;

pub(super) const ENCOUNTER_FIELDS: &[&str] = &[
    "identifier",
    "status",
    "statusHistory",
    "class",
    "classHistory",
    "type",
    "serviceType",
    "priority",
    "subject",
    "episodeOfCare",
    "basedOn",
    "participant",
    "appointment",
    "period",
    "length",
    "reasonCode",
    "reasonReference",
    "diagnosis",
    "account",
    "hospitalization",
    "location",
    "serviceProvider",
    "partOf",
];
pub(super) const ROLE_FIELDS: &[&str] = &[
    "identifier",
    "active",
    "period",
    "practitioner",
    "organization",
    "code",
    "specialty",
    "location",
    "healthcareService",
    "telecom",
    "availableTime",
    "notAvailable",
    "availabilityExceptions",
    "endpoint",
];
pub(super) const PATIENT_FIELDS: &[&str] = &[
    "identifier",
    "active",
    "name",
    "telecom",
    "gender",
    "birthDate",
    "deceasedBoolean",
    "deceasedDateTime",
    "address",
    "maritalStatus",
    "multipleBirthBoolean",
    "multipleBirthInteger",
    "photo",
    "contact",
    "communication",
    "generalPractitioner",
    "managingOrganization",
    "link",
];

/// Participants that stand for the clinician, the best first: primary performer, attender, participation.
const LEADING: [&str; 3] = ["PPRF", "ATND", "PART"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Encounter {
    id: Option<String>,
    status: Option<String>,
    class: Option<Coding>,
    #[serde(default)]
    r#type: Vec<Concept>,
    service_type: Option<Concept>,
    priority: Option<Concept>,
    subject: Option<Reference>,
    #[serde(default)]
    participant: Vec<Participant>,
    #[serde(default)]
    period: Period,
    length: Option<Quantity>,
    hospitalization: Option<Hospitalization>,
    service_provider: Option<Reference>,
    part_of: Option<Reference>,
}

#[derive(Deserialize)]
struct Participant {
    #[serde(default)]
    r#type: Vec<Concept>,
    individual: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hospitalization {
    re_admission: Option<Concept>,
    admit_source: Option<Concept>,
}

/// One row an encounter. `clinician` is the practitioner (or role) who leads it, `clinicians` how many take part;
/// `minutes` its stated length, else the time from start to end.
pub(super) fn encounter_table() -> RawTable {
    let columns = [
        ("id", "TEXT"),
        ("status", "TEXT"),
        ("class", "TEXT"),
        ("type", "TEXT"),
        ("service_type", "TEXT"),
        ("priority", "TEXT"),
        ("patient", "TEXT"),
        ("clinician_type", "TEXT"),
        ("clinician", "TEXT"),
        ("clinicians", "INTEGER"),
        ("start", "TEXT"),
        ("start_us", "INTEGER"),
        ("end", "TEXT"),
        ("end_us", "INTEGER"),
        ("tz_min", "INTEGER"),
        ("minutes", "REAL"),
        ("readmission", "INTEGER"),
        ("admit_source", "TEXT"),
        ("organization", "TEXT"),
        ("part_of", "TEXT"),
    ];
    raw_table("raw_encounter", &columns)
}

pub(super) fn encounter(found: Encounter, target: &mut Target<'_>) -> Taken {
    let id = found.id.ok_or(Refusal::Reject("id", "missing".to_owned()))?;
    let (start, end) = (at(found.period.start.as_deref()), at(found.period.end.as_deref()));
    let length = found.length.as_ref().map(unit::minutes).transpose();
    let length = length.map_err(|reason| Refusal::Reject("length", reason))?.flatten();
    #[expect(clippy::cast_precision_loss, reason = "a span of microseconds as minutes")]
    let span = start.zip(end).map(|(start, end)| (end.us.saturating_sub(start.us)) as f64 / 60e6);
    let clinicians = found.participant.iter().filter(|p| p.clinician().is_some()).count();
    let lead = lead(&found.participant).and_then(Participant::clinician);
    // Nothing said is not a no.
    let (readmission, source) =
        found.hospitalization.map_or((None, None), |h| (h.re_admission, h.admit_source));
    let readmission = readmission.filter(|c| c.first().is_some()).map(|_| 1);
    let patient = target.patient("Encounter.subject", found.subject.as_ref());
    let row = [
        text(Some(id)),
        text(found.status),
        text(found.class.and_then(|c| c.code)),
        text(first_of(&found.r#type)),
        text(found.service_type.as_ref().and_then(Concept::first)),
        text(found.priority.as_ref().and_then(Concept::first)),
        text(patient),
        text(lead.map(|(kind, _)| kind)),
        text(lead.map(|(_, id)| id)),
        whole(i64::try_from(clinicians).ok()),
        text(found.period.start.as_deref()),
        whole(start.map(|m| m.us)),
        text(found.period.end.as_deref()),
        whole(end.map(|m| m.us)),
        whole(start.map(|m| m.tz_min)),
        real(length.or(span)),
        whole(readmission),
        text(source.as_ref().and_then(Concept::first)),
        text(found.service_provider.as_ref().and_then(|o| o.to("Organization"))),
        text(found.part_of.as_ref().and_then(|e| e.to("Encounter"))),
    ];
    target.step.row(target.table, target.line, row);
    Ok(())
}

/// The participant who leads: by type, else the first clinician.
fn lead(participants: &[Participant]) -> Option<&Participant> {
    let typed = |code: &&str| participants.iter().find(|p| p.clinician().is_some() && p.has(code));
    LEADING.iter().find_map(typed).or_else(|| participants.iter().find(|p| p.clinician().is_some()))
}

impl Participant {
    fn has(&self, code: &str) -> bool {
        let codings = self.r#type.iter().flat_map(|concept| &concept.coding);
        codings.into_iter().any(|coding| coding.code.as_deref() == Some(code))
    }

    fn clinician(&self) -> Option<(&str, &str)> {
        match self.individual.as_ref()?.target() {
            (Some(kind @ ("Practitioner" | "PractitionerRole")), Some(id)) => Some((kind, id)),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Role {
    id: Option<String>,
    active: Option<bool>,
    #[serde(default)]
    period: Period,
    practitioner: Option<Reference>,
    organization: Option<Reference>,
    #[serde(default)]
    code: Vec<Concept>,
    #[serde(default)]
    specialty: Vec<Concept>,
}

/// One row a role a practitioner has; `specialties` says of how many `specialty` is the first.
pub(super) fn role_table() -> RawTable {
    let columns = [
        ("id", "TEXT"),
        ("practitioner", "TEXT"),
        ("active", "INTEGER"),
        ("role", "TEXT"),
        ("specialty", "TEXT"),
        ("specialties", "INTEGER"),
        ("organization", "TEXT"),
        ("valid_from", "TEXT"),
        ("valid_to", "TEXT"),
    ];
    raw_table("raw_practitioner_role", &columns)
}

pub(super) fn role(found: Role, target: &mut Target<'_>) -> Taken {
    let practitioner = found.practitioner.as_ref().and_then(|p| p.to("Practitioner"));
    let practitioner = practitioner.ok_or(Refusal::LeftOut("without a practitioner"))?;
    let row = [
        text(found.id),
        text(Some(practitioner)),
        whole(found.active.map(i64::from)),
        text(first_of(&found.code)),
        text(first_of(&found.specialty)),
        whole(i64::try_from(found.specialty.len()).ok()),
        text(found.organization.as_ref().and_then(|o| o.to("Organization"))),
        text(found.period.start),
        text(found.period.end),
    ];
    target.step.row(target.table, target.line, row);
    Ok(())
}

#[derive(Deserialize)]
pub(super) struct Patient {
    id: Option<String>,
}

/// The key of a patient, and nothing else.
pub(super) fn patient_table() -> RawTable {
    raw_table("raw_patient", &[("id", "TEXT")])
}

pub(super) fn patient(found: Patient, target: &mut Target<'_>) -> Taken {
    let id = found.id.ok_or(Refusal::Reject("id", "missing".to_owned()))?;
    target.step.row(target.table, target.line, [text(Some(id))]);
    Ok(())
}
