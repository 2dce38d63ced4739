//! Receipts: what a site itself signed when it answered, shown to it again by the coordinator.
//!
//! Each M5 carries the head of the site's ledger under the site's own signature. The coordinator keeps
//! these headers and shows a site its latest ones on every connection, before any round. A site whose
//! ledger does not know one of them was set back: it answered, and forgot what it paid. A coordinator
//! cannot invent a receipt; it can withhold one.
use super::config::RoundConfig;
use super::message::{MaskedHeader, Signed, ToHost};
use crate::codec::{self, Bytes};
use crate::privacy::ledger::Lost;
use crate::roster::Key;
use crate::secagg::key::identity::VerifyingKey;
use serde::{Deserialize, Serialize};

/// Most receipts that are shown at once, the latest.
pub const RECEIPTS_MAX: usize = 256;

/// One answer of a site, without its vector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The configuration of the round, as announced.
    pub config: Bytes,
    /// The header of M5, as the site signed it.
    pub header: Signed,
}

impl Receipt {
    /// The signed header of M5; `None` if the bytes are another message.
    pub fn header_of(answer: &[u8]) -> Option<Signed> {
        match codec::decode(answer).ok()? {
            ToHost::Masked(header, _) => Some(header),
            _ => None,
        }
    }

    /// What it shows; `None` unless this site signed it for the round of this configuration.
    pub fn read(&self, me: &VerifyingKey, coordinator: Key) -> Option<Lost> {
        let header: MaskedHeader = self.header.body(me, "masked")?;
        let config: RoundConfig = codec::decode(&self.config.0).ok()?;
        if config.digest().ok()? != header.config || config.round_id() != header.round_id {
            return None;
        }
        Some(Lost {
            head: header.ledger_head,
            round: header.config,
            counter: config.counter(),
            coordinator,
            family: config.family().clone(),
            study: config.study(),
            terms: config.terms()?,
        })
    }
}

/// Longest list of receipts among so many sites: each header names the members of two sets.
pub fn receipts_bytes_max(sites: usize) -> u32 {
    let one = sites.div_ceil(8).saturating_mul(2).saturating_add(2048);
    u32::try_from(one.saturating_mul(RECEIPTS_MAX).saturating_add(64)).unwrap_or(u32::MAX)
}
