//! The network: one TLS configuration (ring, compiled-in roots, HTTP/1.1) under the AWS SDK and under reqwest.

use super::env::variable;
use crate::popin::{Transport, TransportError};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as TcpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{error::Error as StdError, sync::Arc, time::Duration};

/// More roots to trust, as the AWS SDKs name them: a proxy's, or a stand-in's.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// The most of a vendor's answer that is read, in bytes.
const MOST_ANSWER: usize = 1024 * 1024;
/// Long enough for any vendor that is up; what takes longer was not reached.
const CONNECT: Duration = Duration::from_secs(4);
/// A kept connection is dropped before a vendor's own patience ends, and before a frozen environment thaws.
const KEPT_IDLE: Duration = Duration::from_secs(4);

/// Both clients, made from one TLS configuration.
#[derive(Clone, Debug)]
pub struct Net {
    reqwest: reqwest::Client,
    sdk: Client<HttpsConnector<TcpConnector>, Full<Bytes>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made")]
pub struct NoNet(#[source] Box<dyn StdError + Send + Sync>);

impl Net {
    pub fn new() -> Result<Self, NoNet> {
        let no_net = |error: Box<dyn StdError + Send + Sync>| NoNet(error);
        let tls = tls(variable(CA_BUNDLE)).map_err(no_net)?;
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        // Hyper sends again only what it never began to write.
        let sdk = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_mins(1))
            .build(https);
        let reqwest = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(KEPT_IDLE)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| no_net(Box::new(error)))?;
        Ok(Self { reqwest, sdk })
    }

    /// The door to the vendors.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.clone())
    }

    /// The client that the AWS SDK goes through.
    pub fn sdk(&self) -> SharedHttpClient {
        SharedHttpClient::new(Sdk(self.sdk.clone()))
    }
}

fn tls(bundle: Option<String>) -> Result<rustls::ClientConfig, Box<dyn StdError + Send + Sync>> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = bundle.filter(|path| !path.is_empty()) {
        let more = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
        // A system's whole bundle has some that nobody can read any more.
        roots.add_parsable_certificates(more);
    }
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::in_memory_sessions(8);
    Ok(config)
}

impl Transport for Net {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let Ok(mut request) = reqwest::Request::try_from(request) else { return Err(TransportError::NotSent) };
            *request.timeout_mut() = Some(timeout);
            // Only a failure to connect is known to have sent nothing.
            let mut answer = self.reqwest.execute(request).await.map_err(|error| {
                if error.is_connect() || error.is_builder() {
                    TransportError::NotSent
                } else {
                    TransportError::Unanswered
                }
            })?;
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await.map_err(|_| TransportError::Unanswered)? {
                if body.len() + chunk.len() > MOST_ANSWER {
                    return Err(TransportError::Unanswered);
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = Response::new(body.freeze());
            *response.status_mut() = answer.status();
            std::mem::swap(response.headers_mut(), answer.headers_mut());
            Ok(response)
        })
    }
}

/// The SDK over hyper: its default HTTPS client would bring a second TLS stack and 40 ms of start-up.
#[derive(Clone, Debug)]
struct Sdk(Client<HttpsConnector<TcpConnector>, Full<Bytes>>);

impl HttpConnector for Sdk {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let (parts, body) =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?.into_parts();
            let body = body.bytes().ok_or_else(|| ConnectorError::user("a streaming body".into()))?;
            let request = Request::from_parts(parts, Full::new(Bytes::copy_from_slice(body)));
            let answer = client.request(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| ConnectorError::io(error.into()))?.to_bytes();
            HttpResponse::try_from(Response::from_parts(parts, SdkBody::from(body)))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl HttpClient for Sdk {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
