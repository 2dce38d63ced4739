//! The page says what it shows, fits its medium and lets no text become markup.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use super::*;
use crate::office::cells::Small;

fn narrowing() -> Narrowing {
    Narrowing {
        table: "encounter".to_owned(),
        steps: vec![
            Step {
                left: Left::InTheTable,
                rows: 1_234_567,
                why: "All that imports brought.".to_owned(),
            },
            Step {
                left: Left::WithinLinks,
                rows: 176,
                why: "Left out: what a patient had with <further> clinicians.".to_owned(),
            },
        ],
    }
}

/// A page with something of everything.
pub(crate) fn sample() -> Quality {
    let (low, high) = (20.0, 140.0);
    let values = (0..200_u32).map(|i| 20.0 + f64::from(i * 37 % 130));
    Quality {
        made_at: "2026-11-22 08:00 UTC".to_owned(),
        made_by: "tacit-node 0.1.0".to_owned(),
        tables: vec![
            TableRows { table: "person".to_owned(), rows: 213 },
            TableRows { table: "encounter".to_owned(), rows: 1_234_567 },
        ],
        rejects: vec![Rejects {
            batch: 3,
            table: "answer".to_owned(),
            column: "code".to_owned(),
            reason: "not a code of the <instrument> & nothing else".to_owned(),
            rows: 12,
            lines: vec![8, 9, 40, 41, 77],
        }],
        coverage: Coverage {
            months: ["2026-06", "2026-07", "2026-08", "2026-09"].map(str::to_owned).to_vec(),
            modalities: vec![
                Modality {
                    name: "encounters".to_owned(),
                    rows: vec![400_000, 434_567, 0, 400_000],
                    clinicians: vec![200, 201, 0, 199],
                },
                Modality {
                    name: "responses: care-measure".to_owned(),
                    rows: vec![0, 0, 1, 0],
                    clinicians: vec![0, 0, 1, 0],
                },
            ],
        },
        clocks: vec![
            Clock {
                problem: ClockProblem::InTheFuture,
                place: "response.authored_us".to_owned(),
                rows: 1,
                months: BTreeMap::from([("2036-08".to_owned(), 1)]),
                batches: vec![3],
            },
            Clock {
                problem: ClockProblem::DeviceOff,
                place: "device_session.clock_offset_us".to_owned(),
                rows: 4,
                months: BTreeMap::new(),
                batches: vec![2, 3],
            },
        ],
        studies: vec![StudyQuality {
            name: "relief-fund".to_owned(),
            title: "Where care wears people down".to_owned(),
            digest: "ab".repeat(32),
            tables: vec![narrowing()],
            from: "2026-07-01".to_owned(),
            to: "2026-10-01".to_owned(),
            standing: Standing::Approved,
            stays_away: Some("too few clinicians or encounters here: Night work".to_owned()),
            clinicians: 213,
            outside_population: 2,
            spreads: vec![Spread {
                part: "features.volume".to_owned(),
                label: "Encounters a month".to_owned(),
                source: "volume".to_owned(),
                unit: "encounters".to_owned(),
                low,
                high,
                centre: 80.0,
                at_least: None,
                known: 200,
                at_centre: 13,
                bins: Spread::bins(values, low, high),
                counted: Counted::Clinicians,
                values: 200,
                clipped_low: 0,
                clipped_high: 14,
            }],
            cells: vec![Cell {
                label: "Night work".to_owned(),
                clinicians: 4,
                encounters: 1_200,
                small: Some(Small::Clinicians),
            }],
            missing: vec![Missing {
                part: "outcome".to_owned(),
                what: "instrument `stanford-pfi` is locked".to_owned(),
                hint: Some("name the licence".to_owned()),
            }],
        }],
    }
}

#[test]
fn values_fall_into_their_columns_and_clipped_ones_into_the_outermost() {
    let bins = Spread::bins([-5.0, 0.0, 4.99, 5.0, 50.0, 99.9, 100.0, 1e9], 0.0, 100.0);
    assert_eq!(bins.len(), BINS);
    assert_eq!((bins[0], bins[1], bins[10], bins[19]), (3, 1, 1, 3));
    assert_eq!(bins.iter().sum::<u64>(), 8);
}

