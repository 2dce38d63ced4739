//! `tacit-node privacy`: what a plan of releases would cost, before anyone agrees to it.
//!
//! ```text
//! μ = √K / z   ρ = μ²/2   ε at δ by the exact Gaussian curve, and by the zCDP conversion
//! ```
//! The figures are those of Gaussian noise. The small lattice term of discrete noise depends on the
//! length of a study's vector; the ledger adds it once the study is known.
//!
//! As JSON, a value that is infinite (δ = 0 with any release: no finite ε holds) is `null`, and the
//! key `"epsilon_infinite": true` stands beside it; the key is absent otherwise. The arithmetic is
//! [`tacit_shared::privacy::accountant`]'s.
use serde::Serialize;
use tacit_shared::fault::Fault;
use tacit_shared::privacy::accountant::{self, AccountantError};
use tacit_shared::units::{Delta, Epsilon, Mu, NoiseMultiplier, Rho, UnitError};

/// The plan whose cost is asked for.
#[derive(Clone, Debug, clap::Args)]
pub struct PrivacyArgs {
    /// Noise of one release: its standard deviation over the most that one person can change
    #[arg(long, value_name = "Z", allow_hyphen_values = true)]
    pub noise_multiplier: f64,
    /// How many such releases are made in all
    #[arg(long, value_name = "K")]
    pub releases: u64,
    /// Probability, from 0 to 1, with which the promise may fail; below 1 / (10 × people protected)
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    pub delta: f64,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// The text to print: a JSON object with `mu`, `rho`, `epsilon`, `epsilon_zcdp`, or plain words.
///
/// # Errors
/// A fault of the user if a value is out of range; nothing is computed then.
pub fn run(args: &PrivacyArgs) -> Result<String, Fault> {
    let multiplier = NoiseMultiplier::new(args.noise_multiplier)
        .map_err(|error| fault(&error, "--noise-multiplier", "5 is a usual value"))?;
    let delta = Delta::new(args.delta)
        .map_err(|error| fault(&error, "--delta", "1e-6 is a usual value"))?;
    let figures = figures(multiplier, args.releases, delta).map_err(|error| {
        Fault::user(format!("this noise is too weak to account for: {error}"))
            .at("--noise-multiplier")
            .hint("give a larger noise multiplier, or fewer releases")
    })?;
    if args.json {
        serde_json::to_string(&figures)
            .map_err(|error| Fault::bug(format!("the figures do not print as JSON: {error}")))
    } else {
        Ok(in_words(args, &figures))
    }
}

#[derive(Serialize)]
struct Figures {
    mu: Mu,
    rho: Rho,
    epsilon: Option<Epsilon>,
    epsilon_zcdp: Option<Epsilon>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon_infinite: Option<bool>,
}

fn figures(
    multiplier: NoiseMultiplier,
    releases: u64,
    delta: Delta,
) -> Result<Figures, AccountantError> {
    let mu = accountant::mu_of(multiplier, releases)?;
    let rho = accountant::rho_of(mu)?;
    let epsilon = accountant::epsilon_at(mu, delta);
    let epsilon_zcdp = accountant::epsilon_zcdp(rho, delta);
    let infinite = epsilon.is_none() || epsilon_zcdp.is_none();
    Ok(Figures { mu, rho, epsilon, epsilon_zcdp, epsilon_infinite: infinite.then_some(true) })
}

fn fault(error: &UnitError, flag: &str, usual: &str) -> Fault {
    Fault::user(error.to_string()).at(flag).hint(format!("give {}; {usual}", error.expected))
}

fn in_words(args: &PrivacyArgs, figures: &Figures) -> String {
    let shown = |epsilon: Option<Epsilon>| {
        epsilon.map_or_else(|| "infinite".into(), |epsilon| rounded_up(epsilon.value()))
    };
    format!(
        "{releases} releases with noise multiplier {z}, taken together:\n  \
         epsilon {epsilon} at delta {delta}\n  \
         epsilon {zcdp} by the older zCDP rule, for comparison\n  \
         mu {mu}, rho {rho}\n\
         Smaller is safer. The figures count one person added or removed, at one hospital.\n",
        releases = args.releases,
        z = args.noise_multiplier,
        delta = args.delta,
        epsilon = shown(figures.epsilon),
        zcdp = shown(figures.epsilon_zcdp),
        mu = rounded_up(figures.mu.value()),
        rho = rounded_up(figures.rho.value()),
    )
}

/// Four significant digits and never less than the value; the value itself where that is shorter.
fn rounded_up(value: f64) -> String {
    if value <= 0.0 {
        return "0".into();
    }
    let short = format!("{value:.3e}");
    let nearest = short.parse().unwrap_or(value);
    if nearest >= value {
        return plain(nearest);
    }
    let step = short
        .split_once('e')
        .and_then(|(_, power)| format!("1e{power}").parse::<f64>().ok())
        .map_or(0.0, |unit| unit / 1000.0);
    let up = format!("{:.3e}", value + step).parse().unwrap_or(value);
    plain(up)
}

fn plain(value: f64) -> String {
    if (1e-4..1e7).contains(&value) { format!("{value}") } else { format!("{value:e}") }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: PrivacyArgs,
    }

