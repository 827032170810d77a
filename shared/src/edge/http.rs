//! The network: one TLS configuration (ring, compiled-in roots, HTTP/1.1) under our calls of AWS and of the vendors.

use super::{
    connect::{Connector, is_not_public},
    env::variable,
};
use crate::{
    model::seller::{Reach, is_private_host},
    popin::{Transport, TransportError},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{error::Error as StdError, sync::Arc, time::Duration};

/// More roots to trust, as the AWS SDKs name them: a proxy's, or a stand-in's.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// The most of a vendor's answer that is read, in bytes.
const MOST_ANSWER: usize = 1024 * 1024;
/// A kept connection is dropped before a vendor's own patience ends, and before a frozen environment thaws.
const KEPT_IDLE: Duration = Duration::from_secs(4);

/// Where connections come from; each client keeps its own.
#[derive(Clone, Debug)]
pub struct Net(rustls::ClientConfig);

/// Hyper's: it follows no redirect, and sends again only what it never began to write.
type Hyper = Client<Connector, Full<Bytes>>;

#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made")]
pub struct NoNet(#[source] Box<dyn StdError + Send + Sync>);

impl Net {
    pub fn new() -> Result<Self, NoNet> {
        tls(variable(CA_BUNDLE)).map(Self).map_err(NoNet)
    }

    /// The door to the vendors.
    pub fn transport(&self) -> Arc<dyn Transport> {
        self.transport_within(Reach::Local)
    }

    /// The door to what a seller's document names: out of the cloud, only to the internet.
    pub fn transport_within(&self, reach: Reach) -> Arc<dyn Transport> {
        Arc::new(Door { client: self.client(reach, KEPT_IDLE), reach })
    }

    /// The way to AWS.
    pub fn aws(&self) -> SharedHttpConnector {
        SharedHttpConnector::new(Aws(self.client(Reach::Local, Duration::from_mins(1))))
    }

    fn client(&self, reach: Reach, idle: Duration) -> Hyper {
        let connector = Connector::new(self.0.clone(), reach);
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(idle).build(connector)
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

/// To the vendors, or to what a seller's document names.
struct Door {
    client: Hyper,
    reach: Reach,
}

impl Transport for Door {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            match self.reach {
                Reach::Public if !is_outside(request.uri()) => return Err(TransportError::NotAllowed),
                Reach::Public | Reach::Local => {}
            }
            let answered = tokio::time::timeout(timeout, exchange(&self.client, request)).await;
            answered.unwrap_or(Err(TransportError::Unanswered))
        })
    }
}

/// An address is not resolved, so the resolver does not see it.
fn is_outside(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !is_private_host(host))
}

async fn exchange(client: &Hyper, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    if request.uri().host().is_none() {
        return Err(TransportError::NotSent);
    }
    // Only a failure to connect is known to have sent nothing.
    let answer = client.request(request.map(Full::new)).await.map_err(|error| {
        if is_not_public(&error) {
            TransportError::NotAllowed
        } else if error.is_connect() {
            TransportError::NotSent
        } else {
            TransportError::Unanswered
        }
    })?;
    let (parts, mut coming) = answer.into_parts();
    let mut body = BytesMut::new();
    while let Some(frame) = coming.frame().await {
        let frame = frame.map_err(|_| TransportError::Unanswered)?;
        let chunk = frame.data_ref().map(Bytes::as_ref).unwrap_or_default();
        if body.len() + chunk.len() > MOST_ANSWER {
            return Err(TransportError::Unanswered);
        }
        body.extend_from_slice(chunk);
    }
    Ok(Response::from_parts(parts, body.freeze()))
}

/// To AWS: the SDK's default HTTPS client would bring a second TLS stack and 40 ms of start-up.
#[derive(Clone, Debug)]
struct Aws(Hyper);

impl HttpConnector for Aws {
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
            format!("https://127.1.:{port}/"),
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
