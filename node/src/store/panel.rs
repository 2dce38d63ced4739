//! Reads the tables for one study and period: who has a row, and what each row rests on.
//!
//! ```text
//! who       active clinicians of the study's roles whom the site's rules on consent admit, from staff records
//!           and consents alone, in the order of their keys
//! links     of all one patient's clinicians, with a row or without, the K with the smallest keyed hash; the
//!           others do not hear of that patient
//! answers   of one patient about one clinician, by one instrument: the response with the smallest key
//! ```
//! Links are bounded before any statistic, and one patient's choice rests on nobody else's data (a patient
//! then changes K rows at most; a clinician's row does not decide where patients count). An encounter without a
//! patient, with the responses that name it, is a patient of its own; so is a response that names neither.
//! A patient whom the rules do not admit is as if not in the tables. A clinician whom they do not admit has no
//! row, and an encounter that its clinician excluded counts for none; whom a patient met is still the patient's
//! record, so neither hands a patient to another clinician.
//! A study may compare its period with earlier days. Then a patient's links are those of both spans together, so that
//! one patient still changes K rows at most.
//! Both lists are made in `population`. Scoring and shrinking the numbers is the work of [`crate::measure::feature`].
pub mod clipped;
mod contacts;
pub mod detail;
pub(crate) mod exact;
mod narrowing;
mod population;
pub(crate) mod settle;
mod span;
mod streamed;

pub(crate) use contacts::COUNTED;
pub use detail::{Bounds, Detail, Tally};
pub use narrowing::Narrowed;
pub use population::{Excluded, Links};
pub use span::Span;

use super::consent::{Access, Purpose};
use super::pseudonym::Pseudonyms;
use super::{Store, fault};
use crate::config::Modalities;
use contacts::ANSWERS;
use sqlx::sqlite::Sqlite;
use sqlx::{AssertSqlSafe, Error, Transaction};
use std::fmt;
use std::path::Path;
use streamed::Streamed;
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// A month, in microseconds: the twelfth part of 365.25 days.
const MONTH_US: f64 = 365.25 / 12.0 * 86_400e6;
/// A day, in microseconds.
const DAY_US: i64 = 86_400_000_000;
/// Clinicians whose responses are read at once.
const CLINICIANS_PAGE: usize = 500;
/// Between an item and its code, and between answers: signs that no text of a file may hold here.
const UNIT_SEPARATOR: char = '\u{1f}';
const RECORD_SEPARATOR: char = '\u{1e}';

/// What a study asks the tables for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What for: whoever said no to that is as if not in the tables.
    pub purpose: Purpose,
    /// Roles of clinicians with a row.
    pub roles: &'a [&'a str],
    /// The days.
    pub span: Span,
    /// The earlier days that these are compared with, if they are.
    pub earlier: Option<Span>,
    /// Of how many clinicians each patient may count for.
    pub links_per_patient: u32,
    /// The values of encounters that will be asked for: a streamed file is read once for all of them.
    pub values: &'a [(Detail<'a>, Bounds)],
}

/// Which of a study's days is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Its period.
    Period,
    /// The earlier days that it is compared with.
    Earlier,
}

impl When {
    fn flag(self) -> i64 {
        i64::from(self == When::Earlier)
    }
}

/// What staff records say about a clinician with a row.
#[derive(sqlx::FromRow)]
pub struct Clinician {
    /// Their role.
    pub role: String,
    /// Their specialty.
    pub specialty: String,
    /// Their band of ages, if it is recorded.
    pub age_band: Option<String>,
    /// Their gender, if it is recorded.
    pub gender: Option<String>,
    /// Where they were trained, if it is recorded.
    pub training_country: Option<String>,
}

/// A number of the period table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Encounters a month.
    Volume,
    /// Hours a month.
    Hours,
    /// Hours at night over hours, where both are known.
    NightShare,
    /// Hours of training, in all.
    TrainingHours,
}

/// One filled-in questionnaire about, or by, a clinician.
pub struct Filled {
    /// The clinician's place among [`Panel::clinicians`].
    pub clinician: usize,
    answers: String,
}

impl Filled {
    /// Items with their codes.
    pub fn answers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.answers.split(RECORD_SEPARATOR).filter_map(|one| one.split_once(UNIT_SEPARATOR))
    }
}

/// An unchanging view of the tables for one study.
pub struct Panel {
    transaction: Transaction<'static, Sqlite>,
    period: Span,
    earlier: Option<Span>,
    when: When,
    clinicians: Vec<Clinician>,
    links: Links,
    excluded: Excluded,
    /// What people's rows are read for.
    purpose: Purpose,
    /// The condition under which a value of a clinician's recordings is read.
    recorded: String,
    modalities: Modalities,
    /// For each clinician, the share that they excluded: the largest of those found so far.
    excluded_shares: Vec<f64>,
    /// What a file that is read in place comes to, if encounters are.
    streamed: Option<Streamed>,
}

