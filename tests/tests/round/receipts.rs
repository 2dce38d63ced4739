//! Receipts: what a site reads from its own signed answer, and what it does not take for one.
use crate::rounds::{Federation, Round, at, faithful, identity};
use tacit_shared::codec::{self, Bytes};
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::message::{MaskedHeader, Signed, ToSite};
use tacit_shared::protocol::receipt::{RECEIPTS_MAX, Receipt, receipts_bytes_max};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::protocol::transcript::Party;

/// The receipts of a round, as a coordinator keeps them.
fn receipts(federation: &Federation) -> Vec<(SiteIndex, Receipt)> {
    let mut round = Round::new(federation, 31);
    round.run(&mut faithful);
    let announced = round.transcript.iter().find(|entry| entry.name == "announcement").unwrap();
    let ToSite::Announce(announced) = codec::decode(&announced.bytes).unwrap() else { panic!() };
    let kept = |entry: &tacit_shared::protocol::transcript::Entry| match entry.from {
        Party::Site(index) => {
            let header = Receipt::header_of(&entry.bytes)?;
            Some((index, Receipt { config: announced.payload.clone(), header }))
        }
        Party::Coordinator => None,
    };
    round.transcript.iter().filter_map(kept).collect()
}

#[test]
fn a_site_reads_from_its_receipt_what_its_answer_cost() {
    let federation = Federation::of(5, 1, 4);
    let receipts = receipts(&federation);
    assert_eq!(receipts.len(), 5);
    let coordinator = federation.plan.coordinator();
    for (index, receipt) in &receipts {
        let lost = receipt.read(&identity(index.value()).verifying_key(), coordinator).unwrap();
        assert_eq!(lost.terms, federation.plan.terms());
        assert_eq!(lost.terms.charges().unwrap(), federation.plan.charges());
        assert_eq!((&lost.family, lost.study), (federation.plan.family(), federation.plan.study()));
        assert_eq!((lost.counter, lost.round), (1, federation.config(1).digest().unwrap()));
        assert_ne!(lost.head, Digest::new([0; 32]));
    }
}

#[test]
fn what_the_site_did_not_sign_for_this_round_is_no_receipt() {
    let federation = Federation::of(5, 1, 4);
    let receipts = receipts(&federation);
    let me = identity(2).verifying_key();
    let read = |receipt: &Receipt| receipt.read(&me, federation.plan.coordinator());
    let mine = receipts.iter().find(|(index, _)| *index == at(2)).unwrap().1.clone();
    assert!(read(&mine).is_some());
    for (index, receipt) in &receipts {
        assert_eq!(read(receipt).is_some(), *index == at(2), "another site's");
    }
    let mut invented = mine.clone();
    let mut header: MaskedHeader = codec::decode(&invented.header.payload.0).unwrap();
    header.ledger_head = Digest::new([9; 32]);
    invented.header.payload = Bytes(codec::encode(&header).unwrap());
    assert!(read(&invented).is_none(), "another head under the old signature");
    invented.header = Signed::of(&identity(0), "masked", &header).unwrap();
    assert!(read(&invented).is_none(), "signed by the coordinator");
    let mut cheaper = mine.clone();
    cheaper.config = Bytes(codec::encode(&federation.config(2)).unwrap());
    assert!(read(&cheaper).is_none(), "the configuration of another round");
    cheaper.config = Bytes(vec![1, 2, 3]);
    assert!(read(&cheaper).is_none(), "no configuration");
    let mut unmask = mine;
    unmask.header = Signed::of(&identity(2), "unmask", &header).unwrap();
    assert!(read(&unmask).is_none(), "signed as something else");
    assert!(Receipt::header_of(&[0, 1, 2]).is_none());
}

#[test]
fn the_longest_list_of_receipts_is_within_its_bound() {
    let federation = Federation::of(5, 1, 4);
    let (_, receipt) = receipts(&federation).pop().unwrap();
    let mut header: MaskedHeader = codec::decode(&receipt.header.payload.0).unwrap();
    for sites in [5_u16, 1000] {
        header.u2 = Bitmap::of(&(1..=sites).map(at).collect(), usize::from(sites));
        let header = Signed::of(&identity(1), "masked", &header).unwrap();
        // Names are short here; at their longest they add less than 200 bytes.
        let config = Bytes([receipt.config.0.as_slice(), &[0; 200]].concat());
        let list = vec![Receipt { config, header }; RECEIPTS_MAX];
        let length = codec::encode(&list).unwrap().len();
        assert!(length <= receipts_bytes_max(usize::from(sites)) as usize, "{length} of {sites}");
    }
}
