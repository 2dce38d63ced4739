//! The five kinds of hospital: how many clinicians, whom they see, when they work, what they wear.
//!
//! The differences are the ones that make a comparison unfair if it is careless: a safety-net hospital
//! has sicker patients, more encounters, less time and more interpreters, all at once; a rural one is
//! small and lacks specialties; one has no wearables at all.
use serde::{Deserialize, Serialize};

/// A specialty of the synthetic hospitals, as a study names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specialty {
    /// Internal medicine.
    Internal,
    /// Emergency department.
    Emergency,
    /// Oncology.
    Oncology,
    /// Palliative care.
    Palliative,
}

impl Specialty {
    /// All, in the order of [`Profile::specialties`].
    pub const ALL: [Specialty; 4] =
        [Specialty::Internal, Specialty::Emergency, Specialty::Oncology, Specialty::Palliative];

    /// The level's name in a study.
    pub fn name(self) -> &'static str {
        match self {
            Specialty::Internal => "internal",
            Specialty::Emergency => "emergency",
            Specialty::Oncology => "oncology",
            Specialty::Palliative => "palliative",
        }
    }

    /// How much higher acuity is than the hospital's mean, in levels.
    pub(super) fn acuity(self) -> f64 {
        match self {
            Specialty::Internal => 0.0,
            Specialty::Emergency => 0.35,
            Specialty::Oncology => 0.1,
            Specialty::Palliative => 0.15,
        }
    }

    /// How much longer an encounter takes than the hospital's typical one, as a factor.
    pub(super) fn length(self) -> f64 {
        match self {
            Specialty::Internal => 1.0,
            Specialty::Emergency => 0.85,
            Specialty::Oncology => 1.2,
            Specialty::Palliative => 1.4,
        }
    }
}

/// Which of the five a hospital is like. Its files, codes and mapping follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A big teaching hospital: Parquet from a warehouse, inverted triage levels, seconds.
    Teaching,
    /// A safety-net hospital: CSV exports, epoch seconds, long survey file.
    SafetyNet,
    /// A suburban hospital: Parquet, ISO times, one staff file with a column a month.
    Suburban,
    /// A rural hospital: small CSV files in local time, answers as words.
    Rural,
    /// A hospital without wearables: CSV and Parquet mixed, times with an offset.
    NoWearables,
}

impl Kind {
    /// All, in the order in which sites are made.
    pub const ALL: [Kind; 5] =
        [Kind::Teaching, Kind::SafetyNet, Kind::Suburban, Kind::Rural, Kind::NoWearables];

    /// The name of its mapping file and the stem of its sites' names.
    pub fn slug(self) -> &'static str {
        match self {
            Kind::Teaching => "teaching",
            Kind::SafetyNet => "safety-net",
            Kind::Suburban => "suburban",
            Kind::Rural => "rural",
            Kind::NoWearables => "no-wearables",
        }
    }

    /// What a reader calls it.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Teaching => "University Hospital",
            Kind::SafetyNet => "City Safety-Net Hospital",
            Kind::Suburban => "Suburban General",
            Kind::Rural => "Rural District Hospital",
            Kind::NoWearables => "Northern General (no wearables)",
        }
    }

    /// The hospital's own mapping, as shipped under `configs/mappings`.
    pub fn mapping(self) -> &'static str {
        match self {
            Kind::Teaching => include_str!("../../../configs/mappings/teaching.sql"),
            Kind::SafetyNet => include_str!("../../../configs/mappings/safety-net.sql"),
            Kind::Suburban => include_str!("../../../configs/mappings/suburban.sql"),
            Kind::Rural => include_str!("../../../configs/mappings/rural.sql"),
            Kind::NoWearables => include_str!("../../../configs/mappings/no-wearables.sql"),
        }
    }

    /// Whether clinicians there wear devices.
    pub fn wearables(self) -> bool {
        self != Kind::NoWearables
    }

    /// What is typical there.
    pub fn profile(self) -> Profile {
        match self {
            Kind::Teaching => Profile {
                heads: 1_500,
                specialties: [0.38, 0.20, 0.27, 0.15],
                acuity: 3.1,
                volume: 85.0,
                minutes: 24.0,
                interpreter: 0.10,
                night: 0.20,
                burnout: 46.0,
                channels: [0.72, 0.12, 0.02, 0.12, 0.02],
                assistance: 0.25,
                effect: 0.3,
            },
            Kind::SafetyNet => Profile {
                heads: 850,
                specialties: [0.45, 0.35, 0.10, 0.10],
                acuity: 3.5,
                volume: 112.0,
                minutes: 18.0,
                interpreter: 0.32,
                night: 0.28,
                burnout: 54.0,
                channels: [0.80, 0.14, 0.04, 0.02, 0.0],
                assistance: 0.05,
                effect: -0.6,
            },
            Kind::Suburban => Profile {
                heads: 800,
                specialties: [0.52, 0.16, 0.20, 0.12],
                acuity: 2.6,
                volume: 95.0,
                minutes: 20.0,
                interpreter: 0.06,
                night: 0.14,
                burnout: 42.0,
                channels: [0.64, 0.12, 0.04, 0.18, 0.02],
                assistance: 0.35,
                effect: 0.4,
            },
            Kind::Rural => Profile {
                heads: 300,
                specialties: [0.66, 0.26, 0.08, 0.0],
                acuity: 2.7,
                volume: 50.0,
                minutes: 27.0,
                interpreter: 0.04,
                night: 0.22,
                burnout: 44.0,
                channels: [0.66, 0.26, 0.0, 0.08, 0.0],
                assistance: 0.02,
                effect: 0.7,
            },
            Kind::NoWearables => Profile {
                heads: 550,
                specialties: [0.46, 0.24, 0.18, 0.12],
                acuity: 2.9,
                volume: 88.0,
                minutes: 22.0,
                interpreter: 0.12,
                night: 0.18,
                burnout: 47.0,
                channels: [0.78, 0.14, 0.0, 0.06, 0.02],
                assistance: 0.1,
                effect: -0.3,
            },
        }
    }
}

/// What is typical of a hospital.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Clinicians when five hospitals have 4,000 in all.
    pub heads: usize,
    /// Shares of the four specialties; they sum to 1.
    pub specialties: [f64; 4],
    /// Mean acuity, 1 to 5.
    pub acuity: f64,
    /// Encounters a month.
    pub volume: f64,
    /// Minutes of an encounter.
    pub minutes: f64,
    /// Share of encounters with an interpreter.
    pub interpreter: f64,
    /// Share of clinicians who work at night.
    pub night: f64,
    /// Client-related burnout, 0 to 100.
    pub burnout: f64,
    /// Shares of in person, phone, IVR, video, other; they sum to 1.
    pub channels: [f64; 5],
    /// Share of encounters in which an AI assistant took part.
    pub assistance: f64,
    /// What the hospital itself adds to relational care, in points.
    pub effect: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hospitals_have_four_thousand_clinicians_and_whole_shares() {
        let heads: usize = Kind::ALL.iter().map(|k| k.profile().heads).sum();
        assert_eq!(heads, 4_000);
        for kind in Kind::ALL {
            let profile = kind.profile();
            assert!((profile.specialties.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!((profile.channels.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
