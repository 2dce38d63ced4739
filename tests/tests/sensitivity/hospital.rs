//! Small random hospitals in a node's database, and how one person leaves them.
//!
//! Many hospitals can share a database: their keys differ, so no person, encounter or answer of one has to do
//! with another's.
use rand::RngExt as _;
use rand::rngs::ChaCha20Rng;
use sqlx::{AssertSqlSafe, SqliteConnection};
use std::fmt::Write as _;

/// A key of sixteen bytes: hospital, kind, number.
fn key(hospital: u16, kind: u8, number: u16) -> String {
    let mut bytes = [0_u8; 16];
    bytes[..2].copy_from_slice(&hospital.to_be_bytes());
    bytes[2] = kind;
    bytes[3..5].copy_from_slice(&number.to_be_bytes());
    let hex: String = bytes.iter().fold(String::new(), |mut hex, b| {
        let _ = write!(hex, "{b:02x}");
        hex
    });
    format!("x'{hex}'")
}

const PERSON: u8 = 1;
const PATIENT: u8 = 2;
const ENCOUNTER: u8 = 3;
const RESPONSE: u8 = 4;
/// Times of encounters and answers: in the period, in the earlier days that it may be compared with, and beyond.
const DAYS: [&str; 9] = [
    "2026-01-01",
    "2026-02-20",
    "2026-04-02",
    "2026-07-01",
    "2026-07-20",
    "2026-08-15",
    "2026-09-01",
    "2026-09-30",
    "2026-10-01",
];

/// A clinician as staff records have them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clinician {
    /// Physician, nurse or clerk.
    pub(crate) role: &'static str,
    /// Internal, oncology, or one the study does not name.
    pub(crate) specialty: &'static str,
    /// Whether at work.
    pub(crate) active: bool,
    /// What they said of research.
    pub(crate) said: Option<&'static str>,
}

impl Clinician {
    /// Whether they have a row, where a consent is `required` or else a refusal counts: a matter of staff records
    /// and their own word alone.
    pub(crate) fn has_row(self, required: bool) -> bool {
        let admitted =
            if required { self.said == Some("given") } else { self.said != Some("refused") };
        admitted && self.active && self.role != "clerk" && self.specialty != "cardiology"
    }
}

#[derive(Clone, Copy, Debug)]
struct Encounter {
    person: u16,
    patient: Option<u16>,
}

#[derive(Clone, Copy, Debug)]
struct Response {
    person: u16,
    by_patient: bool,
    patient: Option<u16>,
    encounter: Option<u16>,
}

/// One hospital: who works there and who met whom.
#[derive(Clone, Debug)]
pub(crate) struct Hospital {
    number: u16,
    /// The clinicians, in the order of their keys.
    pub(crate) clinicians: Vec<Clinician>,
    patients: u16,
    /// What each patient said of research.
    said: Vec<Option<&'static str>>,
    encounters: Vec<Encounter>,
    responses: Vec<Response>,
}

/// A protected patient: one with a key, an encounter without a patient, or an answer that names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Patient(u16),
    Encounter(u16),
    Response(u16),
}

const SAID: &[Option<&str>] =
    &[Some("given"), Some("given"), Some("given"), Some("given"), None, Some("refused")];

fn pick<T: Copy>(rng: &mut ChaCha20Rng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}

impl Hospital {
    /// A hospital drawn at random. `tidy`: an answer is about the clinician of the encounter it names.
    pub(crate) fn draw(number: u16, tidy: bool, rng: &mut ChaCha20Rng) -> Self {
        let clinicians = (0..rng.random_range(1..=5))
            .map(|_| Clinician {
                role: pick(rng, &["physician", "nurse", "nurse", "physician", "clerk"]),
                specialty: pick(rng, &["internal", "oncology", "internal", "cardiology"]),
                active: rng.random_bool(0.9),
                said: pick(rng, SAID),
            })
            .collect::<Vec<_>>();
        let (people, patients) =
            (u16::try_from(clinicians.len()).unwrap(), rng.random_range(1..=5));
        let said = (0..patients).map(|_| pick(rng, SAID)).collect();
        let some_patient =
            |rng: &mut ChaCha20Rng| rng.random_bool(0.75).then(|| rng.random_range(0..patients));
        let encounters: Vec<Encounter> = (0..rng.random_range(0..=12))
            .map(|_| Encounter { person: rng.random_range(0..people), patient: some_patient(rng) })
            .collect();
        let responses = (0..rng.random_range(0..=8))
            .map(|_| {
                // Numbers beyond the encounters name one that was not imported.
                let beyond = u16::try_from(encounters.len()).unwrap() + 2;
                let mut encounter = rng.random_bool(0.6).then(|| rng.random_range(0..beyond));
                if tidy {
                    encounter = encounter.filter(|at| usize::from(*at) < encounters.len());
                }
                let named = encounter.and_then(|at| encounters.get(usize::from(at)));
                let person = match named {
                    Some(named) if tidy || rng.random_bool(0.7) => named.person,
                    _ => rng.random_range(0..people),
                };
                let by_patient = rng.random_bool(0.8);
                Response { person, by_patient, patient: some_patient(rng), encounter }
            })
            .collect();
        Self { number, clinicians, patients, said, encounters, responses }
    }

