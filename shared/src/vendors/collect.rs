//! The collect body: what our own script sends from a page, event by event.

use super::{Read, read_page};
use crate::model::{
    event::{Draft, Vendor},
    extent::{Excess, excess},
    ids::PageEventId,
    instant,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The most that one batch may carry.
pub const MOST_EVENTS: usize = 100;
/// The most that one page event may weigh, in bytes: what is larger costs over 10 write units, which no page may cause.
pub const MOST_EVENT_BYTES: usize = 10 * 1024;

/// A batch as far as it can be read: one bad event never sinks the rest.
#[derive(Debug, Default)]
pub struct Batch {
    /// How many it carried.
    pub received: usize,
    /// With the position in the batch, and the page that each came from.
    pub events: Vec<(usize, Draft, Option<String>)>,
    /// How many were a vendor's internal chatter.
    pub chatter: usize,
    /// Position in the batch, and a stable code.
    pub rejected: Vec<(usize, &'static str)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is not JSON of the collect form")]
    NotJson,
    #[error("the batch has more than {MOST_EVENTS} events")]
    TooManyEvents,
}

#[derive(Deserialize)]
struct Body<'b> {
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

pub fn read(body: &[u8], origin: &str) -> Result<Batch, Unreadable> {
    let body: Body<'_> = serde_json::from_slice(body).map_err(|_| Unreadable::NotJson)?;
    if body.events.len() > MOST_EVENTS {
        return Err(Unreadable::TooManyEvents);
    }
    let mut batch = Batch { received: body.events.len(), ..Batch::default() };
    for (index, raw) in body.events.iter().enumerate() {
        match event(raw, origin) {
            Ok((Read::Chatter, _)) => batch.chatter += 1,
            Ok((Read::Event(draft), page)) => batch.events.push((index, draft, page)),
            Err(code) => batch.rejected.push((index, code)),
        }
    }
    Ok(batch)
}

/// The event and its page, or the code of what is wrong with it.
fn event(raw: &RawValue, origin: &str) -> Result<(Read, Option<String>), &'static str> {
    if raw.get().len() > MOST_EVENT_BYTES {
        return Err("event_too_large");
    }
    match excess(raw.get()) {
        Some(Excess::Depth) => return Err("event_too_deep"),
        Some(Excess::Keys) => return Err("event_too_many_keys"),
        None => {}
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
    Ok((read_page(vendor, &name, event.data, &id, at), page))
}

/// The page without its query and fragment (they carry personal data), if it is of the request's origin.
fn page_of(page: &str, origin: &str) -> Option<String> {
    let path = page.split(['?', '#']).next().unwrap_or_default();
    let rest =
        path.get(..origin.len()).filter(|start| start.eq_ignore_ascii_case(origin)).map(|_| &path[origin.len()..])?;
    (rest.is_empty() || rest.starts_with('/')).then(|| path.chars().take(512).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendors::tests::hostile::any_text;
    use proptest::prelude::*;
    use serde_json::json;

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

    const ORIGIN: &str = "https://shop.example.com";

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_every_event_is_counted_once(bytes in any::<Vec<u8>>(), cut in 0usize..200) {
            let good = json!({"events": [{"id": "018f2b6e-7c1a-7e3b-9d0a-000000000001", "source": "popin", "name": "popin_open"}, 7]}).to_string();
            for body in [&bytes[..], &good.as_bytes()[..cut.min(good.len())]] {
                drop(read(body, ORIGIN));
            }
        }

        #[test]
        fn any_json_is_read_or_refused_and_every_event_is_counted_once(texts in prop::collection::vec((any_text(), any::<bool>()), 0..4)) {
            // Half of them as an event, half as an event's data.
            let events: Vec<_> = texts.iter().map(|(text, bare)| if *bare { text.clone() } else { event_with(text) }).collect();
            let batch = read(format!(r#"{{"events":[{}]}}"#, events.join(",")).as_bytes(), ORIGIN).unwrap();
            prop_assert_eq!(batch.events.len() + batch.chatter + batch.rejected.len(), events.len());
            for (_, draft, _) in &batch.events {
                prop_assert!(draft.data.expose().get().len() <= MOST_EVENT_BYTES);
            }
        }
    }

    fn event_with(data: &str) -> String {
        format!(r#"{{"id":"018f2b6e-7c1a-7e3b-9d0a-000000000001","source":"popin","name":"x","data":{data}}}"#)
    }

    #[test]
    fn hostile_shapes_are_refused_one_by_one() {
        let event = event_with;
        let keys: Vec<_> = (0..1100).map(|n| format!("\"{n}\":0")).collect();
        let rows = [
            (event(&"[".repeat(200)), Err(Unreadable::NotJson)),
            (event(&format!("{}{}", "[".repeat(200), "]".repeat(200))), Ok("event_too_deep")),
            (event(&format!("{{{}}}", keys.join(","))), Ok("event_too_many_keys")),
            (event(&format!("\"{}\"", "x".repeat(MOST_EVENT_BYTES))), Ok("event_too_large")),
        ];
        for (event, expected) in rows {
            let read = read(format!(r#"{{"events":[{event}]}}"#).as_bytes(), ORIGIN);
            match expected {
                Ok(code) => assert_eq!(read.unwrap().rejected, [(0, code)]),
                Err(error) => assert_eq!(read.unwrap_err(), error),
            }
        }
        // Kept as they are: a lone surrogate, a number beyond all bounds, a key twice.
        for data in [r#"{"a":"\ud800"}"#, r#"{"a":1e999}"#, r#"{"a":1,"a":2}"#] {
            let batch = read(format!(r#"{{"events":[{}]}}"#, event(data)).as_bytes(), ORIGIN).unwrap();
            assert_eq!(batch.events[0].1.data.expose().get(), data);
        }
    }
}
