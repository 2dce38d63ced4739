//! Hashes, derives and agrees every key of a round, to the byte.
//!
//! ```text
//! INFO(label, f₁ … f_k) = u8 len(label) ‖ label ‖ u32be len(f₁) ‖ f₁ ‖ …      H = SHA-256(INFO)
//! key       = HKDF-SHA256(salt = H("tacit/v1/round", round, config, roster), ikm, INFO(…))      RFC 5869
//! agreement = X25519(own secret, peer's public)                                                 RFC 7748
//! ```
//! The digest `u1` of the signed key directory enters every key made after it, so sites that were shown different
//! directories derive different keys, and the round fails instead of leaking. Sealing shares is [`seal`]'s work,
//! signing [`identity`]'s, expanding a [`PadKey`] [`super::pad`]'s, splitting a secret [`super::share`]'s; who may
//! send what, and when, is the protocol's.

pub mod identity;
pub mod seal;

use std::fmt;

use rand::CryptoRng;
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use x25519_dalek::StaticSecret;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::pad::PadKey;
use super::share::SecretScalar;
use seal::ShareKey;

/// Why a key was refused. Nothing was made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The bytes are not as many as an X25519 public key has.
    #[error("an X25519 public key is 32 bytes long, not {got}")]
    WrongLength {
        /// The length found.
        got: usize,
    },
    /// The public key has its high bit set or stands for 2²⁵⁵ − 19 or more: a twin of another key.
    #[error("the X25519 public key is not in canonical form (below 2^255 - 19)")]
    NotCanonical,
    /// The agreed secret would be zero whatever our key: the peer's key lies in the small subgroup.
    #[error("the X25519 public key is of low order: the agreed secret would not depend on ours")]
    NotContributory,
    /// A site has no pair with itself.
    #[error("site {index} cannot share a key with itself")]
    SameSite {
        /// The site given as both ends.
        index: u16,
    },
}

/// H(label, fields): SHA-256 of [`info`]'s bytes. Fields of any length below 4 GiB; nothing is copied.
pub fn hash(label: &'static str, fields: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    encode(label, fields, |bytes| context.update(bytes));
    first_32(context.finish().as_ref())
}

/// INFO(label, fields): the label and each field behind its length, so that no two lists give the same bytes.
///
/// The label, a constant of the program, is at most 255 bytes; a field is below 4 GiB.
pub fn info(label: &'static str, fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(label, fields, |part| bytes.extend_from_slice(part));
    bytes
}

/// HKDF-SHA256 (RFC 5869) with 32 bytes of output, which is its first block: HMAC(HMAC(salt, ikm), info ‖ 01).
pub fn derive(salt: &[u8; 32], ikm: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), ikm);
    let mut expand =
        hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref()));
    expand.update(info);
    expand.update(&[1]);
    Zeroizing::new(first_32(expand.sign().as_ref()))
}

/// The salt of every key of one round: H("tacit/v1/round", round, config, roster).
pub fn round_salt(round_id: &[u8; 32], config_hash: &[u8; 32], roster_hash: &[u8; 32]) -> [u8; 32] {
    hash("tacit/v1/round", &[round_id, config_hash, roster_hash])
}

/// The key by which site `index` agrees on pair masks, derived from the scalar `r` that it shares: whoever
/// restores `r` can make the key again and take the masks of a lost site off the sum.
pub fn mask_secret_key(salt: &[u8; 32], r: &SecretScalar, index: u16) -> SecretKey {
    let info = info("tacit/v1/mask-sk", &[&index.to_be_bytes()]);
    SecretKey::new(&derive(salt, r.to_bytes().as_slice(), &info))
}

/// hb: what site `index` says of `b` before it shares it, so that a restored `b` can be checked.
pub fn commit_b(round_id: &[u8; 32], index: u16, b: &SecretScalar) -> [u8; 32] {
    hash("tacit/v1/commit-b", &[round_id, &index.to_be_bytes(), b.to_bytes().as_slice()])
}

