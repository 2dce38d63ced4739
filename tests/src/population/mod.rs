//! Synthetic hospitals with a known truth: what happened, what patients said, and the files each
//! hospital's own systems would export.
//!
//! Every hospital writes other formats, columns, codes and clocks, and brings its own mapping onto the
//! canonical tables. The same seed gives the same bytes. Nothing here is fitted to real people.
mod facts;
mod law;
mod layout;
pub mod profile;
mod recording;
mod row;
mod survey;
mod table;

pub use law::{Clinician, Effect, Truth, least_squares};

use facts::{Days, Facts, Survey};
use law::Asked;
use profile::Kind;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use tacit_shared::id::SiteId;
use tacit_shared::study::Study;
use tacit_shared::study::schema::Source;

/// How big a population is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Hospitals, 2 to 30.
    pub sites: usize,
    /// Clinicians in all hospitals together; at least 40 a hospital.
    pub clinicians: usize,
}

impl Default for Size {
    fn default() -> Self {
        Size { sites: 5, clinicians: 4_000 }
    }
}

/// Which of several periods of the same people it is, and what has changed by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// 0 is the first. What relational care depends on drifts a little from period to period.
    pub period: u32,
    /// Whether emotional labour is compensated by then: relational care rises, burnout falls, and the gap of those whose
    /// patients need an interpreter becomes smaller.
    pub compensated: bool,
}

/// The population cannot be made, or not be written.
#[derive(Debug, thiserror::Error)]
pub enum PopulationError {
    /// Too few or too many hospitals.
    #[error("{found} hospitals; expected 2 to 30")]
    Sites {
        /// How many were asked for.
        found: usize,
    },
    /// Too few clinicians for so many hospitals.
    #[error("{found} clinicians for {sites} hospitals; expected at least 40 for each")]
    Clinicians {
        /// How many were asked for.
        found: usize,
        /// Among how many hospitals.
        sites: usize,
    },
    /// The study's outcome is not what the synthetic patients answer.
    #[error(
        "the outcome is `{found}`; synthetic patients answer scale:care-measure:total, or say how it changed; clinicians, how change:DAYS:scale:copenhagen-burnout:client did"
    )]
    Outcome {
        /// The study's source.
        found: String,
    },
    /// A name that a study could not have.
    #[error("`{found}` is not a name")]
    Name {
        /// The text.
        found: String,
    },
    /// A file could not be written; what was written before stays.
    #[error("{path}: {problem}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system or the format said.
        problem: String,
    },
}

impl PopulationError {
    fn write(path: &Path, problem: impl Display) -> Self {
        PopulationError::Write { path: path.to_owned(), problem: problem.to_string() }
    }
}

/// Rows of the encounter file that are wrong on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejects {
    /// Encounters whose acuity is outside 1 to 5.
    pub acuity: u32,
    /// Encounters of a clinician who is not on the list of staff.
    pub stranger: u32,
    /// Encounters of negative length.
    pub length: u32,
}

impl Rejects {
    /// All of them.
    pub fn total(&self) -> u32 {
        self.acuity + self.stranger + self.length
    }
}

/// One hospital's files on disk.
#[derive(Clone, Debug)]
pub struct Hospital {
    /// Its identifier in a roster.
    pub site: SiteId,
    /// What a reader calls it.
    pub name: String,
    /// Which of the five kinds it is.
    pub kind: Kind,
    /// Clinicians of the study's population.
    pub clinicians: usize,
    /// Each file with the name of its raw table, without `raw_`.
    pub files: Vec<(String, PathBuf)>,
    /// The hospital's mapping onto the canonical tables.
    pub mapping: PathBuf,
    /// Where the recordings are that its device sessions name; none without wearables.
    pub recordings_dir: Option<PathBuf>,
    /// What an import has to reject.
    pub expected_rejects: Rejects,
}

/// Synthetic hospitals, before they are written.
pub struct Population {
    truth: Truth,
    sites: Vec<(SiteId, Kind)>,
    facts: Vec<Facts>,
    surveys: Vec<Vec<Survey>>,
    clinicians: Vec<Clinician>,
    asked: Asked,
}

impl Population {
    /// Makes the hospitals of a study's period, with the truth in the study's columns.
    ///
    /// # Errors
    /// [`PopulationError`] if the size is out of bounds or the study's outcome is another.
    pub fn generate(study: &Study, seed: u64, size: Size) -> Result<Self, PopulationError> {
        Self::generate_at(study, seed, size, Moved::default())
    }

