//! From rows to a release, against the oracle: the aggregate without noise is the same to the integer.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::convert::Infallible;
use tacit_coordinator::model::gram::Inputs;
use tacit_model::moments::Moments;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::accountant::Budget;
use tacit_shared::privacy::ledger::{Budgets, Entry, Journal, Ledger};
use tacit_shared::privacy::plan::Plan;
use tacit_shared::privacy::release::{Noise, release};
use tacit_shared::protocol::config::RoundId;
use tacit_shared::protocol::message::{Outcome, Signed};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::secagg::key::identity::IdentityKey;
use tacit_shared::secagg::open::Aggregate;
use tacit_shared::study::Study;
use tacit_shared::study::schema::Feature;
use tacit_shared::summary::contribution::Contribution;
use tacit_shared::summary::feature::{FeatureRow, Measured, Value};
use tacit_shared::summary::sum::SiteSum;
use tacit_shared::units::{Delta, Epsilon};
use tacit_tests::oracle::{self, Row};
use tacit_tests::population::{Clinician, Population, Size};

const STUDY: &str = include_str!("../../configs/studies/empathy-billing.toml");

struct Memory;

impl Journal for Memory {
    type Error = Infallible;
    async fn append(&mut self, _: &Entry) -> Result<(), Infallible> {
        Ok(())
    }
}

fn party(id: &str, seed: u8) -> Party {
    Party {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        signing_key: Key([seed; 32]),
        certificate: Key([seed | 0x80; 32]),
    }
}

fn roster(sites: u8) -> Roster {
    let parties = (1..=sites).map(|i| party(&format!("site-{i}"), i)).collect();
    Roster::of("demo".parse().unwrap(), 1, 1, party("convener", 100), parties).unwrap()
}

/// A clinician's values in the study's own units, so that they are scaled again by the real code.
fn measured(study: &Study, clinician: &Clinician, points: f64) -> Measured {
    let schema = study.schema();
    let mut columns = clinician.x.iter().skip(1);
    let value = |feature: &Feature| {
        if feature.levels.is_empty() {
            let scaled = columns.next().unwrap();
            return Value::Number(feature.centre + scaled * (feature.high - feature.low) / 2.0);
        }
        let flags: Vec<f64> = columns.by_ref().take(feature.levels.len() - 1).copied().collect();
        let level = flags.iter().position(|flag| *flag > 0.5).map_or(0, |at| at + 1);
        Value::Level(feature.levels.get(level).unwrap().clone())
    };
    let features: Vec<Value> = schema.features.iter().map(value).collect();
    let inside = |(member, group): (&bool, &tacit_shared::study::schema::Group)| {
        if *member { group.at_least } else { group.low }
    };
    let groups = clinician.member.iter().zip(&schema.groups).map(inside).collect();
    let histograms = schema.histograms.iter().map(|h| h.centre).collect();
    Measured { outcome: points, features, groups, histograms }
}

/// The exact sum inside an opening: what stands behind salt and seed.
fn exact_sum(opening: &[u8]) -> Vec<i64> {
    opening.get(64..).unwrap().as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
}

