//! Beat-to-beat recordings as an Empatica E4 exports them: `IBI.csv`.
//!
//! The first line gives the start (Unix seconds, UTC); each further line the seconds since then at
//! which a beat ended and its interval, in steps of 1/64 s. The bracelet writes nothing while its
//! wearer moves, so gaps of seconds to minutes are usual. Beats here breathe, drift and pause; they
//! carry no claim about anybody's state.
use super::PopulationError;
use super::facts::{SECOND_US, Session, normal, rng, whole};
use rand::RngExt;
use std::fmt::Write as _;
use std::path::Path;

/// Length of a recording in sixty-fourths of a second: forty minutes.
const TICKS: i32 = 40 * 60 * 64;

/// The recording's path below the hospital's recordings folder.
pub(super) fn file(session: &Session) -> String {
    format!("E4-{:04}/IBI.csv", session.number)
}

/// Writes one recording.
pub(super) fn write(session: &Session, folder: &Path) -> Result<(), PopulationError> {
    let path = folder.join(file(session));
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| PopulationError::write(parent, e))?;
    }
    std::fs::write(&path, text(session)).map_err(|e| PopulationError::write(&path, e))
}

fn text(session: &Session) -> String {
    let mut rng = rng(session.seed, 0);
    let mut text = format!("{}.000000, IBI\n", session.start_us / SECOND_US);
    let resting = 50.0 + 8.0 * normal(&mut rng);
    let (mut at, mut drift) = (rng.random_range(300..900), 0.0);
    while at < TICKS {
        drift = 0.995 * drift + 0.25 * normal(&mut rng);
        let breath = (f64::from(at) / 64.0 * 0.25 * std::f64::consts::TAU).sin();
        let beat = resting + drift + 1.6 * breath + 0.9 * normal(&mut rng);
        let ticks = whole(beat).clamp(26, 90);
        at += ticks;
        let (seconds, interval) = (f64::from(at) / 64.0, f64::from(ticks) / 64.0);
        let _ = writeln!(text, "{seconds:.6},{interval:.6}"); // writing to a String cannot fail
        if rng.random_bool(0.005) {
            at += rng.random_range(2 * 64..30 * 64);
        }
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn beats_follow_each_other_and_gaps_are_real() {
        let session = Session { number: 1, person: 1, start_us: 1_800_000_000_000_000, seed: 7 };
        let text = text(&session);
        let mut lines = text.lines();
        assert_eq!(lines.next().unwrap(), "1800000000.000000, IBI");
        let beats: Vec<(f64, f64)> = lines
            .map(|line| line.split_once(',').unwrap())
            .map(|(at, interval)| (at.parse().unwrap(), interval.parse().unwrap()))
            .collect();
        let joined = beats
            .windows(2)
            .filter(|w| matches!(w, [a, b] if (b.0 - a.0 - b.1).abs() < 1e-9))
            .count();
        assert!(beats.len() > 1_000 && joined > beats.len() * 9 / 10);
        assert!(joined + 5 < beats.len() - 1, "no gap at all");
        assert!(beats.iter().all(|b| (0.4..1.5).contains(&b.1)));
    }
}