    /// The same hospitals and people in a later period, which is the study's.
    ///
    /// # Errors
    /// As [`Population::generate`].
    pub fn generate_at(
        study: &Study,
        seed: u64,
        size: Size,
        moved: Moved,
    ) -> Result<Self, PopulationError> {
        let outcome = &study.schema().outcome.source;
        if !answered(outcome) {
            return Err(PopulationError::Outcome { found: outcome.to_string() });
        }
        let planned = sites(size)?;
        let days = days(study);
        let facts: Vec<Facts> = (0..)
            .zip(&planned)
            .map(|(at, (_, kind, heads))| {
                let mut lots = facts::Lots {
                    first: facts::rng(seed, 2 * at),
                    later: facts::rng(seed, LATER + at),
                    again: again(seed, moved, 2 * at),
                };
                facts::hospital(*kind, *heads, days, moved, &mut lots)
            })
            .collect();
        let sites: Vec<(SiteId, Kind)> = planned.into_iter().map(|s| (s.0, s.1)).collect();
        let (truth, clinicians) = law::apply(study, &sites, &facts, moved)?;
        let surveys = (0..)
            .zip(facts.iter().enumerate())
            .map(|(stream, (at, facts))| {
                let own: Vec<Clinician> =
                    clinicians.iter().filter(|c| c.site == at).cloned().collect();
                let mut rng = facts::rng(seed, 2 * stream + 1);
                let mut again = again(seed, moved, 2 * stream + 1);
                let chance = (moved.period > 0).then_some(&mut again);
                survey::answers(facts, &own, days, (&mut rng, chance), law::asked(study))
            })
            .collect();
        Ok(Population { truth, sites, facts, surveys, clinicians, asked: law::asked(study) })
    }

    /// What a fit is to find.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Every clinician of the study's population, hospital by hospital.
    pub fn clinicians(&self) -> &[Clinician] {
        &self.clinicians
    }

    /// Each hospital's identifier and kind.
    pub fn sites(&self) -> &[(SiteId, Kind)] {
        &self.sites
    }

    /// Mean of each clinician's complete questionnaires of the period in points, where there is one, in the order
    /// of [`Population::clinicians`]; less that of the earlier days, where the study compares them.
    pub fn outcomes(&self) -> Vec<Option<f64>> {
        if self.asked == Asked::Worn {
            return self.clinicians.iter().map(|c| self.worn(c)).collect();
        }
        let now = self.means(|survey, from_us| survey.authored_us >= from_us);
        if self.asked == Asked::Level {
            return now;
        }
        let before = self.means(|survey, from_us| survey.authored_us < from_us);
        now.into_iter().zip(before).map(|(now, before)| Some(now? - before?)).collect()
    }

    /// By how much the burnout score of a clinician changed.
    fn worn(&self, clinician: &Clinician) -> Option<f64> {
        let facts = self.facts.get(clinician.site)?;
        let person = facts.persons.iter().find(|person| person.number == clinician.number)?;
        let score = |sheet: Option<&facts::Sheet>| row::sheet(sheet).first().copied();
        Some(score(person.sheet.as_ref())? - score(person.earlier.as_ref())?)
    }

    fn means(&self, of: impl Fn(&Survey, i64) -> bool) -> Vec<Option<f64>> {
        let mut sums = std::collections::BTreeMap::new();
        for (site, (surveys, facts)) in self.surveys.iter().zip(&self.facts).enumerate() {
            for survey in surveys.iter().filter(|survey| of(survey, facts.from_us)) {
                let codes: Vec<f64> =
                    survey.items.iter().flatten().copied().map(f64::from).collect();
                let count: f64 = codes.iter().map(|_| 1.0).sum();
                let sum = sums.entry((site, survey.person)).or_insert((0.0, 0.0));
                sum.0 += 10.0 * codes.iter().sum::<f64>() / count;
                sum.1 += 1.0;
            }
        }
        let mean = |c: &Clinician| sums.get(&(c.site, c.number)).map(|(sum, n)| sum / n);
        self.clinicians.iter().map(mean).collect()
    }

