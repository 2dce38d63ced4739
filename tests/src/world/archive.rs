//! What outlives a crash of the coordinator: its counter, the transcript of the round under way, and
//! the receipts of all rounds.
use super::node::config_of;
use std::collections::BTreeMap;
use tacit_shared::codec;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::config::RoundConfig;
use tacit_shared::protocol::message::ToSite;
use tacit_shared::protocol::receipt::{RECEIPTS_MAX, Receipt};
use tacit_shared::protocol::transcript::{Entry, Party};

/// A round that was begun and did not end.
#[derive(Clone)]
pub(super) struct UnderWay {
    pub(super) round: Digest,
    /// When it was begun.
    pub(super) at_ms: u64,
    /// What was written down of it, in order.
    pub(super) entries: Vec<Entry>,
}

impl UnderWay {
    /// What was announced, as its transcript says; `None` if the program ended before.
    pub(super) fn config(&self) -> Option<RoundConfig> {
        let config = config_of(&self.entries.first()?.bytes)?;
        (config.digest().ok()? == self.round).then_some(config)
    }

    /// What a site sent under this name.
    pub(super) fn of(&self, site: SiteIndex, name: &str) -> Option<&[u8]> {
        let own = |entry: &&Entry| entry.from == Party::Site(site) && entry.name == name;
        self.entries.iter().find(own).map(|entry| entry.bytes.as_slice())
    }

    /// What the coordinator said under this name.
    pub(super) fn own(&self, name: &str) -> Option<&[u8]> {
        let own = |entry: &&Entry| entry.from == Party::Coordinator && entry.name == name;
        self.entries.iter().find(own).map(|entry| entry.bytes.as_slice())
    }
}

/// The disk.
#[derive(Default)]
pub(super) struct Archive {
    pub(super) counter: u64,
    /// How many rounds ended, with a result or without.
    pub(super) ended: u16,
    pub(super) under_way: Option<UnderWay>,
    /// What each site signed when it answered, oldest first.
    pub(super) receipts: BTreeMap<SiteIndex, Vec<Receipt>>,
}

impl Archive {
    /// A round begins.
    pub(super) fn start(&mut self, counter: u64, round: Digest, at_ms: u64) {
        self.counter = counter;
        self.under_way = Some(UnderWay { round, at_ms, entries: Vec::new() });
    }

    /// One more entry of its transcript, and the receipt that follows from it.
    pub(super) fn append(&mut self, entry: Entry) {
        let Some(under_way) = &mut self.under_way else { return };
        if let Party::Site(site) = entry.from
            && let Some(header) = Receipt::header_of(&entry.bytes)
            && let Some(announced) = under_way.entries.first()
            && let Ok(ToSite::Announce(announced)) = codec::decode(&announced.bytes)
        {
            let receipts = self.receipts.entry(site).or_default();
            receipts.push(Receipt { config: announced.payload, header });
            let old = receipts.len().saturating_sub(RECEIPTS_MAX);
            receipts.drain(..old);
        }
        under_way.entries.push(entry);
    }

    /// The round is over.
    pub(super) fn end(&mut self) {
        self.under_way = None;
        self.ended += 1;
    }
}
