//! Whether a node scores by the definitions that a study pins, and the lines that pin a node's own.
use crate::measure::composite;
use crate::measure::instrument::Catalogue;
use crate::store::scored::ScoredBy;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, FeatureId};
use tacit_shared::study::pin::Pin;
use tacit_shared::study::source::Composite as Named;

/// The lines of a study file that pin every questionnaire of a catalogue, and the composites a study may name. A
/// study needs those it reads; more do no harm.
///
/// # Errors
/// As [`composite::named`].
pub fn lines(catalogue: &Catalogue) -> Result<String, Fault> {
    let mut text = String::new();
    for one in catalogue.iter() {
        entry(&mut text, "instruments", one.id().as_str(), (one.version(), one.sha256()));
    }
    for named in [Named::Engagement, Named::RelationalExperience] {
        let one = composite::named(named, catalogue)?;
        entry(&mut text, "composites", named.word(), (one.version(), one.sha256()));
    }
    Ok(text.trim_end().to_owned())
}

fn entry(text: &mut String, table: &str, id: &str, (version, sha256): (&str, Digest)) {
    let version = toml::Value::from(version); // quoted, whatever is in it
    let _ = write!(text, "[{table}.{id}]\nversion = {version}\nsha256 = \"{sha256}\"\n\n"); // a String
}

/// Holds that a definition is the one that a study means.
///
/// # Errors
/// A user's fault at `key`, with both versions and digests: other rules make other scores, which are not pooled.
pub(super) fn pinned(
    pins: &BTreeMap<FeatureId, Pin>,
    by: &ScoredBy,
    key: &str,
) -> Result<(), Fault> {
    let (id, version, sha256) = (&by.instrument, &by.version, &by.sha256);
    let here = format!("this node scores by version {version}, sha256 {sha256}");
    let Some(pin) = pins.get(id) else {
        return Err(Fault::user(format!(
            "the study does not say by which definition of `{id}` it is scored; {here}"
        ))
        .at(key)
        .hint("a study pins every questionnaire of a composite too: its authors add the lines of `tacit-node instrument list --toml`"));
    };
    if pin.version() == version && pin.sha256().to_string() == *sha256 {
        return Ok(());
    }
    Err(Fault::user(format!("the study is scored by `{id}` {pin}, but {here}"))
        .at(key)
        .hint("other rules make other scores: use the definition that the study means (a local one stands in the node's folder `instruments`), or ask for a study with this one"))
}
