//! What is told of a run: JSON lines with ids only, and metrics in the embedded metric format beside them.

mod invocation;
mod lines;
mod metrics;

pub use invocation::{Invocation, TRACE};
pub use lines::Lines;
pub use metrics::{By, Metrics};

use super::env;
use std::{error::Error, io::Write, panic, sync::OnceLock};
use tracing::Level;
use tracing_subscriber::{Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Who takes the metrics' lines; nobody until somebody is named.
static TAKER: OnceLock<fn(&str)> = OnceLock::new();

/// What Lambda calls the function that this process is, `frontdesk-slots-api` say; nobody's where none is.
static DEPLOYED: OnceLock<Option<String>> = OnceLock::new();

/// A function by the name under which it was deployed: of two stacks in one account, each is told of by itself.
fn deployed(function: &'static str) -> &'static str {
    DEPLOYED.get().and_then(Option::as_deref).unwrap_or(function)
}

/// Our own crates, which say no more than ids however loud they are.
pub const OURS: [&str; 7] =
    ["frontdesk", "event_intake", "slot_cache", "slots_api", "crm_intake", "booking_worker", "local"];

/// What is told at a level. A library never tells more than at `info`: below it those under us repeat whole requests,
/// and they have persons and secrets in them.
pub fn targets(level: Level) -> Targets {
    Targets::new().with_default(level.min(Level::INFO)).with_targets(OURS.map(|ours| (ours, level)))
}

/// Metrics go here from now on. Whoever was first stays.
pub fn metrics_to(taker: fn(&str)) {
    TAKER.get_or_init(|| taker);
}

/// Once per process, in `main` of a function. Elsewhere nothing is installed, and metrics go nowhere.
pub fn init(level: Level) {
    let lines = Lines::to(print).with_filter(targets(level));
    let installed = tracing_subscriber::registry().with(lines).try_init();
    if installed.is_ok() {
        DEPLOYED.get_or_init(|| env::variable("AWS_LAMBDA_FUNCTION_NAME"));
        metrics_to(print);
        panic::set_hook(Box::new(told_panic));
    }
}

/// Runs the start of a function, and logs why it failed: the process ends with that line.
pub async fn startup<T>(
    work: impl Future<Output = Result<T, Box<dyn Error + Send + Sync>>>,
) -> Result<T, Box<dyn Error + Send + Sync>> {
    work.await.inspect_err(|error| {
        // It may be the variable of the level that is wrong.
        init(Level::INFO);
        tracing::error!(function = deployed(""), error = %error, "function.not_started");
    })
}

/// A panic is a line like any other. Where it was says enough: what it says may repeat a value.
fn told_panic(panic: &panic::PanicHookInfo<'_>) {
    let at = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
    tracing::error!(panic.at = at, "panicked");
}

fn print(line: &str) {
    // Nobody can be told that telling failed.
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_never_louder_than_info() {
        for level in [Level::DEBUG, Level::TRACE] {
            let targets = targets(level);
            assert!(targets.would_enable("frontdesk::flow", &level) && targets.would_enable("crm_intake", &level));
            assert!(targets.would_enable("aws_smithy_runtime::client", &Level::INFO));
            assert!(!targets.would_enable("aws_smithy_runtime::client", &Level::DEBUG));
        }
        assert!(!targets(Level::WARN).would_enable("aws_smithy_runtime", &Level::INFO));
    }
}
