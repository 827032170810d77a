//! What is told of a run: JSON lines with ids only, and metrics in the embedded metric format beside them.

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
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
pub struct Metrics(Vec<Metric>);

#[derive(Debug)]
struct Metric {
    name: &'static str,
    value: Amount,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
enum Amount {
    Count(usize),
    Seconds(f64),
}

impl Metrics {
    pub fn count(&mut self, name: &'static str, value: usize) -> &mut Self {
        self.put(name, Amount::Count(value))
    }

    pub fn seconds(&mut self, name: &'static str, value: f64) -> &mut Self {
        self.put(name, Amount::Seconds(value))
    }

    /// What is put twice is as it was put last.
    fn put(&mut self, name: &'static str, value: Amount) -> &mut Self {
        match self.0.iter_mut().find(|metric| metric.name == name) {
            Some(metric) => metric.value = value,
            None => self.0.push(Metric { name, value }),
        }
        self
    }

    /// Writes the line. `dimensions` are names, never people.
    pub fn emit(&self, function: &'static str, seller: &str, now: Timestamp) {
        if let Some(take) = TAKER.get().filter(|_| !self.0.is_empty()) {
            take(&self.line(function, seller, now));
        }
    }

    fn line(&self, function: &'static str, seller: &str, now: Timestamp) -> String {
        serde_json::to_string(&Line { function, seller, now, metrics: &self.0 }).expect("text and numbers are JSON")
    }
}

/// One line of the embedded metric format.
struct Line<'a> {
    function: &'static str,
    seller: &'a str,
    now: Timestamp,
    metrics: &'a [Metric],
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        let directive = Directive {
            namespace: "Frontdesk",
            dimensions: [&["function"], &["function", "seller"]],
            metrics: self.metrics.iter().map(Named::of).collect(),
        };
        line.serialize_entry("_aws", &Aws { timestamp: self.now.as_millisecond(), directives: [directive] })?;
        line.serialize_entry("function", self.function)?;
        line.serialize_entry("seller", self.seller)?;
        for Metric { name, value } in self.metrics {
            line.serialize_entry(name, value)?;
        }
        line.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Aws {
    timestamp: i64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: [Directive; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: [&'static [&'static str]; 2],
    metrics: Vec<Named>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: &'static str,
    unit: &'static str,
}

impl Named {
    fn of(metric: &Metric) -> Self {
        let unit = match metric.value {
            Amount::Count(_) => "Count",
            Amount::Seconds(_) => "Seconds",
        };
        Self { name: metric.name, unit }
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
        metrics.count("EventsStored", 3);
        let line = metrics.line("event-intake", "acme", Timestamp::UNIX_EPOCH);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let directive = serde_json::json!({
            "Namespace": "Frontdesk", "Dimensions": [["function"], ["function", "seller"]],
            "Metrics": [{"Name": "EventsStored", "Unit": "Count"}, {"Name": "SlotAgeSeconds", "Unit": "Seconds"}],
        });
        assert_eq!(
            line,
            serde_json::json!({
                "_aws": {"Timestamp": 0, "CloudWatchMetrics": [directive]}, "function": "event-intake", "seller": "acme",
                "EventsStored": 3, "SlotAgeSeconds": 1.5,
            })
        );
    }
}
