//! Shopify: tags by GraphQL, which says 200 to everything.

use super::{Ask, Books, KEY};
use crate::replies;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

pub(super) fn answer(books: &mut Books, ask: &Ask<'_>) -> Response<Bytes> {
    let (&Method::POST, ["admin", "api", _, "graphql.json"]) = (ask.method, ask.path.as_slice()) else {
        return replies::html(StatusCode::NOT_FOUND);
    };
    if ask.header("x-shopify-access-token") != KEY {
        return replies::json(StatusCode::UNAUTHORIZED, &json!({"errors": "[API] Invalid API key or access token"}));
    }
    let variables = &ask.body["variables"];
    let list = |name: &str| -> Vec<String> {
        variables[name].as_array().into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
    };
    let query = ask.body["query"].as_str().unwrap_or_default();
    let id = variables["id"].as_str().filter(|id| id.starts_with("gid://shopify/"));
    let (Some(id), true) = (id, query.contains("tagsRemove(") && query.contains("tagsAdd(")) else {
        return replies::json(StatusCode::OK, &json!({"errors": [{"message": "no", "extensions": {"code": "BAD"}}]}));
    };
    let tags = books.tags.entry(id.to_owned()).or_default();
    tags.retain(|tag| !list("remove").contains(tag));
    tags.extend(list("add"));
    let done = json!({"userErrors": Value::Array(Vec::new())});
    replies::json(StatusCode::OK, &json!({"data": {"tagsRemove": done, "tagsAdd": done}}))
}
