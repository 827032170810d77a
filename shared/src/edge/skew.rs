//! How far our clock is from a vendor's, by the `Date` of its answers.

use crate::{
    flow::Clock,
    popin::{Transport, TransportError},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A way to the vendor that looks at the clock whenever an answer comes.
pub struct Skew<'a> {
    way: &'a dyn Transport,
    clock: &'a dyn Clock,
    seen: Mutex<Option<SignedDuration>>,
}

impl<'a> Skew<'a> {
    pub fn of(way: &'a dyn Transport, clock: &'a dyn Clock) -> Self {
        Self { way, clock, seen: Mutex::default() }
    }

    /// In seconds, either way; `None` when no answer told the time. A whole second and the way back are in it.
    pub fn seconds(&self) -> Option<f64> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.map(|skew| skew.abs().as_secs_f64())
    }
}

impl Transport for Skew<'_> {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let answer = self.way.send(request, timeout).await?;
            let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok()).and_then(date);
            if let Some(theirs) = date {
                let skew = self.clock.now().duration_since(theirs);
                *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
            }
            Ok(answer)
        })
    }
}

/// `Mon, 23 Nov 2026 03:00:00 GMT`.
fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_date_is_read() {
        let date = date("Mon, 23 Nov 2026 03:00:00 GMT").unwrap();
        assert_eq!(date.to_string(), "2026-11-23T03:00:00Z");
        assert_eq!(super::date("now"), None);
    }
}
