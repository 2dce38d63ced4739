//! Observation: a number with its unit, or sampled data laid out in time.
//!
//! ```text
//! value = origin + factor × token      E: error, L: below, U: above the range: no value, a marker
//! time  = start + period × ⌊nth / dimensions⌋
//! ```
//! as FHIR R4 defines `SampledData`. Components land like observations of their own.
use super::super::{RawTable, raw_table, real, text, whole};
use super::shape::{Concept, Period, Quantity, Reference, at};
use super::{Refusal, Taken, Target, unit};
use serde::Deserialize;

pub(super) const FIELDS: &[&str] = &[
    "identifier",
    "basedOn",
    "partOf",
    "status",
    "category",
    "code",
    "subject",
    "focus",
    "encounter",
    "effectiveDateTime",
    "effectivePeriod",
    "effectiveTiming",
    "effectiveInstant",
    "issued",
    "performer",
    "valueQuantity",
    "valueCodeableConcept",
    "valueString",
    "valueBoolean",
    "valueInteger",
    "valueRange",
    "valueRatio",
    "valueSampledData",
    "valueTime",
    "valueDateTime",
    "valuePeriod",
    "dataAbsentReason",
    "interpretation",
    "note",
    "bodySite",
    "method",
    "specimen",
    "device",
    "referenceRange",
    "hasMember",
    "derivedFrom",
    "component",
];

/// The system whose codes come first.
const LOINC: &str = "http://loinc.org";
/// Most samples of one observation.
const SAMPLES_MAX: usize = 100_000;
/// Most components of one observation.
const COMPONENTS_MAX: usize = 1_000;
/// Most dimensions of sampled data.
const DIMENSIONS_MAX: u32 = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Observation {
    id: Option<String>,
    status: Option<String>,
    #[serde(default)]
    code: Concept,
    subject: Option<Reference>,
    encounter: Option<Reference>,
    effective_date_time: Option<String>,
    effective_instant: Option<String>,
    #[serde(default)]
    effective_period: Period,
    #[serde(default)]
    performer: Vec<Reference>,
    value_quantity: Option<Quantity>,
    value_sampled_data: Option<Sampled>,
    #[serde(default)]
    component: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    #[serde(default)]
    code: Concept,
    value_quantity: Option<Quantity>,
    value_sampled_data: Option<Sampled>,
}

#[derive(Deserialize)]
struct Sampled {
    origin: Quantity,
    period: f64,
    factor: Option<f64>,
    dimensions: u32,
    data: Option<String>,
}

/// One row an observation or component that has a value. `component` is 0 for the observation itself.
pub(super) fn observation_table() -> RawTable {
    let columns = [
        ("id", "TEXT"),
        ("component", "INTEGER"),
        ("status", "TEXT"),
        ("code", "TEXT"),
        ("patient", "TEXT"),
        ("practitioner", "TEXT"),
        ("encounter", "TEXT"),
        ("effective", "TEXT"),
        ("start_us", "INTEGER"),
        ("end_us", "INTEGER"),
        ("tz_min", "INTEGER"),
        ("value", "REAL"),
        ("unit", "TEXT"),
        ("samples", "INTEGER"),
    ];
    raw_table("raw_observation", &columns)
}

/// One row a sample. `t_us` is absent where the observation's start is no moment; `offset_us` counts from it.
pub(super) fn sample_table() -> RawTable {
    let columns = [
        ("observation", "TEXT"),
        ("component", "INTEGER"),
        ("code", "TEXT"),
        ("dimension", "INTEGER"),
        ("t_us", "INTEGER"),
        ("offset_us", "INTEGER"),
        ("value", "REAL"),
        ("marker", "TEXT"),
        ("unit", "TEXT"),
    ];
    raw_table("raw_sample", &columns)
}

#[expect(clippy::needless_pass_by_value, reason = "one shape for all resources")]
pub(super) fn observation(found: Observation, target: &mut Target<'_>) -> Taken {
    if matches!(found.status.as_deref(), Some("entered-in-error" | "cancelled")) {
        return Err(Refusal::LeftOut("cancelled or entered in error"));
    }
    if found.id.is_none() {
        return Err(Refusal::Reject("id", "missing".to_owned()));
    }
    if found.component.len() > COMPONENTS_MAX {
        return Err(Refusal::Reject("component", format!("more than {COMPONENTS_MAX}")));
    }
    let whole_one = (&found.code, found.value_quantity.as_ref(), found.value_sampled_data.as_ref());
    let parts = found
        .component
        .iter()
        .map(|c| (&c.code, c.value_quantity.as_ref(), c.value_sampled_data.as_ref()));
    let mut values = Vec::new();
    let mut left = SAMPLES_MAX;
    for (component, (code, quantity, sampled)) in (0..).zip(std::iter::once(whole_one).chain(parts))
    {
        let code = loinc(code);
        if let Some(value) = value(code, quantity, sampled, &mut left)? {
            values.push((component, code, value));
        }
    }
    if values.is_empty() {
        return Err(Refusal::LeftOut("without a number"));
    }
    land(&found, &values, target);
    Ok(())
}

