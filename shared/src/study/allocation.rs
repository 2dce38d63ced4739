//! How a study divides its pool: among whom, within which bounds, with which public numbers.
//!
//! ```toml
//! [allocation]
//! by = ["sites", "levels:specialty"]           # each divides the whole pool, another view of one money
//! [allocation.heads.sites]                     # public head counts, used instead of the noisy ones
//! north = 412
//! [allocation.price_index."levels:specialty"]  # public prices, 1 where none is given
//! oncology = 1.08
//! [allocation.equity]
//! groups = ["interpreter-panel"]
//! weight = 0.5
//! ```
//! What a unit is worth comes from the fit; who gets which cent is the coordinator's work.
use super::schema::{Feature, Group};
use super::written::as_written;
use super::{File, StudyError};
use crate::id::{FeatureId, GroupId, SiteId};
use crate::money::Cents;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Most a public head count may say of one unit.
const HEADS_MAX: u32 = 10_000_000;
/// No price differs from the average by more than this factor.
const PRICE_MAX: f64 = 100.0;
/// Most extra weight of a unit all of whose members are in a group that is valued too low.
const WEIGHT_MAX: f64 = 10.0;

/// Among whom the pool is divided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum By {
    /// The hospitals.
    Sites,
    /// Service lines: the levels of a factor of the study.
    Levels(FeatureId),
    /// The billing codes of `[codes]`.
    Codes,
}

/// Not a way to divide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no way to divide: expected `sites`, `levels:FEATURE` or `codes`")]
pub struct ByError {
    /// The text as given, cut to 64 characters.
    found: String,
}

impl FromStr for By {
    type Err = ByError;
    fn from_str(text: &str) -> Result<Self, ByError> {
        let refused = || ByError { found: text.chars().take(64).collect() };
        match text {
            "sites" => Ok(By::Sites),
            "codes" => Ok(By::Codes),
            _ => {
                let name = text.strip_prefix("levels:").ok_or_else(refused)?;
                name.parse().map(By::Levels).map_err(|_| refused())
            }
        }
    }
}

as_written!(By);

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Sites => f.write_str("sites"),
            By::Levels(feature) => write!(f, "levels:{feature}"),
            By::Codes => f.write_str("codes"),
        }
    }
}

/// How the pool is divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// The pool, in cents of `currency`.
    pub pool_cents: Cents,
    /// ISO 4217 code.
    pub currency: String,
    /// Least a unit gets for each head, in percent of the pool per head.
    pub floor_percent_per_head: u32,
    /// Most a unit gets for each head, in percent of the pool per head.
    pub cap_percent_per_head: u32,
    /// Among whom; each entry is a division of the whole pool.
    #[serde(default = "sites_alone", deserialize_with = "one_or_many")]
    pub by: Vec<By>,
    /// Public head counts by unit, used instead of the noisy ones.
    #[serde(default)]
    pub heads: BTreeMap<By, BTreeMap<String, u32>>,
    /// Public price index by unit; 1 where none is given.
    #[serde(default)]
    pub price_index: BTreeMap<By, BTreeMap<String, f64>>,
    /// Extra weight for units that serve groups which the formula values too low.
    #[serde(default)]
    pub equity: Option<Equity>,
}

/// Extra weight: demand × (1 + weight · share of members of the groups that count).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equity {
    /// The groups.
    pub groups: Vec<GroupId>,
    /// Extra weight of a unit all of whose members are in one of them.
    pub weight: f64,
    /// Whether a group counts only if its gap is proven: the interval of its mean residual difference lies above 0.
    #[serde(default = "yes")]
    pub proven_only: bool,
}

impl Allocation {
    /// The public head count of a unit.
    pub fn heads_of(&self, by: &By, unit: &str) -> Option<f64> {
        self.heads.get(by)?.get(unit).copied().map(f64::from)
    }

    /// The public price index of a unit.
    pub fn price_of(&self, by: &By, unit: &str) -> f64 {
        self.price_index.get(by).and_then(|prices| prices.get(unit)).copied().unwrap_or(1.0)
    }

