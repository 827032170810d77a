//! Rows that nobody can read, of a seller beside the usual one: what a bug or a newer release may leave in the table.

use crate::shop::sellers;
use frontdesk::{
    model::{ids::BookingId, instant},
    store::keys,
};
use jiff::Timestamp;
use local::dynamodb::Embedded;
use serde_json::{Value, json};

/// The seller whose rows they are.
pub const SELLER: &str = "umbra";

/// What the sweep or the stream may come upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    Trigger,
    Booking,
    Erasure,
    WriteBack,
}

impl Queue {
    /// The last one's queue is read only where a seller has write-back.
    pub const ALL: [Self; 4] = [Self::Trigger, Self::Booking, Self::Erasure, Self::WriteBack];
}

/// The usual seller, and the poisonous one with an account of its own at Popin.
pub fn with_poisonous(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = sellers(change);
    let mut other = document["acme"].clone();
    other["popin"]["api_key"] = json!("popin-key-of-umbra-0123");
    other["popin"]["token"] = json!("popin-token-of-umbra-0123");
    other["api_keys"] = json!(["test-api-key-of-umbra-0123"]);
    other["webhooks"]["popin"]["keys"] = json!(["test-webhook-key-of-umbra-0123"]);
    document[SELLER] = other;
    document
}

/// One row, due since then, in DynamoDB's own JSON.
pub fn row(kind: Queue, number: u32, due_at: Timestamp) -> Value {
    let id = BookingId::parse(format!("019a0000-0000-7000-8000-{number:012x}")).expect("it is a UUID");
    let (pk, sk, due) = match kind {
        Queue::Trigger => (format!("{SELLER}#parked"), format!("{number:032x}"), keys::DUE_TRIGGERS.to_owned()),
        Queue::Booking => (format!("{SELLER}#{id}"), keys::BOOKING.to_owned(), keys::due_of(&id)),
        Queue::Erasure => {
            (format!("{SELLER}#erasure#{number:032x}"), keys::ERASURE.to_owned(), keys::DUE_ERASURES.to_owned())
        }
        Queue::WriteBack => (format!("{SELLER}#{id}"), "trigger#ab12#url".to_owned(), keys::owed_of(&id)),
    };
    let at = instant::millis(due_at);
    let mut item = json!({
        "pk": {"S": pk}, "sk": {"S": sk}, "due": {"S": due}, "due_at": {"S": at}, "created_at": {"S": at},
        "received_at": {"S": at}, "version": {"N": "1"}, "connector": {"S": "hubspot"}, "trust": {"S": "signed"},
        "code": {"S": "read_back_pending"}, "state": {"S": "requested"}, "person": {"S": format!("{SELLER}#ab12")},
        "doc": {"S": "{\"lead\":"}
    });
    if kind == Queue::Trigger {
        item["waits_for"] = json!({"S": "crm"});
    }
    item
}

pub fn plant(db: &Embedded, kind: Queue, number: u32, due_at: Timestamp) {
    let put = json!({"TableName": "frontdesk-bookings", "Item": row(kind, number, due_at)});
    db.call("PutItem", &put).expect("a database in memory can be written");
}
