//! Calls of AWS by a short way: with the SDK's own requests, answers, errors and signatures, without its machinery.

mod call;
mod request;
#[cfg(test)]
mod tests;

pub use call::{Client, parse_endpoint};
pub(crate) use request::requests;
pub use request::{Codec, Request};

use aws_smithy_runtime_api::client::{http::SharedHttpConnector, identity::Identity};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::{fmt, time::SystemTime};

/// Who asks, and by which way.
#[derive(Clone, Debug)]
pub struct Connection {
    pub region: String,
    pub identity: Identity,
    /// Instead of AWS's own, for each service.
    pub endpoint: Option<String>,
    /// What it answers is whole: no body is read on.
    pub http: SharedHttpConnector,
    /// The time that is signed.
    pub now: fn() -> SystemTime,
}

/// Why there is no answer. Only what was not built is known not to have been done: even a condition that was lost may have
/// been lost to an earlier attempt of ours.
pub enum Failure<E> {
    /// Nothing was sent: the request lacks something.
    NotBuilt,
    Unanswered,
    TimedOut,
    Unreadable,
    Refused {
        status: u16,
        error: E,
    },
}

impl<E> Failure<E> {
    fn map<F>(self, map: impl FnOnce(E) -> F) -> Failure<F> {
        match self {
            Self::NotBuilt => Failure::NotBuilt,
            Self::Unanswered => Failure::Unanswered,
            Self::TimedOut => Failure::TimedOut,
            Self::Unreadable => Failure::Unreadable,
            Self::Refused { status, error } => Failure::Refused { status, error: map(error) },
        }
    }
}

impl<E: ProvideErrorMetadata> Failure<E> {
    /// AWS's own word for it, or ours where it said none.
    pub fn code(&self) -> &str {
        match self {
            Self::NotBuilt => "not built",
            Self::Unanswered => "not reached",
            Self::TimedOut => "timed out",
            Self::Unreadable => "unreadable",
            Self::Refused { error, .. } => error.code().unwrap_or("service error"),
        }
    }
}

/// The SDK's own text repeats whole items.
impl<E: ProvideErrorMetadata> fmt::Debug for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
