//! What a definition is, in words and as JSON.
use crate::measure::instrument::definition::{Instrument, Scale};
use crate::measure::instrument::term::{Method, MissingRule, Unit};
use serde_json::{Value, json};

/// In a word, what stands between a site and its use.
fn state(instrument: &Instrument) -> &'static str {
    let imports = instrument.items().is_empty();
    match (instrument.licence().site_must_confirm, imports) {
        (false, false) => "active",
        (false, true) => "active, import of scores only",
        (true, false) => "locked until the site enters a licence reference",
        (true, true) => "import of scores only, locked until the site enters a licence reference",
    }
}

/// A definition as JSON.
pub(super) fn about(instrument: &Instrument) -> Value {
    let licence = instrument.licence();
    let scale = |scale: &Scale| {
        json!({
            "id": scale.id, "method": scale.method.word(), "items": scale.items, "range": scale.range,
            "direction": scale.direction.word(), "max_missing": scale.max_missing,
            "missing_rule": scale.missing_rule.word(),
        })
    };
    let flags = instrument.flags();
    json!({
        "id": instrument.id(), "version": instrument.version(), "title": instrument.title(),
        "source": instrument.source(), "sha256": instrument.sha256().to_string(),
        "respondent": instrument.respondent().word(), "unit": instrument.unit().word(),
        "licence": {
            "status": licence.status.word(), "holder": licence.holder,
            "ship_item_text": licence.ship_item_text, "site_must_confirm": licence.site_must_confirm,
            "state": state(instrument),
        },
        "items": instrument.items(),
        "scales": instrument.scales().map(scale).collect::<Vec<_>>(),
        "flags": flags.map(|f| json!({"id": f.id, "scale": f.scale, "at_least": f.at_least})).collect::<Vec<_>>(),
        "min_n_person": instrument.min_n_person(),
        "vectors": {"passed": instrument.vectors(), "expectations": instrument.expectations()},
        "notes": instrument.notes(),
    })
}

/// A definition in words.
pub(super) fn described(instrument: &Instrument) -> String {
    let licence = instrument.licence();
    let mut lines = vec![
        format!("{} {}: {}", instrument.id(), instrument.version(), instrument.title()),
        format!("  source      {}", instrument.source()),
        format!(
            "  filled in   by the {}; a score is of one {}",
            instrument.respondent().word(),
            instrument.unit().word()
        ),
        format!(
            "  licence     {}, {}: {}",
            licence.status.word(),
            licence.holder,
            state(instrument)
        ),
    ];
    if instrument.items().is_empty() {
        lines.push(
            "  items       the scales: `code` is the score that the site computed".to_owned(),
        );
    } else {
        lines.push(format!(
            "  items       {}: {}",
            instrument.items().len(),
            runs(instrument.items())
        ));
        let codes: Vec<String> = instrument.codes().map(str::to_owned).collect();
        lines.push(format!("  codes       {}", runs(&codes)));
    }
    lines.extend(instrument.scales().map(|scale| format!("  scale       {}", in_words(scale))));
    for flag in instrument.flags() {
        lines.push(format!("  flag        {}: {} at least {}", flag.id, flag.scale, flag.at_least));
    }
    lines.push(match (instrument.min_n_person(), instrument.unit()) {
        (0, _) | (_, Unit::WardPeriod) => {
            "  own view    none: it says nothing of one clinician".to_owned()
        }
        (n, _) => format!("  own view    of a clinician from {n} responses on"),
    });
    lines.push(format!(
        "  vectors     {} with {} expectations: all hold",
        instrument.vectors(),
        instrument.expectations()
    ));
    lines.push(format!("  sha256      {}", instrument.sha256()));
    lines.extend(instrument.notes().iter().map(|note| format!("  note        {note}")));
    lines.join("\n")
}

/// The names, of which those that count on from one another are a run: `q1 to q10, NA`.
fn runs(names: &[String]) -> String {
    let number = |name: &str| {
        let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (stem, number) = name.split_at_checked(name.len().saturating_sub(digits))?;
        // `01` and `1` are different names.
        let number: u64 = number.parse().ok().filter(|n: &u64| n.to_string() == number)?;
        Some((stem.to_owned(), number))
    };
    let follows = |a: &String, b: &String| match (number(a), number(b)) {
        (Some((stem, n)), Some((other, m))) => stem == other && n.checked_add(1) == Some(m),
        _ => false,
    };
    let told = |run: &[String]| match run {
        [first, _, .., last] => format!("{first} to {last}"),
        few => few.join(", "),
    };
    names.chunk_by(follows).map(told).collect::<Vec<_>>().join(", ")
}

fn in_words(scale: &Scale) -> String {
    let [low, high] = scale.range;
    let what = match scale.method {
        Method::Imported => "imported".to_owned(),
        method => format!("{} of {} items", method.word(), scale.items.len()),
    };
    let missing = match (scale.method, scale.missing_rule) {
        (Method::Imported, _) => String::new(),
        (_, MissingRule::Reject) => "; none may be missing".to_owned(),
        (_, rule) => format!("; up to {} missing: {}", scale.max_missing, rule.word()),
    };
    format!("{}: {what}, {low} to {high}, {}{missing}", scale.id, scale.direction.word())
}
