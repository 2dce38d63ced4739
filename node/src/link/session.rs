//! Drives one site through its rounds: the same pure machine that tests drive in virtual time.
//!
//! Everything a round needs to remember is durable before the message it belongs to is sent. The
//! secrets of a round live in memory only: if this program ends, the site has dropped out.
mod admission;
mod release;

use super::enrolled::own_index;
use super::hold;
use super::net::Line;
use crate::config::Config;
use crate::measure::instrument::Catalogue;
use crate::store::ledger::StoreJournal;
use crate::store::pseudonym::Pseudonyms;
use crate::store::{Store, approval, evidence, ledger, receipt};
use rand::SeedableRng as _;
use rand::rngs::{ChaCha20Rng, SysRng};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tacit_link::keys::Keys;
use tacit_link::{LinkError, endpoint};
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::ledger::Ledger;
use tacit_shared::protocol::config::study_of;
use tacit_shared::protocol::message::{ToHost, ToSite, to_host_bytes_max, to_site_bytes_max};
use tacit_shared::protocol::receipt::receipts_bytes_max;
use tacit_shared::protocol::site::{Context, Effect, Event, Site};
use tacit_shared::roster::Roster;
use tacit_shared::study::Study;
use tokio::time::{Instant, interval};

/// The lock's name within a node's folder.
const LOCK: &str = "run.lock";
/// How often the machine is told the time.
const TICK: Duration = Duration::from_millis(500);
/// How long the coordinator has to show this site its receipts.
const RECEIPTS: Duration = Duration::from_secs(30);
/// How long the end of a connection may take to arrive.
const FAREWELL: Duration = Duration::from_secs(5);

/// A node with its folder open, ready to take part.
pub struct Node {
    dir: PathBuf,
    /// Held as long as this program runs: two on one folder would not know of each other's rounds.
    _lock: File,
    store: Store,
    config: Config,
    keys: Keys,
    roster: Roster,
    me: SiteIndex,
    catalogue: Catalogue,
    pseudonyms: Pseudonyms,
    ledger: Ledger<StoreJournal>,
    started: Instant,
}

/// How long to keep trying and when to stop.
#[derive(Clone, Copy, Debug)]
pub struct Stay {
    /// Ends after one round that gave a result, or that this site had to leave.
    pub once: bool,
    /// How long to look for the coordinator before giving up.
    pub patience: Duration,
}

/// One round this site is in.
struct Round {
    announcement: Vec<u8>,
    site: Site,
    study: Study,
    plan: Arc<Context>,
}

/// How a round ended for this site.
enum Ended {
    Result,
    Refused(Fault),
}

impl Node {
    /// Opens the folder of a node.
    ///
    /// # Errors
    /// A fault if files are missing, the ledger is broken or was set back, or the site is not on the pinned
    /// roster.
    pub async fn open(dir: &Path) -> Result<Self, Fault> {
        let config = Config::open(dir)?;
        let lock = lock(dir)?;
        let keys = Keys::open(dir)?;
        let store = Store::open(&dir.join(crate::store::FILE)).await?;
        let roster = approval::roster(&store).await?.ok_or_else(|| {
            Fault::user("no roster is pinned here").hint("`tacit-node join ROSTER.toml` pins one")
        })?;
        let me = own_index(&roster, &keys)?;
        let ledger = ledger::open(&store, config.limits()?).await?;
        receipt::check(&store, &ledger).await?;
        let catalogue = Catalogue::of_node(dir, config.licences())?;
        let pseudonyms = Pseudonyms::open_or_create(dir)?;
        let started = Instant::now();
        Ok(Self {
            dir: dir.to_owned(),
            _lock: lock,
            store,
            config,
            keys,
            roster,
            me,
            catalogue,
            pseudonyms,
            ledger,
            started,
        })
    }

