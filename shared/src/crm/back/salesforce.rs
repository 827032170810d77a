//! Salesforce: one record over REST, by a token of the client-credentials flow at the seller's own domain.

use super::{Call, Meaning, NoCall, form, plain, record, values};
use crate::model::{origin::Origin, seller::SalesforceBack, write_back::News};
use http::{Method, header};
use serde_json::Value;

pub(super) fn login(back: &SalesforceBack, base: &str) -> Call {
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("client_id", back.client_id.expose()),
        ("client_secret", back.client_secret.expose()),
    ]);
    Call::new("login", Method::POST, format!("{base}/services/oauth2/token"), body)
        .with(header::CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")
}

pub(super) fn call(
    back: &SalesforceBack,
    base: &str,
    origin: &Origin,
    news: &News,
    token: &str,
) -> Result<Call, NoCall> {
    let fields = values(&back.fields, news, &Value::Null);
    let id = record(origin)?;
    let url = format!("{base}/services/data/{}/sobjects/{}/{id}", back.api_version, object(origin, id)?);
    Ok(Call::new("record", Method::PATCH, url, Value::Object(fields).to_string())
        .with(header::AUTHORIZATION.as_str(), format!("Bearer {token}")))
}

/// As the trigger said; else by the first characters of the id, which are the same in every organization.
fn object<'o>(origin: &'o Origin, id: &str) -> Result<&'o str, NoCall> {
    match (origin.object.as_deref(), id.get(..3)) {
        (Some(object), _) => plain(Some(object)),
        (None, Some("00Q")) => Ok("Lead"),
        (None, Some("003")) => Ok("Contact"),
        (None, Some(_) | None) => Err(NoCall("object_unknown")),
    }
}

/// The day's requests are used up, or another has the record: Salesforce says so with 403 and 400.
pub(super) fn meaning(known: Meaning, body: &Value) -> Meaning {
    match (known, body[0]["errorCode"].as_str()) {
        (_, Some("REQUEST_LIMIT_EXCEEDED")) => Meaning::Later { code: "rate_limited", after: None },
        (_, Some("UNABLE_TO_LOCK_ROW" | "SERVER_UNAVAILABLE")) => Meaning::Later { code: "turned_away", after: None },
        (known, Some(_) | None) => known,
    }
}
