//! The document of a profile: purposes, legal basis, kinds of data, recipients, approval, longest times to keep.
//!
//! ```text
//! digest     SHA-256 over every key, none of the comments: what two people sign
//! wider      allows anything that the built-in `self-report-only` does not
//! ```
//! A file is refused with its key if it allows what no profile may, rests on consent alone, or is wider without a
//! recorded agreement and an end. Reading time and signatures is the work of the node.
use super::Profile;
use crate::codec;
use crate::fault::Fault;
use crate::id::{Digest, FeatureId};
use crate::study::modality::Modality;
use crate::study::recipient::Class;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use time::{Date, macros::format_description};

/// The version of the file format this program reads.
pub const FORMAT: u32 = 1;
/// A document is larger than this only by mistake.
pub const FILE_BYTES_MAX: usize = 64 << 10;
/// What is in force where nothing was signed.
pub const BUILT_IN: &str = include_str!("../../../../configs/profiles/self-report-only.toml");

/// Longest times to keep rows, in days from their import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Encounters and staff records of work.
    pub encounters: u32,
    /// Filled-in questionnaires and their answers.
    pub answers: u32,
    /// Recordings' sessions and the numbers they gave.
    pub features: u32,
}

/// Above these no profile goes: 24 months for what scores are made of, 12 for what bodies gave.
pub const KEEP_MAX: Keep = Keep { encounters: 730, answers: 730, features: 365 };

/// On what the processing rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legal {
    /// Legal bases, one sentence each; never consent alone.
    pub basis: Vec<String>,
    /// The agreement with the representatives of staff: a reference and a date.
    pub agreement: Option<String>,
}

/// What is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allows {
    /// Kinds of data that may be held and read.
    pub modalities: Vec<Modality>,
    /// Classes of recipients that a study may have.
    pub recipients: Vec<Class>,
}

/// The approval of an ethics board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Its reference.
    pub id: String,
    /// Who gave it.
    pub board: String,
}

/// The file as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    id: Profile,
    version: String,
    title: String,
    purposes: Vec<FeatureId>,
    ends: Option<String>,
    legal: Legal,
    allows: Allows,
    approval: Option<Approval>,
    retention: Keep,
}

/// A document that was read and found sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    file: File,
    ends: Option<Date>,
    digest: Digest,
}

/// Why a document was refused: the key, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML, an unknown key, or a value of the wrong type; the text shows the line.
    #[error("{0}")]
    Syntax(String),
    /// A value that a profile cannot have.
    #[error("`{key}` {problem}")]
    Key {
        /// The key as written in the file.
        key: &'static str,
        /// What was found and what was expected.
        problem: String,
    },
}

impl ProfileError {
    /// The same, for a person: with the file's name and a hint.
    pub fn into_fault(self, origin: &str) -> Fault {
        let hint = "docs/privacy.md explains every key; configs/profiles/ holds both kinds";
        Fault::user(self.to_string()).at(origin).hint(hint)
    }
}

