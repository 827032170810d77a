//! A flood into the whole cloud on one machine: what is acknowledged is counted against what is stored.

mod flood;
mod triggers;

pub use flood::flood;
pub use triggers::triggers;

use crate::shop::{ORIGIN, sellers};
use bytes::Bytes;
use frontdesk::edge::clock::SystemClock;
use http::{Method, Request};
use local::{
    dynamodb::Embedded,
    world::{Weather, World, WorldOptions},
};
use serde_json::{Value, json};
use std::{
    error::Error,
    fmt, fs,
    sync::Arc,
    time::{Duration, Instant},
};

/// After so many events of a soak, they are counted and taken out of the table, and the memory is looked at.
const LOOK: u64 = 5_000;
/// What the memory may be in the last half, of what it was in the first: by many looks, and by few.
const GROWN: (f64, f64) = (1.05, 1.2);
const MANY: usize = 40;
/// How late the last one may begin, and any of them.
const LATE: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(1);
/// Of so many events one comes a second time at once, and one comes a second time when the process has forgotten it: the
/// first copy is known from memory, the second by the table's condition alone.
const COPIES: u64 = 20;
const FORGOTTEN: u64 = 3_000;

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    pub sent: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub stored: u64,
    /// In microseconds, of the handler alone, in order.
    pub took: Vec<u64>,
    /// In MB, at each look.
    pub memory: Vec<f64>,
    /// How late the last one began, and the latest of all.
    pub behind: Duration,
    pub latest: Duration,
}

impl Report {
    /// Nothing lost, nothing doubled, every copy told.
    pub fn balances(&self) -> bool {
        self.accepted == self.stored && self.accepted + self.duplicate == self.sent
    }

    /// The memory at the looks of the first half and of the last: the median of each, or the least where they are few, since
    /// one look in seven meets what the last one left to the allocator, 18 MB.
    fn halves(&self) -> Option<(f64, f64)> {
        // The first one meets a process that is not warm yet.
        let (_, warm) = self.memory.split_first()?;
        let (first, last) = warm.split_at_checked(warm.len() / 2)?;
        let few = self.memory.len() < MANY;
        let typical = |half: &[f64]| {
            let mut sorted = half.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted.get(if few { 0 } else { sorted.len() / 2 }).copied()
        };
        typical(first).zip(typical(last))
    }

    /// What else is wrong: memory that grows, and, in a build that is meant to be fast, a rate that was not kept.
    pub fn trouble(&self) -> Option<&'static str> {
        let most = if self.memory.len() < MANY { GROWN.1 } else { GROWN.0 };
        let grown = self.halves().is_some_and(|(first, last)| last > first * most);
        let late = !cfg!(debug_assertions) && (self.behind > LATE || self.latest > LATEST);
        grown.then_some("the memory grows").or(late.then_some("the rate was not kept"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, accepted, duplicate, stored, behind, latest, memory, .. } = self;
        writeln!(f, "{sent} sent: {accepted} accepted, {duplicate} known; {stored} stored")?;
        if !self.took.is_empty() {
            let (half, most) = (quantile(&self.took, 0.5), quantile(&self.took, 0.99));
            writeln!(
                f,
                "handler p50 {half} us, p99 {most} us; the last one began {behind:?} late, the latest {latest:?}"
            )?;
        }
        if let Some((first, last)) = self.halves() {
            writeln!(f, "memory {first:.1} MB in the first half, {last:.1} MB in the last, of {} looks", memory.len())?;
        }
        Ok(())
    }
}

fn quantile(took: &[u64], share: f64) -> u64 {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank")]
    let rank = ((sorted.len().saturating_sub(1)) as f64 * share) as usize;
    sorted.get(rank).copied().unwrap_or_default()
}

type Trouble = Box<dyn Error + Send + Sync>;

async fn world() -> Result<World, Trouble> {
    let clock = Arc::new(SystemClock);
    let options = WorldOptions {
        sellers: sellers(|_| {}),
        sellers_file: None,
        seats: 1,
        clock: clock.clone(),
        seed: 7,
        transport: None,
        outside: None,
        weather: Weather::default(),
        // The load is what one process can do, not what its pages may.
        anonymous_write_units: u32::MAX,
    };
    // As `local` has it: with an index for its streams, which the flood writes to.
    World::over(Embedded::lasting(clock)?, options).await
}

