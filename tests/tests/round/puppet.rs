//! Real sites in the hands of a malicious coordinator: it holds the coordinator's key and says to each
//! site whatever it likes.
use crate::rounds::{Federation, charge, identity};
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use std::collections::{BTreeMap, BTreeSet};
use tacit_shared::codec;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::privacy::ledger::Charge;
use tacit_shared::protocol::error::ProtocolError;
use tacit_shared::protocol::message::{
    Delivery, MaskedHeader, Member, Outcome, Sealed, Signed, Survivors, ToHost, ToSite,
};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::protocol::site::{Effect, Event, History, Policy, Site};
use tacit_shared::secagg::key::identity::Signature;
use tacit_shared::summary::sum::SiteSum;

/// What each site sealed, with its signed header.
pub(crate) type Shared = BTreeMap<SiteIndex, (Signed, Vec<Sealed>)>;

/// Sites that answer to the test.
pub(crate) struct Puppets<'a> {
    pub(crate) federation: &'a Federation,
    pub(crate) sites: BTreeMap<SiteIndex, Site>,
    pub(crate) rng: ChaCha20Rng,
    /// What each site signed in M5.
    pub(crate) headers: BTreeMap<SiteIndex, MaskedHeader>,
    /// Keep the data back until [`Puppets::fund`].
    pub(crate) hold: bool,
}

impl<'a> Puppets<'a> {
    pub(crate) fn new(federation: &'a Federation) -> Self {
        let fresh = |index: &SiteIndex| {
            (*index, federation.site(*index, History::default(), Policy::default()))
        };
        let sites = federation.plan.sites().iter().map(fresh).collect();
        Self {
            federation,
            sites,
            rng: ChaCha20Rng::seed_from_u64(40),
            headers: BTreeMap::new(),
            hold: false,
        }
    }

    pub(crate) fn event(
        &mut self,
        index: SiteIndex,
        event: Event,
    ) -> Result<Vec<Effect>, ProtocolError> {
        let site = self.sites.remove(&index).unwrap();
        let (site, effects) = site.step(1000, event, &mut self.rng)?;
        self.sites.insert(index, site);
        Ok(effects)
    }

    /// Says something to a site; its answer, if it gives one.
    pub(crate) fn tell(
        &mut self,
        index: SiteIndex,
        message: &ToSite,
    ) -> Result<Option<ToHost>, ProtocolError> {
        self.bytes(index, codec::encode(message).unwrap())
    }

    pub(crate) fn bytes(
        &mut self,
        index: SiteIndex,
        bytes: Vec<u8>,
    ) -> Result<Option<ToHost>, ProtocolError> {
        let effects = self.event(index, Event::Received(bytes))?;
        for effect in &effects {
            if let (Effect::Collect { round }, false) = (effect, self.hold) {
                let paid = charge(&self.federation.plan, *round);
                let sum = self.sum(index);
                return self.fund(index, sum, paid);
            }
        }
        Ok(answer(&effects))
    }

    pub(crate) fn sum(&mut self, index: SiteIndex) -> SiteSum {
        self.federation.sum(index, 3, &mut self.rng)
    }

    pub(crate) fn fund(
        &mut self,
        index: SiteIndex,
        sum: SiteSum,
        paid: Charge,
    ) -> Result<Option<ToHost>, ProtocolError> {
        Ok(answer(&self.event(index, Event::Funded { sum, paid })?))
    }

    pub(crate) fn announcement(&self) -> ToSite {
        let config = self.federation.config(1);
        ToSite::Announce(Signed::of(&identity(0), "announce", &config).unwrap())
    }

    /// M1 of every site.
    pub(crate) fn announce(&mut self) -> Vec<Signed> {
        let announcement = self.announcement();
        let all: Vec<SiteIndex> = self.sites.keys().copied().collect();
        let key = |index| match self.tell(index, &announcement) {
            Ok(Some(ToHost::Advertise(signed))) => signed,
            other => panic!("{other:?}"),
        };
        all.into_iter().map(key).collect()
    }

