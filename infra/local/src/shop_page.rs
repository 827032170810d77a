//! The demo shop at `/demo`: fake widgets on a page with the real snippet, and what was stored of them.

use crate::dynamodb::Embedded;
use axum::{
    Json, Router,
    extract::State,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use serde_json::{Value, json};
use std::{cmp::Reverse, sync::Arc};

/// The newest events that the page lists.
const SHOWN: usize = 100;

/// The page's own two routes, beside API Gateway's.
pub struct ShopPage {
    pub api: String,
    pub seller: String,
    /// Without the embedded database there is no list to show.
    pub events: Option<(Embedded, String)>,
}

impl ShopPage {
    pub fn router(self) -> Router {
        let page = include_str!("../demo/index.html").replace("{{API}}", &self.api).replace("{{SELLER}}", &self.seller);
        Router::new()
            .route("/demo", get(|| async { Html(page) }))
            .route("/demo/events", get(events))
            .with_state(Arc::new(self))
    }
}

async fn events(State(shop): State<Arc<ShopPage>>) -> Response {
    let Some((embedded, table)) = &shop.events else {
        return (StatusCode::NOT_IMPLEMENTED, Json(json!({"error": "the tables are at --dynamodb: look there"})))
            .into_response();
    };
    let listed = tokio::task::block_in_place(|| embedded.items(table));
    let Ok(mut items) = listed else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    // Entries of the indices are no events.
    items.retain(|item| item.get("vendor").is_some());
    items.sort_by_key(|item| Reverse(item["received_at"].as_str().unwrap_or_default().to_owned()));
    items.truncate(SHOWN);
    Json(Value::from(items)).into_response()
}
