//! A flood of anonymous requests at `local`, over its socket: what it can write, and whether webhooks and other sellers notice.

use super::{Trouble, micros, quantile};
use crate::shop::{ORIGIN, WEBHOOK_KEY, sellers};
use bytes::Bytes;
use clap::Parser;
use frontdesk::{edge::http::HttpClients, model::seller::Reach, popin::Transport};
use http::{Request, request::Builder};
use local::{cli::Cli, stack::Stack, world::ANONYMOUS_WRITE_UNITS};
use serde_json::{Value, json};
use std::{
    fmt, fs,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Whose pages are flooded, and who else is there.
const FLOODED: &str = "acme";
const OTHER: &str = "other";
const OTHER_ORIGIN: &str = "https://other.example.com";
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time before the flood that its own is compared with, and how many come a second besides the flood.
const QUIET: u64 = 10;
const VISITORS: u64 = 30;
/// What a page's bucket holds, in seconds.
const BURST: u64 = 3;

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    seconds: u64,
    /// Of the flood: taken whole, and turned away.
    taken: u64,
    refused: u64,
    failed: u64,
    /// Write units of what the flood has stored.
    units: u64,
    /// Webhooks of both sellers and page events of the other one, and how many of them were not stored.
    visitors: u64,
    lost: u64,
    /// Of webhooks, in microseconds: before the flood, and in it.
    quiet: Vec<u64>,
    flooded: Vec<u64>,
}

impl Report {
    /// What is wrong: too much was written, somebody else was harmed, or there was no flood.
    pub fn trouble(&self, limit: Duration) -> Option<&'static str> {
        let p99 = Duration::from_micros(quantile(&self.flooded, 0.99));
        let most = u64::from(ANONYMOUS_WRITE_UNITS) * (self.seconds + 1 + BURST);
        [
            (self.units > most, "the flood wrote more than its bound"),
            (self.lost > 0, "a webhook or another seller's event was not stored"),
            (self.failed > 0, "the flood got other than 202 and 429"),
            (self.refused == 0, "nothing was turned away: this is no flood"),
            (!limit.is_zero() && p99 > limit, "webhooks took longer than they may"),
        ]
        .into_iter()
        .find_map(|(wrong, what)| wrong.then_some(what))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, taken, refused, failed, units, visitors, lost, quiet, flooded } = self;
        let a_second = units / seconds.max(&1);
        writeln!(
            f,
            "flood: {taken} batches taken, {refused} turned away, {failed} failed; {units} write units, {a_second} a second"
        )?;
        writeln!(f, "webhooks and another seller's events meanwhile: {visitors} sent, {lost} not stored")?;
        let of = |took: &[u64]| [0.5, 0.99].map(|share| quantile(took, share));
        let ([p50, p99], [q50, q99]) = (of(flooded), of(quiet));
        writeln!(f, "webhooks: p50 {p50} us, p99 {p99} us; before the flood {q50} us, {q99} us")
    }
}

/// `rate` batches a second for `seconds`, each as dear as 64 KiB can be.
pub async fn flood(rate: u64, seconds: u64) -> Result<Report, Trouble> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sellers.json");
    fs::write(&file, document().to_string())?;
    let file = file.to_str().ok_or("the path is not UTF-8")?;
    let cli = Cli::parse_from(["local", "--port=0", "--dynamodb-port=0", "--sim-port=0", "--sellers", file]);
    let stack = Stack::start(&cli).await?;
    let sender = Sender {
        to: HttpClients::new()?.transport(Reach::Local)?,
        url: format!("http://127.0.0.1:{}", stack.api_port),
    };
    let sender = Arc::new(sender);
    let before = visitors(sender.clone(), 0, QUIET).await;
    let (batches, during) =
        tokio::join!(batches(sender.clone(), rate, seconds), visitors(sender, QUIET * VISITORS, seconds));
    let of = |status: u16| batches.iter().filter(|got| **got == Some(status)).count() as u64;
    let db = stack.embedded.as_ref().ok_or("local has a database of its own")?;
    let items = tokio::task::block_in_place(|| db.items("frontdesk-events"))?;
    // Each of the flood's events is a transaction: it and its entries, of a kilobyte at most, are two units each.
    let mine = |item: &&Value| {
        let pk = item["pk"].as_str().unwrap_or_default();
        let entry = pk.starts_with(&format!("#person#{FLOODED}#"));
        entry || item["trust"] == "claimed" && pk.starts_with(&format!("{FLOODED}#"))
    };
    let lost = before.iter().chain(&during).filter(|visit| !visit.stored).count() as u64;
    let took = |visits: &[Visit]| visits.iter().filter(|visit| visit.webhook).map(|visit| visit.took).collect();
    Ok(Report {
        seconds,
        taken: of(202),
        refused: of(429),
        failed: batches.len() as u64 - of(202) - of(429),
        units: 2 * items.iter().filter(mine).count() as u64,
        visitors: (before.len() + during.len()) as u64,
        lost,
        quiet: took(&before),
        flooded: took(&during),
    })
}

