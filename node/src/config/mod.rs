//! `node.toml`: the few things a site decides for itself.
//!
//! Strict: an unknown key is refused. What is not written has the safe default of
//! [`Config::new`]'s documentation.
mod budget;
mod licence;
mod person;

pub use licence::LicenceReference;
pub use person::{Basis, Consent, Modalities, Oversight, Retention, Switch};

use budget::{Account, Accounts, Spending, budgets};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use tacit_link::keys::read_bounded;
use tacit_shared::fault::Fault;
use tacit_shared::id::FeatureId;
use tacit_shared::privacy::ledger::{Budgets, Limits};
use tacit_shared::protocol::site::Policy;
use tacit_shared::units::Epsilon;

/// The file's name within a node's folder.
pub const FILE: &str = "node.toml";
/// A configuration is larger than this only by mistake.
const FILE_BYTES_MAX: usize = 64 << 10;

/// Floors below which the site takes no part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Floors {
    min_sites: u16,
    colluders: u16,
    noise_multiplier: f64,
    differencing_gap: u16,
    survivor_sets_max: u16,
}

impl Default for Floors {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            min_sites: policy.min_sites,
            colluders: policy.colluders,
            noise_multiplier: policy.noise_multiplier,
            differencing_gap: policy.differencing_gap,
            survivor_sets_max: policy.survivor_sets_max,
        }
    }
}

/// Whether a release waits for the officer's yes, round by round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Review {
    /// Approving a study is enough.
    #[default]
    None,
    /// Each release waits until its deadline; no answer is a no.
    Hold,
}

/// Whether ids are kept, sealed, beside the keyed hashes made of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct KeptIds {
    keep: bool,
}

/// A site's own settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    coordinator: SocketAddr,
    #[serde(default)]
    review: Review,
    budget: Spending,
    #[serde(default)]
    policy: Floors,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    licences: BTreeMap<FeatureId, LicenceReference>,
    #[serde(default)]
    identities: KeptIds,
    #[serde(default)]
    consent: Consent,
    #[serde(default)]
    retention: Retention,
    #[serde(default)]
    modalities: Modalities,
    #[serde(default)]
    oversight: Oversight,
}

impl Config {
    /// The settings `init` writes: ε 8 for a clinician and 20 for a patient, each at
    /// δ = 1e-6, over everything ever answered, without a limit by study or year; the policy floors of
    /// [`Policy::default`]; whose rows count is left to the mapping; rows are kept as long as may be.
    pub fn new(coordinator: SocketAddr) -> Self {
        let budget = Spending {
            clinician: Account { epsilon: 8.0, delta: 1e-6 },
            patient: Account { epsilon: 20.0, delta: 1e-6 },
            study: None,
            year: None,
        };
        Self {
            coordinator,
            review: Review::None,
            budget,
            policy: Floors::default(),
            licences: BTreeMap::new(),
            identities: KeptIds::default(),
            consent: Consent::default(),
            retention: Retention::default(),
            modalities: Modalities::default(),
            oversight: Oversight::default(),
        }
    }

    /// Reads `node.toml` of a folder.
    ///
    /// # Errors
    /// A fault with file and line, or the key and what it may be.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join(FILE);
        let place = path.display().to_string();
        let text = read_bounded(&path, FILE_BYTES_MAX as u64).map_err(|e| {
            let hint = "`tacit-node init` makes a node's folder";
            Fault::operator(format!("{FILE} cannot be read: {e}")).at(&place).hint(hint)
        })?;
        let text =
            String::from_utf8(text).map_err(|_| Fault::operator("not a text file").at(&place))?;
        Self::parse(&text).map_err(|fault| fault.at(place))
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > FILE_BYTES_MAX {
            let message = format!("{} bytes; expected at most {FILE_BYTES_MAX}", text.len());
            return Err(Fault::operator(message));
        }
        let hint = "docs/operations.md lists every key";
        let config: Self =
            toml::from_str(text).map_err(|e| Fault::operator(e.to_string()).hint(hint))?;
        config.limits()?;
        config.retention.within_maxima()?;
        config.oversight.is_a_name()?;
        Ok(config)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// A bug.
    pub fn to_toml(&self) -> Result<String, Fault> {
        let text = toml::to_string(self).map_err(|e| Fault::bug(e.to_string()))?;
        Ok(format!("# A Tacit node. docs/operations.md explains every key.\n{text}"))
    }

    /// Where the coordinator listens.
    pub fn coordinator(&self) -> SocketAddr {
        self.coordinator
    }

    /// The licences the site has entered, by instrument.
    pub fn licences(&self) -> &BTreeMap<FeatureId, LicenceReference> {
        &self.licences
    }

    /// Whether ids are kept, sealed, so that a person is found again from their hash.
    pub fn keeps_ids(&self) -> bool {
        self.identities.keep
    }

