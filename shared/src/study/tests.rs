//! What a study file may say.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use super::{Study, StudyError};

/// A small sound study; also the base of the broken ones.
pub(crate) const SOUND: &str = r#"
format = 1
id = "small"
title = "A small study"
question = "Does it hold?"
purpose = "research-aggregate"
recipients = [{ name = "research-consortium", class = "research" }]
limits = ["No decision about a person."]

[period]
from = "2026-07-01"
to = "2026-10-01"

[population]
roles = ["physician", "nurse"]
clinicians_per_site_max = 2000
links_per_patient = 1
sites_per_patient = 1

[outcome]
id = "experience"
label = "Relational care reported by patients"
source = "scale:care-measure:total"
unit = "points"
low = 10.0
high = 50.0
centre = 38.0
residual_bound = 12.0
prior_count = 5

[[features]]
id = "acuity"
label = "Mean acuity"
source = "acuity-mean"
unit = "level"
low = 1.0
high = 5.0
centre = 3.0
rms = 0.3

[[features]]
id = "specialty"
label = "Specialty"
source = "specialty"
rms = 0.4
levels = ["internal", "emergency", "oncology"]

[[groups]]
id = "interpreter-panel"
label = "Panels that often need an interpreter"
source = "interpreter-share"
at_least = 0.25
low = 0.0
high = 1.0
centre = 0.1

[instruments.care-measure]
version = "2004"
sha256 = "a03b6c92475ef8db14339a33a068284119b3d522a3e4b8bafe005e224031dec0"

[privacy]
epsilon = 2.0
delta = 1e-6
min_sites = 4
rounds_per_year = 4
norm_cap = 2.5

[privacy.shares]
matrix = 0.3
moment = 0.35
square = 0.03
group_heads = 0.03
group_residual = 0.09
group_features = 0.03
site_heads = 0.05
site_residual = 0.05
site_features = 0.05
meta = 0.02

[fairness]
groups = ["interpreter-panel"]
phi = 0.5

[allocation]
pool_cents = 100000000
currency = "EUR"
floor_percent_per_head = 80
cap_percent_per_head = 130
"#;

#[test]
fn a_sound_study_is_read() {
    let study = Study::parse(SOUND).unwrap();
    assert_eq!(study.name().as_str(), "small");
    assert_eq!(study.schema().width(), 4);
    let names: Vec<String> = study.schema().columns().into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["intercept", "acuity", "specialty=emergency", "specialty=oncology"]);
}

#[test]
fn all_that_lacks_a_pin_is_named_at_once() {
    let scored = SOUND
        .replace("acuity-mean\"", "change:181:composite:engagement\"")
        .replace("low = 1.0\nhigh = 5.0\ncentre = 3.0", "low = -1.0\nhigh = 1.0\ncentre = 0.0")
        .replace("[instruments.care-measure]", "[instruments.jse]");
    assert_eq!(
        Study::parse(&scored).unwrap_err().to_string(),
        "`composites.engagement`, `instruments.care-measure` must have `version` and `sha256` of the definition by \
         which it is scored; `tacit-node instrument list --toml` prints the lines"
    );
}

#[test]
fn the_digest_covers_the_meaning_and_not_the_comments() {
    let study = Study::parse(SOUND).unwrap();
    let commented = format!("# a remark\n{SOUND}");
    assert_eq!(Study::parse(&commented).unwrap().digest(), study.digest());
    let other = SOUND.replace("version = \"2004\"", "version = \"2005\"");
    assert_ne!(Study::parse(&other).unwrap().digest(), study.digest());
    let other = SOUND.replace("centre = 3.0", "centre = 3.1");
    assert_ne!(Study::parse(&other).unwrap().digest(), study.digest());
}

