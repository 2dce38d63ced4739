//! What each column of an export is, by its dictionary, and which of them the wide table has.
use super::super::csv::CsvRows;
use super::super::{RawColumn, Rows as _, WIDE_MAX};
use super::dictionary::{Dictionary, Holds};
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::fault::Fault;

/// What a column is.
pub(super) enum Role {
    Record,
    Event,
    RepeatForm,
    RepeatInstance,
    /// A data access group: lands in the wide table alone.
    Group,
    Timestamp(usize),
    Complete(usize),
    /// A box: its form, field and code.
    Box(usize, String, String),
    /// A field: its form and name.
    Field(usize, String),
    Dropped,
}

/// Where boxes land besides as answers.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Boxes {
    Wide,
    /// Only as answers: the export has more columns than a table may have.
    Answers,
}

/// The columns of the wide table: all that lands, or all but the boxes.
pub(super) fn wide(
    dictionary: &Dictionary,
    rows: &CsvRows,
    roles: &[Role],
) -> Result<(Vec<RawColumn>, Boxes), Fault> {
    let landing = |boxes: Boxes| {
        let lands = move |role: &Role| match role {
            Role::Dropped => false,
            Role::Box(..) => boxes == Boxes::Wide,
            _ => true,
        };
        rows.columns().iter().zip(roles).filter(move |(_, role)| lands(role))
    };
    let boxes = if landing(Boxes::Wide).count() > WIDE_MAX { Boxes::Answers } else { Boxes::Wide };
    let found = landing(boxes).count();
    if found > WIDE_MAX {
        let message =
            format!("{found} columns would land besides boxes; a table has {WIDE_MAX} at most");
        return Err(
            Fault::user(message).hint("export fewer forms at a time, as inputs of their own")
        );
    }
    let column = |(column, role): (&RawColumn, &Role)| RawColumn {
        name: column.name.clone(),
        affinity: affinity(dictionary, role),
    };
    Ok((landing(boxes).map(column).collect(), boxes))
}

/// What the column of that place and name is; `dropped` is added to.
///
/// # Errors
/// A user's fault for a column that the dictionary does not know, or a record that does not stand first.
pub(super) fn role(
    dictionary: &Dictionary,
    nth: usize,
    column: &str,
    dropped: &mut BTreeMap<&'static str, BTreeSet<String>>,
) -> Result<Role, Fault> {
    let is_record = column == dictionary.record;
    if (nth == 0) != is_record {
        let message = format!(
            "column {} is `{column}`; expected `{}` as the first alone",
            nth + 1,
            dictionary.record
        );
        return Err(Fault::user(message)
            .hint("the dictionary's first field names the record: is it this project's?"));
    }
    let form =
        |name: Option<&str>| name.and_then(|name| dictionary.forms.iter().position(|f| f == name));
    let role = match column {
        _ if is_record => Role::Record,
        "redcap_event_name" => Role::Event,
        "redcap_repeat_instrument" => Role::RepeatForm,
        "redcap_repeat_instance" => Role::RepeatInstance,
        "redcap_data_access_group" => Role::Group,
        "redcap_survey_identifier" => {
            dropped.entry("identifier").or_default().insert(column.to_owned());
            Role::Dropped
        }
        _ => {
            if let Some((name, field)) = dictionary.fields.get_key_value(column) {
                if let Holds::Dropped(why) = field.holds {
                    dropped.entry(why).or_default().insert(column.to_owned());
                    return Ok(Role::Dropped);
                }
                Role::Field(form(Some(&field.form)).unwrap_or_default(), name.clone())
            } else if let Some((name, code)) = dictionary.checkbox(column) {
                let of = dictionary.fields.get(name).map(|f| f.form.as_str());
                Role::Box(form(of).unwrap_or_default(), name.to_owned(), code.to_owned())
            } else if let Some(form) = form(column.strip_suffix("_timestamp")) {
                Role::Timestamp(form)
            } else if let Some(form) = form(column.strip_suffix("_complete")) {
                Role::Complete(form)
            } else if is_box_of_dropped(dictionary, column) {
                dropped.entry("identifier").or_default().insert(column.to_owned());
                Role::Dropped
            } else {
                return Err(Fault::user(format!("the data dictionary does not know column `{column}`")).hint(
                    "what a column holds must be known before it lands: export raw values with variable names as \
                     header, and take the dictionary of the same day",
                ));
            }
        }
    };
    Ok(role)
}

/// Whether a column is a box of a field that never lands.
fn is_box_of_dropped(dictionary: &Dictionary, column: &str) -> bool {
    let field = column.split_once("___").and_then(|(name, _)| dictionary.fields.get(name));
    field.is_some_and(|field| matches!(field.holds, Holds::Dropped(_)))
}

fn affinity(dictionary: &Dictionary, role: &Role) -> &'static str {
    match role {
        Role::RepeatInstance | Role::Complete(_) | Role::Box(..) => "INTEGER",
        Role::Field(_, name) => match dictionary.fields.get(name).map(|f| &f.holds) {
            Some(Holds::Whole) => "INTEGER",
            Some(Holds::Number { .. }) => "REAL",
            _ => "TEXT",
        },
        _ => "TEXT",
    }
}
