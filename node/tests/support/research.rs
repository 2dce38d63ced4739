//! Has two people sign the profile under which recordings are read.
use std::path::Path;
use tacit_node::office::profile::{Role, Said};
use tacit_node::store::{FILE, Store, officer, profile};
use tacit_shared::study::profile::document::Document;

/// Puts the profile for research in force at the node in a folder, until the last day there is.
pub(crate) async fn allow(dir: &Path) {
    let text = include_str!("../../../configs/profiles/ethics-approved-research.toml");
    let text = text.replace("2027-12-31", "9999-12-31");
    let document = Document::parse(&text).unwrap();
    let store = Store::open(&dir.join(FILE)).await.unwrap();
    let keys = ["officer.p8", "staff.p8"].map(|name| officer::create_key(&dir.join(name)).unwrap());
    let [officers, staffs] = keys;
    officer::pin(&store, &officers.verifying_key(), 1).await.unwrap();
    profile::pin(&store, &staffs.verifying_key(), 1).await.unwrap();
    let at_s = tacit_node::link::session::unix_now();
    for (key, role) in [(&officers, Role::Officer), (&staffs, Role::StaffRepresentative)] {
        profile::say(&store, key, (&document, &text), (role, Said::Given), at_s).await.unwrap();
    }
    store.close().await;
}
