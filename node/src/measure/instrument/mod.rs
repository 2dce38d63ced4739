//! Questionnaires: their definitions, their scores, and the catalogue of those a node knows.

mod check;
pub mod definition;
pub mod score;

pub use definition::Instrument;
use std::collections::BTreeMap;
use std::path::Path;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;

/// The folder below a node's own that may hold further instruments.
pub const DIR: &str = "instruments";

/// Most definitions a folder may add.
const FILES_MAX: usize = 256;

const BUILT_IN: [(&str, &str); 3] = [
    ("care-measure.toml", include_str!("../../../../configs/instruments/care-measure.toml")),
    (
        "copenhagen-burnout.toml",
        include_str!("../../../../configs/instruments/copenhagen-burnout.toml"),
    ),
    ("pwls-single.toml", include_str!("../../../../configs/instruments/pwls-single.toml")),
];

/// The instruments a node knows, by id.
#[derive(Clone, Debug)]
pub struct Catalogue {
    instruments: BTreeMap<FeatureId, Instrument>,
}

impl Catalogue {
    /// The instruments that come with the program.
    ///
    /// # Errors
    /// A fault if a definition does not prove itself; the tests hold that all do.
    pub fn built_in() -> Result<Self, Fault> {
        let mut catalogue = Self { instruments: BTreeMap::new() };
        for (origin, text) in BUILT_IN {
            catalogue.add(origin, text)?;
        }
        Ok(catalogue)
    }

    /// Adds every `*.toml` of a folder, in the order of their names; a folder that is not there adds none.
    ///
    /// # Errors
    /// A user's fault with the file: it cannot be read, does not prove itself, or has an id that is taken.
    pub fn with_dir(mut self, dir: &Path) -> Result<Self, Fault> {
        let place = dir.display().to_string();
        let wrong =
            |e: std::io::Error| Fault::user(format!("instruments cannot be read: {e}")).at(&place);
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(self),
            Err(error) => return Err(wrong(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(wrong)?.path();
            if path.extension().is_some_and(|e| e == "toml") {
                paths.push(path);
            }
            if paths.len() > FILES_MAX {
                return Err(Fault::user(format!("more than {FILES_MAX} instruments")).at(place));
            }
        }
        paths.sort();
        for path in paths {
            let text = read_bounded(&path).map_err(wrong)?;
            self.add(&path.display().to_string(), &text)?;
        }
        Ok(self)
    }

    /// The instrument of that id.
    pub fn instrument(&self, id: &FeatureId) -> Option<&Instrument> {
        self.instruments.get(id)
    }

    /// All instruments, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Instrument> {
        self.instruments.values()
    }

