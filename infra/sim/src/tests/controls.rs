//! The router, over real HTTP.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client, Error, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::{World, request};

/// A world behind a port.
struct Served {
    world: World,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Served {
    async fn start() -> Self {
        let world = World::new();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = world.sim.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { world, address, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    async fn popin(&self, endpoint: &str, body: &Value) -> Result<(u16, Bytes), Error> {
        let method = if endpoint == "slots" { "GET" } else { "POST" };
        let mut request = request(method, endpoint, Bytes::from(body.to_string()));
        *request.uri_mut() = format!("http://{}/api/v1/external/{endpoint}", self.address).parse().unwrap();
        self.send(request).await
    }

    async fn control(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let uri = format!("http://{}/_sim/{path}", self.address);
        let request = Request::builder().method(method).uri(uri).body(Bytes::from(body.to_owned())).unwrap();
        let (status, body) = self.send(request).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn send(&self, request: Request<Bytes>) -> Result<(u16, Bytes), Error> {
        let reply = self.client.request(request.map(Full::new)).await?;
        let status = reply.status().as_u16();
        Ok((status, reply.into_body().collect().await.unwrap().to_bytes()))
    }
}

#[tokio::test]
async fn popin_answers_over_http_and_the_controls_show_what_it_saw() {
    let served = Served::start().await;
    let (status, body) = served.popin("capture", &json!({ "name": "Vijith", "mobile": "9544510895" })).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["customer_id"], "MzE1");
    let (_, calls) = served.control("GET", "calls", "").await;
    assert_eq!((&calls[0]["endpoint"], &calls[0]["at"]), (&json!("capture"), &json!("2025-09-24T07:20:00Z")));
    assert_eq!(calls[0]["request"]["name"], "Vijith");
    assert_eq!(served.control("GET", "customers", "").await.1[0]["mobile"], "+919544510895");
    assert_eq!(served.control("GET", "schedules", "").await.1, json!([]));
    assert_eq!(served.control("POST", "reset", "").await.0, 200);
    assert_eq!(served.control("GET", "calls", "").await.1, json!([]));
}

#[tokio::test]
async fn faults_are_ordered_one_by_one_or_together_and_cleared() {
    let served = Served::start().await;
    let one = r#"{"endpoint":"slots","fault":"unavailable_retry_after","times":1,"seconds":3}"#;
    assert_eq!(served.control("POST", "faults", one).await, (200, json!({ "added": 1 })));
    assert_eq!(served.popin("slots", &Value::Null).await.unwrap().0, 503);
    let two = r#"[{"fault":"error","times":0},{"fault":"refuse"}]"#;
    assert_eq!(served.control("POST", "faults", two).await.1, json!({ "added": 2 }));
    assert_eq!(served.popin("slots", &Value::Null).await.unwrap().0, 500);
    assert_eq!(served.control("DELETE", "faults", "").await.0, 200);
    assert_eq!(served.popin("slots", &Value::Null).await.unwrap().0, 200);

    let (status, body) = served.control("POST", "faults", r#"{"fault":"explode"}"#).await;
    assert_eq!(status, 400);
    let error = body["error"].as_str().unwrap();
    assert!(error.contains("hang_after") && error.contains("status_text"), "{error}");
    assert_eq!(served.control("POST", "faults", "{").await.0, 400);
}

#[tokio::test]
async fn a_reset_connection_gives_the_caller_not_one_byte() {
    let served = Served::start().await;
    served.control("POST", "faults", r#"{"endpoint":"capture","fault":"reset"}"#).await;
    let error = served.popin("capture", &json!({ "name": "Vijith", "mobile": "9544510895" })).await.unwrap_err();
    assert!(!error.is_connect());
    assert_eq!(served.world.sim.customers().len(), 1);
    assert_eq!(served.popin("slots", &Value::Null).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_held_reply_is_released_over_http() {
    let served = Served::start().await;
    served.control("POST", "faults", r#"{"fault":"held"}"#).await;
    let release = async {
        while served.control("GET", "calls", "").await.1 == json!([]) {}
        served.control("POST", "release", "").await
    };
    let (reply, _) = tokio::join!(served.popin("slots", &Value::Null), release);
    assert_eq!(reply.unwrap().0, 200);
}

#[tokio::test]
async fn the_webhook_mode_changes_field_by_field_or_by_name() {
    let served = Served::start().await;
    let (_, mode) = served.control("POST", "webhooks", r#"{"version":1,"date_spelling":"numeric"}"#).await;
    assert_eq!((&mode["version"], &mode["delay_ms"], &mode["on"]), (&json!(1), &json!(300), &json!(true)));
    let (_, mode) = served.control("POST", "webhooks", r#"{"mode":"late"}"#).await;
    assert_eq!((&mode["delay_ms"], &mode["version"]), (&json!(30_000), &json!(1)));
    let (_, mode) = served.control("POST", "webhooks", r#"{"mode":"twice"}"#).await;
    assert_eq!((&mode["delay_ms"], &mode["copies"]), (&json!(300), &json!(2)));
    served.control("POST", "webhooks", r#"{"mode":"off"}"#).await;
    let (_, shown) = served.control("GET", "webhooks", "").await;
    assert_eq!((&shown["mode"]["on"], &shown["outbox"]), (&json!(false), &json!(0)));
    for wrong in [r#"{"mode":"never"}"#, r#"{"version":3}"#, r#"{"delay":1}"#, "[]", "nonsense"] {
        let (status, body) = served.control("POST", "webhooks", wrong).await;
        assert!(status == 400 && body["error"].is_string(), "{wrong}");
    }
}

#[tokio::test]
async fn any_documented_event_is_sent_on_request() {
    let served = Served::start().await;
    let order = |event: &str| json!({ "seller": "51", "event": event, "mobile": "+919000000001" }).to_string();
    for event in crate::events::documented() {
        let (status, body) = served.control("POST", "events", &order(&event)).await;
        assert_eq!((status, &body["queued"]["event"]), (200, &json!(event)));
    }
    let due = served.world.sim.take_due_webhooks();
    assert_eq!(due.len(), 22);
    assert!(due.iter().all(|webhook| String::from_utf8_lossy(&webhook.body).contains("9000000001")));
    assert_eq!(served.control("POST", "events", &order("popin_rang")).await.0, 400);
    assert_eq!(served.control("POST", "events", r#"{"seller":"9","event":"popin_call_missed"}"#).await.0, 400);
}
