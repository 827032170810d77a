//! PHP's other types: the same facts, as a careless back end would encode them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};

/// `status` as text, `customer_id` as its row number, filtered lists of slots as objects that start anywhere.
pub(crate) fn of_reply(reply: Response<Bytes>) -> Response<Bytes> {
    reply.map(|body| {
        let Ok(mut value) = serde_json::from_slice::<Value>(&body) else { return body };
        if let Some(status) = value.get_mut("status") {
            *status = Value::String(status.to_string());
        }
        if let Some(id) = value.get_mut("customer_id") {
            *id = row(id).map_or(Value::Null, Value::from);
        }
        for day in value.get_mut("availability").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(slots) = day.get_mut("slots").filter(|slots| slots.as_array().is_some_and(|s| !s.is_empty())) {
                *slots = keyed(slots);
            }
        }
        Bytes::from(value.to_string())
    })
}

/// `user_id` as a number, empty maps as lists.
pub(crate) fn of_webhook(mut body: Value) -> Value {
    if let Some(id) = body.get("user_id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok()) {
        body["user_id"] = id.into();
    }
    for pointer in ["/meta", "/properties", "/properties/meta"] {
        if let Some(map) = body.pointer_mut(pointer).filter(|map| map.as_object().is_some_and(Map::is_empty)) {
            *map = json!([]);
        }
    }
    body
}

fn row(customer_id: &Value) -> Option<u64> {
    let digits = BASE64_STANDARD.decode(customer_id.as_str()?).ok()?;
    str::from_utf8(&digits).ok()?.parse().ok()
}

fn keyed(slots: &Value) -> Value {
    let slots = slots.as_array().into_iter().flatten();
    slots.enumerate().map(|(index, slot)| ((index + 3).to_string(), slot.clone())).collect::<Map<_, _>>().into()
}
