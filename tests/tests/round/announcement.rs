//! M0: a site takes part only in a round that it would have announced itself.
use crate::puppet::Puppets;
use crate::rounds::{Federation, at, identity};
use serde::{Deserialize, Serialize};
use tacit_shared::codec;
use tacit_shared::id::{Digest, FederationId, StudyName};
use tacit_shared::privacy::accountant::Cost;
use tacit_shared::privacy::plan::Charges;
use tacit_shared::protocol::config::{COUNTER_MAX, Deadlines, RoundConfig, RoundId};
use tacit_shared::protocol::error::{Culprit, ProtocolError};
use tacit_shared::protocol::message::{Signed, ToSite};
use tacit_shared::protocol::site::{History, Policy};
use tacit_shared::roster::Roster;

/// The configuration with its fields open, in the order of the wire.
#[derive(Clone, Serialize, Deserialize)]
struct Open {
    version: u16,
    mechanism: u16,
    federation: FederationId,
    roster: Digest,
    round_id: RoundId,
    counter: u64,
    family: StudyName,
    study: Digest,
    dimension: u64,
    clip: u64,
    links_per_patient: u32,
    sites_per_patient: u32,
    rows_max: u32,
    multiplier: f64,
    min_sites: u16,
    colluders: u16,
    threshold: u16,
    site_scale: u64,
    delta: f64,
    charges: Charges,
    deadlines: Deadlines,
    retry_of: Option<RoundId>,
}

type Alter = Box<dyn Fn(&mut Open)>;

fn open(config: &RoundConfig) -> Open {
    codec::decode(&codec::encode(config).unwrap()).unwrap()
}

fn announced(federation: &Federation, config: &Open) -> Result<(), ProtocolError> {
    let signed = Signed::of(&identity(0), "announce", config).unwrap();
    Puppets::new(federation).tell(at(2), &ToSite::Announce(signed)).map(|_| ())
}

#[test]
fn every_parameter_of_a_round_is_recomputed_and_compared() {
    let federation = Federation::of(5, 1, 4);
    let other = Digest::new([7; 32]);
    let alterations: Vec<(&str, Alter)> = vec![
        ("protocol version", Box::new(|c| c.version += 1)),
        ("mechanism version", Box::new(|c| c.mechanism += 1)),
        ("federation", Box::new(|c| c.federation = "other".parse().unwrap())),
        ("roster", Box::new(move |c| c.roster = other)),
        ("study", Box::new(move |c| c.study = other)),
        ("study name", Box::new(|c| c.family = "other".parse().unwrap())),
        ("vector length", Box::new(|c| c.dimension -= 1)),
        ("clip norm", Box::new(|c| c.clip *= 2)),
        ("links per patient", Box::new(|c| c.links_per_patient += 1)),
        ("sites per patient", Box::new(|c| c.sites_per_patient += 1)),
        ("row cap", Box::new(|c| c.rows_max += 1)),
        ("noise multiplier", Box::new(|c| c.multiplier /= 2.0)),
        ("noise multiplier", Box::new(|c| c.multiplier = f64::NAN)),
        ("minimum of sites", Box::new(|c| c.min_sites -= 1)),
        ("minimum of sites", Box::new(|c| c.min_sites += 1)),
        ("colluder bound", Box::new(|c| c.colluders -= 1)),
        ("threshold", Box::new(|c| c.threshold -= 1)),
        ("noise of a site", Box::new(|c| c.site_scale -= 1)),
        ("noise of a site", Box::new(|c| c.site_scale += 1)),
        ("delta", Box::new(|c| c.delta *= 10.0)),
        ("charge", Box::new(|c| c.charges.clinician.rho_fp -= 1)),
        ("charge", Box::new(|c| c.charges.patient.lattice_fp += 1)),
        ("deadline", Box::new(|c| c.deadlines.vote_ms = 86_400_001)),
    ];
    let sound = open(&federation.config(1));
    announced(&federation, &sound).unwrap();
    for (name, alter) in alterations {
        let mut config = sound.clone();
        alter(&mut config);
        match announced(&federation, &config).unwrap_err() {
            error @ ProtocolError::Plan { field, .. } if field == name => {
                assert_eq!(error.culprit(), Culprit::Coordinator);
            }
            error => panic!("{name}: {error}"),
        }
    }
    // What the coordinator may choose: the round's name, its number, its pace, what it repeats.
    let mut config = sound;
    config.round_id = RoundId([3; 32]);
    config.counter = 99;
    config.deadlines.masked_ms = 1;
    config.retry_of = Some(RoundId([4; 32]));
    announced(&federation, &config).unwrap();
}

#[test]
fn an_announcement_is_signed_by_the_coordinator_of_the_roster_for_this_purpose() {
    let federation = Federation::of(5, 1, 4);
    let config = federation.config(1);
    let sound = Signed::of(&identity(0), "announce", &config).unwrap();
    let mut altered = sound.clone();
    altered.payload.0[40] ^= 1;
    let cases = [
        Signed::of(&identity(1), "announce", &config).unwrap(),
        Signed::of(&identity(0), "result", &config).unwrap(),
        Signed::of(&identity(0), "announce", &1_u8).unwrap(),
        altered,
    ];
    for signed in cases {
        let error = Puppets::new(&federation).tell(at(2), &ToSite::Announce(signed)).unwrap_err();
        assert!(matches!(error, ProtocolError::CoordinatorSignature { what: "announcement" }));
        assert_eq!(error.culprit(), Culprit::Coordinator);
    }
}

