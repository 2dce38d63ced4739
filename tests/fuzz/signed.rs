//! Readers of what is signed: evidence, transcripts, receipts, decisions.
//!
//! A signature keeps strangers out, not those who hold a key: a site, an officer or the coordinator can sign anything.
//! So each target reads the bytes as they are and then once more, signed anew with the keys of the seeds. The keys are
//! those of the tests' rounds, known to everyone.
use std::sync::OnceLock;
use tacit_coordinator::command::verify::{VerifyArgs, verify};
use tacit_node::office::decision::{Decision, Decisions};
use tacit_node::office::evidence::{self, Exported, Hex, Record};
use tacit_node::office::profile::{Role, Word};
use tacit_shared::codec::{self, Bytes};
use tacit_shared::frame;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::message::{Advertise, Signed, ToHost, ToSite};
use tacit_shared::protocol::receipt::Receipt;
use tacit_shared::protocol::replay;
use tacit_shared::protocol::transcript::{Entry, Papers, Party};
use tacit_shared::roster::Roster;
use tacit_shared::secagg::key::identity::IdentityKey;
use tacit_shared::study::Study;

/// The officer's key among [`key`]s.
pub(crate) const OFFICER: u16 = 900;
/// The staff representative's.
pub(crate) const STAFF: u16 = 901;
/// What a transcript file begins with.
pub(crate) const TRANSCRIPT: &[u8] = b"tacit-transcript-1\n";
/// A round of three sites, as `tacit-coordinator export` writes it.
const SOUND: &[u8] = include_bytes!("corpus/transcript/three-sites");

/// The key of a site; that of the coordinator at 0.
pub(crate) fn key(index: u16) -> IdentityKey {
    let seed = codec::hash("key of a test", &[&index.to_be_bytes()]);
    IdentityKey::from_seed(seed.as_bytes()).expect("a seed of 32 bytes")
}

/// A site's exported evidence.
pub(crate) fn evidence(data: &[u8]) -> bool {
    let Ok(mut exported) = serde_json::from_slice::<Exported>(data) else { return false };
    let sound = evidence::check(&exported).is_ok();
    for officer in &mut exported.evidence.officers {
        let mut records: Vec<Signed> = officer.decisions.iter().map(unsigned).collect();
        chain(&mut records);
        officer.key = tacit_shared::roster::Key(*key(OFFICER).verifying_key().as_bytes());
        officer.decisions = records.iter().map(Record::from).collect();
    }
    for pin in &mut exported.evidence.profiles.representatives {
        pin.key = tacit_shared::roster::Key(*key(STAFF).verifying_key().as_bytes());
    }
    for said in &mut exported.evidence.profiles.words {
        let mut signed = unsigned(&said.word);
        let by = match codec::decode::<Word>(&signed.payload.0).map(|word| word.role) {
            Ok(Role::StaffRepresentative) => STAFF,
            Ok(Role::Officer) | Err(_) => OFFICER,
        };
        sign(&mut signed, by, "profile");
        said.word = Record::from(&signed);
    }
    for result in &mut exported.evidence.results {
        let mut signed = unsigned(result);
        sign(&mut signed, 0, "result");
        *result = Record::from(&signed);
    }
    for receipt in &mut exported.evidence.receipts {
        let mut signed = unsigned(&receipt.header);
        sign(&mut signed, 1, "masked");
        receipt.header = Record::from(&signed);
    }
    if let Some(digest) = exported.evidence.digest() {
        let signature = key(1).sign(evidence::LABEL, digest.as_bytes());
        exported.signature = Hex(signature.as_bytes().to_vec());
    }
    let _ = evidence::check(&exported);
    sound
}

/// A transcript file.
pub(crate) fn transcript(data: &[u8]) -> bool {
    super::as_file(data, |path| {
        let args = VerifyArgs { transcript: path.to_owned(), roster: None, result: None };
        verify(&args).is_ok()
    })
}

/// A sound transcript after edits, every message signed anew by its sender: five bytes for each edit.
pub(crate) fn replayed(data: &[u8]) -> bool {
    static ROUND: OnceLock<(Study, Roster, Vec<Entry>)> = OnceLock::new();
    let (study, roster, entries) = ROUND.get_or_init(sound_round);
    let mut entries = entries.clone();
    for edit in data.as_chunks::<5>().0 {
        edited(&mut entries, *edit);
    }
    for entry in &mut entries {
        signed_anew(entry);
    }
    replay::replay(study, roster, &entries).is_ok()
}

/// The receipts that a coordinator shows.
pub(crate) fn receipts(data: &[u8]) -> bool {
    let Ok(mut receipts) = codec::decode::<Vec<Receipt>>(data) else { return false };
    let (me, coordinator) = (key(2).verifying_key(), *key(0).verifying_key().as_bytes());
    let read = |receipts: &[Receipt]| {
        let coordinator = tacit_shared::roster::Key(coordinator);
        let read: Vec<bool> = receipts
            .iter()
            .map(|receipt| match receipt.read(&me, coordinator) {
                Some(lost) => {
                    let _ = lost.terms.charges();
                    true
                }
                None => false,
            })
            .collect();
        read.contains(&true)
    };
    let sound = read(&receipts);
    for receipt in &mut receipts {
        sign(&mut receipt.header, 2, "masked");
    }
    let _ = read(&receipts);
    sound
}

