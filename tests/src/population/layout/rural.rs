//! The rural hospital: small CSV files kept by hand, in local time without seconds, with answers as
//! words and a tick where something is so.
use super::super::facts::{Channel, Facts, Role, Survey};
use super::super::profile::Specialty;
use super::super::table::Table;
use super::{
    Folder, PopulationError, SUMMER_HOURS, courses, day_and_minute, item, local, minutes, months,
    sessions, sheets, tick,
};
use time::{Date, Duration, Month};

fn who(number: u32) -> String {
    format!("r{number}")
}

fn card(number: u32) -> String {
    format!("K{number:05}")
}

/// What the clocks of Berlin show: they are put forward on the last Sunday of March and back on that of October, at
/// 01:00 UTC.
fn clock(us: i64) -> String {
    let hours = if summer(us) { SUMMER_HOURS } else { SUMMER_HOURS - 1 };
    let (day, minute) = day_and_minute(us, hours);
    format!("{day} {minute}")
}

fn summer(us: i64) -> bool {
    let at = local(us, 0);
    let turn = |month: Month| {
        let last = Date::from_calendar_date(at.year(), month, 31).ok()?;
        let sunday = last - Duration::days(last.weekday().number_days_from_sunday().into());
        Some(sunday.with_hms(1, 0, 0).ok()?.assume_utc())
    };
    let turns = turn(Month::March).zip(turn(Month::October));
    turns.is_some_and(|(forward, back)| at >= forward && at < back)
}

pub(super) fn write(
    facts: &Facts,
    surveys: &[Survey],
    out: &mut Folder,
) -> Result<(), PopulationError> {
    out.csv("staff", "staff.csv", staff(facts))?;
    out.csv("roster", "roster.csv", roster(facts))?;
    out.csv("visits", "visits.csv", visits(facts))?;
    out.csv("opinions", "opinions.csv", opinions(surveys))?;
    out.csv("burnout", "burnout.csv", burnout(facts))?;
    out.csv("courses", "courses.csv", courses(facts, who))?;
    out.csv("devices", "devices.csv", sessions(&facts.sessions, who))
}

fn staff(facts: &Facts) -> Table {
    let each = || facts.persons.iter();
    let profession = |role| match role {
        Role::Physician => "doctor",
        Role::Nurse => "nurse",
        Role::Clerk => "office",
    };
    let place = |specialty| match specialty {
        Specialty::Internal => "general",
        Specialty::Emergency => "er",
        Specialty::Oncology => "day clinic oncology",
        Specialty::Palliative => "hospice",
    };
    let table = Table::default()
        .text("who", each().map(|p| who(p.number)))
        .text("profession", each().map(|p| profession(p.role)))
        .text("place", each().map(|p| place(p.specialty)))
        .maybe_text("working", each().map(|p| tick(p.active, "yes")));
    super::strata(table, facts, ["age", "sex", "trained where"])
}

fn roster(facts: &Facts) -> Table {
    let each = || months(facts);
    Table::default()
        .text("who", each().map(|(p, ..)| who(p.number)))
        .text("month", each().map(|(_, at, _)| format!("{:04}-{:02}", at.0, at.1)))
        .int("seen", each().map(|(.., m)| m.encounters))
        .int("hours", each().map(|(.., m)| m.hours))
        .int("of these at night", each().map(|(.., m)| m.night_hours))
        .int("courses", each().map(|(.., m)| m.training_hours))
}

fn visits(facts: &Facts) -> Table {
    let each = || facts.visits.iter();
    let how = |channel| match channel {
        Channel::InPerson => "room",
        Channel::Phone => "phone",
        Channel::Ivr => "machine",
        Channel::Video => "video",
        Channel::Other => "letter",
    };
    let percent = |percent: Option<u8>| percent.map(|p| format!("{p}%"));
    let table = Table::default()
        .int("no", each().map(|v| v.number))
        .text("who", each().map(|v| who(v.person)))
        .text("card", each().map(|v| card(v.patient)))
        .text("when", each().map(|v| clock(v.start_us)))
        .real("minutes", each().map(|v| Some(minutes(v.seconds))))
        .int("urgency", each().map(|v| v.acuity))
        .text("how", each().map(|v| how(v.channel)))
        .maybe_text("ai", each().map(|v| percent(v.assisted_percent)))
        .maybe_text("interpreter", each().map(|v| tick(v.interpreter, "x")))
        .maybe_text("came back", each().map(|v| tick(v.readmitted, "x")))
        .maybe_text("to er", each().map(|v| tick(v.emergency, "x")));
    super::more(
        table,
        facts,
        [
            "scribe",
            "call",
            "with patient",
            "interruptions",
            "spoken",
            "age of patient",
            "hardship",
            "pays",
            "came as",
        ],
    )
}

fn opinions(surveys: &[Survey]) -> Table {
    let each = || surveys.iter();
    let word = |code| match code {
        1 => "poor",
        2 => "fair",
        3 => "good",
        4 => "very good",
        _ => "excellent",
    };
    let table = Table::default()
        .int("no", each().map(|s| s.number))
        .int("visit", each().map(|s| s.visit))
        .text("who", each().map(|s| who(s.person)))
        .text("card", each().map(|s| card(s.patient)))
        .text("when", each().map(|s| clock(s.authored_us)));
    (0..10).fold(table, |table, at| {
        let said = each().map(|s| item(&s.items, at).map(|code| word(code).to_owned()));
        table.maybe_text(&format!("answer {}", at + 1), said)
    })
}

fn burnout(facts: &Facts) -> Table {
    let each = || sheets(facts);
    let table = Table::default()
        .text("who", each().map(|(p, _)| who(p.number)))
        .text("when", each().map(|(_, s)| clock(s.at_us)));
    (0..6).fold(table, |table, at| {
        let points = each().map(|(_, s)| item(&s.items, at).map(|step| i64::from(step) * 25));
        table.maybe_int(&format!("item {}", at + 1), points)
    })
}
