//! Reads a site's mapping: one `SELECT` a canonical table, written by the hospital itself.
//!
//! ```text
//! -- @encounter
//! SELECT visit_no AS encounter, … , _line AS line FROM raw_visits
//! ```
//! A mapping may read, never write: each section must be one query, so that it can stand as
//! `SELECT … FROM (section)`, where `SQLite`'s own grammar admits nothing else. What could break out of the
//! brackets (a second statement, an unbalanced bracket, an open quote or comment) or would be silently
//! empty (a parameter) is refused here, with its line. Running it is the work of [`super::staging`].
use super::canonical::Table;
use std::collections::BTreeMap;
use tacit_shared::fault::Fault;

/// A mapping is longer than this only by mistake.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// One section: the query that yields the rows of a canonical table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The query, without a final semicolon.
    pub sql: String,
    /// The line of the `-- @table` mark, from 1.
    pub line: usize,
}

impl Section {
    /// The line of the mapping that a message of `SQLite` speaks of: where the word it ends with or quotes first
    /// stands; that of the mark if it names none.
    pub(super) fn line_of(&self, message: &str) -> usize {
        let quoted = message.strip_prefix("near \"").and_then(|rest| rest.split("\": ").next());
        let named = quoted.or_else(|| message.rsplit(": ").next()).unwrap_or_default();
        let named = named.rsplit("->").next().unwrap_or_default();
        let bounded = |at: usize| {
            let part = |c: char| c.is_alphanumeric() || c == '_';
            let before = self.sql.get(..at).and_then(|text| text.chars().next_back());
            let after = self.sql.get(at + named.len()..).and_then(|text| text.chars().next());
            let goes_on = named.ends_with(part) && after.is_some_and(part);
            let went_on = named.starts_with(part) && before.is_some_and(part);
            !goes_on && !went_on
        };
        let mut places = self.sql.match_indices(named).map(|(at, _)| at).filter(|at| bounded(*at));
        match (places.next(), places.next()) {
            (Some(_), Some(_)) if quoted.is_some() => self.line, // which of them, nobody says
            (Some(at), _) if !named.is_empty() => self.line_at(at),
            _ => self.line,
        }
    }

    /// The line of the mapping on which a byte of the query stands.
    pub(super) fn line_at(&self, byte: usize) -> usize {
        self.line + 1 + newlines(&self.sql, byte)
    }
}

/// A mapping that was read and found to be queries alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    origin: String,
    sections: BTreeMap<Table, Section>,
}

impl Mapping {
    /// Reads a mapping; `origin` is the file's name for messages.
    ///
    /// # Errors
    /// A user's fault with file and line.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Fault> {
        if text.len() > FILE_BYTES_MAX {
            let found = text.len();
            let message =
                format!("the mapping has {found} bytes; expected at most {FILE_BYTES_MAX}");
            return Err(Fault::user(message).at(origin));
        }
        let mut sections = BTreeMap::new();
        let mut current: Option<(Table, Section)> = None;
        for (index, text) in text.lines().enumerate() {
            let line = index + 1;
            let place = || format!("{origin}:{line}");
            if let Some(name) = mark(text) {
                let table = Table::named(name).ok_or_else(|| unknown(name).at(place()))?;
                close(origin, current.take(), &mut sections)?;
                if sections.contains_key(&table) {
                    return Err(Fault::user(format!("section `@{name}` appears twice")).at(place()));
                }
                current = Some((table, Section { sql: String::new(), line }));
            } else if let Some((_, section)) = &mut current {
                section.sql.push_str(text);
                section.sql.push('\n');
            } else if !(text.trim().is_empty() || text.trim_start().starts_with("--")) {
                return Err(Fault::user("SQL before the first section")
                    .at(place())
                    .hint("a section starts with a line such as `-- @person`"));
            }
        }
        close(origin, current, &mut sections)?;
        if sections.is_empty() {
            return Err(Fault::user("the mapping has no section")
                .at(origin)
                .hint("a section starts with a line such as `-- @person`"));
        }
        Ok(Self { origin: origin.to_owned(), sections })
    }

    /// The file's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The tables it has a query for, in the order in which rows are taken over.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        self.sections.keys().copied()
    }

    /// Takes a section out.
    pub(super) fn leave_out(&mut self, table: Table) {
        self.sections.remove(&table);
    }

    /// The query for a table, if the mapping has one.
    pub fn section(&self, table: Table) -> Option<&Section> {
        self.sections.get(&table)
    }
}

/// The table's name if the line is a mark: `-- @name`.
fn mark(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("--")?.trim_start().strip_prefix('@')?;
    Some(name.trim())
}

fn unknown(name: &str) -> Fault {
    let known: Vec<String> = Table::ALL.iter().map(|t| format!("@{}", t.name())).collect();
    let name: String = name.chars().take(40).collect();
    Fault::user(format!("`@{name}` is not a canonical table"))
        .hint(format!("expected one of {}", known.join(", ")))
}

