//! Cells that are too small to release anything about, noise or not.
//!
//! ```text
//! a cell      everyone here, each group of the study, and each group's complement
//! refused if  it has 1 to 9 clinicians, 1 to 24 encounters, or one clinician has more than 25 % of its encounters
//! ```
//! Where a study reads no encounter, patients' answers take their place; where it reads neither, nothing of a patient
//! is in it, every clinician weighs the same, and their number alone is asked. Cells follow from the study and
//! nothing else: nobody can ask for a slice of their own.
//! The levels of a factor (specialty, role, a stratum) are no cells: a hospital with four palliative nurses could then
//! answer no study that adjusts for specialty. [`rare`] names those that fewer clinicians share, for the officer to decide.
//! The floors come before the noise and do not replace it. An empty cell speaks of nobody and is no reason
//! to refuse; a site without clinicians is. The numbers are for the officer alone: the coordinator learns
//! that the site takes no part, and not why.
use serde::Serialize;
use std::fmt::{self, Write as _};
use tacit_shared::fault::Fault;
use tacit_shared::study::schema::Schema;

/// The place of a fault that follows from the site's data: told to its officer, never to the coordinator.
pub const PLACE: &str = "this site's data";
/// Fewest clinicians of a cell.
pub const CLINICIANS_MIN: usize = 10;
/// Fewest encounters of a cell.
pub const ENCOUNTERS_MIN: u64 = 25;
/// Largest share of a cell's encounters that one clinician may have, in percent.
pub const SHARE_MAX_PERCENT: u64 = 25;

/// What cells are weighed by, besides clinicians.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeighedBy {
    /// Encounters: the study reads some.
    Encounters,
    /// Questionnaires that patients filled in: of patients, the study reads these alone.
    Answers,
    /// Nothing: the study reads nothing of patients.
    Nothing,
}

/// Why nothing is released about a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Small {
    /// Fewer clinicians than [`CLINICIANS_MIN`].
    Clinicians,
    /// Fewer encounters than [`ENCOUNTERS_MIN`].
    Encounters,
    /// One clinician has more of the encounters than [`SHARE_MAX_PERCENT`].
    OneOfThem,
}

/// One cell, as the officer of the site sees it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Whom it is made of.
    pub label: String,
    /// How many clinicians.
    pub clinicians: usize,
    /// How many encounters they had.
    pub encounters: u64,
    /// Whether it is too small, and how.
    pub small: Option<Small>,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cell({}, {:?})", self.label, self.small) // counts are for the officer's page alone
    }
}

/// The cells of a study at this site. `rows` gives each clinician's groups and number of encounters, or of answers.
pub fn cells<'a>(
    schema: &Schema,
    counted: WeighedBy,
    rows: impl IntoIterator<Item = (&'a [bool], u32)>,
) -> Vec<Cell> {
    let rows: Vec<(&[bool], u32)> = rows.into_iter().collect();
    let encounters = |of: &dyn Fn(&[bool]) -> bool| {
        let chosen = rows.iter().filter(|(groups, _)| of(groups));
        chosen.map(|(_, n)| *n).collect::<Vec<u32>>()
    };
    let cell = |label: &str, needed, of: &[u32]| cell(label, needed, of, counted);
    let mut cells = vec![cell("everyone here", true, &encounters(&|_| true))];
    for (place, group) in schema.groups.iter().enumerate() {
        let member = |groups: &[bool]| groups.get(place).copied().unwrap_or(false);
        cells.push(cell(&group.label, false, &encounters(&member)));
        let complement = format!("not: {}", group.label);
        cells.push(cell(&complement, false, &encounters(&|groups| !member(groups))));
    }
    cells
}

/// A level of a factor that few clinicians here share, or that all but few do.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Rare {
    /// The level, or all but it.
    pub label: String,
    /// How many clinicians.
    pub clinicians: usize,
}

impl fmt::Debug for Rare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rare({})", self.label) // the count is for the officer's page alone
    }
}

