//! Holds releases and charges against the profiles in a site's evidence.
//!
//! ```text
//! heard      of each release: the first words, and the keys that had been pinned, by the counts that it states
//! in force   = what those come to on the day of the release and of its charge ([`crate::office::profile`])
//! ```
//! Each release names that document; its purpose and recipients are the study's, and the document allows them; of small
//! cells it says what the officer said. Times that were signed bound the order: what was heard was not said after the
//! release, what was not, not before. Which questionnaire is whose is a node's knowledge and not looked at here.
use super::{Evidence, Record, Release};
use crate::office::decision::{Decision, Decisions, SmallCells, What};
use crate::office::profile::{Heard, Kept, Pinned, Pins, Role, Word, in_force};
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::id::Digest;
use tacit_shared::privacy::ledger::{Cause, Entry};
use tacit_shared::protocol::message::Signed;
use tacit_shared::roster::Key;
use tacit_shared::secagg::key::identity::VerifyingKey;
use tacit_shared::study::Study;
use tacit_shared::study::modality::Modality;
use tacit_shared::study::profile::Profile;
use tacit_shared::study::profile::document::Document;
use time::{Date, OffsetDateTime};

/// How far two clocks of one machine may differ, seconds: a node itself lets it step back so far.
const CLOCK_S: i64 = 3600;

