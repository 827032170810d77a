//! A whole Frontdesk without a socket: database, Popin and every function in one process, by one clock and one seed.

#[cfg(test)]
mod tests;

pub use event_intake::config::ANONYMOUS_WRITE_UNITS;

use crate::{
    demo,
    dynamodb::{self, Embedded},
    fate::{self, Fates},
    functions::{Failure, InProcess, Invoker, Wiring},
    gateway::Gateway,
    schedule::Schedules,
    streams::{Batches, DeadLetters, Positions, Pump, PumpOptions},
    template::Template,
};
use bytes::Bytes;
use frontdesk::{
    edge::sellers::Source,
    flow::{Clock, Random},
    model::seller::{Reach, Sellers},
    popin::{Transport, TransportError},
};
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, header};
use serde_json::Value;
use sim::{ConnectionReset, Options, Sim};
use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};

/// What a world starts from.
pub struct WorldOptions {
    /// The sellers document; every seller in it gets an account at the simulated Popin.
    pub sellers: Value,
    /// A file with that document, which the functions read again every five minutes.
    pub sellers_file: Option<PathBuf>,
    /// How often Popin takes a slot.
    pub seats: u32,
    pub clock: Arc<dyn Clock>,
    pub seed: u64,
    /// What stands between Frontdesk and Popin; the simulator itself when absent.
    pub transport: Option<Arc<dyn Transport>>,
    /// What stands between Frontdesk and the CRMs; the simulated ones when absent.
    pub outside: Option<Arc<dyn Transport>>,
    pub weather: Weather,
    /// Write units a second that anonymous callers may cause.
    pub anonymous_write_units: u32,
}

/// What the cloud does with invocations and records.
#[derive(Clone)]
pub struct Weather {
    pub fates: Fates,
    pub batches: Batches,
}

impl Default for Weather {
    /// Every invocation lives, every record comes once and in order.
    fn default() -> Self {
        Self { fates: fate::always_lives(), batches: Arc::new(|read| vec![read]) }
    }
}

/// The host that Popin's webhooks go to; [`World::deliver_webhooks`] takes them there.
const HOST: &str = "http://frontdesk.test";

/// One machine. Two worlds share nothing.
pub struct World {
    pub db: Embedded,
    pub sim: Sim,
    pub gateway: Gateway,
    pub schedules: Schedules,
    pub streams: Pump,
    pub functions: Arc<Invoker>,
    template: Template,
}

impl World {
    pub async fn start(options: WorldOptions) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let db = Embedded::memory(options.clock.clone())?;
        Self::over(db, options).await
    }

    /// Deployed again over what is stored: other sellers, the same tables, a Popin that remembers nobody.
    pub async fn over(db: Embedded, options: WorldOptions) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let template = Template::deployed()?;
        let sellers = Sellers::parse_within(&serde_json::to_vec(&options.sellers)?, Reach::Local)?;
        let clock = options.clock;
        let sim_clock = clock.clone();
        let mut accounts = demo::accounts(&sellers, HOST, |_| true);
        for account in &mut accounts {
            account.capacity = options.seats;
        }
        let sim = Sim::new(Options { sellers: accounts, now: Arc::new(move || sim_clock.now()), data: None })?;
        let client = dynamodb::client(db.http(), "http://dynamodb.test");
        dynamodb::create_missing(&client, &template.tables).await?;
        db.reset_calls();
        let granted = template.clone();
        db.set_grants(Some(Arc::new(move |function, access| granted.grants(function, access))));
        let wiring = Wiring {
            sellers: options.sellers_file.map_or_else(|| Ok(Source::fixed(sellers)), Source::file)?,
            client,
            transport: options.transport.unwrap_or_else(|| Arc::new(SimTransport { sim: sim.clone() })),
            outside: options.outside.unwrap_or_else(|| Arc::new(SimTransport { sim: sim.clone() })),
            clock: clock.clone(),
            random: Arc::new(Random::from_seed(options.seed)),
            fates: options.weather.fates,
            anonymous_write_units: options.anonymous_write_units,
        };
        let invoker = Arc::new(Invoker::InProcess(Box::new(InProcess::new(&template, &wiring)?)));
        let ids = Random::from_seed(options.seed.wrapping_add(1));
        let gateway = Gateway::new(&template, invoker.clone(), clock.clone(), ids)?;
        let schedules = Schedules::new(&template, invoker.clone(), None);
        let functions = invoker.clone();
        let (positions, dead_letters) = (Positions::default(), DeadLetters::default());
        let batches = options.weather.batches;
        let books = PumpOptions { batches, ..PumpOptions::plain(positions, dead_letters, Duration::ZERO) };
        let streams = Pump::new(&template, db.clone(), invoker, clock, books)?;
        Ok(Self { db, sim, gateway, schedules, streams, functions, template })
    }

    /// A request as API Gateway hands it on.
    pub async fn http(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.gateway.handle(request).await
    }

    /// Fires a function's schedule.
    pub async fn tick(&self, function: &str) -> Result<Value, Failure> {
        let fired = self.schedules.fire(function).await;
        fired.unwrap_or_else(|| Err(Failure::Unknown(function.to_owned())))
    }

    /// Delivers stream records until none is left, and says how many there were.
    pub async fn pump(&self) -> usize {
        self.streams.drain().await.expect("a database in memory can be read")
    }

    /// Posts the webhooks that are due, in order, and says how many there were.
    pub async fn deliver_webhooks(&self) -> usize {
        let due = self.sim.take_due_webhooks();
        for webhook in &due {
            let mut request = Request::new(webhook.body.clone());
            *request.method_mut() = Method::POST;
            *request.uri_mut() = webhook.url.parse().expect("the url was made out of a seller's id");
            let headers = request.headers_mut();
            headers.insert(header::HOST, HeaderValue::from_static("frontdesk.test"));
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let key = HeaderValue::from_str(&webhook.api_key).expect("the key was a header's value in the document");
            headers.insert("x-api-key", key);
            self.http(request).await;
        }
        due.len()
    }

    /// Every item of `events`, `slots` or `bookings`, as plain JSON in the order of keys.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let variable = format!("{}_TABLE", table.to_ascii_uppercase());
        let name = self.template.table_of(&variable).expect("only tables of the template are asked for");
        self.db.items(&name).expect("a database in memory can be read")
    }
}

/// The way to the simulator that no packet takes, with what can go wrong on a real one.
pub struct SimTransport {
    pub sim: Sim,
}

impl Transport for SimTransport {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            match tokio::time::timeout(timeout, self.sim.handle(request)).await {
                Ok(reply) if reply.extensions().get::<ConnectionReset>().is_none() => Ok(reply),
                Ok(_) | Err(_) => Err(TransportError::Unanswered),
            }
        })
    }
}
