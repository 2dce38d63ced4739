//! The seeds of the fuzzers: small, sound inputs of each target, made from fixed keys and from no one's data.
use crate::rounds::{Federation, Memory, Round, at, budgets, faithful, now};
use crate::targets::signed::{OFFICER, STAFF, TRANSCRIPT, key};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::fs;
use std::sync::Arc;
use tacit_coordinator::config::Config as CoordinatorConfig;
use tacit_node::config::Config as NodeConfig;
use tacit_node::office::decision::{Decisions, SmallCells, What};
use tacit_node::office::evidence::{
    self, Account, Accounts, Evidence, Exported, Hex, Officer, Pin, Profiles, Record, Release,
    Said, Shown,
};
use tacit_node::office::profile::{Pins, Role, Said as Told, Word};
use tacit_shared::codec::{self, Bytes};
use tacit_shared::frame;
use tacit_shared::id::Digest;
use tacit_shared::privacy::ledger::{self, Journal, Ledger};
use tacit_shared::protocol::config::RoundId;
use tacit_shared::protocol::message::{
    Advertise, Ballot, Delivery, MaskedHeader, Member, Outcome, SharesHeader, Signed, Survivors,
    ToHost, ToSite, Unmask,
};
use tacit_shared::protocol::receipt::Receipt;
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::protocol::transcript::{self, Papers, seal};
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::secagg::key::PublicKey;
use tacit_shared::secagg::key::identity::Signature;
use tacit_shared::study::profile::document::Document;
use tacit_shared::units::Epsilon;

const STUDY: &str = include_str!("../round/small.toml");

/// Writes every seed that does not lie in `configs/`.
pub(crate) fn write_all() {
    write_messages();
    write_roster();
    write_tables();
    write_settings();
    write_answers();
    write_round();
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = crate::folder("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name.replace(' ', "-")), bytes).unwrap();
}

/// Writes one small message of each kind, and one of each payload.
fn write_messages() {
    let digest = |n| Digest::new([n; 32]);
    let all = Bitmap::of(&(1..=3).map(at).collect(), 3);
    let round_id = RoundId([1; 32]);
    let signature = Signature::from_bytes([9; 64]);
    let signed = || Signed { payload: Bytes(vec![7; 20]), signature };
    let sealed = || vec![(at(1), Bytes(vec![3; 80])), (at(2), Bytes(vec![4; 80]))];
    let member = |n| Member {
        index: at(n),
        body: digest(1),
        input: digest(2),
        ledger_head: digest(3),
        signature,
    };
    let to_site = [
        ToSite::Announce(signed()),
        ToSite::Directory(vec![signed(), signed()]),
        ToSite::Delivery(Delivery { shared: all.clone(), sealed: sealed() }),
        ToSite::Survivors(Survivors {
            survivors: all.clone(),
            members: vec![member(1), member(3)],
        }),
        ToSite::Certificate(vec![(at(1), signature), (at(2), signature)]),
        ToSite::Result(signed()),
        ToSite::Closed,
    ];
    for message in &to_site {
        write("to_site", message.name(), &codec::encode(message).unwrap());
    }
    let to_host = [
        ToHost::Advertise(signed()),
        ToHost::Shares(signed(), sealed()),
        ToHost::Masked(signed(), Bytes(vec![5; 64])),
        ToHost::Vote(signature),
        ToHost::Unmask(signed()),
        ToHost::Declined("not approved here".to_owned()),
    ];
    for message in &to_host {
        write("to_host", message.name(), &codec::encode(message).unwrap());
    }
    let key = |n| PublicKey::parse(&[n; 32]).unwrap();
    let index = at(2);
    let (config, u1, body, input) = (digest(1), digest(2), digest(3), digest(4));
    let (sealing, masking) = (key(5), key(6));
    let advertise = Advertise { round_id, config, index, sealing, masking, commitment: digest(7) };
    write("payload", "advertise", &codec::encode(&advertise).unwrap());
    let shares = SharesHeader { round_id, u1, index, sealed: digest(8) };
    write("payload", "shares", &codec::encode(&shares).unwrap());
    let (u2, ledger_head) = (all.clone(), digest(9));
    let masked = MaskedHeader { round_id, config, u1, u2, index, body, input, ledger_head };
    write("payload", "masked", &codec::encode(&masked).unwrap());
    let (u2, u3) = (all.clone(), all.clone());
    let ballot = Ballot { round_id, config, u1, u2, u3, headers: digest(8) };
    write("payload", "ballot", &codec::encode(&ballot).unwrap());
    let (own, dropped) = (vec![(at(1), [1; 32])], vec![(at(3), [2; 32])]);
    let unmask = Unmask { round_id, ballot: digest(4), index, own, dropped };
    write("payload", "unmask", &codec::encode(&unmask).unwrap());
    let ledger_heads = vec![(at(1), digest(3))];
    let sum = vec![0, -1, i64::MAX, i64::MIN];
    let outcome = Outcome { round_id, config, survivors: all, sum, ledger_heads };
    write("payload", "outcome", &codec::encode(&outcome).unwrap());
    let from = transcript::Party::Site(index);
    let entry = transcript::Entry { from, name: "vote".to_owned(), bytes: vec![1, 2, 3] };
    write("entry", "transcript", &codec::encode(&entry).unwrap());
    write("frame", "message", &[0, 0, 0, 3, 1, 2, 3]);
    write("frame", "empty", &[0, 0, 0, 0]);
}

fn write_roster() {
    let party = |n: u8| Party {
        id: format!("site-{n}").parse().unwrap(),
        name: format!("Site {n}"),
        signing_key: Key([n; 32]),
        certificate: Key([100 + n; 32]),
    };
    let sites = (1..=3).map(party).collect();
    let roster = Roster::of("demo".parse().unwrap(), 1, 1, party(0), sites).unwrap();
    write("roster", "three-sites", roster.to_toml().unwrap().as_bytes());
}

/// A CSV file with what CSV allows, and Parquet files of each kind of column and compression.
fn write_tables() {
    let text = "\u{feff}Id,\"Note, free\"\r\na,\"x\r\ny \"\"z\"\"\"\r\n\r\n,é\r\nb,";
    write("csv", "quoted", text.as_bytes());
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let columns = [("number", numbers), ("word", words)];
    write_parquet("two-columns", columns, Compression::UNCOMPRESSED);
    let levels: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("a")].into_iter().collect();
    let cents = Decimal128Array::from(vec![Some(1250), Some(-5), None]);
    let moments = TimestampMicrosecondArray::from(vec![Some(1_782_892_800_250_000), None, Some(0)]);
    let columns: [(&str, ArrayRef); 6] = [
        ("level", Arc::new(levels)),
        ("cents", Arc::new(cents.with_precision_and_scale(9, 2).unwrap())),
        ("at", Arc::new(moments.with_timezone("+02:00"))),
        ("day", Arc::new(Date32Array::from(vec![Some(20635), Some(0), None]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("real", Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN), None]))),
    ];
    let kinds = [
        ("plain", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("lz4", Compression::LZ4_RAW),
        ("gzip", Compression::GZIP(GzipLevel::default())),
        ("zstd", Compression::ZSTD(ZstdLevel::default())),
    ];
    for (name, compression) in kinds {
        write_parquet(name, columns.clone(), compression);
    }
}

