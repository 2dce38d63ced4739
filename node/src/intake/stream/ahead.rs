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
