//! What Popin's back end, which looks like Laravel, puts on the wire.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// Marks, among a response's extensions, one whose connection was closed instead: over HTTP nothing of it is sent.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionReset;

pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Bytes> {
    typed(status, "application/json", Bytes::from(body.to_string()))
}

pub(crate) fn html(status: StatusCode) -> Response<Bytes> {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let page =
        format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
    typed(status, "text/html; charset=UTF-8", Bytes::from(page))
}

/// ASSUMPTION: a refusal is a 200 whose `status` is 0, with the reason in `message`.
pub(crate) fn refusal(message: &str) -> Response<Bytes> {
    json(StatusCode::OK, &json!({ "status": 0, "message": message }))
}

/// ASSUMPTION: any other error body has a `message`, as Laravel's have.
pub(crate) fn problem(status: StatusCode, message: &str) -> Response<Bytes> {
    json(status, &json!({ "message": message }))
}

pub(crate) fn with_retry_after(mut reply: Response<Bytes>, seconds: u64) -> Response<Bytes> {
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}

/// The first half of the body, and a length that says it is all.
pub(crate) fn truncated(reply: Response<Bytes>) -> Response<Bytes> {
    reply.map(|body| body.slice(..body.len() / 2))
}

fn typed(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}
