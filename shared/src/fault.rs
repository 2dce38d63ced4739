//! An error a person can act on.
//!
//! Modules return small enums of their own; the programs turn them into a [`Fault`], which says where
//! it happened, what was found and expected, and what to do about it. No value derived from a person
//! belongs in one.
use std::fmt;

/// Who can mend it; decides the exit code of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The person at the keyboard: a wrong argument or a bad input file.
    User,
    /// Whoever runs the machine: configuration, keys, disk, database.
    Operator,
    /// The other side of a connection did something the protocol refuses.
    Peer,
    /// The authors of Tacit.
    Bug,
}

impl Audience {
    /// The exit code of a program that ends with such a fault.
    pub fn exit_code(self) -> u8 {
        match self {
            Audience::User | Audience::Operator => 2,
            Audience::Peer => 3,
            Audience::Bug => 70,
        }
    }
}

/// What went wrong, where, and what to do: printed on several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Who can mend it.
    pub audience: Audience,
    /// What was found and what was expected, in one sentence.
    pub message: String,
    /// File with line and column, key, or peer.
    pub place: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault of the given audience, without place or hint yet.
    pub fn new(audience: Audience, message: impl Into<String>) -> Self {
        Self { audience, message: message.into(), place: None, hint: None }
    }

    /// A fault in what the user typed or in a file they gave.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(Audience::User, message)
    }

    /// A fault in the set-up of this machine.
    pub fn operator(message: impl Into<String>) -> Self {
        Self::new(Audience::Operator, message)
    }

    /// A fault of the other side.
    pub fn peer(message: impl Into<String>) -> Self {
        Self::new(Audience::Peer, message)
    }

    /// A fault of ours.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Audience::Bug, message)
    }

    /// Says where: `file:line:column`, a key, a peer.
    #[must_use = "returns the fault with its place"]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says what to do next.
    #[must_use = "returns the fault with its hint"]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if let Some(place) = &self.place {
            write!(f, "\n  at:   {place}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_prints_place_and_hint_on_their_own_lines() {
        let fault = Fault::user("acuity is 9; expected 1 to 5")
            .at("visits.csv:12:4")
            .hint("check the unit");
        assert_eq!(
            fault.to_string(),
            "acuity is 9; expected 1 to 5\n  at:   visits.csv:12:4\n  hint: check the unit"
        );
    }
}