impl Document {
    /// Reads a profile's file.
    ///
    /// # Errors
    /// [`ProfileError`] with the key; nothing is kept of a refused file.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let document = Self::read(text)?;
        if document.is_wider() {
            document.holds_when_wider()?;
        }
        Ok(document)
    }

    /// What is in force where nothing was signed.
    ///
    /// # Errors
    /// None while the built-in file is sound, which a test holds.
    pub fn built_in() -> Result<Self, ProfileError> {
        Self::read(BUILT_IN)
    }

    fn read(text: &str) -> Result<Self, ProfileError> {
        if text.len() > FILE_BYTES_MAX {
            let problem = format!("{} bytes; expected at most {FILE_BYTES_MAX}", text.len());
            return Err(ProfileError::Syntax(problem));
        }
        let syntax = |e: &dyn Display| ProfileError::Syntax(e.to_string());
        let file: File = toml::from_str(text).map_err(|e| syntax(&e))?;
        check(&file)?;
        let ends = file.ends.as_deref().map(day).transpose()?;
        let bytes = codec::encode(&file).map_err(|e| syntax(&e))?;
        let digest = codec::hash("tacit/v1/profile", &[&bytes]);
        Ok(Self { file, ends, digest })
    }

    /// Holds what a wider document needs besides.
    fn holds_when_wider(&self) -> Result<(), ProfileError> {
        if self.file.legal.agreement.is_none() {
            let problem = "is missing: what allows more than the built-in profile needs an agreement with \
                           the representatives of staff";
            return Err(key("legal.agreement", problem));
        }
        if self.ends.is_none() {
            let problem = "is missing: what allows more than the built-in profile ends on a day";
            return Err(key("ends", problem));
        }
        Ok(())
    }

    /// What is signed: covers every key of the file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Of which kind it is.
    pub fn kind(&self) -> Profile {
        self.file.id
    }

    /// Its version, in the site's words.
    pub fn version(&self) -> &str {
        &self.file.version
    }

    /// Its title.
    pub fn title(&self) -> &str {
        &self.file.title
    }

    /// Purposes a study may have.
    pub fn purposes(&self) -> &[FeatureId] {
        &self.file.purposes
    }

    /// On what the processing rests.
    pub fn legal(&self) -> &Legal {
        &self.file.legal
    }

    /// Kinds of data that may be held and read.
    pub fn modalities(&self) -> &[Modality] {
        &self.file.allows.modalities
    }

    /// Classes of recipients a study may have.
    pub fn recipients(&self) -> &[Class] {
        &self.file.allows.recipients
    }

    /// The approval of an ethics board.
    pub fn approval(&self) -> Option<&Approval> {
        self.file.approval.as_ref()
    }

    /// Longest times to keep rows.
    pub fn keep(&self) -> Keep {
        self.file.retention
    }

    /// The last day on which it may be in force.
    pub fn ends(&self) -> Option<Date> {
        self.ends
    }

    /// Whether it may still be in force on a day.
    pub fn lasts(&self, today: Date) -> bool {
        self.ends.is_none_or(|ends| today <= ends)
    }

    /// Whether a kind of data may be held and read.
    pub fn allows(&self, modality: Modality) -> bool {
        self.modalities().contains(&modality)
    }

    /// Whether a class of recipients may have numbers that rest on a kind of data.
    pub fn allows_reader(&self, class: Class, modality: Modality) -> bool {
        self.recipients().contains(&class) && class.may_read(modality)
    }

    /// Whether it allows anything that the built-in profile does not: then it needs both signatures.
    pub fn is_wider(&self) -> bool {
        let Ok(built_in) = Self::built_in() else { return true };
        let within = |all: &[FeatureId]| self.purposes().iter().all(|p| all.contains(p));
        let (own, most) = (self.keep(), built_in.keep());
        self.kind() != built_in.kind()
            || !within(built_in.purposes())
            || self.modalities().iter().any(|m| !built_in.allows(*m))
            || self.recipients().iter().any(|class| !built_in.recipients().contains(class))
            || own.encounters > most.encounters
            || own.answers > most.answers
            || own.features > most.features
    }
}

fn key(key: &'static str, problem: impl Into<String>) -> ProfileError {
    ProfileError::Key { key, problem: problem.into() }
}

fn check(file: &File) -> Result<(), ProfileError> {
    if file.format != FORMAT {
        let problem = format!("is {}; this program reads format {FORMAT}", file.format);
        return Err(key("format", problem));
    }
    one_line("version", &file.version)?;
    one_line("title", &file.title)?;
    distinct("purposes", &file.purposes)?;
    distinct("allows.modalities", &file.allows.modalities)?;
    distinct("allows.recipients", &file.allows.recipients)?;
    check_basis(&file.legal)?;
    check_kind(file)?;
    for (name, days, most) in [
        ("retention.encounters", file.retention.encounters, KEEP_MAX.encounters),
        ("retention.answers", file.retention.answers, KEEP_MAX.answers),
        ("retention.features", file.retention.features, KEEP_MAX.features),
    ] {
        if !(1..=most).contains(&days) {
            return Err(key(name, format!("is {days} days; expected 1 to {most}")));
        }
    }
    Ok(())
}

