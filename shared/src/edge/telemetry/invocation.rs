//! The ids of the current invocation: its function, Lambda's request id and AWS's trace id. Log lines take them from the
//! invocation's span; metrics and answers from a task-local, because a span's fields cannot be read back.

use super::deployed;
use crate::model::ids::{BookingId, TriggerId};
use lambda_http::{Context, Request, RequestExt as _};
use serde::ser::SerializeMap;
use tracing::{Instrument as _, Span, field::Empty};

tokio::task_local! {
    static CURRENT: Invocation;
}

/// The fields that are recorded once they are known.
const BOOKING: &str = "booking.id";
const TRIGGER: &str = "trigger.id";

/// The header that AWS has a trace in, `Root=1-5759e988-bd862e3fe1be46a994272793`.
pub const TRACE: &str = "x-amzn-trace-id";

/// One call of a function by Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub function: &'static str,
    pub request: String,
    /// The trace's root alone: what else a caller puts into that header is nobody's to repeat.
    pub trace: Option<String>,
}

impl Invocation {
    pub fn of_event(function: &'static str, context: &Context) -> Self {
        let trace = context.xray_trace_id.as_deref().and_then(root);
        Self { function, request: context.request_id.clone(), trace }
    }

    /// The gateway's trace, where it has one, and Lambda's else.
    pub fn of_request(function: &'static str, request: &Request) -> Self {
        let header = request.headers().get(TRACE).and_then(|trace| trace.to_str().ok());
        let context = request.lambda_context_ref();
        let lambda = || context.and_then(|context| context.xray_trace_id.as_deref()).and_then(root);
        let trace = header.and_then(root).or_else(lambda);
        let request = context.map(|context| context.request_id.clone()).unwrap_or_default();
        Self { function, request, trace }
    }

    /// Runs `work` with these ids in its log lines, metrics and answer.
    pub fn run<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        let span = self.span();
        CURRENT.scope(self, work).instrument(span)
    }

    /// At the level of errors, so that no `LOG_LEVEL` filters it out. It has no parent: only the innermost span is logged,
    /// so each has all the ids.
    fn span(&self) -> Span {
        tracing::error_span!(
            parent: None,
            "invocation",
            function = deployed(self.function),
            request.id = self.request,
            trace.id = self.trace,
            booking.id = Empty,
            trigger.id = Empty,
        )
    }

    /// The ids at the end of a metric line.
    pub(super) fn ids<M: SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
        line.serialize_entry("request.id", &self.request)?;
        self.trace.iter().try_for_each(|trace| line.serialize_entry("trace.id", trace))
    }

    /// The invocation of the current task.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
}

/// For an invocation that is about one booking: adds its id to the log lines from here on.
pub fn record_booking(id: &BookingId) {
    Span::current().record(BOOKING, id.as_str());
}

/// For an invocation that is about one trigger: adds its id to the log lines from here on.
pub fn record_trigger(id: &TriggerId) {
    Span::current().record(TRIGGER, id.as_str());
}

/// For one booking among several of an invocation: the invocation's span with this id.
pub fn booking_span(id: &BookingId) -> Span {
    let span = current_span();
    span.record(BOOKING, id.as_str());
    span
}

/// For one trigger among several of an invocation: the invocation's span with this id.
pub fn trigger_span(id: &TriggerId) -> Span {
    let span = current_span();
    span.record(TRIGGER, id.as_str());
    span
}

fn current_span() -> Span {
    CURRENT.try_with(Invocation::span).unwrap_or_else(|_| Span::none())
}

/// `1-5759e988-bd862e3fe1be46a994272793` out of a trace header.
fn root(header: &str) -> Option<String> {
    let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
    let mut parts = root.split('-');
    let hex = |part: Option<&str>, digits| {
        part.is_some_and(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let fits = parts.next() == Some("1") && hex(parts.next(), 8) && hex(parts.next(), 24) && parts.next().is_none();
    fits.then(|| root.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_its_root_and_nothing_that_a_caller_put_beside_it() {
        let id = "1-5759e988-bd862e3fe1be46a994272793";
        for header in
            [format!("Root={id}"), format!("Root={id};Parent=53995c3f42cd8ad8;Sampled=1"), format!("Self=x; Root={id}")]
        {
            assert_eq!(root(&header).as_deref(), Some(id), "{header}");
        }
        for header in
            ["", "Root=", "Root=1-5759e988-guest", "guest@example.com", "Root=1-5759e988-bd862e3fe1be46a994272793-1"]
        {
            assert_eq!(root(header), None, "{header}");
        }
    }

    #[tokio::test]
    async fn what_runs_inside_is_of_that_invocation() {
        let invocation = Invocation { function: "slots-api", request: "r-1".to_owned(), trace: None };
        assert_eq!(Invocation::current(), None);
        let seen = invocation.clone().run(async { Invocation::current() }).await;
        assert_eq!(seen, Some(invocation));
    }
}
