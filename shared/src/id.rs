//! Names and digests: one macro, so that a site is never taken for a study.
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest name in bytes.
pub const NAME_LENGTH_MAX: usize = 48;

/// The text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a name: names are short and plain so that they can be columns, file names and keys.
    #[error(
        "`{found}` is not a {what}: expected a lower-case letter, then lower-case letters, digits, `-` or `_`, {NAME_LENGTH_MAX} at most"
    )]
    NotAName {
        /// What was to be named.
        what: &'static str,
        /// The text as given, cut to the longest name.
        found: String,
    },
    /// Not a digest.
    #[error("`{found}` is not a digest: expected 64 hexadecimal digits")]
    NotADigest {
        /// The text as given, cut to 64 characters.
        found: String,
    },
}

fn is_name(text: &str) -> bool {
    text.len() <= NAME_LENGTH_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
}

macro_rules! id {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                if is_name(&text) {
                    Ok(Self(text))
                } else {
                    let found = text.chars().take(NAME_LENGTH_MAX).collect();
                    Err(IdError::NotAName { what: stringify!($name), found })
                }
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A federation: hospitals that agreed on one roster.
    FederationId
);
id!(
    /// A hospital taking part in a study.
    SiteId
);
id!(
    /// The short name of a study; its [`Digest`] is what an officer approves.
    StudyName
);
id!(
    /// A part of a site's people with an account of its own; today there is one a site, `all`.
    PopulationId
);
id!(
    /// A feature, an outcome or one level of a factor.
    FeatureId
);
id!(
    /// A group whose treatment the study compares with everybody else's.
    GroupId
);

/// The position of a site in the roster, from 1; also its share's abscissa, hence never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct SiteIndex(u16);

impl SiteIndex {
    /// `None` for 0.
    pub fn new(index: u16) -> Option<Self> {
        (index != 0).then_some(Self(index))
    }

    /// The index, at least 1.
    pub fn value(self) -> u16 {
        self.0
    }

    /// The position counted from 0.
    pub fn slot(self) -> usize {
        usize::from(self.0.saturating_sub(1))
    }

    /// Big endian bytes, as in every key derivation.
    pub fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

impl TryFrom<u16> for SiteIndex {
    type Error = &'static str;
    fn try_from(index: u16) -> Result<Self, Self::Error> {
        Self::new(index).ok_or("a site index starts at 1")
    }
}

impl From<SiteIndex> for u16 {
    fn from(index: SiteIndex) -> u16 {
        index.0
    }
}

impl fmt::Display for SiteIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A SHA-256 digest of public bytes: a study, a roster, a round, a result.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest from its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve digits: enough for a person to tell two apart, not to approve one.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl FromStr for Digest {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError::NotADigest { found: text.chars().take(64).collect() };
        from_hex::<32>(text).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// Lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

/// Exactly `N` bytes from `2N` hexadecimal digits, or `None`.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|p| !p.contains('+'))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lower_case_and_plain() {
        for good in ["a", "north-general", "acuity_mean", "s2"] {
            assert_eq!(SiteId::from_str(good).unwrap().as_str(), good);
        }
        for bad in ["", "A", "2s", "a b", "a/b", "ä", &"a".repeat(49)] {
            assert!(SiteId::from_str(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_digest_survives_its_text_form_and_refuses_others() {
        let digest = Digest::new([0xab; 32]);
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        for bad in ["", "ab", &"g".repeat(64), &"+a".repeat(32)] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
