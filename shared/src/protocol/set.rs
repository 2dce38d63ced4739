//! A set of sites as N bits, lowest first: small, and with one encoding only.
use crate::codec::Bytes;
use crate::id::SiteIndex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A set of sites on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bitmap(Bytes);

impl Bitmap {
    /// The bitmap of a set among `n` sites; members beyond `n` are left out.
    pub fn of(set: &BTreeSet<SiteIndex>, n: usize) -> Self {
        let mut bytes = vec![0_u8; n.div_ceil(8)];
        for index in set.iter().filter(|index| index.slot() < n) {
            let slot = index.slot();
            if let Some(byte) = bytes.get_mut(slot / 8) {
                *byte |= 1 << (slot % 8);
            }
        }
        Self(Bytes(bytes))
    }

    /// The set among `n` sites; `None` unless the length is that of `n` sites and no bit is beyond.
    pub fn set(&self, n: usize) -> Option<BTreeSet<SiteIndex>> {
        let bytes = &self.0.0;
        if bytes.len() != n.div_ceil(8) {
            return None;
        }
        let bit = |slot: usize| bytes.get(slot / 8).is_some_and(|byte| byte >> (slot % 8) & 1 == 1);
        let beyond = n..bytes.len().saturating_mul(8);
        if beyond.clone().any(bit) {
            return None;
        }
        let index = |slot: usize| SiteIndex::new(u16::try_from(slot.checked_add(1)?).ok()?);
        Some((0..n).filter(|slot| bit(*slot)).filter_map(index).collect())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_one_bitmap_lowest_bit_first() {
        let set: BTreeSet<_> = [1, 3, 9].into_iter().filter_map(SiteIndex::new).collect();
        let bitmap = Bitmap::of(&set, 9);
        assert_eq!(bitmap, Bitmap(Bytes(vec![0b101, 1])));
        assert_eq!(bitmap.set(9).unwrap(), set);
        assert_eq!(bitmap.set(8), None);
        assert_eq!(Bitmap(Bytes(vec![0, 2])).set(9), None);
    }
}
