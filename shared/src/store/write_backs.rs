//! What triggers are owed: written with the trigger's key, due until it is told, and owed again when the end changes.

use super::{
    Bookings, Error,
    bookings::Saved,
    done,
    item::{Item, Reader, keyed, n, s},
    keys::{self, Key},
    requests::Idempotency,
};
use crate::model::{
    booking::{Booking, KEPT},
    ids::{BookingId, SellerId},
    instant,
    write_back::{Progress, WriteBack},
};
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use jiff::{SignedDuration, Timestamp};

/// As many changes as go into one transaction beside a booking's own.
const MOST_AT_ONCE: usize = 90;

/// What is never told is forgotten with its booking.
const LIFE: SignedDuration = SignedDuration::from_hours(30 * 24).saturating_add(KEPT);

/// All that a booking's triggers are owed.
#[derive(Clone, Debug, Default)]
pub struct WriteBacks {
    pub readable: Vec<WriteBack>,
    /// Those that cannot be read, by their keys: they stand in nobody's way.
    pub unreadable: Vec<Key>,
}

impl Bookings {
    pub async fn write_backs(&self, seller: &SellerId, booking: &BookingId) -> Result<WriteBacks, Error> {
        let (mut owed, mut after) = (WriteBacks::default(), None);
        loop {
            let reply = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND begins_with(sk, :trigger)")
                .expression_attribute_values(":pk", s(keys::booking(seller, booking).pk))
                .expression_attribute_values(":trigger", s(keys::TRIGGER))
                .consistent_read(true)
                .set_exclusive_start_key(after)
                .send()
                .await
                .map_err(|error| Error::of(&self.table, &error))?;
            for item in reply.items() {
                match read(&self.table, item) {
                    Ok(readable) => owed.readable.push(readable),
                    Err(_) => owed.unreadable.push(Reader { table: &self.table, item }.key()?),
                }
            }
            after = reply.last_evaluated_key;
            if after.is_none() {
                return Ok(owed);
            }
        }
    }

    /// Written over what it was read as; it must carry the version after that.
    pub async fn save_owed(&self, next: &WriteBack) -> Result<Saved, Error> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write(next)))
            .condition_expression("version = :before")
            .expression_attribute_values(":before", n(next.version.saturating_sub(1)))
            .send()
            .await;
        Ok(if done(&self.table, sent)? { Saved::Done } else { Saved::Conflict })
    }

    /// The booking is no more, so there is nothing to tell.
    pub async fn drop_write_backs(&self, seller: &SellerId, booking: &BookingId) -> Result<(), Error> {
        let owed = self.write_backs(seller, booking).await?;
        let keys: Vec<Item> = owed.readable.iter().map(key).chain(owed.unreadable.into_iter().map(keyed)).collect();
        for some in keys.chunks(MOST_AT_ONCE) {
            let parts = some.iter().map(|key| {
                let delete = Delete::builder().table_name(&self.table).set_key(Some(key.clone()));
                TransactWriteItem::builder().delete(delete.build().expect("table and key are set")).build()
            });
            self.transact(parts.collect()).await.map_err(|error| Error::of(&self.table, &error))?;
        }
        Ok(())
    }

    /// The puts beside a trigger's key.
    pub(super) fn owe(
        &self,
        seller: &SellerId,
        idempotency: &Idempotency,
        booking: &BookingId,
        now: Timestamp,
    ) -> Vec<Put> {
        let owed = idempotency.owed.of((seller, booking), &idempotency.key_hash, now);
        let put = |owed: &WriteBack| {
            let put = Put::builder().table_name(&self.table).set_item(Some(write(owed)));
            put.build().expect("table and item are set")
        };
        owed.iter().map(put).collect()
    }

    /// The updates beside a changed end: whoever is telling the old one loses against them when they are done.
    pub(super) async fn owe_again(&self, next: &Booking, now: Timestamp) -> Result<Vec<TransactWriteItem>, Error> {
        let owed = self.write_backs(&next.seller, &next.id).await?;
        let update = |owed: &WriteBack| {
            let update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(key(owed)))
                .update_expression(
                    "SET progress = :pending, attempts = :none, due = :due, due_at = :now ADD version :one",
                )
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":pending", s(Progress::Pending.as_str()))
                .expression_attribute_values(":none", n(0))
                .expression_attribute_values(":due", s(keys::owed_of(&next.id)))
                .expression_attribute_values(":now", s(instant::millis(now)))
                .expression_attribute_values(":one", n(1));
            TransactWriteItem::builder().update(update.build().expect("table, key and expression are set")).build()
        };
        Ok(owed.readable.iter().take(MOST_AT_ONCE).map(update).collect())
    }
}

fn key(owed: &WriteBack) -> Item {
    keyed(keys::write_back(&owed.seller, &owed.booking, &owed.trigger, owed.destination))
}

fn write(owed: &WriteBack) -> Item {
    let mut item = key(owed);
    let mut set = |name: &str, value| drop(item.insert(name.to_owned(), value));
    let text = |value: serde_json::Result<String>| s(value.expect("ids and words are always JSON"));
    set("connector", s(&owed.connector));
    set("origin", text(serde_json::to_string(&owed.origin)));
    set("progress", s(owed.progress.as_str()));
    set("attempts", n(owed.attempts));
    set("steps", text(serde_json::to_string(&owed.steps)));
    set("created_at", s(instant::millis(owed.created_at)));
    set("version", n(owed.version));
    set("expires_at", n((owed.created_at + LIFE).as_second()));
    if let Some(due_at) = owed.due_at {
        set("due", s(keys::owed_of(&owed.booking)));
        set("due_at", s(instant::millis(due_at)));
    }
    if let Some(until) = owed.held_until {
        set("held_until", s(instant::millis(until)));
    }
    for (name, value) in [("code", &owed.code), ("telling", &owed.telling), ("told", &owed.told)] {
        if let Some(value) = value {
            set(name, s(value));
        }
    }
    if let Some(at) = owed.told_at {
        set("told_at", s(instant::millis(at)));
    }
    item
}

fn read(table: &str, item: &Item) -> Result<WriteBack, Error> {
    let read = Reader { table, item };
    let (seller, booking) = keys::parse_booking(read.text("pk")?).ok_or_else(|| read.corrupt("pk"))?;
    let (trigger, destination) = keys::parse_write_back(read.text("sk")?).ok_or_else(|| read.corrupt("sk"))?;
    let time = |name| read.maybe_text(name).map(|_| read.time(name)).transpose();
    let text = |name| read.maybe_text(name).map(str::to_owned);
    Ok(WriteBack {
        seller,
        booking,
        trigger: trigger.to_owned(),
        destination,
        connector: read.text("connector")?.to_owned(),
        origin: serde_json::from_str(read.text("origin")?).map_err(|_| read.corrupt("origin"))?,
        progress: Progress::parse(read.text("progress")?).ok_or_else(|| read.corrupt("progress"))?,
        attempts: read.number("attempts")?,
        code: text("code"),
        telling: text("telling"),
        told: text("told"),
        told_at: time("told_at")?,
        steps: serde_json::from_str(read.text("steps")?).map_err(|_| read.corrupt("steps"))?,
        created_at: read.time("created_at")?,
        due_at: time("due_at")?,
        held_until: time("held_until")?,
        version: read.number("version")?,
    })
}