    /// Rows of all its tables, added to the statements of a batch.
    pub(crate) fn write(&self, to: &mut Tables, rng: &mut ChaCha20Rng) {
        for (at, clinician) in (0..).zip(&self.clinicians) {
            let person = key(self.number, PERSON, at);
            let Clinician { role, specialty, active, said } = clinician;
            if let Some(said) = said {
                to.consent.push(statement(&person, "NULL", said, 0));
            }
            to.person.push(format!(
                "({person}, '{role}', '{specialty}', {}, {}, 1)",
                u8::from(*active),
                pick(rng, &["NULL", "'female'", "'male'"]),
            ));
            for programme in ["listening", "breaking-news"] {
                let ended = pick(rng, &["NULL", "'2026-02-01'", "'2026-04-20'", "'2026-06-30'"]);
                to.training.push(format!(
                    "({person}, '{programme}', unixepoch('2026-01-05') * 1000000, unixepoch({ended}) * 1000000, 6, 1)"
                ));
            }
            to.period.push(format!(
                "({person}, unixepoch('2026-07-01') * 1000000, unixepoch('2026-10-01') * 1000000, {}, 300, NULL, NULL, 1)",
                rng.random_range(0..700)
            ));
        }
        for (at, said) in (0..).zip(&self.said) {
            if let Some(said) = said {
                to.consent.push(statement("NULL", &key(self.number, PATIENT, at), said, 0));
            }
        }
        for (at, encounter) in (0..).zip(&self.encounters) {
            let patient = encounter
                .patient
                .map_or_else(|| "NULL".to_owned(), |p| key(self.number, PATIENT, p));
            let ai = if rng.random_bool(0.5) {
                rng.random::<f64>().to_string()
            } else {
                "NULL".to_owned()
            };
            to.encounter.push(format!(
                "({}, {}, {patient}, unixepoch('{}') * 1000000, 0, {}, {}, '{}', {ai}, {}, {}, {}, {}, {}, 1)",
                key(self.number, ENCOUNTER, at),
                key(self.number, PERSON, encounter.person),
                pick(rng, &DAYS),
                rng.random_range(0.0..60.0),
                rng.random_range(1..=5),
                pick(rng, &["in_person", "video", "phone"]),
                pick(rng, &["NULL", "0", "1"]),
                pick(rng, &["NULL", "0", "1"]),
                pick(rng, &["NULL", "0", "1", "9"]),
                pick(rng, &["NULL", "'de'", "'tr'"]),
                pick(rng, &["NULL", "'high'", "'low'"]),
            ));
        }
        for (at, response) in (0..).zip(&self.responses) {
            let or_null = |kind, of: Option<u16>| {
                of.map_or_else(|| "NULL".to_owned(), |n| key(self.number, kind, n))
            };
            let id = key(self.number, RESPONSE, at);
            let (instrument, who, letter, items) = if response.by_patient {
                ("care-measure", "patient", "q", 10)
            } else {
                ("copenhagen-burnout", "clinician", "p", 6)
            };
            to.response.push(format!(
                "({id}, '{instrument}', NULL, '{who}', {}, {}, {}, unixepoch('{}') * 1000000, 1)",
                key(self.number, PERSON, response.person),
                or_null(ENCOUNTER, response.encounter),
                or_null(PATIENT, response.patient),
                pick(rng, &DAYS),
            ));
            for item in 1..=items {
                if rng.random_bool(0.95) {
                    let code = rng.random_range(1..=5);
                    to.answer.push(format!("({id}, '{letter}{item}', '{code}', 1)"));
                }
            }
        }
    }

