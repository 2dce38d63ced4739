//! Holds a site's evidence against itself: signatures, chain, costs, limits, approvals, receipts.
use super::{Account, Accounts, Evidence, Exported, FORMAT, LABEL, Record, profiles, signature};
use crate::office::decision::Decisions;
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::codec;
use tacit_shared::id::Digest;
use tacit_shared::privacy::accountant::{Budget, Cost};
use tacit_shared::privacy::ledger::{
    Budgets, Cause, Entry, Journal, Ledger, Limits, Lost, year_of,
};
use tacit_shared::privacy::plan::{Charges, Plan};
use tacit_shared::protocol::message::{Outcome, Signed};
use tacit_shared::roster::{Key, Roster};
use tacit_shared::secagg::key::identity::VerifyingKey;
use tacit_shared::study::Study;
use tacit_shared::study::profile::Profile;
use tacit_shared::units::{Delta, Epsilon};

/// What sound evidence says.
#[derive(Clone, Debug, PartialEq)]
pub struct Proved {
    /// Digest of the roster that counts.
    pub roster: Digest,
    /// Head of the ledger.
    pub head: Digest,
    /// What was spent, recomputed, under each limit: everything, each study, each year.
    pub accounts: Vec<Spent>,
    /// Charges, and those of them with a signed result.
    pub charges: (usize, usize),
    /// Charges of answers whose first charge was lost with the database, each shown by a receipt and
    /// accepted by an officer.
    pub losses: usize,
    /// Receipts that name a head of this site.
    pub receipts: usize,
    /// Keys of officers, in the order in which they were pinned, and how many decisions each signed; the last
    /// one counts.
    pub officers: Vec<(Key, usize)>,
    /// Releases in the order of the evidence: the kind of the profile that each was cut under, and whether it was paid for.
    pub releases: Vec<(Profile, bool)>,
    /// Approvals that stand: digest of the study.
    pub approved: Vec<Digest>,
}

/// What was spent under one limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Spent {
    /// What the limit covers.
    pub scope: String,
    /// What was spent.
    pub spent: Charges,
    /// What is allowed; where nothing is said of this scope, what is allowed over everything.
    pub budgets: Budgets,
    /// Whether something is said of this scope.
    pub limited: bool,
}

