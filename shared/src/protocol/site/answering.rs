//! What a site checks and answers once its data were summed and paid for, M5 to M10.
use super::{Answer, Answered, Effect, Named, Record, Sent, Site, State, Step, id_bytes, send};
use crate::codec;
use crate::id::{SiteId, SiteIndex};
use crate::privacy::ledger::Charge;
use crate::privacy::release::release;
use crate::protocol::error::ProtocolError;
use crate::protocol::message::{
    Ballot, MaskedHeader, Outcome, Signed, Survivors, ToHost, Unmask, headers_digest,
};
use crate::secagg::key::identity::Signature;
use crate::secagg::mask::mask;
use crate::secagg::open::{Certificate, Electorate, VOTE_LABEL};
use crate::summary::sum::SiteSum;
use rand::CryptoRng;
use std::collections::BTreeSet;

impl Site {
    /// M5. The sum and the charge are used up; only the masked vector leaves.
    pub(super) fn fund<R: CryptoRng + ?Sized>(
        mut self,
        sum: SiteSum,
        paid: Charge,
        rng: &mut R,
    ) -> Step {
        let state = std::mem::replace(&mut self.state, State::Done);
        let State::Collecting { noise, seeds, answer } = state else {
            let expected = state.due();
            return Err(ProtocolError::Unexpected { found: "a local sum", expected });
        };
        let round = self.round()?;
        if paid.round() != round.digest {
            let (found, expected) = (paid.round(), round.digest);
            return Err(ProtocolError::Charge { found, expected });
        }
        let mut salt = [0; 32];
        rng.fill_bytes(&mut salt);
        let (noised, opening) = release(sum, paid, noise, salt)?;
        let masked = mask(noised, seeds)?;
        let header = MaskedHeader {
            round_id: id_bytes(round),
            config: round.digest,
            u1: answer.u1,
            u2: self.bitmap(&answer.u2),
            index: self.context.me,
            body: masked.digest(),
            input: masked.commitment(),
            ledger_head: masked.ledger_head(),
        };
        let signed = Signed::of(&self.context.identity, "masked", &header)?;
        let sent = Sent {
            body: header.body,
            input: header.input,
            ledger_head: header.ledger_head,
            signature: signed.signature,
        };
        let reply = send(&ToHost::Masked(signed, masked.body().clone()))?;
        Ok(self.next(State::Sent { answer, sent }, vec![Effect::Keep(opening), reply]))
    }

    /// M6 → M7. Every header is rebuilt from what this site saw; one vote a round, ever.
    pub(super) fn survived(self, answer: Answer, sent: Sent, survivors: &Survivors) -> Step {
        let u3 = survivors.survivors.set(self.n()).ok_or(wrong_set("is not a set of sites"))?;
        if u3.len() < usize::from(self.context.plan.min_sites()) {
            return Err(wrong_set("has fewer sites than the study asks for"));
        }
        if !u3.contains(&self.context.me) || !u3.is_subset(&answer.u2) {
            return Err(wrong_set("lacks this site, or names one that did not share"));
        }
        if !survivors.members.iter().map(|member| member.index).eq(u3.iter().copied()) {
            return Err(wrong_set("does not hold one header of each member"));
        }
        let headers = self.rebuild(&answer, sent, survivors)?;
        self.check_differencing(&u3)?;
        let round = self.round()?;
        let ballot = Ballot {
            round_id: id_bytes(round),
            config: round.digest,
            u1: answer.u1,
            u2: self.bitmap(&answer.u2),
            u3: survivors.survivors.clone(),
            headers: headers_digest(&headers),
        };
        let ballot = codec::encode(&ballot)?;
        let vote = self.context.identity.sign(VOTE_LABEL, &ballot);
        let family = self.context.plan.family().clone();
        let answered = Answered::of(&self.context.roster, &self.context.plan, &u3);
        let record = Record::Survivors { family, round: round.digest, answered };
        let effects = vec![Effect::Persist(record), send(&ToHost::Vote(vote))?];
        let heads = survivors.members.iter().map(|m| (m.index, m.ledger_head)).collect();
        Ok(self.next(State::Voted { answer, named: Named { u3, heads }, ballot }, effects))
    }

