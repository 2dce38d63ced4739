//! `tacit-node dpia`: writes the impact assessment, the notice for staff and the record of processing.
//!
//! Gathers what is configured, decided and held; what follows from it is [`crate::office::dpia`]'s. People are
//! counted here and told in bands only.
use super::check::{day_and_time, now_us};
use crate::config::{Basis, Config, Modalities, Review};
use crate::measure::composite;
use crate::measure::feature::scored_by;
use crate::measure::instrument::Catalogue;
use crate::office::decision::SmallCells;
use crate::office::dpia::reasons::{self, BODY, OWN_WORDS};
use crate::office::dpia::{
    Band, BudgetPart, ConsentPart, Data, Federation, KeptDays, ProfilePart, Record, Rules,
    Statements, StudyPart, html,
};
use crate::office::profile::InForce;
use crate::store::people::{self, Said};
use crate::store::{self, Store, approval, ledger, officer, profile};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tacit_link::keys::Keys;
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;
use tacit_shared::units::Epsilon;
use time::OffsetDateTime;

/// Arguments of `dpia`.
#[derive(Clone, Debug, clap::Args)]
pub struct DpiaArgs {
    /// Folder of the node
    #[arg(long)]
    pub dir: PathBuf,
    /// Folder to write `dpia.html`, `notice.html` and `record.json` into
    #[arg(long)]
    pub out: PathBuf,
}

/// A study, and what its approval says of small cells, if it stands approved.
type Decided = (Study, Option<SmallCells>);

/// Writes the three papers; the text says where.
///
/// # Errors
/// A fault of the folder, the database, or the folder to write into.
pub async fn run(args: &DpiaArgs) -> Result<String, Fault> {
    let config = Config::open(&args.dir)?;
    let keys = Keys::open(&args.dir)?;
    let store = Store::open(&args.dir.join(store::FILE)).await?;
    let record = gather(&store, &args.dir, &config, &keys).await;
    store.close().await;
    let record = record?;
    let json = serde_json::to_string_pretty(&record).map_err(|e| Fault::bug(e.to_string()))?;
    let place = args.out.display().to_string();
    let unwritten = |e: std::io::Error| Fault::user(format!("cannot be written: {e}")).at(&place);
    std::fs::create_dir_all(&args.out).map_err(unwritten)?;
    for (name, text) in [
        ("dpia.html", html::assessment(&record)),
        ("notice.html", html::notice(&record)),
        ("record.json", json),
    ] {
        std::fs::write(args.out.join(name), text).map_err(unwritten)?;
    }
    Ok(format!(
        "Written into {place}:\n  dpia.html    a draft of the impact assessment, with {} open points\n  \
         notice.html  the sheet for everyone who works here\n  record.json  the record of processing\n\
         None of them is legal advice: have them checked, and settle the open points.",
        record.open_points.len()
    ))
}

async fn gather(store: &Store, dir: &Path, config: &Config, keys: &Keys) -> Result<Record, Fault> {
    let now_us = now_us()?;
    let in_force = profile::now(store, now_us.div_euclid(1_000_000)).await?;
    let catalogue = Catalogue::of_node(dir, config.licences())?;
    let ledger = ledger::open(store, config.limits()?).await?;
    let decided = studies(store).await?;
    let keep = config.retention().within(in_force.document.keep());
    let spent = [
        ("clinician", ledger.budgets().clinician, ledger.spent().clinician),
        ("patient", ledger.budgets().patient, ledger.spent().patient),
    ];
    let budget = |(one, budget, spent): (_, tacit_shared::privacy::accountant::Budget, _)| {
        let spent: tacit_shared::privacy::accountant::Cost = spent;
        let (epsilon, delta) = (budget.epsilon().value(), budget.delta().value());
        BudgetPart { one, epsilon, delta, spent: spent.epsilon(budget.delta()).map(Epsilon::value) }
    };
    let releases = ledger::entries(store).await.map_err(|e| ledger::broken(&e))?.len();
    let mut record = Record {
        format: "tacit-record/1",
        made_at: day_and_time(now_us),
        made_by: format!("tacit-node {}", env!("CARGO_PKG_VERSION")),
        site: keys.party().id.to_string(),
        name: keys.party().name.clone(),
        federation: federation(store).await?,
        profile: profile_part(&in_force),
        data: data(store, &in_force, &config.modalities()).await?,
        consent: consent(store, config, now_us).await?,
        kept_days: KeptDays {
            encounters: keep.encounters,
            answers: keep.answers,
            features: keep.features,
        },
        instruments: instruments(&decided, &catalogue),
        studies: decided.iter().map(|(study, approved)| study_part(study, *approved)).collect(),
        budgets: spent.into_iter().map(budget).collect(),
        releases,
        composites: composites(&catalogue)?,
        flows: reasons::flows(config.keeps_ids(), config.review() == Review::Hold),
        contest_to: config.contest_to().map(str::to_owned),
        refusals: profile::refusals(store).await?.into_iter().map(|r| (r.why, r.times)).collect(),
        risks: Vec::new(),
        open_points: Vec::new(),
    };
    record.risks = reasons::risks(&record);
    record.open_points = reasons::open_points(&record);
    Ok(record)
}

