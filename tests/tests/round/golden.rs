//! The bytes of every message, and that each is read back, whatever it holds.
use crate::rounds::{at, set};
use proptest::prelude::*;
use tacit_shared::codec::{self, Bytes};
use tacit_shared::id::{Digest, SiteIndex, to_hex};
use tacit_shared::protocol::config::RoundId;
use tacit_shared::protocol::message::{
    Advertise, Ballot, Delivery, MaskedHeader, Member, Outcome, SharesHeader, Signed, Survivors,
    ToHost, ToSite, Unmask,
};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::secagg::key::PublicKey;
use tacit_shared::secagg::key::identity::Signature;

/// What the fields of a sample are filled with.
#[derive(Clone, Debug)]
struct Filling {
    byte: u8,
    sites: u16,
    length: usize,
    number: i64,
    words: String,
}

impl Filling {
    fn digest(&self, n: u8) -> Digest {
        Digest::new([self.byte.wrapping_add(n); 32])
    }
    fn round_id(&self) -> RoundId {
        RoundId([self.byte; 32])
    }
    fn key(&self, n: u8) -> PublicKey {
        PublicKey::parse(&[self.byte.wrapping_add(n) & 0x3f; 32]).unwrap()
    }
    fn signature(&self) -> Signature {
        Signature::from_bytes([self.byte.wrapping_add(100); 64])
    }
    fn bytes(&self) -> Bytes {
        Bytes(vec![self.byte; self.length])
    }
    fn signed(&self) -> Signed {
        Signed { payload: self.bytes(), signature: self.signature() }
    }
    fn all(&self) -> impl Iterator<Item = SiteIndex> {
        (1..=self.sites).map(at)
    }
    fn bitmap(&self) -> Bitmap {
        Bitmap::of(&set(1..=self.sites), usize::from(self.sites))
    }

    fn to_site(&self) -> Vec<ToSite> {
        let member = |index| Member {
            index,
            body: self.digest(1),
            input: self.digest(2),
            ledger_head: self.digest(3),
            signature: self.signature(),
        };
        vec![
            ToSite::Announce(self.signed()),
            ToSite::Directory(self.all().map(|_| self.signed()).collect()),
            ToSite::Delivery(Delivery {
                shared: self.bitmap(),
                sealed: self.all().map(|index| (index, self.bytes())).collect(),
            }),
            ToSite::Survivors(Survivors {
                survivors: self.bitmap(),
                members: self.all().map(member).collect(),
            }),
            ToSite::Certificate(self.all().map(|index| (index, self.signature())).collect()),
            ToSite::Result(self.signed()),
            ToSite::Closed,
        ]
    }

    fn to_host(&self) -> Vec<ToHost> {
        vec![
            ToHost::Advertise(self.signed()),
            ToHost::Shares(self.signed(), self.all().map(|index| (index, self.bytes())).collect()),
            ToHost::Masked(self.signed(), self.bytes()),
            ToHost::Vote(self.signature()),
            ToHost::Unmask(self.signed()),
            ToHost::Declined(self.words.clone()),
        ]
    }

    fn advertise(&self) -> Advertise {
        Advertise {
            round_id: self.round_id(),
            config: self.digest(1),
            index: at(self.sites),
            sealing: self.key(2),
            masking: self.key(3),
            commitment: self.digest(4),
        }
    }

    fn shares(&self) -> SharesHeader {
        let (round_id, index) = (self.round_id(), at(self.sites));
        SharesHeader { round_id, u1: self.digest(1), index, sealed: self.digest(2) }
    }

    fn masked(&self) -> MaskedHeader {
        MaskedHeader {
            round_id: self.round_id(),
            config: self.digest(1),
            u1: self.digest(2),
            u2: self.bitmap(),
            index: at(self.sites),
            body: self.digest(3),
            input: self.digest(4),
            ledger_head: self.digest(5),
        }
    }

    fn ballot(&self) -> Ballot {
        Ballot {
            round_id: self.round_id(),
            config: self.digest(1),
            u1: self.digest(2),
            u2: self.bitmap(),
            u3: self.bitmap(),
            headers: self.digest(3),
        }
    }

    fn unmask(&self) -> Unmask {
        Unmask {
            round_id: self.round_id(),
            ballot: self.digest(1),
            index: at(self.sites),
            own: self.all().map(|index| (index, [self.byte; 32])).collect(),
            dropped: self.all().map(|index| (index, [1; 32])).collect(),
        }
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            round_id: self.round_id(),
            config: self.digest(1),
            survivors: self.bitmap(),
            sum: (0..self.length).map(|_| self.number).collect(),
            ledger_heads: self.all().map(|index| (index, self.digest(2))).collect(),
        }
    }
}

const SAMPLE: Filling =
    Filling { byte: 7, sites: 3, length: 5, number: -70_000, words: String::new() };

fn digest_of<T: serde::Serialize>(value: &T) -> String {
    codec::sha256(&codec::encode(value).unwrap()).short()
}

