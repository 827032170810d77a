//! Every key is spelled here; the test asserts the strings of README's table.

use crate::model::{
    ids::{BookingId, EventId, SellerId, Subject, TableVersion},
    instant,
};
use jiff::Timestamp;

/// The index that the sweep reads, and the one that finds a person's bookings.
pub const DUE_INDEX: &str = "due";
pub const PERSON_INDEX: &str = "person";

/// The sweep's partitions: a constant would be one hot key.
pub const DUE_SHARDS: u8 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub pk: String,
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

pub fn event(seller: &SellerId, subject: &Subject, id: &EventId) -> Key {
    Key::new(format!("{seller}#{subject}"), id.as_str())
}

/// Where a person's events are told: one entry an event, under the keyed hash of a number or an e-mail.
pub fn person_entry(seller: &SellerId, person: &str, subject: &Subject, id: &EventId) -> Key {
    Key::new(person_partition(seller, person), format!("{id}#{subject}"))
}

pub fn person_partition(seller: &SellerId, person: &str) -> String {
    format!("{seller}#person#{person}")
}

/// Where events of unknown kind wait for a table of names that knows them. By the table that read them last, so that
/// what this build has looked at is passed over by key; then the oldest first.
pub fn quarantine_entry(
    seller: &SellerId,
    read_by: &TableVersion,
    received_at: Timestamp,
    subject: &Subject,
    id: &EventId,
) -> Key {
    Key::new(quarantine_partition(seller), format!("{read_by}#{}#{id}#{subject}", instant::millis(received_at)))
}

/// The same entry, once another table has read it in vain.
pub fn quarantine_reread(entry: &Key, read_by: &TableVersion) -> Key {
    let rest = entry.sk.split_once('#').map_or(entry.sk.as_str(), |(_, rest)| rest);
    Key::new(entry.pk.as_str(), format!("{read_by}#{rest}"))
}

/// All that a table has read in vain lies from the first of these on, and before the second.
pub fn quarantine_read_by(version: &TableVersion) -> (String, String) {
    // `$` follows `#`.
    (format!("{version}#"), format!("{version}$"))
}

pub fn quarantine_partition(seller: &SellerId) -> String {
    format!("{seller}#quarantine")
}

pub const SNAPSHOT: &str = "snapshot";
pub const REFRESH: &str = "refresh";
pub const CLAIM: &str = "claim#";
pub const PHANTOM: &str = "phantom#";

pub fn snapshot(seller: &SellerId) -> Key {
    Key::new(seller.as_str(), SNAPSHOT)
}

pub fn refresh(seller: &SellerId) -> Key {
    Key::new(seller.as_str(), REFRESH)
}

pub fn claim(seller: &SellerId, start: Timestamp, place: u32) -> Key {
    Key::new(seller.as_str(), format!("{CLAIM}{}#{place}", instant::seconds(start)))
}

/// In a slot for several, each person's one place.
pub fn guest(seller: &SellerId, start: Timestamp, person: &str) -> Key {
    Key::new(seller.as_str(), format!("guest#{}#{person}", instant::seconds(start)))
}

/// A slot that Popin refused after offering it.
pub fn phantom(seller: &SellerId, start: Timestamp) -> Key {
    Key::new(seller.as_str(), format!("{PHANTOM}{}", instant::seconds(start)))
}

pub const BOOKING: &str = "booking";

pub fn booking(seller: &SellerId, id: &BookingId) -> Key {
    Key::new(format!("{seller}#{id}"), BOOKING)
}

/// The second number, so to say, under which a booking's person is found: their e-mail.
pub fn booking_email(seller: &SellerId, id: &BookingId) -> Key {
    Key::new(format!("{seller}#{id}"), "email")
}

/// A booking's ids back from its key, as a stream record or an index tells it.
pub fn parse_booking(pk: &str) -> Option<(SellerId, BookingId)> {
    let (seller, id) = pk.split_once('#')?;
    Some((SellerId::parse(seller).ok()?, BookingId::parse(id).ok()?))
}

