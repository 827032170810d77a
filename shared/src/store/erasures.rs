//! Erasures in the bookings table: the work itself, under a lease, and where it has to look yet.

use super::{
    Bookings, Error, done,
    item::{Item, Reader, keyed, n, s},
    keys, unless_lost,
};
use crate::model::{
    booking::Lease,
    erasure::{Erasure, ErasureState, Lead, RESULT_KEPT, WORK_KEPT},
    ids::{ErasureId, SellerId, Subject},
    instant,
    trust::Trust,
};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Who may work on an erasure.
#[derive(Clone, Debug, PartialEq)]
pub enum ErasureLease {
    /// The caller, as long as its lease lasts.
    Acquired(Erasure),
    /// Somebody is at it: the erasure as it was last saved.
    Held(Erasure),
}

/// Leads read at once.
const PAGE: i32 = 100;

impl Bookings {
    /// Begins `fresh`, or joins the one that runs for the same person. `fresh` carries the caller's lease.
    pub async fn begin_erasure(
        &self,
        seller: &SellerId,
        fresh: &Erasure,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<ErasureLease, Error> {
        loop {
            let sent = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item(seller, fresh)))
                .condition_expression(
                    "attribute_not_exists(pk) OR #state = :done OR lease_owner = :me OR expires_at < :now",
                )
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":done", s(ErasureState::Done.as_str()))
                .expression_attribute_values(":me", s(&lease.owner))
                .expression_attribute_values(":now", n(now.as_second()))
                .send()
                .await;
            if done(&self.table, sent)? {
                return Ok(ErasureLease::Acquired(fresh.clone()));
            }
            if let Some(erasure) = self.acquire_erasure(seller, &fresh.id, lease, now).await? {
                return Ok(ErasureLease::Acquired(erasure));
            }
            match self.erasure(seller, &fresh.id, now).await? {
                Some(erasure) if erasure.state == ErasureState::Running => return Ok(ErasureLease::Held(erasure)),
                // It was done in between: this request begins another.
                Some(_) | None => {}
            }
        }
    }

    /// The right to carry an erasure on; `None` where somebody has it, or there is nothing left to do.
    pub async fn acquire_erasure(
        &self,
        seller: &SellerId,
        id: &ErasureId,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Option<Erasure>, Error> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(keys::erasure(seller, id))))
            .update_expression("SET lease_owner = :me, lease_until = :until, due_at = :due")
            // The SDK retries by itself, so a run must know its own first attempt: hence the owner.
            .condition_expression(
                "attribute_exists(due) AND \
                 (lease_owner = :me OR attribute_not_exists(lease_until) OR lease_until <= :now)",
            )
            .expression_attribute_values(":me", s(&lease.owner))
            .expression_attribute_values(":until", n(lease.until.as_millisecond()))
            .expression_attribute_values(":due", s(instant::millis(lease.until)))
            .expression_attribute_values(":now", n(now.as_millisecond()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let reply = unless_lost(&self.table, sent)?;
        reply.map(|reply| self.read_erasure(&reply.attributes.unwrap_or_default())).transpose()
    }

    /// What became of it so far; false when the lease is another's by now.
    pub async fn save_erasure(&self, seller: &SellerId, erasure: &Erasure, owner: &str) -> Result<bool, Error> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item(seller, erasure)));
        let sent =
            put.condition_expression("lease_owner = :me").expression_attribute_values(":me", s(owner)).send().await;
        done(&self.table, sent)
    }

    /// As it was last saved.
    pub async fn erasure(&self, seller: &SellerId, id: &ErasureId, now: Timestamp) -> Result<Option<Erasure>, Error> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(keyed(keys::erasure(seller, id))));
        let item = get.consistent_read(true).send().await.map_err(|error| Error::of(&self.table, &error))?.item;
        let live = |item: &Item| {
            let read = Reader { table: &self.table, item };
            read.maybe_number::<i64>("expires_at").is_none_or(|at| at > now.as_second())
        };
        item.filter(live).map(|item| self.read_erasure(&item)).transpose()
    }

    pub async fn put_lead(&self, seller: &SellerId, id: &ErasureId, lead: &Lead, now: Timestamp) -> Result<(), Error> {
        let mut item = keyed(keys::lead(seller, id, lead));
        match lead {
            Lead::Person(person) => drop(item.insert("person_hash".into(), s(person))),
            Lead::Thread(subject, most) => {
                item.insert("subject".into(), s(subject.as_str()));
                item.insert("trust".into(), s(most.as_str()));
            }
        }
        item.insert("expires_at".into(), n((now + WORK_KEPT).as_second()));
        let sent = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }

    pub async fn drop_lead(&self, seller: &SellerId, id: &ErasureId, lead: &Lead) -> Result<(), Error> {
        let delete = self.client.delete_item().table_name(&self.table);
        let sent = delete.set_key(Some(keyed(keys::lead(seller, id, lead)))).send().await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }

    /// Where the erasure has to look yet, page by page; from behind `after` on. Empty when there are no more.
    pub async fn leads(&self, seller: &SellerId, id: &ErasureId, after: Option<&Lead>) -> Result<Vec<Lead>, Error> {
        let mut start = after.map(|lead| keyed(keys::lead(seller, id, lead)));
        loop {
            let reply = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND begins_with(sk, :lead)")
                .expression_attribute_values(":pk", s(keys::erasure(seller, id).pk))
                .expression_attribute_values(":lead", s(keys::LEAD))
                .set_exclusive_start_key(start)
                .consistent_read(true)
                .limit(PAGE)
                .send()
                .await
                .map_err(|error| Error::of(&self.table, &error))?;
            let leads: Vec<Lead> = reply.items().iter().filter_map(|item| self.read_lead(item)).collect();
            start = reply.last_evaluated_key;
            if !leads.is_empty() || start.is_none() {
                return Ok(leads);
            }
        }
    }

    fn read_lead(&self, item: &Item) -> Option<Lead> {
        let read = Reader { table: &self.table, item };
        if let Some(person) = read.maybe_text("person_hash") {
            return Some(Lead::Person(person.to_owned()));
        }
        Some(Lead::Thread(Subject::parse(read.maybe_text("subject")?).ok()?, Trust::parse(read.maybe_text("trust")?)?))
    }

    fn read_erasure(&self, item: &Item) -> Result<Erasure, Error> {
        let read = Reader { table: &self.table, item };
        let (_, id) = keys::parse_erasure(read.text("pk")?).ok_or_else(|| read.corrupt("pk"))?;
        let set = |name: &str| item.get(name).and_then(|set| set.as_ss().ok()).into_iter().flatten();
        let calls = set("still_at_popin").map(|at| at.parse().map_err(|_| read.corrupt("still_at_popin")));
        let lease = match (read.maybe_text("lease_owner"), read.maybe_number("lease_until")) {
            (Some(owner), Some(until)) => {
                let until = Timestamp::from_millisecond(until).map_err(|_| read.corrupt("lease_until"))?;
                Some(Lease { owner: owner.to_owned(), until })
            }
            _ => None,
        };
        Ok(Erasure {
            id,
            persons: set("persons").cloned().collect(),
            state: ErasureState::parse(read.text("state")?).ok_or_else(|| read.corrupt("state"))?,
            events: read.number("events")?,
            bookings: read.number("bookings")?,
            triggers: read.number("triggers")?,
            still_at_popin: calls.collect::<Result<_, _>>()?,
            records: set("records").cloned().collect(),
            asked_at: read.time("asked_at")?,
            lease,
            due_at: read.maybe_text("due_at").map(|_| read.time("due_at")).transpose()?,
        })
    }
}

