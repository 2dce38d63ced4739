//! Files of answers: CSV with a column an item, or JSON with an object a row.
//!
//! CSV: UTF-8, a header line; comma, semicolon or tab. JSON: an array of objects, or an object a line. An empty
//! field, `null` and a key that is not there are no answer. Spaces round an answer do not count; all else is
//! taken as written, and whether it is a code is for the instrument to say. No message quotes an answer.
use csv::{ReaderBuilder, Terminator, Trim};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use tacit_link::keys::read_bounded;
use tacit_shared::fault::Fault;

/// A larger file belongs into an import.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// So many columns, or keys of one object.
const COLUMNS_MAX: usize = 4096;
/// Columns that say whose row it is. They are passed over without a word.
const KEYS: [&str; 14] = [
    "id",
    "response",
    "response_id",
    "respondent",
    "respondent_id",
    "record",
    "record_id",
    "row",
    "line",
    "person",
    "patient",
    "clinician",
    "encounter",
    "authored",
];

/// How a file counts its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    ByLine,
    ByEntry,
}

/// One filled-in questionnaire.
pub(super) struct Row {
    number: u64,
    counted: Counted,
    answers: Vec<(usize, String)>,
}

impl Row {
    /// Where it stands, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// `line` of the file, or `entry` of its array.
    pub(super) fn unit(&self) -> &'static str {
        match self.counted {
            Counted::ByLine => "line",
            Counted::ByEntry => "entry",
        }
    }

    /// Positions of questions, and the answers as given.
    pub(super) fn answers(&self) -> impl Iterator<Item = (usize, &str)> {
        self.answers.iter().map(|(question, code)| (*question, code.as_str()))
    }

    /// The place of a fault.
    pub(super) fn place(&self, file: &Path) -> String {
        match self.counted {
            Counted::ByLine => format!("{}:{}", file.display(), self.number),
            Counted::ByEntry => format!("{}, entry {}", file.display(), self.number),
        }
    }
}

/// The rows of a file.
pub(super) struct Answers {
    rows: Vec<Row>,
}

impl Answers {
    /// Reads a file of answers to `questions`; columns of `ignore` are passed over.
    ///
    /// # Errors
    /// A user's fault with file and line.
    pub(super) fn read(path: &Path, questions: &[&str], ignore: &[String]) -> Result<Self, Fault> {
        let place = path.display().to_string();
        let bytes = read_bounded(path, FILE_BYTES_MAX).map_err(|e| {
            Fault::user(format!("the answers cannot be read: {e}")).at(&place).hint(format!(
                "a file of at most {} MiB; `tacit-node import` takes larger ones",
                FILE_BYTES_MAX >> 20
            ))
        })?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let before = e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            Fault::user("the file is not UTF-8")
                .at(format!("{place}:{line}"))
                .hint("save it as UTF-8")
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let asked = Asked { questions, ignore, place: &place };
        let rows = match text.trim_start().as_bytes().first() {
            None => return Err(asked.wrong("the file is empty", "the first line names the items")),
            Some(b'[') => array(text, &asked)?,
            Some(b'{') => lines(text, &asked)?,
            Some(_) => table(&text.replace("\r\n", "\n"), &asked)?,
        };
        Ok(Self { rows })
    }

    /// The rows, in the order of the file.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }
}

/// What a file is read for.
struct Asked<'a> {
    questions: &'a [&'a str],
    ignore: &'a [String],
    place: &'a str,
}

impl Asked<'_> {
    fn wrong(&self, message: impl Into<String>, hint: &str) -> Fault {
        Fault::user(message).at(self.place).hint(hint)
    }

    /// The question of each column; `None` for those that are passed over.
    ///
    /// A column that is no item next to an item without a column is most likely misspelt: refused, so that a
    /// misspelt item is not taken for one that nobody answered.
    fn bind<'b>(
        &self,
        columns: impl Iterator<Item = &'b str>,
    ) -> Result<Vec<Option<usize>>, Fault> {
        let mut seen = BTreeSet::new();
        let (mut bound, mut unknown) = (Vec::new(), None);
        for column in columns {
            let question = self.questions.iter().position(|question| *question == column);
            if question.is_some() && !seen.insert(column) {
                let message = format!("item `{column}` has two columns");
                return Err(self.wrong(message, "each item has one column"));
            }
            let passed = self.ignore.iter().any(|name| name == column)
                || KEYS.contains(&column.to_ascii_lowercase().as_str());
            if question.is_none() && !passed {
                unknown = unknown.or(Some(column.chars().take(48).collect::<String>()));
            }
            bound.push(question);
        }
        if seen.is_empty() {
            return Err(self.wrong(
                "no column is an item of the instrument",
                "the first line of a CSV file, or the keys of each JSON object, are the ids of the items",
            ));
        }
        if let (Some(column), Some(item)) =
            (unknown, self.questions.iter().find(|q| !seen.contains(**q)))
        {
            return Err(self.wrong(
                format!("column `{column}` is no item, and item `{item}` has no column"),
                "correct its name, or say `--ignore NAME` if it is none",
            ));
        }
        Ok(bound)
    }
}

