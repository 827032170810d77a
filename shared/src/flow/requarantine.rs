//! Reads again what nobody could read: after a deploy that knows more names, an event gets its kind, in place and once.

use super::Clock;
use crate::{
    model::{
        event::Vendor,
        ids::{PageEventId, SellerId},
        kind::Kind,
        trust::Trust,
    },
    store::{
        self, Events,
        index::{Entry, Waiting},
    },
    vendors::{self, Read},
};
use jiff::Timestamp;
use serde_json::value::RawValue;

/// What became of a seller's quarantine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reread {
    pub known_now: usize,
    pub still_unknown: usize,
}

/// Entries looked at in one page.
const PAGE: i32 = 100;

/// Page by page through all that waits, or until the time is over: the rest is looked at in the next run.
pub async fn requarantine(
    events: &Events,
    seller: &SellerId,
    clock: &dyn Clock,
    until: Timestamp,
) -> Result<Reread, store::Error> {
    let mut reread = Reread::default();
    let mut last = None;
    while clock.now() < until {
        let page = events.in_quarantine(seller, last.as_ref(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        read_page(events, &page, &mut reread).await?;
        last = page.into_iter().last();
    }
    Ok(reread)
}

async fn read_page(events: &Events, page: &[Entry], reread: &mut Reread) -> Result<(), store::Error> {
    for entry in page {
        let waiting = match events.waiting(entry).await {
            // It stays where it is; the others must not wait for whoever mends it.
            Err(error @ store::Error::Corrupt { .. }) => {
                tracing::error!(error = %error, "events.unreadable");
                reread.still_unknown += 1;
                continue;
            }
            waiting => waiting?,
        };
        let kind = waiting.map(|waiting| read(&waiting));
        match kind {
            Some(Kind::Unknown) => reread.still_unknown += 1,
            Some(kind) => {
                reread.known_now += usize::from(events.set_kind(entry, kind).await?);
                events.drop_entry(entry).await?;
            }
            // Gone, erased, or known already: the entry is all that is left of it.
            None => events.drop_entry(entry).await?,
        }
    }
    Ok(())
}

/// The kind that today's table gives it. What a browser claimed came by the page's route, all else by a webhook's.
fn read(waiting: &Waiting) -> Kind {
    let Some(vendor) = Vendor::parse(&waiting.vendor) else { return Kind::Unknown };
    if Trust::parse(&waiting.trust) != Some(Trust::Claimed) {
        return vendors::read_webhook(vendor, waiting.data.expose().as_bytes())
            .map_or(Kind::Unknown, |draft| draft.kind);
    }
    let page = waiting.id.strip_prefix("page-").and_then(|id| PageEventId::parse(id).ok());
    let data: Option<&RawValue> = serde_json::from_str(waiting.data.expose()).ok();
    let Some(page) = page else { return Kind::Unknown };
    match vendors::read_page(vendor, &waiting.name, data, &page, None) {
        Read::Event(draft) => draft.kind,
        Read::Chatter => Kind::Unknown,
    }
}
