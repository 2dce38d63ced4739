//! Drives one round: the same pure machine that tests drive in virtual time.
mod restart;

use super::net::{Limits, News, Switchboard};
use super::workers::Threads;
use crate::config::Config;
use crate::store::{Started, Store, receipt, transcript};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tacit_link::keys::Keys;
use tacit_link::{LinkError, endpoint};
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::config::{RoundConfig, RoundId, RoundIdentity};
use tacit_shared::protocol::host::{Context, Effect, Event, Host, Opened};
use tacit_shared::protocol::message::{ToHost, ToSite, to_host_bytes_max, to_site_bytes_max};
use tacit_shared::protocol::receipt::receipts_bytes_max;
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval};

/// How often the machine is told the time.
const TICK: Duration = Duration::from_millis(50);
/// A site's refusal is no longer than this.
const REFUSAL_BYTES_MAX: usize = 4096;

/// What a watcher is told while a round goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many of the sites are connected.
    Gathering {
        /// Connected.
        connected: usize,
        /// On the roster.
        expected: usize,
    },
    /// A phase of the round.
    Phase {
        /// What is due.
        due: &'static str,
        /// Sites still in the round.
        sites: usize,
        /// Sites that answered.
        answered: usize,
    },
    /// A site is out, and why.
    Dropped {
        /// The site's name.
        site: String,
        /// What it did.
        reason: String,
    },
}

/// The files of a round.
#[derive(Debug)]
pub struct Files {
    /// The study.
    pub study: Study,
    /// Its text.
    pub study_text: String,
    /// The roster.
    pub roster: Roster,
    /// Its text.
    pub roster_text: String,
}

/// One round, from gathering to the result.
pub struct Session<'a> {
    store: &'a Store,
    config: &'a Config,
    files: &'a Files,
    context: Arc<Context>,
    watch: &'a (dyn Fn(&Progress) + Send + Sync),
    /// What each site is shown first on every connection: its own earlier answers.
    receipts: BTreeMap<SiteIndex, Arc<Vec<u8>>>,
    boxes: BTreeMap<SiteIndex, mpsc::Sender<Arc<Vec<u8>>>>,
    last: BTreeMap<SiteIndex, Arc<Vec<u8>>>,
    sequence: u64,
    /// Why sites are out of the round, in words.
    dropped: BTreeMap<SiteIndex, String>,
    /// What was due when a site was heard last.
    heard: BTreeMap<SiteIndex, &'static str>,
    started: Instant,
    workers: Arc<Threads>,
}

/// A round under way, and what the machine is told next.
struct UnderWay {
    round: Digest,
    host: Host,
    event: Event,
    /// Already open when the program ended: only the sites are still to be told.
    opened: Option<Opened>,
}

impl<'a> Session<'a> {
    /// A session that has not begun.
    ///
    /// # Errors
    /// A user's fault if the study does not fit the roster; an operator's if the keys are not the
    /// roster's coordinator's.
    pub fn new(
        store: &'a Store,
        config: &'a Config,
        keys: &Keys,
        files: &'a Files,
        watch: &'a (dyn Fn(&Progress) + Send + Sync),
    ) -> Result<Self, Fault> {
        let listed = files.roster.coordinator();
        if listed.signing_key != keys.party().signing_key
            || listed.certificate != keys.party().certificate
        {
            let message = "the roster lists another coordinator than this folder's keys";
            return Err(Fault::user(message).hint("make the roster with this folder's enrolment"));
        }
        let plan =
            Plan::new(&files.study, &files.roster).map_err(|e| Fault::user(e.to_string()))?;
        let identity = keys.identity()?;
        let context = Arc::new(Context { identity, roster: files.roster.clone(), plan });
        Ok(Self {
            store,
            config,
            files,
            context,
            watch,
            receipts: BTreeMap::new(),
            boxes: BTreeMap::new(),
            last: BTreeMap::new(),
            sequence: 0,
            dropped: BTreeMap::new(),
            heard: BTreeMap::new(),
            started: Instant::now(),
            workers: Arc::new(Threads::of(0)?),
        })
    }

