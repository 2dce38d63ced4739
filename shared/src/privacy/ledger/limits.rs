//! What a site allows: over everything, and within that for one study and for one year.
//!
//! Each limit is a filter of its own, fixed in advance; a release needs the consent of all of them. The claim
//! to the outside is the first; the others only make it harder to spend it at once.
use crate::privacy::accountant::Budget;
use std::fmt;

/// A budget for each kind of protected person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budgets {
    /// For one clinician.
    pub clinician: Budget,
    /// For one patient.
    pub patient: Budget,
}

/// What the site allows, over all coordinators it serves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Over everything ever answered.
    pub site: Budgets,
    /// Over all answers to studies of one short name.
    pub study: Option<Budgets>,
    /// Over all answers of one calendar year, UTC.
    pub year: Option<Budgets>,
}

impl From<Budgets> for Limits {
    fn from(site: Budgets) -> Self {
        Self { site, study: None, year: None }
    }
}

/// Whose account a sentence speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protected {
    /// One clinician of the site.
    Clinician,
    /// One patient of the site.
    Patient,
}

impl fmt::Display for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protected::Clinician => "clinician",
            Protected::Patient => "patient",
        })
    }
}

/// Which limit a sentence speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Over everything ever answered.
    Site,
    /// Over the answers to one study.
    Study,
    /// Over the answers of a calendar year.
    Year(i32),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Site => f.write_str("budget"),
            Scope::Study => f.write_str("budget of a study"),
            Scope::Year(year) => write!(f, "budget of the year {year}"),
        }
    }
}

/// The calendar year of a time, UTC; a time beyond the calendar is of the last year there is.
pub fn year_of(unix_s: i64) -> i32 {
    time::OffsetDateTime::from_unix_timestamp(unix_s).map_or(i32::MAX, time::OffsetDateTime::year)
}