fn event(n: u64) -> Request<Bytes> {
    let id = format!("018f2b6e-7c1a-7e3b-9d0a-{n:012x}");
    let event = json!({"id": id, "source": "popin", "name": "popin_open", "data": {"uid": format!("u{n}"), "page": "x".repeat(200)}});
    let body = json!({ "events": [event] }).to_string();
    request(Method::POST, "/v1/collect/acme", body)
}

fn request(method: Method, path: &str, body: String) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().expect("the path is our own");
    request.headers_mut().insert("origin", ORIGIN.parse().expect("the origin is our own"));
    request
}

/// `rate` events a second for `seconds`; some of them twice.
pub async fn events(rate: u64, seconds: u64) -> Result<Report, Trouble> {
    let world = world().await?;
    let mut report = Report::default();
    let began = Instant::now();
    for n in 0..rate * seconds {
        turn(&mut report, began, n, rate).await;
        take(&world, &mut report, n).await;
    }
    report.stored = stored(&world);
    Ok(report)
}

/// `rate` looks at the slots a second for `seconds`: an answer that is no 200 counts as lost.
pub async fn slots(rate: u64, seconds: u64) -> Result<Report, Trouble> {
    let world = world().await?;
    world.tick("slot-cache").await?;
    let mut report = Report::default();
    let began = Instant::now();
    for n in 0..rate * seconds {
        turn(&mut report, began, n, rate).await;
        let at = Instant::now();
        let answer = world.http(request(Method::GET, "/v1/slots/acme", String::new())).await;
        report.took.push(micros(at));
        report.sent += 1;
        report.accepted += u64::from(answer.status() == 200);
    }
    report.stored = report.sent;
    Ok(report)
}

/// As many events as fast as they go. What was counted is taken out again, so that only what leaks can grow.
pub async fn soak(count: u64) -> Result<Report, Trouble> {
    let mut report = Report::default();
    let world = world().await?;
    // The database before the first event: deleting a table would leave its stream's records.
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("empty.db");
    let empty = empty.to_str().ok_or("the path is not UTF-8")?;
    world.db.database().vacuum_into(empty)?;
    for n in 0..count {
        take(&world, &mut report, n).await;
        if (n + 1).is_multiple_of(LOOK) || n + 1 == count {
            report.stored += stored(&world);
            // The functions stay as they are; the database beneath them is as it was at the start.
            world.db.database().restore_from(empty)?;
            report.memory.push(memory()?);
            report.took.clear();
        }
    }
    Ok(report)
}

async fn take(world: &World, report: &mut Report, n: u64) {
    let at_once = n.is_multiple_of(COPIES).then_some(n);
    // Within one look: what was stored before the last one is gone.
    let former = n.checked_sub(FORGOTTEN).filter(|former| former % COPIES == COPIES / 2 && former / LOOK == n / LOOK);
    for n in [Some(n), at_once, former].into_iter().flatten() {
        let request = event(n);
        let at = Instant::now();
        let answer = world.http(request).await;
        report.took.push(micros(at));
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        report.sent += 1;
        report.accepted += body["accepted"].as_u64().unwrap_or_default();
        report.duplicate += body["duplicate"].as_u64().unwrap_or_default();
    }
}

/// Waits for the turn of the `n`th, and notes how late it is.
async fn turn(report: &mut Report, began: Instant, n: u64, rate: u64) {
    let due = began + Duration::from_micros(n * 1_000_000 / rate.max(1));
    tokio::time::sleep_until(due.into()).await;
    report.behind = due.elapsed();
    report.latest = report.latest.max(report.behind);
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Not the entries beside them.
fn stored(world: &World) -> u64 {
    world.items("events").iter().filter(|item| item.get("vendor").is_some()).count() as u64
}

/// The resident part of this process, in MB.
fn memory() -> Result<f64, Trouble> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the memory is not told")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
