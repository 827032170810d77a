//! Every key is spelled here; the test asserts the strings of the table in shared/README.md.

use crate::model::{
    erasure::Lead,
    event::Place,
    hash,
    ids::{BookingId, ErasureId, EventId, SellerId, Subject, TableVersion, TriggerId},
    instant,
    write_back::Destination,
};
use jiff::Timestamp;

/// The index that the sweep reads, and the one that finds a person's bookings.
pub const DUE_INDEX: &str = "due";
pub const PERSON_INDEX: &str = "person";

/// The sweep's partitions: a constant would be one hot key.
pub const DUE_SHARDS: u8 = 4;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub pk: String,
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

pub fn event(seller: &SellerId, place: &Place) -> Key {
    Key::new(thread(seller, &place.subject), place.id.as_str())
}

/// Where a payload of more than one item goes on.
pub fn further_parts(event: &Key, parts: u32) -> impl Iterator<Item = Key> {
    (2..=parts).map(|part| Key::new(&event.pk, format!("{}~{part}", event.sk)))
}

/// All events of a thread.
pub fn thread(seller: &SellerId, subject: &Subject) -> String {
    format!("{seller}#{subject}")
}

/// Where a person's events are told: one entry an event, under the keyed hash of a number or an e-mail. The partitions
/// of index entries begin with `#`: a seller's id is never empty, so no event is there, whatever its subject.
pub fn person_entry(seller: &SellerId, person: &str, place: &Place) -> Key {
    Key::new(person_partition(seller, person), format!("{}#{}", place.id, place.subject))
}

pub fn person_partition(seller: &SellerId, person: &str) -> String {
    format!("#person#{seller}#{person}")
}

/// A person who was forgotten, under the keyed hash of a number, an address or a vendor's id.
pub fn tombstone(seller: &SellerId, person: &str) -> Key {
    Key::new(format!("#tombstone#{seller}#{person}"), "tombstone")
}

/// The person of an erasure has asked for a call since.
pub fn tombstones_lifted(seller: &SellerId, erasure: &ErasureId) -> Key {
    Key::new(format!("#tombstone#{seller}#{erasure}"), "lifted")
}

/// Where events of unknown kind wait for a table of names that knows them. By the table that read them last, so that
/// what this build has looked at is passed over by key; then the oldest first.
pub fn quarantine_entry(seller: &SellerId, read_by: &TableVersion, received_at: Timestamp, place: &Place) -> Key {
    let sk = format!("{read_by}#{}#{}#{}", instant::millis(received_at), place.id, place.subject);
    Key::new(quarantine_partition(seller), sk)
}

/// The same entry, once another table has read it in vain.
pub fn quarantine_reread(entry: &Key, read_by: &TableVersion) -> Key {
    let rest = entry.sk.split_once('#').map_or(entry.sk.as_str(), |(_, rest)| rest);
    Key::new(entry.pk.as_str(), format!("{read_by}#{rest}"))
}

/// The table that has read an entry in vain; `None` when it is no entry's key.
pub fn quarantine_reader(sk: &str) -> Option<TableVersion> {
    TableVersion::parse(sk.split_once('#')?.0).ok()
}

/// All that a table has read in vain lies from the first of these on, and before the second.
pub fn quarantine_read_by(version: &TableVersion) -> (String, String) {
    // `$` follows `#`.
    (format!("{version}#"), format!("{version}$"))
}

