//! Holds a mapping against the files that were given, before any of them is read.
//!
//! ```text
//! a section reads a table that no file lands in   ─► left out, and the summary says so: not every file comes each month
//! a file lands in tables that no section reads    ─► refused: its name is a slip, or its rows would be lost unseen
//! ```
//! Tables are found as words of the SQL ([`super::mapping::tokens`]): after `FROM` or `JOIN` those that a section reads
//! for certain, anywhere those that it may. What this takes for a query of its own (`WITH raw_x AS (…)`) is left to
//! `SQLite`, which says what is not there.
use super::SeenMapping;
use super::canonical::Table;
use super::mapping::{Mapping, Placed, Section, Token, tokens};
use super::source::Input;
use super::source::files::{self, Seen};
use super::source::input::Kind;
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::fault::Fault;

/// What FHIR bulk data lands in, whichever resources it has.
const FHIR: [&str; 9] = [
    "raw_encounter",
    "raw_response",
    "raw_answer",
    "raw_observation",
    "raw_sample",
    "raw_practitioner_role",
    "raw_consent",
    "raw_patient",
    "raw_export",
];

/// Looks at the files once: names that fit, a mapping that reads them all, and what tells each from another one.
///
/// # Errors
/// A user's fault for a name, for a file that cannot be read, or one that no section reads.
pub(super) fn see(inputs: &[Input], mapping: &mut SeenMapping) -> Result<Vec<Seen>, Fault> {
    let mut names = BTreeSet::new();
    if inputs.is_empty() {
        return Err(Fault::user("no file to import").hint("give at least one NAME=FILE"));
    }
    if let Some(twice) = inputs.iter().find(|input| !names.insert(input.label())) {
        return Err(Fault::user(format!("two files are called `{}`", twice.label()))
            .hint("each NAME=FILE needs a name of its own"));
    }
    let lone = |input: &&Input| input.is_dictionary() && !names.contains(input.name());
    if let Some(lone) = inputs.iter().find(lone) {
        return Err(Fault::user(format!("`{}` belongs to no export", lone.label()))
            .hint(format!("give the records as {}=FILE beside it", lone.name())));
    }
    mapping.left_out = fit(&mut mapping.mapping, inputs)?;
    inputs.iter().map(|input| files::see(input.path())).collect()
}

/// Leaves out the sections whose tables are not given, and says which.
///
/// # Errors
/// A user's fault if a file is read by no section that is left.
fn fit(mapping: &mut Mapping, inputs: &[Input]) -> Result<Vec<String>, Fault> {
    let lands = |input: &Input| lands_in(input, inputs);
    let named = inputs.iter().map(|input| format!("raw_{}", input.name()));
    let given: BTreeSet<String> = inputs.iter().flat_map(lands).chain(named).collect();
    let sections: Vec<Table> = mapping.tables().collect();
    let (mut left_out, mut absent) = (Vec::new(), BTreeMap::new());
    for table in sections {
        let Some(section) = mapping.section(table) else { continue };
        let read = certain(section);
        let missing: Vec<&String> = read.iter().filter(|name| !given.contains(*name)).collect();
        let Some(first) = missing.first() else { continue };
        left_out.push(format!("@{} ({})", table.name(), option(first)));
        for missing in missing {
            absent.entry(missing.clone()).or_insert(section.line);
        }
        mapping.leave_out(table);
    }
    let notes = match left_out.as_slice() {
        [] => Vec::new(),
        some => vec![format!("sections left out, for want of their files: {}", some.join(", "))],
    };
    let left: Vec<&Section> = mapping.tables().filter_map(|t| mapping.section(t)).collect();
    let read = |name: &String| left.iter().any(|section| mentions(section, name));
    let lost = |input: &&Input| {
        let tables = lands(input);
        !tables.is_empty() && !tables.iter().any(read)
    };
    match inputs.iter().find(lost) {
        Some(input) => Err(refused(input, &absent)),
        None => Ok(notes),
    }
}

/// The raw tables of an input; none of what says nothing by itself, or is refused.
fn lands_in(input: &Input, inputs: &[Input]) -> Vec<String> {
    let raw = format!("raw_{}", input.name());
    let with_dictionary = inputs.iter().any(|i| i.is_dictionary() && i.name() == input.name());
    match input.kind() {
        // What cannot be told, or is refused, is so by whoever opens it.
        Ok(Kind::Dictionary | Kind::OpenFace) | Err(_) => Vec::new(),
        Ok(Kind::Fhir) => FHIR.map(str::to_owned).to_vec(),
        Ok(Kind::Csv) if with_dictionary => {
            vec![raw.clone(), format!("{raw}_form"), format!("{raw}_answer")]
        }
        Ok(_) => vec![raw],
    }
}

/// How the file of a raw table is given.
fn option(raw: &str) -> String {
    format!("{}=FILE", raw.strip_prefix("raw_").unwrap_or(raw))
}

