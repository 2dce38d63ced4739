//! The architecture, executed: layers, purity, file and function sizes, headers, sample files.
//!
//! Sources are read as text. Comments and literals are blanked out first, so a word in a message is no
//! offence; what stands in test modules is exempt from the rules for programs. Every test collects all
//! offenders before it fails. An exception stands here with its reason, and one that no source needs
//! any more is an offence itself.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic and say why")]
#[path = "tidy/source.rs"]
mod source;

use source::{
    Source, blanked, body, has_extension, imports, is_word, module, root, sources, texts,
};
use std::collections::BTreeSet;
use std::fs;
use tacit_node::intake::mapping::Mapping;
use tacit_node::measure::instrument::Instrument;
use tacit_shared::study::Study;
use tacit_shared::study::profile::document::Document;

const LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Ranks of modules: a module imports from its own rank and from lower ones.
const LAYERS: &[(&str, &[&[&str]])] = &[
    (
        "shared",
        &[
            &["id", "units", "money", "codec", "fault"],
            &["study", "roster"],
            &["summary"],
            &["privacy"],
            &["secagg"],
            &["protocol"],
            &["frame"],
        ],
    ),
    (
        "shared/model",
        &[
            &["error"],
            &["solve"],
            &["later"],
            &["gram"],
            &["linear", "filter", "moments"],
            &["sane"],
            &["warm"],
        ],
    ),
    (
        "node",
        &[
            &["config", "intake", "office", "store"],
            &["measure"],
            &["link", "console"],
            &["command"],
        ],
    ),
    // `store → link` and `model → … → web` are two chains; they meet in the commands.
    (
        "coordinator",
        &[
            &["model"],
            &["allocation"],
            &["report"],
            &["conclusion"],
            &["evaluation"],
            &["web"],
            &["command"],
        ],
    ),
    ("coordinator", &[&["config", "store"], &["link"], &["command"]]),
];

/// Imports from a higher rank: the importing file's start, the path, the reason.
const UPWARD: &[(&str, &str, &str)] = &[];

/// Modules that do no input or output.
const PURE: &[&str] = &[
    "shared/src",
    "shared/model/src",
    "node/src/measure",
    "node/src/office",
    "coordinator/src/model",
    "coordinator/src/allocation",
    "coordinator/src/report",
    "coordinator/src/conclusion",
    "coordinator/src/evaluation",
];
const IO: &[&str] =
    &["tokio::", "sqlx::", "quinn::", "std::fs", "std::net", "std::env", "std::process"];

/// Pure modules' doors to the outside: the file, what it uses, the reason.
const DOORS: &[(&str, &str, &str)] = &[
    (
        "node/src/measure/physiology/file.rs",
        "std::fs",
        "opens a recording, bounded; parsing it is pure",
    ),
    (
        "node/src/measure/instrument/mod.rs",
        "std::fs",
        "reads a hospital's own questionnaires, bounded; scoring them is pure",
    ),
];

const MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!"];

fn rank(layers: &[&[&str]], module: &str) -> Option<usize> {
    layers.iter().position(|layer| layer.contains(&module))
}

fn hold(what: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{what}:\n  {}", offenders.join("\n  "));
}

#[test]
fn modules_import_from_below_only() {
    let (mut offenders, mut used) = (Vec::new(), BTreeSet::new());
    for source in sources().iter().filter(|s| !s.test) {
        for (name, layers) in
            LAYERS.iter().filter(|l| source.path.starts_with(&format!("{}/src/", l.0)))
        {
            let Some(own) = module(&source.path).first().and_then(|m| rank(layers, m)) else {
                continue;
            };
            for path in imports(source) {
                let target = rank(layers, path.split("::").next().unwrap());
                if target.is_none_or(|target| target <= own) {
                    continue;
                }
                let allowed =
                    |e: &(&str, &str, &str)| source.path.starts_with(e.0) && path.starts_with(e.1);
                match UPWARD.iter().position(allowed) {
                    Some(exception) => drop(used.insert(exception)),
                    None => {
                        offenders
                            .push(format!("{}: {name} imports {path} from above", source.path));
                    }
                }
            }
        }
    }
    let idle = (0..UPWARD.len()).filter(|e| !used.contains(e));
    offenders.extend(idle.map(|e| format!("no longer needed: {:?}", UPWARD[e])));
    hold("layers", &offenders);
}

#[test]
fn node_and_coordinator_never_import_each_other_and_shared_neither() {
    let rules = [
        ("shared/", "tacit_node"),
        ("shared/", "tacit_coordinator"),
        ("shared/", "tacit_link"),
        ("shared/src/", "tacit_model"),
        ("shared/link/", "tacit_model"),
        ("link/", "tacit_node"),
        ("link/", "tacit_coordinator"),
        ("node/", "tacit_coordinator"),
        ("coordinator/", "tacit_node"),
    ];
    let sources = sources();
    let named = |s: &&Source, rule: &(&str, &str)| {
        s.path.starts_with(rule.0) && blanked(&s.text).contains(rule.1)
    };
    let offenders: Vec<String> = rules
        .iter()
        .flat_map(|rule| {
            sources
                .iter()
                .filter(move |s| named(s, rule))
                .map(move |s| format!("{} names {}", s.path, rule.1))
        })
        .collect();
    hold("packages", &offenders);
}

