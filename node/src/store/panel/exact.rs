//! Sums of distances from a public centre that are the same in whatever order their values come.
//!
//! ```text
//! d = clamp(v, low, high) − centre        whole = trunc(d · 2²⁰)        rest = trunc((d · 2²⁰ − whole) · 2⁴⁰)
//! Σ d ≈ (2⁴⁰ Σ whole + Σ rest) / 2⁶⁰      error of a value < 2⁻⁶⁰; the sums of whole numbers have none
//! ```
//! Floating point would give a sum another last digit with each order of its rows: tables come in the order of keys, a
//! streamed file in its own, on several threads. `d · 2²⁰` and the subtraction of its whole part are exact (a power
//! of two; fewer digits than there were), so SQL and Rust cut off the same.
use super::{Bounds, Tally};

/// 2²⁰ and 2⁴⁰.
const WHOLE: f64 = 1_048_576.0;
const REST: f64 = 1_099_511_627_776.0;
/// Distances beyond this would leave too little room for the sum of a million of them.
const DISTANCE_MAX: f64 = 8_388_608.0;

/// How many values, and the sum of their distances in units of 2⁻⁶⁰.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exact {
    n: u64,
    sum: i128,
}

impl Exact {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64, bounds: &Bounds) {
        let (whole, rest) = parts(bounds.deviation(value));
        self.n = self.n.saturating_add(1);
        self.sum = self.sum.saturating_add((i128::from(whole) << 40) + i128::from(rest));
    }

    /// Of sums that SQL made: how many values, Σ whole, Σ rest.
    pub(crate) fn of(n: i64, whole: i64, rest: i64) -> Self {
        let n = u64::try_from(n).unwrap_or_default();
        Self { n, sum: (i128::from(whole) << 40) + i128::from(rest) }
    }

    /// Adds another sum.
    pub(crate) fn join(&mut self, other: Self) {
        self.n = self.n.saturating_add(other.n);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// The sum as a number.
    #[expect(clippy::cast_precision_loss, reason = "rounded once, to the nearest number")]
    pub(crate) fn tally(self) -> Tally {
        let deviation = self.sum as f64 / (WHOLE * REST);
        Tally { n: u32::try_from(self.n).unwrap_or(u32::MAX), deviation }
    }
}

/// The query for `i, n, Σ whole, Σ rest` of the value `v` of some rows, by clinician; its parameters are low, high and centre.
pub(super) fn query(rows: &str) -> String {
    let distance = "min(max(v, ?1), ?2) - ?3";
    let held = format!("min(max({distance}, {:?}), {DISTANCE_MAX:?})", -DISTANCE_MAX);
    format!(
        "SELECT i, count(*), sum(whole), sum(CAST((d - whole) * {REST:?} AS INTEGER)) FROM \
         (SELECT i, d, CAST(d AS INTEGER) AS whole FROM (SELECT i, {held} * {WHOLE:?} AS d FROM ({rows}) WHERE v IS NOT NULL)) GROUP BY i"
    )
}

#[expect(clippy::cast_possible_truncation, reason = "cut off, as SQL does; both lie far within")]
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn parts(distance: f64) -> (i64, i64) {
    let d = distance.clamp(-DISTANCE_MAX, DISTANCE_MAX) * WHOLE;
    let whole = d as i64;
    (whole, ((d - whole as f64) * REST) as i64)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use sqlx::sqlite::SqliteConnection;
    use sqlx::{AssertSqlSafe, Connection as _};

    /// 5,000 values of every size, the same in every run.
    fn values() -> Vec<f64> {
        let mut state = 7_u64;
        let next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let share = f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX);
            (share - 0.2) * 10_f64.powi(i32::try_from((state >> 28) % 9).unwrap() - 4)
        };
        std::iter::repeat_with(next).take(5_000).collect()
    }

    #[tokio::test]
    async fn sql_and_rust_agree_to_the_last_bit_in_any_order() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE panel_encounter (i INTEGER, minutes REAL)")
            .execute(&mut connection)
            .await
            .unwrap();
        for (low, high, centre) in [(0.0, 1.0, 0.3), (-5.0, 1e4, 0.1), (0.0, 1e12, 1e12)] {
            let bounds = Bounds { low, high, centre };
            sqlx::query("DELETE FROM panel_encounter").execute(&mut connection).await.unwrap();
            for value in values() {
                sqlx::query("INSERT INTO panel_encounter VALUES (1, ?)")
                    .bind(value)
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
            let (_, n, whole, rest): (i64, i64, i64, i64) =
                sqlx::query_as(AssertSqlSafe(query("SELECT i, minutes AS v FROM panel_encounter")))
                    .bind(low)
                    .bind(high)
                    .bind(centre)
                    .fetch_one(&mut connection)
                    .await
                    .unwrap();
            let (mut forwards, mut backwards) = (Exact::default(), Exact::default());
            for value in values() {
                forwards.add(value, &bounds);
            }
            let mut other = Exact::default();
            values().iter().rev().take(999).for_each(|v| other.add(*v, &bounds));
            values().iter().rev().skip(999).for_each(|v| backwards.add(*v, &bounds));
            backwards.join(other);
            assert_eq!(Exact::of(n, whole, rest), forwards);
            assert_eq!(forwards, backwards);
        }
    }

    #[test]
    fn the_sum_is_the_one_of_exact_arithmetic() {
        let bounds = Bounds { low: 0.0, high: 100.0, centre: 0.0 };
        let mut tenths = Exact::default();
        (0..1_000_000).for_each(|_| tenths.add(0.1, &bounds));
        let tally = tenths.tally();
        assert_eq!(tally.n, 1_000_000);
        assert!((tally.deviation - 100_000.0).abs() < 1e-9, "{}", tally.deviation);
    }
}