/// An X25519 public key in its one canonical encoding. That it is not of low order is seen at agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "[u8; 32]", into = "[u8; 32]")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key with this encoding: u, little endian, below 2²⁵⁵ − 19.
    ///
    /// # Errors
    /// [`KeyError::WrongLength`] unless 32 bytes; [`KeyError::NotCanonical`] if the high bit is set or u is too
    /// large, because such a key has a twin that agrees on the same secrets.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        <[u8; 32]>::try_from(bytes)
            .map_err(|_| KeyError::WrongLength { got: bytes.len() })
            .and_then(Self::try_from)
    }

    /// The encoding: 32 bytes, little endian.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<[u8; 32]> for PublicKey {
    type Error = KeyError;

    fn try_from(bytes: [u8; 32]) -> Result<Self, KeyError> {
        // p = 2²⁵⁵ − 19 is ed ff … ff 7f. From the top: a high bit, or all ones down to a lowest byte of ed or more.
        let [lowest, middle @ .., highest] = &bytes;
        let too_large =
            *highest == 0x7f && middle.iter().all(|byte| *byte == 0xff) && *lowest >= 0xed;
        if *highest > 0x7f || too_large { Err(KeyError::NotCanonical) } else { Ok(Self(bytes)) }
    }
}

impl From<PublicKey> for [u8; 32] {
    fn from(key: PublicKey) -> Self {
        key.0
    }
}

/// An X25519 secret key for one round, with its public key. Wiped when dropped; prints the public key only.
pub struct SecretKey {
    secret: StaticSecret,
    public: PublicKey,
}

impl SecretKey {
    /// A fresh key from 32 bytes of `rng`.
    pub fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self::new(&bytes)
    }

    /// The key a peer needs to agree with this one.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The secret this key and the peer's agree on. Not a key yet: it goes through [`derive()`].
    ///
    /// # Errors
    /// [`KeyError::NotContributory`] if the peer's key is of low order, 0 and 1 among them.
    pub fn agree(&self, peer: &PublicKey) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let agreed = self.secret.diffie_hellman(&peer.0.into());
        if agreed.was_contributory() {
            Ok(Zeroizing::new(agreed.to_bytes()))
        } else {
            Err(KeyError::NotContributory)
        }
    }

    fn new(bytes: &Zeroizing<[u8; 32]>) -> Self {
        let secret = StaticSecret::from(**bytes);
        // A base point multiple is reduced before it is encoded, so it is canonical.
        let public = PublicKey(x25519_dalek::PublicKey::from(&secret).to_bytes());
        Self { secret, public }
    }
}

impl ZeroizeOnDrop for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A peer as the signed directory lists it: its index and one of its two public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The peer's index in the roster, from 1.
    pub index: u16,
    /// Its key for sealing shares, or for pair masks, as the derivation asks.
    pub key: PublicKey,
}

/// What every key of a round is bound to once the key directory is signed.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The round: 32 random bytes.
    pub round_id: [u8; 32],
    /// [`round_salt`] of it.
    pub salt: [u8; 32],
    /// Digest of the whole signed key directory.
    pub u1: [u8; 32],
}

impl Binding {
    /// The key under which site `index`, with sealing key `own`, seals the shares that `to` will hold.
    ///
    /// # Errors
    /// [`KeyError::NotContributory`] or [`KeyError::SameSite`].
    pub fn share_key_to(
        &self,
        own: &SecretKey,
        index: u16,
        to: &Peer,
    ) -> Result<ShareKey, KeyError> {
        let from = Peer { index, key: own.public };
        self.share_key(&own.agree(&to.key)?, &from, to)
    }

    /// The key under which site `index`, with sealing key `own`, opens what `from` sealed for it.
    ///
    /// # Errors
    /// [`KeyError::NotContributory`] or [`KeyError::SameSite`].
    pub fn share_key_from(
        &self,
        own: &SecretKey,
        index: u16,
        from: &Peer,
    ) -> Result<ShareKey, KeyError> {
        let to = Peer { index, key: own.public };
        self.share_key(&own.agree(&from.key)?, from, &to)
    }

    /// The key of the mask between site `index`, with mask key `own`, and `peer`: the same from both ends. The
    /// lower index adds the pad, the higher takes it off.
    ///
    /// # Errors
    /// [`KeyError::NotContributory`] or [`KeyError::SameSite`].
    pub fn pair_key(&self, own: &SecretKey, index: u16, peer: &Peer) -> Result<PadKey, KeyError> {
        let own_end = Peer { index, key: own.public };
        let (low, high) = if index < peer.index { (&own_end, peer) } else { (peer, &own_end) };
        let info = self.pair_info("tacit/v1/pair-mask", low, high)?;
        Ok(PadKey::new(&derive(&self.salt, own.agree(&peer.key)?.as_slice(), &info)))
    }

