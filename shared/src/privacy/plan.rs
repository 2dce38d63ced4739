//! A study among the sites of a roster, in numbers: layout, noise, thresholds, charges.
//!
//! ```text
//! z = 1/√(2fρ_B)                           ρ_B: what ε and δ of one release admit, lattice set aside; f: the part
//!                                          of it that the study spends
//! Δ_clinician = C_int                      one row added or removed
//! Δ_patient   = sites · K · 2·C_int        the rows of K clinicians, each moved anywhere in the ball
//! ```
//! Every node computes the plan from the study and roster it approved itself, and answers only a
//! round that says the same ([`crate::protocol`]). Nothing here is taken from a coordinator.
use super::accountant::{AccountantError, Budget, Cost};
use super::mechanism::{MechanismError, NoisePlan, wrap_bound_holds};
use crate::id::{Digest, SiteIndex, StudyName};
use crate::roster::{Key, Roster};
use crate::study::Study;
use crate::study::layout::Layout;
use crate::summary::contribution::CLIP;
use crate::units::{Delta, Epsilon, NoiseMultiplier, UnitError};
use time::Date;

/// Version of noise and accounting; every ledger entry keeps it.
pub const MECHANISM_VERSION: u16 = 1;

/// Why a study and a roster do not make a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Fewer sites than the sum needs, or a threshold above the study's minimum.
    #[error(
        "the study opens a sum of {min_sites} sites or more; with {sites} sites and {colluders} colluders it must be {threshold} to {sites}"
    )]
    MinSites {
        /// What the study says.
        min_sites: u16,
        /// N.
        sites: usize,
        /// t.
        colluders: u16,
        /// T.
        threshold: u16,
    },
    /// The sum could leave the ring.
    #[error("{sites} sites of {rows} rows could overflow the sum")]
    Wraps {
        /// N.
        sites: usize,
        /// Rows a site.
        rows: u32,
    },
    /// The numbers of the study are no privacy parameters.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// No noise gives the guarantee.
    #[error(transparent)]
    Accounting(#[from] AccountantError),
    /// The noise is outside what the sampler draws.
    #[error(transparent)]
    Mechanism(#[from] MechanismError),
}

/// What one release costs each kind of protected person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Charges {
    /// One clinician at this site, added or removed.
    pub clinician: Cost,
    /// One patient of this site.
    pub patient: Cost,
}

/// What the cost of a release follows from. A ledger keeps it, so that history can be costed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Terms {
    /// Version of noise and accounting.
    pub mechanism: u16,
    /// d: length of the vector.
    pub dimension: u64,
    /// Δ of one clinician, in lattice units.
    pub clinician_l2: u64,
    /// Δ of one patient, in lattice units.
    pub patient_l2: u64,
    /// (m − t)·s², in lattice units squared.
    pub guaranteed_variance: u128,
}

impl Terms {
    /// The costs, by this program's accountant.
    ///
    /// # Errors
    /// [`AccountantError`] if there is no noise or a cost is beyond fixed point.
    pub fn charges(&self) -> Result<Charges, AccountantError> {
        let cost = |l2| Cost::of(l2, self.guaranteed_variance, self.dimension);
        Ok(Charges { clinician: cost(self.clinician_l2)?, patient: cost(self.patient_l2)? })
    }
}

/// Everything a round of a study fixes in advance.
#[derive(Clone, Debug)]
pub struct Plan {
    coordinator: Key,
    family: StudyName,
    period: (Date, Date),
    study: Digest,
    roster: Digest,
    layout: Layout,
    noise: NoisePlan,
    multiplier: NoiseMultiplier,
    delta: Delta,
    terms: Terms,
    charges: Charges,
    sites: Vec<SiteIndex>,
    min_sites: u16,
    threshold: u16,
    colluders: u16,
    rows_max: u32,
    links_per_patient: u32,
    sites_per_patient: u32,
}

/// The least noise whose cost fits a part of the budget of one release, in percent, rounded up against ourselves.
fn multiplier_of(one_release: Budget, percent: u32) -> Result<NoiseMultiplier, PlanError> {
    const UP: f64 = 1.0 + 1.0 / 1_099_511_627_776.0; // 2⁻⁴⁰, above the rounding of √ and division
    #[expect(clippy::cast_precision_loss, reason = "rounded up just below")]
    let rho = one_release.total().rho_fp as f64 / 18_446_744_073_709_551_616.0; // 2⁶⁴
    let rho = rho * (f64::from(percent) / 100.0);
    Ok(NoiseMultiplier::new(UP / libm::sqrt(2.0 * rho))?)
}

