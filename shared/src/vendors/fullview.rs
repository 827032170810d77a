//! Fullview's events in the page: custom events on `window`, their `detail` relayed.

use super::{Family, Found, fields, table};
use crate::model::hash;
use serde_json::Value;

/// The name comes bare or as the browser's event type. The vendor fires once per open tab, so call and name make the
/// event; one that we do not know may happen twice in a call, and keeps the page's id.
pub(super) fn read<'e>(name: &'e str, detail: &Value) -> Found<'e> {
    let family = Family::FullviewPage;
    let name = name.strip_prefix("fullview:").unwrap_or(name);
    let call = fields::id(detail.get("callId"));
    let known = table::kind(family, name).is_some();
    let key = call.as_deref().filter(|_| known).map(|call| hash::short(&[family.as_str(), name, call]));
    Found { family, name: Some(name).filter(|name| !name.is_empty()), subject: call, key, time: None }
}