/// What the law leaves no profile to decide.
fn check_kind(file: &File) -> Result<(), ProfileError> {
    let body = file.allows.modalities.iter().find(|modality| modality.is_biometric());
    match (file.id, body, &file.approval) {
        (Profile::SelfReportOnly, Some(body), _) => {
            let problem =
                format!("has `{body}`, which comes from a body: `self-report-only` reads none");
            Err(key("allows.modalities", problem))
        }
        (Profile::SelfReportOnly, None, Some(_)) => Err(key(
            "approval",
            "has no place in `self-report-only`: it asks for nothing that needs one",
        )),
        (Profile::SelfReportOnly, None, None) => Ok(()),
        (Profile::EthicsApprovedResearch, _, None) => Err(key(
            "approval",
            "is missing: research on signals of a body names its ethics approval",
        )),
        (Profile::EthicsApprovedResearch, _, Some(approval)) => {
            if file.allows.recipients.contains(&Class::EmployerManagement) {
                let problem = "has `employer-management`: no employer reads what rests on a body";
                return Err(key("allows.recipients", problem));
            }
            one_line("approval.id", &approval.id)?;
            one_line("approval.board", &approval.board)
        }
    }
}

fn check_basis(legal: &Legal) -> Result<(), ProfileError> {
    if legal.basis.is_empty() {
        return Err(key("legal.basis", "is empty; expected at least one legal basis"));
    }
    for basis in &legal.basis {
        one_line("legal.basis", basis)?;
    }
    if legal.basis.iter().all(|basis| is_consent_alone(basis)) {
        let problem = "rests on consent alone: an employee's consent is rarely free, and what is withdrawn at \
                       will is no footing for what was released";
        return Err(key("legal.basis", problem));
    }
    legal.agreement.as_deref().map_or(Ok(()), |agreement| one_line("legal.agreement", agreement))
}

/// Whether nothing but consent is spoken of: Article 6(1)(a) and 9(2)(a) GDPR are consent, too.
fn is_consent_alone(basis: &str) -> bool {
    const FILLERS: &[&str] = &[
        "consent",
        "consents",
        "consented",
        "explicit",
        "informed",
        "written",
        "voluntary",
        "free",
        "freely",
        "given",
        "employee",
        "employees",
        "clinician",
        "clinicians",
        "worker",
        "workers",
        "staff",
        "patient",
        "patients",
        "participants",
        "data",
        "subject",
        "subjects",
        "of",
        "the",
        "by",
        "their",
        "and",
        "art",
        "article",
        "gdpr",
        "a",
        "1",
        "2",
        "6",
        "9",
    ];
    let lower = basis.to_ascii_lowercase();
    let mut words =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.all(|word| FILLERS.contains(&word))
}

fn one_line(name: &'static str, text: &str) -> Result<(), ProfileError> {
    const LENGTH_MAX: usize = 400;
    let length = text.chars().count();
    if text.trim().is_empty() || length > LENGTH_MAX || text.contains(char::is_control) {
        let problem = format!("has {length} characters; expected one line of 1 to {LENGTH_MAX}");
        return Err(key(name, problem));
    }
    Ok(())
}

fn distinct<T: PartialEq + Display>(name: &'static str, all: &[T]) -> Result<(), ProfileError> {
    if all.is_empty() {
        return Err(key(name, "is empty; expected at least one"));
    }
    for (place, one) in all.iter().enumerate() {
        if all.iter().take(place).any(|earlier| earlier == one) {
            return Err(key(name, format!("names `{one}` twice")));
        }
    }
    Ok(())
}

