//! What a definition is refused for: keys that contradict each other, and vectors that do not hold.
use super::definition::FORMAT;
use super::definition::{
    Code, Expected, File, Instrument, Items, Method, MissingRule, Scale, span,
};
use std::collections::BTreeSet;

/// No questionnaire has larger values; far larger ones would have no finite sum.
const VALUE_MAX: f64 = 1e9;

/// Checks a file as written.
pub(super) fn check(file: &File) -> Result<(), String> {
    if file.format != FORMAT {
        return Err(format!("`format` is `{}`; this program reads {FORMAT}", file.format));
    }
    let items = &file.items;
    let ids: BTreeSet<&String> = items.ids.iter().collect();
    if ids.len() < items.ids.len() || ids.is_empty() {
        return Err("`items.ids` is empty or names an item twice".to_owned());
    }
    if items.codes.is_empty() || !items.codes.values().all(|v| v.abs() <= VALUE_MAX) {
        return Err(format!("`items.codes` is empty or has a value beyond ±{VALUE_MAX:e}"));
    }
    if let Some(code) = items.not_applicable.iter().find(|c| items.codes.contains_key(*c)) {
        return Err(format!("code `{code}` has a value and counts as missing"));
    }
    if let Some(item) = items.reverse.iter().find(|item| !ids.contains(item)) {
        return Err(format!("`items.reverse` names `{item}`, which is not an item"));
    }
    let mut names = BTreeSet::new();
    for scale in &file.scales {
        check_scale(scale, items, &ids)?;
        if !names.insert(&scale.id) {
            return Err(format!("scale `{}` appears twice", scale.id));
        }
        let tried = file.vectors.iter().any(|v| v.expect.contains_key(scale.id.as_str()));
        if !tried {
            return Err(format!("no vector tries scale `{}`", scale.id));
        }
    }
    for flag in &file.flags {
        if !file.scales.iter().any(|s| s.id == flag.scale) || !names.insert(&flag.id) {
            return Err(format!("flag `{}` has no scale, or the name of another", flag.id));
        }
    }
    if file.scales.is_empty() {
        return Err("`scales` is empty".to_owned());
    }
    Ok(())
}

fn check_scale(scale: &Scale, items: &Items, ids: &BTreeSet<&String>) -> Result<(), String> {
    let id = &scale.id;
    let own: BTreeSet<&String> = scale.items.iter().collect();
    if own.is_empty() || own.len() < scale.items.len() || !own.is_subset(ids) {
        return Err(format!(
            "scale `{id}` has no items, one twice, or one that is not among `items.ids`"
        ));
    }
    if scale.max_missing >= scale.items.len() {
        return Err(format!(
            "scale `{id}` may miss {} of {} items",
            scale.max_missing,
            scale.items.len()
        ));
    }
    if scale.missing_rule == MissingRule::Reject && scale.max_missing > 0 {
        return Err(format!("scale `{id}` rejects what is missing, but `max_missing` is above 0"));
    }
    if scale.method == Method::Sum && scale.missing_rule == MissingRule::MeanOfAvailable {
        return Err(format!("scale `{id}` is a sum; `mean-of-available` is for means"));
    }
    let (low, high) = span(items);
    #[expect(clippy::cast_precision_loss, reason = "a scale has few items")]
    let times = match scale.method {
        Method::Sum => scale.items.len() as f64,
        Method::Mean => 1.0,
    };
    let expected = [low * times, high * times];
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9 * (1.0 + b.abs());
    if !(near(scale.range[0], expected[0]) && near(scale.range[1], expected[1])) {
        return Err(format!(
            "scale `{id}` has range {:?}; its items give {expected:?}",
            scale.range
        ));
    }
    Ok(())
}

/// Scores the instrument's own vectors.
pub(super) fn prove(instrument: &Instrument) -> Result<(), String> {
    for (index, vector) in instrument.file.vectors.iter().enumerate() {
        let number = index + 1;
        let answers: Vec<(String, String)> = vector
            .answers
            .iter()
            .map(|(item, code)| match code {
                Code::Number(code) => (item.clone(), code.to_string()),
                Code::Text(code) => (item.clone(), code.clone()),
            })
            .collect();
        for (name, expected) in &vector.expect {
            let found =
                outcome(instrument, name, &answers).map_err(|e| format!("vector {number}: {e}"))?;
            if !agrees(expected, &found) {
                return Err(format!(
                    "vector {number}: `{name}` is {found:?}; expected {expected:?}"
                ));
            }
        }
    }
    Ok(())
}

/// The score or flag of that name.
fn outcome(
    instrument: &Instrument,
    name: &str,
    answers: &[(String, String)],
) -> Result<Expected, String> {
    let pairs = || answers.iter().map(|(item, code)| (item.as_str(), code.as_str()));
    let score = |scale: &Scale| instrument.score(scale, pairs()).map_err(|e| e.to_string());
    let invalid = || Expected::Word("invalid".to_owned());
    if let Some(scale) = instrument.scales().iter().find(|s| s.id.as_str() == name) {
        return Ok(score(scale)?.map_or_else(invalid, Expected::Score));
    }
    let flag = instrument.flags().iter().find(|f| f.id.as_str() == name);
    let flag = flag.ok_or_else(|| format!("`{name}` is neither a scale nor a flag"))?;
    let scale = instrument.scale(&flag.scale).ok_or("the flag has no scale")?;
    let raised = |value| Expected::Flag(value >= flag.at_least);
    Ok(score(scale)?.map_or_else(invalid, raised))
}

fn agrees(expected: &Expected, found: &Expected) -> bool {
    match (expected, found) {
        (Expected::Score(a), Expected::Score(b)) => (a - b).abs() <= 1e-9 * (1.0 + a.abs()),
        (a, b) => a == b,
    }
}
