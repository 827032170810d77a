//! An HTTP request as the event of API Gateway's payload format 2.0.

use super::routes::{Found, decoded};
use crate::functions;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, header};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const CALLER: &str = "127.0.0.1";

pub(super) fn of(request: &Request<Bytes>, route: &Found<'_>, id: &str, now: Timestamp) -> Value {
    let uri = request.uri();
    let headers = headers(request.headers(), id, now);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let mut event = json!({
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": "local",
            "http": {
                "method": request.method().as_str(),
                "path": uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": CALLER,
                "userAgent": headers.get("user-agent"),
            },
            "requestId": id,
            "routeKey": route.key,
            "stage": "$default",
            "time": now.to_zoned(TimeZone::UTC).strftime("%d/%b/%Y:%H:%M:%S %z").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "headers": headers,
        "isBase64Encoded": false,
    });
    let cookies = cookies(request.headers());
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    if let Some(query) = uri.query().filter(|query| !query.is_empty()) {
        event["queryStringParameters"] = Value::Object(query_values(query));
    }
    if !route.parameters.is_empty() {
        let parameters = route.parameters.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
        event["pathParameters"] = Value::Object(parameters.collect());
    }
    match std::str::from_utf8(request.body()) {
        Ok("") => {}
        Ok(text) => event["body"] = text.into(),
        Err(_) => {
            event["body"] = STANDARD.encode(request.body()).into();
            event["isBase64Encoded"] = true.into();
        }
    }
    event
}

/// Lower case, repeated ones joined by commas, cookies apart; and those that API Gateway adds.
fn headers(sent: &HeaderMap, id: &str, now: Timestamp) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in sent.iter().filter(|(name, _)| *name != header::COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = headers.entry(name.as_str().to_owned()).or_default();
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(&value);
    }
    let forwarded = headers.entry("x-forwarded-for".to_owned()).or_default();
    if !forwarded.is_empty() {
        forwarded.push_str(", ");
    }
    forwarded.push_str(CALLER);
    headers.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    headers.entry("x-amzn-trace-id".to_owned()).or_insert_with(|| functions::trace(id, now));
    headers
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).map(|cookie| cookie.trim().to_owned()).filter(|c| !c.is_empty()).collect()
}

/// Decoded, repeated ones joined by commas.
fn query_values(query: &str) -> Map<String, Value> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let [name, value] = [name, value].map(|text| decoded(&text.replace('+', " ")));
        values.entry(name).and_modify(|joined| *joined = format!("{joined},{value}")).or_insert(value);
    }
    values.into_iter().map(|(name, value)| (name, value.into())).collect()
}
