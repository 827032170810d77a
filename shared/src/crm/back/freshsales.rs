//! Freshsales: a contact's fields of one's own.

use super::{Call, NoCall, record, values};
use crate::model::{origin::Origin, seller::FreshsalesBack, write_back::News};
use http::{Method, header};
use serde_json::{Value, json};

pub(super) fn call(back: &FreshsalesBack, base: &str, origin: &Origin, news: &News) -> Result<Call, NoCall> {
    let (path, name) = match origin.object.as_deref() {
        None | Some("contact" | "contacts") => ("contacts", "contact"),
        Some("deal" | "deals") => ("deals", "deal"),
        Some(_) => return Err(NoCall("object_unknown")),
    };
    let body = json!({ name: {"custom_field": values(&back.fields, news, &Value::Null)} });
    let url = format!("{base}/api/{path}/{}", record(origin)?);
    Ok(Call::new("record", Method::PUT, url, body.to_string())
        .with(header::AUTHORIZATION.as_str(), format!("Token token={}", back.api_key.expose())))
}
