//! What the primitives of secure aggregation cost: masks, sharing, agreement, sealing and signatures.
//!
//! `raw_keystream` is the limit that `add_pad` is to be held against: the same cipher writing into a buffer that
//! stays in the first-level cache, with nothing done to it. The two compare in an optimised build only: the limit is
//! compiled with this file.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use rand::{SeedableRng, rngs::ChaCha20Rng};
use tacit_shared::secagg::key::identity::IdentityKey;
use tacit_shared::secagg::key::seal::{open_shares, seal_shares};
use tacit_shared::secagg::key::{Binding, Peer, SecretKey};
use tacit_shared::secagg::pad::{PadKey, add_pad};
use tacit_shared::secagg::share::{Lagrange, SecretScalar, Share, split};
use zeroize::Zeroizing;

/// Words of a release: a small, a middling and the largest study.
const WORDS: [usize; 4] = [200, 1_000, 10_000, 100_000];

/// Sites, and how many of them restore a secret.
const ROUNDS: [(u16, usize); 3] = [(10, 7), (100, 67), (1000, 667)];

fn main() {
    divan::main();
}

#[divan::bench(args = WORDS)]
fn raw_keystream(bencher: Bencher, words: usize) {
    let mut scratch = [0_u8; 1024];
    bencher.counter(BytesCount::of_many::<u64>(words)).bench_local(|| {
        let mut cipher = ChaCha20::new(&[7; 32].into(), &[0; 12].into());
        let mut left = words * size_of::<u64>();
        while left > 0 {
            let (part, _) = scratch.split_at_mut(left.min(1024));
            cipher.unchecked_write_keystream(part);
            left -= part.len();
            black_box(part);
        }
    });
}

#[divan::bench(args = WORDS)]
fn pad(bencher: Bencher, words: usize) {
    let key = PadKey::new(&Zeroizing::new([7; 32]));
    let mut vector = vec![0; words];
    bencher
        .counter(BytesCount::of_many::<u64>(words))
        .bench_local(|| add_pad(&key, black_box(&mut vector)));
}

#[divan::bench(args = ROUNDS)]
fn share_a_secret(bencher: Bencher, (sites, threshold): (u16, usize)) {
    let (secret, holders, mut rng) = sharing(sites);
    bencher.bench_local(|| split(&secret, threshold, &holders, &mut rng));
}

#[divan::bench(args = ROUNDS)]
fn weights_of_a_set(bencher: Bencher, (sites, threshold): (u16, usize)) {
    let (_, holders, _) = sharing(sites);
    bencher.bench_local(|| Lagrange::at_zero(holders.get(..threshold).unwrap_or_default()));
}

#[divan::bench(args = ROUNDS)]
fn restore_a_secret(bencher: Bencher, (sites, threshold): (u16, usize)) {
    let (secret, holders, mut rng) = sharing(sites);
    let mut shares = split(&secret, threshold, &holders, &mut rng).unwrap_or_default();
    shares.truncate(threshold);
    let answering: Vec<u16> = shares.iter().map(Share::holder).collect();
    let set = Lagrange::at_zero(&answering);
    bencher.bench_local(|| set.as_ref().map(|set| set.recombine(&shares)));
}

#[divan::bench]
fn agree_on_a_pair_key(bencher: Bencher) {
    let (own, peer, binding) = pair();
    bencher.bench_local(|| binding.pair_key(&own, 1, &peer));
}

#[divan::bench]
fn agree_seal_and_open(bencher: Bencher) {
    let (own, peer, binding) = pair();
    let share = || Share::from_bytes(2, &[5; 32]);
    bencher.bench_local(|| {
        let sealed = seal_shares(binding.share_key_to(&own, 1, &peer)?, &share()?, &share()?)?;
        let opened = open_shares(binding.share_key_to(&own, 1, &peer)?, &sealed)?;
        Ok::<_, Box<dyn std::error::Error>>(opened)
    });
}

#[divan::bench(args = [100, 100_000])]
fn sign(bencher: Bencher, bytes: usize) {
    let (key, payload) = (IdentityKey::from_seed(&[3; 32]), vec![7; bytes]);
    bencher.bench_local(|| key.as_ref().map(|key| key.sign("masked", &payload)));
}

#[divan::bench(args = [100, 100_000])]
fn verify(bencher: Bencher, bytes: usize) {
    let (key, payload) = (IdentityKey::from_seed(&[3; 32]), vec![7; bytes]);
    let signed = key.map(|key| (key.verifying_key(), key.sign("masked", &payload)));
    bencher.bench_local(|| {
        signed.as_ref().map(|(key, signature)| key.verify("masked", &payload, signature))
    });
}

fn sharing(sites: u16) -> (SecretScalar, Vec<u16>, ChaCha20Rng) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    (SecretScalar::draw(&mut rng), (1..=sites).collect(), rng)
}

fn pair() -> (SecretKey, Peer, Binding) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let (own, other) = (SecretKey::draw(&mut rng), SecretKey::draw(&mut rng));
    let binding = Binding { round_id: [1; 32], salt: [2; 32], u1: [3; 32] };
    (own, Peer { index: 2, key: other.public() }, binding)
}
