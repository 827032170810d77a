//! Signed triggers at `local`, over its socket, while Popin hangs: how long their CRM waits, and whether each is stored once.

use super::{Trouble, micros, quantile};
use crate::shop::sign;
use bytes::Bytes;
use clap::Parser;
use frontdesk::{
    edge::{clock::SystemClock, http::HttpClients},
    flow::Clock,
    model::seller::Reach,
    popin::Transport,
};
use http::{Request, Response};
use local::{cli::Cli, demo, stack::Stack};
use serde_json::{Value, json};
use sim::{Fault, FaultOrder, Target};
use std::{
    collections::BTreeSet,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Every number of the block that is nobody's.
const MOST: u64 = 100_000;
/// A CRM's own patience.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    pub sent: u64,
    /// 202, before anybody asked Popin.
    pub accepted: u64,
    /// 202, with a state that only Popin can have brought about.
    pub waited: u64,
    pub failed: u64,
    /// Bookings that a trigger was told of, and that stand in the table with its lead.
    pub stored: u64,
    /// Bookings in the table, whoever was told of them.
    pub bookings: u64,
    /// What the worker asked of Popin meanwhile; nothing was answered.
    pub hanging: usize,
    /// In microseconds, from when each was due.
    took: Vec<u64>,
}

impl Report {
    /// Nothing lost, nothing doubled, and nobody waited for Popin, which was asked, and silent.
    pub fn balances(&self) -> bool {
        let Self { sent, accepted, waited, failed, stored, bookings, hanging, .. } = self;
        accepted == sent && (*waited, *failed) == (0, 0) && stored == sent && bookings == sent && *hanging > 0
    }

    pub fn p99(&self) -> Duration {
        Duration::from_micros(quantile(&self.took, 0.99))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, accepted, waited, failed, stored, bookings, hanging, took } = self;
        writeln!(f, "{sent} sent: {accepted} accepted, {failed} failed, {waited} waited for Popin")?;
        writeln!(f, "{bookings} bookings, {stored} of them a trigger's own; {hanging} calls at Popin, all hanging")?;
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| quantile(took, share));
        writeln!(f, "from when it was due to its answer: p50 {p50} us, p99 {p99} us, max {max} us")
    }
}

/// `rate` triggers a second for `seconds`, each a lead and a message of its own. None waits for the answer to the one
/// before, and each counts from when it was due: who is kept waiting is not left out.
pub async fn triggers(rate: u64, seconds: u64) -> Result<Report, Trouble> {
    if rate * seconds > MOST {
        return Err(format!("there are {MOST} numbers to send, and no more").into());
    }
    let stack = Stack::start(&Cli::parse_from(["local", "--port=0", "--dynamodb-port=0", "--sim-port=0"])).await?;
    stack.sim.add_fault(FaultOrder { times: 0, ..FaultOrder::new(Target::Any, Fault::Hang) });
    let before = stack.sim.calls().len();
    let crm =
        Crm { to: HttpClients::new()?.transport(Reach::Local)?, url: format!("http://127.0.0.1:{}", stack.api_port) };
    let crm = Arc::new(crm);
    let (began, mut answers) = (Instant::now(), JoinSet::new());
    for n in 0..rate * seconds {
        let due = began + Duration::from_micros(n * 1_000_000 / rate.max(1));
        tokio::time::sleep_until(due.into()).await;
        let crm = crm.clone();
        answers.spawn(async move { (n, crm.send(n).await, micros(due)) });
    }
    let mut report = Report::default();
    let mut told = BTreeSet::new();
    while let Some(answer) = answers.join_next().await {
        let (n, answer, took) = answer?;
        report.sent += 1;
        report.took.push(took);
        let booking = answer.filter(|answer| answer.status() == 202).map(|answer| {
            let booking: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            booking
        });
        match booking {
            Some(booking) if booking["state"] == "requested" => {
                report.accepted += 1;
                told.insert((booking["id"].as_str().unwrap_or_default().to_owned(), lead(n)));
            }
            Some(_) => report.waited += 1,
            None => report.failed += 1,
        }
    }
    let calls = stack.sim.calls().split_off(before);
    report.hanging = calls.iter().filter(|call| call.status == 0).count();
    report.waited += (calls.len() - report.hanging) as u64;
    let db = stack.embedded.as_ref().ok_or("local has a database of its own")?;
    let items = tokio::task::block_in_place(|| db.items("frontdesk-bookings"))?;
    for item in items.iter().filter(|item| item["sk"] == "booking") {
        let id = item["pk"].as_str().and_then(|pk| pk.split_once('#')).map(|(_, id)| id.to_owned());
        let doc: Value = serde_json::from_str(item["doc"].as_str().unwrap_or_default()).unwrap_or_default();
        let lead = doc["lead"]["external_id"].as_str().unwrap_or_default().to_owned();
        report.bookings += 1;
        report.stored += u64::from(id.is_some_and(|id| told.remove(&(id, lead))));
    }
    Ok(report)
}

fn lead(n: u64) -> String {
    format!("L-{n}")
}

struct Crm {
    to: Arc<dyn Transport>,
    url: String,
}

impl Crm {
    /// None where no answer came.
    async fn send(&self, n: u64) -> Option<Response<Bytes>> {
        let body =
            json!({"lead": {"external_id": lead(n), "name": "Asha Example", "mobile": format!("+9190000{n:05}")}});
        let (id, at, body) = (format!("msg_{n}"), SystemClock.now().as_second().to_string(), body.to_string());
        let request = Request::post(format!("{}/v1/crm/{}/standard", self.url, demo::SELLER))
            .header("content-type", "application/json")
            .header("webhook-signature", sign(demo::SIGNING_SECRET, &id, &at, &body))
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .body(Bytes::from(body))
            .ok()?;
        self.to.send(request, PATIENCE).await.ok()
    }
}
