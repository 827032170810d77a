//! The running stack: everything that `main` starts, wired in order.

#[cfg(test)]
mod tests;

use crate::{
    bootstraps::{Bootstraps, Surroundings},
    cli::Cli,
    controls::Controls,
    demo,
    dynamodb::{self, Embedded},
    fate,
    front::{self, Door, Doors},
    functions::{InProcess, Invoker, Wiring},
    gateway::Gateway,
    keep::Keep,
    say,
    schedule::Schedules,
    shop_page::ShopPage,
    streams::{Pump, PumpOptions},
    template::Template,
};
use aws_sdk_dynamodb::Client;
use bytes::Bytes;
use event_intake::config::ANONYMOUS_WRITE_UNITS;
use frontdesk::{
    edge::{clock::SystemClock, http::HttpClients, sellers::Source},
    flow::{Clock, Random},
    model::seller::{Reach, Sellers},
    popin::Transport,
};
use http::{HeaderValue, Method, Request, header};
use serde_json::Value;
use sim::{Options, Sim, Webhook};
use std::{error::Error, fs, path::PathBuf, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Anything that keeps the stack from starting: said once, and then it ends.
pub type Trouble = Box<dyn Error + Send + Sync>;

/// How long the first ticks may take; a Popin that hangs must not keep the rest from being used.
const FIRST_TICKS: Duration = Duration::from_secs(2);
const SWEEP: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// ASSUMPTION: Popin waits this long for a receiver of its webhooks.
const WEBHOOK: Duration = Duration::from_secs(10);

const STREAMS_UNREAD: &str = "The streams of another DynamoDB are not read: \
    new bookings wait for the sweep, on every tick, and a booking in doubt finds no witness.";

/// It runs as long as this is held.
pub struct Stack {
    pub api_port: u16,
    pub sim_port: u16,
    pub dynamodb_port: Option<u16>,
    pub sellers: Vec<String>,
    pub tasks: JoinSet<()>,
    pub sim: Sim,
    /// None when DynamoDB is elsewhere.
    pub embedded: Option<Embedded>,
    _keep: Keep,
}

impl Stack {
    /// Returns when everything listens and every schedule fired once.
    pub async fn start(cli: &Cli) -> Result<Self, Trouble> {
        let doors = Doors::open(cli).await?;
        let (api_port, sim_port) = (doors.api.port, doors.sim.port);
        let dynamodb_port = doors.dynamodb.as_ref().map(|door| door.port);
        let ground = Ground::lay(cli, api_port, sim_port)?;
        let sim = ground.sim(api_port, sim_port)?;
        let (client, embedded) = ground.database(cli)?;
        dynamodb::create_missing(&client, &ground.template.tables).await?;
        if let Some(embedded) = &embedded {
            let granted = ground.template.clone();
            embedded.set_grants(Some(Arc::new(move |function, access| granted.grants(function, access))));
        }

        let mut tasks = JoinSet::new();
        if let (Some(door), Some(embedded)) = (doors.dynamodb, &embedded) {
            tasks.spawn(serve_dynamodb(door, embedded.clone()));
            tasks.spawn(sweep(embedded.clone()));
        }
        let invoker = Arc::new(ground.invoker(cli, client, dynamodb_port).await?);
        let gateway = Gateway::new(&ground.template, invoker.clone(), ground.clock.clone(), random())?;
        let schedules = Schedules::new(&ground.template, invoker.clone(), cli.every());
        let pump = embedded.as_ref().map(|db| ground.pump(db, invoker)).transpose()?;
        let first = ground.sellers.parsed.iter().next().map(|(id, _)| id.to_string());
        let shop = ShopPage {
            api: format!("http://127.0.0.1:{api_port}"),
            seller: first.unwrap_or_default(),
            events: embedded.clone().zip(ground.template.table_of("EVENTS_TABLE").ok()),
        };
        let template = ground.template;
        let controls =
            Controls { schedules: schedules.clone(), template, embedded: embedded.clone().zip(pump.clone()) };
        tasks.spawn(serve(doors.api, front::router(gateway).merge(shop.router())));
        tasks.spawn(serve(doors.sim, sim.router().merge(controls.router())));
        tasks.spawn(deliver(sim.clone(), ground.http.transport(Reach::Local)?));
        pump.iter().flat_map(Pump::tasks).for_each(|task| drop(tasks.spawn(task)));

        // A tick that fails says so itself; one that takes longer goes on at its next time.
        let first = schedules.clone();
        let mut ticks = JoinSet::new();
        ticks.spawn(async move { first.fire_all().await });
        let in_time = tokio::time::timeout(FIRST_TICKS, ticks.join_next()).await.is_ok();
        if !in_time {
            // Never dropped half-way: a refresh that is cut holds its turn.
            tasks.spawn(async move { drop(ticks.join_next().await) });
        }
        schedules.tasks().into_iter().for_each(|task| drop(tasks.spawn(task)));
        let sellers = ground.sellers.parsed.iter().map(|(id, _)| id.to_string()).collect();
        Ok(Self { api_port, sim_port, dynamodb_port, sellers, tasks, sim, embedded, _keep: ground.keep })
    }
}

fn random() -> Random {
    Random::from_seed(fastrand::u64(..))
}

/// What every part stands on.
struct Ground {
    template: Template,
    keep: Keep,
    clock: Arc<dyn Clock>,
    http: HttpClients,
    sellers: TheSellers,
}

impl Ground {
    fn lay(cli: &Cli, api_port: u16, sim_port: u16) -> Result<Self, Trouble> {
        Ok(Self {
            template: Template::deployed()?,
            sellers: TheSellers::read(cli, api_port, sim_port)?,
            keep: Keep::open(cli.data.as_deref())?,
            clock: Arc::new(SystemClock),
            http: HttpClients::new()?,
        })
    }

    fn sim(&self, api_port: u16, sim_port: u16) -> Result<Sim, sim::Error> {
        let api = format!("http://127.0.0.1:{api_port}");
        let clock = self.clock.clone();
        Sim::new(Options {
            sellers: demo::accounts(&self.sellers.parsed, &api, |seller| demo::is_at(seller, sim_port)),
            now: Arc::new(move || clock.now()),
            data: self.keep.file("popin.jsonl"),
        })
    }

    fn database(&self, cli: &Cli) -> Result<(Client, Option<Embedded>), Trouble> {
        if let Some(url) = &cli.dynamodb {
            say::line(STREAMS_UNREAD);
            return Ok((dynamodb::client(self.http.aws()?, url), None));
        }
        let embedded = match self.keep.file("dynamodb.db") {
            Some(file) => Embedded::file(&file)?,
            None => Embedded::lasting(self.clock.clone())?,
        };
        // No packet goes there: the client hands every call to the database.
        Ok((dynamodb::client(embedded.http(), "http://dynamodb.local"), Some(embedded)))
    }

    async fn invoker(&self, cli: &Cli, client: Client, dynamodb_port: Option<u16>) -> Result<Invoker, Trouble> {
        let clock = self.clock.clone();
        if !cli.bootstraps {
            if cli.data.is_some() {
                // For functions that somebody else starts: `cargo lambda watch`.
                self.sellers.file(&self.keep)?;
            }
            let (sellers, transport) = (self.sellers.source()?, self.http.transport(Reach::Local)?);
            let outside = self.http.transport(Reach::Local)?;
            let random = Arc::new(random());
            let fates = fate::always_lives();
            let wiring = Wiring {
                sellers,
                client,
                transport,
                outside,
                clock,
                random,
                fates,
                anonymous_write_units: ANONYMOUS_WRITE_UNITS,
            };
            return Ok(Invoker::InProcess(Box::new(InProcess::new(&self.template, &wiring)?)));
        }
        let embedded = dynamodb_port.map(|port| format!("http://127.0.0.1:{port}"));
        let dynamodb = cli.dynamodb.clone().or(embedded).unwrap_or_default();
        let around = Surroundings { sellers_file: self.sellers.file(&self.keep)?, dynamodb, clock };
        Ok(Invoker::Bootstraps(Bootstraps::start(&self.template, &around).await?))
    }

    fn pump(&self, db: &Embedded, invoker: Arc<Invoker>) -> Result<Pump, Trouble> {
        let (positions, dead_letters) = (self.keep.positions()?, self.keep.dead_letters()?);
        let books = PumpOptions::plain(positions, dead_letters, FIRST_PAUSE);
        Ok(Pump::new(&self.template, db.clone(), invoker, self.clock.clone(), books)?)
    }
}

/// The sellers document: parsed, and as functions in this process or in one of their own read it.
struct TheSellers {
    parsed: Sellers,
    demo: Value,
    file: Option<PathBuf>,
}

impl TheSellers {
    fn read(cli: &Cli, api_port: u16, sim_port: u16) -> Result<Self, Trouble> {
        let demo = demo::sellers(api_port, sim_port);
        let Some(path) = &cli.sellers else {
            return Ok(Self {
                parsed: Sellers::parse_within(&serde_json::to_vec(&demo)?, Reach::Local)?,
                demo,
                file: None,
            });
        };
        let named = |error: &dyn Error| format!("--sellers {}: {error}", path.display());
        let file = path.canonicalize().map_err(|error| named(&error))?;
        let parsed = Sellers::parse_within(&fs::read(&file)?, Reach::Local).map_err(|error| named(&error))?;
        Ok(Self { parsed, demo, file: Some(file) })
    }

    fn source(&self) -> Result<Source, Trouble> {
        Ok(match &self.file {
            Some(file) => Source::file(file)?,
            None => Source::fixed(self.parsed.clone()),
        })
    }

    fn file(&self, keep: &Keep) -> Result<PathBuf, Trouble> {
        Ok(match &self.file {
            Some(file) => file.clone(),
            None => keep.write_sellers(&self.demo)?,
        })
    }
}

async fn serve(door: Door, router: axum::Router) {
    if let Err(error) = axum::serve(door.listener, router).await {
        say::trouble(format_args!("port {} is not served any more: {error}", door.port));
    }
}

async fn serve_dynamodb(door: Door, embedded: Embedded) {
    let db = embedded.database().clone();
    if let Err(error) = dynoxide::server::serve_with_shutdown(door.listener, db, std::future::pending()).await {
        say::trouble(format_args!("port {} is not served any more: {error}", door.port));
    }
}

/// Time-to-live, which DynamoDB sees to by itself.
async fn sweep(embedded: Embedded) {
    let mut minutes = tokio::time::interval(SWEEP);
    loop {
        minutes.tick().await;
        if let Err(error) = tokio::task::block_in_place(|| embedded.sweep_ended()) {
            tracing::error!(error = %error, "ttl.failed");
        }
    }
}

/// Popin's webhooks, over the network as they would come.
async fn deliver(sim: Sim, transport: Arc<dyn Transport>) {
    sim.deliver_forever(move |webhook| {
        let transport = transport.clone();
        Box::pin(async move { post(&*transport, webhook).await })
    })
    .await;
}

async fn post(transport: &dyn Transport, webhook: Webhook) -> bool {
    let mut request: Request<Bytes> = Request::new(webhook.body);
    let (Ok(uri), Ok(key)) = (webhook.url.parse(), HeaderValue::from_str(&webhook.api_key)) else { return false };
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers_mut().insert("x-api-key", key);
    transport.send(request, WEBHOOK).await.is_ok_and(|answer| answer.status().is_success())
}