impl Plan {
    /// The plan of a study among the sites of a roster.
    ///
    /// # Errors
    /// [`PlanError`] if the numbers do not give the guarantee the study states.
    pub fn new(study: &Study, roster: &Roster) -> Result<Self, PlanError> {
        let sites: Vec<SiteIndex> = roster.sites().map(|(index, _)| index).collect();
        let privacy = study.privacy();
        let (min_sites, threshold) = (privacy.min_sites, roster.threshold());
        if min_sites < threshold || usize::from(min_sites) > sites.len() {
            let colluders = roster.colluders_max();
            return Err(PlanError::MinSites {
                min_sites,
                sites: sites.len(),
                colluders,
                threshold,
            });
        }
        let delta = Delta::new(privacy.delta)?;
        let multiplier = multiplier_of(
            Budget::new(Epsilon::new(privacy.epsilon)?, delta)?,
            privacy.spend_percent,
        )?;
        let (m, t) = (u32::from(min_sites), u32::from(roster.colluders_max()));
        let noise = NoisePlan::new(multiplier, CLIP, m, t)?;
        let population = study.population();
        let rows_max = population.clinicians_per_site_max;
        let n = u32::try_from(sites.len()).unwrap_or(u32::MAX);
        if !wrap_bound_holds(n, rows_max.into(), CLIP, noise.site_scale()) {
            return Err(PlanError::Wraps { sites: sites.len(), rows: rows_max });
        }
        let layout = Layout::new(study, &sites);
        let links = u64::from(population.links_per_patient);
        let patient = CLIP
            .saturating_mul(2)
            .saturating_mul(links)
            .saturating_mul(u64::from(population.sites_per_patient));
        let terms = Terms {
            mechanism: MECHANISM_VERSION,
            dimension: layout.dimension() as u64,
            clinician_l2: CLIP,
            patient_l2: patient,
            guaranteed_variance: noise.guaranteed_variance(),
        };
        Ok(Self {
            coordinator: roster.coordinator().signing_key,
            family: study.name().clone(),
            period: study.period(),
            study: study.digest(),
            roster: roster.digest(),
            charges: terms.charges()?,
            terms,
            layout,
            noise,
            multiplier,
            delta,
            sites,
            min_sites,
            threshold,
            colluders: roster.colluders_max(),
            rows_max,
            links_per_patient: population.links_per_patient,
            sites_per_patient: population.sites_per_patient,
        })
    }

    /// The days whose data are summed: the first, and the one after the last.
    pub fn period(&self) -> (Date, Date) {
        self.period
    }

    /// The study's short name: rounds of one family are compared with each other.
    pub fn family(&self) -> &StudyName {
        &self.family
    }

    /// Digest of the study.
    pub fn study(&self) -> Digest {
        self.study
    }

    /// Digest of the roster.
    pub fn roster(&self) -> Digest {
        self.roster
    }

    /// The vector.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The noise.
    pub fn noise(&self) -> &NoisePlan {
        &self.noise
    }

    /// z: guaranteed noise over sensitivity.
    pub fn multiplier(&self) -> NoiseMultiplier {
        self.multiplier
    }

    /// δ at which ε is stated.
    pub fn delta(&self) -> Delta {
        self.delta
    }

    /// Key of the coordinator that the roster names.
    pub fn coordinator(&self) -> Key {
        self.coordinator
    }

    /// What the cost of a release follows from.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// What a release costs.
    pub fn charges(&self) -> Charges {
        self.charges
    }

    /// All sites, ascending.
    pub fn sites(&self) -> &[SiteIndex] {
        &self.sites
    }

    /// m: the fewest sites whose sum is opened.
    pub fn min_sites(&self) -> u16 {
        self.min_sites
    }

    /// T: votes and answers needed.
    pub fn threshold(&self) -> u16 {
        self.threshold
    }

    /// t: sites that may collude with the coordinator.
    pub fn colluders(&self) -> u16 {
        self.colluders
    }

    /// Rows a site may sum.
    pub fn rows_max(&self) -> u32 {
        self.rows_max
    }

    /// K: clinicians of a site with whom one patient may count.
    pub fn links_per_patient(&self) -> u32 {
        self.links_per_patient
    }

    /// Sites at which one patient may be.
    pub fn sites_per_patient(&self) -> u32 {
        self.sites_per_patient
    }
}
