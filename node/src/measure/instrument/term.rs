//! The closed vocabulary of a definition: each word a file may use, and what it means.
use serde::Deserialize;

/// An enum whose variants are words of the file.
macro_rules! words {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        pub enum $name {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// The word of a definition.
            pub fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// Who fills it in.
    Respondent {
        /// A patient, about a clinician.
        Patient = "patient",
        /// A clinician, about themselves.
        Clinician = "clinician",
    }
}

words! {
    /// What one score says something about.
    Unit {
        /// One encounter.
        Encounter = "encounter",
        /// A clinician over some weeks.
        ClinicianPeriod = "clinician-period",
        /// A ward, never one clinician.
        WardPeriod = "ward-period",
    }
}

words! {
    /// How items become a score.
    Method {
        /// The sum of the items.
        Sum = "sum",
        /// Their mean.
        Mean = "mean",
        /// 1 if every answered item is at its maximum, else 0.
        TopAll = "top-all",
        /// The share of answered items at their maximum.
        TopShare = "top-share",
        /// The mean of the items, each stretched to 0 to 100.
        Linear100 = "linear100",
        /// No items: the site brings a score it computed under its own licence.
        Imported = "imported",
    }
}

words! {
    /// What missing items do, up to `max_missing`.
    MissingRule {
        /// No score.
        Reject = "reject",
        /// Each missing item counts as the mean of the answered ones.
        MeanOfAnswered = "mean-of-answered",
        /// The score is taken over the answered items.
        MeanOfAvailable = "mean-of-available",
    }
}

impl Default for MissingRule {
    /// The rule that invents nothing.
    fn default() -> Self {
        MissingRule::Reject
    }
}

words! {
    /// Which end is good; told to readers, no part of a score.
    Direction {
        /// A higher score is better.
        HigherBetter = "higher-better",
        /// A lower score is better.
        LowerBetter = "lower-better",
    }
}

words! {
    /// Terms of use.
    LicenceStatus {
        /// Nobody holds rights.
        PublicDomain = "public-domain",
        /// Copyrighted, free for anyone to use.
        CopyrightFreeToUse = "copyright-free-to-use",
        /// Free unless money is made with it.
        FreeNoncommercial = "free-noncommercial",
        /// A licence must be bought or signed.
        Licensed = "licensed",
        /// Not found out.
        Unclear = "unclear",
    }
}