    /// Whose rows are read.
    pub fn consent(&self) -> Consent {
        self.consent
    }

    /// How long rows are kept.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// Which kinds of data are imported and read, as far as the profile in force allows them.
    pub fn modalities(&self) -> Modalities {
        self.modalities
    }

    /// Who looks at what a clinician contests.
    pub fn contest_to(&self) -> Option<&str> {
        self.oversight.contest_to.as_deref()
    }

    /// The same settings with other rules on whose rows are read.
    #[must_use = "returns the changed settings"]
    pub fn with_consent(mut self, consent: Consent) -> Self {
        self.consent = consent;
        self
    }

    /// The same settings with other times to keep rows.
    #[must_use = "returns the changed settings"]
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// The same settings with kinds of data switched on or off.
    #[must_use = "returns the changed settings"]
    pub fn with_modalities(mut self, modalities: Modalities) -> Self {
        self.modalities = modalities;
        self
    }

    /// Whether a release waits for the officer's yes.
    pub fn review(&self) -> Review {
        self.review
    }

    /// The same settings with or without a wait for the officer.
    #[must_use = "returns the changed settings"]
    pub fn with_review(mut self, review: Review) -> Self {
        self.review = review;
        self
    }

    /// The same settings with somebody who looks at what is contested.
    #[must_use = "returns the changed settings"]
    pub fn with_contest_to(mut self, who: &str) -> Self {
        self.oversight.contest_to = Some(who.to_owned());
        self
    }

    /// The same settings with other budgets (ε of a clinician, ε of a patient).
    #[must_use = "returns the changed settings"]
    pub fn with_budget(mut self, clinician: Epsilon, patient: Epsilon) -> Self {
        self.budget.clinician.epsilon = clinician.value();
        self.budget.patient.epsilon = patient.value();
        self
    }

    /// The same settings with budgets for one study, and for one calendar year (ε of a clinician, ε of a
    /// patient; δ as for everything).
    #[must_use = "returns the changed settings"]
    pub fn with_limits(
        mut self,
        study: Option<(Epsilon, Epsilon)>,
        year: Option<(Epsilon, Epsilon)>,
    ) -> Self {
        let (clinician, patient) = (self.budget.clinician, self.budget.patient);
        let accounts = |(of_clinician, of_patient): (Epsilon, Epsilon)| Accounts {
            clinician: Account { epsilon: of_clinician.value(), ..clinician },
            patient: Account { epsilon: of_patient.value(), ..patient },
        };
        (self.budget.study, self.budget.year) = (study.map(accounts), year.map(accounts));
        self
    }

    /// The budgets over everything, all studies and coordinators.
    ///
    /// # Errors
    /// An operator's fault naming the account.
    pub fn budgets(&self) -> Result<Budgets, Fault> {
        let Spending { clinician, patient, .. } = self.budget;
        budgets("budget", &Accounts { clinician, patient })
    }

    /// All that the site allows: over everything, by study and by year.
    ///
    /// # Errors
    /// An operator's fault naming the account.
    pub fn limits(&self) -> Result<Limits, Fault> {
        let part = |key: &str, accounts: Option<Accounts>| {
            accounts.map(|accounts| budgets(key, &accounts)).transpose()
        };
        Ok(Limits {
            site: self.budgets()?,
            study: part("budget.study", self.budget.study)?,
            year: part("budget.year", self.budget.year)?,
        })
    }

