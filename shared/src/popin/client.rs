//! The client: one call, one answer, and a failure that says whether the call may have had its effect.

use super::{
    transport::{Transport, TransportError},
    wire,
};
use crate::model::{
    diary::Slot,
    ids::CustomerId,
    lead::{CallRequest, Lead},
    retry_after::RetryAfter,
    seller::{PinField, Popin},
    sensitive::Sensitive,
    state::Customer,
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Sorted by what a saga may do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("Popin was not reached")]
    NotSent,
    #[error("Popin turned the call away for now")]
    NotDone(Option<RetryAfter>),
    /// Nothing was done, and nothing will be until somebody mends the key or the token.
    #[error("Popin does not accept our credentials")]
    Credentials,
    #[error("Popin refused")]
    Refused(String),
    #[error("Popin's answer is not known; the call may have taken effect")]
    Unanswered,
}

impl Failure {
    /// A stable word for logs and for the diary's `last_error`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSent => "popin_not_reached",
            Self::NotDone(_) => "popin_turned_away",
            Self::Credentials => "popin_credentials",
            Self::Refused(_) => "popin_refused",
            Self::Unanswered => "popin_unanswered",
        }
    }

    pub fn retry_after(&self, now: Timestamp) -> Option<SignedDuration> {
        match self {
            Self::NotDone(Some(after)) => Some(after.wait(now)),
            Self::NotDone(None) | Self::NotSent | Self::Credentials | Self::Refused(_) | Self::Unanswered => None,
        }
    }
}

/// Popin for one seller. Nothing is retried in here.
pub struct Client<'a> {
    pub popin: &'a Popin,
    pub transport: &'a dyn Transport,
    /// For the whole call, at most the seller's `timeout_seconds`.
    pub timeout: Duration,
}

impl<'a> Client<'a> {
    pub fn new(popin: &'a Popin, transport: &'a dyn Transport) -> Self {
        Self { popin, transport, timeout: popin.timeout.unsigned_abs() }
    }

    /// The same client with less patience.
    #[must_use]
    pub fn within(mut self, most: SignedDuration) -> Self {
        self.timeout =
            self.timeout.min(Duration::try_from(most).unwrap_or(Duration::ZERO).max(Duration::from_millis(100)));
        self
    }

    /// Registers the person. May be repeated.
    pub async fn capture(&self, lead: &Lead, call: &CallRequest) -> Result<Customer, Failure> {
        let pin = lead.pincode.as_ref().map(|pin| pin.expose().as_str());
        let national = lead.mobile.national();
        let body = wire::Capture {
            name: lead.name.expose(),
            mobile: national.expose(),
            country: lead.mobile.country(),
            email: lead.email.as_ref().map(|email| email.expose().as_str()),
            group: lead.group.as_deref(),
            agent: lead.agent,
            pincode: pin.filter(|_| self.popin.pin_field == PinField::Pincode),
            pin_code: pin.filter(|_| self.popin.pin_field == PinField::PinCode),
            campaign: Some(lead.campaign.expose()).filter(|campaign| !campaign.is_empty()),
            native: call.native,
        };
        let answer = self.call(Method::POST, "capture", Some(&body)).await?;
        let id = wire::id(answer.get("customer_id")).and_then(|id| CustomerId::parse(id).ok());
        match (wire::status(&answer), id) {
            (Some(true), Some(id)) => {
                let join_url = wire::join_url(&answer);
                if join_url == Err(wire::TooLong) {
                    tracing::warn!("popin.join_url_too_long");
                }
                Ok(Customer { id, join_url: join_url.ok().flatten().map(|url| Sensitive::new(url.to_owned())) })
            }
            (Some(false), _) => Err(Failure::Refused(wire::message(&answer))),
            (Some(true) | None, _) => Err(Failure::Unanswered),
        }
    }

    /// What is free now, for all agents and groups.
    pub async fn slots(&self) -> Result<wire::Availability, Failure> {
        let answer = self.call(Method::GET, "slots", None::<&()>).await?;
        match (wire::availability(&answer), wire::status(&answer)) {
            (Some(availability), Some(true) | None) => Ok(availability),
            (_, Some(false)) => Err(Failure::Refused(wire::message(&answer))),
            (None, Some(true) | None) => Err(Failure::Unanswered),
        }
    }