#[test]
fn the_bytes_of_small_messages_are_fixed_in_full() {
    let hex = |message: &ToHost| to_hex(&codec::encode(message).unwrap());
    let signature = "6b".repeat(64);
    assert_eq!(hex(&ToHost::Vote(SAMPLE.signature())), format!("03{signature}"));
    assert_eq!(hex(&ToHost::Declined("no".to_owned())), "05026e6f");
    let masked = ToHost::Masked(SAMPLE.signed(), SAMPLE.bytes());
    assert_eq!(hex(&masked), format!("02050707070707{signature}050707070707"));
    let hex = |message: &ToSite| to_hex(&codec::encode(message).unwrap());
    assert_eq!(hex(&ToSite::Closed), "06");
    assert_eq!(hex(&ToSite::Announce(SAMPLE.signed())), format!("00050707070707{signature}"));
    let certificate = ToSite::Certificate(vec![(at(300), SAMPLE.signature())]);
    assert_eq!(hex(&certificate), format!("0401fb2c01{signature}"));
}

#[test]
fn the_bytes_of_every_message_are_fixed() {
    let found: Vec<String> = (SAMPLE.to_site().iter().map(digest_of))
        .chain(SAMPLE.to_host().iter().map(digest_of))
        .chain([
            digest_of(&SAMPLE.advertise()),
            digest_of(&SAMPLE.shares()),
            digest_of(&SAMPLE.masked()),
            digest_of(&SAMPLE.ballot()),
            digest_of(&SAMPLE.unmask()),
            digest_of(&SAMPLE.outcome()),
        ])
        .collect();
    let expected = [
        "d9107ee2a476",
        "9a163f0d0579",
        "66f37882309d",
        "8995a8fec669",
        "7be47d7a6e1d",
        "59348fa8bdee",
        "67586e98fad2",
        "d9107ee2a476",
        "1ea7636bd006",
        "958cd150066b",
        "116be6dc957b",
        "963c174f89db",
        "2921a11f25da",
        "6fb5cd9c82b9",
        "ae3b0e5083cb",
        "4d81c9e1a1f4",
        "7ebdb776df7b",
        "bf21bc0ebf83",
        "7ccde4862885",
    ];
    assert_eq!(found, expected);
}

#[test]
fn debug_shows_no_share() {
    let unmask = Unmask { own: vec![(at(1), [77; 32])], ..SAMPLE.unmask() };
    assert_eq!(format!("{unmask:?}"), "Unmask(site 3, 1 + 3 shares)");
}

fn filling() -> impl Strategy<Value = Filling> {
    (any::<u8>(), 1..40_u16, 0..90_usize, any::<i64>(), ".{0,40}").prop_map(
        |(byte, sites, length, number, words)| Filling { byte, sites, length, number, words },
    )
}

fn read_back<T>(value: &T) -> Result<(), TestCaseError>
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let bytes = codec::encode(value).unwrap();
    prop_assert_eq!(&codec::decode::<T>(&bytes).unwrap(), value);
    for length in [0, bytes.len() / 2, bytes.len() - 1] {
        prop_assert!(codec::decode::<T>(&bytes[..length]).is_err());
    }
    Ok(())
}

/// What decodes has one encoding: the bytes it came from.
fn one_encoding<T>(bytes: &[u8]) -> Result<(), TestCaseError>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    if let Ok(value) = codec::decode::<T>(bytes) {
        prop_assert_eq!(codec::encode(&value).unwrap(), bytes);
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_message_is_read_back_whatever_it_holds(filling in filling()) {
        for message in filling.to_site() {
            read_back(&message)?;
        }
        for message in filling.to_host() {
            read_back(&message)?;
        }
        read_back(&filling.advertise())?;
        read_back(&filling.shares())?;
        read_back(&filling.masked())?;
        read_back(&filling.ballot())?;
        read_back(&filling.unmask())?;
        read_back(&filling.outcome())?;
    }

    #[test]
    fn damaged_bytes_are_refused_or_mean_something_else_with_one_encoding(
        filling in filling(), place in any::<prop::sample::Index>(), value in any::<u8>()
    ) {
        let damage = |mut bytes: Vec<u8>| {
            let place = place.index(bytes.len());
            bytes[place] = value;
            bytes
        };
        for message in filling.to_site() {
            one_encoding::<ToSite>(&damage(codec::encode(&message).unwrap()))?;
        }
        for message in filling.to_host() {
            one_encoding::<ToHost>(&damage(codec::encode(&message).unwrap()))?;
        }
        one_encoding::<Outcome>(&damage(codec::encode(&filling.outcome()).unwrap()))?;
        one_encoding::<Unmask>(&damage(codec::encode(&filling.unmask()).unwrap()))?;
        one_encoding::<MaskedHeader>(&damage(codec::encode(&filling.masked()).unwrap()))?;
        one_encoding::<Advertise>(&damage(codec::encode(&filling.advertise()).unwrap()))?;
    }

    #[test]
    fn random_bytes_never_panic_a_decoder(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        one_encoding::<ToSite>(&bytes)?;
        one_encoding::<ToHost>(&bytes)?;
        one_encoding::<Outcome>(&bytes)?;
        one_encoding::<Ballot>(&bytes)?;
        one_encoding::<Bitmap>(&bytes)?;
    }
}
