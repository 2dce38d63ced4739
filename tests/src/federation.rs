//! A whole federation in one folder: the real coordinator and the real nodes, on loopback.
//!
//! Everything goes through the commands that people use, each party in a folder of its own. Only the
//! processes are shared: nodes and coordinator are tasks of this one.
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use tacit_coordinator::command::{
    init as host_init, next as host_next, roster as host_roster, run as host_run,
};
use tacit_coordinator::config::Config as HostConfig;
use tacit_coordinator::link::session::Progress as RoundProgress;
use tacit_link::keys::ENROLMENT;
use tacit_node::command::{approve, import, init, profile, run};
use tacit_node::config::{Basis, Config as NodeConfig};
use tacit_node::intake::progress::Progress as ImportProgress;
use tacit_node::link::session::unix_now;
use tacit_node::measure::feature;
use tacit_node::measure::instrument::Catalogue;
use tacit_node::office::profile::Role;
use tacit_node::store::consent::Access;
use tacit_node::store::{self, Store, pseudonym::Pseudonyms};
use tacit_shared::fault::Fault;
use tacit_shared::id::SiteId;
use tacit_shared::protocol::config::Deadlines;
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;
use tacit_shared::study::profile::document::Document;
use tacit_shared::units::Epsilon;
use tokio::task::JoinSet;

use crate::oracle::Row;

/// How long a site looks for the coordinator.
const PATIENCE_S: u64 = 120;

/// A hospital that takes part: its name and the files it imports.
#[derive(Clone, Debug)]
pub struct Member {
    /// Short name.
    pub site: SiteId,
    /// Legal name.
    pub name: String,
    /// Each file with the name of its raw table.
    pub files: Vec<(String, PathBuf)>,
    /// The mapping onto the canonical tables.
    pub mapping: PathBuf,
    /// Where the recordings are.
    pub recordings: Option<PathBuf>,
}

/// How the federation is set up.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// The folder of the whole federation.
    pub dir: PathBuf,
    /// The study file.
    pub study_text: String,
    /// t.
    pub max_colluders: u16,
    /// The profile that two people sign at every node; the built-in one without.
    pub profile: Option<String>,
    /// What each site allows: ε of a clinician and of a patient.
    pub budget: (Epsilon, Epsilon),
    /// How long the coordinator waits in each phase.
    pub deadlines: Deadlines,
}

/// A federation whose members are enrolled.
#[derive(Debug)]
pub struct Federation {
    set_up: SetUp,
    members: Vec<Member>,
    study: Study,
}

/// Invented people need no floor, and a rehearsal may be a small one.
pub fn approving(decide: approve::DecideArgs) -> approve::ApproveArgs {
    let (accept_small_cells, accept_hopeless) = (true, false);
    approve::ApproveArgs { decide, accept_small_cells, accept_hopeless, heads: None, key: None }
}

impl Federation {
    /// Makes every party's folder, puts the roster together, and has it pinned by each site.
    ///
    /// # Errors
    /// The fault of the command that failed.
    pub async fn enrol(set_up: SetUp, members: Vec<Member>) -> Result<Self, Fault> {
        let study = Study::parse(&set_up.study_text).map_err(|e| e.into_fault("the study"))?;
        let federation = Self { set_up, members, study };
        let address = free_address()?;
        let coordinator = host_init::InitArgs {
            dir: federation.coordinator_dir(),
            name: "Research consortium".to_owned(),
            id: "convener".parse().map_err(|_| Fault::bug("a name"))?,
            listen: address,
        };
        let config = HostConfig::new(address).with_patience(60, federation.set_up.deadlines);
        host_init::with_config(&coordinator, &config).await?;
        for member in &federation.members {
            federation.enrol_one(member, address).await?;
        }
        std::fs::write(federation.study_path(), &federation.set_up.study_text)
            .map_err(|e| Fault::operator(e.to_string()))?;
        host_roster::run(&host_roster::RosterArgs {
            dir: federation.coordinator_dir(),
            federation: "rehearsal".parse().map_err(|_| Fault::bug("a name"))?,
            version: 1,
            max_colluders: federation.set_up.max_colluders,
            out: federation.roster_path(),
            enrolments: federation
                .members
                .iter()
                .map(|m| federation.dir(m).join(ENROLMENT))
                .collect(),
        })?;
        let digest = federation.roster()?.digest();
        for member in &federation.members {
            let (dir, file) = (federation.dir(member), federation.roster_path());
            approve::join(&approve::DecideArgs { dir, file, digest: Some(digest) }).await?;
        }
        Ok(federation)
    }