#[test]
fn pure_modules_do_no_input_or_output() {
    let (mut offenders, mut used) = (Vec::new(), BTreeSet::new());
    let pure = |s: &&Source| {
        PURE.iter().any(|p| s.path.strip_prefix(p).is_some_and(|r| r.starts_with(['/', '.'])))
    };
    for source in sources().iter().filter(|s| !s.test).filter(pure) {
        for word in IO.iter().filter(|word| source.code.contains(**word)) {
            match DOORS.iter().position(|d| d.0 == source.path && d.1 == *word) {
                Some(door) => drop(used.insert(door)),
                None => offenders.push(format!("{} uses {word}", source.path)),
            }
        }
    }
    let idle = (0..DOORS.len()).filter(|d| !used.contains(d));
    offenders.extend(idle.map(|d| format!("no longer needed: {:?}", DOORS[d])));
    hold("purity", &offenders);
}

#[test]
fn files_and_functions_fit_a_reader() {
    let mut offenders = Vec::new();
    for source in sources().iter().filter(|s| !s.test) {
        let lines = source.code.trim_end().lines().count();
        if lines > LINES_MAX {
            offenders.push(format!("{}: {lines} lines", source.path));
        }
        for (at, _) in source.code.match_indices("fn ") {
            let before = source.code[..at].chars().next_back().unwrap_or(' ');
            let lines = body(&source.code[at..]).map_or(0, |body| body.lines().count());
            if !is_word(before) && lines > FUNCTION_LINES_MAX {
                let line = source.code[..at].lines().count();
                offenders.push(format!("{}:{line}: a function of {lines} lines", source.path));
            }
        }
    }
    hold("sizes", &offenders);
}

#[test]
fn nothing_is_left_undone_or_unwrapped() {
    let later = concat!("TO", "DO");
    let mut offenders = Vec::new();
    for source in sources() {
        let whole = blanked(&source.text);
        let left = MACROS.iter().filter(|m| whole.contains(**m));
        offenders.extend(left.map(|m| format!("{}: {m}", source.path)));
        if source.text.contains(later) {
            offenders.push(format!("{}: {later}", source.path));
        }
        if !source.test && source.code.contains(".unwrap()") {
            offenders.push(format!("{}: unwrap outside tests", source.path));
        }
        let header = source.text.lines().next().unwrap_or("");
        if !header.starts_with("//! ") || header.chars().count() < 20 {
            offenders.push(format!("{}: no header that says what it is", source.path));
        }
    }
    hold("left undone", &offenders);
}

#[test]
fn no_text_names_a_machine() {
    let places = [
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("C:", "\\"),
    ];
    let mut offenders = Vec::new();
    for (path, text) in texts() {
        for (line, text) in (1..).zip(text.lines()) {
            let named = places.iter().filter(|place| text.contains(**place));
            offenders.extend(named.map(|place| format!("{path}:{line}: {place}")));
        }
    }
    hold("machine paths", &offenders);
}

#[test]
fn sample_files_are_read_by_the_programs() {
    let mut offenders = Vec::new();
    for (path, text) in texts().iter().filter(|(path, _)| path.starts_with("configs/")) {
        let problem = if path.starts_with("configs/studies/") {
            Study::parse(text).err().map(|e| e.to_string())
        } else if path.starts_with("configs/mappings/") {
            Mapping::parse(path, text).err().map(|e| e.to_string())
        } else if path.starts_with("configs/instruments/") {
            Instrument::parse(path, text).err().map(|e| e.to_string())
        } else if path.starts_with("configs/profiles/") {
            Document::parse(text).err().map(|e| e.to_string())
        } else if has_extension(path, "toml") {
            text.parse::<toml::Table>().err().map(|e| e.to_string())
        } else {
            None
        };
        offenders.extend(problem.map(|problem| format!("{path}: {problem}")));
    }
    hold("sample files", &offenders);
}

#[test]
fn every_key_of_a_study_is_explained() {
    let page = fs::read_to_string(root().join("docs/study-format.md")).unwrap();
    let mut keys = BTreeSet::new();
    for (_, study) in tacit_tests::pilot::STUDIES {
        collect(&toml::Value::Table(study.parse().unwrap()), &mut keys);
    }
    assert!(keys.len() > 45, "{keys:?}");
    let explained = |key: &&String| {
        page.contains(&format!("`{key}`"))
            || page.contains(&format!("[{key}]"))
            || page.contains(&format!(".{key}]"))
    };
    let missing: Vec<String> = keys.iter().filter(|k| !explained(k)).cloned().collect();
    hold("keys that docs/study-format.md does not explain", &missing);
}

/// Tables whose keys are sites or levels and no words of the format.
const OF_UNITS: [&str; 3] = ["heads", "price_index", "prefix"];

fn collect(value: &toml::Value, keys: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                keys.insert(key.clone());
                if !OF_UNITS.contains(&key.as_str()) {
                    collect(value, keys);
                }
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| collect(item, keys)),
        _ => {}
    }
}
