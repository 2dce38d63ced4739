//! Which generator masks are made with: what expanding and adding a mask costs beside the same cipher's bare keystream,
//! all measured in turn in one run.
//!
//! The wire has ChaCha20 (protocol version 1). AES-256 in counter mode is what a later version could have; it stands
//! here only. ChaCha20 has a backend for AVX-512 that the crate builds on demand:
//! `RUSTFLAGS="--cfg chacha20_avx512" cargo bench --bench generator`.
#[path = "common/mod.rs"]
mod report;

use aes::Aes256;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use ctr::Ctr64LE;
use report::{cpu_s, median, print, say};
use std::hint::black_box;
use tacit_shared::secagg::pad::{PadKey, Sign, add_pad, apply_pads};
use tacit_shared::secagg::work::InTurn;
use zeroize::Zeroizing;

/// Bytes of keystream at a time: the same for all.
const SCRATCH: usize = 1024;
/// Words of a release.
const WORDS: [usize; 3] = [1_000, 10_000, 100_000];
/// How often each is measured, in turn, and how many bytes each time.
const TURNS: usize = 9;
const BYTES: usize = 256 << 20;

type Aes = Ctr64LE<Aes256>;

fn main() {
    let flags = option_env!("RUSTFLAGS").unwrap_or("none");
    say(&format!("RUSTFLAGS: {flags}. GB of keystream for each second of processor time."));
    let mut rows = Vec::new();
    for words in WORDS {
        let mut vector = vec![0_u64; words];
        let keys: Vec<PadKey> = (0..16).map(|n| PadKey::new(&Zeroizing::new([n; 32]))).collect();
        let many: Vec<(Sign, &PadKey)> = keys.iter().map(|key| (Sign::Minus, key)).collect();
        let mut rates: [Vec<f64>; 5] = [const { Vec::new() }; 5];
        for _ in 0..TURNS {
            let measured = [
                rate(words, || raw(&mut ChaCha20::new(&[7; 32].into(), &[0; 12].into()), words)),
                rate(words, || {
                    let key = PadKey::new(&Zeroizing::new([7; 32]));
                    black_box(add_pad(&key, black_box(&mut vector))).ok();
                }),
                rate(words * many.len(), || {
                    black_box(apply_pads(&many, black_box(&mut vector), &InTurn)).ok();
                }),
                rate(words, || raw(&mut Aes::new(&[7; 32].into(), &[0; 16].into()), words)),
                rate(words, || add(&mut Aes::new(&[7; 32].into(), &[0; 16].into()), &mut vector)),
            ];
            for (all, one) in rates.iter_mut().zip(measured) {
                all.push(one);
            }
        }
        let [chacha, chacha_add, chacha_many, aes, aes_add] =
            rates.each_ref().map(|all| median(all));
        let ratio = |a: f64, b: f64| format!("{:.0} %", 100.0 * a / b);
        rows.push(vec![
            words.to_string(),
            format!("{chacha:.2}"),
            format!("{chacha_add:.2}"),
            ratio(chacha_add, chacha),
            format!("{chacha_many:.2}"),
            ratio(chacha_many, chacha),
            format!("{aes:.2}"),
            format!("{aes_add:.2}"),
            ratio(aes_add, aes),
            format!("{:.2}", aes_add / chacha_add),
        ]);
    }
    let head = [
        "d",
        "ChaCha20 raw",
        "mask (wire)",
        "of raw",
        "opening, 16 at once",
        "of raw",
        "AES-256-CTR raw",
        "mask",
        "of raw",
        "AES / ChaCha20",
    ];
    print("Mask generators", &head, &rows);
}

/// GB for each second of processor time.
#[expect(clippy::cast_precision_loss, reason = "some hundred million bytes")]
fn rate(words: usize, mut work: impl FnMut()) -> f64 {
    let times = BYTES / (words * size_of::<u64>());
    let start = cpu_s();
    for _ in 0..times {
        work();
    }
    (times * words * size_of::<u64>()) as f64 / 1e9 / (cpu_s() - start)
}

/// The keystream of a vector, into a buffer in the first-level cache.
fn raw(cipher: &mut impl StreamCipher, words: usize) {
    let mut scratch = [0_u8; SCRATCH];
    let mut left = words * size_of::<u64>();
    while left > 0 {
        let (part, _) = scratch.split_at_mut(left.min(SCRATCH).next_multiple_of(64).min(SCRATCH));
        cipher.write_keystream(part);
        black_box(&part);
        left = left.saturating_sub(part.len());
    }
}

/// As [`add_pad`] does it, with any cipher.
fn add(cipher: &mut impl StreamCipher, vector: &mut [u64]) {
    let mut scratch = Zeroizing::new([0_u8; SCRATCH]);
    for part in black_box(vector).chunks_mut(SCRATCH / size_of::<u64>()) {
        let (keystream, _) = scratch.split_at_mut(size_of_val(part).next_multiple_of(64));
        cipher.write_keystream(keystream);
        let (pad, _) = keystream.as_chunks::<{ size_of::<u64>() }>();
        for (word, pad) in part.iter_mut().zip(pad) {
            *word = word.wrapping_add(u64::from_le_bytes(*pad));
        }
    }
}
