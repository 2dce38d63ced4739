//! Expands a 32-byte key into a pad as long as the release and adds it to, or takes it from, the vector.
//!
//! ```text
//! pad_k = LE64( keystream[8k .. 8k+8] )     ChaCha20, RFC 8439 §2.4: block counter from 0, nonce 0
//! v_k ← v_k ± pad_k   mod 2⁶⁴
//! ```
//! The nonce may be zero because a key serves one pad, ever. The layout is part of the protocol: two sites that
//! expand the same key must cancel to the bit on every machine. Where keys come from is [`super::key`]'s work, and
//! who adds and who subtracts is [`super::mask`]'s.

use std::fmt;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::work::{Job, Workers};

/// Bytes of keystream made at a time: the widest vector units make 16 blocks at once. They stay in the first-level
/// cache, so the vector is read and written once, and wiping them costs little beside a short pad.
const SCRATCH: usize = 1024;

/// Words of keystream made at a time.
const SCRATCH_WORDS: usize = SCRATCH / size_of::<u64>();

/// Bytes of one block of the cipher.
const BLOCK: usize = 64;

/// Shortest and longest part of a vector that one piece of work takes all pads over: starting a cipher costs little
/// beside it, and it stays in the first-level cache meanwhile.
const PART_WORDS_MIN: usize = 4 * SCRATCH_WORDS;
const PART_WORDS_MAX: usize = 16 * SCRATCH_WORDS;

/// A vector is cut into about so many parts, so that as many threads have something to do.
const PARTS: usize = 64;

/// Why a vector was not padded. It is unchanged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PadError {
    /// The cipher's 32-bit counter ends after 256 GiB; a pad that began again would repeat itself.
    #[error("a vector of {got} words is longer than one key's pad")]
    TooLong {
        /// Words of the vector.
        got: usize,
    },
}

/// The key of one pad: a pair's, or a site's own. Wiped when dropped; prints no byte.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PadKey([u8; 32]);

impl PadKey {
    /// The pad key with these bytes, as derived by [`super::key`].
    pub fn new(bytes: &Zeroizing<[u8; 32]>) -> Self {
        Self(**bytes)
    }
}

impl fmt::Debug for PadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PadKey(32 bytes)")
    }
}

/// Adds the pad of `key` to every word, modulo 2⁶⁴, in place.
///
/// # Errors
/// [`PadError::TooLong`] beyond 256 GiB; `words` is unchanged.
pub fn add_pad(key: &PadKey, words: &mut [u64]) -> Result<(), PadError> {
    with_pad(key, words, |word, pad| *word = word.wrapping_add(pad))
}

/// Takes the pad of `key` from every word, modulo 2⁶⁴, in place: undoes [`add_pad`].
///
/// # Errors
/// [`PadError::TooLong`] beyond 256 GiB; `words` is unchanged.
pub fn sub_pad(key: &PadKey, words: &mut [u64]) -> Result<(), PadError> {
    with_pad(key, words, |word, pad| *word = word.wrapping_sub(pad))
}

/// Which way a pad goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Added to the vector.
    Plus,
    /// Taken off the vector.
    Minus,
}

/// Adds or takes off many pads at once, modulo 2⁶⁴, in place: the same as one after the other.
///
/// The vector is cut into parts, and a piece of work takes every pad over its part: no thread writes where another
/// does, and nothing but the vector and the keys is held.
///
/// # Errors
/// [`PadError::TooLong`] beyond 256 GiB; `words` is unchanged.
pub fn apply_pads(
    pads: &[(Sign, &PadKey)],
    words: &mut [u64],
    workers: &dyn Workers,
) -> Result<(), PadError> {
    check_length(words.len())?;
    let part_words = words.len().div_ceil(PARTS).next_multiple_of(SCRATCH_WORDS);
    let part_words = part_words.clamp(PART_WORDS_MIN, PART_WORDS_MAX);
    let jobs = words.chunks_mut(part_words).enumerate().map(|(place, part)| -> Job<'_> {
        let first = place.saturating_mul(part_words);
        Box::new(move || {
            let mut scratch = Zeroizing::new([0_u8; SCRATCH]);
            for (sign, key) in pads {
                let pad = Pad { key, first };
                match sign {
                    Sign::Plus => pad.over(part, &mut scratch, |w, p| *w = w.wrapping_add(p)),
                    Sign::Minus => pad.over(part, &mut scratch, |w, p| *w = w.wrapping_sub(p)),
                }
            }
        })
    });
    workers.run(jobs.collect());
    Ok(())
}

