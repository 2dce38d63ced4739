//! A coordinator that does not follow the protocol. It holds the coordinator's key and those of all
//! colluders, and says to each site whatever serves it.
//!
//! It tries what the protocol is there to refuse: different directories, deliveries and survivors for
//! different sites, second questions, certificates made of whatever votes it has, old messages, altered
//! messages, sums that are none. What the sites gave away in the end is the watcher's to say.
use super::federation::Federation;
use super::op::Attack;
use rand::RngExt as _;
use rand::rngs::ChaCha20Rng;
use rand::seq::IteratorRandom as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tacit_shared::codec::{self, CodecError};
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::config::RoundConfig;
use tacit_shared::protocol::message::{
    Ballot, Delivery, MaskedHeader, Member, Outcome, Sealed, SharesHeader, Signed, Survivors,
    ToHost, ToSite,
};
use tacit_shared::protocol::set::Bitmap;
use tacit_shared::secagg::key::identity::Signature;

/// How often a message is altered, replayed or interrupted, where that is the attack.
const SELDOM: f64 = 0.08;

type Set = BTreeSet<SiteIndex>;
type Messages = Vec<(SiteIndex, ToSite)>;

/// What the adversary has to go by.
pub(super) struct Seen<'a> {
    pub(super) federation: &'a Federation,
    pub(super) colluding: &'a Set,
    /// Everything the coordinator ever sent.
    pub(super) sent: &'a [Arc<Vec<u8>>],
}

/// One set of survivors that it showed to somebody.
struct Shown {
    u3: Set,
    ballot: Vec<u8>,
    message: ToSite,
    heads: Vec<(SiteIndex, Digest)>,
}

/// One round of lies.
pub(super) struct Liar {
    attacks: BTreeSet<Attack>,
    config: RoundConfig,
    stage: u8,
    /// The sites that get the other version.
    half: Set,
    keys: BTreeMap<SiteIndex, Signed>,
    sealed: BTreeMap<SiteIndex, (Digest, Vec<Sealed>)>,
    headers: BTreeMap<SiteIndex, (MaskedHeader, Signature)>,
    shown: Vec<Shown>,
    votes: Vec<(SiteIndex, Signature)>,
    /// How many certificates it could make of enough votes.
    pub(super) certified: u64,
    /// How many sites answered with shares.
    pub(super) answers: u64,
}

impl Liar {
    pub(super) fn new(attacks: BTreeSet<Attack>, config: RoundConfig) -> Self {
        Self {
            attacks,
            config,
            stage: 0,
            half: Set::new(),
            keys: BTreeMap::new(),
            sealed: BTreeMap::new(),
            headers: BTreeMap::new(),
            shown: Vec::new(),
            votes: Vec::new(),
            certified: 0,
            answers: 0,
        }
    }

    /// Whether it is through.
    pub(super) fn is_over(&self) -> bool {
        self.stage > 7
    }

    /// Takes whatever a site says.
    pub(super) fn receive(&mut self, federation: &Federation, from: SiteIndex, bytes: &[u8]) {
        if !federation.sites.contains_key(&from) {
            return;
        }
        match codec::decode::<ToHost>(bytes) {
            Ok(ToHost::Advertise(signed)) => drop(self.keys.insert(from, signed)),
            Ok(ToHost::Shares(signed, sealed)) => {
                if let Ok(header) = codec::decode::<SharesHeader>(&signed.payload.0) {
                    self.sealed.insert(from, (header.u1, sealed));
                }
            }
            Ok(ToHost::Masked(signed, _)) => {
                if let Ok(header) = codec::decode::<MaskedHeader>(&signed.payload.0) {
                    self.headers.insert(from, (header, signed.signature));
                }
            }
            Ok(ToHost::Vote(signature)) => self.votes.push((from, signature)),
            Ok(ToHost::Unmask(_)) => self.answers += 1,
            Ok(ToHost::Declined(_)) | Err(_) => {}
        }
    }

