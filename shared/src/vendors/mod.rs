//! Raw vendor event in, [`crate::model::event::Draft`] out: one file per family, pure.
//!
//! Two doors: [`read_page`] for what a browser relays, [`read_webhook`] for what a vendor's server posts. Each family's
//! file says only what it finds in a payload ([`Found`]); the draft is put together here, once. A payload that nobody
//! understands is still an event: kept whole, of kind `unknown`. Nothing here knows a header, so nothing unsigned can
//! take part in an identity.

mod chili_piper_page;
mod chili_piper_webhook;
pub mod collect;
mod fields;
mod fullview;
mod people;
mod popin_outgoing;
mod popin_page;
mod popin_webhook;
mod table;
#[cfg(test)]
mod tests;

pub use people::{contacts, customers, only_of_staff, people, user};
pub use popin_webhook::{Appointment, appointment};
pub use table::{Family, TABLE, version};

use crate::model::{
    canonical::canonical_value,
    event::{Draft, Identity, Thread, UnknownReason, Vendor},
    extent::{self, Excess},
    hash,
    ids::PageEventId,
    kind::Kind,
    sensitive::Sensitive,
    trust::Trust,
};
use jiff::Timestamp;
use serde_json::{Value, value::RawValue};

/// What became of a page's message.
#[derive(Clone, Debug)]
pub enum Read {
    Event(Draft),
    /// A vendor talking to itself: counted, not stored.
    Chatter,
}

/// The body of a webhook is not JSON: the only thing about it that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON")]
pub struct NotJson;

/// What a family finds in one payload.
struct Found<'e> {
    family: Family,
    /// As the table spells it; `None` when the payload has no readable name.
    name: Option<&'e str>,
    /// The vendor's own thread.
    subject: Option<String>,
    /// A hash of what makes this the same event as another, when the payload says so.
    key: Option<String>,
    time: Option<Timestamp>,
}

/// A page's event: `name` and `data` as the collect route carries them.
pub fn read_page(
    vendor: Vendor,
    name: &str,
    data: Option<&RawValue>,
    page_id: &PageEventId,
    at: Option<Timestamp>,
) -> Read {
    let data = data.unwrap_or(RawValue::NULL);
    // What the parser cannot hold (too deep, a number too large) is kept raw: the name is known all the same.
    let value: Value = serde_json::from_str(data.get()).unwrap_or_default();
    if vendor == Vendor::ChiliPiper && chili_piper_page::is_chatter(name) {
        return Read::Chatter;
    }
    let found = found_by_page(vendor, name, &value);
    let (kind, reason) = found.kind();
    Read::Event(Draft {
        vendor,
        name: bounded(name),
        kind,
        subject: Thread::told(found.subject.unwrap_or_else(|| page_id.as_str().to_owned())),
        identity: found.key.map_or_else(|| Identity::Page(page_id.clone()), Identity::Key),
        time: at,
        data: Sensitive::new(data.to_owned()),
        reason,
        read_by: version(),
    })
}

/// A webhook's body. `Err` only for bytes that are not JSON: what is authentic is kept, also when there is too much of
/// it to be read.
pub fn read_webhook(vendor: Vendor, body: &[u8]) -> Result<Draft, NotJson> {
    let data: Box<RawValue> = serde_json::from_slice(body).map_err(|_| NotJson)?;
    let excess = extent::excess(data.get());
    let parsed: Option<Value> = excess.is_none().then(|| serde_json::from_str(data.get()).ok()).flatten();
    let value = parsed.as_ref().unwrap_or(&Value::Null);
    let found = found_by_webhook(vendor, value);
    let (kind, reason) = found.kind();
    let excess = excess.map(|excess| match excess {
        Excess::Depth => UnknownReason::Depth,
        Excess::Keys => UnknownReason::Keys,
    });
    let text = parsed.as_ref().map_or_else(|| data.get().to_owned(), canonical_value);
    let content = || hash::short(&[found.family.as_str(), &text]);
    // Without a thread of the vendor's, an event is its own.
    let hash = found.key.clone().unwrap_or_else(content);
    Ok(Draft {
        vendor,
        name: bounded(found.name.unwrap_or_default()),
        kind,
        subject: found.subject.map_or_else(|| Thread::Hash(hash[..16].to_owned()), Thread::told),
        identity: if found.key.is_some() { Identity::Key(hash) } else { Identity::Window(hash) },
        time: found.time,
        data: Sensitive::new(data),
        reason: excess.or(reason),
        read_by: version(),
    })
}

/// The vendor's own thread of an event that was stored, as its name and payload have it.
pub fn thread(vendor: Vendor, trust: Trust, name: &str, data: &str) -> Option<Thread> {
    let value: Value = serde_json::from_str(data).ok()?;
    let found = match trust {
        Trust::Claimed => found_by_page(vendor, name, &value),
        Trust::Bearer | Trust::Signed | Trust::Confirmed => found_by_webhook(vendor, &value),
    };
    found.subject.map(Thread::told)
}

fn found_by_page<'e>(vendor: Vendor, name: &'e str, value: &'e Value) -> Found<'e> {
    match vendor {
        Vendor::Popin => popin_page::read(name, value),
        Vendor::ChiliPiper => chili_piper_page::read(name, value),
        Vendor::Fullview => fullview::read(name, value),
    }
}

fn found_by_webhook(vendor: Vendor, value: &Value) -> Found<'_> {
    match vendor {
        Vendor::Popin if popin_outgoing::is_outgoing(value) => popin_outgoing::read(value),
        Vendor::Popin => popin_webhook::read(value),
        Vendor::ChiliPiper => chili_piper_webhook::read(value),
        // Fullview documents no webhook: whatever is wired to this route has no name that we could know.
        Vendor::Fullview => Found { family: Family::FullviewPage, name: None, subject: None, key: None, time: None },
    }
}

impl Found<'_> {
    fn kind(&self) -> (Kind, Option<UnknownReason>) {
        match self.name.map(|name| table::kind(self.family, name)) {
            Some(Some(kind)) => (kind, None),
            Some(None) => (Kind::Unknown, Some(UnknownReason::Name)),
            None => (Kind::Unknown, Some(UnknownReason::Shape)),
        }
    }
}

/// A name as it is stored. Looked up and hashed it is always whole.
fn bounded(name: &str) -> String {
    name.chars().take(128).collect()
}
