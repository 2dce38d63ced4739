//! Questionnaires: their definitions, their scores, and the catalogue of those a node knows.

mod check;
pub mod definition;
pub mod licence;
pub mod score;
pub mod term;

use crate::config::LicenceReference;
use crate::intake::{ImportedScore, Questionnaire};
pub use definition::Instrument;
use definition::Respondent;
use licence::Licensed;
use std::collections::BTreeMap;
use std::path::Path;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::study::modality::Modality;

/// The folder below a node's own that may hold further instruments.
pub const DIR: &str = "instruments";

/// Most definitions a folder may add.
const FILES_MAX: usize = 256;

macro_rules! shipped {
    ($($file:literal),+ $(,)?) => {
        [$(($file, include_str!(concat!("../../../../configs/instruments/", $file)))),+]
    };
}

const BUILT_IN: [(&str, &str); 12] = shipped![
    "care-measure.toml",
    "collaborate-10pt.toml",
    "copenhagen-burnout.toml",
    "eq-5d.toml",
    "hcahps-communication.toml",
    "jse.toml",
    "jspppe.toml",
    "mbi-scores-only.toml",
    "mini-z.toml",
    "ppe-15.toml",
    "pwls-single.toml",
    "stanford-pfi.toml",
];

/// Where a definition came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// With the program.
    Shipped,
    /// From the node's folder; if an instrument of that id is shipped, this one, of another version, stands
    /// in its place.
    Local {
        /// The version it replaces.
        replaces: Option<String>,
    },
}

#[derive(Clone, Debug)]
struct Entry {
    instrument: Instrument,
    provenance: Provenance,
}

/// The instruments a node knows, by id, and the licences its site has entered.
#[derive(Clone, Debug)]
pub struct Catalogue {
    entries: BTreeMap<FeatureId, Entry>,
    licences: BTreeMap<FeatureId, LicenceReference>,
}

impl Catalogue {
    /// The kind of data that a questionnaire is, by who answers it; `None` if the node does not know it.
    pub fn modality(&self, id: &FeatureId) -> Option<Modality> {
        self.instrument(id).map(|instrument| match instrument.respondent() {
            Respondent::Patient => Modality::PatientQuestionnaires,
            Respondent::Clinician => Modality::ClinicianQuestionnaires,
        })
    }

    /// The instruments that come with the program; those that need a licence are locked.
    ///
    /// # Errors
    /// A fault if a definition does not prove itself; the tests hold that all do.
    pub fn built_in() -> Result<Self, Fault> {
        let mut catalogue = Self { entries: BTreeMap::new(), licences: BTreeMap::new() };
        for (origin, text) in BUILT_IN {
            let instrument = Instrument::parse(origin, text)?;
            let id = instrument.id().clone();
            let entry = Entry { instrument, provenance: Provenance::Shipped };
            if catalogue.entries.insert(id.clone(), entry).is_some() {
                return Err(Fault::bug(format!("two shipped instruments are `{id}`")).at(origin));
            }
        }
        Ok(catalogue)
    }

    /// All that a node knows: what is shipped, what its folder adds, and the licences of its site.
    ///
    /// # Errors
    /// As [`with_dir`](Self::with_dir) and [`with_licences`](Self::with_licences).
    pub fn of_node(
        dir: &Path,
        licences: &BTreeMap<FeatureId, LicenceReference>,
    ) -> Result<Self, Fault> {
        Self::built_in()?.with_dir(&dir.join(DIR))?.with_licences(licences)
    }

    /// Unlocks what the site has entered a licence reference for.
    ///
    /// # Errors
    /// An operator's fault for a licence of an instrument that the node does not have, or that needs none.
    pub fn with_licences(
        mut self,
        licences: &BTreeMap<FeatureId, LicenceReference>,
    ) -> Result<Self, Fault> {
        for id in licences.keys() {
            let place = format!("licences.{id}");
            let Some(entry) = self.entries.get(id) else {
                return Err(Fault::operator(format!("the node has no instrument `{id}`"))
                    .at(place)
                    .hint("`tacit-node instrument list` shows those it has"));
            };
            if !entry.instrument.licence().site_must_confirm {
                let message = format!("instrument `{id}` needs no licence reference");
                return Err(Fault::operator(message).at(place).hint("remove the line"));
            }
        }
        self.licences = licences.clone();
        Ok(self)
    }

