//! Federations of any size, with a study of so many columns.
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tacit_shared::codec;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::accountant::Budget;
use tacit_shared::privacy::ledger::{Budgets, Charge, Entry, Journal, Ledger};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::config::{Deadlines, RoundConfig, RoundId, RoundIdentity};
use tacit_shared::protocol::host::{self, Host};
use tacit_shared::protocol::site::{self, History, Policy, Site};
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::secagg::key::identity::IdentityKey;
use tacit_shared::study::Study;
use tacit_shared::units::{Delta, Epsilon};

/// What a bench fails with.
pub(crate) type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// How long each phase lasts in virtual time.
pub(crate) const PHASE_MS: u32 = 60_000;

const GROUPS: usize = 8;

/// A study among hospitals that all approved it; a third of them may collude.
pub(crate) struct Setting {
    pub(crate) roster: Roster,
    pub(crate) plan: Plan,
    identities: Vec<Arc<IdentityKey>>,
}

impl Setting {
    /// `n` sites and a study of `columns` columns.
    pub(crate) fn of(n: u16, columns: usize) -> Fallible<Self> {
        Self::asking(n, columns, "2.0")
    }

    /// As [`Setting::of`], with this ε of one release.
    pub(crate) fn asking(n: u16, columns: usize, epsilon: &str) -> Fallible<Self> {
        let identities: Fallible<Vec<Arc<IdentityKey>>> = (0..=n).map(identity).collect();
        let identities = identities?;
        let parties: Fallible<Vec<Party>> =
            (0..).zip(&identities).map(|(index, key)| party(index, key)).collect();
        let (coordinator, sites) = match parties?.split_first() {
            Some((coordinator, sites)) => (coordinator.clone(), sites.to_vec()),
            None => return Err("no parties".into()),
        };
        let roster = Roster::of("bench".parse()?, 1, n / 3, coordinator, sites)?;
        let text = study_text(columns, roster.threshold());
        let study = Study::parse(&text.replace("epsilon = 2.0", &format!("epsilon = {epsilon}")))?;
        let plan = Plan::new(&study, &roster)?;
        Ok(Self { roster, plan, identities })
    }

    /// d.
    pub(crate) fn dimension(&self) -> usize {
        self.plan.layout().dimension()
    }

    /// The lasting key of a site; the coordinator's at 0.
    pub(crate) fn identity(&self, index: u16) -> Fallible<&IdentityKey> {
        self.identities.get(usize::from(index)).map(Arc::as_ref).ok_or("no such party".into())
    }

    /// Every site.
    pub(crate) fn sites(&self) -> BTreeSet<SiteIndex> {
        self.plan.sites().iter().copied().collect()
    }

    pub(crate) fn config(&self) -> RoundConfig {
        let ms = PHASE_MS;
        let deadlines = Deadlines {
            advertise_ms: ms,
            shares_ms: ms,
            masked_ms: ms,
            vote_ms: ms,
            unmask_ms: ms,
        };
        let round_id = RoundId([7; 32]);
        let identity = RoundIdentity { round_id, counter: 1, deadlines, retry_of: None };
        RoundConfig::new(&self.plan, self.roster.federation(), &identity)
    }

    pub(crate) fn site(&self, me: SiteIndex) -> Fallible<Site> {
        let context = site::Context {
            identity: seeded(me.value())?,
            roster: self.roster.clone(),
            plan: self.plan.clone(),
            me,
            policy: Policy::default(),
        };
        Ok(Site::new(Arc::new(context), History::default(), 0))
    }

    pub(crate) fn host(&self) -> Fallible<Host> {
        let (roster, plan) = (self.roster.clone(), self.plan.clone());
        let context = host::Context { identity: seeded(0)?, roster, plan };
        Ok(Host::new(Arc::new(context), self.config())?)
    }

    /// A charge of one release, from a ledger in memory.
    pub(crate) fn charge(&self, round: Digest) -> Fallible<Charge> {
        let delta = Delta::new(1e-6)?;
        let budget = |epsilon| Fallible::Ok(Budget::new(Epsilon::new(epsilon)?, delta)?);
        let budgets = Budgets { clinician: budget(100.0)?, patient: budget(100.0)? };
        let mut ledger = Ledger::open(Memory, &[], budgets)?;
        let charging = pin!(ledger.charge(&self.plan, round, 1_790_000_000));
        match charging.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(charge) => Ok(charge?),
            Poll::Pending => Err("a ledger in memory had to wait".into()),
        }
    }
}

/// A journal that keeps nothing: every round of a bench is its ledger's first.
#[derive(Debug)]
struct Memory;

impl Journal for Memory {
    type Error = Infallible;
    async fn append(&mut self, _: &Entry) -> Result<(), Infallible> {
        Ok(())
    }
}

fn seeded(index: u16) -> Fallible<IdentityKey> {
    let seed = codec::hash("key of a bench", &[&index.to_be_bytes()]);
    Ok(IdentityKey::from_seed(seed.as_bytes())?)
}

fn identity(index: u16) -> Fallible<Arc<IdentityKey>> {
    seeded(index).map(Arc::new)
}

fn party(index: u16, key: &IdentityKey) -> Fallible<Party> {
    let name = if index == 0 { "convener".to_owned() } else { format!("site-{index}") };
    let certificate = codec::hash("certificate of a bench", &[&index.to_be_bytes()]);
    Ok(Party {
        id: name.parse()?,
        name,
        signing_key: Key(*key.verifying_key().as_bytes()),
        certificate: Key(*certificate.as_bytes()),
    })
}

/// A study with this many columns, the intercept among them.
fn study_text(columns: usize, min_sites: u16) -> String {
    let mut text = String::from(include_str!("../../tests/round/small.toml"));
    text = text.replace("MIN", &min_sites.to_string());
    let (Some(first), Some(last)) = (text.find("[[features]]"), text.find("[privacy]")) else {
        return text;
    };
    let mut middle = String::new();
    for feature in 1..columns {
        let _ = writeln!(
            middle,
            "[[features]]\nid = \"f-{feature}\"\nlabel = \"Feature {feature}\"\nsource = \"acuity-mean\"\n\
             unit = \"level\"\nlow = 1.0\nhigh = 5.0\ncentre = 3.0\nrms = 0.3"
        );
    }
    for group in 0..GROUPS {
        let id = if group == 0 { "interpreter-panel".to_owned() } else { format!("g-{group}") };
        let _ = writeln!(
            middle,
            "[[groups]]\nid = \"{id}\"\nlabel = \"Group {group}\"\nsource = \"interpreter-share\"\n\
             at_least = 0.25\nlow = 0.0\nhigh = 1.0\ncentre = 0.1"
        );
    }
    text.replace_range(first..last, &middle);
    text
}
