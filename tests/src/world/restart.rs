//! The coordinator's program dies, starts again, and takes up the round that it left.
//!
//! It knows what its disk says. A round that was never announced is begun anew; one whose deadlines are
//! over is given up; any other goes on from its transcript, whatever start of it was written down. One
//! whose sum is open already waits for its sites a while, so that they hear of it.
use super::World;
use super::archive::UnderWay;
use super::convener::Session;
use super::federation::{PHASE_MS, unbuilt};
use super::net::{Closed, Happening};
use super::op::{Side, Who};
use super::rule::{Failure, Rule};
use std::collections::BTreeSet;
use tacit_shared::id::SiteIndex;
use tacit_shared::protocol::host::{Host, Replay, ResumeError};

/// How long sites are given to come back once the sum is open.
pub(super) const RETURN_MS: u64 = 10_000;

impl World {
    /// The program starts: it goes on with the round it left, or begins one.
    pub(super) fn start_coordinator(&mut self) -> Result<(), Failure> {
        let boot = self.convener.boot;
        let goes_on = self.take_up()?;
        if boot != self.convener.boot {
            return Ok(()); // it died again
        }
        for site in self.federation.plan.sites().to_vec() {
            if self.net.reopen(site, Closed::Coordinator) {
                self.joined(site);
            }
        }
        if goes_on { Ok(()) } else { self.begin(boot) }
    }

    fn kill_coordinator(&mut self, for_ms: u32) {
        self.note(|| "the coordinator dies".to_owned());
        self.story.add("coordinators killed");
        if self.convener.archive.under_way.as_ref().is_some_and(|left| !left.entries.is_empty()) {
            self.story.add("coordinators killed in a round");
        }
        self.convener.boot += 1;
        self.convener.session = Session::Idle;
        self.convener.last.clear();
        for site in self.federation.plan.sites() {
            self.net.close(*site, Closed::Coordinator);
        }
        self.net.after(u64::from(for_ms), Happening::CoordinatorUp);
    }

    /// Does one act of the coordinator, unless it dies before; `false` if it died before or after.
    pub(super) fn act(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let number = self.number(Who::Coordinator);
        if let Some(for_ms) = self.killed(Who::Coordinator, number, Side::Before) {
            self.kill_coordinator(for_ms);
            return Ok(false);
        }
        act(self)?;
        if let Some(for_ms) = self.killed(Who::Coordinator, number, Side::After) {
            self.kill_coordinator(for_ms);
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes up the round that was left; `false` if there is none to take up.
    fn take_up(&mut self) -> Result<bool, Failure> {
        let Some(left) = self.convener.archive.under_way.clone() else { return Ok(false) };
        if left.entries.is_empty() {
            self.story.add("rounds never announced");
            self.convener.archive.under_way = None;
            return Ok(false);
        }
        if self.net.now() - left.at_ms > 5 * u64::from(PHASE_MS) {
            self.story.add("rounds given up: too late");
            self.convener.archive.end();
            return Ok(false);
        }
        let place = left.entries.len();
        let (host, effects) = match self.replayed(left)? {
            Ok(replay) => replay.finish(),
            Err(error) => {
                self.watch.fail(Rule::Resumes, format!("{place} entries: {error}"));
                return Ok(false);
            }
        };
        self.note(|| format!("the round is taken up again after {place} entries"));
        self.story.add("rounds taken up again");
        self.convener.session = Session::Honest(Box::new(host));
        self.host_does(effects, true)?;
        Ok(true)
    }

    fn replayed(&self, left: UnderWay) -> Result<Result<Replay, ResumeError>, Failure> {
        let config = left.config().ok_or_else(|| unbuilt("a transcript of another round"))?;
        let host = Host::new(self.federation.host.clone(), config).map_err(unbuilt)?;
        let start = Replay::start(host, self.net.now());
        Ok(start.and_then(|start| left.entries.into_iter().try_fold(start, Replay::take)))
    }

    /// The sum was open before the program died: its survivors are waited for, but not for long.
    pub(super) fn returning(
        &mut self,
        since: u64,
        survivors: &BTreeSet<SiteIndex>,
    ) -> Result<(), Failure> {
        let back = survivors.iter().all(|site| self.net.is_open(*site));
        if back || self.net.now() >= since + RETURN_MS {
            return self.end_round();
        }
        Ok(())
    }
}
