//! Writes many rows with few statements.
//!
//! Rows are gathered and sent as one `INSERT … VALUES (…), (…)` a chunk, with bound values: `SQLite` compiles
//! one statement for all full chunks, and nothing is quoted into SQL. A [`Gather`] binds the values of a chunk and may do so on
//! another thread than the one that writes.
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Error};
use std::sync::Arc;

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

/// Rows that are bound and wait to be written.
#[derive(Default)]
pub struct Chunk {
    arguments: SqliteArguments,
    rows: usize,
    bytes: usize,
}

/// Gathers rows of one width into chunks.
pub struct Gather {
    width: usize,
    rows_max: usize,
    chunk: Chunk,
}

impl Gather {
    fn new(width: usize) -> Self {
        let rows_max = (VALUES_MAX / width).clamp(1, ROWS_MAX);
        Self { width, rows_max, chunk: Chunk::default() }
    }

    /// Adds a row; yields the chunk that is full with it. Drains `row`, which must have one cell a column.
    ///
    /// # Errors
    /// A row of another width is a protocol error.
    pub fn push(&mut self, row: &mut Vec<Cell>) -> Result<Option<Chunk>, Error> {
        if row.len() != self.width {
            let found = row.len();
            return Err(Error::Protocol(format!("{found} cells for {} columns", self.width)));
        }
        let chunk = &mut self.chunk;
        if chunk.rows == 0 {
            chunk.arguments.reserve(self.rows_max * self.width, 0);
        }
        for cell in row.drain(..) {
            chunk.bytes += cell.bytes();
            let added = match cell {
                Cell::Null => chunk.arguments.add(None::<String>),
                Cell::Integer(value) => chunk.arguments.add(value),
                Cell::Real(value) => chunk.arguments.add(value),
                Cell::Text(value) => chunk.arguments.add(value),
                Cell::Blob(value) => chunk.arguments.add(value),
            };
            added.map_err(Error::Encode)?;
        }
        chunk.rows += 1;
        let full = chunk.rows >= self.rows_max || chunk.bytes >= BYTES_MAX;
        Ok(full.then(|| std::mem::take(&mut self.chunk)))
    }

    /// The rows that fill no chunk, if there are any.
    pub fn rest(&mut self) -> Option<Chunk> {
        (self.chunk.rows > 0).then(|| std::mem::take(&mut self.chunk))
    }
}

/// Writes rows into one table of the open connection.
pub struct Bulk {
    head: String,
    /// The statement of a full chunk, made with the first.
    full: Option<Arc<str>>,
    gather: Gather,
    rows: u64,
}

impl Bulk {
    /// A writer for `columns` of `table`. Both go into SQL as they are: they must be our own words or
    /// identifiers checked before.
    pub fn new(table: &str, columns: &[&str]) -> Self {
        Self {
            head: format!("INSERT INTO {table} ({}) VALUES ", columns.join(", ")),
            full: None,
            gather: Gather::new(columns.len().max(1)),
            rows: 0,
        }
    }

    /// What gathers rows for this table elsewhere; its chunks go to [`write`](Self::write).
    pub fn gather(&self) -> Gather {
        Gather::new(self.gather.width)
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
        match self.gather.push(row)? {
            Some(chunk) => self.write(connection, chunk).await,
            None => Ok(()),
        }
    }

    /// Sends what is left. Returns how many rows were written in all.
    ///
    /// # Errors
    /// What the database says.
    pub async fn flush(&mut self, connection: &mut SqliteConnection) -> Result<u64, Error> {
        if let Some(chunk) = self.gather.rest() {
            self.write(connection, chunk).await?;
        }
        Ok(self.rows)
    }

    /// Sends a chunk that [`gather`](Self::gather) made.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write(
        &mut self,
        connection: &mut SqliteConnection,
        chunk: Chunk,
    ) -> Result<(), Error> {
        let full = chunk.rows == self.gather.rows_max;
        let sql = match &self.full {
            Some(sql) if full => Arc::clone(sql),
            _ => self.statement(chunk.rows),
        };
        if full {
            self.full = Some(Arc::clone(&sql));
        }
        let query = sqlx::query_with(AssertSqlSafe(sql), chunk.arguments).persistent(full);
        self.rows += query.execute(connection).await?.rows_affected();
        Ok(())
    }

    fn statement(&self, rows: usize) -> Arc<str> {
        let one = format!("({})", vec!["?"; self.gather.width].join(","));
        format!("{}{}", self.head, vec![one; rows].join(",")).into()
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
