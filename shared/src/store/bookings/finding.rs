//! Bookings by the table's indices: those that are due, and a person's.

use super::Bookings;
use crate::{
    model::{
        ids::{BookingId, SellerId},
        instant,
    },
    store::{
        Error,
        item::{Item, Reader, s},
        keys,
    },
};
use jiff::Timestamp;

/// Some of a person's bookings.
#[derive(Clone, Debug)]
pub struct Page {
    pub bookings: Vec<BookingId>,
    pub next: Option<Next>,
}

/// Where the next page starts.
#[derive(Clone, Debug)]
pub struct Next(Item);

impl Bookings {
    /// What the sweep must look at, the longest overdue first.
    pub async fn due(&self, now: Timestamp, most: i32) -> Result<Vec<(SellerId, BookingId)>, Error> {
        self.due_of(keys::due, now, most).await
    }

    pub(in crate::store) async fn due_of(
        &self,
        partition: fn(u8) -> String,
        now: Timestamp,
        most: i32,
    ) -> Result<Vec<(SellerId, BookingId)>, Error> {
        let mut due = Vec::new();
        for shard in 0..keys::DUE_SHARDS {
            due.extend(self.due_in(partition(shard), now, most).await?);
        }
        let time =
            |item: &Item| Reader { table: &self.table, item }.maybe_text("due_at").unwrap_or_default().to_owned();
        due.sort_by_cached_key(time);
        self.ids(&due)
    }

    async fn due_in(&self, partition: String, now: Timestamp, most: i32) -> Result<Vec<Item>, Error> {
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::DUE_INDEX)
            .key_condition_expression("due = :due AND due_at <= :now")
            .expression_attribute_values(":due", s(partition))
            .expression_attribute_values(":now", s(instant::millis(now)))
            .limit(most)
            .send()
            .await
            .map_err(|error| Error::of(&self.table, &error))?;
        Ok(reply.items.unwrap_or_default())
    }

    /// A person's newest bookings: those that a witness may tell of.
    pub async fn by_person(&self, seller: &SellerId, person: &str) -> Result<Vec<BookingId>, Error> {
        Ok(self.of_person(seller, person, None).await?.bookings)
    }

    /// A person's bookings page by page, the newest first. By the index, which may still tell of one that is gone.
    pub async fn of_person(&self, seller: &SellerId, person: &str, after: Option<Next>) -> Result<Page, Error> {
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::PERSON_INDEX)
            .key_condition_expression("person = :person")
            .expression_attribute_values(":person", s(keys::person(seller, person)))
            .set_exclusive_start_key(after.map(|Next(key)| key))
            .scan_index_forward(false)
            .limit(25)
            .send()
            .await
            .map_err(|error| Error::of(&self.table, &error))?;
        let bookings = self.ids(reply.items())?.into_iter().map(|(_, id)| id).collect();
        Ok(Page { bookings, next: reply.last_evaluated_key.map(Next) })
    }

    fn ids(&self, items: &[Item]) -> Result<Vec<(SellerId, BookingId)>, Error> {
        items
            .iter()
            .map(|item| {
                let read = Reader { table: &self.table, item };
                keys::parse_booking(read.text("pk")?).ok_or_else(|| read.corrupt("pk"))
            })
            .collect()
    }
}
