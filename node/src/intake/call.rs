//! Calls within a section of a mapping, and their rewriting.
//!
//! A section is SQL of the hospital's; it is not parsed, only cut into tokens ([`super::mapping::token`]), so that what
//! stands in quotes and comments is left alone. What is said instead of a call is the caller's: [`super::zone`] for
//! local times, [`super::source::postgres`] for another database.
use super::mapping::{self, Token};

/// What is wrong with a section, and at which byte.
pub(super) type Problem = (String, usize);

/// What is said instead of a call with that name and these arguments, or what is wrong with it; `None` to leave it.
pub(super) type Say<'a> = dyn FnMut(&str, &[String]) -> Option<Result<String, String>> + 'a;

/// The section with some calls said otherwise. `say` is given the name of each call in lower case and its arguments,
/// which are rewritten already, and yields the other words, or `None` to leave the call as it stands.
///
/// # Errors
/// What `say` finds wrong, and at which byte of the section the call begins.
pub(super) fn rewrite(sql: &str, say: &mut Say<'_>) -> Result<String, Problem> {
    let mut out = String::with_capacity(sql.len() + 256);
    let mut done = 0;
    for (word, start, end) in words(sql) {
        if start < done {
            continue; // inside a call that was rewritten whole
        }
        let Some(call) = Call::of(sql, end) else { continue };
        let name = word.to_ascii_lowercase();
        if !KNOWN.contains(&name.as_str()) {
            continue; // what its arguments call is met as the words go on
        }
        let mut parts = Vec::with_capacity(call.arguments.len());
        for part in &call.arguments {
            parts.push(rewrite(part, say).map_err(|(problem, _)| (problem, start))?);
        }
        let Some(said) = say(&name, &parts) else { continue };
        out.push_str(sql.get(done..start).unwrap_or_default());
        out.push_str(&said.map_err(|problem| (problem, start))?);
        done = call.end;
    }
    out.push_str(sql.get(done..).unwrap_or_default());
    Ok(out)
}

/// The functions that anybody says otherwise.
const KNOWN: [&str; 4] = ["unixepoch", "instr", "utc_us", "tz_min"];

/// The words outside quotes and comments, each with its first byte and the one after it.
pub(super) fn words(sql: &str) -> Vec<(&str, usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Ok(Some((token, start, end))) = mapping::token(sql, at) {
        at = end;
        if let Token::Word(word) = token {
            found.push((word, start, end));
        }
    }
    found
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
