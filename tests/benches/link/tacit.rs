//! A node's line and a coordinator's switchboard on loopback.
use crate::setting::Fallible;
use quinn::Endpoint;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use tacit_coordinator::link::net::{Limits, News, Switchboard};
use tacit_link::endpoint;
use tacit_link::keys::Keys;
use tacit_node::link::net::Line;
use tacit_shared::roster::Roster;
use tempfile::TempDir;

const LIMIT: u32 = 1 << 20;

pub(crate) struct Pair {
    board: Switchboard,
    node: Endpoint,
    address: SocketAddr,
    _dirs: Vec<TempDir>,
}

impl Pair {
    pub(crate) fn open() -> Fallible<Self> {
        let mut dirs = Vec::new();
        let mut keys = |name: &str| -> Fallible<Keys> {
            let dir = tempfile::tempdir()?;
            let keys = Keys::create(dir.path(), name.parse()?, name).map_err(|e| e.to_string())?;
            dirs.push(dir);
            Ok(keys)
        };
        let (coordinator, one, two) = (keys("convener")?, keys("one")?, keys("two")?);
        let sites = vec![one.party().clone(), two.party().clone()];
        let trusted = sites.iter().map(|party| party.certificate).collect::<BTreeSet<_>>();
        let roster = Roster::of("bench".parse()?, 1, 1, coordinator.party().clone(), sites)?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listening = endpoint::listen(any, &coordinator, trusted)?;
        let address = listening.local_addr()?;
        let board = Switchboard::open(listening, &roster, Limits { receive: LIMIT, send: LIMIT });
        let node = endpoint::dialler(address, &one, coordinator.party().certificate)?;
        Ok(Self { board, node, address, _dirs: dirs })
    }

    /// Connects so many times, each up to the first message.
    pub(crate) async fn admit(&mut self, times: usize) -> Fallible<()> {
        for _ in 0..times {
            let mut line = Line::dial(&self.node, self.address, LIMIT).await?;
            line.send(&[7; 200], LIMIT).await?;
            self.message().await?;
            drop(line); // in order is slower by a round trip, and not what is measured
        }
        Ok(())
    }

    /// Sends so many messages of so many bytes.
    pub(crate) async fn upload(&mut self, times: usize, bytes: usize) -> Fallible<()> {
        let mut line = Line::dial(&self.node, self.address, LIMIT).await?;
        let message = vec![7; bytes];
        let sending = async move {
            for _ in 0..times {
                line.send(&message, LIMIT).await.map_err(|e| e.to_string())?;
            }
            Ok::<Line, String>(line)
        };
        let sending = tokio::spawn(sending);
        for _ in 0..times {
            if self.message().await? != bytes {
                return Err("a message of another length".into());
            }
        }
        drop(sending.await??);
        Ok(())
    }

    async fn message(&mut self) -> Fallible<usize> {
        loop {
            match self.board.news.recv().await.ok_or("the listener ended")? {
                News::Message(_, bytes) => return Ok(bytes.len()),
                News::Joined(..) => {}
            }
        }
    }
}