    /// The key of the mask that site `index` alone knows until enough sites restore its `b`.
    pub fn self_mask_key(&self, index: u16, b: &SecretScalar) -> PadKey {
        let info = info("tacit/v1/self-mask", &[&index.to_be_bytes(), &self.u1]);
        PadKey::new(&derive(&self.salt, b.to_bytes().as_slice(), &info))
    }

    fn share_key(
        &self,
        agreed: &Zeroizing<[u8; 32]>,
        from: &Peer,
        to: &Peer,
    ) -> Result<ShareKey, KeyError> {
        let key_info = self.pair_info("tacit/v1/share-key", from, to)?;
        let (from_index, to_index) = (from.index.to_be_bytes(), to.index.to_be_bytes());
        Ok(ShareKey {
            key: derive(&self.salt, agreed.as_slice(), &key_info),
            aad: info("tacit/v1/share-aad", &[&self.round_id, &from_index, &to_index, &self.u1]),
            from: from.index,
            to: to.index,
        })
    }

    /// INFO(label, u16 a, u16 b, key of a, key of b, u1).
    fn pair_info(&self, label: &'static str, a: &Peer, b: &Peer) -> Result<Vec<u8>, KeyError> {
        if a.index == b.index {
            return Err(KeyError::SameSite { index: a.index });
        }
        let (a_index, b_index) = (a.index.to_be_bytes(), b.index.to_be_bytes());
        Ok(info(label, &[&a_index, &b_index, &a.key.0, &b.key.0, &self.u1]))
    }
}

