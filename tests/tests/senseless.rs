//! Results that make no sense are withheld, and a hospital sees whether its part was one of rows.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use tacit_model::moments::Moments;
use tacit_model::sane::faults;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::opened::opened;
use tacit_shared::protocol::config::RoundId;
use tacit_shared::protocol::message::{Outcome, Signed};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::secagg::key::identity::IdentityKey;
use tacit_shared::study::layout::Part;
use tacit_tests::trial::{Setting, Trial};

const SMALL: Setting = Setting {
    clinicians: 3_000,
    columns: 8,
    sites: 5,
    epsilon: 2.0,
    products_only: false,
    between: 0.02,
};
const QUANTA: f64 = 16_777_216.0;

fn told(trial: &Trial, sum: Vec<i64>) -> Vec<String> {
    let aggregate = trial.signed(sum).unwrap();
    faults(&trial.plan, &aggregate, &Moments::of(&trial.plan, &aggregate).unwrap())
}

/// A later period, where every block exists, and a sum of it.
async fn later() -> (Trial, Vec<i64>) {
    let first = SMALL.first().unwrap();
    let table = SMALL.table(&first, 1).unwrap();
    let opened = first.noised(&first.exact(&table).await.unwrap(), 2).unwrap();
    let later = first.next(&SMALL, &[(&first, &opened)]).unwrap();
    let sum = later.exact(&table).await.unwrap();
    (later, sum)
}

#[tokio::test]
async fn sound_sums_pass_and_one_hospitals_lie_is_seen() {
    let (trial, sum) = later().await;
    for seed in 0..100 {
        let noised = trial.noised(&sum, seed).unwrap().sum().to_vec();
        assert_eq!(told(&trial, noised), Vec::<String>::new(), "draw {seed}");
    }
    let noised = trial.noised(&sum, 5).unwrap().sum().to_vec();
    let site = SiteIndex::new(2).unwrap();
    // In the block's natural units, on its first number (of the matrix: a square), what is added.
    for (part, added, expected) in [
        (Part::SiteHeads(site), -2_000.0, "the block of the heads of site 2 is outside its bound"),
        (Part::GroupHeads(1), 5_000.0, "group 1 has more clinicians than there are"),
        (Part::GroupHeads(0), 3_000.0, "hospitals count"),
        (Part::Matrix, -4_500.0, "the products of columns have the eigenvalue"),
        (Part::Square, -900.0, "the block of the squared residuals is outside its bound"),
        (Part::Moment, 9_000.0, "the block of the products of columns and residual is outside"),
        (Part::GroupLabour(1), 8_000.0, "the block of the earlier formula for group 1 is outside"),
        (Part::GroupDirection(0), 30_000.0, "the block of the directions for group 0 is outside"),
        (Part::SiteLabour(site), 3_000.0, "the block of the earlier formula for site 2 is outside"),
        (Part::ResidualsCut, 500.0, "% of residuals were cut, more than 1 %"),
        (Part::RowsCapped, 12_000.0, "the block of the rows shrunk is outside its bound"),
    ] {
        let block = trial.plan.layout().block(part).unwrap();
        let mut lie = noised.clone();
        #[expect(clippy::cast_possible_truncation, reason = "far below 2^63")]
        let quanta = (added * block.scale * QUANTA) as i64;
        lie[block.start] += quanta;
        let told = told(&trial, lie);
        assert!(told.iter().any(|fault| fault.contains(expected)), "{part:?}: {told:?}");
    }
}

/// Hospital 2 is said to have fewer clinicians than there are, but more than the study lets one hospital have.
#[tokio::test]
async fn a_hospital_has_no_more_rows_than_the_study_admits() {
    let cap = ("clinicians_per_site_max = 100000", "clinicians_per_site_max = 1800");
    let first = SMALL.first_with(&[cap]).unwrap();
    let sum = first.exact(&SMALL.table(&first, 1).unwrap()).await.unwrap();
    let noised = first.noised(&sum, 5).unwrap().sum().to_vec();
    assert_eq!(told(&first, noised.clone()), Vec::<String>::new());
    let site = Part::SiteHeads(SiteIndex::new(2).unwrap());
    let block = first.plan.layout().block(site).unwrap();
    for (heads, seen) in [(1_750.0, false), (2_200.0, true)] {
        let mut lie = noised.clone();
        #[expect(clippy::cast_possible_truncation, reason = "far below 2^63")]
        let quanta = (heads * block.scale * QUANTA) as i64;
        lie[block.start] = quanta;
        let told = told(&first, lie);
        let bound = "the block of the heads of site 2 is outside its bound";
        assert_eq!(told.iter().any(|fault| fault == bound), seen, "{heads}: {told:?}");
    }
}

