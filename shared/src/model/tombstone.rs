//! Who asked to be forgotten a short while ago: what arrives late about them is not stored, and books nothing.

use super::ids::ErasureId;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Whatever arrives later than this was not delayed: it is new.
pub const TOMBSTONE_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// One number, address or vendor's id of a person who was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The keyed hash.
    pub person: String,
    /// The erasure asked for it, or it is a vendor's id of the person. Any other number or address came with the person's
    /// data and may be somebody else's as well: a family has one address.
    pub decisive: bool,
    /// The erasures that came across it.
    pub erasures: BTreeSet<ErasureId>,
    /// When the latest of them was asked for.
    pub at: Timestamp,
}

/// Whether the person who is named by all of these was forgotten: by one decisive tombstone, or where nothing else names
/// anybody. Each of `named` has the keyed hashes of one number, address or id, under each of the seller's keys.
pub fn cover(tombstones: &[Tombstone], named: &[Vec<String>]) -> bool {
    let of =
        |one: &'_ [String]| tombstones.iter().filter(|tombstone| one.contains(&tombstone.person)).collect::<Vec<_>>();
    let found: Vec<_> = named.iter().map(|one| of(one)).collect();
    found.iter().flatten().any(|tombstone| tombstone.decisive)
        || !found.is_empty() && found.iter().all(|tombstones| !tombstones.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tombstone(person: &str, decisive: bool) -> Tombstone {
        Tombstone { person: person.to_owned(), decisive, erasures: BTreeSet::new(), at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn shared_address_decides_only_where_it_stands_alone() {
        let named = |hashes: &[&str]| hashes.iter().map(|hash| vec![(*hash).to_owned()]).collect::<Vec<_>>();
        let tombstones = [tombstone("number", true), tombstone("address", false)];
        assert!(cover(&tombstones, &named(&["number", "another"])));
        assert!(cover(&tombstones, &named(&["address"])));
        assert!(!cover(&tombstones, &named(&["address", "another"])));
        assert!(!cover(&tombstones, &named(&["another"])));
        assert!(!cover(&tombstones, &[]));
        // A former key's hash is the same person's.
        assert!(cover(&tombstones, &[vec!["new".to_owned(), "address".to_owned()]]));
    }
}