fn close(
    origin: &str,
    section: Option<(Table, Section)>,
    sections: &mut BTreeMap<Table, Section>,
) -> Result<(), Fault> {
    let Some((table, mut section)) = section else {
        return Ok(());
    };
    match scan(&section.sql) {
        Ok(end) => section.sql.truncate(end),
        Err((problem, offset)) => {
            let line = section.line + 1 + newlines(&section.sql, offset);
            return Err(
                Fault::user(format!("section `@{}` {problem}", table.name()))
                    .at(format!("{origin}:{line}"))
                    .hint("a section is one SELECT, or WITH … SELECT; it reads the raw tables and changes nothing"),
            );
        }
    }
    sections.insert(table, section);
    Ok(())
}

fn newlines(sql: &str, offset: usize) -> usize {
    sql.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// What a scan meets: a word, or another character outside quotes and comments.
pub(in crate::intake) enum Token<'a> {
    /// Letters, digits, `_` and `$`.
    Word(&'a str),
    /// Anything else.
    Sign(char),
}

/// Checks that the text is one query. Returns where it ends, without a final semicolon; or what is wrong
/// and at which byte.
fn scan(sql: &str) -> Result<usize, (String, usize)> {
    let mut depth = 0_usize;
    let mut verb: Option<&str> = None;
    let mut first: Option<&str> = None;
    let mut end: Option<usize> = None;
    let mut at = 0;
    while let Some((token, start, next)) = token(sql, at)? {
        at = next;
        if end.is_some() {
            return Err(("has a second statement after `;`".to_owned(), start));
        }
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| ("closes a bracket that is not open".to_owned(), start))?;
            }
            Token::Sign(';') => end = Some(start),
            Token::Sign(sign @ ('?' | ':' | '@' | '$' | '#')) => {
                return Err((format!("has a parameter (`{sign}`), which nobody fills in"), start));
            }
            Token::Sign(_) => {}
            Token::Word(word) => {
                first = first.or(Some(word));
                let query = ["select", "insert", "update", "delete", "replace", "values"];
                if depth == 0
                    && verb.is_none()
                    && query.iter().any(|v| word.eq_ignore_ascii_case(v))
                {
                    verb = Some(word);
                }
            }
        }
        let is =
            |word: Option<&str>, what: &str| word.is_some_and(|w| w.eq_ignore_ascii_case(what));
        if first.is_some() && !is(first, "select") && !is(first, "with") {
            let found = first.unwrap_or_default().to_ascii_uppercase();
            return Err((format!("starts with `{found}`"), start));
        }
        if verb.is_some() && !is(verb, "select") {
            let found = verb.unwrap_or_default().to_ascii_uppercase();
            return Err((format!("would run `{found}`"), start));
        }
    }
    if depth > 0 {
        return Err(("leaves a bracket open".to_owned(), sql.trim_end().len()));
    }
    if verb.is_none() {
        return Err(("has no SELECT".to_owned(), 0));
    }
    Ok(end.unwrap_or(sql.len()))
}

/// A token, its start, and the byte after it.
pub(in crate::intake) type Placed<'a> = (Token<'a>, usize, usize);

/// All tokens; of a text that was [`parse`](Mapping::parse)d none is broken.
pub(in crate::intake) fn tokens(sql: &str) -> Vec<Placed<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Ok(Some(placed)) = token(sql, at) {
        at = placed.2;
        found.push(placed);
    }
    found
}

