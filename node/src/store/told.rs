//! What a clinician is told of patients' answers: a mean for each quarter that is over, the same at every look.
//!
//! ```text
//! answers    one of each patient, by instrument and quarter in which it was written: the one with the smallest key;
//!            none that the clinician excluded or that is contested, none that nobody is known to have given
//! kept       the first mean that was shown; later answers, withdrawals and exclusions do not move it
//! ```
//! A mean made anew at every look would tell one answer by its difference. Quarters do not overlap, so neither do two
//! means. Scoring, the fewest patients and rounding are the caller's.
use super::pseudonym::Key;
use super::subject::Form;
use super::{Store, fault};
use serde::Serialize;
use tacit_shared::fault::Fault;
use time::{Date, Month, OffsetDateTime};

/// A mean that a clinician is told.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct Told {
    /// The quarter, as `2026-Q3`.
    pub quarter: String,
    /// The questionnaire.
    pub instrument: String,
    /// Its version.
    pub version: String,
    /// Its scale.
    pub scale: String,
    /// How many patients answered, in words.
    pub patients: String,
    /// The mean, rounded.
    pub mean: f64,
    /// The lowest the scale can be.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// Digest of the definition by which it was scored.
    pub sha256: String,
}

/// The answers of one quarter by one patient.
pub struct InQuarter {
    /// The quarter, as `2026-Q3`.
    pub quarter: String,
    /// The questionnaire.
    pub form: Form,
}

/// The first microsecond of the quarter in which a moment lies: what was written before is of quarters that are over.
pub fn quarter_began_us(now_us: i64) -> Option<i64> {
    let today = OffsetDateTime::from_unix_timestamp(now_us.div_euclid(1_000_000)).ok()?.date();
    let first = match today.month() {
        Month::January | Month::February | Month::March => Month::January,
        Month::April | Month::May | Month::June => Month::April,
        Month::July | Month::August | Month::September => Month::July,
        Month::October | Month::November | Month::December => Month::October,
    };
    let first = Date::from_calendar_date(today.year(), first, 1).ok()?;
    first.midnight().assume_utc().unix_timestamp().checked_mul(1_000_000)
}

/// What patients answered about a clinician before a moment, one questionnaire of each patient and quarter.
///
/// # Errors
/// A fault of the database.
pub async fn answered(
    store: &Store,
    person: &Key,
    before_us: i64,
) -> Result<Vec<InQuarter>, Fault> {
    let found: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "WITH r AS (SELECT r.response, r.instrument, strftime('%Y', r.authored_us / 1000000, 'unixepoch') || '-Q' || \
           ((strftime('%m', r.authored_us / 1000000, 'unixepoch') + 2) / 3) AS quarter, \
           coalesce(r.patient, e.patient, r.encounter) AS owner \
           FROM response r LEFT JOIN encounter e ON e.encounter = r.encounter \
           WHERE r.person = ?1 AND r.respondent = 'patient' AND r.authored_us < ?2 \
           AND NOT EXISTS (SELECT 1 FROM annotation a WHERE a.encounter = r.encounter AND a.person = r.person \
           AND (a.kind = 'exclude' OR a.kind = 'contest' AND coalesce(a.resolution, 'upheld') = 'upheld'))), \
         c AS (SELECT instrument, quarter, min(response) AS response FROM r WHERE owner IS NOT NULL \
           GROUP BY instrument, quarter, owner) \
         SELECT lower(hex(c.response)), c.quarter, c.instrument, a.item, a.code FROM c \
         JOIN answer a ON a.response = c.response ORDER BY c.instrument, c.quarter, c.response, a.item",
    )
    .bind(&person[..])
    .bind(before_us)
    .fetch_all(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    let mut all: Vec<InQuarter> = Vec::new();
    let mut last = String::new();
    for (response, quarter, instrument, item, code) in found {
        if response != last {
            let respondent = "patient".to_owned();
            let form = Form { instrument, respondent, answers: Vec::new() };
            all.push(InQuarter { quarter, form });
            last = response;
        }
        if let Some(one) = all.last_mut() {
            one.form.answers.push((item, code));
        }
    }
    Ok(all)
}

/// Keeps what was not told before, and returns all that a clinician is told, as it was told first.
///
/// # Errors
/// A fault of the database.
pub async fn keep(
    store: &Store,
    person: &Key,
    made: &[Told],
    now_us: i64,
) -> Result<Vec<Told>, Fault> {
    for told in made {
        sqlx::query(
            "INSERT INTO told (person, quarter, instrument, version, sha256, scale, patients, mean, low, high, at_us) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&person[..])
        .bind(&told.quarter)
        .bind(&told.instrument)
        .bind(&told.version)
        .bind(&told.sha256)
        .bind(&told.scale)
        .bind(&told.patients)
        .bind(told.mean)
        .bind(told.low)
        .bind(told.high)
        .bind(now_us)
        .execute(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    }
    sqlx::query_as(
        "SELECT quarter, instrument, version, scale, patients, mean, low, high, sha256 FROM told WHERE person = ? \
         ORDER BY instrument, scale, quarter",
    )
    .bind(&person[..])
    .fetch_all(store.pool())
    .await
    .map_err(|e| fault(&e))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use time::format_description::well_known::Rfc3339;

    #[test]
    fn a_quarter_begins_on_its_first_day() {
        let us = |text: &str| {
            OffsetDateTime::parse(text, &Rfc3339).unwrap().unix_timestamp() * 1_000_000
        };
        for (now, began) in [
            ("2026-11-22T04:00:00Z", "2026-10-01T00:00:00Z"),
            ("2026-10-01T00:00:00Z", "2026-10-01T00:00:00Z"),
            ("2026-09-30T23:59:59Z", "2026-07-01T00:00:00Z"),
            ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("1969-06-01T00:00:00Z", "1969-04-01T00:00:00Z"),
        ] {
            assert_eq!(quarter_began_us(us(now)).unwrap(), us(began), "{now}");
        }
    }
}
