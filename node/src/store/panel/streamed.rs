//! Encounters of a file that is read in place: the panel's sums without the panel's table of encounters.
//!
//! ```text
//! scan ─► records by patient ──────────────► pairs of patients named in tables ─► panel_link ─► links that count ─► sums
//!      └► encounters that responses name ─► panel_all_encounter ─► the same queries as for imported ones
//! ```
//! What tables and file have in common are the patients: whoever answered has links there too. Their links are bounded
//! in the tables, those of all others here, by the same order. An annotation, a withdrawal and a consent hold for the
//! file's encounters as they do for imported ones.
use super::clipped::Clipped;
use super::settle::{self, Rules, Seen, Sums};
use super::{Bounds, Detail, Panel, Tally, When};
use crate::intake::stream::beside;
use crate::intake::stream::file::Encounters;
use crate::intake::stream::scan::{self, Asked, Named};
use crate::intake::stream::spill::Spill;
use crate::store::bulk::{Bulk, Cell};
use crate::store::consent::{self, Access, Purpose};
use crate::store::pseudonym::{Key, Pseudonyms};
use crate::store::{fault, streamed};
use sqlx::Error;
use sqlx::sqlite::SqliteConnection;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// Sums of the streamed file, for the values that were asked for, by their SQL.
pub(super) struct Streamed {
    values: Vec<(String, Bounds)>,
    sums: Sums,
}

/// A scan that waits for the links of the tables.
struct Waiting {
    spill: Spill,
    seen: Seen,
    persons: Vec<Key>,
    places: HashMap<Key, u32>,
}

impl Streamed {
    /// The sums of a value over some days, by clinician.
    pub(super) fn tallies(
        &self,
        (what, when): (Detail<'_>, When),
        bounds: &Bounds,
    ) -> Result<Vec<Tally>, Error> {
        let all = if when == When::Earlier { &self.sums.earlier } else { &self.sums.exact };
        let of = all.get(self.at(what, bounds)?).into_iter().flatten();
        Ok(of.map(|sum| sum.tally()).collect())
    }

    /// How many values lie outside of the bounds.
    pub(super) fn clipped(&self, what: Detail<'_>, bounds: &Bounds) -> Result<Clipped, Error> {
        Ok(self.sums.clipped.get(self.at(what, bounds)?).copied().unwrap_or_default())
    }

    fn at(&self, what: Detail<'_>, bounds: &Bounds) -> Result<usize, Error> {
        let sql = what.sql();
        let at = self.values.iter().position(|(of, within)| *of == sql && within == bounds);
        at.ok_or_else(|| not_there("one of its values"))
    }
}

/// The refusal of what a file that is read in place cannot say.
pub(super) fn not_there(what: &str) -> Error {
    Error::Protocol(format!(
        "the study asks for {what}, which encounters read in place do not give: import them with a mapping"
    ))
}

impl Panel {
    /// Reads the streamed file and sums it up.
    pub(super) async fn read(
        &mut self,
        noted: &streamed::Streamed,
        (pseudonyms, access): (&Pseudonyms, &Access),
        asked: &super::Asked<'_>,
        dir: &Path,
    ) -> Result<(), Fault> {
        let waiting = self.scan(noted, (pseudonyms, access), asked.values, dir).await?;
        self.list_links().await.map_err(|e| fault(&e))?;
        self.add_links(&waiting).await?;
        let most = asked.links_per_patient;
        self.bound_links(pseudonyms, most).await.map_err(|e| fault(&e))?;
        self.sum_up(&waiting, (pseudonyms, most), asked.values).await
    }

    /// Makes `panel_all_encounter`: the imported encounters, or those of the streamed file that responses name (none as yet).
    pub(super) async fn list_encounters(&mut self) -> Result<Option<streamed::Streamed>, Error> {
        let connection = &mut *self.transaction;
        let found = streamed::find(&mut *connection).await?;
        let sql = if found.is_some() {
            "CREATE TEMP TABLE panel_all_encounter (encounter BLOB PRIMARY KEY, person BLOB, patient BLOB, \
             start_us INTEGER) WITHOUT ROWID"
        } else {
            "CREATE TEMP VIEW panel_all_encounter AS SELECT * FROM main.encounter"
        };
        sqlx::query(sql).execute(connection).await?;
        Ok(found)
    }

