//! `tacit-node check`: is the database whole, and what is the quality of what it holds.
use crate::store::pseudonym::Pseudonyms;
use crate::store::{self, Store};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use tacit_shared::fault::Fault;
use time::OffsetDateTime;

/// Checks the node's database and counts what it holds.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The node's folder.
    #[arg(long)]
    pub dir: PathBuf,
}

/// Verifies every page of the database; the text counts the rows of each table.
///
/// # Errors
/// An operator's fault if the database is damaged or its key file is another's.
pub async fn run(args: &CheckArgs) -> Result<String, Fault> {
    let path = args.dir.join(store::FILE);
    if !path.is_file() {
        return Err(Fault::operator("the node has no database yet")
            .at(path.display().to_string())
            .hint("`tacit-node init` makes a node's folder, `tacit-node import` fills it"));
    }
    let store = Store::open(&path).await?;
    store.verify().await?;
    Pseudonyms::open_or_create(&args.dir)?.bind(&store).await?;
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT 'import_batch', count(*) FROM import_batch UNION ALL SELECT 'person', count(*) FROM person \
         UNION ALL SELECT 'encounter', count(*) FROM encounter UNION ALL SELECT 'period', count(*) FROM period \
         UNION ALL SELECT 'response', count(*) FROM response UNION ALL SELECT 'answer', count(*) FROM answer \
         UNION ALL SELECT 'device_session', count(*) FROM device_session \
         UNION ALL SELECT 'feature', count(*) FROM feature UNION ALL SELECT 'reject', count(*) FROM reject",
    )
    .fetch_all(store.pool())
    .await
    .map_err(|e| store::fault(&e))?;
    store.close().await;
    let mut text = String::from("the database is sound\n");
    for (table, count) in rows {
        let _ = writeln!(text, "  {table:<16} {count:>10} rows"); // writing to a String cannot fail
    }
    Ok(text)
}

/// A time as day and time of day, UTC.
pub(super) fn day_and_time(at_us: i64) -> String {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(at_us.div_euclid(1_000_000)) else {
        return "an impossible time".to_owned();
    };
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}

/// Now, in microseconds since 1970 UTC.
pub(super) fn now_us() -> Result<i64, Fault> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    since.and_then(|since| i64::try_from(since.as_micros()).ok()).ok_or_else(|| {
        Fault::operator("the clock of this machine is before 1970").hint("set the clock")
    })
}
