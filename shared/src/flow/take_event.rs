//! Takes events in: what a page relays in batches, and what a vendor's server sends.

use super::write_budget::{OverBudget, WriteBudget};
use crate::{
    model::{
        event::{Event, Vendor},
        ids::SellerId,
        kind::Kind,
        people::Identifier,
        seller::Seller,
        trust::{Action, NotProven, Trust},
    },
    store::{
        self, Events,
        events::{Stored, Weight},
    },
    vendors::{
        self,
        collect::{self, Batch, Unreadable},
    },
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use std::time::Duration;
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
    let units = claims.iter().filter(|claim| !events.knows(&claim.event)).map(|claim| claim.units).sum();
    budget.take(seller.0, units, now)?;
    taken.people_left_out = claims.iter().map(|claim| claim.left_out).sum();
    if taken.people_left_out > 0 {
        tracing::warn!(seller = %seller.0, people = taken.people_left_out, "events.people_left_out");
    }
    let mut outstanding = claims.len();
    let mut writes = stream::iter(claims)
        .map(|Claim { event, people, .. }| {
            // Boxed: a put of the SDK's is 13 KB, and would be moved from hand to hand.
            Box::pin(async move { (event.draft.kind, events.put(&event, &people).await) })
        })
        .buffer_unordered(AT_ONCE);
    let mut failed = None;
    let end = Instant::now() + LONGEST;
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

/// A page's event, with whom it is found by and what it costs.
struct Claim {
    event: Event,
    people: Vec<String>,
    units: usize,
    /// How many more persons it names.
    left_out: usize,
}

impl Claim {
    /// `None` for an event that costs too much.
    fn of(event: Event, seller: &Seller) -> Option<Self> {
        let mut people = people(&event, seller);
        let named = people.len();
        let most = MOST_UNITS + 2 * event.standing.others.len();
        let weight = Weight::of(&event);
        let counts = (named.min(LEAST_PEOPLE)..=named.min(MOST_PEOPLE)).rev();
        let (count, units) = counts.map(|count| (count, weight.units(count))).find(|(_, units)| *units <= most)?;
        people.truncate(count);
        Some(Self { event, people, units, left_out: named - count })
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
    let people = people(&event, seller.1);
    Ok((events.put(&event, &people).await?, kind))
}

/// The keyed hashes of whom an event tells of, phones first. A vendor's own id of a person is one of them where the
/// event's thread is not that id already, under which it would be found.
fn people(event: &Event, seller: &Seller) -> Vec<String> {
    let draft = &event.draft;
    let user = Some(draft.data.expose().get())
        .filter(|_| Action::Identify.allowed_to(event.trust))
        .and_then(|data| vendors::user(draft.vendor, data))
        .filter(|user| draft.subject.as_str() != user);
    let user = user.map(|user| Identifier::user(draft.vendor, &user));
    let people = vendors::people(draft, event.page.as_deref(), seller.default_country, event.trust);
    user.iter().chain(&people).map(|one| seller.person(one.value())).collect()
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
