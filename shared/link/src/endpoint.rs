//! QUIC endpoints: the coordinator listens, a hospital dials.
use crate::keys::{Keys, SERVER_NAME};
use crate::pin::{Pins, fingerprint};
use crate::restart;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, IdleTimeout, ServerConfig,
    TransportConfig, VarInt,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tacit_shared::fault::Fault;
use tacit_shared::frame::FrameTooLong;
use tacit_shared::roster::Key;

/// The protocol's name in the TLS handshake.
const ALPN: &[u8] = b"tacit/1";
/// A connection without a sign of life is given up after this time.
const IDLE: Duration = Duration::from_secs(30);
/// Signs of life keep address translators from forgetting a hospital's outbound connection.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Why a connection could not be made or went away.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The TLS configuration was refused; a fault of this program or of its key files.
    #[error("TLS could not be configured: {0}")]
    Tls(String),
    /// The socket could not be bound.
    #[error("{address} cannot be used: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The other side was not reached, refused us, or is not the one pinned.
    #[error("no connection to {address}: {reason}")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// What QUIC says.
        reason: String,
    },
    /// The connection went away.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The other side announced more than the phase admits.
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
}

impl LinkError {
    /// The same, for a person.
    pub fn into_fault(self) -> Fault {
        let message = self.to_string();
        match self {
            LinkError::Tls(_) => Fault::bug(message),
            LinkError::Bind { .. } => {
                Fault::operator(message).hint("is another program using the address?")
            }
            LinkError::Connect { .. } => Fault::operator(message)
                .hint("is the coordinator running, and is this site's certificate on its roster?"),
            LinkError::Lost(_) | LinkError::TooLong(_) => Fault::peer(message),
        }
    }
}

fn tls_error(error: impl std::fmt::Display) -> LinkError {
    LinkError::Tls(error.to_string())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_concurrent_bidi_streams(VarInt::from_u32(1));
    Arc::new(transport)
}

/// Listens for the parties whose certificates are pinned.
///
/// # Errors
/// [`LinkError::Tls`] or [`LinkError::Bind`].
pub fn listen(
    address: SocketAddr,
    keys: &Keys,
    trusted: BTreeSet<Key>,
) -> Result<Endpoint, LinkError> {
    let provider = provider();
    let (chain, key) = keys.tls();
    let mut tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls_error)?
        .with_client_cert_verifier(Pins::new(trusted, provider))
        .with_single_cert(chain, key)
        .map_err(tls_error)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = QuicServerConfig::try_from(tls).map_err(tls_error)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(transport());
    let bind = |source| LinkError::Bind { address, source };
    let socket = UdpSocket::bind(address).map_err(bind)?;
    let runtime = Arc::new(quinn::TokioRuntime);
    Endpoint::new(restart::config(keys), Some(config), socket, runtime).map_err(bind)
}

/// An endpoint that dials, from any free port.
///
/// # Errors
/// [`LinkError::Tls`] or [`LinkError::Bind`].
pub fn dialler(to: SocketAddr, keys: &Keys, trusted: Key) -> Result<Endpoint, LinkError> {
    let provider = provider();
    let (chain, key) = keys.tls();
    let mut tls = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls_error)?
        .dangerous()
        .with_custom_certificate_verifier(Pins::new(BTreeSet::from([trusted]), provider))
        .with_client_auth_cert(chain, key)
        .map_err(tls_error)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = QuicClientConfig::try_from(tls).map_err(tls_error)?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport());
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let mut endpoint =
        Endpoint::client(any).map_err(|source| LinkError::Bind { address: any, source })?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

/// Dials.
///
/// # Errors
/// [`LinkError::Connect`] if the other side is not there or not the one pinned.
pub async fn dial(endpoint: &Endpoint, address: SocketAddr) -> Result<Connection, LinkError> {
    let refused = |reason: String| LinkError::Connect { address, reason };
    let connecting = endpoint.connect(address, SERVER_NAME).map_err(|e| refused(e.to_string()))?;
    connecting.await.map_err(|e| refused(in_words(&e)))
}

/// Why a connection ended, in words; a certificate that was refused is named as such.
pub fn in_words(error: &ConnectionError) -> String {
    match error {
        ConnectionError::TransportError(e) if about_a_certificate(u64::from(e.code)) => {
            "the other side's certificate is not the one on the pinned roster".to_owned()
        }
        ConnectionError::ConnectionClosed(e) if about_a_certificate(u64::from(e.error_code)) => {
            "the other side refused this certificate: it is not on its roster".to_owned()
        }
        ConnectionError::TimedOut => "no answer".to_owned(),
        other => other.to_string(),
    }
}

/// TLS alerts that speak of certificates (RFC 8446, section 6.2), as QUIC carries them (RFC 9001, 4.8).
fn about_a_certificate(code: u64) -> bool {
    matches!(code, 0x12a..=0x12e | 0x130 | 0x131 | 0x174)
}

/// The pinned certificate at the other end of a connection.
pub fn peer(connection: &Connection) -> Option<Key> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast_ref::<Vec<CertificateDer<'static>>>()?;
    chain.first().map(fingerprint)
}
