//! Who consented to what: the latest statement of a person on a purpose that has begun decides.
//!
//! ```text
//! given, refused, withdrawn     as stated; of statements that began together the strictest counts
//! expired                       given, and over: after `to`, and after 366 days at the latest
//! ```
//! What follows for a study is decided where its rows are read ([`super::panel`]); what follows for the rows
//! themselves, once somebody withdrew, in [`super::withdraw`].
use super::{Store, fault, profile};
use crate::config::{Basis, Config, Consent, Modalities};
use crate::office::profile::InForce;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error};
use tacit_shared::fault::Fault;
use tacit_shared::study::modality::Modality;

/// What a person's rows may be used for. Each is consented to by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// The person's own view of their rows, at the node.
    LocalView,
    /// Sums over many persons and hospitals, under noise.
    ResearchAggregate,
    /// Recordings of heart beats, in what else is consented to.
    Heart,
    /// The same of skin conductance.
    SkinConductance,
    /// The same of what a wearable worked out by itself.
    WearableSummaries,
    /// Action units of their face, at the node alone.
    FacialActionUnits,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 6] = [
        Purpose::LocalView,
        Purpose::ResearchAggregate,
        Purpose::Heart,
        Purpose::SkinConductance,
        Purpose::WearableSummaries,
        Purpose::FacialActionUnits,
    ];
    /// Signals of a body: of these nothing is read of whoever did not consent, whatever a site's settings say.
    pub const OF_BODIES: [(Purpose, Modality); 4] = [
        (Purpose::Heart, Modality::Heart),
        (Purpose::SkinConductance, Modality::SkinConductance),
        (Purpose::WearableSummaries, Modality::WearableSummaries),
        (Purpose::FacialActionUnits, Modality::Faces),
    ];

    /// What a study's purpose asks people about; `None` if it is nothing they are asked about.
    pub fn of_study(word: &str) -> Option<Self> {
        (word == Purpose::ResearchAggregate.word()).then_some(Purpose::ResearchAggregate)
    }

    /// Its word in the tables.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::LocalView => "local-view",
            Purpose::ResearchAggregate => "research-aggregate",
            Purpose::Heart => "heart",
            Purpose::SkinConductance => "skin-conductance",
            Purpose::WearableSummaries => "wearable-summaries",
            Purpose::FacialActionUnits => "facial-action-units",
        }
    }
}

/// By which rules of the site, and when, rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What lets a person's rows be read.
    pub consent: Consent,
    /// Which kinds of data are.
    pub modalities: Modalities,
    /// Now, in microseconds since 1970 UTC: consents begin and end.
    pub now_us: i64,
}

impl Access {
    /// The rules of a site's settings, as far as a profile allows them.
    pub fn of(config: &Config, profile: &InForce, now_us: i64) -> Self {
        let modalities = config.modalities().within(&profile.document);
        Self { consent: config.consent(), modalities, now_us }
    }

    /// The same under the profile that is in force at that moment.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn now(store: &Store, config: &Config, now_us: i64) -> Result<Self, Fault> {
        let profile = profile::now(store, now_us.div_euclid(1_000_000)).await?;
        Ok(Self::of(config, &profile, now_us))
    }
}

/// The query for the statements that decide on a purpose at a moment: `who`, `person`, `patient`, `state`
/// (`expired` among them). Its parameters are the purpose's word (`?1`) and the moment (`?2`).
pub(super) const DECISIVE: &str = "SELECT who, person, patient, \
    CASE WHEN state = 'given' AND until_us <= ?2 THEN 'expired' ELSE state END AS state \
    FROM (SELECT *, row_number() OVER (PARTITION BY who ORDER BY from_us DESC, \
      CASE state WHEN 'withdrawn' THEN 0 WHEN 'refused' THEN 1 ELSE 2 END) AS nth \
      FROM consent WHERE purpose = ?1 AND from_us <= ?2) WHERE nth = 1";

/// The condition under which the person whose key is `column` consented to a purpose, and the consent is in force at
/// the moment that the parameter `at` holds.
pub fn given(purpose: Purpose, column: &str, at: &str) -> String {
    let decisive = DECISIVE.replace("?1", &format!("'{}'", purpose.word())).replace("?2", at);
    format!("coalesce({column} IN (SELECT who FROM ({decisive}) WHERE state = 'given'), 0)")
}

