//! The shapes that resources share, as leniently as they can be read: what is not used is not named.
use super::super::moment::{self, Moment};
use serde::Deserialize;

/// A word of a code system.
#[derive(Deserialize, Default)]
pub(super) struct Coding {
    pub(super) system: Option<String>,
    pub(super) code: Option<String>,
}

/// The same meaning in several code systems. Its text is not read: people write names into it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Concept {
    pub(super) coding: Vec<Coding>,
}

/// A reference to another resource. Its display is not read: it is a name.
#[derive(Deserialize)]
pub(super) struct Reference {
    pub(super) reference: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

/// A span of time; either end may be open, or a bare date.
#[derive(Deserialize, Default)]
pub(super) struct Period {
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
}

/// A number with its unit.
#[derive(Deserialize)]
pub(super) struct Quantity {
    pub(super) value: Option<f64>,
    pub(super) comparator: Option<String>,
    pub(super) system: Option<String>,
    pub(super) code: Option<String>,
    pub(super) unit: Option<String>,
}

impl Concept {
    /// The first code.
    pub(super) fn first(&self) -> Option<&str> {
        self.coding.iter().find_map(|coding| coding.code.as_deref())
    }
}

/// The first code of a list of concepts.
pub(super) fn first_of(concepts: &[Concept]) -> Option<&str> {
    concepts.iter().find_map(Concept::first)
}

impl Reference {
    /// Type and id: `Practitioner/f002`, `https://host/fhir/Practitioner/f002/_history/1`, or
    /// `urn:uuid:…` with the type beside it. A reference into the resource itself (`#a`) has none.
    pub(super) fn target(&self) -> (Option<&str>, Option<&str>) {
        let kind = self.kind.as_deref();
        let Some(text) = self.reference.as_deref() else { return (kind, None) };
        if text.starts_with('#') {
            return (kind, None);
        }
        if let Some(uuid) = text.strip_prefix("urn:uuid:").or(text.strip_prefix("urn:oid:")) {
            return (kind, Some(uuid));
        }
        let text = text.split_once("/_history/").map_or(text, |(before, _)| before);
        match text.rsplit_once('/') {
            Some((before, id)) if !id.is_empty() => {
                let found = before.rsplit('/').next().filter(|word| !word.is_empty());
                (found.or(kind), Some(id))
            }
            _ => (kind, None),
        }
    }

    /// The id, if the reference is to that type.
    pub(super) fn to(&self, kind: &str) -> Option<&str> {
        match self.target() {
            (Some(found), id) if found == kind => id,
            _ => None,
        }
    }
}

/// The moment a text names, if it is one.
pub(super) fn at(text: Option<&str>) -> Option<Moment> {
    text.and_then(moment::rfc3339)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_in_every_form() {
        let target = |json: &str| {
            let reference: Reference = serde_json::from_str(json).unwrap();
            let (kind, id) = reference.target();
            (kind.unwrap_or("-").to_owned(), id.unwrap_or("-").to_owned())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        for (text, kind, id) in [
            (r#"{"reference":"Practitioner/f002","display":"A. B."}"#, "Practitioner", "f002"),
            (r#"{"reference":"https://h/fhir/Patient/7/_history/2"}"#, "Patient", "7"),
            (r#"{"reference":"urn:uuid:0-1","type":"Patient"}"#, "Patient", "0-1"),
            (r##"{"reference":"#patsub"}"##, "-", "-"),
            (r#"{"reference":"Patient/"}"#, "-", "-"),
            (r#"{"display":"someone"}"#, "-", "-"),
        ] {
            assert_eq!(target(text), pair(kind, id), "{text}");
        }
    }
}
