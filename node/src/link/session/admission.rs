//! Whether this site may and can take part in a round: asked before anything is answered, and of settings
//! and decisions alone. No data are read here: who announces a round could otherwise read of them in the
//! answer, as often as they like and for nothing.
use super::{Node, unix_now};
use crate::config::Config;
use crate::measure::{feature, standing};
use crate::office::policy;
use crate::office::profile::InForce;
use crate::store::consent::Access;
use crate::store::{approval, earlier, ledger, officer};
use std::sync::Arc;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::site::Context;
use tacit_shared::study::Study;

/// The place of a refusal because the officer did not approve, or the site stays away from a study.
const OFFICE: &str = "this site's decisions";

/// What the coordinator is told of a refusal.
pub(super) fn told(fault: &Fault) -> &'static str {
    match fault.place.as_deref() {
        Some(ledger::PLACE) => "the study does not fit what this site may still spend",
        Some(OFFICE) => "the study is not approved at this site",
        Some(policy::PLACE) => "the study asks for what this site's profile does not allow",
        _ => "this site takes no part in this study",
    }
}

impl Node {
    /// Takes over settings that were changed since the last round.
    pub(super) async fn look_at_settings(&mut self) -> Result<(), Fault> {
        let config = Config::open(&self.dir)?;
        if config != self.config {
            self.ledger.limit(&config.limits()?);
            self.config = config;
            tracing::info!("node.toml was changed: the new settings count");
            self.look_at_cells().await?;
        }
        let pinned = approval::roster(&self.store).await?.map(|roster| roster.digest());
        if pinned != Some(self.roster.digest()) {
            return Err(Fault::operator("another roster was pinned while this program ran")
                .hint("start `tacit-node run` again: it will take part under the new roster"));
        }
        Ok(())
    }

    /// Looks at the cells of approved studies under the settings and the profile of now: other switches or rules of
    /// consent read other rows. Whoever announces rounds has no part in when that is. Until it is done this site stays
    /// away.
    pub(super) async fn look_at_cells(&self) -> Result<(), Fault> {
        standing::suspend_all(&self.store).await?;
        let now_us = unix_now().saturating_mul(1_000_000);
        let access = Access::now(&self.store, &self.config, now_us).await?;
        let (catalogue, pseudonyms) = (&self.catalogue, &self.pseudonyms);
        let away = standing::look_at_all(&self.store, catalogue, pseudonyms, &access).await?;
        for (study, _) in away {
            tracing::warn!(study, "this site stays away for now; `tacit-node preview` shows why");
        }
        Ok(())
    }

    /// The approved study and its plan, if this site may and can take part.
    pub(super) async fn prepare(&self, digest: Digest) -> Result<(Study, Arc<Context>), Fault> {
        let study = self.approved(digest).await?;
        self.permitted(&study).await?;
        // Boxed: rare, and large beside what a session holds.
        Box::pin(earlier::holds(&self.store, &study)).await?;
        feature::check_fits(&study, &self.catalogue)?;
        let plan = Plan::new(&study, &self.roster).map_err(|e| Fault::user(e.to_string()))?;
        // Asked before anything is answered: a site that cannot pay must not hold up the others.
        self.ledger.admits(&plan, plan.study(), unix_now()).map_err(|e| ledger::refusal(&e))?;
        let context = Context {
            identity: self.keys.identity()?,
            roster: self.roster.clone(),
            plan,
            me: self.me,
            policy: self.config.policy(),
        };
        Ok((study, Arc::new(context)))
    }

    /// The profile in force, if it allows the study.
    pub(super) async fn permitted(&self, study: &Study) -> Result<InForce, Fault> {
        standing::permitted(&self.store, &self.config, &self.catalogue, study, unix_now()).await
    }

    /// The study, if the officer's last word on it is an approval under the pinned roster, and the site does
    /// not stay away from it.
    pub(super) async fn approved(&self, digest: Digest) -> Result<Study, Fault> {
        match officer::standing(&self.store, digest).await? {
            officer::Standing::Approved(study) => Ok(*study),
            officer::Standing::Away(why) => Err(Fault::operator(why).at(OFFICE).hint(
                "`tacit-node preview` shows the numbers; `approve --accept-small-cells` takes part all the same",
            )),
            officer::Standing::No => {
                let message = format!("study {digest} is not approved at this site");
                Err(Fault::user(message)
                    .at(OFFICE)
                    .hint("`tacit-node approve STUDY.toml` shows what it would send"))
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::release::tests::{STUDY, Site};
    use super::*;
    use crate::config::FILE;
    use crate::office::decision::{SmallCells, What};
    use crate::store::away;
    use tacit_shared::study::modality::Modality;

    #[tokio::test]
    async fn settings_that_changed_have_the_cells_looked_at_again() {
        let mut site = Site::new(STUDY).await;
        let study = site.study.digest();
        let what = What::Approve { study, small_cells: SmallCells::Refused };
        officer::decide(&site.node.store, &site.keys[0], what, unix_now()).await.unwrap();
        let file = site.dir.path().join("node").join(FILE);
        let before = Config::open(file.parent().unwrap()).unwrap();
        let switched =
            before.clone().with_modalities(before.modalities().without(Modality::Encounters));
        for (config, looked) in [(&before, false), (&switched, true), (&before, true)] {
            away::set(&site.node.store, study, Some("as of yesterday")).await.unwrap();
            std::fs::write(&file, config.to_toml().unwrap()).unwrap();
            site.node.look_at_settings().await.unwrap();
            let why = away::why(&site.node.store, study).await.unwrap();
            assert_eq!(why.as_deref() != Some("as of yesterday"), looked, "{why:?}");
        }
    }

    #[test]
    fn the_coordinator_is_told_in_fixed_words() {
        let told =
            |place: &str| told(&Fault::user("study x reads `mean-hr`, of 7 clinicians").at(place));
        assert_eq!(
            told(policy::PLACE),
            "the study asks for what this site's profile does not allow"
        );
        assert_eq!(told(OFFICE), "the study is not approved at this site");
        assert_eq!(told("anything else"), "this site takes no part in this study");
    }
}
