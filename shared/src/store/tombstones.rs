//! Tombstones in the events table: keyed hashes of who was forgotten, each for as long as anything may arrive late.

use super::{
    Error, Events,
    item::{Item, Reader, keyed, n, s},
    keys, unless_lost,
};
use crate::model::{
    ids::{ErasureId, SellerId},
    instant,
    tombstone::{TOMBSTONE_KEPT, Tombstone},
};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Reads under way at once: an event may name many persons, a request names two at most.
const AT_ONCE: usize = 16;

/// For whom tombstones are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A page sends its events again where this fails.
    Page,
    /// A vendor sends its event once.
    Webhook,
    /// For a request, those of the last moments count as well, at twice the price.
    Request,
}

impl Events {
    /// Marks a person as forgotten. Returns all erasures that came across them; none where a later erasure has marked them.
    pub async fn put_tombstone(
        &self,
        seller: &SellerId,
        person: &str,
        decisive: bool,
        (erasure, at): (&ErasureId, Timestamp),
    ) -> Result<BTreeSet<ErasureId>, Error> {
        let set = "SET forgotten_at = :at, expires_at = :expires_at";
        let set = if decisive { format!("{set}, decisive = :decisive") } else { set.to_owned() };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(keys::tombstone(seller, person))))
            .update_expression(format!("{set} ADD erasures :erasure"))
            .condition_expression("attribute_not_exists(pk) OR forgotten_at <= :at")
            .expression_attribute_values(":at", s(instant::millis(at)))
            .expression_attribute_values(":expires_at", n((at + TOMBSTONE_KEPT).as_second()))
            .expression_attribute_values(":erasure", AttributeValue::Ss(vec![erasure.to_string()]))
            .return_values(ReturnValue::AllNew);
        if decisive {
            update = update.expression_attribute_values(":decisive", s("yes"));
        }
        let reply = unless_lost(&self.table, update.send().await)?;
        Ok(reply.and_then(|reply| reply.attributes).map(|item| erasures(&item)).unwrap_or_default())
    }

    /// Those of these persons who were forgotten.
    pub async fn tombstones(
        &self,
        seller: &SellerId,
        persons: impl IntoIterator<Item = String>,
        lookup: Lookup,
        now: Timestamp,
    ) -> Result<Vec<Tombstone>, Error> {
        let client = if lookup == Lookup::Webhook { &self.patient } else { &self.client };
        let consistent = lookup == Lookup::Request;
        // One after the other, so that a request's calls have an order.
        let at_once = if lookup == Lookup::Request { 1 } else { AT_ONCE };
        stream::iter(persons)
            .map(|person| async move {
                let key = Some(keyed(keys::tombstone(seller, &person)));
                let get = client.get_item().table_name(&self.table).set_key(key).consistent_read(consistent);
                let item = get.send().await.map_err(|error| Error::of(&self.table, &error))?.item;
                Ok(item.and_then(|item| self.read_tombstone(person, &item, now)))
            })
            .buffer_unordered(at_once)
            .try_filter_map(|found| async { Ok(found) })
            .try_collect()
            .await
    }

    /// Without those whose person has asked for a call since.
    pub async fn not_lifted(&self, seller: &SellerId, found: Vec<Tombstone>) -> Result<Vec<Tombstone>, Error> {
        let mut lifted = BTreeMap::new();
        for erasure in found.iter().flat_map(|tombstone| &tombstone.erasures).collect::<BTreeSet<_>>() {
            lifted.insert(erasure.clone(), self.lifted_at(seller, erasure).await?);
        }
        let is_lifted = |tombstone: &Tombstone| {
            let times = tombstone.erasures.iter().filter_map(|erasure| lifted.get(erasure).copied().flatten());
            times.max().is_some_and(|at| at >= tombstone.at)
        };
        Ok(found.into_iter().filter(|tombstone| !is_lifted(tombstone)).collect())
    }

    /// The person of an erasure has asked for a call: what arrives about them from now on is new.
    pub async fn lift_tombstones(&self, seller: &SellerId, erasure: &ErasureId, now: Timestamp) -> Result<(), Error> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keyed(keys::tombstones_lifted(seller, erasure))))
            .update_expression("SET lifted_at = :at, expires_at = :expires_at")
            .expression_attribute_values(":at", s(instant::millis(now)))
            .expression_attribute_values(":expires_at", n((now + TOMBSTONE_KEPT).as_second()))
            .send()
            .await;
        sent.map(drop).map_err(|error| Error::of(&self.table, &error))
    }

    /// When the person of an erasure asked for a call again.
    pub async fn lifted_at(&self, seller: &SellerId, erasure: &ErasureId) -> Result<Option<Timestamp>, Error> {
        let item = self.item(keys::tombstones_lifted(seller, erasure)).await?;
        Ok(item.and_then(|item| Reader { table: &self.table, item: &item }.time("lifted_at").ok()))
    }

    /// The person of an erasure is forgotten again.
    pub async fn restore_tombstones(&self, seller: &SellerId, erasure: &ErasureId) -> Result<(), Error> {
        self.delete(keys::tombstones_lifted(seller, erasure)).await
    }

    /// `None` where its time is over: DynamoDB deletes it when it likes.
    fn read_tombstone(&self, person: String, item: &Item, now: Timestamp) -> Option<Tombstone> {
        let read = Reader { table: &self.table, item };
        let at = read.time("forgotten_at").ok().filter(|at| *at + TOMBSTONE_KEPT > now)?;
        let decisive = read.maybe_text("decisive").is_some();
        Some(Tombstone { person, decisive, erasures: erasures(item), at })
    }
}

fn erasures(item: &Item) -> BTreeSet<ErasureId> {
    let ids = item.get("erasures").and_then(|ids| ids.as_ss().ok()).into_iter().flatten();
    ids.filter_map(|id| ErasureId::parse(id).ok()).collect()
}