fn write_parquet<const N: usize>(name: &str, columns: [(&str, ArrayRef); N], by: Compression) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let how = WriterProperties::builder().set_compression(by).set_created_by("seed".to_owned());
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(how.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    write("parquet", name, &bytes);
}

fn write_settings() {
    let listen = "127.0.0.1:7843".parse().unwrap();
    let settings = NodeConfig::new(listen);
    write("node_config", "as-made", settings.to_toml().unwrap().as_bytes());
    let epsilon = |value| Epsilon::new(value).unwrap();
    let limits = Some((epsilon(3.0), epsilon(9.0)));
    let limited = settings.with_limits(limits, limits);
    write("node_config", "limited", limited.to_toml().unwrap().as_bytes());
    let settings = CoordinatorConfig::new(listen);
    write("coordinator_config", "as-made", settings.to_toml().unwrap().as_bytes());
}

fn write_answers() {
    let all: Vec<String> = (1..=10).map(|n| format!("q{n} {}\n", 1 + n % 5)).collect();
    write("answers", "all", all.concat().as_bytes());
    let some = ["q1 5\n", "q2 NA\n", "q3 3\n"].concat() + &all[3..].concat();
    write("answers", "some", some.as_bytes());
    write("answers", "one", b"b1 3");
}

/// A round of three sites: its transcript, edits of it, a site's receipts, decisions and evidence.
fn write_round() {
    let federation = Federation::of(3, 1, 3);
    let mut round = Round::new(&federation, 11);
    round.run(&mut faithful);
    let entries = &round.transcript;
    let (study, roster) = (STUDY.replace("MIN", "3"), federation.roster.to_toml().unwrap());
    let count = u32::try_from(entries.len()).unwrap();
    let papers = Papers { study: study.clone(), roster: roster.clone(), entries: count };
    let mut file = TRANSCRIPT.to_vec();
    let mut put = |bytes: Vec<u8>| {
        file.extend(frame::header(&bytes, 1 << 20).unwrap());
        file.extend(bytes);
    };
    put(codec::encode(&papers).unwrap());
    for entry in entries {
        put(codec::encode(entry).unwrap());
    }
    put(codec::encode(&seal(&key(0), &papers, entries).unwrap()).unwrap());
    write("transcript", "three-sites", &file);
    write("replay", "as-it-was", &[]);
    // Two edits that undo each other: messages 2 and 3 change places, and change back.
    write("replay", "twice-exchanged", &[1, 2, 0, 2, 0, 1, 2, 0, 2, 0]);
    let receipts = receipts(entries);
    write("receipts", "three", &codec::encode(&receipts).unwrap());
    let digest = federation.study.digest();
    let records = decisions(digest, federation.roster.digest());
    write("decisions", "six", &codec::encode(&records).unwrap());
    let result = entries.iter().find(|entry| entry.name == "result").unwrap();
    let ToSite::Result(result) = codec::decode(&result.bytes).unwrap() else { panic!() };
    let (me, coordinator) = (key(1).verifying_key(), federation.roster.coordinator().signing_key);
    let own = |receipt: &&Receipt| receipt.read(&me, coordinator).is_some();
    let evidence = Evidence {
        format: evidence::FORMAT,
        site: "site-1".parse().unwrap(),
        budget: accounts(10.0, 20.0),
        budget_study: Some(accounts(5.0, 10.0)),
        budget_year: None,
        rosters: vec![roster],
        studies: vec![study],
        officers: vec![Officer {
            key: public(OFFICER),
            pinned_unix_s: 1_770_000_000,
            decisions: records.iter().map(Record::from).collect(),
        }],
        profiles: profiles(&federation),
        ledger: vec![Hex(codec::encode(&charged(&federation)).unwrap())],
        results: vec![Record::from(&result)],
        receipts: receipts.iter().filter(own).map(Shown::from).collect(),
    };
    let digest = evidence.digest().unwrap();
    let signature = key(1).sign(evidence::LABEL, digest.as_bytes());
    let signature = Hex(signature.as_bytes().to_vec());
    let exported = Exported { evidence, signature };
    write("evidence", "one-round", &serde_json::to_vec(&exported).unwrap());
}

