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
    orchestrator::HttpRequest,
};
use http::Uri;
use std::{sync::Arc, time::Duration};

/// How long one try may take, and all of them.
const TRY: Duration = Duration::from_secs(3);
const ALL: Duration = Duration::from_secs(9);
const TRIES: u32 = 4;

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
}

impl Client {
    /// `service` by the name that it is signed for, which its host begins with.
    pub fn new(service: &'static str, connection: Connection) -> Self {
        let endpoint = connection.endpoint.clone().unwrap_or_else(|| endpoint(service, &connection.region));
        let uri = endpoint
            .parse()
            .ok()
            .filter(|uri: &Uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()));
        Self { service: Arc::new(Service { name: service, uri, connection }), agent: "frontdesk".to_owned() }
    }

    /// As who it calls, in `User-Agent`.
    #[must_use]
    pub fn named(&self, function: &str) -> Self {
        Self { service: self.service.clone(), agent: format!("frontdesk app/{function}") }
    }

    /// `None` is a request that lacks something.
    pub(super) async fn exchange(&self, codec: &'static Codec, input: Option<Input>) -> Result<Output, Failure<Error>> {
        let request = input.and_then(|input| self.request(codec, input)).ok_or(Failure::NotBuilt)?;
        let tries = async {
            let mut tried = 0;
            loop {
                let answer = tokio::time::timeout(TRY, self.once(codec, &request)).await;
                tried += 1;
                match answer.unwrap_or(Err(Failure::TimedOut)) {
                    Err(failure) if tried < TRIES && may_pass(codec, &failure) => pause_after(tried).await,
                    answer => return answer,
                }
            }
        };
        tokio::time::timeout(ALL, tries).await.unwrap_or(Err(Failure::TimedOut))
    }

    fn request(&self, codec: &Codec, input: Input) -> Option<HttpRequest> {
        let mut request = codec.write(input)?;
        request.set_uri(self.service.uri.clone()?).ok()?;
        request.headers_mut().insert("user-agent", self.agent.clone());
        Some(request)
    }

    async fn once(&self, codec: &Codec, request: &HttpRequest) -> Result<Output, Failure<Error>> {
        let signed = self.signed(request).ok_or(Failure::NotBuilt)?;
        let response = self.service.connection.http.call(signed).await.map_err(|_| Failure::NotReached)?;
        codec.read(&response)
    }

    fn signed(&self, request: &HttpRequest) -> Option<HttpRequest> {
        let Service { name, connection, .. } = &*self.service;
        let params = v4::SigningParams::builder()
            .identity(&connection.identity)
            .region(&connection.region)
            .name(name)
            .time((connection.now)())
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

/// Whether the same again may do better.
fn may_pass(codec: &Codec, failure: &Failure<Error>) -> bool {
    match failure {
        Failure::NotBuilt => false,
        Failure::NotReached | Failure::TimedOut | Failure::Unreadable => true,
        Failure::Refused { status, error } => {
            let passes = |code| THROTTLING_ERRORS.contains(&code) || TRANSIENT_ERRORS.contains(&code);
            matches!(status, 500 | 502 | 503 | 504) || codec.code(error).is_some_and(passes)
        }
    }
}

/// Up to 50 ms after the first try, then up to twice as long each time.
async fn pause_after(tried: u32) {
    let most = Duration::from_millis(25 << tried);
    tokio::time::sleep(most.mul_f64(fastrand::f64())).await;
}

/// AWS's own, in the partition that the region is of.
pub(super) fn endpoint(service: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{suffix}")
}
