//! Metrics in the embedded metric format: CloudWatch reads them out of a log line.

use super::{Invocation, METRICS_SINK, deployed};
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

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
    /// Adds to a counter. Zero is skipped to save log bytes.
    pub fn count(&mut self, name: &'static str, value: usize) -> &mut Self {
        if value == 0 { self } else { self.put(name, Amount::Count(value)) }
    }

    /// Sets a gauge. Zero is written, too.
    pub fn amount(&mut self, name: &'static str, value: usize) -> &mut Self {
        self.put(name, Amount::Count(value))
    }

    pub fn seconds(&mut self, name: &'static str, value: f64) -> &mut Self {
        self.put(name, Amount::Seconds(value))
    }

    /// The last value wins.
    fn put(&mut self, name: &'static str, value: Amount) -> &mut Self {
        match self.0.iter_mut().find(|metric| metric.name == name) {
            Some(metric) => metric.value = value,
            None => self.0.push(Metric { name, value }),
        }
        self
    }

    /// Writes the line. Dimensions are names, never people.
    pub fn emit(&self, function: &'static str, by: By<'_>, now: Timestamp) {
        if let Some(write) = METRICS_SINK.get().filter(|_| !self.0.is_empty()) {
            write(&self.line(function, by, now));
        }
    }

    fn line(&self, function: &'static str, by: By<'_>, now: Timestamp) -> String {
        serde_json::to_string(&Line { function, by, now, metrics: &self.0 }).expect("text and numbers are JSON")
    }
}

/// What a metric is told by, besides its function.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    Function,
    Seller(&'a str),
    Code(&'a str),
    /// The parts of a sum that another line tells.
    PartOf {
        seller: &'a str,
        code: &'a str,
    },
}

impl By<'_> {
    fn sets(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Function => &[&["function"]],
            Self::Seller(_) => &[&["function"], &["function", "seller"]],
            Self::Code(_) => &[&["function"], &["function", "code"]],
            Self::PartOf { .. } => &[&["function", "code"], &["function", "seller", "code"]],
        }
    }
}

/// One line of the embedded metric format.
struct Line<'a> {
    function: &'static str,
    by: By<'a>,
    now: Timestamp,
    metrics: &'a [Metric],
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        let directive = Directive {
            namespace: "Frontdesk",
            dimensions: self.by.sets(),
            metrics: self.metrics.iter().map(Named::of).collect(),
        };
        line.serialize_entry("_aws", &Aws { timestamp: self.now.as_millisecond(), directives: [directive] })?;
        line.serialize_entry("function", deployed(self.function))?;
        let (seller, code) = match self.by {
            By::Function => (None, None),
            By::Seller(seller) => (Some(seller), None),
            By::Code(code) => (None, Some(code)),
            By::PartOf { seller, code } => (Some(seller), Some(code)),
        };
        seller.iter().try_for_each(|seller| line.serialize_entry("seller", seller))?;
        code.iter().try_for_each(|code| line.serialize_entry("code", code))?;
        for Metric { name, value } in self.metrics {
            line.serialize_entry(name, value)?;
        }
        if let Some(invocation) = Invocation::current() {
            invocation.ids(&mut line)?;
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
    dimensions: &'static [&'static [&'static str]],
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
    fn a_line_is_embedded_metric_format() {
        let mut metrics = Metrics::default();
        metrics.count("EventsStored", 2).seconds("SlotAgeSeconds", 1.5);
        metrics.count("EventsStored", 3).count("EventsDuplicate", 0).amount("SlotsOffered", 0);
        let line = metrics.line("event-intake", By::Seller("acme"), Timestamp::UNIX_EPOCH);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let directive = serde_json::json!({
            "Namespace": "Frontdesk", "Dimensions": [["function"], ["function", "seller"]],
            "Metrics": [{"Name": "EventsStored", "Unit": "Count"}, {"Name": "SlotAgeSeconds", "Unit": "Seconds"}, {"Name": "SlotsOffered", "Unit": "Count"}],
        });
        assert_eq!(
            line,
            serde_json::json!({
                "_aws": {"Timestamp": 0, "CloudWatchMetrics": [directive]}, "function": "event-intake", "seller": "acme",
                "EventsStored": 3, "SlotAgeSeconds": 1.5, "SlotsOffered": 0,
            })
        );
    }
}
