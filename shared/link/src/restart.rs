//! What a coordinator that was started again needs, so that its sites notice at once.
//!
//! ```text
//! reset key = HMAC-SHA256(TLS key, "tacit/v1/stateless-reset")     RFC 9000, section 10.3
//! ```
//! A program that knows nothing of a connection answers its packets with a token that only the holder
//! of the reset key can make for the packet's connection id. With a key that outlives the program the
//! other side trusts the token and dials anew; otherwise it would wait for the idle timeout.
use crate::keys::Keys;
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use ring::hmac;
use std::sync::Arc;
use std::time::Duration;

/// Length of a connection id in bytes.
const ID_BYTES: usize = 8;

/// The endpoint's part of the configuration.
pub(crate) fn config(keys: &Keys) -> EndpointConfig {
    let tls = hmac::Key::new(hmac::HMAC_SHA256, keys.tls_key());
    let reset = hmac::sign(&tls, b"tacit/v1/stateless-reset");
    let reset = hmac::Key::new(hmac::HMAC_SHA256, reset.as_ref());
    let mut config = EndpointConfig::new(Arc::new(reset));
    config.cid_generator(|| Box::new(RandomIds));
    config
}

/// Purely random ids: one of an earlier run is as valid as one of this run.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; ID_BYTES];
        rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