fn item(seller: &SellerId, erasure: &Erasure) -> Item {
    let mut item = keyed(keys::erasure(seller, &erasure.id));
    let mut set = |name: &str, value: AttributeValue| drop(item.insert(name.to_owned(), value));
    set("state", s(erasure.state.as_str()));
    set("persons", AttributeValue::Ss(erasure.persons.iter().cloned().collect()));
    set("events", n(erasure.events));
    set("bookings", n(erasure.bookings));
    set("triggers", n(erasure.triggers));
    set("asked_at", s(instant::millis(erasure.asked_at)));
    let calls: BTreeSet<String> = erasure.still_at_popin.iter().map(|at| instant::seconds(*at)).collect();
    if !calls.is_empty() {
        set("still_at_popin", AttributeValue::Ss(calls.into_iter().collect()));
    }
    if !erasure.records.is_empty() {
        set("records", AttributeValue::Ss(erasure.records.iter().cloned().collect()));
    }
    if let Some(lease) = &erasure.lease {
        set("lease_owner", s(&lease.owner));
        set("lease_until", n(lease.until.as_millisecond()));
    }
    if let Some(due_at) = erasure.due_at {
        set("due", s(keys::DUE_ERASURES));
        set("due_at", s(instant::millis(due_at)));
    }
    let kept = match erasure.state {
        ErasureState::Running => WORK_KEPT,
        ErasureState::Done => RESULT_KEPT,
    };
    set("expires_at", n((erasure.asked_at + kept).as_second()));
    item
}
