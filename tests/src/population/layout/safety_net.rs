//! The safety-net hospital: CSV exports of an older system. Times are Unix seconds, the roster holds
//! totals of the whole period, and surveys come as one answer a line.
use super::super::facts::{Channel, Facts, Month, Person, Role, SECOND_US, Survey};
use super::super::profile::Specialty;
use super::super::table::Table;
use super::{Folder, PopulationError, courses, item, long, minutes, sessions, sheets};

fn npi(number: u32) -> String {
    format!("1{number:09}")
}

fn mrn(number: u32) -> String {
    format!("MRN-{number:06}")
}

fn yes(is: bool) -> &'static str {
    if is { "Y" } else { "N" }
}

pub(super) fn write(
    facts: &Facts,
    surveys: &[Survey],
    out: &mut Folder,
) -> Result<(), PopulationError> {
    out.csv("clinicians", "clinicians.csv", clinicians(facts))?;
    out.csv("roster", "roster.csv", roster(facts))?;
    out.csv("encounters", "encounters.csv", encounters(facts))?;
    out.csv("surveys", "surveys.csv", forms(surveys))?;
    out.csv("answers", "answers.csv", answers(surveys))?;
    out.csv("burnout", "burnout.csv", burnout(facts))?;
    out.csv("courses", "courses.csv", courses(facts, npi))?;
    out.csv("devices", "devices.csv", sessions(&facts.sessions, npi))
}

fn clinicians(facts: &Facts) -> Table {
    let each = || facts.persons.iter();
    let title = |role| match role {
        Role::Physician => "Doctor",
        Role::Nurse => "Nurse",
        Role::Clerk => "Desk",
    };
    let clinic = |specialty| match specialty {
        Specialty::Internal => "IM",
        Specialty::Emergency => "ED",
        Specialty::Oncology => "ON",
        Specialty::Palliative => "PC",
    };
    let table = Table::default()
        .text("NPI", each().map(|p| npi(p.number)))
        .text("Title", each().map(|p| title(p.role)))
        .text("Clinic", each().map(|p| clinic(p.specialty)))
        .int("Band", each().map(|p| p.grade))
        .text("Status", each().map(|p| if p.active { "A" } else { "L" }));
    super::strata(table, facts, ["Age", "Gender", "Trained"])
}

fn roster(facts: &Facts) -> Table {
    let each = || facts.persons.iter();
    let sum = |person: &Person, of: fn(&Month) -> u32| person.months.iter().map(of).sum::<u32>();
    let first = format!("{:04}-{:02}-01", facts.first.0, facts.first.1);
    Table::default()
        .text("NPI", each().map(|p| npi(p.number)))
        .text("Quarter From", each().map(|_| first.clone()))
        .int("Encounters", each().map(|p| sum(p, |m| m.encounters)))
        .int("Hours", each().map(|p| sum(p, |m| m.hours)))
        .int("Hours 22-06", each().map(|p| sum(p, |m| m.night_hours)))
        .int("Hours Training", each().map(|p| sum(p, |m| m.training_hours)))
}

fn encounters(facts: &Facts) -> Table {
    let each = || facts.visits.iter();
    let code = |channel| match channel {
        Channel::InPerson => 1,
        Channel::Phone => 2,
        Channel::Ivr => 3,
        Channel::Video => 4,
        Channel::Other => 5,
    };
    let share = |percent: Option<u8>| percent.map(|p| f64::from(p) / 100.0);
    let table = Table::default()
        .int("Enc ID", each().map(|v| v.number))
        .text("NPI", each().map(|v| npi(v.person)))
        .text("MRN", each().map(|v| mrn(v.patient)))
        .int("Started", each().map(|v| v.start_us / SECOND_US))
        .real("Dur (min)", each().map(|v| Some(minutes(v.seconds))))
        .int("Acuity", each().map(|v| v.acuity))
        .int("Chan", each().map(|v| code(v.channel)))
        .real("AI", each().map(|v| share(v.assisted_percent)))
        .text("Lang Service", each().map(|v| yes(v.interpreter)))
        .text("Back 30d", each().map(|v| yes(v.readmitted)))
        .text("ED 30d", each().map(|v| yes(v.emergency)));
    super::more(
        table,
        facts,
        [
            "Scribe",
            "Call",
            "With Patient",
            "Breaks",
            "Lang",
            "Pt Age",
            "SES",
            "Coverage",
            "Pt Group",
        ],
    )
}

fn forms(surveys: &[Survey]) -> Table {
    let each = || surveys.iter();
    Table::default()
        .int("Survey ID", each().map(|s| s.number))
        .int("Enc ID", each().map(|s| s.visit))
        .text("NPI", each().map(|s| npi(s.person)))
        .text("MRN", each().map(|s| mrn(s.patient)))
        .int("Received", each().map(|s| s.authored_us / SECOND_US))
}

fn answers(surveys: &[Survey]) -> Table {
    let each = || long(surveys);
    Table::default()
        .int("Survey ID", each().map(|(s, ..)| s.number))
        .int("Question", each().map(|(_, item, _)| item))
        .int("Answer", each().map(|(.., code)| code))
}

fn burnout(facts: &Facts) -> Table {
    let each = || {
        sheets(facts).flat_map(|(person, sheet)| {
            let coded = (0..6).filter_map(move |at| item(&sheet.items, at).map(|step| (at, step)));
            coded.map(move |(at, step)| (person, sheet.at_us, at + 1, i64::from(step) * 25))
        })
    };
    Table::default()
        .text("NPI", each().map(|(p, ..)| npi(p.number)))
        .int("Received", each().map(|(_, at_us, ..)| at_us / SECOND_US))
        .text("Item", each().map(|(.., at, _)| format!("CBI-C{at}")))
        .int("Score", each().map(|(.., score)| score))
}
