//! What a definition is refused for: keys that contradict each other, and vectors that do not hold.
use super::definition::{
    Code, Expected, FORMAT, File, Instrument, Items, Method, MissingRule, Scale, Vector, span,
};
use super::score::Score;
use std::collections::BTreeSet;
use tacit_shared::study::pin::Pin;
use toml::Spanned;

/// No questionnaire has larger values; far larger ones would have no finite sum.
const VALUE_MAX: f64 = 1e9;
/// The longest name of an item or code: as in the table of answers.
const WORD_LENGTH_MAX: usize = 48;

/// What is wrong, and the byte of the file where the entry begins.
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) offset: Option<usize>,
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self { message, offset: None }
    }
}

fn at(message: impl Into<String>, offset: usize) -> Problem {
    Problem { message: message.into(), offset: Some(offset) }
}

/// Checks a file as written, then lets it score its own vectors.
pub(super) fn check(instrument: &Instrument) -> Result<(), Problem> {
    let file = &instrument.file;
    if file.format != FORMAT {
        let found = &file.format;
        return Err(format!("`format` is `{found}`; this program reads {FORMAT}").into());
    }
    let texts = [("version", &file.version), ("title", &file.title)];
    if let Some((key, _)) = texts.iter().find(|(_, text)| text.trim().is_empty()) {
        return Err(format!("`{key}` is empty").into());
    }
    // So that a study can say by which version it is scored.
    Pin::new(&file.version, instrument.sha256()).map_err(|e| format!("`version`: {e}"))?;
    if file.scales.is_empty() {
        return Err("`scales` is empty: the file scores nothing".to_owned().into());
    }
    check_items(instrument)?;
    let mut names = BTreeSet::new();
    for entry in &file.scales {
        let (scale, offset) = (entry.get_ref(), entry.span().start);
        let id = &scale.id;
        check_scale(scale, &file.items).map_err(|message| at(message, offset))?;
        if !names.insert(id.as_str()) {
            return Err(at(format!("scale `{id}` appears twice"), offset));
        }
        if !file.vectors.iter().any(|v| v.get_ref().expect.contains_key(id.as_str())) {
            return Err(at(format!("no vector tries scale `{id}`"), offset));
        }
    }
    for entry in &file.flags {
        let (flag, offset) = (entry.get_ref(), entry.span().start);
        let id = &flag.id;
        if !file.scales.iter().any(|s| s.get_ref().id == flag.scale) {
            return Err(at(
                format!("flag `{id}` is on `{}`, which is no scale", flag.scale),
                offset,
            ));
        }
        if !bounded(flag.at_least) {
            return Err(at(format!("flag `{id}`: `at_least` is no number"), offset));
        }
        if !names.insert(id.as_str()) {
            return Err(at(format!("flag `{id}` has the name of another scale or flag"), offset));
        }
    }
    for (index, vector) in file.vectors.iter().enumerate() {
        let number = index + 1;
        prove(instrument, vector.get_ref())
            .map_err(|message| at(format!("vector {number}: {message}"), vector.span().start))?;
    }
    Ok(())
}

/// `false` for what is no number, too.
fn bounded(value: f64) -> bool {
    value.abs() <= VALUE_MAX
}

fn check_items(instrument: &Instrument) -> Result<(), String> {
    let items = &instrument.file.items;
    let words = || items.ids.iter().chain(items.codes.keys()).chain(&items.not_applicable);
    if words().any(|word| word.is_empty() || word.len() > WORD_LENGTH_MAX || word.trim() != word) {
        return Err(format!(
            "`items` has an id or a code that is empty, begins or ends with a space, or is longer than {WORD_LENGTH_MAX} bytes"
        ));
    }
    let questions: Vec<&str> = instrument.questions().collect();
    if questions.iter().collect::<BTreeSet<_>>().len() < questions.len() {
        return Err("`items.ids` names an item twice, or one as an imported scale".to_owned());
    }
    if !items.ids.is_empty() && items.codes.is_empty() {
        return Err("`items.codes` is empty".to_owned());
    }
    if let Some((code, _)) = items.codes.iter().find(|(_, value)| !bounded(**value)) {
        return Err(format!("code `{code}` has a value beyond ±{VALUE_MAX:e}"));
    }
    if let Some(code) = items.not_applicable.iter().find(|c| items.codes.contains_key(*c)) {
        return Err(format!("code `{code}` has a value and counts as missing"));
    }
    if let Some(item) = items.reverse.iter().find(|item| !items.ids.contains(item)) {
        return Err(format!("`items.reverse` names `{item}`, which is not an item"));
    }
    Ok(())
}

