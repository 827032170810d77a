//! Takes events in: what a page relays in batches, and what a vendor's server sends.

use super::write_budget::{OverBudget, WriteBudget};
use crate::{
    model::{
        event::{Draft, Event, Vendor},
        ids::SellerId,
        kind::Kind,
        people::Identifier,
        seller::Seller,
        tombstone::{self, Tombstone},
        trust::{Action, NotProven, Trust},
    },
    store::{
        self, Events,
        events::{Stored, Weight},
        tombstones::Lookup,
    },
    vendors::{
        self,
        collect::{self, Batch, Unreadable},
    },
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Writes under way at once for one batch.
const AT_ONCE: usize = 16;
/// How long a batch may take. Its page waits 20 s, and who is killed at the end of an invocation tells nothing.
const LONGEST: Duration = Duration::from_secs(10);
/// Write units that one event of a page's may cost, besides two for each former key of a seller whose key is being rotated.
pub const MOST_UNITS: usize = 10;
/// The persons that such an event is found by: this many at most, fewer where they would cost more than that, and this many
/// at least, or it is too large.
const MOST_PEOPLE: usize = 4;
const LEAST_PEOPLE: usize = 2;
/// The persons of one event who are looked up among those who were forgotten: as many as it is found by at most.
const MOST_LOOKED_UP: usize = 100;

/// What became of a batch: every event that it carried is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What the batch carried, whatever became of it.
    pub received: usize,
    pub accepted: usize,
    pub duplicate: usize,
    /// A vendor's internal chatter.
    pub ignored: usize,
    /// Position in the batch, and a stable code.
    pub rejected: Vec<(usize, &'static str)>,
    /// How many of the accepted are of kind `unknown`.
    pub quarantined: usize,
    /// The store failed for these, or did not answer in time.
    pub not_stored: usize,
    /// Persons in page events whom no entry leads to.
    pub people_left_out: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    NotProven(#[from] NotProven),
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// With what became of all of them.
    #[error("{error}")]
    Store { error: store::Error, taken: Taken },
    /// The same.
    #[error("the table did not answer within {} s", LONGEST.as_secs())]
    Late { taken: Taken },
}

/// A page's batch. One bad event never sinks the rest; a store that fails sinks all, and what was stored by then is a
/// duplicate when the page tries again. Anyone may send it: what it writes is bounded for each event, for the batch by that,
/// and for the seller by `budget`, before the first write.
pub async fn take_page_events(
    events: &Events,
    budget: &WriteBudget,
    seller: (&SellerId, &Seller),
    origin: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Taken, BatchError> {
    let trust = Trust::Claimed;
    Action::Store.require(trust)?;
    let Batch { received, events: drafts, chatter, rejected } = collect::read(body, origin)?;
    let mut taken = Taken { received, ignored: chatter, rejected, ..Taken::default() };
    let mut claims = Vec::with_capacity(drafts.len());
    for (index, draft, page) in drafts {
        match Claim::of(Event::of(seller, trust, now, page, draft), seller.1) {
            Some(claim) => claims.push(claim),
            None => taken.rejected.push((index, "event_too_large")),
        }
    }
    taken.rejected.sort_unstable();
    let units = claims.iter().filter(|claim| !events.knows(&claim.named.event)).map(|claim| claim.units).sum();
    budget.take(seller.0, units, now)?;
    taken.people_left_out = claims.iter().map(|claim| claim.left_out).sum();
    if taken.people_left_out > 0 {
        tracing::warn!(seller = %seller.0, people = taken.people_left_out, "events.people_left_out");
    }
    let end = Instant::now() + LONGEST;
    let mut outstanding = claims.len();
    let mut named: Vec<Named> = claims.into_iter().map(|claim| claim.named).collect();
    match timeout_at(end, blank_forgotten(events, seller, &mut named, Lookup::Page)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            taken.not_stored += outstanding;
            return Err(BatchError::Store { error, taken });
        }
        Err(_) => {
            taken.not_stored += outstanding;
            return Err(BatchError::Late { taken });
        }
    }
    let mut writes = stream::iter(named)
        .map(|named| {
            // Boxed: a put of the SDK's is 13 KB, and would be moved from hand to hand.
            Box::pin(async move { (named.event.draft.kind, named.put(events, seller.1).await) })
        })
        .buffer_unordered(AT_ONCE);
    let mut failed = None;
    while outstanding > 0 {
        // A write that is given up here may have been done: it is a duplicate when the page tries again.
        let Ok(Some((kind, stored))) = timeout_at(end, writes.next()).await else {
            taken.not_stored += outstanding;
            return Err(BatchError::Late { taken });
        };
        outstanding -= 1;
        match stored {
            Ok(Stored::New) => {
                taken.accepted += 1;
                taken.quarantined += usize::from(kind == Kind::Unknown);
            }
            Ok(Stored::Duplicate) => taken.duplicate += 1,
            Err(error) => {
                taken.not_stored += 1;
                failed = Some(error);
            }
        }
    }
    match failed {
        None => Ok(taken),
        Some(error) => Err(BatchError::Store { error, taken }),
    }
}

/// An event, and whom it names.
struct Named {
    event: Event,
    /// By the vendor's own id.
    user: Option<Identifier>,
    /// By numbers and addresses, numbers first.
    people: Vec<Identifier>,
}

impl Named {
    fn of(event: Event, seller: &Seller) -> Self {
        let draft = &event.draft;
        let user = Some(draft.data.expose().get())
            .filter(|_| Action::Identify.allowed_to(event.trust))
            .and_then(|data| vendors::user(draft.vendor, data))
            .map(|user| Identifier::user(draft.vendor, &user));
        let people = vendors::people(draft, event.page.as_deref(), seller.default_country, event.trust);
        Self { event, user, people }
    }

    async fn put(&self, events: &Events, seller: &Seller) -> Result<Stored, store::Error> {
        let Draft { vendor, subject, .. } = &self.event.draft;
        // Where the thread is the vendor's id, the event is found by its thread.
        let user = self.user.as_ref().filter(|user| **user != Identifier::user(*vendor, subject.as_str()));
        let people: Vec<String> = user.into_iter().chain(&self.people).map(|one| seller.person(one.value())).collect();
        events.put(&self.event, &people).await
    }

    /// The keyed hashes by which it may be an event of somebody who was forgotten.
    fn persons(&self, seller: &Seller) -> impl Iterator<Item = String> {
        let named = self.user.iter().chain(&self.people).take(MOST_LOOKED_UP);
        named.flat_map(|one| seller.persons(one.value()))
    }

    /// Whether one of these tombstones is of the customer whom it is about. Staff who were forgotten go on working.
    fn is_about(&self, tombstones: &[Tombstone], seller: &Seller) -> bool {
        let Event { draft, page, trust, .. } = &self.event;
        let customers = vendors::customers(draft, page.as_deref(), seller.default_country, *trust);
        let named = self.user.iter().chain(&customers).map(|one| seller.persons(one.value()).collect());
        tombstone::cover(tombstones, &named.collect::<Vec<_>>())
    }
}

/// A page's event, and what it costs.
struct Claim {
    named: Named,
    units: usize,
    /// How many more persons it names.
    left_out: usize,
}

impl Claim {
    /// `None` for an event that costs too much.
    fn of(event: Event, seller: &Seller) -> Option<Self> {
        let mut named = Named::of(event, seller);
        let found = named.people.len();
        let most = MOST_UNITS + 2 * named.event.standing.others.len();
        let weight = Weight::of(&named.event);
        let counts = (found.min(LEAST_PEOPLE)..=found.min(MOST_PEOPLE)).rev();
        let (count, units) = counts.map(|count| (count, weight.units(count))).find(|(_, units)| *units <= most)?;
        named.people.truncate(count);
        Some(Self { named, units, left_out: found - count })
    }
}

/// A vendor's webhook, whose sender is proven to `trust`.
pub async fn take_webhook(
    events: &Events,
    seller: (&SellerId, &Seller),
    vendor: Vendor,
    trust: Trust,
    body: &[u8],
    now: Timestamp,
) -> Result<(Stored, Kind), WebhookError> {
    Action::Store.require(trust)?;
    let draft = vendors::read_webhook(vendor, body).map_err(|_| WebhookError::NotJson)?;
    let kind = draft.kind;
    let event = Event::of(seller, trust, now, None, draft);
    let mut named = [Named::of(event, seller.1)];
    blank_forgotten(events, seller, &mut named, Lookup::Webhook).await?;
    let [named] = named;
    Ok((named.put(events, seller.1).await?, kind))
}

/// Blanks what arrives late about persons who were forgotten: then their data is not even written. An event that names
/// nobody, or that this process has put before, costs no call.
async fn blank_forgotten(
    events: &Events,
    (id, seller): (&SellerId, &Seller),
    named: &mut [Named],
    lookup: Lookup,
) -> Result<(), store::Error> {
    let new = named.iter().filter(|one| !events.knows(&one.event));
    let persons: BTreeSet<String> = new.flat_map(|one| one.persons(seller)).collect();
    let Some(now) = named.iter().map(|one| one.event.received_at).max().filter(|_| !persons.is_empty()) else {
        return Ok(());
    };
    let found = events.tombstones(id, persons, lookup, now).await?;
    let tombstones = events.not_lifted(id, found).await?;
    if tombstones.is_empty() {
        return Ok(());
    }
    for one in named.iter_mut().filter(|one| one.is_about(&tombstones, seller)) {
        one.event.blank();
        one.user = None;
        one.people.clear();
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("the body is not JSON")]
    NotJson,
    #[error(transparent)]
    NotProven(#[from] NotProven),
    #[error(transparent)]
    Store(#[from] store::Error),
}
