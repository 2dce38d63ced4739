//! Billing codes a study proposes: a specialty, a band of time and a band of acuity each.
//!
//! ```text
//! code = PREFIX-Ti-Aj      band i of time, j of acuity, counted from 1; its midpoint stands for it
//! expected number of a code = number of its specialty × share of its time band × share of its acuity band
//! ```
//! Everything here is public and written before anyone looks at data. What a code is worth is the fit's
//! business and the coordinator's; a code is a proposal and binds nobody.
use super::StudyError;
use super::schema::Feature;
use crate::id::FeatureId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most codes a study may propose.
pub const CODES_MAX: usize = 256;
/// Most bands of time, and of acuity.
const BANDS_MAX: usize = 12;
/// Longest prefix, in bytes.
const PREFIX_MAX: usize = 16;
/// Longest address, in bytes.
const URL_MAX: usize = 200;

/// The codes of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// The factor whose levels have a prefix each.
    pub factor: FeatureId,
    /// The feature that says how long an encounter takes.
    pub time: FeatureId,
    /// Borders of the time bands, rising, in the feature's unit.
    pub time_edges: Vec<f64>,
    /// Public share of encounters in each time band; equal ones if none are given.
    #[serde(default)]
    pub time_shares: Vec<f64>,
    /// The feature that says how ill patients are.
    pub acuity: FeatureId,
    /// Borders of the acuity bands, rising, in the feature's unit.
    pub acuity_edges: Vec<f64>,
    /// Public share of encounters in each acuity band; equal ones if none are given.
    #[serde(default)]
    pub acuity_shares: Vec<f64>,
    /// The feature that counts encounters; without it, amounts are per clinician and period.
    #[serde(default)]
    pub volume: Option<FeatureId>,
    /// How many units of `volume` the period has, such as 3 months.
    #[serde(default = "one")]
    pub volume_units: f64,
    /// Start of the addresses of the codes, without a slash at the end.
    pub base_url: String,
    /// Prefix of each level of the factor.
    pub prefix: BTreeMap<FeatureId, String>,
}

/// A band: from, up to, what stands for it, and which part of encounters it is expected to have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Lower border.
    pub from: f64,
    /// Upper border.
    pub to: f64,
    /// Expected share of encounters.
    pub share: f64,
}

impl Band {
    /// What stands for the band.
    pub fn midpoint(&self) -> f64 {
        f64::midpoint(self.from, self.to)
    }
}

impl Codes {
    /// The bands of time.
    pub fn times(&self) -> Vec<Band> {
        bands(&self.time_edges, &self.time_shares)
    }

    /// The bands of acuity.
    pub fn acuities(&self) -> Vec<Band> {
        bands(&self.acuity_edges, &self.acuity_shares)
    }

    /// The code of a level, a time band and an acuity band, both counted from 0.
    pub fn name(&self, level: &FeatureId, time: usize, acuity: usize) -> String {
        let prefix = self.prefix.get(level).map_or(level.as_str(), String::as_str);
        format!("{prefix}-T{}-A{}", time.saturating_add(1), acuity.saturating_add(1))
    }

    pub(super) fn check(&self, features: &[Feature]) -> Result<(), StudyError> {
        let of = |key: &str, name: &FeatureId| {
            features.iter().find(|feature| feature.id == *name).ok_or_else(|| {
                StudyError::key(format!("codes.{key}"), format!("names no feature: `{name}`"))
            })
        };
        let factor = of("factor", &self.factor)?;
        if factor.levels.is_empty() {
            let problem = format!("is `{}`, a number; expected a factor", self.factor);
            return Err(StudyError::key("codes.factor", problem));
        }
        check_bands("time", of("time", &self.time)?, &self.time_edges, &self.time_shares)?;
        check_bands(
            "acuity",
            of("acuity", &self.acuity)?,
            &self.acuity_edges,
            &self.acuity_shares,
        )?;
        if self.time == self.acuity {
            return Err(StudyError::key("codes.acuity", "is the same feature as `codes.time`"));
        }
        if let Some(volume) = &self.volume {
            number("codes.volume", of("volume", volume)?)?;
            if [&self.time, &self.acuity].contains(&volume) {
                return Err(StudyError::key("codes.volume", "is the feature of a band"));
            }
        }
        if !(self.volume_units > 0.0 && self.volume_units <= 1_000.0) {
            let problem = format!("is {}; expected above 0, up to 1000", self.volume_units);
            return Err(StudyError::key("codes.volume_units", problem));
        }
        self.check_names(&factor.levels)
    }

