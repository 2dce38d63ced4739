//! A site's program starts and dies; its disk may be replaced by an older copy of it.
//!
//! Before anything else a connection brings the receipts of the site's own answers. A site whose ledger
//! does not know one of them stops. Its officer looks, has no newer copy, and has the loss charged:
//! then it starts again.
use super::World;
use super::federation::ready;
use super::net::{Closed, Happening};
use super::op::{Side, Who};
use super::rule::{Failure, Rule};
use std::collections::BTreeMap;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::ledger::Ledger;
use tacit_shared::protocol::site::Answered;

/// What a charge is dated.
pub(super) const DATE_UNIX_S: i64 = 1_790_000_000;
/// How long an officer takes to have a loss charged.
const OFFICER_MS: u32 = 5000;

/// A copy of a disk, from just before a charge. Entries of the ledger are told by their number.
#[derive(Clone)]
pub(super) struct Copy {
    pub(super) counter: u64,
    pub(super) answered: BTreeMap<Digest, Answered>,
}

impl World {
    /// The program of a site starts: what it knows is what its disk says.
    pub(super) fn start_site(&mut self, index: SiteIndex) -> Result<(), Failure> {
        let Some(node) = self.nodes.get_mut(&index) else { return Ok(()) };
        let entries = node.disk.paper.sheet().entries.clone();
        match Ledger::open(node.disk.paper.clone(), &entries, self.federation.budgets) {
            Ok(mut ledger) => {
                for lost in node.disk.lost.split_off(0) {
                    if ready(ledger.record_loss(&lost, DATE_UNIX_S))?.is_ok() {
                        self.story.add("losses charged");
                    }
                }
                let spent = ledger.spent();
                node.ledger = Some(ledger);
                self.watch.started(index, &self.federation, spent);
            }
            Err(error) => {
                self.watch.fail(Rule::Paid, format!("the ledger of site {index}: {error}"));
            }
        }
        if self.net.reopen(index, Closed::Site) {
            self.joined(index);
        }
        Ok(())
    }

    fn kill_site(&mut self, index: SiteIndex, for_ms: u32) {
        self.note(|| format!("site {index} dies"));
        self.story.add("sites killed");
        self.stop_site(index, for_ms);
    }

    fn stop_site(&mut self, index: SiteIndex, for_ms: u32) {
        let Some(node) = self.nodes.get_mut(&index) else { return };
        node.stop();
        self.net.close(index, Closed::Site);
        let over = Happening::Over { site: index, closed: Closed::Site };
        self.net.after(u64::from(for_ms), over);
    }

    /// Does one act of a site, unless it dies before; `None` if it died before or after.
    pub(super) fn site_act<T>(
        &mut self,
        index: SiteIndex,
        act: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let who = Who::Site(index.value());
        let number = self.number(who);
        if let Some(for_ms) = self.killed(who, number, Side::Before) {
            self.kill_site(index, for_ms);
            return Ok(None);
        }
        let done = act(self)?;
        if let Some(for_ms) = self.killed(who, number, Side::After) {
            self.kill_site(index, for_ms);
            return Ok(None);
        }
        Ok(Some(done))
    }

    /// The copy from before a charge takes the place of the disk, if there is one. What the watcher looks
    /// at, the openings, it has its own copy of.
    pub(super) fn set_back(&mut self, index: SiteIndex, charge: u16, for_ms: u32) {
        let Some(node) = self.nodes.get_mut(&index) else { return };
        let Some(copy) = node.copies.get(&usize::from(charge)).cloned() else { return };
        node.disk.paper.sheet().entries.truncate(usize::from(charge));
        (node.disk.counter, node.disk.answered) = (copy.counter, copy.answered);
        self.note(|| format!("site {index} is set back to before its charge {charge}"));
        self.story.add("sites set back");
        self.watch.set_back.insert(index);
        self.stop_site(index, for_ms);
    }

    /// The first message of a connection: what this site answered before. `false` if it stops at that.
    pub(super) fn shows_receipts(&mut self, index: SiteIndex) -> bool {
        let Some(receipts) = self.convener.archive.receipts.get(&index) else { return true };
        let Some(hospital) = self.federation.sites.get(&index) else { return true };
        let Some(node) = self.nodes.get_mut(&index) else { return true };
        let Some(ledger) = &node.ledger else { return true };
        let me = hospital.context.identity.verifying_key();
        let coordinator = self.federation.plan.coordinator();
        let mut lost = Vec::new();
        for receipt in receipts {
            match receipt.read(&me, coordinator) {
                // An answer of an earlier round that came late was written down in a later one.
                None => self.story.add("receipts of no round"),
                Some(one) if ledger.round_of(one.head).is_none() => lost.push(one),
                Some(_) => {}
            }
        }
        self.story.more("receipts shown", receipts.len() as u64);
        let rounds = receipts.iter().filter_map(|receipt| receipt.read(&me, coordinator));
        self.watch.shown(index, rounds.map(|one| one.round).collect());
        if lost.is_empty() {
            return true;
        }
        if !self.watch.set_back.contains(&index) {
            let what = format!("site {index} misses {} answers and was never set back", lost.len());
            self.watch.fail(Rule::Receipts, what);
        }
        node.disk.lost = lost;
        self.note(|| format!("site {index} is shown what its ledger does not know"));
        self.story.add("sites stopped by a receipt");
        self.stop_site(index, OFFICER_MS);
        false
    }

    /// Every line is a new one, and begins with the receipts.
    pub(super) fn renew_lines(&mut self) {
        self.net.renew();
        for site in self.federation.plan.sites().to_vec() {
            if self.net.is_open(site) {
                self.shows_receipts(site);
            }
        }
    }
}
