//! One connection to the coordinator: messages in, messages out.
use quinn::{Connection, Endpoint};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tacit_link::{LinkError, endpoint, stream};
use tacit_shared::protocol::config::PROTOCOL_VERSION;
use tokio::sync::mpsc;

/// How many messages may wait to be read.
const QUEUE: usize = 8;
/// First pause after a failed attempt; doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long the coordinator has to return the hello.
const HELLO: Duration = Duration::from_secs(10);

/// A live connection.
pub struct Line {
    connection: Connection,
    send: quinn::SendStream,
    inbox: mpsc::Receiver<Vec<u8>>,
    limit: Arc<AtomicU32>,
}

impl Line {
    /// Dials once. Only the coordinator's hello shows that it knows this site: a handshake of TLS 1.3
    /// is over for the one who dials before the other side has looked at its certificate.
    ///
    /// # Errors
    /// [`LinkError`] if the coordinator is not there, not the one pinned, or does not know this site.
    pub async fn dial(
        endpoint: &Endpoint,
        address: SocketAddr,
        limit: u32,
    ) -> Result<Self, LinkError> {
        let connection = endpoint::dial(endpoint, address).await?;
        let refused = |reason: String| LinkError::Connect { address, reason };
        let hello = tokio::time::timeout(HELLO, hello(&connection)).await;
        let (send, mut receive) = match hello {
            Ok(Ok((send, receive, true))) => (send, receive),
            Ok(Ok((.., false))) => {
                return Err(refused("it speaks another version of the protocol".to_owned()));
            }
            Ok(Err(error)) => {
                let reason = connection.close_reason();
                let reason = reason.map_or_else(|| error.to_string(), |e| endpoint::in_words(&e));
                return Err(refused(reason));
            }
            Err(_) => return Err(refused("no hello in time".to_owned())),
        };
        let limit = Arc::new(AtomicU32::new(limit));
        let (sender, inbox) = mpsc::channel(QUEUE);
        let reader_limit = limit.clone();
        tokio::spawn(async move {
            loop {
                let limit = reader_limit.load(Ordering::Relaxed);
                match stream::read(&mut receive, limit).await {
                    Ok(Some(message)) => {
                        if sender.send(message).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::debug!(%error, "the line went away");
                        return;
                    }
                }
            }
        });
        Ok(Self { connection, send, inbox, limit })
    }

    /// Dials until the coordinator answers.
    ///
    /// # Errors
    /// The last [`LinkError`] once `patience` is over.
    pub async fn dial_patiently(
        endpoint: &Endpoint,
        address: SocketAddr,
        limit: u32,
        patience: Duration,
    ) -> Result<Self, LinkError> {
        let started = tokio::time::Instant::now();
        let mut pause = PAUSE;
        let mut told = String::new();
        loop {
            match Self::dial(endpoint, address, limit).await {
                Ok(line) => return Ok(line),
                Err(error) if started.elapsed() >= patience => return Err(error),
                Err(error) => {
                    // Said once for each reason: an operator needs to know, not to be flooded.
                    let reason = error.to_string();
                    if reason != told {
                        tracing::info!("{reason}; trying again");
                        told = reason;
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Sets how long the next message may be.
    pub fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// The next message; `None` once the connection is gone. May be cancelled without loss.
    pub async fn receive(&mut self) -> Option<Vec<u8>> {
        self.inbox.recv().await
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`LinkError`] if it is too long or the connection is gone.
    pub async fn send(&mut self, message: &[u8], limit: u32) -> Result<(), LinkError> {
        stream::write(&mut self.send, message, limit).await
    }

    /// Ends the connection in order.
    pub async fn hang_up(mut self) {
        let _ = self.send.finish(); // already finished is as good
        let _ = tokio::time::timeout(Duration::from_secs(2), self.send.stopped()).await;
        self.connection.close(0_u32.into(), b"done");
    }
}

/// Says hello and hears it: `true` if both speak the same version.
async fn hello(
    connection: &Connection,
) -> Result<(quinn::SendStream, quinn::RecvStream, bool), LinkError> {
    let lost = |error: quinn::ConnectionError| LinkError::Lost(error.to_string());
    let (mut send, mut receive) = connection.open_bi().await.map_err(lost)?;
    // The stream exists for the other side once something was sent on it.
    let own = PROTOCOL_VERSION.to_be_bytes();
    stream::write(&mut send, &own, 2).await?;
    let version = stream::read(&mut receive, 2).await?;
    let version = version.ok_or_else(|| LinkError::Lost("no hello came".to_owned()))?;
    Ok((send, receive, version == own))
}
