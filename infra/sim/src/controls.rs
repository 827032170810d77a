//! Popin over HTTP, and beside it the controls, which Popin does not have.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::events::EventOrder;
use crate::faults::FaultOrder;
use crate::replies::{self, ConnectionReset};
use crate::{Sim, WebhookMode};

/// More than any caller of Popin has to say.
const MOST: usize = 1024 * 1024;

impl Sim {
    /// Popin's API, and `/_sim/...`. A server that shuts down gracefully must not wait for calls that hang.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/_sim/faults", post(add_faults).delete(clear_faults))
            .route("/_sim/calls", get(async |State(sim): State<Self>| Json(sim.calls())))
            .route("/_sim/schedules", get(async |State(sim): State<Self>| Json(sim.schedules())))
            .route("/_sim/customers", get(async |State(sim): State<Self>| Json(sim.customers())))
            .route("/_sim/webhooks", get(show_webhooks).post(set_webhooks))
            .route("/_sim/release", post(release))
            .route("/_sim/reset", post(reset))
            .route("/_sim/events", post(send_event))
            .route("/_sim/records", post(put_record))
            .route("/_sim/crms", get(async |State(sim): State<Self>| Json(sim.crms().shown())))
            .route("/_sim/crms/faults", post(add_crm_fault).delete(clear_crm_faults))
            .fallback(popin)
            .with_state(self.clone())
    }
}

async fn popin(State(sim): State<Sim>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST).await else {
        return replies::html(StatusCode::PAYLOAD_TOO_LARGE).map(Body::from);
    };
    let reply = sim.handle(Request::from_parts(head, body)).await;
    if reply.extensions().get::<ConnectionReset>().is_some() {
        // The server has not flushed the head when the body fails at once, so the caller gets not one byte.
        let broken = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("reset on request")) });
        return Response::new(Body::from_stream(broken));
    }
    reply.map(Body::from)
}

async fn add_crm_fault(State(sim): State<Sim>, body: Bytes) -> Result<Json<Value>, BadOrder> {
    sim.crms().add_fault(parse(&body)?);
    Ok(Json(json!({ "added": 1 })))
}

async fn clear_crm_faults(State(sim): State<Sim>) -> Json<Value> {
    sim.crms().clear_faults();
    Json(json!({ "cleared": true }))
}

/// One order or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Orders {
    Several(Vec<Value>),
    One(Value),
}

async fn add_faults(State(sim): State<Sim>, body: Bytes) -> Result<Json<Value>, BadOrder> {
    let orders = match parse(&body)? {
        Orders::Several(orders) => orders,
        Orders::One(order) => vec![order],
    };
    let orders: Vec<FaultOrder> = orders.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
    let added = orders.len();
    for order in orders {
        sim.add_fault(order);
    }
    Ok(Json(json!({ "added": added })))
}

async fn clear_faults(State(sim): State<Sim>) -> Json<Value> {
    sim.clear_faults();
    Json(json!({ "cleared": true }))
}

async fn show_webhooks(State(sim): State<Sim>) -> Json<Value> {
    Json(json!({ "mode": sim.webhooks(), "outbox": sim.outbox_len() }))
}

/// Changes what it names: first to one of four well-known modes, then field by field.
async fn set_webhooks(State(sim): State<Sim>, body: Bytes) -> Result<Json<WebhookMode>, BadOrder> {
    let mut fields: Map<String, Value> = parse(&body)?;
    let mut mode = sim.webhooks();
    if let Some(name) = fields.remove("mode") {
        let known = WebhookMode { on: true, delay_ms: 300, copies: 1, ..mode };
        mode = match name.as_str() {
            Some("on") => known,
            Some("off") => WebhookMode { on: false, ..known },
            Some("late") => WebhookMode { delay_ms: 30_000, ..known },
            Some("twice") => WebhookMode { copies: 2, ..known },
            Some(_) | None => return Err(BadOrder("mode is on, off, late or twice".to_owned())),
        };
    }
    let mut merged = serde_json::to_value(&mode)?;
    fields.into_iter().for_each(|(name, value)| merged[name] = value);
    let mode: WebhookMode = serde_json::from_value(merged)?;
    if !(1..=2).contains(&mode.version) || mode.copies > 100 {
        return Err(BadOrder("version is 1 or 2, and copies at most 100".to_owned()));
    }
    sim.set_webhooks(mode.clone());
    Ok(Json(mode))
}

async fn release(State(sim): State<Sim>) -> Json<Value> {
    sim.release();
    Json(json!({ "released": true }))
}

async fn reset(State(sim): State<Sim>) -> Json<Value> {
    sim.reset();
    Json(json!({ "reset": true }))
}

async fn send_event(State(sim): State<Sim>, body: Bytes) -> Result<Json<Value>, BadOrder> {
    let order: EventOrder = parse(&body)?;
    Ok(Json(json!({ "queued": sim.send_event(&order).map_err(BadOrder)? })))
}

/// A record of a CRM's that is read back: `{"name": "hubspot/contacts/614", "record": {...}}`.
#[derive(Deserialize)]
struct NamedRecord {
    name: String,
    record: Value,
}

async fn put_record(State(sim): State<Sim>, body: Bytes) -> Result<Json<Value>, BadOrder> {
    let NamedRecord { name, record } = parse(&body)?;
    sim.put_record(name, record);
    Ok(Json(json!({ "kept": true })))
}

/// Why a control did nothing: 400.
struct BadOrder(String);

impl From<serde_json::Error> for BadOrder {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for BadOrder {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": self.0 }))).into_response()
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadOrder> {
    Ok(serde_json::from_slice(body)?)
}
