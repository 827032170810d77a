//! HTTP clients: one TLS configuration (ring, compiled-in roots) under the calls of AWS, of the vendors and of sellers' URLs.

use super::{
    env::variable,
    resolver::{PublicResolver, is_not_public},
};
use crate::{
    model::seller::{Reach, is_private_host},
    popin::{Transport, TransportError},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use reqwest::redirect;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{error::Error as StdError, mem, sync::Arc, time::Duration};

/// Names a PEM file of additional roots, as for every AWS tool: a company proxy's, or a stand-in's.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// Bounds of a response body, in bytes: a vendor's, and AWS's, which is the most that one read of DynamoDB returns.
const MAX_VENDOR_RESPONSE: usize = 1024 * 1024;
const MAX_AWS_RESPONSE: usize = 16 * 1024 * 1024;
/// Bound of name resolution, TCP and TLS together; a vendor that takes longer counts as not reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Shorter than the vendors' own idle time-outs, and than the pause after which a frozen environment thaws.
const VENDOR_IDLE: Duration = Duration::from_secs(4);
const AWS_IDLE: Duration = Duration::from_mins(1);

/// Makes the clients of a process. Each client has a connection pool of its own.
#[derive(Clone, Debug)]
pub struct HttpClients(rustls::ClientConfig);

#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built: {0}")]
pub struct HttpClientError(Box<dyn StdError + Send + Sync>);

impl HttpClients {
    pub fn new() -> Result<Self, HttpClientError> {
        tls(variable(CA_BUNDLE)).map(Self).map_err(HttpClientError)
    }

    /// Calls Popin, CRMs and URLs that a seller's document names: in the cloud, public addresses only.
    pub fn transport(&self, reach: Reach) -> Result<Arc<dyn Transport>, HttpClientError> {
        Ok(Arc::new(HttpTransport { client: self.client(reach, VENDOR_IDLE)?, reach }))
    }

    /// The HTTP client of the AWS SDKs.
    pub fn aws(&self) -> Result<SharedHttpClient, HttpClientError> {
        let connector = SharedHttpConnector::new(AwsConnector(self.client(Reach::Local, AWS_IDLE)?));
        Ok(http_client_fn(move |_, _| connector.clone()))
    }

    fn client(&self, reach: Reach, idle: Duration) -> Result<reqwest::Client, HttpClientError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.0.clone())
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            // A proxy from the environment would resolve names in our place, past the guard.
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(idle);
        let client = match reach {
            Reach::Local => client,
            Reach::Public => client.https_only(true).dns_resolver(PublicResolver),
        };
        client.build().map_err(|error| HttpClientError(error.into()))
    }
}

fn tls(bundle: Option<String>) -> Result<rustls::ClientConfig, Box<dyn StdError + Send + Sync>> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = bundle.filter(|path| !path.is_empty()) {
        let more = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
        // A system's whole bundle has some that no parser reads any more.
        roots.add_parsable_certificates(more);
    }
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::in_memory_sessions(8);
    Ok(config)
}

/// Calls the vendors, or what a seller's document names.
struct HttpTransport {
    client: reqwest::Client,
    reach: Reach,
}

impl Transport for HttpTransport {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            // A relative or unreadable URL.
            let mut request = reqwest::Request::try_from(request).map_err(|_| TransportError::NotSent)?;
            // A literal address is never resolved, so the resolver does not see it; parsing has normalized its spelling.
            let public = request.url().scheme() == "https"
                && request.url().host_str().is_some_and(|host| !is_private_host(host));
            if self.reach == Reach::Public && !public {
                return Err(TransportError::NotAllowed);
            }
            *request.timeout_mut() = Some(timeout);
            let response = self.client.execute(request).await.map_err(|error| transport_error(&error))?;
            read(response, MAX_VENDOR_RESPONSE).await.map_err(|_| TransportError::Unanswered)
        })
    }
}

/// Only a failure to connect is known to have sent nothing.
fn transport_error(error: &reqwest::Error) -> TransportError {
    if is_not_public(error) {
        TransportError::NotAllowed
    } else if error.is_connect() || error.is_builder() {
        TransportError::NotSent
    } else {
        TransportError::Unanswered
    }
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("the response is longer than {0} bytes")]
    TooLong(usize),
    #[error("the response ended early")]
    Cut(#[from] reqwest::Error),
}

/// The response with its whole body, of at most `max` bytes.
async fn read(mut response: reqwest::Response, max: usize) -> Result<Response<Bytes>, ReadError> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = mem::take(response.headers_mut());
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max {
            return Err(ReadError::TooLong(max));
        }
        body.extend_from_slice(&chunk);
    }
    *answer.body_mut() = body.freeze();
    Ok(answer)
}

/// The AWS SDK's own HTTPS client would be a second one, with roots that are parsed at each start.
#[derive(Clone, Debug)]
struct AwsConnector(reqwest::Client);

impl HttpConnector for AwsConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let (parts, body) = request.into_parts();
            let body = body.bytes().map(Bytes::copy_from_slice);
            let body = body.ok_or_else(|| ConnectorError::user("a streaming body".into()))?;
            let request = reqwest::Request::try_from(Request::from_parts(parts, body))
                .map_err(|error| ConnectorError::user(error.into()))?;
            let response = client.execute(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            let response = read(response, MAX_AWS_RESPONSE).await.map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

#[cfg(test)]
mod tests;