    /// Adds every `*.toml` of a folder, in the order of their names; a folder that is not there adds none.
    ///
    /// # Errors
    /// A user's fault with the file: it cannot be read, does not prove itself, has an id that another file of
    /// the folder has, or redefines a shipped instrument without another version.
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
            self.add(Instrument::open(&path)?, &path.display().to_string())?;
        }
        Ok(self)
    }

    /// The instrument of that id, locked or not.
    pub fn instrument(&self, id: &FeatureId) -> Option<&Instrument> {
        self.entries.get(id).map(|entry| &entry.instrument)
    }

    /// The instrument of that id if the site may use it; `None` if the node does not know it.
    ///
    /// # Errors
    /// A user's fault if it is locked.
    pub fn licensed(&self, id: &FeatureId) -> Result<Option<Licensed<'_>>, Fault> {
        let Some(entry) = self.entries.get(id) else {
            return Ok(None);
        };
        Ok(Some(entry.instrument.licensed(self.licences.get(id))?))
    }

    /// All instruments, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Instrument> {
        self.entries.values().map(|entry| &entry.instrument)
    }

    /// Where the definition of an instrument came from.
    pub fn provenance(&self, id: &FeatureId) -> Option<&Provenance> {
        self.entries.get(id).map(|entry| &entry.provenance)
    }

    /// What an import admits: the questionnaires of every instrument, those that are locked among them.
    pub fn questionnaires(&self) -> Vec<Questionnaire> {
        let of = |instrument: &Instrument| Questionnaire {
            locked: instrument.licensed(self.licences.get(instrument.id())).is_err(),
            ..instrument.questionnaire()
        };
        self.iter().map(of).collect()
    }

    fn add(&mut self, instrument: Instrument, origin: &str) -> Result<(), Fault> {
        let id = instrument.id().clone();
        let wrong = |message: String, hint: &str| Fault::user(message).at(origin).hint(hint);
        let mut replaces = None;
        if let Some(Entry { instrument: other, provenance }) = self.entries.get(&id) {
            if *provenance != Provenance::Shipped {
                let message = format!("another file of the folder is instrument `{id}`");
                return Err(wrong(message, "give one of them another id"));
            }
            let version = other.version();
            if version == instrument.version() && !other.same_rules(&instrument) {
                return Err(wrong(
                    format!("instrument `{id}` {version} is shipped, with other rules"),
                    "give the file a version or an id of its own: scores by other rules are not the same scores",
                ));
            }
            if other.licence().site_must_confirm && !instrument.licence().site_must_confirm {
                return Err(wrong(
                    format!(
                        "instrument `{id}` needs a licence; a local file cannot do away with that"
                    ),
                    "write `site_must_confirm = true`, and the licence into node.toml",
                ));
            }
            replaces = Some(version.to_owned());
        }
        let provenance = Provenance::Local { replaces };
        self.entries.insert(id, Entry { instrument, provenance });
        Ok(())
    }
}

impl Instrument {
    /// Reads a definition from a file.
    ///
    /// # Errors
    /// A user's fault if the file cannot be read; else as [`parse`](Self::parse).
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let origin = path.display().to_string();
        let text = read_bounded(path).map_err(|e| {
            Fault::user(format!("the definition cannot be read: {e}"))
                .at(&origin)
                .hint("a definition is a TOML file: docs/instruments.md")
        })?;
        Self::parse(&origin, &text)
    }

    /// What an import admits of it.
    pub fn questionnaire(&self) -> Questionnaire {
        let imported = |scale: &definition::Scale| ImportedScore {
            item: scale.id.to_string(),
            low: scale.range[0],
            high: scale.range[1],
        };
        Questionnaire {
            instrument: self.id().to_string(),
            version: self.version().to_owned(),
            respondent: self.respondent().word().to_owned(),
            items: self.items().to_vec(),
            codes: self.codes().map(str::to_owned).collect(),
            imported: self.imported().map(imported).collect(),
            locked: false,
        }
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
mod tests;