fn refused(input: &Input, absent: &BTreeMap<String, usize>) -> Fault {
    let (label, raw) = (input.label(), format!("raw_{}", input.name()));
    let asked: Vec<String> = absent
        .iter()
        .map(|(name, line)| format!("{} for `{name}` (line {line})", option(name)))
        .collect();
    let hint = if asked.is_empty() {
        "leave the file out, or write a section that reads it (docs/data-mapping.md)".to_owned()
    } else {
        format!(
            "is its name as the mapping has it? The mapping asks for these too: {}",
            asked.join(", ")
        )
    };
    let what = match input.kind() {
        Ok(Kind::Fhir) => "what FHIR data land in".to_owned(),
        _ => format!("`{raw}`"),
    };
    let message = format!("`{label}` would be lost: {what} is read by no section that can run");
    Fault::user(message).at(input.path().display().to_string()).hint(hint)
}

/// Raw tables that a section reads: `raw_…` after `FROM` or `JOIN`, unless it is the name of a query of its own.
fn certain(section: &Section) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let tokens = tokens(&section.sql);
    for (at, (token, ..)) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at)).map(|t| &t.0);
        let follows = is(before(1), "from") && !is(before(2), "distinct") || is(before(1), "join");
        if follows && is_raw(word) {
            found.insert(word.to_ascii_lowercase());
        }
    }
    for (at, (token, ..)) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let after = |on: usize| tokens.get(at.saturating_add(on)).map(|t| &t.0);
        let opens = |token: Option<&Token<'_>>| matches!(token, Some(Token::Sign('(')));
        // `raw_x AS (` or `raw_x (columns) AS (`
        if is(after(1), "as") && opens(after(2)) || opens(after(1)) {
            found.remove(&word.to_ascii_lowercase());
        }
    }
    found
}

/// Whether the section may read the table: it has its name as a word, or in quotes.
fn mentions(section: &Section, name: &str) -> bool {
    let word = |(token, ..): &Placed<'_>| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(name));
    let lower = section.sql.to_ascii_lowercase();
    tokens(&section.sql).iter().any(word)
        || [('"', '"'), ('`', '`'), ('[', ']')]
            .iter()
            .any(|(open, close)| lower.contains(&format!("{open}{name}{close}")))
}

fn is(token: Option<&Token<'_>>, word: &str) -> bool {
    matches!(token, Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
}

fn is_raw(word: &str) -> bool {
    word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("raw_"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const SITE: &str = "-- @consent\nSELECT * FROM raw_consent\n-- @person\nSELECT * FROM Raw_Staff s\n\
                        -- @encounter\nWITH v AS (SELECT * FROM raw_visits) SELECT * FROM v JOIN raw_staff s ON 1\n\
                        -- @response\nWITH raw_own AS (SELECT * FROM \"raw_care\") SELECT * FROM raw_own\n";

    fn fit_of(inputs: &[&str]) -> Result<(Vec<&'static str>, Vec<String>), String> {
        let mut mapping = Mapping::parse("site.sql", SITE).unwrap();
        let inputs: Vec<Input> = inputs.iter().map(|i| i.parse().unwrap()).collect();
        let notes = fit(&mut mapping, &inputs).map_err(|fault| fault.to_string())?;
        Ok((mapping.tables().map(Table::name).collect(), notes))
    }

    #[test]
    fn sections_whose_files_did_not_come_are_left_out_with_a_line() {
        let all = ["consent=c.csv", "staff=s.csv", "visits=v.csv", "care=a.csv"];
        let (left, notes) = fit_of(&all).unwrap();
        assert_eq!((left.len(), notes.as_slice()), (4, [].as_slice()));
        let (left, notes) = fit_of(&["staff=s.csv", "visits=v.csv", "care=a.csv"]).unwrap();
        assert_eq!(left, ["person", "encounter", "response"]);
        let want = "sections left out, for want of their files: @consent (consent=FILE)";
        assert_eq!(notes, [want]);
        // What is read in quotes is not known for certain: SQLite says that it is not there.
        let (left, notes) = fit_of(&["staff=s.csv"]).unwrap();
        assert_eq!(left, ["person", "response"]);
        assert_eq!(notes, [format!("{want}, @encounter (visits=FILE)")]);
    }

    #[test]
    fn a_file_that_nothing_reads_is_refused_and_the_slip_is_shown() {
        let slip = fit_of(&["consent=c.csv", "staff=s.csv", "visit=v.csv"]).unwrap_err();
        assert_eq!(
            slip,
            "`visit` would be lost: `raw_visit` is read by no section that can run\n  at:   v.csv\n  hint: is its name \
             as the mapping has it? The mapping asks for these too: visits=FILE for `raw_visits` (line 5)"
        );
        let idle = ["consent=c.csv", "staff=s.csv", "visits=v.csv", "care=a.csv", "more=m.parquet"];
        assert_eq!(
            fit_of(&idle).unwrap_err(),
            "`more` would be lost: `raw_more` is read by no section that can run\n  at:   m.parquet\n  hint: leave the file \
             out, or write a section that reads it (docs/data-mapping.md)"
        );
        let fhir = fit_of(&["staff=s.csv", "f.fhir=bundle"]).unwrap();
        assert_eq!(fhir.0, ["consent", "person", "response"]);
    }
}
