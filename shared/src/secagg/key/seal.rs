//! Seals the two shares that one site hands another, so that the coordinator carries them and reads nothing.
//!
//! ```text
//! sealed = ChaCha20-Poly1305(key, nonce 0, aad, share of r ‖ share of b)      RFC 8439 §2.8
//!        = 32 + 32 bytes of text, 16 of tag       aad = INFO("tacit/v1/share-aad", round, u16 i, u16 j, u1)
//! ```
//! A zero nonce is sound because a key serves one message: sealing and opening use it up. Making the key, from an
//! agreement between the two sites, is [`super::Binding`]'s work.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use thiserror::Error;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::secagg::share::{Share, ShareError};

/// Bytes of two sealed shares: 32 + 32, and a tag of 16.
pub const SEALED_BYTES: usize = 80;

/// Why shares were not sealed, or did not open. Nothing was made, and the key is gone.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// The share is held by another site than the one the key seals for.
    #[error("a share held by site {got} was to be sealed for site {expected}")]
    WrongRecipient {
        /// The site the key seals for.
        expected: u16,
        /// The site whose share was given.
        got: u16,
    },
    /// The cipher refused to seal.
    #[error("the shares of site {from} for site {to} could not be sealed")]
    NotSealed {
        /// The site that seals.
        from: u16,
        /// The site they are for.
        to: u16,
    },
    /// The sealed bytes are too few or too many.
    #[error("site {from} sealed {got} bytes where two shares take {SEALED_BYTES}")]
    WrongLength {
        /// The site that is said to have sealed them.
        from: u16,
        /// The length found.
        got: usize,
    },
    /// The bytes were altered, or come from another sender, recipient, round or key directory.
    #[error("the shares that site {from} sealed for site {to} do not open")]
    NotAuthentic {
        /// The site that is said to have sealed them.
        from: u16,
        /// The site that opens them.
        to: u16,
    },
    /// The bytes are authentic but not two canonical scalars: their sender is at fault.
    #[error("site {from} sealed something that is not a share")]
    NotAShare {
        /// The site that sealed it.
        from: u16,
        /// What is wrong with it.
        source: ShareError,
    },
}

/// The key of one message: the two shares that one site hands another. Sealing or opening uses it up. Wiped when
/// dropped; prints its two ends only.
#[must_use = "a key serves the one message between its two ends"]
pub struct ShareKey {
    pub(super) key: Zeroizing<[u8; 32]>,
    pub(super) aad: Vec<u8>,
    pub(super) from: u16,
    pub(super) to: u16,
}

impl ShareKey {
    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&CHACHA20_POLY1305, self.key.as_slice()).ok().map(LessSafeKey::new)
    }
}

impl ZeroizeOnDrop for ShareKey {}

impl fmt::Debug for ShareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareKey(site {} to site {}, 32 bytes)", self.from, self.to)
    }
}

/// Seals the recipient's share of the sender's `r` and its share of the sender's `b`, in this order.
///
/// # Errors
/// [`SealError::WrongRecipient`] if either share is held by another site than the key's recipient.
#[expect(clippy::needless_pass_by_value, reason = "the key serves one message: sealing uses it up")]
pub fn seal_shares(key: ShareKey, r: &Share, b: &Share) -> Result<[u8; SEALED_BYTES], SealError> {
    for share in [r, b] {
        if share.holder() != key.to {
            return Err(SealError::WrongRecipient { expected: key.to, got: share.holder() });
        }
    }
    let mut sealed = Zeroizing::new([0_u8; SEALED_BYTES]);
    let (text, tag) = sealed.split_at_mut(64);
    let (r_text, b_text) = text.split_at_mut(32);
    r_text.copy_from_slice(r.to_bytes().as_slice());
    b_text.copy_from_slice(b.to_bytes().as_slice());
    let made = key.cipher().and_then(|cipher| {
        cipher.seal_in_place_separate_tag(zero_nonce(), Aad::from(&key.aad), text).ok()
    });
    let made = made.ok_or(SealError::NotSealed { from: key.from, to: key.to })?;
    tag.copy_from_slice(made.as_ref());
    Ok(*sealed)
}

/// Opens what [`seal_shares`] sealed: the recipient's share of the sender's `r`, and its share of the sender's `b`.
///
/// # Errors
/// [`SealError::WrongLength`] unless 80 bytes; [`SealError::NotAuthentic`] if anything differs from what was
/// sealed; [`SealError::NotAShare`] if the sender sealed no canonical scalars.
#[expect(clippy::needless_pass_by_value, reason = "the key serves one message: opening uses it up")]
pub fn open_shares(key: ShareKey, sealed: &[u8]) -> Result<(Share, Share), SealError> {
    let bytes = <[u8; SEALED_BYTES]>::try_from(sealed)
        .map_err(|_| SealError::WrongLength { from: key.from, got: sealed.len() })?;
    let mut bytes = Zeroizing::new(bytes);
    let refused = SealError::NotAuthentic { from: key.from, to: key.to };
    let cipher = key.cipher().ok_or(refused)?;
    let text = cipher.open_in_place(zero_nonce(), Aad::from(&key.aad), bytes.as_mut_slice());
    let (halves, _) = text.map_err(|_| refused)?.as_chunks::<32>();
    let [r, b] = halves else { return Err(refused) };
    let share = |bytes| {
        Share::from_bytes(key.to, bytes)
            .map_err(|source| SealError::NotAShare { from: key.from, source })
    };
    Ok((share(r)?, share(b)?))
}

fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::super::tests::{binding, peer, secret, unhex};
    use super::super::{Binding, KeyError};
    use super::*;

    /// Made in Python (hmac, OpenSSL) from the X25519 secrets 07 … 07 of site 1 and 09 … 09 of site 2.
    const SHARE_KEY_1_2: &str = "afe1d27ade039ff130a2d40670951c58780511808d17d602f7d447e86cc40b23";
    const SEALED_1_2: &str = concat!(
        "c3a020233a1a70cc0deaa325b8619c22d1d7c5372b3466e1a506a262a2706f7709c70c060a8dcf7d604d4157ff614ff4",
        "24767e3725ba693c8642d8d4fcce1db04cdfaa5f81d0503ba95faee647cf34e1",
    );

    /// The shares of the known answer: 5 and ℓ − 1.
    fn shares(holder: u16) -> (Share, Share) {
        let mut r = [0; 32];
        r[0] = 5;
        let b: [u8; 32] = unhex("ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        (Share::from_bytes(holder, &r).unwrap(), Share::from_bytes(holder, &b).unwrap())
    }

    fn sealing() -> ShareKey {
        binding().share_key_to(&secret(7), 1, &peer(2, &secret(9))).unwrap()
    }

    fn opening(binding: &Binding, from: u16, to: u16) -> ShareKey {
        binding.share_key_from(&secret(9), to, &peer(from, &secret(7))).unwrap()
    }

    #[test]
    fn sealed_shares_are_those_of_the_known_answer() {
        let (r, b) = shares(2);
        assert_eq!(*sealing().key, unhex(SHARE_KEY_1_2));
        let sealed = seal_shares(sealing(), &r, &b).unwrap();
        assert_eq!(sealed, unhex(SEALED_1_2));
        let (r_read, b_read) = open_shares(opening(&binding(), 1, 2), &sealed).unwrap();
        assert_eq!((r_read.holder(), b_read.holder()), (2, 2));
        assert_eq!((r_read.to_bytes(), b_read.to_bytes()), (r.to_bytes(), b.to_bytes()));
    }

    #[test]
    fn altered_or_misdirected_shares_do_not_open() {
        let (r, b) = shares(2);
        let sealed = seal_shares(sealing(), &r, &b).unwrap();
        for place in 0..SEALED_BYTES {
            let mut altered = sealed;
            altered[place] ^= 0x40;
            let refused = open_shares(opening(&binding(), 1, 2), &altered).unwrap_err();
            assert_eq!(refused, SealError::NotAuthentic { from: 1, to: 2 });
        }
        let elsewhere = [
            opening(&binding(), 3, 2),
            opening(&binding(), 1, 3),
            opening(&binding(), 2, 1),
            opening(&Binding { round_id: [0; 32], ..binding() }, 1, 2),
            opening(&Binding { salt: [0; 32], ..binding() }, 1, 2),
            opening(&Binding { u1: [0; 32], ..binding() }, 1, 2),
            binding().share_key_from(&secret(9), 2, &peer(1, &secret(8))).unwrap(),
        ];
        for key in elsewhere {
            let refused = SealError::NotAuthentic { from: key.from, to: key.to };
            assert_eq!(open_shares(key, &sealed).unwrap_err(), refused);
        }
        for length in [0, 64, 79, 81] {
            let refused = open_shares(opening(&binding(), 1, 2), &vec![0; length]).unwrap_err();
            assert_eq!(refused, SealError::WrongLength { from: 1, got: length });
        }
    }

    #[test]
    fn shares_are_sealed_for_their_holder_only() {
        let ((r, b), (r_3, b_3)) = (shares(2), shares(3));
        let refused = SealError::WrongRecipient { expected: 2, got: 3 };
        assert_eq!(seal_shares(sealing(), &r_3, &b).unwrap_err(), refused);
        assert_eq!(seal_shares(sealing(), &r, &b_3).unwrap_err(), refused);
    }

    #[test]
    fn a_sender_of_no_scalars_is_named() {
        let key = sealing();
        let mut sealed = [0xff; SEALED_BYTES];
        let (text, tag) = sealed.split_at_mut(64);
        let cipher = key.cipher().unwrap();
        let made =
            cipher.seal_in_place_separate_tag(zero_nonce(), Aad::from(&key.aad), text).unwrap();
        tag.copy_from_slice(made.as_ref());
        let refused = SealError::NotAShare { from: 1, source: ShareError::NotCanonical };
        assert_eq!(open_shares(opening(&binding(), 1, 2), &sealed).unwrap_err(), refused);
    }

    #[test]
    fn fresh_keys_open_each_others_shares() {
        for (i, j) in [(1, 2), (2, 1), (1000, 65535)] {
            let (one, two, (r, b)) = (secret(11), secret(12), shares(j));
            let key = binding().share_key_to(&one, i, &peer(j, &two)).unwrap();
            let sealed = seal_shares(key, &r, &b).unwrap();
            let key = binding().share_key_from(&two, j, &peer(i, &one)).unwrap();
            let (r_read, b_read) = open_shares(key, &sealed).unwrap();
            assert_eq!((r_read.to_bytes(), b_read.to_bytes()), (r.to_bytes(), b.to_bytes()));
        }
    }

    #[test]
    fn nobody_seals_for_themselves() {
        let (own, own_end) = (secret(7), peer(4, &secret(9)));
        let refused = KeyError::SameSite { index: 4 };
        assert_eq!(binding().share_key_to(&own, 4, &own_end).unwrap_err(), refused);
        assert_eq!(binding().share_key_from(&own, 4, &own_end).unwrap_err(), refused);
    }

    #[test]
    fn debug_prints_the_ends_only() {
        assert_eq!(format!("{:?}", sealing()), "ShareKey(site 1 to site 2, 32 bytes)");
    }
}