    fn add(&mut self, origin: &str, text: &str) -> Result<(), Fault> {
        let instrument = Instrument::parse(origin, text)?;
        let id = instrument.id().clone();
        if self.instruments.insert(id.clone(), instrument).is_some() {
            return Err(Fault::user(format!("there is another instrument `{id}`")).at(origin));
        }
        Ok(())
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let limit = definition::FILE_BYTES_MAX as u64 + 1;
    std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::score::ScoreError;
    use super::*;

    const CARE: &str = BUILT_IN[0].1;

    #[test]
    fn what_comes_with_the_program_proves_itself() {
        let catalogue = Catalogue::built_in().unwrap();
        let ids: Vec<&str> = catalogue.iter().map(|i| i.id().as_str()).collect();
        assert_eq!(ids, ["care-measure", "copenhagen-burnout", "pwls-single"]);
    }

    #[test]
    fn missing_items_count_as_the_rule_says() {
        let catalogue = Catalogue::built_in().unwrap();
        let score = |instrument: &str, scale: &str, answers: &[(&str, &str)]| {
            let instrument = catalogue.instrument(&instrument.parse().unwrap()).unwrap();
            let scale = instrument.scale(&scale.parse().unwrap()).unwrap();
            instrument.score(scale, answers.iter().copied())
        };
        let eight: Vec<(&str, &str)> = ["q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8"]
            .into_iter()
            .zip(["4", "4", "4", "4", "4", "4", "4", "3"])
            .collect();
        assert_eq!(score("care-measure", "total", &eight), Ok(Some(38.75)));
        assert_eq!(score("care-measure", "total", &eight[..7]), Ok(None));
        let work = [("w1", "5"), ("w2", "5"), ("w3", "5"), ("w7", "5"), ("p1", "1")];
        assert_eq!(score("copenhagen-burnout", "work", &work), Ok(Some(75.0)));
        let unknown = score("pwls-single", "level", &[("b1", "6")]);
        assert_eq!(unknown, Err(ScoreError::UnknownCode { item: "b1".to_owned() }));
        let unknown = score("pwls-single", "level", &[("b2", "1")]);
        assert_eq!(unknown, Err(ScoreError::UnknownItem));
        let twice = score("pwls-single", "level", &[("b1", "1"), ("b1", "2")]);
        assert_eq!(twice, Err(ScoreError::Twice { item: "b1".to_owned() }));
    }

    #[test]
    fn a_definition_that_is_not_sound_is_refused() {
        let cases = [
            ("tacit-instrument/1", "tacit-instrument/2", "`format` is `tacit-instrument/2`"),
            (
                "expect = { total = 35 }",
                "expect = { total = 34 }",
                "vector 2: `total` is Score(35.0); expected Score(34.0)",
            ),
            ("q9 = \"DNA\"", "q9 = \"none\"", "vector 2: an answer to item `q9` has a code"),
            (
                "range = [10, 50]",
                "range = [0, 50]",
                "scale `total` has range [0.0, 50.0]; its items give [10.0, 50.0]",
            ),
            ("reverse = []", "reverse = [\"q11\"]", "`items.reverse` names `q11`"),
            ("\"NA\", \"DNA\"", "\"NA\", \"5\"", "code `5` has a value and counts as missing"),
            ("max_missing = 2", "max_missing = 10", "scale `total` may miss 10 of 10 items"),
            ("\"mean-of-answered\"", "\"mean-of-available\"", "scale `total` is a sum"),
            ("\"mean-of-answered\"", "\"reject\"", "scale `total` rejects what is missing"),
            ("id = \"total\"", "id = \"sum\"", "no vector tries scale `sum`"),
            (
                "method = \"sum\"",
                "method = \"top-all\"",
                "unknown variant `top-all`, expected `sum` or `mean`",
            ),
            ("min_n_person", "min_n_persons", "unknown field `min_n_persons`"),
            ("\"5\" = 5 ", "\"5\" = 1e308 ", "`items.codes` is empty or has a value beyond ±1e9"),
            ("\"5\" = 5 ", "\"5\" = nan ", "`items.codes` is empty or has a value beyond ±1e9"),
        ];
        for (found, replaced, message) in cases {
            let text = CARE.replace(found, replaced);
            assert_ne!(text, CARE, "{found}");
            let fault = Instrument::parse("own.toml", &text).unwrap_err();
            assert!(fault.message.contains(message), "{replaced}: {}", fault.message);
            assert_eq!(fault.place.as_deref(), Some("own.toml"));
        }
    }

    #[test]
    fn a_folder_adds_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let own = CARE.replace("id = \"care-measure\"", "id = \"local\"");
        std::fs::write(dir.path().join("local.toml"), own).unwrap();
        let catalogue = Catalogue::built_in().unwrap().with_dir(dir.path()).unwrap();
        assert!(catalogue.instrument(&"local".parse().unwrap()).is_some());
        let none = Catalogue::built_in().unwrap().with_dir(&dir.path().join("none"));
        assert_eq!(none.unwrap().iter().count(), 3);
        std::fs::write(dir.path().join("care.toml"), CARE).unwrap();
        let fault = Catalogue::built_in().unwrap().with_dir(dir.path()).unwrap_err();
        assert_eq!(fault.message, "there is another instrument `care-measure`");
    }
}