/// A value that was checked.
struct Value {
    number: Option<f64>,
    unit: Option<String>,
    samples: Vec<Sample>,
}

struct Sample {
    dimension: u32,
    offset_us: i64,
    value: Option<f64>,
    marker: Option<&'static str>,
}

fn land(found: &Observation, values: &[(i64, Option<&str>, Value)], target: &mut Target<'_>) {
    let effective = found
        .effective_date_time
        .as_deref()
        .or(found.effective_instant.as_deref())
        .or(found.effective_period.start.as_deref());
    let (start, end) = (at(effective), at(found.effective_period.end.as_deref()));
    let people = found.subject.iter().chain(&found.performer);
    let practitioner = people.into_iter().find_map(|p| p.to("Practitioner"));
    for (component, code, value) in values {
        let row = [
            text(found.id.as_deref()),
            whole(Some(*component)),
            text(found.status.as_deref()),
            text(*code),
            text(found.subject.as_ref().and_then(|s| s.to("Patient"))),
            text(practitioner),
            text(found.encounter.as_ref().and_then(|e| e.to("Encounter"))),
            text(effective),
            whole(start.map(|m| m.us)),
            whole(end.map(|m| m.us)),
            whole(start.map(|m| m.tz_min)),
            real(value.number),
            text(value.unit.as_deref()),
            whole(i64::try_from(value.samples.len()).ok()),
        ];
        target.step.row(target.table, target.line, row);
        for sample in &value.samples {
            let row = [
                text(found.id.as_deref()),
                whole(Some(*component)),
                text(*code),
                whole(Some(i64::from(sample.dimension))),
                whole(start.and_then(|m| m.us.checked_add(sample.offset_us))),
                whole(Some(sample.offset_us)),
                real(sample.value),
                text(sample.marker),
                text(value.unit.as_deref()),
            ];
            target.step.row(target.table + 1, target.line, row);
        }
    }
}

fn value(
    code: Option<&str>,
    quantity: Option<&Quantity>,
    sampled: Option<&Sampled>,
    left: &mut usize,
) -> Result<Option<Value>, Refusal> {
    if let Some(quantity) = quantity {
        let refused = |reason| Refusal::Reject("valueQuantity", reason);
        let number = unit::exact(quantity).map_err(refused)?;
        let unit = unit::of(code, quantity).map_err(refused)?;
        let number = number.map(|n| n * unit.factor);
        return Ok(Some(Value { number, unit: unit.code, samples: Vec::new() }));
    }
    let Some(sampled) = sampled else { return Ok(None) };
    let refused = |reason| Refusal::Reject("valueSampledData", reason);
    let unit = unit::of(code, &sampled.origin).map_err(refused)?;
    let laid_out = samples(sampled, unit.factor, left).map_err(refused)?;
    Ok(Some(Value { number: None, unit: unit.code, samples: laid_out }))
}

fn samples(sampled: &Sampled, scale: f64, left: &mut usize) -> Result<Vec<Sample>, String> {
    let origin = unit::exact(&sampled.origin)?.ok_or("without an origin")?;
    let (factor, dimensions) = (sampled.factor.unwrap_or(1.0), sampled.dimensions);
    if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
        return Err(format!("dimensions that are not 1 to {DIMENSIONS_MAX}"));
    }
    // A sample an hour is the slowest that makes sense; a microsecond the finest that can be kept.
    if !(0.001..=3_600_000.0).contains(&sampled.period) || !factor.is_finite() {
        return Err("a period that is not 0.001 to 3600000 ms".to_owned());
    }
    let mut found = Vec::new();
    let tokens = sampled.data.as_deref().unwrap_or_default().split_ascii_whitespace();
    for (nth, token) in (0_u32..).zip(tokens) {
        *left = left.checked_sub(1).ok_or_else(|| format!("more than {SAMPLES_MAX} samples"))?;
        let (value, marker) = match token {
            "E" => (None, Some("E")),
            "L" => (None, Some("L")),
            "U" => (None, Some("U")),
            number => {
                let number: f64 =
                    number.parse().map_err(|_| "a sample that is no number, E, L or U")?;
                let value = (origin + factor * number) * scale;
                if !value.is_finite() {
                    return Err("a sample that is not a finite number".to_owned());
                }
                (Some(value), None)
            }
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most 3.6e9 µs × 100,000 samples")]
        let offset_us = (sampled.period * 1000.0 * f64::from(nth / dimensions)).round() as i64;
        found.push(Sample { dimension: nth % dimensions, offset_us, value, marker });
    }
    if !found.len().is_multiple_of(usize::try_from(dimensions).unwrap_or(1)) {
        return Err(format!("samples that do not fill their {dimensions} dimensions"));
    }
    Ok(found)
}

/// The LOINC code, else the first one.
fn loinc(concept: &Concept) -> Option<&str> {
    let loinc = concept.coding.iter().find(|c| c.system.as_deref() == Some(LOINC));
    loinc.and_then(|c| c.code.as_deref()).or_else(|| concept.first())
}