/// Hands INFO(label, fields) to `sink`, part by part. Longer labels and fields than promised do not occur.
fn encode(label: &'static str, fields: &[&[u8]], mut sink: impl FnMut(&[u8])) {
    sink(&[u8::try_from(label.len()).unwrap_or(u8::MAX)]);
    sink(label.as_bytes());
    for field in fields {
        sink(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        sink(field);
    }
}

/// The 32 bytes of a SHA-256 or HMAC output, which `ring` hands out as a slice.
fn first_32(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::ChaCha20Rng};
    use ring::hkdf;

    use super::super::pad::add_pad;
    use super::*;

    // The known answers of one round, made in Python (hashlib, hmac, OpenSSL). r₁ serves as b₁ too.
    const SALT: &str = "9fddf3c0e7bbfd37e02257e64176be3a6474c4a3fcd056a0fb96d7783f3268eb";
    const R_1: &str = "f2e2a35c5ca76ca152a516d17cda9a280a611c671794c9ce937e6bf7b2a90d03";
    const MASK_SK_1: &str = "76214454958b17c1efe97c2c7117d3515c9630a4c99817c7ee37eb5c9e89fbf4";
    const S_PK_1: &str = "4e2a68d1c35336faefa0a52c22c5671d814a13107d26bfad0c797bd11a33bf6f";
    const S_PK_2: &str = "f3f9e363530b7ca292bcc33aa6f80a21c02250734561a2a22707bb3d34306027";
    const U1: &str = "128df5fdd6c1dc8f61cff8bb4b7906c1e015d2b7385d3cbe60d56a5846bf0ce0";
    const PAIR_1_2: &str = "c1c987ac1ef983a43788789d56cdb8f9dcfe7bafb6889121082ece0f0dbe567d";
    const PAIR_WORDS: [u64; 3] =
        [0xd9d9_2474_ffa4_df7d, 0x4aba_0d15_4be5_672f, 0xee06_e9e2_053e_06b1];
    const HB_1: &str = "43ddb682f3e5b3768e2af8f834f57fd8358fd6b72ebb302da1c76ae3e922ff21";
    const SELF_1: &str = "98daac218b959d11e5545a03dc28cff415d50b2b998cf4615f5c41e317945098";
    /// p = 2²⁵⁵ − 19, little endian.
    const P: [u8; 32] = {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xed;
        bytes[31] = 0x7f;
        bytes
    };

    pub(super) fn unhex<const N: usize>(hex: &str) -> [u8; N] {
        let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    fn round_id() -> [u8; 32] {
        std::array::from_fn(|i| u8::try_from(i).unwrap())
    }

    fn salt() -> [u8; 32] {
        let config = hash("tacit/v1/config", &[b"demo"]);
        round_salt(&round_id(), &config, &hash("tacit/v1/roster", &[b"demo"]))
    }

    pub(super) fn binding() -> Binding {
        Binding { round_id: round_id(), salt: salt(), u1: unhex(U1) }
    }

    fn r_1() -> SecretScalar {
        SecretScalar::from_bytes(&unhex(R_1)).unwrap()
    }

    pub(super) fn secret(byte: u8) -> SecretKey {
        SecretKey::new(&Zeroizing::new([byte; 32]))
    }

    pub(super) fn peer(index: u16, key: &SecretKey) -> Peer {
        Peer { index, key: key.public() }
    }

    fn words(key: &PadKey) -> [u64; 3] {
        let mut words = [0; 3];
        add_pad(key, &mut words).unwrap();
        words
    }

    fn words_of(hex: &str) -> [u64; 3] {
        words(&PadKey::new(&Zeroizing::new(unhex(hex))))
    }

    #[test]
    fn hashes_the_label_and_fields_behind_their_lengths() {
        assert_eq!(info("ab", &[b"c", b""]), b"\x02ab\0\0\0\x01c\0\0\0\0");
        assert_ne!(info("ab", &[b"cd", b"e"]), info("ab", &[b"c", b"de"]));
        let whole = digest::digest(&digest::SHA256, &info("tacit/v1/u1", &[b"x", &[7; 100]]));
        assert_eq!(hash("tacit/v1/u1", &[b"x", &[7; 100]]), whole.as_ref());
        assert_eq!(salt(), unhex(SALT));
    }

    #[test]
    fn derives_the_first_block_of_rfc_5869() {
        // Test case 1. HMAC fills its key with zeros to a block, so 13 bytes of salt and 19 zeros are the same key.
        let mut salt = [0; 32];
        salt[..13].copy_from_slice(&unhex::<13>("000102030405060708090a0b0c"));
        let key = derive(&salt, &[0x0b; 22], &unhex::<10>("f0f1f2f3f4f5f6f7f8f9"));
        assert_eq!(*key, unhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
    }

    #[test]
    fn the_mask_key_is_that_of_the_known_answer() {
        let info = info("tacit/v1/mask-sk", &[&1_u16.to_be_bytes()]);
        assert_eq!(*derive(&salt(), &unhex::<32>(R_1), &info), unhex(MASK_SK_1));
        assert_eq!(*mask_secret_key(&salt(), &r_1(), 1).public().as_bytes(), unhex(S_PK_1));
        assert_ne!(*mask_secret_key(&salt(), &r_1(), 2).public().as_bytes(), unhex(S_PK_1));
    }

    #[test]
    fn the_pair_key_is_that_of_the_known_answer() {
        let own = mask_secret_key(&salt(), &r_1(), 1);
        let other = Peer { index: 2, key: PublicKey::parse(&unhex::<32>(S_PK_2)).unwrap() };
        assert_eq!(words(&binding().pair_key(&own, 1, &other).unwrap()), PAIR_WORDS);
        assert_eq!(words_of(PAIR_1_2), PAIR_WORDS);
    }

    #[test]
    fn the_key_and_commitment_of_a_self_mask_are_the_known_ones() {
        assert_eq!(words(&binding().self_mask_key(1, &r_1())), words_of(SELF_1));
        assert_eq!(commit_b(&round_id(), 1, &r_1()), unhex(HB_1));
    }

    #[test]
    fn both_ends_of_a_pair_derive_one_key() {
        let (one, two) = (secret(1), secret(2));
        for (i, j) in [(1, 2), (900, 3)] {
            let here = words(&binding().pair_key(&one, i, &peer(j, &two)).unwrap());
            assert_eq!(here, words(&binding().pair_key(&two, j, &peer(i, &one)).unwrap()));
        }
    }

    #[test]
    fn whatever_a_pair_key_is_bound_to_changes_it() {
        let (one, two) = (secret(1), secret(2));
        let key = |binding: &Binding, own: &SecretKey, index, other| {
            words(&binding.pair_key(own, index, &other).unwrap())
        };
        let known = key(&binding(), &one, 1, peer(2, &two));
        assert_ne!(known, key(&binding(), &one, 1, peer(3, &two)));
        assert_ne!(known, key(&binding(), &one, 2, peer(1, &two)));
        assert_ne!(known, key(&binding(), &secret(3), 1, peer(2, &two)));
        assert_ne!(known, key(&Binding { u1: [0; 32], ..binding() }, &one, 1, peer(2, &two)));
        assert_ne!(known, key(&Binding { salt: [0; 32], ..binding() }, &one, 1, peer(2, &two)));
    }

    #[test]
    fn a_site_has_no_pair_with_itself() {
        let (one, two) = (secret(1), peer(4, &secret(2)));
        let refused = KeyError::SameSite { index: 4 };
        assert_eq!(binding().pair_key(&one, 4, &two).unwrap_err(), refused);
    }

    #[test]
    fn agrees_on_the_secret_of_rfc_7748() {
        // Section 6.1: Alice's private key, Bob's public key, their secret.
        let own: [u8; 32] =
            unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let alice = SecretKey::new(&Zeroizing::new(own));
        let bob = PublicKey::parse(&unhex::<32>(
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        ))
        .unwrap();
        assert_eq!(
            *alice.public().as_bytes(),
            unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        );
        assert_eq!(
            *alice.agree(&bob).unwrap(),
            unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
        );
    }

    #[test]
    fn only_canonical_public_keys_are_read() {
        let key = unhex::<32>(S_PK_1);
        assert_eq!(PublicKey::parse(&key).unwrap().as_bytes(), &key);
        let mut twin = key;
        twin[31] |= 0x80;
        assert_eq!(PublicKey::parse(&twin).unwrap_err(), KeyError::NotCanonical);
        assert_eq!(PublicKey::parse(&P).unwrap_err(), KeyError::NotCanonical);
        for lowest in 0xee..=0xff {
            let mut beyond = P;
            beyond[0] = lowest;
            assert_eq!(PublicKey::parse(&beyond).unwrap_err(), KeyError::NotCanonical);
        }
        assert_eq!(PublicKey::parse(&[0xff; 32]).unwrap_err(), KeyError::NotCanonical);
        for place in 0..31 {
            let mut below = P;
            below[place] -= 1;
            assert!(PublicKey::parse(&below).is_ok(), "byte {place}");
        }
        for length in [0, 31, 33] {
            let refused = KeyError::WrongLength { got: length };
            assert_eq!(PublicKey::parse(&vec![9; length]).unwrap_err(), refused);
        }
    }

    #[test]
    fn keys_of_low_order_agree_on_nothing() {
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = P;
        minus_one[0] -= 1;
        // Every u of order 1, 2, 4 or 8, on the curve or its twist, in canonical form.
        let low = [
            [0; 32],
            one,
            minus_one,
            unhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            unhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        ];
        for bytes in low {
            let key = PublicKey::parse(&bytes).unwrap();
            let refused = KeyError::NotContributory;
            assert_eq!(secret(7).agree(&key).unwrap_err(), refused);
            let other = Peer { index: 2, key };
            assert_eq!(binding().pair_key(&secret(7), 1, &other).unwrap_err(), refused);
            assert_eq!(binding().share_key_to(&secret(7), 1, &other).unwrap_err(), refused);
            assert_eq!(binding().share_key_from(&secret(7), 1, &other).unwrap_err(), refused);
        }
    }

    #[test]
    fn a_public_key_is_checked_when_it_is_decoded() {
        let config = bincode::config::standard();
        let wire = bincode::serde::encode_to_vec(secret(7).public(), config).unwrap();
        assert_eq!(wire, secret(7).public().as_bytes());
        let (read, _): (PublicKey, usize) =
            bincode::serde::decode_from_slice(&wire, config).unwrap();
        assert_eq!(read, secret(7).public());
        assert!(bincode::serde::decode_from_slice::<PublicKey, _>(&P, config).is_err());
    }

    #[test]
    fn debug_prints_no_byte_of_a_secret() {
        let public = secret(77).public();
        assert_eq!(format!("{:?}", secret(77)), format!("SecretKey {{ public: {public:?}, .. }}"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn derives_what_the_library_derives(salt: [u8; 32], ikm: Vec<u8>, info: Vec<u8>) {
            let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &salt).extract(&ikm);
            let parts = [info.as_slice()];
            let mut expected = [0; 32];
            extracted.expand(&parts, hkdf::HKDF_SHA256).unwrap().fill(&mut expected).unwrap();
            prop_assert_eq!(*derive(&salt, &ikm, &info), expected);
        }

        #[test]
        fn fresh_keys_agree(seed: u64) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let (one, two) = (SecretKey::draw(&mut rng), SecretKey::draw(&mut rng));
            prop_assert_ne!(one.public(), two.public());
            prop_assert_eq!(one.agree(&two.public()).unwrap(), two.agree(&one.public()).unwrap());
        }
    }
}
