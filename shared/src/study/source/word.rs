//! Words that a source is told by: channels, groups of people, composites, days, patterns.
//!
//! Each is one of a few, or has one written form, so that a source has one name. What they mean is [`super`]'s.
use std::fmt;
use std::str::FromStr;

macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident, $what:literal { $($(#[doc = $each:literal])+ $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $each])+ $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its word in a study file.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().find(|one| one.word() == text).copied().ok_or_else(|| {
                    let words: Vec<&str> = Self::ALL.iter().map(|one| one.word()).collect();
                    format!("`{}` is no {}: expected {}", shown(text), $what, words.join(", "))
                })
            }
        }
    };
}

words!(
    /// How an encounter took place.
    Channel, "channel" {
        /// In one room.
        InPerson = "in_person",
        /// By telephone.
        Phone = "phone",
        /// By an automatic voice menu.
        Ivr = "ivr",
        /// By video.
        Video = "video",
        /// In another way.
        Other = "other",
    }
);
words!(
    /// A coarse group of clinicians that staff records declare.
    Stratum, "stratum of clinicians" {
        /// A band of ages.
        AgeBand = "age-band",
        /// Gender, as recorded.
        Gender = "gender",
        /// Where they were trained: a country, or a group of countries.
        TrainingCountry = "training-country",
    }
);
words!(
    /// A coarse group of patients that a hospital declares with an encounter.
    PatientGroup, "column of patient groups" {
        /// A band of ages.
        AgeBand = "age-band",
        /// A band of a deprivation index.
        DeprivationBand = "deprivation-band",
        /// Who pays.
        Payer = "payer",
        /// One that the hospitals of a study agreed on.
        Group = "group",
    }
);
words!(
    /// A composite that is one number. The other two are kept apart: their parts are sources of their own.
    Composite, "composite that is one number" {
        /// What patients report of how they were met.
        RelationalExperience = "relational-experience",
        /// Facts of how care went.
        Engagement = "engagement",
    }
);

/// A distance of whole days, 1 to 3,660.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days(u16);

/// Which weighted components of a composite a score is made of: 1 or 0 for each, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// The most characters of a study's text that a message repeats.
const SHOWN_MAX: usize = 64;

impl Days {
    /// So many days.
    ///
    /// # Errors
    /// A message if there are none, or more than 3,660.
    pub fn new(days: u16) -> Result<Self, String> {
        if (1..=3_660).contains(&days) {
            return Ok(Self(days));
        }
        Err(format!("{days} days; expected 1 to 3660"))
    }

    /// How many.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl FromStr for Days {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        match text.parse() {
            Ok(days) if digits => Self::new(days),
            _ => Err(format!("`{}` is no number of days: expected 1 to 3660", shown(text))),
        }
    }
}

impl Pattern {
    /// Whether each weighted component is part of it, by id.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = bool> {
        self.0.bytes().map(|b| b == b'1')
    }
}

impl FromStr for Pattern {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let marks = text.bytes().all(|b| matches!(b, b'0' | b'1'));
        if marks && text.contains('1') && text.len() <= 64 {
            return Ok(Self(text.to_owned()));
        }
        let problem = "is no pattern: expected 1 or 0 for each weighted component, by id, as `10`";
        Err(format!("`{}` {problem}", shown(text)))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}
