//! Forgetting a person: by number or e-mail, everywhere they are stored. What takes longer than a request is carried on.

use crate::{App, bookings::caller, parked::count_unreadable, unavailable};
use frontdesk::{
    edge::answer::{self, MOST_BEACON, Problem},
    flow::forget_person,
    model::{
        erasure::{Erasure, ErasureState},
        ids::{ErasureId, SellerId},
        instant,
        people::Identifier,
        phone::Phone,
    },
};
use http::{HeaderValue, StatusCode, header};
use jiff::SignedDuration;
use lambda_http::{Body, Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// The function has 29 seconds, and what is under way ends after this.
const WORKS_FOR: SignedDuration = SignedDuration::from_secs(20);

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
    let sellers = app.sellers.current(crate::FUNCTION, now).await;
    let (id, seller) = caller(&sellers, seller, request.headers())?;
    let who: Who = answer::parse(body)?;
    let person = match (who.phone, who.email) {
        (Some(raw), None) => Phone::parse(&raw, seller.default_country).ok().map(|phone| Identifier::phone(&phone)),
        (None, Some(email)) => Identifier::email(&email),
        (Some(_), Some(_)) | (None, None) => None,
    };
    let person = person.ok_or_else(|| {
        let detail = "Send either a phone, which must be a number, or an email.";
        Problem::new(StatusCode::BAD_REQUEST, "bad_person", "Bad person", detail)
    })?;
    let desk = app.desk(id, seller);
    let run = Box::pin(forget_person(&desk, &person, now + WORKS_FOR)).await.map_err(|error| unavailable(&error))?;
    count_unreadable(id, run.unreadable, now);
    if let Some(error) = &run.failure {
        tracing::error!(seller = %id, error = %error, "erasure.interrupted");
    }
    Ok(match run.erasure.state {
        ErasureState::Done => answer::json(StatusCode::OK, &view(&run.erasure)),
        ErasureState::Running => accepted(id, &run.erasure),
    })
}

/// The booking worker carries it on.
fn accepted(seller: &SellerId, erasure: &Erasure) -> Response<Body> {
    let mut response = answer::json(StatusCode::ACCEPTED, &view(erasure));
    let location = format!("/v1/people/{seller}/erasures/{}", erasure.id);
    let location = HeaderValue::try_from(location).expect("a seller's id and hex digits are a header value");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// Where the person's data may still be: nothing here can erase it there.
const NOT_REACHED: [&str; 4] = ["popin", "crm", "exports", "point_in_time_recovery"];

fn view(erasure: &Erasure) -> Value {
    let calls = erasure.still_at_popin.iter().map(|at| json!({"start_at": instant::seconds(*at)}));
    json!({
        "state": erasure.state.as_str(),
        "events": erasure.events,
        "bookings": erasure.bookings,
        "triggers": erasure.triggers,
        "still_at_popin": calls.collect::<Vec<_>>(),
        "not_reached": NOT_REACHED,
    })
}

pub(crate) async fn erasure(app: &App, request: &Request, seller: &str, id: &str) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sellers = app.sellers.current(crate::FUNCTION, now).await;
    let (seller_id, _) = caller(&sellers, seller, request.headers())?;
    let id = ErasureId::parse(id).map_err(|_| Problem::not_found())?;
    let erasure = app.bookings.erasure(seller_id, &id, now).await.map_err(|error| unavailable(&error))?;
    let erasure = erasure.ok_or_else(Problem::not_found)?;
    Ok(answer::json(StatusCode::OK, &view(&erasure)))
}
