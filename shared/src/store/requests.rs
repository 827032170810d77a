//! How a booking begins: one for one key, and one for one person within the seller's window.

use super::{
    Bookings, Cancelled, Error,
    bookings::old_item,
    cancelled, done,
    item::{Item, Reader, keyed, n, s},
    keys, record,
};
use crate::model::{
    booking::Booking,
    hash,
    ids::{BookingId, SellerId},
    instant,
    write_back::Owed,
};
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};

/// How long a key is remembered, unless it is endless: the longest that any CRM goes on retrying, and then some.
pub const KEY_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The entry that finds a booking by e-mail outlives the booking by a little, whenever that comes to rest.
const EMAIL_KEPT: SignedDuration = SignedDuration::from_hours(24 * 120);

/// What a caller's key stands for.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// Of the connector and the caller's key.
    pub key_hash: String,
    /// Of what was asked for.
    pub fingerprint: String,
    /// Whether it is remembered without end.
    pub endless: bool,
    /// Written with the key.
    pub owed: Owed,
}

impl Idempotency {
    /// Under one of the seller's secrets: what is stored tells nobody who asked, or for what. Nothing is owed.
    pub fn sealed(secret: &str, connector: &str, key: &str, request: &str) -> Self {
        Self {
            key_hash: hash::sealed(secret, &["idempotency", connector, key]),
            fingerprint: hash::sealed(secret, &["fingerprint", request]),
            endless: false,
            owed: Owed::default(),
        }
    }
}

/// Who asks again within the window joins the first booking.
#[derive(Clone, Debug)]
pub struct Window {
    pub length: SignedDuration,
    /// The booking that the person asked for before, when it ended with nothing: there is none to join.
    pub instead_of: Option<BookingId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    New,
    Existing(Known),
    /// The person asked a moment ago, with another key: that booking may be joined.
    Recent(BookingId),
}

/// A key that was used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub booking: BookingId,
    pub same_request: bool,
    /// The key made no booking, but joined one.
    pub joined: bool,
}

/// Where the parts of the transaction stand in it.
const KEY: usize = 0;
const RECENT: usize = 2;

impl Bookings {
    /// The booking, its key and its person's entry: all or nothing.
    pub async fn create(
        &self,
        booking: &Booking,
        idempotency: &Idempotency,
        window: &Window,
        writer: &str,
    ) -> Result<Created, Error> {
        let now = booking.created_at;
        let key = key_item(&booking.seller, idempotency, &booking.id, false, now);
        let email = booking.email_person.as_ref().map(|person| {
            let mut item = keyed(keys::booking_email(&booking.seller, &booking.id));
            item.insert("person".into(), s(keys::person(&booking.seller, person)));
            item.insert("created_at".into(), s(instant::millis(now)));
            item.insert("expires_at".into(), n((now + EMAIL_KEPT).as_second()));
            self.put_unless_kept(item, now)
        });
        let parts = [
            self.put_unless_kept(key, now),
            self.put_unless_kept(record::write(booking, writer), now),
            self.put_recent(booking, window),
        ];
        let parts = parts
            .into_iter()
            .chain(email)
            .chain(self.owe(&booking.seller, idempotency, &booking.id, now))
            .map(|put| TransactWriteItem::builder().put(put).build())
            .collect();
        let Err(error) = self.transact(parts).await else { return Ok(Created::New) };
        let failed = cancelled(&error);
        let (Some(Cancelled::Condition(at)), Some(old)) = (failed, old_item(&error)) else {
            return Err(Error::of(&self.table, &error));
        };
        match at {
            KEY => {
                let known = self.read_known(&old, idempotency)?;
                // The reply to our own first try was lost, and the SDK's second found our own key.
                Ok(if known.booking == booking.id { Created::New } else { Created::Existing(known) })
            }
            RECENT => Ok(Created::Recent(self.read_booking(&old)?)),
            _ => Err(Error::of(&self.table, &error)),
        }
    }

