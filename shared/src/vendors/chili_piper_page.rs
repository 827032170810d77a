//! Chili Piper's events in the page: the messages that its scheduler posts to the window around it.

use super::{Family, Found, fields};
use crate::model::hash;
use serde_json::Value;

/// The scheduler's own talk with the form that it listens to; no act of the visitor's.
const CHATTER: [&str; 2] = ["started-listening-form-data-update", "stopped-listening-form-data-update"];

pub(super) fn is_chatter(action: &str) -> bool {
    CHATTER.contains(&action)
}

/// `data` is the whole message, `{action, args}`; the vendor's own examples show the fields flat, and `REDIRECT` has its
/// `url` beside the action, so a field is looked for in both places. `args` may be of any type.
pub(super) fn read<'e>(action: &'e str, data: &Value) -> Found<'e> {
    let family = Family::ChiliPiperPage;
    let id = |key| fields::id(data.get("args").and_then(|args| args.get(key))).or_else(|| fields::id(data.get(key)));
    let (event, route) = (id("eventId"), id("routeId"));
    let name = Some(action).filter(|action| !action.is_empty());
    // Only the confirmation is sent to several listeners and frames. A meeting that moves keeps its id and gets another
    // slot, so both are part of the key.
    if let Some(event) = event.clone().filter(|_| action == "booking-confirmed") {
        let (start, end) = (fields::moment(slot(data, "start")), fields::moment(slot(data, "end")));
        let key = Some(hash::short(&[family.as_str(), action, &event, &start, &end]));
        // Not the route: it may come with one copy and not with the other, and one key must not stand under two subjects.
        return Found { family, name, subject: Some(event), key, time: None };
    }
    Found { family, name, subject: route.or(event), key: None, time: None }
}

fn slot<'v>(data: &'v Value, end: &str) -> Option<&'v Value> {
    let within = |holder: Option<&'v Value>| holder?.get("slot")?.get(end).filter(|value| !value.is_null());
    within(data.get("args")).or_else(|| within(Some(data)))
}
