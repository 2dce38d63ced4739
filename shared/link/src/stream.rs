//! Messages on a stream, each behind its length, bounded before it is allocated.
use crate::endpoint::LinkError;
use quinn::{RecvStream, SendStream};
use tacit_shared::frame;

/// Reads one message of at most `limit` bytes; `None` at the orderly end of the stream.
///
/// # Errors
/// [`LinkError::TooLong`] or [`LinkError::Lost`].
pub async fn read(stream: &mut RecvStream, limit: u32) -> Result<Option<Vec<u8>>, LinkError> {
    let mut header = [0; frame::HEADER_BYTES];
    match stream.read_exact(&mut header).await {
        Ok(()) => {}
        Err(quinn::ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(error) => return Err(LinkError::Lost(error.to_string())),
    }
    let mut message = vec![0; frame::length(header, limit)?];
    let read = stream.read_exact(&mut message).await;
    read.map_err(|error| LinkError::Lost(error.to_string()))?;
    Ok(Some(message))
}

/// Writes one message of at most `limit` bytes.
///
/// # Errors
/// [`LinkError::TooLong`] or [`LinkError::Lost`].
pub async fn write(stream: &mut SendStream, message: &[u8], limit: u32) -> Result<(), LinkError> {
    let header = frame::header(message, limit)?;
    let lost = |error: quinn::WriteError| LinkError::Lost(error.to_string());
    stream.write_all(&header).await.map_err(lost)?;
    stream.write_all(message).await.map_err(lost)
}