#[test]
fn the_sentences_say_what_the_pictures_show() {
    let quality = sample();
    let spread = &quality.studies[0].spreads[0];
    // Values go from 20 to 149 evenly: a quarter lies below 50, three quarters below 118.
    assert_eq!(
        words::spread(spread),
        "200 of 213 clinicians have a value; the middle half lies from about 50 to 122 encounters; 13 without \
         one stand at the centre, 80 encounters. Of 200 clinicians, none lies below 20 and 7.0 % lie above 140: \
         they count as if at the bound."
    );
    let within = Spread { clipped_high: 0, at_centre: 0, ..spread.clone() };
    let sentence = words::spread(&within);
    assert!(
        sentence.ends_with(" encounters. None of 200 clinicians lies outside of the bounds."),
        "{sentence}"
    );
    let none = Spread {
        known: 0,
        at_centre: 1,
        values: 0,
        bins: vec![0; BINS],
        at_least: Some(0.3),
        ..spread.clone()
    };
    assert_eq!(
        words::spread(&none),
        "None of 1 clinician has a value; the centre, 80 encounters, stands for it. From 0.3 on a clinician is in \
         the group."
    );
    let coverage = &quality.coverage;
    let of = |place: usize| words::modality(&coverage.modalities[place], &coverage.months);
    assert_eq!(
        of(0),
        "1,234,567 rows in 3 of 4 months, most in 2026-07 (434,567); none in 2026-08."
    );
    assert_eq!(of(1), "1 row in 1 of 4 months, all in 2026-08.");
}

#[test]
fn the_terminal_page_has_everything_within_a_hundred_columns() {
    let mut quality = sample();
    quality.rejects[0].reason = "a reason that goes on ".repeat(20);
    quality.studies[0].missing[0].what = "words ".repeat(60);
    let page = text::page(&quality);
    let long: Vec<&str> =
        page.lines().filter(|line| line.chars().count() > crate::office::page::COLUMNS).collect();
    assert!(long.is_empty(), "{long:?}");
    for part in [
        "the database is sound\n  person                                213 rows\n",
        "          12 in batch 3    answer.code: a reason",
        "first lines 8, 9, 40, 41, 77",
        "  2026-06 ██ █ 2026-09  encounters: 1,234,567 rows",
        "           4  device_session.clock_offset_us: device clock off by more than 2 s; taken over, marked\n",
        "           1  response.authored_us: in the future; taken over (2036-08: 1; batch 3)\n",
        "  rows of encounter\n   1,234,567  in the table              All that imports brought.\n",
        "         176  within links_per_patient  Left out: what a patient had",
        "    20 |▃",
        "| 140 encounters",
        "Night work, TOO SMALL: fewer than 10 clinicians",
        "missing  outcome: words",
        "stays away from it for now: too few",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
}

#[test]
fn an_empty_node_has_a_page_too() {
    let empty = Quality {
        tables: Vec::new(),
        rejects: Vec::new(),
        coverage: Coverage::default(),
        clocks: Vec::new(),
        studies: Vec::new(),
        ..sample()
    };
    let page = text::page(&empty);
    assert!(
        page.contains("nothing is imported") && page.contains("No study is approved"),
        "{page}"
    );
    let page = html::page(&empty);
    assert!(page.contains("Nothing is imported.") && page.contains("Every row was taken over."));
}

#[test]
fn the_web_page_stands_alone_and_every_picture_has_its_sentence() {
    let page = html::page(&sample());
    for never in
        ["<script", "http://", "https://", "<img", "url(", "<instrument>", "onload", " style=\""]
    {
        assert!(!page.contains(never), "{never}");
    }
    assert!(page.contains("not a code of the &lt;instrument&gt; &amp; nothing else"));
    assert!(page.contains("<td>2036-08: 1</td>"));
    assert!(
        page.contains("<th scope=\"row\">within links_per_patient</th><td class=\"n\">176</td>")
    );
    assert!(page.contains("with &lt;further&gt; clinicians"));
    assert_eq!(page.matches("<svg").count(), 3);
    for piece in page.split("aria-labelledby=\"").skip(1) {
        let id = &piece[..piece.find('"').unwrap()];
        assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
    }
    assert_eq!(page.matches("<figcaption").count(), 3);
    assert!(page.contains("class=\"none\"") && page.contains("7.0 %"));
}

#[test]
fn the_value_itself_is_the_json() {
    let json = serde_json::to_value(sample()).unwrap();
    assert_eq!(json["clocks"][1]["problem"], "device-off");
    assert_eq!(json["clocks"][0]["months"], serde_json::json!({"2036-08": 1}));
    assert_eq!(json["studies"][0]["tables"][0]["steps"][1]["left"], "within-links");
    assert_eq!(json["studies"][0]["tables"][0]["steps"][1]["rows"], 176);
    assert_eq!(json["studies"][0]["spreads"][0]["bins"].as_array().unwrap().len(), BINS);
    assert_eq!(json["studies"][0]["standing"], "approved");
    assert_eq!(json["coverage"]["modalities"][0]["rows"][2], 0);
    assert_eq!(json["rejects"][0]["lines"][4], 77);
}