    /// Holds the rule to the sites of a roster: public numbers name none that is not there.
    ///
    /// # Errors
    /// [`StudyError::Key`] with the first name that is no site.
    pub fn check_sites<'a>(
        &self,
        sites: impl IntoIterator<Item = &'a SiteId>,
    ) -> Result<(), StudyError> {
        let known: BTreeSet<&str> = sites.into_iter().map(SiteId::as_str).collect();
        let heads = self.heads.get(&By::Sites).into_iter().flat_map(BTreeMap::keys);
        let prices = self.price_index.get(&By::Sites).into_iter().flat_map(BTreeMap::keys);
        let mut named = heads.map(|n| ("heads", n)).chain(prices.map(|n| ("price_index", n)));
        match named.find(|(_, name)| !known.contains(name.as_str())) {
            None => Ok(()),
            Some((table, name)) => {
                let known: Vec<&str> = known.into_iter().collect();
                let problem =
                    format!("names `{name}`, which is no site of the roster: {}", known.join(", "));
                Err(StudyError::key(format!("allocation.{table}.sites"), problem))
            }
        }
    }

    /// Holds the rule to what the study measures; sites are [`Self::check_sites`]'s.
    ///
    /// # Errors
    /// [`StudyError::Key`] with the first key that is wrong.
    pub fn check(&self, features: &[Feature], groups: &[Group]) -> Result<(), StudyError> {
        self.check_money()?;
        if self.by.is_empty() {
            return Err(StudyError::key("allocation.by", "is empty; expected `sites` at least"));
        }
        let distinct: BTreeSet<&By> = self.by.iter().collect();
        if distinct.len() < self.by.len() {
            return Err(StudyError::key("allocation.by", "names a way to divide twice"));
        }
        for by in &self.by {
            levels("allocation.by", by, features)?;
        }
        let names = |table: &BTreeMap<String, u32>| table.keys().cloned().collect::<Vec<_>>();
        for (by, counts) in &self.heads {
            let key = format!("allocation.heads.\"{by}\"");
            check_units(&key, by, &names(counts), features)?;
            if let Some((name, count)) = counts.iter().find(|(_, n)| !(1..=HEADS_MAX).contains(*n))
            {
                let problem = format!("is {count}; expected 1 to {HEADS_MAX}");
                return Err(StudyError::key(format!("{key}.{name}"), problem));
            }
        }
        for (by, prices) in &self.price_index {
            let key = format!("allocation.price_index.\"{by}\"");
            check_units(&key, by, &prices.keys().cloned().collect::<Vec<_>>(), features)?;
            let sound = |price: &f64| (1.0 / PRICE_MAX..=PRICE_MAX).contains(price);
            if let Some((name, price)) = prices.iter().find(|(_, price)| !sound(price)) {
                let problem = format!("is {price}; expected {} to {PRICE_MAX}", 1.0 / PRICE_MAX);
                return Err(StudyError::key(format!("{key}.{name}"), problem));
            }
        }
        self.equity.as_ref().map_or(Ok(()), |equity| equity.check(groups))
    }

    fn check_money(&self) -> Result<(), StudyError> {
        let code = &self.currency;
        if code.len() != 3 || !code.chars().all(|c| c.is_ascii_uppercase()) {
            let problem = format!("is `{code}`; expected three capital letters (ISO 4217)");
            return Err(StudyError::key("allocation.currency", problem));
        }
        if self.pool_cents.value() <= 0 {
            return Err(StudyError::key("allocation.pool_cents", "is not above 0"));
        }
        let (floor, cap) = (self.floor_percent_per_head, self.cap_percent_per_head);
        if floor > 100 || !(100..=10_000).contains(&cap) {
            let problem = format!(
                "are {floor} and {cap}; expected 0 to 100 and 100 to 10000, or the pool could not be given out"
            );
            return Err(StudyError::key("allocation floor and cap", problem));
        }
        Ok(())
    }
}

