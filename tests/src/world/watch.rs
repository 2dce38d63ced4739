//! The watcher of a simulated world: sees every message, every disk and every secret, and says which
//! rule was broken first.
//!
//! It rebuilds what it can from what passed, and trusts no machine: a vote is held against a ballot
//! made here, an aggregate against integers summed here. Rules are about honest sites alone; those
//! that speak of an adversary hold while no more than t sites collude.
use super::federation::{Federation, Paper};
use super::node::Disk;
use super::op::Schedule;
use super::rule::{Failure, Rule};
use super::said::Said;
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::codec;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::accountant::Cost;
use tacit_shared::privacy::ledger::{Budgets, Ledger};
use tacit_shared::privacy::plan::Charges;
use tacit_shared::protocol::config::RoundConfig;
use tacit_shared::protocol::host::Opened;
use tacit_shared::protocol::message::{
    Ballot, MaskedHeader, Outcome, Survivors, ToHost, ToSite, Unmask,
};
use tacit_shared::protocol::site::Answered;

/// A message of a site as it leaves.
pub(super) struct Leaving<'a> {
    pub(super) site: SiteIndex,
    pub(super) config: &'a RoundConfig,
    pub(super) round: Digest,
    /// What it answers.
    pub(super) prompt: &'a [u8],
    pub(super) message: &'a ToHost,
    pub(super) bytes: &'a [u8],
    pub(super) disk: &'a Disk,
}

/// A ballot, taken apart.
#[derive(Clone)]
struct Voted {
    digest: Digest,
    u2: BTreeSet<SiteIndex>,
    u3: BTreeSet<SiteIndex>,
    /// The header of each member, as the voter saw it.
    headers: Vec<MaskedHeader>,
}

type Holders = BTreeMap<(Digest, SiteIndex), BTreeSet<SiteIndex>>;

/// The watcher.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) failure: Option<Failure>,
    pub(super) now: u64,
    pub(super) colluding: BTreeSet<SiteIndex>,
    /// No more than t sites collude.
    bounded: bool,
    answers: BTreeMap<(SiteIndex, Digest, &'static str), Digest>,
    headers: BTreeMap<(SiteIndex, Digest), MaskedHeader>,
    voted: BTreeMap<(SiteIndex, Digest), Voted>,
    ballots: BTreeMap<(Digest, Digest), (BTreeSet<SiteIndex>, BTreeSet<SiteIndex>)>,
    of_r: Holders,
    of_b: Holders,
    added: BTreeMap<(SiteIndex, Digest), Vec<i64>>,
    opened: BTreeMap<Digest, (Vec<i64>, Digest)>,
    pub(super) said: Said,
    /// Sites whose disk was replaced by an older one.
    pub(super) set_back: BTreeSet<SiteIndex>,
    /// Rounds of which a site was shown a receipt.
    shown: BTreeMap<SiteIndex, BTreeSet<Digest>>,
    attacked: BTreeSet<Digest>,
}

impl Watch {
    pub(super) fn new(schedule: &Schedule) -> Self {
        let colluding: BTreeSet<_> =
            schedule.colluding.iter().copied().filter_map(SiteIndex::new).collect();
        let bounded = colluding.len() <= usize::from(schedule.colluders_max);
        Self { colluding, bounded, ..Self::default() }
    }

    /// Writes down the first failure.
    pub(super) fn fail(&mut self, rule: Rule, what: String) {
        let at_ms = self.now;
        self.failure.get_or_insert(Failure { rule, what, at_ms });
    }

