//! The sockets: three doors on 127.0.0.1, all open or none.

use crate::{
    cli::Cli,
    gateway::{self, Gateway, MOST_BODY},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use http::StatusCode;
use std::{io, net::Ipv4Addr};
use tokio::net::TcpListener;

#[derive(Debug, thiserror::Error)]
pub enum NoDoor {
    #[error("port {port} is taken: end what listens there, or choose another with {flag}")]
    Taken { port: u16, flag: &'static str },
    #[error("port {port} ({flag}) cannot be used: {source}")]
    Unusable { port: u16, flag: &'static str, source: io::Error },
}

/// A bound port, not yet served.
pub struct Door {
    pub listener: TcpListener,
    pub port: u16,
}

/// Every port that the command line asks for.
pub struct Doors {
    pub api: Door,
    /// None when DynamoDB is elsewhere.
    pub dynamodb: Option<Door>,
    pub sim: Door,
}

impl Doors {
    pub async fn open(cli: &Cli) -> Result<Self, NoDoor> {
        let api = bind(cli.port, "--port").await?;
        let dynamodb = match cli.dynamodb {
            None => Some(bind(cli.dynamodb_port, "--dynamodb-port").await?),
            Some(_) => None,
        };
        Ok(Self { api, dynamodb, sim: bind(cli.sim_port, "--sim-port").await? })
    }
}

async fn bind(port: u16, flag: &'static str) -> Result<Door, NoDoor> {
    let bound = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        Ok(Door { listener, port })
    };
    bound.await.map_err(|source: io::Error| {
        let taken = source.kind() == io::ErrorKind::AddrInUse;
        if taken { NoDoor::Taken { port, flag } } else { NoDoor::Unusable { port, flag, source } }
    })
}

/// API Gateway behind a socket.
pub fn router(gateway: Gateway) -> Router {
    Router::new().fallback(handle).with_state(gateway)
}

async fn handle(State(gateway): State<Gateway>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BODY).await else {
        return gateway::message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large").map(Body::from);
    };
    let request = Request::from_parts(head, body);
    // In a task of its own: a caller that hangs up does not stop a function in the cloud either.
    let answered = tokio::spawn(async move { gateway.handle(request).await }).await;
    let failed = |_| gateway::message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    answered.unwrap_or_else(failed).map(Body::from)
}
