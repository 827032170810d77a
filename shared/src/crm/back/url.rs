//! The seller's own URL, told by a Standard Webhook that each of the seller's secrets signs.

use super::Call;
use crate::{
    crm::standard,
    model::{
        hash, instant,
        seller::{Notify, Secret},
        sensitive::Sensitive,
        write_back::{News, WriteBack},
    },
};
use http::Method;
use jiff::Timestamp;
use serde_json::json;

pub(super) fn call(notify: &Notify, owed: &WriteBack, news: &News, now: Timestamp) -> Call {
    // The same news to the same trigger is the same message, however often it is sent.
    let id = format!("msg_{}", hash::short(&[news.booking.as_str(), &owed.trigger, &news.mark()]));
    let body = json!({
        "type": format!("booking.{}", news.state),
        "timestamp": instant::millis(news.at),
        "data": {
            "booking_id": news.booking.as_str(),
            "seller": news.seller.as_str(),
            "state": news.state,
            "reason": news.reason,
            "join_url": news.join_url.as_ref().map(Sensitive::expose),
            "start_at": news.start_at,
            "start_local": news.start_local,
            "external_id": news.external_id.as_ref().map(Sensitive::expose),
            "connector": owed.connector,
            "origin": owed.origin,
        },
    })
    .to_string();
    let timestamp = now.as_second().to_string();
    let signatures = notify.secrets.iter().map(Secret::expose);
    let signatures: Vec<_> =
        signatures.filter_map(|secret| standard::sign(secret, &id, &timestamp, body.as_bytes())).collect();
    Call::new("message", Method::POST, notify.url.clone(), body)
        .with("webhook-id", id)
        .with("webhook-timestamp", timestamp)
        .with("webhook-signature", signatures.join(" "))
}
