//! JSON log lines that hold ids only, and metrics in the embedded metric format beside them.

mod invocation;
mod metrics;

pub use invocation::{Invocation, TRACE, booking_span, record_booking, record_trigger, trigger_span};
pub use metrics::{By, Metrics};

use super::env;
use std::{
    error::Error,
    io::{self, Write},
    panic,
    sync::OnceLock,
};
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    Layer, filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _, registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// Receives the metric lines. Unset: they are dropped.
static METRICS_SINK: OnceLock<fn(&str)> = OnceLock::new();

/// This process's function name in Lambda, for example `frontdesk-slots-api`; `None` outside Lambda.
static DEPLOYED: OnceLock<Option<String>> = OnceLock::new();

/// The deployed name of a function, so that two stacks in one account are told apart.
fn deployed(function: &'static str) -> &'static str {
    DEPLOYED.get().and_then(Option::as_deref).unwrap_or(function)
}

/// Our own crates. They log ids only, at every level.
pub const OWN_CRATES: [&str; 7] =
    ["frontdesk", "event_intake", "slot_cache", "slots_api", "crm_intake", "booking_worker", "local"];

/// What is logged at a level. Libraries log at `info` at most: below it they repeat whole requests, which hold personal
/// data and secrets.
pub fn targets(level: Level) -> Targets {
    Targets::new().with_default(level.min(Level::INFO)).with_targets(OWN_CRATES.map(|name| (name, level)))
}

/// One line of JSON per event: its own fields at the top level, the ids of its invocation under `span`.
pub fn json_layer<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    // Internal errors would go to standard error as plain text, with the event's fields.
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .log_internal_errors(false)
        .with_writer(writer)
}

/// Sends metric lines to `sink` from now on. The first call wins.
pub fn metrics_to(sink: fn(&str)) {
    METRICS_SINK.get_or_init(|| sink);
}

/// Called once per process, in a function's `main`. Without it nothing is logged and metrics are dropped.
pub fn init(level: Level) {
    let layer = json_layer(io::stdout).with_filter(targets(level));
    let installed = tracing_subscriber::registry().with(layer).try_init();
    if installed.is_ok() {
        DEPLOYED.get_or_init(|| env::variable("AWS_LAMBDA_FUNCTION_NAME"));
        metrics_to(print);
        panic::set_hook(Box::new(log_panic));
    }
}

/// Runs the start of a function, and logs why it failed. `main` then returns the error, which Rust repeats on standard error.
pub async fn startup<T>(
    work: impl Future<Output = Result<T, Box<dyn Error + Send + Sync>>>,
) -> Result<T, Box<dyn Error + Send + Sync>> {
    work.await.inspect_err(|error| {
        // It may be the variable of the level that is wrong.
        init(Level::INFO);
        tracing::error!(function = deployed(""), error = %error, "function.not_started");
    })
}

/// Logs a panic by location only: its message may contain personal data.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let at = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
    tracing::error!(panic.at = at, "panicked");
}

fn print(line: &str) {
    // A failed write cannot be reported anywhere.
    drop(writeln!(io::stdout().lock(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{BookingId, TriggerId};
    use futures_util::FutureExt as _;
    use serde_json::{Value, json};
    use std::sync::{Arc, Mutex};

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

    /// Collects what the JSON layer writes.
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `work` logs at `level`.
    fn logged(level: Level, work: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = json_layer(move || writer.clone()).with_filter(targets(level));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn run(work: impl FnOnce()) {
        let trace = Some("1-5759e988-bd862e3fe1be46a994272793".to_owned());
        let invocation = Invocation { function: "slots-api", request: "r-1".to_owned(), trace };
        invocation.run(async { work() }).now_or_never().unwrap();
    }

    #[test]
    fn log_line_has_its_fields_and_the_ids_of_its_invocation() {
        let lines = logged(Level::INFO, || {
            run(|| {
                tracing::warn!(seller = %"acme", slots = 3, gone = Option::<&str>::None, said = "\"x\"\n", "slots.read");
            });
            tracing::info!(function = "x", "outside of an invocation");
        });
        let mut line = lines[0].clone();
        let at = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        let at = at.as_str().unwrap();
        assert!(at.parse::<jiff::Timestamp>().is_ok() && at.ends_with('Z') && at.len() >= 24, "{at}");
        let span = json!({
            "name": "invocation", "function": "slots-api", "request.id": "r-1",
            "trace.id": "1-5759e988-bd862e3fe1be46a994272793",
        });
        let expected = json!({
            "level": "WARN", "target": "frontdesk::edge::telemetry::tests", "message": "slots.read", "seller": "acme",
            "slots": 3, "said": "\"x\"\n", "span": span,
        });
        assert_eq!(line, expected);
        assert_eq!((lines[1]["function"].as_str(), lines[1].get("span")), (Some("x"), None));
    }

    #[test]
    fn ids_are_logged_at_every_log_level() {
        for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
            let lines = logged(level, || run(|| tracing::error!("failed")));
            assert_eq!(lines[0]["span"]["request.id"], "r-1", "{level}");
        }
    }

    #[test]
    fn booking_and_trigger_ids_join_the_ids_of_the_invocation() {
        let booking = BookingId::parse("019a0000-0000-7000-8000-000000000001").unwrap();
        let trigger = TriggerId::parse("019a0000000070008000000000000002").unwrap();
        let lines = logged(Level::INFO, || {
            run(|| {
                booking_span(&booking).in_scope(|| tracing::info!("a booking of several"));
                trigger_span(&trigger).in_scope(|| tracing::info!("a trigger of several"));
                tracing::info!("neither");
                record_booking(&booking);
                record_trigger(&trigger);
                tracing::info!("both");
            });
        });
        let ids = lines.iter().map(|line| {
            assert_eq!(line["span"]["request.id"], "r-1", "{line}");
            (line["span"]["booking.id"].as_str(), line["span"]["trigger.id"].as_str())
        });
        let (booking, trigger) = (Some(booking.as_str()), Some(trigger.as_str()));
        let expected = [(booking, None), (None, trigger), (None, None), (booking, trigger)];
        assert_eq!(ids.collect::<Vec<_>>(), expected);
    }
}