#[test]
fn a_broken_study_is_refused_with_its_key() {
    let cases = [
        (
            "[instruments.care-measure]",
            "[instruments.jse]",
            "`instruments.care-measure` must have `version` and `sha256`",
        ),
        ("[instruments.care-measure]", "[composites.mood]", "`composites.mood` is no composite"),
        ("sha256 = \"a", "sha256 = \"g", "is not a digest"),
        ("class = \"research\"", "class = \"everyone\"", "unknown variant `everyone`"),
        ("{ name = \"research-consortium\", class = \"research\" }", "", "`recipients` is empty"),
        (
            "id = \"acuity\"",
            "id = \"stress-level\"",
            "`features.stress-level` is `stress-level`: `stress`",
        ),
        (
            "id = \"acuity\"",
            "id = \"burnout-risk\"",
            "`features.burnout-risk` is `burnout-risk`: `burnout`",
        ),
        ("id = \"experience\"", "id = \"mood\"", "`outcome.id` is `mood`: `mood` is a feeling"),
        ("id = \"interpreter-panel\"", "id = \"anxious\"", "`groups.anxious` is `anxious`"),
        ("format = 1", "format = 2", "`format` is 2; this program reads format 1"),
        ("to = \"2026-10-01\"", "to = \"2026-06-01\"", "`period.to` is 2026-06-01, not after"),
        ("from = \"2026-07-01\"", "from = \"July\"", "`period.from` is `July`; expected a day"),
        ("low = 1.0", "low = 9.0", "`features.acuity` has bounds 9 to 5; expected low below high"),
        ("centre = 38.0", "centre = 60.0", "`outcome.centre` is 60; expected 10 to 50"),
        ("rms = 0.3", "rms = 0.0", "`features.acuity.rms` is 0; expected a number above 0"),
        ("id = \"specialty\"", "id = \"acuity\"", "`features.acuity` appears twice"),
        ("epsilon = 2.0", "epsilon = nan", "`privacy.epsilon` is NaN"),
        ("epsilon = 2.0", "epsilon = 50.0", "`privacy.epsilon` is 50; above 20 it promises"),
        ("min_sites = 4", "min_sites = 1", "`privacy.min_sites` is 1; a sum of one site"),
        ("matrix = 0.3", "matrix = 0.9", "`privacy.shares` sum to 1.6"),
        ("phi = 0.5", "phi = 1.5", "`fairness.phi` is 1.5; expected 0 to 1"),
        ("groups = [\"interp", "groups = [\"interx", "`fairness.groups` names `interxreter-panel`"),
        ("pool_cents = 100000000", "pool_cents = 0", "`allocation.pool_cents` is not above 0"),
        ("currency = \"EUR\"", "currency = \"euro\"", "`allocation.currency` is `euro`"),
        ("levels = [\"internal\", \"emergency\", \"oncology\"]", "", "has 0; a factor needs two"),
        ("source = \"acuity-mean\"", "source = \"mood\"", "`mood` is not a source"),
        (
            "high = 5.0",
            "high = 6.0",
            "`features.acuity` has bounds 1 to 6, but `acuity-mean` goes from 1 to 5",
        ),
        (
            "source = \"acuity-mean\"",
            "source = \"change:91:hours\"",
            "`acuity.source` goes back 91 days, but the period has 92: the two would overlap",
        ),
    ];
    for (found, replaced, message) in cases {
        let text = SOUND.replacen(found, replaced, 1);
        assert_ne!(text, SOUND, "{found}");
        let error = Study::parse(&text).unwrap_err().to_string();
        assert!(error.contains(message), "{replaced}: {error}");
    }
}

#[test]
fn columns_and_groups_that_say_the_same_are_refused() {
    let again = |table: &str, id: &str, name: &str| {
        let start = SOUND.find(table).unwrap();
        let end = SOUND[start + 1..].find("\n[").unwrap() + start + 1;
        let copy = SOUND[start..end].replace(&format!("\"{id}\""), &format!("\"{name}\""));
        Study::parse(&format!("{}{copy}\n{}", &SOUND[..start], &SOUND[start..]))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        again("[[features]]\nid = \"acuity\"", "acuity", "severity"),
        "`features.acuity` reads `acuity-mean` like `severity`: the two are collinear"
    );
    assert_eq!(
        again("[[groups]]", "interpreter-panel", "translated"),
        "`groups.interpreter-panel` has the same members as `translated`"
    );
}

#[test]
fn one_study_compares_with_the_same_earlier_days() {
    let change = |days: [u16; 2]| {
        SOUND
            .replace("source = \"acuity-mean\"", &format!("source = \"change:{}:hours\"", days[0]))
            .replace("scale:care", &format!("change:{}:scale:care", days[1]))
    };
    assert_eq!(Study::parse(SOUND).unwrap().schema().lag(), None);
    let study = Study::parse(&change([181, 181])).unwrap();
    assert_eq!(study.schema().lag().map(super::source::Days::get), Some(181));
    let error = Study::parse(&change([181, 182])).unwrap_err().to_string();
    assert!(
        error.contains("acuity goes back 181 days, another part not so far or farther"),
        "{error}"
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let text = SOUND.replace("links_per_patient", "links_per_pateint");
    let Err(StudyError::Syntax(error)) = Study::parse(&text) else { panic!("accepted") };
    assert!(error.contains("links_per_pateint") && error.contains("line"), "{error}");
}

#[test]
fn a_name_may_repeat_the_title_of_its_scale_and_nothing_more() {
    let scale = |id: &str| {
        let text = SOUND.replacen("id = \"experience\"", &format!("id = \"{id}\""), 1);
        let text = text.replacen("instruments.care-measure", "instruments.pss-10", 1);
        Study::parse(&text.replacen("care-measure:total", "pss-10:stress", 1))
    };
    assert!(scale("perceived-stress").is_ok());
    assert!(scale("fear").is_err());
}

#[test]
fn no_employer_reads_what_rests_on_a_body() {
    let with = |class: &str, source: &str| {
        let text = SOUND.replacen("class = \"research\"", &format!("class = \"{class}\""), 1);
        Study::parse(&text.replacen(
            "source = \"acuity-mean\"",
            &format!("source = \"{source}\""),
            1,
        ))
    };
    for class in ["public", "employer-management"] {
        assert!(with(class, "acuity-mean").is_ok());
        let error = with(class, "ln-rmssd").unwrap_err().to_string();
        assert!(error.contains("reaches employers, but `acuity` reads `ln-rmssd`"), "{error}");
    }
    assert!(with("research", "ln-rmssd").is_ok() && with("oversight", "mean-hr").is_ok());
}