/// An officer's decisions.
pub(crate) fn decisions(data: &[u8]) -> bool {
    let Ok(mut records) = codec::decode::<Vec<Signed>>(data) else { return false };
    let officer = key(OFFICER).verifying_key();
    let ask = |records: &[Signed]| match Decisions::of(&officer, records) {
        Ok(decisions) => {
            let digest = Digest::new([7; 32]);
            let _ = (decisions.approves(digest, digest), decisions.stands(digest));
            let _ = (decisions.approved_at(digest, digest, i64::MIN), decisions.released(digest));
            true
        }
        Err(_) => false,
    };
    let sound = ask(&records);
    let whole = records.iter().all(|r| codec::decode::<Decision>(&r.payload.0).is_ok());
    chain(&mut records);
    assert_eq!(ask(&records), whole, "what an officer signed in order is not read");
    sound
}

/// Signs records so that each follows the one before, whatever they say.
fn chain(records: &mut [Signed]) {
    let mut previous = Digest::new([0; 32]);
    for (sequence, record) in (1_u64..).zip(records) {
        if let Ok(decision) = codec::decode::<Decision>(&record.payload.0) {
            let placed = Decision { sequence, previous, ..decision };
            record.payload = Bytes(codec::encode(&placed).expect("plain data"));
        }
        sign(record, OFFICER, "decision");
        let fields = [record.payload.0.as_slice(), record.signature.as_bytes()];
        previous = codec::hash("tacit/v1/decision", &fields);
    }
}

fn sign(signed: &mut Signed, by: u16, label: &'static str) {
    signed.signature = key(by).sign(label, &signed.payload.0);
}

fn unsigned(record: &Record) -> Signed {
    let signature = key(0).sign("none", &[]);
    Signed { payload: Bytes(record.payload.0.clone()), signature }
}

/// The seed's study, roster and messages.
fn sound_round() -> (Study, Roster, Vec<Entry>) {
    let mut rest = SOUND.strip_prefix(TRANSCRIPT).expect("a transcript");
    let mut next = || {
        let (header, behind) = rest.split_first_chunk().expect("a frame");
        let length = frame::length(*header, 1 << 20).expect("a length");
        let (bytes, behind) = behind.split_at(length);
        rest = behind;
        bytes
    };
    let papers: Papers = codec::decode(next()).expect("papers");
    let entry = |_| codec::decode(next()).expect("an entry");
    let entries = (0..papers.entries).map(entry).collect();
    let study = Study::parse(&papers.study).expect("a study");
    (study, Roster::parse(&papers.roster).expect("a roster"), entries)
}

/// One edit: which message, what is done, where, and with which byte.
fn edited(entries: &mut Vec<Entry>, [which, what, high, low, byte]: [u8; 5]) {
    let at = usize::from(which) % entries.len().max(1);
    let number = u16::from_be_bytes([high, low]);
    let place = usize::from(number);
    let other = place % entries.len().max(1);
    let Some(entry) = entries.get_mut(at) else { return };
    match what % 8 {
        0 => drop(entries.remove(at)),
        1 => {
            let again = entry.clone();
            entries.insert(other, again);
        }
        2 => entries.swap(at, other),
        3 => entry.from = SiteIndex::new(number).map_or(Party::Coordinator, Party::Site),
        4 => entry.bytes.truncate(place),
        5 => entry.bytes.insert(place % (entry.bytes.len() + 1), byte),
        _ => {
            let length = entry.bytes.len().max(1);
            if let Some(found) = entry.bytes.get_mut(place % length) {
                *found = byte;
            }
        }
    }
}

/// The same message under sound signatures of whoever sends it.
fn signed_anew(entry: &mut Entry) {
    let bytes = match entry.from {
        Party::Site(index) => {
            let Ok(mut message) = codec::decode::<ToHost>(&entry.bytes) else { return };
            match &mut message {
                ToHost::Advertise(signed) => sign(signed, index.value(), "advertise"),
                ToHost::Shares(signed, _) => sign(signed, index.value(), "shares"),
                ToHost::Masked(signed, _) => sign(signed, index.value(), "masked"),
                ToHost::Unmask(signed) => sign(signed, index.value(), "unmask"),
                ToHost::Vote(_) | ToHost::Declined(_) => {}
            }
            message.name().clone_into(&mut entry.name);
            codec::encode(&message)
        }
        Party::Coordinator => {
            let Ok(mut message) = codec::decode::<ToSite>(&entry.bytes) else { return };
            match &mut message {
                ToSite::Announce(signed) => sign(signed, 0, "announce"),
                ToSite::Result(signed) => sign(signed, 0, "result"),
                ToSite::Directory(all) => {
                    for signed in all {
                        if let Ok(keys) = codec::decode::<Advertise>(&signed.payload.0) {
                            sign(signed, keys.index.value(), "advertise");
                        }
                    }
                }
                _ => {}
            }
            message.name().clone_into(&mut entry.name);
            codec::encode(&message)
        }
    };
    entry.bytes = bytes.expect("plain data");
}