/// The next token from byte `at` on.
pub(in crate::intake) fn token(
    sql: &str,
    mut at: usize,
) -> Result<Option<Placed<'_>>, (String, usize)> {
    loop {
        let rest = sql.get(at..).unwrap_or_default();
        let Some(sign) = rest.chars().next() else {
            return Ok(None);
        };
        let close = match sign {
            '-' if rest.starts_with("--") => Some("\n"),
            '/' if rest.starts_with("/*") => Some("*/"),
            '\'' => Some("'"),
            '"' => Some("\""),
            '`' => Some("`"),
            '[' => Some("]"),
            _ => None,
        };
        if let Some(close) = close {
            let open = if close.len() == 2 || close == "\n" { 2 } else { 1 };
            let inside = rest.get(open..).unwrap_or_default();
            let Some(length) = inside.find(close) else {
                return Err((format!("has a `{sign}` that is not closed"), at));
            };
            at += open + length + close.len();
        } else if sign.is_whitespace() {
            at += sign.len_utf8();
        } else if sign.is_alphanumeric() || sign == '_' {
            let length = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(rest.len());
            let word = rest.get(..length).unwrap_or_default();
            return Ok(Some((Token::Word(word), at, at + length)));
        } else {
            return Ok(Some((Token::Sign(sign), at, at + sign.len_utf8())));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_with_their_lines() {
        let text = "-- how we map\n\n-- @person\nSELECT 1; -- done\n--@answer\nWITH a AS (SELECT ';')\n\
                    SELECT replace(x, 'a', 'b') /* ; */ FROM a\n";
        let mapping = Mapping::parse("site.sql", text).unwrap();
        let section = mapping.section(Table::Person).unwrap();
        assert_eq!((section.sql.as_str(), section.line), ("SELECT 1", 3));
        let section = mapping.section(Table::Answer).unwrap();
        assert!(section.sql.ends_with("FROM a\n"));
        assert_eq!((section.line, mapping.section(Table::Period)), (5, None));
    }

    #[test]
    fn whatever_is_not_one_query_is_refused_with_its_line() {
        let cases = [
            ("PRAGMA user_version", "starts with `PRAGMA`", 2),
            ("\nATTACH 'x.db' AS x", "starts with `ATTACH`", 3),
            ("INSERT INTO person VALUES (1)", "starts with `INSERT`", 2),
            ("/* a */ delete from person", "starts with `DELETE`", 2),
            ("VALUES (1)", "starts with `VALUES`", 2),
            ("EXPLAIN SELECT 1", "starts with `EXPLAIN`", 2),
            ("WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a", "would run `INSERT`", 2),
            ("WITH a AS (SELECT 1)\nUPDATE b SET c = 1", "would run `UPDATE`", 3),
            ("WITH a AS (SELECT 1) DELETE FROM a", "would run `DELETE`", 2),
            ("SELECT 1;\nDROP TABLE person", "has a second statement after `;`", 3),
            ("SELECT 1;;", "has a second statement after `;`", 2),
            ("SELECT 1) UNION SELECT (2", "closes a bracket that is not open", 2),
            ("SELECT (1", "leaves a bracket open", 2),
            ("SELECT 'a", "has a `'` that is not closed", 2),
            ("SELECT 1 /* a", "has a `/` that is not closed", 2),
            ("SELECT \"a", "has a `\"` that is not closed", 2),
            ("SELECT ?1", "has a parameter (`?`), which nobody fills in", 2),
            ("SELECT :a", "has a parameter (`:`), which nobody fills in", 2),
            ("SELECT $a", "has a parameter (`$`), which nobody fills in", 2),
            ("SELECT @a", "has a parameter (`@`), which nobody fills in", 2),
            ("", "has no SELECT", 2),
            ("WITH a AS (SELECT 1)", "has no SELECT", 2),
            (";", "has no SELECT", 2),
        ];
        for (sql, problem, line) in cases {
            let found = Mapping::parse("site.sql", &format!("-- @person\n{sql}\n")).unwrap_err();
            let expected = format!(
                "section `@person` {problem}\n  at:   site.sql:{line}\n  hint: a section is one SELECT, or \
                 WITH … SELECT; it reads the raw tables and changes nothing"
            );
            assert_eq!(found.to_string(), expected, "{sql}");
        }
    }

    #[test]
    fn marks_are_known_and_stand_once() {
        let fault = |text: &str| Mapping::parse("site.sql", text).unwrap_err().to_string();
        assert_eq!(
            fault("-- @persons\nSELECT 1\n"),
            "`@persons` is not a canonical table\n  at:   site.sql:1\n  hint: expected one of @consent, @person, \
             @encounter, @period, @training, @response, @answer, @device_session"
        );
        assert_eq!(
            fault("-- @person\nSELECT 1\n-- @person\nSELECT 2\n"),
            "section `@person` appears twice\n  at:   site.sql:3"
        );
        let hint = "\n  hint: a section starts with a line such as `-- @person`";
        assert_eq!(
            fault("-- mine\nSELECT 1\n"),
            format!("SQL before the first section\n  at:   site.sql:2{hint}")
        );
        assert_eq!(
            fault("-- mine\n"),
            format!("the mapping has no section\n  at:   site.sql{hint}")
        );
    }

    /// Tables of staff in the mappings that come along: those that may say who works here, and how much.
    const STAFF: [(&str, &[&str]); 9] = [
        ("fhir-r4", &["raw_practitioner_role"]),
        ("no-wearables", &["raw_staff", "raw_roster", "raw_courses"]),
        ("omop-5.4", &["raw_provider", "raw_care_site"]),
        ("redcap-example", &["raw_forms"]), // a record is a clinician
        ("rural", &["raw_staff", "raw_roster", "raw_courses"]),
        ("safety-net", &["raw_clinicians", "raw_roster", "raw_courses"]),
        ("suburban", &["raw_people", "raw_courses"]),
        ("teaching", &["raw_staff", "raw_duty", "raw_courses"]),
        ("wearables-example", &["raw_staff"]),
    ];

    #[test]
    fn no_mapping_that_comes_along_asks_patients_records_who_works_here() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/mappings");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let found = STAFF.iter().find(|(known, _)| *known == name);
            let (_, staff) = found.unwrap_or_else(|| panic!("which tables of {name} are staff's?"));
            let text = std::fs::read_to_string(&path).unwrap();
            let mapping = Mapping::parse(&name, &text).unwrap();
            for table in [Table::Person, Table::Period, Table::Training] {
                let Some(section) = mapping.section(table) else { continue };
                let mut at = 0;
                while let Some((token, _, end)) = token(&section.sql, at).unwrap() {
                    at = end;
                    let Token::Word(word) = token else { continue };
                    if word.starts_with("raw_") {
                        assert!(staff.contains(&word), "{name}: @{} reads {word}", table.name());
                        read += 1;
                    }
                }
            }
        }
        assert!(read >= 22, "{read}");
    }
}
