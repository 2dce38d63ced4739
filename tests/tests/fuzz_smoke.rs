//! Every reader of foreign bytes, over its seeds and seeded alterations of them: none of them panics.
//!
//! A smoke test for any compiler; `tests/fuzz/README.md` says how to search further. How much is tried is a count, not
//! a time: `TACIT_FUZZ_CASES` alterations for each target.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "says which case it was")]
#[path = "../fuzz/targets.rs"]
mod targets;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use rand::rngs::ChaCha20Rng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tacit_shared::codec::{self, Bytes};
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::config::RoundId;
use tacit_shared::protocol::message::{
    Advertise, Ballot, Delivery, MaskedHeader, Member, Outcome, SharesHeader, Signed, Survivors,
    ToHost, ToSite, Unmask,
};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::protocol::transcript;
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::secagg::key::PublicKey;
use tacit_shared::secagg::key::identity::Signature;
use targets::{TARGETS, Target};

/// Alterations of each target.
const CASES: u64 = 1_500;
/// No altered input is longer: a seed may be doubled, and doubled again.
const LENGTH_MAX: usize = 1 << 16;

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

/// The seeds of a target: its own, and files of the configuration that it reads.
fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let configured = match name {
        "study" => Some("../configs/studies"),
        "instrument" => Some("../configs/instruments"),
        "mapping" => Some("../configs/mappings"),
        _ => None,
    };
    let folders = [Some(folder("fuzz/corpus").join(name)), configured.map(folder)];
    let mut found = Vec::new();
    for folder in folders.into_iter().flatten().filter(|folder| folder.exists()) {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn every_seed_is_what_its_target_reads() {
    if std::env::var("TACIT_FUZZ_SEEDS").as_deref() == Ok("write") {
        write_seeds();
    }
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seed");
        for (path, bytes) in seeds {
            assert!(target(&bytes), "{path} is refused by {name}");
        }
    }
}

#[test]
fn no_reader_panics_on_altered_seeds() {
    let asked = std::env::var("TACIT_FUZZ_CASES").ok().and_then(|text| text.parse().ok());
    for target in TARGETS {
        let taken = alterations(target, asked.unwrap_or(CASES));
        println!("{}: {taken} altered inputs were still sound", target.0);
    }
}

/// Runs altered seeds through a target; how many of them it took.
fn alterations((name, target): Target, cases: u64) -> usize {
    let seeds: Vec<Vec<u8>> = seeds(name).into_iter().map(|(_, bytes)| bytes).collect();
    let mut taken = 0;
    for case in 0..cases {
        let input = altered(&seeds, &mut ChaCha20Rng::seed_from_u64(case));
        let told = Told { name, case };
        taken += usize::from(target(&input));
        std::mem::forget(told);
    }
    taken
}

/// Says which case it was, if the target panics.
struct Told {
    name: &'static str,
    case: u64,
}

impl Drop for Told {
    fn drop(&mut self) {
        println!("target {}, case {}", self.name, self.case);
    }
}

/// A seed with one to four alterations.
fn altered(seeds: &[Vec<u8>], rng: &mut ChaCha20Rng) -> Vec<u8> {
    const LURES: [&[u8]; 10] = [
        &[0xff; 8],
        &[0; 8],
        &[0xfd, 0xff, 0xff, 0xff, 0xff],
        &[0xfc],
        b"\"",
        b"\n",
        b"nan",
        b"-",
        b"1e999",
        b"[[",
    ];
    let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(1..5) {
        let place = rng.random_range(0..=bytes.len());
        let end = (place + rng.random_range(0..32)).min(bytes.len());
        match rng.random_range(0..8) {
            0 if place < bytes.len() => bytes[place] ^= 1 << rng.random_range(0..8),
            1 => bytes.truncate(place),
            2 => drop(bytes.drain(place..end)),
            3 => {
                let again = bytes[place..end].to_vec();
                bytes.splice(place..place, again);
            }
            4 => {
                let mut random = vec![0; rng.random_range(1..16)];
                rng.fill_bytes(&mut random);
                bytes.splice(place..end, random);
            }
            5 => drop(bytes.splice(place..end, LURES[rng.random_range(0..LURES.len())].to_vec())),
            6 => {
                let other = &seeds[rng.random_range(0..seeds.len())];
                let from = rng.random_range(0..=other.len());
                bytes.truncate(place);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let all = bytes.clone();
                bytes.extend(all);
            }
        }
        bytes.truncate(LENGTH_MAX);
    }
    bytes
}

#[test]
fn alterations_follow_from_their_number() {
    let seeds = [vec![1, 2, 3], vec![4; 100]];
    let one = |case| altered(&seeds, &mut ChaCha20Rng::seed_from_u64(case));
    assert!((0..50).all(|case| one(case) == one(case)));
    assert!((0..50).filter(|case| seeds.contains(&one(*case))).count() < 10);
}

/// Writes one small message of each kind, and one of each payload.
fn write_seeds() {
    let at = |n| SiteIndex::new(n).unwrap();
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
    write_files();
}

/// A small roster and a small Parquet file.
fn write_files() {
    let party = |n: u8| Party {
        id: format!("site-{n}").parse().unwrap(),
        name: format!("Site {n}"),
        signing_key: Key([n; 32]),
        certificate: Key([100 + n; 32]),
    };
    let sites = (1..=3).map(party).collect();
    let roster = Roster::of("demo".parse().unwrap(), 1, 1, party(0), sites).unwrap();
    write("roster", "three-sites", roster.to_toml().unwrap().as_bytes());
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let batch = RecordBatch::try_from_iter([("number", numbers), ("word", words)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    write("parquet", "two-columns", &bytes);
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = folder("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name.replace(' ', "-")), bytes).unwrap();
}
