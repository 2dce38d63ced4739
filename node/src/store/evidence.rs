//! What a round leaves behind at the hospital: counters, survivors, openings, signed results.
use super::{Store, fault};
use sqlx::Row as _;
use std::collections::BTreeSet;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, SiteId, SiteIndex, StudyName};
use tacit_shared::privacy::release::Opening;
use tacit_shared::protocol::site::{Answered, History, Record};
use tacit_shared::roster::{Key, Roster};
use tacit_shared::study::Study;
use time::Date;
use time::format_description::well_known::Iso8601;

/// What a site remembers of earlier rounds with this coordinator, and of answers to this study to anyone.
///
/// # Errors
/// A fault of the database, or survivors in it that cannot be read.
pub async fn history(store: &Store, roster: &Roster, family: &StudyName) -> Result<History, Fault> {
    let coordinator = String::from(roster.coordinator().signing_key);
    let counter: Option<i64> =
        sqlx::query_scalar("SELECT counter FROM round_counter WHERE coordinator = ?")
            .bind(coordinator)
            .fetch_optional(store.pool())
            .await
            .map_err(|e| fault(&e))?;
    let rows = sqlx::query(
        "SELECT members, sites, from_day, to_day FROM survivors WHERE family = ? ORDER BY rowid",
    )
    .bind(family.as_str())
    .fetch_all(store.pool())
    .await
    .map_err(|e| fault(&e))?;
    let answered = rows.iter().map(|row| {
        let text = |column| row.try_get::<Option<String>, _>(column).map_err(|e| fault(&e));
        let (sites, from, to) = (text("sites")?, text("from_day")?, text("to_day")?);
        let read = match (sites, from, to) {
            (Some(sites), Some(from), Some(to)) => read_answered(&sites, &from, &to),
            _ => by_place(roster, &text("members")?.unwrap_or_default()),
        };
        read.ok_or_else(|| Fault::operator("the record of earlier survivors is damaged"))
    });
    let answered = answered.collect::<Result<Vec<Answered>, Fault>>()?;
    let last_counter = counter.and_then(|c| u64::try_from(c).ok()).unwrap_or(0);
    Ok(History { last_counter, answered })
}

fn read_answered(sites: &str, from: &str, to: &str) -> Option<Answered> {
    let sites: Option<BTreeSet<SiteId>> = sites.split(' ').map(|id| id.parse().ok()).collect();
    let day = |text: &str| Date::parse(text, &Iso8601::DATE).ok();
    Some(Answered { sites: sites?, period: (day(from)?, day(to)?) })
}

/// A record from before names were kept: places on the roster, and over which days is not known.
fn by_place(roster: &Roster, members: &str) -> Option<Answered> {
    let name = |part: &str| {
        let index = part.parse().ok().and_then(SiteIndex::new)?;
        // One that the roster does not list any more is a hospital nobody else is.
        let unknown = || format!("place-{index}").parse().ok();
        roster.site(index).map_or_else(unknown, |party| Some(party.id.clone()))
    };
    let sites: Option<BTreeSet<SiteId>> = members.split(' ').map(name).collect();
    Some(Answered { sites: sites?, period: (Date::MIN, Date::MAX) })
}

/// Makes a record durable.
///
/// # Errors
/// A fault of the database: then nothing may be sent.
pub async fn persist(store: &Store, coordinator: Key, record: &Record) -> Result<(), Fault> {
    let query = match record {
        Record::Counter(counter) => sqlx::query(
            "INSERT INTO round_counter (coordinator, counter) VALUES (?, ?)
             ON CONFLICT (coordinator) DO UPDATE SET counter = max(counter, excluded.counter)",
        )
        .bind(String::from(coordinator))
        .bind(i64::try_from(*counter).unwrap_or(i64::MAX)),
        Record::Survivors { family, round, answered: Answered { sites, period } } => {
            let sites: Vec<&str> = sites.iter().map(SiteId::as_str).collect();
            sqlx::query(
                "INSERT INTO survivors (round, family, members, sites, from_day, to_day)
                 VALUES (?, ?, '', ?, ?, ?)",
            )
            .bind(round.to_string())
            .bind(family.as_str().to_owned())
            .bind(sites.join(" "))
            .bind(period.0.to_string())
            .bind(period.1.to_string())
        }
        Record::Result { round, signed } => {
            sqlx::query("INSERT OR IGNORE INTO result (round, signed) VALUES (?, ?)")
                .bind(round.to_string())
                .bind(signed.clone())
        }
    };
    query.execute(store.pool()).await.map_err(|e| fault(&e))?;
    Ok(())
}

