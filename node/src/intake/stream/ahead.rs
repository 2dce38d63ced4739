//! Decodes rows on threads of their own while the writer writes, in the order of the file.
//!
//! Each decoder is at most [`WAITING`] chunks ahead. Of a Parquet file several row groups are decoded at
//! once, as many as their unpacked sizes leave room for; what they yield is taken in the groups' order, so
//! that the same file gives the same rows whatever the machine.
use super::Memory;
use crate::intake::source::Rows;
use crate::intake::source::parquet::ParquetFile;
use crate::store::bulk::{Chunk, Gather};
use crate::store::fault;
use std::sync::Arc;
use tacit_shared::fault::Fault;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Chunks that may wait for the writer, of each decoder.
const WAITING: usize = 2;
/// More decoders than this never helped one writer.
const DECODERS_MAX: usize = 4;

/// What a decoder says.
enum Said {
    /// Rows, and how far it is.
    Chunk(Chunk, u64),
    /// The stretch it was reading is done.
    Done,
    /// The file cannot be read further.
    Broken(Fault),
}

/// Rows that are decoded ahead, in the order of the file.
pub(in crate::intake) struct Ahead {
    /// Each decoder's words; stretch `i` comes from decoder `i mod n`.
    decoders: Vec<Receiver<Said>>,
    stretches: usize,
    current: usize,
}

impl Ahead {
    /// Decodes rows on one thread.
    pub(in crate::intake) fn of_rows(rows: Box<dyn Rows>, gather: Gather) -> Result<Self, Fault> {
        let (to, from) = channel(WAITING);
        spawn(move || {
            let mut gather = gather;
            read(rows, &mut gather, &to);
        })?;
        Ok(Self { decoders: vec![from], stretches: 1, current: 0 })
    }

    /// Decodes a Parquet file's row groups on as many threads as there are cores and memory; `gather` makes
    /// each its own.
    pub(in crate::intake) fn of_groups(
        file: ParquetFile,
        gather: impl Fn() -> Gather,
        memory: Memory,
    ) -> Result<Self, Fault> {
        let stretches = file.groups();
        let file = Arc::new(file);
        let room = usize::try_from(memory.decoding_bytes() / file.group_bytes_max());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let most = cores.min(DECODERS_MAX).min(room.unwrap_or(usize::MAX)).min(stretches).max(1);
        let mut decoders = Vec::with_capacity(most);
        for first in 0..most {
            let (to, from) = channel(WAITING);
            let (file, mut gather) = (Arc::clone(&file), gather());
            spawn(move || {
                for group in (first..stretches).step_by(most) {
                    match file.group(group) {
                        Ok(rows) => {
                            if !read(Box::new(rows), &mut gather, &to) {
                                return;
                            }
                        }
                        Err(found) => {
                            tell(&to, Said::Broken(found));
                            return;
                        }
                    }
                }
            })?;
            decoders.push(from);
        }
        Ok(Self { decoders, stretches, current: 0 })
    }

    /// The next rows, and how far the file was read; `None` after the last.
    pub(in crate::intake) async fn next(&mut self) -> Result<Option<(Chunk, u64)>, Fault> {
        while self.current < self.stretches {
            let which = self.current % self.decoders.len().max(1);
            let said = match self.decoders.get_mut(which) {
                Some(decoder) => decoder.recv().await,
                None => None,
            };
            match said {
                Some(Said::Chunk(chunk, position)) => return Ok(Some((chunk, position))),
                Some(Said::Done) => self.current += 1,
                Some(Said::Broken(found)) => return Err(found),
                None => return Err(Fault::bug("a decoder ended before its file")),
            }
        }
        Ok(None)
    }
}

/// Reads one stretch to its end; `false` if it cannot go on or nobody listens.
fn read(mut rows: Box<dyn Rows>, gather: &mut Gather, to: &Sender<Said>) -> bool {
    let mut row = Vec::with_capacity(rows.columns().len() + 1);
    loop {
        match rows.next(&mut row) {
            Ok(true) => {}
            Ok(false) => break,
            Err(found) => {
                tell(to, Said::Broken(found));
                return false;
            }
        }
        match gather.push(&mut row) {
            Ok(None) => {}
            Ok(Some(chunk)) => {
                if !tell(to, Said::Chunk(chunk, rows.position())) {
                    return false;
                }
            }
            Err(error) => {
                tell(to, Said::Broken(fault(&error)));
                return false;
            }
        }
    }
    if let Some(chunk) = gather.rest() {
        tell(to, Said::Chunk(chunk, rows.position()));
    }
    tell(to, Said::Done)
}