#[test]
fn a_counter_is_accepted_once() {
    let federation = Federation::of(5, 1, 4);
    let announce = |counter, last_counter| {
        let mut puppets = Puppets::new(&federation);
        let history = History { last_counter, ..History::default() };
        puppets.sites.insert(at(2), federation.site(at(2), history, Policy::default()));
        let config = federation.config(counter);
        let signed = Signed::of(&identity(0), "announce", &config).unwrap();
        puppets.tell(at(2), &ToSite::Announce(signed)).map(|_| ())
    };
    for found in [0, 3, 6, 7] {
        let error = announce(found, 7).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("round {found} is not newer than round 7, the last one seen")
        );
    }
    announce(8, 7).unwrap();
    // What no site could store would be accepted again and again.
    announce(COUNTER_MAX, 7).unwrap();
    let error = announce(COUNTER_MAX + 1, 7).unwrap_err().to_string();
    assert!(error.contains("another round counter"), "{error}");
}

#[test]
fn a_site_asks_for_its_own_floors_whatever_was_approved() {
    let federation = Federation::of(5, 1, 4);
    let announce = |policy| {
        let mut puppets = Puppets::new(&federation);
        puppets.sites.insert(at(2), federation.site(at(2), History::default(), policy));
        let announcement = puppets.announcement();
        puppets.tell(at(2), &announcement).map(|_| ())
    };
    let multiplier = federation.plan.multiplier().value();
    let base = Policy::default;
    announce(Policy { min_sites: 4, noise_multiplier: multiplier, ..base() }).unwrap();
    let cases = [
        ("minimum of sites", Policy { min_sites: 5, ..base() }),
        ("colluder bound", Policy { colluders: 2, ..base() }),
        ("noise multiplier", Policy { noise_multiplier: multiplier.next_up(), ..base() }),
        ("noise multiplier", Policy { noise_multiplier: f64::NAN, ..base() }),
    ];
    for (name, policy) in cases {
        match announce(policy).unwrap_err() {
            error @ ProtocolError::Policy { field, .. } if field == name => {
                assert_eq!(error.culprit(), Culprit::Nobody);
            }
            error => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn a_plan_of_another_roster_than_the_pinned_one_takes_part_in_nothing() {
    use std::sync::Arc;
    use tacit_shared::protocol::site::{Context, Site};
    let federation = Federation::of(5, 1, 4);
    let sites: Vec<_> = federation.roster.sites().map(|(_, party)| party.clone()).collect();
    let coordinator = federation.roster.coordinator().clone();
    let roster = Roster::of("demo".parse().unwrap(), 2, 1, coordinator, sites).unwrap();
    let (plan, policy) = (federation.plan.clone(), Policy::default());
    let context = Context { identity: identity(2), roster, plan, me: at(2), policy };
    let mut puppets = Puppets::new(&federation);
    puppets.sites.insert(at(2), Site::new(Arc::new(context), History::default(), 0));
    let announcement = puppets.announcement();
    let error = puppets.tell(at(2), &announcement).unwrap_err();
    assert!(matches!(error, ProtocolError::Plan { field: "roster", .. }));
}

#[test]
fn the_configuration_has_no_field_that_is_for_one_site_only() {
    // Every site signs the digest of the same bytes: whoever is told something else drops out.
    let federation = Federation::of(5, 1, 4);
    let config = federation.config(1);
    let mut other = open(&config);
    other.deadlines.vote_ms += 1;
    let mut puppets = Puppets::new(&federation);
    let mut keys = puppets.announce();
    let signed = Signed::of(&identity(0), "announce", &other).unwrap();
    let mut told_otherwise = Puppets::new(&federation);
    let answer = told_otherwise.tell(at(1), &ToSite::Announce(signed)).unwrap();
    let Some(tacit_shared::protocol::message::ToHost::Advertise(key)) = answer else {
        panic!("no keys")
    };
    keys[0] = key;
    let error = puppets.tell(at(2), &ToSite::Directory(keys)).unwrap_err();
    assert_eq!(error.to_string(), "the directory's entry of site 1 is of another round");
}

#[test]
fn the_bytes_of_a_configuration_are_fixed() {
    // A change here is another protocol: raise its version.
    let cost = |n| Cost { rho_fp: n, lattice_fp: 7 };
    let ms = 60_000;
    let config = Open {
        version: 1,
        mechanism: 1,
        federation: "demo".parse().unwrap(),
        roster: Digest::new([1; 32]),
        round_id: RoundId([2; 32]),
        counter: 3,
        family: "small".parse().unwrap(),
        study: Digest::new([4; 32]),
        dimension: 59,
        clip: 1 << 24,
        links_per_patient: 1,
        sites_per_patient: 1,
        rows_max: 2000,
        multiplier: 2.25,
        min_sites: 4,
        colluders: 1,
        threshold: 4,
        site_scale: 20_000_000,
        delta: 1e-6,
        charges: Charges { clinician: cost(1 << 60), patient: cost(1 << 62) },
        deadlines: Deadlines {
            advertise_ms: ms,
            shares_ms: ms,
            masked_ms: ms,
            vote_ms: ms,
            unmask_ms: ms,
        },
        retry_of: None,
    };
    let config: RoundConfig = codec::decode(&codec::encode(&config).unwrap()).unwrap();
    assert_eq!(
        config.digest().unwrap().to_string(),
        "17a8d44bcaf3cfd58770a15bdcff14ae2c367c4f9f78989f27002f790e4a1554"
    );
}
