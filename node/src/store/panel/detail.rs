//! The numbers of encounters that means are taken of, and how they are tallied.
//!
//! ```text
//! Tally = (n, Σ (clamp(v, low, high) − centre))      n: encounters of a clinician in which v is known
//! ```
//! Every bound, word and typical value is public, from a study or a composite's file: what one encounter adds to its
//! clinician's tally rests on that encounter alone. [`Panel::continuity`] looks at earlier ones too, of the same
//! clinician and patient.
use super::exact::{self, Exact};
use super::population::COUNTED;
use super::{Panel, Span, streamed};
use sqlx::{AssertSqlSafe, Error};
use std::fmt::Write as _;
use tacit_shared::id::FeatureId;
use tacit_shared::study::source::{Channel, PatientGroup};

/// Public typical minutes of encounters of a specialty and channel; one that is not named stands for any.
#[derive(Clone, Debug, PartialEq)]
pub struct Typical {
    /// The specialty.
    pub specialty: Option<FeatureId>,
    /// The channel.
    pub channel: Option<Channel>,
    /// The minutes, above 0.
    pub minutes: f64,
}

/// A number of the encounter table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detail<'a> {
    /// 1 to 5.
    Acuity,
    /// Minutes.
    Minutes,
    /// Minutes, of encounters by one channel.
    MinutesBy(Channel),
    /// Minutes over what is typical: of the entries the first that fits counts.
    MinutesRatio(&'a [Typical]),
    /// Minutes in which a person was with the patient.
    PresenceMinutes,
    /// Minutes of documentation that a scribe took over.
    ScribeMinutes,
    /// Minutes of a call.
    CallMinutes,
    /// 0 to 1.
    AiShare,
    /// 1 if not in person.
    Remote,
    /// 1 if by that channel.
    By(Channel),
    /// 1 if of acuity 1 or 2.
    Routine,
    /// 1 if with an interpreter.
    Interpreter,
    /// 1 if in that language.
    Language(&'a FeatureId),
    /// 1 if in another language.
    OtherLanguage(&'a FeatureId),
    /// 1 if with a patient of that group.
    Group(PatientGroup, &'a FeatureId),
    /// 1 if a readmission followed within 30 days.
    Readmitted,
    /// 1 if an emergency visit followed within 30 days.
    Emergency,
}

impl Detail<'_> {
    /// The number as SQL over the panel's encounters; NULL where it is not known. Words are names of a study or of a
    /// composite's file, so there is nothing in them to quote.
    pub(super) fn sql(self) -> String {
        let plain = match self {
            Detail::Acuity => "acuity",
            Detail::Minutes => "minutes",
            Detail::PresenceMinutes => "presence_minutes",
            Detail::ScribeMinutes => "scribe_minutes",
            Detail::CallMinutes => "call_minutes",
            Detail::AiShare => "ai_share",
            Detail::Remote => "remote",
            Detail::Interpreter => "interpreter",
            Detail::Readmitted => "readmit_30d",
            Detail::Emergency => "ed_30d",
            Detail::Routine => "acuity <= 2",
            Detail::MinutesBy(by) => {
                return format!("CASE WHEN channel = '{}' THEN minutes END", by.word());
            }
            Detail::By(by) => return format!("channel = '{}'", by.word()),
            Detail::Language(word) => return format!("language = '{word}'"),
            Detail::OtherLanguage(word) => return format!("language <> '{word}'"),
            Detail::Group(column, word) => return format!("{} = '{word}'", group(column)),
            Detail::MinutesRatio(typical) => return ratio(typical),
        };
        plain.to_owned()
    }
}

/// The column that a group of patients stands in.
pub(crate) fn group(column: PatientGroup) -> &'static str {
    match column {
        PatientGroup::AgeBand => "patient_age_band",
        PatientGroup::DeprivationBand => "deprivation_band",
        PatientGroup::Payer => "payer",
        PatientGroup::Group => "patient_group",
    }
}

fn ratio(typical: &[Typical]) -> String {
    let mut sql = "minutes / CASE".to_owned();
    for Typical { specialty, channel, minutes } in typical {
        sql.push_str(" WHEN 1");
        if let Some(specialty) = specialty {
            let _ = write!(sql, " AND specialty = '{specialty}'"); // a String
        }
        if let Some(channel) = channel {
            let _ = write!(sql, " AND channel = '{}'", channel.word());
        }
        let _ = write!(sql, " THEN {minutes:?}");
    }
    sql.push_str(" END");
    sql
}

/// Values of a clinician: how many, and the sum of their distances from a public centre.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// How many.
    pub n: u32,
    /// Σ (clamp(v, low, high) − centre).
    pub deviation: f64,
}

