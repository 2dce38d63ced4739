//! How many values of encounters lie outside of a study's bounds, before they are clipped.
use super::{Bounds, Detail, Panel};
use sqlx::{AssertSqlSafe, Error};

/// Values, and how many of them are outside of bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clipped {
    /// How many values there are.
    pub values: u64,
    /// How many lie below the bounds.
    pub low: u64,
    /// How many lie above.
    pub high: u64,
}

impl Clipped {
    /// Counts one more value.
    pub fn count(&mut self, value: f64, bounds: &Bounds) {
        self.values = self.values.saturating_add(1);
        self.low = self.low.saturating_add(u64::from(value < bounds.low));
        self.high = self.high.saturating_add(u64::from(value > bounds.high));
    }
}

impl Panel {
    /// Counts the values of the encounters that count.
    ///
    /// # Errors
    /// What the database says.
    pub async fn clipped(&mut self, what: Detail<'_>, bounds: &Bounds) -> Result<Clipped, Error> {
        if let Some(streamed) = &self.streamed {
            return streamed.clipped(what, bounds);
        }
        let sql = format!(
            "SELECT count(*), coalesce(sum(v < ?), 0), coalesce(sum(v > ?), 0) FROM \
             (SELECT {} AS v FROM panel_encounter WHERE earlier = 0) WHERE v IS NOT NULL",
            what.sql()
        );
        let (values, low, high): (i64, i64, i64) = sqlx::query_as(AssertSqlSafe(sql))
            .bind(bounds.low)
            .bind(bounds.high)
            .fetch_one(&mut *self.transaction)
            .await?;
        let whole = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok(Clipped { values: whole(values), low: whole(low), high: whole(high) })
    }
}
