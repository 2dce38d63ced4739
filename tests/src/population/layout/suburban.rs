//! The suburban hospital: Parquet (snappy). Times are ISO 8601 in UTC, acuity is a label, and one
//! table of people carries the roster as a column a month.
use super::super::facts::{Channel, Facts, Role, Survey};
use super::super::profile::Specialty;
use super::super::table::{Packing, Table};
use super::{Folder, PopulationError, courses, day_and_minute, item, minutes, sessions, sheets};

fn reference(number: u32) -> String {
    format!("sub/{number}")
}

fn card(number: u32) -> String {
    format!("card-{number}")
}

fn iso(us: i64) -> String {
    let (day, minute) = day_and_minute(us, 0);
    format!("{day}T{minute}:00Z")
}

pub(super) fn write(
    facts: &Facts,
    surveys: &[Survey],
    out: &mut Folder,
) -> Result<(), PopulationError> {
    let snappy = Packing::Snappy;
    out.parquet("people", "people.parquet", people(facts), snappy)?;
    out.parquet("visits", "visits.parquet", visits(facts), snappy)?;
    out.parquet("feedback", "feedback.parquet", feedback(surveys), snappy)?;
    out.parquet("burnout", "burnout.parquet", burnout(facts), snappy)?;
    out.csv("courses", "courses.csv", courses(facts, reference))?;
    out.csv("devices", "devices.csv", sessions(&facts.sessions, reference))
}

fn people(facts: &Facts) -> Table {
    let each = || facts.persons.iter();
    let role = |role| match role {
        Role::Physician => "attending",
        Role::Nurse => "registered nurse",
        Role::Clerk => "front desk",
    };
    let service = |specialty| match specialty {
        Specialty::Internal => "Internal Medicine",
        Specialty::Emergency => "Emergency",
        Specialty::Oncology => "Oncology",
        Specialty::Palliative => "Palliative Care",
    };
    let first = format!("{:04}-{:02}-01", facts.first.0, facts.first.1);
    let base = Table::default()
        .text("personRef", each().map(|p| reference(p.number)))
        .text("role", each().map(|p| role(p.role)))
        .text("service", each().map(|p| service(p.specialty)))
        .int("grade", each().map(|p| p.grade))
        .int("unit", each().map(|p| p.ward))
        .flag("isActive", each().map(|p| p.active))
        .text("firstMonth", each().map(|_| first.clone()));
    let table = super::strata(base, facts, ["ageBand", "gender", "trainedIn"]);
    (0..super::super::facts::MONTHS).fold(table, |table, at| {
        let months = || each().filter_map(move |p| p.months.get(at));
        let name = |what: &str| format!("m{}.{what}", at + 1);
        table
            .int(&name("visits"), months().map(|m| m.encounters))
            .int(&name("hours"), months().map(|m| m.hours))
            .int(&name("nights"), months().map(|m| m.night_hours))
            .int(&name("courses"), months().map(|m| m.training_hours))
    })
}

fn visits(facts: &Facts) -> Table {
    let each = || facts.visits.iter();
    let channel = |channel| match channel {
        Channel::InPerson => "in person",
        Channel::Phone => "phone",
        Channel::Ivr => "voice menu",
        Channel::Video => "video",
        Channel::Other => "portal",
    };
    let share = |percent: Option<u8>| percent.map(|p| f64::from(p) / 100.0);
    let table = Table::default()
        .text("visit", each().map(|v| format!("V-{}", v.number)))
        .text("clinician", each().map(|v| reference(v.person)))
        .text("patient", each().map(|v| card(v.patient)))
        .text("begin", each().map(|v| iso(v.start_us)))
        .real("minutes", each().map(|v| Some(minutes(v.seconds))))
        .text("acuity", each().map(|v| format!("A{}", v.acuity)))
        .text("channel", each().map(|v| channel(v.channel)))
        .real("aiShare", each().map(|v| share(v.assisted_percent)))
        .flag("interpreter", each().map(|v| v.interpreter))
        .flag("readmitted", each().map(|v| v.readmitted))
        .flag("edReturn", each().map(|v| v.emergency));
    super::more(
        table,
        facts,
        [
            "scribeMinutes",
            "callMinutes",
            "presenceMinutes",
            "interruptions",
            "language",
            "patientAge",
            "deprivation",
            "payer",
            "patientGroup",
        ],
    )
}

fn feedback(surveys: &[Survey]) -> Table {
    let each = || surveys.iter();
    let table = Table::default()
        .text("form", each().map(|s| format!("F-{}", s.number)))
        .text("visit", each().map(|s| format!("V-{}", s.visit)))
        .text("clinician", each().map(|s| reference(s.person)))
        .text("patient", each().map(|s| card(s.patient)))
        .text("authored", each().map(|s| iso(s.authored_us)));
    (0..10).fold(table, |table, at| {
        let name = format!("c{:02}", at + 1);
        table.maybe_int(&name, each().map(|s| item(&s.items, at)))
    })
}

fn burnout(facts: &Facts) -> Table {
    let each = || sheets(facts);
    let word = |step| match step {
        0 => "never",
        1 => "seldom",
        2 => "sometimes",
        3 => "often",
        _ => "always",
    };
    let table = Table::default()
        .text("clinician", each().map(|(p, _)| reference(p.number)))
        .text("authored", each().map(|(_, s)| iso(s.at_us)));
    (0..6).fold(table, |table, at| {
        let said = each().map(|(_, s)| item(&s.items, at).map(|step| word(step).to_owned()));
        table.maybe_text(&format!("client{}", at + 1), said)
    })
}
