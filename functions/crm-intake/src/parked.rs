//! Triggers that made no booking: listed with what is wrong, and run again once that is mended.

use crate::{
    App,
    bookings::{answer as booked, caller},
    unavailable,
};
use frontdesk::{
    edge::{
        answer::{self, Problem},
        booking_view,
        telemetry::{self, By, Metrics},
    },
    flow::{
        Desk,
        request_booking::{RequestError, Taken, booked_since, run_parked},
    },
    model::{
        ids::{SellerId, TriggerId},
        instant,
        trigger::Parked,
    },
    store,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt as _, Response};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// Of one page.
const MOST: i32 = 100;
const USUAL: i32 = 50;
/// Of these, so many are looked at together.
const AT_ONCE: usize = 10;

/// The function has 29 seconds, and a CRM may take eight for each log-in and each record.
const PATIENCE: Duration = Duration::from_secs(25);

pub(crate) async fn list(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sellers = app.sellers.current(crate::FUNCTION, now).await;
    let (seller_id, seller) = caller(&sellers, seller, request.headers())?;
    let query = request.query_string_parameters_ref();
    let asked = |name| query.and_then(|query| query.first(name));
    let limit = asked("limit").map_or(Some(USUAL), |raw| raw.parse().ok().filter(|limit| (1..=MOST).contains(limit)));
    let after = asked("after").map(TriggerId::parse).transpose();
    let (Some(limit), Ok(after)) = (limit, after) else {
        let detail = "limit is from 1 to 100; after is the next of an answer before.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", "Bad query", detail));
    };
    let page = app
        .bookings
        .all_parked(seller_id, after.as_ref().map(TriggerId::as_str), limit, now)
        .await
        .map_err(|error| unavailable(&error))?;
    for row in &page.unreadable {
        tracing::error!(seller = %seller_id, trigger.id = row.key.sk, error = row.error, "trigger.unreadable");
    }
    count_unreadable(seller_id, page.unreadable.len(), now);
    let desk = &app.desk(seller_id, seller);
    let looks = stream::iter(page.parked).map(|one| async move { Ok((booked_since(desk, &one).await?, one)) });
    let looked: Vec<_> = looks.buffered(AT_ONCE).try_collect().await.map_err(|error| failed(&error))?;
    let parked: Vec<_> = looked.iter().filter(|(booked, _)| !booked).map(|(_, one)| view(one)).collect();
    let mut answer = json!({"parked": parked, "next": page.next});
    if !page.unreadable.is_empty() {
        answer["unreadable"] = page.unreadable.iter().map(|row| row.key.sk.as_str()).collect();
    }
    Ok(answer::json(StatusCode::OK, &answer))
}

/// Rows that were passed over: whoever looks at the alarm finds their ids in the log.
pub(crate) fn count_unreadable(seller: &SellerId, rows: usize, now: Timestamp) {
    Metrics::default().count("RecordsUnreadable", rows).emit(crate::FUNCTION, By::Seller(seller.as_str()), now);
}

/// What is at fault, by its name; never what the CRM sent.
fn view(parked: &Parked) -> Value {
    let problems = parked.problems.iter().map(|(field, code)| json!({"field": field, "code": code}));
    let mut view = json!({
        "id": parked.id.as_str(),
        "connector": parked.connector.as_str(),
        "code": parked.code,
        "problems": problems.collect::<Vec<_>>(),
        "received_at": instant::millis(parked.received_at),
        "due_at": parked.due_at.map(instant::millis),
        "tries": parked.tries,
    });
    view["trigger"] = serde_json::to_value(&parked.told.origin).expect("ids are text");
    view
}

pub(crate) async fn retry(app: &App, request: &Request, seller: &str, id: &str) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sellers = app.sellers.current(crate::FUNCTION, now).await;
    let (seller_id, seller) = caller(&sellers, seller, request.headers())?;
    let id = TriggerId::parse(id).map_err(|_| Problem::not_found())?;
    telemetry::record_trigger(&id);
    let parked = match app.bookings.parked(seller_id, &id, now).await {
        Ok(parked) => parked.ok_or_else(Problem::not_found)?,
        Err(store::Error::Corrupt { .. }) => return Err(still_parked("record_unreadable")),
        Err(error @ store::Error::Unavailable { .. }) => return Err(unavailable(&error)),
    };
    // Whoever it is read back from is of the seller's naming.
    let desk = Desk { transport: &*app.outside, ..app.desk(seller_id, seller) };
    let run = timeout(PATIENCE, Box::pin(run_parked(&desk, &app.tokens, parked))).await;
    // Cut off wherever it was, it may be run again.
    let ran = run.map_err(|_| Problem::try_later())?.map_err(|error| failed(&error))?;
    match ran {
        Taken::Booked(requested) => {
            if let Some(run) = requested.run {
                booking_view::tell(&requested.booking, run, crate::FUNCTION, app.clock.now());
            }
            booked(&requested, false)
        }
        Taken::Pending { .. } => {
            Ok(answer::json(StatusCode::ACCEPTED, &json!({"id": id.as_str(), "state": "pending"})))
        }
        Taken::Ignored(code) => Ok(answer::json(StatusCode::OK, &json!({"state": "ignored", "code": code}))),
        Taken::Erased => Err(Problem::not_found()),
        Taken::Parked { code, .. } => Err(still_parked(code)),
    }
}

fn still_parked(reason: impl Into<Value>) -> Problem {
    let detail = "It can still not be used: see reason.";
    Problem::new(StatusCode::CONFLICT, "still_parked", "Still parked", detail).with("reason", reason)
}

fn failed(error: &RequestError) -> Problem {
    match error {
        RequestError::Store(error) => unavailable(error),
        RequestError::NotProven(_)
        | RequestError::KeyReused
        | RequestError::StillRunning
        | RequestError::Erased
        | RequestError::Unusable(_) => Problem::try_later(),
    }
}
