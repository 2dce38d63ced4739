//! Bounds on connections: how many at once, and how long each may live.
//!
//! A reader that sends its request byte by byte, or never reads the answer, would hold a connection
//! for ever. So a connection ends after a fixed time, whatever it does; a browser opens another.
use axum::serve::Listener;
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// Connections at once; each may make the server buffer some hundred KiB.
const CONNECTIONS_MAX: usize = 128;
/// How long a connection lives.
const LIFE: Duration = Duration::from_mins(1);

/// A listener whose connections are few and end.
pub(super) struct Gate {
    listener: TcpListener,
    places: Arc<Semaphore>,
    life: Duration,
}

impl Gate {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self::with(listener, CONNECTIONS_MAX, LIFE)
    }

    fn with(listener: TcpListener, places: usize, life: Duration) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(places)), life }
    }
}

impl Listener for Gate {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        // Nobody closes the semaphore, so there is always a permit in the end.
        let place = self.places.clone().acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Guest { stream, end: Box::pin(sleep(self.life)), _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends in time and gives its place back when dropped.
pub(super) struct Guest {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Guest {
    /// What the stream says, unless it would wait past its end.
    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        ask(Pin::new(&mut self.stream), cx)
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(cx, |stream, cx| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.in_time(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    async fn gate(places: usize, life: Duration) -> (Gate, SocketAddr) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (Gate::with(listener, places, life), address)
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_ends() {
        let (mut gate, address) = gate(1, Duration::from_millis(20)).await;
        let _silent = TcpStream::connect(address).await.unwrap();
        let (mut guest, _) = gate.accept().await;
        let error = guest.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_full_house_waits_for_a_place() {
        let (mut gate, address) = gate(1, LIFE).await;
        let _first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let (guest, _) = gate.accept().await;
        assert_eq!(gate.places.available_permits(), 0);
        drop(guest);
        gate.accept().await;
    }
}
