//! HubSpot: properties of contacts and deals, and actions of workflows that wait to be completed.

use super::{Ask, Books, KEY, empty, write};
use crate::replies;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

pub(super) fn answer(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    if ask.header("authorization") != format!("Bearer {KEY}") {
        return replies::json(
            StatusCode::UNAUTHORIZED,
            &json!({"status": "error", "category": "INVALID_AUTHENTICATION"}),
        );
    }
    match (ask.method, ask.path.as_slice()) {
        (&Method::PATCH, ["crm", "v3", "objects", object @ ("contacts" | "deals"), id]) => {
            match texts(&ask.body["properties"]) {
                Some(properties) if !properties.is_empty() => {
                    write(books, format!("hubspot/{object}/{id}"), properties);
                    replies::json(StatusCode::OK, &json!({"id": id, "properties": properties}))
                }
                Some(_) | None => invalid(),
            }
        }
        (&Method::POST, ["automation", "v4", "actions", "callbacks", id, "complete"]) => complete(books, ask, id),
        _ => replies::html(StatusCode::NOT_FOUND),
    }
}

/// ASSUMPTION: a callback that was completed, or has expired, is known no more.
fn complete(books: &mut Books, ask: &Ask<'_>, id: &str) -> Response<Bytes> {
    let outputs = texts(&ask.body["outputFields"]);
    let known = |state: &str| ["SUCCESS", "FAIL_CONTINUE"].contains(&state);
    let state = outputs.and_then(|outputs| outputs.get("hs_execution_state")).and_then(Value::as_str);
    if !ask.body["typedOutputs"].is_object() || !state.is_some_and(known) {
        return invalid();
    }
    if books.callbacks.contains_key(id) {
        return replies::json(StatusCode::NOT_FOUND, &json!({"status": "error", "category": "OBJECT_NOT_FOUND"}));
    }
    books.callbacks.insert(id.to_owned(), ask.body["outputFields"].clone());
    empty(StatusCode::NO_CONTENT)
}

/// HubSpot takes text, and nothing else, for a value.
fn texts(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object().filter(|fields| fields.values().all(Value::is_string))
}

fn invalid() -> Response<Bytes> {
    replies::json(StatusCode::BAD_REQUEST, &json!({"status": "error", "category": "VALIDATION_ERROR"}))
}
