//! Restores the masks that remain in the sum, checks each against what its site committed to, and
//! opens the sum.
//!
//! T answers restore every secret. If one does not come out as committed, an answering site lied, or
//! the secret's owner dealt it wrongly: other sets of T are tried, and once one restores everything,
//! whoever does not fit it is named.
use super::{Effect, Host, Inputs, Opened, Secrets, State, Survivors};
use crate::codec;
use crate::id::{Digest, SiteIndex};
use crate::protocol::error::ProtocolError;
use crate::protocol::message::{Advertise, Outcome, Signed, ToSite, Unmask};
use crate::protocol::set::Bitmap;
use crate::secagg::key::{Binding, Peer, SecretKey, commit_b, mask_secret_key, round_salt};
use crate::secagg::open::{Residue, open_with};
use crate::secagg::share::{Lagrange, SecretScalar, Share};
use crate::secagg::work::{Workers, each};
use std::collections::{BTreeMap, BTreeSet};

/// How many sets of T answers are tried before the round is given up.
const SETS_MAX: usize = 2000;
/// Up to so many answers, every set of T is tried.
const ALL_SETS_OF: usize = 12;
/// How many answers are held against the set that restored everything, to name who lied.
const SUSPECTS_MAX: usize = 64;
/// How many secrets are restored between looks at whether one failed: a false set is given up early.
const SECRETS_AT_ONCE: usize = 64;

type Answers = BTreeMap<SiteIndex, Unmask>;

/// What a set of T answers gave.
struct Restored {
    residue: Residue,
    /// Who does not fit, and whose secret shows it.
    misfits: Vec<(SiteIndex, SiteIndex)>,
}

impl Host {
    /// Opens the sum once T answers restore every mask; gives up when no more answers will come.
    pub(super) fn try_open(
        &mut self,
        last_chance: bool,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ProtocolError> {
        let expected = usize::from(self.context.plan.threshold());
        let State::Secrets(Secrets { survivors, answers, tried, .. }) = &self.state else {
            return Ok(());
        };
        let found = answers.len();
        if found < expected {
            let too_few = ProtocolError::TooFew { what: "unmasking shares", found, expected };
            return if last_chance { Err(too_few) } else { Ok(()) };
        }
        if found == *tried && !last_chance {
            return Ok(());
        }
        let binding = self.binding(survivors.inputs.directory.u1);
        let workers = self.workers.as_ref();
        match (Restoring { survivors, answers, binding, workers }).restore(expected) {
            Ok(restored) => self.finish(&restored, effects),
            Err(error) if last_chance => Err(error),
            Err(_) => {
                if let State::Secrets(Secrets { tried, .. }) = &mut self.state {
                    *tried = found;
                }
                Ok(())
            }
        }
    }

    fn binding(&self, u1: Digest) -> Binding {
        let round_id = self.config.round_id().0;
        let roster = self.context.plan.roster();
        let salt = round_salt(&round_id, self.round.as_bytes(), roster.as_bytes());
        Binding { round_id, salt, u1: *u1.as_bytes() }
    }

    /// M10.
    fn finish(
        &mut self,
        restored: &Restored,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ProtocolError> {
        for (site, owner) in &restored.misfits {
            let reason = format!(
                "its share of the secret of site {owner} does not fit those of the other sites: \
                 site {site} answered wrongly, or site {owner} dealt it wrongly"
            );
            self.drop_site(*site, &reason, effects);
        }
        let state = std::mem::replace(&mut self.state, State::Done);
        let State::Secrets(Secrets { survivors, certificate, .. }) = state else { return Ok(()) };
        let heads = survivors.inputs.headers.iter();
        let ledger_heads = heads.map(|(index, (header, _))| (*index, header.ledger_head)).collect();
        let Inputs { sum, .. } = survivors.inputs;
        let workers = self.workers.as_ref();
        let aggregate = open_with(sum, &certificate, &restored.residue, self.round, workers)?;
        let outcome = Outcome {
            round_id: self.config.round_id(),
            config: self.round,
            survivors: Bitmap::of(aggregate.survivors(), self.n()),
            sum: aggregate.sum().to_vec(),
            ledger_heads,
        };
        let signed = Signed::of(&self.context.identity, "result", &outcome)?;
        let encoded = codec::encode(&signed)?;
        self.broadcast(&ToSite::Result(signed), effects)?;
        let config = self.config.clone();
        effects.push(Effect::Opened(Box::new(Opened {
            aggregate,
            outcome,
            signed: encoded,
            config,
        })));
        Ok(())
    }
}

/// The answers, and what the secrets they restore are held against.
struct Restoring<'a> {
    survivors: &'a Survivors,
    answers: &'a Answers,
    binding: Binding,
    workers: &'a dyn Workers,
}

impl Restoring<'_> {
    fn restore(&self, threshold: usize) -> Result<Restored, ProtocolError> {
        let sites: Vec<SiteIndex> = self.answers.keys().copied().collect();
        let mut failed = BTreeSet::new();
        let mut first = None;
        for set in sets_of(&sites, threshold) {
            match self.restore_from(&set) {
                Ok(residue) => {
                    let misfits = self.misfits(&set, &failed);
                    return Ok(Restored { residue, misfits });
                }
                Err(error) => {
                    if let ProtocolError::Restore { index } = &error {
                        failed.insert(*index);
                    }
                    first.get_or_insert(error);
                }
            }
        }
        let (found, expected) = (sites.len(), threshold);
        let none = ProtocolError::TooFew { what: "unmasking shares", found, expected };
        Err(first.unwrap_or(none))
    }

