//! A seller's own receiver of Standard Webhooks: it keeps what it is told; the signature is the test's to check.

use super::{Ask, Books, empty};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

#[derive(Clone, Debug, Serialize)]
pub struct Message {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    /// As it was signed.
    pub raw: String,
    pub body: Value,
}

pub(super) fn answer(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    let header = |name: &str| ask.header(name).to_owned();
    let message = Message {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        raw: String::from_utf8_lossy(ask.raw).into_owned(),
        body: ask.body.clone(),
    };
    let whole = !message.id.is_empty() && !message.timestamp.is_empty() && !message.signature.is_empty();
    if ask.method != Method::POST || !whole {
        return empty(StatusCode::BAD_REQUEST);
    }
    books.messages.push(message);
    empty(StatusCode::NO_CONTENT)
}