/// Keeps the opening of this site's commitment for a round.
///
/// # Errors
/// A fault of the database: then the masked vector may not be sent.
pub async fn keep(store: &Store, round: Digest, opening: &Opening) -> Result<(), Fault> {
    sqlx::query("INSERT INTO opening (round, opening) VALUES (?, ?)")
        .bind(round.to_string())
        .bind(opening.for_the_hospitals_own_evidence().as_slice())
        .execute(store.pool())
        .await
        .map_err(|e| fault(&e))?;
    Ok(())
}

/// The opening of a round with the study it was made for and each roster ever pinned, the one of then first.
///
/// # Errors
/// A fault of the database, or a study or roster in it that cannot be read any more.
pub async fn openings(
    store: &Store,
    round: Digest,
) -> Result<Vec<(Vec<u8>, Study, Roster)>, Fault> {
    let rows = sqlx::query(
        "SELECT opening.opening AS opening, approval.text AS study, roster.text AS roster
         FROM opening JOIN release_log ON release_log.round = opening.round
              JOIN approval ON approval.digest = release_log.study, roster
         WHERE opening.round = ?
         ORDER BY (roster.pinned_unix_s <= release_log.at_unix_s) DESC, roster.pinned_unix_s DESC, roster.rowid DESC",
    );
    let rows = rows.bind(round.to_string()).fetch_all(store.pool()).await.map_err(|e| fault(&e))?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let text = |column| row.try_get::<String, _>(column).map_err(|e| fault(&e));
        let opening = row.try_get("opening").map_err(|e| fault(&e))?;
        let study = Study::parse(&text("study")?).map_err(|e| e.into_fault("an approved study"))?;
        let roster =
            Roster::parse(&text("roster")?).map_err(|e| e.into_fault("a pinned roster"))?;
        Ok((opening, study, roster))
    };
    rows.iter().map(read).collect()
}

/// Rounds with a signed result, oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn results(store: &Store) -> Result<Vec<String>, Fault> {
    sqlx::query_scalar("SELECT round FROM result ORDER BY rowid")
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))
}

/// Results as the coordinator signed them, oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn signed_results(store: &Store) -> Result<Vec<Vec<u8>>, Fault> {
    sqlx::query_scalar("SELECT signed FROM result ORDER BY rowid")
        .fetch_all(store.pool())
        .await
        .map_err(|e| fault(&e))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::office::tests::roster;

    #[tokio::test]
    async fn answers_are_remembered_by_name_and_period_and_old_records_by_place() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join(crate::store::FILE)).await.unwrap();
        let roster = roster(3);
        let family: StudyName = "a-study".parse().unwrap();
        let ids = |ids: &[&str]| ids.iter().map(|id| id.parse().unwrap()).collect();
        let day = |day| Date::from_calendar_date(2026, time::Month::March, day).unwrap();
        let answered = Answered { sites: ids(&["site-1", "site-3"]), period: (day(1), day(31)) };
        let round = Digest::new([1; 32]);
        let record =
            Record::Survivors { family: family.clone(), round, answered: answered.clone() };
        persist(&store, roster.coordinator().signing_key, &record).await.unwrap();
        sqlx::query(
            "INSERT INTO survivors (round, family, members) VALUES ('old', 'a-study', '2 9')",
        )
        .execute(store.pool())
        .await
        .unwrap();
        let found = history(&store, &roster, &family).await.unwrap();
        let old = Answered { sites: ids(&["site-2", "place-9"]), period: (Date::MIN, Date::MAX) };
        assert_eq!(found, History { last_counter: 0, answered: vec![answered, old] });
        let other = history(&store, &roster, &"other".parse().unwrap()).await.unwrap();
        assert!(other.answered.is_empty());
        // Damaged: nothing is answered rather than something forgotten.
        sqlx::query("UPDATE survivors SET sites = 'site-1 SITE' WHERE round <> 'old'")
            .execute(store.pool())
            .await
            .unwrap();
        let error = history(&store, &roster, &family).await.unwrap_err().to_string();
        assert!(error.contains("earlier survivors is damaged"), "{error}");
    }
}
