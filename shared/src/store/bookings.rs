//! The bookings table: the saga's records, their leases, and the idempotency keys.

mod due;
mod finding;

pub use self::{
    due::{DuePage, DueRow},
    finding::{Next, Page},
};

use super::{
    Cancelled, Error, Gates, Slots, cancelled,
    item::{Item, Reader, keyed, n, s},
    keys, record,
};
use crate::model::{
    booking::{Booking, Lease},
    ids::{BookingId, SellerId},
    instant,
    write_back::Destination,
};
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use jiff::{SignedDuration, Timestamp};

#[derive(Clone, Debug)]
pub struct Bookings {
    pub client: Client,
    pub table: String,
    /// Claims change together with the booking that they are for.
    pub slots: Slots,
}

impl Bookings {
    /// The gates stand in the same table.
    pub fn gates(&self) -> Gates {
        Gates { client: self.client.clone(), table: self.table.clone(), place: None }
    }

    /// The one before a place where ends are told.
    pub fn gates_of(&self, place: Destination) -> Gates {
        Gates { place: Some(place), ..self.gates() }
    }
}

/// Two machines' clocks may be this far apart when one makes a booking and the other runs it.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    Won(Box<Booking>),
    /// Somebody else is at it.
    Held,
    /// It is at rest, or waits for its time.
    NotDue(Box<Booking>),
    Missing,
    /// The record cannot be read, and never will be by this release; says what of it.
    Unreadable(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    Done,
    /// Another booking has the place in the slot.
    ClaimTaken,
    /// Somebody wrote meanwhile: read again.
    Conflict,
}

