//! The one door to the wire format: bincode 2, standard configuration, with limits.
//!
//! bincode by itself neither refuses bytes left over nor a number written longer than needed. Both
//! would let one meaning have two encodings, so [`decode`] refuses what does not encode back to the
//! same bytes. Signatures are checked over the bytes received, before anything is decoded.
//!
//! ```text
//! INFO(label, f₁ … f_k) = u8 len(label) ‖ label ‖ u32be len(f₁) ‖ f₁ ‖ …      H = SHA-256(INFO)
//! ```
use crate::id::Digest;
use ring::digest;
use serde::{Serialize, de::DeserializeOwned};

/// No message, study or roster is larger; a frame's own limit is tighter.
pub const BYTES_MAX: usize = 64 << 20;

/// The bytes are not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Larger than anything that is ever sent.
    #[error("{found} bytes, {BYTES_MAX} at most")]
    TooLong {
        /// How many bytes there are.
        found: usize,
    },
    /// Not an encoding of the expected type.
    #[error("not a valid encoding of {expected}")]
    Invalid {
        /// The Rust name of the type.
        expected: &'static str,
    },
    /// An encoding, but not the one that the encoder writes: bytes left over or padded numbers.
    #[error("not the canonical encoding of {expected}")]
    NotCanonical {
        /// The Rust name of the type.
        expected: &'static str,
    },
}

/// The canonical bytes of a value.
///
/// # Errors
/// [`CodecError::Invalid`] if the type has no encoding (a sequence of unknown length);
/// [`CodecError::TooLong`] above [`BYTES_MAX`].
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = bincode::serde::encode_to_vec(value, bincode::config::standard())
        .map_err(|_| CodecError::Invalid { expected: std::any::type_name::<T>() })?;
    if bytes.len() > BYTES_MAX {
        return Err(CodecError::TooLong { found: bytes.len() });
    }
    Ok(bytes)
}

/// A value from its canonical bytes.
///
/// # Errors
/// [`CodecError`] if the bytes are too long, invalid, or not what [`encode`] writes.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > BYTES_MAX {
        return Err(CodecError::TooLong { found: bytes.len() });
    }
    let expected = std::any::type_name::<T>();
    let config = bincode::config::standard().with_limit::<BYTES_MAX>();
    let (value, used) = bincode::serde::decode_from_slice::<T, _>(bytes, config)
        .map_err(|_| CodecError::Invalid { expected })?;
    if used != bytes.len() || encode(&value)? != bytes {
        return Err(CodecError::NotCanonical { expected });
    }
    Ok(value)
}

/// Plain SHA-256.
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(bytes);
    finish(context)
}

fn finish(context: digest::Context) -> Digest {
    let mut bytes = [0; 32];
    for (byte, made) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *byte = *made;
    }
    Digest::new(bytes)
}

/// H(label, fields). Fields below 4 GiB each; nothing is copied.
pub fn hash(label: &'static str, fields: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    write_info(label, fields, |bytes| context.update(bytes));
    finish(context)
}

/// INFO(label, fields): label and fields behind their lengths, so no two lists give the same bytes.
pub fn info(label: &'static str, fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_info(label, fields, |part| bytes.extend_from_slice(part));
    bytes
}

fn write_info(label: &'static str, fields: &[&[u8]], mut write: impl FnMut(&[u8])) {
    // Labels are constants of this program, shorter than 256 bytes; fields are below `BYTES_MAX`.
    write(&[u8::try_from(label.len()).unwrap_or(u8::MAX)]);
    write(label.as_bytes());
    for field in fields {
        write(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        write(field);
    }
}

/// Bytes written in one piece, not number by number.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({})", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Point,
        Line { from: u64, to: i64 },
        Mesh(BTreeMap<String, Option<Vec<u16>>>, u128),
    }

    fn shapes() -> Vec<Shape> {
        let mesh = BTreeMap::from([("a".to_owned(), None), ("b".to_owned(), Some(vec![1, 300]))]);
        vec![Shape::Point, Shape::Line { from: 251, to: -70_000 }, Shape::Mesh(mesh, u128::MAX - 5)]
    }

    #[test]
    fn the_bytes_are_fixed() {
        let hex = crate::id::to_hex(&encode(&shapes()).unwrap());
        assert_eq!(
            hex,
            "030001fbfb00fcdf22020002020161000162010201fb2c01fefaffffffffffffffffffffffffffffff"
        );
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let bytes = encode(&shapes()).unwrap();
        assert_eq!(decode::<Vec<Shape>>(&bytes).unwrap(), shapes());
        assert!(decode::<Bytes>(&encode(&Bytes(vec![7; 300])).unwrap()).unwrap().0 == vec![7; 300]);
    }

    #[test]
    fn bytes_left_over_and_padded_numbers_are_refused() {
        let expected = "u32";
        assert_eq!(decode::<u32>(&[5, 0]), Err(CodecError::NotCanonical { expected }));
        assert_eq!(decode::<u32>(&[251, 5, 0]), Err(CodecError::NotCanonical { expected }));
        assert_eq!(decode::<u32>(&[]), Err(CodecError::Invalid { expected }));
    }

    #[test]
    fn a_claimed_length_is_not_allocated() {
        let claim = [253, 255, 255, 255, 255, 255, 255, 255, 127];
        assert!(decode::<Vec<u64>>(&claim).is_err());
        assert!(decode::<String>(&claim).is_err());
    }

    #[test]
    fn the_maintained_successor_writes_the_same_bytes() {
        let config = wincode::config::Configuration::default().with_varint_encoding();
        let values: (Vec<u64>, String, Option<u16>, i64, u128) =
            (vec![1, 250, 251, 70_000, u64::MAX], "é".to_owned(), Some(300), -9, 1 << 90);
        assert_eq!(wincode::config::serialize(&values, config).unwrap(), encode(&values).unwrap());
    }
}
