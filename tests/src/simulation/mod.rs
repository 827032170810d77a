//! A whole Frontdesk under everything that can happen to it, from one seed: the same seed is the same history.
//!
//! The real functions, store and client code run on one thread by one simulated clock, in front of the embedded DynamoDB and
//! the simulated Popin. What goes wrong, when, and who does what in which order is drawn from the seed.

mod actors;
mod clock;
pub(crate) mod door;
mod monitor;
mod plan;
mod report;
mod verdict;
mod weather;

pub use clock::SimClock;
pub use report::{Report, Violation, rate};

use crate::overheard;
use actors::Stage;
use door::Door;
use local::world::{Weather as Cloud, World, WorldOptions};
use monitor::Monitor;
use plan::Plan;
use std::{
    ops::Range,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use weather::Weather;

/// The stack that a debug build's futures want.
const STACK: usize = 32 << 20;

/// Of so many histories, one is held against persons and secrets.
const HEARD: u64 = 32;

/// One history. `Err` is a promise that was broken.
pub fn run(seed: u64) -> Result<Report, Violation> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime without threads can be built");
    // One in so many tells what the logs say.
    overheard::hear(seed.is_multiple_of(HEARD));
    // What is sent again waits, and transactions have tokens, by the thread's generator.
    fastrand::seed(seed);
    let plan = Plan::draw(seed);
    let told = runtime.block_on(Box::pin(history(&plan)));
    overheard::hear(true);
    overheard::nothing_so_far();
    told
}

async fn history(plan: &Plan) -> Result<Report, Violation> {
    let clock = SimClock::start();
    let monitor = Arc::new(Monitor::new(plan, clock.clone()));
    let weather = Arc::new(Weather::new(plan, clock.clone(), monitor.clone()));
    let options = WorldOptions {
        sellers: plan.sellers(),
        sellers_file: None,
        seats: plan.seats,
        clock: clock.clone(),
        seed: plan.seed,
        transport: Some(weather.transport()),
        outside: Some(weather.outside()),
        weather: Cloud { fates: weather.fates(), batches: weather.batches() },
        anonymous_write_units: local::world::ANONYMOUS_WRITE_UNITS,
    };
    let world = World::start(options).await.expect("the plan's sellers are good");
    weather.reach(&world);
    monitor.watch(&world);
    let stage = Stage { plan, clock, monitor: monitor.clone(), weather, door: Door::new(world) };
    stage.play().await;
    stage.calm_down().await;
    verdict::pass(&stage);
    monitor.report(plan.seed)
}

/// The histories of these seeds, on so many threads. The first violation ends it.
pub fn run_many(seeds: Range<u64>, threads: usize, told: impl Fn(&Report) + Sync) -> Result<Report, Violation> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut sum = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(sum);
            }
            let report = run(seed).inspect_err(|_| next.store(seeds.end, Ordering::Relaxed))?;
            told(&report);
            sum.add(&report);
        }
    };
    thread::scope(|scope| {
        let spawn = |_| {
            let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
            thread.expect("a thread can be started")
        };
        let threads: Vec<_> = (0..threads.max(1)).map(spawn).collect();
        let ends: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        let mut sum = Report::default();
        for end in ends {
            sum.add(&end.unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(sum)
    })
}
