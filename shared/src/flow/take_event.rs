//! Takes events in: what a page relays in batches, and what a vendor's server sends.

use crate::{
    model::{
        event::{Event, Vendor},
        ids::SellerId,
        kind::Kind,
        people::Identifier,
        seller::Seller,
        trust::{Action, NotProven, Trust},
    },
    store::{self, Events, events::Stored},
    vendors::{
        self,
        collect::{self, Batch, Unreadable},
    },
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

/// Writes under way at once for one batch.
const AT_ONCE: usize = 16;

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
    /// The store failed for these.
    pub not_stored: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    NotProven(#[from] NotProven),
    /// With what became of all of them.
    #[error("{error}")]
    Store { error: store::Error, taken: Taken },
}

/// A page's batch. One bad event never sinks the rest; a store that fails sinks all, and what was stored by then is a
/// duplicate when the page tries again.
pub async fn take_page_events(
    events: &Events,
    seller: (&SellerId, &Seller),
    origin: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Taken, BatchError> {
    let trust = Trust::Claimed;
    Action::Store.require(trust)?;
    let Batch { received, events: drafts, chatter, rejected } = collect::read(body, origin)?;
    let mut taken = Taken { received, ignored: chatter, rejected, ..Taken::default() };
    let mut writes = stream::iter(drafts)
        .map(|(draft, page)| {
            // Boxed: a put of the SDK's is 13 KB, and would be moved from hand to hand.
            Box::pin(async move {
                let event = Event::of(seller, trust, now, page, draft);
                let people = people(&event, seller.1);
                (event.draft.kind, events.put(&event, &people).await)
            })
        })
        .buffer_unordered(AT_ONCE);
    let mut failed = None;
    while let Some((kind, stored)) = writes.next().await {
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
    let people = vendors::people(draft, event.page.as_deref(), seller.default_country);
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
