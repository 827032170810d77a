//! The network: one TLS configuration (ring, compiled-in roots, HTTP/1.1) under the AWS SDK and under reqwest.

use super::env::variable;
use crate::{
    model::seller::{Reach, is_public},
    popin::{Transport, TransportError},
};
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
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    error::Error as StdError,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// More roots to trust, as the AWS SDKs name them: a proxy's, or a stand-in's.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// The most of a vendor's answer that is read, in bytes.
const MOST_ANSWER: usize = 1024 * 1024;
/// Long enough for any vendor that is up; what takes longer was not reached.
const CONNECT: Duration = Duration::from_secs(4);
/// A kept connection is dropped before a vendor's own patience ends, and before a frozen environment thaws.
const KEPT_IDLE: Duration = Duration::from_secs(4);

/// The clients, made from one TLS configuration.
#[derive(Clone, Debug)]
pub struct Net {
    reqwest: reqwest::Client,
    /// What it connects to has been looked at.
    guarded: reqwest::Client,
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
        let client = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .http1_only()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECT)
                .pool_idle_timeout(KEPT_IDLE)
                .tcp_nodelay(true)
        };
        let reqwest = client().build().map_err(|error| no_net(Box::new(error)))?;
        let guarded = client().dns_resolver(PublicOnly).build().map_err(|error| no_net(Box::new(error)))?;
        Ok(Self { reqwest, guarded, sdk })
    }

    /// The door to the vendors.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.clone())
    }

    /// The door to what a seller's document names: out of the cloud, only to the internet.
    pub fn transport_within(&self, reach: Reach) -> Arc<dyn Transport> {
        match reach {
            Reach::Public => Arc::new(Guarded(self.guarded.clone())),
            Reach::Local => self.transport(),
        }
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
            let Ok(request) = reqwest::Request::try_from(request) else { return Err(TransportError::NotSent) };
            send(&self.reqwest, request, timeout).await
        })
    }
}

async fn send(
    client: &reqwest::Client,
    mut request: reqwest::Request,
    timeout: Duration,
) -> Result<Response<Bytes>, TransportError> {
    *request.timeout_mut() = Some(timeout);
    // Only a failure to connect is known to have sent nothing.
    let mut answer = client.execute(request).await.map_err(|error| {
        if is_not_public(&error) {
            TransportError::NotAllowed
        } else if error.is_connect() || error.is_builder() {
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
}

/// Calls what a seller's document names, and nothing that is nearer than the internet.
struct Guarded(reqwest::Client);

impl Transport for Guarded {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let Ok(request) = reqwest::Request::try_from(request) else { return Err(TransportError::NotSent) };
            // An address is not resolved, so the resolver does not see it: here it has one spelling, whatever it was.
            let host = request.url().host_str().unwrap_or_default();
            let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
            if request.url().scheme() != "https" || address.is_ok_and(|address| !is_public(address)) {
                return Err(TransportError::NotAllowed);
            }
            send(&self.0, request, timeout).await
        })
    }
}

/// Resolves to addresses of the internet, or not at all: what is connected to is what was looked at.
struct PublicOnly;

#[derive(Debug, thiserror::Error)]
#[error("the name stands for an address of a private network")]
struct NotPublic;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One of several is enough to refuse them all: no honest name mixes them.
            if found.iter().any(|address| !is_public(address.ip())) {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_not_public(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are resolved by this machine's own file of hosts; no packet leaves it.
    #[tokio::test]
    async fn what_is_not_the_internet_is_not_called() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let guarded = Net::new().unwrap().transport_within(Reach::Public);
        for url in [
            format!("https://127.0.0.1:{port}/"),
            format!("https://2130706433:{port}/"),
            format!("https://0x7f.1:{port}/"),
            format!("https://[::1]:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            format!("https://localhost:{port}/"),
            format!("http://localhost:{port}/"),
            "https://169.254.169.254/latest/meta-data".to_owned(),
        ] {
            let request = Request::get(&url).body(Bytes::new()).unwrap();
            let sent = guarded.send(request, Duration::from_secs(5)).await;
            assert_eq!(sent.map(drop), Err(TransportError::NotAllowed), "{url}");
        }
        assert!(listener.accept().is_err(), "somebody connected");
    }
}
