//! How many meetings, or answers of patients, stand behind each clinician's row (what cells are weighed by), and what
//! share of them was excluded.
use super::{Bounds, Detail, Panel, Tally};
use sqlx::Error;

/// By what encounters are counted: every one has an acuity.
pub(crate) const COUNTED: Bounds = Bounds { low: 1.0, high: 5.0, centre: 3.0 };

/// Responses `r` by instrument `?1` and respondent `?2`, from `?3` up to, not including, `?4`, about a clinician with a
/// row: whose each is, and whether it was excluded. A clinician's own have no patient, even if they name an encounter.
pub(super) const ANSWERS: &str = "WITH a AS (SELECT r.response, r.person, CASE r.respondent WHEN 'patient' \
    THEN coalesce(r.patient, e.patient, r.encounter) END AS patient, \
    EXISTS (SELECT 1 FROM annotation n WHERE n.encounter = r.encounter AND n.person = r.person \
    AND (n.kind = 'exclude' OR n.kind = 'contest' AND coalesce(n.resolution, 'upheld') = 'upheld')) AS excluded \
    FROM panel_seen_response r LEFT JOIN panel_all_encounter e ON e.encounter = r.encounter \
    WHERE r.instrument = ?1 AND r.respondent = ?2 AND r.authored_us >= ?3 AND r.authored_us < ?4), \
    r AS (SELECT p.i, a.response, coalesce(a.patient, a.response) AS owner, a.excluded FROM a \
    CROSS JOIN panel_person p ON p.person = a.person WHERE a.patient IS NULL OR EXISTS (SELECT 1 FROM panel_link l \
    WHERE l.patient = a.patient AND l.person = a.person))";

impl Panel {
    /// For each clinician, the share that they excluded, 0 to 1: of their encounters, and of the patients who answered
    /// each questionnaire that was chosen, the largest, in the period and in the earlier days.
    pub fn excluded_shares(&self) -> &[f64] {
        &self.excluded_shares
    }

    /// Takes shares in, of clinicians who excluded something.
    pub(super) fn left_out(&mut self, found: Vec<(i64, f64)>) {
        let found = self.spread(found);
        self.excluded_shares.resize(found.len(), 0.0);
        for (share, found) in self.excluded_shares.iter_mut().zip(found) {
            *share = share.max(found);
        }
    }

    /// Encounters that count. Every one has an acuity, so its tally counts them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn met(&mut self) -> Result<Vec<u32>, Error> {
        let tallies = self.encounters(Detail::Acuity, &COUNTED).await?;
        Ok(tallies.iter().map(|tally: &Tally| tally.n).collect())
    }

    /// Patients of whom an answer by one of these instruments counts, as [`choose`](Self::choose) chooses them: each
    /// once, however many they filled in.
    ///
    /// # Errors
    /// What the database says.
    pub async fn answered(&mut self, instruments: &[&str]) -> Result<Vec<u32>, Error> {
        for sql in [
            "CREATE TEMP TABLE IF NOT EXISTS panel_answered (i INTEGER, patient BLOB, PRIMARY KEY (i, patient)) WITHOUT ROWID",
            "DELETE FROM panel_answered",
        ] {
            sqlx::query(sql).execute(&mut *self.transaction).await?;
        }
        for instrument in instruments {
            self.choose(instrument, "patient").await?;
            sqlx::query(
                "INSERT OR IGNORE INTO panel_answered \
                 SELECT c.i, coalesce(r.patient, e.patient, r.encounter, r.response) \
                 FROM panel_response c CROSS JOIN main.response r ON r.response = c.response \
                 LEFT JOIN panel_all_encounter e ON e.encounter = r.encounter",
            )
            .execute(&mut *self.transaction)
            .await?;
        }
        let sql = "SELECT i, count(*) FROM panel_answered GROUP BY i";
        let found: Vec<(i64, i64)> = sqlx::query_as(sql).fetch_all(&mut *self.transaction).await?;
        let whole = |(i, n)| (i, u32::try_from(n).unwrap_or(u32::MAX));
        Ok(self.spread(found.into_iter().map(whole).collect()))
    }
}
