//! Clock skew: how far our clock is from Popin's, by the `Date` header of its responses (metric `ClockSkewSeconds`).

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

/// A transport that compares the clocks at each response.
pub struct VendorClock<'a> {
    transport: &'a dyn Transport,
    clock: &'a dyn Clock,
    skew: Mutex<Option<SignedDuration>>,
}

impl<'a> VendorClock<'a> {
    pub fn new(transport: &'a dyn Transport, clock: &'a dyn Clock) -> Self {
        Self { transport, clock, skew: Mutex::default() }
    }

    /// The absolute skew in seconds; `None` when no response had a date. Includes up to a second of rounding and the response's travel time.
    pub fn skew_seconds(&self) -> Option<f64> {
        let skew = self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        skew.map(|skew| skew.abs().as_secs_f64())
    }
}

impl Transport for VendorClock<'_> {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let answer = self.transport.send(request, timeout).await?;
            let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok()).and_then(date);
            if let Some(theirs) = date {
                let skew = self.clock.now().duration_since(theirs);
                *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
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
    fn date_header_is_parsed() {
        let date = date("Mon, 23 Nov 2026 03:00:00 GMT").unwrap();
        assert_eq!(date.to_string(), "2026-11-23T03:00:00Z");
        assert_eq!(super::date("now"), None);
    }
}