/// Hands each word, with its element of the pad, to `apply`.
fn with_pad(
    key: &PadKey,
    words: &mut [u64],
    apply: impl Fn(&mut u64, u64),
) -> Result<(), PadError> {
    check_length(words.len())?;
    Pad { key, first: 0 }.over(words, &mut Zeroizing::new([0; SCRATCH]), apply);
    Ok(())
}

/// Refuses a vector beyond the cipher's counter: 2³² blocks.
fn check_length(words: usize) -> Result<(), PadError> {
    let blocks = words.div_ceil(const { BLOCK / size_of::<u64>() });
    u32::try_from(blocks).map(drop).map_err(|_| PadError::TooLong { got: words })
}

/// A key's pad from its element `first`, a multiple of 8, on: no block is broken.
#[derive(Clone, Copy)]
struct Pad<'a> {
    key: &'a PadKey,
    first: usize,
}

impl Pad<'_> {
    /// Hands each word of a part, with its element of the pad, to `apply`. The caller checked the length, and wipes
    /// the scratch.
    fn over(self, part: &mut [u64], scratch: &mut [u8; SCRATCH], apply: impl Fn(&mut u64, u64)) {
        let mut cipher = ChaCha20::new((&self.key.0).into(), &[0; 12].into());
        cipher.seek(self.first.saturating_mul(size_of::<u64>()));
        for part in part.chunks_mut(SCRATCH_WORDS) {
            // Whole blocks only: the cipher would keep the rest of a broken block in a buffer that nobody wipes.
            let (keystream, _) = scratch.split_at_mut(size_of_val(part).next_multiple_of(BLOCK));
            cipher.unchecked_write_keystream(keystream);
            let (pad, _) = keystream.as_chunks::<{ size_of::<u64>() }>();
            for (word, pad) in part.iter_mut().zip(pad) {
                apply(word, u64::from_le_bytes(*pad));
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;
    use ring::digest::{SHA256, digest};

    use super::*;

    fn pad(key: [u8; 32], words: usize) -> Vec<u64> {
        let mut vector = vec![0; words];
        add_pad(&PadKey(key), &mut vector).unwrap();
        vector
    }

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn le_bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn matches_the_keystream_of_rfc_8439() {
        // Appendix A.1, test vectors 1 (counter 0) and 2 (counter 1): key and nonce of zeros.
        let expected = bytes(concat!(
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7",
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
            "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed",
            "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
        ));
        assert_eq!(le_bytes(&pad([0; 32], 16)), expected);
        // Appendix A.1, test vector 3 is key 00…01; its counter is 1, so its block is our second.
        let mut key = [0; 32];
        key[31] = 1;
        let expected = bytes(concat!(
            "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a",
            "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0",
        ));
        assert_eq!(le_bytes(&pad(key, 16)[8..]), expected);
    }

    #[test]
    fn a_long_pad_matches_an_independent_implementation() {
        // SHA-256 of 8 · 10007 bytes of keystream made with OpenSSL; 10007 words end inside a block and a scratch.
        let key = bytes("c1c987ac1ef983a43788789d56cdb8f9dcfe7bafb6889121082ece0f0dbe567d");
        let words = pad(key.try_into().unwrap(), 10_007);
        assert_eq!(
            words[..3],
            [0xd9d9_2474_ffa4_df7d, 0x4aba_0d15_4be5_672f, 0xee06_e9e2_053e_06b1]
        );
        let expected = bytes("78c497cfc6787d178bc0a60df426773a2a75c30df3c6efe152469541c51f61b4");
        assert_eq!(digest(&SHA256, &le_bytes(&words)).as_ref(), expected);
    }

    #[test]
    fn an_empty_vector_stays_empty() {
        assert!(pad([7; 32], 0).is_empty());
    }

    #[test]
    fn debug_prints_no_byte_of_a_key() {
        assert_eq!(format!("{:?}", PadKey([77; 32])), "PadKey(32 bytes)");
    }

    /// Two threads, started for the occasion.
    #[derive(Debug)]
    struct TwoThreads;

    impl Workers for TwoThreads {
        fn run(&self, jobs: Vec<Job<'_>>) {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            for (place, job) in jobs.into_iter().enumerate() {
                if place.is_multiple_of(2) { one.push(job) } else { other.push(job) }
            }
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for job in one {
                        job();
                    }
                });
                for job in other {
                    job();
                }
            });
        }
    }

    #[test]
    fn many_pads_at_once_are_the_same_as_one_after_the_other() {
        let keys: Vec<PadKey> = (0..7).map(|n| PadKey([n; 32])).collect();
        let sign = |n: usize| if n.is_multiple_of(3) { Sign::Minus } else { Sign::Plus };
        let pads: Vec<(Sign, &PadKey)> =
            keys.iter().enumerate().map(|(n, key)| (sign(n), key)).collect();
        for length in [0, 1, 127, 128, 129, 1_000, 8_192, 10_007, 200_001] {
            let mut expected: Vec<u64> = (0..length).collect();
            for (sign, key) in &pads {
                match sign {
                    Sign::Plus => add_pad(key, &mut expected).unwrap(),
                    Sign::Minus => sub_pad(key, &mut expected).unwrap(),
                }
            }
            let mut words: Vec<u64> = (0..length).collect();
            apply_pads(&pads, &mut words, &super::super::work::InTurn).unwrap();
            assert!(words == expected, "{length} words");
            let mut words: Vec<u64> = (0..length).collect();
            apply_pads(&pads, &mut words, &TwoThreads).unwrap();
            assert!(words == expected, "{length} words by two threads");
        }
    }

    #[test]
    fn a_pad_ends_with_the_counter_of_its_cipher() {
        let blocks = usize::try_from(u32::MAX).unwrap();
        assert_eq!(check_length(blocks * 8), Ok(()));
        assert_eq!(check_length(blocks * 8 + 1), Err(PadError::TooLong { got: blocks * 8 + 1 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn taking_a_pad_undoes_adding_it(
            key: [u8; 32],
            words in prop::collection::vec(any::<u64>(), 0..1500),
        ) {
            let key = PadKey(key);
            let (mut up, mut down) = (words.clone(), words.clone());
            add_pad(&key, &mut up).unwrap();
            prop_assert!(words.is_empty() || up != words);
            sub_pad(&key, &mut up).unwrap();
            prop_assert_eq!(&up, &words);
            sub_pad(&key, &mut down).unwrap();
            add_pad(&key, &mut down).unwrap();
            prop_assert_eq!(&down, &words);
        }

        #[test]
        fn a_shorter_pad_is_the_start_of_a_longer_one(key: [u8; 32], short in 0_usize..1100) {
            prop_assert_eq!(&pad(key, short)[..], &pad(key, 1100)[..short]);
        }

        #[test]
        fn adding_is_modulo_two_to_the_sixty_four(key: [u8; 32], words in prop::collection::vec(any::<u64>(), 1..64)) {
            let pad = pad(key, words.len());
            let mut sum = words.clone();
            add_pad(&PadKey(key), &mut sum).unwrap();
            for ((sum, word), pad) in sum.iter().zip(&words).zip(&pad) {
                let (expected, _) = word.overflowing_add(*pad);
                prop_assert_eq!(*sum, expected);
            }
        }
    }
}
