//! The big simulation: `cargo run -p system-tests --release -- --seeds 100000`.
#![expect(clippy::print_stdout, reason = "what it found is what it is for")]

use clap::Parser;
use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};
use system_tests::{load, race, simulation};

/// Walks whole histories of Frontdesk, each from its seed, and says which promise was broken by which seed.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// As many threads; one a core when absent
    #[arg(long)]
    threads: Option<usize>,
    /// Instead: so many rounds of 200 bookings that race for one slot
    #[arg(long)]
    race: Option<u32>,
    /// Instead: so many events a second, and then as many looks at the slots, for `--seconds`
    #[arg(long)]
    rate: Option<u64>,
    /// Instead: so many CRM triggers a second at `local`, for `--seconds`, while Popin hangs
    #[arg(long)]
    triggers: Option<u64>,
    /// Instead: so many anonymous batches a second at `local`, each as dear as can be, for `--seconds`
    #[arg(long)]
    flood: Option<u64>,
    /// Of `--triggers`, and of webhooks in a `--flood`: the p99 in milliseconds that fails it; 0 judges nothing
    #[arg(long, default_value_t = 20)]
    p99: u64,
    /// How long `--rate`, `--triggers` and `--flood` go on
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Instead: so many events, as fast as they go, and how the memory grows
    #[arg(long)]
    soak: Option<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let threads = options.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    if let Some(rounds) = options.race {
        return told(
            &race::run(rounds).map(|()| format!("{rounds} rounds of 200 bookings for one slot: one winner each")),
        );
    }
    if let Some(rate) = options.rate {
        let both = flood(load::events(rate, options.seconds)).and_then(|events| {
            flood(load::slots(rate, options.seconds)).map(|slots| format!("events: {events}slots: {slots}"))
        });
        return told(&both);
    }
    if let Some(rate) = options.triggers {
        return told(&triggers(rate, options.seconds, Duration::from_millis(options.p99)));
    }
    if let Some(rate) = options.flood {
        return told(&anonymous(rate, options.seconds, Duration::from_millis(options.p99)));
    }
    if let Some(count) = options.soak {
        return told(&flood(load::soak(count)).map(|report| report.to_string()));
    }
    let seeds = options.from..options.from + options.seeds;
    let (began, done) = (Instant::now(), AtomicU64::new(0));
    let report = simulation::run_many(seeds, threads, |_| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(1000) {
            println!("{done} seeds, {:.0} a second", simulation::rate(done, began));
        }
    });
    told(
        &report
            .map(|report| format!("{report}{:.0} seeds a second", simulation::rate(report.seeds, began)))
            .map_err(|v| v.to_string()),
    )
}

/// The report, if its books balance.
fn flood<E: std::fmt::Display>(run: impl Future<Output = Result<load::Report, E>>) -> Result<load::Report, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let report = runtime.block_on(run).map_err(|error| error.to_string())?;
    let trouble = if report.balances() { report.trouble() } else { Some("the books do not balance") };
    match trouble {
        None => Ok(report),
        Some(trouble) => Err(format!("{trouble}: {report}")),
    }
}

/// The report, if its books balance and the CRMs were answered in time.
fn triggers(rate: u64, seconds: u64, limit: Duration) -> Result<String, String> {
    // As `local` runs: a thread a core.
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let report = runtime.block_on(load::triggers(rate, seconds)).map_err(|error| error.to_string())?;
    // Calls that hang are not waited for.
    runtime.shutdown_background();
    if !report.balances() {
        Err(format!("the books do not balance: {report}"))
    } else if !limit.is_zero() && report.p99() > limit {
        Err(format!("the p99 is over {limit:?}: {report}"))
    } else {
        Ok(report.to_string())
    }
}

/// The report, if the flood kept to its bound and harmed nobody else.
fn anonymous(rate: u64, seconds: u64, limit: Duration) -> Result<String, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let report = runtime.block_on(load::flood(rate, seconds)).map_err(|error| error.to_string())?;
    runtime.shutdown_background();
    report.trouble(limit).map_or_else(|| Ok(report.to_string()), |trouble| Err(format!("{trouble}: {report}")))
}

fn told(end: &Result<String, String>) -> ExitCode {
    match end {
        Ok(good) => {
            println!("{good}");
            ExitCode::SUCCESS
        }
        Err(bad) => {
            println!("{bad}");
            ExitCode::FAILURE
        }
    }
}
