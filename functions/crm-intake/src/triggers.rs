//! CRM triggers: prove, read, store, and answer as the CRM needs it.

use crate::{
    App,
    bookings::{book, idempotency_key, patience},
    books::{self, Outcome},
};
use frontdesk::{
    crm::{
        self, Arrival, Batch, Form, Unread,
        answer::{self as words, Became},
        body,
        rules::{self, Ending},
        standard,
    },
    edge::{
        answer::{self, MOST_WEBHOOK, Problem},
        booking_view::{self, BookingView},
    },
    flow::{
        Desk,
        advance_booking::Patience,
        request_booking::{Delivery, RequestError, Taken, Trigger, take_trigger},
    },
    model::{
        canonical::canonical_value, connector::Connector, extent, hash, ids::SellerId, instant, seller::Seller,
        trigger::Told, trust::Trust,
    },
};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use serde_json::{Map, Value, json};

/// Of one batch: enough for a hundred within a CRM's patience, and no burst to the table.
const AT_ONCE: usize = 16;

pub(crate) async fn take(
    app: &App,
    request: &Request,
    seller: &str,
    connector: &str,
    path_secret: Option<&str>,
) -> Result<Response<Body>, Problem> {
    let connector = Connector::parse(connector).ok_or_else(Problem::not_authenticated)?;
    let now = app.clock.now();
    let sellers = app.sellers.current(crate::FUNCTION, now).await;
    let whole: &[u8] = request.body();
    // Before anybody is looked up: the more there is to prove, the better the time that it takes tells a known seller.
    if whole.len() > MOST_WEBHOOK && !rules::parks(connector, Ending::TooLarge) {
        return Err(Problem::body_too_large(MOST_WEBHOOK));
    }
    let arrival = Arrival { headers: request.headers(), path_secret, body: whole };
    let (seller, trust) = proven(sellers.get(seller), connector, &arrival, now)?;
    match answer::body(request, MOST_WEBHOOK) {
        Ok(_) => {}
        Err(_) if whole.len() > MOST_WEBHOOK && rules::parks(connector, Ending::TooLarge) => {
            let told = body::unreadable(whole, "body_too_large");
            return Ok(store(app, seller, connector, trust, unread(connector, &arrival, seller.1, told), None).await);
        }
        Err(_) if whole.len() <= MOST_WEBHOOK && rules::parks(connector, Ending::Unreadable) => {
            let batch = unread(connector, &arrival, seller.1, body::compressed(whole));
            return Ok(store(app, seller, connector, trust, batch, None).await);
        }
        Err(problem) => return Err(problem),
    }
    if connector == Connector::Standard {
        return standard(app, request, &arrival, seller, trust).await;
    }
    let batch = match crm::read(connector, &arrival, seller.1, now) {
        Ok(batch) => batch,
        Err(Unread::NotProven) => return Err(Problem::not_authenticated()),
        Err(Unread::NotReadable) if rules::parks(connector, Ending::Unreadable) => {
            unread(connector, &arrival, seller.1, body::not_parsed(&arrival))
        }
        Err(Unread::NotReadable) => return Err(not_readable()),
    };
    let wait = if batch.form == Form::Callout { patience(app, request) } else { None };
    Ok(store(app, seller, connector, trust, batch, wait).await)
}

/// An unknown seller and a bad credential are answered alike.
fn proven<'s>(
    seller: Option<(&'s SellerId, &'s Seller)>,
    connector: Connector,
    arrival: &Arrival<'_>,
    now: Timestamp,
) -> Result<((&'s SellerId, &'s Seller), Trust), Problem> {
    let trust = crm::prove(connector, arrival, seller.map(|(_, seller)| seller), now);
    seller.zip(trust).ok_or_else(Problem::not_authenticated)
}

/// Kept for a person, unless it may be another account's.
fn unread(connector: Connector, arrival: &Arrival<'_>, seller: &Seller, told: Told) -> Batch {
    let told = match crm::stray(connector, arrival, seller) {
        Some(code) => body::ignored(arrival.body, code),
        None => told,
    };
    let form = if connector == Connector::LeadSquared { Form::Status } else { Form::Plain };
    Batch { form, told: vec![told] }
}

fn not_readable() -> Problem {
    let detail = "The body is not of the form that this CRM sends.";
    Problem::new(StatusCode::BAD_REQUEST, "not_readable", "Not readable", detail)
}

/// Item by item; the answer is "all of them" or "again".
pub(crate) async fn store(
    app: &App,
    seller: (&SellerId, &Seller),
    connector: Connector,
    trust: Trust,
    batch: Batch,
    wait: Option<Patience>,
) -> Response<Body> {
    let desk = &app.desk(seller.0, seller.1);
    let took = stream::iter(batch.told)
        .map(
            |told| async move { take_one(app, desk, connector, (Delivery { trust, sent_at: None }, told), wait).await },
        )
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    count(app, seller.0, &took);
    let became: Result<Vec<_>, RequestError> = took.into_iter().map(|one| one.map(|(became, _)| became)).collect();
    let said = match became {
        Ok(became) => words::taken(connector, batch.form, &became),
        Err(RequestError::NotProven(_)) => return Problem::not_authenticated().response(),
        Err(error) => {
            tracing::error!(seller = %seller.0, crm = connector.as_str(), error = %error, "trigger.not_stored");
            words::not_stored(connector, batch.form)
        }
    };
    answer::text(StatusCode::from_u16(said.status).expect("the table has statuses only"), said.content_type, said.body)
}

