//! `tacit-coordinator plan`: what a study will be able to say with so many clinicians, before anyone pays.
//!
//! Everything here is computed from the study and public guesses in it; no data and no budget is used. The formulas are
//! those by which hospitals preview a study, [`tacit_model::planning`].
use super::roster::{read_roster, read_study};
use crate::model::linear::Quality;
use crate::model::planning::remedy::{remedies, told};
use crate::model::planning::{
    ENOUGH_KAPPA, ENOUGH_WIDTH, Feasibility, Forecast, fit_share, forecast, later, later_excess,
};
use std::fmt::Write as _;
use std::path::PathBuf;
use tacit_shared::fault::Fault;
use tacit_shared::id::SiteIndex;
use tacit_shared::privacy::accountant::noise_multiplier;
use tacit_shared::privacy::mechanism::NoisePlan;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::study::Study;
use tacit_shared::study::layout::Layout;
use tacit_shared::summary::contribution::CLIP;
use tacit_shared::units::{Delta, Epsilon};

/// Arguments of `plan`.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanArgs {
    /// The study
    pub study: PathBuf,
    /// Clinicians expected at all sites together
    #[arg(long, value_name = "NUMBER")]
    pub clinicians: u32,
    /// The roster, which says how many sites there are and how many may collude
    #[arg(long, conflicts_with_all = ["sites", "max_colluders"])]
    pub roster: Option<PathBuf>,
    /// Sites expected, without a roster; the study's fewest if not given
    #[arg(long, value_name = "NUMBER")]
    pub sites: Option<u16>,
    /// t: at most so many sites collude with the coordinator, without a roster
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub max_colluders: u16,
}

/// The noise of a sum, and at how many sites.
struct Noise {
    sites: u16,
    /// In units of what one clinician can change, every site taking part.
    multiplier: f64,
}

/// Forecasts a study.
///
/// # Errors
/// A user's fault if no coefficient could be published, with the number of clinicians it takes, and if the
/// study or the roster is not sound.
pub fn run(args: &PlanArgs) -> Result<String, Fault> {
    let (_, study) = read_study(&args.study)?;
    let place = args.study.display().to_string();
    let unsound = |error: String| Fault::user(error).at(&place);
    let noise = noise(args, &study).map_err(|fault| match fault.place {
        None => fault.at(&place),
        Some(_) => fault,
    })?;
    let sites: Vec<SiteIndex> = (1..=noise.sites).filter_map(SiteIndex::new).collect();
    let layout = Layout::new(&study, &sites);
    let n = f64::from(args.clinicians);
    let (share, p) = (fit_share(&study), study.schema().width());
    let first = forecast(&study, &layout, noise.multiplier, n);
    let first = first.map_err(|error| unsound(error.to_string()))?;
    let lacking = remedies(&study, &layout, (noise.multiplier, n), &first);
    let lacking = told(&lacking.map_err(|error| unsound(error.to_string()))?);
    if first.verdict() == Feasibility::Hopeless {
        return Err(unsound(format!(
            "no coefficient could be published: κ would be {:.2} and must be 1, which takes about {:.0} clinicians; {:.0} are enough for every interval",
            first.kappa,
            n / first.kappa,
            first.enough
        ))
        .hint(format!("drop features, merge rare levels, find more clinicians or spend more privacy: {lacking}")));
    }
    let next = later(p, share, noise.multiplier, n).map_err(|error| unsound(error.to_string()))?;
    let next = next.brought(&study);
    let excess = later_excess(p, share, noise.multiplier, n);
    let mut page = page(args, &study, &noise, (&first, &next, excess));
    if !lacking.is_empty() {
        let _ = write!(page, "\n  To be sure of it: {lacking}."); // a String
    }
    Ok(page)
}

fn noise(args: &PlanArgs, study: &Study) -> Result<Noise, Fault> {
    if let Some(path) = &args.roster {
        let (_, roster) = read_roster(path)?;
        let plan = Plan::new(study, &roster).map_err(|error| Fault::user(error.to_string()))?;
        let sites = u16::try_from(plan.sites().len()).unwrap_or(u16::MAX);
        return Ok(Noise { sites, multiplier: realised(plan.noise(), sites) });
    }
    let privacy = study.privacy();
    let sites = args.sites.unwrap_or(privacy.min_sites);
    if sites < privacy.min_sites {
        let problem =
            format!("found {sites} sites; the study opens a sum of {} or more", privacy.min_sites);
        return Err(Fault::user(problem));
    }
    let fault = |error: String| Fault::user(error);
    let epsilon = Epsilon::new(privacy.epsilon).map_err(|error| fault(error.to_string()))?;
    let delta = Delta::new(privacy.delta).map_err(|error| fault(error.to_string()))?;
    let least = noise_multiplier(epsilon, delta, 1).map_err(|error| fault(error.to_string()))?;
    let (fewest, colluders) = (u32::from(privacy.min_sites), u32::from(args.max_colluders));
    let plan = NoisePlan::new(least, CLIP, fewest, colluders);
    let plan = plan.map_err(|error| fault(error.to_string()))?;
    let part = f64::from(privacy.spend_percent) / 100.0;
    Ok(Noise { sites, multiplier: realised(&plan, sites) / part.sqrt() })
}

/// What the sum of every site carries: more than privacy is accounted with.
#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn realised(plan: &NoisePlan, sites: u16) -> f64 {
    (plan.actual_variance(u32::from(sites)) as f64).sqrt() / CLIP as f64
}

fn page(
    args: &PlanArgs,
    study: &Study,
    noise: &Noise,
    (first, next, excess): (&Forecast, &Forecast, f64),
) -> String {
    let mut page = format!(
        "Study {} with {} clinicians at {} sites, by its public guesses:\n",
        study.name(),
        args.clinicians,
        noise.sites
    );
    let mut line = |key: &str, first: &str, next: &str| {
        let _ = writeln!(page, "  {key:<28} {first:>14} {next:>14}"); // a String
    };
    line("", "this release", "a later one");
    let kappa = |forecast: &Forecast| format!("{:.1}", forecast.kappa);
    line("signal to noise κ", &kappa(first), &kappa(next));
    let width = |forecast: &Forecast| format!("{:.2}", forecast.widest().1);
    line("widest interval, times", &width(first), &width(next));
    let enough = |forecast: &Forecast| format!("{:.0}", forecast.enough);
    line("clinicians that are enough", &enough(first), &enough(next));
    let _ = writeln!(page, "\n  interval widths of this release, times those without noise:"); // a String
    let widths = first.widths.iter().cycle();
    for (column, width) in study.schema().columns().iter().zip(widths) {
        let _ = writeln!(page, "    {:<30} {width:>8.2}", column.name); // a String
    }
    let _ = write!(
        page,
        "\n  Enough is κ of {ENOUGH_KAPPA} and no interval beyond {ENOUGH_WIDTH} times. A later release is one\n  \
         whose scaling comes from an earlier result; privacy would cost its predictions {:.3} % of the\n  \
         residual variance. Noise is {:.2} times what one clinician can change, every site taking part.\n  {}",
        excess * 100.0,
        noise.multiplier,
        verdict(args, first)
    );
    page
}

fn verdict(args: &PlanArgs, first: &Forecast) -> String {
    if f64::from(args.clinicians) >= first.enough {
        "There are enough clinicians.".to_owned()
    } else if Quality::of(first.kappa) == Quality::Good {
        "Coefficients would be published; some with wide intervals.".to_owned()
    } else {
        "Coefficients would be published with a warning: drop features or merge rare levels."
            .to_owned()
    }
}
