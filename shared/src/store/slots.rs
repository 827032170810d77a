//! The slots table: the diary, the state of its refreshing, and the claims of our own bookings.

use super::{
    Error, done,
    item::{Item, Reader, keyed, n, s},
    keys, unless_lost,
};
use crate::model::{
    booking::Booking,
    diary::{Claim, Diary, Phantom, Refresh, Snapshot},
    ids::{BookingId, SellerId},
    instant,
    offer::Offer,
    state::Held,
};
use aws_sdk_dynamodb::{
    Client,
    types::{Delete, Put, TransactWriteItem},
};
use jiff::{SignedDuration, Timestamp};

#[derive(Clone, Debug)]
pub struct Slots {
    pub client: Client,
    pub table: String,
}

/// Who may refresh now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// We, with this many failures in a row behind us since the last good answer.
    Ours { failures: u32, good_at: Option<Timestamp> },
    /// Nobody: it is not due, or somebody else is at it.
    NotOurs,
}

/// A claim outlives its slot by this much, so that a late look still finds it.
const CLAIM_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Of a snapshot's form.
const VERSION: u32 = 2;

impl Slots {
    /// Snapshot, refresh state and claims in one query. `Consistent` sees every write before it, at twice the price.
    pub async fn read(&self, seller: &SellerId, now: Timestamp, read: Read) -> Result<Diary, Error> {
        let mut diary = Diary::default();
        let mut from = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", s(seller.as_str()))
                .consistent_read(read == Read::Consistent)
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(|error| Error::of(&self.table, &error))?;
            for item in page.items() {
                self.add(&mut diary, item, now)?;
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(diary);
            }
        }
    }

    fn add(&self, diary: &mut Diary, item: &Item, now: Timestamp) -> Result<(), Error> {
        let read = Reader { table: &self.table, item };
        let sk = read.text("sk")?;
        let live = read.maybe_number::<i64>("expires_at").is_none_or(|at| at > now.as_second());
        if sk == keys::SNAPSHOT {
            diary.snapshot = snapshot(&read)?;
        } else if sk == keys::REFRESH {
            diary.refresh = refresh(&read);
        } else if let Some(rest) = sk.strip_prefix(keys::CLAIM).filter(|_| live) {
            let (start, place) = rest.rsplit_once('#').ok_or_else(|| read.corrupt("sk"))?;
            diary.claims.push(Claim {
                start: start.parse().map_err(|_| read.corrupt("sk"))?,
                place: place.parse().map_err(|_| read.corrupt("sk"))?,
                booking: BookingId::parse(read.text("booking")?).map_err(|_| read.corrupt("booking"))?,
            });
        } else if let Some(start) = sk.strip_prefix(keys::PHANTOM).filter(|_| live) {
            diary.phantoms.push(Phantom {
                start: start.parse().map_err(|_| read.corrupt("sk"))?,
                at: read.time("at")?,
                person: read.maybe_text("person").map(str::to_owned),
                hidden: read.maybe_text("shown").is_none(),
            });
        }
        Ok(())
    }

    /// Single flight: of any number of ticks at once, one gets the turn, and only when the refresh is due.
    pub async fn take_turn(
        &self,
        seller: &SellerId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Turn, Error> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(keys::refresh(seller))))
            .update_expression("SET lease_owner = :me, lease_until = :until")
            // The SDK retries by itself, so a turn must know its own first attempt: hence the owner.
            .condition_expression(
                "(attribute_not_exists(next_due) OR next_due <= :now) \
                 AND (attribute_not_exists(lease_until) OR lease_until <= :now OR lease_owner = :me)",
            )
            .expression_attribute_values(":me", s(owner))
            .expression_attribute_values(":until", n(until.as_millisecond()))
            .expression_attribute_values(":now", n(now.as_millisecond()))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .send()
            .await;
        let Some(reply) = unless_lost(&self.table, sent)? else { return Ok(Turn::NotOurs) };
        let item = reply.attributes.unwrap_or_default();
        let Refresh { failures, good_at, .. } = refresh(&Reader { table: &self.table, item: &item });
        Ok(Turn::Ours { failures, good_at })
    }

    /// Keeps the newer of two snapshots.
    pub async fn save_snapshot(&self, seller: &SellerId, snapshot: &Snapshot) -> Result<(), Error> {
        let mut item = keyed(keys::snapshot(seller));
        item.insert("fetched_at".into(), s(instant::millis(snapshot.fetched_at)));
        item.insert("timezone".into(), s(&snapshot.timezone));
        item.insert("slot_minutes".into(), n(snapshot.slot_minutes));
        item.insert("offer".into(), s(snapshot.offer.as_str()));
        item.insert("version".into(), n(VERSION));
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            // One that is from the future came of a clock that was wrong.
            .condition_expression("attribute_not_exists(pk) OR fetched_at <= :fetched_at OR fetched_at > :soon")
            .expression_attribute_values(
                ":soon",
                s(instant::millis(snapshot.fetched_at + SignedDuration::from_mins(1))),
            )
            .expression_attribute_values(":fetched_at", s(instant::millis(snapshot.fetched_at)))
            .send()
            .await;
        done(&self.table, sent).map(drop)
    }

    /// Gives the turn back and says when the next one is. A turn that was lost meanwhile is left alone.
    pub async fn end_turn(&self, seller: &SellerId, owner: &str, refresh: &Refresh) -> Result<(), Error> {
        let next_due = refresh.next_due.map_or(0, Timestamp::as_millisecond);
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(keys::refresh(seller))))
            .condition_expression("lease_owner = :me")
            .expression_attribute_values(":me", s(owner))
            .expression_attribute_values(":due", n(next_due))
            .expression_attribute_values(":failures", n(refresh.failures));
        update = match (&refresh.last_error, refresh.good_at) {
            (Some(error), _) => update
                .update_expression(
                    "SET next_due = :due, failures = :failures, last_error = :error REMOVE lease_until, lease_owner",
                )
                .expression_attribute_values(":error", s(error)),
            (None, good_at) => update
                .update_expression(
                    "SET next_due = :due, failures = :failures, good_at = :good REMOVE lease_until, lease_owner, last_error",
                )
                .expression_attribute_values(":good", n(good_at.map_or(0, Timestamp::as_millisecond))),
        };
        done(&self.table, update.send().await).map(drop)
    }

    /// A slot that Popin refused leaves the diary at once, or is in it again.
    pub async fn put_phantom(&self, seller: &SellerId, phantom: &Phantom) -> Result<(), Error> {
        let mut item = keyed(keys::phantom(seller, phantom.start));
        item.insert("at".into(), s(instant::millis(phantom.at)));
        item.insert("expires_at".into(), n((phantom.start + CLAIM_KEPT).as_second()));
        if let Some(person) = &phantom.person {
            item.insert("person".into(), s(person));
        }
        if !phantom.hidden {
            item.insert("shown".into(), s("yes"));
        }
        let sent = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }

    /// The parts of a transaction that take a place in a slot, for good or not at all.
    pub(super) fn claim(&self, booking: &Booking, held: &Held, now: Timestamp) -> Vec<TransactWriteItem> {
        let place = self.put_claim(keys::claim(&booking.seller, held.slot.start, held.place), booking, held, now);
        let guest = keys::guest(&booking.seller, held.slot.start, &booking.person);
        let guest = held.shared.then(|| self.put_claim(guest, booking, held, now));
        std::iter::once(place).chain(guest).collect()
    }

    fn put_claim(&self, key: keys::Key, booking: &Booking, held: &Held, now: Timestamp) -> TransactWriteItem {
        let mut item = keyed(key);
        item.insert("booking".into(), s(booking.id.as_str()));
        item.insert("expires_at".into(), n((held.slot.start + CLAIM_KEPT).as_second()));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR booking = :me OR expires_at < :now")
            .expression_attribute_values(":me", s(booking.id.as_str()))
            .expression_attribute_values(":now", n(now.as_second()))
            .build()
            .expect("table and item are set");
        TransactWriteItem::builder().put(put).build()
    }

    /// The parts of a transaction that give a place back; one that is another's already is left alone.
    pub(super) fn release(&self, booking: &Booking, held: &Held) -> Vec<TransactWriteItem> {
        let place = self.delete_claim(keys::claim(&booking.seller, held.slot.start, held.place), booking);
        let guest = keys::guest(&booking.seller, held.slot.start, &booking.person);
        let guest = held.shared.then(|| self.delete_claim(guest, booking));
        std::iter::once(place).chain(guest).collect()
    }

    fn delete_claim(&self, key: keys::Key, booking: &Booking) -> TransactWriteItem {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(keyed(key)))
            .condition_expression("attribute_not_exists(pk) OR booking = :me")
            .expression_attribute_values(":me", s(booking.id.as_str()))
            .build()
            .expect("table and key are set");
        TransactWriteItem::builder().delete(delete).build()
    }

    /// One cheap signed call, so that the first request finds the connection open.
    pub async fn warm(&self) -> Result<(), Error> {
        let query = self.client.query().table_name(&self.table).key_condition_expression("pk = :pk");
        let sent = query.expression_attribute_values(":pk", s("-")).limit(1).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }

    /// The same for whoever refreshes, by the call that takes a turn: it finds nothing to change. A query would be code that
    /// no refresh uses, a tenth of a start, and a grant more.
    pub async fn warm_turn(&self) -> Result<(), Error> {
        let key = keyed(keys::Key { pk: "-".into(), sk: "warm".into() });
        let update = self.client.update_item().table_name(&self.table).set_key(Some(key));
        let update = update.update_expression("SET lease_owner = :me").condition_expression("attribute_exists(pk)");
        done(&self.table, update.expression_attribute_values(":me", s("-")).send().await).map(drop)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    Consistent,
    Eventual,
}

fn refresh(read: &Reader<'_>) -> Refresh {
    let time = |field| read.maybe_number(field).and_then(|at| Timestamp::from_millisecond(at).ok());
    Refresh {
        next_due: time("next_due"),
        good_at: time("good_at"),
        failures: read.maybe_number("failures").unwrap_or(0),
        last_error: read.maybe_text("last_error").map(str::to_owned),
    }
}

/// `None` when another release wrote it: there is none yet, and the next refresh brings one.
fn snapshot(read: &Reader<'_>) -> Result<Option<Snapshot>, Error> {
    if read.number::<u32>("version")? != VERSION {
        return Ok(None);
    }
    Ok(Some(Snapshot {
        fetched_at: read.time("fetched_at")?,
        timezone: read.text("timezone")?.to_owned(),
        slot_minutes: read.number("slot_minutes")?,
        offer: Offer::read(read.text("offer")?).ok_or_else(|| read.corrupt("offer"))?,
    }))
}