/// Waits until there is room; `false` if nobody listens any more.
fn tell(to: &Sender<Said>, said: Said) -> bool {
    to.blocking_send(said).is_ok()
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), Fault> {
    let made = std::thread::Builder::new().name("decoder".to_owned()).spawn(work);
    made.map(drop).map_err(|e| Fault::operator(format!("no thread could be started: {e}")))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::intake::source::csv::CsvRows;
    use crate::store::bulk::Bulk;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;
    use sqlx::Connection as _;
    use sqlx::sqlite::SqliteConnection;
    use std::path::{Path, PathBuf};

    /// A file of 10,007 rows in groups of `group`; the value is the row's number times 3.
    fn parquet(dir: &Path, group: usize) -> PathBuf {
        let path = dir.join(format!("{group}.parquet"));
        let values: ArrayRef = Arc::new((1..=10_007_i64).map(|n| n * 3).collect::<Int64Array>());
        let batch = RecordBatch::try_from_iter([("a", values)]).unwrap();
        let groups = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(groups)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    /// Writes all there is into a table, and yields how far the decoders said they were.
    async fn write(
        ahead: impl FnOnce(&Bulk) -> Ahead,
    ) -> Result<(SqliteConnection, Vec<u64>), Fault> {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE t (line, a)").execute(&mut connection).await.unwrap();
        let mut bulk = Bulk::new("t", &["line", "a"]);
        let mut ahead = ahead(&bulk);
        let mut positions = Vec::new();
        while let Some((chunk, position)) = ahead.next().await? {
            bulk.write(&mut connection, chunk).await.unwrap();
            positions.push(position);
        }
        Ok((connection, positions))
    }

    #[tokio::test]
    async fn row_groups_arrive_in_order_however_many_are_decoded_at_once() {
        let dir = tempfile::tempdir().unwrap();
        for group in [999, 20_000] {
            for mib in [Memory::MIB_MIN, 4_096] {
                let file = ParquetFile::open(&parquet(dir.path(), group)).unwrap();
                let memory = Memory::of_mib(mib).unwrap();
                let (mut connection, positions) =
                    write(|bulk| Ahead::of_groups(file, || bulk.gather(), memory).unwrap())
                        .await
                        .unwrap();
                assert!(positions.is_sorted());
                assert_eq!(positions.last(), Some(&10_007));
                let wrong = "SELECT count(*), sum(a <> 3 * line OR line <> rowid) FROM t";
                let found: (i64, i64) =
                    sqlx::query_as(wrong).fetch_one(&mut connection).await.unwrap();
                assert_eq!(found, (10_007, 0));
            }
        }
    }

    #[tokio::test]
    async fn a_damaged_group_is_told_and_ends_the_reading() {
        let dir = tempfile::tempdir().unwrap();
        let path = parquet(dir.path(), 999);
        let file = ParquetFile::open(&path).unwrap();
        // Cut off after its footer was read: the groups of the second half are gone.
        let middle = std::fs::metadata(&path).unwrap().len() / 2;
        std::fs::File::options().write(true).open(&path).unwrap().set_len(middle).unwrap();
        let memory = Memory::default();
        let found = write(|bulk| Ahead::of_groups(file, || bulk.gather(), memory).unwrap()).await;
        let message = found.err().unwrap().message;
        assert!(message.starts_with("the file is not sound Parquet"), "{message}");
    }

    #[tokio::test]
    async fn a_bad_line_is_told_after_the_chunks_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let text = format!("a\n{}x,y\n", "1\n".repeat(9_000));
        std::fs::write(&path, text).unwrap();
        let rows = CsvRows::open(&path).unwrap();
        let found = write(|bulk| Ahead::of_rows(Box::new(rows), bulk.gather()).unwrap()).await;
        assert_eq!(found.err().unwrap().message, "the row has 2 fields; the header has 1");
    }
}