/// Those that were stored, also where another one of the batch was not: when the CRM sends all again, they are copies.
fn count(app: &App, seller: &SellerId, took: &[Result<(Became, Outcome), RequestError>]) {
    let outcomes: Vec<_> = took.iter().map(|one| one.as_ref().map_or_else(Outcome::of_error, |(_, it)| *it)).collect();
    books::count(&outcomes, seller, app.clock.now());
}

async fn take_one(
    app: &App,
    desk: &Desk<'_>,
    connector: Connector,
    (delivery, told): (Delivery, Told),
    wait: Option<Patience>,
) -> Result<(Became, Outcome), RequestError> {
    // By these the worker's lines name what became of it.
    let (mut booking, mut trigger) = (None, None);
    let (became, counted, outcome) = match Box::pin(take_trigger(desk, connector, delivery, told, wait)).await? {
        Taken::Booked(requested) => {
            if let Some(run) = requested.run {
                booking_view::tell(&requested.booking, run, crate::FUNCTION, app.clock.now());
            }
            booking = Some(requested.booking.id.to_string());
            let counted = Outcome::Booked.or_copy(requested.again);
            (Became::Booking(facts(&BookingView::of(&requested.booking))), counted, "booked")
        }
        Taken::Pending { id, again } => {
            trigger = Some(id.to_string());
            (Became::Pending, Outcome::Pending.or_copy(again), "pending")
        }
        Taken::Parked { id, code, again } => {
            tracing::warn!(seller = %desk.id, crm = connector.as_str(), trigger.id = %id, code, "trigger.parked");
            trigger = Some(id.to_string());
            (Became::Parked(code), Outcome::Parked.or_copy(again), "parked")
        }
        Taken::Ignored(code) => {
            tracing::info!(seller = %desk.id, crm = connector.as_str(), code, "trigger.ignored");
            (Became::Ignored, Outcome::Ignored, "ignored")
        }
        Taken::Erased => (Became::Ignored, Outcome::Duplicate, "erased"),
    };
    tracing::info!(seller = %desk.id, crm = connector.as_str(), booking.id = booking, trigger.id = trigger, outcome, "trigger.taken");
    Ok((became, counted))
}

/// What a flow may branch on.
fn facts(view: &BookingView) -> Map<String, Value> {
    let view = serde_json::to_value(view).expect("a view is made of text, numbers and lists");
    let names = ["state", "join_url", "start_at", "start_local", "confirmed_by", "reason"];
    let facts = names.into_iter().map(|name| (name.to_owned(), view[name].clone()));
    facts.chain([("booking_id".to_owned(), view["id"].clone())]).collect()
}

/// Standard Webhooks: the message's id is its key, so a message sent again makes nothing new. A caller with our own key
/// names the request itself.
async fn standard(
    app: &App,
    request: &Request,
    arrival: &Arrival<'_>,
    seller: (&SellerId, &Seller),
    trust: Trust,
) -> Result<Response<Body>, Problem> {
    let key = match trust {
        Trust::Signed | Trust::Confirmed => arrival.header("webhook-id").to_owned(),
        Trust::Bearer | Trust::Claimed => idempotency_key(request.headers())?,
    };
    let body: Value = answer::parse(arrival.body)?;
    let wanted = standard::parse(&body, seller.1, app.clock.now());
    let fingerprint = hash::hex(canonical_value(&body).as_bytes());
    let trigger = Trigger {
        connector: "standard",
        trust,
        key,
        fingerprint,
        replayable: false,
        origin: standard::origin(&body, arrival),
        wanted,
    };
    book(app, request, seller, trigger).await
}

/// An event of the partner's bus. It is stored when this returns; a failure brings it again.
pub(crate) async fn event(app: &App, request: &Request) -> Result<Response<Body>, lambda_http::Error> {
    let body: &[u8] = request.body();
    let event: &Value = &serde_json::from_slice(body)?;
    let sellers = app.sellers.current(crate::FUNCTION, app.clock.now()).await;
    let mut taken = 0;
    for (id, seller) in sellers.iter() {
        let Some(config) = seller.crm.salesforce.as_ref().filter(|config| crm::salesforce::sends(config, event)) else {
            continue;
        };
        let desk = &app.desk(id, seller);
        let mut told = crm::salesforce::event(event, config);
        if extent::is_too_deep(body) {
            told.about = body::unreadable(body, "body_too_deep").about;
        }
        // A dead letter may be sent again days later, as it was.
        let sent_at = event["time"].as_str().and_then(instant::rfc3339);
        let told = (Delivery { trust: Trust::Bearer, sent_at }, told);
        let took = [Box::pin(take_one(app, desk, Connector::Salesforce, told, None)).await];
        count(app, id, &took);
        let [took] = took;
        took?;
        taken += 1;
    }
    if taken == 0 {
        tracing::warn!("event.of_unknown_organization");
    }
    Ok(answer::json(StatusCode::OK, &json!({"taken": taken})))
}