pub fn quarantine_partition(seller: &SellerId) -> String {
    format!("#quarantine#{seller}")
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

/// A place back from an event's key.
pub fn parse_place(pk: &str, sk: &str) -> Option<Place> {
    let (_, subject) = pk.split_once('#')?;
    Some(Place { subject: Subject::parse(subject).ok()?, id: EventId::parse(sk).ok()? })
}

/// A seller back from an event's key; an index entry's has none.
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

/// A trigger that has made no booking yet.
pub fn parked(seller: &SellerId, id: &TriggerId) -> Key {
    Key::new(parked_partition(seller), id.as_str())
}

/// All of a seller's.
pub fn parked_partition(seller: &SellerId) -> String {
    format!("{seller}#parked")
}

/// A trigger's ids back from its key.
pub fn parse_parked(pk: &str, sk: &str) -> Option<(SellerId, TriggerId)> {
    let seller = pk.strip_suffix("#parked")?;
    Some((SellerId::parse(seller).ok()?, TriggerId::parse(sk).ok()?))
}

/// In the index of what is due: the triggers whose CRM has to be asked.
pub const DUE_TRIGGERS: &str = "due#triggers";

pub const ERASURE: &str = "erasure";

/// The work of erasing a person, under the keyed hash of what was asked for.
pub fn erasure(seller: &SellerId, id: &ErasureId) -> Key {
    Key::new(format!("{seller}#erasure#{id}"), ERASURE)
}

/// An erasure's ids back from its key.
pub fn parse_erasure(pk: &str) -> Option<(SellerId, ErasureId)> {
    let (seller, id) = pk.split_once("#erasure#")?;
    Some((SellerId::parse(seller).ok()?, ErasureId::parse(id).ok()?))
}

/// In the index of what is due: the erasures to be carried on.
pub const DUE_ERASURES: &str = "due#erasures";

pub const LEAD: &str = "lead#";

/// Where an erasure has to look yet.
pub fn lead(seller: &SellerId, erasure_id: &ErasureId, lead: &Lead) -> Key {
    let sk = match lead {
        Lead::Person(person) => format!("{LEAD}person#{person}"),
        Lead::Thread(subject, most) => format!("{LEAD}thread#{}#{}", most.as_str(), hash::short(&[subject.as_str()])),
    };
    Key::new(erasure(seller, erasure_id).pk, sk)
}

/// The same for a place where ends are told.
pub fn place_gate(seller: &SellerId, place: Destination) -> Key {
    Key::new(format!("{seller}#gate#{}", place.as_str()), "gate")
}

pub const TRIGGER: &str = "trigger#";

/// What a trigger of the booking is owed at a place, under the keyed hash of its key.
pub fn write_back(seller: &SellerId, booking: &BookingId, trigger: &str, place: Destination) -> Key {
    Key::new(format!("{seller}#{booking}"), format!("{TRIGGER}{trigger}#{}", place.as_str()))
}

/// The trigger and the place back from the key of what it is owed.
pub fn parse_write_back(sk: &str) -> Option<(&str, Destination)> {
    let (trigger, place) = sk.strip_prefix(TRIGGER)?.rsplit_once('#')?;
    Some((trigger, Destination::parse(place)?))
}

pub fn due(shard: u8) -> String {
    format!("due#{shard}")
}

pub fn due_of(id: &BookingId) -> String {
    let sum = id.as_str().bytes().fold(0u8, u8::wrapping_add);
    due(sum % DUE_SHARDS)
}

/// Apart from the bookings that are due: a CRM that is down must not stand before a call.
pub fn owed(shard: u8) -> String {
    format!("owed#{shard}")
}

pub fn owed_of(id: &BookingId) -> String {
    due_of(id).replace("due", "owed")
}

pub fn person(seller: &SellerId, person: &str) -> String {
    format!("{seller}#{person}")
}

/// A person back from what the index has of them.
pub fn parse_person(entry: &str) -> Option<&str> {
    entry.split_once('#').map(|(_, person)| person)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trust::Trust;

    #[test]
    fn keys_are_spelled_as_the_page_has_them() {
        let acme = SellerId::parse("acme").unwrap();
        let at: Timestamp = "2026-11-23T05:00:00Z".parse().unwrap();
        let id = BookingId::parse("019a0000-0000-7000-8000-000000000001").unwrap();
        let text = |key: Key| format!("{} | {}", key.pk, key.sk);
        let place = Place { subject: Subject::parse("uid-1").unwrap(), id: EventId::parse("page-x").unwrap() };
        let [one, two] = ["v1", "v2"].map(|version| TableVersion::parse(version).unwrap());
        assert_eq!(text(event(&acme, &place)), "acme#uid-1 | page-x");
        assert_eq!(parse_place("acme#u#1", "page-x").map(|place| place.subject.to_string()), Some("u#1".to_owned()));
        assert_eq!(text(person_entry(&acme, "ab12", &place)), "#person#acme#ab12 | page-x#uid-1");
        assert_eq!(
            text(quarantine_entry(&acme, &one, at, &place)),
            "#quarantine#acme | v1#2026-11-23T05:00:00.000Z#page-x#uid-1"
        );
        assert_eq!(
            quarantine_reread(&quarantine_entry(&acme, &one, at, &place), &two),
            quarantine_entry(&acme, &two, at, &place)
        );
        assert_eq!(quarantine_reader("v1#2026-11-23T05:00:00.000Z#page-x#uid-1"), Some(one.clone()));
        assert_eq!(quarantine_read_by(&one), ("v1#".to_owned(), "v1$".to_owned()));
        assert_eq!(parse_event_seller("#person#acme#ab12"), None);
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
        let trigger = TriggerId::parse("0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(text(parked(&acme, &trigger)), "acme#parked | 0123456789abcdef0123456789abcdef");
        assert_eq!(parse_parked("acme#parked", trigger.as_str()), Some((acme.clone(), trigger.clone())));
        let erased = ErasureId::parse("0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(text(tombstone(&acme, "ab12")), "#tombstone#acme#ab12 | tombstone");
        assert_eq!(text(tombstones_lifted(&acme, &erased)), format!("#tombstone#acme#{erased} | lifted"));
        let pk = "acme#erasure#0123456789abcdef0123456789abcdef";
        assert_eq!(text(erasure(&acme, &erased)), format!("{pk} | erasure"));
        assert_eq!(parse_erasure(pk), Some((acme.clone(), erased.clone())));
        assert_eq!(text(lead(&acme, &erased, &Lead::Person("ab12".into()))), format!("{pk} | lead#person#ab12"));
        let thread = lead(&acme, &erased, &Lead::Thread(place.subject.clone(), Trust::Claimed));
        assert_eq!(text(thread), format!("{pk} | lead#thread#claimed#{}", hash::short(&["uid-1"])));
        assert_eq!(text(place_gate(&acme, Destination::HubSpot)), "acme#gate#hubspot | gate");
        let owed = write_back(&acme, &id, "ab12", Destination::HubSpot);
        assert_eq!(parse_write_back(&owed.sk), Some(("ab12", Destination::HubSpot)));
        assert_eq!(text(owed), "acme#019a0000-0000-7000-8000-000000000001 | trigger#ab12#hubspot");
        assert_eq!((due_of(&id).as_str(), owed_of(&id).as_str()), ("due#3", "owed#3"));
        assert_eq!(person(&acme, "ab12"), "acme#ab12");
        assert_eq!(parse_booking("acme#019a0000-0000-7000-8000-000000000001"), Some((acme, id)));
    }
}