    /// The key stands for a booking that another key made. `None` when it does now.
    pub async fn join(
        &self,
        seller: &SellerId,
        idempotency: &Idempotency,
        booking: &BookingId,
        now: Timestamp,
    ) -> Result<Option<Known>, Error> {
        let put = self.put_unless_kept(key_item(seller, idempotency, booking, true, now), now);
        let owed = self.owe(seller, idempotency, booking, now);
        if !owed.is_empty() {
            let parts = [vec![put], owed].concat();
            let parts = parts.into_iter().map(|put| TransactWriteItem::builder().put(put).build()).collect();
            let Err(error) = self.transact(parts).await else { return Ok(None) };
            return match cancelled(&error) {
                // Our own first try among them: it stands for this booking then.
                Some(Cancelled::Condition(_)) => self.known(seller, idempotency, now).await,
                Some(Cancelled::Passing) | None => Err(Error::of(&self.table, &error)),
            };
        }
        let sent = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_values(put.expression_attribute_values)
            .send()
            .await;
        if done(&self.table, sent)? { Ok(None) } else { self.known(seller, idempotency, now).await }
    }

    /// What a key stands for already.
    pub async fn known(
        &self,
        seller: &SellerId,
        idempotency: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<Known>, Error> {
        let key = keys::idempotency(seller, &idempotency.key_hash);
        let reply =
            self.client.get_item().table_name(&self.table).set_key(Some(keyed(key))).consistent_read(true).send().await;
        let item = reply.map_err(|error| Error::of(&self.table, &error))?.item;
        let live = |item: &Item| {
            let read = Reader { table: &self.table, item };
            read.maybe_number::<i64>("expires_at").is_none_or(|at| at > now.as_second())
        };
        item.filter(live).map(|item| self.read_known(&item, idempotency)).transpose()
    }

    fn put_unless_kept(&self, item: Item, now: Timestamp) -> Put {
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR expires_at < :now")
            .expression_attribute_values(":now", n(now.as_second()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table and item are set")
    }

    fn put_recent(&self, booking: &Booking, window: &Window) -> Put {
        let (now, ends) = (booking.created_at, booking.created_at + window.length);
        let mut item = keyed(keys::recent(&booking.seller, &booking.person));
        item.insert("booking".into(), s(booking.id.as_str()));
        item.insert("ends_at".into(), n(ends.as_millisecond()));
        item.insert("expires_at".into(), n(ends.as_second() + 1));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .expression_attribute_values(":now", n(now.as_millisecond()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let free = "attribute_not_exists(pk) OR ends_at <= :now";
        let put = match &window.instead_of {
            Some(ended) => put
                .condition_expression(format!("{free} OR booking = :ended"))
                .expression_attribute_values(":ended", s(ended.as_str())),
            None => put.condition_expression(free),
        };
        put.build().expect("table and item are set")
    }

    fn read_known(&self, item: &Item, idempotency: &Idempotency) -> Result<Known, Error> {
        let read = Reader { table: &self.table, item };
        Ok(Known {
            booking: self.read_booking(item)?,
            same_request: read.text("fingerprint")? == idempotency.fingerprint,
            joined: item.contains_key("joined"),
        })
    }

    fn read_booking(&self, item: &Item) -> Result<BookingId, Error> {
        let read = Reader { table: &self.table, item };
        BookingId::parse(read.text("booking")?).map_err(|_| read.corrupt("booking"))
    }
}

fn key_item(seller: &SellerId, idempotency: &Idempotency, booking: &BookingId, joined: bool, now: Timestamp) -> Item {
    let mut item = keyed(keys::idempotency(seller, &idempotency.key_hash));
    item.insert("booking".into(), s(booking.as_str()));
    item.insert("fingerprint".into(), s(&idempotency.fingerprint));
    if !idempotency.endless {
        item.insert("expires_at".into(), n((now + KEY_KEPT).as_second()));
    }
    if joined {
        item.insert("joined".into(), n(1));
    }
    item
}