impl Equity {
    fn check(&self, groups: &[Group]) -> Result<(), StudyError> {
        if self.groups.is_empty() {
            return Err(StudyError::key("allocation.equity.groups", "is empty"));
        }
        let distinct: BTreeSet<&GroupId> = self.groups.iter().collect();
        if distinct.len() < self.groups.len() {
            return Err(StudyError::key("allocation.equity.groups", "names a group twice"));
        }
        let known = |name: &&GroupId| groups.iter().any(|group| group.id == **name);
        if let Some(name) = self.groups.iter().find(|name| !known(name)) {
            let problem = format!("names `{name}`, which is not among [[groups]]");
            return Err(StudyError::key("allocation.equity.groups", problem));
        }
        if !(self.weight > 0.0 && self.weight <= WEIGHT_MAX) {
            let problem = format!("is {}; expected above 0, up to {WEIGHT_MAX}", self.weight);
            return Err(StudyError::key("allocation.equity.weight", problem));
        }
        Ok(())
    }
}

/// Checks a file's rule, its codes, and that the release has what both need.
pub(super) fn check(file: &File) -> Result<(), StudyError> {
    let rule = &file.allocation;
    rule.check(&file.features, &file.groups)?;
    if rule.by.contains(&By::Codes) != file.codes.is_some() {
        let problem = "names `codes` exactly if the study has [codes]: the two belong together";
        return Err(StudyError::key("allocation.by", problem));
    }
    let share = file.privacy.shares.site_groups;
    let needed = rule.equity.is_some() && rule.by.contains(&By::Sites);
    if needed != (share > 0.0) {
        let problem = "must be above 0 exactly if [allocation.equity] weighs sites: it buys the heads of each group at each site";
        return Err(StudyError::key("privacy.shares.site_groups", problem));
    }
    file.codes.as_ref().map_or(Ok(()), |codes| codes.check(&file.features))
}

/// The levels of a service line; `None` for sites and codes.
fn levels<'a>(
    key: &str,
    by: &By,
    features: &'a [Feature],
) -> Result<Option<&'a [FeatureId]>, StudyError> {
    let By::Levels(name) = by else { return Ok(None) };
    let found = features.iter().find(|feature| feature.id == *name);
    match found {
        Some(feature) if !feature.levels.is_empty() => Ok(Some(&feature.levels)),
        Some(_) => {
            let problem = format!("names `{by}`, but `{name}` is a number; expected a factor");
            Err(StudyError::key(key, problem))
        }
        None => {
            let factors: Vec<&str> = features
                .iter()
                .filter(|feature| !feature.levels.is_empty())
                .map(|feature| feature.id.as_str())
                .collect();
            let problem = format!(
                "names `{by}`, but there is no feature `{name}`; the factors are: {}",
                factors.join(", ")
            );
            Err(StudyError::key(key, problem))
        }
    }
}

fn check_units(
    key: &str,
    by: &By,
    names: &[String],
    features: &[Feature],
) -> Result<(), StudyError> {
    if *by == By::Codes {
        return Err(StudyError::key(key, "is for sites and levels; [codes] has shares of its own"));
    }
    let levels = levels(key, by, features)?;
    for name in names {
        let known = match levels {
            Some(levels) => levels.iter().any(|level| level.as_str() == name),
            None => name.parse::<SiteId>().is_ok(),
        };
        if !known {
            let of = levels.map_or_else(
                || "a site's name has lower-case letters, digits, `-` and `_`".to_owned(),
                |levels| {
                    let levels: Vec<&str> = levels.iter().map(FeatureId::as_str).collect();
                    format!("the levels are: {}", levels.join(", "))
                },
            );
            return Err(StudyError::key(key, format!("names `{name}`, which is unknown; {of}")));
        }
    }
    Ok(())
}

fn sites_alone() -> Vec<By> {
    vec![By::Sites]
}

