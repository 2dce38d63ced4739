//! How many rows of the tables are left after each rule by which a study reads them.
//!
//! ```text
//! all ─► in the period ─► of its clinicians ─► of people who are admitted ─► within the links ─► read
//! ```
//! Counts of the very views and lists that the values are read from; the sentences are those of
//! [`crate::measure::feature`].
use super::contacts::ANSWERS;
use super::population::COUNTED;
use super::{Panel, Span};
use sqlx::{AssertSqlSafe, Error};

/// Of clinicians at work who have a role of the study.
const OF_ROLES: &str = "EXISTS (SELECT 1 FROM main.person s WHERE s.person = t.person AND s.active = 1 \
    AND s.role IN (SELECT role FROM panel_role))";
/// Of clinicians with a row.
const ADMITTED: &str = "t.person IN (SELECT person FROM panel_person)";

/// What is left of the encounters; of each its number of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// In the table.
    pub all: u64,
    /// Of the questionnaires asked for; of encounters all.
    pub asked: u64,
    /// In the period.
    pub period: u64,
    /// Of clinicians with a role of the study.
    pub roles: u64,
    /// Of people who are admitted.
    pub admitted: u64,
    /// Within the links of their patient.
    pub linked: u64,
    /// Read.
    pub read: u64,
}

impl Panel {
    /// What is left of the encounters of the period, rule by rule; `None` if a file is read in place.
    ///
    /// # Errors
    /// What the database says.
    pub async fn narrow_encounters(&mut self) -> Result<Option<Narrowed>, Error> {
        if self.streamed.is_some() {
            return Ok(None);
        }
        let period = "t.start_us >= ?1 AND t.start_us < ?2";
        let all = self.count("SELECT count(*) FROM main.encounter t").await?;
        let counted = [
            format!("FROM main.encounter t WHERE {period}"),
            format!("FROM main.encounter t WHERE {period} AND {OF_ROLES}"),
            format!("FROM panel_seen_encounter t WHERE {period} AND {ADMITTED}"),
            COUNTED.to_owned(),
        ];
        let mut found = [0; 4];
        for (count, rest) in found.iter_mut().zip(counted) {
            *count = self.count(&format!("SELECT count(*) {rest}")).await?;
        }
        let [period, roles, admitted, linked] = found;
        let read = self.count("SELECT count(*) FROM panel_encounter WHERE earlier = 0").await?;
        Ok(Some(Narrowed { all, asked: all, period, roles, admitted, linked, read }))
    }

    /// What is left of the responses to these questionnaires in the period, rule by rule. Each is an instrument with who
    /// fills it in, both of the catalogue's.
    ///
    /// # Errors
    /// What the database says.
    pub async fn narrow_responses(
        &mut self,
        instruments: &[(&str, &'static str)],
    ) -> Result<Narrowed, Error> {
        let all = self.count("SELECT count(*) FROM main.response t").await?;
        let mut sum = Narrowed { all, ..Narrowed::default() };
        let period = "t.authored_us >= ?1 AND t.authored_us < ?2";
        for (instrument, respondent) in instruments {
            let of = format!("t.instrument = '{instrument}'"); // a name: nothing in it to quote
            let answers = ANSWERS
                .replace("?1", &format!("'{instrument}'"))
                .replace("?2", &format!("'{respondent}'"))
                .replace("?3", "?1")
                .replace("?4", "?2");
            let counted = [
                format!("SELECT count(*) FROM main.response t WHERE {of}"),
                format!("SELECT count(*) FROM main.response t WHERE {of} AND {period}"),
                format!(
                    "SELECT count(*) FROM main.response t WHERE {of} AND {period} AND {OF_ROLES}"
                ),
                format!(
                    "SELECT count(*) FROM panel_seen_response t WHERE {of} AND {period} AND {ADMITTED}"
                ),
                format!("{answers} SELECT count(*) FROM r"),
            ];
            let sums = [
                &mut sum.asked,
                &mut sum.period,
                &mut sum.roles,
                &mut sum.admitted,
                &mut sum.linked,
            ];
            for (sum, sql) in sums.into_iter().zip(counted) {
                *sum += self.count(&sql).await?;
            }
            self.choose(instrument, respondent).await?;
            sum.read += self.count("SELECT count(*) FROM panel_response").await?;
        }
        Ok(sum)
    }

    /// A count; `?1` and `?2` are the period.
    async fn count(&mut self, sql: &str) -> Result<u64, Error> {
        let Span { from_us, to_us } = self.period;
        let mut query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        if sql.contains("?1") {
            query = query.bind(from_us).bind(to_us);
        }
        let found: i64 = query.fetch_one(&mut *self.transaction).await?;
        Ok(u64::try_from(found).unwrap_or_default())
    }
}
