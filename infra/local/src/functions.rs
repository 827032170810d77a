//! The functions, called in process or as the binaries that are deployed: one door to both.

use crate::{
    bootstraps::Bootstraps,
    dynamodb::named,
    fate::{self, Fate, Fates},
    gateway,
    template::{Function, Template, Unreadable},
};
use aws_sdk_dynamodb::Client;
use bytes::Bytes;
use frontdesk::{
    edge::{sellers::Source, timed::Timed},
    flow::{Clock, Random, WriteBudget, access::Tokens},
    popin::Transport,
    store::{Bookings, Events, Shelf, Slots, retries},
};
use futures_util::FutureExt as _;
use http::Response;
use jiff::Timestamp;
use lambda_http::{Body, RequestExt as _};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// Why a function gave no answer of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("it failed: {0}")]
    Failed(String),
    #[error("it panicked")]
    Panicked,
    #[error("it was not done within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("its process ended: {0}")]
    Gone(String),
    #[error("its answer is not one that API Gateway reads")]
    Unreadable,
    #[error("there is no function {0}")]
    Unknown(String),
}

/// The names of the functions that can be called in process.
pub const NAMES: [&str; 6] = ["collect", "event-intake", "slots-api", "crm-intake", "slot-cache", "booking-worker"];

/// Calls functions, each within its own time.
pub enum Invoker {
    InProcess(Box<InProcess>),
    Bootstraps(Bootstraps),
}

/// Every function's wiring.
pub struct InProcess {
    /// Another process of event-intake's, for pages alone.
    pub collect: event_intake::App,
    pub event_intake: event_intake::App,
    pub slots_api: slots_api::App,
    pub crm_intake: crm_intake::App,
    pub slot_cache: slot_cache::App,
    pub booking_worker: booking_worker::App,
    clock: Arc<dyn Clock>,
    /// Of invocations; what the functions draw is not moved by it.
    ids: Random,
    functions: Vec<Function>,
    fates: Fates,
}

/// What the functions are wired to.
pub struct Wiring {
    pub sellers: Source,
    pub client: Client,
    pub transport: Arc<dyn Transport>,
    /// The way to sellers' CRMs and their own URLs.
    pub outside: Arc<dyn Transport>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<Random>,
    pub fates: Fates,
    /// Write units a second that anonymous callers may cause.
    pub anonymous_write_units: u32,
}

impl InProcess {
    pub fn new(template: &Template, wiring: &Wiring) -> Result<Self, Unreadable> {
        let (events_table, slots_table) = (template.table_of("EVENTS_TABLE")?, template.table_of("SLOTS_TABLE")?);
        let bookings_table = template.table_of("BOOKINGS_TABLE")?;
        // Each by a client of its own name, which is how the database knows whom it was granted to.
        let client = |function| {
            let named = named(&wiring.client, function);
            if function == "crm-intake" { retries::persistent(&named) } else { named }
        };
        let events = |function| Events::new(client(function), events_table.clone());
        let slots = |function| Slots { client: client(function), table: slots_table.clone() };
        let bookings =
            |function| Bookings { client: client(function), table: bookings_table.clone(), slots: slots(function) };
        let (sellers, transport) = (&wiring.sellers, &Timed::popin(wiring.transport.clone()));
        let outside = &Timed::crm(wiring.outside.clone());
        let (clock, random) = (&wiring.clock, &wiring.random);
        let intake = |function| event_intake::App {
            sellers: sellers.clone(),
            events: events(function),
            budget: WriteBudget::new(wiring.anonymous_write_units),
            clock: clock.clone(),
        };
        Ok(Self {
            collect: intake("collect"),
            event_intake: intake("event-intake"),
            slots_api: slots_api::App {
                sellers: sellers.clone(),
                shelf: Shelf::new(slots("slots-api")),
                clock: clock.clone(),
            },
            crm_intake: crm_intake::App {
                sellers: sellers.clone(),
                events: events("crm-intake"),
                bookings: bookings("crm-intake"),
                slots: slots("crm-intake"),
                transport: transport.clone(),
                outside: outside.clone(),
                tokens: Tokens::default(),
                clock: clock.clone(),
                random: random.clone(),
            },
            slot_cache: slot_cache::App {
                sellers: sellers.clone(),
                slots: slots("slot-cache"),
                transport: transport.clone(),
                clock: clock.clone(),
                random: random.clone(),
            },
            booking_worker: booking_worker::App {
                sellers: sellers.clone(),
                events: events("booking-worker"),
                bookings: bookings("booking-worker"),
                slots: slots("booking-worker"),
                transport: transport.clone(),
                outside: outside.clone(),
                tokens: Tokens::default(),
                clock: clock.clone(),
                random: random.clone(),
            },
            clock: clock.clone(),
            ids: Random::from_seed(0),
            functions: template.functions.clone(),
            fates: wiring.fates.clone(),
        })
    }

