//! Forgetting a person: by number or e-mail, everywhere they are stored.

use crate::{App, bookings::caller, unavailable};
use frontdesk::{
    edge::answer::{self, MOST_BEACON, Problem},
    flow::forget_person,
    model::{people::Identifier, phone::Phone},
};
use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde::Deserialize;
use serde_json::json;

/// `{"phone":"+91..."}` or `{"email":"..."}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    phone: Option<String>,
    email: Option<String>,
}

pub(crate) async fn forget(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let body = answer::body(request, MOST_BEACON)?;
    let now = app.clock.now();
    let sellers = app.sellers.current(now).await;
    let (id, seller) = caller(&sellers, seller, request.headers())?;
    let who: Who = serde_json::from_slice(body).map_err(|_| Problem::not_json())?;
    let person = match (who.phone, who.email) {
        (Some(raw), None) => Phone::parse(&raw, seller.default_country).ok().map(|phone| Identifier::phone(&phone)),
        (None, Some(email)) => Identifier::email(&email),
        (Some(_), Some(_)) | (None, None) => None,
    };
    let person = person.ok_or_else(|| {
        let detail = "Send either a phone, which must be a number, or an email.";
        Problem::new(StatusCode::BAD_REQUEST, "bad_person", "Bad person", detail)
    })?;
    let forgotten = forget_person(&app.events, &app.bookings, (id, seller), &person, now)
        .await
        .map_err(|error| unavailable(&error))?;
    let mut told = json!({"events": forgotten.events, "bookings": forgotten.bookings});
    if forgotten.triggers > 0 {
        told["triggers"] = forgotten.triggers.into();
    }
    Ok(answer::json(StatusCode::OK, &told))
}
