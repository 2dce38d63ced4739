//! What a coordinator that follows the protocol said, held against what it wrote down.
//!
//! ```text
//! announcement, directory, survivors, certificate, result    one of each in a round, as its transcript has it
//! delivery                                                   one for each site, to the sites it wrote down
//! ```
//! Each is made of answers in the transcript: whatever it dies of, it never has to say something else.
use super::archive::UnderWay;
use super::rule::Rule;
use super::watch::Watch;
use std::collections::BTreeMap;
use tacit_shared::codec;
use tacit_shared::id::{Digest, SiteIndex};
use tacit_shared::protocol::message::{
    Advertise, Delivery, MaskedHeader, Member, Outcome, Signed, ToHost, ToSite,
};

/// What was said first, by round, by site if each is told something of its own, and by name.
#[derive(Default)]
pub(super) struct Said(BTreeMap<(Digest, Option<SiteIndex>, &'static str), Digest>);

impl Watch {
    /// The coordinator says this to a site in the round under way.
    pub(super) fn says(&mut self, under_way: &UnderWay, to: SiteIndex, bytes: &[u8]) {
        let round = under_way.round.short();
        let Ok(message) = codec::decode::<ToSite>(bytes) else {
            return self.fail(Rule::Said, format!("round {round}: no message for site {to}"));
        };
        let (name, digest) = (message.name(), codec::sha256(bytes));
        let own = matches!(message, ToSite::Delivery(_)).then_some(to);
        let first = self.said.0.entry((under_way.round, own, name));
        if let std::collections::btree_map::Entry::Occupied(before) = &first {
            if *before.get() != digest {
                let what = format!("round {round}: site {to} is told a second {name}, another one");
                self.fail(Rule::Said, what);
            }
            return;
        }
        first.insert_entry(digest);
        if let Err(why) = follows(under_way, to, &message, bytes) {
            self.fail(Rule::Said, format!("round {round}: the {name} for site {to}: {why}"));
        }
    }
}

/// Whether a message is written down, and made of what is.
fn follows(left: &UnderWay, to: SiteIndex, said: &ToSite, bytes: &[u8]) -> Result<(), String> {
    let missing = |what: &str| Err(format!("{what} is not written down"));
    if let ToSite::Delivery(delivery) = said {
        return delivered(left, to, delivery);
    }
    if left.own(said.name()) != Some(bytes) {
        return missing("it");
    }
    let of = |site: SiteIndex, name| answer(left, site, name);
    match said {
        ToSite::Directory(entries) => {
            for signed in entries {
                let body: Option<Advertise> = codec::decode(&signed.payload.0).ok();
                let from = body.map(|body| body.index).ok_or("an entry is none")?;
                if of(from, "keys") != Some(ToHost::Advertise(signed.clone())) {
                    return missing("an entry");
                }
            }
        }
        ToSite::Survivors(survivors) => {
            for member in &survivors.members {
                let sent = of(member.index, "masked vector");
                if !sent.is_some_and(|sent| is_of(member, &sent)) {
                    return missing("a masked vector");
                }
            }
        }
        ToSite::Certificate(votes) => {
            for (from, vote) in votes {
                if of(*from, "vote") != Some(ToHost::Vote(*vote)) {
                    return missing("a vote");
                }
            }
        }
        ToSite::Result(signed) => return resulted(left, signed),
        ToSite::Announce(_) | ToSite::Delivery(_) | ToSite::Closed => {}
    }
    Ok(())
}

/// A delivery is not in the transcript as such; who shared is, and so is what each of them sealed.
fn delivered(left: &UnderWay, to: SiteIndex, delivery: &Delivery) -> Result<(), String> {
    let written = left.own("delivery").and_then(|bytes| codec::decode::<ToSite>(bytes).ok());
    let Some(ToSite::Delivery(written)) = written else {
        return Err("who shared is not written down".to_owned());
    };
    if written.shared != delivery.shared {
        return Err("other sites shared than is written down".to_owned());
    }
    for (from, bytes) in &delivery.sealed {
        let Some(ToHost::Shares(_, sealed)) = answer(left, *from, "shares") else {
            return Err("shares are not written down".to_owned());
        };
        if !sealed.iter().any(|(index, own)| *index == to && own == bytes) {
            return Err("shares are others than written down".to_owned());
        }
    }
    Ok(())
}

/// A result is over the survivors that were certified.
fn resulted(left: &UnderWay, signed: &Signed) -> Result<(), String> {
    let outcome: Outcome = codec::decode(&signed.payload.0).map_err(|error| error.to_string())?;
    let named = left.own("survivors").and_then(|bytes| codec::decode::<ToSite>(bytes).ok());
    match named {
        Some(ToSite::Survivors(named)) if named.survivors == outcome.survivors => Ok(()),
        _ => Err("it is over other survivors than were named".to_owned()),
    }
}

fn answer(left: &UnderWay, site: SiteIndex, name: &str) -> Option<ToHost> {
    codec::decode(left.of(site, name)?).ok()
}

fn is_of(member: &Member, sent: &ToHost) -> bool {
    let ToHost::Masked(signed, body) = sent else { return false };
    let Ok(header) = codec::decode::<MaskedHeader>(&signed.payload.0) else { return false };
    header.index == member.index
        && header.body == member.body
        && header.input == member.input
        && header.ledger_head == member.ledger_head
        && codec::sha256(&body.0) == member.body
        && signed.signature == member.signature
}
