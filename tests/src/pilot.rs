//! The rehearsal: synthetic hospitals with a known truth, the real federation, one fair report.
//!
//! It does what a consortium would do, with the same commands, and shows the truth beside each
//! estimate because here it is known.
mod periods;
mod screen;
mod truth;

use crate::federation::{Federation, Member, SetUp, adapted, folder};
use crate::population::{Hospital, Moved, Population, PopulationError, Size};
use screen::Screen;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tacit_coordinator::command::{evaluate, report};
use tacit_coordinator::conclusion::Truth;
use tacit_coordinator::evaluation::Reading;
use tacit_coordinator::report::Report;
use tacit_node::intake::progress::Silent;
use tacit_shared::fault::Fault;
use tacit_shared::protocol::config::Deadlines;
use tacit_shared::study::Study;
use tacit_shared::units::Epsilon;

/// The studies of `configs/studies`, by name; the first is rehearsed if none is named.
pub const STUDIES: [(&str, &str); 5] = [
    ("empathy-billing", include_str!("../../configs/studies/empathy-billing.toml")),
    ("equity-value", include_str!("../../configs/studies/equity-value.toml")),
    ("empathy-premium", include_str!("../../configs/studies/empathy-premium.toml")),
    ("training-effect", include_str!("../../configs/studies/training-effect.toml")),
    ("contact-channel", include_str!("../../configs/studies/contact-channel.toml")),
];
/// Says that a folder is a rehearsal's, so that the next one may clear it.
const MARK: &str = ".tacit-rehearsal";

/// A rehearsal of a whole federation on this machine: files, nodes, coordinator, report.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "cargo pilot", version)]
pub struct Options {
    /// Hospitals, 2 to 30
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=30))]
    pub sites: u8,
    /// Clinicians in all hospitals together
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(80..=20_000))]
    pub clinicians: u32,
    /// Seed of the synthetic hospitals; the privacy noise is always fresh
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folder for the report and the federation's own folders
    #[arg(long, default_value = "target/pilot")]
    pub out: PathBuf,
    /// A study: empathy-billing, equity-value, empathy-premium, training-effect, contact-channel, or a file
    #[arg(long, default_value = "empathy-billing")]
    pub study: String,
    /// Quarters to rehearse one after the other, 1 to 8: the same hospitals and people, whose truth drifts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub periods: u8,
    /// ε of the release for one clinician, at the study's δ
    #[arg(long)]
    pub epsilon: Option<f64>,
    /// Keep the report pages up after the rehearsal and print their address
    #[arg(long)]
    pub serve: bool,
}

/// Runs the rehearsal.
///
/// # Errors
/// The fault of the part that failed.
pub async fn run(options: &Options) -> Result<(), Fault> {
    let started = Instant::now();
    let screen = Screen::new();
    let sites = usize::from(options.sites);
    let study_text = adapted(&study_text(&options.study)?, options.epsilon, sites)?;
    let study_text = periods::evaluated(&study_text, options.periods)?;
    let study = Study::parse(&study_text).map_err(|e| e.into_fault(&options.study))?;
    clear(&options.out)?;
    let (population, hospitals) = files(&screen, options, &study, Moved::default()).await?;

    let stage = screen.stage("The sites enrol and pin the roster");
    let set_up = set_up(options, &study, study_text.clone())?;
    let federation = Federation::enrol(set_up, members(&hospitals)).await?;
    stage.done(&format!("roster {}", federation.roster()?.digest().short()));

    let mut rehearsal = Rehearsal { screen, federation: Arc::new(federation), known: Vec::new() };
    let mut truth = rehearsal.period(&study, &population).await?;
    for period in 1..options.periods {
        truth = periods::later(&mut rehearsal, options, &study_text, period).await?;
    }
    let Rehearsal { screen, federation, known } = rehearsal;
    let report = report::load(&federation.coordinator_dir(), None, Some(&truth)).await?;
    report::write(&report, &options.out)?;
    screen.summary(&report, &options.out, started.elapsed());
    if options.periods > 1 {
        let evaluated = evaluate::load(&federation.coordinator_dir(), &known).await?;
        evaluate::write(&evaluated, &options.out)?;
        screen.evaluation(&evaluated, &options.out);
    }
    if options.serve { serve(&screen, report).await } else { Ok(()) }
}

/// A rehearsal on its way.
struct Rehearsal {
    screen: Screen,
    federation: Arc<Federation>,
    /// What each period so far says without noise.
    known: Vec<Vec<Reading>>,
}

impl Rehearsal {
    /// Imports, approves, runs the round; returns what is true of the period. `plain` is its study without a frame.
    async fn period(&mut self, plain: &Study, population: &Population) -> Result<Truth, Fault> {
        let (screen, federation) = (&self.screen, &self.federation);
        import(screen, federation).await?;
        let stage = screen.stage("The privacy officers approve the study");
        federation.approve().await?;
        stage.done(&format!(
            "study {}; cells too small accepted, for nobody here is real",
            federation.study().digest().short()
        ));

        let stage = screen.stage("One round over QUIC");
        let watch = stage.watch();
        federation.round(watch).await?;
        stage.done("the noisy sum is open, nothing else");

        let stage = screen.stage("Fit, fairness, division of the pool");
        let (truth, readings) = truth::of(federation, population, plain).await?;
        self.known.push(readings);
        stage.done("held against the truth");
        Ok(truth)
    }
}