/// Writes the decisive statements on a study's purpose and on signals of bodies into `temp.panel_said`.
pub(super) async fn list(
    connection: &mut SqliteConnection,
    study: Purpose,
    now_us: i64,
) -> Result<(), Error> {
    let sql = "CREATE TEMP TABLE panel_said (purpose TEXT, who BLOB, state TEXT, PRIMARY KEY (purpose, who)) WITHOUT ROWID";
    sqlx::query(sql).execute(&mut *connection).await?;
    let bodies = Purpose::OF_BODIES.map(|(purpose, _)| purpose);
    for purpose in std::iter::once(study).chain(bodies) {
        let sql = format!("INSERT INTO panel_said SELECT ?1, who, state FROM ({DECISIVE})");
        sqlx::query(AssertSqlSafe(sql))
            .bind(purpose.word())
            .bind(now_us)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The condition under which rows of the person whose key is `column` are read for a purpose, once the
/// statements are listed. Where no key is known nobody can have consented, nor have said no.
pub(super) async fn condition(
    connection: &mut SqliteConnection,
    basis: Basis,
    purpose: Purpose,
    column: &str,
) -> Result<String, Error> {
    let word = purpose.word();
    let states = match basis {
        Basis::Required => {
            return Ok(format!(
                "{column} IN (SELECT who FROM panel_said WHERE purpose = '{word}' AND state = 'given')"
            ));
        }
        Basis::OptOut => "('refused', 'withdrawn')",
        Basis::ByMapping => "('withdrawn')",
    };
    let no = format!("SELECT who FROM panel_said WHERE purpose = '{word}' AND state IN {states}");
    let sql = format!("SELECT EXISTS ({no})");
    let anyone: bool = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await?;
    // Without anyone who said no there is nothing to look up for millions of rows.
    Ok(if anyone {
        format!("({column} IS NULL OR {column} NOT IN ({no}))")
    } else {
        "1".to_owned()
    })
}

/// The same rule as a list, for rows that are in no table: whether those listed are the only ones read (and nobody whose
/// key is not known), or the ones not read.
pub(super) async fn listed(
    connection: &mut SqliteConnection,
    basis: Basis,
    purpose: Purpose,
) -> Result<(bool, Vec<Vec<u8>>), Error> {
    let (only, states) = match basis {
        Basis::Required => (true, "('given')"),
        Basis::OptOut => (false, "('refused', 'withdrawn')"),
        Basis::ByMapping => (false, "('withdrawn')"),
    };
    let sql = format!("SELECT who FROM panel_said WHERE purpose = ? AND state IN {states}");
    let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(purpose.word());
    Ok((only, query.fetch_all(connection).await?))
}

/// Where a consent is required of clinicians: how many of those at work gave none that is in force, and how many
/// are at work.
///
/// # Errors
/// A fault of the database.
pub async fn without(store: &Store, access: &Access) -> Result<Option<(i64, i64)>, Fault> {
    if access.consent.clinicians != Basis::Required {
        return Ok(None);
    }
    let sql = format!(
        "SELECT count(*) FILTER (WHERE person NOT IN (SELECT who FROM ({DECISIVE}) WHERE state = 'given')), \
         count(*) FROM person WHERE active = 1"
    );
    let found = sqlx::query_as(AssertSqlSafe(sql))
        .bind(Purpose::ResearchAggregate.word())
        .bind(access.now_us)
        .fetch_one(store.pool())
        .await;
    found.map(Some).map_err(|e| fault(&e))
}

/// Takes back the statements of a batch, but for what people said no by: who refused or withdrew need not do so again.
///
/// # Errors
/// What the database says.
pub async fn take_back(connection: &mut SqliteConnection, batch: i64) -> Result<(), Error> {
    for sql in [
        "UPDATE consent SET src = NULL WHERE src = ? AND state IN ('refused', 'withdrawn')",
        "DELETE FROM consent WHERE src = ?",
    ] {
        sqlx::query(sql).bind(batch).execute(&mut *connection).await?;
    }
    Ok(())
}
