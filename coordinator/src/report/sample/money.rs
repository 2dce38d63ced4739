//! The money of the sample: sites, service lines, two codes, an equity rule that found one gap proven.
use super::super::data::{
    AllocationPart, AllocationRow, Bound, CodeRow, CodesPart, EquityPart, EquityProof, Interval,
    ServiceLineRow, ServiceLinesPart,
};
use super::noisy;

pub(super) fn service_lines() -> Vec<ServiceLinesPart> {
    let row = |level: &str, heads: f64, labour_index: f64, cents: i64, truth: i64| ServiceLineRow {
        level: level.to_owned(),
        heads: noisy(heads, 11.8),
        labour_index,
        extra_weight: 0.06,
        floor_cents: cents * 85 / 100,
        cap_cents: cents * 12 / 10,
        cents,
        low_cents: cents - 900_000,
        high_cents: cents + 950_000,
        at: Bound::None,
        truth_cents: Some(truth),
    };
    vec![ServiceLinesPart {
        feature: "specialty".to_owned(),
        label: "Specialty".to_owned(),
        pool_cents: 100_000_000,
        currency: "EUR".to_owned(),
        rule: "In proportion to fitted labour.".to_owned(),
        rows: vec![
            row("internal", 2_104.0, 0.964, 50_000_000, 50_200_000),
            row("emergency", 1_102.0, 1.021, 28_000_000, 27_950_000),
            row("oncology", 792.6, 1.065, 22_000_000, 21_850_000),
        ],
    }]
}

pub(super) fn codes() -> CodesPart {
    let row = |code: &str, band: f64, relative: f64, cents: i64, share: i64| CodeRow {
        code: code.to_owned(),
        specialty: "oncology".to_owned(),
        time_from: 2.0 + band,
        time_to: 22.0 + band,
        acuity_from: 1.0,
        acuity_to: 5.0,
        expected: 250_000.0,
        relative_value: relative,
        relative_low: relative - 0.021,
        relative_high: relative + 0.023,
        amount_cents: cents,
        amount_low_cents: cents - 4,
        amount_high_cents: cents + 5,
        share_cents: share,
    };
    CodesPart {
        caution: "These codes are proposals.".to_owned(),
        per: "encounter".to_owned(),
        pool_cents: 100_000_000,
        currency: "EUR".to_owned(),
        base_url: "https://example.org/fhir".to_owned(),
        time_unit: "minute".to_owned(),
        acuity_unit: "level".to_owned(),
        rows: vec![
            row("EL-ONC-T1-A1", 0.0, 0.96, 192, 48_000_000),
            row("EL-ONC-T2-A1", 20.0, 1.04, 208, 52_000_000),
        ],
    }
}

pub(super) fn equity() -> EquityPart {
    EquityPart {
        weight: 0.5,
        proven_only: true,
        words:
            "Sites weigh up to 50 % more for clinicians of “Panels that often need an interpreter”."
                .to_owned(),
        proofs: vec![EquityProof {
            group: "interpreter-panel".to_owned(),
            counts: true,
            gap_points: Some(2.47),
            interval: Interval::Between { low: 1.55, high: 3.39 },
        }],
    }
}

pub(super) fn allocation() -> AllocationPart {
    let site = |site: &str, heads: f64, labour_index: f64, cents: [i64; 5], truth: i64| {
        let [floor_cents, cap_cents, cents, low_cents, high_cents] = cents;
        AllocationRow {
            site: site.to_owned(),
            heads: noisy(heads, 7.4),
            labour_index,
            extra_weight: 0.0,
            floor_cents,
            cap_cents,
            cents,
            low_cents,
            high_cents,
            at: if cents == cap_cents { Bound::Cap } else { Bound::None },
            truth_cents: Some(truth),
        }
    };
    let rows = vec![
        site(
            "city-general",
            1473.6,
            0.974,
            [31_450_000, 41_440_000, 36_174_008, 35_739_919, 36_608_096],
            36_339_772,
        ),
        site(
            "north-coast-rural",
            318.2,
            0.9319,
            [6_587_500, 8_680_000, 7_249_588, 6_850_860, 7_648_315],
            7_401_829,
        ),
        site(
            "riverside",
            866.1,
            0.9569,
            [18_275_000, 24_080_000, 20_652_397, 20_239_349, 21_065_444],
            20_466_525,
        ),
        site(
            "safety-net-county",
            914.8,
            1.1323,
            [19_550_000, 25_760_000, 25_760_000, 25_296_320, 25_760_000],
            25_760_000,
        ),
        site(
            "st-brigid",
            425.9,
            0.9419,
            [9_137_500, 12_040_000, 10_164_007, 9_737_118, 10_590_895],
            10_031_874,
        ),
    ];
    AllocationPart {
        pool_cents: 100_000_000,
        currency: "EUR".to_owned(),
        rule: "It is divided in proportion to fitted emotional labour; no site gets less than 85 % or more than \
               112 % of an equal share per clinician."
            .to_owned(),
        rows,
    }
}
