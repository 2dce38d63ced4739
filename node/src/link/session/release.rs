//! What stands between a round's shared secrets and the masked vector: the officer's word if the site asks
//! for one, the sum, the charge, and the instant at which the vector leaves.
//!
//! ```text
//! instants = start of the phase + 500 ms · 2^k      k = 0, 1, 2, …, and 7/8 of the phase as the last
//! ```
//! How long the sum takes depends on the data, and how long a noise draw took may tell its size (Jin et
//! al. 2022). Noise is drawn before the site says that it is there; the vector leaves at the first of these
//! instants after it is ready, so the wire shows no more than a doubling of the time.
use super::{Node, unix_now};
use crate::config::Review;
use crate::link::hold::Question;
use crate::measure::feature;
use crate::office::profile::InForce;
use crate::office::{policy, statement};
use crate::store::consent::Access;
use crate::store::{ledger, officer, release_log, scored};
use std::time::Duration;
use tacit_shared::fault::Fault;
use tacit_shared::id::Digest;
use tacit_shared::privacy::ledger::Charge;
use tacit_shared::privacy::plan::Plan;
use tacit_shared::protocol::site::Event;
use tacit_shared::study::Study;
use tacit_shared::summary::contribution::Contribution;
use tacit_shared::summary::sum::SiteSum;
use tokio::time::Instant;

/// The first instant at which a masked vector leaves, after the start of its phase.
const FIRST: Duration = Duration::from_millis(500);

/// The last instant of a phase: what is not ready by then is not paid for.
pub(super) fn last(phase: Duration) -> Duration {
    phase / 8 * 7
}

/// How long after the start of its phase a vector leaves that was ready after `ready`.
pub(super) fn instant(ready: Duration, phase: Duration) -> Duration {
    let mut at = FIRST;
    while at < ready {
        at = at.saturating_mul(2);
    }
    at.min(last(phase))
}

impl Node {
    /// What the officer is asked before a release leaves, if the site's settings say so.
    pub(super) fn question(&self, study: &Study, plan: &Plan, round: Digest) -> Option<Question> {
        (self.config.review() == Review::Hold).then(|| {
            let (spent, budgets) = (self.ledger.spent(), self.ledger.budgets());
            let statement = statement::statement(study, plan, spent, budgets, None);
            Question { round, study: study.digest(), statement }
        })
    }

    /// Sums the rows and pays for the release: in this order, so that a failed sum costs nothing.
    pub(super) async fn fund(
        &mut self,
        study: &Study,
        plan: &Plan,
        round: Digest,
        within: Duration,
    ) -> Result<Event, Fault> {
        let started = Instant::now();
        let (sum, profile) = self.sum(study, plan, round).await?;
        // Too late to be counted: nothing is paid for a vector that nobody would add.
        if started.elapsed() >= within {
            return Err(Fault::operator("the local sum took longer than the phase leaves for it")
                .hint("ask the coordinator for a longer `deadlines.masked_ms`"));
        }
        let paid = self.pay(study, plan, round, &profile).await?;
        Ok(Event::Funded { sum, paid })
    }

    /// The sum over the rows that the profile in force lets be read, and that profile.
    async fn sum(
        &self,
        study: &Study,
        plan: &Plan,
        round: Digest,
    ) -> Result<(SiteSum, InForce), Fault> {
        // Signatures may have been taken back, or the profile have ended, since the round was announced.
        let profile = self.permitted(study).await?;
        let access = Access::of(&self.config, &profile, unix_now().saturating_mul(1_000_000));
        let (catalogue, pseudonyms) = (&self.catalogue, &self.pseudonyms);
        let rows = feature::rows(&self.store, study, catalogue, pseudonyms, &access).await?;
        let mut sum = SiteSum::new(plan.layout().dimension(), plan.rows_max());
        for row in &rows.rows {
            let contribution = Contribution::of(plan.layout(), self.me, row);
            sum = sum.add(&contribution).map_err(|e| {
                Fault::operator(e.to_string())
                    .hint("the study's row cap must cover every clinician")
            })?;
        }
        scored::keep(&self.store, round, &rows.scored_by).await?;
        Ok((sum, profile))
    }

    /// Pays for a sum that was made under a profile, if that and the approval still stand.
    async fn pay(
        &mut self,
        study: &Study,
        plan: &Plan,
        round: Digest,
        summed: &InForce,
    ) -> Result<Charge, Fault> {
        // The officer may have changed their mind since the round was announced.
        self.approved(study.digest()).await?;
        let profile = self.unchanged(study, summed).await?;
        // Not before the approval it rests on, whatever the clock did since.
        let decided = officer::decisions(&self.store).await?.last_unix_s();
        let at_unix_s = decided.map_or_else(unix_now, |decided| unix_now().max(decided));
        let asked = (study, self.roster.digest());
        release_log::keep(&self.store, asked, &profile, round, at_unix_s).await?;
        let paid = self.ledger.charge(plan, round, at_unix_s).await;
        paid.map_err(|e| ledger::refusal(&e))
    }

