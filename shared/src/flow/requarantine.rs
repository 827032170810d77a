//! Reads again what nobody could read: after a deploy that knows more names, an event gets its kind, in place and once.

use super::Clock;
use crate::{
    model::{
        event::Vendor,
        ids::{PageEventId, SellerId, TableVersion},
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

/// What became of a seller's quarantine. Only what this table of names had not read before is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reread {
    pub known_now: usize,
    pub still_unknown: usize,
    /// Looked at again in the next run.
    pub failed: usize,
}

/// Entries in one page.
const PAGE: i32 = 100;

/// Page by page through all that this table of names has not read yet, or until the time is over. What stays unknown is
/// put behind, so the next run goes on where this one ended, and none reads an event twice by one table.
pub async fn requarantine(
    events: &Events,
    seller: &SellerId,
    clock: &dyn Clock,
    until: Timestamp,
) -> Result<Reread, store::Error> {
    let version = &vendors::version();
    let mut reread = Reread::default();
    let mut last = None;
    'pages: while clock.now() < until {
        let page = events.in_quarantine(seller, version, last.as_ref(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        for entry in &page {
            // One by one, so that no more than one look goes on when the time is over.
            if clock.now() >= until {
                break 'pages;
            }
            match look(events, entry, version).await {
                Ok(Look::Known) => reread.known_now += 1,
                Ok(Look::Unknown) => reread.still_unknown += 1,
                Ok(Look::Done) => {}
                // One that cannot be read or written must not hold up the others.
                Err(error) => {
                    reread.failed += 1;
                    tracing::error!(seller = %seller, error = %error, "quarantine.not_reread");
                }
            }
        }
        last = page.into_iter().last();
    }
    Ok(reread)
}

/// What a look at an entry came to.
enum Look {
    /// It has its kind now, and it was us who gave it.
    Known,
    Unknown,
    /// Gone, erased, or looked at by somebody else meanwhile.
    Done,
}

async fn look(events: &Events, entry: &Entry, version: &TableVersion) -> Result<Look, store::Error> {
    match events.waiting(entry).await?.map(|waiting| read(&waiting)) {
        Some(Kind::Unknown) => {
            let us = events.read_in_vain(entry, version).await?;
            Ok(if us { Look::Unknown } else { Look::Done })
        }
        Some(kind) => {
            let us = events.set_kind(entry, kind).await?;
            events.drop_entry(entry).await?;
            Ok(if us { Look::Known } else { Look::Done })
        }
        None => {
            events.drop_entry(entry).await?;
            Ok(Look::Done)
        }
    }
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
