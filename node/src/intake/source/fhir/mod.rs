//! FHIR R4 bulk data (NDJSON): six resources, flat.
//!
//! ```text
//! Encounter ─► raw_encounter                QuestionnaireResponse ─► raw_response, raw_answer
//! Observation ─► raw_observation, raw_sample     PractitionerRole ─► raw_practitioner_role
//! Consent ─► raw_consent                    Patient ─► raw_patient (its key, nothing else)
//! manifest.json ─► raw_export
//! ```
//! Read leniently from files nobody vouches for: fields that are not of R4 are counted (those of the resource, and of
//! the elements within that are read), resources of other types left out and counted, a resource that is not shaped as
//! R4 has it is a reject. A resource with a modifier extension, itself or in such an element, or with implicit rules is
//! one too: they may turn its meaning round. A subject that names no patient by an id is counted. Names, notes,
//! texts, addresses and contained resources never land. `_line` counts over all files in the order of their names.
mod care;
mod consent;
mod export;
mod fields;
mod form;
mod observation;
mod shape;
mod unit;

use super::files;
use super::lines::Lines;
use super::ndjson::{self, broken};
use super::{JSON_LINE_BYTES_MAX, RawTable, Step, Tables};
use export::Export;
use fields::{ELEMENTS, Element, Strange, Within};
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use shape::Reference;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use tacit_shared::fault::Fault;

/// Most names of unknown fields that are told.
const NAMES_MAX: usize = 20;
/// Longest name of a field that is told: what is longer is no name.
const NAME_LENGTH_MAX: usize = 40;

/// What a resource becomes: rows, or why it does not land.
type Taken = Result<(), Refusal>;

/// Why a resource does not land.
enum Refusal {
    /// A reject: the column and the reason.
    Reject(&'static str, String),
    /// Left out and counted: of no use by its own status.
    LeftOut(&'static str),
}

/// A type of resource.
struct Resource {
    name: &'static str,
    /// Its fields in R4, without those that every resource has.
    fields: &'static [&'static str],
    /// The place of its (first) table.
    table: usize,
    take: fn(&[u8], &mut Target<'_>) -> Result<Taken, serde_json::Error>,
}

/// Where the rows of a resource go.
struct Target<'a> {
    step: &'a mut Step,
    table: usize,
    line: u64,
    /// References that should name a patient and do not.
    nameless: &'a mut BTreeMap<&'static str, u64>,
}

impl Target<'_> {
    /// The patient whom a field names; one that names none by an id is counted.
    fn patient<'r>(&mut self, field: &'static str, of: Option<&'r Reference>) -> Option<&'r str> {
        let found = of.and_then(|reference| reference.to("Patient"));
        if of.is_some() && found.is_none() {
            *self.nameless.entry(field).or_default() += 1;
        }
        found
    }
}

const RESOURCES: &[Resource] = &[
    Resource {
        name: "Encounter",
        fields: care::ENCOUNTER_FIELDS,
        table: 0,
        take: |b, t| read(b, t, care::encounter),
    },
    Resource {
        name: "QuestionnaireResponse",
        fields: form::FIELDS,
        table: 1,
        take: |b, t| read(b, t, form::response),
    },
    Resource {
        name: "Observation",
        fields: observation::FIELDS,
        table: 3,
        take: |b, t| read(b, t, observation::observation),
    },
    Resource {
        name: "PractitionerRole",
        fields: care::ROLE_FIELDS,
        table: 5,
        take: |b, t| read(b, t, care::role),
    },
    Resource {
        name: "Consent",
        fields: consent::FIELDS,
        table: 6,
        take: |b, t| read(b, t, consent::consent),
    },
    Resource {
        name: "Patient",
        fields: care::PATIENT_FIELDS,
        table: 7,
        take: |b, t| read(b, t, care::patient),
    },
];

/// Fields that every resource has.
const COMMON: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "implicitRules",
    "language",
    "text",
    "contained",
    "extension",
    "modifierExtension",
];

/// How often a resource has a field that is not of R4.
type Unknown = BTreeMap<(&'static str, String), u64>;

/// The place of the table that says when the export was made.
const EXPORT: usize = 8;

/// The resources of bulk data files.
pub struct Bulk {
    export: Export,
    /// Whether its row is still to come.
    first: bool,
    lines: Lines,
    tables: Vec<RawTable>,
    unknown: Unknown,
    left_out: BTreeMap<String, u64>,
    nameless: BTreeMap<&'static str, u64>,
}

impl Bulk {
    /// Opens a file, or the `.ndjson` files of a folder.
    ///
    /// # Errors
    /// A user's fault with the file.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let export = if path.is_dir() { export::of_folder(path)? } else { Export::Silent };
        let files = if path.is_dir() {
            files::list(path, ndjson::is_named)?
        } else {
            vec![path.to_owned()]
        };
        if files.is_empty() {
            return Err(Fault::user("the folder has no NDJSON file")
                .at(path.display().to_string())
                .hint("expected the files of a FHIR bulk export: Encounter.ndjson and so on"));
        }
        let tables = vec![
            care::encounter_table(),
            form::response_table(),
            form::answer_table(),
            observation::observation_table(),
            observation::sample_table(),
            care::role_table(),
            consent::table(),
            care::patient_table(),
            export::table(),
        ];
        let lines = Lines::open(files, JSON_LINE_BYTES_MAX)?;
        let (unknown, left_out, nameless) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Self { export, first: true, lines, tables, unknown, left_out, nameless })
    }
}

impl Tables for Bulk {
    fn tables(&self) -> &[RawTable] {
        &self.tables
    }

