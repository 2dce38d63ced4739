//! The canonical tables: what a mapping's section must yield, and what each value may be.
//!
//! One description serves the staging tables, the checks and the steward's guide. Times are whole
//! microseconds since 1970 UTC, shares lie in 0 to 1, flags are 0 or 1, names are lower-case words.
use crate::store::pseudonym::Kind;

/// A canonical table, in the order in which rows are taken over: what is referred to comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// What clinicians and patients consented to, refused or withdrew.
    Consent,
    /// Clinicians, from staff records.
    Person,
    /// Encounters of a clinician with a patient.
    Encounter,
    /// A clinician's work over a span of days, from staff records.
    Period,
    /// Trainings of a clinician, from staff records.
    Training,
    /// Filled-in questionnaires.
    Response,
    /// Their answers.
    Answer,
    /// Recordings of a clinician's heart beats.
    DeviceSession,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// An id of the hospital, replaced by its keyed hash.
    Key(Kind),
    /// A lower-case word: a letter, then letters, digits, `-` or `_`, 48 at most.
    Word,
    /// A text of 1 to so many characters.
    Text(u32),
    /// A whole number.
    Whole(i64, i64),
    /// A number.
    Number(f64, f64),
    /// A time in microseconds since 1970 UTC, between 1990 and 2100.
    Time,
    /// One of a few words.
    OneOf(&'static [&'static str]),
}

/// Whether a section must yield the column and each row a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Every row has a value.
    Required,
    /// The column, or a value, may be missing.
    Optional,
}

/// One column of a canonical table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values may be.
    pub rule: Rule,
    /// Whether it may be missing.
    pub presence: Presence,
}

/// 1990-01-01 and 2100-01-01: a time outside was given in another unit.
pub(super) const TIME_RANGE: (i64, i64) = (631_152_000_000_000, 4_102_444_800_000_000);

const CHANNELS: &[&str] = &["in_person", "phone", "ivr", "video", "other"];
const PURPOSES: &[&str] = &[
    "local-view",
    "research-aggregate",
    "heart",
    "skin-conductance",
    "wearable-summaries",
    "facial-action-units",
];
const RESPONDENTS: &[&str] = &["patient", "clinician"];
const FLAG: Rule = Rule::Whole(0, 1);
const SHARE: Rule = Rule::Number(0.0, 1.0);
const MINUTES: Rule = Rule::Number(0.0, 1440.0);
const HOURS: Rule = Rule::Number(0.0, 9_000.0);

