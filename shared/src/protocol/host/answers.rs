//! What the coordinator checks in each answer, and what it sends when a phase is complete.
use super::{Directory, Effect, Host, Inputs, Secrets, State, Survivors, written};
use crate::codec;
use crate::id::{Digest, SiteIndex};
use crate::protocol::error::ProtocolError;
use crate::protocol::message::{
    Advertise, Ballot, Delivery, MaskedHeader, Member, Sealed, SharesHeader, Signed,
    Survivors as SurvivorsMessage, ToHost, ToSite, Unmask, directory_digest, headers_digest,
    sealed_digest,
};
use crate::protocol::set::Bitmap;
use crate::secagg::key::PublicKey;
use crate::secagg::key::identity::Signature;
use crate::secagg::key::seal::SEALED_BYTES;
use crate::secagg::open::{Certificate, Electorate, MaskedSum, VOTE_LABEL};
use crate::secagg::share::SecretScalar;
use std::collections::{BTreeMap, BTreeSet};

impl Host {
    /// Takes an answer that is due; a wrong one drops its site.
    pub(super) fn receive(&mut self, from: SiteIndex, message: ToHost, effects: &mut Vec<Effect>) {
        let result = match message {
            ToHost::Advertise(signed) => self.take_keys(from, signed),
            ToHost::Shares(signed, sealed) => self.take_shares(from, &signed, sealed),
            ToHost::Masked(signed, body) => self.take_input(from, &signed, &body.0),
            ToHost::Vote(signature) => self.take_vote(from, signature),
            ToHost::Unmask(signed) => self.take_secrets(from, &signed),
            ToHost::Declined(reason) => Err(reason),
        };
        match result {
            Ok(()) => {
                self.answered.insert(from);
            }
            Err(reason) => self.drop_site(from, &reason, effects),
        }
    }

    fn take_keys(&mut self, from: SiteIndex, signed: Signed) -> Result<(), String> {
        let advertise: Advertise = self.signed_by(from, &signed, "advertise")?;
        let right = advertise.index == from
            && advertise.config == self.round
            && advertise.round_id == self.config.round_id();
        let State::Keys { entries } = &mut self.state else { return Err(out_of_turn("keys")) };
        if !right {
            return Err("its keys are of another round or site".to_owned());
        }
        let taken = entries
            .values()
            .flat_map(|(_, other)| [other.sealing, other.masking])
            .any(|key| key == advertise.sealing || key == advertise.masking);
        if taken || advertise.sealing == advertise.masking {
            return Err("it advertised a key that is in use".to_owned());
        }
        // Every site would refuse a directory with such a key: it must not get in.
        if !agrees(&advertise.sealing) || !agrees(&advertise.masking) {
            return Err("it advertised a key of low order".to_owned());
        }
        entries.insert(from, (signed, advertise));
        Ok(())
    }

