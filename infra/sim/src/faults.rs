//! Everything that can go wrong at Popin, or on the way back, and when it does.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::replies::{self, ConnectionReset, with_retry_after};
use crate::state::Endpoint;
use crate::{SellerAccount, quirks};

/// What goes wrong. "Done" means that the call has its effect at Popin, if it is one that Popin would accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Not done: 200 with `status` 0.
    Refuse,
    /// Not done: 422.
    Unprocessable,
    /// Not done: 401.
    Unauthorized,
    /// Not done, never answered.
    Hang,
    /// Done, never answered.
    HangAfter,
    /// Not done: 500 with an HTML page.
    Error,
    /// Done: 500 with an HTML page.
    ErrorAfter,
    /// Done: 502 with an HTML page.
    BadGatewayAfter,
    /// Not done: 429.
    RateLimited,
    /// Not done: 429 with `Retry-After`.
    RateLimitedRetryAfter,
    /// Not done: 503.
    Unavailable,
    /// Not done: 503 with `Retry-After`.
    UnavailableRetryAfter,
    /// Done: 200 with an HTML page.
    Html,
    /// Done: half of the answer's JSON.
    Truncated,
    /// Done: answered late.
    Slow,
    /// Done: answered when `Sim::release` says so.
    Held,
    /// Done: the connection is closed without an answer.
    Reset,
    /// Done: answered with PHP's other types.
    StatusText,
    /// Slots: not one day is listed. Elsewhere as `Refuse`.
    Empty,
}

/// Which endpoint a fault is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Capture,
    Slots,
    Schedule,
    #[default]
    Any,
}

impl Target {
    fn covers(self, endpoint: Endpoint) -> bool {
        match self {
            Self::Capture => endpoint == Endpoint::Capture,
            Self::Slots => endpoint == Endpoint::Slots,
            Self::Schedule => endpoint == Endpoint::Schedule,
            Self::Any => true,
        }
    }
}

/// A fault and when it strikes. It is spent only on calls with the right headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    #[serde(default)]
    pub endpoint: Target,
    pub fault: Fault,
    /// How often; 0 is until cleared.
    #[serde(default = "once")]
    pub times: u32,
    /// How many calls it lets pass unharmed first.
    #[serde(default)]
    pub after: u32,
    /// The wait of `slow` (2 when absent), or what `Retry-After` says (7 when absent).
    #[serde(default)]
    pub seconds: Option<u64>,
}

fn once() -> u32 {
    1
}

/// How a reply leaves.
pub(crate) enum Sending {
    Now,
    After(Duration),
    OnRelease,
    Never,
}

impl FaultOrder {
    /// Once, on the next call.
    pub fn new(endpoint: Target, fault: Fault) -> Self {
        Self { endpoint, fault, times: once(), after: 0, seconds: None }
    }

    /// The reply that stands in for the work; none when the work is done. Nobody sees that of a `hang`.
    pub(crate) fn instead(&self, endpoint: Endpoint, seller: &SellerAccount) -> Option<Response<Bytes>> {
        let retry_after = self.seconds.unwrap_or(7);
        match self.fault {
            Fault::Refuse => Some(refused()),
            Fault::Unprocessable => Some(unprocessable()),
            Fault::Unauthorized => Some(replies::problem(StatusCode::UNAUTHORIZED, "Unauthenticated.")),
            Fault::Hang | Fault::Error => Some(replies::html(StatusCode::INTERNAL_SERVER_ERROR)),
            Fault::RateLimited => Some(too_many()),
            Fault::RateLimitedRetryAfter => Some(with_retry_after(too_many(), retry_after)),
            Fault::Unavailable => Some(replies::html(StatusCode::SERVICE_UNAVAILABLE)),
            Fault::UnavailableRetryAfter => {
                Some(with_retry_after(replies::html(StatusCode::SERVICE_UNAVAILABLE), retry_after))
            }
            Fault::Empty if endpoint == Endpoint::Slots => {
                let none = json!({ "availability": [], "slotDiff": seller.slot_minutes, "timezone": seller.timezone });
                Some(replies::json(StatusCode::OK, &none))
            }
            Fault::Empty => Some(refused()),
            Fault::HangAfter | Fault::ErrorAfter | Fault::BadGatewayAfter | Fault::Html | Fault::Truncated => None,
            Fault::Slow | Fault::Held | Fault::Reset | Fault::StatusText => None,
        }
    }

