//! The running stack: everything that `main` starts, wired in order.

use crate::{
    bootstraps::{Bootstraps, Surroundings},
    cli::Cli,
    controls::Controls,
    demo,
    dynamodb::{self, Embedded},
    front::{self, Door, Doors},
    functions::{InProcess, Invoker, Wiring},
    gateway::Gateway,
    keep::Keep,
    say,
    schedule::Schedules,
    streams::{Pump, PumpOptions},
    template::Template,
};
use aws_sdk_dynamodb::Client;
use bytes::Bytes;
use frontdesk::{
    edge::{clock::SystemClock, http::Net, sellers::Source},
    flow::{Clock, Random},
    model::seller::Sellers,
    popin::Transport,
};
use http::{HeaderValue, Method, Request, header};
use sim::{Options, Sim, Webhook};
use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Anything that keeps the stack from starting: said once, and then it ends.
pub type Trouble = Box<dyn Error + Send + Sync>;

/// How long the first ticks may take; a Popin that hangs must not keep the rest from being used.
const FIRST_TICKS: Duration = Duration::from_secs(15);
const SWEEP: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// ASSUMPTION: Popin waits this long for a receiver of its webhooks.
const WEBHOOK: Duration = Duration::from_secs(10);

/// It runs as long as this is held.
pub struct Stack {
    pub api_port: u16,
    pub sim_port: u16,
    pub dynamodb_port: Option<u16>,
    pub sellers: Vec<String>,
    pub tasks: JoinSet<()>,
    _keep: Keep,
}

impl Stack {
    /// Returns when everything listens and every schedule fired once.
    pub async fn start(cli: &Cli) -> Result<Self, Trouble> {
        let template = Template::deployed()?;
        let doors = Doors::open(cli).await?;
        let keep = Keep::open(cli.data.as_deref())?;
        let (api_port, sim_port) = (doors.api.port, doors.sim.port);
        let dynamodb_port = doors.dynamodb.as_ref().map(|door| door.port);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let net = Net::new()?;

        let sellers = TheSellers::read(cli, &keep, api_port, sim_port)?;
        let api = format!("http://127.0.0.1:{api_port}");
        let sim_clock = clock.clone();
        let sim = Sim::new(Options {
            sellers: demo::accounts(&sellers.parsed, &api, |seller| demo::is_at(seller, sim_port)),
            now: Arc::new(move || sim_clock.now()),
            data: keep.file("popin.jsonl"),
        })?;

        let (client, embedded) = database(cli, &net, &keep, &clock)?;
        dynamodb::create_missing(&client, &template.tables).await?;
        let mut tasks = JoinSet::new();
        let dynamodb_url = doors.dynamodb.as_ref().map(|door| format!("http://127.0.0.1:{}", door.port));
        if let (Some(door), Some(embedded)) = (doors.dynamodb, &embedded) {
            tasks.spawn(serve_dynamodb(door, embedded.clone()));
            tasks.spawn(sweep(embedded.clone()));
        }

        let invoker = if cli.bootstraps {
            let dynamodb = cli.dynamodb.clone().or(dynamodb_url).unwrap_or_default();
            let around = Surroundings { sellers_file: sellers.file, dynamodb, clock: clock.clone() };
            Invoker::Bootstraps(Bootstraps::start(&template, &around).await?)
        } else {
            let random = Arc::new(Random::from_seed(fastrand::u64(..)));
            let transport = net.transport();
            let wiring = Wiring { sellers: sellers.source, client, transport, clock: clock.clone(), random };
            Invoker::InProcess(Box::new(InProcess::new(&template, &wiring)?))
        };
        let invoker = Arc::new(invoker);
        let ids = Random::from_seed(fastrand::u64(..));
        let gateway = Gateway::new(&template, invoker.clone(), clock.clone(), ids)?;
        let schedules = Schedules::new(&template, invoker.clone(), cli.every());
        let pump = match &embedded {
            None => None,
            Some(db) => {
                let (positions, dead_letters) = (keep.positions()?, keep.dead_letters()?);
                let books = PumpOptions { positions, dead_letters, first_pause: FIRST_PAUSE };
                Some(Pump::new(&template, db.clone(), invoker, clock, books)?)
            }
        };

        let controls = Controls { schedules: schedules.clone(), template, embedded: embedded.zip(pump.clone()) };
        tasks.spawn(serve(doors.api, front::router(gateway)));
        tasks.spawn(serve(doors.sim, sim.router().merge(controls.router())));
        tasks.spawn(deliver(sim, net.transport()));
        pump.iter().flat_map(Pump::tasks).for_each(|task| drop(tasks.spawn(task)));
        // Not to be done in time is said by the schedule itself.
        drop(tokio::time::timeout(FIRST_TICKS, schedules.fire_all()).await);
        schedules.tasks().into_iter().for_each(|task| drop(tasks.spawn(task)));
        let sellers = sellers.parsed.iter().map(|(id, _)| id.to_string()).collect();
        Ok(Self { api_port, sim_port, dynamodb_port, sellers, tasks, _keep: keep })
    }
}

/// The sellers document: parsed, as the functions read it, and where a child finds it.
struct TheSellers {
    parsed: Sellers,
    source: Source,
    file: PathBuf,
}

impl TheSellers {
    fn read(cli: &Cli, keep: &Keep, api_port: u16, sim_port: u16) -> Result<Self, Trouble> {
        let file = match &cli.sellers {
            Some(file) => file.canonicalize().map_err(|error| format!("--sellers {}: {error}", file.display()))?,
            None => keep.write_sellers(&demo::sellers(api_port, sim_port))?,
        };
        let named = |error: &dyn Error| format!("{}: {error}", file.display());
        let bytes = std::fs::read(&file).map_err(|error| named(&error))?;
        let parsed = Sellers::parse(&bytes).map_err(|error| named(&error))?;
        let source = Source::file(&file).map_err(|error| named(&error))?;
        Ok(Self { parsed, source, file })
    }
}

fn database(cli: &Cli, net: &Net, keep: &Keep, clock: &Arc<dyn Clock>) -> Result<(Client, Option<Embedded>), Trouble> {
    if let Some(url) = &cli.dynamodb {
        say::line(
            "The streams of that DynamoDB are not read: new bookings and witnesses wait for the sweep, on every tick.",
        );
        return Ok((dynamodb::client(net.sdk(), Some(url.clone())), None));
    }
    let embedded = match keep.file("dynamodb.db") {
        Some(file) => Embedded::file(&file)?,
        None => Embedded::memory(clock.clone())?,
    };
    // No packet goes there: the client hands every call to the database.
    Ok((dynamodb::client(embedded.http(), Some("http://dynamodb.local".to_owned())), Some(embedded)))
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