fn yes() -> bool {
    true
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<By>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Many(Vec<String>),
    }
    let texts = match Written::deserialize(from)? {
        Written::One(text) => vec![text],
        Written::Many(texts) => texts,
    };
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::Study;
    use super::super::tests::SOUND;
    use super::*;

    fn with(lines: &str) -> Result<Study, StudyError> {
        Study::parse(&format!("{SOUND}{lines}"))
    }

    #[test]
    fn a_study_that_says_nothing_divides_among_sites() {
        let study = Study::parse(SOUND).unwrap();
        assert_eq!(study.allocation().by, [By::Sites]);
        assert_eq!(study.allocation().heads_of(&By::Sites, "north"), None);
        assert!((study.allocation().price_of(&By::Sites, "north") - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn one_word_and_a_list_are_read_alike() {
        let one = with("by = \"levels:specialty\"\n").unwrap();
        let many = with("by = [\"levels:specialty\"]\n").unwrap();
        assert_eq!(one.digest(), many.digest());
        assert_eq!(one.allocation().by, [By::Levels("specialty".parse().unwrap())]);
    }

    #[test]
    fn public_numbers_are_found_by_their_unit() {
        let study = with(
            "by = [\"sites\", \"levels:specialty\"]\n[allocation.heads.sites]\nnorth = 40\n\
            [allocation.price_index.\"levels:specialty\"]\noncology = 1.5\n",
        )
        .unwrap();
        let rule = study.allocation();
        let lines = By::Levels("specialty".parse().unwrap());
        assert_eq!(rule.heads_of(&By::Sites, "north"), Some(40.0));
        assert!((rule.price_of(&lines, "oncology") - 1.5).abs() < f64::EPSILON);
        let north: SiteId = "north".parse().unwrap();
        assert_eq!(rule.check_sites([&north]), Ok(()));
        let error = rule.check_sites([&"south".parse().unwrap()]).unwrap_err().to_string();
        assert_eq!(
            error,
            "`allocation.heads.sites` names `north`, which is no site of the roster: south"
        );
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let cases = [
            ("by = []\n", "`allocation.by` is empty"),
            ("by = [\"sites\", \"sites\"]\n", "`allocation.by` names a way to divide twice"),
            ("by = \"hospitals\"\n", "`hospitals` is no way to divide: expected `sites`"),
            (
                "by = \"levels:ward\"\n",
                "`levels:ward`, but there is no feature `ward`; the factors are: specialty",
            ),
            ("by = \"levels:acuity\"\n", "`acuity` is a number; expected a factor"),
            ("by = \"codes\"\n", "names `codes` exactly if the study has [codes]"),
            (
                "[allocation.heads.\"levels:specialty\"]\nsurgery = 4\n",
                "names `surgery`, which is unknown; the levels are: internal, emergency, oncology",
            ),
            ("[allocation.heads.sites]\nNorth = 4\n", "names `North`, which is unknown; a site"),
            ("[allocation.heads.sites]\nnorth = 0\n", "north` is 0; expected 1 to 10000000"),
            ("[allocation.heads.codes]\nx = 4\n", "is for sites and levels"),
            ("[allocation.price_index.sites]\nnorth = -1.0\n", "north` is -1; expected 0.01"),
            ("[allocation.equity]\ngroups = []\nweight = 1.0\n", "equity.groups` is empty"),
            ("[allocation.equity]\ngroups = [\"deaf\"]\nweight = 1.0\n", "names `deaf`"),
            (
                "[allocation.equity]\ngroups = [\"interpreter-panel\"]\nweight = 0.0\n",
                "equity.weight` is 0; expected above 0, up to 10",
            ),
            (
                "[allocation.equity]\ngroups = [\"interpreter-panel\"]\nweight = 1.0\n",
                "`privacy.shares.site_groups` must be above 0 exactly if",
            ),
        ];
        for (lines, message) in cases {
            let error = with(lines).unwrap_err().to_string();
            assert!(error.contains(message), "{lines}: {error}");
        }
    }

    #[test]
    fn an_equity_rule_for_service_lines_needs_no_block_of_its_own() {
        let lines = "by = \"levels:specialty\"\n[allocation.equity]\ngroups = [\"interpreter-panel\"]\nweight = 0.5\n";
        assert!(with(lines).unwrap().allocation().equity.as_ref().unwrap().proven_only);
    }
}