    fn answer(line: &str) -> Result<String, Fault> {
        let words = std::iter::once("privacy").chain(line.split_whitespace());
        run(&Line::try_parse_from(words).unwrap().args)
    }

    fn json(line: &str) -> serde_json::Value {
        serde_json::from_str(&answer(&format!("{line} --json")).unwrap()).unwrap()
    }

    #[test]
    fn one_release_is_told_in_words() {
        assert_eq!(
            answer("--noise-multiplier 10 --releases 52 --delta 1e-6").unwrap(),
            "52 releases with noise multiplier 10, taken together:\n  \
             epsilon 3.381 at delta 0.000001\n  \
             epsilon 3.621 by the older zCDP rule, for comparison\n  \
             mu 0.7212, rho 0.26\n\
             Smaller is safer. The figures count one person added or removed, at one hospital.\n"
        );
    }

    #[test]
    fn json_keeps_every_digit() {
        let figures = json("--noise-multiplier 1 --releases 1 --delta 1e-6");
        assert_eq!(figures["mu"], 1.0);
        assert_eq!(figures["rho"], 0.5);
        assert!((figures["epsilon"].as_f64().unwrap() - 4.886_554_117_462_212).abs() < 1e-12);
        assert!((figures["epsilon_zcdp"].as_f64().unwrap() - 5.221_534_444_530_169).abs() < 1e-9);
        assert_eq!(figures.as_object().unwrap().len(), 4);
    }

    #[test]
    fn an_infinite_epsilon_is_null_and_says_so() {
        let figures = json("--noise-multiplier 1 --releases 1 --delta 0");
        assert!(figures["epsilon"].is_null() && figures["epsilon_zcdp"].is_null());
        assert_eq!(figures["epsilon_infinite"], true);
        let words = answer("--noise-multiplier 1 --releases 1 --delta 0").unwrap();
        assert!(words.contains("epsilon infinite at delta 0\n"), "{words}");
    }

    #[test]
    fn no_release_costs_nothing() {
        let figures = json("--noise-multiplier 1 --releases 0 --delta 0");
        for key in ["mu", "rho", "epsilon", "epsilon_zcdp"] {
            assert_eq!(figures[key], 0.0, "{key}");
        }
        assert!(figures.get("epsilon_infinite").is_none());
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_a_hint() {
        for (line, place) in [
            ("--noise-multiplier nan --releases 1 --delta 1e-6", "--noise-multiplier"),
            ("--noise-multiplier inf --releases 1 --delta 1e-6", "--noise-multiplier"),
            ("--noise-multiplier 0 --releases 1 --delta 1e-6", "--noise-multiplier"),
            ("--noise-multiplier -1 --releases 1 --delta 1e-6", "--noise-multiplier"),
            ("--noise-multiplier 1e-300 --releases 1 --delta 1e-6", "--noise-multiplier"),
            ("--noise-multiplier 1 --releases 1 --delta -1e-6", "--delta"),
            ("--noise-multiplier 1 --releases 1 --delta 1.5", "--delta"),
            ("--noise-multiplier 1 --releases 1 --delta nan", "--delta"),
        ] {
            let fault = answer(line).unwrap_err();
            assert_eq!(fault.place.as_deref(), Some(place), "{line}");
            assert!(fault.hint.is_some());
            assert_eq!(fault.audience.exit_code(), 2);
        }
        assert_eq!(
            answer("--noise-multiplier 1 --releases 1 --delta 2").unwrap_err().to_string(),
            "delta is 2; expected between 0 and 1\n  at:   --delta\n  \
             hint: give between 0 and 1; 1e-6 is a usual value"
        );
    }

    #[test]
    fn figures_are_shortened_upwards() {
        for (value, expected) in [
            (0.396_857_4, "0.3969"),
            (4.886_554, "4.887"),
            (4.886_1, "4.887"),
            (9.999_1, "10"),
            (2.0, "2"),
            (1.234_1e-9, "1.235e-9"),
            (123_456.7, "123500"),
        ] {
            assert_eq!(rounded_up(value), expected);
        }
    }
}