#[tokio::test]
async fn the_aggregate_without_noise_equals_the_oracle_to_the_integer() {
    let study = Study::parse(STUDY).unwrap();
    let plan = Plan::new(&study, &roster(5)).unwrap();
    let population = Population::generate(&study, 7, Size { sites: 5, clinicians: 600 }).unwrap();
    let budget = Budget::new(Epsilon::new(20.0).unwrap(), Delta::new(1e-6).unwrap()).unwrap();
    let budgets = Budgets { clinician: budget, patient: budget };
    let outcomes = population.outcomes();
    let (mut rows, mut total) = (Vec::new(), vec![0_i64; plan.layout().dimension()]);
    for site in 0..5 {
        let index = SiteIndex::new(u16::try_from(site + 1).unwrap()).unwrap();
        let mut sum = SiteSum::new(plan.layout().dimension(), plan.rows_max());
        for (clinician, outcome) in population.clinicians().iter().zip(&outcomes) {
            if clinician.site != site {
                continue;
            }
            let points = outcome.unwrap_or(study.schema().outcome.centre);
            let row =
                FeatureRow::new(study.schema(), &measured(&study, clinician, points)).unwrap();
            rows.push(Row::of(&row, site));
            sum = sum.add(&Contribution::of(plan.layout(), index, &row)).unwrap();
        }
        let round = Digest::new([u8::try_from(site).unwrap(); 32]);
        let mut ledger = Ledger::open(Memory, &[], budgets).unwrap();
        let paid = ledger.charge(&plan, round, 0).await.unwrap();
        let noise = Noise::draw(&plan, round, [9; 32]).unwrap();
        let (_, opening) = release(sum, paid, noise, [1; 32]).unwrap();
        let exact = exact_sum(&opening.for_the_hospitals_own_evidence());
        total.iter_mut().zip(exact).for_each(|(t, x)| *t += x);
    }
    assert_eq!(rows.len(), population.clinicians().len());
    assert_eq!(total, oracle::sum(&study, 5, &rows));
}

/// A result of these sums, signed by a coordinator of our own: what a stored round is read from.
fn signed_aggregate(plan: &Plan, sum: Vec<i64>) -> Aggregate {
    let key = IdentityKey::from_seed(&[3; 32]).unwrap();
    let survivors = plan.sites().iter().copied().collect();
    let outcome = Outcome {
        round_id: RoundId([4; 32]),
        config: Digest::new([5; 32]),
        survivors: Bitmap::of(&survivors, plan.sites().len()),
        sum,
        ledger_heads: Vec::new(),
    };
    let signed = Signed::of(&key, "result", &outcome).unwrap();
    let (_, aggregate) =
        Outcome::verified(&signed, &key.verifying_key(), plan.sites().len()).unwrap();
    let other = IdentityKey::from_seed(&[6; 32]).unwrap().verifying_key();
    assert!(Outcome::verified(&signed, &other, plan.sites().len()).is_none());
    aggregate
}

#[test]
fn moments_read_back_what_the_oracle_sums_in_floats() {
    let study = Study::parse(STUDY).unwrap();
    let plan = Plan::new(&study, &roster(5)).unwrap();
    let population = Population::generate(&study, 8, Size { sites: 5, clinicians: 500 }).unwrap();
    let outcomes = population.outcomes();
    let centre = study.schema().outcome.centre;
    let rows: Vec<Row> = population
        .clinicians()
        .iter()
        .zip(&outcomes)
        .map(|(clinician, outcome)| {
            let measured = measured(&study, clinician, outcome.unwrap_or(centre));
            Row::of(&FeatureRow::new(study.schema(), &measured).unwrap(), clinician.site)
        })
        .collect();
    let aggregate = signed_aggregate(&plan, oracle::sum(&study, 5, &rows));
    let moments = Moments::of(&plan, &aggregate).unwrap();
    let exact = oracle::inputs(&study, 5, &rows).unwrap();
    let found = moments.inputs();
    // Each of 500 rows loses less than one quantum; the smallest scale is about 1/200 of a unit.
    let near = |found: f64, exact: f64| assert!((found - exact).abs() < 0.01, "{found} {exact}");
    for (found, exact) in found.gram().sums().a.iter().zip(exact.gram().sums().a.iter()) {
        near(*found, *exact);
    }
    for (found, exact) in found.gram().sums().b.iter().zip(exact.gram().sums().b.iter()) {
        near(*found, *exact);
    }
    near(found.gram().sums().q, exact.gram().sums().q);
    let parts = |inputs: &Inputs| {
        let all = std::iter::once(inputs.all().clone());
        all.chain(inputs.groups().to_vec()).chain(inputs.sites().to_vec()).collect::<Vec<_>>()
    };
    for (found, exact) in parts(found).iter().zip(&parts(&exact)) {
        near(found.heads, exact.heads);
        near(found.residual, exact.residual);
        near(found.weight, exact.weight);
        found.x.iter().zip(exact.x.iter()).for_each(|(found, exact)| near(*found, *exact));
    }
}