fn check_scale(scale: &Scale, items: &Items) -> Result<(), String> {
    let id = &scale.id;
    let [low, high] = scale.range;
    if !(bounded(low) && bounded(high) && low < high) {
        return Err(format!(
            "scale `{id}` has range {:?}; expected [lowest, highest]",
            scale.range
        ));
    }
    if scale.method == Method::Imported {
        return match (scale.items.is_empty(), scale.max_missing) {
            (true, 0) => Ok(()),
            (false, _) => Err(format!("scale `{id}` is imported, but has items")),
            (true, _) => Err(format!("scale `{id}` is imported; nothing of it may be missing")),
        };
    }
    let own: BTreeSet<&String> = scale.items.iter().collect();
    if own.is_empty() {
        return Err(format!("scale `{id}` has no items"));
    }
    if own.len() < scale.items.len() {
        return Err(format!("scale `{id}` names an item twice"));
    }
    if let Some(item) = own.iter().find(|item| !items.ids.contains(item)) {
        return Err(format!("scale `{id}` names `{item}`, which is not among `items.ids`"));
    }
    let (count, missing) = (scale.items.len(), scale.max_missing);
    if missing >= count {
        return Err(format!("scale `{id}` may miss {missing} of {count} items"));
    }
    if scale.missing_rule == MissingRule::Reject && missing > 0 {
        return Err(format!("scale `{id}` rejects what is missing, but `max_missing` is above 0"));
    }
    if scale.method == Method::Sum && scale.missing_rule == MissingRule::MeanOfAvailable {
        return Err(format!(
            "scale `{id}` is a sum; expected `mean-of-answered`, as `mean-of-available` is for means and shares"
        ));
    }
    let (least, most) = span(items);
    if scale.method == Method::Linear100 && least >= most {
        return Err(format!("scale `{id}` is stretched to 0 to 100, but all codes have one value"));
    }
    Ok(())
}

/// Lowest and highest score that the items can give; `None` for imported scores.
fn possible(scale: &Scale, items: &Items) -> Option<[f64; 2]> {
    let (low, high) = span(items);
    #[expect(clippy::cast_precision_loss, reason = "a scale has few items")]
    let count = scale.items.len() as f64;
    match scale.method {
        Method::Sum => Some([low * count, high * count]),
        Method::Mean => Some([low, high]),
        Method::TopAll | Method::TopShare => Some([0.0, 1.0]),
        Method::Linear100 => Some([0.0, 100.0]),
        Method::Imported => None,
    }
}

/// What is lawful, but hardly meant.
pub(super) fn notes(file: &File) -> Vec<String> {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + b.abs());
    let mut notes = Vec::new();
    for scale in file.scales.iter().map(Spanned::get_ref) {
        let Some([low, high]) = possible(scale, &file.items) else {
            continue;
        };
        if !(near(scale.range[0], low) && near(scale.range[1], high)) {
            notes.push(format!(
                "scale `{}` has range {} to {}, but its items give {low} to {high}; a score outside the range is invalid",
                scale.id, scale.range[0], scale.range[1]
            ));
        }
    }
    let tried = |name: &str| file.vectors.iter().any(|v| v.get_ref().expect.contains_key(name));
    for flag in file.flags.iter().map(Spanned::get_ref).filter(|f| !tried(f.id.as_str())) {
        notes.push(format!("no vector tries flag `{}`", flag.id));
    }
    let used = |item: &String| file.scales.iter().any(|s| s.get_ref().items.contains(item));
    for item in file.items.ids.iter().filter(|item| !used(item)) {
        notes.push(format!("no scale uses item `{item}`"));
    }
    notes
}

/// Scores one vector.
fn prove(instrument: &Instrument, vector: &Vector) -> Result<(), String> {
    if vector.expect.is_empty() {
        return Err("`expect` is empty".to_owned());
    }
    let answers: Vec<(&str, String)> = vector
        .answers
        .iter()
        .map(|(item, code)| match code {
            Code::Integer(code) => (item.as_str(), code.to_string()),
            Code::Number(code) => (item.as_str(), code.to_string()),
            Code::Text(code) => (item.as_str(), code.clone()),
        })
        .collect();
    let mut known = BTreeSet::new();
    known.extend(instrument.questions());
    if let Some((item, _)) = answers.iter().find(|(item, _)| !known.contains(item)) {
        return Err(format!("`{item}` is not an item of the instrument"));
    }
    for (name, expected) in &vector.expect {
        let found = outcome(instrument, name, &answers)?;
        if !agrees(expected, &found) {
            return Err(format!("`{name}` is {found}; expected {expected}"));
        }
    }
    Ok(())
}

/// The score or flag of that name.
fn outcome(
    instrument: &Instrument,
    name: &str,
    answers: &[(&str, String)],
) -> Result<Expected, String> {
    let pairs = || answers.iter().map(|(item, code)| (*item, code.as_str()));
    let score = |scale: &Scale| -> Result<Score, String> {
        instrument.score(scale, pairs()).map_err(|e| e.to_string())
    };
    let invalid = || Expected::Word("invalid".to_owned());
    if let Some(scale) = instrument.scales().find(|s| s.id.as_str() == name) {
        return Ok(score(scale)?.value().map_or_else(invalid, Expected::Score));
    }
    let flag = instrument.flags().find(|f| f.id.as_str() == name);
    let flag = flag.ok_or_else(|| format!("`{name}` is neither a scale nor a flag"))?;
    let scale = instrument.scale(&flag.scale).ok_or("the flag has no scale")?;
    Ok(score(scale)?.raises(flag).map_or_else(invalid, Expected::Flag))
}

fn agrees(expected: &Expected, found: &Expected) -> bool {
    match (expected, found) {
        (Expected::Score(a), Expected::Score(b)) => (a - b).abs() <= 1e-9 * (1.0 + a.abs()),
        (a, b) => a == b,
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Expected::Flag(raised) => write!(f, "{raised}"),
            Expected::Score(value) => write!(f, "{value}"),
            Expected::Word(word) => f.write_str(word),
        }
    }
}