impl Bookings {
    pub async fn get(&self, seller: &SellerId, id: &BookingId) -> Result<Option<Booking>, Error> {
        let reply = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(keyed(keys::booking(seller, id))))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Error::of(&self.table, &error))?;
        reply.item.map(|item| record::read(&self.table, &item)).transpose()
    }

    /// The right to work on a booking that is not at rest, until the lease ends.
    pub async fn take_lease(
        &self,
        seller: &SellerId,
        id: &BookingId,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Taken, Error> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(keys::booking(seller, id))))
            .update_expression(
                "SET lease_owner = :me, lease_until = :until, due_at = :due ADD version :one, tries :one",
            )
            // The SDK retries by itself, so a worker must know its own first attempt: hence the owner.
            .condition_expression(
                "attribute_exists(due) AND (lease_owner = :me OR \
                 (due_at <= :soon AND (attribute_not_exists(lease_until) OR lease_until <= :now)))",
            )
            .expression_attribute_values(":me", s(&lease.owner))
            .expression_attribute_values(":until", n(lease.until.as_millisecond()))
            .expression_attribute_values(":due", s(instant::millis(lease.until)))
            .expression_attribute_values(":now", n(now.as_millisecond()))
            .expression_attribute_values(":soon", s(instant::millis(now + SKEW)))
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(reply) => {
                let item = reply.attributes.unwrap_or_default();
                self.back_off(&keys::booking(seller, id), &item, lease.until).await?;
                Ok(match record::read(&self.table, &item) {
                    Ok(booking) => Taken::Won(Box::new(booking)),
                    Err(error) => Taken::Unreadable(error.to_string()),
                })
            }
            Err(SdkError::ServiceError(service)) if service.err().is_conditional_check_failed_exception() => {
                let aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(failed) =
                    service.into_err()
                else {
                    return Ok(Taken::Held);
                };
                let Some(item) = failed.item else { return Ok(Taken::Missing) };
                let booking = match record::read(&self.table, &item) {
                    Ok(booking) => Box::new(booking),
                    Err(error) => return Ok(Taken::Unreadable(error.to_string())),
                };
                let held = booking.lease.as_ref().is_some_and(|lease| lease.until > now);
                Ok(if held { Taken::Held } else { Taken::NotDue(booking) })
            }
            Err(error) => Err(Error::of(&self.table, &error)),
        }
    }

    /// Writes `next` over `before`, if nobody wrote meanwhile; what the change does to the claim happens in the same
    /// step. `next` must carry the version after `before`'s.
    pub async fn save(&self, before: &Booking, next: &Booking, writer: &str, now: Timestamp) -> Result<Saved, Error> {
        let item = record::write(next, writer);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .condition_expression("version = :before")
            .expression_attribute_values(":before", n(before.version))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table and item are set");
        let mut others = self.claims(before, next, now);
        // A booking at rest has another end now: whoever was told of the first is owed the second.
        if before.state.at_rest() && before.state != next.state {
            others.extend(self.owe_again(next, now).await?);
        }
        if others.is_empty() {
            return self.put(put, &item).await;
        }
        let mut parts = vec![TransactWriteItem::builder().put(put).build()];
        parts.extend(others);
        let Err(error) = self.transact(parts).await else { return Ok(Saved::Done) };
        match cancelled(&error) {
            Some(Cancelled::Condition(0)) => {
                Ok(if old_item(&error).is_some_and(|old| ours(&old, &item)) { Saved::Done } else { Saved::Conflict })
            }
            Some(Cancelled::Condition(_)) => Ok(Saved::ClaimTaken),
            Some(Cancelled::Passing) | None => Err(Error::of(&self.table, &error)),
        }
    }

    async fn put(&self, put: Put, item: &Item) -> Result<Saved, Error> {
        let sent = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_values(put.expression_attribute_values)
            .set_return_values_on_condition_check_failure(put.return_values_on_condition_check_failure)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Saved::Done),
            Err(SdkError::ServiceError(service)) if service.err().is_conditional_check_failed_exception() => {
                let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) =
                    service.into_err()
                else {
                    return Ok(Saved::Conflict);
                };
                let ours = failed.item.is_some_and(|old| ours(&old, item));
                Ok(if ours { Saved::Done } else { Saved::Conflict })
            }
            Err(error) => Err(Error::of(&self.table, &error)),
        }
    }

    /// A state that stands on a slot has its claim; one that does not has none.
    fn claims(&self, before: &Booking, next: &Booking, now: Timestamp) -> Vec<TransactWriteItem> {
        match (before.state.held(), next.state.held()) {
            (None, None) => Vec::new(),
            (Some(had), Some(has)) if had.same_place(has) => Vec::new(),
            (None, Some(has)) => self.slots.claim(next, has, now),
            (Some(had), None) => self.slots.release(next, had),
            (Some(had), Some(has)) => [self.slots.claim(next, has, now), self.slots.release(next, had)].concat(),
        }
    }

    /// Removes a booking, what finds it and what its person would join it by, all or nothing: whatever was left would be
    /// found by nobody. A call that Popin has is not undone by it. False when the booking was gone.
    pub async fn erase(&self, seller: &SellerId, id: &BookingId) -> Result<bool, Error> {
        let delete = |key| {
            let delete = Delete::builder().table_name(&self.table).set_key(Some(keyed(key)));
            TransactWriteItem::builder().delete(delete.build().expect("table and key are set")).build()
        };
        // What a CRM calls this person goes first: the booking is what finds it.
        self.drop_write_backs(seller, id).await?;
        let email = delete(keys::booking_email(seller, id));
        let Some(person) = self.person_of(seller, id).await? else {
            return self.transact(vec![email]).await.map(|()| false).map_err(|error| Error::of(&self.table, &error));
        };
        let parts = vec![delete(keys::booking(seller, id)), email, delete(keys::recent(seller, &person))];
        self.transact(parts).await.map(|()| true).map_err(|error| Error::of(&self.table, &error))
    }

    /// The keyed hash of a booking's number, also where the rest cannot be read.
    async fn person_of(&self, seller: &SellerId, id: &BookingId) -> Result<Option<String>, Error> {
        let reply = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(keyed(keys::booking(seller, id))))
            .projection_expression("person")
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Error::of(&self.table, &error))?;
        let person = |item: Item| {
            let read = Reader { table: &self.table, item: &item };
            read.maybe_text("person").and_then(keys::parse_person).unwrap_or_default().to_owned()
        };
        Ok(reply.item.map(person))
    }

    pub(super) async fn transact(
        &self,
        parts: Vec<TransactWriteItem>,
    ) -> Result<(), SdkError<TransactWriteItemsError>> {
        self.client.transact_write_items().set_transact_items(Some(parts)).send().await.map(drop)
    }

    /// One cheap signed call, so that the first request finds the connection open.
    pub async fn warm(&self) -> Result<(), Error> {
        let key = keys::Key { pk: "-".into(), sk: "warm".into() };
        let sent = self.client.get_item().table_name(&self.table).set_key(Some(keyed(key))).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }
}

/// The reply to our own write was lost, and a retry found it done. Only the whole item tells: a lease that another took
/// meanwhile has our next version and leaves the last writer's name, ours perhaps.
fn ours(old: &Item, put: &Item) -> bool {
    old == put
}

/// The item that stood in the way of a cancelled transaction's first failed condition.
pub(super) fn old_item(error: &SdkError<TransactWriteItemsError>) -> Option<Item> {
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error.as_service_error()? else {
        return None;
    };
    canceled.cancellation_reasons().iter().find(|reason| reason.code() == Some("ConditionalCheckFailed"))?.item.clone()
}