    async fn enrol_one(&self, member: &Member, coordinator: SocketAddr) -> Result<(), Fault> {
        let args = init::InitArgs {
            dir: self.dir(member),
            site: member.site.clone(),
            name: member.name.clone(),
            coordinator,
            clinicians: Basis::ByMapping,
        };
        let (clinician, patient) = self.set_up.budget;
        let config = NodeConfig::new(coordinator).with_budget(clinician, patient);
        init::with_config(&args, &config).await?;
        match &self.set_up.profile {
            Some(text) => put_in_force(&args.dir, text).await,
            None => Ok(()),
        }
    }

    /// Imports one member's files; returns what the command printed.
    ///
    /// # Errors
    /// The fault of the import.
    pub async fn import(
        &self,
        member: &Member,
        progress: &dyn ImportProgress,
    ) -> Result<String, Fault> {
        let args = import::ImportArgs {
            dir: self.dir(member),
            mapping: member.mapping.clone(),
            recordings_dir: member.recordings.clone(),
            replace: false,
            on_error: tacit_node::intake::OnError::Reject,
            postgres: None,
            schema: Vec::new(),
            statement_seconds: 900,
            memory_mib: tacit_node::intake::stream::Memory::default(),
            inputs: member
                .files
                .iter()
                .map(|(name, path)| format!("{name}={}", path.display()).parse())
                .collect::<Result<_, String>>()
                .map_err(Fault::user)?,
        };
        import::run(&args, progress).await
    }

    /// Has every officer approve the study; returns the first statement.
    ///
    /// # Errors
    /// The fault of the approval.
    pub async fn approve(&self) -> Result<String, Fault> {
        let mut statement = String::new();
        for member in &self.members {
            let (dir, file) = (self.dir(member), self.study_path());
            let digest = Some(self.study.digest());
            let decide = approve::DecideArgs { dir, file, digest };
            let text = approve::approve_with(&approving(decide)).await?;
            if statement.is_empty() {
                statement = text;
            }
        }
        Ok(statement)
    }

    /// Runs one round with everyone.
    ///
    /// # Errors
    /// The coordinator's fault, or else the first node's.
    pub async fn round(
        &self,
        watch: impl Fn(&RoundProgress) + Send + Sync + 'static,
    ) -> Result<String, Fault> {
        let mut nodes = JoinSet::new();
        for member in &self.members {
            let args = run::RunArgs { dir: self.dir(member), once: true, patience_s: PATIENCE_S };
            nodes.spawn(async move { Box::pin(run::run(&args)).await });
        }
        let args = host_run::RunArgs {
            dir: self.coordinator_dir(),
            roster: self.roster_path(),
            study: self.study_path(),
        };
        let opened = host_run::watched(&args, &watch).await?;
        while let Some(ended) = nodes.join_next().await {
            ended.map_err(|e| Fault::bug(e.to_string()))??;
        }
        Ok(opened)
    }

    /// The rows each site summed, read again from its database: what an oracle starts from.
    ///
    /// # Errors
    /// The fault of the first site that cannot be read.
    pub async fn rows(&self) -> Result<Vec<Row>, Fault> {
        let mut all = Vec::new();
        for (site, member) in self.members.iter().enumerate() {
            let dir = self.dir(member);
            let store = Store::open(&dir.join(store::FILE)).await?;
            let catalogue = Catalogue::built_in()?;
            let pseudonyms = Pseudonyms::open_or_create(&dir)?;
            let now_us = unix_now().saturating_mul(1_000_000);
            let access = Access::now(&store, &NodeConfig::open(&dir)?, now_us).await?;
            let rows = feature::rows(&store, &self.study, &catalogue, &pseudonyms, &access).await?;
            all.extend(rows.rows.iter().map(|row| Row::of(row, site)));
            store.close().await;
        }
        Ok(all)
    }

