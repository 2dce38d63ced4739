//! Stored results as every command reads them: signature held against the coordinator's own, layout laid out again.
use crate::conclusion::Round;
use crate::store::{Finished, Store, transcript};
use std::path::Path;
use tacit_link::keys::Keys;
use tacit_model::warm::Earlier;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::message::{Outcome, Signed};
use tacit_shared::secagg::key::identity::VerifyingKey;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::Study;

/// A finished round whose signature was checked. Only [`Held::open`] makes one.
#[derive(Debug)]
pub struct Held {
    finished: Finished,
    plan: Plan,
    outcome: Outcome,
    aggregate: Aggregate,
}

impl Held {
    /// Opens a finished round; `key` is the coordinator's.
    ///
    /// # Errors
    /// A fault if its signature is not that key's, or the result is damaged.
    pub fn open(finished: Finished, key: &VerifyingKey) -> Result<Self, Fault> {
        let damaged = || {
            Fault::operator("a stored result is damaged or not signed by this coordinator")
                .at(format!("round {}", finished.config.short()))
                .hint("the transcript still holds every message of the round")
        };
        let signed: Signed = codec::decode(&finished.signed).map_err(|_| damaged())?;
        let (outcome, aggregate) =
            Outcome::verified(&signed, key, finished.roster.len()).ok_or_else(damaged)?;
        let plan =
            Plan::new(&finished.study, &finished.roster).map_err(|e| Fault::user(e.to_string()))?;
        Ok(Self { finished, plan, outcome, aggregate })
    }

    /// The round as it was stored.
    pub fn finished(&self) -> &Finished {
        &self.finished
    }

    /// Its study.
    pub fn study(&self) -> &Study {
        &self.finished.study
    }

    /// The layout and noise of its study among its roster.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What was opened.
    pub fn aggregate(&self) -> &Aggregate {
        &self.aggregate
    }

    /// The result, as a later period rests on it.
    ///
    /// # Errors
    /// A bug's fault if it has no digest.
    pub fn earlier(&self) -> Result<Earlier<'_>, Fault> {
        let result = self.outcome.digest().map_err(|e| Fault::bug(e.to_string()))?;
        let (study, plan, aggregate) = (&self.finished.study, &self.plan, &self.aggregate);
        Ok(Earlier { study, plan, aggregate, result })
    }

    /// The round, as a conclusion reads it; `transcript` is that of [`Folder::transcript`].
    pub fn round(&self, transcript: Digest) -> Round<'_> {
        Round {
            study: &self.finished.study,
            roster: &self.finished.roster,
            plan: &self.plan,
            aggregate: &self.aggregate,
            outcome: &self.outcome,
            transcript,
        }
    }
}

/// A coordinator's folder with its results.
#[derive(Debug)]
pub struct Folder {
    store: Store,
    key: VerifyingKey,
    finished: Vec<Finished>,
    unread: Vec<Fault>,
}

impl Folder {
    /// Reads a folder.
    ///
    /// # Errors
    /// A fault if it is none of a coordinator, or cannot be read.
    pub async fn open(dir: &Path) -> Result<Self, Fault> {
        let key = Keys::open(dir)?.identity()?.verifying_key();
        let store = Store::open(dir).await?;
        let (finished, unread) = store.finished().await?;
        for fault in &unread {
            tracing::warn!("a stored result cannot be read by this program: {fault}");
        }
        Ok(Self { store, key, finished, unread })
    }

    /// The rounds, newest first.
    pub fn finished(&self) -> &[Finished] {
        &self.finished
    }

    /// One round, by the digest of its configuration; the newest if none is given.
    ///
    /// # Errors
    /// A fault if there is no such round.
    pub fn position(&self, round: Option<Digest>) -> Result<usize, Fault> {
        let found = self.finished.iter().position(|f| round.is_none_or(|round| f.config == round));
        found.ok_or_else(|| {
            self.whole().err().unwrap_or_else(|| {
                Fault::user("there is no such result in this folder")
                    .hint("`tacit-coordinator run` runs a round")
            })
        })
    }

    /// Holds that every result of the folder can be read: what counts all of them must not miss one.
    ///
    /// # Errors
    /// An operator's fault with the reason of the first that cannot.
    pub fn whole(&self) -> Result<(), Fault> {
        match self.unread.first() {
            None => Ok(()),
            Some(fault) => Err(Fault::operator(format!(
                "{} stored result(s) cannot be read by this program: {}",
                self.unread.len(),
                fault.message
            ))
            .hint("the program that ran the round still reads them")),
        }
    }

    /// Opens the newest results, so many at most, of the study that round `at` belongs to, in their order, from that round
    /// on: those that are not newer. Rounds of other studies are not looked at.
    ///
    /// # Errors
    /// As [`Held::open`].
    pub fn of_one_study(&self, at: usize, most: usize) -> Result<Vec<Held>, Fault> {
        let older = self.finished.get(at..).unwrap_or_default();
        let name = older.first().map(|newest| newest.study.name());
        let same = older.iter().filter(|finished| Some(finished.study.name()) == name);
        same.take(most).map(|finished| Held::open(finished.clone(), &self.key)).collect()
    }

    /// Opens one round.
    ///
    /// # Errors
    /// As [`Folder::position`] and [`Held::open`].
    pub fn one(&self, round: Option<Digest>) -> Result<Held, Fault> {
        let found = self.finished.get(self.position(round)?);
        Held::open(found.ok_or_else(|| Fault::bug("a round is lost"))?.clone(), &self.key)
    }

    /// Opens one round, with the digest of its messages: what a conclusion reads.
    ///
    /// # Errors
    /// As [`Folder::one`], and a fault of the database.
    pub async fn with_transcript(&self, round: Option<Digest>) -> Result<(Held, Digest), Fault> {
        let held = self.one(round)?;
        let transcript = self.transcript(held.finished.config).await?;
        Ok((held, transcript))
    }

    /// Digest of the messages of a round.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn transcript(&self, round: Digest) -> Result<Digest, Fault> {
        transcript::digest(&transcript::read(&self.store, round).await?)
    }

    /// The text of the study of a round, as it was approved.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn study_text(&self, round: Digest) -> Result<String, Fault> {
        let (_, text, _) = transcript::files(&self.store, Some(round)).await?;
        Ok(text)
    }

    /// Ends the use of the database.
    pub async fn close(self) {
        self.store.pool().close().await;
    }
}