/// Studies the officer decided on; for those that stand approved under the pinned roster, what was said of small cells.
async fn studies(store: &Store) -> Result<Vec<Decided>, Fault> {
    if officer::keys(store).await?.is_empty() {
        return Ok(Vec::new());
    }
    let decisions = officer::decisions(store).await?;
    let roster = approval::roster(store).await?.map(|roster| roster.digest());
    let mut studies = Vec::new();
    for (_, digest) in approval::list(store).await? {
        let approved = roster.and_then(|roster| decisions.approves(digest, roster));
        studies.extend(approval::kept(store, digest).await?.map(|study| (study, approved)));
    }
    Ok(studies)
}

async fn federation(store: &Store) -> Result<Option<Federation>, Fault> {
    let part = |roster: tacit_shared::roster::Roster| Federation {
        name: roster.federation().to_string(),
        coordinator: roster.coordinator().name.clone(),
        sites: roster.sites().map(|(_, party)| party.name.clone()).collect(),
        colluders: roster.colluders_max(),
        roster: roster.digest().to_string(),
    };
    Ok(approval::roster(store).await?.map(part))
}

fn profile_part(in_force: &InForce) -> ProfilePart {
    let document = &in_force.document;
    let words = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>();
    let day = |unix_s| {
        OffsetDateTime::from_unix_timestamp(unix_s)
            .map_or(String::new(), |at| at.date().to_string())
    };
    ProfilePart {
        kind: document.kind().to_string(),
        version: document.version().to_owned(),
        digest: document.digest().to_string(),
        purposes: words(&mut document.purposes().iter().map(ToString::to_string)),
        basis: document.legal().basis.clone(),
        agreement: document.legal().agreement.clone(),
        approval: document.approval().map(|a| format!("{}, {}", a.id, a.board)),
        ends: document.ends().map(|day| day.to_string()),
        recipients: words(&mut document.recipients().iter().map(ToString::to_string)),
        signed: words(
            &mut in_force.signed.iter().map(|w| format!("the {} on {}", w.role, day(w.at_unix_s))),
        ),
        falls_short: in_force.falls_short.clone(),
    }
}

async fn data(
    store: &Store,
    in_force: &InForce,
    switches: &Modalities,
) -> Result<Vec<Data>, Fault> {
    let mut all = Vec::new();
    for modality in Modality::ALL {
        let about = match modality {
            Modality::StaffRecords => "clinicians' work",
            Modality::Encounters => "patients, and clinicians' work",
            Modality::PatientQuestionnaires => "patients, and how clinicians met them",
            Modality::ClinicianQuestionnaires => OWN_WORDS,
            Modality::Heart
            | Modality::SkinConductance
            | Modality::WearableSummaries
            | Modality::Faces => BODY,
        };
        all.push(Data {
            kind: modality.to_string(),
            about,
            allowed: in_force.document.allows(modality),
            switched_on: switches.admits(modality),
            people: Band::of(people::with(store, modality).await?),
            patients: people::patients_with(store, modality).await?.map(Band::of),
        });
    }
    Ok(all)
}

async fn consent(store: &Store, config: &Config, now_us: i64) -> Result<ConsentPart, Fault> {
    let word = |basis| {
        match basis {
            Basis::Required => "required",
            Basis::OptOut => "opt-out",
            Basis::ByMapping => "by-mapping",
        }
        .to_owned()
    };
    let part = |Said { of, purpose, state, people }: Said| Statements {
        of: if of == "patients" { "patients" } else { "clinicians" },
        purpose,
        state,
        people: Band::of(people),
    };
    Ok(ConsentPart {
        clinicians: word(config.consent().clinicians),
        patients: word(config.consent().patients),
        statements: people::said(store, now_us).await?.into_iter().map(part).collect(),
    })
}

fn study_part(study: &Study, approved: Option<SmallCells>) -> StudyPart {
    let (from, to) = study.period();
    let outcome = &study.schema().outcome;
    StudyPart {
        name: study.name().to_string(),
        title: study.title().to_owned(),
        digest: study.digest().to_string(),
        question: study.question().to_owned(),
        purpose: study.purpose().to_owned(),
        recipients: study.recipients().iter().map(ToString::to_string).collect(),
        period: [from.to_string(), to.to_string()],
        approved: approved.is_some(),
        small_cells_accepted: approved == Some(SmallCells::Accepted),
        epsilon: study.privacy().epsilon,
        delta: study.privacy().delta,
        releases_a_year: study.privacy().releases_a_year(),
        outcome: format!("{} ({})", outcome.label, outcome.source),
        limits: study.limits().to_vec(),
    }
}

/// The questionnaires of approved studies, each once; those the node does not know are the study's own fault.
fn instruments(decided: &[Decided], catalogue: &Catalogue) -> Vec<Rules> {
    let approved = decided.iter().filter(|(_, approved)| approved.is_some());
    let all: BTreeSet<_> =
        approved.filter_map(|(study, _)| scored_by(study, catalogue).ok()).flatten().collect();
    let rules = |by: crate::store::scored::ScoredBy| Rules {
        id: by.instrument.to_string(),
        version: by.version,
        sha256: by.sha256,
        note: by.licence,
    };
    all.into_iter().map(rules).collect()
}

fn composites(catalogue: &Catalogue) -> Result<Vec<Rules>, Fault> {
    let rules = |composite: composite::Composite| Rules {
        id: composite.output().to_string(),
        version: composite.version().to_owned(),
        sha256: composite.sha256().to_string(),
        note: Some(format!("profile {}", composite.profile())),
    };
    Ok(composite::shipped(catalogue)?.into_iter().map(rules).collect())
}
