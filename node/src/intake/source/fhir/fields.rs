//! Which fields R4 gives to the elements within a resource that are read, so that the others can be counted.
//!
//! Data types (codings, periods, quantities) are not looked into: what they have is read by name, the rest is not used.
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// How many lists and objects deep elements are looked into: the parser allows 128 lists and objects within one another.
const DEPTH_MAX: usize = 80;

/// An element that stands within a resource, under the name of its field.
pub(super) struct Element {
    name: &'static str,
    fields: &'static [&'static str],
    within: &'static [&'static Element],
}

/// Fields that every such element has.
const COMMON: [&str; 3] = ["id", "extension", "modifierExtension"];

static PARTICIPANT: Element =
    Element { name: "participant", fields: &["type", "period", "individual"], within: &[] };
static HOSPITALIZATION: Element = Element {
    name: "hospitalization",
    fields: &[
        "preAdmissionIdentifier",
        "origin",
        "admitSource",
        "reAdmission",
        "dietPreference",
        "specialCourtesy",
        "specialArrangement",
        "destination",
        "dischargeDisposition",
    ],
    within: &[],
};
static ITEM: Element = Element {
    name: "item",
    fields: &["linkId", "definition", "text", "answer", "item"],
    within: &[&ANSWER, &ITEM],
};
static ANSWER: Element = Element {
    name: "answer",
    fields: &[
        "valueBoolean",
        "valueDecimal",
        "valueInteger",
        "valueDate",
        "valueDateTime",
        "valueTime",
        "valueString",
        "valueUri",
        "valueAttachment",
        "valueCoding",
        "valueQuantity",
        "valueReference",
        "item",
    ],
    within: &[&ITEM],
};
static PROVISION: Element = Element {
    name: "provision",
    fields: &[
        "type",
        "period",
        "actor",
        "action",
        "securityLabel",
        "purpose",
        "class",
        "code",
        "dataPeriod",
        "data",
        "provision",
    ],
    within: &[&PROVISION],
};
static COMPONENT: Element = Element {
    name: "component",
    fields: &[
        "code",
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
        "referenceRange",
    ],
    within: &[],
};

/// The elements that are looked into. A field of one of these names means the same in every resource that is read.
pub(super) static ELEMENTS: [&Element; 5] =
    [&PARTICIPANT, &HOSPITALIZATION, &ITEM, &PROVISION, &COMPONENT];

/// What the elements of one resource have that R4 does not.
#[derive(Default)]
pub(super) struct Strange {
    /// Unknown fields by their place, `item.answer.colour`, each with how often it stands there.
    pub(super) unknown: BTreeMap<String, u64>,
    /// Whether an element has a modifier extension.
    pub(super) turned: bool,
}

/// Looks into an element, or a list of them.
pub(super) struct Within<'s> {
    pub(super) element: &'static Element,
    pub(super) strange: &'s mut Strange,
    pub(super) depth: usize,
}

impl Element {
    /// The element of that name among some.
    pub(super) fn named(all: &[&'static Self], name: &str) -> Option<&'static Self> {
        all.iter().copied().find(|element| element.name == name)
    }

    fn knows(&self, key: &str) -> bool {
        let key = key.strip_prefix('_').unwrap_or(key);
        COMMON.contains(&key) || self.fields.contains(&key)
    }
}

impl Strange {
    fn count(&mut self, element: &Element, key: &str) {
        let key = if super::is_name(key) { key } else { "(no name)" };
        let full = self.unknown.len() >= super::NAMES_MAX;
        let name = if full { "(others)".to_owned() } else { format!("{}.{key}", element.name) };
        *self.unknown.entry(name).or_default() += 1;
    }
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth > DEPTH_MAX {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an element") // never told: whatever stands there is let through
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(super::Word(key)) = map.next_key::<super::Word<'de>>()? {
            let key: Cow<'de, str> = key;
            self.strange.turned |= key == "modifierExtension";
            if !self.element.knows(&key) {
                self.strange.count(self.element, &key);
            }
            match Element::named(self.element.within, &key) {
                Some(element) => {
                    let depth = self.depth + 1;
                    map.next_value_seed(Within { element, strange: &mut *self.strange, depth })?;
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let (element, depth) = (self.element, self.depth + 1);
        while list
            .next_element_seed(Within { element, strange: &mut *self.strange, depth })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