/// The levels with 1 to 9 clinicians, or with 1 to 9 besides. `rows` gives each clinician's columns, intercept first.
pub fn rare<'a>(schema: &Schema, rows: impl IntoIterator<Item = &'a [f64]>) -> Vec<Rare> {
    let mut sums = vec![0_usize; schema.width()];
    for row in rows {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum = sum.saturating_add(usize::from(*value > 0.5));
        }
    }
    let (all, mut columns) =
        sums.split_first().map_or((0, sums.as_slice()), |(all, rest)| (*all, rest));
    let mut found = Vec::new();
    for feature in &schema.features {
        let own = feature.levels.len().saturating_sub(1).max(1).min(columns.len());
        let (counts, rest) = columns.split_at(own);
        columns = rest;
        // The first level is the reference: it has no column.
        let reference = all.saturating_sub(counts.iter().sum());
        let counts = std::iter::once(reference).chain(counts.iter().copied());
        for (level, clinicians) in feature.levels.iter().zip(counts) {
            let of = |label: String, clinicians: usize| {
                let few = (1..CLINICIANS_MIN).contains(&clinicians);
                few.then_some(Rare { label, clinicians })
            };
            found.extend(of(format!("{}: {level}", feature.label), clinicians));
            let besides = all.saturating_sub(clinicians);
            // Of two levels each is all but the other.
            if feature.levels.len() > 2 {
                found.extend(of(format!("{}: all but {level}", feature.label), besides));
            }
        }
    }
    found
}

/// What the officer reads of them; nothing if there are none.
pub fn told(rare: &[Rare]) -> String {
    if rare.is_empty() {
        return String::new();
    }
    let mut lines = format!(
        "\n\nLevels that fewer than {CLINICIANS_MIN} clinicians here share (for you alone). They keep nobody out: the noise alone\n\
         protects them, as it protects each clinician. If that is not enough, do not approve."
    );
    for Rare { label, clinicians } in rare {
        let _ = write!(lines, "\n  {clinicians:>7}  {label}"); // a String
    }
    lines
}

/// Holds if no cell is too small.
///
/// # Errors
/// An operator's fault naming the cells, without their numbers.
pub fn large_enough(cells: &[Cell]) -> Result<(), Fault> {
    let small: Vec<&str> =
        cells.iter().filter(|cell| cell.small.is_some()).map(|cell| cell.label.as_str()).collect();
    if small.is_empty() {
        return Ok(());
    }
    let message = format!("too few clinicians or encounters here: {}", small.join("; "));
    Err(Fault::operator(message).at(PLACE).hint(
        "`tacit-node preview` shows the numbers; a study with wider groups or a longer period may do",
    ))
}