    fn check_names(&self, levels: &[FeatureId]) -> Result<(), StudyError> {
        if let Some(level) = levels.iter().find(|level| !self.prefix.contains_key(level)) {
            return Err(StudyError::key("codes.prefix", format!("lacks the level `{level}`")));
        }
        if let Some(extra) = self.prefix.keys().find(|level| !levels.contains(level)) {
            let problem = format!("names `{extra}`, which is no level of `{}`", self.factor);
            return Err(StudyError::key("codes.prefix", problem));
        }
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
        let sound = |p: &&String| {
            !p.is_empty() && p.len() <= PREFIX_MAX && p.chars().all(plain) && !p.starts_with('-')
        };
        if let Some(prefix) = self.prefix.values().find(|prefix| !sound(prefix)) {
            let problem = format!(
                "has `{prefix}`; expected 1 to {PREFIX_MAX} capital letters, digits or `-`"
            );
            return Err(StudyError::key("codes.prefix", problem));
        }
        let distinct: BTreeSet<&String> = self.prefix.values().collect();
        if distinct.len() < self.prefix.len() {
            return Err(StudyError::key("codes.prefix", "gives two levels the same prefix"));
        }
        let count =
            levels.len().saturating_mul(self.times().len()).saturating_mul(self.acuities().len());
        if count > CODES_MAX {
            let problem = format!("make {count} codes; at most {CODES_MAX}");
            return Err(StudyError::key("codes", problem));
        }
        let url = &self.base_url;
        let safe = |c: char| c.is_ascii_alphanumeric() || "-._~:/%".contains(c);
        if !url.starts_with("https://")
            || url.len() > URL_MAX
            || url.ends_with('/')
            || !url.chars().all(safe)
        {
            let problem = "is not an address that starts with https:// and ends without a slash";
            return Err(StudyError::key("codes.base_url", problem));
        }
        Ok(())
    }
}

fn number(key: &str, feature: &Feature) -> Result<(), StudyError> {
    if feature.levels.is_empty() {
        return Ok(());
    }
    Err(StudyError::key(key, format!("is `{}`, a factor; expected a number", feature.id)))
}

fn check_bands(
    what: &str,
    feature: &Feature,
    edges: &[f64],
    shares: &[f64],
) -> Result<(), StudyError> {
    number(&format!("codes.{what}"), feature)?;
    let key = format!("codes.{what}_edges");
    let count = edges.len().saturating_sub(1);
    if !(1..=BANDS_MAX).contains(&count) {
        let problem = format!("makes {count} bands; expected 1 to {BANDS_MAX}");
        return Err(StudyError::key(key, problem));
    }
    if !edges.iter().zip(edges.iter().skip(1)).all(|(low, high)| low < high) {
        return Err(StudyError::key(key, "is not strictly rising"));
    }
    let within = |edge: &f64| (feature.low..=feature.high).contains(edge);
    if let Some(edge) = edges.iter().find(|edge| !within(edge)) {
        let problem = format!(
            "has {edge}, outside the bounds {} to {} of `{}`",
            feature.low, feature.high, feature.id
        );
        return Err(StudyError::key(key, problem));
    }
    let key = format!("codes.{what}_shares");
    if !shares.is_empty() && shares.len() != count {
        let problem = format!("has {}; expected one for each of {count} bands", shares.len());
        return Err(StudyError::key(key, problem));
    }
    let sum: f64 = shares.iter().sum();
    let sound = |share: &f64| *share > 0.0 && *share <= 1.0;
    if !shares.is_empty() && (!shares.iter().all(sound) || (sum - 1.0).abs() > 1e-6) {
        let problem = format!("sum to {sum}; expected numbers above 0 that sum to 1");
        return Err(StudyError::key(key, problem));
    }
    Ok(())
}

fn bands(edges: &[f64], shares: &[f64]) -> Vec<Band> {
    let count = edges.len().saturating_sub(1);
    #[expect(clippy::cast_precision_loss, reason = "bands are few")]
    let equal = 1.0 / count.max(1) as f64;
    let pairs = edges.iter().zip(edges.iter().skip(1)).enumerate();
    pairs
        .map(|(at, (&from, &to))| Band {
            from,
            to,
            share: shares.get(at).copied().unwrap_or(equal),
        })
        .collect()
}

