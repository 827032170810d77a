//! Our own bookings API: create with an idempotency key, read, and settle what needs a human.

use crate::{
    App,
    books::{self, Outcome},
    unavailable,
};
use frontdesk::{
    crm::{Unusable, request},
    edge::{
        answer::{self, MOST_WEBHOOK, Problem},
        booking_view::{self, BookingView},
        proof, telemetry,
    },
    flow::{
        advance_booking::{Patience, Run},
        request_booking::{RequestError, Requested, Trigger, request_booking},
        resolve_booking::{ResolveError, resolve_booking},
        retry_write_backs,
    },
    model::{
        booking::Booking,
        canonical::canonical_value,
        hash,
        ids::{BookingId, SellerId},
        seller::{Seller, Sellers},
        state::{RefusedReason, Resolution, State},
        trust::Trust,
    },
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use lambda_http::{Body, Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// The longest that a caller may ask us to wait.
const MOST_WAIT: u64 = 20;
const MOST_KEY: usize = 255;

pub(crate) async fn create(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let body = answer::body(request, MOST_WEBHOOK)?;
    let sellers = app.sellers.current(crate::FUNCTION, app.clock.now()).await;
    let (id, seller) = caller(&sellers, seller, request.headers())?;
    let key = idempotency_key(request.headers())?;
    let body: Value = answer::parse(body)?;
    let wanted = request::parse(&body, seller, app.clock.now());
    let fingerprint = hash::hex(canonical_value(&body).as_bytes());
    let trigger = Trigger {
        connector: "bookings",
        trust: Trust::Bearer,
        key,
        fingerprint,
        replayable: false,
        origin: None,
        wanted,
    };
    book(app, request, (id, seller), trigger).await
}

/// Requests the booking and answers as a caller of this API, or of a connector like it, is answered.
pub(crate) async fn book(
    app: &App,
    request: &Request,
    seller: (&SellerId, &Seller),
    trigger: Trigger,
) -> Result<Response<Body>, Problem> {
    let (id, seller) = seller;
    let wait = wait(request);
    let patience = patience(app, request);
    let requested = Box::pin(request_booking(&app.desk(id, seller), trigger, patience)).await;
    books::count(&[Outcome::of(&requested)], id, app.clock.now());
    let requested = requested.map_err(|error| match error {
        RequestError::NotProven(_) => Problem::not_authenticated(),
        RequestError::KeyReused => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "Idempotency key reused",
            "This key was used for a request with another body.",
        ),
        RequestError::StillRunning => {
            let detail = "The first request with this key has not ended yet: send it again in a moment.";
            Problem::new(StatusCode::CONFLICT, "still_running", "Still running", detail).retry_after(1)
        }
        RequestError::Erased => {
            let detail = "This key made a booking of a person who asked to be forgotten since.";
            Problem::new(StatusCode::GONE, "booking_erased", "Booking erased", detail)
        }
        RequestError::Unusable(problems) => unusable(&problems),
        RequestError::Store(error) => unavailable(&error),
    })?;
    if let Some(run) = requested.run {
        booking_view::tell(&requested.booking, run, crate::FUNCTION, app.clock.now());
    }
    let mut response = answer(&requested, patience.is_some());
    if let (Some(seconds), Ok(response)) = (wait, &mut response) {
        let applied = HeaderValue::from_str(&format!("wait={seconds}")).expect("digits are a header value");
        response.headers_mut().insert("preference-applied", applied);
    }
    response
}

/// So many seconds.
fn wait(request: &Request) -> Option<u64> {
    answer::prefer_wait(request.headers()).filter(|&seconds| seconds > 0).map(|seconds| seconds.min(MOST_WAIT))
}

/// For a caller that asks us to wait.
pub(crate) fn patience(app: &App, request: &Request) -> Option<Patience> {
    wait(request).map(|seconds| Patience {
        begin_until: app.clock.now().checked_add(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0))).ok(),
        ends: answer::deadline(request),
        urgent: true,
    })
}

/// For a caller that waited: 201 at rest, 409 when the one slot is gone, 422 when Popin refused the lead; else 202.
pub(crate) fn answer(requested: &Requested, waited: bool) -> Result<Response<Body>, Problem> {
    let booking = &requested.booking;
    // Whoever repeats a request without waiting is answered as the first time, until there is an end to tell of.
    let again = !requested.new && !waited && !booking.state.at_rest();
    let view = if again { BookingView::accepted(booking) } else { BookingView::of(booking) };
    let view = view.joined(requested.joined);
    let location = format!("/v1/bookings/{}/{}", booking.seller, booking.id);
    let status = match &booking.state {
        State::Refused { reason: RefusedReason::SlotTaken(_), .. } if waited => {
            let detail = "The slot that was asked for is gone, or was never offered.";
            let problem = Problem::new(StatusCode::CONFLICT, "slot_taken", "Slot taken", detail);
            return Err(problem
                .with("booking_id", booking.id.as_str())
                .with("alternatives", json!(view.alternatives())));
        }
        State::Refused { reason: RefusedReason::Lead(message), .. } if waited => {
            let problem =
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", "Refused by Popin", message.clone());
            return Err(problem.with("booking_id", booking.id.as_str()));
        }
        State::Scheduled { .. } | State::NoSlot { .. } if waited => StatusCode::CREATED,
        State::Scheduled { .. }
        | State::NoSlot { .. }
        | State::Refused { .. }
        | State::NeedsHuman { .. }
        | State::Requested
        | State::Captured { .. }
        | State::SlotHeld { .. }
        | State::Scheduling { .. }
        | State::InDoubt { .. } => StatusCode::ACCEPTED,
    };
    let mut response = answer::json(status, &view);
    let location = HeaderValue::from_str(&location).expect("ids are header values");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

pub(crate) async fn read(app: &App, request: &Request, seller: &str, id: &str) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sellers = app.sellers.current(crate::FUNCTION, now).await;
    let (seller, _) = caller(&sellers, seller, request.headers())?;
    let booking = kept(app, seller, id, now).await?;
    // Also of a seller who is told nothing any more.
    let owed = app.bookings.write_backs(seller, &booking.id).await.map_err(|error| unavailable(&error))?;
    Ok(answer::json(StatusCode::OK, &BookingView::of(&booking).with_write_backs(owed.readable)))
}

