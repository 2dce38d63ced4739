//! `tacit-coordinator roster`: puts enrolment files together; `check`: reads a study against a roster.
use std::path::{Path, PathBuf};
use tacit_link::keys::{Keys, read_party};
use tacit_shared::fault::Fault;
use tacit_shared::id::FederationId;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;

/// Arguments of `roster`.
#[derive(Clone, Debug, clap::Args)]
pub struct RosterArgs {
    /// Folder of the coordinator
    #[arg(long)]
    pub dir: PathBuf,
    /// Short name of the federation
    #[arg(long)]
    pub federation: FederationId,
    /// Version of the roster; a change of sites or keys needs a new one
    #[arg(
        id = "roster_version",
        long = "roster-version",
        value_name = "NUMBER",
        default_value_t = 1
    )]
    pub version: u32,
    /// t: at most so many sites collude with the coordinator
    #[arg(long, default_value_t = 1)]
    pub max_colluders: u16,
    /// Where to write the roster
    #[arg(long, default_value = "roster.toml")]
    pub out: PathBuf,
    /// The enrolment files of the hospitals, in the order of their indices
    #[arg(required = true)]
    pub enrolments: Vec<PathBuf>,
}

/// Arguments of `check`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The roster
    #[arg(long)]
    pub roster: PathBuf,
    /// The study
    pub study: PathBuf,
}

/// Writes a roster; returns its digest, which each hospital pins for itself.
///
/// # Errors
/// A fault naming the enrolment file or the key that is wrong.
pub fn run(args: &RosterArgs) -> Result<String, Fault> {
    let coordinator = Keys::open(&args.dir)?.party().clone();
    let sites: Result<Vec<_>, Fault> = args.enrolments.iter().map(|p| read_party(p)).collect();
    let out = args.out.display().to_string();
    let roster =
        Roster::of(args.federation.clone(), args.version, args.max_colluders, coordinator, sites?);
    let roster = roster.map_err(|e| e.into_fault(&out))?;
    let text = roster.to_toml().map_err(|e| Fault::bug(e.to_string()))?;
    std::fs::write(&args.out, text)
        .map_err(|e| Fault::operator(format!("cannot be written: {e}")).at(&out))?;
    Ok(format!(
        "Roster of {} sites written to {out}; {} answers open a sum.\n\
         Every hospital compares this digest by telephone and pins it itself:\n  {}",
        roster.len(),
        roster.threshold(),
        roster.digest()
    ))
}

/// Reads a study against a roster; returns its digest and what it means in numbers.
///
/// # Errors
/// A fault naming the key that is wrong.
pub fn check(args: &CheckArgs) -> Result<String, Fault> {
    let (_, roster) = read_roster(&args.roster)?;
    let (_, study) = read_study(&args.study)?;
    check_units(&study, &roster, &args.study)?;
    let plan = Plan::new(&study, &roster)
        .map_err(|e| Fault::user(e.to_string()).at(args.study.display().to_string()))?;
    Ok(format!(
        "Study {} is sound for this roster.\n  \
         digest      {}\n  \
         vector      {} numbers\n  \
         opens with  {} of {} sites\n  \
         noise       {:.3} times what one clinician can change, guaranteed",
        study.name(),
        study.digest(),
        plan.layout().dimension(),
        plan.min_sites(),
        plan.sites().len(),
        plan.noise().guaranteed_multiplier(),
    ))
}

/// Holds the money's public numbers to the sites of a roster.
///
/// # Errors
/// A user's fault naming the key and the site that the roster does not have.
pub fn check_units(study: &Study, roster: &Roster, path: &Path) -> Result<(), Fault> {
    let sites = roster.sites().map(|(_, party)| &party.id);
    let place = path.display().to_string();
    study.allocation().check_sites(sites).map_err(|e| e.into_fault(&place))
}

/// Reads a study file: its text and what it says.
///
/// # Errors
/// A user's fault with the file's name.
pub fn read_study(path: &Path) -> Result<(String, Study), Fault> {
    let (text, origin) = read(path)?;
    let study = Study::parse(&text).map_err(|e| e.into_fault(&origin))?;
    Ok((text, study))
}

/// Reads a roster file: its text and what it says.
///
/// # Errors
/// A user's fault with the file's name.
pub fn read_roster(path: &Path) -> Result<(String, Roster), Fault> {
    let (text, origin) = read(path)?;
    let roster = Roster::parse(&text).map_err(|e| e.into_fault(&origin))?;
    Ok((text, roster))
}

fn read(path: &Path) -> Result<(String, String), Fault> {
    const BYTES_MAX: u64 = 1 << 20;
    let origin = path.display().to_string();
    let fault = |e: std::io::Error| Fault::user(format!("cannot be read: {e}")).at(&origin);
    let text = tacit_link::keys::read_bounded(path, BYTES_MAX).map_err(fault)?;
    let text = String::from_utf8(text).map_err(|_| Fault::user("not a text file").at(&origin))?;
    Ok((text, origin))
}
