//! Takes events in: what a page relays in batches, and what a vendor's server sends.

use crate::{
    model::{
        event::{Event, Vendor},
        ids::{PageEventId, SellerId},
        instant,
        kind::Kind,
        phone::{Country, Phone},
        seller::{Seller, normal_email},
        trust::Trust,
    },
    store::{self, Events, events::Stored},
    vendors::{self, Person, Read},
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The most that one batch may carry.
pub const MOST_EVENTS: usize = 100;
/// The most that one page event may weigh, in bytes.
pub const MOST_EVENT_BYTES: usize = 32 * 1024;
/// Beyond this, a payload is not what a widget says.
const MOST_DEPTH: usize = 32;
const MOST_KEYS: usize = 1000;
/// Persons that one event is found by.
const MOST_PEOPLE: usize = 20;
/// Writes under way at once for one batch.
const AT_ONCE: usize = 16;

/// What became of a batch: every event is counted once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub accepted: usize,
    pub duplicate: usize,
    /// A vendor's internal chatter.
    pub ignored: usize,
    /// Position in the batch, and a stable code.
    pub rejected: Vec<(usize, &'static str)>,
    /// How many of the accepted are of kind `unknown`.
    pub quarantined: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error("the body is not JSON of the collect form")]
    NotJson,
    #[error("the batch has more than {MOST_EVENTS} events")]
    TooManyEvents,
    #[error(transparent)]
    Store(#[from] store::Error),
}

#[derive(Deserialize)]
struct Batch<'b> {
    #[serde(borrow)]
    events: Vec<&'b RawValue>,
}

#[derive(Deserialize)]
struct PageEvent<'b> {
    id: Option<serde_json::Value>,
    source: Option<serde_json::Value>,
    name: Option<serde_json::Value>,
    #[serde(borrow)]
    data: Option<&'b RawValue>,
    at: Option<serde_json::Value>,
    page: Option<serde_json::Value>,
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
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(|_| BatchError::NotJson)?;
    if batch.events.len() > MOST_EVENTS {
        return Err(BatchError::TooManyEvents);
    }
    let mut taken = Taken::default();
    let mut fit = Vec::new();
    for (index, raw) in batch.events.iter().enumerate() {
        match read(raw, origin) {
            Ok((Read::Chatter, _)) => taken.ignored += 1,
            Ok((Read::Event(draft), page)) => {
                fit.push(Event { seller: seller.0.clone(), trust: Trust::Claimed, received_at: now, page, draft });
            }
            Err(code) => taken.rejected.push((index, code)),
        }
    }
    let mut writes = stream::iter(fit)
        .map(|event: Event| async move {
            let people = people(&event, seller.1);
            (event.draft.kind, events.put(&event, &people).await)
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
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(taken), |error| Err(error.into()))
}

/// The event and its page, or the code of what is wrong with it.
fn read(raw: &RawValue, origin: &str) -> Result<(Read, Option<String>), &'static str> {
    if raw.get().len() > MOST_EVENT_BYTES {
        return Err("event_too_large");
    }
    let (depth, keys) = extent(raw.get());
    if depth > MOST_DEPTH {
        return Err("event_too_deep");
    }
    if keys > MOST_KEYS {
        return Err("event_too_many_keys");
    }
    let event: PageEvent<'_> = serde_json::from_str(raw.get()).map_err(|_| "event_not_an_object")?;
    let text = |value: Option<serde_json::Value>| value.and_then(|value| value.as_str().map(str::to_owned));
    let id = text(event.id).and_then(|id| PageEventId::parse(id.to_ascii_lowercase()).ok()).ok_or("id_invalid")?;
    let vendor = text(event.source).and_then(|source| Vendor::parse(&source)).ok_or("source_unknown")?;
    let name = text(event.name).filter(|name| !name.trim().is_empty()).ok_or("name_missing")?;
    let page = match text(event.page).filter(|page| !page.is_empty()) {
        Some(page) => Some(page_of(&page, origin).ok_or("page_not_of_origin")?),
        None => None,
    };
    let at = event.at.as_ref().and_then(instant::vendor);
    Ok((vendors::read_page(vendor, &name, event.data, &id, at), page))
}

/// How deep a JSON text is nested and how many keys it has, in one pass and without building anything.
fn extent(json: &str) -> (usize, usize) {
    let (mut depth, mut deepest, mut keys) = (0usize, 0, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' => keys += 1,
            _ => {}
        }
    }
    (deepest, keys)
}

/// The page without its query and fragment (they carry personal data), if it is of the request's origin.
fn page_of(page: &str, origin: &str) -> Option<String> {
    let path = page.split(['?', '#']).next().unwrap_or_default();
    let rest =
        path.get(..origin.len()).filter(|start| start.eq_ignore_ascii_case(origin)).map(|_| &path[origin.len()..])?;
    (rest.is_empty() || rest.starts_with('/')).then(|| path.chars().take(512).collect())
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
    let draft = vendors::read_webhook(vendor, body).map_err(|_| WebhookError::NotJson)?;
    let kind = draft.kind;
    let event = Event { seller: seller.0.clone(), trust, received_at: now, page: None, draft };
    let people = people(&event, seller.1);
    Ok((events.put(&event, &people).await?, kind))
}

/// The keyed hashes of whom an event tells of; more than a handful are a list, not a person's event.
fn people(event: &Event, seller: &Seller) -> Vec<String> {
    let mut values: Vec<String> = vendors::people(&event.draft)
        .into_iter()
        .filter_map(|person| match person {
            Person::Email(email) => Some(normal_email(email.expose())),
            Person::Phone { raw, country } => {
                let country = country.as_deref().and_then(Country::parse).unwrap_or(seller.default_country);
                Some(Phone::parse(raw.expose(), country).ok()?.e164().expose().clone())
            }
        })
        .collect();
    values.sort();
    values.dedup();
    values.iter().take(MOST_PEOPLE).map(|value| seller.person(value)).collect()
}

#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("the body is not JSON")]
    NotJson,
    #[error(transparent)]
    Store(#[from] store::Error),
}

#[cfg(test)]
mod tests {
    use super::{extent, page_of};

    #[test]
    fn depth_and_keys_are_counted_outside_of_text() {
        assert_eq!(extent(r#"{"a":{"b:{":[1,{"c":"\"}:"}]}}"#), (4, 4));
        assert_eq!(extent("7"), (0, 0));
        assert_eq!(extent(&"[".repeat(200)), (200, 0));
    }

    #[test]
    fn a_page_must_be_of_the_requests_origin_and_loses_its_query() {
        let origin = "https://shop.example.com";
        assert_eq!(
            page_of("https://shop.example.com/p?mobile=1#x", origin).as_deref(),
            Some("https://shop.example.com/p")
        );
        assert_eq!(page_of("https://SHOP.example.com", origin).as_deref(), Some("https://SHOP.example.com"));
        for foreign in
            ["https://shop.example.com.evil.example", "https://evil.example/", "http://shop.example.com/", "", "é"]
        {
            assert_eq!(page_of(foreign, origin), None, "{foreign}");
        }
    }
}
