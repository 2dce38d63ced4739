//! Key files and QUIC connections pinned to the roster: the same code for node and coordinator.
//!
//! Apart from `tacit-shared`, which stays pure, so that what both ends must do alike to trust each
//! other stands once. There is no certificate authority: a certificate is trusted if its SHA-256 is
//! the one the roster lists, and for nothing else. TLS 1.3 only; the hospital dials, never listens.

pub mod endpoint;
pub mod files;
pub mod keys;
pub mod papers;
mod pin;
mod restart;
pub mod stream;

pub use endpoint::LinkError;