    /// Listens, waits for the sites, runs the round. What happened is in the store either way.
    ///
    /// # Errors
    /// A fault if too few sites came or stayed, or if the machine or the disk refused.
    pub async fn run(mut self, keys: &Keys) -> Result<Opened, Fault> {
        let dimension = self.context.plan.layout().dimension();
        let n = self.files.roster.len();
        let limits = Limits {
            receive: to_host_bytes_max(n, dimension),
            send: to_site_bytes_max(n, dimension).max(receipts_bytes_max(n)),
        };
        self.receipts = receipt::latest(self.store, &self.files.roster).await?;
        let trusted = self.files.roster.sites().map(|(_, party)| party.certificate).collect();
        let endpoint = endpoint::listen(self.config.listen(), keys, trusted);
        let endpoint = endpoint.map_err(LinkError::into_fault)?;
        let mut board = Switchboard::open(endpoint, &self.files.roster, limits);
        let opened = self.gather_and_run(&mut board).await;
        self.boxes.clear(); // closes every outbox: the last messages are flushed
        board.close().await;
        opened
    }

    async fn gather_and_run(&mut self, board: &mut Switchboard) -> Result<Opened, Fault> {
        let under_way = match self.taken_up().await? {
            Some(under_way) => under_way,
            None => self.begun(board).await?,
        };
        let round = under_way.round;
        let result = match under_way.opened {
            Some(opened) => {
                self.wait_for(board, opened.aggregate.survivors()).await;
                Ok(opened)
            }
            None => self.drive(board, under_way.host, under_way.event, round).await,
        };
        let ended = match &result {
            Ok(opened) => Ok(opened.signed.as_slice()),
            Err(fault) => Err(fault.message.as_str()),
        };
        self.store.end(round, ended, unix_now()).await?;
        if result.is_err() {
            self.say_closed();
        }
        result
    }

    /// A new round.
    async fn begun(&mut self, board: &mut Switchboard) -> Result<UnderWay, Fault> {
        self.gather(board).await?;
        let config = self.announce().await?;
        let round = config.digest().map_err(|e| Fault::bug(e.to_string()))?;
        let host =
            Host::new(self.context.clone(), config).map_err(|e| Fault::bug(e.to_string()))?;
        let host = host.with_workers(self.workers.clone());
        Ok(UnderWay { round, host, event: Event::Start, opened: None })
    }

    /// Waits until every site is there, or for as long as configured with at least m.
    async fn gather(&mut self, board: &mut Switchboard) -> Result<(), Fault> {
        let expected = self.files.roster.len();
        let needed = usize::from(self.context.plan.min_sites());
        let end = Instant::now() + Duration::from_secs(u64::from(self.config.gather_s()));
        (self.watch)(&Progress::Gathering { connected: 0, expected });
        while self.boxes.len() < expected {
            let news = tokio::time::timeout_at(end, board.news.recv()).await;
            match news {
                Ok(Some(news)) => {
                    self.join(news);
                    let connected = self.boxes.len();
                    (self.watch)(&Progress::Gathering { connected, expected });
                }
                Ok(None) => return Err(Fault::bug("the listener ended")),
                Err(_) if self.boxes.len() >= needed => break,
                Err(_) => {
                    let found = self.boxes.len();
                    let message = format!("{found} sites connected in time; {needed} are needed");
                    return Err(Fault::operator(message).hint("are the nodes running?"));
                }
            }
        }
        Ok(())
    }

    /// Takes a site's connection; a message before the round is of no round.
    fn join(&mut self, news: News) {
        let News::Joined(index, outbox) = news else { return };
        if let Some(receipts) = self.receipts.get(&index) {
            let _ = outbox.try_send(receipts.clone()); // an empty box takes two
        }
        if let Some(last) = self.last.get(&index) {
            let _ = outbox.try_send(last.clone());
        }
        self.boxes.insert(index, outbox);
    }

    async fn announce(&mut self) -> Result<RoundConfig, Fault> {
        let mut round_id = [0; 32];
        rand::Rng::fill_bytes(&mut rand::rng(), &mut round_id);
        let identity = RoundIdentity {
            round_id: RoundId(round_id),
            counter: self.store.next_counter().await?,
            deadlines: self.config.deadlines(),
            retry_of: None,
        };
        let config =
            RoundConfig::new(&self.context.plan, self.files.roster.federation(), &identity);
        let started = Started {
            config: config.digest().map_err(|e| Fault::bug(e.to_string()))?,
            counter: identity.counter,
            study: self.files.study.digest(),
            study_text: &self.files.study_text,
            roster_text: &self.files.roster_text,
            at_unix_s: unix_now(),
        };
        self.store.start(&started).await?;
        Ok(config)
    }

