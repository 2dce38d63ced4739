//! What a later period takes over from earlier signed results: the public frame in which its rows are released.
//!
//! ```text
//! x̃ = s·xW        W upper triangular, columns as listed        r = s·clamp(y − x·b₀, ±ρ)
//! ```
//! The numbers stand in the study itself, so its digest covers them and everybody reads the same ones. They
//! follow from the results named beside them: every node derives them from its own signed copies and refuses
//! a study that states others. How they follow is the work of the package `tacit-model`; caps are
//! the study's own `norm_cap` and `residual_bound`, derived alike.
use super::family::Family;
use super::schema::Outcome;
use super::{Fairness, File, StudyError};
use crate::id::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most earlier results that a period may rest on.
pub const RESULTS_MAX: usize = 8;
/// No coefficient of a scaled outcome, and no entry of W, is larger but by mistake or malice.
const ENTRY_MAX: f64 = 1e4;

/// The frame of a later period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warm {
    /// Digests of the signed results it follows from, the newest first; 64 hexadecimal digits each in a file.
    #[serde(with = "hex")]
    pub results: Vec<Digest>,
    /// W: column j has its j + 1 numbers down to the diagonal, which is above 0. The first is 1.
    pub whitening: Vec<Vec<f64>>,
    /// b₀, one number a column of the design, in scaled units.
    pub prior: Vec<f64>,
    /// The direction along which each gap of `[fairness]` is closed: p numbers in whitened units, of length 1.
    /// Empty where the earlier results gave none.
    #[serde(default)]
    pub directions: Vec<Vec<f64>>,
}

/// Digests as people write them.
mod hex {
    use crate::id::Digest;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(digests: &[Digest], to: S) -> Result<S::Ok, S::Error> {
        digests.iter().map(ToString::to_string).collect::<Vec<String>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let read = |text: &String| text.parse().map_err(D::Error::custom);
        texts.iter().map(read).collect()
    }
}

/// Checks the frame as written against a design of `p` columns.
pub(super) fn check(file: &File, p: usize) -> Result<(), StudyError> {
    let Some(warm) = &file.warm else { return only_in_later_periods(file) };
    check_results(&warm.results)?;
    if warm.whitening.len() != p || warm.prior.len() != p {
        let (columns, prior) = (warm.whitening.len(), warm.prior.len());
        let problem = format!(
            "has {columns} columns and {prior} prior coefficients; the design has {p} columns"
        );
        return Err(StudyError::key("warm", problem));
    }
    for (at, column) in warm.whitening.iter().enumerate() {
        let key = || format!("warm.whitening, column {}", at.saturating_add(1));
        if column.len() != at.saturating_add(1) || !column.iter().all(|entry| within(*entry)) {
            let problem = format!(
                "has {} numbers; expected {}, each at most {ENTRY_MAX} in size",
                column.len(),
                at.saturating_add(1)
            );
            return Err(StudyError::key(key(), problem));
        }
        if !column.last().is_some_and(|diagonal| *diagonal > 0.0) {
            return Err(StudyError::key(key(), "ends in no number above 0"));
        }
    }
    // The intercept stays what it is: its column then counts clinicians.
    if warm.whitening.first().is_none_or(|first| first.as_slice() != [1.0]) {
        return Err(StudyError::key("warm.whitening, column 1", "is not [1.0]"));
    }
    if !warm.prior.iter().all(|entry| within(*entry)) {
        let problem = format!("has a number above {ENTRY_MAX} in size, or none");
        return Err(StudyError::key("warm.prior", problem));
    }
    check_directions(&warm.directions, &file.fairness, p)?;
    let share = file.privacy.shares.group_direction;
    if warm.directions.is_empty() && share > 0.0 {
        let problem = format!(
            "is {share}, but [warm] has no directions, so there is no such block; expected 0, or the key left out"
        );
        return Err(StudyError::key("privacy.shares.group_direction", problem));
    }
    Ok(())
}

fn within(value: f64) -> bool {
    value.abs() <= ENTRY_MAX
}

fn check_results(results: &[Digest]) -> Result<(), StudyError> {
    let distinct: BTreeSet<&Digest> = results.iter().collect();
    if results.is_empty() || results.len() > RESULTS_MAX || distinct.len() < results.len() {
        let problem =
            format!("are {}, or one is named twice; expected 1 to {RESULTS_MAX}", results.len());
        return Err(StudyError::key("warm.results", problem));
    }
    Ok(())
}

fn check_directions(
    directions: &[Vec<f64>],
    fairness: &Fairness,
    p: usize,
) -> Result<(), StudyError> {
    if !directions.is_empty() && directions.len() != fairness.groups.len() {
        let (found, expected) = (directions.len(), fairness.groups.len());
        let problem = format!(
            "are {found}; expected none, or one for each of the {expected} groups of [fairness]"
        );
        return Err(StudyError::key("warm.directions", problem));
    }
    for direction in directions {
        let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        if direction.len() != p || (length - 1.0).abs().is_nan() || (length - 1.0).abs() > 1e-9 {
            let problem = format!(
                "has {} numbers of length {length}; expected {p} of length 1",
                direction.len()
            );
            return Err(StudyError::key("warm.directions", problem));
        }
    }
    Ok(())
}

/// Shares of blocks that a first period does not have.
fn only_in_later_periods(file: &File) -> Result<(), StudyError> {
    let shares = &file.privacy.shares;
    let later = [
        ("group_labour", shares.group_labour),
        ("group_direction", shares.group_direction),
        ("site_labour", shares.site_labour),
    ];
    match later.into_iter().find(|(_, share)| *share > 0.0) {
        None => Ok(()),
        Some((name, share)) => Err(StudyError::key(
            format!("privacy.shares.{name}"),
            format!("is {share}, but only a later period, with [warm], has this block"),
        )),
    }
}

/// The prior of a first period: the outcome's public centre for everybody, on the family's scale.
pub(super) fn first_prior(family: Family, outcome: &Outcome, p: usize) -> Vec<f64> {
    let centre = family.link(outcome.centre, outcome);
    let rest = std::iter::repeat_n(0.0, p.saturating_sub(1));
    std::iter::once(centre).chain(rest).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use crate::study::Study;
    use crate::study::tests::SOUND;

    #[test]
    fn a_share_of_the_directions_needs_directions() {
        let warm = |share: &str, directions: &str| {
            let shares = SOUND.replacen("matrix = 0.3", &format!("matrix = 0.25\n{share}"), 1);
            format!(
                "{shares}\n[warm]\nresults = [\"{}\"]\nwhitening = [[1.0], [0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]\n\
                 prior = [0.4, 0.0, 0.0, 0.0]\n{directions}",
                "ab".repeat(32)
            )
        };
        let share = "group_direction = 0.04";
        assert_eq!(
            Study::parse(&warm(share, "")).unwrap_err().to_string(),
            "`privacy.shares.group_direction` is 0.04, but [warm] has no directions, so there is no such block; expected 0, \
             or the key left out"
        );
        for (share, directions) in [
            ("", ""),
            (share, "directions = [[0.0, 0.6, 0.8, 0.0]]"),
            ("", "directions = [[0.0, 0.6, 0.8, 0.0]]"),
        ] {
            Study::parse(&warm(share, directions)).unwrap();
        }
    }
}
