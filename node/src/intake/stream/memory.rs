//! How an import shares out the memory it may use.
//!
//! ```text
//! one fifth each    pages of the node's database; pages of the temporary tables; one sort
//! one fifth         rows decoded ahead of the writer
//! the rest          the program itself
//! ```
//! `SQLite` writes what passes its share to the disk: pages into the log or a temporary file, sorts into
//! runs that are merged. The share of a sort is that of the database's pages.
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

/// Parts that [`Memory`] is cut into.
const SHARES: u64 = 5;

/// What an import may use, in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(u32);

impl Memory {
    /// The least: below it `SQLite`'s own pages would not fit.
    pub const MIB_MIN: u32 = 64;
    /// More would be a mistake.
    pub const MIB_MAX: u32 = 1 << 20;

    /// So many MiB, from [`MIB_MIN`](Self::MIB_MIN) to [`MIB_MAX`](Self::MIB_MAX).
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn of_mib(mib: u32) -> Result<Self, String> {
        if (Self::MIB_MIN..=Self::MIB_MAX).contains(&mib) {
            return Ok(Self(mib));
        }
        let (least, most) = (Self::MIB_MIN, Self::MIB_MAX);
        Err(format!("{mib} MiB of memory; expected {least} to {most}"))
    }

    /// Bytes for rows that are decoded ahead.
    pub(in crate::intake) fn decoding_bytes(self) -> u64 {
        (u64::from(self.0) << 20) / SHARES
    }

    /// Holds the connection to its shares.
    pub(in crate::intake) async fn bound(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        let kib = u64::from(self.0) * 1024 / SHARES;
        // A negative size is one in KiB.
        for schema in ["main", "temp"] {
            let sql = format!("PRAGMA {schema}.cache_size = -{kib}");
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
        // Runs of a sort are ordered beside the scan that fills the next one.
        sqlx::query("PRAGMA threads = 1").execute(connection).await?;
        Ok(())
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self(512)
    }
}

impl std::str::FromStr for Memory {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mib = text.parse().map_err(|_| "expected a whole number of MiB".to_owned())?;
        Self::of_mib(mib)
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use sqlx::Connection as _;

    #[tokio::test]
    async fn the_database_keeps_to_its_shares() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        Memory::of_mib(500).unwrap().bound(&mut connection).await.unwrap();
        for pragma in ["PRAGMA main.cache_size", "PRAGMA temp.cache_size"] {
            let found: i64 = sqlx::query_scalar(pragma).fetch_one(&mut connection).await.unwrap();
            assert_eq!(found, -102_400);
        }
        assert_eq!(Memory::default().decoding_bytes(), 512 * (1 << 20) / 5);
    }

    #[test]
    fn too_little_or_too_much_is_refused() {
        assert_eq!("512".parse::<Memory>().unwrap(), Memory::default());
        assert_eq!("63".parse::<Memory>().unwrap_err(), "63 MiB of memory; expected 64 to 1048576");
        assert_eq!("lots".parse::<Memory>().unwrap_err(), "expected a whole number of MiB");
    }
}