/// What was given up is told by the next sweep.
pub(crate) async fn retry(app: &App, request: &Request, seller: &str, id: &str) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sellers = app.sellers.current(crate::FUNCTION, now).await;
    let (seller, _) = caller(&sellers, seller, request.headers())?;
    let booking = kept(app, seller, id, now).await?;
    let owed = retry_write_backs(&*app.clock, &app.bookings, seller, &booking.id).await;
    let owed = owed.map_err(|error| unavailable(&error))?.ok_or_else(|| {
        let detail = "Every end is told, or is being told; nothing was changed.";
        Problem::new(StatusCode::CONFLICT, "nothing_parked", "Nothing parked", detail)
    })?;
    Ok(answer::json(StatusCode::ACCEPTED, &BookingView::of(&booking).with_write_backs(owed)))
}

/// A booking whose time is not over.
async fn kept(app: &App, seller: &SellerId, id: &str, now: Timestamp) -> Result<Booking, Problem> {
    let id = BookingId::parse(id).map_err(|_| Problem::not_found())?;
    telemetry::record_booking(&id);
    let booking = app.bookings.get(seller, &id).await.map_err(|error| unavailable(&error))?;
    booking.filter(|booking| !booking.has_lapsed(now)).ok_or_else(Problem::not_found)
}

/// `{"outcome":"scheduled"|"not_scheduled","retry"?:true}`.
#[derive(Deserialize)]
struct Decision {
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    retry: bool,
}

pub(crate) async fn resolve(app: &App, request: &Request, seller: &str, id: &str) -> Result<Response<Body>, Problem> {
    let body = answer::body(request, MOST_WEBHOOK)?;
    let sellers = app.sellers.current(crate::FUNCTION, app.clock.now()).await;
    let (seller_id, seller) = caller(&sellers, seller, request.headers())?;
    let id = BookingId::parse(id).map_err(|_| Problem::not_found())?;
    telemetry::record_booking(&id);
    let decision: Decision = answer::parse(body)?;
    let resolution = match (decision.outcome.as_str(), decision.retry) {
        ("scheduled", false) => Resolution::Scheduled,
        ("not_scheduled", false) => Resolution::NotScheduled,
        ("not_scheduled", true) => Resolution::Retry,
        _ => {
            let detail = "outcome is scheduled or not_scheduled; retry goes with not_scheduled only.";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_outcome", "Bad outcome", detail));
        }
    };
    let booking =
        resolve_booking(&app.desk(seller_id, seller), &id, resolution).await.map_err(|error| match error {
            ResolveError::Missing => Problem::not_found(),
            ResolveError::AlreadySettled => Problem::new(
                StatusCode::CONFLICT,
                "already_settled",
                "Already settled",
                "The booking has ended; nothing was changed.",
            ),
            ResolveError::StillRunning => {
                let detail = "The booking is on its way and needs nobody yet; nothing was changed.";
                Problem::new(StatusCode::CONFLICT, "still_running", "Still running", detail)
            }
            ResolveError::Store(error) => unavailable(&error),
        })?;
    booking_view::tell(&booking, Run::WROTE, crate::FUNCTION, app.clock.now());
    Ok(answer::json(StatusCode::OK, &BookingView::of(&booking)))
}

pub(crate) fn caller<'s>(
    sellers: &'s Sellers,
    seller: &str,
    headers: &HeaderMap,
) -> Result<(&'s SellerId, &'s Seller), Problem> {
    sellers
        .get(seller)
        .filter(|(_, seller)| proof::bearer(headers, &seller.api_keys))
        .ok_or_else(Problem::not_authenticated)
}

/// The draft's quoted string or the bare token: the same key.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let Some(raw) = headers.get("idempotency-key") else {
        let detail = "Send an Idempotency-Key header: any text of your own that names this request.";
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key_missing",
            "Idempotency key missing",
            detail,
        ));
    };
    let raw = raw.to_str().unwrap_or_default().trim();
    let key = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
    if key.is_empty() || key.len() > MOST_KEY {
        let detail = "An Idempotency-Key has 1 to 255 printable ASCII characters.";
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key_invalid",
            "Idempotency key invalid",
            detail,
        ));
    }
    Ok(key.to_owned())
}

/// 400 with the code of the first problem, and all of them beside it.
fn unusable(problems: &[Unusable]) -> Problem {
    let code = problems.first().map_or("bad_request", |problem| problem.code);
    let all: Vec<_> = problems.iter().map(|problem| json!({"field": problem.field, "code": problem.code})).collect();
    Problem::new(
        StatusCode::BAD_REQUEST,
        code,
        "The request cannot be used",
        "See problems: each names a field and what is wrong with it.",
    )
    .with("problems", all)
}
