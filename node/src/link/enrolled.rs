//! This site's place on the pinned roster.
use tacit_link::keys::Keys;
use tacit_shared::fault::Fault;
use tacit_shared::id::SiteIndex;
use tacit_shared::roster::Roster;

/// This site's index; its keys must be the ones the roster lists.
pub(crate) fn own_index(roster: &Roster, keys: &Keys) -> Result<SiteIndex, Fault> {
    let party = keys.party();
    let found = roster.sites().find(|(_, listed)| listed.id == party.id);
    match found {
        Some((index, listed))
            if listed.signing_key == party.signing_key
                && listed.certificate == party.certificate =>
        {
            Ok(index)
        }
        Some(_) => Err(Fault::user(format!("the roster lists other keys for site {}", party.id))
            .hint("send this folder's enrolment.toml to the convener again")),
        None => Err(Fault::user(format!("site {} is not on the pinned roster", party.id))
            .hint("`tacit-node join` pins a roster that lists this site")),
    }
}
