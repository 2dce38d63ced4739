//! What derives from people or hides them prints its length and nothing else.
use crate::rounds::{Federation, Round, at, charge, faithful};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use tacit_shared::id::Digest;
use tacit_shared::privacy::release::{Noise, release};
use tacit_shared::protocol::transcript::{Entry, Party};
use tacit_shared::secagg::key::{Binding, SecretKey};
use tacit_shared::secagg::mask::{MaskSeeds, mask};
use tacit_shared::secagg::share::SecretScalar;
use tacit_shared::summary::feature::{FeatureRow, Measured, Value};

#[test]
fn every_stage_prints_its_length_only() {
    let federation = Federation::of(5, 1, 4);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let features = vec![Value::Number(3.125), Value::Level("internal".parse().unwrap())];
    let measured = Measured { outcome: 31.5, features, groups: vec![0.375], histograms: vec![] };
    assert_eq!(format!("{measured:?}"), "Measured(2 features, 1 groups)");
    let row = FeatureRow::new(federation.study.schema(), &measured).unwrap();
    assert_eq!(format!("{row:?}"), "FeatureRow(4 columns, 1 groups)");
    let contribution = federation.contribution(at(1), &mut rng);
    assert_eq!(format!("{contribution:?}"), "Contribution(60 numbers)");
    let sum = federation.sum(at(1), 4, &mut rng);
    assert_eq!(format!("{sum:?}"), "SiteSum(60 numbers)");
    let round = Digest::new([3; 32]);
    let noise = Noise::draw(&federation.plan, round, [5; 32]).unwrap();
    assert_eq!(format!("{noise:?}"), "Noise(60 numbers)");
    let paid = charge(&federation.plan, round);
    let (noised, opening) = release(sum, paid, noise, [6; 32]).unwrap();
    assert_eq!(format!("{noised:?}"), "Noised(60 numbers)");
    assert_eq!(format!("{opening:?}"), "Opening(480 bytes)");
    let binding = Binding { round_id: [1; 32], salt: [2; 32], u1: [3; 32] };
    let own = binding.self_mask_key(1, &SecretScalar::draw(&mut rng));
    let seeds = MaskSeeds { own, pairs: vec![], index: at(1) };
    assert_eq!(
        format!("{seeds:?}"),
        "MaskSeeds { own: PadKey(32 bytes), pairs: [], index: SiteIndex(1) }"
    );
    let masked = mask(noised, seeds).unwrap();
    assert_eq!(format!("{masked:?}"), "Masked(480 bytes)");
    let entry = Entry { from: Party::Site(at(1)), name: "vote".to_owned(), bytes: vec![7; 9] };
    assert_eq!(format!("{entry:?}"), "Entry(Site(SiteIndex(1)), vote, 9 bytes)");
    let key = SecretKey::draw(&mut rng);
    assert_eq!(format!("{key:?}"), format!("SecretKey {{ public: {:?}, .. }}", key.public()));
}

#[test]
fn machines_print_where_they_stand_only() {
    let federation = Federation::of(5, 1, 4);
    let mut round = Round::new(&federation, 1);
    assert_eq!(format!("{:?}", round.sites[&at(2)]), "Site(2, announcement due)");
    assert_eq!(format!("{:?}", round.host), "Some(Host(5 sites, start due))");
    round.run(&mut faithful);
    assert_eq!(format!("{:?}", round.sites[&at(2)]), "Site(2, nothing due)");
    let aggregate = &round.opened.as_ref().unwrap().aggregate;
    assert_eq!(format!("{aggregate:?}"), "Aggregate(60 numbers, 5 sites)");
}

#[test]
fn a_release_takes_sum_charge_and_noise_of_one_round() {
    use tacit_shared::privacy::release::ReleaseError;
    let federation = Federation::of(5, 1, 4);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (one, other) = (Digest::new([1; 32]), Digest::new([2; 32]));
    let noise = Noise::draw(&federation.plan, one, [5; 32]).unwrap();
    let sum = federation.sum(at(1), 4, &mut rng);
    let error = release(sum, charge(&federation.plan, other), noise, [0; 32]).unwrap_err();
    assert_eq!(error, ReleaseError::Round { what: "charge", found: other, expected: one });
}

#[test]
fn a_plan_needs_a_quorum_and_no_more_sites_than_there_are() {
    use tacit_shared::privacy::plan::{Plan, PlanError};
    let small = Federation::of(5, 1, 4);
    for (n, t, m) in [(7, 1, 4), (4, 1, 5), (5, 3, 4)] {
        // The study of `m` sites at least, among the sites of another federation.
        let roster = Federation::of(n, t, n).roster;
        let study = Federation::of(m.max(5), 1, m).study;
        let error = Plan::new(&study, &roster).unwrap_err();
        assert!(matches!(error, PlanError::MinSites { .. }), "{n} {t} {m}: {error}");
    }
    assert_eq!((small.plan.threshold(), small.plan.min_sites()), (4, 4));
}