    fn rebuild(
        &self,
        answer: &Answer,
        sent: Sent,
        survivors: &Survivors,
    ) -> Result<Vec<Vec<u8>>, ProtocolError> {
        let round = self.round()?;
        let mut headers = Vec::with_capacity(survivors.members.len());
        for member in &survivors.members {
            let index = member.index;
            let fields = Sent {
                body: member.body,
                input: member.input,
                ledger_head: member.ledger_head,
                signature: member.signature,
            };
            if index == self.context.me && fields != sent {
                return Err(ProtocolError::Own { what: "header" });
            }
            let header = MaskedHeader {
                round_id: id_bytes(round),
                config: round.digest,
                u1: answer.u1,
                u2: self.bitmap(&answer.u2),
                index,
                body: member.body,
                input: member.input,
                ledger_head: member.ledger_head,
            };
            let bytes = codec::encode(&header)?;
            let key = self.context.key_of(index).ok_or(ProtocolError::Header { index })?;
            key.verify("masked", &bytes, &member.signature)
                .map_err(|_| ProtocolError::Header { index })?;
            headers.push(bytes);
        }
        Ok(headers)
    }

    /// Two rounds over nearly the same survivors differ by one hospital: refuse to be subtracted.
    fn check_differencing(&self, u3: &BTreeSet<SiteIndex>) -> Result<(), ProtocolError> {
        // Colluders know their own part of a difference: what is left must be several hospitals.
        let least = self.context.plan.colluders().saturating_add(2);
        let gap = usize::from(self.context.policy.differencing_gap.max(least));
        let Answered { sites: now, period } =
            Answered::of(&self.context.roster, &self.context.plan, u3);
        let before = self.history.answered.iter().filter(|before| before.overlaps(period));
        let earlier: BTreeSet<&BTreeSet<SiteId>> = before.map(|before| &before.sites).collect();
        for before in &earlier {
            for found in [now.difference(before).count(), before.difference(&now).count()] {
                if found != 0 && found < gap {
                    return Err(ProtocolError::Differencing { found, expected: gap });
                }
            }
        }
        let sets = usize::from(self.context.policy.survivor_sets_max);
        if !earlier.contains(&now) && earlier.len() >= sets {
            return Err(ProtocolError::Sets { found: earlier.len() });
        }
        Ok(())
    }

    /// M8 → M9. Both lists follow from the certified set; no second list is ever taken.
    pub(super) fn certified(
        self,
        answer: &Answer,
        named: Named,
        ballot: &[u8],
        votes: &[(SiteIndex, Signature)],
    ) -> Step {
        let plan = &self.context.plan;
        let electorate = Electorate {
            survivors: &named.u3,
            min_sites: plan.min_sites(),
            threshold: plan.threshold(),
            ballot,
        };
        Certificate::of(&electorate, votes, |index| self.context.key_of(index))?;
        let round = self.round()?;
        let mut unmask = Unmask {
            round_id: id_bytes(round),
            ballot: codec::sha256(ballot),
            index: self.context.me,
            own: Vec::new(),
            dropped: Vec::new(),
        };
        for (index, (of_r, of_b)) in &answer.held {
            if named.u3.contains(index) {
                unmask.own.push((*index, *of_b.to_bytes()));
            } else {
                unmask.dropped.push((*index, *of_r.to_bytes()));
            }
        }
        let signed = Signed::of(&self.context.identity, "unmask", &unmask)?;
        let reply = send(&ToHost::Unmask(signed))?;
        Ok(self.next(State::Unmasked(named), vec![reply]))
    }

    /// M10: the result, kept as signed. It is also the receipt of what each ledger said, so that a
    /// restored backup is found out.
    pub(super) fn resulted(self, named: &Named, signed: &Signed) -> Step {
        let outcome = signed
            .body::<Outcome>(&self.context.coordinator(), "result")
            .ok_or(ProtocolError::CoordinatorSignature { what: "result" })?;
        let round = self.round()?;
        if outcome.round_id != id_bytes(round) || outcome.config != round.digest {
            return Err(ProtocolError::Result { problem: "is of another round" });
        }
        if outcome.survivors.set(self.n()).as_ref() != Some(&named.u3) {
            return Err(ProtocolError::Result { problem: "is of other survivors" });
        }
        if outcome.sum.len() != self.context.plan.layout().dimension() {
            return Err(ProtocolError::Result { problem: "has another length than the plan" });
        }
        if outcome.ledger_heads != named.heads {
            return Err(ProtocolError::Result {
                problem: "has other ledger heads than were signed",
            });
        }
        let record = Record::Result { round: round.digest, signed: codec::encode(signed)? };
        let effects = vec![Effect::Persist(record), Effect::Done(outcome)];
        Ok(self.next(State::Done, effects))
    }
}

fn wrong_set(problem: &'static str) -> ProtocolError {
    ProtocolError::Set { what: "set of survivors", problem }
}
