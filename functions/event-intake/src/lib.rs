//! Event intake: browser beacons and vendor webhooks, stored before they are acknowledged.

pub mod config;

use config::Config;
use frontdesk::{
    edge::{
        answer::{self, MOST_BEACON, MOST_WEBHOOK, Problem},
        aws::{self, SdkConfig},
        clock::SystemClock,
        origin, proof,
        sellers::Source,
        telemetry::{By, Invocation, Metrics},
    },
    flow::{
        Clock, WriteBudget,
        requarantine::{Reread, requarantine},
        take_event::{BatchError, Taken, WebhookError, take_page_events, take_webhook},
        write_budget::OverBudget,
    },
    model::{
        event::Vendor,
        hash,
        ids::SellerId,
        kind::Kind,
        seller::Seller,
        trust::{NotProven, Trust},
    },
    store::{self, Events, events::Stored},
    vendors::collect::Unreadable,
};
use http::{HeaderValue, Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use lambda_http::{Body, Error, Request, Response};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

/// The function's name in logs, metrics and `User-Agent`.
pub const FUNCTION: &str = "event-intake";
/// How long a look into the quarantine may take; Lambda ends us later.
const REREADING: SignedDuration = SignedDuration::from_secs(20);

/// What an invocation works with.
pub struct App {
    pub sellers: Source,
    pub events: Events,
    /// What anonymous callers may write; webhooks are not held to it.
    pub budget: WriteBudget,
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// Everything that takes time is done here, where Lambda lends the whole CPU.
    pub async fn connect(config: Config, aws: &SdkConfig) -> Result<Self, Error> {
        let sellers = Source::open(&config.basics, aws).await?;
        let events = Events::new(aws::dynamodb(aws), config.events_table);
        store::may_start(events.warm().await)?;
        let budget = WriteBudget::new(config.anonymous_write_units);
        Ok(Self { sellers, events, budget, clock: Arc::new(SystemClock) })
    }
}

pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    Invocation::of_request(FUNCTION, &request).run(taken(app, request)).await
}

async fn taken(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let path = answer::path(&request);
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    let response = match (request.method(), segments.as_slice()) {
        (&Method::POST, ["collect", seller]) => collect(app, &request, seller).await,
        (&Method::OPTIONS, ["collect", seller]) => preflight(app, &request, seller).await,
        (&Method::POST, ["webhooks", seller, vendor]) => webhook(app, &request, seller, vendor, None).await,
        (&Method::POST, ["webhooks", seller, vendor, secret]) => {
            webhook(app, &request, seller, vendor, Some(secret)).await
        }
        (&Method::GET | &Method::HEAD, ["health"]) => {
            Ok(answer::json(StatusCode::OK, &json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})))
        }
        (&Method::GET | &Method::HEAD, ["frontdesk.js"]) => Ok(snippet(&request)),
        // Only the schedule can send this: the API has no such route.
        (&Method::POST, ["schedule", "requarantine"]) => reread(app).await,
        _ => Err(Problem::not_found()),
    };
    Ok(answer::finish(&request, FUNCTION, response))
}

async fn collect(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sellers = app.sellers.current(FUNCTION, now).await;
    let origin = origin::of(request.headers());
    let known =
        sellers.get(seller).zip(origin.as_deref()).filter(|((_, seller), origin)| origin::allowed(seller, origin));
    let Some((seller, origin)) = known else { return Err(Problem::origin_not_allowed()) };
    let response = take_batch(app, request, seller, origin).await;
    Ok(answer::shared(response, Some(origin)))
}

async fn take_batch(
    app: &App,
    request: &Request,
    seller: (&SellerId, &Seller),
    origin: &str,
) -> Result<Response<Body>, Problem> {
    let body = answer::body(request, MOST_BEACON)?;
    let now = app.clock.now();
    let outcome = take_page_events(&app.events, &app.budget, seller, origin, body, now).await;
    let taken = outcome.map_err(|error| match error {
        BatchError::Unreadable(Unreadable::NotJson) => Problem::not_json(),
        BatchError::Unreadable(Unreadable::TooManyEvents) => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_many_events",
            "Too many events",
            "A batch takes 100 events at most.",
        ),
        BatchError::NotProven(NotProven) => Problem::not_authenticated(),
        BatchError::OverBudget(OverBudget { retry_after }) => {
            let by = By::Seller(seller.0.as_str());
            Metrics::default().count("BatchesOverBudget", 1).emit(FUNCTION, by, now);
            Problem::too_many_writes(retry_after)
        }
        // What was stored is counted now: when the page tries again, it is a copy.
        BatchError::Store { error, taken } => {
            count(seller.0, &taken, now);
            with_report(unavailable(&error), &taken)
        }
        BatchError::Late { taken } => {
            tracing::error!(seller = %seller.0, not_stored = taken.not_stored, "events.too_slow");
            count(seller.0, &taken, now);
            with_report(Problem::try_later(), &taken)
        }
    })?;
    count(seller.0, &taken, now);
    Ok(answer::json(
        StatusCode::ACCEPTED,
        &json!({"accepted": taken.accepted, "duplicate": taken.duplicate, "ignored": taken.ignored, "rejected": rejected(&taken)}),
    ))
}

fn rejected(taken: &Taken) -> Value {
    taken.rejected.iter().map(|(index, code)| json!({"index": index, "code": code})).collect()
}

/// What became of a batch that has to be sent again.
fn with_report(problem: Problem, taken: &Taken) -> Problem {
    problem
        .with("accepted", taken.accepted)
        .with("duplicate", taken.duplicate)
        .with("ignored", taken.ignored)
        .with("rejected", rejected(taken))
        .with("not_stored", taken.not_stored)
}

