//! By which definition a questionnaire or composite is scored: its version and the digest of its file.
//!
//! Scores by different rules are not pooled: a study says which rules it means, and a hospital whose definition is
//! another takes no part. Which bytes a digest covers, and whether a hospital's are the same, is a node's work.
use crate::id::{Digest, IdError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest version, in bytes.
pub const VERSION_LENGTH_MAX: usize = 48;

/// One definition: which version, and which bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Pin {
    version: String,
    sha256: Digest,
}

/// Why two lines pin no definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// No version, or one that a line of a report has no room for.
    #[error(
        "the version has {found} bytes; expected 1 to {VERSION_LENGTH_MAX}, none of them a control character"
    )]
    Version {
        /// Its length.
        found: usize,
    },
    /// Not a digest.
    #[error(transparent)]
    Digest(#[from] IdError),
}

/// As a file says it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: String,
    sha256: String,
}

impl Pin {
    /// A version and the SHA-256 of the definition's file.
    ///
    /// # Errors
    /// [`PinError::Version`] for a version that is empty, too long, or not one line.
    pub fn new(version: &str, sha256: Digest) -> Result<Self, PinError> {
        let length = version.len();
        if length == 0 || length > VERSION_LENGTH_MAX || version.chars().any(char::is_control) {
            return Err(PinError::Version { found: length });
        }
        Ok(Self { version: version.to_owned(), sha256 })
    }

    /// The version, as the definition says it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The digest of the definition's file.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {}, sha256 {}", self.version, self.sha256)
    }
}

impl TryFrom<Text> for Pin {
    type Error = PinError;
    fn try_from(text: Text) -> Result<Self, PinError> {
        Self::new(&text.version, text.sha256.parse()?)
    }
}

impl From<Pin> for Text {
    fn from(pin: Pin) -> Text {
        Text { version: pin.version, sha256: pin.sha256.to_string() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_pin_survives_its_lines_and_no_other_lines_are_one() {
        let digest = Digest::new([7; 32]);
        let pin = Pin::new("1.0", digest).unwrap();
        let lines = toml::to_string(&pin).unwrap();
        assert_eq!(lines, format!("version = \"1.0\"\nsha256 = \"{digest}\"\n"));
        assert_eq!(toml::from_str::<Pin>(&lines).unwrap(), pin);
        let long = "1".repeat(VERSION_LENGTH_MAX + 1);
        for (broken, why) in [
            (lines.replace("1.0", ""), "has 0 bytes"),
            (lines.replace("1.0", &long), "has 49 bytes"),
            (lines.replace("1.0", "a\\u0007"), "control character"),
            (lines.replace("0707", ""), "is not a digest"),
            (format!("{lines}alias = 1\n"), "unknown field `alias`"),
            ("version = \"1\"\n".to_owned(), "missing field `sha256`"),
        ] {
            let found = toml::from_str::<Pin>(&broken).unwrap_err().to_string();
            assert!(found.contains(why), "{found}");
        }
    }
}
