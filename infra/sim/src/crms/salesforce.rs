//! Salesforce: the client-credentials flow, and one record over REST.

use super::{Ask, Books, KEY, empty, write};
use crate::replies;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

pub(super) fn answer(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    match (ask.method, ask.path.as_slice()) {
        (&Method::POST, ["services", "oauth2", "token"]) => login(books, ask),
        (&Method::PATCH, ["services", "data", version, "sobjects", object, id]) => {
            let token = ask.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
            if !books.tokens.knows(token, ask.now) {
                return error(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID");
            }
            let number = version.strip_prefix('v').and_then(|version| version.strip_suffix(".0"));
            if number.is_none_or(|number| number.parse::<u32>().is_err()) || !matches!(id.len(), 15 | 18) {
                return error(StatusCode::NOT_FOUND, "NOT_FOUND");
            }
            match ask.body.as_object() {
                Some(fields) if fields.keys().all(|field| field.ends_with("__c")) => {
                    write(books, format!("salesforce/{object}/{id}"), fields);
                    empty(StatusCode::NO_CONTENT)
                }
                Some(_) | None => error(StatusCode::BAD_REQUEST, "INVALID_FIELD"),
            }
        }
        _ => replies::html(StatusCode::NOT_FOUND),
    }
}

fn login(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    let field = |name| ask.form(name).unwrap_or_default();
    if field("grant_type") != "client_credentials" || field("client_secret") != KEY {
        return replies::json(StatusCode::BAD_REQUEST, &json!({"error": "invalid_client"}));
    }
    let token = books.tokens.issue("salesforce", ask.now);
    replies::json(StatusCode::OK, &json!({"access_token": token, "token_type": "Bearer", "scope": "api"}))
}

fn error(status: StatusCode, code: &str) -> Response<Bytes> {
    replies::json(status, &Value::from(vec![json!({"errorCode": code, "message": "no"})]))
}
