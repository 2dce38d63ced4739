//! M0: what a round fixes in advance, the same bytes for everyone.
//!
//! No field is for one site only: whoever is told something else derives other keys and signs another
//! digest, and the round fails instead of leaking. A site takes only the identity of the round and
//! its deadlines from the coordinator; everything else it computes itself and compares.
use super::error::ProtocolError;
use crate::codec::{self, CodecError};
use crate::id::{Digest, FederationId, StudyName};
use crate::privacy::plan::{Charges, MECHANISM_VERSION, Plan, Terms};
use crate::summary::contribution::CLIP;
use serde::{Deserialize, Serialize};

/// Version of messages, keys and masks (mask generator: `ChaCha20`).
pub const PROTOCOL_VERSION: u16 = 1;
/// A counter beyond what every site can store could be replayed.
pub const COUNTER_MAX: u64 = i64::MAX.unsigned_abs();
/// A phase lasts a day at most.
pub const PHASE_MS_MAX: u32 = 86_400_000;

/// 32 random bytes that name a round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoundId(pub [u8; 32]);

impl std::fmt::Debug for RoundId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RoundId({})", Digest::new(self.0).short())
    }
}

/// How long the coordinator waits in each phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// M1, from the announcement.
    pub advertise_ms: u32,
    /// M3.
    pub shares_ms: u32,
    /// M5: the sites read their data in this phase.
    pub masked_ms: u32,
    /// M7.
    pub vote_ms: u32,
    /// M9.
    pub unmask_ms: u32,
}

impl Deadlines {
    /// The longest phase: how long a site waits for the coordinator's next message.
    pub fn longest_ms(&self) -> u32 {
        let all = [self.advertise_ms, self.shares_ms, self.masked_ms, self.vote_ms, self.unmask_ms];
        all.into_iter().max().unwrap_or(0)
    }
}

/// What makes one round of a plan different from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundIdentity {
    /// The round.
    pub round_id: RoundId,
    /// Grows from round to round of a coordinator.
    pub counter: u64,
    /// How long each phase lasts.
    pub deadlines: Deadlines,
    /// The lost round that this one repeats, with new keys and new noise.
    pub retry_of: Option<RoundId>,
}

/// Everything fixed before a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundConfig {
    version: u16,
    mechanism: u16,
    federation: FederationId,
    roster: Digest,
    round_id: RoundId,
    counter: u64,
    family: StudyName,
    study: Digest,
    dimension: u64,
    clip: u64,
    links_per_patient: u32,
    sites_per_patient: u32,
    rows_max: u32,
    multiplier: f64,
    min_sites: u16,
    colluders: u16,
    threshold: u16,
    site_scale: u64,
    delta: f64,
    charges: Charges,
    deadlines: Deadlines,
    retry_of: Option<RoundId>,
}

impl RoundConfig {
    /// The configuration of one round of a plan.
    pub fn new(plan: &Plan, federation: &FederationId, identity: &RoundIdentity) -> Self {
        Self {
            version: PROTOCOL_VERSION,
            mechanism: MECHANISM_VERSION,
            federation: federation.clone(),
            roster: plan.roster(),
            round_id: identity.round_id,
            counter: identity.counter,
            family: plan.family().clone(),
            study: plan.study(),
            dimension: plan.layout().dimension() as u64,
            clip: CLIP,
            links_per_patient: plan.links_per_patient(),
            sites_per_patient: plan.sites_per_patient(),
            rows_max: plan.rows_max(),
            multiplier: plan.multiplier().value(),
            min_sites: plan.min_sites(),
            colluders: plan.colluders(),
            threshold: plan.threshold(),
            site_scale: plan.noise().site_scale(),
            delta: plan.delta().value(),
            charges: plan.charges(),
            deadlines: identity.deadlines,
            retry_of: identity.retry_of,
        }
    }

