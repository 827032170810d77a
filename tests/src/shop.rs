//! A shop to try things in: one seller or more, the whole cloud in process, and the requests that people send.

use crate::overheard;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use frontdesk::{
    flow::Clock,
    model::event::Thread,
    popin::Transport,
    store::{Bookings, Events, Slots},
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use local::{
    dynamodb,
    world::{Weather, World, WorldOptions},
};
use serde_json::{Value, json};
use sha2::Sha256;
use sim::{Fault, FaultOrder, Target};
use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

pub const ORIGIN: &str = "https://shop.example.com";
pub const API_KEY: &str = "test-api-key-0123456789";
pub const WEBHOOK_KEY: &str = "test-webhook-key-0123456789";
/// What Frontdesk shows to Popin.
pub const POPIN_KEY: &str = "popin-key-0123456789";
pub const POPIN_TOKEN: &str = "popin-token-0123456789";
/// It stands in a URL.
pub const CHILI_SECRET: &str = "chili-path-secret-0123";
pub const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Time as the test says.
#[derive(Debug)]
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub fn at(now: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now.parse().expect("the test's own time is RFC 3339"))))
    }

    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer with its JSON, `Null` when the body is none.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    /// Of the body, as it goes out.
    pub bytes: usize,
}

impl Reply {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub struct Shop {
    pub world: World,
    pub clock: Arc<TestClock>,
}

impl Drop for Shop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            overheard::nothing_so_far();
        }
    }
}

/// The sellers document that most tests use; `change` may add to it.
pub fn sellers(change: impl FnOnce(&mut Value)) -> Value {
    let mut seller = json!({
        "name": "Acme Jewels", "default_country": "IN", "origins": [ORIGIN], "api_keys": [API_KEY],
        "popin": {"base_url": "https://popin.test/api/v1", "api_key": POPIN_KEY, "token": POPIN_TOKEN, "timeout_seconds": 1},
        "webhooks": {"popin": {"keys": [WEBHOOK_KEY]}, "chili-piper": {"path_secrets": [CHILI_SECRET]}},
        "crm": {"standard": {"secrets": [STANDARD_SECRET]}},
        "booking": {"webhooks_wired": true}
    });
    change(&mut seller);
    json!({"acme": seller})
}

impl Shop {
    /// A Monday morning in Jaipur, with the diary filled.
    pub async fn open() -> Self {
        let shop = Self::with(sellers(|_| {})).await;
        shop.tick("slot-cache").await;
        shop
    }

    pub async fn with(sellers: Value) -> Self {
        Self::over(sellers, TestClock::at("2026-11-23T03:00:00Z"), None).await
    }

    /// With something else than the simulator between us and Popin.
    pub async fn over(sellers: Value, clock: Arc<TestClock>, transport: Option<Arc<dyn Transport>>) -> Self {
        overheard::listen();
        let options = WorldOptions {
            sellers,
            sellers_file: None,
            seats: 1,
            clock: clock.clone(),
            seed: 7,
            transport,
            outside: None,
            weather: Weather::default(),
            anonymous_write_units: local::world::ANONYMOUS_WRITE_UNITS,
        };
        Self { world: World::start(options).await.expect("the test's own sellers are good"), clock }
    }

    /// Over a document in a file, which may change.
    pub async fn over_file(file: &Path) -> Self {
        overheard::listen();
        let text = fs::read_to_string(file).expect("the test's own file can be read");
        let clock = TestClock::at("2026-11-23T03:00:00Z");
        let options = WorldOptions {
            sellers: serde_json::from_str(&text).expect("the test's own document is JSON"),
            sellers_file: Some(file.to_owned()),
            seats: 1,
            clock: clock.clone(),
            seed: 7,
            transport: None,
            outside: None,
            weather: Weather::default(),
            anonymous_write_units: local::world::ANONYMOUS_WRITE_UNITS,
        };
        Self { world: World::start(options).await.expect("the test's own sellers are good"), clock }
    }

