//! The roster: which hospitals federate, by which keys. The hospitals' list, not the coordinator's.
//!
//! ```text
//! T = ⌊(N + t)/2⌋ + 1      N sites, of whom at most t collude with the coordinator
//! ```
//! With T answers needed and honest sites answering once, two different sets of survivors can never
//! both be certified (N + t < 2T). A node pins the digest; a change needs a new file and a new pin.
use crate::codec;
use crate::fault::Fault;
use crate::id::{Digest, FederationId, SiteId, SiteIndex, from_hex, to_hex};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the file format this program reads.
pub const FORMAT: u32 = 1;
/// Most sites of a federation.
pub const SITES_MAX: usize = 1000;
/// A roster file is larger than this only by mistake.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// A public key or the digest of a certificate: 32 bytes, hexadecimal in files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(pub [u8; 32]);

impl TryFrom<String> for Key {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let found: String = text.chars().take(64).collect();
        let problem = format!("`{found}` is not a key: expected 64 hexadecimal digits");
        from_hex(&text).map(Self).ok_or(problem)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        to_hex(&key.0)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", to_hex(&self.0))
    }
}

/// A party as its own program describes it: what `init` writes and the roster takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Short name.
    pub id: SiteId,
    /// Legal name.
    pub name: String,
    /// Ed25519 key that signs its messages.
    pub signing_key: Key,
    /// SHA-256 of its TLS certificate.
    pub certificate: Key,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    federation: FederationId,
    version: u32,
    colluders_max: u16,
    coordinator: Party,
    sites: Vec<Party>,
}

/// Why a roster was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// Not TOML, an unknown key or a value of the wrong type.
    #[error("{0}")]
    Syntax(String),
    /// A value that a roster cannot have.
    #[error("`{key}` {problem}")]
    Key {
        /// The key as written.
        key: String,
        /// What was found and what was expected.
        problem: String,
    },
}

impl RosterError {
    fn key(key: impl Into<String>, problem: impl Into<String>) -> Self {
        RosterError::Key { key: key.into(), problem: problem.into() }
    }

    /// The same, for a person.
    pub fn into_fault(self, origin: &str) -> Fault {
        let hint =
            "`tacit-coordinator roster` writes a roster from the enrolment files of the sites";
        Fault::user(self.to_string()).at(origin).hint(hint)
    }
}

/// A roster that was read and found sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    file: File,
    digest: Digest,
}

impl Roster {
    /// Reads a roster file.
    ///
    /// # Errors
    /// [`RosterError`] with the key.
    pub fn parse(text: &str) -> Result<Self, RosterError> {
        if text.len() > FILE_BYTES_MAX {
            let problem = format!("{} bytes; expected at most {FILE_BYTES_MAX}", text.len());
            return Err(RosterError::Syntax(problem));
        }
        let file = toml::from_str(text).map_err(|e| RosterError::Syntax(e.to_string()))?;
        Self::sound(file)
    }

    /// A roster of these parties, in the order given.
    ///
    /// # Errors
    /// [`RosterError`] as for a file.
    pub fn of(
        federation: FederationId,
        version: u32,
        colluders_max: u16,
        coordinator: Party,
        sites: Vec<Party>,
    ) -> Result<Self, RosterError> {
        Self::sound(File { format: FORMAT, federation, version, colluders_max, coordinator, sites })
    }

    fn sound(file: File) -> Result<Self, RosterError> {
        check(&file)?;
        let bytes = codec::encode(&file).map_err(|e| RosterError::Syntax(e.to_string()))?;
        Ok(Self { digest: codec::hash("tacit/v1/roster", &[&bytes]), file })
    }

    /// The file's text, as [`Roster::parse`] reads it.
    ///
    /// # Errors
    /// [`RosterError::Syntax`] if TOML cannot say it, which would be a fault of this program.
    pub fn to_toml(&self) -> Result<String, RosterError> {
        toml::to_string(&self.file).map_err(|e| RosterError::Syntax(e.to_string()))
    }

    /// What a site pins.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The federation.
    pub fn federation(&self) -> &FederationId {
        &self.file.federation
    }

    /// N.
    pub fn len(&self) -> usize {
        self.file.sites.len()
    }

    /// Never true of a sound roster.
    pub fn is_empty(&self) -> bool {
        self.file.sites.is_empty()
    }

    /// t: how many sites may collude with the coordinator without breaking the privacy of the rest.
    pub fn colluders_max(&self) -> u16 {
        self.file.colluders_max
    }

    /// T: how many sites must vote and answer.
    pub fn threshold(&self) -> u16 {
        threshold(u16::try_from(self.len()).unwrap_or(u16::MAX), self.file.colluders_max)
    }

