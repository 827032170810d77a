//! Popin's events in the page, as its widget hands them to `window.popinEvent`.

use super::{Family, Found, fields};
use serde_json::Value;

/// Every event carries the session's `uid`, and none an id or a time of its own: the page's id tells copies apart. Names
/// that belong to the webhook are unknown here, save `popin_call_missed`, which in the page means "all experts are busy".
pub(super) fn read<'e>(name: &'e str, data: &Value) -> Found<'e> {
    Found {
        family: Family::PopinPage,
        name: Some(name).filter(|name| !name.is_empty()),
        subject: fields::id(data.get("uid")),
        key: None,
        time: None,
    }
}