fn day(text: &str) -> Result<Date, ProfileError> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| key("ends", format!("is `{text}`; expected a day as YYYY-MM-DD")))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const RESEARCH: &str =
        include_str!("../../../../configs/profiles/ethics-approved-research.toml");

    #[test]
    fn the_built_in_profile_reads_no_body_and_reaches_no_employer() {
        let built_in = Document::parse(BUILT_IN).unwrap();
        assert_eq!(built_in, Document::built_in().unwrap());
        assert!(!built_in.is_wider());
        for modality in Modality::ALL {
            assert_eq!(built_in.allows(modality), !modality.is_biometric(), "{modality}");
        }
        assert!(!built_in.recipients().contains(&Class::EmployerManagement));
        assert!(!built_in.allows_reader(Class::Public, Modality::ClinicianQuestionnaires));
        assert!(built_in.allows_reader(Class::Public, Modality::PatientQuestionnaires));
    }

    #[test]
    fn research_is_wider_and_ends() {
        let research = Document::parse(RESEARCH).unwrap();
        assert!(research.is_wider() && research.allows(Modality::Heart));
        assert!(research.approval().is_some());
        let ends = research.ends().unwrap();
        assert!(research.lasts(ends) && !research.lasts(ends.next_day().unwrap()));
    }

    #[test]
    fn a_narrower_document_needs_nothing_more_and_a_wider_one_an_agreement_and_an_end() {
        let narrower = BUILT_IN.replacen("answers = 730", "answers = 90", 1);
        assert!(!Document::parse(&narrower).unwrap().is_wider());
        let wider = BUILT_IN.replacen("\"policy\",", "\"policy\", \"employer-management\",", 1);
        assert_ne!(wider, BUILT_IN);
        let error = Document::parse(&wider).unwrap_err().to_string();
        assert!(error.starts_with("`legal.agreement` is missing"), "{error}");
        let agreed =
            wider.replacen("[legal]", "[legal]\nagreement = \"works agreement 7 of 2026\"", 1);
        let error = Document::parse(&agreed).unwrap_err().to_string();
        assert!(error.starts_with("`ends` is missing"), "{error}");
        let ending = agreed.replacen("[legal]", "ends = \"2027-01-31\"\n[legal]", 1);
        assert!(Document::parse(&ending).unwrap().is_wider());
    }

    #[test]
    fn the_digest_covers_the_meaning_and_not_the_comments() {
        let document = Document::parse(RESEARCH).unwrap();
        let commented = format!("# a remark\n{RESEARCH}");
        assert_eq!(Document::parse(&commented).unwrap().digest(), document.digest());
        let other = RESEARCH.replacen("answers = 730", "answers = 729", 1);
        assert_ne!(Document::parse(&other).unwrap().digest(), document.digest());
    }

    #[test]
    fn what_no_profile_may_allow_is_refused_with_its_key() {
        let basis = |list: &str| {
            let (head, rest) = RESEARCH.split_once("basis = [").unwrap();
            let (_, rest) = rest.split_once("]\n").unwrap();
            format!("{head}basis = [{list}]\n{rest}")
        };
        let replaced = |found: &str, by: &str| {
            let text = RESEARCH.replacen(found, by, 1);
            assert_ne!(text, RESEARCH, "{found}");
            text
        };
        for (text, message) in [
            (basis(""), "`legal.basis` is empty"),
            (basis("\"Consent\""), "`legal.basis` rests on consent alone"),
            (basis("\"Explicit consent of the employees, Art. 9(2)(a) GDPR\""), "consent alone"),
            (basis("\" \""), "`legal.basis` has 1 characters"),
            (replaced("\"heart\",", "\"heart\", \"heart\","), "names `heart` twice"),
            (
                replaced("\"research\",", "\"research\", \"employer-management\","),
                "no employer reads",
            ),
            (
                replaced("id = \"ethics-approved-research\"", "id = \"self-report-only\""),
                "`heart`, which comes",
            ),
            (replaced("features = 365", "features = 366"), "`retention.features` is 366 days"),
            (replaced("ends = \"20", "ends = \"x20"), "expected a day as YYYY-MM-DD"),
            (replaced("format = 1", "format = 2"), "`format` is 2"),
            (replaced("[approval]", "[aproval]"), "unknown field `aproval`"),
            (replaced("id = \"YOUR", "id = \"\" # \"YOUR"), "`approval.id` has 0 characters"),
        ] {
            let error = Document::parse(&text).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
        let mixed = basis("\"Consent\", \"Article 89(1) GDPR with the national hospital act\"");
        assert!(Document::parse(&mixed).is_ok());
    }
}