    /// The next messages.
    pub(super) fn stage(
        &mut self,
        seen: &Seen<'_>,
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<(SiteIndex, Vec<u8>)>, CodecError> {
        let twice = self.does(Attack::AskTwice);
        let messages = match self.stage {
            0 => self.announce(seen, rng)?,
            1 => self.directory(seen, rng),
            2 => self.deliver(seen, rng),
            3 => self.survivors(seen, rng)?,
            4 if twice => self.everything_shown(),
            5 => self.certificates(seen, rng),
            6 if twice => {
                let mut again = self.everything_shown();
                again.extend(self.certificates(seen, rng));
                again
            }
            7 => self.result(seen, rng)?,
            _ => Vec::new(),
        };
        self.stage += 1;
        self.disturbed(seen, messages, rng)
    }

    fn does(&self, attack: Attack) -> bool {
        self.attacks.contains(&attack)
    }

    fn announce(&mut self, seen: &Seen<'_>, rng: &mut ChaCha20Rng) -> Result<Messages, CodecError> {
        let sites = seen.federation.plan.sites();
        self.half = sites.iter().copied().filter(|_| rng.random()).collect();
        let announcement = Self::announcement(seen, &self.config)?;
        Ok(sites.iter().map(|site| (*site, announcement.clone())).collect())
    }

    fn announcement(seen: &Seen<'_>, config: &RoundConfig) -> Result<ToSite, CodecError> {
        let key = &seen.federation.host.identity;
        Ok(ToSite::Announce(Signed::of(key, "announce", config)?))
    }

    /// The set as it is for one half, and with one or more left out for the other.
    fn versions(&self, set: &Set, attack: Attack, rng: &mut ChaCha20Rng) -> [Set; 2] {
        let mut other = set.clone();
        if self.does(attack) {
            for _ in 0..rng.random_range(1..=2) {
                if let Some(victim) = set.iter().choose(rng) {
                    other.remove(victim);
                }
            }
        }
        [set.clone(), other]
    }

    fn version_of<'a>(&self, site: SiteIndex, [one, other]: &'a [Set; 2]) -> &'a Set {
        if self.half.contains(&site) { other } else { one }
    }

    fn directory(&self, seen: &Seen<'_>, rng: &mut ChaCha20Rng) -> Messages {
        let all: Set = self.keys.keys().copied().collect();
        let versions = self.versions(&all, Attack::SplitDirectory, rng);
        let to = |site: &SiteIndex| {
            let set = self.version_of(*site, &versions);
            let entries = self.keys.iter().filter(|(index, _)| set.contains(index));
            (*site, ToSite::Directory(entries.map(|(_, signed)| signed.clone()).collect()))
        };
        seen.federation.plan.sites().iter().filter(|site| all.contains(site)).map(to).collect()
    }

    /// Each site gets what was sealed under the directory that it saw itself.
    fn deliver(&self, seen: &Seen<'_>, rng: &mut ChaCha20Rng) -> Messages {
        let n = seen.federation.roster.len();
        let mut messages = Vec::new();
        let directories: BTreeSet<Digest> = self.sealed.values().map(|(u1, _)| *u1).collect();
        for directory in directories {
            let group = self.sealed.iter().filter(|(_, (u1, _))| *u1 == directory);
            let group: Set = group.map(|(index, _)| *index).collect();
            let versions = self.versions(&group, Attack::SplitDelivery, rng);
            for to in &group {
                let u2 = self.version_of(*to, &versions);
                let sealed = u2.iter().filter(|from| *from != to).filter_map(|from| {
                    let (_, all) = self.sealed.get(from)?;
                    let (_, bytes) = all.iter().find(|(index, _)| index == to)?;
                    Some((*from, bytes.clone()))
                });
                let delivery = Delivery { shared: Bitmap::of(u2, n), sealed: sealed.collect() };
                messages.push((*to, ToSite::Delivery(delivery)));
            }
        }
        messages
    }

    /// Sites that saw the same so far are shown the survivors among them, or fewer.
    fn survivors(
        &mut self,
        seen: &Seen<'_>,
        rng: &mut ChaCha20Rng,
    ) -> Result<Messages, CodecError> {
        let mut groups: BTreeMap<Vec<u8>, Set> = BTreeMap::new();
        for (index, (header, _)) in &self.headers {
            let saw = codec::encode(&(header.u1, &header.u2))?;
            groups.entry(saw).or_default().insert(*index);
        }
        let mut messages = Vec::new();
        for group in groups.values() {
            let named = if self.does(Attack::ForgeHeaders) {
                self.forge(group, rng)
            } else {
                group.clone()
            };
            let mut versions = self.versions(&named, Attack::SplitSurvivors, rng);
            if self.does(Attack::FewSurvivors) {
                let few = usize::from(seen.federation.plan.min_sites()) - 1;
                versions[1] = group.iter().copied().take(few).collect();
            }
            for (other, u3) in [false, true].into_iter().zip(&versions) {
                let of = group.first().and_then(|index| self.headers.get(index));
                let Some((of, _)) = of else { continue };
                let shown = self.show(seen, u3, of)?;
                let to = group.iter().filter(|to| self.half.contains(to) == other);
                messages.extend(to.map(|to| (*to, shown.message.clone())));
                if !self.shown.iter().any(|before| before.ballot == shown.ballot) {
                    self.shown.push(shown);
                }
            }
        }
        Ok(messages)
    }

    /// The group and others, who are given the header of a member if they sent none.
    fn forge(&mut self, group: &Set, rng: &mut ChaCha20Rng) -> Set {
        let mut named = group.clone();
        let Some((header, signature)) = group.first().and_then(|i| self.headers.get(i).cloned())
        else {
            return named;
        };
        for index in self.keys.keys().filter(|_| rng.random()) {
            let made_up = (MaskedHeader { index: *index, ..header.clone() }, signature);
            self.headers.entry(*index).or_insert(made_up);
            named.insert(*index);
        }
        named
    }

    /// Survivors as those see them who saw the directory and the delivery of a header.
    fn show(&self, seen: &Seen<'_>, u3: &Set, of: &MaskedHeader) -> Result<Shown, CodecError> {
        let survivors = Bitmap::of(u3, seen.federation.roster.len());
        let (mut members, mut digests) = (Vec::new(), Vec::new());
        for (index, (header, signature)) in &self.headers {
            if u3.contains(index) {
                let MaskedHeader { body, input, ledger_head, .. } = *header;
                let (index, signature) = (*index, *signature);
                members.push(Member { index, body, input, ledger_head, signature });
                let seen_so = MaskedHeader { index, body, input, ledger_head, ..of.clone() };
                digests.push(codec::sha256(&codec::encode(&seen_so)?));
            }
        }
        let fields: Vec<&[u8]> = digests.iter().map(|d| d.as_bytes().as_slice()).collect();
        let ballot = Ballot {
            round_id: of.round_id,
            config: of.config,
            u1: of.u1,
            u2: of.u2.clone(),
            u3: survivors.clone(),
            headers: codec::hash("tacit/v1/headers", &fields),
        };
        let heads = members.iter().map(|member| (member.index, member.ledger_head)).collect();
        let message = ToSite::Survivors(Survivors { survivors, members });
        Ok(Shown { u3: u3.clone(), ballot: codec::encode(&ballot)?, message, heads })
    }

    fn everything_shown(&self) -> Messages {
        let each = |shown: &Shown| {
            let message = shown.message.clone();
            shown.u3.iter().map(move |to| (*to, message.clone())).collect::<Messages>()
        };
        self.shown.iter().flat_map(each).collect()
    }

    /// For each set it showed: the votes it got for it and those of all colluders, filled up if asked.
    fn certificates(&mut self, seen: &Seen<'_>, rng: &mut ChaCha20Rng) -> Messages {
        let threshold = usize::from(seen.federation.plan.threshold());
        let mut messages = Vec::new();
        for shown in &self.shown {
            let mut votes: BTreeMap<SiteIndex, Signature> = BTreeMap::new();
            for index in &shown.u3 {
                let Some(hospital) = seen.federation.sites.get(index) else { continue };
                let identity = &hospital.context.identity;
                if seen.colluding.contains(index) {
                    votes.insert(*index, identity.sign("survivors", &shown.ballot));
                }
                let key = identity.verifying_key();
                let own = self.votes.iter().filter(|(from, _)| from == index);
                let mut own = own.map(|(_, signature)| *signature);
                let valid = own.find(|s| key.verify("survivors", &shown.ballot, s).is_ok());
                votes.extend(valid.map(|signature| (*index, signature)));
            }
            if votes.len() >= threshold {
                self.certified += 1;
            }
            let mut votes: Vec<_> = votes.into_iter().collect();
            while self.does(Attack::ForgeVotes) && votes.len() < threshold {
                let all = self.votes.iter().chain(&votes).copied();
                match all.choose(rng) {
                    Some(vote) => votes.push(vote),
                    None => break,
                }
            }
            let certificate = ToSite::Certificate(votes);
            messages.extend(shown.u3.iter().map(|to| (*to, certificate.clone())));
        }
        messages
    }

    fn result(&self, seen: &Seen<'_>, rng: &mut ChaCha20Rng) -> Result<Messages, CodecError> {
        let mut messages = Vec::new();
        for shown in &self.shown {
            let outcome = Outcome {
                round_id: self.config.round_id(),
                config: self.config.digest()?,
                survivors: Bitmap::of(&shown.u3, seen.federation.roster.len()),
                sum: vec![rng.random(); seen.federation.plan.layout().dimension()],
                ledger_heads: shown.heads.clone(),
            };
            let signed = Signed::of(&seen.federation.host.identity, "result", &outcome)?;
            let message = if self.does(Attack::FalseResult) {
                ToSite::Result(signed)
            } else {
                ToSite::Closed
            };
            messages.extend(shown.u3.iter().map(|to| (*to, message.clone())));
        }
        Ok(messages)
    }

    /// Encodes what is to be said, with replays, interruptions and flipped bits among it.
    fn disturbed(
        &self,
        seen: &Seen<'_>,
        messages: Messages,
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<(SiteIndex, Vec<u8>)>, CodecError> {
        let mut bytes = Vec::new();
        for (to, message) in messages {
            if self.does(Attack::Replay) && rng.random_bool(SELDOM) {
                let old = seen.sent.iter().choose(rng);
                bytes.extend(old.map(|old| (to, old.to_vec())));
            }
            if self.does(Attack::Reannounce) && self.stage > 1 && rng.random_bool(SELDOM) {
                let counter = self.config.counter() + rng.random_range(0..2);
                let config = seen.federation.config(counter, rng.random());
                bytes.push((to, codec::encode(&Self::announcement(seen, &config)?)?));
            }
            let mut encoded = codec::encode(&message)?;
            if self.does(Attack::Tamper) && rng.random_bool(SELDOM) {
                let place = rng.random_range(0..encoded.len());
                if let Some(byte) = encoded.get_mut(place) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
            bytes.push((to, encoded));
        }
        Ok(bytes)
    }
}