    fn timeout(&self, function: &str) -> Result<Duration, Failure> {
        let found = self.functions.iter().find(|f| f.name == function);
        found.map(|f| f.timeout).ok_or_else(|| Failure::Unknown(function.to_owned()))
    }

    async fn http(&self, function: &str, event: &Value, id: &str) -> Result<Response<Bytes>, Failure> {
        let timeout = self.timeout(function)?;
        let read = catch_unwind(|| lambda_http::request::from_str(&event.to_string()));
        let request = read.map_err(|_| Failure::Panicked)?.map_err(failed)?;
        let context = self.context(id.to_owned(), deadline(self.clock.now(), timeout));
        let request = request.with_lambda_context(context);
        let run = Run { timeout, fate: (self.fates)(function) };
        let answer = match function {
            "collect" => run.guarded(event_intake::handle(&self.collect, request)).await,
            "event-intake" => run.guarded(event_intake::handle(&self.event_intake, request)).await,
            "slots-api" => run.guarded(slots_api::handle(&self.slots_api, request)).await,
            "crm-intake" => run.guarded(crm_intake::handle(&self.crm_intake, request)).await,
            other => Err(Failure::Unknown(other.to_owned())),
        }?;
        Ok(answer.map(|body| match body {
            Body::Empty => Bytes::new(),
            Body::Text(text) => text.into(),
            Body::Binary(bytes) => bytes.into(),
            _ => unreachable!("lambda_http makes no other body"),
        }))
    }

    /// As Lambda gives it to an invocation.
    fn context(&self, id: String, deadline: Timestamp) -> Context {
        let mut context = Context::default();
        context.xray_trace_id = Some(trace(&id, self.clock.now()));
        context.request_id = id;
        context.deadline = u64::try_from(deadline.as_millisecond()).unwrap_or_default();
        context
    }

    async fn event(&self, function: &str, event: Value) -> Result<Value, Failure> {
        let timeout = self.timeout(function)?;
        let deadline = deadline(self.clock.now(), timeout);
        if matches!(function, "event-intake" | "crm-intake") {
            let answer = self.http(function, &event, &self.ids.id(self.clock.now())).await?;
            return Ok(serde_json::from_slice(answer.body()).unwrap_or(Value::Null));
        }
        let run = Run { timeout, fate: (self.fates)(function) };
        let event = LambdaEvent::new(event, self.context(self.ids.id(self.clock.now()), deadline));
        match function {
            "slot-cache" => run.guarded(slot_cache::handle(&self.slot_cache, event)).await,
            "booking-worker" => run.guarded(booking_worker::handle(&self.booking_worker, event)).await,
            other => Err(Failure::Unknown(other.to_owned())),
        }
    }
}

impl Invoker {
    /// An event of API Gateway in, its answer out. `id` is the request's.
    pub async fn http(&self, function: &str, event: Value, id: &str) -> Result<Response<Bytes>, Failure> {
        match self {
            Self::InProcess(apps) => Box::pin(apps.http(function, &event, id)).await,
            Self::Bootstraps(bootstraps) => {
                let answer = bootstraps.invoke(function, &event).await?;
                gateway::from_lambda(&answer).ok_or(Failure::Unreadable)
            }
        }
    }

    /// Any other event in, the function's own answer out.
    pub async fn event(&self, function: &str, event: Value) -> Result<Value, Failure> {
        match self {
            Self::InProcess(apps) => Box::pin(apps.event(function, event)).await,
            Self::Bootstraps(bootstraps) => bootstraps.invoke(function, &event).await,
        }
    }
}

/// As X-Ray names one, made of the request's id.
pub(crate) fn trace(id: &str, now: Timestamp) -> String {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).rev().take(24).collect();
    format!("Root=1-{:08x}-{digits:0>24}", now.as_second())
}

fn deadline(now: Timestamp, timeout: Duration) -> Timestamp {
    now.checked_add(timeout).unwrap_or(Timestamp::MAX)
}

fn failed(error: impl fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// One invocation in this process.
struct Run {
    timeout: Duration,
    fate: Fate,
}

impl Run {
    /// A handler's answer; its panic and its lateness are failures, and this process lives.
    async fn guarded<T, E: fmt::Display>(self, run: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
        let Self { timeout, fate } = self;
        match tokio::time::timeout(timeout, Box::pin(fate::meet(fate, AssertUnwindSafe(run).catch_unwind()))).await {
            Err(_) => Err(Failure::TimedOut(timeout)),
            Ok(Err(gone)) => Err(gone),
            Ok(Ok(Err(_))) => Err(Failure::Panicked),
            Ok(Ok(Ok(answer))) => answer.map_err(failed),
        }
    }
}