    /// The profile in force, if it still is the one that the sum was made under: a signature may have been taken back,
    /// or its last day have ended, while the rows were summed.
    async fn unchanged(&self, study: &Study, summed: &InForce) -> Result<InForce, Fault> {
        let now = self.permitted(study).await?;
        if now.document.digest() == summed.document.digest() {
            return Ok(now);
        }
        Err(Fault::user("another profile came into force while the rows were summed")
            .at(policy::PLACE)
            .hint("nothing was charged; the next round is summed under the profile in force"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
pub(super) mod tests {
    use super::*;
    use crate::command::{approve, init, ledger as listed};
    use crate::office::decision::{SmallCells, What};
    use crate::office::profile::{Role, Said};
    use crate::office::tests::roster as others;
    use crate::store::Store;
    use crate::store::{FILE, approval, profile};
    use tacit_link::keys::Keys;
    use tacit_shared::roster::Roster;
    use tacit_shared::secagg::key::identity::IdentityKey;
    use tacit_shared::study::profile::document::{BUILT_IN, Document};

    pub(crate) const STUDY: &str = include_str!("../../../../configs/studies/empathy-billing.toml");
    const RESEARCH: &str =
        include_str!("../../../../configs/profiles/ethics-approved-research.toml");

    #[test]
    fn the_wire_shows_a_doubling_of_the_time_at_most() {
        let phase = Duration::from_mins(1);
        let leaves = |ready| instant(Duration::from_millis(ready), phase).as_millis();
        for (ready, at) in [(0, 500), (3, 500), (500, 500), (501, 1000), (2001, 4000)] {
            assert_eq!(leaves(ready), at, "{ready}");
        }
        // Seven eighths of a minute: the next doubling would come after the phase.
        assert_eq!(leaves(33_000), 52_500);
        assert_eq!(instant(Duration::ZERO, Duration::from_millis(400)).as_millis(), 350);
    }

    /// A node that joined, and whose officer approved a study whatever its cells and its profile.
    pub(crate) struct Site {
        pub(crate) dir: tempfile::TempDir,
        pub(crate) node: Node,
        pub(crate) study: Study,
        plan: Plan,
        pub(crate) keys: [IdentityKey; 2],
    }

    impl Site {
        pub(crate) async fn new(text: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let own = dir.path().join("node");
            let args = init::InitArgs {
                dir: own.clone(),
                site: "north".parse().unwrap(),
                name: "North".to_owned(),
                coordinator: "127.0.0.1:1".parse().unwrap(),
                clinicians: crate::config::Basis::ByMapping,
            };
            init::run(&args).await.unwrap();
            let far = others(5);
            let mut sites: Vec<_> = far.sites().map(|(_, party)| party.clone()).collect();
            sites[0] = Keys::open(&own).unwrap().party().clone();
            let name = "demo".parse().unwrap();
            let roster = Roster::of(name, 1, 1, far.coordinator().clone(), sites).unwrap();
            let file = dir.path().join("roster.toml");
            std::fs::write(&file, roster.to_toml().unwrap()).unwrap();
            let digest = Some(roster.digest());
            approve::join(&approve::DecideArgs { dir: own.clone(), file, digest }).await.unwrap();
            let study = Study::parse(text).unwrap();
            let store = Store::open(&own.join(FILE)).await.unwrap();
            let officers = officer::read_key(&own.join(officer::FILE)).unwrap();
            let staff = officer::create_key(&dir.path().join("staff.p8")).unwrap();
            profile::pin(&store, &staff.verifying_key(), unix_now()).await.unwrap();
            approval::keep(&store, &study, text, unix_now()).await.unwrap();
            let what = What::Approve { study: study.digest(), small_cells: SmallCells::Accepted };
            officer::decide(&store, &officers, what, unix_now()).await.unwrap();
            store.close().await;
            let plan = Plan::new(&study, &roster).unwrap();
            let node = Node::open(&own).await.unwrap();
            Self { dir, node, study, plan, keys: [officers, staff] }
        }

        async fn say(&self, text: &str, by: usize, said: Said) {
            let role = [Role::Officer, Role::StaffRepresentative][by];
            let document = Document::parse(text).unwrap();
            let key = &self.keys[by];
            let store = &self.node.store;
            profile::say(store, key, (&document, text), (role, said), unix_now()).await.unwrap();
        }

        /// What is charged and released if something happens between the sum and the charge.
        async fn after(&mut self, round: u8, change: impl AsyncFnOnce(&Self)) -> Option<Fault> {
            let round = Digest::new([round; 32]);
            let (sum, summed) = self.node.sum(&self.study, &self.plan, round).await.unwrap();
            drop(sum);
            change(self).await;
            let paid = self.node.pay(&self.study, &self.plan, round, &summed).await;
            paid.err()
        }

        async fn charged_and_released(&self) -> (usize, usize) {
            let store = &self.node.store;
            let entries = ledger::entries(store).await.unwrap().len();
            (entries, release_log::all(store).await.unwrap().len())
        }
    }

    /// The study, reading the heart, for research alone.
    fn of_hearts() -> String {
        let text = STUDY.replacen("source = \"volume\"", "source = \"ln-rmssd\"", 1);
        text.replacen(", { name = \"policymakers\", class = \"policy\" }", "", 1)
    }

    use Said::{Given, TakenBack};

    #[tokio::test]
    async fn a_profile_that_changed_during_the_sum_lets_nothing_be_charged_or_released() {
        let mut site = Site::new(STUDY).await;
        let narrower = |days: u32| {
            let keep = format!("answers = {days}");
            BUILT_IN.replacen("answers = 730", &keep, 1)
        };
        // Another document, signed; the same taken back; and one that does not allow the study any more.
        for (round, days, said) in [(1, 90, Given), (2, 90, TakenBack), (3, 60, Given)] {
            let text = narrower(days);
            let fault = site.after(round, async |site| site.say(&text, 0, said).await).await;
            let message = fault.unwrap().message;
            assert_eq!(message, "another profile came into force while the rows were summed");
            assert_eq!(site.charged_and_released().await, (0, 0), "{round}");
        }
        let none = narrower(30).replacen("\"patient-questionnaires\", ", "", 1);
        let fault = site.after(4, async |site| site.say(&none, 0, Given).await).await.unwrap();
        assert!(fault.message.contains("which is patient-questionnaires"), "{fault}");
        assert_eq!(site.charged_and_released().await, (0, 0));
        // As it was: paid for, and written down.
        site.say(&none, 0, TakenBack).await;
        assert!(site.after(5, async |_| ()).await.is_none());
        assert_eq!(site.charged_and_released().await, (1, 1));
        // The officer reads for what, for whom and under which profile.
        let list = async |json| {
            let dir = Some(site.dir.path().join("node"));
            listed::run(&listed::LedgerArgs { dir, json, action: None }).await.unwrap()
        };
        let page = list(false).await;
        let line = page.lines().find(|line| line.contains("round 05050505:")).unwrap();
        let digest = Document::built_in().unwrap().digest().to_string();
        let said = format!(
            "round 05050505: study empathy-billing, for research-aggregate, to research-consortium (research), \
             policymakers (policy); profile self-report-only ({})",
            &digest[..8]
        );
        assert!(line.ends_with(&said), "{page}");
        let json: serde_json::Value = serde_json::from_str(&list(true).await).unwrap();
        let release = &json["releases"][0];
        assert_eq!(release["purpose"], "research-aggregate");
        assert_eq!(release["recipients"], "research-consortium (research), policymakers (policy)");
        assert_eq!(release["profile"], digest);
    }

    #[tokio::test]
    async fn a_profile_taken_back_or_ended_since_the_announcement_lets_nothing_be_charged() {
        let mut site = Site::new(&of_hearts()).await;
        let ended = RESEARCH.replace("2027-12-31", "2020-12-31");
        let lasts = RESEARCH.replace("2027-12-31", "9999-12-31");
        let within = Duration::from_mins(5);
        let refused = async |site: &mut Site, round: u8, why: &str| {
            let round = Digest::new([round; 32]);
            let funded = site.node.fund(&site.study, &site.plan, round, within).await;
            let fault = funded.err().unwrap();
            assert!(fault.message.contains(why), "{why}: {fault}");
            assert_eq!(fault.place.as_deref(), Some(policy::PLACE));
            assert_eq!(site.charged_and_released().await, (0, 0));
        };
        refused(&mut site, 1, "profile `self-report-only` does not allow it").await;
        for by in [0, 1] {
            site.say(&ended, by, Given).await;
        }
        refused(&mut site, 2, "version 1, has ended").await;
        for by in [0, 1] {
            site.say(&lasts, by, Given).await;
        }
        let digest = site.study.digest();
        site.node.prepare(digest).await.unwrap();
        site.say(&lasts, 1, TakenBack).await;
        refused(&mut site, 3, "was taken back by the staff-representative").await;
        // Signed again, and a key replaced: signed by one who is not that person any more.
        site.say(&lasts, 1, Given).await;
        site.node.prepare(digest).await.unwrap();
        let other = officer::create_key(&site.dir.path().join("other.p8")).unwrap();
        profile::pin(&site.node.store, &other.verifying_key(), unix_now()).await.unwrap();
        refused(&mut site, 4, "before a key was replaced; it has to be signed again").await;
        site.keys[1] = other;
        for by in [0, 1] {
            site.say(&lasts, by, Given).await;
        }
        let round = Digest::new([5; 32]);
        assert!(site.node.fund(&site.study, &site.plan, round, within).await.is_ok());
        assert_eq!(site.charged_and_released().await, (1, 1));
    }
}