/// A seller back from an event's key.
pub fn parse_event_seller(pk: &str) -> Option<SellerId> {
    SellerId::parse(pk.split_once('#')?.0).ok()
}

pub fn idempotency(seller: &SellerId, key_hash: &str) -> Key {
    Key::new(format!("{seller}#idem#{key_hash}"), "idempotency")
}

/// The booking that a person asked for last: whoever asks again soon joins it.
pub fn recent(seller: &SellerId, person: &str) -> Key {
    Key::new(format!("{seller}#recent#{person}"), "recent")
}

/// Who is at a seller's Popin, and until when nobody may be.
pub fn gate(seller: &SellerId) -> Key {
    Key::new(format!("{seller}#gate"), "gate")
}

pub fn due(shard: u8) -> String {
    format!("due#{shard}")
}

pub fn due_of(id: &BookingId) -> String {
    let sum = id.as_str().bytes().fold(0u8, u8::wrapping_add);
    due(sum % DUE_SHARDS)
}

pub fn person(seller: &SellerId, person: &str) -> String {
    format!("{seller}#{person}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelled_as_the_readme_has_them() {
        let acme = SellerId::parse("acme").unwrap();
        let at: Timestamp = "2026-11-23T05:00:00Z".parse().unwrap();
        let id = BookingId::parse("019a0000-0000-7000-8000-000000000001").unwrap();
        let text = |key: Key| format!("{} | {}", key.pk, key.sk);
        assert_eq!(
            text(event(&acme, &Subject::of("uid-1"), &EventId::parse("page-x").unwrap())),
            "acme#uid-1 | page-x"
        );
        let (subject, event) = (Subject::of("uid-1"), EventId::parse("page-x").unwrap());
        let [one, two] = ["v1", "v2"].map(|version| TableVersion::parse(version).unwrap());
        assert_eq!(text(person_entry(&acme, "ab12", &subject, &event)), "acme#person#ab12 | page-x#uid-1");
        assert_eq!(
            text(quarantine_entry(&acme, &one, at, &subject, &event)),
            "acme#quarantine | v1#2026-11-23T05:00:00.000Z#page-x#uid-1"
        );
        assert_eq!(
            quarantine_reread(&quarantine_entry(&acme, &one, at, &subject, &event), &two),
            quarantine_entry(&acme, &two, at, &subject, &event)
        );
        assert_eq!(quarantine_read_by(&one), ("v1#".to_owned(), "v1$".to_owned()));
        assert_eq!(text(booking_email(&acme, &id)), "acme#019a0000-0000-7000-8000-000000000001 | email");
        assert_eq!(text(snapshot(&acme)), "acme | snapshot");
        assert_eq!(text(refresh(&acme)), "acme | refresh");
        assert_eq!(text(claim(&acme, at, 0)), "acme | claim#2026-11-23T05:00:00Z#0");
        assert_eq!(text(guest(&acme, at, "ab12")), "acme | guest#2026-11-23T05:00:00Z#ab12");
        assert_eq!(text(phantom(&acme, at)), "acme | phantom#2026-11-23T05:00:00Z");
        assert_eq!(text(booking(&acme, &id)), "acme#019a0000-0000-7000-8000-000000000001 | booking");
        assert_eq!(text(idempotency(&acme, "ab12")), "acme#idem#ab12 | idempotency");
        assert_eq!(text(recent(&acme, "ab12")), "acme#recent#ab12 | recent");
        assert_eq!(text(gate(&acme)), "acme#gate | gate");
        assert_eq!(due_of(&id), "due#3");
        assert_eq!(person(&acme, "ab12"), "acme#ab12");
        assert_eq!(parse_booking("acme#019a0000-0000-7000-8000-000000000001"), Some((acme, id)));
    }
}
