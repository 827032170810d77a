//! Pipedrive and Freshsales: one key, one record.

use super::{Ask, Books, KEY, write};
use crate::replies;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

pub(super) fn pipedrive(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    if ask.header("x-api-token") != KEY {
        return replies::json(StatusCode::UNAUTHORIZED, &json!({"success": false, "error": "unauthorized access"}));
    }
    match (ask.method, ask.path.as_slice()) {
        (&Method::PATCH, ["api", "v2", object @ ("persons" | "deals"), id]) => {
            keep(books, format!("pipedrive/{object}/{id}"), &ask.body["custom_fields"])
        }
        (&Method::PATCH, ["api", "v1", "leads", id]) => keep(books, format!("pipedrive/leads/{id}"), &ask.body),
        _ => replies::html(StatusCode::NOT_FOUND),
    }
}

pub(super) fn freshsales(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    if ask.header("authorization") != format!("Token token={KEY}") {
        return replies::json(StatusCode::UNAUTHORIZED, &json!({"login": "failed"}));
    }
    match (ask.method, ask.path.as_slice()) {
        (&Method::PUT, ["crm", "sales", "api", "contacts", id]) => {
            keep(books, format!("freshsales/contacts/{id}"), &ask.body["contact"]["custom_field"])
        }
        (&Method::PUT, ["crm", "sales", "api", "deals", id]) => {
            keep(books, format!("freshsales/deals/{id}"), &ask.body["deal"]["custom_field"])
        }
        _ => replies::html(StatusCode::NOT_FOUND),
    }
}

fn keep(books: &mut Books, path: String, fields: &Value) -> Response<Bytes> {
    match fields.as_object().filter(|fields| !fields.is_empty()) {
        Some(fields) => {
            write(books, path, fields);
            replies::json(StatusCode::OK, &json!({"success": true}))
        }
        None => replies::json(StatusCode::BAD_REQUEST, &json!({"success": false})),
    }
}
