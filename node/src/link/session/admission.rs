//! Whether this site may and can take part in a round: asked before anything is answered.
use super::{Node, unix_now};
use crate::measure::feature;
use crate::office::decision::SmallCells;
use crate::office::{cells, policy};
use crate::store::{ledger, officer};
use std::sync::Arc;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::site::Context;
use tacit_shared::study::Study;

impl Node {
    /// The approved study and its plan, if this site may and can take part.
    pub(super) async fn prepare(&self, digest: Digest) -> Result<(Study, Arc<Context>), Fault> {
        let roster = self.roster.digest();
        let approved = officer::approved(&self.store, digest, roster).await?;
        let (study, small_cells) = approved.ok_or_else(|| {
            let message = format!("study {digest} is not approved at this site");
            Fault::user(message).hint("`tacit-node approve STUDY.toml` shows what it would send")
        })?;
        policy::may_take_part(&study, self.config.profile())?;
        feature::check_fits(&study, &self.catalogue)?;
        let plan = Plan::new(&study, &self.roster).map_err(|e| Fault::user(e.to_string()))?;
        // Asked before anything is answered: a site that cannot pay must not hold up the others.
        self.ledger.admits(&plan, plan.study(), unix_now()).map_err(|e| ledger::refusal(&e))?;
        self.look(&study, small_cells).await?;
        let context = Context {
            identity: self.keys.identity()?,
            roster: self.roster.clone(),
            plan,
            me: self.me,
            policy: self.config.policy(),
        };
        Ok((study, Arc::new(context)))
    }

    /// No cell of the study is too small here, unless the officer accepts it.
    async fn look(&self, study: &Study, small_cells: SmallCells) -> Result<(), Fault> {
        if small_cells == SmallCells::Accepted {
            return Ok(());
        }
        let rows = feature::rows(&self.store, study, &self.catalogue, &self.pseudonyms).await;
        let rows = rows.map_err(|fault| fault.at(cells::PLACE))?;
        cells::large_enough(&cells::cells(study.schema(), rows.cells()))
    }
}
