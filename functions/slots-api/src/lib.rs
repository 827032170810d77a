//! The slots API: the diary as a shop's page reads it, and how old it is.

pub mod config;

use config::Config;
use frontdesk::{
    edge::{
        answer::{self, Problem},
        aws::{self, SdkConfig},
        booking_view::SlotView,
        clock::SystemClock,
        origin,
        sellers::Source,
        telemetry::{By, Invocation, Metrics},
    },
    flow::{
        Clock,
        read_slots::{Answer, Free, Query, read_slots},
    },
    model::{hash, ids::SellerId, instant},
    store::{self, Shelf, Slots},
};
use http::{HeaderValue, Method, StatusCode, header};
use lambda_http::{Body, Error, Request, RequestExt, Response};
use serde::Serialize;
use std::sync::Arc;

/// The function's name in logs, metrics and `User-Agent`.
pub const FUNCTION: &str = "slots-api";

/// What an invocation works with.
pub struct App {
    pub sellers: Source,
    pub shelf: Shelf,
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// Everything that takes time is done here, where Lambda lends the whole CPU.
    pub async fn connect(config: Config, aws: &SdkConfig) -> Result<Self, Error> {
        let sellers = Source::open(&config.basics, aws).await?;
        let shelf = Shelf::new(Slots { client: aws::dynamodb(aws), table: config.slots_table });
        store::may_start(shelf.warm().await)?;
        Ok(Self { sellers, shelf, clock: Arc::new(SystemClock) })
    }
}

pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    Invocation::of_request(FUNCTION, &request).run(taken(app, request)).await
}

async fn taken(app: &App, request: Request) -> Result<Response<Body>, Error> {
    let path = answer::path(&request);
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    let response = match (request.method(), segments.as_slice()) {
        (&Method::GET, ["slots", seller]) => slots(app, &request, seller).await,
        (&Method::OPTIONS, ["slots", seller]) => preflight(app, &request, seller).await,
        _ => Err(Problem::not_found()),
    };
    Ok(answer::finish(&request, FUNCTION, response))
}

async fn preflight(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let sellers = app.sellers.current(FUNCTION, app.clock.now()).await;
    answer::preflight(request, sellers.get(seller).map(|(_, seller)| seller), "GET, OPTIONS")
}

/// No origin at all, as of a server, is served; one that is not allowed is not.
async fn slots(app: &App, request: &Request, seller: &str) -> Result<Response<Body>, Problem> {
    let now = app.clock.now();
    let sellers = app.sellers.current(FUNCTION, now).await;
    let origin = origin::of(request.headers());
    let known = sellers
        .get(seller)
        .filter(|(_, seller)| origin.as_deref().is_none_or(|origin| origin::allowed(seller, origin)));
    let Some((id, seller)) = known else { return Err(Problem::origin_not_allowed()) };
    let parameters = request.query_string_parameters();
    let response = match Query::parse(parameters.iter()) {
        Ok(query) => match read_slots(&app.shelf, (id, seller), &query, now).await {
            Ok(Answer::Free(free)) => Ok(free_slots(request, id, &free, now)),
            Ok(Answer::Unavailable { retry_in }) => {
                let mut metrics = Metrics::default();
                metrics.count("SlotsUnavailable", 1);
                metrics.emit(FUNCTION, By::Seller(id.as_str()), now);
                let detail = "There is no list of slots that is fresh enough to be shown.";
                let problem =
                    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "slots_unavailable", "Slots unavailable", detail);
                Err(problem.retry_after(retry_in.as_secs().unsigned_abs()))
            }
            Err(error) => {
                tracing::error!(error = %error, "slots.not_read");
                Err(Problem::try_later())
            }
        },
        Err(parameter) => {
            let detail = "from and to are RFC 3339 with from before to, tz is an IANA zone, limit is 1 to 500.";
            Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", "Bad query", detail).with("parameter", parameter))
        }
    };
    Ok(answer::shared(response, origin.as_deref()))
}

/// Everything but the age.
#[derive(Serialize)]
struct View<'a> {
    seller: &'a str,
    timezone: &'a str,
    slot_minutes: u32,
    as_of: String,
    stale: bool,
    slots: Vec<SlotView>,
}

fn free_slots(request: &Request, seller: &SellerId, free: &Free, now: jiff::Timestamp) -> Response<Body> {
    let view = View {
        seller: seller.as_str(),
        timezone: &free.timezone,
        slot_minutes: free.slot_minutes,
        as_of: instant::millis(free.as_of),
        stale: free.stale,
        slots: free.slots.iter().map(|slot| SlotView::in_zone(slot, &free.zone)).collect(),
    };
    let mut text = serde_json::to_string(&view).expect("text, numbers and lists are always JSON");
    let tag = format!("\"{}\"", &hash::hex(text.as_bytes())[..32]);
    // The age comes after the tag was made: it is another one each second.
    text.pop();
    text.extend([",\"age_s\":", &free.age.as_secs().to_string(), "}"]);
    let mut metrics = Metrics::default();
    metrics.seconds("SlotAgeSeconds", free.age.as_secs_f64());
    metrics.emit(FUNCTION, By::Seller(seller.as_str()), now);
    let mut response = if answer::knows(request, &tag) {
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        answer::text(StatusCode::OK, "application/json", text)
    };
    let headers = response.headers_mut();
    let keep = format!("public, max-age={}", free.keep.as_secs());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_str(&keep).expect("digits are a header value"));
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).expect("hex digits are a header value"));
    response
}
