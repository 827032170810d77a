//! The door to the network: hyper in production, the simulator in tests.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use std::time::Duration;

/// Whether a call that failed may have had its effect: all that a saga needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    #[error("the vendor was not reached")]
    NotSent,
    /// Nothing was sent, and nothing would ever be.
    #[error("the address is none that may be called")]
    NotAllowed,
    #[error("the vendor did not answer; the call may have taken effect")]
    Unanswered,
}

/// Sends a request once, never twice, and reads the whole answer (1 MiB at most) within `timeout`.
pub trait Transport: Send + Sync {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>>;
}
