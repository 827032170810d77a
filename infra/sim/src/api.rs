//! Popin's API from the outside: who is let in, what goes wrong, what is written down, and how the reply leaves.

use bytes::Bytes;
use http::header::{ACCEPT, DATE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use jiff::fmt::rfc2822;
use serde_json::Value;

use crate::endpoints::{Desk, Outcome};
use crate::faults::{FaultOrder, Sending};
use crate::replies::{self, ConnectionReset};
use crate::state::{Call, Change, Endpoint};
use crate::{Inside, SellerAccount, Sim};

impl Sim {
    /// Popin's API, in process, under any path prefix; beside it the CRMs: records are read under any, ends told under `/crm/`. A call that hangs never resolves: the caller has its own time-out.
    /// Whatever the call changes is kept before this waits for anything, so that a caller that gives up undoes nothing.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        if let Some(record) = self.read_record(&request) {
            return record;
        }
        if request.uri().path().starts_with("/crm/") {
            return self.crms().handle(request).await;
        }
        // Made before the call is visible, so that a release after that is not missed.
        let released = self.0.released.notified();
        let (mut reply, sending) = self.answer(&request);
        if let Ok(date) = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&self.now()) {
            reply.headers_mut().extend(HeaderValue::try_from(date).ok().map(|date| (DATE, date)));
        }
        match sending {
            Sending::Now => {}
            Sending::After(wait) => tokio::time::sleep(wait).await,
            Sending::OnRelease => released.await,
            Sending::Never => std::future::pending().await,
        }
        reply
    }

    fn answer(&self, request: &Request<Bytes>) -> (Response<Bytes>, Sending) {
        let Some(endpoint) = Endpoint::at(request.uri().path()) else {
            return (replies::problem(StatusCode::NOT_FOUND, "Not Found"), Sending::Now);
        };
        let now = self.now();
        let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        let mut inside = self.inside();
        let door = Door::check(&inside, endpoint, request);
        let seller = door.seller.as_ref().map(|seller| seller.token.clone());
        let headers_ok = door.accepts && door.seller.is_some();

        let (fault, outcome) = match door.admit() {
            Admission::Refused(reply) => (None, reply.into()),
            Admission::Seller(seller) => {
                let fault = inside.faults.take(endpoint);
                let kept = inside.books.kept();
                let desk = Desk { seller: &seller, kept, now, fault: fault.as_ref().map(|order| order.fault) };
                let outcome = work(&desk, fault.as_ref(), endpoint, &body);
                (fault, outcome)
            }
        };
        let Outcome { reply, mut changes } = outcome;
        let sending = fault.as_ref().map_or(Sending::Now, FaultOrder::sending);
        let unseen = matches!(sending, Sending::Never) || reply.extensions().get::<ConnectionReset>().is_some();
        let call = Call {
            at: now,
            endpoint,
            seller,
            status: if unseen { 0 } else { reply.status().as_u16() },
            took_effect: !changes.is_empty(),
            fault: fault.as_ref().and_then(FaultOrder::name),
            request: if endpoint == Endpoint::Slots { Value::Null } else { body },
            headers_ok,
        };
        changes.push(Change::Called(Box::new(call)));
        if let Err(error) = inside.books.commit(changes) {
            tracing::error!(error = &error as &dyn std::error::Error, "a call was not kept, so it had no effect");
            return (replies::html(StatusCode::INTERNAL_SERVER_ERROR), Sending::Now);
        }
        self.0.queued.notify_one();
        (reply, sending)
    }
}

/// The work, unless a fault stands in for it; and its reply, as a fault disguises it.
fn work(desk: &Desk, fault: Option<&FaultOrder>, endpoint: Endpoint, body: &Value) -> Outcome {
    let Some(fault) = fault else { return desk.ask(endpoint, body) };
    let outcome = fault.instead(endpoint, desk.seller).map_or_else(|| desk.ask(endpoint, body), Outcome::from);
    Outcome { reply: fault.disguise(outcome.reply), ..outcome }
}

enum Admission {
    Seller(SellerAccount),
    Refused(Response<Bytes>),
}

/// What a request shows before anything of it is acted on.
struct Door {
    method_ok: bool,
    accepts: bool,
    seller: Option<SellerAccount>,
}

impl Door {
    fn check(inside: &Inside, endpoint: Endpoint, request: &Request<Bytes>) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let accepts = header(ACCEPT.as_str()).is_some_and(|accept| accept.contains("application/json"));
        let method = match endpoint {
            Endpoint::Capture | Endpoint::Schedule => Method::POST,
            Endpoint::Slots => Method::GET,
        };
        let (key, token) = (header("x-api-key"), header("x-token"));
        let seller = inside.sellers.iter().find(|s| token == Some(&*s.token) && key == Some(&*s.api_key)).cloned();
        Self { method_ok: request.method() == method, accepts, seller }
    }

    /// ASSUMPTION: without `Accept: application/json` Popin answers a page: 406 here, for a redirect would test nothing.
    /// ASSUMPTION: a wrong key and a wrong token are both 401.
    fn admit(self) -> Admission {
        match self.seller {
            _ if !self.method_ok => {
                Admission::Refused(replies::problem(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
            }
            _ if !self.accepts => Admission::Refused(replies::html(StatusCode::NOT_ACCEPTABLE)),
            None => Admission::Refused(replies::problem(StatusCode::UNAUTHORIZED, "Unauthenticated.")),
            Some(seller) => Admission::Seller(seller),
        }
    }
}