/// Checks every release, and that every charge has one; for each the kind of its profile and whether it was paid for.
pub(super) fn check(
    evidence: &Evidence,
    studies: &BTreeMap<Digest, Study>,
    entries: &[Entry],
    problems: &mut Vec<String>,
) -> Vec<(Profile, bool)> {
    let said = SaidHere::read(evidence, problems);
    let mut found = Vec::new();
    let mut rounds = BTreeSet::new();
    for (place, release) in (1_usize..).zip(&evidence.profiles.releases) {
        let name = format!("release {place}");
        let Some(round) = release.round.parse::<Digest>().ok().filter(|r| rounds.insert(*r)) else {
            problems.push(format!("{name} has no round of its own"));
            continue;
        };
        let charge = entries.iter().find(|e| e.round == round && e.cause == Cause::Release);
        if let Some(entry) = charge {
            let same =
                entry.study.to_string() == release.study && entry.at_unix_s >= release.at_unix_s;
            if !same {
                let n = entry.sequence;
                problems.push(format!("{name} is not the one that charge {n} paid for"));
            }
        }
        let paid_at = charge.map(|entry| entry.at_unix_s);
        let checked = said.check(release, paid_at, studies);
        match checked {
            Ok(kind) => found.push((kind, charge.is_some())),
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    for entry in entries.iter().filter(|entry| entry.cause == Cause::Release) {
        if !rounds.contains(&entry.round) {
            let n = entry.sequence;
            problems.push(format!(
                "charge {n}: no release says for what, for whom and under which profile it was made"
            ));
        }
    }
    found
}

/// What was said of profiles, every signature checked.
struct SaidHere<'a> {
    evidence: &'a Evidence,
    documents: BTreeMap<Digest, Document>,
    words: Vec<(Digest, Heard)>,
    /// When each was said.
    times: Vec<i64>,
}

impl<'a> SaidHere<'a> {
    fn read(evidence: &'a Evidence, problems: &mut Vec<String>) -> Self {
        let mut documents = BTreeMap::new();
        for (place, text) in (1_usize..).zip(&evidence.profiles.documents) {
            match Document::parse(text) {
                Ok(document) => drop(documents.insert(document.digest(), document)),
                Err(error) => problems.push(format!("profile {place}: {error}")),
            }
        }
        let mut here = Self { evidence, documents, words: Vec::new(), times: Vec::new() };
        for (place, said) in (1_usize..).zip(&evidence.profiles.words) {
            let read = here.word(&said.word, said.pins);
            let Some((record, word)) = read else {
                problems.push(format!(
                    "word {place} on a profile is not signed by the key that was pinned when it was said"
                ));
                continue;
            };
            if !here.documents.contains_key(&word.document) {
                problems
                    .push(format!("word {place} is on a profile that is not among the evidence"));
            }
            here.times.push(word.at_unix_s);
            here.words.push((word.document, Heard { record, pins: said.pins }));
        }
        here
    }

    /// The word of a record, by whichever of the two keys that were pinned then, as the role it names.
    fn word(&self, record: &Record, pins: Pins) -> Option<(Signed, Word)> {
        let record = record.signed()?;
        let keys = self.pinned(pins)?;
        let roles = [Role::Officer, Role::StaffRepresentative];
        let word = roles.into_iter().find_map(|role| {
            Word::read(&record, &keys.of(role)?).filter(|word| word.role == role)
        })?;
        Some((record, word))
    }

    /// The keys that counted after so many pins; `None` if there are not so many.
    fn pinned(&self, pins: Pins) -> Option<Pinned> {
        let last = |keys: &mut dyn Iterator<Item = Key>, count: u32| {
            let Some(before) = usize::try_from(count).ok()?.checked_sub(1) else {
                return Some(None);
            };
            keys.nth(before).map(|key| Some(VerifyingKey::from_bytes(key.0)))
        };
        let officers = &mut self.evidence.officers.iter().map(|officer| officer.key);
        let staff = &mut self.evidence.profiles.representatives.iter().map(|pin| pin.key);
        let officer = last(officers, pins.officers)?;
        let representative = last(staff, pins.representatives)?;
        Some(Pinned { officer, representative, pins })
    }

    fn check(
        &self,
        release: &Release,
        paid_at: Option<i64>,
        studies: &BTreeMap<Digest, Study>,
    ) -> Result<Profile, String> {
        let heard = usize::try_from(release.words).unwrap_or(usize::MAX);
        let (Some(words), Some(pinned)) = (self.words.get(..heard), self.pinned(release.pins))
        else {
            return Err("it states more words or keys than the evidence holds".to_owned());
        };
        let at = release.at_unix_s;
        // With a new key of the officer a clock that was ahead is left behind.
        let left_out = self.words.iter().zip(&self.times).skip(words.len()).any(|(word, said)| {
            word.1.pins.officers == release.pins.officers && *said < at.saturating_sub(CLOCK_S)
        });
        if left_out {
            return Err("a word on a profile that was said before it is left out".to_owned());
        }
        let kept = Kept::all(&self.documents, words);
        let mut document = None;
        for at in [Some(at), paid_at].into_iter().flatten() {
            let built_in = Document::built_in().map_err(|error| error.to_string())?;
            let today = day(at).ok_or_else(|| "it was cut on no day".to_owned())?;
            let found = in_force(built_in, &kept, &pinned, today);
            let digest = found.document.digest();
            if digest.to_string() != release.profile {
                let (kind, short) = (found.document.kind(), digest.short());
                let why = found.falls_short.map_or(String::new(), |why| format!(": {why}"));
                return Err(format!(
                    "the profile it names was not in force on {today}; in force was `{kind}` ({short}){why}"
                ));
            }
            if found.signed.iter().any(|word| word.at_unix_s > at.saturating_add(CLOCK_S)) {
                return Err("a word on a profile that it rests on was said after it".to_owned());
            }
            document = Some(found.document);
        }
        let document = document.ok_or_else(|| "it was cut on no day".to_owned())?;
        let study = release.study.parse().ok().and_then(|digest: Digest| studies.get(&digest));
        let study = study.ok_or_else(|| "its study is not among the evidence".to_owned())?;
        allowed(study, &document, release)?;
        self.cells(release, study, pinned)?;
        Ok(document.kind())
    }

    /// Of small cells it says what the officer of then had said last.
    fn cells(&self, release: &Release, study: &Study, pinned: Pinned) -> Result<(), String> {
        let officer = pinned.officer.ok_or_else(|| "no officer's key was pinned".to_owned())?;
        let mut officers = self.evidence.officers.iter();
        let records: Option<Vec<Signed>> = officers
            .find(|one| one.key.0 == *officer.as_bytes())
            .and_then(|one| one.decisions.iter().map(Record::signed).collect());
        let made = records.and_then(|records| Decisions::of(&officer, &records).ok());
        let of_study = |decision: &&Decision| {
            decision.at_unix_s <= release.at_unix_s
                && matches!(decision.what, What::Approve { study: of, .. } if of == study.digest())
        };
        let last = made.as_ref().and_then(|made| made.made().iter().rev().find(of_study));
        let said = match last.map(|decision| decision.what) {
            Some(What::Approve { small_cells: SmallCells::Accepted, .. }) => "accepted",
            Some(_) => "refused",
            None => return Err("its study was not approved by the officer of then".to_owned()),
        };
        if said == release.small_cells {
            return Ok(());
        }
        Err(format!("small cells were {said} by the officer, not {}", release.small_cells))
    }
}

/// What a release says of its study is what the study says, and the profile allows it.
fn allowed(study: &Study, document: &Document, release: &Release) -> Result<(), String> {
    let name = study.name();
    let recipients: Vec<String> = study.recipients().iter().map(ToString::to_string).collect();
    if study.purpose() != release.purpose || recipients.join(", ") != release.recipients {
        return Err(format!("study {name} has another purpose or other recipients"));
    }
    let kind = document.kind();
    if !document.purposes().iter().any(|purpose| purpose.as_str() == study.purpose()) {
        return Err(format!("profile `{kind}` does not allow the purpose of study {name}"));
    }
    let read: BTreeSet<Modality> =
        study.schema().sources().filter_map(|(_, source)| Modality::of(source)).collect();
    for recipient in study.recipients() {
        let class = recipient.class;
        if !document.recipients().contains(&class) {
            return Err(format!("profile `{kind}` does not allow {recipient}"));
        }
        let barred =
            read.iter().find(|of| !document.allows(**of) || !document.allows_reader(class, **of));
        if let Some(barred) = barred {
            return Err(format!("profile `{kind}` does not allow {barred} for {recipient}"));
        }
    }
    Ok(())
}

fn day(at_unix_s: i64) -> Option<Date> {
    OffsetDateTime::from_unix_timestamp(at_unix_s).ok().map(OffsetDateTime::date)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::super::{Account, Accounts, FORMAT, Officer, Pin, Profiles, Said};
    use super::*;
    use crate::office::profile::Said as Told;
    use crate::office::profile::tests::RESEARCH;
    use tacit_shared::privacy::accountant::Cost;
    use tacit_shared::privacy::plan::{Charges, Terms};
    use tacit_shared::secagg::key::identity::IdentityKey;

    const STUDY: &str = include_str!("../../../../configs/studies/empathy-billing.toml");
    /// 2026-11-01.
    const SIGNED: i64 = 1_793_491_200;
    const DAY_S: i64 = 86_400;

    fn key(seed: u8) -> IdentityKey {
        IdentityKey::from_seed(&[seed; 32]).unwrap()
    }

    fn public(seed: u8) -> Key {
        Key(*key(seed).verifying_key().as_bytes())
    }

    /// A study for research that reads the heart.
    fn study() -> Study {
        let text = STUDY.replacen("source = \"volume\"", "source = \"ln-rmssd\"", 1);
        let policy = ", { name = \"policymakers\", class = \"policy\" }";
        Study::parse(&text.replacen(policy, "", 1)).unwrap()
    }

    fn word(seed: u8, role: Role, said: Told, at_unix_s: i64) -> Said {
        let document = Document::parse(RESEARCH).unwrap().digest();
        let word = Word { document, role, said, at_unix_s }.sign(&key(seed)).unwrap();
        Said { pins: Pins { officers: 1, representatives: 1 }, word: Record::from(&word) }
    }

    fn entry(round: Digest, at_unix_s: i64) -> Entry {
        let cost = Cost::ZERO;
        let study = study();
        Entry {
            sequence: 1,
            previous: Digest::new([0; 32]),
            at_unix_s,
            round,
            coordinator: public(9),
            population: "all".parse().unwrap(),
            family: study.name().clone(),
            study: study.digest(),
            terms: Terms {
                mechanism: 1,
                dimension: 1,
                clinician_l2: 1,
                patient_l2: 1,
                guaranteed_variance: 1,
            },
            charges: Charges { clinician: cost, patient: cost },
            cause: Cause::Release,
        }
    }

    /// A site that reads the heart under a profile that two people signed: three releases, of which one was paid for.
    fn site() -> (Evidence, BTreeMap<Digest, Study>, Vec<Entry>) {
        let study = study();
        let approve = What::Approve { study: study.digest(), small_cells: SmallCells::Refused };
        let officer = key(1);
        let made = Decisions::of(&officer.verifying_key(), &[]).unwrap();
        let decision = made.sign(&officer, Digest::new([3; 32]), SIGNED + 60, approve).unwrap().1;
        let document = Document::parse(RESEARCH).unwrap().digest();
        let release = |n: u8| Release {
            round: Digest::new([n; 32]).to_string(),
            at_unix_s: SIGNED + i64::from(n) * DAY_S,
            study: study.digest().to_string(),
            purpose: "research-aggregate".to_owned(),
            recipients: "research-consortium (research)".to_owned(),
            profile: document.to_string(),
            small_cells: "refused".to_owned(),
            words: 2,
            pins: Pins { officers: 1, representatives: 1 },
        };
        let account = Account { epsilon: 1.0, delta: 1e-6 };
        let evidence = Evidence {
            format: FORMAT,
            site: "north".parse().unwrap(),
            budget: Accounts { clinician: account, patient: account },
            budget_study: None,
            budget_year: None,
            rosters: Vec::new(),
            studies: Vec::new(),
            officers: vec![Officer {
                key: public(1),
                pinned_unix_s: 1,
                decisions: vec![Record::from(&decision)],
            }],
            profiles: Profiles {
                representatives: vec![Pin { key: public(2), pinned_unix_s: 1 }],
                documents: vec![RESEARCH.to_owned()],
                words: vec![
                    word(1, Role::Officer, Told::Given, SIGNED),
                    word(2, Role::StaffRepresentative, Told::Given, SIGNED + 1),
                    word(2, Role::StaffRepresentative, Told::TakenBack, SIGNED + 9 * DAY_S),
                ],
                releases: vec![release(1), release(2), release(3)],
            },
            ledger: Vec::new(),
            results: Vec::new(),
            receipts: Vec::new(),
        };
        let entries = vec![entry(Digest::new([2; 32]), SIGNED + 2 * DAY_S)];
        (evidence, [(study.digest(), study)].into(), entries)
    }

    fn problems(change: impl FnOnce(&mut Profiles)) -> String {
        let (mut evidence, studies, entries) = site();
        change(&mut evidence.profiles);
        let mut problems = Vec::new();
        check(&evidence, &studies, &entries, &mut problems);
        problems.join("; ")
    }

    #[test]
    fn releases_under_a_profile_that_two_people_signed_hold() {
        let (evidence, studies, entries) = site();
        let mut problems = Vec::new();
        let found = check(&evidence, &studies, &entries, &mut problems);
        assert_eq!(problems, Vec::<String>::new());
        let kind = Profile::EthicsApprovedResearch;
        assert_eq!(found, [(kind, false), (kind, true), (kind, false)]);
    }

    #[test]
    fn a_profile_that_was_not_in_force_is_told() {
        let in_force = "release 2: the profile it names was not in force on 2026-11-03; in force was `self-report-only`";
        let takes_back = |profiles: &mut Profiles| {
            profiles.words[2] = word(2, Role::StaffRepresentative, Told::TakenBack, SIGNED + DAY_S);
            profiles.releases[1].words = 3;
        };
        let found = problems(takes_back);
        assert!(found.contains(in_force) && found.contains("was taken back by"), "{found}");
        // After its last day.
        let found = problems(|profiles| {
            let late = SIGNED + 800 * DAY_S;
            profiles.words.pop();
            profiles.releases[2].at_unix_s = late;
        });
        assert!(found.starts_with("release 3: ") && found.ends_with("has ended"), "{found}");
        // The day of the charge counts, too.
        let (evidence, studies, mut entries) = site();
        entries[0].at_unix_s = SIGNED + 800 * DAY_S;
        let mut told = Vec::new();
        check(&evidence, &studies, &entries, &mut told);
        assert!(told.join(";").contains("release 2: the profile it names was not in force on"));
        // Keys that were replaced before the release, and a word that was.
        let found = problems(|profiles| {
            profiles.representatives.push(Pin { key: public(5), pinned_unix_s: 2 });
            profiles.releases[1].pins.representatives = 2;
        });
        assert!(found.contains(in_force), "{found}");
        for (words, message) in [
            (0, "release 1: a word on a profile that was said before it is left out"),
            (1, "release 1: the profile it names was not in force"),
        ] {
            let found = problems(|profiles| {
                profiles.releases.truncate(2);
                profiles.releases[0].words = words;
                profiles.words.truncate(2);
                profiles.words[1] = word(2, Role::StaffRepresentative, Told::Given, SIGNED + DAY_S);
            });
            assert!(found.contains(message), "{found}");
        }
    }

    type Change = fn(&mut Profiles);

    #[test]
    fn each_part_that_was_changed_is_found() {
        let cases: [(&str, Change); 14] = [
            ("charge 1: no release says for what", |p| drop(p.releases.remove(1))),
            ("release 3 has no round of its own", |p| {
                p.releases[2].round = p.releases[1].round.clone();
            }),
            ("release 2 is not the one that charge 1 paid for", |p| p.releases[1].at_unix_s += 1),
            ("release 1: study empathy-billing has another purpose", |p| {
                p.releases[0].purpose = "staffing".to_owned();
            }),
            ("release 1: study empathy-billing has another purpose", |p| {
                p.releases[0].recipients = "ministry (policy)".to_owned();
            }),
            ("release 1: its study is not among the evidence", |p| {
                p.releases[0].study = "0".repeat(64);
            }),
            ("release 1: small cells were refused by the officer, not accepted", |p| {
                p.releases[0].small_cells = "accepted".to_owned();
            }),
            ("release 2: the profile it names was not in force", |p| {
                p.releases[1].profile = Document::built_in().unwrap().digest().to_string();
            }),
            ("release 2: the profile it names was not in force", |p| p.documents.clear()),
            ("word 1 is on a profile that is not among the evidence", |p| p.documents.clear()),
            ("profile 1: ", |p| p.documents[0].push_str("x = 1")),
            ("word 2 on a profile is not signed by the key", |p| p.words[1].word.payload.0[3] ^= 1),
            ("word 2 on a profile is not signed by the key", |p| {
                p.representatives[0].key = public(7);
            }),
            ("it states more words or keys than the evidence holds", |p| p.representatives.clear()),
        ];
        for (message, change) in cases {
            let found = problems(change);
            assert!(found.contains(message), "{message}: {found}");
        }
        // The officer's signature is none of the representative, nor was a word heard that was said later.
        let found =
            problems(|p| p.words[1] = word(1, Role::StaffRepresentative, Told::Given, SIGNED));
        assert!(found.contains("word 2 on a profile is not signed by the key"), "{found}");
        let found = problems(|p| {
            p.words[1] = word(2, Role::StaffRepresentative, Told::Given, SIGNED + 5 * DAY_S);
        });
        assert!(
            found.contains("release 1: a word on a profile that it rests on was said after it")
        );
        let found = problems(|p| {
            p.words[2] = word(2, Role::StaffRepresentative, Told::TakenBack, SIGNED + 2);
        });
        assert!(
            found.contains("release 2: a word on a profile that was said before it is left out")
        );
    }

    #[test]
    fn what_a_profile_does_not_allow_is_told_whoever_signed_it() {
        let (mut evidence, _, entries) = site();
        let study = Study::parse(STUDY).unwrap();
        let recipients: Vec<String> = study.recipients().iter().map(ToString::to_string).collect();
        for release in &mut evidence.profiles.releases {
            release.study = study.digest().to_string();
            release.recipients = recipients.join(", ");
        }
        let mut told = Vec::new();
        check(&evidence, &[(study.digest(), study)].into(), &entries, &mut told);
        let found = told.join("; ");
        let message =
            "release 1: profile `ethics-approved-research` does not allow policymakers (policy)";
        assert!(found.contains(message), "{found}");
    }
}
