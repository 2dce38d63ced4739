//! What the papers say of one invented hospital.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use super::reasons::{self, BODY, OWN_WORDS};
use super::*;

fn record() -> Record {
    let data = |kind: &str, about, allowed, people| Data {
        kind: kind.to_owned(),
        about,
        allowed,
        switched_on: true,
        people: Band::of(people),
        patients: (kind == "encounters").then(|| Band::of(people)),
    };
    let mut record = Record {
        format: "tacit-record/1",
        made_at: "2026-11-22 02:00 UTC".to_owned(),
        made_by: "tacit-node 0.1.0".to_owned(),
        site: "north".to_owned(),
        name: "North <General>".to_owned(),
        federation: None,
        profile: ProfilePart {
            kind: "self-report-only".to_owned(),
            version: "1".to_owned(),
            digest: "0".repeat(64),
            purposes: vec!["research-aggregate".to_owned()],
            basis: vec!["Article 6(1)(e) GDPR".to_owned()],
            agreement: None,
            approval: None,
            ends: None,
            recipients: vec!["research".to_owned(), "policy".to_owned()],
            signed: Vec::new(),
            falls_short: None,
        },
        data: vec![
            data("encounters", "patients, and clinicians' work", true, 213),
            data("clinician-questionnaires", OWN_WORDS, true, 7),
            data("heart", BODY, false, 0),
        ],
        consent: ConsentPart {
            clinicians: "required".to_owned(),
            patients: "by-mapping".to_owned(),
            statements: vec![Statements {
                of: "clinicians",
                purpose: "research-aggregate".to_owned(),
                state: "refused".to_owned(),
                people: Band::of(3),
            }],
        },
        kept_days: KeptDays { encounters: 730, answers: 365, features: 90 },
        studies: Vec::new(),
        budgets: vec![BudgetPart { one: "clinician", epsilon: 8.0, delta: 1e-6, spent: Some(2.0) }],
        releases: 1,
        instruments: Vec::new(),
        composites: Vec::new(),
        flows: reasons::flows(false, true),
        contest_to: None,
        refusals: vec![("study x reads `mean-hr`".to_owned(), 2)],
        risks: Vec::new(),
        open_points: Vec::new(),
    };
    record.risks = reasons::risks(&record);
    record.open_points = reasons::open_points(&record);
    record
}

#[test]
fn a_count_of_people_is_told_as_a_band() {
    for (count, words) in [
        (0, "fewer than 10"),
        (9, "fewer than 10"),
        (10, "10 to 49"),
        (249, "50 to 249"),
        (250, "250 to 999"),
        (1000, "1,000 or more"),
    ] {
        let band = Band::of(count);
        assert_eq!(band.words(), words);
        assert_eq!(serde_json::to_value(band).unwrap(), words);
    }
}

#[test]
fn the_papers_say_what_they_are_and_escape_what_they_are_given() {
    let record = record();
    for text in [html::assessment(&record), html::notice(&record)] {
        assert!(text.contains("not legal advice"), "{text}");
        assert!(text.contains("North &lt;General&gt;") && !text.contains("<General>"));
        assert!(
            !text.contains("<script") && !text.contains("http://") && !text.contains("https://")
        );
    }
    let assessment = html::assessment(&record);
    for part in [
        "Legal basis",
        "Risks and measures",
        "What is left",
        "Open points",
        "Refused under a profile",
        "self-report-only",
    ] {
        assert!(assessment.contains(part), "{part}");
    }
    let notice = html::notice(&record);
    assert!(
        notice.contains("Kinds of data: encounters, clinician-questionnaires.")
            && notice.contains("Not read: heart.")
    );
    assert!(notice.contains("silence is a no"));
}

#[test]
fn small_cells_that_were_accepted_are_named() {
    let mut record = record();
    let found = |record: &Record| serde_json::to_string(&reasons::risks(record)).unwrap();
    assert!(!found(&record).contains("Small cells are accepted"));
    record.studies.push(StudyPart {
        name: "empathy-billing".to_owned(),
        title: "Billing".to_owned(),
        digest: "0".repeat(64),
        question: "What is it worth?".to_owned(),
        purpose: "research-aggregate".to_owned(),
        recipients: Vec::new(),
        period: ["2026-07-01".to_owned(), "2026-10-01".to_owned()],
        approved: true,
        small_cells_accepted: true,
        epsilon: 2.0,
        delta: 1e-6,
        releases_a_year: 4,
        outcome: "CARE".to_owned(),
        limits: Vec::new(),
    });
    let risks = found(&record);
    assert!(risks.contains("accepted, and answered, for empathy-billing"), "{risks}");
    assert!(html::assessment(&record).contains("approved, small cells accepted"));
}

#[test]
fn open_points_and_risks_follow_from_what_is_configured() {
    let mut record = record();
    let has =
        |record: &Record, word: &str| reasons::open_points(record).iter().any(|p| p.contains(word));
    for word in [
        "No agreement",
        "contest",
        "built-in one",
        "what clinicians report of themselves",
        "No roster",
    ] {
        assert!(has(&record, word), "{word}");
    }
    assert!(!has(&record, "signals of employees' bodies"));
    assert!(!reasons::risks(&record).iter().any(|risk| risk.what.contains("Signals of a body")));
    record.profile.agreement = Some("works agreement 7".to_owned());
    record.profile.signed = vec!["the officer on 2026-11-22".to_owned()];
    record.contest_to = Some("Dr. Byron".to_owned());
    record.consent.clinicians = "by-mapping".to_owned();
    for data in &mut record.data {
        data.allowed = data.about == BODY;
    }
    for word in [
        "No agreement",
        "oversight.contest_to",
        "built-in one",
        "what clinicians report of themselves",
    ] {
        assert!(!has(&record, word), "{word}");
    }
    assert!(
        has(&record, "signals of employees' bodies") && has(&record, "what the mapping decides")
    );
    assert!(reasons::risks(&record).iter().any(|risk| risk.what.contains("Signals of a body")));
}

#[test]
fn faces_are_an_open_point_where_they_are_read() {
    let mut record = record();
    let named = |record: &Record| {
        reasons::open_points(record).iter().any(|point| point.contains("clinicians' faces"))
    };
    for (allowed, switched_on) in [(false, true), (true, false), (true, true)] {
        let people = Band::of(0);
        let data = Data {
            kind: "faces".to_owned(),
            about: BODY,
            allowed,
            switched_on,
            people,
            patients: None,
        };
        record.data.push(data);
        assert_eq!(named(&record), allowed && switched_on);
        record.data.pop();
    }
}

#[test]
fn the_papers_name_the_sum_that_every_hospitals_node_is_sent() {
    let record = record();
    let flow = |to: &str| record.flows.iter().find(|flow| flow.way == to);
    let every = flow("coordinator → the node of every hospital in the round").unwrap();
    assert_eq!(every.what, "the opened sum over hospitals");
    assert!(every.protected.contains("an employer, holds it whatever class the recipients are of"));
    assert!(record.open_points.iter().any(|point| point.contains("keep both from management")));
    assert!(html::assessment(&record).contains(&every.way));
    assert!(
        html::notice(&record).contains("The node of every hospital in a round keeps its result")
    );
}
