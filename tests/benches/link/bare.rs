//! quinn with certificates on both sides and nothing of ours: no pins, no frames, no channels.
use crate::setting::Fallible;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, ServerConfig};
use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ED25519};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

pub(crate) struct Pair {
    server: Endpoint,
    client: Endpoint,
    address: SocketAddr,
}

impl Pair {
    pub(crate) fn open() -> Fallible<Self> {
        let provider = Arc::new(ring::default_provider());
        let authority_key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let mut roots = RootCertStore::empty();
        roots.add(authority.self_signed(&authority_key)?.der().clone())?;
        let roots = Arc::new(roots);
        let issuer = Issuer::new(authority, authority_key);
        let (chain, key) = leaf(&issuer)?;
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build()?;
        let mut tls = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)?;
        tls.alpn_protocols = vec![b"bare".to_vec()];
        let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Endpoint::server(config, any)?;
        let address = server.local_addr()?;
        let (chain, key) = leaf(&issuer)?;
        let servers =
            WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?;
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_webpki_verifier(servers)
            .with_client_auth_cert(chain, key)?;
        tls.resumption = rustls::client::Resumption::disabled();
        tls.alpn_protocols = vec![b"bare".to_vec()];
        let mut client = Endpoint::client(any)?;
        client.set_default_client_config(ClientConfig::new(Arc::new(QuicClientConfig::try_from(
            tls,
        )?)));
        Ok(Self { server, client, address })
    }

    /// Connects so many times, each up to the first message.
    pub(crate) async fn admit(&mut self, times: usize) -> Fallible<()> {
        let mut bytes = [0; 200];
        for _ in 0..times {
            let ((connection, mut send), (_other, mut receive)) =
                tokio::try_join!(self.dial(), self.accept())?;
            send.write_all(&[7; 200]).await?;
            receive.read_exact(&mut bytes).await?;
            drop(connection);
        }
        Ok(())
    }

    /// Sends so many pieces of so many bytes.
    pub(crate) async fn upload(&mut self, times: usize, bytes: usize) -> Fallible<()> {
        let ((connection, mut send), (_other, mut receive)) =
            tokio::try_join!(self.dial(), self.accept())?;
        let message = vec![7; bytes];
        let sending = tokio::spawn(async move {
            for _ in 0..times {
                send.write_all(&message).await?;
            }
            Ok::<SendStream, quinn::WriteError>(send)
        });
        for _ in 0..times {
            let mut read = vec![0; bytes];
            receive.read_exact(&mut read).await?;
        }
        drop((sending.await??, connection));
        Ok(())
    }

    /// Connects, says as much as a hello has, and hears as much.
    async fn dial(&self) -> Fallible<(Connection, SendStream)> {
        let connection = self.client.connect(self.address, "bare")?.await?;
        let (mut send, mut receive) = connection.open_bi().await?;
        send.write_all(&[7; 6]).await?;
        receive.read_exact(&mut [0; 6]).await?;
        Ok((connection, send))
    }

    async fn accept(&self) -> Fallible<(Connection, RecvStream)> {
        let connection = self.server.accept().await.ok_or("the listener ended")?.await?;
        let (mut send, mut receive) = connection.accept_bi().await?;
        receive.read_exact(&mut [0; 6]).await?;
        send.write_all(&[7; 6]).await?;
        Ok((connection, receive))
    }
}

type Leaf = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn leaf(issuer: &Issuer<'_, KeyPair>) -> Fallible<Leaf> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let certificate = CertificateParams::new(vec!["bare".to_owned()])?.signed_by(&key, issuer)?;
    let der = PrivateKeyDer::try_from(key.serialize_der())?;
    Ok((vec![certificate.der().clone()], der))
}