fn cell(label: &str, needed: bool, encounters: &[u32], counted: WeighedBy) -> Cell {
    let clinicians = encounters.len();
    let all: u64 = encounters.iter().map(|n| u64::from(*n)).sum();
    let most = encounters.iter().max().map_or(0, |n| u64::from(*n));
    let small = if clinicians < CLINICIANS_MIN && (needed || clinicians > 0) {
        Some(Small::Clinicians)
    } else if counted == WeighedBy::Nothing || clinicians == 0 {
        None
    } else if all < ENCOUNTERS_MIN {
        Some(Small::Encounters)
    } else if most.saturating_mul(100) > all.saturating_mul(SHARE_MAX_PERCENT) {
        Some(Small::OneOfThem)
    } else {
        None
    };
    Cell { label: label.to_owned(), clinicians, encounters: all, small }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use tacit_shared::study::Study;

    const STUDY: &str = include_str!("../../../configs/studies/empathy-billing.toml");

    #[test]
    fn levels_that_few_share_are_named_with_their_complements() {
        let study = Study::parse(STUDY).unwrap();
        let schema = study.schema();
        let factor = schema.features.iter().find(|f| f.levels.len() > 2).unwrap();
        let before = schema.features.iter().take_while(|f| f.id != factor.id);
        let at = 1 + before.map(|f| f.levels.len().saturating_sub(1).max(1)).sum::<usize>();
        // So many clinicians of the reference, of the first level after it, and of the next.
        let found = |counts: [usize; 3]| {
            let row = |level: usize| {
                let mut row = vec![0.0; schema.width()];
                row[0] = 1.0;
                if level > 0 {
                    row[at + level - 1] = 1.0;
                }
                row
            };
            let rows: Vec<Vec<f64>> =
                (0..3).flat_map(|level| std::iter::repeat_n(row(level), counts[level])).collect();
            let own = |rare: &Rare| rare.label.starts_with(&format!("{}: ", factor.label));
            let found = rare(schema, rows.iter().map(Vec::as_slice)).into_iter().filter(own);
            found.map(|rare| (rare.label, rare.clinicians)).collect::<Vec<_>>()
        };
        let label = |level: usize| format!("{}: {}", factor.label, factor.levels[level]);
        assert_eq!(found([10, 10, 10]), []);
        assert_eq!(found([10, 10, 0]), []);
        assert_eq!(found([9, 10, 10]), [(label(0), 9)]);
        assert_eq!(found([30, 10, 1]), [(label(2), 1)]);
        let all_but = format!("{}: all but {}", factor.label, factor.levels[0]);
        assert_eq!(found([30, 0, 4]), [(all_but, 4), (label(2), 4)]);
        let told = told(&[Rare { label: label(2), clinicians: 4 }]);
        assert!(told.ends_with(&format!("\n        4  {}", label(2))), "{told}");
        assert_eq!(super::told(&[]), "");
    }

    /// Clinicians of whom the first `inside` are in the first group and nobody in the second.
    fn found(clinicians: usize, inside: usize, first: u32) -> Vec<Option<Small>> {
        weighed(WeighedBy::Encounters, (clinicians, inside), (first, 10))
    }

    fn weighed(
        counted: WeighedBy,
        (clinicians, inside): (usize, usize),
        (first, each): (u32, u32),
    ) -> Vec<Option<Small>> {
        let study = Study::parse(STUDY).unwrap();
        let rows: Vec<([bool; 2], u32)> = (0..clinicians)
            .map(|i| ([i < inside, false], if i == 0 { first } else { each }))
            .collect();
        let rows = rows.iter().map(|(member, n)| (member.as_slice(), *n));
        cells(study.schema(), counted, rows).into_iter().map(|cell| cell.small).collect()
    }

    #[test]
    fn nine_are_too_few_of_anything_and_none_are_nobody() {
        let few = Some(Small::Clinicians);
        assert_eq!(found(30, 12, 10), [None; 5]);
        assert_eq!(found(30, 10, 10), [None; 5]);
        assert_eq!(found(30, 0, 10), [None; 5]);
        assert_eq!(found(30, 9, 10), [None, few, None, None, None]);
        assert_eq!(found(30, 21, 10), [None, None, few, None, None]);
        assert_eq!(found(0, 0, 10), [few, None, None, None, None]);
        assert_eq!(found(9, 0, 10), [few, None, few, None, few]);
    }

    #[test]
    fn nobody_may_be_more_than_a_quarter_of_a_cell() {
        // Nine others with ten each: thirty is a quarter of 120, thirty-one is more.
        assert_eq!(found(40, 10, 30), [None; 5]);
        assert_eq!(found(40, 10, 31), [None, Some(Small::OneOfThem), None, None, None]);
        assert_eq!(found(40, 10, 0), [None; 5]);
    }

    #[test]
    fn twenty_four_encounters_are_too_few_where_the_study_reads_any() {
        let few = Some(Small::Encounters);
        for counted in [WeighedBy::Encounters, WeighedBy::Answers] {
            let of = |heads, each| weighed(counted, heads, each);
            // 12 clinicians with two each are 24; one more is 25.
            assert_eq!(of((30, 12), (2, 2)), [None, few, None, None, None]);
            assert_eq!(of((30, 12), (3, 2)), [None; 5]);
            assert_eq!(of((30, 18), (2, 2)), [None, None, few, None, None]);
            assert_eq!(of((12, 0), (2, 2)), [few, None, few, None, few]);
            assert_eq!(of((30, 12), (0, 0)), [few, few, few, None, few]);
        }
        assert_eq!(weighed(WeighedBy::Nothing, (30, 12), (0, 0)), [None; 5]);
        assert_eq!(weighed(WeighedBy::Nothing, (30, 12), (90, 1)), [None; 5]);
        assert_eq!(weighed(WeighedBy::Nothing, (30, 9), (5, 5))[1], Some(Small::Clinicians));
    }

    #[test]
    fn cells_follow_from_the_study_whoever_is_in_them() {
        let study = Study::parse(STUDY).unwrap();
        let labels = |rows: &[([bool; 2], u32)]| {
            let rows = rows.iter().map(|(member, n)| (member.as_slice(), *n));
            let cells = cells(study.schema(), WeighedBy::Encounters, rows);
            cells.into_iter().map(|cell| cell.label).collect::<Vec<_>>()
        };
        let none = labels(&[]);
        assert_eq!(none.len(), 1 + 2 * study.schema().groups.len());
        assert_eq!(labels(&[([true, true], 7); 40]), none);
        assert_eq!(labels(&[([false, true], 1)]), none);
    }

    #[test]
    fn a_refusal_names_the_cell_and_no_number() {
        let study = Study::parse(STUDY).unwrap();
        let rows = [([true, false], 7_u32); 9];
        let rows = rows.iter().map(|(member, n)| (member.as_slice(), *n));
        let cells = cells(study.schema(), WeighedBy::Encounters, rows);
        let error = large_enough(&cells).unwrap_err();
        assert!(error.message.starts_with("too few clinicians or encounters here: everyone here;"));
        assert!(!error.to_string().contains('9') && !format!("{cells:?}").contains('9'), "{error}");
    }
}
