//! The simulator, tried the way its callers use it.

mod controls;
mod desk;
mod faults;
mod persistence;
mod webhooks;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{FaultOrder, Options, SellerAccount, Sim, WebhookTarget};

const TOKEN: &str = "51";
const KEY: &str = "popin-api-key-of-acme";
/// The first slot of `World::new`, which begins on a Wednesday at ten to one.
const FIRST: &str = "Wed, 24 Sep 2025 01:00 PM";

/// A simulator with one seller, and a clock that the test moves.
struct World {
    sim: Sim,
    clock: Arc<Mutex<Timestamp>>,
}

impl World {
    fn new() -> Self {
        Self::with(account(), None)
    }

    fn with(seller: SellerAccount, data: Option<PathBuf>) -> Self {
        let clock = Arc::new(Mutex::new("2025-09-24T12:50:00+05:30".parse().unwrap()));
        let hands = Arc::clone(&clock);
        let now = Arc::new(move || *hands.lock().unwrap());
        Self { sim: Sim::new(Options { sellers: vec![seller], now, data }).unwrap(), clock }
    }

    fn advance(&self, seconds: i64) {
        *self.clock.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    async fn capture(&self, mobile: &str) -> Reply {
        self.post("capture", &json!({ "name": "Vijith", "mobile": mobile, "country": "91" })).await
    }

    /// Captures the sample customer, and gives back its id.
    async fn captured(&self) -> String {
        self.capture("9544510895").await.json()["customer_id"].as_str().unwrap().to_owned()
    }

    async fn slots(&self) -> Reply {
        self.send(request("GET", "slots", Bytes::new())).await
    }

    async fn schedule(&self, customer_id: &str, time: &str) -> Reply {
        self.post("schedule", &json!({ "customer_id": customer_id, "time": time })).await
    }

    async fn post(&self, endpoint: &str, body: &Value) -> Reply {
        self.send(request("POST", endpoint, Bytes::from(body.to_string()))).await
    }

    async fn send(&self, request: Request<Bytes>) -> Reply {
        Reply(self.sim.handle(request).await)
    }

    fn order(&self, order: Value) {
        self.sim.add_fault(serde_json::from_value::<FaultOrder>(order).unwrap());
    }
}

struct Reply(Response<Bytes>);

impl Reply {
    fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(self.0.body()).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.0.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn account() -> SellerAccount {
    let webhook = Some(WebhookTarget { url: "http://127.0.0.1:7700/hook".to_owned(), api_key: "hook-key".to_owned() });
    SellerAccount { webhook, ..SellerAccount::new(TOKEN, KEY) }
}

fn request(method: &str, endpoint: &str, body: Bytes) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:7702/api/v1/external/{endpoint}"))
        .header("X-API-KEY", KEY)
        .header("X-TOKEN", TOKEN)
        .header("Accept", "application/json")
        .body(body)
        .unwrap()
}
