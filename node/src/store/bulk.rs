//! Writes many rows with few statements.
//!
//! Rows are gathered and sent as one `INSERT … VALUES (…), (…)` a chunk, with bound values: `SQLite` compiles
//! one statement for all full chunks, and nothing is quoted into SQL.
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};

/// Most values one statement binds; `SQLite`'s own limit is 32,766.
const VALUES_MAX: usize = 30_000;
/// Most rows one statement writes.
const ROWS_MAX: usize = 4_000;
/// A chunk is sent once its texts pass this many bytes.
const BYTES_MAX: usize = 8 << 20;

/// One value as `SQLite` knows it.
pub enum Cell {
    /// Absent.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// Gathers rows for one table of the open connection.
pub struct Bulk {
    head: String,
    width: usize,
    rows_max: usize,
    cells: Vec<Cell>,
    bytes: usize,
    rows: u64,
}

impl Bulk {
    /// A writer for `columns` of `table`. Both go into SQL as they are: they must be our own words or
    /// identifiers checked before.
    pub fn new(table: &str, columns: &[&str]) -> Self {
        let width = columns.len().max(1);
        Self {
            head: format!("INSERT INTO {table} ({}) VALUES ", columns.join(", ")),
            width,
            rows_max: (VALUES_MAX / width).clamp(1, ROWS_MAX),
            cells: Vec::new(),
            bytes: 0,
            rows: 0,
        }
    }

    /// Adds a row; sends the chunk when it is full. Drains `row`, which must have one cell a column.
    ///
    /// # Errors
    /// What the database says; a row of another width is a protocol error.
    pub async fn push(
        &mut self,
        connection: &mut SqliteConnection,
        row: &mut Vec<Cell>,
    ) -> Result<(), Error> {
        if row.len() != self.width {
            let found = row.len();
            return Err(Error::Protocol(format!("{found} cells for {} columns", self.width)));
        }
        self.bytes += row.iter().map(Cell::bytes).sum::<usize>();
        self.cells.append(row);
        self.rows += 1;
        if self.cells.len() >= self.rows_max * self.width || self.bytes >= BYTES_MAX {
            self.flush(connection).await?;
        }
        Ok(())
    }

    /// Sends what is left. Returns how many rows were written in all.
    ///
    /// # Errors
    /// What the database says.
    pub async fn flush(&mut self, connection: &mut SqliteConnection) -> Result<u64, Error> {
        let rows = self.cells.len() / self.width;
        if rows == 0 {
            return Ok(self.rows);
        }
        let one = format!("({})", vec!["?"; self.width].join(", "));
        let sql = format!("{}{}", self.head, vec![one; rows].join(", "));
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(rows == self.rows_max);
        for cell in self.cells.drain(..) {
            query = match cell {
                Cell::Null => query.bind(None::<String>),
                Cell::Integer(value) => query.bind(value),
                Cell::Real(value) => query.bind(value),
                Cell::Text(value) => query.bind(value),
                Cell::Blob(value) => query.bind(value),
            };
        }
        query.execute(connection).await?;
        self.bytes = 0;
        Ok(self.rows)
    }
}

impl Cell {
    fn bytes(&self) -> usize {
        match self {
            Cell::Null => 0,
            Cell::Integer(_) | Cell::Real(_) => 8,
            Cell::Text(value) => value.len(),
            Cell::Blob(value) => value.len(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use sqlx::Connection;

    #[tokio::test]
    async fn every_kind_of_cell_arrives_whatever_the_chunk() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE t (a, b, c, d)").execute(&mut connection).await.unwrap();
        let mut bulk = Bulk::new("t", &["a", "b", "c", "d"]);
        let count = 9_001_u32;
        for i in 0..count {
            let mut row = vec![
                Cell::Integer(i64::from(i)),
                Cell::Real(0.5),
                Cell::Text(format!("it's {i}")),
                if i % 2 == 0 { Cell::Null } else { Cell::Blob(vec![0, 255]) },
            ];
            bulk.push(&mut connection, &mut row).await.unwrap();
        }
        assert_eq!(bulk.flush(&mut connection).await.unwrap(), u64::from(count));
        let found: (i64, i64, f64, String, i64) =
            sqlx::query_as("SELECT count(*), sum(a), sum(b), max(c), sum(d = x'00ff') FROM t")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!(found, (9_001, 9_000 * 9_001 / 2, 4_500.5, "it's 999".to_owned(), 4_500));
    }

    #[tokio::test]
    async fn a_row_of_another_width_is_refused() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut bulk = Bulk::new("t", &["a", "b"]);
        let error = bulk.push(&mut connection, &mut vec![Cell::Null]).await;
        assert!(error.unwrap_err().to_string().contains("1 cells for 2 columns"));
    }
}
