//! The sites' connections: who is there, messages in, messages out.
//!
//! A connection is a site's if its certificate is the one the roster lists; nobody else gets past the
//! handshake. A site that connects again replaces its old connection and is sent again what it was
//! sent last, so that a lost connection is not a lost round.
use quinn::{Connection, Endpoint, Incoming};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tacit_link::{LinkError, endpoint, stream};
use tacit_shared::id::SiteIndex;
use tacit_shared::protocol::config::PROTOCOL_VERSION;
use tacit_shared::roster::{Key, Roster};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Messages that may wait for one site, and from all sites.
const OUTBOX: usize = 8;
const INBOX: usize = 64;
/// How long a site has to say hello once it connected.
const HELLO: Duration = Duration::from_secs(10);
/// How long the last message may take to arrive before a connection is closed.
const FLUSH: Duration = Duration::from_secs(10);

/// What the sites' connections tell.
#[derive(Debug)]
pub enum News {
    /// A site connected; its messages go into this box.
    Joined(SiteIndex, mpsc::Sender<Arc<Vec<u8>>>),
    /// A message came.
    Message(SiteIndex, Vec<u8>),
}

/// How long messages may be, both ways.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From a site.
    pub receive: u32,
    /// To a site.
    pub send: u32,
}

/// The listening side.
#[derive(Debug)]
pub struct Switchboard {
    endpoint: Endpoint,
    accepting: JoinHandle<()>,
    /// What happens, in order.
    pub news: mpsc::Receiver<News>,
}

impl Switchboard {
    /// Starts accepting the sites of a roster.
    pub fn open(endpoint: Endpoint, roster: &Roster, limits: Limits) -> Self {
        let known: BTreeMap<Key, SiteIndex> =
            roster.sites().map(|(index, party)| (party.certificate, index)).collect();
        let (sender, news) = mpsc::channel(INBOX);
        let listening = endpoint.clone();
        let accepting = tokio::spawn(async move {
            while let Some(incoming) = listening.accept().await {
                let (known, sender) = (known.clone(), sender.clone());
                tokio::spawn(async move {
                    if let Err(error) = serve(incoming, &known, sender, limits).await {
                        tracing::debug!(%error, "a connection ended");
                    }
                });
            }
        });
        Self { endpoint, accepting, news }
    }

    /// Stops, once what was sent has arrived or had time to.
    pub async fn close(self) {
        self.accepting.abort();
        drop(self.news);
        let _ = tokio::time::timeout(FLUSH, self.endpoint.wait_idle()).await;
        self.endpoint.close(0_u32.into(), b"done");
    }
}

async fn serve(
    incoming: Incoming,
    known: &BTreeMap<Key, SiteIndex>,
    news: mpsc::Sender<News>,
    limits: Limits,
) -> Result<(), LinkError> {
    let lost = |error: quinn::ConnectionError| LinkError::Lost(error.to_string());
    let connection = incoming.await.map_err(lost)?;
    let Some(index) = endpoint::peer(&connection).and_then(|key| known.get(&key).copied()) else {
        return Err(LinkError::Lost("the certificate is not on the roster".to_owned()));
    };
    let streams = tokio::time::timeout(HELLO, hello(&connection)).await;
    let (send, mut receive) =
        streams.map_err(|_| LinkError::Lost("no hello in time".to_owned()))??;
    let (outbox, queue) = mpsc::channel(OUTBOX);
    tokio::spawn(write_all(connection.clone(), send, queue, limits.send));
    if news.send(News::Joined(index, outbox)).await.is_err() {
        return Ok(());
    }
    while let Some(message) = stream::read(&mut receive, limits.receive).await? {
        if news.send(News::Message(index, message)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn hello(
    connection: &Connection,
) -> Result<(quinn::SendStream, quinn::RecvStream), LinkError> {
    let lost = |error: quinn::ConnectionError| LinkError::Lost(error.to_string());
    let (mut send, mut receive) = connection.accept_bi().await.map_err(lost)?;
    let version = stream::read(&mut receive, 2).await?;
    let own = PROTOCOL_VERSION.to_be_bytes();
    // Returned whatever came, so that a site of another version learns why it is not taken.
    stream::write(&mut send, &own, 2).await?;
    if version.as_deref() != Some(&own) {
        return Err(LinkError::Lost("the site speaks another version of the protocol".to_owned()));
    }
    Ok((send, receive))
}

/// Sends what is queued; once the queue is closed, ends the stream in order.
async fn write_all(
    connection: Connection,
    mut send: quinn::SendStream,
    mut queue: mpsc::Receiver<Arc<Vec<u8>>>,
    limit: u32,
) {
    while let Some(message) = queue.recv().await {
        if let Err(error) = stream::write(&mut send, &message, limit).await {
            tracing::debug!(%error, "a message was not delivered");
            return;
        }
    }
    let _ = send.finish(); // already finished is as good
    let _ = tokio::time::timeout(FLUSH, send.stopped()).await;
    // The site closes once it read the end; it must not wait for us if it does not.
    let _ = tokio::time::timeout(FLUSH, connection.closed()).await;
    connection.close(0_u32.into(), b"done");
}
