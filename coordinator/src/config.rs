//! `coordinator.toml`: where the coordinator listens and how long it waits.
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;
use tacit_link::keys::read_bounded;
use tacit_shared::fault::Fault;
use tacit_shared::protocol::config::{Deadlines, PHASE_MS_MAX};

/// The file's name within the coordinator's folder.
pub const FILE: &str = "coordinator.toml";
/// A configuration is larger than this only by mistake.
const FILE_BYTES_MAX: usize = 64 << 10;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    listen: SocketAddr,
    /// How long to wait for every site to connect before a round starts with those who did.
    gather_s: u32,
    deadlines: Deadlines,
}

impl Config {
    /// The settings `init` writes: phases of a minute, ten for reading data.
    pub fn new(listen: SocketAddr) -> Self {
        let deadlines = Deadlines {
            advertise_ms: 60_000,
            shares_ms: 60_000,
            masked_ms: 600_000,
            vote_ms: 60_000,
            unmask_ms: 60_000,
        };
        Self { listen, gather_s: 600, deadlines }
    }

    /// The same settings with other waiting times.
    #[must_use = "returns the changed settings"]
    pub fn with_patience(mut self, gather_s: u32, deadlines: Deadlines) -> Self {
        self.gather_s = gather_s;
        self.deadlines = deadlines;
        self
    }

    /// Reads `coordinator.toml` of a folder.
    ///
    /// # Errors
    /// A fault with file and line, or the key and what it may be.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join(FILE);
        let place = path.display().to_string();
        let text = read_bounded(&path, FILE_BYTES_MAX as u64).map_err(|e| {
            let hint = "`tacit-coordinator init` makes a coordinator's folder";
            Fault::operator(format!("{FILE} cannot be read: {e}")).at(&place).hint(hint)
        })?;
        let text =
            String::from_utf8(text).map_err(|_| Fault::operator("not a text file").at(&place))?;
        Self::parse(&text).map_err(|fault| fault.at(place))
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > FILE_BYTES_MAX {
            let message = format!("{} bytes; expected at most {FILE_BYTES_MAX}", text.len());
            return Err(Fault::operator(message));
        }
        let hint = "docs/operations.md lists every key";
        let config: Self =
            toml::from_str(text).map_err(|e| Fault::operator(e.to_string()).hint(hint))?;
        let longest = config.deadlines.longest_ms();
        if longest > PHASE_MS_MAX {
            let message = format!("`deadlines` has {longest} ms; expected at most {PHASE_MS_MAX}");
            return Err(Fault::operator(message).hint(hint));
        }
        Ok(config)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// A bug.
    pub fn to_toml(&self) -> Result<String, Fault> {
        let text = toml::to_string(self).map_err(|e| Fault::bug(e.to_string()))?;
        Ok(format!("# A Tacit coordinator. docs/operations.md explains every key.\n{text}"))
    }

    /// Where to listen for sites.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// How long to wait for every site, in seconds.
    pub fn gather_s(&self) -> u32 {
        self.gather_s
    }

    /// How long each phase lasts.
    pub fn deadlines(&self) -> Deadlines {
        self.deadlines
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_is_read_back_and_an_unknown_key_is_refused() {
        let config = Config::new("127.0.0.1:7843".parse().unwrap());
        let text = config.to_toml().unwrap();
        assert_eq!(Config::parse(&text).unwrap(), config);
        let error = Config::parse(&text.replace("gather_s", "gatherer_s")).unwrap_err();
        assert!(error.to_string().contains("unknown field `gatherer_s`"), "{error}");
    }
}
