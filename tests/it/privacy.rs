//! Forgetting a person, and what a log may say.

use http::Method;
use serde_json::{Value, json};
use std::{
    io::Write,
    sync::{Arc, Mutex, Once},
};
use system_tests::shop::{API_KEY, ORIGIN, Reply, STANDARD_SECRET, Shop, WEBHOOK_KEY, page_id};

async fn forget(shop: &Shop, who: &Value) -> Reply {
    let authorization = format!("Bearer {API_KEY}");
    shop.send(Method::DELETE, "/v1/people/acme", &[("authorization", &authorization)], who.to_string()).await
}

const NUMBER: &str = "9000054321";
const EMAIL: &str = "canary.person@example.com";
const NAME: &str = "Canary Example";

/// One person, everywhere a person can come in.
async fn tell_of_the_canary(shop: &Shop) {
    let captured = json!({"uid": "u-1", "name": NAME, "email": EMAIL, "mobile": NUMBER, "country": "+91"});
    let page = "https://shop.example.com/p?email=canary.person@example.com";
    let event = json!({"id": page_id(1), "source": "popin", "name": "popin_captured", "data": captured, "page": page});
    assert_eq!(shop.collect(json!([event])).await.body["accepted"], 1);
    let webhook = json!({"event": "popin_call_missed", "user_id": "1", "full_phone_number": format!("+91{NUMBER}"), "properties": {"customer_name": NAME}});
    assert_eq!(shop.popin_webhook(webhook.to_string()).await.body["stored"], true);
    let unknown = json!({"event": "popin_brand_new", "user_id": "1", "email": EMAIL, "timestamp": 1_795_400_000});
    assert_eq!(shop.popin_webhook(unknown.to_string()).await.body["stored"], true);
    let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL, "campaign": {"note": NAME}}});
    assert_eq!(shop.book("k1", Some(10), &lead).await.status, 201);
    // Past the window in which a person joins their first booking.
    shop.advance(601);
    assert_eq!(shop.trigger("msg_1", &lead).await.status, 202);
    shop.settle().await;
}

fn tables(shop: &Shop) -> String {
    ["events", "slots", "bookings"].map(|table| json!(shop.world.items(table)).to_string()).concat()
}

#[tokio::test(start_paused = true)]
async fn a_person_who_is_forgotten_is_in_no_table() {
    for who in
        [json!({"phone": "+91 90000 54321"}), json!({"phone": NUMBER}), json!({"email": "Canary.Person@example.com"})]
    {
        let shop = Shop::open().await;
        tell_of_the_canary(&shop).await;
        assert!(tables(&shop).contains(NUMBER) && tables(&shop).contains(EMAIL) && tables(&shop).contains(NAME));
        let first = forget(&shop, &who).await;
        assert_eq!((first.status.as_u16(), &first.body["bookings"]), (200, &json!(2)), "{who}");
        let rest = forget(&shop, &json!({"phone": NUMBER})).await.body["events"].as_u64().unwrap()
            + forget(&shop, &json!({"email": EMAIL})).await.body["events"].as_u64().unwrap();
        assert!(first.body["events"].as_u64().unwrap() >= 1 && rest <= 6, "{first:?}");
        let left = tables(&shop);
        for trace in [NUMBER, EMAIL, NAME, "canary"] {
            assert!(!left.contains(trace), "{trace} is left after {who}");
        }
        let again = forget(&shop, &who).await;
        assert_eq!(again.body, json!({"events": 0, "bookings": 0}));
        // What happened is still known, and a copy of it is still a copy.
        assert!(shop.events().iter().any(|item| item["kind"] == "call.missed" && item["data"] == "{}"));
        let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL, "campaign": {"note": NAME}}});
        assert_eq!(shop.book("k1", Some(10), &lead).await.code(), "booking_erased");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_seller_may_forget_and_only_somebody() {
    let shop = Shop::open().await;
    assert_eq!(
        shop.send(Method::DELETE, "/v1/people/acme", &[], json!({"phone": NUMBER}).to_string()).await.status,
        401
    );
    for who in [json!({}), json!({"phone": "no"}), json!({"email": "no"}), json!({"phone": NUMBER, "email": EMAIL})] {
        assert_eq!(forget(&shop, &who).await.code(), "bad_person", "{who}");
    }
    assert_eq!(forget(&shop, &json!({"name": NAME})).await.code(), "not_json");
}

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

thread_local! {
    static HEARD: Log = Log::default();
}

/// What this thread's test logs from now on. One subscriber serves all threads: with one for each, the callsites' cache
/// would forget what a neighbour wants to hear.
fn listen() -> Log {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let writer = || HEARD.with(Log::clone);
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(writer).init();
    });
    HEARD.with(Log::clone)
}

#[tokio::test(start_paused = true)]
async fn the_loudest_log_has_no_person_and_no_secret_in_it() {
    let log = listen();
    let shop = Shop::open().await;
    tell_of_the_canary(&shop).await;
    // What goes wrong must be told without them too.
    for fault in [sim::Fault::Error, sim::Fault::Refuse, sim::Fault::Unauthorized, sim::Fault::Truncated] {
        shop.world.sim.add_fault(sim::FaultOrder::new(sim::Target::Any, fault));
        let lead = json!({"lead": {"name": NAME, "mobile": NUMBER, "email": EMAIL}});
        shop.book(&format!("{fault:?}"), Some(5), &lead).await;
    }
    shop.send(Method::POST, "/v1/webhooks/acme/popin", &[("x-api-key", "wrong-key-wrong-key-wrong")], NUMBER).await;
    shop.send(Method::POST, "/v1/collect/acme", &[("origin", ORIGIN)], format!("{{{EMAIL}")).await;
    forget(&shop, &json!({"phone": NUMBER})).await;
    let told = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(told.contains("booking.step") && told.contains("popin.credentials_refused"), "the log was not heard");
    for line in told.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "not JSON: {line}");
    }
    // The embedded database and the simulator stand in for others: what they say of themselves is not ours.
    let ours = told.lines().filter(|line| {
        line.contains("frontdesk") || line.contains("_intake") || line.contains("_worker") || line.contains("slot")
    });
    for line in ours {
        for trace in [NUMBER, EMAIL, NAME, API_KEY, WEBHOOK_KEY, STANDARD_SECRET, "popin-key", "live.popin.to"] {
            assert!(!line.contains(trace), "{trace} in {line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_snippet_is_served_with_a_tag_and_may_be_kept() {
    let shop = Shop::open().await;
    let first = shop.send(Method::GET, "/v1/frontdesk.js", &[], "").await;
    assert_eq!((first.status.as_u16(), first.header("content-type")), (200, "text/javascript; charset=utf-8"));
    assert_eq!(first.header("cache-control"), "public, max-age=3600");
    let tag = first.header("etag").to_owned();
    assert_eq!(shop.send(Method::GET, "/v1/frontdesk.js", &[("if-none-match", &tag)], "").await.status, 304);
}
