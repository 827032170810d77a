//! Calls of AWS by a short way: the SDK's own requests, answers, errors and signatures, without the machinery that it has around each call.

mod call;
mod request;
#[cfg(test)]
mod tests;

pub use call::Client;
pub(crate) use request::requests;
pub use request::{Codec, Request};

use aws_smithy_runtime_api::client::{http::SharedHttpConnector, identity::Identity};
use std::time::SystemTime;

/// Who asks, and by which way.
#[derive(Clone, Debug)]
pub struct Connection {
    pub region: String,
    pub identity: Identity,
    /// Instead of AWS's own, for each service.
    pub endpoint: Option<String>,
    pub http: SharedHttpConnector,
    /// The time that is signed.
    pub now: fn() -> SystemTime,
}

/// Why there is no answer. The SDK's own text is left out: it repeats whole items.
#[derive(Debug)]
pub enum Failure<E> {
    /// Nothing was sent: the request lacks something.
    NotBuilt,
    /// Whether it was done is not known.
    NotReached,
    TimedOut,
    Unreadable,
    Refused {
        status: u16,
        error: E,
    },
}

impl<E> Failure<E> {
    pub(crate) fn map<F>(self, map: impl FnOnce(E) -> F) -> Failure<F> {
        match self {
            Self::NotBuilt => Failure::NotBuilt,
            Self::NotReached => Failure::NotReached,
            Self::TimedOut => Failure::TimedOut,
            Self::Unreadable => Failure::Unreadable,
            Self::Refused { status, error } => Failure::Refused { status, error: map(error) },
        }
    }
}