    fn restore_from(&self, set: &[SiteIndex]) -> Result<Residue, ProtocolError> {
        let lagrange = at_zero(set)?;
        let Survivors { inputs, u3, .. } = self.survivors;
        let survivors: Vec<SiteIndex> = u3.iter().copied().collect();
        let dropped: Vec<SiteIndex> = inputs.u2.difference(u3).copied().collect();
        let own = self.all(&ranked(&survivors), &|(rank, index)| {
            let b = self.own_secret(&lagrange, set, *rank, *index)?;
            Ok(self.binding.self_mask_key(index.value(), &b))
        })?;
        // Every secret before any agreement: agreements are most of the work, and a false set has none.
        let masking = self.all(&ranked(&dropped), &|(rank, index)| {
            self.mask_key(&lagrange, set, *rank, *index)
        })?;
        let masking: Vec<(SiteIndex, SecretKey)> = dropped.into_iter().zip(masking).collect();
        let dangling = self.all(&masking, &|(dropped, masking)| {
            let with = |survivor: &SiteIndex| {
                let key = self.advertised(*survivor)?.masking;
                let peer = Peer { index: survivor.value(), key };
                let pad = self.binding.pair_key(masking, dropped.value(), &peer)?;
                Ok((*survivor, *dropped, pad))
            };
            survivors.iter().map(with).collect::<Result<Vec<_>, ProtocolError>>()
        })?;
        Ok(Residue { own, dangling: dangling.into_iter().flatten().collect() })
    }

    /// What `f` makes of every item, or what it first failed on.
    fn all<T: Sync, R: Send>(
        &self,
        items: &[T],
        f: &(impl Fn(&T) -> Result<R, ProtocolError> + Sync),
    ) -> Result<Vec<R>, ProtocolError> {
        let mut made = Vec::with_capacity(items.len());
        for some in items.chunks(SECRETS_AT_ONCE) {
            for result in each(self.workers, some, f) {
                made.push(result?);
            }
        }
        Ok(made)
    }

    /// b of a survivor, as it committed to it.
    fn own_secret(
        &self,
        lagrange: &Lagrange,
        set: &[SiteIndex],
        rank: usize,
        index: SiteIndex,
    ) -> Result<SecretScalar, ProtocolError> {
        let b = self.secret(lagrange, set, |unmask| find(&unmask.own, rank, index))?;
        let commitment = commit_b(&self.binding.round_id, index.value(), &b);
        if Digest::new(commitment) != self.advertised(index)?.commitment {
            return Err(ProtocolError::Restore { index });
        }
        Ok(b)
    }

    /// The mask key of a site that dropped out, as it advertised it.
    fn mask_key(
        &self,
        lagrange: &Lagrange,
        set: &[SiteIndex],
        rank: usize,
        index: SiteIndex,
    ) -> Result<SecretKey, ProtocolError> {
        let r = self.secret(lagrange, set, |unmask| find(&unmask.dropped, rank, index))?;
        let masking = mask_secret_key(&self.binding.salt, &r, index.value());
        if masking.public() != self.advertised(index)?.masking {
            return Err(ProtocolError::Restore { index });
        }
        Ok(masking)
    }

    fn advertised(&self, index: SiteIndex) -> Result<&Advertise, ProtocolError> {
        let bodies = &self.survivors.inputs.directory.bodies;
        bodies.get(&index).ok_or(ProtocolError::Restore { index })
    }

