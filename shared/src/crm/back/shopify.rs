//! Shopify: one tag of ours at the customer, the one for the present state.

use super::{Call, Meaning, NoCall, UNREADABLE, record};
use crate::model::{origin::Origin, seller::ShopifyBack, write_back::News};
use http::Method;
use serde_json::{Value, json};

/// Every state at rest.
const STATES: [&str; 4] = ["scheduled", "no_slot", "refused", "needs_human"];

/// Both in one request: no crash leaves a customer with two.
const MUTATION: &str = "mutation tell($id: ID!, $remove: [String!]!, $add: [String!]!) { \
    tagsRemove(id: $id, tags: $remove) { userErrors { message } } \
    tagsAdd(id: $id, tags: $add) { userErrors { message } } }";

pub(super) fn call(back: &ShopifyBack, base: &str, origin: &Origin, news: &News) -> Result<Call, NoCall> {
    let kind = match origin.object.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("customer" | "customers") => "Customer",
        Some("order" | "orders") => "Order",
        Some(_) => return Err(NoCall("object_unknown")),
    };
    let tag = |state: &str| format!("{}-{}", back.tag, state.replace('_', "-"));
    let others: Vec<_> = STATES.into_iter().filter(|state| *state != news.state).map(tag).collect();
    let id = format!("gid://shopify/{kind}/{}", record(origin)?);
    let body = json!({"query": MUTATION, "variables": {"id": id, "remove": others, "add": [tag(news.state)]}});
    let url = format!("{base}/admin/api/{}/graphql.json", back.api_version);
    Ok(Call::new("tags", Method::POST, url, body.to_string())
        .with("x-shopify-access-token", back.access_token.expose()))
}

/// GraphQL says 200 to everything.
pub(super) fn meaning(known: Meaning, body: &Value) -> Meaning {
    match known {
        Meaning::Done => {}
        Meaning::Later { .. } | Meaning::Credentials | Meaning::Refused(_) => return known,
    }
    match body["errors"][0]["extensions"]["code"].as_str() {
        Some("THROTTLED") => return Meaning::Later { code: "rate_limited", after: None },
        Some("ACCESS_DENIED") => return Meaning::Credentials,
        Some("INTERNAL_SERVER_ERROR") => return Meaning::Later { code: "server_error", after: None },
        Some(_) | None if body["errors"].is_array() => return Meaning::Refused("refused"),
        Some(_) | None => {}
    }
    let wrong = |mutation: &str| body["data"][mutation]["userErrors"].as_array().map(|errors| !errors.is_empty());
    match (wrong("tagsRemove"), wrong("tagsAdd")) {
        (Some(false), Some(false)) => Meaning::Done,
        (None, _) | (_, None) => UNREADABLE,
        (Some(_), Some(_)) => Meaning::Refused("refused"),
    }
}
