//! Keys of people: keyed hashes that nobody can make without the node's key file.
//!
//! ```text
//! key = first 16 bytes of HMAC-SHA256(secret, "tacit/v1/" kind 0x00 id)     RFC 2104, FIPS 180-4
//! ```
//! The secret lies in a file of its own, apart from the database, readable by its owner alone. The
//! database remembers a fingerprint of it: a node that lost its key does not quietly start a new one
//! under which nobody would be recognised again.
use super::{Store, fault, private};
use rand::TryRng as _;
use ring::hmac;
use std::fmt;
use std::io::Read as _;
use std::path::Path;
use tacit_shared::fault::Fault;
use zeroize::{Zeroize as _, Zeroizing};

/// The name of the key file within a node's folder.
pub const FILE: &str = "pseudonym.key";
/// Messages up to this length are hashed in one piece.
const MESSAGE_LENGTH: usize = 96;
/// Length of the secret in bytes.
const SECRET_LENGTH: usize = 32;

/// What a key stands for. Equal ids of two kinds have unrelated keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A clinician.
    Person,
    /// A patient.
    Patient,
    /// An encounter.
    Encounter,
    /// A filled-in questionnaire.
    Response,
    /// A recording.
    Session,
}

impl Kind {
    /// The word that separates the kind's hashes from the others', also its column.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Person => "person",
            Kind::Patient => "patient",
            Kind::Encounter => "encounter",
            Kind::Response => "response",
            Kind::Session => "session",
        }
    }
}

/// A keyed hash.
pub type Key = [u8; 16];

/// Makes the keys of one node.
pub struct Pseudonyms {
    secret: hmac::Key,
}

impl Pseudonyms {
    /// Reads the key file of the folder, or makes it from the system's randomness.
    ///
    /// # Errors
    /// An operator's fault if the file has another length, can be read by others, or cannot be written.
    pub fn open_or_create(dir: &Path) -> Result<Self, Fault> {
        let hint = "without it nobody is recognised again";
        Ok(Self::new(&*secret(&dir.join(FILE), hint)?))
    }

    /// Keys under a given secret.
    pub fn new(secret: &[u8]) -> Self {
        Self { secret: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// The key of an id as the hospital writes it.
    pub fn key(&self, kind: Kind, id: &str) -> Key {
        self.hash(kind.word(), &[id.as_bytes()])
    }

    /// Where a link of a patient with a clinician stands in the random order of that patient's links.
    pub fn link_order(&self, patient: &Key, person: &Key) -> Key {
        self.hash("link", &[patient, person])
    }

    /// Ties the key file to the database, or holds that it is the one it was tied to.
    ///
    /// # Errors
    /// An operator's fault if the database was filled under another key file.
    pub async fn bind(&self, store: &Store) -> Result<(), Fault> {
        let fingerprint = self.hash("fingerprint", &[]);
        let sql =
            "INSERT INTO pseudonym_check (id, fingerprint) VALUES (1, ?) ON CONFLICT DO NOTHING";
        let bound = sqlx::query(sql).bind(&fingerprint[..]).execute(store.pool()).await;
        bound.map_err(|e| fault(&e))?;
        let found: Vec<u8> = sqlx::query_scalar("SELECT fingerprint FROM pseudonym_check")
            .fetch_one(store.pool())
            .await
            .map_err(|e| fault(&e))?;
        if found == fingerprint {
            return Ok(());
        }
        Err(Fault::operator("the database was filled under another key file")
            .at(FILE)
            .hint("restore the key file that belongs to this database from the backup"))
    }

    /// The message is put together first: one piece is hashed a good deal faster than five small ones.
    fn hash(&self, domain: &str, parts: &[&[u8]]) -> Key {
        let mut message = [0; MESSAGE_LENGTH];
        let pieces =
            [b"tacit/v1/", domain.as_bytes(), &[0]].into_iter().chain(parts.iter().copied());
        let tag = if let Some(length) = joined(&mut message, pieces.clone()) {
            hmac::sign(&self.secret, message.get(..length).unwrap_or_default())
        } else {
            let mut context = hmac::Context::with_key(&self.secret);
            pieces.for_each(|piece| context.update(piece));
            context.sign()
        };
        message.zeroize();
        let mut key = Key::default();
        for (to, from) in key.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        key
    }
}

/// Writes pieces one after the other; how long they are, if there is room.
fn joined<'a>(to: &mut [u8], pieces: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
    let mut length = 0_usize;
    for piece in pieces {
        let end = length.checked_add(piece.len())?;
        to.get_mut(length..end)?.copy_from_slice(piece);
        length = end;
    }
    Some(length)
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(secret)")
    }
}

