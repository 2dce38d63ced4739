//! The papers that the law asks for, written from what is configured: one value, from which every page follows.
//!
//! ```text
//! record.json   the record of processing (GDPR, Article 30), for programs
//! dpia.html     a draft of the impact assessment (Article 35(7)): description, necessity, risks, measures
//! notice.html   the sheet for those who work here (Articles 13 and 14; AI Act, Article 26(7) in spirit)
//! ```
//! Nothing here is legal advice, and every page says so. Counts of people appear as bands and never as numbers: the
//! papers are meant to be handed round. Gathering the facts is the work of `command::dpia`; what follows from them, of
//! [`reasons`]; the pages, of [`html`].
pub mod html;
pub mod reasons;

use serde::Serialize;

/// All that the papers are written from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// `tacit-record/1`.
    pub format: &'static str,
    /// When it was written, UTC.
    pub made_at: String,
    /// By which program.
    pub made_by: String,
    /// Short name of the site.
    pub site: String,
    /// Its legal name.
    pub name: String,
    /// The federation and its parties, if a roster is pinned.
    pub federation: Option<Federation>,
    /// The profile in force.
    pub profile: ProfilePart,
    /// Kinds of data.
    pub data: Vec<Data>,
    /// Consent.
    pub consent: ConsentPart,
    /// Longest times to keep, in days from the import.
    pub kept_days: KeptDays,
    /// Studies the officer decided on.
    pub studies: Vec<StudyPart>,
    /// What one person may lose at this site.
    pub budgets: Vec<BudgetPart>,
    /// How many releases were made so far.
    pub releases: usize,
    /// Questionnaires that approved studies read.
    pub instruments: Vec<Rules>,
    /// Composites of the program.
    pub composites: Vec<Rules>,
    /// Where data go.
    pub flows: Vec<Flow>,
    /// Who looks at what a clinician contests.
    pub contest_to: Option<String>,
    /// Studies refused under a profile: why, and how often.
    pub refusals: Vec<(String, i64)>,
    /// Risks, with what is done and what is left.
    pub risks: Vec<Risk>,
    /// What counsel and the parties have to settle.
    pub open_points: Vec<String>,
}

/// Who takes part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Federation {
    /// Its name.
    pub name: String,
    /// The coordinator.
    pub coordinator: String,
    /// Hospitals.
    pub sites: Vec<String>,
    /// How many of them may collude.
    pub colluders: u16,
    /// Digest of the roster.
    pub roster: String,
}

/// The profile in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProfilePart {
    /// Its kind.
    pub kind: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// Purposes.
    pub purposes: Vec<String>,
    /// Legal bases.
    pub basis: Vec<String>,
    /// The agreement with the representatives of staff.
    pub agreement: Option<String>,
    /// The ethics approval.
    pub approval: Option<String>,
    /// The last day.
    pub ends: Option<String>,
    /// Classes of recipients.
    pub recipients: Vec<String>,
    /// Who signed, and when; nobody the built-in one.
    pub signed: Vec<String>,
    /// Why the document signed last is not in force.
    pub falls_short: Option<String>,
}

/// A kind of data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    /// Its word.
    pub kind: String,
    /// Whether it is of patients, of clinicians' work, or about the clinicians themselves.
    pub about: &'static str,
    /// Whether the profile allows it.
    pub allowed: bool,
    /// Whether the site has it switched on.
    pub switched_on: bool,
    /// How many clinicians there are rows of.
    pub people: Band,
    /// How many patients, if it is about patients.
    pub patients: Option<Band>,
}

/// How many people: never a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Band {
    /// Nobody, or up to nine.
    #[serde(rename = "fewer than 10")]
    Few,
    /// 10 to 49.
    #[serde(rename = "10 to 49")]
    Tens,
    /// 50 to 249.
    #[serde(rename = "50 to 249")]
    Dozens,
    /// 250 to 999.
    #[serde(rename = "250 to 999")]
    Hundreds,
    /// 1000 or more.
    #[serde(rename = "1,000 or more")]
    Thousands,
}

/// The site's rules on consent, and how many people said what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConsentPart {
    /// The rule for clinicians.
    pub clinicians: String,
    /// The rule for patients.
    pub patients: String,
    /// Of whom, for which purpose, what stands today, how many.
    pub statements: Vec<Statements>,
}

/// How many people said one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statements {
    /// `clinicians` or `patients`.
    pub of: &'static str,
    /// The purpose.
    pub purpose: String,
    /// What stands.
    pub state: String,
    /// How many.
    pub people: Band,
}

/// Days from the import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KeptDays {
    /// Encounters and staff records.
    pub encounters: u32,
    /// Questionnaires and answers.
    pub answers: u32,
    /// What recordings gave.
    pub features: u32,
}

/// A study.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StudyPart {
    /// Short name.
    pub name: String,
    /// Title.
    pub title: String,
    /// Digest.
    pub digest: String,
    /// The question.
    pub question: String,
    /// Purpose.
    pub purpose: String,
    /// Recipients with their classes.
    pub recipients: Vec<String>,
    /// First day, and the day after the last.
    pub period: [String; 2],
    /// Whether the officer's last word is an approval, under the roster that is pinned.
    pub approved: bool,
    /// Whether it was approved although cells may be small.
    pub small_cells_accepted: bool,
    /// ε and δ of one release for one clinician.
    pub epsilon: f64,
    /// δ of it.
    pub delta: f64,
    /// Releases a year it intends.
    pub releases_a_year: u32,
    /// What its outcome is.
    pub outcome: String,
    /// What it must not be used for.
    pub limits: Vec<String>,
}

/// What one person may lose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetPart {
    /// `clinician` or `patient`.
    pub one: &'static str,
    /// ε over everything.
    pub epsilon: f64,
    /// δ over everything.
    pub delta: f64,
    /// ε spent so far; absent if no finite one holds.
    pub spent: Option<f64>,
}

/// By which rules numbers are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// Id.
    pub id: String,
    /// Version.
    pub version: String,
    /// Digest of the file.
    pub sha256: String,
    /// The licence entered, or the profile needed.
    pub note: Option<String>,
}

/// Where data go, and how they are protected on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// What.
    pub what: String,
    /// From where to where.
    pub way: String,
    /// How it is protected.
    pub protected: String,
}

/// A risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// For whom.
    pub whom: &'static str,
    /// What may happen.
    pub what: String,
    /// What is done about it.
    pub measures: Vec<String>,
    /// What is left.
    pub left: String,
}

impl Band {
    /// The band of a count.
    pub fn of(people: i64) -> Self {
        match people {
            ..10 => Band::Few,
            10..50 => Band::Tens,
            50..250 => Band::Dozens,
            250..1000 => Band::Hundreds,
            1000.. => Band::Thousands,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Band::Few => "fewer than 10",
            Band::Tens => "10 to 49",
            Band::Dozens => "50 to 249",
            Band::Hundreds => "250 to 999",
            Band::Thousands => "1,000 or more",
        }
    }
}

impl Data {
    /// Whether it is imported and read.
    pub fn is_read(&self) -> bool {
        self.allowed && self.switched_on
    }
}

#[cfg(test)]
mod tests;