impl Panel {
    /// Lists the clinicians with a row and bounds the links. What it writes are temporary tables, gone with
    /// the panel.
    ///
    /// # Errors
    /// A fault of the database; of a streamed file that was changed or cannot be read.
    pub async fn open(
        store: &Store,
        pseudonyms: &Pseudonyms,
        access: &Access,
        asked: &Asked<'_>,
    ) -> Result<Self, Fault> {
        let of = |e: Error| fault(&e);
        let mut panel = Self {
            transaction: store.pool().begin().await.map_err(of)?,
            period: asked.span,
            earlier: asked.earlier,
            when: When::Period,
            clinicians: Vec::new(),
            links: Links::default(),
            excluded: Excluded::default(),
            purpose: asked.purpose,
            recorded: String::new(),
            modalities: access.modalities,
            excluded_shares: Vec::new(),
            streamed: None,
        };
        let noted = panel.list_encounters().await.map_err(of)?;
        panel.admit(access, noted.is_some()).await.map_err(of)?;
        panel.list_clinicians(asked.roles, access).await.map_err(of)?;
        if let Some(noted) = noted {
            let dir = store.path().parent().unwrap_or(Path::new("."));
            panel.read(&noted, (pseudonyms, access), asked, dir).await?;
            return Ok(panel);
        }
        panel.list_links().await.map_err(of)?;
        panel.bound_links(pseudonyms, asked.links_per_patient).await.map_err(of)?;
        panel.keep_encounters().await.map_err(of)?;
        Ok(panel)
    }

    /// Clinicians with a row, in the order of their keys.
    pub fn clinicians(&self) -> &[Clinician] {
        &self.clinicians
    }

    /// From now on looks at the period, as at first, or at the earlier days; without any, at the period.
    pub fn look_at(&mut self, when: When) {
        self.when = if self.earlier.is_some() { when } else { When::Period };
    }

    /// The days that are looked at.
    fn span(&self) -> Span {
        self.earlier.filter(|_| self.when == When::Earlier).unwrap_or(self.period)
    }

    /// How many links there are.
    pub fn links(&self) -> Links {
        self.links
    }

    /// How many encounters were excluded by their clinicians.
    pub fn excluded(&self) -> Excluded {
        self.excluded
    }

    /// A number of the staff records, weighted by how much of each record lies in the span; `None` where
    /// there is none, or none may be read.
    ///
    /// # Errors
    /// What the database says.
    pub async fn work(&mut self, what: Work) -> Result<Vec<Option<f64>>, Error> {
        if !self.modalities.admits(Modality::StaffRecords) {
            return Ok(self.spread(Vec::new()));
        }
        let span = self.span();
        let value = match what {
            Work::Volume => "sum(w.volume * s.share) / (sum(s.us) / ?1)",
            Work::Hours => "sum(w.hours * s.share) / (sum(s.us) / ?1)",
            Work::NightShare => {
                "sum(w.night_hours * s.share) / \
                 nullif(sum(w.hours * s.share) FILTER (WHERE w.night_hours IS NOT NULL), 0)"
            }
            Work::TrainingHours => "sum(w.training_hours * s.share)",
        };
        // ?1 is bound in every form, so that the others keep their numbers.
        let sql = format!(
            "WITH s AS (SELECT person, from_us, min(to_us, ?3) - max(from_us, ?2) AS us, \
               (min(to_us, ?3) - max(from_us, ?2)) * 1.0 / (to_us - from_us) AS share \
               FROM period WHERE from_us < ?3 AND to_us > ?2) \
             SELECT p.i, {value} FROM s CROSS JOIN panel_person p ON p.person = s.person \
             CROSS JOIN period w ON w.person = s.person AND w.from_us = s.from_us \
             WHERE ?1 > 0 GROUP BY p.i"
        );
        let found: Vec<(i64, Option<f64>)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(MONTH_US)
            .bind(span.from_us)
            .bind(span.to_us)
            .fetch_all(&mut *self.transaction)
            .await?;
        Ok(self.spread(found))
    }

