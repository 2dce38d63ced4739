//! What history costs by the accountant of this program.
use super::book::NOTHING;
use super::entry::Entry;
use crate::id::StudyName;
use crate::privacy::accountant::AccountantError;
use crate::privacy::plan::{Charges, MECHANISM_VERSION};
use std::collections::BTreeMap;

/// Why history has no new cost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecostError {
    /// A release by noise that this program does not know.
    #[error(
        "entry {sequence} is of mechanism {found}; this program knows up to {MECHANISM_VERSION}"
    )]
    Mechanism {
        /// The entry.
        sequence: u64,
        /// Its mechanism.
        found: u16,
    },
    /// The numbers of an entry are none of a release.
    #[error("entry {sequence} cannot be costed: {reason}")]
    Terms {
        /// The entry.
        sequence: u64,
        /// What the accountant says.
        reason: String,
    },
    /// The costs cannot be added up.
    #[error("the costs in the ledger are beyond what can be added up")]
    Overflow,
}

/// A total as it was charged, and as it would be charged today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// As charged.
    pub old: Charges,
    /// By this program.
    pub new: Charges,
}

/// History costed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recosted {
    /// Over everything.
    pub site: Totals,
    /// By study.
    pub families: BTreeMap<StudyName, Totals>,
    /// Entries whose charge differs today.
    pub changed: Vec<u64>,
}

/// Costs every entry by the present accountant. What is charged stays as it is.
///
/// # Errors
/// [`RecostError`] naming the first entry that cannot be costed.
pub fn recost(entries: &[Entry]) -> Result<Recosted, RecostError> {
    let zero = Totals { old: NOTHING, new: NOTHING };
    let mut all = Recosted { site: zero, families: BTreeMap::new(), changed: Vec::new() };
    for entry in entries {
        let (sequence, found) = (entry.sequence, entry.terms.mechanism);
        if found == 0 || found > MECHANISM_VERSION {
            return Err(RecostError::Mechanism { sequence, found });
        }
        let new = entry.terms.charges().map_err(|e: AccountantError| {
            let reason = e.to_string();
            RecostError::Terms { sequence, reason }
        })?;
        let one = Totals { old: entry.charges, new };
        all.site = add(all.site, one).ok_or(RecostError::Overflow)?;
        let family = all.families.entry(entry.family.clone()).or_insert(zero);
        *family = add(*family, one).ok_or(RecostError::Overflow)?;
        if new != entry.charges {
            all.changed.push(sequence);
        }
    }
    Ok(all)
}

fn add(total: Totals, one: Totals) -> Option<Totals> {
    let add = |a: Charges, b: Charges| {
        Some(Charges {
            clinician: a.clinician.checked_add(b.clinician)?,
            patient: a.patient.checked_add(b.patient)?,
        })
    };
    Some(Totals { old: add(total.old, one.old)?, new: add(total.new, one.new)? })
}
