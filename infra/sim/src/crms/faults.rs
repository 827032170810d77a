//! What goes wrong at a CRM, or on the way back.

use crate::replies;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use std::time::Duration;

/// "Done" means that the call has its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrmFault {
    /// Not done: 429 with `Retry-After`.
    RateLimited,
    /// Not done: 401.
    Unauthorized,
    /// Not done: 400.
    Refuse,
    /// Not done: 410.
    Gone,
    /// Not done: 302 to somewhere near.
    Redirect,
    /// Not done: 503 with an HTML page.
    Unavailable,
    /// Done: 500.
    ErrorAfter,
    /// Done: 200 with an HTML page.
    HtmlAfter,
    /// Done, answered after `seconds`.
    Slow,
    /// Not done, never answered.
    Hang,
    /// Done, never answered.
    HangAfter,
}

/// A fault, where and how often.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrmFaultOrder {
    /// `hubspot` say; every one when absent.
    #[serde(default)]
    pub crm: Option<String>,
    /// Only where the path has this in it.
    #[serde(default)]
    pub path: String,
    pub fault: CrmFault,
    /// 0 is until cleared.
    #[serde(default = "once")]
    pub times: u32,
    /// What `Retry-After` says, or how slow it is.
    #[serde(default = "seven")]
    pub seconds: u64,
}

fn once() -> u32 {
    1
}

fn seven() -> u64 {
    7
}

pub(super) enum Sent {
    Now,
    After(Duration),
    Never,
}

impl CrmFaultOrder {
    pub fn new(crm: &str, fault: CrmFault) -> Self {
        Self { crm: Some(crm.to_owned()), path: String::new(), fault, times: 1, seconds: 7 }
    }

    pub(super) fn instead(&self) -> Option<Response<Bytes>> {
        let problem = |status| Some(replies::problem(status, "Not now."));
        match self.fault {
            CrmFault::RateLimited => {
                let reply = replies::problem(StatusCode::TOO_MANY_REQUESTS, "Not now.");
                Some(replies::with_retry_after(reply, self.seconds))
            }
            CrmFault::Unauthorized => problem(StatusCode::UNAUTHORIZED),
            CrmFault::Refuse => problem(StatusCode::BAD_REQUEST),
            CrmFault::Gone => problem(StatusCode::GONE),
            CrmFault::Redirect => {
                let mut reply = replies::html(StatusCode::FOUND);
                let near = http::HeaderValue::from_static("http://169.254.169.254/");
                reply.headers_mut().insert(http::header::LOCATION, near);
                Some(reply)
            }
            CrmFault::Unavailable | CrmFault::Hang => Some(replies::html(StatusCode::SERVICE_UNAVAILABLE)),
            CrmFault::ErrorAfter | CrmFault::HtmlAfter | CrmFault::HangAfter | CrmFault::Slow => None,
        }
    }

    pub(super) fn disguise(&self, reply: Response<Bytes>) -> (Response<Bytes>, Sent) {
        match self.fault {
            CrmFault::ErrorAfter => (replies::html(StatusCode::INTERNAL_SERVER_ERROR), Sent::Now),
            CrmFault::HtmlAfter => (replies::html(StatusCode::OK), Sent::Now),
            CrmFault::Hang | CrmFault::HangAfter => (reply, Sent::Never),
            CrmFault::Slow => (reply, Sent::After(Duration::from_secs(self.seconds))),
            CrmFault::RateLimited | CrmFault::Unauthorized | CrmFault::Refuse | CrmFault::Gone | CrmFault::Redirect => {
                (reply, Sent::Now)
            }
            CrmFault::Unavailable => (reply, Sent::Now),
        }
    }
}

/// The first that is for this call, spent by one.
pub(super) fn take(faults: &mut Vec<CrmFaultOrder>, crm: &str, path: &str) -> Option<CrmFaultOrder> {
    let covers = |order: &CrmFaultOrder| {
        order.crm.as_deref().is_none_or(|only| only == crm) && (order.path.is_empty() || path.contains(&order.path))
    };
    let at = faults.iter().position(covers)?;
    let order = faults[at].clone();
    match order.times {
        0 => {}
        1 => drop(faults.remove(at)),
        more => faults[at].times = more - 1,
    }
    Some(order)
}