    /// Takes part in the coordinator's rounds.
    ///
    /// # Errors
    /// The last fault of the connection once patience is over; with `once`, why the round was left.
    pub async fn run(&mut self, stay: Stay) -> Result<(), Fault> {
        // Settings may have changed while nobody ran it.
        self.look_at_cells().await?;
        let address = self.config.coordinator();
        let pin = self.roster.coordinator().certificate;
        let endpoint =
            endpoint::dialler(address, &self.keys, pin).map_err(LinkError::into_fault)?;
        let sites = self.roster.len();
        let limit = to_site_bytes_max(sites, 0).max(receipts_bytes_max(sites));
        let mut round = None;
        loop {
            let line = Line::dial_patiently(&endpoint, address, limit, stay.patience).await;
            let mut line = line.map_err(LinkError::into_fault)?;
            tracing::info!(%address, "connected to the coordinator");
            if !self.hold_receipts(&mut line).await? {
                continue;
            }
            // The line stays up between rounds: a new one would be sent the refused round again.
            while let Some(ended) = Box::pin(self.serve(&mut line, &mut round)).await? {
                if stay.once {
                    line.hang_up().await;
                    let _ = tokio::time::timeout(FAREWELL, endpoint.wait_idle()).await;
                    return match ended {
                        Ended::Result => Ok(()),
                        Ended::Refused(fault) => Err(fault),
                    };
                }
                match ended {
                    Ended::Result => tracing::info!("the round is over; the signed result is kept"),
                    Ended::Refused(fault) => tracing::warn!("{fault}"),
                }
            }
        }
    }

    /// The first message of a connection: what this site answered before. `false` if the line was lost.
    async fn hold_receipts(&self, line: &mut Line) -> Result<bool, Fault> {
        let Ok(shown) = tokio::time::timeout(RECEIPTS, line.receive()).await else {
            let message = "the coordinator showed no receipts in time";
            return Err(Fault::peer(message).hint("without them this site takes part in no round"));
        };
        let Some(shown) = shown else { return Ok(false) };
        let parties = receipt::Parties {
            me: self.keys.identity()?.verifying_key(),
            coordinator: self.roster.coordinator().signing_key,
        };
        receipt::hold(&self.store, &self.ledger, &parties, &shown, unix_now()).await?;
        Ok(true)
    }

    /// Serves one connection until a round ends or the connection is lost (`None`).
    async fn serve(
        &mut self,
        line: &mut Line,
        round: &mut Option<Round>,
    ) -> Result<Option<Ended>, Fault> {
        let mut tick = interval(TICK);
        loop {
            let event = tokio::select! {
                message = line.receive() => match message {
                    Some(bytes) => Event::Received(bytes),
                    None => return Ok(None),
                },
                _ = tick.tick() => Event::Tick,
            };
            let ended = match (round.take(), event) {
                (_, Event::Received(bytes)) if is_closed(&bytes) => Some(Ended::Refused(
                    Fault::peer("the coordinator closed the round without a result")
                        .hint("what was charged stays charged; the coordinator's log says why"),
                )),
                // Another round than the one this site is in: the old one is lost, its secrets go.
                (Some(current), Event::Received(bytes))
                    if bytes != current.announcement && study_of(&bytes).is_some() =>
                {
                    self.announced(line, round, bytes).await?
                }
                (None, Event::Received(bytes)) => self.announced(line, round, bytes).await?,
                (Some(current), event) => self.drive(line, round, current, event).await?,
                (None, _) => None,
            };
            if ended.is_some() {
                return Ok(ended);
            }
        }
    }

    /// A round is announced: looks up what was approved, and lets the machine check the rest.
    async fn announced(
        &mut self,
        line: &mut Line,
        round: &mut Option<Round>,
        bytes: Vec<u8>,
    ) -> Result<Option<Ended>, Fault> {
        let Some(digest) = study_of(&bytes) else {
            tracing::warn!("a message that announces nothing was ignored");
            return Ok(None);
        };
        self.look_at_settings().await?;
        match self.prepare(digest).await {
            Ok((study, context)) => {
                let history = evidence::history(&self.store, &self.roster, study.name()).await?;
                let site = Site::new(context.clone(), history, self.now());
                line.set_limit(to_site_bytes_max(
                    self.roster.len(),
                    context.plan.layout().dimension(),
                ));
                let announcement = bytes.clone();
                let current = Round { announcement, site, study, plan: context };
                self.drive(line, round, current, Event::Received(bytes)).await
            }
            Err(fault) => {
                self.decline(line, admission::told(&fault)).await;
                Ok(Some(Ended::Refused(fault)))
            }
        }
    }