/// Checks everything.
///
/// # Errors
/// One sentence for each thing that does not hold.
pub fn check(exported: &Exported) -> Result<Proved, Vec<String>> {
    let evidence = &exported.evidence;
    if evidence.format != FORMAT {
        let found = evidence.format;
        return Err(vec![format!("format {found}; this program reads format {FORMAT}")]);
    }
    let parsed = Parsed::of(evidence)?;
    let mut problems = Vec::new();
    parsed.check_signature(exported, &mut problems);
    let officers = parsed.officers(&mut problems);
    let opened = Ledger::open(ReadOnly, &parsed.entries, parsed.limits);
    let ledger = opened.map_err(|e| vec![e.to_string()])?;
    let plans = parsed.plans();
    let lost = parsed.receipts(&ledger, &mut problems);
    for entry in &parsed.entries {
        match entry.cause {
            Cause::Release => parsed.check_charge(entry, &plans, &officers, &mut problems),
            Cause::Loss { head } => check_loss(entry, lost.get(&head), &officers, &mut problems),
        }
    }
    let releases = profiles::check(evidence, &parsed.studies, &parsed.entries, &mut problems);
    let (with_result, receipts) = parsed.check_results(&ledger, &mut problems);
    let spent = ledger.spent();
    let budgets = parsed.limits.site;
    for (who, spent, budget) in [
        ("clinician", spent.clinician, budgets.clinician),
        ("patient", spent.patient, budgets.patient),
    ] {
        if !budget.admits(Cost::ZERO, spent) {
            problems.push(format!("more was spent than one {who}'s budget allows"));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let roster = parsed.roster.digest();
    let standing = officers.last().map_or_else(Vec::new, |(_, decisions)| {
        let studies = parsed.studies.keys();
        studies.filter(|study| decisions.approves(**study, roster).is_some()).copied().collect()
    });
    let is_loss = |entry: &&Entry| entry.cause != Cause::Release;
    Ok(Proved {
        roster,
        head: ledger.head(),
        accounts: parsed.accounts(&ledger),
        charges: (parsed.entries.len(), with_result),
        losses: parsed.entries.iter().filter(is_loss).count(),
        receipts,
        officers: officers.iter().map(|(key, decisions)| (*key, decisions.made().len())).collect(),
        releases,
        approved: standing,
    })
}

/// Evidence, read.
struct Parsed<'a> {
    evidence: &'a Evidence,
    rosters: Vec<Roster>,
    roster: Roster,
    studies: BTreeMap<Digest, Study>,
    entries: Vec<Entry>,
    limits: Limits,
}

impl<'a> Parsed<'a> {
    fn of(evidence: &'a Evidence) -> Result<Self, Vec<String>> {
        let one = |problem: String| vec![problem];
        let rosters: Result<Vec<Roster>, _> =
            evidence.rosters.iter().map(|text| Roster::parse(text)).collect();
        let rosters = rosters.map_err(|e| one(format!("a roster: {e}")))?;
        let roster = rosters.last().cloned().ok_or_else(|| one("there is no roster".to_owned()))?;
        let studies: Result<BTreeMap<Digest, Study>, _> = evidence
            .studies
            .iter()
            .map(|text| Study::parse(text).map(|study| (study.digest(), study)))
            .collect();
        let studies = studies.map_err(|e| one(format!("a study: {e}")))?;
        let mut entries = Vec::with_capacity(evidence.ledger.len());
        for (place, bytes) in (1_usize..).zip(&evidence.ledger) {
            let entry = codec::decode(&bytes.0);
            entries.push(entry.map_err(|_| one(format!("ledger entry {place} does not decode")))?);
        }
        let part = |accounts: Option<Accounts>| accounts.map(budgets).transpose().map_err(one);
        let limits = Limits {
            site: budgets(evidence.budget).map_err(one)?,
            study: part(evidence.budget_study)?,
            year: part(evidence.budget_year)?,
        };
        Ok(Self { evidence, rosters, roster, studies, entries, limits })
    }

    fn accounts(&self, ledger: &Ledger<ReadOnly>) -> Vec<Spent> {
        let Limits { site, study, year } = self.limits;
        let one = |scope: String, spent: Charges, allowed: Option<Budgets>| Spent {
            scope,
            spent,
            budgets: allowed.unwrap_or(site),
            limited: allowed.is_some(),
        };
        let mut all = vec![one("everything".to_owned(), ledger.spent(), Some(site))];
        let families = ledger.families();
        all.extend(families.map(|(name, spent)| one(format!("study {name}"), spent, study)));
        let years: BTreeSet<i32> =
            self.entries.iter().map(|entry| year_of(entry.at_unix_s)).collect();
        let years = years.iter();
        all.extend(years.map(|&at| one(format!("year {at}"), ledger.spent_in(at), year)));
        all
    }

    /// The site says so itself, by the key that the roster lists.
    fn check_signature(&self, exported: &Exported, problems: &mut Vec<String>) {
        let site = &self.evidence.site;
        let Some((_, party)) = self.roster.sites().find(|(_, party)| party.id == *site) else {
            problems.push(format!("site {site} is not on its own roster"));
            return;
        };
        let key = VerifyingKey::from_bytes(party.signing_key.0);
        let holds = signature(&exported.signature).zip(self.evidence.digest()).is_some_and(
            |(signature, digest)| key.verify(LABEL, digest.as_bytes(), &signature).is_ok(),
        );
        if !holds {
            problems.push(format!(
                "the file is not signed by the key that the roster lists for {site}"
            ));
        }
    }

    fn officers(&self, problems: &mut Vec<String>) -> Vec<(Key, Decisions)> {
        let mut officers = Vec::new();
        for officer in &self.evidence.officers {
            let records: Option<Vec<Signed>> =
                officer.decisions.iter().map(Record::signed).collect();
            let key = VerifyingKey::from_bytes(officer.key.0);
            match records.map(|records| Decisions::of(&key, &records)) {
                Some(Ok(decisions)) => officers.push((officer.key, decisions)),
                Some(Err(error)) => problems.push(error.to_string()),
                None => problems.push("a decision has a signature of a wrong length".to_owned()),
            }
        }
        officers
    }

    /// What each study comes to under each roster, with the roster's digest.
    fn plans(&self) -> BTreeMap<Digest, Vec<Plan>> {
        let of = |study: &Study| {
            self.rosters.iter().filter_map(|roster| Plan::new(study, roster).ok()).collect()
        };
        self.studies.iter().map(|(digest, study)| (*digest, of(study))).collect()
    }

    /// A charge is what its study costs under a roster that was pinned, and the study stood approved under it.
    fn check_charge(
        &self,
        entry: &Entry,
        plans: &BTreeMap<Digest, Vec<Plan>>,
        officers: &[(Key, Decisions)],
        problems: &mut Vec<String>,
    ) {
        let (n, short) = (entry.sequence, entry.study.short());
        let Some(plans) = plans.get(&entry.study) else {
            return problems.push(format!("charge {n}: study {short} is not among the evidence"));
        };
        let costs = |plan: &&Plan| {
            plan.charges() == entry.charges
                && plan.terms() == entry.terms
                && plan.coordinator() == entry.coordinator
                && *plan.family() == entry.family
        };
        let mut fitting = plans.iter().filter(costs).peekable();
        if fitting.peek().is_none() {
            let name = self.studies.get(&entry.study).map_or("", |study| study.name().as_str());
            return problems.push(format!("charge {n} is not what study {name} costs"));
        }
        let stood = |plan: &Plan, made: &Decisions| {
            made.approved_at(entry.study, plan.roster(), entry.at_unix_s)
        };
        if !fitting.any(|plan| officers.iter().any(|(_, made)| stood(plan, made))) {
            problems.push(format!("charge {n}: study {short} was not approved when it was made"));
        }
    }

    /// What the receipts show, by the head each states. Every head is one that the chain has had, or whose
    /// loss it holds.
    fn receipts(
        &self,
        ledger: &Ledger<ReadOnly>,
        problems: &mut Vec<String>,
    ) -> BTreeMap<Digest, Lost> {
        let mut all = BTreeMap::new();
        for (place, shown) in (1_usize..).zip(&self.evidence.receipts) {
            let read = shown.receipt().and_then(|receipt| {
                self.rosters.iter().find_map(|roster| {
                    let own = roster.sites().find(|(_, party)| party.id == self.evidence.site)?.1;
                    let me = VerifyingKey::from_bytes(own.signing_key.0);
                    receipt.read(&me, roster.coordinator().signing_key)
                })
            });
            let Some(lost) = read else {
                problems.push(format!("receipt {place} is not an answer that this site signed"));
                continue;
            };
            if ledger.round_of(lost.head).is_none() {
                problems.push(format!(
                    "the site answered when its ledger had the head {}, which it does not have: charges are lost",
                    lost.head.short()
                ));
            }
            all.insert(lost.head, lost);
        }
        all
    }

    /// Each result is the coordinator's and was paid for, and each receipt names a head of this chain.
    /// How many charges have a result, and how many receipts there are.
    fn check_results(
        &self,
        ledger: &Ledger<ReadOnly>,
        problems: &mut Vec<String>,
    ) -> (usize, usize) {
        let charged: BTreeSet<Digest> = self.entries.iter().map(|entry| entry.round).collect();
        let (mut with_result, mut receipts) = (0_usize, 0_usize);
        for (place, record) in (1_usize..).zip(&self.evidence.results) {
            let verified = record.signed().and_then(|signed| {
                self.rosters.iter().find_map(|roster| {
                    let key = VerifyingKey::from_bytes(roster.coordinator().signing_key.0);
                    Outcome::verified(&signed, &key, roster.len())
                        .map(|(outcome, _)| (roster, outcome))
                })
            });
            let Some((roster, outcome)) = verified else {
                problems.push(format!("result {place} is not signed by a coordinator of a roster"));
                continue;
            };
            let round = outcome.config;
            if !charged.contains(&round) {
                problems.push(format!("result {place}: round {} was never charged", round.short()));
                continue;
            }
            with_result = with_result.saturating_add(1);
            let own = roster.sites().find(|(_, party)| party.id == self.evidence.site);
            let head = own.and_then(|(me, _)| {
                outcome.ledger_heads.iter().find(|(index, _)| *index == me).map(|(_, head)| *head)
            });
            let Some(head) = head else { continue }; // paid, and lost before the sum
            receipts = receipts.saturating_add(1);
            if ledger.round_of(head) != Some(round) {
                problems.push(format!(
                    "result {place}: its receipt names head {}, which round {} never had here",
                    head.short(),
                    round.short()
                ));
            }
        }
        (with_result, receipts)
    }
}

/// A loss is charged as the lost answer itself says, which the site signed, and an officer accepted it.
fn check_loss(
    entry: &Entry,
    lost: Option<&Lost>,
    officers: &[(Key, Decisions)],
    problems: &mut Vec<String>,
) {
    let n = entry.sequence;
    let Some(lost) = lost else {
        return problems.push(format!("charge {n} is of a lost answer that no receipt shows"));
    };
    let same = lost.round == entry.round
        && lost.family == entry.family
        && lost.study == entry.study
        && lost.terms == entry.terms
        && lost.terms.charges().ok() == Some(entry.charges);
    if !same {
        problems.push(format!("charge {n} is not what the lost answer cost"));
    }
    if !officers.iter().any(|(_, made)| made.accepted_loss(lost.head)) {
        problems.push(format!("charge {n} is of a lost answer that no officer accepted"));
    }
}

fn budgets(Accounts { clinician, patient }: Accounts) -> Result<Budgets, String> {
    Ok(Budgets { clinician: budget(clinician)?, patient: budget(patient)? })
}

fn budget(account: Account) -> Result<Budget, String> {
    let epsilon = Epsilon::new(account.epsilon).map_err(|e| e.to_string())?;
    let delta = Delta::new(account.delta).map_err(|e| e.to_string())?;
    Budget::new(epsilon, delta).map_err(|e| e.to_string())
}

/// A journal that nothing is written to.
struct ReadOnly;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[error("evidence is only read")]
struct Unwritten;

impl Journal for ReadOnly {
    type Error = Unwritten;
    async fn append(&mut self, _: &Entry) -> Result<(), Unwritten> {
        Err(Unwritten)
    }
}