/// A profile that two people signed before the charge, and the release that was charged.
fn profiles(federation: &Federation) -> Profiles {
    let text = include_str!("../../../configs/profiles/ethics-approved-research.toml");
    let document = Document::parse(text).unwrap().digest();
    let pins = Pins { officers: 1, representatives: 1 };
    let word = |(by, role)| {
        let word = Word { document, role, said: Told::Given, at_unix_s: 1_785_000_000 };
        Said { pins, word: Record::from(&word.sign(&key(by)).unwrap()) }
    };
    let study = &federation.study;
    let recipients: Vec<String> = study.recipients().iter().map(ToString::to_string).collect();
    Profiles {
        representatives: vec![Pin { key: public(STAFF), pinned_unix_s: 1_770_000_001 }],
        documents: vec![text.to_owned()],
        words: [(OFFICER, Role::Officer), (STAFF, Role::StaffRepresentative)].map(word).into(),
        releases: vec![Release {
            round: federation.config(1).digest().unwrap().to_string(),
            at_unix_s: 1_790_000_000,
            study: study.digest().to_string(),
            purpose: study.purpose().to_owned(),
            recipients: recipients.join(", "),
            profile: document.to_string(),
            small_cells: "refused".to_owned(),
            words: 2,
            pins,
        }],
    }
}

fn public(index: u16) -> Key {
    Key(*key(index).verifying_key().as_bytes())
}

/// What the coordinator keeps of the answers.
fn receipts(entries: &[transcript::Entry]) -> Vec<Receipt> {
    let ToSite::Announce(announced) = codec::decode(&entries[0].bytes).unwrap() else { panic!() };
    let headers = entries.iter().filter_map(|entry| Receipt::header_of(&entry.bytes));
    headers.map(|header| Receipt { config: announced.payload.clone(), header }).collect()
}

/// An approval, a release that was let go and one that was not, and an approval after a revocation.
fn decisions(study: Digest, roster: Digest) -> Vec<Signed> {
    let round = |n| Digest::new([n; 32]);
    let mut records = Vec::new();
    for (at_unix_s, what) in [
        (1_780_000_000, What::Approve { study, small_cells: SmallCells::Refused }),
        (1_795_000_000, What::Release { round: round(1) }),
        (1_795_000_001, What::Withhold { round: round(2) }),
        (1_796_000_000, What::Revoke { study }),
        (1_796_500_000, What::AcceptLoss { head: round(3) }),
        (1_797_000_000, What::Approve { study, small_cells: SmallCells::Accepted }),
    ] {
        let so_far = Decisions::of(&key(OFFICER).verifying_key(), &records).unwrap();
        records.push(so_far.sign(&key(OFFICER), roster, at_unix_s, what).unwrap().1);
    }
    records
}

/// The charge that a site of [`Round`] made.
fn charged(federation: &Federation) -> ledger::Entry {
    let mut journal = Memory::default();
    let mut ledger = Ledger::open(Lent(&mut journal), &[], budgets(10.0, 20.0)).unwrap();
    let round = federation.config(1).digest().unwrap();
    let _ = now(ledger.charge(&federation.plan, round, 1_790_000_000)).unwrap();
    journal.0.remove(0)
}

/// A journal that outlives its ledger.
struct Lent<'a>(&'a mut Memory);

impl Journal for Lent<'_> {
    type Error = std::convert::Infallible;
    async fn append(&mut self, entry: &ledger::Entry) -> Result<(), Self::Error> {
        self.0.append(entry).await
    }
}

fn accounts(clinician: f64, patient: f64) -> Accounts {
    let account = |epsilon| Account { epsilon, delta: 1e-6 };
    Accounts { clinician: account(clinician), patient: account(patient) }
}
