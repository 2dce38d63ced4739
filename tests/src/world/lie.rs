//! What a site that obeys an adversary sends in the place of what its machine made.
use super::federation::{Federation, integers};
use super::op::Lie;
use rand::rngs::ChaCha20Rng;
use rand::{Rng as _, RngExt as _};
use serde::{Serialize, de::DeserializeOwned};
use tacit_shared::codec;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::message::{
    Advertise, MaskedHeader, SharesHeader, Signed, ToHost, Unmask,
};

/// What is sent instead: nothing, or these bytes, and what was added to the vector.
pub(super) struct Told {
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) added: Vec<i64>,
}

/// The lie in the place of a message; `None` if the message is not what the lie is about.
pub(super) fn tell(
    federation: &Federation,
    site: SiteIndex,
    lie: Lie,
    message: &ToHost,
    rng: &mut ChaCha20Rng,
) -> Option<Told> {
    let mut added = Vec::new();
    let mut message = message.clone();
    match (lie, &mut message) {
        (Lie::Keys, ToHost::Advertise(signed)) => {
            let other = Digest::new(rng.random());
            resign(federation, site, "advertise", signed, |a: &mut Advertise| {
                a.commitment = other;
            })?;
        }
        (Lie::Shares, ToHost::Shares(signed, sealed)) => {
            let victim = rng.random_range(0..sealed.len().max(1));
            *sealed.get_mut(victim)?.1.0.first_mut()? ^= 1;
            let index: Vec<[u8; 2]> = sealed.iter().map(|(index, _)| index.to_bytes()).collect();
            let pairs = index.iter().zip(sealed.iter());
            let fields: Vec<&[u8]> =
                pairs.flat_map(|(i, (_, bytes))| [i.as_slice(), bytes.0.as_slice()]).collect();
            let digest = codec::hash("tacit/v1/sealed", &fields);
            resign(federation, site, "shares", signed, |h: &mut SharesHeader| h.sealed = digest)?;
        }
        (Lie::Vector, ToHost::Masked(signed, body)) => {
            added = integers(&body.0).iter().map(|_| rng.random()).collect();
            let (numbers, _) = body.0.as_chunks_mut::<8>();
            for (number, more) in numbers.iter_mut().zip(&added) {
                *number = i64::from_le_bytes(*number).wrapping_add(*more).to_le_bytes();
            }
            let digest = codec::sha256(&body.0);
            resign(federation, site, "masked", signed, |h: &mut MaskedHeader| h.body = digest)?;
        }
        (Lie::Vote, ToHost::Vote(signature)) => {
            let key = &federation.sites.get(&site)?.context.identity;
            *signature = key.sign("survivors", b"others");
        }
        (Lie::Unmask, ToHost::Unmask(signed)) => {
            let (victim, mut share) = (rng.random_range(0..1000_usize), [0; 32]);
            rng.fill_bytes(&mut share[..31]); // below the group's order
            resign(federation, site, "unmask", signed, |u: &mut Unmask| {
                let count = u.own.len().max(1);
                if let Some(entry) = u.own.get_mut(victim % count) {
                    entry.1 = share;
                }
            })?;
        }
        (Lie::Garbage, ToHost::Vote(_)) => {
            let mut bytes = vec![0; rng.random_range(0..200)];
            rng.fill_bytes(&mut bytes);
            return Some(Told { bytes: Some(bytes), added });
        }
        (Lie::Silence, ToHost::Unmask(_)) => return Some(Told { bytes: None, added }),
        _ => return None,
    }
    Some(Told { bytes: codec::encode(&message).ok(), added })
}

/// Signs an altered body anew with the site's own key.
fn resign<T: Serialize + DeserializeOwned>(
    federation: &Federation,
    site: SiteIndex,
    label: &'static str,
    signed: &mut Signed,
    alter: impl FnOnce(&mut T),
) -> Option<()> {
    let mut body: T = codec::decode(&signed.payload.0).ok()?;
    alter(&mut body);
    let key = &federation.sites.get(&site)?.context.identity;
    *signed = Signed::of(key, label, &body).ok()?;
    Some(())
}
