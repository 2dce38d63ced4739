//! Looks at the cells of approved studies whenever the data or an approval change.
//!
//! Not when a round is announced: a site that looked at its data then would tell the coordinator about them
//! by taking part or not, as often as it is asked.
use super::instrument::Catalogue;
use super::{composite, feature};
use crate::config::Config;
use crate::office::cells::{self, Rare};
use crate::office::policy::{self, Known};
use crate::office::profile::InForce;
use crate::store::consent::Access;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{Store, away, officer, profile};
use tacit_shared::fault::Fault;
use tacit_shared::study::Study;

/// Holds that the profile in force and the switches allow a study; what they refuse is written down. Returns the
/// profile.
///
/// # Errors
/// As [`policy::may_take_part`]; a fault of the database.
pub async fn permitted(
    store: &Store,
    config: &Config,
    catalogue: &Catalogue,
    study: &Study,
    now_s: i64,
) -> Result<InForce, Fault> {
    let in_force = profile::now(store, now_s).await?;
    let known = Known {
        respondent: &|id| catalogue.modality(id),
        composite: &|id, pattern| composite::modalities(id, pattern, catalogue),
    };
    let allowed = policy::may_take_part(study, &in_force.document, &config.modalities(), &known)
        .and_then(|()| feature::purpose(study).map(drop));
    if let Err(fault) = allowed {
        profile::refused(store, study.digest(), &fault.message, now_s).await?;
        // Perhaps what was meant to be in force is not.
        return Err(match in_force.falls_short {
            Some(why) => {
                let message = format!("{} ({why})", fault.message);
                Fault { message, ..fault }
            }
            None => fault,
        });
    }
    Ok(in_force)
}

/// Data are about to change: until [`look_at_all`] has looked again, this site stays away from every study
/// whose cells must not be small.
///
/// # Errors
/// A fault of the database.
pub async fn suspend_all(store: &Store) -> Result<(), Fault> {
    for study in officer::watched(store).await? {
        let why = "data were being changed, and the cells were not looked at since";
        away::set(store, study.digest(), Some(why)).await?;
    }
    Ok(())
}

/// Looks at the cells of every such study; for each that this site stays away from, its name and why.
///
/// # Errors
/// A fault of the database.
pub async fn look_at_all(
    store: &Store,
    catalogue: &Catalogue,
    pseudonyms: &Pseudonyms,
    access: &Access,
) -> Result<Vec<(String, String)>, Fault> {
    let mut stays_away = Vec::new();
    for study in officer::watched(store).await? {
        if let (Some(why), _) = look(store, &study, catalogue, pseudonyms, access).await? {
            stays_away.push((study.name().to_string(), why));
        }
    }
    Ok(stays_away)
}

/// Looks at the cells of one study and writes down whether this site stays away from it; why, if so, and which levels of
/// factors few clinicians share.
///
/// # Errors
/// A fault of the database.
pub async fn look(
    store: &Store,
    study: &Study,
    catalogue: &Catalogue,
    pseudonyms: &Pseudonyms,
    access: &Access,
) -> Result<(Option<String>, Vec<Rare>), Fault> {
    let mut rare = Vec::new();
    let looked = match feature::rows(store, study, catalogue, pseudonyms, access).await {
        Ok(rows) => {
            rare = rows.rare(study);
            cells::large_enough(&rows.cells(study))
        }
        Err(fault) => Err(fault),
    };
    let why = looked.err().map(|fault| fault.message);
    away::set(store, study.digest(), why.as_deref()).await?;
    Ok((why, rare))
}