    /// Books the slot. Must not be repeated while its outcome is unknown.
    pub async fn schedule(
        &self,
        customer: &CustomerId,
        slot: &Slot,
        lead: &Lead,
        call: &CallRequest,
    ) -> Result<wire::Scheduled, Failure> {
        let body = wire::Schedule {
            customer_id: customer.as_str(),
            time: &slot.vendor_time,
            agent: lead.agent,
            native: call.native,
            url: call.url.as_deref().filter(|_| !call.native),
        };
        let answer = self.call(Method::POST, "schedule", Some(&body)).await?;
        match wire::status(&answer) {
            Some(true) => Ok(wire::scheduled(&answer)),
            Some(false) => Err(Failure::Refused(wire::message(&answer))),
            None => Err(Failure::Unanswered),
        }
    }

    async fn call(&self, method: Method, endpoint: &str, body: Option<&impl Serialize>) -> Result<Value, Failure> {
        let request = self.request(method, endpoint, body)?;
        let sent = self.transport.send(request, self.timeout).await;
        let answer = sent.map_err(|error| match error {
            TransportError::NotSent | TransportError::NotAllowed => Failure::NotSent,
            TransportError::Unanswered => Failure::Unanswered,
        })?;
        read(&answer)
    }

    fn request(
        &self,
        method: Method,
        endpoint: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Request<Bytes>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/external/{endpoint}", self.popin.base_url))
            .header("X-API-KEY", self.popin.api_key.expose())
            .header("X-TOKEN", self.popin.token.expose())
            .header(header::ACCEPT, "application/json");
        let bytes = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                serde_json::to_vec(body).map_err(|_| Failure::NotSent)?
            }
            None => Vec::new(),
        };
        request.body(Bytes::from(bytes)).map_err(|_| Failure::NotSent)
    }
}

/// An answer's class by its status, then by its body.
fn read(answer: &Response<Bytes>) -> Result<Value, Failure> {
    let body = || serde_json::from_slice::<Value>(answer.body());
    let retry_after =
        || answer.headers().get(header::RETRY_AFTER).and_then(|raw| raw.to_str().ok()).and_then(RetryAfter::read);
    match answer.status() {
        status if status.is_success() => match body() {
            Ok(body @ Value::Object(_)) => Ok(body),
            Ok(_) | Err(_) => Err(Failure::Unanswered),
        },
        StatusCode::TOO_MANY_REQUESTS => Err(Failure::NotDone(retry_after())),
        StatusCode::SERVICE_UNAVAILABLE => match retry_after() {
            Some(after) => Err(Failure::NotDone(Some(after))),
            None => Err(Failure::Unanswered),
        },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::Credentials),
        // A gateway's 408 says only that it stopped waiting.
        StatusCode::REQUEST_TIMEOUT => Err(Failure::Unanswered),
        status if status.is_client_error() => Err(Failure::Refused(wire::message(&body().unwrap_or(Value::Null)))),
        _ => Err(Failure::Unanswered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>, body: &str) -> Response<Bytes> {
        let mut response = Response::builder().status(status);
        if let Some(after) = retry_after {
            response = response.header("retry-after", after);
        }
        response.body(Bytes::from(body.to_owned())).unwrap()
    }

    #[test]
    fn every_answer_falls_into_its_class() {
        let after = |seconds| Some(RetryAfter::In(SignedDuration::from_secs(seconds)));
        let refused = |message: &str| Err(Failure::Refused(message.into()));
        for (given, expected) in [
            (answer(200, None, "<html>"), Err(Failure::Unanswered)),
            (answer(200, None, "[]"), Err(Failure::Unanswered)),
            (answer(302, None, ""), Err(Failure::Unanswered)),
            (answer(401, None, "{}"), Err(Failure::Credentials)),
            (answer(408, None, ""), Err(Failure::Unanswered)),
            (answer(422, None, r#"{"message":"no name"}"#), refused("no name")),
            (answer(404, None, "<html>"), refused("Popin refused without a message")),
            (answer(429, None, ""), Err(Failure::NotDone(None))),
            (answer(429, Some("7"), ""), Err(Failure::NotDone(after(7)))),
            (answer(503, Some("7"), ""), Err(Failure::NotDone(after(7)))),
            (answer(503, None, ""), Err(Failure::Unanswered)),
            (answer(500, Some("7"), ""), Err(Failure::Unanswered)),
            (answer(502, None, ""), Err(Failure::Unanswered)),
        ] {
            assert_eq!(read(&given), expected, "{}", given.status());
        }
    }
}