    /// The mean of a recording's feature over a clinician's sessions in the span, of the kinds of data that are switched
    /// on and that the clinician consented to; `None` where there is none.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recordings(&mut self, feature: &'static str) -> Result<Vec<Option<f64>>, Error> {
        let admitted = &self.recorded;
        let span = self.span();
        let sql = format!(
            "SELECT p.i, avg(f.value) FROM feature f CROSS JOIN device_session d ON d.session = f.session \
             CROSS JOIN panel_person p ON p.person = f.person \
             WHERE f.feature = ? AND d.start_us >= ? AND d.start_us < ? AND {admitted} GROUP BY p.i"
        );
        let found: Vec<(i64, Option<f64>)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(feature)
            .bind(span.from_us)
            .bind(span.to_us)
            .fetch_all(&mut *self.transaction)
            .await?;
        Ok(self.spread(found))
    }

    /// Who completed a training before the period began: 1, or 0. Of one programme if it is named, and at the earliest
    /// so many days before if they are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn trained(
        &mut self,
        programme: Option<&str>,
        within_days: Option<u16>,
    ) -> Result<Vec<f64>, Error> {
        if !self.modalities.admits(Modality::StaffRecords) {
            return Ok(self.spread(Vec::new()));
        }
        let before = self.period.from_us;
        let since = within_days
            .map_or(i64::MIN, |days| before.saturating_sub(i64::from(days).saturating_mul(DAY_US)));
        let found: Vec<(i64, f64)> = sqlx::query_as(
            "SELECT p.i, 1.0 FROM training t CROSS JOIN panel_person p ON p.person = t.person \
             WHERE t.to_us <= ?1 AND t.to_us >= ?2 AND (?3 IS NULL OR t.programme = ?3) GROUP BY p.i",
        )
        .bind(before)
        .bind(since)
        .bind(programme.map(str::to_owned))
        .fetch_all(&mut *self.transaction)
        .await?;
        Ok(self.spread(found))
    }

    /// Chooses the responses by an instrument that count; [`responses`](Self::responses) then reads them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn choose(
        &mut self,
        instrument: &str,
        respondent: &'static str,
    ) -> Result<(), Error> {
        let span = self.span();
        sqlx::query("DELETE FROM panel_response").execute(&mut *self.transaction).await?;
        let sql = format!(
            "{ANSWERS} INSERT INTO panel_response SELECT i, min(response) FROM r WHERE NOT excluded \
             GROUP BY i, owner ORDER BY 1, 2"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(instrument.to_owned())
            .bind(respondent)
            .bind(span.from_us)
            .bind(span.to_us)
            .execute(&mut *self.transaction)
            .await?;
        // Whoever has one excluded is one whose answer may be another than it was.
        let sql = format!(
            "{ANSWERS} SELECT i, avg(excluded) FROM (SELECT i, max(excluded) AS excluded FROM r GROUP BY i, owner) \
             GROUP BY i HAVING max(excluded) = 1"
        );
        let shares = sqlx::query_as(AssertSqlSafe(sql))
            .bind(instrument.to_owned())
            .bind(respondent)
            .bind(span.from_us)
            .bind(span.to_us)
            .fetch_all(&mut *self.transaction)
            .await?;
        self.left_out(shares);
        Ok(())
    }

    /// The chosen responses of the clinicians from place `first` on, and the place to go on from; `None`
    /// after the last.
    ///
    /// # Errors
    /// What the database says.
    pub async fn responses(&mut self, first: usize) -> Result<Option<(Vec<Filled>, usize)>, Error> {
        if first >= self.clinicians.len() {
            return Ok(None);
        }
        let next = first + CLINICIANS_PAGE;
        let place = |at: usize| i64::try_from(at + 1).unwrap_or(i64::MAX);
        let found: Vec<(i64, String)> = sqlx::query_as(
            "SELECT c.i, group_concat(a.item || ? || a.code, ?) FROM panel_response c \
             CROSS JOIN answer a ON a.response = c.response WHERE c.i >= ? AND c.i < ? \
             GROUP BY c.i, c.response ORDER BY c.i, c.response",
        )
        .bind(UNIT_SEPARATOR.to_string())
        .bind(RECORD_SEPARATOR.to_string())
        .bind(place(first))
        .bind(place(next))
        .fetch_all(&mut *self.transaction)
        .await?;
        let filled = |(i, answers)| Some(Filled { clinician: slot(i)?, answers });
        Ok(Some((found.into_iter().filter_map(filled).collect(), next)))
    }

    /// Gives the connection back, without the temporary tables.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close(self) -> Result<(), Error> {
        self.transaction.rollback().await
    }

    /// One value a clinician, in their order.
    fn spread<T: Default>(&self, found: Vec<(i64, T)>) -> Vec<T> {
        let mut all: Vec<T> = self.clinicians.iter().map(|_| T::default()).collect();
        for (i, value) in found {
            if let Some(place) = slot(i).and_then(|i| all.get_mut(i)) {
                *place = value;
            }
        }
        all
    }
}

impl fmt::Debug for Panel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panel({} clinicians)", self.clinicians.len())
    }
}

/// The place of a clinician whose row number is `i`, which counts from 1.
fn slot(i: i64) -> Option<usize> {
    usize::try_from(i.checked_sub(1)?).ok()
}
