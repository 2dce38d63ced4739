//! Units of measurement: UCUM codes, checked against what a quantity may be in.
//!
//! A number whose unit is not told by a UCUM code, or is not one its code admits, does not land: a heart
//! rate in Hz read as beats per minute would pass for a number.
use super::shape::Quantity;

/// The system of UCUM codes.
const UCUM: &str = "http://unitsofmeasure.org";

/// What a code measures: LOINC code, the unit its values land in, and the codes admitted with their factors.
type Known = (&'static str, &'static str, &'static [(&'static str, f64)]);

const PER_MINUTE: &[(&str, f64)] = &[
    ("/min", 1.0),
    ("1/min", 1.0),
    ("{beats}/min", 1.0),
    ("{Beats}/min", 1.0),
    ("{H.B.}/min", 1.0),
];
const MILLISECONDS: &[(&str, f64)] = &[("ms", 1.0), ("s", 1000.0), ("us", 0.001)];
const MINUTES: &[(&str, f64)] =
    &[("min", 1.0), ("s", 1.0 / 60.0), ("h", 60.0), ("d", 1440.0), ("wk", 10_080.0)];

const KNOWN: &[Known] = &[
    ("8867-4", "/min", PER_MINUTE),  // heart rate
    ("80404-7", "ms", MILLISECONDS), // standard deviation of R-R intervals
];

/// A unit that was checked.
pub(super) struct Unit {
    /// The UCUM code values are in after `factor`; none if the code is not known and the unit not told.
    pub(super) code: Option<String>,
    /// What a value is multiplied by.
    pub(super) factor: f64,
}

/// The unit of a quantity that is about `code` (LOINC).
pub(super) fn of(code: Option<&str>, quantity: &Quantity) -> Result<Unit, String> {
    let known = KNOWN.iter().find(|(loinc, ..)| Some(*loinc) == code);
    let ucum = quantity.code.as_deref().filter(|_| quantity.system.as_deref() == Some(UCUM));
    match (known, ucum) {
        (Some((_, unit, admitted)), Some(ucum)) => match admitted.iter().find(|a| a.0 == ucum) {
            Some((_, factor)) => Ok(Unit { code: Some((*unit).to_owned()), factor: *factor }),
            None => Err(format!("in a unit that is not one of {}", names(admitted))),
        },
        (Some((_, _, admitted)), None) => {
            Err(format!("without a UCUM code for its unit; expected one of {}", names(admitted)))
        }
        (None, Some(ucum)) if is_code(ucum) => {
            Ok(Unit { code: Some(ucum.to_owned()), factor: 1.0 })
        }
        (None, Some(_)) => Err("in a unit that is no UCUM code".to_owned()),
        (None, None) if quantity.unit.is_none() && quantity.code.is_none() => {
            Ok(Unit { code: None, factor: 1.0 })
        }
        (None, None) => Err("in a unit that is not told by a UCUM code".to_owned()),
    }
}

/// A duration in minutes.
pub(super) fn minutes(quantity: &Quantity) -> Result<Option<f64>, String> {
    let Some(value) = exact(quantity)? else { return Ok(None) };
    let ucum = quantity.code.as_deref().filter(|_| quantity.system.as_deref() == Some(UCUM));
    let factor = ucum.and_then(|ucum| MINUTES.iter().find(|m| m.0 == ucum)).map(|m| m.1);
    let factor =
        factor.ok_or_else(|| format!("in a unit that is not one of {}", names(MINUTES)))?;
    Ok(Some(value * factor))
}

/// The value, if it is one and not a bound.
pub(super) fn exact(quantity: &Quantity) -> Result<Option<f64>, String> {
    match (&quantity.comparator, quantity.value) {
        (Some(_), _) => Err("a bound (`<` or `>`), not a value".to_owned()),
        (None, Some(value)) if !value.is_finite() => Err("not a finite number".to_owned()),
        (None, value) => Ok(value),
    }
}

fn names(admitted: &[(&str, f64)]) -> String {
    admitted.iter().map(|(code, _)| *code).collect::<Vec<_>>().join(", ")
}

/// Whether a text can be a UCUM code: printable ASCII without blanks, short.
fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn quantity(system: &str, code: &str) -> Quantity {
        let system = (!system.is_empty()).then(|| system.to_owned());
        let code = (!code.is_empty()).then(|| code.to_owned());
        Quantity { value: Some(2.0), comparator: None, system, code, unit: None }
    }

    #[test]
    fn a_known_quantity_is_in_its_unit_or_refused() {
        let found = |loinc: &str, code: &str| of(Some(loinc), &quantity(UCUM, code));
        assert_eq!(found("8867-4", "{beats}/min").ok().unwrap().code.unwrap(), "/min");
        let unit = found("80404-7", "s").ok().unwrap();
        assert_eq!((unit.code.as_deref(), unit.factor), (Some("ms"), 1000.0));
        let error = |loinc, system, code| of(Some(loinc), &quantity(system, code)).err().unwrap();
        assert_eq!(error("80404-7", UCUM, "/min"), "in a unit that is not one of ms, s, us");
        assert!(error("8867-4", UCUM, "Hz").starts_with("in a unit that is not one of /min"));
        assert!(error("8867-4", "", "/min").starts_with("without a UCUM code"));
        assert_eq!(error("1-8", UCUM, "a b"), "in a unit that is no UCUM code");
        assert_eq!(error("1-8", "http://other", "mg"), "in a unit that is not told by a UCUM code");
    }

    #[test]
    fn durations_become_minutes() {
        assert_eq!(minutes(&quantity(UCUM, "h")), Ok(Some(120.0)));
        assert_eq!(
            minutes(&quantity(UCUM, "mo")),
            Err("in a unit that is not one of min, s, h, d, wk".to_owned())
        );
        let bound = Quantity { comparator: Some("<".to_owned()), ..quantity(UCUM, "h") };
        assert_eq!(minutes(&bound), Err("a bound (`<` or `>`), not a value".to_owned()));
    }
}
