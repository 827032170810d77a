//! One call: written once, signed and sent up to four times, and read.

use super::{Codec, Connection, Failure};
use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::{
    http::HttpConnector,
    interceptors::context::{Error, Input, Output},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{DateTime, date_time::Format};
use http::Uri;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// How long one attempt may take, and all of them.
const ATTEMPT: Duration = Duration::from_secs(3);
const OPERATION: Duration = Duration::from_secs(9);
const ATTEMPTS: u32 = 4;

/// What AWS says to a signature of another time, among others, as the SDK has it.
const OF_THE_CLOCK: [&str; 5] = [
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "RequestTimeTooSkewed",
    "AccessDeniedException",
];
/// In seconds; it takes five minutes' difference at least.
const SKEWED: i64 = 4 * 60;

/// One service of AWS's, and who asks it. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    service: Arc<Service>,
    agent: String,
}

#[derive(Debug)]
struct Service {
    name: &'static str,
    /// `None` when the endpoint is none.
    uri: Option<Uri>,
    connection: Connection,
    /// How far AWS's clock is ahead of ours, in seconds. 0 until it refuses a signature for that.
    ahead: AtomicI64,
}

/// An attempt that failed.
struct Missed {
    failure: Failure<Error>,
    /// Whether the same again may do better.
    retryable: bool,
}

impl Client {
    /// `service` by the name that it is signed for, which its host begins with.
    pub fn new(service: &'static str, connection: Connection) -> Self {
        let endpoint = connection.endpoint.clone().unwrap_or_else(|| endpoint(service, &connection.region));
        let uri = parse_endpoint(&endpoint);
        let agent = concat!("frontdesk/", env!("CARGO_PKG_VERSION")).to_owned();
        Self { service: Arc::new(Service { name: service, uri, connection, ahead: AtomicI64::new(0) }), agent }
    }

    /// As whom it calls, in `User-Agent`.
    #[must_use]
    pub fn named(&self, function: &'static str) -> Self {
        Self { service: self.service.clone(), agent: format!("{} app/{function}", self.agent) }
    }

    /// `None` is a request that lacks something.
    pub(super) async fn exchange(&self, codec: &'static Codec, input: Option<Input>) -> Result<Output, Failure<Error>> {
        let request = input.and_then(|input| self.request(codec, input)).ok_or(Failure::NotBuilt)?;
        let attempts = async {
            let mut made = 0;
            loop {
                let answer = tokio::time::timeout(ATTEMPT, self.attempt(codec, &request)).await;
                made += 1;
                match answer.unwrap_or(Err(Missed { failure: Failure::TimedOut, retryable: true })) {
                    Ok(output) => return Ok(output),
                    Err(missed) if missed.retryable && made < ATTEMPTS => back_off(made).await,
                    Err(missed) => return Err(missed.failure),
                }
            }
        };
        tokio::time::timeout(OPERATION, attempts).await.unwrap_or(Err(Failure::TimedOut))
    }

    fn request(&self, codec: &Codec, input: Input) -> Option<HttpRequest> {
        let mut request = codec.write(input)?;
        request.set_uri(self.service.uri.clone()?).ok()?;
        request.headers_mut().insert("user-agent", self.agent.clone());
        Some(request)
    }

    async fn attempt(&self, codec: &Codec, request: &HttpRequest) -> Result<Output, Missed> {
        let unsent = Missed { failure: Failure::NotBuilt, retryable: false };
        let ahead = self.service.ahead.load(Ordering::Relaxed);
        let Some(signed) = self.signed(request, ahead) else { return Err(unsent) };
        let response = match self.service.connection.http.call(signed).await {
            Ok(response) => response,
            Err(error) if error.is_user() => return Err(unsent),
            Err(_) => return Err(Missed { failure: Failure::Unanswered, retryable: true }),
        };
        codec.read(&response).map_err(|failure| {
            let retryable = match &failure {
                Failure::NotBuilt => false,
                Failure::Unanswered | Failure::TimedOut | Failure::Unreadable => true,
                Failure::Refused { status: 500 | 502 | 503 | 504, .. } => true,
                Failure::Refused { error, .. } => {
                    codec.code(error).is_some_and(|code| passes(code) || self.was_of_the_clock(code, &response, ahead))
                }
            };
            Missed { failure, retryable }
        })
    }

    /// Whether it was the clock by which the attempt was signed, so far ahead of ours; ours is set right from now on.
    fn was_of_the_clock(&self, code: &str, response: &HttpResponse, signed: i64) -> bool {
        let date = response.headers().get("date").filter(|_| OF_THE_CLOCK.contains(&code));
        let Some(theirs) = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok()) else { return false };
        let ahead = theirs.secs() - DateTime::from((self.service.connection.now)()).secs();
        let was = (ahead - signed).abs() >= SKEWED;
        if was {
            self.service.ahead.store(ahead, Ordering::Relaxed);
        }
        was
    }

    /// By a clock that is so many seconds ahead of ours.
    fn signed(&self, request: &HttpRequest, ahead: i64) -> Option<HttpRequest> {
        let Service { name, connection, .. } = &*self.service;
        let (now, by) = ((connection.now)(), Duration::from_secs(ahead.unsigned_abs()));
        let time = if ahead < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        let params = v4::SigningParams::builder()
            .identity(&connection.identity)
            .region(&connection.region)
            .name(name)
            .time(time?)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let body = SignableBody::Bytes(request.body().bytes()?);
        let signable = SignableRequest::new(request.method(), request.uri(), request.headers().iter(), body).ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        let mut signed = request.try_clone()?;
        for (name, value) in instructions.into_parts().0.iter().map(|header| (header.name(), header.value())) {
            signed.headers_mut().insert(name, value.to_owned());
        }
        Some(signed)
    }
}

/// What the SDK takes for passing, too.
fn passes(code: &str) -> bool {
    THROTTLING_ERRORS.contains(&code) || TRANSIENT_ERRORS.contains(&code)
}

/// Up to 50 ms after the first attempt, then up to twice as long each time.
async fn back_off(made: u32) {
    let most = Duration::from_millis(25 << made);
    tokio::time::sleep(most.mul_f64(fastrand::f64())).await;
}

/// `None` when it is no URL with a host.
pub fn parse_endpoint(url: &str) -> Option<Uri> {
    url.parse().ok().filter(|uri: &Uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()))
}

/// Where hosts do not end in `amazonaws.com`.
const PARTITIONS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
];

/// AWS's own: the SDK's rules for it would be read anew at each start.
pub(super) fn endpoint(service: &str, region: &str) -> String {
    let other = PARTITIONS.iter().find(|(begins, _)| region.starts_with(begins));
    format!("https://{service}.{region}.{}", other.map_or("amazonaws.com", |(_, ends)| *ends))
}
