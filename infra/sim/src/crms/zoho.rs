//! Zoho: the refresh flow, and one record, whose workflows start again unless they are told not to.

use super::{Ask, Books, KEY, write};
use crate::replies;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::json;

pub(super) fn answer(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    match (ask.method, ask.path.as_slice()) {
        (&Method::POST, ["oauth", "v2", "token"]) => login(books, ask),
        (&Method::PUT, ["crm", "v8", module, id]) => {
            let token = ask.header("authorization").strip_prefix("Zoho-oauthtoken ").unwrap_or_default();
            if !books.tokens.knows(token, ask.now) {
                return replies::json(StatusCode::UNAUTHORIZED, &json!({"code": "INVALID_TOKEN", "status": "error"}));
            }
            // A caller that leaves the triggers on would be called again, and again.
            let quiet = ask.body["trigger"].as_array().is_some_and(Vec::is_empty);
            match (ask.body["data"].as_array().map(Vec::as_slice), quiet) {
                (Some([one]), true) if one.is_object() => {
                    write(books, format!("zoho/{module}/{id}"), one.as_object().unwrap_or(&serde_json::Map::new()));
                    replies::json(StatusCode::OK, &json!({"data": [{"code": "SUCCESS", "status": "success"}]}))
                }
                (Some(_) | None, _) => replies::json(
                    StatusCode::BAD_REQUEST,
                    &json!({"data": [{"code": "INVALID_DATA", "status": "error"}]}),
                ),
            }
        }
        _ => replies::html(StatusCode::NOT_FOUND),
    }
}

/// A refresh token that is not known is a 200.
fn login(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    let field = |name| ask.form(name).unwrap_or_default();
    if field("grant_type") != "refresh_token" || field("refresh_token") != KEY {
        return replies::json(StatusCode::OK, &json!({"error": "invalid_code"}));
    }
    let token = books.tokens.issue("zoho", ask.now);
    replies::json(StatusCode::OK, &json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"}))
}
