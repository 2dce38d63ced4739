//! Every reader of foreign bytes, over its seeds and seeded alterations of them: none of them panics.
//!
//! A smoke test for any compiler; `tests/fuzz/README.md` says how to search further. How much is tried is a count, not
//! a time: `TACIT_FUZZ_CASES` alterations for each target.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "says which case it was")]
#[expect(dead_code, reason = "the rounds of another test")]
#[path = "round/rounds.rs"]
mod rounds;
#[path = "fuzz_smoke/seeds.rs"]
mod seeds;
#[path = "../fuzz/targets.rs"]
mod targets;

use rand::rngs::ChaCha20Rng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use std::fs;
use std::path::{Path, PathBuf};
use tacit_coordinator::command::verify as transcript_verify;
use tacit_node::command::verify as evidence_verify;
use tacit_shared::codec;
use tacit_shared::frame;
use tacit_shared::protocol::message::Signed;
use tacit_shared::protocol::receipt::{Receipt, receipts_bytes_max};
use targets::{TARGETS, Target, signed};

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
        "profile" => Some("../configs/profiles"),
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
        seeds::write_all();
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

/// A file of zeros behind `head`, longer than any reader takes; the file system stores none of it.
fn oversized(dir: &Path, head: &[u8], length: u64) -> PathBuf {
    let path = dir.join("oversized");
    fs::write(&path, head).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
    path
}

#[test]
fn what_is_longer_than_its_reader_takes_is_refused_by_its_length() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = oversized(dir.path(), b"{", (512 << 20) + 1);
    let fault = evidence_verify::verify(&evidence_verify::VerifyArgs { evidence }).unwrap_err();
    assert_eq!(fault.message, "536870913 bytes; expected at most 536870912");
    let transcript = oversized(dir.path(), signed::TRANSCRIPT, (2 << 30) + 1);
    let args = transcript_verify::VerifyArgs { transcript, roster: None, result: None };
    let fault = transcript_verify::verify(&args).unwrap_err();
    let expected = "not a transcript: 2147483649 bytes; expected at most 2147483648";
    assert_eq!(fault.message, expected);
}

/// A short message that claims to be a long one: the claim is held against a bound, or against what is there.
#[test]
fn a_claimed_length_is_refused_before_anything_of_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    for (claim, told) in [
        ((64 << 20) + 1, "not a transcript: a frame of 67108865 bytes, 67108864 at most here"),
        (64 << 20, "not a transcript: it ends too early"),
    ] {
        let path = dir.path().join("transcript");
        fs::write(&path, [signed::TRANSCRIPT, &u32::to_be_bytes(claim)].concat()).unwrap();
        let args = transcript_verify::VerifyArgs { transcript: path, roster: None, result: None };
        assert_eq!(transcript_verify::verify(&args).unwrap_err().message, told);
    }
    for sites in [3, 1000] {
        let limit = receipts_bytes_max(sites);
        assert!(limit < 1 << 20, "{sites} sites: {limit}");
        assert!(frame::length((limit + 1).to_be_bytes(), limit).is_err());
    }
    // A list that claims 2⁶⁴ − 1 receipts, and one whose first receipt claims as many bytes.
    let endless = [&[253], [255; 8].as_slice()].concat();
    for claim in [endless.clone(), [&[1], endless.as_slice()].concat()] {
        assert!(codec::decode::<Vec<Receipt>>(&claim).is_err());
        assert!(codec::decode::<Vec<Signed>>(&claim).is_err());
    }
}
