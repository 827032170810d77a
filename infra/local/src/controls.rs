//! What the simulator's port offers besides the simulator: ticks, tables and dead letters.

use crate::{dynamodb::Embedded, schedule::Schedules, streams::Pump, template::Template};
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{cmp::Reverse, sync::Arc};

/// What the controls act on; without the embedded database there is less to see.
pub struct Controls {
    pub schedules: Schedules,
    pub template: Template,
    pub embedded: Option<(Embedded, Pump)>,
}

impl Controls {
    pub fn router(self) -> Router {
        Router::new()
            .route("/_local/tick/{function}", post(tick))
            .route("/_local/tables/{table}", get(table))
            .route("/_local/dead-letters", get(dead_letters))
            .with_state(Arc::new(self))
    }
}

async fn tick(State(controls): State<Arc<Controls>>, Path(function): Path<String>) -> Response {
    // In a task of its own: a caller that goes away stops nothing.
    let schedules = controls.schedules.clone();
    let wanted = function.clone();
    match tokio::spawn(async move { schedules.fire(&wanted).await }).await {
        Ok(Some(Ok(answer))) => Json(answer).into_response(),
        Ok(Some(Err(error))) => problem(StatusCode::BAD_GATEWAY, &error.to_string()),
        Ok(None) => {
            let have: Vec<_> = controls.schedules.functions().collect();
            problem(StatusCode::NOT_FOUND, &format!("{function} has no schedule; these have: {}", have.join(", ")))
        }
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the tick was stopped"),
    }
}

#[derive(Deserialize)]
struct Limit {
    limit: Option<usize>,
}

async fn table(
    State(controls): State<Arc<Controls>>,
    Path(table): Path<String>,
    Query(Limit { limit }): Query<Limit>,
) -> Response {
    let Some((embedded, _)) = &controls.embedded else {
        return problem(StatusCode::NOT_IMPLEMENTED, "the tables are at --dynamodb: look there");
    };
    let Ok(name) = controls.template.table_of(&format!("{}_TABLE", table.to_ascii_uppercase())) else {
        return problem(StatusCode::NOT_FOUND, "the tables are events, slots and bookings");
    };
    match tokio::task::block_in_place(|| embedded.items(&name)) {
        Ok(mut items) => {
            items.sort_by_key(|item| Reverse(age(item)));
            items.truncate(limit.unwrap_or(usize::MAX));
            Json(items).into_response()
        }
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// When an item came to be, as it says itself: the newest is shown first.
fn age(item: &Value) -> String {
    let said = ["received_at", "created_at", "fetched_at"].iter().find_map(|name| item[name].as_str());
    said.unwrap_or_default().to_owned()
}

async fn dead_letters(State(controls): State<Arc<Controls>>) -> Json<Value> {
    let letters = controls.embedded.as_ref().map(|(_, pump)| pump.dead_letters());
    Json(letters.unwrap_or_default().into())
}

fn problem(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}