const CONSENT: &[Column] = &[
    optional("person", Rule::Key(Kind::Person)),
    optional("patient", Rule::Key(Kind::Patient)),
    required("purpose", Rule::OneOf(PURPOSES)),
    required("state", Rule::OneOf(&["given", "refused", "withdrawn"])),
    required("from_us", Rule::Time),
    optional("to_us", Rule::Time),
    optional("document", Rule::Text(128)),
    optional("recorded_by", Rule::Word),
];
const PERSON: &[Column] = &[
    required("person", Rule::Key(Kind::Person)),
    required("role", Rule::Word),
    required("specialty", Rule::Word),
    optional("grade_band", Rule::Text(64)),
    optional("site_unit", Rule::Text(64)),
    required("active", FLAG),
    optional("age_band", Rule::Word),
    optional("gender", Rule::Word),
    optional("training_country", Rule::Word),
];
const ENCOUNTER: &[Column] = &[
    required("encounter", Rule::Key(Kind::Encounter)),
    required("person", Rule::Key(Kind::Person)),
    optional("patient", Rule::Key(Kind::Patient)),
    required("start_us", Rule::Time),
    optional("end_us", Rule::Time),
    required("tz_min", Rule::Whole(-840, 840)),
    required("minutes", MINUTES),
    optional("specialty", Rule::Word),
    required("acuity", Rule::Whole(1, 5)),
    required("channel", Rule::OneOf(CHANNELS)),
    optional("ai_share", SHARE),
    optional("interpreter", FLAG),
    optional("readmit_30d", FLAG),
    optional("ed_30d", FLAG),
    optional("scribe_minutes", MINUTES),
    optional("call_minutes", MINUTES),
    optional("presence_minutes", MINUTES),
    optional("interruptions", Rule::Whole(0, 1000)),
    optional("language", Rule::Word),
    optional("patient_age_band", Rule::Word),
    optional("deprivation_band", Rule::Word),
    optional("payer", Rule::Word),
    optional("patient_group", Rule::Word),
];
const PERIOD: &[Column] = &[
    required("person", Rule::Key(Kind::Person)),
    required("from_us", Rule::Time),
    required("to_us", Rule::Time),
    required("volume", Rule::Number(0.0, 1_000_000.0)),
    required("hours", HOURS),
    optional("night_hours", HOURS),
    optional("training_hours", HOURS),
];
const TRAINING: &[Column] = &[
    required("person", Rule::Key(Kind::Person)),
    required("programme", Rule::Word),
    required("from_us", Rule::Time),
    optional("to_us", Rule::Time),
    optional("hours", HOURS),
];
const RESPONSE: &[Column] = &[
    required("response", Rule::Key(Kind::Response)),
    required("instrument", Rule::Word),
    optional("version", Rule::Text(32)),
    required("respondent", Rule::OneOf(RESPONDENTS)),
    required("person", Rule::Key(Kind::Person)),
    optional("encounter", Rule::Key(Kind::Encounter)),
    optional("patient", Rule::Key(Kind::Patient)),
    required("authored_us", Rule::Time),
];
const ANSWER: &[Column] = &[
    required("response", Rule::Key(Kind::Response)),
    required("item", Rule::Text(48)),
    required("code", Rule::Text(48)),
];
const DEVICE_SESSION: &[Column] = &[
    required("session", Rule::Key(Kind::Session)),
    required("person", Rule::Key(Kind::Person)),
    required("kind", Rule::Word),
    required("start_us", Rule::Time),
    optional("clock_offset_us", Rule::Whole(-30_000_000, 30_000_000)),
    optional("fs", Rule::Number(0.001, 100_000.0)),
    required("file", Rule::Text(512)),
];

impl Table {
    /// All tables, in the order in which rows are taken over.
    pub const ALL: [Table; 8] = [
        Table::Consent,
        Table::Person,
        Table::Encounter,
        Table::Period,
        Table::Training,
        Table::Response,
        Table::Answer,
        Table::DeviceSession,
    ];

    /// The name of the table and of its section.
    pub fn name(self) -> &'static str {
        match self {
            Table::Consent => "consent",
            Table::Person => "person",
            Table::Encounter => "encounter",
            Table::Period => "period",
            Table::Training => "training",
            Table::Response => "response",
            Table::Answer => "answer",
            Table::DeviceSession => "device_session",
        }
    }

    /// The table of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its columns; a section yields `line` beside them.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Table::Consent => CONSENT,
            Table::Person => PERSON,
            Table::Encounter => ENCOUNTER,
            Table::Period => PERIOD,
            Table::Training => TRAINING,
            Table::Response => RESPONSE,
            Table::Answer => ANSWER,
            Table::DeviceSession => DEVICE_SESSION,
        }
    }

    /// The columns that tell its rows apart.
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Table::Consent => &["person", "patient", "purpose", "from_us", "state"],
            Table::Person => &["person"],
            Table::Encounter => &["encounter"],
            Table::Period => &["person", "from_us"],
            Table::Training => &["person", "programme", "from_us"],
            Table::Response => &["response"],
            Table::Answer => &["response", "item"],
            Table::DeviceSession => &["session"],
        }
    }

    /// The columns that must name a row taken over before, and its table.
    pub fn references(self) -> &'static [(&'static str, Table)] {
        match self {
            Table::Consent | Table::Person => &[],
            Table::Answer => &[("response", Table::Response)],
            _ => &[("person", Table::Person)],
        }
    }

    /// Whether a row that was there before is replaced by a newer one, instead of being kept.
    pub(super) fn renewed(self) -> bool {
        matches!(self, Table::Consent | Table::Person | Table::Training)
    }

    /// Conditions between two columns that make a row bad: the condition, the column, the reason. None
    /// but that column may be optional.
    pub fn contradictions(self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self {
            Table::Encounter => &[
                ("end_us < start_us", "end_us", "before start_us"),
                ("presence_minutes > minutes", "presence_minutes", "more than minutes"),
            ],
            Table::Training => &[("to_us < from_us", "to_us", "before from_us")],
            Table::Consent => &[("to_us <= from_us", "to_us", "not after from_us")],
            Table::Period => &[
                ("to_us <= from_us", "to_us", "not after from_us"),
                (
                    "to_us > from_us AND hours * 3600e6 > to_us - from_us",
                    "hours",
                    "more hours than from from_us to to_us",
                ),
                ("night_hours > hours", "night_hours", "more than hours"),
            ],
            _ => &[],
        }
    }
}