/// Reads a key file, or makes it from the system's randomness; `loss` says what its loss means.
///
/// # Errors
/// An operator's fault if the file has another length, can be read by others, or cannot be written.
pub(super) fn secret(path: &Path, loss: &str) -> Result<Zeroizing<[u8; SECRET_LENGTH]>, Fault> {
    let located = |e: std::io::Error| {
        Fault::operator(format!("the key file cannot be used: {e}")).at(path.display().to_string())
    };
    match std::fs::File::open(path) {
        Ok(file) => {
            check_private(&file, path)?;
            let mut found = Zeroizing::new(Vec::with_capacity(SECRET_LENGTH + 1));
            let limit = SECRET_LENGTH as u64 + 1;
            file.take(limit).read_to_end(&mut found).map_err(located)?;
            let secret = <[u8; SECRET_LENGTH]>::try_from(found.as_slice()).map_err(|_| {
                Fault::operator(format!("the key file does not hold {SECRET_LENGTH} bytes"))
                    .at(path.display().to_string())
                    .hint(format!("restore it from the backup; {loss}"))
            })?;
            Ok(Zeroizing::new(secret))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut secret = Zeroizing::new([0_u8; SECRET_LENGTH]);
            rand::rngs::SysRng
                .try_fill_bytes(&mut *secret)
                .map_err(|e| Fault::operator(format!("the system gives no randomness: {e}")))?;
            private::write(path, &*secret).map_err(located)?;
            Ok(secret)
        }
        Err(error) => Err(located(error)),
    }
}

#[cfg(unix)]
fn check_private(file: &std::fs::File, path: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::PermissionsExt as _;
    let place = path.display().to_string();
    let about = file
        .metadata()
        .map_err(|e| Fault::operator(format!("the key file cannot be used: {e}")).at(&place))?;
    let others = about.permissions().mode() & 0o077;
    if others == 0 {
        return Ok(());
    }
    Err(Fault::operator("the key file can be read by others than its owner")
        .hint(format!("run `chmod 600 {place}`, and ask who has read it"))
        .at(place))
}

#[cfg(not(unix))]
fn check_private(_: &std::fs::File, _: &Path) -> Result<(), Fault> {
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use tacit_shared::id::to_hex;

    #[test]
    fn a_key_is_the_truncated_hmac_of_kind_and_id() {
        let pseudonyms = Pseudonyms::new(&[7; 32]);
        let message = b"tacit/v1/person\0D-17";
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let expected = hmac::sign(&secret, message);
        let found = pseudonyms.key(Kind::Person, "D-17");
        assert_eq!(to_hex(&found), to_hex(expected.as_ref())[..32]);
        assert_ne!(found, pseudonyms.key(Kind::Patient, "D-17"));
        assert_ne!(found, Pseudonyms::new(&[8; 32]).key(Kind::Person, "D-17"));
    }

    #[test]
    fn the_key_file_is_kept_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Pseudonyms::open_or_create(dir.path()).unwrap();
        let again = Pseudonyms::open_or_create(dir.path()).unwrap();
        assert_eq!(first.key(Kind::Person, "a"), again.key(Kind::Person, "a"));
        let path = dir.path().join(FILE);
        assert_eq!(std::fs::read(&path).unwrap().len(), 32);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            let found = Pseudonyms::open_or_create(dir.path()).unwrap_err();
            assert_eq!(found.message, "the key file can be read by others than its owner");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(&path, [1; 31]).unwrap();
        let found = Pseudonyms::open_or_create(dir.path()).unwrap_err();
        assert_eq!(found.message, "the key file does not hold 32 bytes");
    }

    #[tokio::test]
    async fn another_key_file_does_not_open_a_filled_database() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("node.sqlite")).await.unwrap();
        Pseudonyms::new(&[1; 32]).bind(&store).await.unwrap();
        Pseudonyms::new(&[1; 32]).bind(&store).await.unwrap();
        let found = Pseudonyms::new(&[2; 32]).bind(&store).await.unwrap_err();
        assert_eq!(found.message, "the database was filled under another key file");
    }
}
