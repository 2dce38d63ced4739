//! Signs a message with the lasting key of its sender, and checks that the roster's key signed it.
//!
//! ```text
//! signed = "tacit-sig-v1" 00 label 00 payload      Ed25519, RFC 8032
//! ```
//! The label names the kind of message, so that bytes signed as one kind never pass as another. The payload is the
//! bytes as sent and as received, never decoded and encoded again. Which key belongs to which site is the roster's.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a private key was not read, or a signature not believed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum IdentityError {
    /// The private key could not be read; what the bytes hold is not told.
    #[error(
        "the Ed25519 private key cannot be read: expected {expected}, got {got} bytes of something else"
    )]
    NotAKey {
        /// The form that was expected.
        expected: &'static str,
        /// The number of bytes given.
        got: usize,
    },
    /// The signature is not this key's over this payload under this label.
    #[error("the signature on a message of kind \"{label}\" does not verify")]
    BadSignature {
        /// The kind of the message.
        label: &'static str,
    },
}

/// A site's or the coordinator's lasting Ed25519 key, apart from its TLS key. Prints the public key only.
///
/// It lives as long as the program; `ring` keeps it in a type of its own, which is not wiped at the end.
pub struct IdentityKey(Ed25519KeyPair);

impl IdentityKey {
    /// The key in this PKCS #8 document (RFC 8410), with or without the public key beside it.
    ///
    /// # Errors
    /// [`IdentityError::NotAKey`].
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, IdentityError> {
        let refused =
            IdentityError::NotAKey { expected: "a PKCS #8 document", got: document.len() };
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(document).map(Self).map_err(|_| refused)
    }

    /// The key with this seed, which RFC 8032 calls the private key.
    ///
    /// # Errors
    /// [`IdentityError::NotAKey`] unless 32 bytes.
    pub fn from_seed(seed: &[u8]) -> Result<Self, IdentityError> {
        let refused = IdentityError::NotAKey { expected: "a seed of 32 bytes", got: seed.len() };
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| refused)
    }

    /// The public half, as the roster lists it.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        VerifyingKey(bytes)
    }

    /// Signs `payload` as a message of kind `label`, a constant without a zero byte.
    pub fn sign(&self, label: &'static str, payload: &[u8]) -> Signature {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.0.sign(&signed_bytes(label, payload)).as_ref());
        Signature(bytes)
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IdentityKey").field(&self.verifying_key()).finish()
    }
}

/// The Ed25519 public key of a site or of the coordinator. Trust in it comes from the roster alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// The key with this encoding (RFC 8032). Bytes that are no point verify nothing.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The encoding: 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Holds if `signature` is this key's over `payload`, as received, under `label`.
    ///
    /// # Errors
    /// [`IdentityError::BadSignature`].
    pub fn verify(
        &self,
        label: &'static str,
        payload: &[u8],
        signature: &Signature,
    ) -> Result<(), IdentityError> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(&signed_bytes(label, payload), &signature.0)
            .map_err(|_| IdentityError::BadSignature { label })
    }
}

/// An Ed25519 signature: 64 bytes on the wire, without a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[[u8; 32]; 2]", into = "[[u8; 32]; 2]")]
pub struct Signature([u8; 64]);

impl Signature {
    /// The signature with this encoding (RFC 8032): R, then S.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The encoding: 64 bytes.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl From<[[u8; 32]; 2]> for Signature {
    fn from(halves: [[u8; 32]; 2]) -> Self {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(halves.as_flattened());
        Self(bytes)
    }
}

impl From<Signature> for [[u8; 32]; 2] {
    fn from(signature: Signature) -> Self {
        let mut halves = [[0; 32]; 2];
        halves.as_flattened_mut().copy_from_slice(&signature.0);
        halves
    }
}

