//! A `REDCap` record export (raw values, one row a record, event or instance) with its data dictionary.
//!
//! ```text
//! NAME=records.csv  NAME.dictionary=dictionary.csv
//!   raw_NAME         the export's columns, wide
//!   raw_NAME_form    one row a form that was filled in: record, event, form, instance, time, complete
//!   raw_NAME_answer  one row an answer: record, event, form, instance, field, code
//! ```
//! The dictionary says what each column is. Fields marked as identifiers, free text, uploads and contact
//! fields never land, nor does the survey identifier. A code that the dictionary does not list, a number or day
//! that is none, makes the whole line a reject, with line and field. `[not completed]` is no time.
mod column;
mod dictionary;

use super::csv::CsvRows;
use super::{RawTable, Rows as _, Step, Tables, WIDE_MAX, raw_table, text, whole};
use crate::store::bulk::Cell;
use column::{Boxes, Role, role, wide};
use dictionary::{Dictionary, is_day};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tacit_shared::fault::Fault;

/// Most columns an export may have: a line with so many names is about as long as a line may be.
const EXPORT_COLUMNS_MAX: usize = 40_000;
/// What a survey's time holds while it is not finished.
const NOT_COMPLETED: &str = "[not completed]";

/// The rows of an export.
pub(super) struct Export {
    rows: CsvRows,
    dictionary: Dictionary,
    roles: Vec<Role>,
    tables: Vec<RawTable>,
    dropped: BTreeMap<&'static str, BTreeSet<String>>,
    row: Vec<Cell>,
    /// Whether boxes have columns in the wide table.
    boxes: Boxes,
}

impl Export {
    /// Opens an export and its dictionary; `name` is the input's.
    pub(super) fn open(name: &str, path: &Path, dictionary: &Path) -> Result<Self, Fault> {
        let dictionary = Dictionary::open(dictionary)?;
        let rows = CsvRows::of_columns(path, EXPORT_COLUMNS_MAX)?;
        let place = || format!("{}:1", path.display());
        let mut roles = Vec::new();
        let mut dropped: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        for (nth, column) in rows.columns().iter().enumerate() {
            let role =
                role(&dictionary, nth, &column.name, &mut dropped).map_err(|f| f.at(place()))?;
            roles.push(role);
        }
        let (columns, boxes) =
            wide(&dictionary, &rows, &roles).map_err(|fault| fault.at(place()))?;
        let head =
            [("record", "TEXT"), ("event", "TEXT"), ("form", "TEXT"), ("instance", "INTEGER")];
        let form = [("timestamp", "TEXT"), ("completed", "INTEGER"), ("complete", "INTEGER")];
        let answer = [("field", "TEXT"), ("code", "TEXT")];
        let tables = vec![
            RawTable { name: format!("raw_{name}"), columns },
            raw_table(format!("raw_{name}_form"), &[&head[..], &form].concat()),
            raw_table(format!("raw_{name}_answer"), &[&head[..], &answer].concat()),
        ];
        Ok(Self { rows, dictionary, roles, tables, dropped, row: Vec::new(), boxes })
    }
}

impl Tables for Export {
    fn tables(&self) -> &[RawTable] {
        &self.tables
    }

    fn position(&self) -> u64 {
        self.rows.position()
    }

    fn total(&self) -> u64 {
        self.rows.total()
    }

    fn step(&mut self, out: &mut Step) -> Result<bool, Fault> {
        self.row.clear();
        if !self.rows.next(&mut self.row)? {
            return Ok(false);
        }
        let line = match self.row.first() {
            Some(Cell::Integer(line)) => u64::try_from(*line).unwrap_or_default(),
            _ => 0,
        };
        let mut reading = Reading::new(self, line);
        for (role, cell) in self.roles.iter().zip(self.row.iter().skip(1)) {
            reading.take(role, words(cell));
        }
        reading.finish(out);
        Ok(true)
    }

    fn notes(&self) -> Vec<String> {
        let note = |(why, fields): (&&str, &BTreeSet<String>)| {
            let first: Vec<&str> = fields.iter().take(8).map(String::as_str).collect();
            let more = if fields.len() > first.len() { ", …" } else { "" };
            format!("{} columns never land ({why}): {}{more}", fields.len(), first.join(", "))
        };
        let boxes = self.roles.iter().filter(|role| matches!(role, Role::Box(..))).count();
        let apart = (self.boxes == Boxes::Answers).then(|| {
            format!(
                "{boxes} boxes are no columns of {}, which would have more than {WIDE_MAX}: they land in {} alone",
                self.tables.first().map_or("", |table| table.name.as_str()),
                self.tables.last().map_or("", |table| table.name.as_str())
            )
        });
        self.dropped.iter().map(note).chain(apart).collect()
    }
}

fn words(cell: &Cell) -> &str {
    match cell {
        Cell::Text(text) => text.trim(),
        _ => "",
    }
}

/// What a line says of one form.
#[derive(Default)]
struct Filled<'a> {
    timestamp: Option<&'a str>,
    completed: Option<i64>,
    complete: Option<i64>,
    answers: Vec<(&'a str, String)>,
    /// Whether anything was filled in: a text without a type is no answer, but says so.
    touched: bool,
}