    /// The same shop after its document was changed.
    pub async fn again_with(&self, sellers: Value) -> Self {
        let options = WorldOptions {
            sellers,
            sellers_file: None,
            seats: 1,
            clock: self.clock.clone(),
            seed: 8,
            transport: None,
            outside: None,
            weather: Weather::default(),
            anonymous_write_units: local::world::ANONYMOUS_WRITE_UNITS,
        };
        let world = World::over(self.world.db.clone(), options).await.expect("the test's own sellers are good");
        Self { world, clock: self.clock.clone() }
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// The tables behind the front door, for what no request can do.
    pub fn events_table(&self) -> Events {
        let client = dynamodb::client(self.world.db.http(), "http://dynamodb.test");
        Events::new(client, "frontdesk-events".to_owned())
    }

    pub fn bookings_table(&self) -> Bookings {
        let client = dynamodb::client(self.world.db.http(), "http://dynamodb.test");
        let slots = Slots { client: client.clone(), table: "frontdesk-slots".to_owned() };
        Bookings { client, table: "frontdesk-bookings".to_owned(), slots }
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        overheard::nothing_so_far();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("the test's own request is well formed");
        let response = self.world.http(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.len();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Reply { status: parts.status, headers: parts.headers, body, bytes }
    }

    /// Fires a schedule.
    pub async fn tick(&self, function: &str) -> Value {
        self.world.tick(function).await.unwrap_or_else(|failure| panic!("{function} failed: {failure:?}"))
    }

    /// A page's batch.
    pub async fn collect(&self, events: Value) -> Reply {
        let body = json!({"sent_at": "2026-11-23T03:00:00Z", "events": events}).to_string();
        self.send(Method::POST, "/v1/collect/acme", &[("origin", ORIGIN), ("content-type", "text/plain")], body).await
    }

    /// A Popin webhook with the right key.
    pub async fn popin_webhook(&self, body: impl Into<Bytes>) -> Reply {
        self.send(
            Method::POST,
            "/v1/webhooks/acme/popin",
            &[("x-api-key", WEBHOOK_KEY), ("content-type", "application/json")],
            body,
        )
        .await
    }

    pub async fn slots(&self, query: &str) -> Reply {
        self.send(Method::GET, &format!("/v1/slots/acme{query}"), &[("origin", ORIGIN)], Bytes::new()).await
    }

    /// A booking with a key; `wait` in seconds.
    pub async fn book(&self, key: &str, wait: Option<u32>, body: &Value) -> Reply {
        let authorization = format!("Bearer {API_KEY}");
        let prefer = wait.map(|seconds| format!("wait={seconds}"));
        let mut headers = vec![
            ("authorization", authorization.as_str()),
            ("idempotency-key", key),
            ("content-type", "application/json"),
        ];
        headers.extend(prefer.as_deref().map(|prefer| ("prefer", prefer)));
        self.send(Method::POST, "/v1/bookings/acme", &headers, body.to_string()).await
    }

    /// Waited for, while Popin holds its reply until its own webhook was taken.
    pub async fn book_told_first(&self, key: &str, body: &Value) -> Reply {
        let sim = &self.world.sim;
        sim.add_fault(FaultOrder::new(Target::Schedule, Fault::Held));
        let before = sim.schedules().len();
        let webhook = async {
            while sim.schedules().len() == before {
                tokio::task::yield_now().await;
            }
            self.settle().await;
            sim.release();
        };
        tokio::join!(self.book(key, Some(10), body), webhook).0
    }

    pub async fn booking(&self, id: &str) -> Reply {
        let authorization = format!("Bearer {API_KEY}");
        self.send(Method::GET, &format!("/v1/bookings/acme/{id}"), &[("authorization", &authorization)], Bytes::new())
            .await
    }

    pub async fn resolve(&self, id: &str, decision: &Value) -> Reply {
        let authorization = format!("Bearer {API_KEY}");
        let path = format!("/v1/bookings/acme/{id}/resolve");
        self.send(Method::POST, &path, &[("authorization", &authorization)], decision.to_string()).await
    }

    /// A Standard Webhooks trigger, signed now.
    pub async fn trigger(&self, id: &str, body: &Value) -> Reply {
        let (timestamp, body) = (self.clock.now().as_second().to_string(), body.to_string());
        let signature = sign(STANDARD_SECRET, id, &timestamp, &body);
        let headers = [("webhook-id", id), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)];
        self.send(Method::POST, "/v1/crm/acme/standard", &headers, body).await
    }

    /// Streams and Popin's webhooks, until nothing is left to be delivered.
    pub async fn settle(&self) {
        loop {
            self.world.pump().await;
            self.advance(1);
            if self.world.deliver_webhooks().await == 0 {
                return;
            }
        }
    }
}

/// `v1,<base64>` over id, time and body.
pub fn sign(secret: &str, id: &str, timestamp: &str, body: &str) -> String {
    let key = STANDARD.decode(&secret["whsec_".len()..]).expect("the test's own secret is base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// A lead with a number of its own, from the block that is set aside: `+91 90000 xxxxx`.
pub fn lead(number: u32) -> Value {
    json!({"lead": {"external_id": format!("L-{number}"), "name": "Asha Example", "mobile": format!("90000{number:05}"), "email": "asha@example.com"}})
}

/// The partition of a thread that a vendor calls so.
pub fn thread(id: &str) -> String {
    format!("acme#{}", Thread::told(id).subject(POPIN_KEY))
}

/// A UUID for a page's event.
pub fn page_id(number: u32) -> String {
    format!("018f2b6e-7c1a-7e3b-9d0a-{number:012x}")
}

impl Shop {
    /// The stored events, without the entries of their indices.
    pub fn events(&self) -> Vec<Value> {
        self.world.items("events").into_iter().filter(|item| item.get("vendor").is_some()).collect()
    }

    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn clock_seconds(&self) -> i64 {
        self.clock.now().as_second()
    }
}
