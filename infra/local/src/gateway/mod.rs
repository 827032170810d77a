//! API Gateway's HTTP API: which function a request is for, the event it becomes, and the answer that goes back.

mod event;
mod reply;
mod routes;
#[cfg(test)]
mod tests;

pub use reply::from_lambda;
pub use routes::NoRoutes;

use crate::{functions::Invoker, template::Template};
use bytes::Bytes;
use frontdesk::flow::{Clock, Random};
use http::{Request, Response, StatusCode};
use routes::Routes;
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// What API Gateway takes.
pub const MOST_BODY: usize = 10 * 1024 * 1024;
/// What Lambda takes: the whole event, whose body is escaped or in base64.
const MOST_EVENT: usize = 6_291_556;
/// A byte of a body is six of the event at most: `\u0000`.
const SURELY_TAKEN: usize = MOST_EVENT / 8;
/// How long it waits for a function.
const PATIENCE: Duration = Duration::from_secs(30);

/// The front door. Clones are the same.
#[derive(Clone)]
pub struct Gateway(Arc<Door>);

struct Door {
    routes: Routes,
    invoker: Arc<Invoker>,
    clock: Arc<dyn Clock>,
    ids: Random,
}

impl Gateway {
    pub fn new(
        template: &Template,
        invoker: Arc<Invoker>,
        clock: Arc<dyn Clock>,
        ids: Random,
    ) -> Result<Self, NoRoutes> {
        Ok(Self(Arc::new(Door { routes: Routes::of(template)?, invoker, clock, ids })))
    }

    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let Some(found) = self.0.routes.find(request.method(), request.uri().path()) else {
            return message(StatusCode::NOT_FOUND, "Not Found");
        };
        if request.body().len() > MOST_BODY {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        }
        let now = self.0.clock.now();
        let id = self.0.ids.id(now);
        let event = event::of(&request, &found, &id, now);
        if request.body().len() > SURELY_TAKEN && event.to_string().len() > MOST_EVENT {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        }
        let invocation = self.0.invoker.http(found.function, event, &id);
        match tokio::time::timeout(PATIENCE, invocation).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::error!(function = found.function, error = %error, "function.failed");
                message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
            Err(_) => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        }
    }
}

/// API Gateway's own answers.
pub fn message(status: StatusCode, text: &str) -> Response<Bytes> {
    reply::json(status, &json!({ "message": text }))
}