    /// M2.
    pub(super) fn send_directory(
        &mut self,
        entries: BTreeMap<SiteIndex, (Signed, Advertise)>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ProtocolError> {
        self.enough("keys", entries.len())?;
        let (signed, bodies): (Vec<Signed>, BTreeMap<SiteIndex, Advertise>) = entries
            .into_iter()
            .map(|(index, (signed, advertise))| (signed, (index, advertise)))
            .unzip();
        let directory = Directory { bodies, u1: directory_digest(&signed) };
        self.state = State::Shares { directory, sealed: BTreeMap::new() };
        self.broadcast(&ToSite::Directory(signed), effects)
    }

    fn take_shares(
        &mut self,
        from: SiteIndex,
        signed: &Signed,
        sealed: Vec<Sealed>,
    ) -> Result<(), String> {
        let header: SharesHeader = self.signed_by(from, signed, "shares")?;
        let round_id = self.config.round_id();
        let State::Shares { directory, sealed: all } = &mut self.state else {
            return Err(out_of_turn("shares"));
        };
        if header.index != from || header.round_id != round_id || header.u1 != directory.u1 {
            return Err("its shares are of another round, site or directory".to_owned());
        }
        let expected = directory.bodies.keys().copied().filter(|index| *index != from);
        if !sealed.iter().map(|(index, _)| *index).eq(expected)
            || sealed.iter().any(|(_, bytes)| bytes.0.len() != SEALED_BYTES)
            || header.sealed != sealed_digest(&sealed)
        {
            return Err("it did not seal one pair of shares for each site".to_owned());
        }
        all.insert(from, sealed);
        Ok(())
    }

    /// M4, one message a site. Who shared is written down first: the transcript holds what each sealed.
    pub(super) fn deliver(
        &mut self,
        directory: Directory,
        sealed: BTreeMap<SiteIndex, Vec<Sealed>>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ProtocolError> {
        self.enough("shares", sealed.len())?;
        let u2: BTreeSet<SiteIndex> = sealed.keys().copied().collect();
        let shared = Bitmap::of(&u2, self.n());
        let told = ToSite::Delivery(Delivery { shared: shared.clone(), sealed: Vec::new() });
        effects.push(written(&told, codec::encode(&told)?));
        // From senders by receiver to receivers by sender; senders ascend, so each list does.
        let mut for_each: BTreeMap<SiteIndex, Vec<Sealed>> =
            u2.iter().map(|to| (*to, Vec::with_capacity(u2.len()))).collect();
        for (from, all) in sealed {
            for (to, bytes) in all {
                if let Some(list) = for_each.get_mut(&to) {
                    list.push((from, bytes));
                }
            }
        }
        for (to, sealed) in for_each {
            let delivery = Delivery { shared: shared.clone(), sealed };
            let bytes = codec::encode(&ToSite::Delivery(delivery))?;
            effects.push(Effect::Send { to, bytes: bytes.into() });
        }
        let sum = MaskedSum::new(self.context.plan.layout().dimension());
        self.state = State::Inputs(Inputs { directory, u2, sum, headers: BTreeMap::new() });
        Ok(())
    }

    fn take_input(&mut self, from: SiteIndex, signed: &Signed, body: &[u8]) -> Result<(), String> {
        let header: MaskedHeader = self.signed_by(from, signed, "masked")?;
        let (round_id, round, n) = (self.config.round_id(), self.round, self.n());
        let State::Inputs(inputs) = &mut self.state else {
            return Err(out_of_turn("masked vector"));
        };
        let same = header.index == from
            && header.round_id == round_id
            && header.config == round
            && header.u1 == inputs.directory.u1
            && header.u2 == Bitmap::of(&inputs.u2, n);
        if !same || header.body != codec::sha256(body) {
            return Err("its masked vector is not what its header says".to_owned());
        }
        inputs.sum.add(body).map_err(|error| error.to_string())?;
        inputs.headers.insert(from, (header, signed.signature));
        Ok(())
    }

    /// M6.
    pub(super) fn name_survivors(
        &mut self,
        inputs: Inputs,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ProtocolError> {
        self.enough("masked vectors", inputs.headers.len())?;
        let u3: BTreeSet<SiteIndex> = inputs.headers.keys().copied().collect();
        let survivors = Bitmap::of(&u3, self.n());
        let member = |(index, (header, signature)): (&SiteIndex, &(MaskedHeader, Signature))| {
            let MaskedHeader { body, input, ledger_head, .. } = *header;
            Member { index: *index, body, input, ledger_head, signature: *signature }
        };
        let members: Vec<Member> = inputs.headers.iter().map(member).collect();
        let headers: Result<Vec<Vec<u8>>, _> =
            inputs.headers.values().map(|(header, _)| codec::encode(header)).collect();
        let ballot = Ballot {
            round_id: self.config.round_id(),
            config: self.round,
            u1: inputs.directory.u1,
            u2: Bitmap::of(&inputs.u2, self.n()),
            u3: survivors.clone(),
            headers: headers_digest(&headers?),
        };
        let ballot = codec::encode(&ballot)?;
        self.state =
            State::Votes { survivors: Survivors { inputs, u3, ballot }, votes: BTreeMap::new() };
        self.broadcast(&ToSite::Survivors(SurvivorsMessage { survivors, members }), effects)
    }

    fn take_vote(&mut self, from: SiteIndex, signature: Signature) -> Result<(), String> {
        let key = self.context.key_of(from);
        let State::Votes { survivors, votes } = &mut self.state else {
            return Err(out_of_turn("vote"));
        };
        let valid =
            key.is_some_and(|k| k.verify(VOTE_LABEL, &survivors.ballot, &signature).is_ok());
        if !valid {
            return Err("its vote is for something else".to_owned());
        }
        votes.insert(from, signature);
        Ok(())
    }

    /// M8.
    pub(super) fn certify(
        &mut self,
        survivors: Survivors,
        votes: &BTreeMap<SiteIndex, Signature>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ProtocolError> {
        let votes: Vec<(SiteIndex, Signature)> = votes.iter().map(|(i, s)| (*i, *s)).collect();
        let plan = &self.context.plan;
        let electorate = Electorate {
            survivors: &survivors.u3,
            min_sites: plan.min_sites(),
            threshold: plan.threshold(),
            ballot: &survivors.ballot,
        };
        let certificate = Certificate::of(&electorate, &votes, |index| self.context.key_of(index))?;
        let answers = BTreeMap::new();
        self.state = State::Secrets(Secrets { survivors, certificate, answers, tried: 0 });
        self.broadcast(&ToSite::Certificate(votes), effects)
    }

    fn take_secrets(&mut self, from: SiteIndex, signed: &Signed) -> Result<(), String> {
        let unmask: Unmask = self.signed_by(from, signed, "unmask")?;
        let round_id = self.config.round_id();
        let State::Secrets(Secrets { survivors, answers, .. }) = &mut self.state else {
            return Err(out_of_turn("unmasking shares"));
        };
        let ballot: Digest = codec::sha256(&survivors.ballot);
        if unmask.index != from || unmask.round_id != round_id || unmask.ballot != ballot {
            return Err("its shares are of another round, site or vote".to_owned());
        }
        let dropped = survivors.inputs.u2.difference(&survivors.u3);
        let right = unmask.own.iter().map(|(index, _)| index).eq(&survivors.u3)
            && unmask.dropped.iter().map(|(index, _)| index).eq(dropped);
        if !right {
            return Err("it did not answer for each site".to_owned());
        }
        let mut shares = unmask.own.iter().chain(&unmask.dropped);
        if shares.any(|(_, share)| SecretScalar::from_bytes(share).is_err()) {
            return Err("it answered with something that is not a share".to_owned());
        }
        answers.insert(from, unmask);
        Ok(())
    }

    fn signed_by<T>(
        &self,
        from: SiteIndex,
        signed: &Signed,
        label: &'static str,
    ) -> Result<T, String>
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        let key = self.context.key_of(from);
        let body = key.and_then(|key| signed.body(&key, label));
        body.ok_or_else(|| format!("its message \"{label}\" is not signed by it, or is none"))
    }
}

/// The canonical keys of low order, on the curve and on its twist: u = 0, 1, −1 and the two of order 8 (RFC 7748, §6.1
/// has them refused by the zero that they agree on; listed, they cost no agreement).
const LOW_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
];

/// Whether a key agrees on secrets that depend on the other end.
fn agrees(key: &PublicKey) -> bool {
    !LOW_ORDER.contains(key.as_bytes())
}

fn out_of_turn(what: &str) -> String {
    format!("its {what} came out of turn")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::secagg::key::{KeyError, SecretKey};
    use rand::SeedableRng as _;

    #[test]
    fn every_key_of_low_order_agrees_on_nothing_and_others_do() {
        let mut rng = rand::rngs::ChaCha20Rng::seed_from_u64(5);
        for _ in 0..20 {
            let anyone = SecretKey::draw(&mut rng);
            for bytes in LOW_ORDER {
                let key = PublicKey::parse(&bytes).unwrap();
                assert_eq!(anyone.agree(&key).unwrap_err(), KeyError::NotContributory);
                assert!(!agrees(&key));
            }
            let other = SecretKey::draw(&mut rng).public();
            assert!(anyone.agree(&other).is_ok() && agrees(&other));
        }
        // Nothing between them was forgotten: every small u, and every one just below the prime.
        let anyone = SecretKey::draw(&mut rng);
        for n in 0..=0xec {
            for mut bytes in [[0; 32], [0xff; 32]] {
                bytes[0] = n;
                bytes[31] &= 0x7f;
                let key = PublicKey::parse(&bytes).unwrap();
                assert_eq!(anyone.agree(&key).is_ok(), agrees(&key), "{n}");
            }
        }
    }
}
