//! One line of JSON for each thing that is told: when, how loud, of which invocation, and its fields by their dotted names.

use super::{Invocation, deployed};
use crate::{edge::clock::SystemClock, flow::Clock as _, model::instant};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;
use std::{error::Error, fmt};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// Hands each line on, without its end.
pub struct Lines(fn(&str));

impl Lines {
    pub fn to(taker: fn(&str)) -> Self {
        Self(taker)
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        let meta = event.metadata();
        let level = meta.level().as_str();
        let line =
            Line { timestamp: instant::millis(SystemClock.now()), level, target: meta.target(), fields: fields.0 };
        (self.0)(&serde_json::to_string(&line).expect("text and numbers are JSON"));
    }
}

struct Line<'a> {
    timestamp: String,
    level: &'static str,
    target: &'a str,
    fields: Vec<(&'static str, Value)>,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &self.timestamp)?;
        line.serialize_entry("level", self.level)?;
        for (name, value) in &self.fields {
            line.serialize_entry(name, value)?;
        }
        line.serialize_entry("target", self.target)?;
        if let Some(invocation) = Invocation::current() {
            line.serialize_entry("function", deployed(invocation.function))?;
            invocation.ids(&mut line)?;
        }
        line.end()
    }
}

/// An event's fields, in their order.
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use tracing_subscriber::layer::SubscriberExt as _;

    thread_local! {
        static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn a_line_has_its_fields_and_the_ids_of_its_invocation() {
        let subscriber = tracing_subscriber::registry()
            .with(Lines::to(|line| TOLD.with_borrow_mut(|told| told.push(line.to_owned()))));
        let invocation =
            Invocation { function: "slots-api", request: "r-1".to_owned(), trace: Some("1-2-3".to_owned()) };
        tracing::subscriber::with_default(subscriber, || {
            let work = invocation.run(async {
                tracing::warn!(seller = %"acme", slots = 3, gone = Option::<&str>::None, said = "\"x\"\n", "slots.read");
            });
            futures_util::FutureExt::now_or_never(work).unwrap();
            tracing::info!(function = "x", "of no invocation");
        });
        let told: Vec<Value> = TOLD.take().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut line = told[0].clone();
        let at = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(at.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{at}");
        assert_eq!(
            line,
            serde_json::json!({
                "level": "WARN", "target": "frontdesk::edge::telemetry::lines::tests", "message": "slots.read", "seller": "acme", "slots": 3,
                "said": "\"x\"\n", "function": "slots-api", "request.id": "r-1", "trace.id": "1-2-3",
            })
        );
        assert_eq!((told[1]["function"].as_str(), told[1].get("request.id")), (Some("x"), None));
    }
}
