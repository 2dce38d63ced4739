//! The data dictionary of a `REDCap` project: what each field of its export is.
//!
//! Read as the designer downloads it (`Variable / Field Name`, …) or as the API exports it (`field_name`, …).
use super::super::Rows as _;
use super::super::csv::CsvRows;
use super::super::identifier;
use crate::store::bulk::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use tacit_shared::fault::Fault;

/// Most fields a project may have.
const FIELDS_MAX: usize = 20_000;
/// Most choices a field may have.
const CHOICES_MAX: usize = 5_000;

/// What a field holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// One of some codes, each with its label.
    Choice(BTreeMap<String, String>),
    /// Boxes: for each code a column `field___code` with 0 or 1. The key is the code as a column's name has it.
    Boxes(BTreeMap<String, String>),
    /// A whole number.
    Whole,
    /// A number; with a comma for the point.
    Number { comma: bool },
    /// A day, or a day and time.
    Day,
    /// Any short text: an id, a time.
    Text,
    /// What never lands, and why.
    Dropped(&'static str),
}

impl Holds {
    /// The value as it lands, or what is wrong with it; and whether it is an answer.
    pub(super) fn check(&self, value: &str) -> (Result<String, String>, bool) {
        let wrong = |reason: &str| Err(reason.to_owned());
        match self {
            Holds::Choice(codes) if codes.contains_key(value) => (Ok(value.to_owned()), true),
            Holds::Choice(codes) if codes.values().any(|label| label == value) => {
                (wrong("a choice's label, not its code: export raw values"), true)
            }
            Holds::Choice(_) => (wrong("not a code of the data dictionary"), true),
            Holds::Whole if value.parse::<i64>().is_ok() => (Ok(value.to_owned()), true),
            Holds::Whole => (wrong("not a whole number"), true),
            Holds::Number { comma } => {
                let plain = if *comma { value.replace(',', ".") } else { value.to_owned() };
                let finite = plain.parse::<f64>().is_ok_and(f64::is_finite);
                (if finite { Ok(plain) } else { wrong("not a number") }, true)
            }
            Holds::Day if is_day(value) => (Ok(value.to_owned()), true),
            Holds::Day => (wrong("not a day (YYYY-MM-DD), or a day and time"), true),
            Holds::Text | Holds::Boxes(_) | Holds::Dropped(_) => (Ok(value.to_owned()), false),
        }
    }
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) form: String,
    pub(super) holds: Holds,
}

/// A data dictionary.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// The field that names the record.
    pub(super) record: String,
    pub(super) fields: BTreeMap<String, Field>,
    /// The forms, in their order.
    pub(super) forms: Vec<String>,
}

/// The columns needed, under both names.
const COLUMNS: [[&str; 2]; 6] = [
    ["variable___field_name", "field_name"],
    ["form_name", "form_name"],
    ["field_type", "field_type"],
    ["choices__calculations__or_slider_labels", "select_choices_or_calculations"],
    ["text_validation_type_or_show_slider_number", "text_validation_type_or_show_slider_number"],
    ["identifier_", "identifier"],
];

/// What to do about a dictionary that does not hold together.
const OWN: &str = "take the dictionary as REDCap writes it, of the same day as the records";