    /// Somebody who can leave: a patient, or what stands for one where no patient is named.
    pub(crate) fn unit(&self, rng: &mut ChaCha20Rng) -> Unit {
        let mut all: Vec<Unit> = (0..self.patients).map(Unit::Patient).collect();
        for (at, encounter) in (0..).zip(&self.encounters) {
            if encounter.patient.is_none() {
                all.push(Unit::Encounter(at));
            }
        }
        for (at, response) in (0..).zip(&self.responses) {
            match (response.patient, response.encounter) {
                (None, None) if response.by_patient => all.push(Unit::Response(at)),
                (None, Some(e)) if usize::from(e) >= self.encounters.len() => {
                    all.push(Unit::Encounter(e));
                }
                _ => {}
            }
        }
        pick(rng, &all)
    }

    /// Encounters and patients' answers of a unit.
    fn records_of(&self, unit: Unit) -> (Vec<u16>, Vec<u16>) {
        let whose = |at: u16| match self.encounters.get(usize::from(at)).and_then(|e| e.patient) {
            Some(patient) => Unit::Patient(patient),
            None => Unit::Encounter(at),
        };
        let encounters = (0..).zip(&self.encounters).map(|(at, _)| at);
        let encounters = encounters.filter(|at| whose(*at) == unit).collect();
        let said = (0..).zip(&self.responses).filter(|(at, response)| {
            let by = match (response.patient, response.encounter) {
                (Some(patient), _) => Unit::Patient(patient),
                (None, Some(encounter)) => whose(encounter),
                (None, None) => Unit::Response(*at),
            };
            response.by_patient && by == unit
        });
        (encounters, said.map(|(at, _)| at).collect())
    }

    /// Statements after which a unit was never here.
    pub(crate) fn without(&self, unit: Unit, to: &mut Deletions) {
        let (encounters, responses) = self.records_of(unit);
        to.encounters.extend(encounters.iter().map(|at| key(self.number, ENCOUNTER, *at)));
        to.responses.extend(responses.iter().map(|at| key(self.number, RESPONSE, *at)));
    }

    /// A clinician's row goes: they are at work no more, have another role, or refuse.
    pub(crate) fn retire(&mut self, at: usize, rng: &mut ChaCha20Rng, to: &mut Deletions) {
        let person = key(self.number, PERSON, u16::try_from(at).unwrap());
        match rng.random_range(0..3) {
            0 => {
                self.clinicians[at].active = false;
                to.retired.push(person);
            }
            1 => {
                self.clinicians[at].role = "clerk";
                to.moved.push(person);
            }
            _ => {
                self.clinicians[at].said = Some("refused");
                to.refused.push(statement(&person, "NULL", "refused", 1));
            }
        }
    }

    /// Everything that stands under a clinician's key goes: records and, if no row was expected, the person.
    pub(crate) fn expunge(&mut self, at: usize, to: &mut Deletions) {
        self.clinicians[at].active = false;
        to.expunged.push(key(self.number, PERSON, u16::try_from(at).unwrap()));
    }

    /// Gives everything that a clinician's records say another value; who met whom stays.
    pub(crate) fn rewrite(&mut self, at: usize, to: &mut Deletions) {
        to.rewritten.push(key(self.number, PERSON, u16::try_from(at).unwrap()));
    }
}

/// The tables with the columns that are filled.
const PERSON_COLUMNS: &str = "person (person, role, specialty, active, gender, src)";
const RESPONSE_COLUMNS: &str = "response (response, instrument, version, respondent, person, encounter, patient, \
    authored_us, src)";
const ENCOUNTER_COLUMNS: &str = "encounter (encounter, person, patient, start_us, tz_min, minutes, acuity, channel, \
    ai_share, interpreter, readmit_30d, interruptions, language, deprivation_band, src)";
/// The table of consents with the columns that [`statement`] fills.
const STATEMENT: &str = "consent (person, patient, purpose, state, from_us)";

fn statement(person: &str, patient: &str, state: &str, later_us: u8) -> String {
    let from_us = 1_790_000_000_000_000 + i64::from(later_us);
    format!("({person}, {patient}, 'research-aggregate', '{state}', {from_us})")
}