    fn hold(&mut self, rule: Rule, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.fail(rule, what());
        }
    }

    /// A round in which the coordinator does not follow the protocol.
    pub(super) fn attacked(&mut self, round: Digest) {
        self.attacked.insert(round);
    }

    /// What a lying site added to its vector.
    pub(super) fn lied(&mut self, site: SiteIndex, round: Digest, added: Vec<i64>) {
        self.added.insert((site, round), added);
    }

    /// An honest site's message leaves.
    pub(super) fn leaves(&mut self, federation: &Federation, leaving: &Leaving<'_>) {
        if matches!(leaving.message, ToHost::Declined(_)) {
            return;
        }
        let (site, round, name) = (leaving.site, leaving.round, leaving.message.name());
        let digest = codec::sha256(leaving.bytes);
        let new_keys = self.set_back.contains(&site) && name == "keys";
        if let Some(before) = self.answers.insert((site, round, name), digest)
            && !new_keys
        {
            return self.hold(Rule::Twice, before == digest, || {
                format!("site {site} sent two different {name} in round {}", round.short())
            });
        }
        match leaving.message {
            ToHost::Advertise(_) => {
                let durable = leaving.disk.counter >= leaving.config.counter();
                self.hold(Rule::Durable, durable, || {
                    format!("site {site} sent keys before its counter was durable")
                });
            }
            ToHost::Shares(_, sealed) => {
                let dealt = sealed.iter().map(|(to, _)| *to).chain([site]);
                let known: BTreeSet<_> = dealt.filter(|to| self.colluding.contains(to)).collect();
                self.of_r.insert((round, site), known.clone());
                self.of_b.insert((round, site), known);
            }
            ToHost::Masked(signed, _) => {
                let header = codec::decode::<MaskedHeader>(&signed.payload.0);
                match header {
                    Ok(header) => self.masked(federation, leaving, header),
                    Err(error) => self.fail(Rule::Voted, format!("a header: {error}")),
                }
            }
            ToHost::Vote(signature) => {
                let Some((ballot, voted)) = self.rebuilt(federation, leaving) else {
                    return self
                        .fail(Rule::Voted, format!("site {site} voted for what it never saw"));
                };
                let key = leaving_key(federation, site);
                let signed = key.is_some_and(|k| k.verify("survivors", &ballot, signature).is_ok());
                self.hold(Rule::Voted, signed, || {
                    format!("site {site} voted for something else than it was shown")
                });
                self.vote(federation, leaving, voted);
            }
            ToHost::Unmask(signed) => match codec::decode::<Unmask>(&signed.payload.0) {
                Ok(unmask) => self.unmasked(federation, leaving, &unmask),
                Err(error) => self.fail(Rule::Voted, format!("an answer: {error}")),
            },
            ToHost::Declined(_) => {}
        }
    }

    fn masked(&mut self, federation: &Federation, leaving: &Leaving<'_>, header: MaskedHeader) {
        let Leaving { site, round, disk, .. } = *leaving;
        let sheet = disk.paper.sheet();
        let paid: Vec<_> = sheet.entries.iter().filter(|entry| entry.round == round).collect();
        let exactly = matches!(paid.as_slice(), [one] if one.charges == federation.plan.charges());
        self.hold(Rule::Paid, exactly, || {
            format!("site {site} sent a vector that {} charges paid for", paid.len())
        });
        let head = paid.first().and_then(|entry| entry.digest().ok());
        self.hold(Rule::Paid, head == Some(header.ledger_head), || {
            format!("site {site} stated another ledger head than that of its charge")
        });
        let spent = spent(sheet.entries.iter().map(|entry| entry.charges));
        let Budgets { clinician, patient } = federation.budgets;
        let within = clinician.admits(Cost::ZERO, spent.clinician)
            && patient.admits(Cost::ZERO, spent.patient);
        self.hold(Rule::Paid, within, || format!("site {site} spent more than its budget"));
        let chain = Ledger::open(Paper::default(), &sheet.entries, federation.budgets);
        self.hold(Rule::Paid, chain.is_ok(), || format!("ledger of site {site}: {chain:?}"));
        let known: BTreeSet<Digest> = sheet.entries.iter().map(|entry| entry.round).collect();
        let unknown = self.shown.get(&site).map_or(0, |shown| shown.difference(&known).count());
        self.hold(Rule::Receipts, unknown == 0, || {
            format!("site {site} sent a vector and its ledger lacks {unknown} it was shown")
        });
        let kept = disk.openings.contains_key(&round);
        self.hold(Rule::Durable, kept, || {
            format!("site {site} sent a vector before its opening was durable")
        });
        self.headers.insert((site, round), header);
    }

    /// The ballot that the site's own header and the survivors it was shown make.
    fn rebuilt(&self, federation: &Federation, leaving: &Leaving<'_>) -> Option<(Vec<u8>, Voted)> {
        let own = self.headers.get(&(leaving.site, leaving.round))?;
        let Ok(ToSite::Survivors(shown)) = codec::decode(leaving.prompt) else { return None };
        let Survivors { survivors, members } = shown;
        let (mut headers, mut digests) = (Vec::new(), Vec::new());
        for member in &members {
            let header = MaskedHeader {
                index: member.index,
                body: member.body,
                input: member.input,
                ledger_head: member.ledger_head,
                ..own.clone()
            };
            digests.push(codec::sha256(&codec::encode(&header).ok()?));
            headers.push(header);
        }
        let fields: Vec<&[u8]> = digests.iter().map(|d| d.as_bytes().as_slice()).collect();
        let ballot = Ballot {
            round_id: own.round_id,
            config: own.config,
            u1: own.u1,
            u2: own.u2.clone(),
            u3: survivors.clone(),
            headers: codec::hash("tacit/v1/headers", &fields),
        };
        let bytes = codec::encode(&ballot).ok()?;
        let n = federation.roster.len();
        let (u2, u3) = (own.u2.set(n)?, survivors.set(n)?);
        let digest = codec::sha256(&bytes);
        Some((bytes, Voted { digest, u2, u3, headers }))
    }

    fn vote(&mut self, federation: &Federation, leaving: &Leaving<'_>, voted: Voted) {
        let Leaving { site, round, disk, .. } = *leaving;
        let answered = Answered::of(&federation.roster, &federation.plan, &voted.u3);
        let durable = disk.answered.get(&round) == Some(&answered);
        self.hold(Rule::Durable, durable, || {
            format!("site {site} voted before the survivors were durable")
        });
        let enough = voted.u3.len() >= usize::from(federation.plan.min_sites())
            && voted.u3.contains(&site)
            && voted.u3.is_subset(&voted.u2);
        self.hold(Rule::Voted, enough, || format!("site {site} voted for {:?}", voted.u3));
        let honest = voted.headers.iter().filter(|h| !self.colluding.contains(&h.index));
        let forged = honest.filter(|h| self.headers.get(&(h.index, round)) != Some(*h)).count();
        self.hold(Rule::Voted, forged == 0, || {
            format!("site {site} voted over {forged} headers that their sites never signed")
        });
        self.differencing(federation, site, &voted.u3);
        let key = (round, voted.digest);
        let entry = self.ballots.entry(key).or_insert_with(|| (voted.u3.clone(), BTreeSet::new()));
        entry.1.insert(site);
        self.voted.insert((site, round), voted);
        let certified = self.ballots.range((round, Digest::new([0; 32]))..);
        let certified = certified.take_while(|((of, _), _)| *of == round);
        let count = certified.filter(|(_, ballot)| self.certifies(federation, ballot)).count();
        self.hold(Rule::OneSet, count <= 1 || !self.bounded, || {
            format!("{count} sets of survivors can be certified in round {}", round.short())
        });
    }

    /// Whether honest votes and those of all colluders in the set reach T.
    fn certifies(
        &self,
        federation: &Federation,
        (u3, votes): &(BTreeSet<SiteIndex>, BTreeSet<SiteIndex>),
    ) -> bool {
        let colluders = self.colluding.intersection(u3).count();
        votes.len() + colluders >= usize::from(federation.plan.threshold())
    }

    fn differencing(&mut self, federation: &Federation, site: SiteIndex, u3: &BTreeSet<SiteIndex>) {
        let policy = federation.sites.get(&site).map(|hospital| &hospital.context.policy);
        let Some(policy) = policy else { return };
        let gap = usize::from(policy.differencing_gap.max(federation.plan.colluders() + 2));
        let most = usize::from(policy.survivor_sets_max);
        let own = self.voted.iter().filter(|((of, _), _)| *of == site);
        let mut sets: BTreeSet<BTreeSet<SiteIndex>> = own.map(|(_, v)| v.u3.clone()).collect();
        let close = sets.iter().any(|before| {
            [before.difference(u3).count(), u3.difference(before).count()]
                .iter()
                .any(|found| (1..gap).contains(found))
        });
        sets.insert(u3.clone());
        let forgot = self.set_back.contains(&site);
        self.hold(Rule::Differencing, forgot || !close && sets.len() <= most, || {
            format!("site {site} voted for {u3:?} beside {sets:?}")
        });
    }

    fn unmasked(&mut self, federation: &Federation, leaving: &Leaving<'_>, unmask: &Unmask) {
        let Leaving { site, round, .. } = *leaving;
        let Some(voted) = self.voted.get(&(site, round)).cloned() else {
            return self.fail(Rule::Voted, format!("site {site} answered without a vote"));
        };
        let own: BTreeSet<SiteIndex> = unmask.own.iter().map(|(of, _)| *of).collect();
        let dropped: BTreeSet<SiteIndex> = unmask.dropped.iter().map(|(of, _)| *of).collect();
        let left = voted.u2.difference(&voted.u3).copied().collect();
        let same = unmask.ballot == voted.digest && own == voted.u3 && dropped == left;
        self.hold(Rule::Voted, same, || {
            format!("site {site} answered for another set than it voted for")
        });
        let ballot = self.ballots.get(&(round, voted.digest));
        let certified = ballot.is_some_and(|ballot| self.certifies(federation, ballot));
        self.hold(Rule::Voted, certified || !self.bounded, || {
            format!("site {site} answered for a set that nobody can have certified")
        });
        for of in &own {
            self.of_b.entry((round, *of)).or_default().insert(site);
        }
        for of in &dropped {
            self.of_r.entry((round, *of)).or_default().insert(site);
        }
        let threshold = usize::from(federation.plan.threshold());
        let held = |holders: &Holders, of| holders.get(&(round, of)).map_or(0, BTreeSet::len);
        for of in own.union(&dropped).copied().filter(|of| !self.colluding.contains(of)) {
            let both = held(&self.of_r, of) >= threshold && held(&self.of_b, of) >= threshold;
            if both && self.bounded {
                let what = format!("enough shares of both secrets of site {of} were given away");
                return self.fail(Rule::Secrets, what);
            }
        }
    }

    /// A site is shown what it answered.
    pub(super) fn shown(&mut self, site: SiteIndex, rounds: BTreeSet<Digest>) {
        self.shown.insert(site, rounds);
    }

    /// A site's program started: its ledger must say what its disk and its messages say. One that was
    /// set back is told by receipts.
    pub(super) fn started(&mut self, site: SiteIndex, federation: &Federation, stated: Charges) {
        let sent = self.headers.keys().filter(|(of, _)| *of == site).count();
        let least = spent(std::iter::repeat_n(federation.plan.charges(), sent));
        let enough = stated.clinician.rho_fp >= least.clinician.rho_fp
            && stated.patient.rho_fp >= least.patient.rho_fp;
        let forgot = self.set_back.contains(&site);
        self.hold(Rule::Paid, enough || forgot, || {
            format!("the ledger of site {site} starts with less than its {sent} vectors cost")
        });
    }

    /// The coordinator opened a sum; `false` if it had opened this one before it died.
    pub(super) fn opens<'a>(
        &mut self,
        federation: &Federation,
        opened: &Opened,
        disk_of: impl Fn(SiteIndex) -> Option<&'a Disk>,
    ) -> bool {
        let round = opened.aggregate.round();
        let signed = codec::sha256(&opened.signed);
        if let Some((_, before)) = self.opened.get(&round) {
            let same = *before == signed;
            self.hold(Rule::Resumes, same, || {
                format!("round {} came to another result after a restart", round.short())
            });
            return false;
        }
        let mut expected = vec![0_i64; federation.plan.layout().dimension()];
        for site in opened.aggregate.survivors() {
            let opening = disk_of(*site).and_then(|disk| disk.openings.get(&round));
            let recorded = opening.and_then(|opening| federation.recorded(opening));
            let exact = federation.sites.get(site).map(|hospital| &hospital.exact);
            let (Some((stated, noise)), Some(exact)) = (recorded, exact) else {
                self.fail(Rule::Sum, format!("site {site} is in a sum and kept no opening"));
                return true;
            };
            self.hold(Rule::Sum, stated == *exact, || format!("site {site} opened another sum"));
            let none = Vec::new();
            let added = self.added.get(&(*site, round)).unwrap_or(&none);
            let added = added.iter().copied().chain(std::iter::repeat(0));
            let parts = exact.iter().zip(noise).zip(added);
            for (total, ((x, z), more)) in expected.iter_mut().zip(parts) {
                *total = total.wrapping_add(*x).wrapping_add(z).wrapping_add(more);
            }
        }
        self.hold(Rule::Sum, opened.aggregate.sum() == expected, || {
            format!("round {} opened to another sum than the sites'", round.short())
        });
        let enough = opened.aggregate.survivors().len() >= usize::from(federation.plan.min_sites());
        self.hold(Rule::Sum, enough, || "a sum of too few sites was opened".to_owned());
        self.opened.insert(round, (expected, signed));
        true
    }

    /// An honest site takes a result for that of its round.
    pub(super) fn informed(&mut self, site: SiteIndex, outcome: &Outcome) {
        if self.attacked.contains(&outcome.config) {
            return; // a coordinator can sign what it likes: correctness needs its honesty
        }
        let opened = self.opened.get(&outcome.config).is_some_and(|(sum, _)| *sum == outcome.sum);
        self.hold(Rule::Sum, opened, || format!("site {site} took another result than was opened"));
    }
}

fn leaving_key(
    federation: &Federation,
    site: SiteIndex,
) -> Option<tacit_shared::secagg::key::identity::VerifyingKey> {
    federation.sites.get(&site).map(|hospital| hospital.context.identity.verifying_key())
}

fn spent(charges: impl Iterator<Item = Charges>) -> Charges {
    let none = Charges { clinician: Cost::ZERO, patient: Cost::ZERO };
    let add = |a: Cost, b: Cost| a.checked_add(b).unwrap_or(a);
    charges.fold(none, |sum, c| Charges {
        clinician: add(sum.clinician, c.clinician),
        patient: add(sum.patient, c.patient),
    })
}