/// A sum without hospital 2.
#[tokio::test]
async fn the_place_of_a_hospital_that_is_not_in_the_sum_holds_noise_alone() {
    let (trial, _) = later().await;
    let openings = trial.openings(&SMALL.table(&trial, 3).unwrap()).await.unwrap();
    let mut sum = vec![0_i64; trial.plan.layout().dimension()];
    for opening in openings.iter().enumerate().filter(|(place, _)| *place != 1).map(|(_, o)| o) {
        for (total, bytes) in sum.iter_mut().zip(opening[64..].chunks_exact(8)) {
            *total += i64::from_le_bytes(bytes.try_into().unwrap());
        }
    }
    let absent = SiteIndex::new(2).unwrap();
    let told = |sum: Vec<i64>| {
        let key = IdentityKey::from_seed(&[9; 32]).unwrap();
        let survivors = trial.sites().filter(|site| *site != absent).collect();
        let outcome = Outcome {
            round_id: RoundId([4; 32]),
            config: Digest::new([5; 32]),
            survivors: Bitmap::of(&survivors, trial.plan.sites().len()),
            sum,
            ledger_heads: Vec::new(),
        };
        let signed = Signed::of(&key, "result", &outcome).unwrap();
        let sites = trial.plan.sites().len();
        let (_, aggregate) = Outcome::verified(&signed, &key.verifying_key(), sites).unwrap();
        faults(&trial.plan, &aggregate, &Moments::of(&trial.plan, &aggregate).unwrap())
    };
    let noised = trial.noised(&sum, 5).unwrap().sum().to_vec();
    assert_eq!(told(noised.clone()), Vec::<String>::new());
    let block = |part| trial.plan.layout().block(part).unwrap();
    for (part, added, words) in [
        (Part::SiteHeads(absent), 150.0, "heads"),
        (Part::SiteFeatures(absent), 500.0, "columns"),
        (Part::SiteLabour(absent), -40.0, "earlier formula"),
    ] {
        let (block, mut lie) = (block(part), noised.clone());
        #[expect(clippy::cast_possible_truncation, reason = "far below 2^63")]
        let quanta = (added * block.scale * QUANTA) as i64;
        lie[block.start] += quanta;
        let told = told(lie);
        assert!(told.iter().any(|fault| fault.contains(words)), "{part:?}: {told:?}");
    }
}

#[tokio::test]
async fn a_hospital_sees_whether_its_sum_is_one_of_rows() {
    let (trial, _) = later().await;
    let table = SMALL.table(&trial, 3).unwrap();
    let openings = trial.openings(&table).await.unwrap();
    for (opening, site) in openings.iter().zip(trial.sites()) {
        let found = opened(&trial.plan, site, opening).unwrap();
        assert_eq!(found.senseless, None);
        // Its own numbers stand in another site's place: none of that site's rows.
        let other = SiteIndex::new(site.value() % 5 + 1).unwrap();
        assert!(opened(&trial.plan, other, opening).unwrap().senseless.is_some());
    }
    let site = SiteIndex::new(1).unwrap();
    let sound = opened(&trial.plan, site, &openings[0]).unwrap();
    for part in [Part::Square, Part::Moment, Part::GroupHeads(2), Part::SiteLabour(site)] {
        let start = 64 + 8 * trial.plan.layout().block(part).unwrap().start;
        let mut lie = openings[0].clone();
        lie[start..start + 8].copy_from_slice(&(-(1_i64 << 38)).to_le_bytes());
        let found = opened(&trial.plan, site, &lie).unwrap();
        assert_eq!(found.senseless, Some(part));
        assert_ne!(found.commitment, sound.commitment);
    }
    assert!(opened(&trial.plan, site, &openings[0][..100]).is_none());
}