/// Rows of the tables, as SQL.
#[derive(Default)]
pub(crate) struct Tables {
    consent: Vec<String>,
    person: Vec<String>,
    training: Vec<String>,
    period: Vec<String>,
    encounter: Vec<String>,
    response: Vec<String>,
    answer: Vec<String>,
}

async fn run(connection: &mut SqliteConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(connection).await.unwrap();
}

impl Tables {
    /// Replaces everything in the database.
    pub(crate) async fn fill(self, connection: &mut SqliteConnection) {
        for table in ["answer", "response", "period", "training", "encounter", "person", "consent"]
        {
            run(connection, format!("DELETE FROM {table}")).await;
        }
        let batch = "INSERT OR IGNORE INTO import_batch VALUES (1, 0, zeroblob(32), zeroblob(32))";
        run(connection, batch.to_owned()).await;
        let Tables { consent, person, training, period, encounter, response, answer } = self;
        for (table, rows) in [
            (STATEMENT, consent),
            (PERSON_COLUMNS, person),
            ("training", training),
            ("period", period),
            (ENCOUNTER_COLUMNS, encounter),
            (RESPONSE_COLUMNS, response),
            ("answer", answer),
        ] {
            for rows in rows.chunks(400) {
                run(connection, format!("INSERT INTO {table} VALUES {}", rows.join(", "))).await;
            }
        }
    }
}

/// What leaves the database, or changes in it.
#[derive(Default)]
pub(crate) struct Deletions {
    encounters: Vec<String>,
    responses: Vec<String>,
    retired: Vec<String>,
    moved: Vec<String>,
    refused: Vec<String>,
    expunged: Vec<String>,
    rewritten: Vec<String>,
}

impl Deletions {
    /// Makes it so.
    pub(crate) async fn apply(self, connection: &mut SqliteConnection) {
        let list = |keys: &[String]| keys.join(", ");
        let said = list(&self.responses);
        run(connection, format!("DELETE FROM answer WHERE response IN ({said})")).await;
        run(connection, format!("DELETE FROM response WHERE response IN ({said})")).await;
        let met = list(&self.encounters);
        run(connection, format!("DELETE FROM encounter WHERE encounter IN ({met})")).await;
        let retired = list(&self.retired);
        run(connection, format!("UPDATE person SET active = 0 WHERE person IN ({retired})")).await;
        let moved = list(&self.moved);
        run(connection, format!("UPDATE person SET role = 'clerk' WHERE person IN ({moved})"))
            .await;
        for refused in &self.refused {
            run(connection, format!("INSERT INTO {STATEMENT} VALUES {refused}")).await;
        }
        let gone = list(&self.expunged);
        run(
            connection,
            format!(
                "DELETE FROM answer WHERE response IN (SELECT response FROM response WHERE person IN ({gone}))"
            ),
        )
        .await;
        for table in ["response", "encounter", "period", "training", "person"] {
            run(connection, format!("DELETE FROM {table} WHERE person IN ({gone})")).await;
        }
        let other = list(&self.rewritten);
        run(
            connection,
            format!(
                "UPDATE encounter SET acuity = 6 - acuity, minutes = 60 - minutes, ai_share = 1 - ai_share, \
                 interpreter = 1 - interpreter, channel = iif(channel = 'video', 'in_person', 'video'), \
                 readmit_30d = 1 - readmit_30d, interruptions = 9 - interruptions, \
                 language = iif(language = 'de', 'tr', 'de'), \
                 deprivation_band = iif(deprivation_band = 'high', 'low', 'high') \
                 WHERE person IN ({other})"
            ),
        )
        .await;
        run(
            connection,
            format!(
                "UPDATE answer SET code = CAST(6 - CAST(code AS INTEGER) AS TEXT) \
                 WHERE response IN (SELECT response FROM response WHERE person IN ({other}))"
            ),
        )
        .await;
        run(
            connection,
            format!("UPDATE period SET volume = 700 - volume WHERE person IN ({other})"),
        )
        .await;
        for sql in [
            format!(
                "UPDATE training SET to_us = iif(to_us IS NULL, unixepoch('2026-04-20') * 1000000, NULL) \
                 WHERE person IN ({other})"
            ),
            format!(
                "UPDATE person SET gender = iif(gender = 'female', 'male', 'female') WHERE person IN ({other})"
            ),
        ] {
            run(connection, sql).await;
        }
    }
}
