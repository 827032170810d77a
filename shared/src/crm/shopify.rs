//! Shopify's webhooks: customers and orders, signed over the raw body.

use super::{Arrival, Batch, Form, Unread, body};
use crate::model::{
    origin::Origin,
    seller::crm::Shopify,
    sensitive::Sensitive,
    trigger::{About, Told},
    trust::Trust,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// With any of the secrets: for an hour after a rotation the old one may still sign.
pub fn prove(arrival: &Arrival<'_>, config: &Shopify) -> Option<Trust> {
    let signature = STANDARD.decode(either(arrival, "hmac-sha256")).ok()?;
    let mut proven = false;
    for secret in &config.secrets {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length");
        mac.update(arrival.body);
        proven |= mac.verify_slice(&signature).is_ok();
    }
    proven.then_some(Trust::Signed)
}

/// The newer events have their headers without the prefix.
fn either<'r>(arrival: &Arrival<'r>, name: &str) -> &'r str {
    let prefixed = arrival.header(&format!("x-shopify-{name}"));
    if prefixed.is_empty() { arrival.header(&format!("shopify-{name}")) } else { prefixed }
}

pub fn read(arrival: &Arrival<'_>) -> Result<Batch, Unread> {
    let record = body::json(arrival.body).filter(Value::is_object).ok_or(Unread::NotReadable)?;
    let id = |name| Some(either(arrival, name).to_owned()).filter(|id| !id.is_empty());
    let (event, delivery, topic) = (id("event-id"), id("webhook-id"), either(arrival, "topic"));
    // One page says this one, a newer page that one: the event is the same over all subscriptions of a topic.
    let key = match event.as_ref().or(delivery.as_ref()) {
        Some(id) => format!("event#{id}"),
        None => body::unreadable(arrival.body, "").key,
    };
    let object = match topic.split('/').next() {
        Some("orders") => "order",
        Some("checkouts") => "checkout",
        Some("draft_orders") => "draft_order",
        Some(_) | None => "customer",
    };
    let origin = Origin {
        event,
        delivery,
        object: Some(object.to_owned()),
        record: super::fields::text(&record["id"]),
        ..Origin::default()
    };
    let about = match topic {
        // Every app has to take these. They ask for a person's work, not for a call.
        "customers/redact" | "customers/data_request" | "shop/redact" => {
            About::Unusable { code: "privacy_request".to_owned(), body: Sensitive::new(record.to_string()) }
        }
        topic if topic.ends_with("/create") => About::Record(Sensitive::new(record)),
        // Our own tag comes back as an update.
        _ => About::Ignored("event_not_used"),
    };
    Ok(Batch { form: Form::Plain, told: vec![Told { key, origin, about }] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::seller::Secret;
    use http::{HeaderMap, HeaderValue};
    use serde_json::json;

    const BODY: &[u8] = br#"{"id":1,"email":"asha@example.in","phone":"+919876543210"}"#;
    const SIGNATURE: &str = "5itmxdO8sAGndDfNlO5L2GaNcQFUfC9QE5CL6CjSsk8=";

    fn check(name: &'static str, signature: &str, body: &[u8]) -> Option<Trust> {
        let secrets = ["another", "shpss_secret"].map(|secret| Secret::of_any_length(secret.to_owned())).to_vec();
        let config = Shopify { secrets, ..serde_json::from_value(json!({"secrets": []})).unwrap() };
        let headers = HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_str(signature).unwrap())]);
        prove(&Arrival { headers: &headers, path_secret: None, body }, &config)
    }

    #[test]
    fn the_published_vector_is_accepted_under_either_name_and_no_changed_byte_is() {
        assert_eq!(check("x-shopify-hmac-sha256", SIGNATURE, BODY), Some(Trust::Signed));
        assert_eq!(check("shopify-hmac-sha256", SIGNATURE, BODY), Some(Trust::Signed));
        for at in 0..BODY.len() {
            let mut body = BODY.to_vec();
            body[at] ^= 1;
            assert_eq!(check("x-shopify-hmac-sha256", SIGNATURE, &body), None, "{at}");
        }
        for signature in ["", "AAAA", "?", &SIGNATURE[1..]] {
            assert_eq!(check("x-shopify-hmac-sha256", signature, BODY), None, "{signature}");
        }
    }
}
