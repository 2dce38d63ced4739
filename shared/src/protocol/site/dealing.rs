//! What a site checks and answers until its data are read, M0 to M4.
use super::{
    Answer, Dealt, Effect, Held, Keys, PeerKeys, Peering, Record, Round, Site, State, Step,
};
use super::{id_bytes, send};
use crate::codec::{self, Bytes};
use crate::id::{Digest, SiteIndex};
use crate::privacy::release::Noise;
use crate::protocol::config::RoundConfig;
use crate::protocol::error::ProtocolError;
use crate::protocol::message::{
    Advertise, Delivery, Sealed, SharesHeader, Signed, ToHost, directory_digest, sealed_digest,
};
use crate::secagg::key::seal::{SEALED_BYTES, open_shares, seal_shares};
use crate::secagg::key::{
    Binding, KeyError, Peer, SecretKey, commit_b, mask_secret_key, round_salt,
};
use crate::secagg::mask::MaskSeeds;
use crate::secagg::share::{SecretScalar, split};
use rand::CryptoRng;
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroize;

impl Site {
    /// M0 → M1. Everything but the round's identity is recomputed and compared.
    pub(super) fn announced<R: CryptoRng + ?Sized>(mut self, signed: &Signed, rng: &mut R) -> Step {
        let context = self.context.clone();
        let config = signed
            .body::<RoundConfig>(&context.coordinator(), "announce")
            .ok_or(ProtocolError::CoordinatorSignature { what: "announcement" })?;
        if context.plan.roster() != context.roster.digest() {
            let (found, expected) = (context.plan.roster(), context.roster.digest());
            let (found, expected) = (found.to_string(), expected.to_string());
            return Err(ProtocolError::Plan { field: "roster", found, expected });
        }
        config.check(&context.plan, context.federation())?;
        self.check_policy()?;
        if config.counter() <= self.history.last_counter {
            let (found, last) = (config.counter(), self.history.last_counter);
            return Err(ProtocolError::Replay { found, last });
        }
        self.history.last_counter = config.counter();
        let digest = config.digest()?;
        let round = Round { config, digest };
        let round_id = id_bytes(&round);
        let salt = round_salt(&round_id.0, digest.as_bytes(), context.plan.roster().as_bytes());
        let (r, b) = (SecretScalar::draw(rng), SecretScalar::draw(rng));
        let sealing = SecretKey::draw(rng);
        let masking = mask_secret_key(&salt, &r, context.me.value());
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        // Drawn now, before any data are read: its time says nothing about what is sent.
        let noise = Noise::draw(&context.plan, digest, seed);
        seed.zeroize();
        let noise = noise?;
        let advertise = Advertise {
            round_id,
            config: digest,
            index: context.me,
            sealing: sealing.public(),
            masking: masking.public(),
            commitment: Digest::new(commit_b(&round_id.0, context.me.value(), &b)),
        };
        let signed = Signed::of(&context.identity, "advertise", &advertise)?;
        let advertised = Bytes(codec::encode(&signed)?);
        let keys = Keys { sealing, masking, r, b, advertised, noise };
        let counter = Effect::Persist(Record::Counter(round.config.counter()));
        let reply = send(&ToHost::Advertise(signed))?;
        self.round = Some(round);
        Ok(self.next(State::Advertised(keys), vec![counter, reply]))
    }

    fn check_policy(&self) -> Result<(), ProtocolError> {
        let (policy, plan) = (&self.context.policy, &self.context.plan);
        let multiplier = plan.multiplier().value();
        let bounds = [
            ("minimum of sites", f64::from(plan.min_sites()), f64::from(policy.min_sites)),
            ("colluder bound", f64::from(plan.colluders()), f64::from(policy.colluders)),
            ("noise multiplier", multiplier, policy.noise_multiplier),
        ];
        for (field, found, expected) in bounds {
            // A bound that is not a number admits nothing.
            if found.partial_cmp(&expected).is_none_or(std::cmp::Ordering::is_lt) {
                let (found, expected) = (found.to_string(), expected.to_string());
                return Err(ProtocolError::Policy { field, found, expected });
            }
        }
        Ok(())
    }

    /// M2 → M3. Every entry is its site's own, for this round, with keys of its own.
    pub(super) fn directory<R: CryptoRng + ?Sized>(
        self,
        keys: Keys,
        entries: &[Signed],
        rng: &mut R,
    ) -> Step {
        let round = self.round()?;
        let peers = self.check_directory(round, &keys, entries)?;
        let round_id = id_bytes(round);
        let roster = self.context.plan.roster();
        let salt = round_salt(&round_id.0, round.digest.as_bytes(), roster.as_bytes());
        let u1 = directory_digest(entries);
        let binding = Binding { round_id: round_id.0, salt, u1: *u1.as_bytes() };
        let me = self.context.me;
        let holders: Vec<u16> = peers.keys().map(|index| index.value()).collect();
        let threshold = usize::from(self.context.plan.threshold());
        let of_r = split(&keys.r, threshold, &holders, rng)?;
        let of_b = split(&keys.b, threshold, &holders, rng)?;
        let low_order = |index: SiteIndex| {
            move |_: KeyError| ProtocolError::Directory { index, problem: "has a key of low order" }
        };
        let mut own = None;
        let mut sealed: Vec<Sealed> = Vec::with_capacity(peers.len());
        let mut peerings = BTreeMap::new();
        for ((index, peer), (r, b)) in peers.iter().zip(of_r.into_iter().zip(of_b)) {
            if *index == me {
                own = Some((r, b));
                continue;
            }
            let to = Peer { index: index.value(), key: peer.sealing };
            let key =
                binding.share_key_to(&keys.sealing, me.value(), &to).map_err(low_order(*index))?;
            sealed.push((*index, Bytes(seal_shares(key, &r, &b)?.to_vec())));
            // Agreed now, not in M5: a key that agrees on nothing must not cost a charge.
            let with = Peer { index: index.value(), key: peer.masking };
            let pad =
                binding.pair_key(&keys.masking, me.value(), &with).map_err(low_order(*index))?;
            peerings.insert(*index, Peering { sealing: peer.sealing, pad });
        }
        let own =
            own.ok_or(ProtocolError::Set { what: "directory", problem: "lacks this site" })?;
        let header = SharesHeader { round_id, u1, index: me, sealed: sealed_digest(&sealed) };
        let signed = Signed::of(&self.context.identity, "shares", &header)?;
        let reply = send(&ToHost::Shares(signed, sealed))?;
        let self_pad = binding.self_mask_key(me.value(), &keys.b);
        let Keys { sealing, noise, .. } = keys;
        let dealt = Dealt { sealing, noise, binding, self_pad, peers: peerings, own };
        Ok(self.next(State::Shared(dealt), vec![reply]))
    }

