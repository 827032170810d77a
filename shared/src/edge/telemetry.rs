//! What is told of a run: JSON lines with ids only, and metrics in the embedded metric format beside them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::{io::Write, sync::OnceLock};
use tracing::Level;
use tracing_subscriber::{Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Who takes the metrics' lines; nobody until somebody is named.
static TAKER: OnceLock<fn(&str)> = OnceLock::new();

/// Our own crates, which say no more than ids however loud they are.
pub const OURS: [&str; 7] =
    ["frontdesk", "event_intake", "slot_cache", "slots_api", "crm_intake", "booking_worker", "local"];

/// What is told at a level. A library never tells more than at `info`: below it the SDK repeats whole answers, and they
/// have persons and secrets in them.
pub fn targets(level: Level) -> Targets {
    Targets::new().with_default(level.min(Level::INFO)).with_targets(OURS.map(|ours| (ours, level)))
}

/// Metrics go here from now on. Whoever was first stays.
pub fn metrics_to(taker: fn(&str)) {
    TAKER.get_or_init(|| taker);
}

/// Once per process, in `main` of a function. Elsewhere nothing is installed, and metrics go nowhere.
pub fn init(level: Level) {
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
    let lines = lines.with_writer(std::io::stdout).with_filter(targets(level));
    let installed = tracing_subscriber::registry().with(lines).try_init();
    if installed.is_ok() {
        metrics_to(print);
    }
}

fn print(line: &str) {
    // Nobody can be told that telling failed.
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

/// Metrics of one function's invocation; CloudWatch reads them out of the log line.
#[derive(Debug, Default)]
pub struct Metrics {
    values: Map<String, Value>,
    units: Vec<(&'static str, &'static str)>,
}

impl Metrics {
    pub fn count(&mut self, name: &'static str, value: usize) -> &mut Self {
        self.put(name, "Count", json!(value))
    }

    pub fn seconds(&mut self, name: &'static str, value: f64) -> &mut Self {
        self.put(name, "Seconds", json!(value))
    }

    fn put(&mut self, name: &'static str, unit: &'static str, value: Value) -> &mut Self {
        if self.values.insert(name.to_owned(), value).is_none() {
            self.units.push((name, unit));
        }
        self
    }

    /// Writes the line. `dimensions` are names, never people.
    pub fn emit(self, function: &'static str, seller: &str, now: Timestamp) {
        if let Some(take) = TAKER.get().filter(|_| !self.values.is_empty()) {
            take(&self.line(function, seller, now).to_string());
        }
    }

    fn line(self, function: &'static str, seller: &str, now: Timestamp) -> Value {
        let metrics: Vec<_> = self.units.iter().map(|(name, unit)| json!({"Name": name, "Unit": unit})).collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": now.as_millisecond(),
                "CloudWatchMetrics": [{"Namespace": "Frontdesk", "Dimensions": [["function"], ["function", "seller"]], "Metrics": metrics}],
            },
            "function": function,
            "seller": seller,
        });
        if let Value::Object(fields) = &mut line {
            fields.extend(self.values);
        }
        line
    }
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

    #[test]
    fn a_line_is_embedded_metric_format() {
        let mut metrics = Metrics::default();
        metrics.count("EventsStored", 2).seconds("SlotAgeSeconds", 1.5);
        let line = metrics.line("event-intake", "acme", Timestamp::UNIX_EPOCH);
        assert_eq!(line["EventsStored"], 2);
        assert_eq!(
            line["_aws"]["CloudWatchMetrics"][0]["Metrics"][1],
            json!({"Name": "SlotAgeSeconds", "Unit": "Seconds"})
        );
    }
}
