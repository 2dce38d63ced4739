//! Who has a row, which links of patients count, and which encounters with them.
//!
//! All of it becomes temporary tables of the panel's transaction: `panel_person` (row number from 1, key),
//! `panel_link` (patient, person), `panel_encounter` (row number and the values that means are taken of). The
//! views `panel_seen_encounter` and `panel_seen_response` leave out the patients whom the site's rules do not admit.
use super::{Panel, When};
use crate::config::Basis;
use crate::store::bulk::{Bulk, Cell};
use crate::store::consent::{self, Access, Purpose};
use crate::store::pseudonym::{Key, Pseudonyms};
use sqlx::{AssertSqlSafe, Error};
use tacit_shared::study::modality::Modality;

/// Encounters `e` of clinicians `p` with a row that count, from `?1` up to, not including, `?2`; excluded ones too.
pub(super) const COUNTED: &str = "FROM panel_seen_encounter e CROSS JOIN panel_person p ON p.person = e.person \
    WHERE e.start_us >= ?1 AND e.start_us < ?2 AND (EXISTS (SELECT 1 FROM panel_link l \
    WHERE l.patient = coalesce(e.patient, e.encounter) AND l.person = e.person) \
    OR (e.patient IS NULL AND NOT EXISTS (SELECT 1 FROM panel_link l WHERE l.patient = e.encounter)))";
/// Patients whose links are read at once.
const PAGE: i64 = 20_000;

/// How many links of patients with clinicians there are, and how many of them do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Pairs of a patient and a clinician.
    pub pairs: u64,
    /// Pairs beyond K of a patient.
    pub dropped: u64,
}

/// Encounters of clinicians with a row that would count, and how many of them their clinician excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Excluded {
    /// All of them.
    pub encounters: u64,
    /// Those that were excluded.
    pub excluded: u64,
}

impl Panel {
    /// Lists what people said, and makes the views that leave out patients. A record without a key of a patient
    /// belongs to whom its encounter belongs to, whether that one is seen or not.
    pub(super) async fn admit(&mut self, access: &Access, streamed: bool) -> Result<(), Error> {
        let connection = &mut *self.transaction;
        let research = self.purpose;
        consent::list(connection, research, access.now_us).await?;
        let basis = access.consent.patients;
        let owner = "coalesce(r.patient, \
                     (SELECT e.patient FROM panel_all_encounter e WHERE e.encounter = r.encounter))";
        let met = consent::condition(connection, basis, research, "e.patient").await?;
        let mut said = consent::condition(connection, basis, research, owner).await?;
        if streamed {
            // A withdrawal does not know whose a streamed encounter is: what is said of it is left out here.
            said = format!(
                "({said}) AND NOT EXISTS (SELECT 1 FROM main.barred b WHERE b.kind = 'patient' AND b.key = {owner})"
            );
        }
        // What is switched off is as if not in the tables.
        let on = |modality| u8::from(access.modalities.admits(modality));
        for sql in [
            format!(
                "CREATE TEMP VIEW panel_seen_encounter AS SELECT e.* FROM panel_all_encounter e WHERE {met} AND {}",
                on(Modality::Encounters)
            ),
            format!(
                "CREATE TEMP VIEW panel_seen_response AS SELECT r.* FROM main.response r \
                 WHERE CASE r.respondent WHEN 'patient' THEN {said} AND {} ELSE {} END",
                on(Modality::PatientQuestionnaires),
                on(Modality::ClinicianQuestionnaires)
            ),
        ] {
            sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(&mut *connection).await?;
        }
        // What comes from a body is read of whoever said yes to that kind, whatever the site's rules on the rest are.
        let mut kinds = vec!["0".to_owned()];
        for (purpose, modality) in Purpose::OF_BODIES {
            // Of faces nothing is read for a study, whatever a profile allows.
            if access.modalities.admits(modality) && modality != Modality::Faces {
                let required = Basis::Required;
                let said = consent::condition(connection, required, purpose, "p.person").await?;
                kinds.push(format!("(f.modality = '{modality}' AND {said})"));
            }
        }
        self.recorded = format!("({})", kinds.join(" OR "));
        Ok(())
    }