fn one() -> f64 {
    1.0
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::Study;
    use super::super::tests::SOUND;

    const CODES: &str = "by = [\"sites\", \"codes\"]\n\
        [codes]\nfactor = \"specialty\"\ntime = \"minutes\"\ntime_edges = [2.0, 10.0, 30.0]\n\
        acuity = \"acuity\"\nacuity_edges = [1.0, 3.0, 5.0]\nacuity_shares = [0.75, 0.25]\n\
        base_url = \"https://example.org/fhir\"\n\
        [codes.prefix]\ninternal = \"EL-INT\"\nemergency = \"EL-EMR\"\noncology = \"EL-ONC\"\n";
    const MINUTES: &str = "[[features]]\nid = \"minutes\"\nlabel = \"Minutes\"\nsource = \"minutes-mean\"\n\
        unit = \"minute\"\nlow = 2.0\nhigh = 42.0\ncentre = 22.0\nrms = 0.36\n\n[[groups]]";

    fn text() -> String {
        format!("{}{CODES}", SOUND.replacen("[[groups]]", MINUTES, 1))
    }

    #[test]
    fn codes_have_names_bands_and_shares() {
        let study = Study::parse(&text()).unwrap();
        let codes = study.codes().unwrap();
        assert_eq!(codes.name(&"oncology".parse().unwrap(), 1, 0), "EL-ONC-T2-A1");
        let (times, acuities) = (codes.times(), codes.acuities());
        let times: Vec<_> = times.iter().map(|b| (b.midpoint(), b.share)).collect();
        let acuities: Vec<_> = acuities.iter().map(|b| (b.midpoint(), b.share)).collect();
        assert_eq!(
            (times, acuities),
            (vec![(6.0, 0.5), (20.0, 0.5)], vec![(2.0, 0.75), (4.0, 0.25)])
        );
    }

    #[test]
    fn codes_that_cannot_be_are_refused_with_their_key() {
        let cases = [
            ("[\"sites\", \"codes\"]", "\"sites\"", "`allocation.by` names `codes` exactly if"),
            (
                "factor = \"specialty\"",
                "factor = \"ward\"",
                "`codes.factor` names no feature: `ward`",
            ),
            (
                "factor = \"specialty\"",
                "factor = \"acuity\"",
                "`codes.factor` is `acuity`, a number",
            ),
            ("time = \"minutes\"", "time = \"specialty\"", "`codes.time` is `specialty`, a factor"),
            ("time = \"minutes\"", "time = \"acuity\"", "outside the bounds 1 to 5 of `acuity`"),
            ("[2.0, 10.0, 30.0]", "[2.0]", "`codes.time_edges` makes 0 bands; expected 1 to 12"),
            ("[2.0, 10.0, 30.0]", "[2.0, 30.0, 10.0]", "`codes.time_edges` is not strictly rising"),
            ("[2.0, 10.0, 30.0]", "[2.0, 10.0, 60.0]", "has 60, outside the bounds 2 to 42"),
            ("[0.75, 0.25]", "[0.75, 0.5]", "`codes.acuity_shares` sum to 1.25"),
            ("[0.75, 0.25]", "[1.0]", "`codes.acuity_shares` has 1; expected one for each of 2"),
            ("oncology = \"EL-ONC\"\n", "", "`codes.prefix` lacks the level `oncology`"),
            ("oncology = \"EL-ONC\"", "oncology = \"EL-INT\"", "gives two levels the same prefix"),
            ("oncology = \"EL-ONC\"", "oncology = \"onc\"", "`codes.prefix` has `onc`"),
            (
                "\nemergency = \"EL",
                "\nsurgery = \"X\"\nemergency = \"EL",
                "names `surgery`, which is no",
            ),
            ("https://example", "http://example", "`codes.base_url` is not an address"),
        ];
        for (found, replaced, message) in cases {
            let broken = text().replacen(found, replaced, 1);
            assert_ne!(broken, text(), "{found}");
            let error = Study::parse(&broken).unwrap_err().to_string();
            assert!(error.contains(message), "{replaced}: {error}");
        }
    }
}
