//! CRM triggers: each connector proves, reads and answers in its own manner.

use crate::{App, bookings::book};
use frontdesk::{
    crm::standard,
    edge::answer::{self, MOST_WEBHOOK, Problem},
    flow::request_booking::Trigger,
    model::{canonical::canonical_value, hash, seller::Secret, trust::Trust},
};
use lambda_http::{Body, Request, Response};
use serde_json::Value;

pub(crate) async fn take(
    app: &App,
    request: &Request,
    seller: &str,
    connector: &str,
) -> Result<Response<Body>, Problem> {
    match connector {
        "standard" => standard(app, request, seller).await,
        _ => Err(Problem::not_authenticated()),
    }
}

/// Standard Webhooks: the message's id is its key, so a message sent again makes nothing new.
async fn standard(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let body = answer::body(request, MOST_WEBHOOK)?;
    let now = app.clock.now();
    let sellers = app.sellers.current(now).await;
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let headers = standard::Headers {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let proven = sellers.get(seller).filter(|(_, seller)| {
        let secrets = seller.crm.standard.iter().flat_map(|standard| &standard.secrets).map(Secret::expose);
        standard::proven(headers, body, secrets, now)
    });
    let Some((id, seller)) = proven else { return Err(Problem::not_authenticated()) };
    let body: Value = serde_json::from_slice(body).map_err(|_| Problem::not_json())?;
    let wanted = standard::parse(&body, seller, now);
    let fingerprint = hash::hex(canonical_value(&body).as_bytes());
    let key = headers.id.to_owned();
    let trigger = Trigger { connector: "standard", trust: Trust::Signed, key, fingerprint, origin: None, wanted };
    book(app, request, (id, seller), trigger).await
}