impl Rule {
    /// How `SQLite` stores the values: a text that is a number becomes one where a number is due.
    pub(super) fn affinity(self) -> &'static str {
        match self {
            Rule::Key(_) | Rule::Word | Rule::Text(_) | Rule::OneOf(_) => "TEXT",
            Rule::Whole(..) | Rule::Time => "INTEGER",
            Rule::Number(..) => "REAL",
        }
    }

    /// What is expected, in words.
    pub fn expected(self) -> String {
        match self {
            Rule::Key(_) => "an id of 1 to 200 characters".to_owned(),
            Rule::Word => "a lower-case word (a-z, 0-9, - and _; 48 at most)".to_owned(),
            Rule::Text(length) => format!("a text of 1 to {length} characters"),
            Rule::Whole(0, 1) => "0 or 1".to_owned(),
            Rule::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Rule::Number(low, high) => format!("a number from {low} to {high}"),
            Rule::Time => "microseconds since 1970 UTC, between 1990 and 2100".to_owned(),
            Rule::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }

    /// The SQL condition under which a value that is there breaks the rule.
    pub(super) fn broken(self, column: &str) -> String {
        let text = |length: u32| {
            // length() and GLOB end at a NUL; what stands behind it would come in unseen.
            format!(
                "typeof({column}) <> 'text' OR length({column}) NOT BETWEEN 1 AND {length} \
                 OR instr(CAST({column} AS BLOB), x'00') > 0"
            )
        };
        match self {
            Rule::Key(_) => text(200),
            Rule::Text(length) => text(length),
            Rule::Word => format!(
                "{} OR {column} NOT GLOB '[a-z]*' OR {column} GLOB '*[^a-z0-9_-]*'",
                text(48)
            ),
            Rule::Whole(low, high) => {
                format!("typeof({column}) <> 'integer' OR {column} NOT BETWEEN {low} AND {high}")
            }
            Rule::Time => Rule::Whole(TIME_RANGE.0, TIME_RANGE.1).broken(column),
            Rule::Number(low, high) => {
                format!("typeof({column}) <> 'real' OR {column} NOT BETWEEN {low:?} AND {high:?}")
            }
            Rule::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|w| format!("'{w}'")).collect();
                format!("{column} NOT IN ({})", words.join(", "))
            }
        }
    }
}

const fn required(name: &'static str, rule: Rule) -> Column {
    Column { name, rule, presence: Presence::Required }
}

const fn optional(name: &'static str, rule: Rule) -> Column {
    Column { name, rule, presence: Presence::Optional }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_found_by_its_name_and_has_its_key() {
        for table in Table::ALL {
            assert_eq!(Table::named(table.name()), Some(table));
            for key in table.key() {
                assert!(table.columns().iter().any(|c| c.name == *key), "{key}");
            }
        }
        assert_eq!(Table::named("consents"), None);
    }

    #[test]
    fn the_guide_lists_every_column_with_its_rule() {
        let guide = include_str!("../../../docs/data-mapping.md");
        for table in Table::ALL {
            for column in table.columns() {
                let mark = if column.presence == Presence::Optional { "?" } else { "" };
                let row = format!(
                    "| {} | `{}`{mark} | {} |",
                    table.name(),
                    column.name,
                    column.rule.expected()
                );
                assert!(guide.contains(&row), "docs/data-mapping.md lacks: {row}");
            }
        }
    }
}
