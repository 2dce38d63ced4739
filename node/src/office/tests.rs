//! What the tests of this wing have in common.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use tacit_shared::privacy::plan::Plan;
use tacit_shared::roster::{Key, Party, Roster};
use tacit_shared::secagg::key::identity::IdentityKey;
use tacit_shared::study::Study;

/// The lasting key of a site; that of the coordinator at 0.
pub(crate) fn identity(index: u8) -> IdentityKey {
    IdentityKey::from_seed(&[index; 32]).unwrap()
}

/// A roster of so many sites, one of which may collude.
pub(crate) fn roster(sites: u8) -> Roster {
    let party = |index: u8| Party {
        id: format!("site-{index}").parse().unwrap(),
        name: format!("Site {index}"),
        signing_key: Key(*identity(index).verifying_key().as_bytes()),
        certificate: Key([index | 0x80; 32]),
    };
    let parties = (1..=sites).map(party).collect();
    Roster::of("demo".parse().unwrap(), 1, 1, party(0), parties).unwrap()
}

/// The plan of a study among them.
pub(crate) fn plan(study: &Study, roster: &Roster) -> Plan {
    Plan::new(study, roster).unwrap()
}
