//! Reads Rust sources as text: without comments and literals, with the imports they name.
use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path from the root, as written, and without comments and literals.
pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// As written.
    pub(crate) text: String,
    /// Without comments, literals and the inline test module.
    pub(crate) code: String,
    /// Whether it is compiled for tests alone.
    pub(crate) test: bool,
}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", ".git"].contains(&name.as_str()) {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

/// Every file of the workspace that is text of ours, with its path from the root.
pub(crate) fn texts() -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    let ours = ["rs", "toml", "md", "sql", "css"];
    let own = |path: &PathBuf| path.extension().is_some_and(|e| ours.iter().any(|o| e == *o));
    let relative = |path: PathBuf| {
        let short = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        (short, fs::read_to_string(&path).unwrap())
    };
    found.into_iter().filter(own).map(relative).collect()
}

/// Whether a path ends with this extension.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// Every Rust file.
pub(crate) fn sources() -> Vec<Source> {
    let rust = texts().into_iter().filter(|(path, _)| has_extension(path, "rs"));
    let files: Vec<(String, String)> = rust.collect();
    let test_modules: Vec<String> =
        files.iter().flat_map(|(path, text)| test_files(path, text)).collect();
    let source = |(path, text): (String, String)| {
        let test = path.contains("/tests/")
            || path.contains("/benches/")
            || test_modules
                .iter()
                .any(|m| path == format!("{m}.rs") || path.starts_with(&format!("{m}/")));
        let code = above_tests(&blanked(&text));
        Source { path, text, code, test }
    };
    files.into_iter().map(source).collect()
}

/// Where the files of `#[cfg(test)] mod NAME;` lie, without their ending.
fn test_files(path: &str, text: &str) -> Vec<String> {
    let stem = path.trim_end_matches(".rs");
    let folder = match stem.rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder,
        _ => stem,
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_test = |at: usize| {
        let above = lines[..at].iter().rev();
        above.take_while(|l| l.starts_with("#[")).any(|l| *l == "#[cfg(test)]")
    };
    let name =
        |line: &str| line.strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name.to_owned());
    (0..lines.len())
        .filter(|at| is_test(*at))
        .filter_map(|at| name(lines[at]))
        .map(|name| format!("{folder}/{name}"))
        .collect()
}

/// The code above the inline test module.
fn above_tests(code: &str) -> String {
    let lines: Vec<&str> = code.lines().collect();
    let opens = |at: usize| {
        let below = lines[at + 1..].iter().map(|l| l.trim());
        let item = below.skip_while(|l| !l.contains("mod ") && !l.contains("fn ")).take(1).next();
        item.is_some_and(|l| l.contains("mod ") && l.ends_with('{'))
    };
    let end = (0..lines.len()).find(|at| lines[*at].trim() == "#[cfg(test)]" && opens(*at));
    lines[..end.unwrap_or(lines.len())].join("\n")
}

/// The text with comments, strings and characters blanked out; lines stay where they are.
pub(crate) fn blanked(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(' ');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < bytes.len() {
        let end = if at(i) == '/' && at(i + 1) == '/' {
            (i..bytes.len()).find(|j| at(*j) == '\n').unwrap_or(bytes.len())
        } else if at(i) == '/' && at(i + 1) == '*' {
            let close = |j: &usize| at(*j) == '*' && at(*j + 1) == '/';
            (i + 2..bytes.len()).find(close).map_or(bytes.len(), |j| j + 2)
        } else if at(i) == '"' {
            string_end(&bytes, i)
        } else if at(i) == 'r'
            && (at(i + 1) == '"' || at(i + 1) == '#')
            && !is_word(at(i.wrapping_sub(1)))
        {
            raw_end(&bytes, i)
        } else if at(i) == '\'' && at(i + 1) == '\\' {
            (i + 3..bytes.len()).find(|j| at(*j) == '\'').map_or(bytes.len(), |j| j + 1)
        } else if at(i) == '\'' && at(i + 2) == '\'' {
            i + 3
        } else {
            out.push(at(i));
            i += 1;
            continue;
        };
        out.extend((i..end).map(|j| if at(j) == '\n' { '\n' } else { ' ' }));
        i = end;
    }
    out
}