impl Dictionary {
    /// Reads a dictionary.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let place = path.display().to_string();
        let mut rows = CsvRows::open(path)?;
        let mut columns = [0; 6];
        for (at, names) in columns.iter_mut().zip(COLUMNS) {
            let found = rows.columns().iter().position(|c| names.contains(&c.name.as_str()));
            *at = found.ok_or_else(|| {
                let [long, short] = names;
                Fault::user(format!(
                    "the file is no data dictionary: it has no column `{long}` or `{short}`"
                ))
                .at(&place)
                .hint("download it in REDCap's designer, or export the project's metadata as CSV")
            })?;
        }
        let mut dictionary =
            Self { record: String::new(), fields: BTreeMap::new(), forms: Vec::new() };
        let mut row = Vec::new();
        while rows.next(&mut row)? {
            let line = match row.first() {
                Some(Cell::Integer(line)) => *line,
                _ => 0,
            };
            let cell = |column: usize| match row.get(column + 1) {
                Some(Cell::Text(text)) => text.trim(),
                _ => "",
            };
            dictionary
                .add(columns.map(cell))
                .map_err(|e| Fault::user(e).at(format!("{place}:{line}")).hint(OWN))?;
            row.clear();
        }
        if dictionary.fields.is_empty() {
            return Err(Fault::user("the data dictionary has no field").at(place).hint(OWN));
        }
        Ok(dictionary)
    }

    fn add(&mut self, row: [&str; 6]) -> Result<(), String> {
        let [name, form, kind, choices, validation, identifies] = row;
        if name.is_empty() || form.is_empty() || name != identifier(name) {
            return Err("the row names no field, or no form".to_owned());
        }
        if self.fields.len() >= FIELDS_MAX {
            return Err(format!("the dictionary has more than {FIELDS_MAX} fields"));
        }
        let is_record = self.record.is_empty();
        if is_record {
            name.clone_into(&mut self.record);
        }
        let holds = if is_record {
            Holds::Text // becomes a keyed hash, so it may be an identifier
        } else if identifies.eq_ignore_ascii_case("y") || identifies == "1" {
            Holds::Dropped("identifier")
        } else {
            holds(kind, choices, validation)?
        };
        if !self.forms.iter().any(|known| known == form) {
            self.forms.push(form.to_owned());
        }
        let field = Field { form: form.to_owned(), holds };
        match self.fields.insert(name.to_owned(), field) {
            None => Ok(()),
            Some(_) => Err("the field stands twice in the dictionary".to_owned()),
        }
    }

    /// The field and the code of a checkbox column `field___code`.
    pub(super) fn checkbox(&self, column: &str) -> Option<(&str, &str)> {
        let (name, code) = column.split_once("___")?;
        let (name, field) = self.fields.get_key_value(name)?;
        match &field.holds {
            Holds::Boxes(codes) => Some((name, codes.get(code)?)),
            _ => None,
        }
    }
}

fn holds(kind: &str, list: &str, validation: &str) -> Result<Holds, String> {
    let flag = |no: &str, yes: &str| {
        let pair = [("0", no), ("1", yes)];
        Holds::Choice(pair.map(|(code, label)| (code.to_owned(), label.to_owned())).into())
    };
    Ok(match kind {
        "radio" | "dropdown" => Holds::Choice(choices(list)?),
        "checkbox" => {
            // A column's name has lower-case letters, digits and `_`: a code of -1 becomes `field____1`.
            let codes = choices(list)?.into_keys();
            let named = |code: String| {
                // So that a code which begins with a digit is none of a column's; the code's own letters stay.
                let name = identifier(&format!("x{code}"));
                (name.strip_prefix('x').unwrap_or(&name).to_owned(), code)
            };
            Holds::Boxes(codes.map(named).collect())
        }
        "yesno" => flag("No", "Yes"),
        "truefalse" => flag("False", "True"),
        "calc" | "slider" => Holds::Number { comma: false },
        "notes" => Holds::Dropped("free text"),
        "file" | "signature" => Holds::Dropped("upload"),
        "text" | "sql" => match validation {
            "integer" => Holds::Whole,
            v if v.starts_with("number") => Holds::Number { comma: v.contains("comma") },
            v if v.starts_with("date") => Holds::Day,
            v if v.contains("phone")
                || v.contains("email")
                || v.contains("postal")
                || v.contains("zipcode")
                || v.contains("mrn")
                || v.contains("ssn") =>
            {
                Holds::Dropped("contact or identifier by its type")
            }
            _ => Holds::Text,
        },
        "descriptive" => Holds::Dropped("no data"),
        _ => return Err("the field's type is not known".to_owned()),
    })
}

/// `1, Never | 2, Often`: codes and labels.
fn choices(list: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    for choice in list.split('|').map(str::trim).filter(|c| !c.is_empty()) {
        let (code, label) =
            choice.split_once(',').ok_or("a choice has no comma between code and label")?;
        if found.len() >= CHOICES_MAX {
            return Err(format!("the field has more than {CHOICES_MAX} choices"));
        }
        found.insert(code.trim().to_owned(), label.trim().to_owned());
    }
    if found.is_empty() {
        return Err("the field has no choices".to_owned());
    }
    Ok(found)
}

/// `YYYY-MM-DD`, perhaps with ` HH:MM[:SS]`.
pub(super) fn is_day(value: &str) -> bool {
    let (day, time) = value.split_at_checked(10).unwrap_or((value, ""));
    let shaped = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(found, expected)| match expected {
                b'0' => found.is_ascii_digit(),
                _ => found == expected,
            })
    };
    let parts: Vec<u8> =
        day.get(5..).unwrap_or_default().split('-').filter_map(|p| p.parse().ok()).collect();
    let real = matches!(parts.as_slice(), [1..=12, 1..=31]);
    shaped(day, "0000-00-00")
        && real
        && (time.is_empty() || shaped(time, " 00:00") || shaped(time, " 00:00:00"))
}