    /// One step of the machine, and everything it asks for.
    async fn drive(
        &mut self,
        line: &mut Line,
        round: &mut Option<Round>,
        current: Round,
        event: Event,
    ) -> Result<Option<Ended>, Fault> {
        let Round { announcement, site, study, plan } = current;
        // Fresh from the system for every step: a round's secrets depend on no earlier state.
        let rng = ChaCha20Rng::try_from_rng(&mut SysRng);
        let mut rng =
            rng.map_err(|e| Fault::operator(format!("no randomness from the system: {e}")))?;
        let mut next = site.step(self.now(), event, &mut rng);
        let mut paid = None;
        let mut leaves = None;
        loop {
            let (site, effects) = match next {
                Ok(step) => step,
                Err(error) => {
                    let fault = Fault::peer(error.to_string())
                        .hint(format!("at fault: {:?}; nothing more was sent", error.culprit()));
                    self.decline(line, error.word()).await;
                    return Ok(Some(Ended::Refused(fault)));
                }
            };
            if let Some(instant) = leaves {
                tokio::time::sleep_until(instant).await;
            }
            let mut collect = None;
            for effect in effects {
                match effect {
                    Effect::Done(_) => return Ok(Some(Ended::Result)),
                    Effect::Collect { round } => collect = Some(round),
                    effect => self.carry_out(line, &plan, paid, effect).await?,
                }
            }
            let Some(paid_round) = collect else {
                *round = Some(Round { announcement, site, study, plan });
                return Ok(None);
            };
            paid = Some(paid_round);
            let (arrived, phase) = (Instant::now(), Duration::from_millis(site.masked_ms().into()));
            let question = self.question(&study, &plan.plan, paid_round);
            let funded = match hold::ask(&self.store, line, question, phase).await {
                Ok(()) => {
                    let within = release::last(phase).saturating_sub(arrived.elapsed());
                    self.fund(&study, &plan.plan, paid_round, within).await
                }
                Err(fault) => Err(fault),
            };
            match funded {
                Ok(funded) => {
                    next = site.step(self.now(), funded, &mut rng);
                    leaves = Some(arrived + release::instant(arrived.elapsed(), phase));
                }
                Err(fault) => {
                    let instant = release::instant(arrived.elapsed(), phase);
                    tokio::time::sleep_until(arrived + instant).await;
                    self.decline(line, "it releases nothing in this round").await;
                    return Ok(Some(Ended::Refused(fault)));
                }
            }
        }
    }

    async fn carry_out(
        &self,
        line: &mut Line,
        context: &Context,
        paid: Option<Digest>,
        effect: Effect,
    ) -> Result<(), Fault> {
        let coordinator = self.roster.coordinator().signing_key;
        match effect {
            Effect::Persist(record) => evidence::persist(&self.store, coordinator, &record).await,
            Effect::Keep(opening) => match paid {
                Some(round) => evidence::keep(&self.store, round, &opening).await,
                None => Err(Fault::bug("an opening came before its round was paid for")),
            },
            Effect::Send(bytes) => {
                let dimension = context.plan.layout().dimension();
                let limit = to_host_bytes_max(self.roster.len(), dimension);
                // A lost connection is not the end of a round: the reply is asked for again.
                if let Err(error) = line.send(&bytes, limit).await {
                    tracing::warn!(%error, "a message was not sent");
                }
                Ok(())
            }
            Effect::Collect { .. } | Effect::Done(_) => Ok(()),
        }
    }

    /// Says no, in one of few words: in full, a refusal would tell what the site spent, asks for or holds.
    async fn decline(&self, line: &mut Line, reason: &'static str) {
        let reason = reason.to_owned();
        let limit = to_host_bytes_max(self.roster.len(), 0);
        if let Ok(bytes) = codec::encode(&ToHost::Declined(reason)) {
            let _ = line.send(&bytes, limit).await; // the coordinator notices the silence as well
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Whether the coordinator says that the round is over for this site.
pub(super) fn is_closed(bytes: &[u8]) -> bool {
    matches!(codec::decode(bytes), Ok(ToSite::Closed))
}

/// The one program that may run on a folder.
fn lock(dir: &Path) -> Result<File, Fault> {
    let path = dir.join(LOCK);
    let place = path.display().to_string();
    let file = File::options().create(true).write(true).truncate(false).open(&path);
    let file =
        file.map_err(|e| Fault::operator(format!("the lock cannot be made: {e}")).at(&place))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Fault::operator("another `tacit-node run` is at work on this folder")
                .at(place)
                .hint("two of them would not know of each other's rounds"))
        }
        Err(TryLockError::Error(e)) => {
            Err(Fault::operator(format!("the lock cannot be taken: {e}")).at(place))
        }
    }
}

/// Seconds since 1970, UTC.
pub fn unix_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