    /// Writes each hospital's files into a folder of its own below `dir`, which is made.
    ///
    /// # Errors
    /// [`PopulationError::Write`] with the file; earlier files stay.
    pub fn write(&self, dir: &Path) -> Result<Vec<Hospital>, PopulationError> {
        let mut hospitals = Vec::with_capacity(self.sites.len());
        let each = self.sites.iter().zip(self.facts.iter().zip(&self.surveys));
        for (at, ((site, kind), (facts, surveys))) in each.enumerate() {
            let folder = dir.join(site.as_str());
            std::fs::create_dir_all(&folder).map_err(|e| PopulationError::write(&folder, e))?;
            let mapping = folder.join("mapping.sql");
            std::fs::write(&mapping, kind.mapping())
                .map_err(|e| PopulationError::write(&mapping, e))?;
            let files = layout::write(*kind, facts, surveys, &folder)?;
            let recordings_dir = kind.wearables().then(|| folder.join("recordings"));
            if let Some(recordings) = &recordings_dir {
                for session in &facts.sessions {
                    recording::write(session, recordings)?;
                }
            }
            hospitals.push(Hospital {
                site: site.clone(),
                name: name(*kind, site),
                kind: *kind,
                clinicians: self.clinicians.iter().filter(|c| c.site == at).count(),
                files,
                mapping,
                recordings_dir,
                expected_rejects: rejects(*kind),
            });
        }
        Ok(hospitals)
    }
}

/// Streams of what came later to the synthetic hospitals stand beyond those of the first things.
const LATER: u64 = 1_000;

/// The generator of what happened in a later period, one a purpose.
fn again(seed: u64, moved: Moved, stream: u64) -> rand::rngs::ChaCha20Rng {
    facts::rng(seed, 10 * LATER * u64::from(moved.period) + stream)
}

/// Whether synthetic patients answer it: a level, or the change of one.
fn answered(source: &Source) -> bool {
    match source {
        Source::Change { of, .. } => answered(of) || is_scale(of, "copenhagen-burnout", "client"),
        source => is_scale(source, "care-measure", "total"),
    }
}

fn is_scale(source: &Source, id: &str, name: &str) -> bool {
    match source {
        Source::Scale { instrument, scale } => instrument.as_str() == id && scale.as_str() == name,
        _ => false,
    }
}

/// The study's days in microseconds.
fn days(study: &Study) -> Days {
    let micros = |day: time::Date| day.midnight().assume_utc().unix_timestamp() * facts::SECOND_US;
    let (from, to) = study.period();
    let period = (micros(from), micros(to));
    let earlier = study.schema().lag().map(|lag| {
        let back = i64::from(lag.get()) * facts::DAY_US;
        (period.0 - back, period.1 - back)
    });
    Days { period, earlier }
}

fn rejects(kind: Kind) -> Rejects {
    let mut rejects = Rejects::default();
    for (flaw, times) in facts::flaws(kind) {
        match flaw {
            facts::Flaw::Acuity => rejects.acuity = times,
            facts::Flaw::Stranger => rejects.stranger = times,
            facts::Flaw::Length => rejects.length = times,
        }
    }
    rejects
}

/// A hospital's name; the second of a kind and later ones carry their number.
fn name(kind: Kind, site: &SiteId) -> String {
    match site.as_str().strip_prefix(kind.slug()) {
        Some(number) if !number.is_empty() => {
            format!("{} {}", kind.title(), number.trim_start_matches('-'))
        }
        _ => kind.title().to_owned(),
    }
}

/// Kinds in turn, each with its heads in proportion to its own; the rest goes to the first ones.
fn sites(size: Size) -> Result<Vec<(SiteId, Kind, usize)>, PopulationError> {
    if !(2..=30).contains(&size.sites) {
        return Err(PopulationError::Sites { found: size.sites });
    }
    if size.clinicians < 40 * size.sites {
        return Err(PopulationError::Clinicians { found: size.clinicians, sites: size.sites });
    }
    let kinds = || Kind::ALL.into_iter().cycle().take(size.sites);
    let weight: usize = kinds().map(|kind| kind.profile().heads).sum();
    let mut sites = Vec::with_capacity(size.sites);
    for (at, kind) in kinds().enumerate() {
        let text = match at / Kind::ALL.len() {
            0 => kind.slug().to_owned(),
            round => format!("{}-{}", kind.slug(), round + 1),
        };
        let id =
            SiteId::try_from(text.clone()).map_err(|_| PopulationError::Name { found: text })?;
        sites.push((id, kind, size.clinicians * kind.profile().heads / weight));
    }
    let left = size.clinicians - sites.iter().map(|s| s.2).sum::<usize>();
    for site in sites.iter_mut().take(left) {
        site.2 += 1;
    }
    Ok(sites)
}

#[cfg(test)]
mod mapping_tests;
#[cfg(test)]
mod tests;