async fn files(
    screen: &Screen,
    options: &Options,
    study: &Study,
    moved: Moved,
) -> Result<(Population, Vec<Hospital>), Fault> {
    let stage = screen.stage(&format!("{} hospitals write their files", options.sites));
    let size = Size { sites: usize::from(options.sites), clinicians: options.clinicians as usize };
    let (study, seed, mut dir) = (study.clone(), options.seed, options.out.join("hospitals"));
    if moved.period > 0 {
        dir = dir.join(format!("period-{}", moved.period + 1));
    }
    let (from, _) = study.period();
    let made = tokio::task::spawn_blocking(move || {
        let population = Population::generate_at(&study, seed, size, moved)?;
        let hospitals = population.write(&dir)?;
        Ok::<_, PopulationError>((population, hospitals))
    });
    let made = made.await.map_err(|e| Fault::bug(e.to_string()))?;
    let made = made.map_err(|e| Fault::user(e.to_string()))?;
    stage.done(&format!("{} clinicians, three months from {from}", made.0.clinicians().len()));
    Ok(made)
}

async fn import(screen: &Screen, federation: &Arc<Federation>) -> Result<(), Fault> {
    let stage = screen.stage("Each site imports by its own mapping");
    let mut imports = tokio::task::JoinSet::new();
    for member in federation.members().to_vec() {
        let federation = federation.clone();
        imports.spawn(async move {
            let printed = federation.import(&member, &Silent).await?;
            Ok::<_, Fault>((member.name, printed))
        });
    }
    let total = federation.members().len();
    let mut done = 0;
    while let Some(ended) = imports.join_next().await {
        let (name, _) = ended.map_err(|e| Fault::bug(e.to_string()))??;
        done += 1;
        stage.step(done, total, &name);
    }
    stage.done(&format!("{total} databases, bad rows counted and reported"));
    Ok(())
}

async fn serve(screen: &Screen, report: Report) -> Result<(), Fault> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.map_err(|e| Fault::operator(e.to_string()))?;
    let address = listener.local_addr().map_err(|e| Fault::operator(e.to_string()))?;
    screen.line(&format!("Report pages: http://{address}/  (Ctrl-C ends)"));
    let stop = async {
        let _ = tokio::signal::ctrl_c().await; // without signals the pages stay up
    };
    tacit_coordinator::web::serve(listener, tacit_coordinator::web::one(report), stop).await
}

fn members(hospitals: &[Hospital]) -> Vec<Member> {
    let member = |hospital: &Hospital| Member {
        site: hospital.site.clone(),
        name: hospital.name.clone(),
        files: hospital.files.clone(),
        mapping: hospital.mapping.clone(),
        recordings: hospital.recordings_dir.clone(),
    };
    hospitals.iter().map(member).collect()
}

fn set_up(options: &Options, study: &Study, study_text: String) -> Result<SetUp, Fault> {
    let epsilon = study.privacy().epsilon;
    // A synthetic site allows what it is asked; a real one decides for itself.
    let rounds = f64::from(options.periods);
    let budget =
        |epsilon: f64| Epsilon::new(rounds * epsilon).map_err(|e| Fault::user(e.to_string()));
    Ok(SetUp {
        dir: folder(&options.out),
        study_text,
        max_colluders: 1,
        profile: None,
        budget: (budget((2.0 * epsilon).max(8.0))?, budget((8.0 * epsilon).max(20.0))?),
        deadlines: Deadlines {
            advertise_ms: 30_000,
            shares_ms: 30_000,
            masked_ms: 300_000,
            vote_ms: 30_000,
            unmask_ms: 30_000,
        },
    })
}

/// The text of a study by name or by file.
fn study_text(study: &str) -> Result<String, Fault> {
    if let Some((_, text)) = STUDIES.iter().find(|(name, _)| *name == study) {
        return Ok((*text).to_owned());
    }
    let path = PathBuf::from(study);
    std::fs::read_to_string(&path).map_err(|e| {
        Fault::user(format!("cannot be read: {e}"))
            .at(path.display().to_string())
            .hint("name one of the five studies that --help lists, or a file")
    })
}

/// Clears what an earlier rehearsal left, and nothing else.
fn clear(out: &Path) -> Result<(), Fault> {
    let place = out.display().to_string();
    let fault = |e: std::io::Error| Fault::operator(e.to_string()).at(&place);
    let mark = out.join(MARK);
    for part in ["hospitals", "federation"] {
        let folder = out.join(part);
        if !folder.exists() {
            continue;
        }
        if !mark.is_file() {
            let message = format!("the folder holds a `{part}` that no rehearsal made");
            return Err(Fault::user(message).at(&place).hint("choose another --out"));
        }
        std::fs::remove_dir_all(&folder).map_err(fault)?;
    }
    std::fs::create_dir_all(out).map_err(fault)?;
    std::fs::write(mark, "A rehearsal of Tacit; the next one clears it.\n").map_err(fault)
}