    /// One secret from the shares of a set of answering sites.
    fn secret<'a>(
        &'a self,
        lagrange: &Lagrange,
        set: &[SiteIndex],
        share_of: impl Fn(&'a Unmask) -> Option<&'a [u8; 32]>,
    ) -> Result<SecretScalar, ProtocolError> {
        let mut shares = Vec::with_capacity(set.len());
        for holder in set {
            let missing = ProtocolError::Restore { index: *holder };
            let bytes = self.answers.get(holder).and_then(&share_of).ok_or(missing)?;
            shares.push(Share::from_bytes(holder.value(), bytes)?);
        }
        Ok(lagrange.recombine(&shares)?)
    }

    /// Who, put in the place of one of the sites that restored everything, spoils a secret that other
    /// sets failed on.
    fn misfits(
        &self,
        good: &[SiteIndex],
        failed: &BTreeSet<SiteIndex>,
    ) -> Vec<(SiteIndex, SiteIndex)> {
        let Some((_, rest)) = good.split_first() else { return Vec::new() };
        let fits = |site: SiteIndex, owner: SiteIndex| {
            let set: Vec<SiteIndex> = rest.iter().copied().chain([site]).collect();
            at_zero(&set).is_ok_and(|lagrange| {
                let Survivors { inputs, u3, .. } = self.survivors;
                let survivor = u3.iter().position(|index| *index == owner);
                let lost = inputs.u2.difference(u3).position(|index| *index == owner);
                match (survivor, lost) {
                    (Some(rank), _) => self.own_secret(&lagrange, &set, rank, owner).is_ok(),
                    (None, Some(rank)) => self.mask_key(&lagrange, &set, rank, owner).is_ok(),
                    (None, None) => false,
                }
            })
        };
        let suspects =
            self.answers.keys().filter(|site| !good.contains(site) && !failed.is_empty());
        suspects
            .take(SUSPECTS_MAX)
            .filter_map(|site| {
                let owner = failed.iter().find(|owner| !fits(*site, **owner))?;
                Some((*site, *owner))
            })
            .collect()
    }
}

fn at_zero(set: &[SiteIndex]) -> Result<Lagrange, ProtocolError> {
    let holders: Vec<u16> = set.iter().map(|index| index.value()).collect();
    Ok(Lagrange::at_zero(&holders)?)
}

/// Sites with their places among them.
fn ranked(sites: &[SiteIndex]) -> Vec<(usize, SiteIndex)> {
    sites.iter().copied().enumerate().collect()
}

/// The share of a site's secret: an answer lists exactly the sites asked for, in order, so its place is known.
fn find(list: &[(SiteIndex, [u8; 32])], rank: usize, index: SiteIndex) -> Option<&[u8; 32]> {
    list.get(rank).filter(|(site, _)| *site == index).map(|(_, bytes)| bytes)
}

/// Sets of `size` answering sites to try: the first ones; then, with as many left out at a time as can
/// be spared, so that liars beside each other are found in few tries; then, among few, every set.
fn sets_of(sites: &[SiteIndex], size: usize) -> impl Iterator<Item = Vec<SiteIndex>> {
    let first = sites.iter().take(size).copied().collect();
    let spare = sites.len().saturating_sub(size);
    let without = move |left_out: &[SiteIndex]| {
        let kept = sites.iter().filter(|site| !left_out.contains(site));
        kept.take(size).copied().collect::<Vec<_>>()
    };
    let blocks = sites.chunks(spare.max(1)).filter(move |_| spare > 0).map(without);
    let few = if sites.len() <= ALL_SETS_OF { 1_u32 << sites.len() } else { 0 };
    let chosen = move |mask: u32| {
        let bits = (0..u32::BITS).map(move |bit| mask >> bit & 1 == 1);
        sites.iter().zip(bits).filter_map(|(site, bit)| bit.then_some(*site)).collect()
    };
    let every = (0..few).filter(move |mask| mask.count_ones() as usize == size).map(chosen);
    std::iter::once(first).chain(blocks).chain(every).take(SETS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(n: u16) -> Vec<SiteIndex> {
        (1..=n).filter_map(SiteIndex::new).collect()
    }

    #[test]
    fn a_liar_is_left_out_by_some_set_whenever_one_more_than_needed_answered() {
        for (n, size) in [(3, 2), (7, 5), (12, 11), (100, 67), (1000, 999)] {
            let all = sites(n);
            for liar in &all {
                let mut sets = sets_of(&all, size);
                assert!(sets.any(|set| set.len() == size && !set.contains(liar)), "{n} {liar}");
            }
        }
    }

    #[test]
    fn among_few_every_set_is_tried_and_without_a_spare_there_is_one() {
        let all = sites(6);
        let distinct: BTreeSet<_> = sets_of(&all, 4).collect();
        assert_eq!(distinct.len(), 15);
        assert!(distinct.iter().all(|set| set.len() == 4));
        assert_eq!(sets_of(&sites(20), 20).count(), 1);
    }
}