    /// Floors below which the site takes no part.
    pub fn policy(&self) -> Policy {
        Policy {
            min_sites: self.policy.min_sites,
            colluders: self.policy.colluders,
            noise_multiplier: self.policy.noise_multiplier,
            differencing_gap: self.policy.differencing_gap,
            survivor_sets_max: self.policy.survivor_sets_max,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use tacit_shared::study::modality::Modality;
    use tacit_shared::study::profile::document::{Document, Keep};

    fn config() -> Config {
        Config::new("127.0.0.1:7843".parse().unwrap())
    }

    #[test]
    fn what_init_writes_is_read_back() {
        assert_eq!(Config::parse(&config().to_toml().unwrap()).unwrap(), config());
    }

    #[test]
    fn a_licence_reference_is_one_line() {
        let with = |reference: &str| {
            let text = config().to_toml().unwrap();
            Config::parse(&format!("{text}\n[licences]\nstanford-pfi = {reference}\n"))
        };
        let set = with("\"letter of 2026-02-01\"").unwrap();
        let reference = set.licences().get(&"stanford-pfi".parse().unwrap()).unwrap();
        assert_eq!(reference.as_str(), "letter of 2026-02-01");
        assert_eq!(Config::parse(&set.to_toml().unwrap()).unwrap(), set);
        for (reference, length) in
            [("\" \"", 1), ("\"a\\nb\"", 3), (&format!("\"{}\"", "x".repeat(201)), 201)]
        {
            let error = with(reference).unwrap_err().to_string();
            let expected = format!(
                "a licence reference of {length} characters; expected one line of 1 to 200"
            );
            assert!(error.contains(&expected), "{error}");
        }
    }

    #[test]
    fn whose_rows_count_and_for_how_long_is_read_back_within_bounds() {
        let text = config().to_toml().unwrap();
        for line in ["[consent]\nclinicians = \"by-mapping\"", "answers = 730", "heart = true"] {
            assert!(text.contains(line), "{line} in {text}");
        }
        // A file from before these keys says the same.
        let (old, _) = text.split_once("[consent]").unwrap();
        assert_eq!(Config::parse(old).unwrap(), config());
        let set = config()
            .with_consent(Consent { clinicians: Basis::Required, patients: Basis::OptOut })
            .with_retention(Retention { encounters: 90, answers: 180, features: 30 })
            .with_modalities(Modalities::default().without(Modality::Encounters))
            .with_contest_to("Dr. Ada Byron, patient safety");
        assert_eq!(Config::parse(&set.to_toml().unwrap()).unwrap(), set);
        for (found, replaced, message) in [
            (
                "features = 365",
                "features = 366",
                "`retention.features`: 366 days; expected 1 to 365",
            ),
            ("encounters = 730", "encounters = 0", "`retention.encounters`: 0 days"),
            ("heart = true", "face = true", "unknown field `face`"),
            (
                "[oversight]",
                "[oversight]\ncontest_to = \" \"",
                "`oversight.contest_to`: 1 characters",
            ),
            ("\"by-mapping\"", "\"maybe\"", "unknown variant `maybe`"),
        ] {
            let error = Config::parse(&text.replacen(found, replaced, 1)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn every_kind_of_data_has_a_switch_and_the_profile_can_only_narrow_them() {
        let built_in = Document::built_in().unwrap();
        for modality in Modality::ALL {
            let key = modality.word().replace('-', "_");
            let all_on = config().with_modalities(Modalities::EVERYTHING);
            let text = all_on.to_toml().unwrap().replacen(
                &format!("{key} = true"),
                &format!("{key} = false"),
                1,
            );
            let off = Config::parse(&text).unwrap().modalities();
            assert_eq!(off, Modalities::EVERYTHING.without(modality), "{key}");
            assert!(Modality::ALL.into_iter().all(|m| off.admits(m) == (m != modality)));
            let within = off.within(&built_in);
            assert!(!within.admits(modality));
            assert!(
                Modality::ALL
                    .into_iter()
                    .all(|m| !within.admits(m) || (built_in.allows(m) && off.admits(m)))
            );
        }
        let keep = Retention { encounters: 10, answers: 730, features: 20 };
        let shorter = keep.within(Keep { encounters: 30, answers: 40, features: 5 });
        assert_eq!(shorter, Retention { encounters: 10, answers: 40, features: 5 });
    }

    #[test]
    fn limits_by_study_and_by_year_are_read_back() {
        let epsilon = |value| Epsilon::new(value).unwrap();
        let set = config()
            .with_limits(Some((epsilon(3.0), epsilon(9.0))), Some((epsilon(4.0), epsilon(10.0))));
        let text = set.to_toml().unwrap();
        assert!(text.contains("[budget.study.clinician]\nepsilon = 3.0\n"), "{text}");
        assert_eq!(Config::parse(&text).unwrap(), set);
        let limits = set.limits().unwrap();
        assert_eq!(limits.site, config().budgets().unwrap());
        assert_eq!(limits.study.unwrap().patient.epsilon(), epsilon(9.0));
        assert_eq!(limits.year.unwrap().clinician.epsilon(), epsilon(4.0));
        let broken = text.replacen("epsilon = 4.0", "epsilon = 0.0", 1);
        let error = Config::parse(&broken).unwrap_err().to_string();
        assert!(error.contains("`budget.year.clinician`"), "{error}");
        assert_eq!(config().limits().unwrap(), Limits::from(config().budgets().unwrap()));
    }

    #[test]
    fn wrong_settings_are_refused_with_their_key() {
        let text = config().to_toml().unwrap();
        let cases = [
            ("[policy]", "[polcy]", "unknown field `polcy`"),
            ("epsilon = 8.0", "epsilon = -1.0", "`budget.clinician`"),
            ("delta = 0.000001", "delta = 0.0", "`budget.clinician`"),
            ("delta = 0.000001", "delta = 0.9", "expected at most 200 and 0.001"),
        ];
        for (found, replaced, message) in cases {
            let broken = text.replacen(found, replaced, 1);
            assert_ne!(broken, text, "{found} in {text}");
            let error = Config::parse(&broken).unwrap_err().to_string();
            assert!(error.contains(message), "{replaced}: {error}");
        }
    }
}