    /// Holds if the round is one of this plan.
    ///
    /// # Errors
    /// [`ProtocolError::Plan`] naming the first field that differs.
    pub fn check(&self, plan: &Plan, federation: &FederationId) -> Result<(), ProtocolError> {
        let identity = RoundIdentity {
            round_id: self.round_id,
            counter: self.counter,
            deadlines: self.deadlines,
            retry_of: self.retry_of,
        };
        let own = Self::new(plan, federation, &identity);
        let same = |field, found: String, expected: String| {
            if found == expected {
                Ok(())
            } else {
                Err(ProtocolError::Plan { field, found, expected })
            }
        };
        let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
        same("protocol version", text(&self.version), text(&own.version))?;
        same("mechanism version", text(&self.mechanism), text(&own.mechanism))?;
        same("federation", text(&self.federation), text(&own.federation))?;
        same("roster", self.roster.to_string(), own.roster.to_string())?;
        same("study", self.study.to_string(), own.study.to_string())?;
        same("study name", text(&self.family), text(&own.family))?;
        same("vector length", text(&self.dimension), text(&own.dimension))?;
        same("clip norm", text(&self.clip), text(&own.clip))?;
        same("links per patient", text(&self.links_per_patient), text(&own.links_per_patient))?;
        same("sites per patient", text(&self.sites_per_patient), text(&own.sites_per_patient))?;
        same("row cap", text(&self.rows_max), text(&own.rows_max))?;
        same("noise multiplier", text(&self.multiplier), text(&own.multiplier))?;
        same("minimum of sites", text(&self.min_sites), text(&own.min_sites))?;
        same("colluder bound", text(&self.colluders), text(&own.colluders))?;
        same("threshold", text(&self.threshold), text(&own.threshold))?;
        same("noise of a site", text(&self.site_scale), text(&own.site_scale))?;
        same("delta", text(&self.delta), text(&own.delta))?;
        same("charge", text(&self.charges), text(&own.charges))?;
        if self.counter > COUNTER_MAX {
            return Err(ProtocolError::Plan {
                field: "round counter",
                found: self.counter.to_string(),
                expected: format!("at most {COUNTER_MAX}"),
            });
        }
        let longest = self.deadlines.longest_ms();
        if longest > PHASE_MS_MAX {
            return Err(ProtocolError::Plan {
                field: "deadline",
                found: format!("{longest} ms"),
                expected: format!("at most {PHASE_MS_MAX} ms"),
            });
        }
        Ok(())
    }

    /// H("tacit/v1/config", bytes): in every key, signature and vote of the round.
    ///
    /// # Errors
    /// [`CodecError`], which plain data does not give.
    pub fn digest(&self) -> Result<Digest, CodecError> {
        Ok(codec::hash("tacit/v1/config", &[&codec::encode(self)?]))
    }

    /// The round.
    pub fn round_id(&self) -> RoundId {
        self.round_id
    }

    /// Grows from round to round.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// Digest of the study.
    pub fn study(&self) -> Digest {
        self.study
    }

    /// Short name of the study.
    pub fn family(&self) -> &StudyName {
        &self.family
    }

    /// What the cost of an answer follows from; `None` if the numbers are no plan's.
    pub fn terms(&self) -> Option<Terms> {
        let honest = self.min_sites.checked_sub(self.colluders)?;
        let scale = u128::from(self.site_scale);
        let links = u64::from(self.links_per_patient).checked_mul(self.sites_per_patient.into())?;
        Some(Terms {
            mechanism: self.mechanism,
            dimension: self.dimension,
            clinician_l2: self.clip,
            patient_l2: self.clip.checked_mul(2)?.checked_mul(links)?,
            guaranteed_variance: scale.checked_mul(scale)?.checked_mul(honest.into())?,
        })
    }

    /// How long each phase lasts.
    pub fn deadlines(&self) -> Deadlines {
        self.deadlines
    }
}

/// The study an announcement speaks of, before anything about it is checked: enough to choose which
/// approved plan the machine is given. `None` if the bytes are no announcement.
pub fn study_of(announcement: &[u8]) -> Option<Digest> {
    let message = codec::decode::<super::message::ToSite>(announcement).ok()?;
    let super::message::ToSite::Announce(signed) = message else { return None };
    codec::decode::<RoundConfig>(&signed.payload.0).ok().map(|config| config.study())
}
