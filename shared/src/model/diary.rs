//! The diary: what Popin offers, how old that is, and what our own bookings hold of it.

use super::{
    ids::BookingId,
    offer::{Offer, Offered},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// A moment that can be booked. `vendor_time` is Popin's own spelling, date and time joined by one blank: it is sent
/// back as it is and never re-formatted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    pub start: Timestamp,
    pub vendor_time: String,
}

/// One good answer of Popin's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub fetched_at: Timestamp,
    /// IANA, the seller's.
    pub timezone: String,
    pub slot_minutes: u32,
    pub offer: Offer,
}

/// How the refreshing goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refresh {
    pub next_due: Option<Timestamp>,
    /// When Popin was asked for what is the last good snapshot.
    pub good_at: Option<Timestamp>,
    pub failures: u32,
    pub last_error: Option<String>,
}

/// One of our bookings holds one place in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub start: Timestamp,
    pub place: u32,
    pub booking: BookingId,
}

/// A slot that Popin refused after offering it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phantom {
    pub start: Timestamp,
    pub at: Timestamp,
    /// A keyed hash of the lead's number; `None` where an older release noted it.
    pub person: Option<String>,
    /// Whether it stays hidden until a newer snapshot offers it again. Not where Popin refuses the lead whatever the slot.
    pub hidden: bool,
}

/// All that one read of a seller's partition tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diary {
    pub snapshot: Option<Snapshot>,
    pub refresh: Refresh,
    pub claims: Vec<Claim>,
    pub phantoms: Vec<Phantom>,
}

/// Refusals of one person this close together are the lead's fault.
const REFUSALS_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What a seller lays down about slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRules {
    pub refresh: SignedDuration,
    pub stale_after: SignedDuration,
    pub unusable_after: SignedDuration,
    /// How long before its start a slot closes.
    pub lead: SignedDuration,
    /// How many of our bookings one slot takes.
    pub capacity: u32,
}

impl Diary {
    /// The snapshot, unless it is too old to be shown.
    pub fn usable(&self, rules: &SlotRules, now: Timestamp) -> Option<&Snapshot> {
        self.snapshot.as_ref().filter(|snapshot| now.duration_since(snapshot.fetched_at) <= rules.unusable_after)
    }

    /// The free slots in order of time: offered, far enough ahead, not held to capacity by our own bookings, no phantom.
    pub fn free<'d>(
        &'d self,
        snapshot: &'d Snapshot,
        rules: &'d SlotRules,
        now: Timestamp,
    ) -> impl Iterator<Item = Offered<'d>> {
        let mut held: BTreeMap<Timestamp, u32> = BTreeMap::new();
        for claim in &self.claims {
            *held.entry(claim.start).or_default() += 1;
        }
        let opens = now + rules.lead;
        let hidden = |phantom: &Phantom| phantom.hidden && phantom.at >= snapshot.fetched_at;
        let phantom = move |start| self.phantoms.iter().any(|phantom| phantom.start == start && hidden(phantom));
        let ahead = snapshot.offer.slots().filter(move |slot| slot.start > now && slot.start >= opens);
        let has_room = move |start| held.get(&start).copied().unwrap_or(0) < rules.capacity;
        ahead.filter(move |slot| has_room(slot.start) && !phantom(slot.start))
    }

    /// The other slots that Popin refused to the same person within a day.
    pub fn refusals(&self, person: &str, start: Timestamp, now: Timestamp) -> impl Iterator<Item = &Phantom> {
        let recent = move |phantom: &&Phantom| now.duration_since(phantom.at) < REFUSALS_KEPT;
        let of_person = move |phantom: &&Phantom| phantom.person.as_deref() == Some(person) && phantom.start != start;
        self.phantoms.iter().filter(recent).filter(of_person)
    }

    /// The lowest place in a slot that none of our bookings holds.
    pub fn place(&self, start: Timestamp, capacity: u32) -> Option<u32> {
        let taken = |place| self.claims.iter().any(|claim| claim.start == start && claim.place == place);
        (0..capacity).find(|&place| !taken(place))
    }
}