/// One line on its way.
struct Reading<'a> {
    dictionary: &'a Dictionary,
    boxes: Boxes,
    line: u64,
    wide: Vec<Cell>,
    record: &'a str,
    event: &'a str,
    repeat_form: &'a str,
    instance: Option<i64>,
    forms: BTreeMap<usize, Filled<'a>>,
    wrong: Vec<(String, String)>,
}

impl<'a> Reading<'a> {
    fn new(export: &'a Export, line: u64) -> Self {
        Self {
            dictionary: &export.dictionary,
            boxes: export.boxes,
            line,
            wide: Vec::new(),
            record: "",
            event: "",
            repeat_form: "",
            instance: None,
            forms: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    fn take(&mut self, role: &'a Role, value: &'a str) {
        let given = (!value.is_empty()).then_some(value);
        let mut wide = text(given);
        match role {
            Role::Dropped => return,
            Role::Record => self.record = value,
            Role::Event => self.event = value,
            Role::Group => {}
            Role::RepeatForm => self.repeat_form = value,
            Role::RepeatInstance => {
                self.instance = given.and_then(|v| v.parse().ok());
                if given.is_some() && self.instance.is_none() {
                    self.refuse("redcap_repeat_instance", "not a whole number");
                }
            }
            Role::Timestamp(form) => {
                let filled = self.forms.entry(*form).or_default();
                filled.completed = given.map(|v| i64::from(v != NOT_COMPLETED));
                filled.timestamp = given.filter(|v| *v != NOT_COMPLETED);
                wide = text(filled.timestamp);
                if filled.timestamp.is_some_and(|v| !is_day(v)) {
                    self.refuse_form(
                        "_timestamp",
                        *form,
                        "neither a time (YYYY-MM-DD HH:MM:SS) nor `[not completed]`",
                    );
                }
            }
            Role::Complete(form) => {
                let filled = self.forms.entry(*form).or_default();
                filled.complete =
                    given.and_then(|v| v.parse().ok()).filter(|v| (0..=2).contains(v));
                if given.is_some() && filled.complete.is_none() {
                    self.refuse_form("_complete", *form, "not 0, 1 or 2");
                }
            }
            Role::Box(form, field, code) => match given {
                None | Some("0") => {}
                Some("1") => {
                    let filled = self.forms.entry(*form).or_default();
                    filled.touched = true;
                    filled.answers.push((field, code.clone()));
                }
                Some(_) => self.refuse(field, "a box that is neither 0 nor 1"),
            },
            Role::Field(form, name) => {
                if let Some(value) = given {
                    wide = self.field(*form, name, value);
                }
            }
        }
        if self.boxes == Boxes::Wide || !matches!(role, Role::Box(..)) {
            self.wide.push(wide);
        }
    }

    /// Checks a value by its field's type; what lands in the wide table.
    fn field(&mut self, form: usize, name: &'a str, value: &'a str) -> Cell {
        let Some(field) = self.dictionary.fields.get(name) else { return Cell::Null };
        let (checked, is_answer) = field.holds.check(value);
        match checked {
            Ok(value) => {
                let filled = self.forms.entry(form).or_default();
                filled.touched = true;
                if is_answer {
                    filled.answers.push((name, value.clone()));
                }
                Cell::Text(value)
            }
            Err(reason) => {
                self.refuse(name, &reason);
                Cell::Null
            }
        }
    }

    fn refuse(&mut self, column: &str, reason: &str) {
        self.wrong.push((column.to_owned(), reason.to_owned()));
    }

    fn refuse_form(&mut self, suffix: &str, form: usize, reason: &str) {
        let form = self.dictionary.forms.get(form).map_or("", String::as_str);
        self.refuse(&format!("{form}{suffix}"), reason);
    }

    fn finish(mut self, out: &mut Step) {
        if self.record.is_empty() {
            self.refuse(&self.dictionary.record, "missing");
        }
        let known = |form: &str| self.dictionary.forms.iter().any(|f| f == form);
        if !self.repeat_form.is_empty() && !known(self.repeat_form) {
            self.refuse("redcap_repeat_instrument", "not a form of the dictionary");
        }
        if !self.wrong.is_empty() {
            for (column, reason) in &self.wrong {
                out.refuse(0, self.line, column, reason.as_str());
            }
            return;
        }
        out.row(0, self.line, self.wide);
        for (form, filled) in self.forms {
            let untouched = !filled.touched
                && filled.timestamp.is_none()
                && filled.completed.is_none()
                && filled.complete.is_none_or(|c| c <= 0);
            if untouched {
                continue;
            }
            let name = self.dictionary.forms.get(form).map(String::as_str);
            // Of a repeating form the line's instance; of others in the same line there is none.
            let repeats = self.repeat_form.is_empty() || name == Some(self.repeat_form);
            let instance = self.instance.filter(|_| repeats);
            let head = || {
                let event = (!self.event.is_empty()).then_some(self.event);
                [text(Some(self.record)), text(event), text(name), whole(instance)]
            };
            let tail = [text(filled.timestamp), whole(filled.completed), whole(filled.complete)];
            out.row(1, self.line, head().into_iter().chain(tail));
            for (field, code) in filled.answers {
                out.row(
                    2,
                    self.line,
                    head().into_iter().chain([text(Some(field)), Cell::Text(code)]),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
