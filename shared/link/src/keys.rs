//! The key files of a party: an Ed25519 identity that signs, and a TLS certificate that connects.
//!
//! `identity.p8`, `tls.p8` and `tls.der` are readable by their owner only; `enrolment.toml` is the public
//! part, which goes into a roster. Files are never overwritten.
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use tacit_shared::codec;
use tacit_shared::fault::Fault;
use tacit_shared::id::SiteId;
use tacit_shared::roster::{Key, Party};
use tacit_shared::secagg::key::identity::IdentityKey;
use zeroize::Zeroizing;

const IDENTITY: &str = "identity.p8";
const TLS_KEY: &str = "tls.p8";
const TLS_CERTIFICATE: &str = "tls.der";
/// The public part, for the roster.
pub const ENROLMENT: &str = "enrolment.toml";
/// A key file is larger than this only by mistake.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A party's own keys, as read from its folder.
pub struct Keys {
    party: Party,
    identity: Zeroizing<Vec<u8>>,
    tls_key: Zeroizing<Vec<u8>>,
    certificate: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.party.id)
    }
}

impl Keys {
    /// Makes new keys in a folder.
    ///
    /// # Errors
    /// An operator's fault if there are keys already or the folder cannot be written.
    pub fn create(dir: &Path, id: SiteId, name: &str) -> Result<Self, Fault> {
        let bug = |what: &str| Fault::bug(format!("{what} could not be made"));
        let identity = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| bug("the identity key"))?;
        let tls =
            rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(|_| bug("the TLS key"))?;
        let certificate = rcgen::CertificateParams::new(vec![SERVER_NAME.to_owned()])
            .and_then(|params| params.self_signed(&tls))
            .map_err(|_| bug("the TLS certificate"))?;
        write_new(dir, IDENTITY, identity.as_ref())?;
        write_new(dir, TLS_KEY, &Zeroizing::new(tls.serialize_der()))?;
        write_new(dir, TLS_CERTIFICATE, certificate.der())?;
        let signing =
            IdentityKey::from_pkcs8(identity.as_ref()).map_err(|_| bug("the identity"))?;
        let party = Party {
            id,
            name: name.to_owned(),
            signing_key: Key(*signing.verifying_key().as_bytes()),
            certificate: Key(*codec::sha256(certificate.der()).as_bytes()),
        };
        let text = toml::to_string(&party).map_err(|e| Fault::bug(e.to_string()))?;
        write_new(dir, ENROLMENT, text.as_bytes())?;
        Self::open(dir)
    }

    /// Reads the keys of a folder.
    ///
    /// # Errors
    /// An operator's fault if a file is missing, unreadable or does not belong to the others.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        let identity = Zeroizing::new(read(dir, IDENTITY)?);
        let tls_key = Zeroizing::new(read(dir, TLS_KEY)?);
        let certificate = read(dir, TLS_CERTIFICATE)?;
        let party = read_party(&dir.join(ENROLMENT))?;
        let wrong = |file: &str| {
            Fault::operator(format!("{file} does not belong to {ENROLMENT}"))
                .at(dir.display().to_string())
                .hint("restore the folder's key files together; they are made by `init`")
        };
        let signing = IdentityKey::from_pkcs8(&identity).map_err(|_| wrong(IDENTITY))?;
        if Key(*signing.verifying_key().as_bytes()) != party.signing_key {
            return Err(wrong(IDENTITY));
        }
        if Key(*codec::sha256(&certificate).as_bytes()) != party.certificate {
            return Err(wrong(TLS_CERTIFICATE));
        }
        Ok(Self { party, identity, tls_key, certificate })
    }

    /// The public part.
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// The key that signs.
    ///
    /// # Errors
    /// A bug: the key was read before.
    pub fn identity(&self) -> Result<IdentityKey, Fault> {
        IdentityKey::from_pkcs8(&self.identity).map_err(|e| Fault::bug(e.to_string()))
    }

    pub(crate) fn tls_key(&self) -> &[u8] {
        &self.tls_key
    }

    pub(crate) fn tls(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.tls_key.to_vec());
        (vec![CertificateDer::from(self.certificate.clone())], key.into())
    }
}

/// The name in every certificate; the pin is what counts.
pub(crate) const SERVER_NAME: &str = "tacit";

/// Reads an enrolment file.
///
/// # Errors
/// A user's fault with the file's name.
pub fn read_party(path: &Path) -> Result<Party, Fault> {
    let place = path.display().to_string();
    let dir = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let text = String::from_utf8(read(dir, &name)?)
        .map_err(|_| Fault::user("not a text file").at(&place))?;
    toml::from_str(&text).map_err(|e| Fault::user(e.to_string()).at(place))
}

fn read(dir: &Path, name: &str) -> Result<Vec<u8>, Fault> {
    let path = dir.join(name);
    let place = path.display().to_string();
    let hint = "`init` makes the key files of a folder";
    let unreadable = |e: std::io::Error| {
        Fault::operator(format!("{name} cannot be read: {e}")).at(&place).hint(hint)
    };
    read_bounded(&path, FILE_BYTES_MAX).map_err(unreadable)
}

/// The bytes of a file that has at most `most`; whatever the file system claims, no more is read.
///
/// # Errors
/// The system's, or that the file is longer.
pub fn read_bounded(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(std::io::Error::other(format!("more than {most} bytes")));
    }
    Ok(bytes)
}

fn write_new(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Fault> {
    let path = dir.join(name);
    let place = path.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if name == ENROLMENT { 0o644 } else { 0o600 });
    }
    let fault = |e: std::io::Error| {
        let hint = "`init` never overwrites keys: choose an empty folder";
        Fault::operator(format!("{name} cannot be written: {e}")).at(&place).hint(hint)
    };
    let mut file = options.open(&path).map_err(fault)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_folder_and_are_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let made = Keys::create(dir.path(), "north".parse().unwrap(), "North").unwrap();
        assert_eq!(Keys::open(dir.path()).unwrap().party(), made.party());
        assert_eq!(&read_party(&dir.path().join(ENROLMENT)).unwrap(), made.party());
        let again = Keys::create(dir.path(), "south".parse().unwrap(), "South").unwrap_err();
        assert!(again.to_string().contains("never overwrites"), "{again}");
    }

    #[cfg(unix)]
    #[test]
    fn private_files_are_their_owners_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        Keys::create(dir.path(), "north".parse().unwrap(), "North").unwrap();
        for name in [IDENTITY, TLS_KEY] {
            let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn mixed_up_files_are_refused() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Keys::create(a.path(), "a".parse().unwrap(), "A").unwrap();
        Keys::create(b.path(), "b".parse().unwrap(), "B").unwrap();
        fs::copy(a.path().join(TLS_CERTIFICATE), b.path().join(TLS_CERTIFICATE)).unwrap();
        let error = Keys::open(b.path()).unwrap_err().to_string();
        assert!(error.contains("tls.der does not belong to enrolment.toml"), "{error}");
    }
}