    fn check_directory(
        &self,
        round: &Round,
        keys: &Keys,
        entries: &[Signed],
    ) -> Result<BTreeMap<SiteIndex, PeerKeys>, ProtocolError> {
        let set = |problem| ProtocolError::Set { what: "directory", problem };
        if entries.len() > self.n() || entries.len() < usize::from(self.context.plan.min_sites()) {
            return Err(set("has too few or too many entries"));
        }
        let mut peers: BTreeMap<SiteIndex, PeerKeys> = BTreeMap::new();
        let mut public = BTreeSet::new();
        for entry in entries {
            let (index, advertise) = self.check_entry(round, entry)?;
            if peers.last_key_value().is_some_and(|(last, _)| *last >= index) {
                return Err(ProtocolError::Directory { index, problem: "is out of order" });
            }
            if index == self.context.me && codec::encode(entry)? != keys.advertised.0 {
                return Err(ProtocolError::Own { what: "directory entry" });
            }
            let (sealing, masking) = (advertise.sealing, advertise.masking);
            if !public.insert(sealing) || !public.insert(masking) {
                return Err(ProtocolError::KeyTwice);
            }
            peers.insert(index, PeerKeys { sealing, masking });
        }
        if !peers.contains_key(&self.context.me) {
            return Err(set("lacks this site"));
        }
        Ok(peers)
    }

    fn check_entry(
        &self,
        round: &Round,
        entry: &Signed,
    ) -> Result<(SiteIndex, Advertise), ProtocolError> {
        // The index is inside what was signed: it says whose key to try, and the key decides.
        let claimed = codec::decode::<Advertise>(&entry.payload.0)?.index;
        let wrong = |problem| ProtocolError::Directory { index: claimed, problem };
        let key = self.context.key_of(claimed).ok_or(wrong("is not of a site on the roster"))?;
        let advertise =
            entry.body::<Advertise>(&key, "advertise").ok_or(wrong("is not signed by its site"))?;
        if advertise.round_id != id_bytes(round) || advertise.config != round.digest {
            return Err(wrong("is of another round"));
        }
        Ok((claimed, advertise))
    }

    /// M4: who shared. From here on the data are read.
    pub(super) fn delivered(self, dealt: Dealt, delivery: &Delivery) -> Step {
        let u2 = self.check_delivery(&dealt, delivery)?;
        let me = self.context.me;
        let Dealt { sealing, noise, binding, self_pad, mut peers, own } = dealt;
        let mut seeds = MaskSeeds { own: self_pad, pairs: Vec::with_capacity(u2.len()), index: me };
        let mut held: Held = BTreeMap::new();
        for (index, sealed) in &delivery.sealed {
            let Some(peer) = peers.remove(index) else { return Err(set("names a stranger")) };
            let from = Peer { index: index.value(), key: peer.sealing };
            let key = binding.share_key_from(&sealing, me.value(), &from)?;
            let wrong = |source| ProtocolError::Sealed { index: *index, source };
            held.insert(*index, open_shares(key, &sealed.0).map_err(wrong)?);
            seeds.pairs.push((*index, peer.pad));
        }
        held.insert(me, own);
        let round = self.round()?.digest;
        let answer = Answer { u1: Digest::new(binding.u1), u2, held };
        let collect = Effect::Collect { round };
        Ok(self.next(State::Collecting { noise, seeds, answer }, vec![collect]))
    }

    /// U2: enough sites of the directory, this one among them, and one sealed pair from each other.
    fn check_delivery(
        &self,
        dealt: &Dealt,
        delivery: &Delivery,
    ) -> Result<BTreeSet<SiteIndex>, ProtocolError> {
        let u2 = delivery.shared.set(self.n()).ok_or(set("is not a set of sites"))?;
        let me = self.context.me;
        if u2.len() < usize::from(self.context.plan.min_sites()) {
            return Err(set("has fewer sites than the study asks for"));
        }
        let known = |index: &SiteIndex| *index == me || dealt.peers.contains_key(index);
        if !u2.contains(&me) || !u2.iter().all(known) {
            return Err(set("lacks this site, or names one outside the directory"));
        }
        let senders = u2.iter().filter(|index| **index != me);
        if !delivery.sealed.iter().map(|(index, _)| index).eq(senders) {
            return Err(set("does not hold one sealed pair of shares from each site"));
        }
        if delivery.sealed.iter().any(|(_, bytes)| bytes.0.len() != SEALED_BYTES) {
            return Err(set("holds sealed shares of a wrong length"));
        }
        Ok(u2)
    }
}

fn set(problem: &'static str) -> ProtocolError {
    ProtocolError::Set { what: "delivery", problem }
}
