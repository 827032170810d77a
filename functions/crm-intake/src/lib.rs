//! CRM intake: CRM triggers and our own bookings API; a trigger is stored before it is answered.

mod bookings;
mod books;
pub mod config;
mod parked;
mod people;
mod triggers;

use config::Config;
use frontdesk::{
    edge::{
        answer::{self, Problem},
        aws::{self, SdkConfig},
        clock::SystemClock,
        http::HttpClients,
        sellers::Source,
        telemetry::Invocation,
        timed::Timed,
    },
    flow::{Clock, Desk, Random, access::Tokens},
    model::{ids::SellerId, seller::Seller},
    popin::Transport,
    store::{self, Bookings, Events, Slots, retries},
};
use http::{Method, StatusCode};
use lambda_http::{Body, Error, Request, RequestExt as _, Response, request::RequestContext};
use std::sync::Arc;

/// The function's name in logs, metrics and `User-Agent`.
pub const FUNCTION: &str = "crm-intake";

/// What an invocation works with.
pub struct App {
    pub sellers: Source,
    /// Only to forget people.
    pub events: Events,
    pub bookings: Bookings,
    pub slots: Slots,
    pub transport: Arc<dyn Transport>,
    /// To the sellers' CRMs: to the internet, and to nothing nearer.
    pub outside: Arc<dyn Transport>,
    pub tokens: Tokens,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<Random>,
}

impl App {
    /// Everything that takes time is done here, where Lambda lends the whole CPU.
    pub async fn connect(config: Config, http: &HttpClients, aws: &SdkConfig) -> Result<Self, Error> {
        let sellers = Source::open(&config.basics, aws).await?;
        let client = aws::dynamodb(aws);
        let persistent = retries::persistent(&client);
        let slots = Slots { client: persistent.clone(), table: config.slots_table };
        let events = Events::new(persistent.clone(), config.events_table);
        let mut bookings = Bookings { client, table: config.bookings_table, slots: slots.clone() };
        // Not by that one: a start has 10 s.
        store::may_start(bookings.warm().await)?;
        bookings.client = persistent;
        let random = Arc::new(Random::from_entropy());
        Ok(Self {
            sellers,
            events,
            bookings,
            slots,
            outside: Timed::crm(http.transport(config.basics.reach)?),
            transport: Timed::popin(http.transport(config.basics.reach)?),
            tokens: Tokens::default(),
            clock: Arc::new(SystemClock),
            random,
        })
    }

    fn desk<'a>(&'a self, id: &'a SellerId, seller: &'a Seller) -> Desk<'a> {
        Desk {
            clock: &*self.clock,
            random: &self.random,
            transport: &*self.transport,
            bookings: &self.bookings,
            slots: &self.slots,
            events: &self.events,
            id,
            seller,
        }
    }
}

pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Error> {
    Invocation::of_request(FUNCTION, &request).run(taken(app, request)).await
}

async fn taken(app: &App, request: Request) -> Result<Response<Body>, Error> {
    // What is no request comes from a bus that AWS has proven: no route leads here.
    if matches!(request.request_context_ref(), Some(RequestContext::PassThrough)) {
        return Box::pin(triggers::event(app, &request)).await;
    }
    let path = answer::path(&request);
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    let response = match (request.method(), segments.as_slice()) {
        (&Method::POST, ["bookings", seller]) => Box::pin(bookings::create(app, &request, seller)).await,
        (&Method::GET, ["bookings", seller, id]) => Box::pin(bookings::read(app, &request, seller, id)).await,
        (&Method::POST, ["bookings", seller, id, "resolve"]) => {
            Box::pin(bookings::resolve(app, &request, seller, id)).await
        }
        (&Method::POST, ["bookings", seller, id, "write-backs", "retry"]) => {
            Box::pin(bookings::retry(app, &request, seller, id)).await
        }
        (&Method::GET, ["crm", seller, "parked"]) => Box::pin(parked::list(app, &request, seller)).await,
        (&Method::POST, ["crm", seller, "parked", id, "retry"]) => {
            Box::pin(parked::retry(app, &request, seller, id)).await
        }
        (&Method::POST, ["crm", seller, connector]) => {
            Box::pin(triggers::take(app, &request, seller, connector, None)).await
        }
        (&Method::POST, ["crm", seller, connector, path_secret]) => {
            Box::pin(triggers::take(app, &request, seller, connector, Some(path_secret))).await
        }
        (&Method::DELETE, ["people", seller]) => Box::pin(people::forget(app, &request, seller)).await,
        (&Method::GET, ["people", seller, "erasures", id]) => {
            Box::pin(people::erasure(app, &request, seller, id)).await
        }
        // A CRM that shakes hands first asks only whether somebody is there.
        (&Method::HEAD, ["crm", _, _] | ["crm", _, _, _]) => Ok(answer::empty(StatusCode::OK)),
        _ => Err(Problem::not_found()),
    };
    Ok(answer::finish(&request, FUNCTION, response))
}

fn unavailable(error: &store::Error) -> Problem {
    tracing::error!(error = %error, "bookings.not_stored");
    Problem::try_later()
}
