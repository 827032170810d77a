//! Shopify's webhooks: customers and orders, signed over the raw body.

use super::{Arrival, Batch, Form, Replay, Unread, Unusable, body, fields::text};
use crate::model::{
    instant,
    origin::Origin,
    seller::crm::Shopify,
    sensitive::Sensitive,
    trigger::{About, Told},
    trust::Trust,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::Sha256;

/// What was created before is not taken for new: its key may have been known and forgotten.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(7 * 24);

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

/// Why a delivery of another shop starts nothing.
pub const NOT_OURS: &str = "shop_not_ours";

/// Whether a delivery names the seller's shop: in a header, which is not signed, and nowhere another.
pub fn is_ours(arrival: &Arrival<'_>, body: &Value, config: &Shopify) -> bool {
    let Some(ours) = &config.shop_domain else { return true };
    let fits = |named: &str| named.trim().eq_ignore_ascii_case(ours);
    let within = &body["shop_domain"];
    fits(either(arrival, "shop-domain")) && (within.is_null() || within.as_str().is_some_and(fits))
}

/// The signature covers the body alone: what a delivery is about, and which one it is, stands there. Of the headers, the
/// topic and the shop can only say that it asks for no call.
pub fn read(arrival: &Arrival<'_>, config: &Shopify) -> Result<Batch, Unread> {
    let record = body::json(arrival.body).filter(Value::is_object).ok_or(Unread::NotReadable)?;
    if !is_ours(arrival, &record, config) {
        return Ok(Batch { form: Form::Plain, told: vec![body::ignored(arrival.body, NOT_OURS)] });
    }
    let header = |name| Some(either(arrival, name).to_owned()).filter(|id| !id.is_empty());
    let object = object_of(&record);
    let id = text(&record["id"]);
    let key = match (object, &id) {
        (Some(object), Some(id)) => format!("create#{object}#{id}"),
        (Some(_) | None, _) => body::unreadable(arrival.body, "").key,
    };
    let origin = Origin {
        event: header("event-id"),
        delivery: header("webhook-id"),
        object: object.map(str::to_owned),
        record: id,
        ..Origin::default()
    };
    let about = match object {
        // Every app has to take these. They ask for a person's work, not for a call.
        _ if is_about_privacy(&record) => {
            About::Unusable { code: "privacy_request".to_owned(), body: Sensitive::new(record.to_string()) }
        }
        // Our own tag comes back as an update.
        Some(_) if either(arrival, "topic").ends_with("/create") => About::Record(Sensitive::new(record)),
        Some(_) | None => About::Ignored("event_not_used"),
    };
    Ok(Batch { form: Form::Plain, told: vec![Told { key, origin, about }] })
}

/// A customer's or a shop's data is asked for, or is to be erased: nothing else names its shop and is no record.
fn is_about_privacy(body: &Value) -> bool {
    !body["shop_id"].is_null() && body["id"].is_null() && body["admin_graphql_api_id"].is_null()
}

/// By its global id, else by what only records of its kind have; `None` of what no call can be about.
fn object_of(record: &Value) -> Option<&'static str> {
    let has = |name: &str| !record[name].is_null();
    let global = record["admin_graphql_api_id"].as_str().and_then(|id| id.strip_prefix("gid://shopify/"));
    match global.and_then(|id| id.split('/').next()) {
        Some("Customer") => Some("customer"),
        Some("Order") => Some("order"),
        Some("DraftOrder") => Some("draft_order"),
        Some("Checkout" | "AbandonedCheckout") => Some("checkout"),
        Some(_) => None,
        None if has("abandoned_checkout_url") => Some("checkout"),
        None if has("invoice_url") => Some("draft_order"),
        None if ["line_items", "order_number", "financial_status"].into_iter().any(has) => Some("order"),
        None => Some("customer"),
    }
}

/// By when the record was made, which is signed with it.
pub fn replay(record: &Value, now: Timestamp) -> Replay {
    match record["created_at"].as_str().and_then(instant::rfc3339) {
        Some(at) if now.duration_since(at) > TOO_OLD => Replay::Late(Unusable { field: "created_at", code: "too_old" }),
        Some(at) if at <= now => Replay::Bounded,
        Some(_) | None => Replay::Unbounded,
    }
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
