//! Event intake: browser beacons and vendor webhooks, stored before they are acknowledged.

pub mod config;

use config::Config;
use frontdesk::{
    edge::{
        answer::{self, MOST_BEACON, MOST_WEBHOOK, Problem},
        clock::SystemClock,
        http::Net,
        origin, proof,
        sellers::Source,
        telemetry::Metrics,
    },
    flow::{
        Clock,
        take_event::{BatchError, WebhookError, take_page_events, take_webhook},
    },
    model::{event::Vendor, ids::SellerId, kind::Kind, trust::Trust},
    store::{self, Events, events::Stored},
};
use http::{Method, StatusCode};
use lambda_http::{Body, Error, Request, Response};
use serde_json::json;
use std::sync::Arc;

const FUNCTION: &str = "event-intake";

/// What an invocation works with.
pub struct App {
    pub sellers: Source,
    pub events: Events,
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// Everything that takes time is done here, where Lambda lends the whole CPU.
    pub async fn connect(config: Config) -> Result<Self, Error> {
        let net = Net::new()?;
        let aws = &config.basics.aws;
        let sellers = Source::open(&config.basics.sellers, aws, net.sdk()).await?;
        let events = Events { client: aws.connection(net.sdk()).client(), table: config.events_table };
        events.warm().await;
        Ok(Self { sellers, events, clock: Arc::new(SystemClock) })
    }
}

pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
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
        _ => Err(Problem::not_found()),
    };
    Ok(answer::finish(&request, FUNCTION, response))
}

async fn collect(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sellers = app.sellers.current(now).await;
    let origin = origin::of(request.headers());
    let known =
        sellers.get(seller).zip(origin.as_deref()).filter(|((_, seller), origin)| origin::allowed(seller, origin));
    let Some(((id, _), origin)) = known else { return Err(Problem::origin_not_allowed()) };
    let response = take_batch(app, request, id, origin).await;
    Ok(answer::shared(response, Some(origin)))
}

async fn take_batch(app: &App, request: &Request, seller: &SellerId, origin: &str) -> Result<Response<Body>, Problem> {
    let body = answer::body(request, MOST_BEACON)?;
    let now = app.clock.now();
    let taken = take_page_events(&app.events, seller, origin, body, now).await.map_err(|error| match error {
        BatchError::NotJson => Problem::not_json(),
        BatchError::TooManyEvents => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_many_events",
            "Too many events",
            "A batch takes 100 events at most.",
        ),
        BatchError::Store(error) => unavailable(&error),
    })?;
    let mut metrics = Metrics::default();
    let received = taken.accepted + taken.duplicate + taken.ignored + taken.rejected.len();
    metrics
        .count("EventsReceived", received)
        .count("EventsStored", taken.accepted)
        .count("EventsDuplicate", taken.duplicate);
    metrics
        .count("EventsIgnored", taken.ignored)
        .count("EventsRejected", taken.rejected.len())
        .count("EventsQuarantined", taken.quarantined);
    metrics.emit(FUNCTION, seller.as_str(), now);
    let rejected: Vec<_> = taken.rejected.iter().map(|(index, code)| json!({"index": index, "code": code})).collect();
    Ok(answer::json(
        StatusCode::ACCEPTED,
        &json!({"accepted": taken.accepted, "duplicate": taken.duplicate, "ignored": taken.ignored, "rejected": rejected}),
    ))
}

async fn preflight(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let sellers = app.sellers.current(app.clock.now()).await;
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
    let sellers = app.sellers.current(now).await;
    let proven = sellers.get(seller).zip(Vendor::parse(vendor)).filter(|((_, seller), vendor)| {
        let secrets = seller.webhooks.get(vendor.as_str());
        secrets.is_some_and(|secrets| proof::webhook(secrets, request.headers(), secret))
    });
    let Some(((id, _), vendor)) = proven else { return Err(Problem::not_authenticated()) };
    let (stored, kind) =
        take_webhook(&app.events, id, vendor, Trust::Bearer, body, now).await.map_err(|error| match error {
            WebhookError::NotJson => Problem::not_json(),
            WebhookError::Store(error) => unavailable(&error),
        })?;
    let new = stored == Stored::New;
    let mut metrics = Metrics::default();
    metrics
        .count("EventsReceived", 1)
        .count("EventsStored", usize::from(new))
        .count("EventsDuplicate", usize::from(!new));
    metrics.count("EventsQuarantined", usize::from(new && kind == Kind::Unknown));
    metrics.emit(FUNCTION, id.as_str(), now);
    Ok(answer::json(StatusCode::OK, &json!({"stored": new})))
}

fn unavailable(error: &store::Error) -> Problem {
    tracing::error!(error = %error, "events.not_stored");
    Problem::try_later()
}