/// The books balance: whatever was received is one of the others.
fn count(seller: &SellerId, taken: &Taken, now: Timestamp) {
    let mut metrics = Metrics::default();
    metrics
        .count("EventsReceived", taken.received)
        .count("EventsStored", taken.accepted)
        .count("EventsDuplicate", taken.duplicate)
        .count("EventsIgnored", taken.ignored)
        .count("EventsRejected", taken.rejected.len())
        .count("EventsNotStored", taken.not_stored)
        .count("EventsQuarantined", taken.quarantined)
        .count("PeopleLeftOut", taken.people_left_out);
    metrics.emit(FUNCTION, By::Seller(seller.as_str()), now);
    count_rejected(seller, taken.rejected.iter().map(|(_, code)| *code), now);
}

/// The parts of `EventsRejected`, so that the books balance code by code.
fn count_rejected<'a>(seller: &SellerId, codes: impl Iterator<Item = &'a str>, now: Timestamp) {
    let mut parts: BTreeMap<&str, usize> = BTreeMap::new();
    for code in codes {
        *parts.entry(code).or_default() += 1;
    }
    for (code, count) in parts {
        let by = By::PartOf { seller: seller.as_str(), code };
        Metrics::default().count("EventsRejected", count).emit(FUNCTION, by, now);
    }
}

/// The page's script, as `snippet/frontdesk.js` says it. It changes with a deploy only, so it may be kept for an hour.
fn snippet(request: &Request) -> Response<Body> {
    const SCRIPT: &str = include_str!("../snippet/frontdesk.min.js");
    static TAG: LazyLock<String> = LazyLock::new(|| format!("\"{}\"", &hash::hex(SCRIPT.as_bytes())[..32]));
    let mut response = if answer::knows(request, &TAG) {
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        Response::new(Body::Text(SCRIPT.to_owned()))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::ETAG, HeaderValue::from_str(&TAG).expect("hex digits are a header value"));
    // Any page may load it, also one that isolates itself.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

/// Reads every seller's quarantine again; after a deploy, what is known by now gets its kind. Each seller has an equal
/// share of the time, and what one leaves of it is the others': nobody's flood keeps another waiting.
async fn reread(app: &App) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sellers = app.sellers.current(FUNCTION, now).await;
    let until = now + REREADING;
    let mut total = Reread::default();
    // Another seller is the first in each hour: where the time does not do for all, nobody is always the last.
    let hour = usize::try_from(now.as_second().div_euclid(3600)).unwrap_or_default();
    let mut in_turn: Vec<_> = sellers.iter().map(|(id, _)| id).collect();
    let count = in_turn.len();
    in_turn.rotate_left(hour % count.max(1));
    for (waiting, id) in (1..=count).rev().zip(in_turn) {
        let now = app.clock.now();
        let share = until.duration_since(now) / i32::try_from(waiting).unwrap_or(i32::MAX);
        // A seller whose partition does not answer must not cost the others their turn.
        let reread = requarantine(&app.events, id, &*app.clock, now + share).await.unwrap_or_else(|error| {
            unavailable(&error);
            Reread { failed: 1, ..Reread::default() }
        });
        total.known_now += reread.known_now;
        total.still_unknown += reread.still_unknown;
        total.failed += reread.failed;
        let mut metrics = Metrics::default();
        metrics
            .count("EventsReread", reread.known_now)
            .count("EventsStillUnknown", reread.still_unknown)
            .count("EventsNotReread", reread.failed);
        metrics.emit(FUNCTION, By::Seller(id.as_str()), now);
    }
    Ok(answer::json(
        StatusCode::OK,
        &json!({"known_now": total.known_now, "still_unknown": total.still_unknown, "failed": total.failed}),
    ))
}

async fn preflight(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let sellers = app.sellers.current(FUNCTION, app.clock.now()).await;
    answer::preflight(request, sellers.get(seller).map(|(_, seller)| seller), "POST, OPTIONS")
}

async fn webhook(
    app: &App,
    request: &Request,
    seller: &str,
    vendor: &str,
    secret: Option<&str>,
) -> Result<Response<Body>, Problem> {
    let body = answer::body(request, MOST_WEBHOOK)?;
    let now = app.clock.now();
    let sellers = app.sellers.current(FUNCTION, now).await;
    let proven = sellers.get(seller).zip(Vendor::parse(vendor)).filter(|((_, seller), vendor)| {
        let secrets = seller.webhooks.get(vendor.as_str());
        secrets.is_some_and(|secrets| proof::webhook(secrets, request.headers(), secret))
    });
    let Some((seller, vendor)) = proven else { return Err(Problem::not_authenticated()) };
    let taken = take_webhook(&app.events, seller, vendor, Trust::Bearer, body, now).await;
    let one = Taken { received: 1, ..Taken::default() };
    let (stored, kind) = taken.map_err(|error| match error {
        WebhookError::NotJson => Problem::not_json(),
        WebhookError::NotProven(NotProven) => Problem::not_authenticated(),
        WebhookError::Store(error) => {
            count(seller.0, &Taken { not_stored: 1, ..one.clone() }, now);
            unavailable(&error)
        }
    })?;
    let (new, unknown) = (stored == Stored::New, kind == Kind::Unknown);
    let (accepted, duplicate, quarantined) = (usize::from(new), usize::from(!new), usize::from(new && unknown));
    count(seller.0, &Taken { accepted, duplicate, quarantined, ..one }, now);
    Ok(answer::json(StatusCode::OK, &json!({"stored": new})))
}

fn unavailable(error: &store::Error) -> Problem {
    tracing::error!(error = %error, "events.not_stored");
    Problem::try_later()
}