/// "tacit-sig-v1" 00 label 00 payload.
fn signed_bytes(label: &'static str, payload: &[u8]) -> Vec<u8> {
    [b"tacit-sig-v1".as_slice(), label.as_bytes(), payload].join(&0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Made with OpenSSL from the seed 03 03 … 03: the public key, and the signature on "payload" as "advertise".
    const PUBLIC: &str = "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1";
    const SIGNATURE: &str = "6e17c192565f4e53527fd0a0bd368e3adf3c02ea385e2361b2ef94086851723694218b0905ee62a1a322\
                             04335de0667277371ae17e6aa820b582a9ddee26b80b";

    fn key() -> IdentityKey {
        IdentityKey::from_seed(&[3; 32]).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    fn refusal(label: &'static str) -> Result<(), IdentityError> {
        Err(IdentityError::BadSignature { label })
    }

    #[test]
    fn signs_the_bytes_that_another_implementation_signs() {
        let signature = key().sign("advertise", b"payload");
        assert_eq!(hex(key().verifying_key().as_bytes()), PUBLIC);
        assert_eq!(hex(signature.as_bytes()), SIGNATURE);
        assert_eq!(key().verifying_key().verify("advertise", b"payload", &signature), Ok(()));
    }

    #[test]
    fn a_signature_holds_for_its_label_payload_and_key_only() {
        let signature = key().sign("advertise", b"payload");
        let verifying = key().verifying_key();
        assert_eq!(verifying.verify("shares", b"payload", &signature), refusal("shares"));
        assert_eq!(verifying.verify("advertise", b"payloae", &signature), refusal("advertise"));
        assert_eq!(verifying.verify("advertise", b"", &signature), refusal("advertise"));
        let other = IdentityKey::from_seed(&[4; 32]).unwrap().verifying_key();
        assert_eq!(other.verify("advertise", b"payload", &signature), refusal("advertise"));
        let no_point = VerifyingKey::from_bytes([0xff; 32]);
        assert_eq!(no_point.verify("advertise", b"payload", &signature), refusal("advertise"));
        for place in 0..64 {
            let mut bytes = *signature.as_bytes();
            bytes[place] ^= 1;
            let altered = Signature::from_bytes(bytes);
            assert_eq!(verifying.verify("advertise", b"payload", &altered), refusal("advertise"));
        }
    }

    #[test]
    fn label_and_payload_do_not_run_into_each_other() {
        assert_eq!(signed_bytes("vote", b"x"), b"tacit-sig-v1\0vote\0x");
        assert_ne!(signed_bytes("a", b"bc"), signed_bytes("ab", b"c"));
    }

    #[test]
    fn reads_pkcs8_with_and_without_the_public_key() {
        let mut short = vec![
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        short.extend([3; 32]);
        assert_eq!(IdentityKey::from_pkcs8(&short).unwrap().verifying_key(), key().verifying_key());
        let made = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let read = IdentityKey::from_pkcs8(made.as_ref()).unwrap();
        let signature = read.sign("announce", &[0, 1]);
        assert_eq!(read.verifying_key().verify("announce", &[0, 1], &signature), Ok(()));
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        let text = IdentityKey::from_seed(&[0; 31]).unwrap_err().to_string();
        assert_eq!(
            text,
            "the Ed25519 private key cannot be read: expected a seed of 32 bytes, got 31 bytes of something else"
        );
        let refused = IdentityError::NotAKey { expected: "a PKCS #8 document", got: 3 };
        assert_eq!(IdentityKey::from_pkcs8(&[0x30, 0x01, 0x00]).unwrap_err(), refused);
    }

    #[test]
    fn a_signature_is_64_bytes_on_the_wire() {
        let signature = key().sign("advertise", b"payload");
        let wire = bincode::serde::encode_to_vec(signature, bincode::config::standard()).unwrap();
        assert_eq!(wire, signature.as_bytes());
        let (read, used): (Signature, usize) =
            bincode::serde::decode_from_slice(&wire, bincode::config::standard()).unwrap();
        assert_eq!((read, used), (signature, 64));
    }

    #[test]
    fn debug_prints_the_public_key_only() {
        let shown = format!("{:?}", key());
        assert_eq!(shown, format!("IdentityKey({:?})", key().verifying_key()));
    }
}
