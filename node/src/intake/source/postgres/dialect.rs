//! A mapping's section in `PostgreSQL`'s words.
//!
//! ```text
//! raw_visit          the table or view `visit`, with `_line` beside its columns
//! unixepoch(t, m)    CAST(floor(extract(epoch FROM CAST(t AS timestamptz) + CAST(m AS interval))) AS bigint)
//! instr(s, t)        strpos(s, t)
//! ```
//! The session's clock is UTC, so a time without an offset is read as UTC, as `SQLite` does. All else of a section
//! stays as it is: what both databases understand is the portable subset (docs/data-mapping.md). Lines stay
//! lines, so that a place which `PostgreSQL` names is a line of the mapping.
use crate::intake::mapping::{self, Token};
use std::collections::BTreeSet;

/// Names that follow `raw_` in a section, in lower case: tables it may read.
pub(super) fn raw_names(sql: &str) -> BTreeSet<String> {
    let words = words(sql).into_iter().map(|(word, _, _)| word.to_ascii_lowercase());
    words
        .filter_map(|word| word.strip_prefix("raw_").map(str::to_owned))
        .filter(|n| !n.is_empty())
        .collect()
}

/// The section with calls of functions that the two databases say differently put into `PostgreSQL`'s words.
///
/// # Errors
/// What is wrong with a call, and at which byte.
pub(super) fn translate(sql: &str) -> Result<String, (String, usize)> {
    let mut out = String::with_capacity(sql.len() + 256);
    let mut done = 0;
    for (word, start, end) in words(sql) {
        if start < done {
            continue; // inside a call that was translated whole
        }
        let name = word.to_ascii_lowercase();
        if name != "unixepoch" && name != "instr" {
            continue;
        }
        let Some(call) = Call::of(sql, end) else { continue };
        let inner = |part: &str| translate(part).map_err(|(problem, _)| (problem, start));
        let parts = call.arguments.iter().map(|part| inner(part)).collect::<Result<Vec<_>, _>>()?;
        let said = match (name.as_str(), parts.as_slice()) {
            ("instr", [text, part]) => format!("strpos({text},{part})"),
            ("unixepoch", [time]) => epoch(time, ""),
            ("unixepoch", [time, by]) => epoch(time, &format!(" + CAST({by} AS interval)")),
            _ => {
                let found = parts.len();
                return Err((
                    format!(
                        "calls `{name}` with {found} arguments, which does not run in PostgreSQL"
                    ),
                    start,
                ));
            }
        };
        out.push_str(sql.get(done..start).unwrap_or_default());
        out.push_str(&said);
        done = call.end;
    }
    out.push_str(sql.get(done..).unwrap_or_default());
    Ok(out)
}

fn epoch(time: &str, shift: &str) -> String {
    format!("CAST(floor(extract(epoch FROM CAST({time} AS timestamptz){shift})) AS bigint)")
}

/// The brackets of a call.
struct Call<'a> {
    arguments: Vec<&'a str>,
    /// The byte after the closing bracket.
    end: usize,
}

impl<'a> Call<'a> {
    /// The call whose name ends before byte `at`, if it is one.
    fn of(sql: &'a str, at: usize) -> Option<Self> {
        let (mut depth, mut arguments) = (0_usize, Vec::new());
        let (mut from, mut next) = (at, at);
        while let Ok(Some((token, start, end))) = mapping::token(sql, next) {
            next = end;
            match token {
                Token::Sign('(') => {
                    depth += 1;
                    if depth == 1 {
                        from = end;
                    }
                }
                _ if depth == 0 => return None,
                Token::Sign(',') if depth == 1 => {
                    arguments.push(sql.get(from..start)?);
                    from = end;
                }
                Token::Sign(')') => {
                    depth -= 1;
                    if depth == 0 {
                        arguments.push(sql.get(from..start)?);
                        return Some(Self { arguments, end });
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// The words outside quotes and comments, each with its first byte and the one after it.
fn words(sql: &str) -> Vec<(&str, usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Ok(Some((token, start, end))) = mapping::token(sql, at) {
        at = end;
        if let Token::Word(word) = token {
            found.push((word, start, end));
        }
    }
    found
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn calls_are_said_in_postgresql_s_words_and_lines_stay() {
        let cases = [
            (
                "SELECT 'unixepoch(1)', a -- instr(a, b)\n",
                "SELECT 'unixepoch(1)', a -- instr(a, b)\n",
            ),
            ("unixepoch(a)", "CAST(floor(extract(epoch FROM CAST(a AS timestamptz))) AS bigint)"),
            (
                "1 + UnixEpoch(\n substr(a, 1, 19), '-120 minutes') / 2",
                "1 + CAST(floor(extract(epoch FROM CAST(\n substr(a, 1, 19) AS timestamptz) + CAST( '-120 minutes' AS \
                 interval))) AS bigint) / 2",
            ),
            ("substr(a, instr(lower(a), ':') + 1)", "substr(a, strpos(lower(a), ':') + 1)"),
            ("instr(a, instr(b, c))", "strpos(a, strpos(b, c))"),
            ("instr AS x, unixepoch", "instr AS x, unixepoch"),
        ];
        for (sql, expected) in cases {
            assert_eq!(translate(sql).unwrap(), expected, "{sql}");
        }
        let (problem, at) = translate("SELECT unixepoch(a, 'x', 'y')").unwrap_err();
        assert_eq!(
            (problem.as_str(), at),
            ("calls `unixepoch` with 3 arguments, which does not run in PostgreSQL", 7)
        );
    }

    #[test]
    fn tables_are_known_by_their_prefix() {
        let found = raw_names("SELECT 'raw_x', raw_ FROM RAW_Visit v JOIN raw_b -- raw_c\n");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["b", "visit"]);
    }
}
