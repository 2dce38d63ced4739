//! How many meetings, or answers of patients, stand behind each clinician's row (what cells are weighed by), what share
//! of them was excluded, and which kind of data a recording's feature is.
use super::{Bounds, Detail, Panel, Tally};
use sqlx::Error;
use tacit_shared::study::modality::Modality;

/// By what encounters are counted: every one has an acuity.
pub(crate) const COUNTED: Bounds = Bounds { low: 1.0, high: 5.0, centre: 3.0 };

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

    /// Filled-in questionnaires of patients that are read, of the span.
    ///
    /// # Errors
    /// What the database says.
    pub async fn answered(&mut self) -> Result<Vec<u32>, Error> {
        let span = self.span();
        let found: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT p.i, count(*) FROM panel_seen_response r CROSS JOIN panel_person p ON p.person = r.person \
             WHERE r.respondent = 'patient' AND r.authored_us >= ? AND r.authored_us < ? GROUP BY p.i",
        )
        .bind(span.from_us)
        .bind(span.to_us)
        .fetch_all(&mut *self.transaction)
        .await?;
        let whole = |(i, n)| (i, u32::try_from(n).unwrap_or(u32::MAX));
        Ok(self.spread(found.into_iter().map(whole).collect()))
    }
}

/// The kind of data a feature of a recording is.
pub(super) fn recorded_by(feature: &str) -> Modality {
    let skin = ["scl", "scr", "eda", "low_contact"].iter().any(|start| feature.starts_with(start));
    if skin { Modality::SkinConductance } else { Modality::Heart }
}
