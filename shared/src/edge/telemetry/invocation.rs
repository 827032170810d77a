//! Which invocation a line is of: the function, our own request's id, and AWS's trace id.

use lambda_http::{Context, Request, RequestExt as _};
use serde::ser::SerializeMap;

tokio::task_local! {
    static CURRENT: Invocation;
}

/// The header that AWS has a trace in, `Root=1-5759e988-bd862e3fe1be46a994272793`.
pub const TRACE: &str = "x-amzn-trace-id";

/// One call of a function by Lambda. What is told while it runs has its ids.
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

    /// Whatever `work` tells is told with these ids.
    pub async fn run<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// What every line of it has at its end.
    pub(super) fn ids<M: SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
        line.serialize_entry("request.id", &self.request)?;
        self.trace.iter().try_for_each(|trace| line.serialize_entry("trace.id", trace))
    }

    /// What is running now, if anything is.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
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