    /// What becomes of the reply once the work is done, or was not to be done.
    pub(crate) fn disguise(&self, reply: Response<Bytes>) -> Response<Bytes> {
        match self.fault {
            Fault::ErrorAfter => replies::html(StatusCode::INTERNAL_SERVER_ERROR),
            Fault::BadGatewayAfter => replies::html(StatusCode::BAD_GATEWAY),
            Fault::Html => replies::html(StatusCode::OK),
            Fault::Truncated => replies::truncated(reply),
            Fault::Reset => {
                let mut reply = replies::truncated(reply);
                reply.extensions_mut().insert(ConnectionReset);
                reply
            }
            Fault::StatusText => quirks::of_reply(reply),
            Fault::Refuse | Fault::Unprocessable | Fault::Unauthorized | Fault::Error | Fault::Empty => reply,
            Fault::RateLimited | Fault::RateLimitedRetryAfter => reply,
            Fault::Unavailable | Fault::UnavailableRetryAfter => reply,
            Fault::Hang | Fault::HangAfter | Fault::Slow | Fault::Held => reply,
        }
    }

    pub(crate) fn sending(&self) -> Sending {
        match self.fault {
            Fault::Hang | Fault::HangAfter => Sending::Never,
            Fault::Slow => Sending::After(Duration::from_secs(self.seconds.unwrap_or(2))),
            Fault::Held => Sending::OnRelease,
            Fault::Refuse | Fault::Unprocessable | Fault::Unauthorized | Fault::Error | Fault::ErrorAfter => {
                Sending::Now
            }
            Fault::BadGatewayAfter | Fault::RateLimited | Fault::RateLimitedRetryAfter => Sending::Now,
            Fault::Unavailable | Fault::UnavailableRetryAfter | Fault::Html | Fault::Truncated => Sending::Now,
            Fault::Reset | Fault::StatusText | Fault::Empty => Sending::Now,
        }
    }

    /// As it is ordered, `hang_after` say.
    pub(crate) fn name(&self) -> Option<String> {
        serde_json::to_value(self.fault).ok()?.as_str().map(str::to_owned)
    }
}

/// The faults that wait for their call, in the order in which they were given.
#[derive(Default)]
pub(crate) struct Faults(Vec<FaultOrder>);

impl Faults {
    pub(crate) fn add(&mut self, order: FaultOrder) {
        self.0.push(order);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that strikes this call. A call that none strikes counts for every one that lets some pass first.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Option<FaultOrder> {
        let Some(ready) = self.0.iter().position(|order| order.endpoint.covers(endpoint) && order.after == 0) else {
            self.0.iter_mut().filter(|order| order.endpoint.covers(endpoint)).for_each(|order| order.after -= 1);
            return None;
        };
        let order = self.0[ready].clone();
        match order.times {
            0 => {}
            1 => drop(self.0.remove(ready)),
            more => self.0[ready].times = more - 1,
        }
        Some(order)
    }
}

fn refused() -> Response<Bytes> {
    replies::refusal("The request could not be completed")
}

fn unprocessable() -> Response<Bytes> {
    let message = "The given data was invalid.";
    replies::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "message": message, "errors": { "request": [message] } }))
}

fn too_many() -> Response<Bytes> {
    replies::problem(StatusCode::TOO_MANY_REQUESTS, "Too Many Attempts.")
}