    async fn drive(
        &mut self,
        board: &mut Switchboard,
        mut host: Host,
        mut event: Event,
        round: Digest,
    ) -> Result<Opened, Fault> {
        let mut tick = interval(TICK);
        let mut told = None;
        loop {
            let due = host.due();
            self.listen_in(&event, due);
            let step = host.step(self.now(), event);
            let (next, effects) = step.map_err(|e| self.lost(&e.to_string(), due))?;
            host = next;
            if let Some(opened) = self.carry_out(round, effects).await? {
                return Ok(opened);
            }
            let (sites, answered) = host.progress();
            let progress = Progress::Phase { due: host.due(), sites, answered };
            if told.as_ref() != Some(&progress) {
                (self.watch)(&progress);
                told = Some(progress);
            }
            event = tokio::select! {
                news = board.news.recv() => match news {
                    Some(News::Message(from, bytes)) => Event::Received { from, bytes },
                    Some(joined) => {
                        self.join(joined);
                        Event::Tick
                    }
                    None => return Err(Fault::bug("the listener ended")),
                },
                _ = tick.tick() => Event::Tick,
            };
        }
    }

    /// Writes down first, then sends.
    async fn carry_out(
        &mut self,
        round: Digest,
        effects: Vec<Effect>,
    ) -> Result<Option<Opened>, Fault> {
        let mut entries = Vec::new();
        let mut rest = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist(entry) => entries.push(entry),
                other => rest.push(other),
            }
        }
        if !entries.is_empty() {
            transcript::append(self.store, round, self.sequence, &entries).await?;
            self.sequence = self.sequence.saturating_add(entries.len() as u64);
        }
        let mut opened = None;
        for effect in rest {
            match effect {
                Effect::Send { to, bytes } => self.send(to, bytes),
                Effect::Dropped { site, reason } => {
                    self.dropped.insert(site, reason.clone());
                    let site = self.name(site);
                    tracing::warn!(%site, %reason, "a site is out of the round");
                    (self.watch)(&Progress::Dropped { site, reason });
                }
                Effect::Opened(result) => opened = Some(*result),
                Effect::Persist(_) => {}
            }
        }
        Ok(opened)
    }

    /// Remembers what a lost round is explained by: the machine's last step gives no effects.
    fn listen_in(&mut self, event: &Event, due: &'static str) {
        let Event::Received { from, bytes } = event else { return };
        self.heard.insert(*from, due);
        let short = bytes.len() <= REFUSAL_BYTES_MAX;
        if let (true, Ok(ToHost::Declined(reason))) = (short, codec::decode(bytes)) {
            self.dropped.entry(*from).or_insert(reason);
        }
    }

    /// Why there is no result, with each site that left or fell silent.
    fn lost(&self, error: &str, due: &str) -> Fault {
        let mut sites = Vec::new();
        for (index, party) in self.files.roster.sites() {
            let silent = || self.heard.get(&index).is_none_or(|heard| *heard != due);
            match self.dropped.get(&index) {
                Some(reason) => sites.push(format!("{}: {reason}", party.id)),
                None if silent() => sites.push(format!("{}: no {due} in time", party.id)),
                None => {}
            }
        }
        let fault = Fault::peer(error).hint("the round is lost; a new one needs a new charge");
        if sites.is_empty() { fault } else { fault.at(sites.join("; ")) }
    }

    fn name(&self, site: SiteIndex) -> String {
        let party = self.files.roster.site(site);
        party.map_or_else(|| site.to_string(), |party| party.id.to_string())
    }

    fn send(&mut self, to: SiteIndex, bytes: Arc<Vec<u8>>) {
        self.last.insert(to, bytes.clone());
        if let Some(outbox) = self.boxes.get(&to)
            && outbox.try_send(bytes).is_err()
        {
            tracing::debug!(%to, "the site is away; it is sent this again when it returns");
        }
    }

    fn say_closed(&mut self) {
        let Ok(bytes) = codec::encode(&ToSite::Closed) else { return };
        let bytes = Arc::new(bytes);
        for outbox in self.boxes.values() {
            let _ = outbox.try_send(bytes.clone()); // a courtesy
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Seconds since 1970, UTC.
pub fn unix_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