/// Public bounds of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Lowest value counted.
    pub low: f64,
    /// Highest value counted.
    pub high: f64,
    /// What deviations are taken from.
    pub centre: f64,
}

impl Bounds {
    /// The distance of a value from the centre, once it is within bounds.
    pub fn deviation(&self, value: f64) -> f64 {
        value.clamp(self.low, self.high) - self.centre
    }
}

impl Panel {
    /// Values of the encounters that count.
    ///
    /// # Errors
    /// What the database says.
    pub async fn encounters(
        &mut self,
        what: Detail<'_>,
        bounds: &Bounds,
    ) -> Result<Vec<Tally>, Error> {
        if let Some(streamed) = &self.streamed {
            return streamed.tallies((what, self.when), bounds);
        }
        let flag = self.when.flag();
        let rows =
            format!("SELECT i, {} AS v FROM panel_encounter WHERE earlier = {flag}", what.sql());
        let found = sqlx::query_as(AssertSqlSafe(exact::query(&rows)))
            .bind(bounds.low)
            .bind(bounds.high)
            .bind(bounds.centre)
            .fetch_all(&mut *self.transaction)
            .await?;
        Ok(self.tallies(found))
    }

    /// Of the encounters that count and name a patient: 1 where the clinician had met the patient before, as far as
    /// the tables go back, 0 where not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn continuity(&mut self, bounds: &Bounds) -> Result<Vec<Tally>, Error> {
        let Span { from_us, to_us } = self.span();
        if self.streamed.is_some() {
            return Err(streamed::not_there("whom a clinician met before"));
        }
        // Times are whole numbers of our own: they can stand in the text.
        let counted = COUNTED.replace("?1", &from_us.to_string()).replace("?2", &to_us.to_string());
        let rows = format!(
            "SELECT p.i AS i, EXISTS (SELECT 1 FROM panel_seen_encounter b WHERE b.patient = e.patient \
             AND b.person = e.person AND b.start_us < e.start_us) AS v {counted} AND e.patient IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM annotation a WHERE a.encounter = e.encounter AND a.person = e.person \
             AND (a.kind = 'exclude' OR a.kind = 'contest' AND coalesce(a.resolution, 'upheld') = 'upheld'))"
        );
        let found = sqlx::query_as(AssertSqlSafe(exact::query(&rows)))
            .bind(bounds.low)
            .bind(bounds.high)
            .bind(bounds.centre)
            .fetch_all(&mut *self.transaction)
            .await?;
        Ok(self.tallies(found))
    }

    /// Interruptions an hour over the encounters that count and of which they are known: of how many, and the number.
    ///
    /// # Errors
    /// What the database says.
    pub async fn interruptions(&mut self) -> Result<Vec<Option<(u32, f64)>>, Error> {
        if self.streamed.is_some() {
            return Err(streamed::not_there("interruptions an hour"));
        }
        let found: Vec<(i64, i64, Option<f64>)> = sqlx::query_as(
            "SELECT i, count(*), sum(interruptions) * 60.0 / nullif(sum(minutes), 0) FROM panel_encounter \
             WHERE earlier = ? AND interruptions IS NOT NULL GROUP BY i",
        )
        .bind(self.when.flag())
        .fetch_all(&mut *self.transaction)
        .await?;
        let rate = |(i, n, rate): (i64, i64, Option<f64>)| {
            (i, rate.map(|rate| (u32::try_from(n).unwrap_or(u32::MAX), rate)))
        };
        Ok(self.spread(found.into_iter().map(rate).collect()))
    }

    fn tallies(&self, found: Vec<(i64, i64, i64, i64)>) -> Vec<Tally> {
        let exact = |(i, n, whole, rest)| (i, Exact::of(n, whole, rest));
        let sums = self.spread(found.into_iter().map(exact).collect());
        sums.into_iter().map(Exact::tally).collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn of_typical_minutes_the_first_entry_that_fits_counts() {
        let of = |specialty: Option<&str>, channel, minutes| Typical {
            specialty: specialty.map(|word| word.parse().unwrap()),
            channel,
            minutes,
        };
        let typical = [
            of(Some("internal"), Some(Channel::InPerson), 20.0),
            of(None, Some(Channel::Phone), 9.5),
            of(None, None, 15.0),
        ];
        assert_eq!(
            Detail::MinutesRatio(&typical).sql(),
            "minutes / CASE WHEN 1 AND specialty = 'internal' AND channel = 'in_person' THEN 20.0 \
             WHEN 1 AND channel = 'phone' THEN 9.5 WHEN 1 THEN 15.0 END"
        );
    }
}