    /// Has the convener write the study of the next period, which the members then import for and approve.
    ///
    /// # Errors
    /// The fault of `tacit-coordinator next`.
    pub async fn advance(&mut self) -> Result<(), Fault> {
        let out = self.study_path();
        let args = host_next::NextArgs {
            dir: self.coordinator_dir(),
            round: None,
            results: 6,
            from: None,
            to: None,
            same_period: false,
            out: out.clone(),
        };
        host_next::run(&args).await?;
        let text = std::fs::read_to_string(&out).map_err(|e| Fault::operator(e.to_string()))?;
        self.study = Study::parse(&text).map_err(|e| e.into_fault("the next study"))?;
        self.set_up.study_text = text;
        Ok(())
    }

    /// Gives the members other files to import.
    pub fn bring(&mut self, members: Vec<Member>) {
        self.members = members;
    }

    /// The members, in the order of the roster.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The study.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The roster, read from its file.
    ///
    /// # Errors
    /// A fault if the file is gone or changed for the worse.
    pub fn roster(&self) -> Result<Roster, Fault> {
        host_roster::read_roster(&self.roster_path()).map(|(_, roster)| roster)
    }

    /// The coordinator's folder.
    pub fn coordinator_dir(&self) -> PathBuf {
        self.set_up.dir.join("coordinator")
    }

    /// A member's folder.
    pub fn dir(&self, member: &Member) -> PathBuf {
        self.set_up.dir.join(member.site.as_str())
    }

    /// The study's file.
    pub fn study_path(&self) -> PathBuf {
        self.set_up.dir.join("study.toml")
    }

    /// The roster's file.
    pub fn roster_path(&self) -> PathBuf {
        self.set_up.dir.join("roster.toml")
    }
}

/// Has the officer and a representative of staff sign a profile, as each of them would.
///
/// # Errors
/// The fault of the command that failed.
pub async fn put_in_force(dir: &Path, text: &str) -> Result<(), Fault> {
    // The representative keeps their key elsewhere.
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push("-staff.p8");
    let (file, staff) = (dir.join("profile.toml"), dir.with_file_name(name));
    std::fs::write(&file, text).map_err(|e| Fault::operator(e.to_string()))?;
    let document = Document::parse(text).map_err(|e| e.into_fault("the profile"))?;
    let key = profile::KeyArgs { dir: dir.to_owned(), key: staff.clone(), replace: false };
    let sign = |role, key| {
        profile::ProfileCommand::Sign(profile::SignArgs {
            dir: dir.to_owned(),
            file: file.clone(),
            role,
            digest: Some(document.digest()),
            key,
        })
    };
    for what in [
        profile::ProfileCommand::Key(key),
        sign(Role::Officer, None),
        sign(Role::StaffRepresentative, Some(staff)),
    ] {
        profile::run(&profile::ProfileArgs { what }).await?;
    }
    Ok(())
}

/// A loopback address whose port was free a moment ago.
///
/// # Errors
/// An operator's fault if loopback has no port left.
pub fn free_address() -> Result<SocketAddr, Fault> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    socket.and_then(|socket| socket.local_addr()).map_err(|e| Fault::operator(e.to_string()))
}

/// A study file with another ε, and with as many sites needed as a roster of `sites` asks for.
///
/// # Errors
/// A user's fault if the text is no study.
pub fn adapted(text: &str, epsilon: Option<f64>, sites: usize) -> Result<String, Fault> {
    let mut table: toml::Table = toml::from_str(text).map_err(|e| Fault::user(e.to_string()))?;
    let privacy = table.get_mut("privacy").and_then(toml::Value::as_table_mut);
    let privacy = privacy.ok_or_else(|| Fault::user("the study has no [privacy]"))?;
    if let Some(epsilon) = epsilon {
        privacy.insert("epsilon".to_owned(), toml::Value::Float(epsilon));
    }
    // T for one colluder: what is needed at least, and what the file may not fall below.
    let threshold = i64::try_from(usize::midpoint(sites, 1) + 1).unwrap_or(i64::MAX);
    let written = privacy.get("min_sites").and_then(toml::Value::as_integer).unwrap_or(2);
    let sites = i64::try_from(sites).unwrap_or(i64::MAX);
    let min_sites = written.clamp(threshold.min(sites), sites);
    privacy.insert("min_sites".to_owned(), toml::Value::Integer(min_sites));
    toml::to_string(&table).map_err(|e| Fault::bug(e.to_string()))
}

/// Where a rehearsal keeps its parties.
pub fn folder(out: &Path) -> PathBuf {
    out.join("federation")
}
