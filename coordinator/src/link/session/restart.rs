//! Finds the round that the program left unfinished when it last ended, and takes it up from its transcript.
use super::{Files, Session, UnderWay, unix_now};
use crate::link::net::Switchboard;
use crate::link::workers::Threads;
use crate::store::{Store, Unfinished, transcript};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::SiteIndex;
use tacit_shared::protocol::config::{Deadlines, RoundConfig};
use tacit_shared::protocol::host::{Context, Effect, Event, Host, Replay};
use tacit_shared::protocol::message::ToSite;
use tacit_shared::protocol::transcript::Entry;
use tacit_shared::secagg::key::identity::VerifyingKey;
use tokio::time::Instant;

/// How long sites are given to come back once the sum is open.
const RETURN: Duration = Duration::from_secs(10);

impl Session<'_> {
    /// The round of this study that this program left unfinished, if it can still be finished.
    pub(super) async fn taken_up(&mut self) -> Result<Option<UnderWay>, Fault> {
        let Some(left) = unfinished(self.store, self.files).await? else {
            return Ok(None);
        };
        let machine = Machine {
            context: self.context.clone(),
            workers: self.workers.clone(),
            now: self.now(),
        };
        let round = left.config;
        let resumed = resume(self.store, &left, machine).await?;
        let resumed = match resumed {
            Ok(resumed) => resumed,
            Err(reason) => {
                tracing::warn!(%reason, "the unfinished round is given up");
                self.store.end(round, Err(&reason), unix_now()).await?;
                return Ok(None);
            }
        };
        tracing::info!(entries = resumed.entries, "an unfinished round is taken up again");
        self.sequence = resumed.entries;
        let opened = self.carry_out(round, resumed.effects).await?;
        Ok(Some(UnderWay { round, host: resumed.host, event: Event::Tick, opened }))
    }

    /// Gives sites a little time to come back and hear what they were sent last.
    pub(super) async fn wait_for(&mut self, board: &mut Switchboard, sites: &BTreeSet<SiteIndex>) {
        let end = Instant::now() + RETURN;
        while !sites.iter().all(|site| self.boxes.contains_key(site)) {
            match tokio::time::timeout_at(end, board.news.recv()).await {
                Ok(Some(news)) => self.join(news),
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// What the machine of a round needs beside its configuration.
struct Machine {
    /// The round's unchanging part.
    context: Arc<Context>,
    /// Its threads.
    workers: Arc<Threads>,
    /// By the clock that drives it.
    now: u64,
}

/// A round taken up again.
struct Resumed {
    /// The machine as the transcript left it.
    host: Host,
    /// What to do first.
    effects: Vec<Effect>,
    /// Entries of the transcript.
    entries: u64,
}

/// The round begun last, if it did not end and is of this study and roster.
async fn unfinished(store: &Store, files: &Files) -> Result<Option<Unfinished>, Fault> {
    let left = store.unfinished().await?;
    Ok(left
        .filter(|left| left.study == files.study.digest() && left.roster_text == files.roster_text))
}

/// Feeds the machine its transcript, entry by entry. The inner error says why the round is given up.
async fn resume(
    store: &Store,
    left: &Unfinished,
    machine: Machine,
) -> Result<Result<Resumed, String>, Fault> {
    let first = transcript::entry(store, left.config, 0).await?;
    let config = match first.and_then(|first| announced(&first, &machine.context)) {
        Some(config) if config.digest().ok() == Some(left.config) => config,
        _ => return Ok(Err("the program ended before it announced the round".to_owned())),
    };
    let away_s = unix_now().saturating_sub(left.at_unix_s);
    if away_s.saturating_mul(1000) > total_ms(&config.deadlines()) {
        return Ok(Err("the program came back after the deadlines of the round".to_owned()));
    }
    let host = match Host::new(machine.context, config) {
        Ok(host) => host.with_workers(machine.workers),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut replay = match Replay::start(host, machine.now) {
        Ok(replay) => replay,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut entries = 0;
    while let Some(entry) = transcript::entry(store, left.config, entries).await? {
        replay = match replay.take(entry) {
            Ok(replay) => replay,
            Err(error) => return Ok(Err(error.to_string())),
        };
        entries += 1;
    }
    let (host, effects) = replay.finish();
    Ok(Ok(Resumed { host, effects, entries }))
}

/// The configuration in a transcript's first entry, if this coordinator signed it for this plan.
fn announced(entry: &Entry, context: &Context) -> Option<RoundConfig> {
    let ToSite::Announce(signed) = codec::decode(&entry.bytes).ok()? else { return None };
    let own = VerifyingKey::from_bytes(context.roster.coordinator().signing_key.0);
    let config = signed.body::<RoundConfig>(&own, "announce")?;
    config.check(&context.plan, context.roster.federation()).ok()?;
    Some(config)
}

/// How long a round takes at most.
fn total_ms(deadlines: &Deadlines) -> i64 {
    let Deadlines { advertise_ms, shares_ms, masked_ms, vote_ms, unmask_ms } = *deadlines;
    [advertise_ms, shares_ms, masked_ms, vote_ms, unmask_ms].into_iter().map(i64::from).sum()
}
