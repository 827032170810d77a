//! Lambda's Runtime API, for as many functions as there are, each under a base path of its own.

use super::environment::{Environment, Work};
use crate::{functions::Failure, say};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

type Environments = BTreeMap<String, Arc<Environment>>;

/// What Lambda takes as an answer.
const MOST_ANSWER: usize = 6 * 1024 * 1024;

pub(super) fn router(environments: Environments) -> Router {
    const BASE: &str = "/rt/{function}/{generation}/2018-06-01/runtime";
    Router::new()
        .route(&format!("{BASE}/invocation/next"), get(next))
        .route(&format!("{BASE}/invocation/{{id}}/response"), post(response))
        .route(&format!("{BASE}/invocation/{{id}}/error"), post(error))
        .route(&format!("{BASE}/init/error"), post(init_error))
        .layer(DefaultBodyLimit::max(MOST_ANSWER))
        .with_state(Arc::new(environments))
}

async fn next(
    State(environments): State<Arc<Environments>>,
    Path((function, generation)): Path<(String, u64)>,
) -> Response {
    let Some(environment) = environments.get(&function) else { return StatusCode::NOT_FOUND.into_response() };
    match environment.next(generation).await {
        None => StatusCode::GONE.into_response(),
        Some(Work { id, event, deadline }) => {
            let headers = [
                ("content-type", "application/json".to_owned()),
                ("lambda-runtime-aws-request-id", id),
                ("lambda-runtime-deadline-ms", deadline.as_millisecond().to_string()),
                (
                    "lambda-runtime-invoked-function-arn",
                    format!("arn:aws:lambda:us-east-1:000000000000:function:{function}"),
                ),
                ("lambda-runtime-trace-id", format!("Root=1-{:08x}-000000000000000000000000", deadline.as_second())),
            ];
            (headers, event).into_response()
        }
    }
}

async fn response(
    State(environments): State<Arc<Environments>>,
    Path((function, _, id)): Path<(String, u64, String)>,
    body: Bytes,
) -> StatusCode {
    let answer = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
    settle(&environments, &function, &id, answer.map_err(|_| Failure::Unreadable))
}

async fn error(
    State(environments): State<Arc<Environments>>,
    Path((function, _, id)): Path<(String, u64, String)>,
    body: Bytes,
) -> StatusCode {
    settle(&environments, &function, &id, Err(Failure::Failed(message(&body))))
}

fn settle(environments: &Environments, function: &str, id: &str, answer: Result<Value, Failure>) -> StatusCode {
    let taken = environments.get(function).is_some_and(|environment| environment.answer(id, answer));
    if taken { StatusCode::ACCEPTED } else { StatusCode::BAD_REQUEST }
}

async fn init_error(Path((function, _)): Path<(String, u64)>, body: Bytes) -> StatusCode {
    say::trouble(format_args!("{function} cannot start: {}", message(&body)));
    StatusCode::ACCEPTED
}

fn message(body: &[u8]) -> String {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    error["errorMessage"].as_str().unwrap_or("it says nothing").to_owned()
}
