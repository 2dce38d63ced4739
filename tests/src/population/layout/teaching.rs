//! The teaching hospital: Parquet (zstd) from its warehouse. Triage runs from 1, most urgent, to 5;
//! lengths are seconds, times milliseconds; one form a row.
use super::super::facts::{Channel, Facts, Role, Survey};
use super::super::profile::Specialty;
use super::super::table::{Packing, Table};
use super::{Folder, PopulationError, courses, item, months, sessions, sheets};

fn staff(number: u32) -> String {
    format!("T{number:06}")
}

fn patient(number: u32) -> String {
    format!("P{number:07}")
}

pub(super) fn write(
    facts: &Facts,
    surveys: &[Survey],
    out: &mut Folder,
) -> Result<(), PopulationError> {
    let zstd = Packing::Zstd;
    out.parquet("staff", "staff.parquet", people(facts), zstd)?;
    out.parquet("duty", "duty.parquet", duty(facts), zstd)?;
    out.parquet("contacts", "contacts.parquet", contacts(facts), zstd)?;
    out.parquet("care", "care.parquet", care(surveys), zstd)?;
    out.csv("cbi", "cbi.csv", cbi(facts))?;
    out.csv("courses", "courses.csv", courses(facts, staff))?;
    out.csv("devices", "devices.csv", sessions(&facts.sessions, staff))
}

fn people(facts: &Facts) -> Table {
    let each = || facts.persons.iter();
    let job = |role| match role {
        Role::Physician => "MD",
        Role::Nurse => "RN",
        Role::Clerk => "ADM",
    };
    let department = |specialty| match specialty {
        Specialty::Internal => "INT",
        Specialty::Emergency => "EMD",
        Specialty::Oncology => "ONC",
        Specialty::Palliative => "PAL",
    };
    let table = Table::default()
        .text("Staff ID", each().map(|p| staff(p.number)))
        .text("Job Family", each().map(|p| job(p.role)))
        .text("Department", each().map(|p| department(p.specialty)))
        .int("Grade", each().map(|p| p.grade))
        .text("Ward", each().map(|p| format!("W{:02}", p.ward)))
        .flag("Employed", each().map(|p| p.active));
    super::strata(table, facts, ["Age Band", "Sex", "Trained In"])
}

fn duty(facts: &Facts) -> Table {
    let each = || months(facts);
    Table::default()
        .text("Staff ID", each().map(|(p, ..)| staff(p.number)))
        .int("Month", each().map(|(_, at, _)| at.0 * 100 + i32::from(at.1)))
        .int("Contacts", each().map(|(.., m)| m.encounters))
        .int("Hours", each().map(|(.., m)| m.hours))
        .int("Night Hours", each().map(|(.., m)| m.night_hours))
        .int("Training Hours", each().map(|(.., m)| m.training_hours))
}

fn contacts(facts: &Facts) -> Table {
    let each = || facts.visits.iter();
    let mode = |channel| match channel {
        Channel::InPerson => "F2F",
        Channel::Phone => "TEL",
        Channel::Ivr => "BOT",
        Channel::Video => "VID",
        Channel::Other => "MSG",
    };
    let table = Table::default()
        .int("Contact No", each().map(|v| v.number))
        .text("Staff ID", each().map(|v| staff(v.person)))
        .text("Patient Key", each().map(|v| patient(v.patient)))
        .int("Start ms", each().map(|v| v.start_us / 1_000))
        .int("Duration s", each().map(|v| v.seconds))
        .int("Triage Level", each().map(|v| 6 - v.acuity))
        .text("Mode", each().map(|v| mode(v.channel)))
        .maybe_int("Assist %", each().map(|v| v.assisted_percent))
        .flag("Interpreter", each().map(|v| v.interpreter))
        .flag("Readmit 30d", each().map(|v| v.readmitted))
        .flag("ED 30d", each().map(|v| v.emergency));
    super::more(
        table,
        facts,
        [
            "Scribe Min",
            "Call Min",
            "Presence Min",
            "Interruptions",
            "Language",
            "Patient Age",
            "Deprivation",
            "Payer",
            "Patient Group",
        ],
    )
}

fn care(surveys: &[Survey]) -> Table {
    let each = || surveys.iter();
    let table = Table::default()
        .int("Form No", each().map(|s| s.number))
        .int("Contact No", each().map(|s| s.visit))
        .text("Staff ID", each().map(|s| staff(s.person)))
        .text("Patient Key", each().map(|s| patient(s.patient)))
        .int("Filled ms", each().map(|s| s.authored_us / 1_000));
    (0..10).fold(table, |table, at| {
        let name = format!("Q{}", at + 1);
        table.maybe_int(&name, each().map(|s| item(&s.items, at)))
    })
}

fn cbi(facts: &Facts) -> Table {
    let each = || sheets(facts);
    let table = Table::default()
        .text("staff_id", each().map(|(p, _)| staff(p.number)))
        .int("filled_ms", each().map(|(_, s)| s.at_us / 1_000));
    (0..6).fold(table, |table, at| {
        let code = |s: &super::Sheet| item(&s.items, at).map(|step| step + 1);
        table.maybe_int(&format!("cl{}", at + 1), each().map(|(_, s)| code(&s)))
    })
}
