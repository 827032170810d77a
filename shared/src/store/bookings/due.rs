//! The queues of the sweep: their rows page by page, and how a row moves or leaves without its record being read.

use super::{Bookings, finding::Next};
use crate::{
    model::{backoff::Backoff, booking::KEPT, instant},
    store::{
        Error, done,
        item::{Item, Reader, keyed, n, s},
        keys::{self, Key},
    },
};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use jiff::Timestamp;

/// Rows of one page.
const PAGE: i32 = 500;

/// A row of the index `due`: a record's key, and since when it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRow {
    pub key: Key,
    pub due_at: String,
}

/// Some of a queue's due rows, the longest overdue first.
#[derive(Clone, Debug)]
pub struct DuePage {
    pub rows: Vec<DueRow>,
    pub next: Option<Next>,
}

impl Bookings {
    /// What is due in a queue: a partition of the index `due`.
    pub async fn due_page(&self, queue: &str, now: Timestamp, after: Option<Next>) -> Result<DuePage, Error> {
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::DUE_INDEX)
            .key_condition_expression("due = :due AND due_at <= :now")
            .expression_attribute_values(":due", s(queue))
            .expression_attribute_values(":now", s(instant::millis(now)))
            .set_exclusive_start_key(after.map(|Next(key)| key))
            .limit(PAGE)
            .send()
            .await
            .map_err(|error| Error::of(&self.table, &error))?;
        let row = |item: &Item| {
            let read = Reader { table: &self.table, item };
            Ok(DueRow { key: read.key()?, due_at: read.text("due_at")?.to_owned() })
        };
        let rows = reply.items().iter().map(row).collect::<Result<_, _>>()?;
        Ok(DuePage { rows, next: reply.last_evaluated_key.map(Next) })
    }

    /// Moves a record that is still due to `until`, and counts the try that came to nothing. Not by its version: whoever
    /// works on it meanwhile writes a due time of its own.
    pub async fn reschedule(&self, key: &Key, now: Timestamp, until: Timestamp) -> Result<(), Error> {
        let update = self
            .update(key)
            .update_expression("SET due_at = :until ADD tries :one")
            .condition_expression("attribute_exists(due) AND due_at <= :now")
            .expression_attribute_values(":until", s(instant::millis(until)))
            .expression_attribute_values(":now", s(instant::millis(now)))
            .expression_attribute_values(":one", n(1));
        done(&self.table, update.send().await).map(drop)
    }

    /// Takes a record that cannot be read out of its queue for good. The rest of it stays, for a person or a later release.
    /// True for the one call that did so.
    pub async fn finish_unreadable(&self, key: &Key, now: Timestamp) -> Result<bool, Error> {
        let update = self
            .update(key)
            .update_expression(
                "SET unreadable_at = :now, expires_at = if_not_exists(expires_at, :expires) \
                 REMOVE due, due_at, waits_for, lease_owner, lease_until",
            )
            .condition_expression("attribute_exists(due)")
            .expression_attribute_values(":now", s(instant::millis(now)))
            .expression_attribute_values(":expires", n((now + KEPT).as_second()));
        done(&self.table, update.send().await)
    }

    /// After a record was taken up until `until`, and before it is read: one whose earlier tries came to no end may be what
    /// ends its workers, and is looked at less and less often.
    pub(in crate::store) async fn back_off(&self, key: &Key, item: &Item, until: Timestamp) -> Result<(), Error> {
        let tries: u32 = Reader { table: &self.table, item }.maybe_number("tries").unwrap_or(1);
        if tries < 2 {
            return Ok(());
        }
        let wait = Backoff::ATTEMPT.wait(tries, 0.5, None);
        let update = self
            .update(key)
            .update_expression("SET due_at = :later")
            .condition_expression("due_at = :until")
            .expression_attribute_values(":later", s(instant::millis(until + wait)))
            .expression_attribute_values(":until", s(instant::millis(until)));
        done(&self.table, update.send().await).map(drop)
    }

    fn update(&self, key: &Key) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(keyed(key.clone())))
    }
}