    fn position(&self) -> u64 {
        self.lines.position()
    }

    fn total(&self) -> u64 {
        self.lines.total()
    }

    fn step(&mut self, out: &mut Step) -> Result<bool, Fault> {
        if std::mem::take(&mut self.first)
            && let Some(row) = self.export.row()
        {
            out.row(EXPORT, 0, row);
            return Ok(true);
        }
        let Some(line) = self.lines.next()? else { return Ok(false) };
        let head: Head<'_> =
            serde_json::from_slice(line.bytes).map_err(|e| {
                let is_object = line.bytes.trim_ascii_start().starts_with(b"{");
                if e.is_data() && is_object {
                    return Fault::user("the object is not shaped as a FHIR resource")
                        .at(format!("{}:{}", line.place(), e.column()))
                        .hint("`resourceType` names its type as a text; of other NDJSON, say NAME.ndjson=FILE");
                }
                broken(&e, &line.place())
            })?;
        let Some(kind) = head.kind.as_deref() else {
            return Err(Fault::user("the object has no `resourceType`, so it is no FHIR resource")
                .at(line.place())
                .hint("of other NDJSON, say NAME.ndjson=FILE"));
        };
        let Some(resource) = RESOURCES.iter().find(|r| r.name == kind) else {
            let name = if is_name(kind) { kind.to_owned() } else { "resource".to_owned() };
            count(&mut self.left_out, format!("{name}: not a type that is read"));
            return Ok(true);
        };
        count_unknown(&mut self.unknown, resource, &head);
        let (table, number) = (resource.table, line.overall);
        let turning = ["modifierExtension", "implicitRules"];
        let turning = turning.iter().find(|k| head.keys.iter().any(|key| key == *k));
        if let Some(key) = turning.or(head.strange.turned.then_some(&"modifierExtension")) {
            let why = "may turn the resource's meaning round, and is not understood";
            out.refuse(table, number, key, why);
            return Ok(true);
        }
        let nameless = &mut self.nameless;
        let mut target = Target { step: &mut *out, table, line: number, nameless };
        match (resource.take)(line.bytes, &mut target) {
            Ok(Ok(())) => {}
            Ok(Err(Refusal::Reject(column, reason))) => out.refuse(table, number, column, reason),
            Ok(Err(Refusal::LeftOut(why))) => {
                count(&mut self.left_out, format!("{}: {why}", resource.name));
            }
            Err(error) => {
                let reason = format!("not shaped as in FHIR R4, at character {}", error.column());
                out.refuse(table, number, "resource", reason);
            }
        }
        Ok(true)
    }

    fn notes(&self) -> Vec<String> {
        let unknown = self.unknown.iter().map(|((resource, name), times)| {
            format!("{resource}.{name} is no field of FHIR R4: ignored, {times} times")
        });
        let left_out =
            self.left_out.iter().map(|(why, times)| format!("{why}: left out, {times} times"));
        let nameless = self.nameless.iter().map(|(field, times)| {
            format!("{field} names no Patient by an id: left empty, {times} times")
        });
        unknown.chain(left_out).chain(nameless).chain(self.export.note()).collect()
    }
}

/// Counts the fields of a resource that are not of R4.
fn count_unknown(counts: &mut Unknown, resource: &Resource, head: &Head<'_>) {
    let unknown = |key: &&Cow<'_, str>| {
        let key = key.strip_prefix('_').unwrap_or(key);
        !COMMON.contains(&key) && !resource.fields.contains(&key)
    };
    let name = |key: &Cow<'_, str>| {
        if is_name(key) { key.to_string() } else { "(no name)".to_owned() }
    };
    let own = head.keys.iter().filter(unknown).map(|key| (name(key), 1));
    let within = head.strange.unknown.iter().map(|(name, times)| (name.clone(), *times));
    for (name, times) in own.chain(within) {
        let name = if counts.len() < NAMES_MAX { name } else { "(others)".to_owned() };
        *counts.entry((resource.name, name)).or_default() += times;
    }
}

fn count(counts: &mut BTreeMap<String, u64>, key: String) {
    // Types of resources are few; a file that invents them shall not fill the memory.
    let key = if counts.len() < 8 * NAMES_MAX { key } else { "(others)".to_owned() };
    *counts.entry(key).or_default() += 1;
}

/// Whether a field's name may be told: letters alone, as those of FHIR are.
fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= NAME_LENGTH_MAX
        && key.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
}

fn read<T: DeserializeOwned>(
    bytes: &[u8],
    target: &mut Target<'_>,
    take: fn(T, &mut Target<'_>) -> Taken,
) -> Result<Taken, serde_json::Error> {
    serde_json::from_slice(bytes).map(|resource| take(resource, target))
}

/// The type and the fields of a resource.
struct Head<'a> {
    kind: Option<Cow<'a, str>>,
    keys: Vec<Cow<'a, str>>,
    strange: Strange,
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Head<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadVisitor)
    }
}

struct HeadVisitor;

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a resource")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head<'de>, A::Error> {
        let mut head = Head { kind: None, keys: Vec::new(), strange: Strange::default() };
        while let Some(Word(key)) = map.next_key()? {
            if key == "resourceType" && head.kind.is_none() {
                let Word(kind) = map.next_value()?;
                head.kind = Some(kind);
            } else if let Some(element) = Element::named(&ELEMENTS, &key) {
                map.next_value_seed(Within { element, strange: &mut head.strange, depth: 1 })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            head.keys.push(key);
        }
        Ok(head)
    }
}

/// A text, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Word<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
