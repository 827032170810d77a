//! A person's bookings, by the table's index.

use super::Bookings;
use crate::{
    model::ids::{BookingId, SellerId},
    store::{
        Error,
        item::{Item, Reader, s},
        keys,
    },
};

/// Some of a person's bookings.
#[derive(Clone, Debug)]
pub struct Page {
    pub bookings: Vec<BookingId>,
    pub next: Option<Next>,
}

/// Where the next page starts.
#[derive(Clone, Debug)]
pub struct Next(pub(super) Item);

impl Bookings {
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
        let id = |item: &Item| keys::parse_booking(Reader { table: &self.table, item }.maybe_text("pk")?);
        let bookings = reply.items().iter().filter_map(id).map(|(_, id)| id).collect();
        Ok(Page { bookings, next: reply.last_evaluated_key.map(Next) })
    }
}