/// Whether the character may stand in a name.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn string_end(text: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < text.len() && text[i] != '"' {
        i += if text[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(text.len())
}

fn raw_end(text: &[char], start: usize) -> usize {
    let hashes = text[start + 1..].iter().take_while(|c| **c == '#').count();
    if text.get(start + 1 + hashes) != Some(&'"') {
        return start + 1; // a raw identifier
    }
    let closes = |j: &usize| {
        text[*j] == '"'
            && text[*j + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (start + 2 + hashes..text.len()).find(closes).map_or(text.len(), |j| j + 1 + hashes)
}

/// Module path of a file within its crate: `a/src/b/c.rs` is `[b, c]`, `mod.rs` is its folder.
pub(crate) fn module(path: &str) -> Vec<&str> {
    let inside = path.split_once("/src/").map_or("", |(_, inside)| inside);
    let mut parts: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
    if matches!(parts.last(), Some(&"mod" | &"lib" | &"main")) {
        parts.pop();
    }
    parts
}

/// Paths within the crate that the code names, from the root: `crate::…` and resolved `super::…`.
pub(crate) fn imports(source: &Source) -> Vec<String> {
    let own = module(&source.path);
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices("crate::") {
        found.extend(named(&source.code[at + "crate::".len()..]));
    }
    for (at, _) in source.code.match_indices("super::") {
        if source.code[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &source.code[at..];
        let mut base = own.as_slice();
        while let Some(inner) = rest.strip_prefix("super::") {
            (rest, base) = (inner, &base[..base.len().saturating_sub(1)]);
        }
        let base = base.join("::");
        let whole = |path: String| if base.is_empty() { path } else { format!("{base}::{path}") };
        found.extend(named(rest).into_iter().map(whole));
    }
    found
}

/// The path at the start of the code, or each path of a group in braces.
fn named(code: &str) -> Vec<String> {
    let path = |text: &str| text.chars().take_while(|c| is_word(*c) || *c == ':').collect();
    let Some(group) = code.strip_prefix('{') else {
        return vec![path(code)];
    };
    let (mut depth, mut starts) = (0, vec![0]);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    let paths = starts.into_iter().map(|at| path(group[at..].trim_start()));
    paths.filter(|path: &String| !path.is_empty()).collect()
}

/// From `fn` to the end of its body; none for a signature without one.
pub(crate) fn body(code: &str) -> Option<&str> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(&code[..=at]),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

#[test]
fn the_reader_of_sources_sees_what_a_compiler_sees() {
    let text = "use crate::a::B; // crate::no\nlet s = \"crate::no {\"; let c = '{'; r#\"}\"#;\nfn f<'a>() {\n}\n";
    let code = blanked(text);
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(!code.contains("no") && !code.contains('"') && code.matches('{').count() == 1);
    let source = |path: &str, code: &str| Source {
        path: path.into(),
        text: String::new(),
        code: code.into(),
        test: false,
    };
    let found = imports(&source("x/src/a/b.rs", "super::super::c::D crate::e::F super::g"));
    assert_eq!(found, ["e::F", "c::D", "a::g"]);
    assert_eq!(imports(&source("x/src/a/mod.rs", "use super::h::I")), ["h::I"]);
    let group = imports(&source("x/src/a.rs", "use crate::{b, c::{D, E}, f::G,};"));
    assert_eq!(group, ["b", "c::D", "f::G"].map(|p| p.replace("c::D", "c::")));
    assert_eq!(
        body("fn f(a: [u8; 2]) -> X { { } }\nfn g").unwrap(),
        "fn f(a: [u8; 2]) -> X { { } }"
    );
    assert!(body("fn f(a: [u8; 2]);\nfn g() {}").is_none());
    assert_eq!(
        above_tests("a\n#[cfg(test)]\nmod t;\nb\n#[cfg(test)]\nmod tests {\n}"),
        "a\n#[cfg(test)]\nmod t;\nb"
    );
    assert_eq!(test_files("x/src/a/mod.rs", "#[cfg(test)]\n#[x]\nmod t;\nmod u;"), ["x/src/a/t"]);
}
