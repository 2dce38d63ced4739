//! One message on a stream: its length in four bytes, big endian, then the message.
//!
//! The receiver knows how long a message of the phase can be ([`crate::protocol`] says so) and
//! refuses a longer claim before it allocates.

/// How many bytes a length takes.
pub const HEADER_BYTES: usize = 4;

/// The claim is longer than the phase admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {found} bytes, {limit} at most here")]
pub struct FrameTooLong {
    /// The length claimed.
    pub found: u64,
    /// The length admitted.
    pub limit: u32,
}

/// The header of a message, checked against the same limit that the receiver will use.
///
/// # Errors
/// [`FrameTooLong`] if the message exceeds `limit`.
pub fn header(message: &[u8], limit: u32) -> Result<[u8; HEADER_BYTES], FrameTooLong> {
    let found = message.len() as u64;
    match u32::try_from(found) {
        Ok(length) if length <= limit => Ok(length.to_be_bytes()),
        _ => Err(FrameTooLong { found, limit }),
    }
}

/// The length of the message that follows a header.
///
/// # Errors
/// [`FrameTooLong`] if the claim exceeds `limit`; nothing was allocated.
pub fn length(header: [u8; HEADER_BYTES], limit: u32) -> Result<usize, FrameTooLong> {
    let length = u32::from_be_bytes(header);
    if length > limit {
        return Err(FrameTooLong { found: u64::from(length), limit });
    }
    Ok(length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_above_the_limit_is_refused_on_both_sides() {
        assert_eq!(header(&[1, 2, 3], 3), Ok([0, 0, 0, 3]));
        assert_eq!(header(&[1, 2, 3], 2), Err(FrameTooLong { found: 3, limit: 2 }));
        assert_eq!(length([0, 0, 1, 0], 256), Ok(256));
        assert_eq!(length([255; 4], 256), Err(FrameTooLong { found: 4_294_967_295, limit: 256 }));
    }
}