    /// The coordinator.
    pub fn coordinator(&self) -> &Party {
        &self.file.coordinator
    }

    /// The sites with their indices, ascending.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = (SiteIndex, &Party)> {
        (1_u16..).zip(&self.file.sites).filter_map(pair).collect::<Vec<_>>().into_iter()
    }

    /// The site at an index.
    pub fn site(&self, index: SiteIndex) -> Option<&Party> {
        self.file.sites.get(index.slot())
    }

    /// The index of a site.
    pub fn index_of(&self, id: &SiteId) -> Option<SiteIndex> {
        self.sites().find(|(_, party)| party.id == *id).map(|(index, _)| index)
    }
}

fn threshold(n: u16, t: u16) -> u16 {
    (n.saturating_add(t) / 2).saturating_add(1)
}

fn pair((index, party): (u16, &Party)) -> Option<(SiteIndex, &Party)> {
    SiteIndex::new(index).map(|index| (index, party))
}

fn check(file: &File) -> Result<(), RosterError> {
    let n = file.sites.len();
    if file.format != FORMAT {
        let problem = format!("is {}; this program reads format {FORMAT}", file.format);
        return Err(RosterError::key("format", problem));
    }
    if !(2..=SITES_MAX).contains(&n) {
        return Err(RosterError::key("sites", format!("are {n}; expected 2 to {SITES_MAX}")));
    }
    let t = usize::from(file.colluders_max);
    if t == 0 || t >= n {
        let problem = format!(
            "is {t}; expected 1 to {}: every site knows its own noise",
            n.saturating_sub(1)
        );
        return Err(RosterError::key("colluders_max", problem));
    }
    let mut names = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for party in std::iter::once(&file.coordinator).chain(&file.sites) {
        if !names.insert(&party.id) {
            return Err(RosterError::key("sites", format!("name `{}` twice", party.id)));
        }
        if !keys.insert(party.signing_key) || !keys.insert(party.certificate) {
            let problem = format!("of `{}` is another party's too", party.id);
            return Err(RosterError::key("signing_key or certificate", problem));
        }
        if party.name.is_empty() || party.name.len() > 200 {
            let problem =
                format!("of `{}` has {} bytes; expected 1 to 200", party.id, party.name.len());
            return Err(RosterError::key("name", problem));
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(crate) mod tests {
    use super::*;

    /// A party with keys that nobody holds.
    pub(crate) fn party(id: &str, seed: u8) -> Party {
        Party {
            id: id.parse().unwrap(),
            name: format!("Hospital {id}"),
            signing_key: Key([seed; 32]),
            certificate: Key([seed | 0x80; 32]),
        }
    }

    pub(crate) fn roster(n: u8, t: u16) -> Result<Roster, RosterError> {
        let sites = (1..=n).map(|i| party(&format!("site-{i}"), i)).collect();
        Roster::of("demo".parse().unwrap(), 1, t, party("convener", 100), sites)
    }

    #[test]
    fn the_threshold_outvotes_every_coalition() {
        for (n, t, expected) in [(2, 1, 2), (3, 1, 3), (4, 1, 3), (5, 1, 4), (7, 1, 5), (10, 3, 7)]
        {
            assert_eq!(roster(n, t).unwrap().threshold(), expected, "{n} sites, {t} colluders");
        }
    }

    #[test]
    fn for_every_size_two_quorums_share_an_honest_site_and_all_sites_are_enough() {
        for n in 2..=1000_u16 {
            for t in 1..n {
                let needed = threshold(n, t);
                assert!(
                    n + t < 2 * needed && needed <= n && t < needed,
                    "{n} sites, {t} colluders"
                );
            }
        }
    }

    #[test]
    fn a_roster_survives_its_file() {
        let roster = roster(5, 1).unwrap();
        let read = Roster::parse(&roster.to_toml().unwrap()).unwrap();
        assert_eq!(read, roster);
        assert_eq!(read.index_of(&"site-3".parse().unwrap()), SiteIndex::new(3));
    }

    #[test]
    fn twins_and_wrong_numbers_are_refused() {
        assert!(roster(1, 1).unwrap_err().to_string().contains("`sites` are 1"));
        assert!(roster(3, 0).unwrap_err().to_string().contains("`colluders_max` is 0"));
        assert!(roster(3, 3).unwrap_err().to_string().contains("`colluders_max` is 3"));
        let twin = |id: &str, key: u8| {
            let sites = vec![party("a", 1), party(id, key)];
            Roster::of("demo".parse().unwrap(), 1, 1, party("c", 9), sites).unwrap_err().to_string()
        };
        assert!(twin("a", 2).contains("name `a` twice"));
        assert!(twin("b", 1).contains("of `b` is another party's too"));
    }
}