    /// M3 of some sites.
    pub(crate) fn deal(&mut self, to: &BTreeSet<SiteIndex>, directory: &[Signed]) -> Shared {
        let directory = ToSite::Directory(directory.to_vec());
        let share = |index: &SiteIndex| match self.tell(*index, &directory) {
            Ok(Some(ToHost::Shares(signed, sealed))) => (*index, (signed, sealed)),
            other => panic!("{other:?}"),
        };
        to.iter().map(share).collect()
    }

    /// M4 for one site: what each of U2 sealed for it.
    pub(crate) fn delivery(
        &self,
        shared: &Shared,
        u2: &BTreeSet<SiteIndex>,
        to: SiteIndex,
    ) -> ToSite {
        let sealed = u2.iter().filter(|from| **from != to).map(|from| {
            let (_, sealed) = &shared[from];
            let (_, bytes) = sealed.iter().find(|(index, _)| *index == to).unwrap();
            (*from, bytes.clone())
        });
        let shared = Bitmap::of(u2, self.federation.roster.len());
        ToSite::Delivery(Delivery { shared, sealed: sealed.collect() })
    }

    /// M5 of every member of U2, as M6 lists it.
    pub(crate) fn collect(&mut self, shared: &Shared, u2: &BTreeSet<SiteIndex>) -> Vec<Member> {
        let mut members = Vec::new();
        for index in u2 {
            let delivery = self.delivery(shared, u2, *index);
            match self.tell(*index, &delivery) {
                Ok(Some(ToHost::Masked(signed, _))) => {
                    let header: MaskedHeader = codec::decode(&signed.payload.0).unwrap();
                    members.push(member(&header, signed.signature));
                    self.headers.insert(*index, header);
                }
                other => panic!("{other:?}"),
            }
        }
        members
    }

    /// M6 over some of the members.
    pub(crate) fn survivors(&self, members: &[Member], u3: &BTreeSet<SiteIndex>) -> ToSite {
        let survivors = Bitmap::of(u3, self.federation.roster.len());
        let members = members.iter().filter(|member| u3.contains(&member.index));
        ToSite::Survivors(Survivors { survivors, members: members.cloned().collect() })
    }

    /// M7 of a site that was shown these survivors.
    pub(crate) fn vote(&mut self, index: SiteIndex, survivors: &ToSite) -> (SiteIndex, Signature) {
        match self.tell(index, survivors) {
            Ok(Some(ToHost::Vote(signature))) => (index, signature),
            other => panic!("{other:?}"),
        }
    }

    /// M10 that this coordinator would sign for these survivors.
    pub(crate) fn outcome(&self, members: &[Member], u3: &BTreeSet<SiteIndex>) -> Outcome {
        let config = self.federation.config(1);
        let heads = members.iter().filter(|member| u3.contains(&member.index));
        Outcome {
            round_id: config.round_id(),
            config: config.digest().unwrap(),
            survivors: Bitmap::of(u3, self.federation.roster.len()),
            sum: vec![0; self.federation.plan.layout().dimension()],
            ledger_heads: heads.map(|member| (member.index, member.ledger_head)).collect(),
        }
    }
}

/// A signed result.
pub(crate) fn result(outcome: &Outcome) -> ToSite {
    ToSite::Result(Signed::of(&identity(0), "result", outcome).unwrap())
}

fn member(header: &MaskedHeader, signature: Signature) -> Member {
    let MaskedHeader { index, body, input, ledger_head, .. } = *header;
    Member { index, body, input, ledger_head, signature }
}

fn answer(effects: &[Effect]) -> Option<ToHost> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(bytes) => Some(codec::decode(bytes).unwrap()),
        _ => None,
    })
}

/// A round up to the votes, all sites well treated: members of M6 and the survivors.
pub(crate) fn up_to_masked(federation: &Federation) -> (Puppets<'_>, Vec<Member>) {
    let mut puppets = Puppets::new(federation);
    let all: BTreeSet<SiteIndex> = puppets.sites.keys().copied().collect();
    let directory = puppets.announce();
    let shared = puppets.deal(&all, &directory);
    let members = puppets.collect(&shared, &all);
    (puppets, members)
}

/// A digest that stands for nothing.
pub(crate) fn other_digest() -> Digest {
    Digest::new([9; 32])
}
