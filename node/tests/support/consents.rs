//! Has clinicians consent to every signal of their bodies.
use tacit_node::store::Store;
use tacit_node::store::consent::Purpose;
use tacit_node::store::pseudonym::{Kind, Pseudonyms};

/// Each of them, from a moment on, microseconds since 1970 UTC.
pub(crate) async fn give(store: &Store, pseudonyms: &Pseudonyms, ids: &[&str], from_us: i64) {
    for id in ids {
        for (purpose, _) in Purpose::OF_BODIES {
            sqlx::query(
                "INSERT INTO consent (person, purpose, state, from_us) VALUES (?, ?, 'given', ?)",
            )
            .bind(pseudonyms.key(Kind::Person, id).to_vec())
            .bind(purpose.word())
            .bind(from_us)
            .execute(store.pool())
            .await
            .unwrap();
        }
    }
}
