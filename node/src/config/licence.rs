//! `[licences]`: under which licence a site uses an instrument.
use serde::{Deserialize, Serialize};

/// The licence under which a site uses an instrument, in the site's words: a contract, a letter, a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LicenceReference(String);

/// A reference is longer than this only by mistake.
const LICENCE_LENGTH_MAX: usize = 200;

impl LicenceReference {
    /// The reference as entered.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LicenceReference {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let length = text.chars().count();
        if text.trim().is_empty() || length > LICENCE_LENGTH_MAX || text.contains(char::is_control)
        {
            return Err(format!(
                "a licence reference of {length} characters; expected one line of 1 to {LICENCE_LENGTH_MAX}: a contract, a letter, a date"
            ));
        }
        Ok(Self(text))
    }
}

impl From<LicenceReference> for String {
    fn from(reference: LicenceReference) -> String {
        reference.0
    }
}