fn table(text: &str, asked: &Asked<'_>) -> Result<Vec<Row>, Fault> {
    let first = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    let delimiter = b",;\t".iter().rev().max_by_key(|d| count(d)).copied().unwrap_or(b',');
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .terminator(Terminator::Any(b'\n'))
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let unreadable = |_| asked.wrong("the file is not CSV", "the first line names the items");
    let headers = reader.headers().map_err(unreadable)?.clone();
    let columns = headers.len();
    if columns > COLUMNS_MAX {
        let message = format!("{columns} columns; expected at most {COLUMNS_MAX}");
        return Err(asked.wrong(message, "leave out what is no item"));
    }
    let bound = asked.bind(headers.iter())?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let number = record.position().map_or(0, |at| line_of(text, at));
        if record.len() != columns {
            let message = format!("the row has {} fields; the header has {columns}", record.len());
            let hint = "look for a delimiter inside a field that is not quoted";
            return Err(Fault::user(message).at(format!("{}:{number}", asked.place)).hint(hint));
        }
        let given = |(question, code): (&Option<usize>, &str)| {
            question.filter(|_| !code.is_empty()).map(|question| (question, code.to_owned()))
        };
        let answers = bound.iter().zip(&record).filter_map(given).collect();
        rows.push(Row { number, counted: Counted::ByLine, answers });
    }
    Ok(rows)
}

/// The line of a record; its position may be that of the empty lines before it.
fn line_of(text: &str, at: &csv::Position) -> u64 {
    let from = usize::try_from(at.byte()).ok().and_then(|byte| text.as_bytes().get(byte..));
    let empty = (0_u64..).zip(from.unwrap_or_default()).find(|(_, byte)| **byte != b'\n');
    at.line() + empty.map_or(0, |(count, _)| count)
}

/// A JSON object of answers; `None` for those that are null.
struct Object(Vec<(String, Option<Code>)>);

/// A text, or the shortest decimal form of a number.
struct Code(String);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of answers")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let (mut pairs, mut seen) = (Vec::new(), BTreeSet::new());
                while let Some((key, code)) = map.next_entry::<String, Option<Code>>()? {
                    if pairs.len() >= COLUMNS_MAX || !seen.insert(key.clone()) {
                        return Err(A::Error::custom("a key stands twice, or there are too many"));
                    }
                    pairs.push((key, code));
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Code;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }
            fn visit_str<E>(self, text: &str) -> Result<Code, E> {
                Ok(Code(text.trim().to_owned()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Code, E> {
                Ok(Code(number.to_string()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Code, E> {
                Ok(Code(number.to_string()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Code, E> {
                Ok(Code(number.to_string()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

fn array(text: &str, asked: &Asked<'_>) -> Result<Vec<Row>, Fault> {
    let objects: Vec<Object> =
        serde_json::from_str(text).map_err(|e| not_json(&e, e.line(), asked))?;
    let objects = (1..).zip(objects).collect();
    rows(objects, Counted::ByEntry, asked)
}

fn lines(text: &str, asked: &Asked<'_>) -> Result<Vec<Row>, Fault> {
    // One object over several lines is a file of one row.
    if let Ok(object) = serde_json::from_str::<Object>(text) {
        return rows(vec![(1, object)], Counted::ByLine, asked);
    }
    let mut objects = Vec::new();
    for (number, line) in (1_u64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let object = serde_json::from_str(line).map_err(|e| not_json(&e, at, asked))?;
        objects.push((number, object));
    }
    rows(objects, Counted::ByLine, asked)
}

/// The parser's own words may quote an answer; only its place is told.
fn not_json(error: &serde_json::Error, line: usize, asked: &Asked<'_>) -> Fault {
    let message = if error.is_data() {
        "not an object of answers: each key once, each answer a text, a number or null"
    } else {
        "the file is not JSON"
    };
    Fault::user(message)
        .at(format!("{}:{line}:{}", asked.place, error.column()))
        .hint("an array of objects, or an object a line; keys are the ids of items")
}

fn rows(
    objects: Vec<(u64, Object)>,
    counted: Counted,
    asked: &Asked<'_>,
) -> Result<Vec<Row>, Fault> {
    let keys: BTreeSet<&str> = objects
        .iter()
        .flat_map(|(_, object)| object.0.iter().map(|(key, _)| key.as_str()))
        .collect();
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    asked.bind(keys.into_iter())?;
    let row = |(number, object): (u64, Object)| {
        let answer = |(key, code): (String, Option<Code>)| {
            let question = asked.questions.iter().position(|question| *question == key)?;
            code.filter(|code| !code.0.is_empty()).map(|code| (question, code.0))
        };
        Row { number, counted, answers: object.0.into_iter().filter_map(answer).collect() }
    };
    Ok(objects.into_iter().map(row).collect())
}