    pub(super) async fn list_clinicians(
        &mut self,
        roles: &[&str],
        access: &Access,
    ) -> Result<(), Error> {
        let connection = &mut *self.transaction;
        let (basis, research) = (access.consent.clinicians, self.purpose);
        let admitted = consent::condition(connection, basis, research, "person").await?;
        for sql in [
            "CREATE TEMP TABLE panel_role (role TEXT PRIMARY KEY) WITHOUT ROWID",
            "CREATE TEMP TABLE panel_person (i INTEGER PRIMARY KEY, person BLOB NOT NULL UNIQUE)",
            "CREATE TEMP TABLE panel_link (patient BLOB, person BLOB, PRIMARY KEY (patient, person)) WITHOUT ROWID",
            "CREATE TEMP TABLE panel_response (i INTEGER, response BLOB, PRIMARY KEY (i, response)) WITHOUT ROWID",
        ] {
            sqlx::query(sql).execute(&mut *connection).await?;
        }
        let mut bulk = Bulk::new("temp.panel_role", &["role"]);
        for role in roles {
            bulk.push(connection, &mut vec![Cell::Text((*role).to_owned())]).await?;
        }
        bulk.flush(connection).await?;
        let sql = format!(
            "INSERT INTO panel_person (person) SELECT person FROM person \
             WHERE active = 1 AND role IN (SELECT role FROM panel_role) AND {admitted} ORDER BY person"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        self.clinicians = sqlx::query_as(
            "SELECT t.role, t.specialty, t.age_band, t.gender, t.training_country \
             FROM panel_person p CROSS JOIN person t ON t.person = p.person ORDER BY p.i",
        )
        .fetch_all(connection)
        .await?;
        Ok(())
    }

    /// Links with everyone in the tables, whether they have a row or not: were only those with a row
    /// listed, a clinician who leaves would hand their patients to others and so move more rows than one.
    pub(super) async fn list_links(&mut self) -> Result<(), Error> {
        let earlier = self.earlier.unwrap_or(self.period);
        let within =
            |time: &str| format!("({time} >= ?1 AND {time} < ?2 OR {time} >= ?3 AND {time} < ?4)");
        let (met, said) = (within("e.start_us"), within("r.authored_us"));
        let sql = format!(
            "WITH said AS (SELECT r.person, r.encounter, coalesce(r.patient, e.patient, r.encounter) AS patient, \
               r.patient IS NULL AND e.patient IS NULL AS unnamed FROM panel_seen_response r \
               LEFT JOIN panel_all_encounter e ON e.encounter = r.encounter WHERE r.respondent = 'patient' AND {said}) \
             INSERT INTO panel_link \
             SELECT e.patient, e.person FROM panel_seen_encounter e \
               WHERE e.patient IS NOT NULL AND {met} \
             UNION SELECT r.patient, r.person FROM said r WHERE r.patient IS NOT NULL \
             UNION SELECT e.encounter, e.person FROM said r CROSS JOIN panel_seen_encounter e ON e.encounter = r.encounter \
               WHERE r.unnamed AND {met} \
             ORDER BY 1, 2"
        );
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(self.period.from_us)
            .bind(self.period.to_us)
            .bind(earlier.from_us)
            .bind(earlier.to_us)
            .execute(&mut *self.transaction)
            .await?;
        self.links.pairs = done.rows_affected();
        Ok(())
    }

    /// Of each patient keeps the `most` links that come first in the keyed order.
    pub(super) async fn bound_links(
        &mut self,
        pseudonyms: &Pseudonyms,
        most: u32,
    ) -> Result<(), Error> {
        let connection = &mut *self.transaction;
        sqlx::query("CREATE TEMP TABLE panel_many (patient BLOB PRIMARY KEY) WITHOUT ROWID")
            .execute(&mut *connection)
            .await?;
        sqlx::query("INSERT INTO panel_many SELECT patient FROM panel_link GROUP BY patient HAVING count(*) > ?")
            .bind(most)
            .execute(&mut *connection)
            .await?;
        sqlx::query("CREATE TEMP TABLE panel_drop (patient BLOB, person BLOB)")
            .execute(&mut *connection)
            .await?;
        let mut drop = Bulk::new("temp.panel_drop", &["patient", "person"]);
        let mut last: Vec<u8> = Vec::new();
        loop {
            let patients: Vec<(Vec<u8>,)> = sqlx::query_as(
                "SELECT patient FROM panel_many WHERE patient > ? ORDER BY patient LIMIT ?",
            )
            .bind(&last)
            .bind(PAGE)
            .fetch_all(&mut *connection)
            .await?;
            let Some((end,)) = patients.last() else { break };
            let links: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
                "SELECT l.patient, l.person FROM panel_many m CROSS JOIN panel_link l ON l.patient = m.patient \
                 WHERE m.patient > ? AND m.patient <= ? ORDER BY l.patient, l.person",
            )
            .bind(&last)
            .bind(end)
            .fetch_all(&mut *connection)
            .await?;
            last.clone_from(end);
            for (patient, person) in beyond(links, pseudonyms, most) {
                let mut row = vec![Cell::Blob(patient), Cell::Blob(person)];
                drop.push(connection, &mut row).await?;
            }
        }
        self.links.dropped = drop.flush(connection).await?;
        sqlx::query("DELETE FROM panel_link WHERE (patient, person) IN (SELECT patient, person FROM panel_drop)")
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Writes down the encounters that count, of the period and of the earlier days, with all their numbers.
    pub(super) async fn keep_encounters(&mut self) -> Result<(), Error> {
        sqlx::query(
            "CREATE TEMP TABLE panel_encounter (i INTEGER, acuity REAL, minutes REAL, ai_share REAL, remote REAL, \
             interpreter REAL, excluded INTEGER, earlier INTEGER, channel TEXT, specialty TEXT, readmit_30d REAL, \
             ed_30d REAL, scribe_minutes REAL, call_minutes REAL, presence_minutes REAL, interruptions REAL, \
             language TEXT, patient_age_band TEXT, deprivation_band TEXT, payer TEXT, patient_group TEXT)",
        )
        .execute(&mut *self.transaction)
        .await?;
        self.excluded = self.keep_of(When::Period).await?;
        if self.earlier.is_some() {
            self.keep_of(When::Earlier).await?;
        }
        Ok(())
    }

    async fn keep_of(&mut self, when: When) -> Result<Excluded, Error> {
        self.look_at(when);
        let (span, flag) = (self.span(), when.flag());
        self.look_at(When::Period);
        let sql = format!(
            "INSERT INTO panel_encounter SELECT p.i, e.acuity, e.minutes, e.ai_share, e.channel <> 'in_person', \
             e.interpreter, EXISTS (SELECT 1 FROM annotation a WHERE a.encounter = e.encounter \
             AND (a.kind = 'exclude' OR a.kind = 'contest' AND coalesce(a.resolution, 'upheld') = 'upheld') \
             AND a.person = e.person), {flag}, e.channel, coalesce(e.specialty, \
             (SELECT s.specialty FROM main.person s WHERE s.person = e.person)), e.readmit_30d, e.ed_30d, \
             e.scribe_minutes, e.call_minutes, e.presence_minutes, e.interruptions, e.language, \
             e.patient_age_band, e.deprivation_band, e.payer, e.patient_group {COUNTED} ORDER BY p.i, e.encounter"
        );
        let all = sqlx::query(AssertSqlSafe(sql))
            .bind(span.from_us)
            .bind(span.to_us)
            .execute(&mut *self.transaction)
            .await?;
        let shares = format!(
            "SELECT i, avg(excluded) FROM panel_encounter WHERE earlier = {flag} GROUP BY i HAVING max(excluded) = 1"
        );
        let shares =
            sqlx::query_as(AssertSqlSafe(shares)).fetch_all(&mut *self.transaction).await?;
        self.left_out(shares);
        let sql = "DELETE FROM panel_encounter WHERE excluded = 1";
        let excluded = sqlx::query(sql).execute(&mut *self.transaction).await?;
        Ok(Excluded { encounters: all.rows_affected(), excluded: excluded.rows_affected() })
    }
}

/// The links beyond the first `most` of each patient. Links of one patient stand together.
fn beyond(
    links: Vec<(Vec<u8>, Vec<u8>)>,
    pseudonyms: &Pseudonyms,
    most: u32,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let key = |bytes: &[u8]| Key::try_from(bytes).unwrap_or_default();
    let mut ordered: Vec<(Vec<u8>, Key, Vec<u8>)> = links
        .into_iter()
        .map(|(patient, person)| {
            let order = pseudonyms.link_order(&key(&patient), &key(&person));
            (patient, order, person)
        })
        .collect();
    ordered.sort_unstable();
    let mut dropped = Vec::new();
    let mut current: Option<Vec<u8>> = None;
    let mut kept = 0;
    for (patient, _, person) in ordered {
        if current.as_ref() != Some(&patient) {
            current = Some(patient.clone());
            kept = 0;
        }
        kept += 1;
        if kept > most {
            dropped.push((patient, person));
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_keeps_the_links_that_come_first_whoever_else_there_is() {
        let pseudonyms = Pseudonyms::new(&[5; 32]);
        let links = |patients: &[u8]| -> Vec<(Vec<u8>, Vec<u8>)> {
            let persons = 1..=6_u8;
            let of =
                |p: &u8| persons.clone().map(|d| (vec![*p; 16], vec![d; 16])).collect::<Vec<_>>();
            patients.iter().flat_map(of).collect()
        };
        let alone = beyond(links(&[9]), &pseudonyms, 2);
        assert_eq!(alone.len(), 4);
        let with_others = beyond(links(&[7, 9]), &pseudonyms, 2);
        let own: Vec<_> = with_others.into_iter().filter(|(p, _)| p == &vec![9; 16]).collect();
        assert_eq!(own, alone);
        let mut by_hash: Vec<(Key, u8)> =
            (1..=6).map(|d| (pseudonyms.link_order(&[9; 16], &[d; 16]), d)).collect();
        by_hash.sort_unstable();
        let expected: Vec<_> =
            by_hash.iter().skip(2).map(|(_, d)| (vec![9; 16], vec![*d; 16])).collect();
        assert_eq!(alone, expected);
    }
}