    /// Reads the file, and lists the encounters that responses name.
    async fn scan(
        &mut self,
        noted: &streamed::Streamed,
        (pseudonyms, access): (&Pseudonyms, &Access),
        values: &[(Detail<'_>, Bounds)],
        dir: &Path,
    ) -> Result<Waiting, Fault> {
        let connection = &mut *self.transaction;
        let mut listing = Listing::default();
        listing.fill(connection, access, self.purpose).await.map_err(|e| fault(&e))?;
        let Listing { named, excluded, barred, seen, persons, places } = listing;
        if !named.is_empty() {
            // A rejected row of the file no longer tells whose it was, so links could be one patient's twice.
            return Err(Fault::user(
                "answers that name an encounter and no patient do not go with encounters read in place",
            )
            .at("this site's data")
            .hint("let answers carry their patient in the mapping, or import the encounters"));
        }
        let excluded = excluded
            .into_iter()
            .filter_map(|(encounter, person)| Some((encounter, *places.get(&person)?)))
            .collect();
        let details: Vec<Detail<'_>> = values.iter().map(|(detail, _)| *detail).collect();
        let asked = Asked {
            pseudonyms,
            digests: &noted.digests,
            refused: &noted.refused,
            persons: &places,
            span: self.period,
            earlier: self.earlier,
            details: &details,
            named: &named,
            excluded: &excluded,
            barred: &barred,
            withdrawn: &seen.barred,
        };
        let (spill, found) = beside(|| {
            let file = Encounters::open(&noted.path)?;
            scan::scan(&file, &asked, dir)
        })?;
        write_named(connection, &found, &persons).await.map_err(|e| fault(&e))?;
        Ok(Waiting { spill, seen, persons, places })
    }

    /// Adds the pairs of patients whom the tables name.
    async fn add_links(&mut self, waiting: &Waiting) -> Result<(), Fault> {
        let connection = &mut *self.transaction;
        let found: Result<Vec<(Vec<u8>,)>, Error> =
            sqlx::query_as("SELECT DISTINCT patient FROM panel_link")
                .fetch_all(&mut *connection)
                .await;
        let named: HashSet<Key> =
            found.map_err(|e| fault(&e))?.into_iter().filter_map(|(key,)| to_key(&key)).collect();
        let pairs = beside(|| settle::pairs(&waiting.spill, &waiting.seen, &named))?;
        let written = async {
            let columns = ["patient", "person"];
            let made = "CREATE TEMP TABLE panel_pair (patient BLOB, person BLOB)";
            sqlx::query(made).execute(&mut *connection).await?;
            let mut bulk = Bulk::new("temp.panel_pair", &columns);
            for (patient, person) in pairs {
                let Some(person) = key_of(&waiting.persons, person) else { continue };
                let mut row = vec![Cell::Blob(patient.to_vec()), Cell::Blob(person.to_vec())];
                bulk.push(connection, &mut row).await?;
            }
            bulk.flush(connection).await?;
            let sql = "INSERT OR IGNORE INTO panel_link SELECT patient, person FROM panel_pair";
            Ok::<_, Error>(sqlx::query(sql).execute(&mut *connection).await?.rows_affected())
        };
        self.links.pairs += written.await.map_err(|e| fault(&e))?;
        Ok(())
    }

    /// Sums up, once the links of the tables are bounded.
    async fn sum_up(
        &mut self,
        waiting: &Waiting,
        (pseudonyms, links_per_patient): (&Pseudonyms, u32),
        values: &[(Detail<'_>, Bounds)],
    ) -> Result<(), Fault> {
        let connection = &mut *self.transaction;
        let lists = async {
            let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT i, person FROM panel_person")
                .fetch_all(&mut *connection)
                .await?;
            let links: Vec<(Vec<u8>, Vec<u8>)> =
                sqlx::query_as("SELECT patient, person FROM panel_link")
                    .fetch_all(&mut *connection)
                    .await?;
            Ok::<_, Error>((rows, links))
        };
        let (numbered, links) = lists.await.map_err(|e| fault(&e))?;
        let place = |key: &[u8]| waiting.places.get(&to_key(key)?).copied();
        let mut rows = vec![None; waiting.persons.len()];
        for (i, person) in numbered {
            let at = place(&person).and_then(|at| usize::try_from(at).ok());
            if let Some(row) = at.and_then(|at| rows.get_mut(at)) {
                *row = super::slot(i).and_then(|i| u32::try_from(i).ok());
            }
        }
        let mut settled: HashMap<Key, Vec<u32>> = HashMap::new();
        for (patient, person) in links {
            if let (Some(patient), Some(person)) = (to_key(&patient), place(&person)) {
                settled.entry(patient).or_default().push(person);
            }
        }
        let bounds: Vec<Bounds> = values.iter().map(|(_, bounds)| *bounds).collect();
        let rules = Rules {
            pseudonyms,
            links_per_patient,
            persons: &waiting.persons,
            rows: &rows,
            clinicians: self.clinicians.len(),
            settled: &settled,
            seen: &waiting.seen,
            bounds: &bounds,
            earlier: self.earlier.is_some(),
        };
        let sums = beside(|| settle::settle(&waiting.spill, &rules))?;
        self.links.pairs += sums.links.pairs;
        self.links.dropped += sums.links.dropped;
        self.excluded = sums.excluded;
        self.excluded_shares = sums.shares();
        self.streamed = Some(Streamed {
            values: values.iter().map(|(what, bounds)| (what.sql(), *bounds)).collect(),
            sums,
        });
        Ok(())
    }
}

/// What the scan must know of the tables.
#[derive(Default)]
struct Listing {
    named: HashSet<Key>,
    excluded: Vec<(Key, Key)>,
    barred: HashSet<Key>,
    seen: Seen,
    persons: Vec<Key>,
    places: HashMap<Key, u32>,
}

impl Listing {
    async fn fill(
        &mut self,
        connection: &mut SqliteConnection,
        access: &Access,
        purpose: Purpose,
    ) -> Result<(), Error> {
        let basis = access.consent.patients;
        let (only, listed) = consent::listed(connection, basis, purpose).await?;
        let keys = async |connection: &mut SqliteConnection, sql: &'static str| {
            let found: Vec<(Vec<u8>,)> = sqlx::query_as(sql).fetch_all(connection).await?;
            Ok::<HashSet<Key>, Error>(found.iter().filter_map(|(key,)| to_key(key)).collect())
        };
        let barred =
            keys(connection, "SELECT DISTINCT key FROM main.barred WHERE kind = 'patient'").await?;
        let off = !access.modalities.admits(Modality::Encounters);
        self.seen = Seen {
            off,
            only,
            listed: listed.iter().filter_map(|key| to_key(key)).collect(),
            barred,
        };
        self.barred =
            keys(connection, "SELECT DISTINCT key FROM main.barred WHERE kind = 'encounter'")
                .await?;
        let sql = "SELECT DISTINCT encounter FROM main.response \
                   WHERE respondent = 'patient' AND patient IS NULL AND encounter IS NOT NULL";
        self.named = keys(connection, sql).await?;
        let sql = "SELECT encounter, person FROM annotation WHERE kind = 'exclude' \
                   OR kind = 'contest' AND coalesce(resolution, 'upheld') = 'upheld'";
        let found: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as(sql).fetch_all(&mut *connection).await?;
        self.excluded = found.iter().filter_map(|(a, b)| Some((to_key(a)?, to_key(b)?))).collect();
        (self.persons, self.places) = streamed::persons(connection).await?;
        Ok(())
    }
}

async fn write_named(
    connection: &mut SqliteConnection,
    found: &[Named],
    persons: &[Key],
) -> Result<(), Error> {
    let columns = ["encounter", "person", "patient", "start_us"];
    let mut bulk = Bulk::new("temp.panel_all_encounter", &columns);
    let mut seen = HashSet::new();
    // Of a withdrawn patient's bad rows several may have one key.
    let (good, bad): (Vec<&Named>, Vec<&Named>) = found.iter().partition(|n| n.person.is_some());
    for named in good.into_iter().chain(bad) {
        if !seen.insert(named.encounter) {
            continue;
        }
        let person = named.person.and_then(|place| key_of(persons, place));
        let person = person.copied().unwrap_or_default();
        let mut row = vec![
            Cell::Blob(named.encounter.to_vec()),
            Cell::Blob(person.to_vec()),
            named.patient.map_or(Cell::Null, |key| Cell::Blob(key.to_vec())),
            Cell::Integer(named.start_us),
        ];
        bulk.push(connection, &mut row).await?;
    }
    bulk.flush(connection).await?;
    Ok(())
}

fn key_of(persons: &[Key], place: u32) -> Option<&Key> {
    persons.get(usize::try_from(place).ok()?)
}

fn to_key(bytes: &[u8]) -> Option<Key> {
    Key::try_from(bytes).ok()
}
