//! Zoho: one record, with `trigger` empty so that no workflow starts again, by a token of the refresh flow.

use super::{Call, Meaning, NoCall, UNREADABLE, form, plain, record, values};
use crate::model::{origin::Origin, seller::ZohoBack, write_back::News};
use http::{Method, header};
use serde_json::{Value, json};

pub(super) fn login(back: &ZohoBack) -> Call {
    let body = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", back.refresh_token.expose()),
        ("client_id", back.client_id.expose()),
        ("client_secret", back.client_secret.expose()),
    ]);
    let url = format!("{}/oauth/v2/token", back.accounts_base.trim_end_matches('/'));
    Call::new("login", Method::POST, url, body).with(header::CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")
}

pub(super) fn call(back: &ZohoBack, base: &str, origin: &Origin, news: &News, token: &str) -> Result<Call, NoCall> {
    let module = plain(Some(origin.object.as_deref().unwrap_or("Leads")))?;
    let body = json!({"data": [values(&back.fields, news, &Value::Null)], "trigger": []});
    let url = format!("{base}/crm/v8/{module}/{}", record(origin)?);
    Ok(Call::new("record", Method::PUT, url, body.to_string())
        .with(header::AUTHORIZATION.as_str(), format!("Zoho-oauthtoken {token}")))
}

/// 200 and 207 speak of each record by itself.
pub(super) fn meaning(known: Meaning, body: &Value) -> Meaning {
    let code = body["data"][0]["code"].as_str().or_else(|| body["code"].as_str());
    match (known, code) {
        (Meaning::Done, Some("SUCCESS")) => Meaning::Done,
        (Meaning::Done, None) => UNREADABLE,
        (_, Some("INVALID_TOKEN" | "AUTHENTICATION_FAILURE" | "OAUTH_SCOPE_MISMATCH")) => Meaning::Credentials,
        (_, Some("RECORD_LOCKED" | "RECORD_IN_BLUEPRINT")) => Meaning::Later { code: "turned_away", after: None },
        (Meaning::Done, Some(_)) => Meaning::Refused("refused"),
        (known @ (Meaning::Later { .. } | Meaning::Credentials | Meaning::Refused(_)), Some(_) | None) => known,
    }
}
