//! How connections are made: names resolved, addresses looked at where only the internet is allowed, and all of it in time.

use crate::model::seller::{Reach, is_public};
use futures_util::future::BoxFuture;
use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{HttpConnector as TcpConnector, dns::Name};
use std::{
    error::Error as StdError,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
    vec,
};
use tower_service::Service;

/// Long enough for any vendor that is up; what takes longer was not reached.
const CONNECT: Duration = Duration::from_secs(4);

type BoxError = Box<dyn StdError + Send + Sync>;

/// Resolves as the machine does; for the internet only, to addresses of the internet or not at all, so that what is
/// connected to is what was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver(pub Reach);

#[derive(Debug, thiserror::Error)]
#[error("the name stands for an address of a private network")]
struct NotPublic;

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One of several is enough to refuse them all: no honest name mixes them.
            if reach == Reach::Public && found.iter().any(|address| !is_public(address.ip())) {
                return Err(NotPublic.into());
            }
            Ok(found.into_iter())
        })
    }
}

/// Whether it failed because a name led to a private network.
pub(super) fn is_not_public(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Connects, TLS and all, within [`CONNECT`].
#[derive(Clone, Debug)]
pub(super) struct Connector(HttpsConnector<TcpConnector<Resolver>>);

#[derive(Debug, thiserror::Error)]
#[error("no connection within {CONNECT:?}")]
struct TooLate;

impl Connector {
    pub(super) fn new(tls: rustls::ClientConfig, reach: Reach) -> Self {
        let mut tcp = TcpConnector::new_with_resolver(Resolver(reach));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        Self(https.wrap_connector(tcp))
    }
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<TcpConnector<Resolver>> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { tokio::time::timeout(CONNECT, connecting).await.map_err(|_| TooLate)? })
    }
}
