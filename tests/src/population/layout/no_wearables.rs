//! The hospital without wearables: staff as CSV, roster and surveys as Parquet, episodes as CSV. Times
//! carry their offset, triage runs from 1, most urgent, to 5, and lengths are seconds.
use super::super::facts::{Channel, Facts, Role, Survey};
use super::super::profile::Specialty;
use super::super::table::{Packing, Table};
use super::{
    Folder, PopulationError, SUMMER_HOURS, courses, day_and_minute, item, long, months, sheets,
};

fn hr(number: u32) -> i64 {
    40_000_000 + i64::from(number)
}

fn iso(us: i64) -> String {
    let (day, minute) = day_and_minute(us, SUMMER_HOURS);
    format!("{day}T{minute}:00+{SUMMER_HOURS:02}:00")
}

pub(super) fn write(
    facts: &Facts,
    surveys: &[Survey],
    out: &mut Folder,
) -> Result<(), PopulationError> {
    out.csv("staff", "staff.csv", staff(facts))?;
    out.parquet("roster", "roster.parquet", roster(facts), Packing::Snappy)?;
    out.csv("episodes", "episodes.csv", episodes(facts))?;
    out.parquet("proms", "proms.parquet", proms(surveys), Packing::Zstd)?;
    out.csv("courses", "courses.csv", courses(facts, |number| hr(number).to_string()))?;
    out.csv("cbi", "cbi.csv", cbi(facts))
}

fn staff(facts: &Facts) -> Table {
    let each = || facts.persons.iter();
    let contract = |role| match role {
        Role::Physician => "medical",
        Role::Nurse => "nursing",
        Role::Clerk => "administration",
    };
    let code = |specialty| match specialty {
        Specialty::Internal => 100,
        Specialty::Emergency => 500,
        Specialty::Oncology => 370,
        Specialty::Palliative => 315,
    };
    let left = |active: bool| (!active).then(|| "2025-12-31".to_owned());
    let table = Table::default()
        .int("HR-Number", each().map(|p| hr(p.number)))
        .text("Contract", each().map(|p| contract(p.role)))
        .int("Specialty-Code", each().map(|p| code(p.specialty)))
        .text("Unit", each().map(|p| format!("U{}", p.ward)))
        .maybe_text("Left-On", each().map(|p| left(p.active)));
    super::strata(table, facts, ["Age-Band", "Gender", "Trained-In"])
}

fn roster(facts: &Facts) -> Table {
    let each = || months(facts);
    let minutes = |hours: u32| i64::from(hours) * 60;
    Table::default()
        .int("HR-Number", each().map(|(p, ..)| hr(p.number)))
        .text("Month", each().map(|(_, at, _)| format!("{:04}-{:02}-01", at.0, at.1)))
        .int("Episodes", each().map(|(.., m)| m.encounters))
        .int("Worked-Min", each().map(|(.., m)| minutes(m.hours)))
        .int("Night-Min", each().map(|(.., m)| minutes(m.night_hours)))
        .int("Training-Min", each().map(|(.., m)| minutes(m.training_hours)))
}

fn episodes(facts: &Facts) -> Table {
    let each = || facts.visits.iter();
    let medium = |channel| match channel {
        Channel::InPerson => "presence",
        Channel::Phone => "telephone",
        Channel::Ivr => "voicebot",
        Channel::Video => "videocall",
        Channel::Other => "mail",
    };
    let flag = |is: bool| if is { "true" } else { "false" };
    let table = Table::default()
        .text("Episode", each().map(|v| format!("E{:06}", v.number)))
        .int("HR-Number", each().map(|v| hr(v.person)))
        .int("Patient", each().map(|v| v.patient))
        .text("Opened", each().map(|v| iso(v.start_us)))
        .int("Seconds", each().map(|v| v.seconds))
        .int("ESI", each().map(|v| 6 - v.acuity))
        .text("Medium", each().map(|v| medium(v.channel)))
        .maybe_int("AI-Percent", each().map(|v| v.assisted_percent))
        .text("Interpreter", each().map(|v| flag(v.interpreter)))
        .text("Readmission", each().map(|v| flag(v.readmitted)))
        .text("ED-Visit", each().map(|v| flag(v.emergency)));
    super::more(
        table,
        facts,
        [
            "Scribe-Min",
            "Call-Min",
            "Presence-Min",
            "Interruptions",
            "Language",
            "Patient-Age",
            "Deprivation",
            "Payer",
            "Patient-Group",
        ],
    )
}

fn proms(surveys: &[Survey]) -> Table {
    let each = || long(surveys);
    Table::default()
        .int("Survey", each().map(|(s, ..)| s.number))
        .text("Episode", each().map(|(s, ..)| format!("E{:06}", s.visit)))
        .int("HR-Number", each().map(|(s, ..)| hr(s.person)))
        .int("Patient", each().map(|(s, ..)| s.patient))
        .text("Authored", each().map(|(s, ..)| iso(s.authored_us)))
        .text("Item", each().map(|(_, item, _)| format!("CARE_{item:02}")))
        .int("Value", each().map(|(.., code)| code))
}

fn cbi(facts: &Facts) -> Table {
    let each = || sheets(facts);
    let table = Table::default()
        .int("HR-Number", each().map(|(p, _)| hr(p.number)))
        .text("Authored", each().map(|(_, s)| iso(s.at_us)));
    (0..6).fold(table, |table, at| {
        let code = each().map(|(_, s)| item(&s.items, at).map(|step| step + 1));
        table.maybe_int(&format!("C{}", at + 1), code)
    })
}