fn document() -> Value {
    let mut document = sellers(|seller| seller["popin"]["base_url"] = json!("http://127.0.0.1:9/api/v1"));
    let mut other = document[FLOODED].clone();
    other["origins"] = json!([OTHER_ORIGIN]);
    document[OTHER] = other;
    document
}

/// The statuses of the flood's answers; `None` where no answer came.
async fn batches(sender: Arc<Sender>, rate: u64, seconds: u64) -> Vec<Option<u16>> {
    let mut answers = JoinSet::new();
    paced(rate, seconds, |n, _| {
        let sender = sender.clone();
        answers.spawn(async move {
            let body = json!({"events": (0..100).map(|at| hostile(n * 100 + at)).collect::<Vec<_>>()});
            let request = Request::post(format!("{}/v1/collect/{FLOODED}", sender.url)).header("origin", ORIGIN);
            sender.send(request, &body).await.map(|(status, _)| status)
        });
    })
    .await;
    answers.join_all().await
}

/// Groups of digits that may be numbers, as many as a hundredth of a batch has room for.
fn hostile(n: u64) -> Value {
    let groups = (0..80).map(|at| (90_000 + (n * 100 + at) * 37 % 9_973).to_string()).collect::<Vec<_>>().join(" ");
    json!({"id": page_id(n), "source": "popin", "name": "popin_captured", "data": {"phone": groups}})
}

fn page_id(n: u64) -> String {
    format!("018f2b6e-7c1a-7e3b-9d0a-{n:012x}")
}

/// Somebody who is no part of the flood.
struct Visit {
    webhook: bool,
    stored: bool,
    /// In microseconds, from when it was due.
    took: u64,
}

async fn visitors(sender: Arc<Sender>, first: u64, seconds: u64) -> Vec<Visit> {
    let mut visits = JoinSet::new();
    paced(VISITORS, seconds, |n, due| {
        let (sender, n) = (sender.clone(), first + n);
        visits.spawn(async move {
            let (webhook, stored) = match n % 3 {
                0 => (true, sender.webhook(FLOODED, n).await),
                1 => (true, sender.webhook(OTHER, n).await),
                _ => (false, sender.event(n).await),
            };
            Visit { webhook, stored, took: micros(due) }
        });
    })
    .await;
    visits.join_all().await
}

/// So many a second, each with when it was due.
async fn paced(rate: u64, seconds: u64, mut send: impl FnMut(u64, Instant)) {
    let began = Instant::now();
    for n in 0..rate * seconds {
        let due = began + Duration::from_micros(n * 1_000_000 / rate.max(1));
        tokio::time::sleep_until(due.into()).await;
        send(n, due);
    }
}

struct Sender {
    to: Arc<dyn Transport>,
    url: String,
}

impl Sender {
    /// Whether it was stored.
    async fn webhook(&self, seller: &str, n: u64) -> bool {
        let body = json!({"event": "popin_call_missed", "user_id": n, "timestamp": 1_795_400_000});
        let request =
            Request::post(format!("{}/v1/webhooks/{seller}/popin", self.url)).header("x-api-key", WEBHOOK_KEY);
        self.send(request, &body).await.is_some_and(|(_, answer)| answer["stored"] == true)
    }

    async fn event(&self, n: u64) -> bool {
        let event = json!({"id": page_id(n), "source": "popin", "name": "popin_open", "data": {"uid": "u"}});
        let request = Request::post(format!("{}/v1/collect/{OTHER}", self.url)).header("origin", OTHER_ORIGIN);
        self.send(request, &json!({"events": [event]})).await.is_some_and(|(_, answer)| answer["accepted"] == 1)
    }

    async fn send(&self, request: Builder, body: &Value) -> Option<(u16, Value)> {
        let request = request.header("content-type", "application/json").body(Bytes::from(body.to_string())).ok()?;
        let answer = self.to.send(request, PATIENCE).await.ok()?;
        Some((answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default()))
    }
}
