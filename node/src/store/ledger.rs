//! The ledger's journal: one row a charge, durable when the statement returns.
//!
//! The database runs with `synchronous = FULL`, so a commit is on the disk before it is reported. The
//! bytes of an entry are kept as they were hashed.
use super::Store;
use sqlx::Row as _;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::privacy::ledger::{Entry, Journal, Ledger, LedgerError, Limits};

/// The place that every fault of the ledger names.
pub const PLACE: &str = "privacy ledger";

/// Why an entry was not written or not read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The database refused.
    #[error("the database refused: {0}")]
    Database(#[from] sqlx::Error),
    /// An entry on disk is not one.
    #[error("entry {sequence} of the ledger is damaged")]
    Damaged {
        /// Its number.
        sequence: i64,
    },
    /// An entry has no encoding.
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
    /// More entries than the database can number.
    #[error("the ledger is full")]
    Full,
}

/// The journal of a node's database.
#[derive(Clone, Debug)]
pub struct StoreJournal {
    store: Store,
}

impl Journal for StoreJournal {
    type Error = JournalError;

    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let sequence = i64::try_from(entry.sequence).map_err(|_| JournalError::Full)?;
        sqlx::query("INSERT INTO ledger (sequence, entry) VALUES (?, ?)")
            .bind(sequence)
            .bind(codec::encode(entry)?)
            .execute(self.store.pool())
            .await?;
        Ok(())
    }
}

/// Reads every entry, in order.
///
/// # Errors
/// [`JournalError`] naming the first damaged entry.
pub async fn entries(store: &Store) -> Result<Vec<Entry>, JournalError> {
    let rows = sqlx::query("SELECT sequence, entry FROM ledger ORDER BY sequence")
        .fetch_all(store.pool())
        .await?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let sequence: i64 = row.try_get("sequence")?;
        let bytes: Vec<u8> = row.try_get("entry")?;
        codec::decode(&bytes).map_err(|_| JournalError::Damaged { sequence })
    };
    rows.iter().map(read).collect()
}

/// Opens the ledger of a node. Whether it was set back is [`super::receipt`]'s to say.
///
/// # Errors
/// An operator's fault if the chain is broken: then nothing is answered until a person looked.
pub async fn open(store: &Store, limits: Limits) -> Result<Ledger<StoreJournal>, Fault> {
    let entries = entries(store).await.map_err(|e| broken(&e))?;
    let journal = StoreJournal { store: store.clone() };
    Ledger::open(journal, &entries, limits).map_err(|e| broken(&e))
}

/// Why the entries are no ledger, for a person.
pub fn broken(error: &dyn std::error::Error) -> Fault {
    Fault::operator(error.to_string())
        .at(PLACE)
        .hint("was the database restored from a backup? answering again would spend a budget twice")
}

/// A refusal of the ledger, for a person.
pub fn refusal(error: &LedgerError<JournalError>) -> Fault {
    let fault = Fault::operator(error.to_string());
    match error {
        LedgerError::BudgetExceeded { .. } => fault
            .at(PLACE)
            .hint("`[budget]` in node.toml bounds what this site spends, over everything, a study and a year; raising it is the officer's decision"),
        LedgerError::Clock { .. } => fault
            .at(PLACE)
            .hint("set the clock of this machine; nothing is charged until it is right"),
        _ => fault.at(PLACE),
    }
}
